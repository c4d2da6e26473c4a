"""A run goes on with what lost nothing but ties to records that it took itself meanwhile."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from crm_bridge.engine.ties import as_planned
from crm_bridge.model.plans import Target, Tie
from crm_bridge.model.records import Link, Record, RecordRef, State

REF = RecordRef("hub", "contacts", "1")
TAKEN, OTHER = RecordRef("hub", "contacts", "2"), RecordRef("hub", "contacts", "3")
TIES = (Link("friend", TAKEN, None), Link("friend", OTHER, None))
THEN = Record(REF, State.LIVE, {"name": "a", "stamp": "1"}, TIES)


def whole(now: Record) -> Record | None:
    ties = tuple(Tie(link.other, "", [link.name, link.label]) for link in TIES)
    target = Target(REF, THEN.fingerprint(("stamp",)), ties=ties)
    kept = {TAKEN.id: [SimpleNamespace(run="r-1")], OTHER.id: [SimpleNamespace(run="r-0")]}
    journal: Any = SimpleNamespace(traces=lambda org, kind, ids: {i: kept[i] for i in ids})
    return as_planned(now, target, ("stamp",), journal, "r-1", "org")


def test_a_tie_that_this_run_cut_keeps_nobody_back_and_stays_in_the_snapshot() -> None:
    now = dataclasses.replace(THEN, links=TIES[1:], fields={"name": "a", "stamp": "2"})
    found = whole(now)
    assert found is not None
    assert set(found.links) == set(TIES)


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
    assert whole(now) is None
