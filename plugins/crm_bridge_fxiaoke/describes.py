"""What an enterprise's objects and fields are, asked once and kept for the connection.

https://developer.fxiaoke.com/openapi_v2/ : object/list, object/describe and, of the address book,
user/list; what a describe says of options and `is_unique`:
https://developer.fxiaoke.com/openapi_v2/en/start/guide/values.html, read 2026-11-25.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import CascadeRule, Rejected
from crm_bridge_fxiaoke.client import Client
from crm_bridge_fxiaoke.profile import details, lookups

OBJECTS: Final = "/cgi/crm/v2/object/list"
PEOPLE: Final = "/cgi/user/list"
EVERYBODY: Final = 999999
"""The department that is the whole enterprise."""
DESCRIBE: Final = "/cgi/crm/v2/object/describe"
MASTER: Final = "master_detail"
LOOKUP: Final = "object_reference"
LOOKUPS: Final = "object_reference_many"
CHOICES: Final = ("select_one", "select_many")
_LOOKS: Final = (MASTER, LOOKUP, LOOKUPS)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object.

    Attributes:
        name: Its API name.
        type: The vendor's word for its type.
        target: The object that it looks up to; empty where it does not.
        on_delete: What the vendor does to the field when its target is deleted.
        values: The values of a list; empty where any may stand.
        unique: No two records may share a value.
    """

    name: str
    type: str
    target: str = ""
    on_delete: str = ""
    values: frozenset[str] = frozenset()
    unique: bool = False


class Describes:
    """The objects and fields of one enterprise.

    Args:
        client: The wire.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._fields: dict[str, Mapping[str, Field]] = {}
        self._kinds: tuple[str, ...] | None = None
        self._stopped: tuple[frozenset[str] | None] | None = None
        self._lock = threading.Lock()
        self._asking = threading.RLock()

    def fields(self, kind: str) -> Mapping[str, Field]:
        """The fields of an object, by their names.

        Raises:
            Rejected: The enterprise has no such object, or does not show it.
        """
        found = self._fields.get(kind)
        if found is None:
            answer = self._client.ask(DESCRIBE, {"apiName": kind}, includeDetail=False)
            described = answer.data.get("describe")
            rows = described.get("fields") if isinstance(described, Mapping) else None
            if not isinstance(rows, Mapping) or not rows:
                raise Rejected(f"FxiaoKe describes no object {kind}.")
            found = {str(name): _field(str(name), row) for name, row in rows.items()}
            with self._lock:
                found = self._fields.setdefault(kind, found)
        return found

    def kinds(self) -> tuple[str, ...]:
        """The objects that are in use.

        Raises:
            Rejected: The enterprise does not list them.
        """
        if self._kinds is None:
            rows = self._client.ask(OBJECTS, {}).data.get("objects")
            names = [
                row["describeApiName"]
                for row in (rows if isinstance(rows, list) else [])
                if isinstance(row, Mapping)
                and isinstance(row.get("describeApiName"), str)
                and row.get("isActive") is not False
            ]
            self._kinds = tuple(names)
        return self._kinds

    def stopped(self) -> frozenset[str] | None:
        """Employees who are stopped (停用), by the ids of this login's style; None where untold."""
        with self._asking:
            if self._stopped is None:
                self._stopped = (self._who_stopped(),)
            return self._stopped[0]

    def _who_stopped(self) -> frozenset[str] | None:
        try:
            rows = self._client.ask(
                PEOPLE, departmentId=EVERYBODY, fetchChild=True, showDepartmentIdsDetail=False
            ).body.get("userList")
        except Rejected:
            return None
        if not isinstance(rows, list):
            return None
        return frozenset(
            str(row.get("openUserId"))
            for row in rows
            if isinstance(row, Mapping) and row.get("isStop") is True
        )

    def again(self) -> None:
        """Ask anew who is stopped: people leave more often than fields do."""
        self._stopped = None

    def rules(self, kind: str) -> Iterator[CascadeRule]:
        """What hangs on an object in this very enterprise, by the fields that look up to it.

        Raises:
            Rejected: The enterprise does not list its objects.
        """
        for child in self.kinds():
            try:
                fields = self.fields(child)
            except Rejected:
                continue  # an object that this user may not see hangs on nothing it could name
            for field in fields.values():
                if field.target == kind:
                    yield from _rules(kind, child, field)


def looks_up(field: Field) -> bool:
    """Whether a field holds the id of another record."""
    return field.type in _LOOKS and bool(field.target)


def _field(name: str, row: Any) -> Field:
    told: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
    texts = (told.get(key) for key in ("type", "target_api_name", "action_on_target_delete"))
    type_, target, on_delete = (text if isinstance(text, str) else "" for text in texts)
    listed = told.get("options") if type_ in CHOICES else None
    values = frozenset(
        str(one["value"])
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and "value" in one
    )
    return Field(name, type_, target, on_delete, values, told.get("is_unique") is True)


def _rules(kind: str, child: str, field: Field) -> Iterator[CascadeRule]:
    if field.type == MASTER:
        yield from details(kind, child, field.name)
    elif field.type in (LOOKUP, LOOKUPS):
        yield from lookups(kind, child, field.name, field.on_delete)
