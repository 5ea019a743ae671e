"""A real Airflow with a real server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "testing"))
from broken_proxy import BrokenProxy
from harness_server import HarnessServer

Airflow = Callable[..., str]


@pytest.fixture(scope="session")
def server() -> Iterator[HarnessServer]:
    with HarnessServer() as server:
        yield server


@pytest.fixture(scope="session")
def proxy(server: HarnessServer) -> Iterator[BrokenProxy]:
    """Records the traffic between Airflow and the server."""
    with BrokenProxy(server.url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Airflow keeps its files."""
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def airflow(server: HarnessServer, proxy: BrokenProxy, home: Path) -> Airflow:
    """Runs the command `airflow`, which must succeed, and returns what it prints."""
    dags = home / "dags"
    for folder in (HERE.parent / "examples", HERE / "dags"):
        shutil.copytree(folder, dags, dirs_exist_ok=True)
    connection = {"conn_type": "workflow_node", "host": proxy.url, "password": server.token}
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "AIRFLOW_CONN_WORKFLOW_NODE_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(
            command,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("db", "migrate")
    return run
