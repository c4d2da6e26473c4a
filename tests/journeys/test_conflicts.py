"""What stands in the way of a remake is found beforehand, and each policy does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.testing.ground import Truth
from tests.journeys.street import WHY, Street, live, street

PAIRS = {
    "fxiaoke": ("AccountObj", "ContactObj", "account_id"),
    "salesforce": ("Account", "Contact", "AccountId"),
    "zoho": ("Accounts", "Contacts", "Account_Name"),
}
"""A parent, a child, and the lookup between them; HubSpot has none."""


def named(record: Truth, via: str) -> str:
    """The id that a lookup names."""
    value: Any = record.fields.get(via)
    return str(value.get("id", "")) if isinstance(value, dict) else str(value or "")


def sent(bridge: Bridge, refs: list[RecordRef]) -> list[RecordRef]:
    """Those that a delete of them would take."""
    plan = bridge.plan("delete", refs, **WHY)
    return [ref for step in plan.steps if step.after is None for ref in step.refs]


def gone(one: Street, vendor: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Some children, then their parents, deleted past every window: the run, and who was whose."""
    parent, child, via = PAIRS[vendor]
    (crm,) = one.crms
    truth, bridge = one.truth(crm), one.bridge()
    of = {id: named(truth[child, id], via) for id in live(truth, child)}
    there = set(live(truth, parent))
    free = sent(bridge, [RecordRef(crm, child, id) for id, up in of.items() if up in there])
    up = {ref.id for ref in sent(bridge, [RecordRef(crm, parent, of[ref.id]) for ref in free])}
    some = [ref for ref in free if of[ref.id] in up][:3]
    plan = bridge.plan("delete", some, **WHY)
    run = bridge.apply(plan, confirm=plan.confirm).run
    above = [RecordRef(crm, parent, id) for id in sorted({of[ref.id] for ref in some})]
    plan = bridge.plan("delete", above, **WHY)
    assert bridge.apply(plan, confirm=plan.confirm).counts[Verdict.DONE] == len(above)
    one.grounds[crm].turn(crm, timedelta(days=120))
    return run, {ref.id: of[ref.id] for ref in some}, {ref.id: parent for ref in above}


@pytest.mark.parametrize("vendor", PAIRS)
def test_a_missing_parent_is_found_beforehand_and_each_policy_holds(vendor: str) -> None:
    parent, child, via = PAIRS[vendor]
    with street(vendor, records=24) as one:
        (crm,) = one.crms
        run, of, parents = gone(one, vendor)
        bridge = one.bridge()
        for policy in ("skip", "overwrite"):
            plan = bridge.plan("restore", run, remake=True, on_conflict=policy, **WHY)
            told = {o.ref.id: o.problem.code for o in plan.settled if o.problem}
            assert told == dict.fromkeys(of, "parent_missing")
            assert plan.steps == ()
        plan = bridge.plan("restore", run, remake=True, on_conflict="null", **WHY)
        assert all(via in t.without for step in plan.steps for t in step.targets)
        plan = bridge.plan("restore", run, remake=True, on_conflict="create", **WHY)
        assert [(s.kind, len(s.targets)) for s in plan.steps] == [
            (parent, len(parents)), (child, len(of)),
        ]  # fmt: skip
        undone = bridge.apply(plan)
        assert undone.counts[Verdict.DONE] == len(parents) + len(of)
        new = {o.ref.id: o.new_ref.id for o in undone.outcomes if o.new_ref}
        truth = one.truth(crm)
        assert {id: named(truth[child, new[id]], via) for id in of} == {
            id: new[up] for id, up in of.items()
        }


def test_without_its_parent_a_child_is_made_with_that_left_empty() -> None:
    with street("salesforce", records=24) as one:
        run, of, _ = gone(one, "salesforce")
        bridge = one.bridge()
        undone = bridge.apply(bridge.plan("restore", run, remake=True, on_conflict="null", **WHY))
        truth = one.truth("sf")
        made = [truth["Contact", o.new_ref.id] for o in undone.outcomes if o.new_ref]
        assert len(made) == len(of)
        assert not any("AccountId" in record.fields for record in made)


@pytest.fixture
def lost() -> Iterator[tuple[Street, str, Truth]]:
    """A Salesforce lead that was deleted past every window: the street, its run, and as it was."""
    with street("salesforce", records=24) as one:
        truth = one.truth("sf")
        lead = live(truth, "Lead")[0]
        # Not who is logged in: what nobody names belongs to that user.
        owner = next(u for u in live(truth, "User") if u != truth["Lead", lead].fields["OwnerId"])
        given = {"Legacy_Id__c": "L-77", "Rating": "Warm", "OwnerId": owner}
        assert one.person("sf", "edit", "Lead", [lead], **given)
        was, bridge = one.truth("sf")["Lead", lead], one.bridge()
        run = bridge.apply(bridge.plan("delete", [RecordRef("sf", "Lead", lead)], **WHY)).run
        one.grounds["sf"].turn("sf", timedelta(days=120))
        yield one, run, was


def stands_in_the_way(one: Street, what: str, was: Truth) -> tuple[str, str]:
    """What happens meanwhile, and the code and the field that it is told by."""
    if what == "duplicate":
        other = next(id for id in live(one.truth("sf"), "Lead") if id != was.id)
        assert one.person("sf", "edit", "Lead", [other], Legacy_Id__c="l-77")
        return "duplicate", "Legacy_Id__c"
    assert one.person("sf", "edit", "User", [was.fields["OwnerId"]], IsActive=False)
    return "owner_inactive", "OwnerId"


@pytest.mark.parametrize("what", ["duplicate", "owner_inactive"])
def test_what_somebody_else_has_by_now_is_found_beforehand(
    lost: tuple[Street, str, Truth], what: str
) -> None:
    one, run, was = lost
    code, field = stands_in_the_way(one, what, was)
    bridge = one.bridge()
    for policy in ("skip", "create", "overwrite"):
        plan = bridge.plan("restore", run, remake=True, on_conflict=policy, **WHY)
        assert [o.problem.code for o in plan.settled if o.problem] == [code]
        assert plan.steps == ()
    undone = bridge.apply(bridge.plan("restore", run, remake=True, on_conflict="null", **WHY))
    assert undone.counts[Verdict.DONE] == 1
    new = next(iter(undone.outcomes)).new_ref
    assert new is not None
    made = one.truth("sf")["Lead", new.id]
    assert made.fields.get(field) != was.fields[field]
    assert made.fields["Rating"] == "Warm"
