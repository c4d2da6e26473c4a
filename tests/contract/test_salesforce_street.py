"""Salesforce end to end, by the bridge's one door: what the plan says is what happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.errors import PlanBlocked, SettingsError
from crm_bridge.kit import Severity, Verdict
from crm_bridge.registry import Registry
from crm_bridge.simulator import serving
from crm_bridge.testing.ground import Arrived, SimulatedGround, Truth, Truths
from crm_bridge_salesforce.profile import MARKER
from crm_bridge_salesforce.review import pressed
from crm_bridge_salesforce.simulator import SalesforceSimulator

WHY: dict[str, Any] = {"reason": "left the market", "code": "left"}
ALL: dict[str, Any] = {**WHY, "limit_records": None, "limit_share": None}
LOST = {
    "AccountTeamMember", "CampaignMember", "ContentDocumentLink", "OpportunityContactRole",
    "OrderItem", "ProcessInstance",
}  # fmt: skip
"""Kinds of this org whose describe says undeletable=false; a plan names them."""


class Org:
    """An org, seen from both sides, and a clock that nobody waits for."""

    def __init__(self, simulator: SalesforceSimulator, url: str, folder: Path) -> None:
        self.ground = SimulatedGround(simulator, url)
        self.simulator, self.url, self.folder = simulator, url, folder
        self.now = 1000.0
        self.bridges: list[Bridge] = []

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def bridge(self, **changed: Any) -> Bridge:
        """A bridge as a process of its own would open it, with the same journal."""
        settings = BridgeSettings(journal="sqlite:///journal.db", actor="tester", settle="1s")
        crms = {"sf": {**self.ground.settings("sf"), **changed}}
        config = Config(self.folder / "crm_bridge.toml", settings, crms)
        one = Bridge(config, Registry([Review()]), clock=lambda: self.now, sleep=self._sleep)
        self.bridges.append(one)
        return one

    def truth(self) -> Truths:
        """Every record as it is stored."""
        return self.ground.truth("sf")

    def arrived(self) -> list[Arrived]:
        """Every request."""
        return self.ground.arrived("sf")

    def writes(self) -> list[Arrived]:
        """Those that could change something."""
        return [line for line in self.arrived() if line.write]

    def live(self, kind: str, count: int) -> list[str]:
        """Addresses of live records that nobody locked."""
        found = [t.id for t in self.truth().values() if t.kind == kind and t.state == "live"]
        locked = {t.id for t in self.truth().values() if t.locked}
        return [f"sf:{kind}/{one}" for one in found if one not in locked][:count]


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Org]:
    """An org of 120 accounts, with all that hangs on them."""
    simulator = SalesforceSimulator(records=120, limits=False)
    with serving(simulator) as url:
        org = Org(simulator, url, tmp_path)
        yield org
        for bridge in org.bridges:
            bridge.close()


def _gone(before: Truths, after: Truths) -> set[tuple[str, str]]:
    return {k for k, t in before.items() if t.state == "live" and after[k].state != "live"}


def _same(one: Truth, other: Truth) -> bool:
    return (one.state, one.own, one.links) == (other.state, other.own, other.links)


def test_what_the_plan_says_goes_and_nothing_else(org: Org) -> None:
    before, bridge = org.truth(), org.bridge()
    plan = bridge.plan("delete", "sf:Account", where=["Name is not empty"], **ALL)
    said = {(ref.kind, ref.id) for step in plan.steps for ref in step.refs}
    for touch in plan.touches:
        if touch.rule.effect in ("follows", "may_follow"):
            refs = {(ref.kind, ref.id) for ref in touch.refs}
            assert len(refs) == touch.count
            said |= refs
    assert not org.writes()
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.FAILED] == 0, [o for o in receipt.outcomes if o.problem]
    assert _gone(before, org.truth()) == said
    assert len(said) > 300


def test_what_was_taken_comes_back_with_all_that_went_along(org: Org) -> None:
    before, bridge = org.truth(), org.bridge()
    receipt = bridge.apply(bridge.plan("delete", "sf:Account", where=["Name is not empty"], **ALL))
    taken = _gone(before, org.truth())
    back = bridge.apply(bridge.plan("restore", receipt.run))
    assert back.ok, [o for o in back.outcomes if o.problem][:3]
    now = org.truth()
    lost = {kind for kind, id in taken if now[kind, id].state != "live"}
    assert lost <= LOST
    assert {k for k in before if k[0] not in lost and not _same(before[k], now[k])} == set()


def test_after_the_window_only_making_anew_is_left(org: Org) -> None:
    bridge = org.bridge()
    some = org.live("Lead", 12)
    receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    gone = [o.ref for o in receipt.outcomes if o.verdict is Verdict.DONE]
    before = {o.ref: t for o in receipt.outcomes for t in [org.truth()[o.ref.kind, o.ref.id]]}
    org.ground.turn("sf", timedelta(days=16))
    late = bridge.plan("restore", receipt.run)
    assert late.counts.steps == 0
    assert {o.problem.code for o in late.settled if o.problem} == {"window_over"}
    back = bridge.apply(bridge.plan("restore", receipt.run, remake=True))
    now = org.truth()
    for outcome in back.outcomes:
        assert outcome.new_ref is not None
        made = now[outcome.new_ref.kind, outcome.new_ref.id]
        assert made.state == "live"
        not_set = set(outcome.details["not_set"])
        assert "CreatedDate" in not_set
        assert made.fields["LastName"]
    assert len(gone) == len(list(back.outcomes))
    assert all(t.state == "deleted" for t in before.values())


def test_many_go_by_one_job_whose_id_is_known_before_its_data(org: Org) -> None:
    bridge = org.bridge(bulk_above=20)
    plan = bridge.plan("delete", org.live("Lead", 60), **ALL)
    before = org.now
    receipt = bridge.apply(plan)
    # By the clock that only sleeping moves: the first pause is short, and a job that has ended is found.
    assert 0 < org.now - before <= 0.2
    made = [line for line in org.writes() if line.path.endswith("/jobs/ingest")]
    assert len(made) == 1
    assert [line.method for line in org.writes()] == ["POST", "PUT", "PATCH"]
    assert receipt.counts[Verdict.DONE] + receipt.counts[Verdict.SKIPPED] == 60
    true = org.truth()
    for outcome in receipt.outcomes:
        state = true[outcome.ref.kind, outcome.ref.id].state
        assert (state == "deleted") == (outcome.verdict is Verdict.DONE)


@pytest.mark.parametrize(
    "id_",
    ["../Account/001Fj0000000000IAA", "https://evil.example/x", "001' OR Name LIKE '%",
     "003Fj0000000000IAA", "001fj0000000000iaa", "001fj0000000000"],
)  # fmt: skip
def test_what_is_no_id_of_an_account_is_refused_before_any_call(org: Org, id_: str) -> None:
    with pytest.raises((SettingsError, ValueError)):
        org.bridge().plan("delete", [f"sf:Account/{id_}"], **WHY)
    assert org.arrived() == []


def test_an_id_of_fifteen_is_the_record_of_eighteen(org: Org) -> None:
    ref = org.live("Lead", 1)[0]
    plan = org.bridge().plan("delete", [ref, ref[:-3]], **WHY)
    assert [str(one) for step in plan.steps for one in step.refs] == [ref]


def test_rows_that_could_not_be_locked_are_sent_again_and_each_is_done_once(org: Org) -> None:
    fault = {"match": {"method": "DELETE"}, "times": 1,
             "do": {"row_error": "UNABLE_TO_LOCK_ROW", "every": 3}}  # fmt: skip
    org.ground._control("faults", "sf", fault)
    some = org.live("Lead", 30)
    receipt = org.bridge().apply(org.bridge().plan("delete", some, **WHY))
    assert receipt.counts[Verdict.DONE] + receipt.counts[Verdict.SKIPPED] == 30
    assert receipt.counts[Verdict.FAILED] == receipt.counts[Verdict.UNKNOWN] == 0
    changed = [one for line in org.writes() for one in line.changed if one.startswith("Lead/")]
    assert len(changed) == len(set(changed)) == receipt.counts[Verdict.DONE]


def test_a_lost_answer_is_settled_by_a_read_and_nothing_is_sent_twice(org: Org) -> None:
    fault = {"match": {"method": "DELETE"}, "times": 1, "do": {"drop": "after"}}
    org.ground._control("faults", "sf", fault)
    receipt = org.bridge().apply(org.bridge().plan("delete", org.live("Lead", 10), **WHY))
    assert receipt.counts[Verdict.UNKNOWN] == 0
    named = [id for line in org.writes() for id in line.ids]
    assert len(named) == len(set(named)) == receipt.counts[Verdict.DONE]


def test_a_token_in_jwt_form_promises_no_undelete(org: Org) -> None:
    org.ground.act("sf", "revoke", "", (), fields={"right": "opaque_token"})
    bridge = org.bridge()
    plan = bridge.plan("delete", org.live("Lead", 3), **WHY)
    assert any("JWT" in f.detail for f in plan.findings)
    assert plan.irreversible


def test_another_organisation_is_refused_before_any_record_is_read(org: Org) -> None:
    plan = org.bridge().plan("delete", org.live("Lead", 3), **WHY)
    other = org.bridge(**{
        k: v for k, v in org.ground.settings("sf2").items() if k.startswith("consumer")
    })  # fmt: skip
    with pytest.raises(PlanBlocked) as caught:
        other.apply(plan)
    assert caught.value.code == "wrong_target"
    assert not [id for line in org.ground.arrived("sf2") for id in line.ids]
    assert not [line for line in org.ground.arrived("sf2") if line.write]


def test_a_missing_marker_field_is_told_with_what_to_make(org: Org) -> None:
    org.ground.switch("marker_field", False)
    bridge = org.bridge()
    plan = bridge.plan("void", org.live("Lead", 3), **WHY)
    assert plan.blocked
    told = [o.problem for o in plan.settled if o.problem]
    assert {p.code for p in told} == {"not_yet"}
    assert all(MARKER in p.message and "Object Manager" in p.message for p in told)
    assert any(MARKER in finding.detail for finding in bridge.setup("sf"))


def test_a_merged_record_is_told_and_not_undeleted(org: Org) -> None:
    loser, winner = (ref.rpartition("/")[2] for ref in org.live("Lead", 2))
    org.ground.act("sf", "merge", "Lead", [loser], into=winner)
    plan = org.bridge().plan("restore", [f"sf:Lead/{loser}"], **WHY)
    (outcome,) = plan.settled
    assert outcome.problem is not None
    assert outcome.problem.code == "merged"
    assert winner in outcome.problem.message


def test_a_plan_that_overflows_the_bin_is_warned_of(org: Org) -> None:
    plan = org.bridge().plan("delete", org.live("Lead", 3), **WHY)
    (told,) = [f for f in plan.findings if "the recycle bin holds" in f.summary]
    assert "25 for each" in told.detail
    assert "5000 for each" in told.detail
    assert list(pressed(plan)) == []
    import dataclasses

    full = dataclasses.replace(told, count=2)
    (warned,) = pressed(dataclasses.replace(plan, findings=(full,)))
    assert warned.severity is Severity.WARNING


def test_a_jwt_bearer_login_is_the_same_account(org: Org) -> None:
    account = org.simulator.accounts[0]
    changed = {
        "consumer_secret": None, "username": account.keys["username"],
        "private_key": org.simulator.jwt_key(account),
    }  # fmt: skip
    assert org.bridge(**changed).accounts.connected("sf").account.org == account.keys["org_id"]


def test_a_given_token_works_and_cannot_be_renewed(org: Org) -> None:
    account = org.simulator.accounts[0]
    token = org.simulator.token(account, org.url)
    changed = {"consumer_secret": None, "consumer_key": None, "token": token}
    assert org.bridge(**changed).accounts.connected("sf").account.org == account.keys["org_id"]
