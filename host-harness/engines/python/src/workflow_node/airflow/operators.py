"""Runs an action as a task."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from ..models import ExecutionResult
from .hooks import WorkflowNodeHook
from .triggers import ExecutionTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from .. import CallOptions, Client


class WorkflowNodeOperator(BaseOperator):
    """Runs an action over items, and returns its records.

    A task that Airflow tries again does not repeat what an earlier try has done: items that have
    succeeded are not sent again, and only those run that failed without effect. An action that only
    reads runs again each time.

    Args:
        plugin: Name of the plugin.
        action: Name of the action.
        parameters: Parameters of one item.
        items: Parameters of several items, instead of `parameters`.
        credentials: Names of credentials, by slot.
        continue_on_fail: Whether the task succeeds with the records of the other items if items
            fail. The failed ones are logged.
        concurrency: Maximum number of items in progress at once.
        timeout_ms: Maximum duration of all items, in milliseconds.
        execution_id: ID of the execution. Defaults to an ID that all tries of the task share.
        deferrable: Whether the task waits in the triggerer instead of a worker.
        poll_interval: Seconds between two requests of a deferred task.
        connection_id: Airflow connection to the server.
    """

    template_fields: Sequence[str] = (
        "plugin",
        "action",
        "parameters",
        "items",
        "credentials",
        "execution_id",
        "connection_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json", "items": "json"}
    ui_color = "#dfe9f5"

    def __init__(
        self,
        *,
        plugin: str,
        action: str,
        parameters: Mapping[str, Any] | None = None,
        items: Sequence[Mapping[str, Any]] | None = None,
        credentials: Mapping[str, str] | None = None,
        continue_on_fail: bool = False,
        concurrency: int | None = None,
        timeout_ms: int | None = None,
        execution_id: str | None = None,
        deferrable: bool = False,
        poll_interval: float = 5.0,
        connection_id: str = WorkflowNodeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plugin = plugin
        self.action = action
        self.parameters = parameters
        self.items = items
        self.credentials = credentials
        self.continue_on_fail = continue_on_fail
        self.concurrency = concurrency
        self.timeout_ms = timeout_ms
        self.execution_id = execution_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.connection_id = connection_id
        self._running: tuple[Client, str] | None = None

    def execute(self, context: Context) -> Any:
        """Runs the action."""
        hook = WorkflowNodeHook(self.connection_id)
        with hook.client() as client:
            options = self._options(context) | self._identity(client, context)
            items = self._items()
            if not self.deferrable:
                self._running = (client, str(options["execution_id"]))
                return self._records(client.execute(self.plugin, self.action, items, **options))
            status = client.start(self.plugin, self.action, items, **options)
        call = {"execution_id": options["execution_id"], "attempt": options.get("attempt", 1)}
        trigger = ExecutionTrigger(
            self.connection_id, status.execution_id, self.poll_interval, call
        )
        return self.defer(trigger=trigger, method_name="complete")

    def complete(self, context: Context, event: Any) -> Any:
        """Returns the records of an execution that the triggerer has waited for."""
        if event.get("error"):
            raise RuntimeError(event["error"])
        with WorkflowNodeHook(self.connection_id).client() as client:
            # The call is repeated, which returns the stored results.
            options = self._options(context) | event["call"]
            return self._records(client.execute(self.plugin, self.action, self._items(), **options))

    def on_kill(self) -> None:
        """Cancels the execution."""
        if self._running is not None:
            client, execution_id = self._running
            client.cancel(execution_id)

    def _items(self) -> list[Mapping[str, Any]]:
        if (self.parameters is None) == (self.items is None):
            raise ValueError("Set either `parameters` or `items`")
        return list(self.items) if self.items is not None else [self.parameters or {}]

    def _options(self, context: Context) -> CallOptions:
        task = context["ti"]
        return {
            "credentials": dict(self.credentials or {}),
            "workflow": f"airflow {task.dag_id}/{task.task_id}"[:500],
            "continue_on_fail": self.continue_on_fail,
            "concurrency": self.concurrency,
            "timeout_ms": self.timeout_ms,
        }

    def _identity(self, client: Client, context: Context) -> CallOptions:
        """The ID of the execution, and which attempt it is."""
        task = context["ti"]
        identity = (task.dag_id, task.run_id, task.task_id, str(task.map_index))
        if self.execution_id:
            return {"execution_id": self.execution_id, "attempt": task.try_number}
        if client.action(self.plugin, self.action).effect == "read":
            # Each try reads again.
            return {"execution_id": execution_id(*identity, uuid.uuid4().hex)}
        return {"execution_id": execution_id(*identity), "attempt": task.try_number}

    def _records(self, result: ExecutionResult) -> list[Any]:
        for item in result.failed_items:
            self.log.error("Item %d failed: %s", item.item, item.error)
        self.log.info(
            "Execution %s: %d of %d items succeeded",
            result.execution.execution_id,
            len(result.items) - len(result.failed_items),
            len(result.items),
        )
        return result.records


def execution_id(*parts: str) -> str:
    """An ID that the server accepts, unique for these texts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))
    return f"airflow-{readable[:100]}-{digest.hexdigest()[:32]}"
