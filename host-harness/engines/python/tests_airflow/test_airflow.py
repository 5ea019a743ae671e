"""The provider in a real Airflow."""

import json
import threading
import time
from pathlib import Path

import canary
from broken_proxy import BrokenProxy
from conftest import Airflow
from harness_server import HarnessServer
from workflow_node import Client


def test_airflow_finds_the_provider(airflow: Airflow) -> None:
    assert "workflow-node" in airflow("providers", "list")
    assert "workflow_node" in airflow("providers", "hooks")


def test_the_connection_can_be_tested(airflow: Airflow, server: HarnessServer) -> None:
    printed = airflow("connections", "test", "workflow_node_default")
    assert "Connection success" in printed
    assert server.token not in printed


def test_a_dag_opens_and_resolves_an_incident(airflow: Airflow, server: HarnessServer) -> None:
    before = len(server.incidents())
    printed = airflow("dags", "test", "incident", "--conf", json.dumps({"service": server.service}))
    assert "state=success" in printed
    incidents = server.incidents()
    assert len(incidents) == before + 1
    [opened] = [one for one in incidents if one["title"].startswith("Nightly import failed")]
    assert opened["status"] == "resolved"
    notes = server.service_api("GET", f"/incidents/{opened['id']}/notes")["notes"]
    assert sorted(note["content"] for note in notes) == [
        "The import succeeded.",
        "The import was started again.",
    ]
    assert server.token not in printed
    assert server.secret not in printed


def test_a_task_that_is_tried_again_does_not_repeat_its_action(
    airflow: Airflow, server: HarnessServer
) -> None:
    conf = json.dumps({"service": server.service})
    printed = airflow("dags", "test", "tries", "--conf", conf)
    assert "The worker has failed after the action" in printed
    assert "state=success" in printed
    assert [one["title"] for one in server.incidents()].count("Tried twice") == 1


def test_a_sensor_waits_in_the_triggerer(airflow: Airflow, server: HarnessServer) -> None:
    def resolve() -> None:
        with Client(server.url, server.token) as client:
            # One request is from the task, and one from the triggerer.
            while [one.action for one in client.executions()].count("incident.get") < before + 2:
                time.sleep(0.2)
            client.execute(
                "pagerduty",
                "incident.resolve",
                [{"incident_id": "QINCIDENT00001"}],
                credentials={"rest": "work"},
            )

    with Client(server.url, server.token) as client:
        before = [one.action for one in client.executions()].count("incident.get")
    resolver = threading.Thread(target=resolve, daemon=True)
    resolver.start()
    conf = json.dumps({"incident": "QINCIDENT00001"})
    printed = airflow("dags", "test", "waits", "--conf", conf)
    resolver.join(timeout=5)
    assert "DEFERRED" in printed
    assert "state=success" in printed


def test_no_traffic_and_no_file_of_airflow_holds_a_secret_of_the_service(
    airflow: Airflow, server: HarnessServer, proxy: BrokenProxy, home: Path
) -> None:
    server.connect_user("team")
    airflow("dags", "test", "incident", "--conf", json.dumps({"service": server.service}))
    title = "Nightly import failed"
    opened = [one["id"] for one in server.incidents() if one["title"].startswith(title)]
    problems = canary.problems(
        server,
        streams=proxy.streams,
        files=home,
        held={
            "traffic": {"token": server.token, "title": title},
            "files": {"record": opened[-1]},
        },
    )
    assert problems == []
