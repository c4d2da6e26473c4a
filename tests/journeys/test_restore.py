"""What comes back is what was there: inside the window all of it, after it all but what was named."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from tests.journeys.street import VENDORS, WHY, live, street
from tests.journeys.whole import differences, named, unlike

KINDS = {
    "fxk": ("AccountObj", "ContactObj", "SalesOrderObj"),
    "hub": ("companies", "contacts", "deals"),
    "sf": ("Lead", "Contact", "Opportunity"),
    "zoho": ("Accounts", "Contacts", "Deals"),
}
AWAY = {"fxk": "void", "hub": "delete", "sf": "delete", "zoho": "delete"}
"""What takes records away so that the vendor itself brings them back."""

PERSON_BRINGS = {"hub": "restore"}
"""Where only a person can bring back what was deleted."""


@pytest.mark.parametrize("vendor", VENDORS)
def test_inside_the_window_every_field_and_link_is_as_it_was(vendor: str) -> None:
    with street(vendor) as one:
        (crm,) = one.crms
        for number, kind in enumerate(KINDS[crm]):
            one.begin(number + 1, 16)
            before = one.truth(crm)
            bridge = one.bridge()
            refs = [RecordRef(crm, kind, id) for id in live(before, kind)][:8]
            plan = bridge.plan(AWAY[crm], refs, **WHY)
            receipt = bridge.apply(plan, confirm=plan.confirm)
            taken = [o.ref for o in receipt.outcomes if o.verdict is Verdict.DONE]
            assert len(taken) >= 3
            undone = bridge.apply(bridge.plan("restore", receipt, **WHY))
            by_hand = [o.ref.id for o in undone.outcomes if o.verdict is Verdict.BY_HAND]
            if by_hand:
                assert one.person(crm, PERSON_BRINGS[crm], kind, by_hand)
                undone = bridge.verify(undone.run)
            assert undone.counts[Verdict.DONE] == len(taken)
            lost = named(plan, crm)
            # Children of a kind that no bin keeps were told of by the plan.
            told = {
                (ref.kind, ref.id)
                for touch in plan.touches
                if touch.rule.comes_back is not True
                for ref in touch.refs
            }
            left = {
                name: what
                for name, what in unlike(before, one.truth(crm)).items()
                if name not in told
                and (isinstance(what, str) or set(what) - lost.get(name[0], set()))
            }
            assert left == {}, kind


@pytest.mark.parametrize("vendor", VENDORS)
def test_after_the_window_what_is_made_anew_differs_only_in_what_was_named(vendor: str) -> None:
    with street(vendor) as one:
        (crm,) = one.crms
        same = total = 0
        for number, kind in enumerate(KINDS[crm]):
            one.begin(number + 11, 16)
            before = one.truth(crm)
            bridge = one.bridge()
            draw = random.Random(number)
            there = [RecordRef(crm, kind, id) for id in live(before, kind)]
            plan = bridge.plan("delete", draw.sample(there, min(6, len(there))), **WHY)
            receipt = bridge.apply(plan, confirm=plan.confirm)
            taken = [o.ref for o in receipt.outcomes if o.verdict is Verdict.DONE]
            one.grounds[crm].turn(crm, timedelta(days=120))
            back = one.bridge().plan("restore", receipt.run, remake=True, **WHY)
            undone = one.bridge().apply(back, confirm=back.confirm)
            new = {(kind, o.ref.id): o.new_ref.id for o in undone.outcomes if o.new_ref}
            # What was not made anew says why.
            refused = {
                (kind, o.ref.id)
                for o in undone.outcomes
                if o.problem is not None and o.new_ref is None
            }
            assert set(new) | refused == {(kind, ref.id) for ref in taken}
            assert len(new) >= 3, [o for o in undone.outcomes if o.problem]
            taken = [ref for ref in taken if (kind, ref.id) in new]
            journal = one.bridge().history.journal
            connected = one.bridge().accounts.connected(crm)
            org, profile = connected.account.org, connected.profile
            kinds = {k for k, _ in before}
            for other in kinds:
                ids = [id for k, id in before if k == other]
                new |= {
                    (other, old): ref.id for old, ref in journal.remade(org, other, ids).items()
                }
            truth, losses = one.truth(crm), named(plan, crm)
            for ref in taken:
                was, now = before[ref.kind, ref.id], truth[ref.kind, new[kind, ref.id]]
                what = differences(was, now, new)
                # What the vendor sets is no value that anybody could write.
                values = {*was.own, *now.own} - {*profile.vendor_set}
                total += len(values)
                same += len(values - set(what))
                assert set(what) <= losses[kind], f"{ref} {what}"
        assert same / total >= 0.97


def test_what_nobody_shows_any_more_is_made_anew_as_the_run_before_kept_it() -> None:
    with street("fxiaoke", records=24) as one:
        one.begin(3, 24, voided_query="never", voided_get="empty")
        before, bridge = one.truth("fxk"), one.bridge()
        refs = [RecordRef("fxk", "LeadsObj", id) for id in live(before, "LeadsObj")][:3]
        bridge.apply(bridge.plan("void", refs, **WHY))
        plan = bridge.plan("delete", refs, **WHY)
        receipt = bridge.apply(plan, confirm=plan.confirm)
        assert receipt.counts[Verdict.DONE] == 3
        undone = bridge.apply(bridge.plan("restore", receipt.run, remake=True, **WHY))
        truth = one.truth("fxk")
        new = {o.ref.id: o.new_ref.id for o in undone.outcomes if o.new_ref}
        assert {
            ref.id: differences(before["LeadsObj", ref.id], truth["LeadsObj", new[ref.id]])
            for ref in refs
        } == {ref.id: {} for ref in refs}


def test_what_hangs_on_two_records_made_anew_is_made_once_both_are_there() -> None:
    with street("salesforce", records=40) as one:
        before, bridge = one.truth("sf"), one.bridge()
        kind = "AccountContactRelation"
        both = [
            (RecordRef("sf", "Account", r.fields["AccountId"]),
             RecordRef("sf", "Contact", r.fields["ContactId"]))
            for r in before.values()
            if r.kind == kind and r.state == "live"
        ]  # fmt: skip
        refs = list(dict.fromkeys(ref for pair in both for ref in pair))
        plan = bridge.plan("delete", refs, **WHY)
        sent = {ref for step in plan.steps for ref in step.refs}
        pairs = [pair for pair in both if sent.issuperset(pair)]
        assert pairs
        receipt = bridge.apply(plan)
        one.grounds["sf"].turn("sf", timedelta(days=120))
        later = one.bridge()
        undone = later.apply(later.plan("restore", receipt.run, remake=True, **WHY))
        new = {o.ref: o.new_ref.id for o in undone.outcomes if o.new_ref}
        there = [
            (r.fields.get("AccountId"), r.fields.get("ContactId"))
            for r in one.truth("sf").values()
            if r.kind == kind and r.state == "live"
        ]
        for account, contact in pairs:
            assert there.count((new[account], new[contact])) == 1
        # A contact that had gone along with its account was a target as well: it is made once.
        emails = [
            t.fields.get("Email")
            for t in one.truth("sf").values()
            if t.kind == "Contact" and t.state == "live"
        ]
        was = [t.fields.get("Email") for t in before.values() if t.kind == "Contact"]
        assert all(emails.count(email) <= was.count(email) for email in set(emails))
