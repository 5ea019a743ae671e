"""Conditions of sensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

MISSING = object()


def resolve(document: Any, pointer: str) -> Any:
    """Return the value at a JSON Pointer (RFC 6901), or `MISSING` if the value does not exist."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"`{pointer}` is not a JSON Pointer, such as /status")
    for segment in pointer.split("/")[1:]:
        name = segment.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name, MISSING)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return MISSING
    return document


def holds(records: Iterable[Any], pointer: str, values: Sequence[Any] | None) -> Any:
    """The first record that meets a condition; `None` if there is none.

    Without values, the place must exist and not be null.
    """
    for record in records:
        found = resolve(record, pointer)
        if found is MISSING:
            continue
        if (found is not None) if values is None else (found in values):
            return record
    return None
