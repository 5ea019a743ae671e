"""The official Python SDK against a real server, over HTTP and over standard input and output."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

TESTING = Path(__file__).resolve().parents[1] / "testing"
sys.path.insert(0, str(TESTING))
import canary
from broken_proxy import BrokenProxy
from harness_server import HarnessServer

# Both ways in which a client begins: `server/discover` (2026-07-28), and `initialize`.
MODES = ["auto", "legacy"]


@pytest.fixture(scope="session")
def server() -> Iterator[HarnessServer]:
    with HarnessServer() as server:
        server.writer = server.create_token(
            "writer", "--role", "run", "--effect", "read", "--effect", "create",
            "--pin", "pagerduty/incident.create", "--pin", "pagerduty/service.list",
        )
        server.reader = server.create_token("reader", "--role", "run")
        yield server


@asynccontextmanager
async def over_http(server: HarnessServer, token: str, **options) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(transport, **options) as client:
            yield client


@asynccontextmanager
async def over_stdio(
    server: HarnessServer, *arguments: str, record: Path | None = None, **options
) -> AsyncIterator[Client]:
    """`record`: the directory for what passes between the client and the command."""
    network = ["--ca-file", server.simulator["ca_file"]]
    for mapping in server.simulator["connect_to"]:
        network += ["--connect-to", mapping]
    command = [str(server._harness), "mcp", "--plugin", str(server._component)]
    if record is not None:
        command = [sys.executable, str(TESTING / "recorder.py"), str(record), *command]
    program, *rest = [*command, *network, *arguments]
    command = StdioServerParameters(command=program, args=rest, env=server.env)
    async with Client(command, **options) as client:
        yield client


def incident(server: HarnessServer, title: str) -> dict:
    return {
        "plugin": "pagerduty",
        "action": "incident.create",
        "parameters": {"title": title, "service_id": server.service},
    }


def titles(server: HarnessServer) -> list[str]:
    return [incident["title"] for incident in server.incidents()]


async def searches_describes_and_runs(server: HarnessServer, client: Client, title: str) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"search_actions", "describe_action", "run_action"} <= tools.keys()
    assert tools["search_actions"].annotations.read_only_hint is True
    found = await client.call_tool("search_actions", {"query": "create incident"})
    first = found.structured_content["actions"][0]
    assert (first["plugin"], first["action"]) == ("pagerduty", "incident.create")
    named = {"plugin": first["plugin"], "action": first["action"]}
    described = await client.call_tool("describe_action", named)
    assert "title" in described.structured_content["form"]["properties"]
    assert described.structured_content["accounts"]["rest"][0]["name"] == "work"
    ran = await client.call_tool("run_action", incident(server, title))
    assert not ran.is_error, ran
    assert ran.structured_content["items"][0]["output"][0]["title"] == title
    assert titles(server).count(title) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_model_searches_describes_and_runs_over_http(server: HarnessServer, mode: str) -> None:
    async def run() -> None:
        async with over_http(server, server.writer, mode=mode) as client:
            await searches_describes_and_runs(server, client, f"Over HTTP, {mode}")

    asyncio.run(run())


@pytest.mark.parametrize("mode", MODES)
def test_a_model_searches_describes_and_runs_over_stdio(server: HarnessServer, mode: str) -> None:
    async def run() -> None:
        effects = ["--effect", "read", "--effect", "create"]
        async with over_stdio(server, *effects, mode=mode) as client:
            await searches_describes_and_runs(server, client, f"Over stdio, {mode}")

    asyncio.run(run())


def test_pinned_actions_say_what_they_do(server: HarnessServer) -> None:
    async def run() -> None:
        async with over_http(server, server.writer) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            create = tools["pagerduty_incident_create"]
            assert create.annotations.read_only_hint is False
            assert create.annotations.destructive_hint is False
            assert tools["pagerduty_service_list"].annotations.read_only_hint is True
            assert "title" in create.input_schema["properties"]["parameters"]["properties"]
            parameters = incident(server, "Pinned")["parameters"]
            ran = await client.call_tool("pagerduty_incident_create", {"parameters": parameters})
            assert not ran.is_error, ran
        assert titles(server).count("Pinned") == 1

    asyncio.run(run())


def test_a_token_only_reads_unless_it_says_otherwise(server: HarnessServer) -> None:
    async def run() -> None:
        async with over_http(server, server.reader) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["run_action"].annotations.read_only_hint is True
            refused = await client.call_tool("run_action", incident(server, "Refused"))
            assert refused.is_error and "not-permitted" in refused.content[0].text
            services = {"plugin": "pagerduty", "action": "service.list"}
            listed = await client.call_tool("run_action", services)
            assert listed.structured_content["items"][0]["output"], listed
        assert "Refused" not in titles(server)

    asyncio.run(run())


def test_a_repeated_call_with_its_id_runs_once(server: HarnessServer) -> None:
    async def run() -> None:
        call = {**incident(server, "Once"), "execution_id": "python-once"}
        for _ in range(2):
            async with over_http(server, server.writer) as client:
                ran = await client.call_tool("run_action", call)
                assert ran.structured_content["execution_id"] == "python-once"
        assert titles(server).count("Once") == 1

    asyncio.run(run())


def test_a_client_without_a_token_is_refused(server: HarnessServer) -> None:
    async def run() -> None:
        async with over_http(server, "wnt_0000000000000000_no") as client:
            await client.list_tools()

    with pytest.raises(Exception):
        asyncio.run(run())


@pytest.mark.parametrize("transport", ["http", "stdio"])
@pytest.mark.parametrize("mode", MODES)
def test_an_account_is_connected_by_a_link(
    server: HarnessServer, mode: str, transport: str
) -> None:
    user = f"{transport}-{mode}"
    asked: list[str] = []

    async def connect(_context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.url)
        secret = server._directory / "secret"
        secret.write_text(server.secret)
        server.run(
            "--as", user, "credential", "add", user, "--plugin", str(server._component),
            "--type", "api-token", "--field", "from_email=ada@example.com",
            "--secret", f"api_token=@{secret}",
        )
        return types.ElicitResult(action="accept")

    async def run() -> None:
        options = {"mode": mode, "elicitation_callback": connect}
        if transport == "http":
            roles = ["--role", "run", "--role", "connect", "--effect", "create"]
            token = server.create_token(user, "--as", user, *roles)
            opened = over_http(server, token, **options)
        else:
            opened = over_stdio(server, "--as", user, "--effect", "create", **options)
        async with opened as client:
            ran = await client.call_tool("run_action", incident(server, f"Connected, {user}"))
            if user == "http-legacy":
                # Before 2026-07-28, a server cannot ask over HTTP without a session.
                assert ran.is_error and "/connect/" in ran.content[0].text
                assert not asked
            else:
                assert not ran.is_error, ran
                assert len(asked) == 1 and "/connect/" in asked[0]

    asyncio.run(run())


PROGRAM = """
import asyncio, sys
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main(url, token, service, title):
    headers = {"Authorization": "Bearer " + token}
    kept = []
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(url + "/mcp", http_client=http)) as client:
            action = {"plugin": "pagerduty", "action": "incident.create"}
            kept.append(await client.call_tool("describe_action", action))
            for account in ["work", "team"]:
                call = {"parameters": {"title": title, "service_id": service}}
                call["credentials"] = {"rest": account}
                kept.append(await client.call_tool("run_action", {**action, **call}))
            open("kept.txt", "w").write(repr(kept))
            print("error" if any(one.is_error for one in kept) else "done", flush=True)
            sys.stdin.readline()

asyncio.run(main(*sys.argv[1:]))
"""


def test_no_memory_traffic_or_file_of_a_client_holds_a_secret_of_the_service(
    tmp_path: Path,
) -> None:
    title = "A canary over MCP"
    with HarnessServer() as server, BrokenProxy(server.url) as proxy:
        server.connect_user("team")
        effects = ["--effect", "read", "--effect", "create"]
        token = server.create_token("canary", "--role", "run", *effects)
        command = [sys.executable, "-c", PROGRAM, proxy.url, token, server.service, title]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=tmp_path
        ) as client:
            assert client.stdout.readline() == "done\n"
            held = {"token": token, "title": title}
            problems = canary.problems(
                server,
                processes=[client.pid],
                streams=proxy.streams,
                files=tmp_path,
                held={"memory": held, "traffic": held, "files": {"title": title}},
            )
            client.communicate("")
        assert problems == []
        assert titles(server).count(title) == 2


def test_no_traffic_over_stdio_holds_a_secret_of_the_service(tmp_path: Path) -> None:
    title = "A canary over stdio"

    async def run(server: HarnessServer) -> None:
        effects = ["--effect", "read", "--effect", "create"]
        async with over_stdio(server, *effects, record=tmp_path) as client:
            for account in ["work", "team"]:
                call = {**incident(server, title), "credentials": {"rest": account}}
                ran = await client.call_tool("run_action", call)
                assert not ran.is_error, ran

    with HarnessServer() as server:
        server.connect_user("team")
        asyncio.run(run(server))
        streams = [(tmp_path / name).read_bytes() for name in ("sent", "received")]
        assert all(title.encode() in stream for stream in streams)
        held = {"traffic": {"title": title}}
        assert canary.problems(server, streams=streams, held=held) == []
        assert titles(server).count(title) == 2
