"""What stands in the way of a remake is found beforehand, and each policy does what it says."""

from __future__ import annotations

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


def lose(one: Street, kind: str, **given: Any) -> tuple[str, Truth]:
    """A record that has these values, and is deleted past every window: its run, and as it was."""
    (crm,) = one.crms
    bridge = one.bridge()
    ref = sent(bridge, [RecordRef(crm, kind, id) for id in live(one.truth(crm), kind)])[0]
    assert not given or one.person(crm, "edit", kind, [ref.id], **given)
    was = one.truth(crm)[kind, ref.id]
    plan = bridge.plan("delete", [ref], **WHY)
    receipt = bridge.apply(plan, confirm=plan.confirm)
    assert receipt.counts[Verdict.DONE] == 1
    one.grounds[crm].turn(crm, timedelta(days=120))
    return receipt.run, was


def told_and_left_empty(one: Street, run: str, was: Truth, code: str, field: str) -> Truth:
    """What stands in the way is told, and with `null` the record is made without it: the new one."""
    (crm,) = one.crms
    bridge = one.bridge()
    for policy in ("skip", "create", "overwrite"):
        plan = bridge.plan("restore", run, remake=True, on_conflict=policy, **WHY)
        assert [o.problem.code for o in plan.settled if o.problem] == [code]
        assert plan.steps == ()
    undone = bridge.apply(bridge.plan("restore", run, remake=True, on_conflict="null", **WHY))
    assert undone.counts[Verdict.DONE] == 1
    new = next(iter(undone.outcomes)).new_ref
    assert new is not None
    made = one.truth(crm)[was.kind, new.id]
    assert made.fields.get(field) != was.fields[field]
    return made


@pytest.mark.parametrize("what", ["duplicate", "owner_inactive"])
def test_what_somebody_else_has_by_now_is_found_beforehand(what: str) -> None:
    with street("salesforce", records=24) as one:
        truth = one.truth("sf")
        lead = live(truth, "Lead")[0]
        # Not who is logged in: what nobody names belongs to that user.
        owner = next(u for u in live(truth, "User") if u != truth["Lead", lead].fields["OwnerId"])
        run, was = lose(one, "Lead", Legacy_Id__c="L-77", Rating="Warm", OwnerId=owner)
        if what == "duplicate":
            field, other = "Legacy_Id__c", live(one.truth("sf"), "Lead")[0]
            assert one.person("sf", "edit", "Lead", [other], Legacy_Id__c="l-77")
        else:
            field = "OwnerId"
            assert one.person("sf", "edit", "User", [owner], IsActive=False)
        made = told_and_left_empty(one, run, was, what, field)
        assert made.fields["Rating"] == "Warm"


PROJECTS = "2-9000001"
"""HubSpot's custom objects of the simulator, which have a property that no two may share."""


def test_a_unique_property_that_another_record_has_by_now_is_found_beforehand() -> None:
    with street("hubspot", records=24) as one:
        run, was = lose(one, PROJECTS, project_code="P-77")
        other = live(one.truth("hub"), PROJECTS)[0]
        assert one.person("hub", "edit", PROJECTS, [other], project_code="P-77")
        made = told_and_left_empty(one, run, was, "duplicate", "project_code")
        assert "project_code" not in made.fields
        assert made.fields["project_name"] == was.fields["project_name"]
        assert one.truth("hub")[PROJECTS, other].fields["project_code"] == "P-77"


def test_owners_who_left_are_told_and_nothing_is_settled_by_it() -> None:
    with street("hubspot", records=24) as one:
        run, was = lose(one, "companies", hubspot_owner_id="71000003")
        bridge = one.bridge()
        plan = bridge.plan("restore", run, remake=True, **WHY)
        (told,) = (f for f in plan.findings if "owner who is archived" in f.summary)
        assert (told.code, told.count) == ("vendor_note", 1)
        assert len(plan.settled) == 0
        (back,) = bridge.apply(plan).outcomes
        assert back.new_ref is not None
        owner = one.truth("hub")["companies", back.new_ref.id].fields["hubspot_owner_id"]
        assert owner == was.fields["hubspot_owner_id"]


def test_a_user_of_zoho_who_was_deactivated_is_found_beforehand() -> None:
    with street("zoho", records=24) as one:
        # Not who is logged in: what names nobody is given to that user.
        mine = min(named(t, "Owner") for t in one.truth("zoho").values() if t.fields.get("Owner"))
        owner = next(
            named(t, "Owner") for t in one.truth("zoho").values()
            if t.fields.get("Owner") and named(t, "Owner") != mine
        )  # fmt: skip
        run, was = lose(one, "Leads", Owner=owner, City="Bonn")
        bridge = one.bridge()
        assert not bridge.plan("restore", run, remake=True, **WHY).settled
        assert one.person("zoho", "deactivate", "", [owner])
        made = told_and_left_empty(one, run, was, "owner_inactive", "Owner")
        assert named(made, "Owner") == mine
        assert made.fields["City"] == "Bonn"


@pytest.mark.parametrize("what", ["duplicate", "value_gone", "owner_inactive"])
def test_what_a_lead_of_fxiaoke_cannot_have_any_more_is_found_beforehand(what: str) -> None:
    with street("fxiaoke", records=24) as one:
        run, was = lose(one, "LeadsObj", code__c="L-77", level__c="1", owner=["1002"])
        assert not one.bridge().plan("restore", run, remake=True, **WHY).settled
        if what == "duplicate":
            field, other = "code__c", live(one.truth("fxk"), "LeadsObj")[0]
            assert one.person("fxk", "edit", "LeadsObj", [other], code__c="L-77")
        elif what == "value_gone":
            field = "level__c"
            assert one.person("fxk", "drop_option", "LeadsObj", [], level__c="1")
        else:
            field = "owner"
            assert one.person("fxk", "stop", "", ["1002"])
        made = told_and_left_empty(one, run, was, what, field)
        # What names nobody belongs to who makes it.
        left = {"owner": ["1000"]}.get(field)
        assert made.fields.get(field) == left
        assert made.fields["name"] == was.fields["name"]


@pytest.mark.parametrize(
    ("vendor", "kind", "verb", "asks"),
    [
        ("fxiaoke", "LeadsObj", "void", "/cgi/user/list"),
        ("hubspot", "companies", "delete", "/owners"),
        ("zoho", "Leads", "delete", "/users"),
    ],
)
def test_who_left_is_asked_for_only_where_something_is_made_anew(
    vendor: str, kind: str, verb: str, asks: str
) -> None:
    with street(vendor, records=24) as one:
        (crm,) = one.crms
        bridge, ground = one.bridge(), one.grounds[crm]

        def asked(run: str, remake: bool) -> bool:
            before = ground.count()
            bridge.plan("restore", run, remake=remake, **WHY)
            return any(call.path.endswith(asks) for call in ground.arrived(crm, before))

        ref = RecordRef(crm, kind, live(one.truth(crm), kind)[0])
        run = bridge.apply(bridge.plan(verb, [ref], **WHY)).run
        assert not asked(run, False)
        assert not asked(run, True)
        run, _ = lose(one, kind)
        assert asked(run, True)
