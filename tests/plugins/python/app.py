"""A workflow node in Python, built with the default settings of componentize-py: a few actions for
PagerDuty. docs/python.md explains it part by part.
"""

import json
import os
import socket
from dataclasses import dataclass
from typing import Callable
from urllib.parse import quote

import wit_world.exports
from componentize_py_types import Err, Ok, Result
from wit_world.exports.node import Call
from wit_world.imports import completions, context, http
from wit_world.imports.http import SendErrorKind
from wit_world.imports.types import Error, ErrorKind, OutputItem

ORIGIN = "https://api.pagerduty.com"

# ---- The documents: what the node says about itself. ---------------------------------------------


def text(title: str, description: str, **more) -> dict:
    """The schema of a text."""
    return {"type": "string", "title": title, "description": description, **more}


def form(required: list[str] | None = None, **properties) -> dict:
    """The schema of a form."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


SERVICE = {
    "type": "object",
    "title": "Service",
    "properties": {
        "id": text("ID", "ID of the service."),
        "name": text("Name", "Name of the service."),
        "status": text("Status", "Whether it has open incidents."),
    },
    "required": ["id", "name"],
}

NOTE = {
    "type": "object",
    "title": "Note",
    "properties": {
        "id": text("ID", "ID of the note."),
        "content": text("Text", "Text of the note."),
    },
    "required": ["id", "content"],
}

ABILITY = {
    "type": "object",
    "properties": {"name": text("Name", "Name of the ability.")},
    "required": ["name"],
}

NODE = {
    "name": "pagerduty-python",
    "version": 1,
    "display_name": "PagerDuty (Python)",
    "description": "Reads services and adds notes to incidents of a PagerDuty account.",
    "origins": [ORIGIN],
    "slots": {"account": {"credential_types": ["token"], "description": "Account to use."}},
    "actions": [
        {
            "name": "ability.list",
            "version": 1,
            "title": "List abilities",
            "description": "Returns the abilities of the account, which follow from its plan.",
            "slots": {"account": {"required": True}},
            "effect": "read",
            "idempotency": "safe",
            "parameters": form(
                prefix=text("Prefix", "Returns only abilities whose names begin with this text.")
            ),
            "output": {"main": ABILITY},
            "examples": [{"title": "All abilities", "parameters": {}}],
        },
        {
            "name": "service.get",
            "version": 1,
            "title": "Get a service",
            "description": "Returns the service with this ID.",
            "slots": {"account": {"required": True}},
            "effect": "read",
            "idempotency": "safe",
            "parameters": form(
                ["service_id"], service_id=text("Service", "ID of the service.", minLength=1)
            ),
            "output": {"main": SERVICE},
            "examples": [{"title": "By ID", "parameters": {"service_id": "PSERVICE"}}],
        },
        {
            "name": "note.create",
            "version": 1,
            "title": "Add a note",
            "description": "Adds a note to an incident and returns it.",
            "slots": {"account": {"required": True}},
            "effect": "create",
            # Sending it again would add a second note.
            "idempotency": "none",
            "parameters": form(
                ["incident_id", "content", "from"],
                incident_id=text("Incident", "ID of the incident.", minLength=1),
                content=text("Text", "Text of the note.", minLength=1),
                **{
                    "from": text(
                        "From", "Email address of the user who adds the note.", format="email"
                    )
                },
            ),
            "output": {"main": NOTE},
            "examples": [
                {
                    "title": "A note",
                    "parameters": {
                        "incident_id": "PINCIDENT",
                        "content": "Restarted the worker.",
                        "from": "ada@example.com",
                    },
                }
            ],
        },
        {
            "name": "exception.throw",
            "version": 1,
            "title": "Throw an exception",
            "description": "Shows how an exception that nothing catches is reported. For tests of"
            " the host.",
            "slots": {},
            "effect": "read",
            "idempotency": "safe",
            "parameters": form(
                message=text("Message", "Message of the exception. Without one, nothing is thrown.")
            ),
            "output": {"main": {"type": "object", "properties": {}}},
            "examples": [{"title": "No exception", "parameters": {}}],
        },
        {
            "name": "outside.reach",
            "version": 1,
            "title": "Reach the outside",
            "description": "Tries what the language offers beside workflow:node. All of it is"
            " refused.",
            "slots": {},
            "effect": "read",
            "idempotency": "safe",
            "parameters": form(["address"], address=text("Address", "Host and port to try.")),
            "output": {"main": {"type": "object", "properties": {}}},
            "examples": [{"title": "This machine", "parameters": {"address": "127.0.0.1:9"}}],
        },
    ],
}

CREDENTIAL_TYPES = {
    "credential_types": [
        {
            "name": "token",
            "version": 1,
            "display_name": "API token",
            "description": "REST API token of a PagerDuty account.",
            "fields": {
                "type": "object",
                "properties": {
                    "token": text(
                        "Token",
                        "API access key from Integrations > API Access Keys.",
                        writeOnly=True,
                    )
                },
                "required": ["token"],
            },
            "grant": {"kind": "fixed"},
            "origins": [ORIGIN],
            "placements": [
                {
                    "kind": "header",
                    "name": "Authorization",
                    "value": "Token token={token}",
                    "origins": [ORIGIN],
                    "path": "/**",
                }
            ],
        }
    ]
}

# ---- The requests: what each action sends, and what it returns of the answer. --------------------


@dataclass
class Action:
    method: str
    path: Callable[[dict], str]
    records: Callable[[dict, dict], list[dict]]
    body: Callable[[dict], dict] | None = None
    headers: Callable[[dict], list[tuple[str, str]]] = lambda item: []

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


class Unreadable(Exception):
    """An answer is not what the node expects."""


def abilities(answer: dict, item: dict) -> list[dict]:
    names = answer["abilities"]
    if not all(isinstance(name, str) for name in names):
        raise Unreadable
    return [{"name": name} for name in names if name.startswith(item.get("prefix", ""))]


def one(member: str) -> Callable[[dict, dict], list[dict]]:
    """The record in a member of the answer."""

    def record(answer: dict, item: dict) -> list[dict]:
        if not isinstance(answer[member]["id"], str):
            raise Unreadable
        return [answer[member]]

    return record


ACTIONS = {
    "ability.list": Action("GET", lambda item: "/abilities", abilities),
    "service.get": Action(
        "GET", lambda item: f"/services/{quote(item['service_id'], safe='')}", one("service")
    ),
    "note.create": Action(
        "POST",
        lambda item: f"/incidents/{quote(item['incident_id'], safe='')}/notes",
        one("note"),
        body=lambda item: {"note": {"content": item["content"]}},
        headers=lambda item: [("From", item["from"])],
    ),
}


def start(action: Action, item: dict) -> int:
    """Submits the request of an item."""
    body = action.body and json.dumps(action.body(item)).encode()
    headers = [
        ("Accept", "application/vnd.pagerduty+json;version=2"),
        ("Content-Type", "application/json"),
        *action.headers(item),
    ]
    return http.submit(
        http.Request(
            method=action.method,
            url=ORIGIN + action.path(item),
            headers=headers,
            body=body,
            # The host adds the credential of this slot. The node never sees it.
            credential="account",
            timeout=None,
            # None: the host does not repeat a write.
            idempotency_key=None,
        )
    )


# ---- Errors: engines act on their kind. ----------------------------------------------------------

STATUSES = {
    400: ErrorKind.INVALID_INPUT,
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    409: ErrorKind.CONFLICT,
    422: ErrorKind.INVALID_INPUT,
    429: ErrorKind.RATE_LIMITED,
}

SEND_ERRORS = {
    SendErrorKind.DENIED: ErrorKind.DENIED_BY_HOST,
    SendErrorKind.CREDENTIAL: ErrorKind.UNAUTHENTICATED,
    SendErrorKind.RATE_LIMITED: ErrorKind.RATE_LIMITED,
    SendErrorKind.TIMEOUT: ErrorKind.TIMEOUT,
    SendErrorKind.OVER_BUDGET: ErrorKind.OVER_BUDGET,
    SendErrorKind.CANCELLED: ErrorKind.CANCELLED,
    SendErrorKind.INVALID_REQUEST: ErrorKind.INTERNAL,
}


def failure(
    kind: ErrorKind, message: str, status: int | None = None, retry_after: int | None = None
) -> Err[Error]:
    return Err(Error(kind, message, None, status, retry_after, None))


def refused(response: http.Response, is_write: bool) -> Err[Error]:
    """A response that reports an error."""
    down = ErrorKind.OUTCOME_UNKNOWN if is_write else ErrorKind.UNAVAILABLE
    kind = STATUSES.get(response.status, down if response.status >= 500 else ErrorKind.INTERNAL)
    message = f"PagerDuty returned the status {response.status}."
    return failure(kind, message, response.status, response.retry_after)


def unanswered(error: http.SendError, is_write: bool) -> Err[Error]:
    """A request without a response."""
    if error.maybe_sent and is_write:
        advice = "Look for the note before you add it again."
        return failure(ErrorKind.OUTCOME_UNKNOWN, f"{error.message} {advice}")
    kind = SEND_ERRORS.get(error.kind, ErrorKind.UNAVAILABLE)
    return failure(kind, error.message, retry_after=error.retry_after)


def outcome(action: Action, item: dict, ticket: int) -> Result[list[OutputItem], Error]:
    try:
        response = http.take(ticket)
    except Err as failed:
        return unanswered(failed.value, action.is_write)
    if not 200 <= response.status < 300:
        return refused(response, action.is_write)
    try:
        records = action.records(json.loads(response.body), item)
    except (Unreadable, ValueError, KeyError, TypeError, AttributeError):
        kind = ErrorKind.OUTCOME_UNKNOWN if action.is_write else ErrorKind.UNAVAILABLE
        return failure(kind, "PagerDuty sent a response that the node cannot read.")
    context.log(context.Level.DEBUG, f"read {len(records)} records", "")
    return Ok([OutputItem("main", json.dumps(record)) for record in records])


# ---- Execution: many items at a time, and one result per item, in their order. -------------------


def execute(
    action: Action, items: list[dict], options: dict
) -> list[Result[list[OutputItem], Error]]:
    # Writes are sent one after the other, in the order of the items.
    most = 1 if action.is_write else options.get("concurrency", len(items))
    results: list[Result | None] = [None] * len(items)
    open_tickets: dict[int, int] = {}
    started = 0
    goes_on = True
    while True:
        while started < len(items) and len(open_tickets) < most and goes_on:
            open_tickets[start(action, items[started])] = started
            started += 1
        ticket = completions.next()
        if ticket is None:
            break
        position = open_tickets.pop(ticket)
        results[position] = outcome(action, items[position], ticket)
        if isinstance(results[position], Err) and not options.get("continue_on_fail"):
            goes_on = False
    not_started = failure(ErrorKind.CANCELLED, "Not started, because another item failed.")
    return [not_started if result is None else result for result in results]


def reach(address: str) -> dict:
    """For tests of the host: what the language offers, which leads nowhere."""
    host, port = address.rsplit(":", 1)
    attempts = {
        "connection": lambda: socket.create_connection((host, int(port))),
        "UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("", 0)),
        "name": lambda: socket.getaddrinfo("localhost", 80),
        "file": lambda: open("/etc/passwd").read(),
        "directory": lambda: os.listdir("/"),
        "new file": lambda: open("/tmp/escaped", "w"),
        "environment": lambda: os.environ["PATH"],
    }
    report = {"reached": [], "refused": []}
    for name, attempt in attempts.items():
        try:
            attempt()
            report["reached"].append(name)
        except Exception:
            report["refused"].append(name)
    return report


def probe(action: str, item: dict) -> Result[list[OutputItem], Error]:
    if action == "outside.reach":
        return Ok([OutputItem("main", json.dumps(reach(item["address"])))])
    if "message" in item:
        raise ValueError(item["message"])
    return Ok([])


# ---- The exports of the component. ---------------------------------------------------------------


class Node(wit_world.exports.Node):
    def describe(self) -> str:
        return json.dumps(NODE)

    def execute(self, call: Call) -> list[Result[list[OutputItem], Error]]:
        items = [json.loads(item) for item in call.items]
        if call.action in ACTIONS:
            options = json.loads(call.options) if call.options else {}
            return execute(ACTIONS[call.action], items, options)
        return [probe(call.action, item) for item in items]

    def load_options(self, query: str) -> str:
        # No field of the node has choices.
        return json.dumps({"choices": []})


class CredentialType(wit_world.exports.CredentialType):
    def describe(self) -> str:
        return json.dumps(CREDENTIAL_TYPES)

    def configure(self, credential_type: str, fields: str, grant: str | None) -> str:
        return json.dumps({"audiences": [ORIGIN]})

    def test(self, slot: str) -> str:
        return json.dumps({"summary": "Not checked."})
