"""The programs of docs/engines/python.md."""

import csv
from pathlib import Path

import pytest

from harness_server import HarnessServer

GUIDE = Path(__file__).resolve().parents[4] / "docs/engines/python.md"


def program(section: str) -> str:
    text = GUIDE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = text.split("```python\n")[1].split("```")[0].splitlines()
    indentation = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indentation:] for line in lines)


@pytest.fixture(autouse=True)
def environment(server: HarnessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_NODE_URL", server.url)
    monkeypatch.setenv("WORKFLOW_NODE_TOKEN", server.token)


def test_the_guide_leads_to_an_incident(
    server: HarnessServer, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(program("From nothing to an incident"), {})
    created = capsys.readouterr().out.strip()
    assert created in [incident["id"] for incident in server.incidents()]


def test_the_guide_streams_a_file(
    server: HarnessServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("incidents.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerows([["title", "service_id"], ["From a file", server.service], ["", "PNOSUCH"]])
    program_ = "from workflow_node import Client\nclient = Client()\naccount = {'rest': 'work'}\n"
    exec(program_ + program("Large and long executions"), names := {})
    names["client"].close()
    assert "From a file" in capsys.readouterr().out
    assert "From a file" in [incident["title"] for incident in server.incidents()]
