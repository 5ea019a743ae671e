"""Checks a running server against its own OpenAPI document with schemathesis.

Every operation is called with values at the limits of its schemas and with random values, valid
and invalid, and in sequences that its links describe. No response may have a status of 500 or
above, and each response must be one that the document describes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engines/testing"))

from harness_server import HarnessServer  # noqa: E402

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
SUBSCRIPTION = {
    "plugin": "pagerduty",
    "trigger": "event",
    "credentials": {"rest": "work"},
    "parameters": {"events": ["incident.triggered"]},
}


def call(server: HarnessServer, token: str, method: str, path: str, body: Any) -> Any:
    """Calls the API."""
    request = urllib.request.Request(
        server.url + path,
        method=method,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def configuration(server: HarnessServer, token: str) -> str:
    """Creates what operations need, and returns the configuration that names it."""
    server.connect("spare")
    authorization = call(server, token, "POST", "/v1/credentials/work/authorizations", {})["id"]
    for name in ("sub-1", "spare"):
        call(server, token, "PUT", f"/v1/subscriptions/{name}", SUBSCRIPTION)
    item = {"title": "Disk full", "service_id": server.service}
    action = "/v1/plugins/pagerduty/actions/incident.create/execute"
    body = {"execution_id": "run-1", "credentials": {"rest": "work"}, "items": [item]}
    call(server, token, "POST", action, body)
    return f"""
[parameters]
"path.plugin" = "pagerduty"
"path.action" = "incident.create"
"path.trigger" = "event"
"path.credential" = "work"
"path.subscription" = "sub-1"
"path.secret" = "api-key"
"path.execution" = "run-1"
"path.authorization" = "{authorization}"

[[operations]]
include-method = "DELETE"
[operations.parameters]
"path.credential" = "spare"
"path.subscription" = "spare"
"path.secret" = "spare"

# Without waiting: an event may never come.
[[operations]]
include-operation-id = "list_events"
parameters = {{ "query.wait_ms" = 0 }}

# Some operations need names in bodies that no generated value has: those only warn.
[warnings]
fail-on = ["missing_auth", "method_not_allowed", "unsupported_regex", "unresolvable_reference"]
"""


def main(examples: str) -> int:
    """Runs schemathesis, and returns its exit code."""
    with HarnessServer() as server, tempfile.TemporaryDirectory() as directory:
        names = ("run", "connect", "approve", "monitor")
        roles = [part for name in names for part in ("--role", name)]
        token = server.create_token("contract", *roles, "--raw-secrets")
        config = Path(directory, "schemathesis.toml")
        config.write_text(configuration(server, token))
        command = [str(Path(sys.executable).with_name("schemathesis"))]
        command += ["--config-file", str(config), "run", f"{server.url}/v1/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)]
        command += ["--max-examples", examples, "--generation-deterministic"]
        command += ["--continue-on-failure", "--no-color"]
        return subprocess.run(command, cwd=directory, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
