#!/usr/bin/env python3
"""A harness server over a PagerDuty simulator, for the tests of the clients.

In Python: `with HarnessServer() as server: …`. Elsewhere: run this file. It prints one line of JSON
when the server is ready, and ends when its standard input is closed. It needs no packages.

    HARNESS             the command (default: target/debug/harness)
    PAGERDUTY_SIMULATOR the simulator (default: target/debug/pagerduty-simulator)
    SCANNER             the scanner of canary.py (default: target/debug/end-to-end-scanner)
    PAGERDUTY_COMPONENT the component (default: the one that `cargo run -p component-build` builds)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import canary
from binaries import TARGET, binary, existing
from broken_proxy import BrokenProxy

COMPONENT = "component/wasm32-wasip2/component/pagerduty.wasm"


class HarnessServer:
    """A simulator, a data directory with the approved plugin and the credential `work`, tokens, and
    a server.

    `secret` is the API key of the account at the simulator, which no client may ever hold.
    """

    def __init__(
        self,
        *,
        latency: str = "0ms",
        limits: dict[str, int] | None = None,
        policies: str = "",
    ) -> None:
        """`latency`: delay of each response of the service. `limits`: of the server. `policies`:
        tables of the configuration file."""
        self._latency, self._limits, self._policies = latency, limits or {}, policies
        self._directory = Path(tempfile.mkdtemp(prefix="harness-server-"))
        self._harness = binary("HARNESS", "harness")
        self._component = existing("PAGERDUTY_COMPONENT", TARGET / COMPONENT)
        self._processes: list[subprocess.Popen[str]] = []
        self.url = ""

    def __enter__(self) -> HarnessServer:
        try:
            self._start_simulator()
            key = self._directory / "key"
            key.write_text("5a" * 32 + "\n")
            key.chmod(0o600)
            self.run("approve", str(self._component), "--yes")
            self.connect("work")
            self.token = self.create_token("full", "--role", "run", "--role", "connect")
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes, and removes the directory."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._processes.clear()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _spawn(self, *command: str) -> tuple[subprocess.Popen[str], str]:
        """Starts a process, and returns its first line."""
        log = (self._directory / f"{len(self._processes)}.log").open("w")
        with log:
            process = subprocess.Popen(
                command, env=self.env, text=True, stdout=subprocess.PIPE, stderr=log,
                stdin=subprocess.PIPE, cwd=self._directory,
            )
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} has ended: {Path(log.name).read_text()}")
        return process, line

    def _start_simulator(self) -> None:
        simulator = binary("PAGERDUTY_SIMULATOR", "pagerduty-simulator")
        authority = self._directory / "simulator-ca.pem"
        options = ["--ca-file", str(authority), "--latency", self._latency]
        self._simulator, line = self._spawn(
            str(simulator), "--print-json", "--rate-limit", "100000", *options
        )
        self.simulator: dict[str, Any] = json.loads(line)
        self.secret: str = self.simulator["us"]["keys"]["account"]
        self.service: str = self.simulator["us"]["services"][0]["id"]

    @property
    def env(self) -> dict[str, str]:
        """The environment of the command."""
        unset = {"WORKFLOW_NODE_KEY", "WORKFLOW_NODE_APPROVALS", "RUST_LOG"}
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        return {
            **kept,
            "HOME": str(self._directory),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(TARGET / "tmp/engines-cache")),
            "WORKFLOW_NODE_DATA": str(self._directory / "data"),
            "WORKFLOW_NODE_KEY_FILE": str(self._directory / "key"),
        }

    def run(self, *arguments: str) -> str:
        """Runs the command, which must succeed, and returns its standard output."""
        done = subprocess.run(
            [str(self._harness), *arguments], env=self.env, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, cwd=self._directory, check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"harness {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def connect(self, name: str) -> None:
        """Stores the key of the account under a name."""
        secret = self._directory / "secret"
        secret.write_text(self.secret)
        self.run(
            "credential", "add", name, "--plugin", str(self._component), "--type", "api-token",
            "--field", "from_email=ada@example.com", "--secret", f"api_token=@{secret}",
        )

    def connect_user(self, name: str) -> None:
        """Connects an account with OAuth, as a person who gives consent in a browser."""
        app = self.simulator["apps"][0]
        secret = self._directory / "client-secret"
        secret.write_text(app["client_secret"])
        origin = self.simulator["origins"]["identity"]
        options = ["--type", "oauth2", "--field", f"client_id={app['client_id']}"]
        options += ["--client-secret", f"@{secret}", "--access", "read-write", "--mode", "shared"]
        options += ["--no-browser", "--yes", "--ca-file", self.simulator["ca_file"]]
        for mapping in self.simulator["connect_to"]:
            options += ["--connect-to", mapping]
        command = [str(self._harness), "credential", "connect", name]
        connecting = subprocess.Popen(
            [*command, "--plugin", str(self._component), *options], env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            cwd=self._directory,
        )
        with connecting:
            assert connecting.stdout is not None
            printed = ""
            while not (url := re.search(r"https://\S+/oauth/authorize\?\S+", printed)):
                line = connecting.stdout.readline()
                if not line:
                    raise RuntimeError(f"harness credential connect: {printed}")
                printed += line
            context = ssl.create_default_context(cafile=self.simulator["ca_file"])
            browser = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

            def page(path: str, **form: str) -> str:
                body = urllib.parse.urlencode(form).encode() if form else None
                with browser.open(origin + path, body) as response:
                    return str(response.read().decode())

            query = urllib.parse.urlsplit(url[0]).query
            chooser = page(f"/oauth/authorize?{query}")
            field = re.search(r'name="interaction" value="([^"]+)"', chooser)
            assert field is not None
            user = self.simulator["us"]["users"][0]["id"]
            page("/oauth/authorize/account", interaction=field[1], user=user)
            page("/oauth/authorize/consent", interaction=field[1], decision="allow")
            printed += connecting.stdout.read()
        if connecting.returncode != 0:
            raise RuntimeError(f"harness credential connect: {printed}")

    def secrets(self) -> dict[str, str]:
        """All secrets of the service that the server holds or has held, each with its kind and a
        number: API keys, OAuth tokens, client secrets, and secrets that sign webhooks."""
        assert self._simulator.stdin is not None
        assert self._simulator.stdout is not None
        self._simulator.stdin.write("secrets\n")
        self._simulator.stdin.flush()
        issued = json.loads(self._simulator.stdout.readline())
        issued.append({"kind": "API key", "value": self.secret})
        client_secret = self.simulator["apps"][0]["client_secret"]
        issued.append({"kind": "client secret", "value": client_secret})
        return {f"{one['kind']} {number}": one["value"] for number, one in enumerate(issued)}

    @property
    def simulator_pid(self) -> int:
        """The process of the service."""
        return self._simulator.pid

    def create_token(self, name: str, *options: str) -> str:
        """Creates a token of the server."""
        return self.run("token", "create", name, *options).strip()

    def start(self) -> None:
        """Starts the server, at the same address as before."""
        config = self._directory / "serve.toml"
        limits = "".join(f"{name} = {value}\n" for name, value in self._limits.items())
        config.write_text(f"[limits]\n{limits}\n{self._policies}\n")
        listen = self.url.removeprefix("http://") or "127.0.0.1:0"
        options = ["--config", str(config), "--listen", listen]
        options += ["--unix", str(self._directory / "server.sock")]
        options += ["--ca-file", self.simulator["ca_file"]]
        for mapping in self.simulator["connect_to"]:
            options += ["--connect-to", mapping]
        self._server, line = self._spawn(
            str(self._harness), "serve", "--plugin", str(self._component), *options
        )
        self.url = line.split()[-1]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the server, but not the simulator."""
        self._server.send_signal(how)
        self._server.wait()

    @property
    def unix_socket(self) -> str:
        """The path of the Unix socket of the server."""
        return str(self._directory / "server.sock")

    def service_api(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the simulator itself, as the service's own users would."""
        context = ssl.create_default_context(cafile=self.simulator["ca_file"])
        request = urllib.request.Request(
            self.simulator["origins"]["rest_us"].rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Token token={self.secret}",
                "Accept": "application/vnd.pagerduty+json;version=2",
                "Content-Type": "application/json",
                "From": "ada@example.com",
            },
        )
        with urllib.request.urlopen(request, context=context) as response:
            return json.load(response)

    def incidents(self) -> list[dict[str, Any]]:
        """All incidents of the account at the service."""
        found: list[dict[str, Any]] = []
        while True:
            query = f"/incidents?date_range=all&limit=100&offset={len(found)}"
            page = self.service_api("GET", query)
            found += page["incidents"]
            if not page["more"]:
                return found


def main() -> None:
    """Runs a server until the standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", default="0ms", help="delay of each response of the service")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--record", action="store_true", help="record the traffic of `url`")
    arguments = parser.parse_args()
    limits = {name: int(value) for name, value in (one.split("=") for one in arguments.limit)}
    with HarnessServer(latency=arguments.latency, limits=limits) as server, ExitStack() as stack:
        recorders: list[BrokenProxy] = []

        def record(url: str) -> str:
            recorders.append(stack.enter_context(BrokenProxy(url)))
            return recorders[-1].url

        ready = {
            "url": record(server.url) if arguments.record else server.url,
            "token": server.token,
            "service": server.service,
            "secret": server.secret,
            "simulator": server.simulator,
        }
        print(json.dumps(ready), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            answer: Any = None
            if command["do"] == "incidents":
                answer = server.incidents()
            elif command["do"] == "service":
                answer = server.service_api(command.get("method", "GET"), command["path"])
            elif command["do"] == "token":
                answer = server.create_token(command["name"], *command["options"])
            elif command["do"] == "connect-user":
                server.connect_user(command["name"])
            elif command["do"] == "record":
                # What the server sends to the client.
                answer = record(command["url"])
            elif command["do"] == "canary":
                answer = canary.problems(
                    server,
                    processes=[command["pid"]],
                    streams=[bytes(one) for recorder in recorders for one in recorder.streams],
                    files=Path(command["files"]),
                    held=command["held"],
                )
            elif command["do"] == "restart":
                server.stop(signal.SIGKILL)
                server.start()
            print(json.dumps({"answer": answer}), flush=True)


if __name__ == "__main__":
    main()
