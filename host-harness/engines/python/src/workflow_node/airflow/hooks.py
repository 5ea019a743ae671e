"""The connection to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from .. import AsyncClient, Client

if TYPE_CHECKING:
    from airflow.sdk import Connection


class WorkflowNodeHook(BaseHook):
    """Clients of the server of an Airflow connection.

    The connection has the type `workflow_node`, the host (with the scheme, if it is not `https`),
    the port, and the token of the server as password. Its extra may have `ca_file`.
    """

    conn_name_attr = "connection_id"
    default_conn_name = "workflow_node_default"
    conn_type = "workflow_node"
    hook_name = "workflow-node"

    def __init__(self, connection_id: str = default_conn_name) -> None:
        super().__init__()
        self.connection_id = connection_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Shows only the fields of the connection form that are used."""
        return {
            "hidden_fields": ["login", "schema"],
            "relabeling": {"password": "Token"},
            "placeholders": {
                "host": "https://harness.example.com",
                "password": "from: harness token create airflow --role run --role connect",
                "extra": '{"ca_file": "/etc/ssl/harness.pem"}',
            },
        }

    def client(self) -> Client:
        """Returns a client. Use it in a `with` block."""
        return Client(**_arguments(self.get_connection(self.connection_id)))

    async def async_client(self) -> AsyncClient:
        """Returns an asynchronous client. Use it in an `async with` block."""
        return AsyncClient(**_arguments(await self.aget_connection(self.connection_id)))

    def test_connection(self) -> tuple[bool, str]:
        """Tests the connection, for the connection form of Airflow."""
        try:
            with self.client() as client:
                health = client.health()
        except Exception as error:
            return False, str(error)
        return True, f"Version {health.version}, as {health.token.tenant}/{health.token.actor}"


def _arguments(connection: Connection) -> dict[str, Any]:
    host = connection.host or ""
    if not host:
        raise ValueError(f"The connection {connection.conn_id} has no host")
    if "://" not in host:
        scheme = connection.schema if connection.schema in {"http", "https"} else "https"
        host = f"{scheme}://{host}"
    url = f"{host}:{connection.port}" if connection.port else host
    ca_file = connection.extra_dejson.get("ca_file")
    return {"url": url, "token": connection.password, "ca_file": ca_file}
