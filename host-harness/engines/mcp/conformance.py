"""Runs the scenarios of the official conformance suite that apply to a server of tools.

The other scenarios call tools, prompts, and resources with fixed names that only a server written
for the suite has. Single checks that the suite reports as not testable for this reason are listed,
and do not count as failed.
"""

import http.client
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from harness_server import HarnessServer

SCENARIOS = [
    "server-initialize",
    "ping",
    "tools-list",
    "dns-rebinding-protection",
    "server-stateless",
    "http-header-validation",
    "input-required-result-unsupported-methods",
]


def proxy(server: HarnessServer) -> ThreadingHTTPServer:
    """Adds the token to requests. Passes everything else on, Host and Origin included."""
    address = server.url.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            connection = http.client.HTTPConnection(address)
            skipped = {"skip_host": True, "skip_accept_encoding": True}
            connection.putrequest(self.command, self.path, **skipped)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.putheader("Authorization", f"Bearer {server.token}")
            connection.endheaders(self.rfile.read(length))
            response = connection.getresponse()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while part := response.read1():
                self.wfile.write(part)
                self.wfile.flush()
            connection.close()
            self.close_connection = True

        do_GET = do_POST = do_DELETE = forward

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def run(command: list[str], results: Path) -> dict[str, int]:
    """Runs a scenario, and counts its checks by status."""
    results.mkdir(parents=True)
    done = subprocess.run(
        [*command, "-o", str(results)], check=False, text=True, capture_output=True
    )
    files = list(results.glob("*/checks.json"))
    assert len(files) == 1, f"The suite has left no result: {done.stdout}{done.stderr}"
    counts = {"SUCCESS": 0, "FAILURE": 0, "NOT TESTABLE": 0}
    for check in json.loads(files[0].read_text()):
        status, reason = check["status"], check.get("errorMessage", "")
        if status == "FAILURE" and reason.startswith("Not testable"):
            status = "NOT TESTABLE"
        if status in counts:
            counts[status] += 1
        if status != "SUCCESS":
            print(f"  {status} {check['id']} {reason}")
    return counts


def main() -> int:
    node, suite, results = sys.argv[1:]
    failed = []
    with HarnessServer() as server:
        listener = proxy(server)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/mcp"
        for scenario in SCENARIOS:
            command = [node, suite, "server", "--url", url, "--scenario", scenario]
            counts = run(command, Path(results) / scenario)
            print(f"{scenario}: {counts['SUCCESS']} checks passed, {counts['FAILURE']} failed")
            if counts["FAILURE"] > 0 or counts["SUCCESS"] == 0:
                failed.append(scenario)
        listener.shutdown()
    print(f"{len(SCENARIOS) - len(failed)} of {len(SCENARIOS)} scenarios passed")
    return int(len(failed) > 0)


if __name__ == "__main__":
    sys.exit(main())
