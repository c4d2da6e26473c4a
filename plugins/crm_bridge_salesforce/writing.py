"""The writes of one account: one request each, and an outcome for each record by what the row says.

Collections: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
resources_composite_sobjects_collections.htm. Rows come in the order they were asked in, and a row
that failed may carry no id; so they are matched by position, and an id that is there must be the
one that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from crm_bridge.kit import (
    Gate,
    Outcome,
    Record,
    RecordRef,
    State,
    Unreachable,
    done,
    is_empty,
    unknown,
)
from crm_bridge_salesforce import soap, troubles
from crm_bridge_salesforce.ids import whole
from crm_bridge_salesforce.profile import ORIGIN
from crm_bridge_salesforce.schema import Kind
from crm_bridge_salesforce.wire import Wire

T = TypeVar("T")

COLLECTIONS: Final = "composite/sobjects"
_JSON: Final = msgspec.json.Encoder(decimal_format="number")
"""Every digit of a Decimal goes out as it came in; a float would round it."""

NOT_GIVEN: Final = frozenset(["IsConverted"])
"""Createable by describe, and meaningful only with rights to write a record's history."""


class Writer:
    """What is told to one account.

    Args:
        crm: Its name in the settings.
        wire: Its client.
        gate: Its gate.
        ready: Gets a token where there is none yet.
    """

    def __init__(self, crm: str, wire: Wire, gate: Gate, ready: Callable[[], None]) -> None:
        self._crm, self._wire, self._gate, self._ready = crm, wire, gate, ready

    def tell(self, refs: Sequence[RecordRef], call: Callable[[Any], T]) -> T:
        """Make one write through the client."""
        self._ready()
        return self._gate.tell(refs, lambda: self._wire.call(call))

    def delete(self, refs: Sequence[RecordRef]) -> Iterator[Outcome]:
        """Delete by ids, each for itself."""
        ids = ",".join(ref.id for ref in refs)
        # The client would write a Python True as True; the vendor's word is in lower case.
        params = {"ids": ids, "allOrNone": "false"}
        told = self.tell(
            refs, lambda client: client.restful(COLLECTIONS, params=params, method="DELETE")
        )
        return _by_place(refs, told, deleting=True)

    def write(self, rows: Sequence[tuple[RecordRef, Mapping[str, Any]]]) -> Iterator[Outcome]:
        """Write fields, each record its own."""
        refs = [ref for ref, _ in rows]
        records = [
            {"attributes": {"type": ref.kind}, "id": ref.id, **fields} for ref, fields in rows
        ]
        return _by_place(refs, self._post(refs, records, "PATCH"))

    def make(
        self, kind: Kind, records: Sequence[Record], there: Container[str]
    ) -> Iterator[Outcome]:
        """Make records anew, and name what could not be set.

        Args:
            kind: As describe tells it now.
            records: The snapshots.
            there: Ids of the live records that their lookups name; others are not given.
        """
        refs = [record.ref for record in records]
        bodies, missing = [], []
        for record in records:
            given, left = settable(kind, record)
            for name in [n for n in given if kind.fields[n].refers and given[n] not in there]:
                left[name] = f"it names {given.pop(name)}, which is not there"
            bodies.append({"attributes": {"type": kind.name}, **given})
            missing.append(left)
        told = self._post(refs, bodies, "POST")
        if not _whole_list(told, refs):
            yield from _lost(refs, told)
            return
        for ref, row, left in zip(refs, told, missing, strict=True):
            if row.get("success") is True and isinstance(row.get("id"), str):
                new = RecordRef(self._crm, kind.name, whole(row["id"]))
                yield done(ref, new_ref=new, details={"not_set": left})
            else:
                yield troubles.row(ref, *_error(row))

    def by_soap(self, call: str, refs: Sequence[RecordRef]) -> Iterator[Outcome]:
        """Undelete, or empty the bin of these."""
        self._ready()
        ids = [ref.id for ref in refs]
        rows = self._gate.tell(refs, lambda: self._wire.soap(call, ids))
        if len(rows) != len(refs) or not _same_ids(refs, [row.id for row in rows]):
            yield from _lost(refs, rows)
            return
        for ref, row in zip(refs, rows, strict=True):
            yield _soap_outcome(ref, row, call)

    def _post(
        self, refs: Sequence[RecordRef], records: Sequence[Mapping[str, Any]], method: str
    ) -> Any:
        body = _JSON.encode({"allOrNone": False, "records": records})
        return self.tell(refs, lambda client: client.restful(COLLECTIONS, method=method, data=body))


def settable(kind: Kind, record: Record) -> tuple[dict[str, Any], dict[str, str]]:
    """What a new record may be given of an old one, and why it may not be given the rest.

    Args:
        kind: As describe tells it now.
        record: The snapshot.
    """
    given: dict[str, Any] = {}
    left: dict[str, str] = {}
    for name, value in record.fields.items():
        if is_empty(value):
            continue
        field = kind.fields.get(name)
        if field is None:
            left[name] = "the kind has no such field any more"
        elif name in NOT_GIVEN:
            left[name] = "it tells of a conversion, which is not repeated"
        elif not field.createable:
            left[name] = field.computed or "the vendor sets it itself"
        else:
            given[name] = value
    if ORIGIN in kind.fields and kind.fields[ORIGIN].createable:
        given.setdefault(ORIGIN, record.ref.id)
    return given, left


def _by_place(refs: Sequence[RecordRef], told: Any, *, deleting: bool = False) -> Iterator[Outcome]:
    if not _whole_list(told, refs):
        return _lost(refs, told)
    if not _same_ids(refs, [row.get("id") for row in told]):
        return _lost(refs, told)
    return (
        done(ref) if row.get("success") is True
        else troubles.row(ref, *_error(row), deleting=deleting)
        for ref, row in zip(refs, told, strict=True)
    )  # fmt: skip


def _whole_list(told: Any, refs: Sequence[RecordRef]) -> bool:
    return (
        isinstance(told, list)
        and len(told) == len(refs)
        and all(isinstance(row, dict) and isinstance(row.get("success"), bool) for row in told)
    )


def _same_ids(refs: Sequence[RecordRef], ids: Sequence[Any]) -> bool:
    """Whether every id that is there is the one asked for at its place."""
    return all(
        not isinstance(id_, str) or not id_ or whole(id_) == ref.id
        for ref, id_ in zip(refs, ids, strict=True)
    )


def _lost(refs: Sequence[RecordRef], told: Any) -> Iterator[Outcome]:
    if told is not None and not isinstance(told, list):
        raise Unreachable("Salesforce answered strangely: no rows.", strange=True)
    count = len(told) if isinstance(told, list) else 0
    return (
        unknown(ref, f"Salesforce answered {count} row(s) for {len(refs)}, or in other names.")
        for ref in refs
    )


def _error(row: Mapping[str, Any]) -> tuple[str, str]:
    return troubles.told_in(row.get("errors") or [])


_IN_NO_BIN: Final = "no recycle bin entry"


def _soap_outcome(ref: RecordRef, row: soap.Row, call: str) -> Outcome:
    if row.success:
        return done(ref, state=State.LIVE if call == "undelete" else State.GONE)
    outcome = troubles.row(ref, row.code, row.message)
    if call == "emptyRecycleBin" and _IN_NO_BIN in row.message:
        # Nobody says by which code; the words were seen live.
        return troubles.row(ref, "UNDELETE_FAILED", row.message)
    return outcome
