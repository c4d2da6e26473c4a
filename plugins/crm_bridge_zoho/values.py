"""What rows hold: ids, modules, lookups and moments, in whichever form they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def parts(items: Sequence[str], size: int) -> list[list[str]]:
    """A list in parts of so many."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def id_of(row: Mapping[str, Any]) -> str:
    """The id of a row: v8 writes text, v2's clients numbers."""
    id = row.get("id")
    if isinstance(id, int) and not isinstance(id, bool):
        return str(id)
    return id if isinstance(id, str) else ""


def lookup_of(value: Any) -> str:
    """The id that a lookup names; queries give it bare or as an object."""
    return id_of(value) if isinstance(value, Mapping) else str(value or "")


def module_of(row: Mapping[str, Any]) -> str:
    """The module that a row or a value names, as an object or as text."""
    module = row.get("module")
    if isinstance(module, Mapping):
        module = module.get("api_name")
    return module if isinstance(module, str) else ""


def moment(text: Any) -> datetime | None:
    """A moment of Zoho's in UTC; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
