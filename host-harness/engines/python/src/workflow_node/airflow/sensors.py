"""Waits until a record of an action meets a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from .conditions import holds, resolve
from .hooks import WorkflowNodeHook
from .triggers import ConditionTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class WorkflowNodeSensor(BaseSensorOperator):
    """Runs an action that reads, until a record meets a condition, and returns this record.

    Args:
        plugin: Name of the plugin.
        action: Name of the action.
        parameters: Parameters of the action.
        credentials: Names of credentials, by slot.
        pointer: JSON Pointer (RFC 6901) into a record, such as `/status`.
        values: Values that end the wait. By default, any value that is not null.
        deferrable: Whether the task waits in the triggerer instead of a worker.
        connection_id: Airflow connection to the server.
    """

    template_fields: Sequence[str] = (
        "plugin",
        "action",
        "parameters",
        "credentials",
        "values",
        "connection_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json"}
    ui_color = "#dfe9f5"

    def __init__(
        self,
        *,
        plugin: str,
        action: str,
        parameters: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        pointer: str,
        values: Sequence[Any] | None = None,
        deferrable: bool = False,
        connection_id: str = WorkflowNodeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        resolve({}, pointer)
        self.plugin = plugin
        self.action = action
        self.parameters = parameters
        self.credentials = credentials
        self.pointer = pointer
        self.values = values
        self.deferrable = deferrable
        self.connection_id = connection_id

    def poke(self, context: Context) -> PokeReturnValue:
        """Runs the action once."""
        with WorkflowNodeHook(self.connection_id).client() as client:
            result = client.execute(
                self.plugin,
                self.action,
                [self.parameters or {}],
                credentials=self.credentials or {},
            )
        found = holds(result.records, self.pointer, self.values)
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute(self, context: Context) -> Any:
        """Waits, here or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        done = self.poke(context)
        if done.is_done:
            return done.xcom_value
        trigger = ConditionTrigger(
            connection_id=self.connection_id,
            plugin=self.plugin,
            action=self.action,
            parameters=dict(self.parameters or {}),
            credentials=dict(self.credentials or {}),
            pointer=self.pointer,
            values=list(self.values) if self.values is not None else None,
            poll_interval=self.poke_interval,
        )
        timeout = timedelta(seconds=self.timeout)
        return self.defer(trigger=trigger, method_name="complete", timeout=timeout)

    def complete(self, context: Context, event: Any) -> Any:
        """Returns the record that the triggerer has waited for."""
        if event.get("error"):
            raise RuntimeError(event["error"])
        return event["record"]
