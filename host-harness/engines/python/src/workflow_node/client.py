"""The blocking client."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, TypeVar, Unpack, cast

import httpx

from . import _calls, _protocol
from ._connection import Connection, response
from ._protocol import Broken, Call, CallOptions, Emit, Open, ReadPart, Retry, Send, Sleep, Steps
from .models import (
    Action,
    ActionForm,
    Choice,
    Credential,
    Delivery,
    Event,
    ExecutionResult,
    ExecutionStatus,
    Health,
    ItemResult,
    Json,
    Plugin,
    Resource,
    Subscription,
    Trigger,
    TriggerForm,
)

T = TypeVar("T")


class Client:
    """A client of a workflow-node server.

    ```python
    with Client("http://127.0.0.1:7410", token) as client:
        result = client.execute(
            "pagerduty",
            "incident.create",
            [{"title": "Checkout fails", "service_id": "PSVC1"}],
            credentials={"rest": "work"},
        )
        print(result.records)
    ```

    Threads may share a client. Every method raises:

    - `ApiError` or one of its subclasses if the server refuses the request,
    - `TransportError` if the server cannot be reached,
    - `ProtocolError` if the response is not one of the API.

    Requests are repeated as `retry` says. Lists are loaded page by page while they are iterated.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        unix_socket: str | os.PathLike[str] | None = None,
        retry: Retry | None = None,
        connect_timeout: float = 10.0,
        idle_timeout: float = 60.0,
    ) -> None:
        """Creates a client. It connects with the first request.

        Args:
            url: URL of the server. Defaults to WORKFLOW_NODE_URL, then to http://127.0.0.1:7410.
            token: Token of the server. Defaults to WORKFLOW_NODE_TOKEN.
            ca_file: PEM file with the certificate authorities of the server, instead of the usual.
            unix_socket: Path of the Unix socket of the server.
            retry: How often and when requests are repeated.
            connect_timeout: Maximum number of seconds for a connection.
            idle_timeout: Maximum number of seconds without a byte. The server sends one at least
                every 15 seconds while an execution runs.
        """
        self._connection = Connection.of(
            url, token, ca_file, unix_socket, retry, connect_timeout, idle_timeout
        )
        transport = None
        if self._connection.unix_socket is not None:
            transport = httpx.HTTPTransport(uds=self._connection.unix_socket)
        self._http = httpx.Client(transport=transport, verify=self._connection.verify)

    def __repr__(self) -> str:
        """The server, without the token."""
        return f"Client({str(self._connection.url)!r})"

    def __enter__(self) -> Client:
        """Returns the client, which the end of the block closes."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def health(self) -> Health:
        """Returns the versions of the server, and what the token may use."""
        return self._run(_calls.health(self._retry))

    def plugins(self, *, search: str | None = None) -> Iterator[Plugin]:
        """Lists the plugins."""
        return self._iterate(_calls.plugins(search, self._retry))

    def resources(self, plugin: str, *, search: str | None = None) -> Iterator[Resource]:
        """Lists the resources of a plugin."""
        return self._iterate(_calls.resources(plugin, search, self._retry))

    def actions(
        self, plugin: str, *, resource: str | None = None, search: str | None = None
    ) -> Iterator[Action]:
        """Lists the actions of a plugin."""
        return self._iterate(_calls.actions(plugin, resource, search, self._retry))

    def action(self, plugin: str, name: str) -> ActionForm:
        """Returns an action with its form."""
        return self._run(_calls.action(plugin, name, self._retry))

    def triggers(self, plugin: str, *, search: str | None = None) -> Iterator[Trigger]:
        """Lists the triggers of a plugin."""
        return self._iterate(_calls.triggers(plugin, search, self._retry))

    def trigger(self, plugin: str, name: str) -> TriggerForm:
        """Returns a trigger with its form."""
        return self._run(_calls.trigger(plugin, name, self._retry))

    def options(
        self,
        plugin: str,
        *,
        action: str | None = None,
        trigger: str | None = None,
        parameter: str,
        parameters: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        search: str | None = None,
    ) -> Iterator[Choice]:
        """Lists the choices of a parameter of an action or of a trigger.

        Args:
            plugin: Name of the plugin.
            action: Name of the action.
            trigger: Name of the trigger, instead of an action.
            parameter: Name of the parameter. For one inside objects, the names on the way to it,
                joined by `/`.
            parameters: What the form holds so far.
            credentials: Names of credentials, by slot.
            search: Text that the choices must contain.
        """
        steps = _calls.options(
            plugin,
            action,
            trigger,
            parameter,
            parameters or {},
            credentials or {},
            search,
            self._retry,
        )
        return self._iterate(steps)

    def credentials(
        self,
        *,
        plugin: str | None = None,
        slot: str | None = None,
        search: str | None = None,
    ) -> Iterator[Credential]:
        """Lists the credentials that the token may use. They have no secrets."""
        return self._iterate(_calls.credentials(plugin, slot, search, self._retry))

    def test_credential(self, name: str) -> Json:
        """Tests a credential with requests that change nothing, and returns its account."""
        return self._run(_calls.test_credential(name, self._retry))

    def execute(
        self,
        plugin: str,
        action: str,
        items: Iterable[Mapping[str, Any]],
        **options: Unpack[CallOptions],
    ) -> ExecutionResult:
        """Runs an action over items, and returns the result of each.

        Args:
            plugin: Name of the plugin.
            action: Name of the action.
            items: Parameters, one mapping per item.
            options: See `CallOptions`.

        Raises:
            ItemsFailedError: An item failed, unless `continue_on_fail` is set. The error has the
                results of all items.
            ExecutionError: The execution was cancelled or stopped.
        """
        call = Call(plugin, action, items, **options)
        return self._run(_protocol.collect(call, self._retry))

    @contextmanager
    def stream(
        self,
        plugin: str,
        action: str,
        items: Iterable[Mapping[str, Any]],
        **options: Unpack[CallOptions],
    ) -> Iterator[Iterator[Event]]:
        """Runs an action over items, and iterates over what happens, as it happens.

        An event is a `Record`, an `ItemEnd`, or an `ExecutionStatus`. Leaving the block early
        cancels the execution. If the connection breaks, the stream continues with what is missing.
        The arguments are those of `execute`.
        """
        call = Call(plugin, action, items, **options)
        events = self._carry_out(_protocol.stream(call, self._retry))
        try:
            yield events
        finally:
            events.close()

    def start(
        self,
        plugin: str,
        action: str,
        items: Iterable[Mapping[str, Any]],
        **options: Unpack[CallOptions],
    ) -> ExecutionStatus:
        """Starts an execution that goes on without this client. Read it with `result`.

        The arguments are those of `execute`.
        """
        call = Call(plugin, action, items, **options)
        return self._run(_calls.start(call, self._retry))

    def execution(self, execution_id: str) -> ExecutionStatus:
        """Returns the state of an execution."""
        return self._run(_calls.execution(execution_id, self._retry))

    def executions(self, *, search: str | None = None) -> Iterator[ExecutionStatus]:
        """Lists the executions of the token's user, oldest first."""
        return self._iterate(_calls.executions(search, self._retry))

    def results(self, execution_id: str) -> Iterator[ItemResult]:
        """Lists the results of an execution, in the order of its items."""
        return self._iterate(_protocol.results(execution_id, self._retry))

    def wait(self, execution_id: str, *, interval: float = 1.0) -> ExecutionStatus:
        """Waits until an execution has ended. `interval`: seconds between two requests."""
        return self._run(_protocol.wait(execution_id, self._retry, interval))

    def result(self, execution_id: str, *, interval: float = 1.0) -> ExecutionResult:
        """Waits until an execution has ended, and returns its results, failed items included."""
        return self._run(_calls.result(execution_id, interval, self._retry))

    def cancel(self, execution_id: str) -> ExecutionStatus:
        """Cancels an execution, and waits until it has ended.

        Items in progress may have reached the service.
        """
        return self._run(_calls.cancel(execution_id, self._retry))

    def subscribe(
        self,
        subscription_id: str,
        plugin: str,
        trigger: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        deliver_to: str | None = None,
        workflow: str | None = None,
        rotate_secret: bool = False,
    ) -> Subscription:
        """Subscribes to a trigger, or changes this subscription. Repeating it is harmless.

        Args:
            subscription_id: ID that you choose.
            plugin: Name of the plugin.
            trigger: Name of the trigger.
            parameters: Parameters of the trigger.
            credentials: Names of credentials, by slot.
            deliver_to: URL to which the server sends events, which `read_delivery` reads. Without
                it, `events` returns them.
            workflow: Name of the workflow, for the audit log of the server.
            rotate_secret: Replaces the secret that signs events, and returns the new one.
        """
        return self._run(
            _calls.subscribe(
                subscription_id,
                plugin,
                trigger,
                parameters or {},
                credentials or {},
                deliver_to,
                workflow,
                rotate_secret,
                self._retry,
            )
        )

    def subscription(self, subscription_id: str) -> Subscription:
        """Returns the state of a subscription."""
        return self._run(_calls.subscription(subscription_id, self._retry))

    def subscriptions(self, *, search: str | None = None) -> Iterator[Subscription]:
        """Lists the subscriptions of the token's user."""
        return self._iterate(_calls.subscriptions(search, self._retry))

    def unsubscribe(self, subscription_id: str) -> None:
        """Removes a subscription with its events."""
        self._run(_calls.unsubscribe(subscription_id, self._retry))

    def events(
        self, subscription_id: str, *, after: int = 0, wait_seconds: float = 30.0
    ) -> Iterator[Delivery]:
        """Waits for events of a subscription without `deliver_to`, and iterates over them.

        The server keeps an event until the iteration has gone past it, so an event that was not
        processed comes again, with the same number, when the program starts again.

        Args:
            subscription_id: ID of the subscription.
            after: Number of the last event that was processed.
            wait_seconds: How long one request waits, at most 30 seconds.
        """
        return self._iterate(_calls.events(subscription_id, after, wait_seconds, self._retry))

    @property
    def _retry(self) -> Retry:
        return self._connection.retry

    def _iterate(self, steps: Steps[None]) -> Iterator[Any]:
        return self._carry_out(steps)

    def _run(self, steps: Steps[T]) -> T:
        carried_out = self._carry_out(steps)
        while True:
            try:
                next(carried_out)
            except StopIteration as end:
                return cast("T", end.value)

    def _carry_out(self, steps: Steps[T]) -> Generator[Any, None, T]:
        """Carries steps out. Yields what they emit, and returns their result."""
        sent: Any = None
        error: Broken | None = None
        with ExitStack() as opened:
            body: Iterator[bytes] = iter(())
            while True:
                try:
                    step = steps.send(sent) if error is None else steps.throw(error)
                except StopIteration as end:
                    return cast("T", end.value)
                sent, error = None, None
                match step:
                    case Emit(value):
                        yield value
                    case Sleep(seconds):
                        opened.close()
                        time.sleep(seconds)
                    case Send(request) | Open(request):
                        opened.close()
                        try:
                            content = request.body.parts() if request.body else None
                            prepared = self._connection.request(request, content)
                            received = self._http.send(prepared, stream=True)
                            opened.callback(received.close)
                            if isinstance(step, Open) and received.status_code == 200:
                                body = received.iter_bytes()
                                sent = response(received, b"")
                            else:
                                sent = response(received, received.read())
                                opened.close()
                        except httpx.TransportError as failed:
                            error = self._connection.broken(failed)
                    case ReadPart():
                        try:
                            sent = next(body, b"")
                        except httpx.TransportError as failed:
                            error = self._connection.broken(failed)
