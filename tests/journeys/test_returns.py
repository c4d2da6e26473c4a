"""What a delete over four crms loses, and what a remake loses, stood in the plan of the delete."""

from __future__ import annotations

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.testing.ground import Truths
from tests.journeys.returns import PAST, back
from tests.journeys.street import VENDORS, WHY, live, street


def contact_of_one(bridge: Bridge, truth: Truths) -> tuple[str, str]:
    """A contact, and its account, which a plan would take."""
    accounts = [RecordRef("sf", "Account", id) for id in live(truth, "Account")]
    plan = bridge.plan("delete", accounts, **WHY)
    free = {ref.id for step in plan.steps for ref in step.refs}
    return next(
        (t.id, t.fields["AccountId"])
        for t in truth.values()
        if t.kind == "Contact" and t.state == "live" and t.fields.get("AccountId") in free
    )


@pytest.mark.parametrize("late", [False, True])
def test_whatever_differs_after_a_restore_stood_in_the_plan_that_took_it(late: bool) -> None:
    with street(*VENDORS, records=40) as one:
        for crm, found in back(one, 30, late).items():
            assert found.taken >= 30, crm
            assert not found.unnamed, (crm, found.example)
            assert found.share >= 0.97, crm


def test_a_restore_leaves_a_mark_that_was_there_before_the_run() -> None:
    with street("salesforce", records=24) as one:
        bridge = one.bridge()
        ref = RecordRef("sf", "Lead", live(one.truth("sf"), "Lead")[0])
        assert bridge.apply(bridge.plan("void", [ref], **WHY)).counts[Verdict.DONE] == 1
        before = one.truth("sf")["Lead", ref.id].own
        run = bridge.apply(bridge.plan("delete", [ref], **WHY)).run
        bridge.apply(bridge.plan("restore", run, **WHY))
        plan = bridge.plan("restore", run, **WHY)
        assert [o.verdict for o in plan.settled] == [Verdict.ALREADY]
        assert one.truth("sf")["Lead", ref.id].own == before


def test_what_was_tied_to_a_child_that_went_along_is_tied_to_the_new_one() -> None:
    with street("salesforce", records=24) as one:
        before, bridge = one.truth("sf"), one.bridge()
        contact, account = contact_of_one(bridge, before)
        other = next(id for id in live(before, "Account") if id != account)
        assert one.person("sf", "edit", "Account", [other], Primary_Contact__c=contact)
        plan = bridge.plan("delete", [RecordRef("sf", "Account", account)], **WHY)
        receipt = bridge.apply(plan)
        assert receipt.counts[Verdict.DONE] == 1
        one.grounds["sf"].turn("sf", PAST)
        later = one.bridge()
        later.apply(later.plan("restore", receipt.run, remake=True, **WHY))
        org = later.accounts.connected("sf").account.org
        new = later.history.journal.remade(org, "Contact", [contact])[contact].id
        assert one.truth("sf")["Account", other].fields["Primary_Contact__c"] == new


def test_a_lookup_that_another_run_emptied_leads_to_what_stands_there_now() -> None:
    with street("fxiaoke", records=24) as one:
        bridge, truth = one.bridge(), one.truth("fxk")
        accounts = [RecordRef("fxk", "AccountObj", id) for id in live(truth, "AccountObj")]
        plan = bridge.plan("delete", accounts, **WHY)
        free = {ref.id for step in plan.steps for ref in step.refs}
        contact = next(
            t
            for t in truth.values()
            if t.kind == "ContactObj" and t.state == "live" and not t.locked
            if t.fields.get("account_id") in free
        )
        ref = RecordRef("fxk", "ContactObj", contact.id)
        account = RecordRef("fxk", "AccountObj", contact.fields["account_id"])
        void = bridge.apply(bridge.plan("void", [ref], **WHY)).run
        plan = bridge.plan("delete", [account], **WHY)
        gone = bridge.apply(plan, confirm=plan.confirm).run
        made = bridge.apply(bridge.plan("restore", gone, remake=True, **WHY))
        new = next(iter(made.outcomes)).new_ref
        assert new is not None
        assert bridge.apply(bridge.plan("restore", void, **WHY)).ok
        assert one.truth("fxk")["ContactObj", contact.id].fields["account_id"] == new.id


def test_records_that_name_each_other_are_made_anew_together() -> None:
    with street("salesforce", records=24) as one:
        bridge, truth = one.bridge(), one.truth("sf")
        contact, account = contact_of_one(bridge, truth)
        # The contact goes along with the account that names it.
        assert one.person("sf", "edit", "Account", [account], Primary_Contact__c=contact)
        run = bridge.apply(bridge.plan("delete", [RecordRef("sf", "Account", account)], **WHY)).run
        one.grounds["sf"].turn("sf", PAST)
        later = one.bridge()
        undone = later.apply(later.plan("restore", run, remake=True, **WHY))
        new = next(iter(undone.outcomes)).new_ref
        assert new is not None
        made = one.truth("sf")
        named = made["Account", new.id].fields["Primary_Contact__c"]
        assert made["Contact", named].fields["AccountId"] == new.id


@pytest.mark.parametrize("remake", [False, True])
def test_what_a_run_cuts_through_something_that_only_went_along_is_tied_again(remake: bool) -> None:
    with street("salesforce", records=24) as one:
        before, bridge = one.truth("sf"), one.bridge()
        along, account = contact_of_one(bridge, before)
        # Of another account, and a target itself: its lookup is empty before its own turn comes.
        mine = next(
            t
            for t in before.values()
            if t.kind == "Contact" and t.state == "live"
            if t.fields.get("AccountId") not in (None, "", account)
            and not bridge.plan("delete", [RecordRef("sf", "Contact", t.id)], **WHY).blocked
        )
        assert one.person("sf", "edit", "Contact", [mine.id], ReportsToId=along)
        before = one.truth("sf")
        refs = [RecordRef("sf", "Account", account), RecordRef("sf", "Contact", mine.id)]
        receipt = bridge.apply(bridge.plan("delete", refs, **WHY))
        assert receipt.counts[Verdict.DONE] == 2
        assert one.truth("sf")["Contact", along].state == "deleted"
        if remake:
            one.grounds["sf"].turn("sf", PAST)
        later = one.bridge()
        undone = later.apply(later.plan("restore", receipt.run, remake=remake, **WHY))
        assert undone.counts[Verdict.DONE] == 2
        now, new = one.truth("sf"), {o.ref.id: o.new_ref for o in undone.outcomes}
        org = later.accounts.connected("sf").account.org
        made = later.history.journal.remade(org, "Contact", [along, mine.id])
        back = made[mine.id].id if remake else mine.id
        leads = made[along].id if remake else along
        assert now["Contact", back].fields["ReportsToId"] == leads
        assert now["Contact", leads].state == "live"
        assert bool(new[mine.id]) is remake
        if not remake:
            assert now["Contact", mine.id].own == before["Contact", mine.id].own
