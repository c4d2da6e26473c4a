"""Writes beside the street: links, ties and mended lookups, each with its intent durable first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from crm_bridge.engine.accounts import contained
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.send import Street
from crm_bridge.engine.work import Item
from crm_bridge.guard import Permit
from crm_bridge.model.abilities import Support
from crm_bridge.model.records import Change, Record, RecordRef
from crm_bridge.model.results import Outcome, Verdict

AT_ONCE: Final = 100
"""Associations or lookups that are written in one request at the most."""


def write(
    street: Street,
    first: Item,
    kind: str,
    refs: Sequence[RecordRef],
    what: str,
    call: Callable[[], Iterable[Outcome]],
) -> tuple[list[Outcome], str]:
    """Make one write request that belongs to a restore and is not its own step.

    Args:
        street: What the sends of this run have in common.
        first: The item under whose page it is written down.
        kind: Kind of the records.
        refs: The records that the request names.
        what: `link`, `tie` or `mend`.
        call: Makes the request.

    Returns:
        The outcomes, and why there are none.
    """
    trouble = ""
    street.batch += 1
    body = {"ids": [r.id for r in refs], "operation": "restore", "what": what, "sends": 1}
    street.journal.append(
        street.entry("intent", first, kind, batch=street.batch, attempt=1, body=body)
    )
    permit = Permit(frozenset(refs), 1, street.check)
    outcomes: list[Outcome] = []
    try:
        with street.connected.guard.permitted(permit):
            outcomes = list(call())
    except Exception as error:
        trouble = contained(error, street.connected.crm).summary
    done = {o.ref for o in outcomes if o.verdict is Verdict.DONE}
    lost = "unknown" if permit.sent else "not_sent"
    rows = [[r.id, lost if trouble else "applied" if r in done else "refused", what] for r in refs]
    body = {"rows": rows, "sent": permit.sent}
    street.journal.append(
        street.entry("outcome", first, kind, batch=street.batch, attempt=1, body=body)
    )
    if trouble and permit.sent:
        # The next write on one of these waits until this one cannot arrive any more.
        street.rest(street.settle)
    return outcomes, trouble


def seen(
    street: Street, looked: Sequence[tuple[Item, RecordRef]], now: Mapping[RecordRef, Record]
) -> None:
    """Write down a look at what an earlier write, whose answer was lost, may have changed already.

    Args:
        street: What the sends of this run have in common.
        looked: The records, each with the item under whose page it is written down.
        now: What was read; what could not be is missing.
    """
    pages: dict[tuple[int, int, str], list[tuple[Item, RecordRef]]] = {}
    for item, ref in looked:
        pages.setdefault((item.step, item.page, ref.kind), []).append((item, ref))
    entries = []
    for (_, _, kind), some in pages.items():
        refs = dict.fromkeys(ref for _, ref in some)
        rows = [[r.id, now[r].state.value if r in now else "unreadable"] for r in refs]
        entries.append(street.entry("readback", some[0][0], kind, body={"rows": rows}))
    street.journal.append(*entries)


def update(
    street: Street, changes: Sequence[tuple[Item, Change]], what: str
) -> list[tuple[Item, Change, str]]:
    """Write fields of records of any kinds; gives those that were not written, and why."""
    by_kind: dict[str, list[tuple[Item, Change]]] = {}
    for item, change in changes:
        by_kind.setdefault(change.ref.kind, []).append((item, change))
    left: list[tuple[Item, Change, str]] = []
    for kind, some in by_kind.items():
        for part in batched(some, at_once(street, kind)):
            todo = [change for _, change in part]
            outcomes, trouble = write(
                street,
                part[0][0],
                kind,
                tuple(change.ref for change in todo),
                what,
                lambda todo=todo: street.connected.adapter.update(todo),  # type: ignore[misc]
            )
            told = {o.ref: o for o in outcomes}
            for item, change in part:
                outcome = told.get(change.ref)
                if outcome is None or outcome.verdict is not Verdict.DONE:
                    problem = outcome.problem.message if outcome and outcome.problem else trouble
                    left.append((item, change, problem))
    return left


def at_once(street: Street, kind: str) -> int:
    """Records that one `update` takes: the rows that are marked say so; one where none does."""
    rows = [
        row.batch
        for row in street.connected.profile.capabilities
        if row.support is Support.MARKED and row.is_for(kind)
    ]
    return min([AT_ONCE, *rows]) if rows else 1
