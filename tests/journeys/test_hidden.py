"""What is hidden from the user is in no snapshot: no delete takes it, unless somebody says so by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.errors import PlanBlocked
from crm_bridge.model.plans import Finding, Plan, Severity
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from tests.journeys.street import WHY, Street, live, street

SECRET = "crm.objects.contacts.highly_sensitive"
HIDDEN = "highly_sensitive properties"


@pytest.fixture
def blind() -> Iterator[Street]:
    """A portal whose token does not see what is highly sensitive of contacts."""
    with street("hubspot") as one:
        one.person("hub", "revoke", "", [f"{SECRET}.read.v2", f"{SECRET}.write.v2"])
        yield one


def contact(one: Street) -> RecordRef:
    """A contact that is there."""
    return RecordRef("hub", "contacts", live(one.truth("hub"), "contacts")[0])


def waiving(one: Street, *kinds: str) -> Bridge:
    """A bridge whose settings let these kinds go."""
    ground = one.grounds["hub"]
    settings = ground.settings
    ground.settings = lambda crm: {**settings(crm), "waive_hidden": list(kinds)}  # type: ignore[method-assign]
    return one.bridge()


def told(plan: Plan) -> list[Finding]:
    """What the plan says of it."""
    return [f for f in plan.findings if f.code == "not_captured" and HIDDEN in f.summary]


@pytest.mark.parametrize("operation", ["delete", "purge"])
def test_what_hides_fields_is_not_taken(blind: Street, operation: str) -> None:
    bridge, one = blind.bridge(), contact(blind)
    before = blind.truth("hub")
    plan = bridge.plan(operation, [one], **WHY)
    (finding,) = told(plan)
    assert (finding.severity, finding.count, finding.refs) == (Severity.ERROR, 1, (one,))
    assert '[crms.hub] waive_hidden = ["contacts"]' in finding.detail
    with pytest.raises(PlanBlocked):
        bridge.apply(plan, confirm=plan.confirm)
    assert blind.truth("hub") == before
    assert not [line for line in blind.grounds["hub"].arrived("hub") if line.write]


def test_what_loses_nothing_goes_on(blind: Street) -> None:
    bridge, one = blind.bridge(), contact(blind)
    receipt = bridge.apply(bridge.plan("void", [one], **WHY))
    assert receipt.counts[Verdict.DONE] == 1
    companies = [RecordRef("hub", "companies", live(blind.truth("hub"), "companies")[0])]
    assert not bridge.plan("delete", companies, **WHY).blocked


def test_what_the_settings_waive_goes_and_its_snapshot_says_what_it_lacks(blind: Street) -> None:
    bridge, one = waiving(blind, "contact"), contact(blind)
    plan = bridge.plan("delete", [one], **WHY)
    (finding,) = told(plan)
    assert finding.severity is Severity.WARNING
    assert plan.options["waived"] == {"hub": {"contacts": [HIDDEN]}}
    (loss,) = (loss for loss in plan.losses if loss.kind == "contacts" and not loss.along)
    assert HIDDEN in dict(loss.later or loss.differs)
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.DONE] == 1
    assert blind.truth("hub")["contacts", one.id].state == "deleted"
    kept = [e for e in bridge.export_journal() if e["ev"] == "snapshot" and e["id"] == one.id]
    assert [e["not_captured"] for e in kept] == [[HIDDEN]]


def test_a_waiver_of_another_kind_lets_nothing_go(blind: Street) -> None:
    plan = waiving(blind, "companies").plan("delete", [contact(blind)], **WHY)
    assert plan.blocked


def test_zohos_metadata_names_the_fields_that_are_not_shown() -> None:
    with street("zoho") as one:
        one.person("zoho", "revoke", "Leads", [], field="Phone")
        lead = RecordRef("zoho", "Leads", live(one.truth("zoho"), "Leads")[0])
        plan = one.bridge().plan("delete", [lead], **WHY)
        (finding,) = (f for f in plan.findings if f.severity is Severity.ERROR)
        assert finding.code == "not_captured"
        assert finding.summary.startswith("Phone of 1 Leads")
        one.person("zoho", "grant", "Leads", [], field="Phone")
        assert not one.bridge().plan("delete", [lead], **WHY).blocked
