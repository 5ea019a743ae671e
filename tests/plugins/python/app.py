"""A workflow node in Python, built with the default settings of componentize-py.

It lists the abilities of a PagerDuty account.
"""

import json
import os
import socket

import wit_world.exports
from componentize_py_types import Err, Ok, Result
from wit_world.exports.node import Call
from wit_world.imports import context, http
from wit_world.imports.types import Error, ErrorKind, OutputItem

ORIGIN = "https://api.pagerduty.com"

NODE = {
    "name": "abilities-python",
    "version": 1,
    "display_name": "Abilities (Python)",
    "description": "Lists the abilities of a PagerDuty account.",
    "origins": [ORIGIN],
    "slots": {"account": {"credential_types": ["token"], "description": "Account to read."}},
    "actions": [
        {
            "name": "ability.list",
            "version": 1,
            "title": "List abilities",
            "description": "Returns the abilities of the account.",
            "slots": {"account": {"required": True}},
            "effect": "read",
            "idempotency": "safe",
            "parameters": {
                "type": "object",
                "properties": {
                    "prefix": {
                        "type": "string",
                        "title": "Prefix",
                        "description": "Returns only abilities whose names begin with this text.",
                    }
                },
                "additionalProperties": False,
            },
            "output": {
                "main": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                }
            },
        },
        {
            "name": "exception.throw",
            "version": 1,
            "title": "Throw an exception",
            "description": "Shows how an exception that nothing catches is reported.",
            "slots": {},
            "effect": "read",
            "idempotency": "safe",
            "parameters": {
                "type": "object",
                "properties": {"message": {"type": "string", "title": "Message"}},
                "required": ["message"],
                "additionalProperties": False,
            },
            "output": {"main": {}},
        },
        {
            "name": "outside.reach",
            "version": 1,
            "title": "Reach the outside",
            "description": "Tries what the language offers beside workflow:node. All of it is refused.",
            "slots": {},
            "effect": "read",
            "idempotency": "safe",
            "parameters": {
                "type": "object",
                "properties": {
                    "address": {
                        "type": "string",
                        "title": "Address",
                        "description": "Host and port.",
                    }
                },
                "required": ["address"],
                "additionalProperties": False,
            },
            "output": {"main": {}},
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
                "properties": {"token": {"type": "string", "title": "Token", "writeOnly": True}},
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


def error(kind: ErrorKind, message: str, http_status: int | None = None) -> Error:
    return Error(kind, message, None, http_status, None, None)


def reach(address: str) -> dict:
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


def run(action: str, item: dict) -> Result[list[OutputItem], Error]:
    """Runs an action for one item."""
    if action == "exception.throw":
        raise ValueError(item["message"])
    if action == "outside.reach":
        return Ok([OutputItem("main", json.dumps(reach(item["address"])))])
    request = http.Request(
        method="GET",
        url=f"{ORIGIN}/abilities",
        headers=[("Accept", "application/vnd.pagerduty+json;version=2")],
        body=None,
        credential="account",
        timeout=None,
        idempotency_key=None,
    )
    try:
        response = http.send(request)
    except Err as failure:
        return Err(error(ErrorKind.UNAVAILABLE, failure.value.message))
    if response.status != 200:
        message = f"The service returned {response.status}."
        return Err(error(ErrorKind.INTERNAL, message, response.status))
    abilities = json.loads(response.body)["abilities"]
    context.log(context.Level.DEBUG, f"read {len(abilities)} abilities", "")
    prefix = item.get("prefix", "")
    names = [name for name in abilities if name.startswith(prefix)]
    return Ok([OutputItem("main", json.dumps({"name": name})) for name in names])


class Node(wit_world.exports.Node):
    def describe(self) -> str:
        return json.dumps(NODE)

    def execute(self, call: Call) -> list[Result[list[OutputItem], Error]]:
        return [run(call.action, json.loads(item)) for item in call.items]

    def load_options(self, query: str) -> str:
        return json.dumps({"options": []})


class CredentialType(wit_world.exports.CredentialType):
    def describe(self) -> str:
        return json.dumps(CREDENTIAL_TYPES)

    def configure(self, credential_type: str, fields: str, grant: str | None) -> str:
        return json.dumps({"audiences": [ORIGIN]})

    def test(self, slot: str) -> str:
        return json.dumps({"summary": "Not checked."})
