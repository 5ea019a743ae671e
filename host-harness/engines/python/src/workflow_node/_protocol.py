"""The API without input and output: what to send, how to read it, and when to repeat it.

Each call is a generator of steps. A driver carries the steps out, over blocking or asynchronous
sockets, and sends the results back. It raises `Broken` in the generator if a connection fails.
"""

from __future__ import annotations

import json
import random
import tempfile
import uuid
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, TypeVar
from urllib.parse import quote

from .errors import ApiError, ProtocolError, TransportError, UnavailableError, api_error
from .models import (
    Event,
    ExecutionResult,
    ExecutionStatus,
    ItemEnd,
    ItemError,
    ItemResult,
    Json,
    Record,
)

T = TypeVar("T")

JSON = "application/json"
NDJSON = "application/x-ndjson"
# A longer list is sent as lines, which the server does not have to keep in memory.
ITEMS_AS_JSON = 1_000
# Items from an iterator are kept for retries: this many bytes in memory, the rest in a file.
SPOOL_BYTES = 1 << 20
SPOOL_READ = 1 << 16
# An error page of a proxy can be long.
SHOWN = 200


@dataclass(frozen=True)
class Retry:
    """How often and when a request is repeated.

    A request is repeated if the connection fails, if the server is busy or not available (429,
    503), and if a proxy cannot reach it (502, 504). All requests of this client can be repeated:
    executions have an ID.
    """

    attempts: int = 5
    """Maximum number of requests, the first included."""
    delay: float = 0.5
    """Seconds before the first repetition. Each further one waits twice as long."""
    longest_delay: float = 60.0
    """Maximum number of seconds between two requests. If the server demands more, the error is
    raised."""


@dataclass(frozen=True)
class Body:
    """A body that can be sent more than once."""

    content_type: str
    parts: Callable[[], Iterator[bytes]]

    @classmethod
    def of_json(cls, value: Any) -> Body:
        """A JSON document."""
        text = encode(value)
        return cls(JSON, lambda: iter([text]))


@dataclass(frozen=True)
class Request:
    """A request, relative to the URL of the server."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    accept: str = JSON


@dataclass(frozen=True)
class Send:
    """Step: send a request, and read the whole response. Its result is a `Response`."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Step: send a request, and leave the body of a response with status 200 to be read.

    Its result is a `Response`.
    """

    request: Request


@dataclass(frozen=True)
class ReadPart:
    """Step: read the next part of the body. Its result is bytes, empty at the end."""


@dataclass(frozen=True)
class Sleep:
    """Step: wait."""

    seconds: float


@dataclass(frozen=True)
class Emit:
    """Step: give a value to the caller."""

    value: Any


@dataclass(frozen=True)
class Response:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """A connection could not be established, or has failed."""


Step = Send | Open | ReadPart | Sleep | Emit
Steps = Generator[Step, Any, T]


def encode(value: Any) -> bytes:
    """JSON as UTF-8. Numbers that JSON does not have are an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def path(*segments: str) -> str:
    """A path of the API. Names cannot lead to another path."""
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise ValueError(f"`{segment}` is not a name")
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


def _decoded(response: Response) -> Json:
    try:
        body = json.loads(response.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = response.body[:SHOWN].decode(errors="replace")
        raise ProtocolError(f"The response with status {response.status} is not JSON: {text!r}")
    return body


def _failure(response: Response) -> ApiError | None:
    """The error of a response; `None` if it is not from the API but from a proxy."""
    body = _decoded(response)
    error = body.get("error")
    if not isinstance(error, dict) or "name" not in error:
        return None
    seconds = response.headers.get("retry-after", "")
    return api_error(response.status, error, float(seconds) if seconds.isdecimal() else None)


class Attempts:
    """Decides whether a request is repeated, and when."""

    def __init__(self, retry: Retry, execution_id: str | None = None) -> None:
        self._retry = retry
        self._execution_id = execution_id
        self._done = 0

    def progress(self) -> None:
        """Counts from the beginning: the server has sent something new."""
        self._done = 0

    def refused(self, response: Response) -> Sleep:
        """The step before the next attempt. Raises the error if there is none."""
        try:
            error: ApiError | ProtocolError | None = _failure(response)
        except ProtocolError as unreadable:
            error = unreadable
        if isinstance(error, ApiError):
            if isinstance(error, UnavailableError):
                return self.unavailable(error)
            raise error
        text = response.body[:SHOWN].decode(errors="replace")
        message = f"The server, or a proxy before it, returned status {response.status}: {text!r}"
        if response.status in {429, 502, 503, 504}:
            return self._next(TransportError(message, self._execution_id), None)
        raise ProtocolError(message)

    def broken(self, error: Broken) -> Sleep:
        """The step before the next attempt. Raises the error if there is none."""
        return self._next(TransportError(str(error), self._execution_id), None, error)

    def unavailable(self, error: UnavailableError) -> Sleep:
        """The step before the next attempt. Raises the error if there is none."""
        return self._next(error, error.retry_after)

    def _next(
        self, error: Exception, demanded: float | None, cause: Exception | None = None
    ) -> Sleep:
        self._done += 1
        wanted: float = self._retry.delay * 2 ** (self._done - 1)
        # Clients that failed together do not come back together.
        delay = min(wanted, self._retry.longest_delay) * random.uniform(0.5, 1.0)  # noqa: S311
        if demanded is not None:
            delay = demanded
        if self._done >= self._retry.attempts or delay > self._retry.longest_delay:
            raise error from cause
        return Sleep(delay)


def call(request: Request, read: Callable[[Json], T], retry: Retry) -> Steps[T]:
    """Sends a request until there is an answer, and reads it."""
    attempts = Attempts(retry)
    while True:
        try:
            response: Response = yield Send(request)
        except Broken as error:
            yield attempts.broken(error)
            continue
        if response.status in {200, 201, 202}:
            body = _decoded(response)
            try:
                return read(body)
            except (KeyError, TypeError) as error:
                raise ProtocolError(f"The response lacks what the API promises: {error}") from error
        yield attempts.refused(response)


def pages(
    request: Callable[[Mapping[str, str]], Request],
    entries: str,
    read: Callable[[Json], Any],
    retry: Retry,
) -> Steps[None]:
    """Emits the entries of a list, page by page."""
    cursor: str | None = None
    while True:
        query = {"cursor": cursor} if cursor is not None else {}
        page = yield from call(request(query), lambda body: body, retry)
        for entry in page[entries]:
            yield Emit(read(entry))
        cursor = page.get("next_cursor")
        if cursor is None:
            return


class CallOptions(TypedDict, total=False):
    """How an action is run. Every member is optional."""

    credentials: Mapping[str, str]
    """Names of credentials, by slot."""
    execution_id: str | None
    """ID of the execution, unique in the tenant of the token. Repeating a call with the same ID and
    the same items runs it once. Defaults to a random ID."""
    workflow: str | None
    """Name of the workflow that makes the call, for the audit log of the server."""
    continue_on_fail: bool
    """Whether the other items run after one has failed, and failed items are returned instead of
    raised. Defaults to false."""
    concurrency: int | None
    """Maximum number of items in progress at once. By default, the plugin decides."""
    timeout_ms: int | None
    """Maximum duration of all items, in milliseconds. Defaults to no limit."""
    attempt: int
    """Number of the attempt, counted from 1, which is the default. A further attempt repeats the
    executions of the attempts before, which returns their stored results, and runs only the items
    that failed without effect, as the execution `ID~2`, `ID~3`, and so on. It needs an
    `execution_id` and a list of items. For `execute` and `start`."""


@dataclass(frozen=True)
class Call:
    """A call of an action."""

    plugin: str
    action: str
    items: Iterable[Mapping[str, Any]]
    credentials: Mapping[str, str] = field(default_factory=dict)
    execution_id: str | None = None
    workflow: str | None = None
    continue_on_fail: bool = False
    concurrency: int | None = None
    timeout_ms: int | None = None
    attempt: int = 1


def prepared(order: Call, accept: str, detach: bool) -> tuple[str, Request]:
    """The ID and the request of an execution. Reads the items."""
    execution_id = order.execution_id or uuid.uuid4().hex
    head: Json = {"execution_id": execution_id, "credentials": dict(order.credentials)}
    if order.workflow is not None:
        head["workflow"] = order.workflow
    options = {
        "continue_on_fail": order.continue_on_fail or None,
        "concurrency": order.concurrency,
        "timeout_ms": order.timeout_ms,
    }
    head["options"] = {name: value for name, value in options.items() if value is not None}
    where = path("plugins", order.plugin, "actions", order.action, "execute")
    query = {"detach": "true"} if detach else {}
    return execution_id, Request("POST", where, query, _body(head, order.items), accept)


def _checked(item: Mapping[str, Any]) -> Json:
    if not isinstance(item, Mapping):
        raise TypeError(f"An item is {type(item).__name__}, not a mapping of parameters")
    return dict(item)


def _body(head: Json, items: Iterable[Mapping[str, Any]]) -> Body:
    if isinstance(items, (Mapping, str, bytes)):
        raise TypeError("`items` is one object. Write a list, with the parameters of each item")
    if isinstance(items, Sequence) and len(items) <= ITEMS_AS_JSON:
        return Body.of_json({**head, "items": [_checked(item) for item in items]})
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115
    spool.write(encode(head) + b"\n")
    for item in items:
        spool.write(encode(_checked(item)) + b"\n")

    def parts() -> Iterator[bytes]:
        spool.seek(0)
        while part := spool.read(SPOOL_READ):
            yield part

    body = Body(NDJSON, parts)
    weakref.finalize(body, spool.close)
    return body


class Resumption:
    """The part of a stream that the caller has received, so that a repeated stream continues it."""

    def __init__(self) -> None:
        self._ended: set[int] = set()
        self._records: dict[int, int] = {}
        self._repeated: dict[int, int] = {}

    def restart(self) -> None:
        """The stream begins again."""
        self._repeated = {}

    def is_new(self, event: Event) -> bool:
        """Whether the caller has not received it yet."""
        if isinstance(event, ExecutionStatus):
            return True
        if event.item in self._ended:
            return False
        if isinstance(event, ItemEnd):
            self._ended.add(event.item)
            self._records.pop(event.item, None)
            return True
        position = self._repeated.get(event.item, 0) + 1
        self._repeated[event.item] = position
        if position <= self._records.get(event.item, 0):
            return False
        self._records[event.item] = position
        return True


def _event(line: bytes) -> Event:
    try:
        body = json.loads(line)
        if "execution" in body:
            return ExecutionStatus.of(body["execution"])
        if "error" in body and "item" not in body:
            raise api_error(0, body["error"])
        if "output" in body:
            return Record(body["item"], body["output"], body.get("port", "main"))
        error = ItemError.of(body["error"]) if body.get("error") else None
        return ItemEnd(body["item"], body["status"], error)
    except (ValueError, KeyError, TypeError) as error:
        shown = line[:SHOWN].decode(errors="replace")
        raise ProtocolError(f"A line of the stream cannot be read: {shown!r}") from error


def stream(order: Call, retry: Retry) -> Steps[ExecutionStatus]:
    """Runs an action, emits what happens, and returns how it has ended.

    A stream that breaks is asked for again. What the caller has received is not emitted again.
    """
    if order.attempt != 1:
        raise ValueError("A stream cannot be a further attempt. Use `execute` or `start`")
    execution_id, request = prepared(order, NDJSON, detach=False)
    attempts, resumption = Attempts(retry, execution_id), Resumption()
    # A lost connection cancels the execution. A call that is repeated meanwhile may only hear of
    # that. When the execution has ended, repeating the call once more runs what may run again.
    is_lost = has_recovered = False
    while True:
        is_doubtful = is_lost and not has_recovered
        try:
            response: Response = yield Open(request)
            resumption.restart()
            ended = None
            if response.status == 200:
                ended = yield from _events(resumption, attempts, is_doubtful)
        except Broken as error:
            is_lost = True
            pause = attempts.broken(error)
        except UnavailableError as error:
            # The last line of a stream that was refused after its first line.
            pause = attempts.unavailable(error)
        else:
            if response.status != 200:
                pause = attempts.refused(response)
            elif ended is None:
                is_lost = True
                pause = attempts.broken(Broken("The stream of results broke off"))
            elif is_doubtful and ended.status == "cancelled":
                has_recovered = True
                pause = attempts.broken(Broken("The execution was cancelled"))
            else:
                return ended
        yield pause


def _events(
    resumption: Resumption, attempts: Attempts, is_doubtful: bool
) -> Steps[ExecutionStatus | None]:
    """Emits the events of one stream. Returns the last one; `None` if it is missing.

    If it is doubtful why the execution was cancelled, nothing is emitted that says so.
    """
    held: list[Event] = []
    buffer = bytearray()
    while part := (yield ReadPart()):
        scanned = len(buffer)
        buffer += part
        # Other separators of lines, such as U+2028, can be part of a JSON text.
        while (length := buffer.find(b"\n", scanned)) >= 0:
            line, scanned = bytes(buffer[:length]), 0
            del buffer[: length + 1]
            if not line.strip():
                continue
            event = _event(line)
            end = event if isinstance(event, ExecutionStatus) and event.has_ended else None
            if is_doubtful and isinstance(event, ItemEnd) and _is_cancelled(event):
                held.append(event)
                continue
            if is_doubtful and end is not None and end.status == "cancelled":
                return end
            for one in [event] if end is None else [*held, event]:
                if resumption.is_new(one):
                    if not isinstance(one, ExecutionStatus):
                        attempts.progress()
                    yield Emit(one)
            if end is not None:
                return end
    return None


def _is_cancelled(event: ItemEnd) -> bool:
    return event.error is not None and event.error.kind == "cancelled"


def _received(steps: Steps[T], receive: Callable[[Any], None]) -> Steps[T]:
    """The same steps, but what they emit goes to a function."""
    sent: Any = None
    error: Broken | None = None
    while True:
        try:
            step = steps.send(sent) if error is None else steps.throw(error)
        except StopIteration as end:
            value: T = end.value
            return value
        sent, error = None, None
        if isinstance(step, Emit):
            receive(step.value)
            continue
        try:
            sent = yield step
        except Broken as broken:
            error = broken


def collect(order: Call, retry: Retry) -> Steps[ExecutionResult]:
    """Runs an action, and collects the results. Failed items are an error, unless they may fail."""
    found = yield from remaining(order, retry)
    if isinstance(found, ExecutionResult):
        result = found
    else:
        last = yield from collect_one(found.call, retry)
        result = merged(found.earlier, last, found.positions)
    result.raise_for_errors(failed_items=not order.continue_on_fail)
    return result


@dataclass(frozen=True)
class Attempt:
    """One execution of a call that is run in attempts."""

    call: Call
    positions: list[int] | None
    """Positions of its items in the whole call. `None` for all items."""
    earlier: ExecutionResult | None
    """Results of the attempts before."""


def remaining(order: Call, retry: Retry) -> Steps[Attempt | ExecutionResult]:
    """The execution of the last attempt, or the results if nothing is left to run."""
    if order.attempt < 1:
        raise ValueError("`attempt` counts from 1")
    if order.attempt == 1:
        return Attempt(order, None, None)
    if order.execution_id is None or not isinstance(order.items, Sequence):
        raise ValueError("A further attempt needs an `execution_id` and a list of items")
    first = replace(order, attempt=1)
    attempt = Attempt(first, None, None)
    for number in range(2, order.attempt + 1):
        done = yield from collect_one(attempt.call, retry)
        result = merged(attempt.earlier, done, attempt.positions)
        failed = result.failed_items
        again = [item.item for item in failed if item.error and item.error.may_run_again]
        if not again or (len(again) < len(failed) and not order.continue_on_fail):
            return result
        items = [order.items[position] for position in again]
        execution_id = f"{order.execution_id}~{number}"
        call_again = replace(first, items=items, execution_id=execution_id)
        attempt = Attempt(call_again, again, result)
    return attempt


def merged(
    earlier: ExecutionResult | None, later: ExecutionResult, positions: list[int] | None
) -> ExecutionResult:
    """The results of a call after a further attempt."""
    if earlier is None or positions is None:
        return later
    items = {item.item: item for item in earlier.items}
    items |= {
        positions[item.item]: replace(item, item=positions[item.item]) for item in later.items
    }
    found = [items[item] for item in sorted(items)]
    execution = replace(
        later.execution,
        item_count=len(found),
        finished=sum(item.status != "pending" for item in found),
        failed=sum(item.status == "error" for item in found),
    )
    return ExecutionResult(execution, found)


def collect_one(order: Call, retry: Retry) -> Steps[ExecutionResult]:
    """Runs one execution, and collects the results.

    It reads the stream, whose lines also show that the server is alive.
    """
    outputs: dict[int, dict[str, list[Any]]] = {}
    ended: dict[int, ItemEnd] = {}

    def add(event: Event) -> None:
        if isinstance(event, Record):
            outputs.setdefault(event.item, {}).setdefault(event.port, []).append(event.output)
        elif isinstance(event, ItemEnd):
            ended[event.item] = event

    status = yield from _received(stream(order, retry), add)
    items = {}
    for item, end in ended.items():
        ports = outputs.pop(item, {})
        main = ports.pop("main", [])
        items[item] = ItemResult(item, end.status, main, ports, end.error)
    if len(items) < status.item_count:
        # The stream has no lines for items that were not begun.
        stored = yield from all_results(status.execution_id, retry)
        items = {result.item: result for result in stored} | items
    return ExecutionResult(status, [items[item] for item in sorted(items)])


def results(execution_id: str, retry: Retry) -> Steps[None]:
    """Emits the results of the items of an execution."""
    where = path("executions", execution_id, "items")
    return pages(lambda query: Request("GET", where, query), "items", ItemResult.of, retry)


def all_results(execution_id: str, retry: Retry) -> Steps[list[ItemResult]]:
    """The results of the items of an execution."""
    found: list[ItemResult] = []
    yield from _received(results(execution_id, retry), found.append)
    return found


def wait(execution_id: str, retry: Retry, interval: float) -> Steps[ExecutionStatus]:
    """Asks for an execution until it has ended."""
    request = Request("GET", path("executions", execution_id))
    while True:
        status = yield from call(request, ExecutionStatus.of, retry)
        if status.has_ended:
            return status
        yield Sleep(interval)
