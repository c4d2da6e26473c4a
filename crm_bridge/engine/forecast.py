"""What looking at records takes once they are back, as far as their snapshots tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Final

from crm_bridge.adapter import Adapter
from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.history import History
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.plan import reads_of
from crm_bridge.model.abilities import Effect, Profile
from crm_bridge.model.records import Record, RecordRef

WEIGHED: Final = 2000
"""Records of a run whose children are looked at one by one; those of the others are like them."""
_STRETCH: Final = 200
"""Records that come back together, so that what went along with them is read together."""


def dearer(connected: Connected, records: Sequence[Record]) -> int:
    """Calls that reading these takes beyond those of their lists."""
    cost = connected.adapter.read_cost(records) if records else None
    return 0 if cost is None else max(0, cost - reads_of(connected.profile, len(records)))


def children_back(
    runs: Mapping[str, int],
    some: Mapping[str, Sequence[RecordRef]],
    accounts: Accounts,
    profiles: Mapping[str, Profile],
    history: Callable[[], History],
) -> dict[str, int]:
    """Calls for looking at what went along with records that come back, by crm.

    Their runs' plans tell how many those were; of a part of a run, the like share.

    Args:
        runs: Records that come back, by the run that took them.
        some: The first of them.
        accounts: The accounts.
        profiles: The tables of those that the plan speaks to.
        history: The journal's knowledge.
    """
    looks: dict[str, int] = {}
    for run, count in runs.items():
        if (connected := _weighing(some.get(run, ()), accounts)) is not None:
            calls = ceil(_weighed(connected, history(), run, some[run]) * count / len(some[run]))
            looks[connected.crm] = looks.get(connected.crm, 0) + calls
            continue
        taken = history().plan(run)
        for touch in taken.touches:
            along = touch.rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW)
            if not along or touch.crm not in profiles:
                continue
            share = ceil((touch.count or 0) * count / max(1, taken.counts.records))
            calls = reads_of(profiles[touch.crm], share)
            looks[touch.crm] = looks.get(touch.crm, 0) + calls
    return looks


def _weighing(some: Sequence[RecordRef], accounts: Accounts) -> Connected | None:
    """The account of these, where its adapter can tell what reading a record takes."""
    connected = accounts.connected(some[0].crm) if some else None
    if connected is None or type(connected.adapter).read_cost is Adapter.read_cost:
        return None
    return connected


def _weighed(connected: Connected, history: History, run: str, refs: Sequence[RecordRef]) -> int:
    calls = 0
    for part in batched(refs, _STRETCH):
        by_kind: dict[str, dict[RecordRef, Record]] = {}
        for kept in history.journal.followers(run, part).values():
            for one in kept:
                by_kind.setdefault(one.record.ref.kind, {})[one.record.ref] = one.record
        for records in by_kind.values():
            cost = connected.adapter.read_cost(list(records.values()))
            calls += reads_of(connected.profile, len(records)) if cost is None else cost
    return calls
