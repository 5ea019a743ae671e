#!/usr/bin/env python3
"""Whether a built `harness` works: it approves the PagerDuty node, stores a credential, and its
server creates an incident at the simulator.

    smoke.py BINARY [RUNNER...]

RUNNER is the command that runs the binary where this machine cannot, such as qemu-aarch64-static.
Needs what ../../engines/testing/harness_server.py needs, except HARNESS. WORKFLOW_NODE_ISOLATION
chooses the isolation of plugins.
"""

import json
import os
import shlex
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engines/testing"))
from harness_server import HarnessServer


def main() -> int:
    binary, *runner = sys.argv[1:]
    since = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        command = Path(directory) / "harness"
        words = shlex.join([*runner, str(Path(binary).resolve())])
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        command.chmod(0o755)
        os.environ["HARNESS"] = str(command)
        # Compiled components of other binaries are of no use, and its own are of no use to others.
        os.environ["XDG_CACHE_HOME"] = directory
        with HarnessServer() as server:
            title = "Created by the smoke test"
            call = {
                "execution_id": "smoke",
                "credentials": {"rest": "work"},
                "items": [{"title": title, "service_id": server.service}],
            }
            request = urllib.request.Request(
                f"{server.url}/v1/plugins/pagerduty/actions/incident.create/execute",
                data=json.dumps(call).encode(),
                headers={
                    "Authorization": f"Bearer {server.token}",
                    "Content-Type": "application/json",
                },
            )
            with urllib.request.urlopen(request) as response:
                result = json.load(response)
            titles = [incident["title"] for incident in server.incidents()]
            if titles.count(title) != 1:
                print(f"The service has no incident of the call: {result}", file=sys.stderr)
                return 1
            version = server.run("--version").strip()
    print(f"{version}: created an incident ({time.monotonic() - since:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
