"""Errors of the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import ExecutionResult


@dataclass(frozen=True)
class Problem:
    """One invalid part of a request."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body of the request, such as `/items/0/title`."""
    message: str


class WorkflowNodeError(Exception):
    """Base class of all errors of this package."""


class TransportError(WorkflowNodeError):
    """The server could not be reached, or the connection broke, and retries did not help.

    Repeating `execute`, `stream`, or `start` with the same `execution_id` and the same items is
    safe: the server runs an execution once.
    """

    def __init__(self, message: str, execution_id: str | None = None) -> None:
        super().__init__(message)
        self.execution_id = execution_id

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.execution_id)


class ProtocolError(WorkflowNodeError):
    """The response is not one of the API. The URL may lead to another server or to a proxy."""


class ApiError(WorkflowNodeError):
    """The server refused the request as a whole."""

    def __init__(
        self,
        status: int,
        name: str,
        message: str,
        next_step: str | None = None,
        problems: tuple[Problem, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        """HTTP status. 0 if the error arrived at the end of a stream."""
        self.name = name
        """Stable name, such as `credential-not-found`."""
        self.message = message
        """What failed and why, for people."""
        self.next_step = next_step
        """What to do next, for people."""
        self.problems = problems
        """The invalid parts of the request."""
        self.retry_after = retry_after
        """Seconds to wait before a retry."""
        details = [f"{problem.pointer}: {problem.message}" for problem in problems]
        super().__init__("\n".join([f"{message} ({name})", *details, *filter(None, [next_step])]))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.status, self.name, self.message)
        return type(self), (*fields, self.next_step, self.problems, self.retry_after)


class InvalidRequestError(ApiError):
    """The request does not fit the API, the action, or the credential (400, 413, 415, 422)."""


class AuthenticationError(ApiError):
    """The token is missing, unknown, expired, or revoked (401)."""


class PermissionDeniedError(ApiError):
    """The policy of the token or the operator of the server forbids the request (403)."""


class NotFoundError(ApiError):
    """The requested object does not exist, or is not visible to the token (404)."""


class ConflictError(ApiError):
    """The execution ID was used for another call or other items (409)."""


class UnavailableError(ApiError):
    """The server or the service is busy or not available (429, 503). Retry later."""


_CLASSES: Mapping[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: UnavailableError,
    503: UnavailableError,
}
# Errors at the end of a stream have no status, but they are the same errors.
_NAMES: Mapping[str, type[ApiError]] = {
    "unavailable": UnavailableError,
    "rate-limited": UnavailableError,
    "timeout": UnavailableError,
    "full": UnavailableError,
    "shutting-down": UnavailableError,
    "queue-full": UnavailableError,
    "credential-unavailable": UnavailableError,
    "not-permitted": PermissionDeniedError,
    "not-approved": PermissionDeniedError,
    "plugin-disabled": PermissionDeniedError,
    "withheld": PermissionDeniedError,
    "raw-secret": PermissionDeniedError,
    "not-found": NotFoundError,
    "execution-conflict": ConflictError,
    "invalid-input": InvalidRequestError,
    "credential-not-found": InvalidRequestError,
    "credential-not-connected": InvalidRequestError,
    "insufficient-scope": InvalidRequestError,
    "credential": InvalidRequestError,
}


def api_error(status: int, error: Mapping[str, Any], retry_after: float | None = None) -> ApiError:
    """The error that a body `{"error": …}` describes."""
    name = str(error["name"])
    kind = _CLASSES.get(status) or _NAMES.get(name) or ApiError
    problems = tuple(
        Problem(str(problem["pointer"]), str(problem["message"]))
        for problem in error.get("problems", [])
    )
    return kind(status, name, str(error["message"]), error.get("next"), problems, retry_after)


class ExecutionError(WorkflowNodeError):
    """An execution was cancelled, stopped, or interrupted. `result` has what it has returned."""

    def __init__(self, result: ExecutionResult) -> None:
        self.result = result
        execution = result.execution
        reason = f": {execution.error.message}" if execution.error else ""
        super().__init__(f"Execution {execution.execution_id} is {execution.status}{reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.result,)


class ItemsFailedError(WorkflowNodeError):
    """Items of an execution failed. `result` has the results of all items."""

    def __init__(self, result: ExecutionResult) -> None:
        self.result = result
        failed = result.failed_items
        first = failed[0]
        reason = f"{first.error.message} ({first.error.kind})" if first.error else first.status
        more = f", and {len(failed) - 1} more failed" if len(failed) > 1 else ""
        super().__init__(
            f"Item {first.item} of {result.execution.plugin} {result.execution.action} failed: "
            f"{reason}{more}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.result,)
