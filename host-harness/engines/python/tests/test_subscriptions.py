"""Subscriptions, with webhooks of the simulator."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import pytest

from conftest import SLOTS
from harness_server import HarnessServer
from workflow_node import (
    SIGNATURE_HEADER,
    AsyncClient,
    Client,
    NotFoundError,
    PermissionDeniedError,
    SignatureError,
    read_delivery,
)

EVENTS = {"events": ["incident.triggered"]}
Requests = Queue[tuple[bytes, str | None]]


def open_incident(client: Client, server: HarnessServer, title: str) -> None:
    item = {"title": title, "service_id": server.service}
    client.execute("pagerduty", "incident.create", [item], credentials=SLOTS)


@pytest.fixture
def receiver() -> Iterator[tuple[str, Requests]]:
    requests: Requests = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.put((body, self.headers[SIGNATURE_HEADER]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}", requests
    listener.shutdown()
    listener.server_close()


def test_events_are_pulled_until_they_are_processed(client: Client, server: HarnessServer) -> None:
    subscription = client.subscribe(
        "pulled", "pagerduty", "event", parameters=EVENTS, credentials=SLOTS, workflow="test"
    )
    assert (subscription.status, subscription.pushed) == ("active", False)
    open_incident(client, server, "Pulled 1")
    open_incident(client, server, "Pulled 2")
    while client.subscription("pulled").waiting < 2:
        time.sleep(0.05)
    events = client.events("pulled")
    first, second = next(events), next(events)
    assert [first.number, second.number] == [1, 2]
    assert "Pulled 1" in str(first.event)
    # Neither is accepted before the iteration goes on.
    assert next(client.events("pulled")).number == 1
    assert next(client.events("pulled", after=1)).number == 2
    assert client.subscription("pulled").waiting == 1
    assert "pulled" in [one.id for one in client.subscriptions()]
    client.unsubscribe("pulled")
    with pytest.raises(NotFoundError):
        client.subscription("pulled")


async def test_events_are_awaited(client: Client, server: HarnessServer) -> None:
    async with AsyncClient(server.url, server.token) as async_client:
        await async_client.subscribe(
            "awaited", "pagerduty", "event", parameters=EVENTS, credentials=SLOTS
        )
        open_incident(client, server, "Awaited")
        async for delivery in async_client.events("awaited"):
            assert "Awaited" in str(delivery.event)
            break
        await async_client.unsubscribe("awaited")


def test_events_are_sent_and_signed(server: HarnessServer, receiver: tuple[str, Requests]) -> None:
    origin, requests = receiver
    token = server.create_token("receiver", "--role", "run", "--deliver-to", origin)
    with Client(server.url, token) as client:
        subscription = client.subscribe(
            "sent",
            "pagerduty",
            "event",
            parameters=EVENTS,
            credentials=SLOTS,
            deliver_to=f"{origin}/events",
        )
        assert subscription.secret is not None
        assert subscription.secret not in repr(subscription)
        open_incident(client, server, "Sent")
        body, signature = requests.get(timeout=30)
        delivery = read_delivery(subscription.secret, body, signature)
        assert (delivery.subscription, delivery.number) == ("sent", 1)
        assert "Sent" in str(delivery.event)
        for wrong in (None, "", "v1=", "v1=" + "0" * 64, "v1=\u00e9"):
            with pytest.raises(SignatureError):
                read_delivery(subscription.secret, body, wrong)
        with pytest.raises(SignatureError):
            read_delivery(subscription.secret, body + b" ", signature)
        client.unsubscribe("sent")


def test_an_address_that_the_operator_has_not_allowed_is_refused(client: Client) -> None:
    with pytest.raises(PermissionDeniedError):
        client.subscribe(
            "refused",
            "pagerduty",
            "event",
            parameters=EVENTS,
            credentials=SLOTS,
            deliver_to="http://127.0.0.1:9/events",
        )
