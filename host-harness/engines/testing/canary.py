"""Shows that a client holds no secret of the service: in its memory, its traffic, or its files.

The scanner is `end-to-end-scanner`, the one of the host's own tests: it knows the encodings, and
decodes chunks, gzip, and SQLite. Each search has controls, so that it cannot pass by finding
nothing: what the client may hold must be found, and the simulator must hold every secret that is
looked for.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from binaries import binary

if TYPE_CHECKING:
    from harness_server import HarnessServer


def scan(
    secrets: Mapping[str, str],
    *,
    processes: Iterable[int] = (),
    paths: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Looks for secrets in the memory of processes, with their children, and in files. Returns
    `memory`, and `paths` by place: the encodings of each secret that was found, by its name."""
    asked = {
        "secrets": dict(secrets),
        "processes": list(processes),
        "paths": {place: str(path) for place, path in (paths or {}).items()},
    }
    done = subprocess.run(
        [binary("SCANNER", "end-to-end-scanner")],
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"The scanner has failed: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def problems(
    server: HarnessServer,
    *,
    processes: Iterable[int] = (),
    streams: Iterable[bytes] | None = None,
    files: Path | None = None,
    held: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """What is wrong with a client: an empty list if it holds no secret of the service.

    `streams` is its traffic, one for each direction of each connection. `held` has what the client
    may hold, and must be found, by place: `memory`, `traffic`, `files`.
    """
    processes = list(processes)
    secrets = server.secrets()
    kinds = {name.rsplit(" ", 1)[0] for name in secrets}
    wrong = [
        f"The control has no {kind}"
        for kind in ("API key", "access token", "refresh token", "client secret")
        if kind not in kinds
    ]
    controls = {f"control: {name}": text for of in held.values() for name, text in of.items()}
    with tempfile.TemporaryDirectory(prefix="canary-") as directory:
        paths: dict[str, Path] = {}
        if streams is not None:
            paths["traffic"] = Path(directory)
            for number, stream in enumerate(streams):
                Path(directory, str(number)).write_bytes(stream)
        if files is not None:
            paths["files"] = files
        found = scan({**secrets, **controls}, processes=processes, paths=paths)
    places = dict(found["paths"])
    if processes and found["memory"] is None:
        print("!!! this system does not show memory: THE MEMORY OF THE CLIENT WAS NOT SEARCHED")
    elif processes:
        places["memory"] = found["memory"]
        # The simulator holds all of them: they are the right ones, and can be found.
        known = scan(secrets, processes=[server.simulator_pid])["memory"]
        unknown = [name for name in secrets if name not in known]
        wrong += [f"The simulator does not hold the {name}" for name in unknown]
    for place, names in places.items():
        wrong += [
            f"The {name} is in the {place}, as {', '.join(encodings)}"
            for name, encodings in names.items()
            if name in secrets
        ]
        wrong += [
            f"The control {name} was not found in the {place}"
            for name in held.get(place, {})
            if f"control: {name}" not in names
        ]
        if not held.get(place):
            wrong.append(f"The search of the {place} has no control")
    return wrong
