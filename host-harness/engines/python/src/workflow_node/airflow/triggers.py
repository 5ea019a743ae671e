"""The triggers that deferred tasks wait for, in Airflow's triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ..errors import TransportError, UnavailableError, WorkflowNodeError
from .conditions import holds
from .hooks import WorkflowNodeHook


class ExecutionTrigger(BaseTrigger):
    """Fires when an execution has ended. `call` is part of the event."""

    def __init__(
        self, connection_id: str, execution_id: str, poll_interval: float, call: dict[str, Any]
    ) -> None:
        super().__init__()
        self.call = call
        self.connection_id = connection_id
        self.execution_id = execution_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Returns how to create it again."""
        names = ("connection_id", "execution_id", "poll_interval", "call")
        return (
            f"{__name__}.{type(self).__name__}",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Waits for the execution."""
        try:
            async with await WorkflowNodeHook(self.connection_id).async_client() as client:
                while True:
                    try:
                        status = await client.wait(self.execution_id, interval=self.poll_interval)
                        break
                    except (TransportError, UnavailableError) as error:
                        # The execution does not end with the connection.
                        self.log.warning("Cannot reach the server, will try again: %s", error)
                        await asyncio.sleep(self.poll_interval)
        except WorkflowNodeError as error:
            yield TriggerEvent({"error": str(error)})
            return
        yield TriggerEvent({"status": status.status, "call": self.call})

    async def on_kill(self) -> None:
        """Cancels the execution of a task that a person has ended."""
        async with await WorkflowNodeHook(self.connection_id).async_client() as client:
            await client.cancel(self.execution_id)


class ConditionTrigger(BaseTrigger):
    """Fires when a record of an action meets a condition."""

    def __init__(
        self,
        connection_id: str,
        plugin: str,
        action: str,
        parameters: Mapping[str, Any],
        credentials: Mapping[str, str],
        pointer: str,
        values: list[Any] | None,
        poll_interval: float,
    ) -> None:
        super().__init__()
        self.connection_id = connection_id
        self.plugin = plugin
        self.action = action
        self.parameters = parameters
        self.credentials = credentials
        self.pointer = pointer
        self.values = values
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Returns how to create it again."""
        names = ("connection_id", "plugin", "action", "pointer", "values", "poll_interval")
        kwargs = {name: getattr(self, name) for name in names}
        kwargs |= {"parameters": dict(self.parameters), "credentials": dict(self.credentials)}
        return (f"{__name__}.{type(self).__name__}", kwargs)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Runs the action at intervals."""
        try:
            async with await WorkflowNodeHook(self.connection_id).async_client() as client:
                while True:
                    try:
                        result = await client.execute(
                            self.plugin,
                            self.action,
                            [self.parameters],
                            credentials=self.credentials,
                        )
                        found = holds(result.records, self.pointer, self.values)
                        if found is not None:
                            break
                    except (TransportError, UnavailableError) as error:
                        self.log.warning("Cannot reach the server, will try again: %s", error)
                    await asyncio.sleep(self.poll_interval)
        except WorkflowNodeError as error:
            yield TriggerEvent({"error": str(error)})
            return
        yield TriggerEvent({"record": found})
