"""What is out of reach stays where it is, also as somebody's child, and also when it was held later."""

from __future__ import annotations

from pathlib import Path

from crm_bridge.bridge import Bridge
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from tests.journeys.street import WHY, Street, live, street


def with_child(one: Street, bridge: Bridge) -> tuple[RecordRef, RecordRef]:
    """An account that a delete takes, and a contact that goes along with it."""
    truth = one.truth("sf")
    accounts = [RecordRef("sf", "Account", id) for id in live(truth, "Account")]
    plan = bridge.plan("delete", accounts, **WHY)
    free = {ref.id for step in plan.steps for ref in step.refs}
    return next(
        (RecordRef("sf", "Account", t.fields["AccountId"]), RecordRef("sf", "Contact", t.id))
        for t in truth.values()
        if t.kind == "Contact" and t.state == "live" and t.fields.get("AccountId") in free
        if not t.locked
    )


def codes(plan: Plan) -> dict[RecordRef, str]:
    """What is settled by the plan, each with its code."""
    return {o.ref: o.problem.code for o in plan.settled if o.problem is not None}


def test_what_is_held_is_not_taken_along() -> None:
    with street("salesforce", records=24) as one:
        bridge = one.bridge()
        account, contact = with_child(one, bridge)
        bridge.hold(contact, "a court asks for it")
        plan = bridge.plan("delete", [account], **WHY)
        assert codes(plan) == {account: "held"}
        assert plan.steps == ()
        bridge.release(contact, "no more")
        receipt = bridge.apply(bridge.plan("delete", [account], **WHY))
        assert receipt.counts[Verdict.DONE] == 1
        assert one.truth("sf")["Contact", contact.id].state == "deleted"


def test_what_was_held_after_the_plan_was_made_stays_with_what_would_take_it(
    tmp_path: Path,
) -> None:
    with street("salesforce", records=24) as one:
        bridge = one.bridge()
        account, contact = with_child(one, bridge)
        lead = RecordRef("sf", "Lead", live(one.truth("sf"), "Lead")[0])
        plan = bridge.plan("delete", [account, lead], **WHY)
        bridge.save_plan(plan, tmp_path / "plan.json")
        bridge.hold(contact, "a court asks for it")
        bridge.hold(lead, "and for this one")
        before = one.truth("sf")
        receipt = one.bridge().apply(tmp_path / "plan.json")
        assert {o.problem.code for o in receipt.outcomes if o.problem} == {"held"}
        assert receipt.counts[Verdict.SKIPPED] == 2
        assert one.truth("sf") == before


def test_a_target_that_is_left_alone_keeps_what_would_take_it_along() -> None:
    with street("salesforce", records=24) as one:
        bridge = one.bridge()
        account, contact = with_child(one, bridge)
        assert one.person("sf", "lock", "Contact", [contact.id])
        for refs in ([account, contact], [contact, account]):
            plan = bridge.plan("delete", refs, **WHY)
            assert codes(plan) == {account: "blocked", contact: "locked"}
        before = one.truth("sf")
        bridge.apply(plan)
        assert one.truth("sf") == before


def test_what_is_held_and_only_loses_a_tie_is_told() -> None:
    with street("salesforce", records=24) as one:
        bridge = one.bridge()
        account, contact = with_child(one, bridge)
        other = next(id for id in live(one.truth("sf"), "Account") if id != account.id)
        assert one.person("sf", "edit", "Account", [other], Primary_Contact__c=contact.id)
        bridge.hold(RecordRef("sf", "Account", other), "a court asks for it")
        plan = bridge.plan("delete", [contact], **WHY)
        told = [f.refs for f in plan.findings if f.code == "protected"]
        assert told == [(RecordRef("sf", "Account", other),)]


def test_looking_for_what_is_out_of_reach_costs_nothing_where_nothing_can_be() -> None:
    with street("salesforce", records=60) as one:
        leads = [RecordRef("sf", "Lead", id) for id in live(one.truth("sf"), "Lead")][:30]

        def calls(*refs: RecordRef) -> int:
            bridge = one.bridge()
            bridge.accounts.connected("sf")
            before = len(one.grounds["sf"].arrived("sf"))
            bridge.plan("delete", refs, **WHY)
            return len(one.grounds["sf"].arrived("sf")) - before

        plain = calls(*leads)
        one.bridge().hold(
            RecordRef("sf", "Account", live(one.truth("sf"), "Account")[0]), "a court"
        )
        one.bridge().hold(leads[0], "a court")
        assert calls(*leads) == plain
