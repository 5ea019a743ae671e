"""The responses of the API. Members that this version does not know are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ApiError, ExecutionError, ItemsFailedError, api_error

Json = dict[str, Any]


@dataclass(frozen=True)
class Token:
    """The permissions of a token. If a list is `None`, everything is allowed."""

    name: str
    tenant: str
    actor: str
    roles: tuple[str, ...]
    plugins: tuple[str, ...]
    actions: tuple[str, ...] | None
    effects: tuple[str, ...] | None
    credentials: tuple[str, ...] | None
    destinations: tuple[str, ...] | None
    expires_at: int | None
    """Milliseconds since 1970. `None` if the token does not expire."""


@dataclass(frozen=True)
class Health:
    """Versions of the server, and what the token may use."""

    name: str
    api: str
    version: str
    token: Token

    @classmethod
    def of(cls, body: Json) -> Health:
        """Reads a body."""
        token: Json = body["token"]

        def optional(name: str) -> tuple[str, ...] | None:
            return tuple(token[name]) if token.get(name) is not None else None

        return cls(
            name=body["name"],
            api=body["api"],
            version=body["version"],
            token=Token(
                name=token["name"],
                tenant=token["tenant"],
                actor=token["actor"],
                roles=tuple(token["roles"]),
                plugins=tuple(token["plugins"]),
                actions=optional("actions"),
                effects=optional("effects"),
                credentials=optional("credentials"),
                destinations=optional("destinations"),
                expires_at=token.get("expires_at"),
            ),
        )


@dataclass(frozen=True)
class Plugin:
    """A plugin that the server runs."""

    name: str
    display_name: str
    description: str
    version: int
    digest: str
    approved: bool
    """Whether its actions can run."""

    @classmethod
    def of(cls, body: Json) -> Plugin:
        """Reads a body."""
        names = ("name", "display_name", "description", "version", "digest", "approved")
        return cls(**{name: body[name] for name in names})


@dataclass(frozen=True)
class Resource:
    """A kind of object that actions work on."""

    name: str
    title: str
    description: str | None

    @classmethod
    def of(cls, body: Json) -> Resource:
        """Reads a body."""
        return cls(body["name"], body["title"], body.get("description"))


@dataclass(frozen=True)
class Slot:
    """How an action or a trigger uses a credential."""

    required: bool
    credential_types: tuple[str, ...]
    scopes: tuple[str, ...]
    description: str


def _slots(body: Json) -> Mapping[str, Slot]:
    return {
        name: Slot(
            slot["required"],
            tuple(slot["credential_types"]),
            tuple(slot["scopes"]),
            slot["description"],
        )
        for name, slot in body["slots"].items()
    }


@dataclass(frozen=True)
class Example:
    """Parameters that run."""

    title: str
    parameters: Json


def _examples(body: Json) -> tuple[Example, ...]:
    return tuple(Example(one["title"], one["parameters"]) for one in body.get("examples", []))


@dataclass(frozen=True)
class Action:
    """An action, without its form."""

    name: str
    version: int
    resource: str | None
    title: str
    description: str
    effect: str
    """`read`, `create`, `update`, `delete`, or `execute`."""
    idempotency: str
    """Effect of repeating it: `safe`, `idempotent`, `keyed`, or `none`."""
    slots: Mapping[str, Slot]

    @classmethod
    def of(cls, body: Json) -> Action:
        """Reads a body."""
        return cls(**_action(body))


def _action(body: Json) -> Json:
    names = ("name", "version", "title", "description", "effect", "idempotency")
    members = {name: body[name] for name in names}
    return {**members, "resource": body.get("resource"), "slots": _slots(body)}


@dataclass(frozen=True)
class ActionForm(Action):
    """An action with its form."""

    form: Json = field(default_factory=dict)
    """JSON Schema of the parameters of one item."""
    output: Mapping[str, Json] = field(default_factory=dict)
    """JSON Schema of one record, for each output port."""
    examples: tuple[Example, ...] = ()

    @classmethod
    def of(cls, body: Json) -> ActionForm:
        """Reads a body."""
        form, output = body["form"], body["output"]
        return cls(**_action(body), form=form, output=output, examples=_examples(body))


@dataclass(frozen=True)
class Trigger:
    """A trigger, without its form."""

    name: str
    version: int
    title: str
    description: str
    delivery: str
    """`webhook` or `poll`."""
    slots: Mapping[str, Slot]

    @classmethod
    def of(cls, body: Json) -> Trigger:
        """Reads a body."""
        return cls(**_trigger(body))


def _trigger(body: Json) -> Json:
    names = ("name", "version", "title", "description", "delivery")
    return {**{name: body[name] for name in names}, "slots": _slots(body)}


@dataclass(frozen=True)
class TriggerForm(Trigger):
    """A trigger with its form."""

    form: Json = field(default_factory=dict)
    """JSON Schema of the parameters."""
    output: Json = field(default_factory=dict)
    """JSON Schema of an event."""
    examples: tuple[Example, ...] = ()

    @classmethod
    def of(cls, body: Json) -> TriggerForm:
        """Reads a body."""
        form, output = body["form"], body["output"]
        return cls(**_trigger(body), form=form, output=output, examples=_examples(body))


@dataclass(frozen=True)
class Choice:
    """One choice of a form field."""

    value: Any
    """Value that the parameter is set to."""
    label: str
    description: str | None

    @classmethod
    def of(cls, body: Json) -> Choice:
        """Reads a body."""
        return cls(body["value"], body["label"], body.get("description"))


@dataclass(frozen=True)
class Credential:
    """A credential that the server holds. It has no secret."""

    name: str
    description: str
    plugin: str
    type: str
    mode: str
    """Who may use it: `private`, `shared`, or `per-user`."""
    status: str
    """`connected`, `expiring`, `needs-reconnect`, `refresh-outcome-unknown`, or `disconnected`."""
    identity: Json
    """The account at the service, as far as it is known."""

    @classmethod
    def of(cls, body: Json) -> Credential:
        """Reads a body."""
        names = ("name", "description", "plugin", "type", "mode", "status", "identity")
        return cls(**{name: body[name] for name in names})


@dataclass(frozen=True)
class ItemError:
    """Why an item failed."""

    kind: str
    """Stable name, such as `not-found`, `rate-limited`, or `outcome-unknown`."""
    message: str
    code: str | None = None
    """The service's own error code."""
    http_status: int | None = None
    """HTTP status of the response of the service."""
    retry_after_ms: int | None = None
    """Time after which another try may succeed. `None` if it cannot help."""
    detail: Any = None
    """The service's own explanation."""

    @classmethod
    def of(cls, body: Json) -> ItemError:
        """Reads a body."""
        names = ("code", "http_status", "retry_after_ms", "detail")
        optional = {name: body.get(name) for name in names}
        return cls(kind=body["kind"], message=body["message"], **optional)

    @property
    def may_run_again(self) -> bool:
        """Whether nothing was changed, so that the item can run again with another execution ID."""
        return self.kind in {"unavailable", "rate-limited", "timeout", "cancelled"}


@dataclass(frozen=True)
class ItemResult:
    """Result of one item."""

    item: int
    """Position of the item, counted from 0."""
    status: Literal["ok", "error", "pending"]
    output: list[Any] = field(default_factory=list)
    """Records of the port `main`. A failed item has those that it had emitted before."""
    outputs: dict[str, list[Any]] = field(default_factory=dict)
    """Records of other ports."""
    error: ItemError | None = None
    output_dropped: bool = False
    """The output was too large for the server to store."""

    @classmethod
    def of(cls, body: Json) -> ItemResult:
        """Reads a body."""
        return cls(
            item=body["item"],
            status=body["status"],
            output=body.get("output") or [],
            outputs=body.get("outputs") or {},
            error=ItemError.of(body["error"]) if body.get("error") else None,
            output_dropped=body.get("output_dropped", False),
        )


@dataclass(frozen=True)
class ExecutionStatus:
    """The state of an execution."""

    execution_id: str
    plugin: str
    action: str
    workflow: str | None
    status: str
    """`queued`, `running`, `finished`, `cancelled`, `stopped`, or `interrupted`."""
    item_count: int
    finished: int
    """Items that have a result."""
    failed: int
    """Items that failed."""
    error: ApiError | None
    """Why the execution was stopped."""
    created_at: int
    """Milliseconds since 1970."""
    ended_at: int | None
    """Milliseconds since 1970."""

    @classmethod
    def of(cls, body: Json) -> ExecutionStatus:
        """Reads a body."""
        names = ("execution_id", "plugin", "action", "status", "item_count", "finished", "failed")
        return cls(
            **{name: body[name] for name in names},
            workflow=body.get("workflow"),
            error=api_error(0, body["error"]) if body.get("error") else None,
            created_at=body["created_at"],
            ended_at=body.get("ended_at"),
        )

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it will change."""
        return self.status not in {"queued", "running"}


@dataclass(frozen=True)
class Record:
    """A record that an item has emitted."""

    item: int
    output: Any
    port: str = "main"


@dataclass(frozen=True)
class ItemEnd:
    """The end of an item."""

    item: int
    status: Literal["ok", "error"]
    error: ItemError | None = None


Event = Record | ItemEnd | ExecutionStatus
"""The parts of a stream of results."""


@dataclass(frozen=True)
class Subscription:
    """A subscription to a trigger."""

    id: str
    plugin: str
    trigger: str
    status: str
    """State at the service: `active`, `unfinished`, `disabled`, or `missing`. `sample`: it exists
    only at the server, and shows what events look like."""
    pushed: bool
    """Whether the server sends events. Otherwise, `events` returns them."""
    workflow: str | None
    waiting: int
    """Events that were not accepted yet."""
    set_aside: int
    """Events that were refused for too long."""
    problem: str | None
    """Why the last event was refused."""
    created_at: int
    """Milliseconds since 1970."""
    secret: str | None = field(default=None, repr=False)
    """Signs events that the server sends. Returned once, when it is new."""

    @classmethod
    def of(cls, body: Json) -> Subscription:
        """Reads a body."""
        names = ("id", "plugin", "trigger", "status", "pushed", "waiting", "set_aside")
        return cls(
            **{name: body[name] for name in names},
            workflow=body.get("workflow"),
            problem=body.get("problem"),
            created_at=body["created_at"],
            secret=body.get("secret"),
        )


@dataclass(frozen=True)
class Delivery:
    """An event of a subscription."""

    subscription: str
    number: int
    """Increases with each event. The same number is the same event."""
    dedup_key: str | None
    """The same each time that the service sends the same event."""
    occurred_at: int | None
    """When it happened, by the service's clock. Milliseconds since 1970."""
    received_at: int
    """When the server received it. Milliseconds since 1970."""
    event: Any

    @classmethod
    def of(cls, body: Json) -> Delivery:
        """Reads a body."""
        return cls(
            subscription=body["subscription"],
            number=body["number"],
            dedup_key=body.get("dedup_key"),
            occurred_at=body.get("occurred_at"),
            received_at=body["received_at"],
            event=body["event"],
        )


@dataclass(frozen=True)
class ExecutionResult:
    """An execution that has ended, with the results of its items."""

    execution: ExecutionStatus
    items: list[ItemResult]

    @property
    def records(self) -> list[Any]:
        """Records of the port `main` of all items, in the order of the items."""
        return [record for item in self.items for record in item.output]

    @property
    def failed_items(self) -> list[ItemResult]:
        """Items without a result, or with an error."""
        return [item for item in self.items if item.status != "ok"]

    def raise_for_errors(self, *, failed_items: bool = True) -> None:
        """Raises an error unless every item has succeeded.

        Args:
            failed_items: Whether failed items of a finished execution are an error.

        Raises:
            ExecutionError: The execution was cancelled, stopped, or interrupted.
            ItemsFailedError: Items failed.
        """
        if self.execution.status != "finished":
            raise ExecutionError(self)
        if failed_items and self.failed_items:
            raise ItemsFailedError(self)
