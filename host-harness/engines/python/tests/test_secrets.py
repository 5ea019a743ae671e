"""No process and no traffic of a client holds the secret of the service."""

import subprocess
import sys

from broken_proxy import BrokenProxy
from harness_server import HarnessServer, holders

PROGRAM = """
import sys
from workflow_node import Client

url, token, service = sys.argv[1:]
with Client(url, token) as client:
    list(client.credentials())
    client.test_credential("work")
    slots = {"rest": "work"}
    form = {"action": "incident.create", "parameter": "service_id"}
    list(client.options("pagerduty", **form, credentials=slots))
    item = {"title": "canary", "service_id": service}
    client.execute("pagerduty", "incident.create", [item], credentials=slots)
    print("done", flush=True)
    sys.stdin.read()
"""


def test_no_memory_and_no_traffic_of_a_client_holds_the_secret_of_the_service(
    server: HarnessServer,
) -> None:
    with BrokenProxy(server.url) as proxy:
        command = [sys.executable, "-c", PROGRAM, proxy.url, server.token, server.service]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "done\n"
            # The client holds its token, so a secret would be found.
            assert holders(client.pid, server.token)
            assert not holders(client.pid, server.secret)
            client.communicate("")
    assert server.token.encode() in proxy.traffic
    assert b"canary" in proxy.traffic
    assert server.secret.encode() not in proxy.traffic
