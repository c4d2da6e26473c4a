"""Searches: by conditions and by state, where a state is a vendor's own or only a mark."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.conditions import parse_all
from crm_bridge.engine.select import mark_of
from crm_bridge.errors import BridgeError, Rejected
from crm_bridge.model.abilities import Operation, Support
from crm_bridge.model.records import Condition, Record, State

_MARKED = {State.VOIDED: Operation.VOID, State.ARCHIVED: Operation.ARCHIVE}


def search(
    connected: Connected,
    kind: str,
    where: Sequence[str | Condition],
    state: State = State.LIVE,
    native: str | None = None,
    fields: Sequence[str] = (),
) -> Iterator[Record]:
    """Stream the records of a kind that meet all conditions and stand in a state.

    Args:
        connected: The account.
        kind: By the vendor's own name.
        where: Conditions; `today` in them is the vendor's.
        state: The state; a marked record is not live.
        native: A query in the vendor's own language.
        fields: Fields that are wanted; empty for all.

    Raises:
        Rejected: The vendor does not know a field, or cannot list that state.
        BridgeError: It cannot be asked.
    """
    conditions = list(parse_all(where, connected.account.now.date()))
    profile, asked = connected.profile, state
    marks = _marks(connected, kind, state)
    if marks is not None:
        asked = State.LIVE
        conditions += [Condition(name, "=", value) for name, value in marks.items()]
    wanted = list(fields)
    if wanted:
        for operation in _MARKED.values():
            names = profile.marks_for(kind, operation)
            wanted += [n for n in names if n not in wanted and n != profile.lock]
    try:
        for record in connected.adapter.find(kind, conditions, asked, native, wanted):
            judged = connected.judged(record)
            if judged.state is state:
                yield _only(judged, fields)
    except BridgeError:
        raise
    except Exception as error:
        raise contained(error, connected.crm) from error


def _marks(connected: Connected, kind: str, state: State) -> dict[str, object] | None:
    """The fields that tell a state which the vendor does not keep itself."""
    operation = _MARKED.get(state)
    if operation is None:
        return None
    profile = connected.profile
    if any(row.support is Support.NATIVE for row in profile.rows(operation, kind)):
        return None
    marks = {
        name: value
        for name, value in profile.marks_for(kind, operation).items()
        if name != profile.lock
    }
    if not marks:
        raise Rejected(
            f"no field tells which {kind} of {connected.crm} are {state.value}.",
            detail=f"Name one in [crms.{connected.crm}.marks.{kind}].",
        )
    return marks


def _only(record: Record, fields: Sequence[str]) -> Record:
    if not fields:
        return record
    kept = {name: record.fields[name] for name in fields if name in record.fields}
    return dataclasses.replace(record, fields=kept)


def search_away(
    connected: Connected, kind: str, where: Sequence[str | Condition], native: str | None = None
) -> Iterator[Record]:
    """Stream the records of a kind that were put away in any manner, for a restore."""
    seen: set[int] = set()
    told: Rejected | None = None
    answered = False
    for state in (State.VOIDED, State.ARCHIVED, State.DELETED):
        try:
            for record in search(connected, kind, where, state, native):
                answered = True
                if mark_of(record.ref) not in seen:
                    seen.add(mark_of(record.ref))
                    yield record
            answered = True
        except Rejected as error:
            told = error
    if not answered and told is not None:
        raise told
