"""The operations of the API, each stated once for the blocking and the asynchronous client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import models
from ._protocol import (
    JSON,
    Body,
    Call,
    Emit,
    Request,
    Retry,
    Steps,
    all_results,
    call,
    pages,
    path,
    prepared,
    remaining,
    wait,
)
from .models import ExecutionResult, ExecutionStatus, Json


def health(retry: Retry) -> Steps[models.Health]:
    """The versions of the server."""
    return call(Request("GET", path("health")), models.Health.of, retry)


def _list(
    where: str, entries: str, read: Callable[[Json], Any], retry: Retry, **query: str | None
) -> Steps[None]:
    given = {name: value for name, value in query.items() if value is not None}
    return pages(lambda page: Request("GET", where, {**given, **page}), entries, read, retry)


def plugins(search: str | None, retry: Retry) -> Steps[None]:
    """Plugins."""
    return _list(path("plugins"), "plugins", models.Plugin.of, retry, search=search)


def resources(plugin: str, search: str | None, retry: Retry) -> Steps[None]:
    """Resources of a plugin."""
    where = path("plugins", plugin, "resources")
    return _list(where, "resources", models.Resource.of, retry, search=search)


def actions(plugin: str, resource: str | None, search: str | None, retry: Retry) -> Steps[None]:
    """Actions of a plugin."""
    where = path("plugins", plugin, "actions")
    return _list(where, "actions", models.Action.of, retry, resource=resource, search=search)


def action(plugin: str, name: str, retry: Retry) -> Steps[models.ActionForm]:
    """An action with its form."""
    where = path("plugins", plugin, "actions", name)
    return call(Request("GET", where), models.ActionForm.of, retry)


def triggers(plugin: str, search: str | None, retry: Retry) -> Steps[None]:
    """Triggers of a plugin."""
    where = path("plugins", plugin, "triggers")
    return _list(where, "triggers", models.Trigger.of, retry, search=search)


def trigger(plugin: str, name: str, retry: Retry) -> Steps[models.TriggerForm]:
    """A trigger with its form."""
    where = path("plugins", plugin, "triggers", name)
    return call(Request("GET", where), models.TriggerForm.of, retry)


def options(
    plugin: str,
    action: str | None,
    trigger: str | None,
    parameter: str,
    parameters: Mapping[str, Any],
    credentials: Mapping[str, str],
    search: str | None,
    retry: Retry,
) -> Steps[None]:
    """Choices of a parameter of an action or of a trigger."""
    if (action is None) == (trigger is None):
        raise ValueError("Name either `action` or `trigger`")
    form = ("actions", action) if action is not None else ("triggers", str(trigger))
    where = path("plugins", plugin, *form, "options")
    query: Json = {
        "parameter": parameter,
        "parameters": dict(parameters),
        "credentials": dict(credentials),
    }
    if search is not None:
        query["search"] = search

    def request(page: Mapping[str, str]) -> Request:
        return Request("POST", where, body=Body.of_json({**query, **page}))

    return pages(request, "choices", models.Choice.of, retry)


def credentials(
    plugin: str | None, slot: str | None, search: str | None, retry: Retry
) -> Steps[None]:
    """Credentials that the token may use."""
    read = models.Credential.of
    where = path("credentials")
    query = {"plugin": plugin, "slot": slot, "search": search}
    return _list(where, "credentials", read, retry, **query)


def test_credential(name: str, retry: Retry) -> Steps[Json]:
    """The account of a credential."""
    where = path("credentials", name, "test")

    def read(body: Json) -> Json:
        identity: Json = body["identity"]
        return identity

    return call(Request("POST", where), read, retry)


def executions(search: str | None, retry: Retry) -> Steps[None]:
    """Executions of the token's user."""
    return _list(path("executions"), "executions", ExecutionStatus.of, retry, search=search)


def execution(execution_id: str, retry: Retry) -> Steps[ExecutionStatus]:
    """State of an execution."""
    return call(Request("GET", path("executions", execution_id)), ExecutionStatus.of, retry)


def cancel(execution_id: str, retry: Retry) -> Steps[ExecutionStatus]:
    """Cancels an execution."""
    return call(Request("DELETE", path("executions", execution_id)), ExecutionStatus.of, retry)


def start(order: Call, retry: Retry) -> Steps[ExecutionStatus]:
    """Starts an execution that goes on by itself."""
    found = yield from remaining(order, retry)
    if isinstance(found, ExecutionResult):
        return found.execution
    _, request = prepared(found.call, JSON, detach=True)
    return (yield from call(request, ExecutionStatus.of, retry))


def result(execution_id: str, interval: float, retry: Retry) -> Steps[ExecutionResult]:
    """Waits for an execution, and reads its results."""
    status = yield from wait(execution_id, retry, interval)
    items = yield from all_results(execution_id, retry)
    return ExecutionResult(status, items)


def subscribe(
    subscription_id: str,
    plugin: str,
    trigger: str,
    parameters: Mapping[str, Any],
    credentials: Mapping[str, str],
    deliver_to: str | None,
    workflow: str | None,
    rotate_secret: bool,
    retry: Retry,
) -> Steps[models.Subscription]:
    """Makes a subscription, or changes it."""
    order: Json = {
        "plugin": plugin,
        "trigger": trigger,
        "parameters": dict(parameters),
        "credentials": dict(credentials),
    }
    optional = {
        "deliver_to": deliver_to,
        "workflow": workflow,
        "rotate_secret": rotate_secret or None,
    }
    order |= {name: value for name, value in optional.items() if value is not None}
    request = Request("PUT", path("subscriptions", subscription_id), body=Body.of_json(order))
    return call(request, models.Subscription.of, retry)


def subscription(subscription_id: str, retry: Retry) -> Steps[models.Subscription]:
    """State of a subscription."""
    request = Request("GET", path("subscriptions", subscription_id))
    return call(request, models.Subscription.of, retry)


def subscriptions(search: str | None, retry: Retry) -> Steps[None]:
    """Subscriptions of the token's user."""
    read = models.Subscription.of
    return _list(path("subscriptions"), "subscriptions", read, retry, search=search)


def unsubscribe(subscription_id: str, retry: Retry) -> Steps[None]:
    """Removes a subscription."""
    request = Request("DELETE", path("subscriptions", subscription_id))
    return call(request, lambda _: None, retry)


def events(subscription_id: str, after: int, wait_seconds: float, retry: Retry) -> Steps[None]:
    """Emits events without end, and accepts those that were emitted before."""
    while True:
        query = {"after": str(after), "wait_ms": str(int(wait_seconds * 1000))}
        request = Request("GET", path("subscriptions", subscription_id, "events"), query)
        page = yield from call(request, lambda body: body, retry)
        for event in page["events"]:
            yield Emit(models.Delivery.of(event))
        after = page["after"]
