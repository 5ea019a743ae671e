"""A real server for all tests, over real sockets."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflow_node import Client, Retry

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testing"))
from harness_server import HarnessServer

SLOTS = {"rest": "work"}


@pytest.fixture(scope="session")
def server() -> Iterator[HarnessServer]:
    with HarnessServer() as server:
        yield server


@pytest.fixture
def client(server: HarnessServer) -> Iterator[Client]:
    with Client(server.url, server.token, retry=Retry(delay=0.05)) as client:
        yield client
