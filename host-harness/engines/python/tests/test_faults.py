"""The behavior of the clients with broken connections and busy servers."""

import json
import signal
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from broken_proxy import BrokenProxy
from conftest import SLOTS
from harness_server import HarnessServer
from workflow_node import (
    AsyncClient,
    CallOptions,
    Client,
    ExecutionResult,
    ExecutionStatus,
    InvalidRequestError,
    ItemEnd,
    ItemsFailedError,
    ProtocolError,
    Record,
    Retry,
    TransportError,
    UnavailableError,
)

FAST = Retry(delay=0.01)


def response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def api_error(status: str, name: str, *headers: str) -> bytes:
    body = {"error": {"name": name, "message": "The reason.", "next": "The way out."}}
    return response(status, json.dumps(body).encode(), "Content-Type: application/json", *headers)


BUSY = api_error("429 Too Many Requests", "queue-full", "Retry-After: 1")


def incidents(server: HarnessServer, title: str) -> int:
    return sum(one["title"].startswith(title) for one in server.incidents())


# After so many bytes of a response, the connection is reset: within the head, within the first
# line, and between records.
@pytest.mark.parametrize("limit", [1, 100, 400, 900, 2000])
def test_a_broken_stream_continues_with_what_is_missing(server: HarnessServer, limit: int) -> None:
    title = f"broken {uuid.uuid4()}"
    items = [{"title": f"{title} {n}", "service_id": server.service} for n in range(4)]
    with (
        BrokenProxy(server.url, lambda n: limit if n == 0 else None) as proxy,
        Client(proxy.url, server.token, retry=FAST) as client,
        client.stream("pagerduty", "incident.create", items, credentials=SLOTS) as events,
    ):
        received = list(events)
    # The repeated call may only hear that the lost connection has cancelled the execution.
    assert proxy.connections in {2, 3}
    records = [event for event in received if isinstance(event, Record)]
    ends = [event for event in received if isinstance(event, ItemEnd)]
    assert sorted(record.output["title"] for record in records) == [
        f"{title} {n}" for n in range(4)
    ]
    assert sorted(end.item for end in ends) == [0, 1, 2, 3]
    assert incidents(server, title) == 4
    last = received[-1]
    assert isinstance(last, ExecutionStatus)
    assert last.status == "finished"


@pytest.mark.parametrize("limit", [1, 400, 2000])
async def test_an_asynchronous_call_continues_too(server: HarnessServer, limit: int) -> None:
    title = f"broken {uuid.uuid4()}"
    items = [{"title": f"{title} {n}", "service_id": server.service} for n in range(3)]
    with BrokenProxy(server.url, lambda n: limit if n < 2 else None) as proxy:
        async with AsyncClient(proxy.url, server.token, retry=FAST) as client:
            result = await client.execute("pagerduty", "incident.create", items, credentials=SLOTS)
    assert [record["title"] for record in result.records] == [f"{title} {n}" for n in range(3)]
    assert incidents(server, title) == 3


@pytest.mark.parametrize(
    "answer",
    [
        BUSY,
        api_error("503 Service Unavailable", "shutting-down", "Retry-After: 1"),
        response("502 Bad Gateway", b"<html>"),
        response("503 Service Unavailable", b""),
        response("504 Gateway Timeout", b"{}"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"",
        # A stream that ends after its first line, as if the server had been killed.
        response("200 OK", b'{"execution":'),
        # A stream that is refused after its first line.
        response("200 OK", b'{"error":{"name":"unavailable","message":"The reason."}}\n'),
    ],
)
def test_a_call_is_repeated_with_its_id(server: HarnessServer, answer: bytes) -> None:
    title = f"repeated {uuid.uuid4()}"
    item = {"title": title, "service_id": server.service}
    with (
        BrokenProxy(server.url, lambda n: answer if n < 2 else None) as proxy,
        Client(proxy.url, server.token, retry=FAST) as client,
    ):
        started = time.monotonic()
        result = client.execute("pagerduty", "incident.create", [item], credentials=SLOTS)
        waited = time.monotonic() - started
    assert proxy.connections == 3
    assert result.records[0]["title"] == title
    assert incidents(server, title) == 1
    assert (waited >= 2) == (b"Retry-After: 1" in answer)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (BUSY, UnavailableError),
        (response("502 Bad Gateway", b"<html>"), TransportError),
        (b"", TransportError),
    ],
)
def test_attempts_are_limited(server: HarnessServer, answer: bytes, error: type[Exception]) -> None:
    retry = Retry(attempts=2, delay=0.01)
    for call in (
        lambda client: client.health(),
        lambda client: list(client.plugins()),
        lambda client: client.execute("pagerduty", "service.list", [{}], credentials=SLOTS),
    ):
        run: Callable[[Client], object] = call
        with (
            BrokenProxy(server.url, lambda _: answer) as proxy,
            Client(proxy.url, server.token, retry=retry) as client,
        ):
            with pytest.raises(error):
                run(client)
            assert proxy.connections == 2


def test_a_demand_for_a_long_wait_is_an_error(server: HarnessServer) -> None:
    answer = api_error("429 Too Many Requests", "queue-full", "Retry-After: 3600")
    with (
        BrokenProxy(server.url, lambda _: answer) as proxy,
        Client(proxy.url, server.token, retry=FAST) as client,
        pytest.raises(UnavailableError) as raised,
    ):
        client.execute("pagerduty", "service.list", [{}], credentials=SLOTS)
    assert (raised.value.retry_after, proxy.connections) == (3600, 1)


@pytest.mark.parametrize(
    "answer",
    [
        response("200 OK", b"<html>"),
        response("200 OK", b"[]"),
        response("200 OK", b'{"name": "another server"}'),
        response("302 Found", b"", "Location: http://127.0.0.1:9/"),
        response("404 Not Found", b"<html>"),
        response("500 Internal Server Error", b"oops"),
    ],
)
def test_what_is_not_from_the_api_is_an_error_and_not_repeated(
    server: HarnessServer, answer: bytes
) -> None:
    with (
        BrokenProxy(server.url, lambda _: answer) as proxy,
        Client(proxy.url, server.token, retry=FAST) as client,
    ):
        with pytest.raises(ProtocolError):
            client.health()
        assert proxy.connections == 1


def test_an_error_of_the_request_is_not_repeated(server: HarnessServer) -> None:
    with (
        BrokenProxy(server.url) as proxy,
        Client(proxy.url, server.token, retry=FAST) as client,
    ):
        with pytest.raises(InvalidRequestError):
            client.execute("pagerduty", "service.list", [{"x": 1}], credentials=SLOTS)
        assert proxy.traffic.count(b"POST /v1/") == 1


def test_leaving_a_stream_cancels_the_execution() -> None:
    with HarnessServer(latency="300ms") as server, Client(server.url, server.token) as client:
        items = [{"title": f"left {n}", "service_id": server.service} for n in range(40)]
        call = client.stream(
            "pagerduty",
            "incident.create",
            items,
            credentials=SLOTS,
            execution_id="left",
            concurrency=1,
        )
        with call as events:
            for event in events:
                if isinstance(event, Record):
                    break
        assert client.wait("left", interval=0.1).status == "cancelled"
        assert 1 <= incidents(server, "left") < 40


def test_a_call_survives_a_crash_of_the_server() -> None:
    with HarnessServer(latency="200ms") as server:
        items = [{"title": f"crash {n}", "service_id": server.service} for n in range(6)]

        def crash() -> None:
            time.sleep(0.6)
            server.stop(signal.SIGKILL)
            server.start()

        crasher = threading.Thread(target=crash)
        crasher.start()
        with Client(server.url, server.token, retry=Retry(attempts=20, delay=0.2)) as client:
            result = client.execute(
                "pagerduty",
                "incident.create",
                items,
                credentials=SLOTS,
                concurrency=1,
                continue_on_fail=True,
            )
        crasher.join()
        made = [item.item for item in result.items if item.status == "ok"]
        unknown = [item for item in result.items if item.error]
        assert [item.item for item in result.items] == list(range(6))
        # An action that must not be repeated is not: what is not known is reported.
        kinds = {item.error.kind for item in unknown if item.error}
        assert kinds <= {"outcome-unknown", "cancelled"}
        assert len(made) <= incidents(server, "crash") <= len(made) + len(unknown)


def test_a_further_attempt_runs_only_what_has_failed_without_effect(
    server: HarnessServer,
) -> None:
    # Item 0 succeeds, item 1 fails for good, and the others are not begun.
    items = [
        {"incident_id": incident_id, "content": "attempt"}
        for incident_id in ("QINCIDENT00001", "QNOSUCH", "QINCIDENT00002", "QINCIDENT00003")
    ]
    execution_id = f"attempt-{uuid.uuid4()}"

    def run(client: Client, attempt: int, **more: bool) -> ExecutionResult:
        return client.execute(
            "pagerduty",
            "incident_note.create",
            items,
            credentials=SLOTS,
            execution_id=execution_id,
            concurrency=1,
            attempt=attempt,
            **more,  # type: ignore[arg-type]
        )

    with Client(server.url, server.token) as client:
        for attempt in (1, 2):
            # A call that can only fail again is an error without another request to the service.
            with pytest.raises(ItemsFailedError) as raised:
                run(client, attempt)
            kinds = [item.error.kind if item.error else "ok" for item in raised.value.result.items]
            assert kinds == ["ok", "not-found", "cancelled", "cancelled"]
        with pytest.raises(ValueError, match="execution_id"):
            client.execute("pagerduty", "service.list", [{}], attempt=2)
        with pytest.raises(ValueError, match="counts"):
            run(client, 0)


def test_a_further_attempt_completes_the_call() -> None:
    # One execution at once: the call waits behind another one, and is cancelled before it begins.
    with (
        HarnessServer(latency="300ms", limits={"running": 1}) as server,
        Client(server.url, server.token) as client,
    ):
        items = [{"title": f"chain {n}", "service_id": server.service} for n in range(4)]
        call = ("pagerduty", "incident.create", items)
        options: CallOptions = {
            "credentials": SLOTS,
            "execution_id": "chain",
            "continue_on_fail": True,
        }
        before = [{"title": f"before {n}", "service_id": server.service} for n in range(4)]
        client.start("pagerduty", "incident.create", before, credentials=SLOTS, concurrency=1)
        assert client.start(*call, **options).status == "queued"
        assert client.cancel("chain").status == "cancelled"
        result = client.execute(*call, **options, attempt=3)
        assert [record["title"] for record in result.records] == [f"chain {n}" for n in range(4)]
        assert (result.execution.item_count, result.execution.failed) == (4, 0)
        assert incidents(server, "chain") == 4
        again = client.start(*call, **options, attempt=4)
        assert (again.execution_id, again.status) == (result.execution.execution_id, "finished")
