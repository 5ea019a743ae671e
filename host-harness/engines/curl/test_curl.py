"""curl creates an incident, and holds no secret of the service."""

import json
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
import canary
from broken_proxy import BrokenProxy
from harness_server import HarnessServer

TITLE = "A canary from curl"


class Curl(unittest.TestCase):
    def test_curl_creates_incidents_and_holds_no_secret_of_the_service(self) -> None:
        with (
            HarnessServer() as server,
            BrokenProxy(server.url) as proxy,
            # It never answers, so that curl keeps its memory while it is searched.
            socket.create_server(("127.0.0.1", 0)) as silent,
            tempfile.TemporaryDirectory() as directory,
        ):
            server.connect_user("team")
            execute = f"{proxy.url}/v1/plugins/pagerduty/actions/incident.create/execute"
            requests = []
            for account in ("work", "team"):
                call = {
                    "credentials": {"rest": account},
                    "items": [{"title": TITLE, "service_id": server.service}],
                }
                requests += [
                    f"url = {json.dumps(execute)}",
                    f"data = {json.dumps(json.dumps(call))}",
                    f'header = "Authorization: Bearer {server.token}"',
                    'header = "Content-Type: application/json"',
                    f'output = "{account}.json"',
                    "next",
                ]
            requests.append(f'url = "http://127.0.0.1:{silent.getsockname()[1]}/"')
            # Not an argument, so that others on the machine cannot see the token.
            command = ["curl", "--silent", "--show-error", "--config", "-"]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, text=True, cwd=directory
            ) as client:
                assert client.stdin is not None
                client.stdin.write("\n".join(requests))
                client.stdin.close()
                silent.settimeout(120)
                connection, _ = silent.accept()
                with connection:
                    held = {"token": server.token, "title": TITLE}
                    problems = canary.problems(
                        server,
                        processes=[client.pid],
                        streams=proxy.streams,
                        files=Path(directory),
                        held={"memory": held, "traffic": held, "files": {"title": TITLE}},
                    )
                    client.kill()
            self.assertEqual(problems, [])
            for account in ("work", "team"):
                answer = json.loads(Path(directory, f"{account}.json").read_text())
                self.assertEqual(answer["items"][0]["output"][0]["title"], TITLE)
            titles = [one["title"] for one in server.incidents()]
            self.assertEqual(titles.count(TITLE), 2)


if __name__ == "__main__":
    unittest.main()
