"""A resume goes on with what lost nothing but ties to records that its own run took meanwhile."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from crm_bridge.engine.keep import _moved_by_us
from crm_bridge.engine.work import Item
from crm_bridge.model.plans import Target
from crm_bridge.model.records import Link, Record, RecordRef, State
from crm_bridge.model.results import skipped

REF = RecordRef("hub", "contacts", "1")
TAKEN, OTHER = RecordRef("hub", "contacts", "2"), RecordRef("hub", "contacts", "3")
TIES = (Link("friend", TAKEN, None), Link("friend", OTHER, None))
THEN = Record(REF, State.LIVE, {"name": "a", "stamp": "1"}, TIES)


def after(now: Record) -> Item:
    item = Item(Target(REF, THEN.fingerprint(("stamp",))), 0, 0, before=now)
    item.outcome = skipped(REF, "changed", "it is neither as the plan saw it.")
    journal: Any = SimpleNamespace(snapshots=lambda run, refs: {REF: THEN})
    connected: Any = SimpleNamespace(profile=SimpleNamespace(vendor_set=("stamp",)))
    _moved_by_us([item], "r-1", connected, journal, lambda ref: ref == TAKEN)
    return item


def test_a_tie_that_this_run_cut_keeps_nobody_back_and_stays_in_the_snapshot() -> None:
    now = dataclasses.replace(THEN, links=TIES[1:], fields={"name": "a", "stamp": "2"})
    item = after(now)
    assert item.outcome is None
    assert item.kept == THEN


@pytest.mark.parametrize(
    "now",
    [
        dataclasses.replace(THEN, links=TIES[:1]),
        dataclasses.replace(THEN, links=TIES[1:], fields={"name": "b", "stamp": "2"}),
        dataclasses.replace(THEN, links=(*TIES, Link("friend", REF, None))),
        dataclasses.replace(THEN, links=TIES[1:], state=State.VOIDED),
    ],
    ids=["another tie", "a field", "a new tie", "the state"],
)
def test_whatever_else_changed_is_left_alone(now: Record) -> None:
    item = after(now)
    assert item.outcome is not None
    assert item.kept is None
