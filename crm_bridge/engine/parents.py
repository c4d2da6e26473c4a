"""Parents of what is to be made anew: which of them are not there, so that a remake cannot name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.restore import read_each
from crm_bridge.journal.store import Journal
from crm_bridge.model.abilities import Operation, Support
from crm_bridge.model.records import Record, RecordRef, State, is_empty
from crm_bridge.model.results import Outcome


def missing_parents(
    connected: Connected,
    journal: Journal,
    befores: Iterable[Record],
    told: Mapping[RecordRef, Outcome],
) -> dict[RecordRef, dict[str, RecordRef]]:
    """Each record to its lookups that name what is not there, each with the record that it names.

    A lookup is a link that is a field as well; what an adapter found by itself stands in `told`, under
    `missing`. What stands for an old record by an earlier remake is there.

    Args:
        connected: The account.
        journal: The memory.
        befores: Snapshots of what is to be made anew.
        told: What the adapter's own look said.

    Raises:
        BridgeError: A record could not be read.
    """
    named: dict[RecordRef, dict[str, RecordRef]] = {}
    for record in befores:
        mine = {
            link.name: link.other
            for link in record.links
            if not is_empty(record.fields.get(link.name))
        }
        if (outcome := told.get(record.ref)) is not None:
            for name, address in outcome.details.get("missing", {}).items():
                mine[name] = RecordRef.parse(address)
        if mine:
            named[record.ref] = mine
    wanted = {other for mine in named.values() for other in mine.values()}
    by_kind: dict[str, list[str]] = {}
    for ref in wanted:
        by_kind.setdefault(ref.kind, []).append(ref.id)
    org = connected.account.org
    remade = {
        RecordRef(connected.crm, kind, old)
        for kind, ids in by_kind.items()
        for old in journal.remade(org, kind, ids)
    }
    now = read_each(connected, sorted(wanted - remade))
    away = {ref for ref in wanted - remade if ref in now and is_away(connected, now[ref])}
    found = {
        ref: {name: other for name, other in mine.items() if other in away}
        for ref, mine in named.items()
    }
    return {ref: mine for ref, mine in found.items() if mine}


def is_away(connected: Connected, record: Record) -> bool:
    """Whether nothing can name a record: it is gone, in a bin, or void where the vendor itself voids."""
    if record.unreadable or record.state in (State.DELETED, State.GONE):
        return True
    return record.state is State.VOIDED and any(
        row.support is Support.NATIVE
        for row in connected.profile.rows(Operation.VOID, record.ref.kind)
    )
