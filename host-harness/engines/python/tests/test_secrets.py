"""No process, no traffic, and no file of a client holds a secret of the service."""

import subprocess
import sys
from pathlib import Path

import canary
from broken_proxy import BrokenProxy
from harness_server import HarnessServer

# What a program does with both kinds of accounts, and it keeps what it got.
PROGRAM = """
import json, sys
from workflow_node import Client

url, token, service, title = sys.argv[1:]
kept = []
with Client(url, token) as client:
    kept.append(list(client.credentials()))
    for account in ["work", "team"]:
        client.test_credential(account)
        slots = {"rest": account}
        form = {"action": "incident.create", "parameter": "service_id"}
        kept.append(list(client.options("pagerduty", **form, credentials=slots)))
        item = {"title": title, "service_id": service}
        kept.append(client.execute("pagerduty", "incident.create", [item], credentials=slots))
    kept.append(client.subscribe(
        "canary", "pagerduty", "event", parameters={"events": ["incident.triggered"]},
        credentials={"rest": "team"},
    ))
    item = {"title": title, "service_id": service}
    client.execute("pagerduty", "incident.create", [item], credentials={"rest": "team"})
    kept.append(next(iter(client.events("canary"))))
    open("kept.txt", "w").write(repr(kept))
    print("done", flush=True)
    sys.stdin.read()
"""


def test_no_memory_traffic_or_file_of_a_client_holds_a_secret_of_the_service(
    tmp_path: Path,
) -> None:
    title = "A canary from Python"
    with HarnessServer() as server, BrokenProxy(server.url) as proxy:
        server.connect_user("team")
        command = [sys.executable, "-c", PROGRAM, proxy.url, server.token, server.service, title]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "done\n"
            token = {"token": server.token, "title": title}
            problems = canary.problems(
                server,
                processes=[client.pid],
                streams=proxy.streams,
                files=tmp_path,
                held={"memory": token, "traffic": token, "files": {"title": title}},
            )
            client.communicate("")
        assert problems == []
        assert [one["title"] for one in server.incidents()].count(title) == 3


def test_a_secret_that_a_client_holds_is_found(tmp_path: Path) -> None:
    """The search itself: a client that has got the API key somehow."""
    program = "import sys; key = sys.stdin.readline(); print(key, flush=True); sys.stdin.read()"
    with HarnessServer() as server:
        server.connect_user("team")
        Path(tmp_path, "file").write_text(f"title {server.secret}")
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", program, "title"]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(f"{server.secret}\n")
            client.stdin.flush()
            # From here on, it has the key.
            assert client.stdout.readline() == f"{server.secret}\n"
            title = {"title": "title"}
            problems = canary.problems(
                server,
                processes=[client.pid],
                streams=[b"title and nothing else"],
                files=tmp_path,
                held={"memory": title, "traffic": {**title, "more": "x" * 30}, "files": title},
            )
            client.communicate("")
    assert len(problems) == 3, problems
    assert "is in the files, as raw" in "".join(problems)
    assert "is in the memory, as" in "".join(problems)
    assert "The control more was not found in the traffic" in problems
