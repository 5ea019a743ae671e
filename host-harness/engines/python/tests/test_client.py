"""The blocking client against a real server."""

import uuid

import pytest

from conftest import SLOTS
from harness_server import HarnessServer
from workflow_node import (
    AuthenticationError,
    Client,
    ConflictError,
    ExecutionStatus,
    InvalidRequestError,
    ItemEnd,
    ItemsFailedError,
    NotFoundError,
    PermissionDeniedError,
    Record,
    Retry,
    TransportError,
)


def incident(server: HarnessServer, title: str, **more: object) -> dict[str, object]:
    return {"title": title, "service_id": server.service, **more}


def titles(server: HarnessServer, beginning: str) -> list[str]:
    found = (one["title"] for one in server.incidents())
    return sorted(title for title in found if title.startswith(beginning))


def test_the_descriptions_of_a_plugin_are_typed(client: Client) -> None:
    health = client.health()
    assert (health.name, health.api) == ("workflow-node-server", "v1")
    assert set(health.token.roles) == {"run", "connect"}
    assert health.token.actions is None
    [plugin] = client.plugins()
    assert (plugin.name, plugin.approved) == ("pagerduty", True)
    assert plugin.digest
    resources = [resource.name for resource in client.resources("pagerduty")]
    assert "incident" in resources
    actions = list(client.actions("pagerduty", resource="incident", search="create"))
    assert all(action.resource == "incident" for action in actions)
    create = client.action("pagerduty", "incident.create")
    assert create in [create]
    assert create.effect == "create"
    assert create.slots["rest"].required
    assert create.form["properties"]["title"]
    assert create.output["main"]
    assert create.examples[0].parameters
    triggers = [trigger.name for trigger in client.triggers("pagerduty")]
    assert "event" in triggers
    event = client.trigger("pagerduty", "event")
    assert event.delivery == "webhook"
    assert event.form["properties"]["events"]
    assert event.output


def test_lists_are_loaded_page_by_page(client: Client) -> None:
    names = [action.name for action in client.actions("pagerduty")]
    # The server returns 100 entries per page.
    assert len(names) > 200
    assert len(set(names)) == len(names)


def test_choices_come_from_the_account(client: Client, server: HarnessServer) -> None:
    found = list(
        client.options(
            "pagerduty", action="incident.create", parameter="service_id", credentials=SLOTS
        )
    )
    assert server.service in [choice.value for choice in found]
    first = found[0]
    searched = client.options(
        "pagerduty",
        action="incident.create",
        parameter="service_id",
        credentials=SLOTS,
        search=first.label,
    )
    assert first in list(searched)
    of_trigger = client.options("pagerduty", trigger="event", parameter="service_id")
    with pytest.raises(InvalidRequestError):
        list(of_trigger)
    with pytest.raises(ValueError, match="either"):
        client.options("pagerduty", parameter="service_id")


def test_credentials_are_named_and_tested_without_their_secrets(
    client: Client, server: HarnessServer
) -> None:
    [credential] = client.credentials(plugin="pagerduty", slot="rest")
    assert (credential.name, credential.status) == ("work", "connected")
    identity = client.test_credential("work")
    assert server.secret not in repr((credential, identity))
    assert identity


def test_items_run_and_return_their_records(client: Client, server: HarnessServer) -> None:
    items = [incident(server, f"python {number}") for number in range(3)]
    result = client.execute(
        "pagerduty", "incident.create", items, credentials=SLOTS, workflow="test"
    )
    assert [record["title"] for record in result.records] == ["python 0", "python 1", "python 2"]
    assert [item.item for item in result.items] == [0, 1, 2]
    assert (result.execution.status, result.execution.workflow) == ("finished", "test")
    assert titles(server, "python ") == ["python 0", "python 1", "python 2"]


def test_a_failed_item_is_an_error_that_has_all_results(client: Client) -> None:
    ids = ["QINCIDENT00001", "QNOSUCH"]
    items = [{"incident_id": incident_id, "content": "A note"} for incident_id in ids]
    with pytest.raises(ItemsFailedError) as raised:
        client.execute("pagerduty", "incident_note.create", items, credentials=SLOTS, concurrency=1)
    first, second = raised.value.result.items
    assert (first.status, second.status) == ("ok", "error")
    assert second.error is not None
    assert second.error.kind in str(raised.value)
    assert "Item 1 of pagerduty incident_note.create" in str(raised.value)


def test_failed_items_are_returned_if_the_others_run(client: Client, server: HarnessServer) -> None:
    items = [{"title": "rest 0", "service_id": "PNOSUCH"}, incident(server, "rest 1")]
    result = client.execute(
        "pagerduty", "incident.create", items, credentials=SLOTS, continue_on_fail=True
    )
    assert [item.status for item in result.items] == ["error", "ok"]
    assert [item.item for item in result.failed_items] == [0]


def test_items_that_were_not_begun_have_a_reason(client: Client, server: HarnessServer) -> None:
    items = [{"title": "never 0", "service_id": "PNOSUCH"}]
    items += [incident(server, f"never {number}") for number in range(1, 60)]  # type: ignore[misc]
    with pytest.raises(ItemsFailedError) as raised:
        client.execute("pagerduty", "incident.create", items, credentials=SLOTS, concurrency=1)
    results = raised.value.result.items
    assert [item.item for item in results] == list(range(60))
    last = results[-1].error
    assert last is not None
    assert (last.kind, last.may_run_again) == ("cancelled", True)


def test_an_invalid_call_names_the_invalid_parts(client: Client) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        client.execute("pagerduty", "incident.create", [{"title": 7}], credentials=SLOTS)
    assert raised.value.name == "invalid-input"
    assert "/items/0/title" in [problem.pointer for problem in raised.value.problems]
    assert "/items/0/title" in str(raised.value)
    with pytest.raises(InvalidRequestError) as raised:
        client.execute("pagerduty", "service.list", [{}], credentials={"rest": "none"})
    assert raised.value.name == "credential-not-found"
    assert raised.value.next_step


def test_names_cannot_lead_to_other_paths(client: Client) -> None:
    with pytest.raises(NotFoundError):
        client.action("pagerduty", "a/../../../v1/health?x#y")
    with pytest.raises(NotFoundError):
        client.execution("no/such execution%2f")
    with pytest.raises(ValueError, match="not a name"):
        client.action("..", "incident.create")


def test_items_must_be_mappings(client: Client) -> None:
    for wrong in ({"title": "x"}, "x", [1], [None], [["title"]]):
        with pytest.raises(TypeError):
            client.execute("pagerduty", "incident.create", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="JSON"):
        client.execute("pagerduty", "incident.create", [{"title": float("nan")}])


def test_a_repeated_call_runs_once(client: Client, server: HarnessServer) -> None:
    execution_id = f"once-{uuid.uuid4()}"

    def run(title: str) -> list[dict[str, object]]:
        result = client.execute(
            "pagerduty",
            "incident.create",
            [incident(server, title)],
            credentials=SLOTS,
            execution_id=execution_id,
        )
        return result.records

    assert run("once") == run("once")
    assert titles(server, "once") == ["once"]
    with pytest.raises(ConflictError):
        run("once more")


def test_records_arrive_as_a_stream(client: Client, server: HarnessServer) -> None:
    items = [incident(server, f"stream {number}") for number in range(3)]
    with client.stream("pagerduty", "incident.create", items, credentials=SLOTS) as events:
        received = list(events)
    records = [event for event in received if isinstance(event, Record)]
    ends = [event for event in received if isinstance(event, ItemEnd)]
    assert sorted(record.output["title"] for record in records) == [
        "stream 0",
        "stream 1",
        "stream 2",
    ]
    assert [end.status for end in ends] == ["ok"] * 3
    last = received[-1]
    assert isinstance(last, ExecutionStatus)
    assert (last.status, last.finished) == ("finished", 3)


def test_items_of_an_iterator_are_sent_as_lines(client: Client) -> None:
    # Titles hold what some libraries take for ends of lines.
    text = "\u2028\u2029\x85\x0b\x0c\x1c\r"
    items = ({"content": f"{number}{text}", "incident_id": "QINCIDENT00001"} for number in range(5))
    result = client.execute("pagerduty", "incident_note.create", items, credentials=SLOTS)
    assert [record["content"] for record in result.records] == [
        f"{number}{text}" for number in range(5)
    ]


def test_an_execution_goes_on_without_its_client(client: Client, server: HarnessServer) -> None:
    items = [incident(server, f"detached {number}") for number in range(3)]
    status = client.start("pagerduty", "incident.create", items, credentials=SLOTS)
    assert client.wait(status.execution_id, interval=0.05).status == "finished"
    result = client.result(status.execution_id)
    assert [record["title"] for record in result.records] == [f"detached {n}" for n in range(3)]
    assert client.cancel(status.execution_id).status == "finished"
    listed = [execution.execution_id for execution in client.executions()]
    assert status.execution_id in listed
    assert [item.status for item in client.results(status.execution_id)] == ["ok"] * 3


def test_a_token_is_refused_as_its_policy_says(server: HarnessServer) -> None:
    with Client(server.url, "wrong") as client, pytest.raises(AuthenticationError):
        client.health()
    readers = server.create_token("readers", "--role", "run", "--effect", "read")
    with Client(server.url, readers) as client:
        assert list(client.execute("pagerduty", "service.list", [{}], credentials=SLOTS).records)
        with pytest.raises(PermissionDeniedError):
            client.execute("pagerduty", "incident.create", [{}], credentials=SLOTS)


def test_the_environment_names_the_server(
    server: HarnessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_NODE_URL", server.url + "/")
    monkeypatch.setenv("WORKFLOW_NODE_TOKEN", server.token + "\n")
    with Client() as client:
        assert client.health().api == "v1"
        assert server.token not in repr(client)
        assert server.token not in repr(client._connection)
    monkeypatch.delenv("WORKFLOW_NODE_TOKEN")
    with pytest.raises(ValueError, match="token"):
        Client()
    for wrong in ("ftp://127.0.0.1", "127.0.0.1:7410", "http://user:pass@127.0.0.1", "http://h/?q"):
        with pytest.raises(ValueError, match="URL"):
            Client(wrong, "token")


def test_a_unix_socket_leads_to_the_server(server: HarnessServer) -> None:
    with Client("http://localhost", server.token, unix_socket=server.unix_socket) as client:
        assert client.health().api == "v1"


def test_a_server_that_is_not_there_is_an_error(server: HarnessServer) -> None:
    retry = Retry(attempts=2, delay=0.01)
    with Client("http://127.0.0.1:9", server.token, retry=retry) as client:
        with pytest.raises(TransportError) as raised:
            client.execute("pagerduty", "service.list", [{}], execution_id="mine")
        assert raised.value.execution_id == "mine"
        with pytest.raises(TransportError):
            client.health()
