"""The asynchronous client against a real server."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest

from conftest import SLOTS
from harness_server import HarnessServer
from workflow_node import (
    AsyncClient,
    Client,
    ExecutionStatus,
    ItemsFailedError,
    Record,
    Retry,
    TransportError,
)


@pytest.fixture
async def client(server: HarnessServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, server.token, retry=Retry(delay=0.05)) as client:
        yield client


def test_both_clients_have_the_same_methods() -> None:
    def methods(of: type) -> dict[str, list[str]]:
        public = ((name, one) for name, one in vars(of).items() if not name.startswith("_"))
        found = {name: list(inspect.signature(one).parameters) for name, one in public}
        return {**found, "__init__": list(inspect.signature(of).parameters)}

    assert methods(Client) == methods(AsyncClient)


async def test_lists_and_descriptions_are_awaited(client: AsyncClient) -> None:
    assert (await client.health()).api == "v1"
    assert [plugin.name async for plugin in client.plugins()] == ["pagerduty"]
    assert len([action async for action in client.actions("pagerduty")]) > 200
    assert (await client.action("pagerduty", "incident.create")).effect == "create"
    choices = client.options(
        "pagerduty", action="incident.create", parameter="service_id", credentials=SLOTS
    )
    assert [choice async for choice in choices]
    assert [credential.name async for credential in client.credentials()] == ["work"]


async def test_executions_run_side_by_side(client: AsyncClient, server: HarnessServer) -> None:
    async def create(title: str) -> list[dict[str, object]]:
        item = {"title": title, "service_id": server.service}
        result = await client.execute("pagerduty", "incident.create", [item], credentials=SLOTS)
        return result.records

    titles = [f"async {number}" for number in range(5)]
    created = await asyncio.gather(*(create(title) for title in titles))
    assert [records[0]["title"] for records in created] == titles
    with pytest.raises(ItemsFailedError):
        await client.execute(
            "pagerduty", "incident.get", [{"incident_id": "QNOSUCH"}], credentials=SLOTS
        )


async def test_records_arrive_as_a_stream(client: AsyncClient, server: HarnessServer) -> None:
    items = [{"title": f"async stream {n}", "service_id": server.service} for n in range(2)]
    call = client.stream("pagerduty", "incident.create", items, credentials=SLOTS)
    async with call as events:
        received = [event async for event in events]
    assert len([event for event in received if isinstance(event, Record)]) == 2
    assert isinstance(received[-1], ExecutionStatus)


async def test_an_execution_goes_on_without_its_client(
    client: AsyncClient, server: HarnessServer
) -> None:
    items = [{"title": "async detached", "service_id": server.service}]
    status = await client.start("pagerduty", "incident.create", items, credentials=SLOTS)
    result = await client.result(status.execution_id, interval=0.05)
    assert result.records[0]["title"] == "async detached"


async def test_a_unix_socket_leads_to_the_server(server: HarnessServer) -> None:
    async with AsyncClient(
        "http://localhost", server.token, unix_socket=server.unix_socket
    ) as client:
        assert (await client.health()).api == "v1"
    retry = Retry(attempts=1)
    async with AsyncClient("http://127.0.0.1:9", server.token, retry=retry) as client:
        with pytest.raises(TransportError):
            await client.health()
