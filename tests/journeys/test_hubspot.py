"""What a HubSpot portal asks of a plan that no other vendor does."""

from __future__ import annotations

from tests.journeys.street import WHY, live, street


def test_a_plan_that_today_has_no_calls_for_says_calls_and_days_before_it_reads() -> None:
    with street("hubspot", records=300) as one:
        (crm,) = one.crms
        account = one.grounds[crm].simulator.accounts[0]
        account.limits = True
        chosen = live(one.truth(crm), "contacts")
        assert one.person(crm, "quota", "", [], left=24)
        before = len(account.log)
        plan = one.bridge().plan("delete", [f"{crm}:contacts/{id_}" for id_ in chosen], **WHY)
        (found,) = [f for f in plan.findings if f.code == "quota"]
        assert found.severity == "error"
        assert f"these {len(chosen)} records" in found.summary
        assert "It takes 2 days." in found.detail
        assert not plan.steps
        # Who we are was asked, and what is left; no record was read.
        assert not [e for e in list(account.log)[before:] if "/objects/contacts" in e["path"]]
