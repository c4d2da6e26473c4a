"""Zoho CRM from plan to restore, over HTTP against its simulator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.model.plans import Plan
from crm_bridge.model.results import Outcome, Receipt
from crm_bridge.registry import Registry
from crm_bridge.simulator import serving
from crm_bridge_zoho.simulator import ZohoSimulator
from tests.journeys.zoho_records import unheld

WHY = {"reason": "no activity since 2022", "code": "stale", "limit_share": None}
Truth = dict[tuple[str, str], dict[str, Any]]


class Org:
    """The first organisation of a simulator, and a bridge to it."""

    def __init__(self, simulator: ZohoSimulator, url: str, folder: Path, clock: Any) -> None:
        self.simulator, self.url, self.folder, self.clock = simulator, url, folder, clock
        self.account = simulator.accounts[0]
        self.opened: list[Bridge] = []

    @contextmanager
    def bridge(self, **settings: Any) -> Iterator[Bridge]:
        """A bridge as another process would open it, over the same journal; closed at the end."""
        table = {**self.simulator.settings(self.account, self.url), "pace": "off", **settings}
        own = BridgeSettings(
            journal="sqlite:///journal.db", actor="tester", settle="2s", deadline="10s"
        )
        config = Config(self.folder / "crm_bridge.toml", own, {"zoho": table})
        bridge = Bridge(config, Registry([Review()]), clock=self.clock, sleep=self.clock.sleep)
        self.opened.append(bridge)
        yield bridge

    def control(self, name: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.url}/__control__/{name}?crm=zoho", data=data)) as answer:
            return bytes(answer.read())

    def act(self, act: str, kind: str, ids: Sequence[str], **fields: Any) -> None:
        self.control("ui", {"act": act, "kind": kind, "ids": list(ids), "fields": fields})

    def truth(self) -> Truth:
        lines = map(json.loads, self.control("records").splitlines())
        return {(r["kind"], r["id"]): r for r in lines}

    def plain(self, kind: str, count: int) -> list[str]:
        """Ids of live records that nothing holds."""
        return unheld(self.account.store, kind, count)


@pytest.fixture
def org(tmp_path: Path, clock: Any) -> Iterator[Callable[..., Org]]:
    """Serves a simulator with so many companies."""
    opened: list[tuple[Any, Org]] = []

    def serve(records: int = 60) -> Org:
        simulator = ZohoSimulator(records=records, limits=False)
        served = serving(simulator)
        opened.append((served, Org(simulator, served.__enter__(), tmp_path, clock)))
        return opened[-1][1]

    yield serve
    for served, org in opened:
        for bridge in org.opened:
            bridge.close()
        served.__exit__(None, None, None)


def refs(kind: str, ids: Sequence[str]) -> list[str]:
    return [f"zoho:{kind}/{id}" for id in ids]


def shape(record: dict[str, Any] | None) -> Any:
    """State, own values and links of a record; None where it is gone."""
    if record is None or record["state"] == "gone":
        return None
    own = {k: v for k, v in record["fields"].items() if k not in record["vendor_set"]}
    return record["state"], own, sorted(map(str, record["links"])), record["locked"]


def differing(before: Truth, after: Truth) -> set[tuple[str, str]]:
    return {k for k in {*before, *after} if shape(before.get(k)) != shape(after.get(k))}


def counts(receipt: Receipt) -> dict[str, int]:
    return {verdict.value: n for verdict, n in receipt.counts.items() if n}


def codes(outcomes: Any) -> Counter[str]:
    """How many outcomes have each code; those with none are under their verdict."""
    told: Counter[str] = Counter()
    one: Outcome
    for one in outcomes:
        told[one.problem.code if one.problem else one.verdict.value] += 1
    return told


def along(plan: Plan, *effects: str) -> set[tuple[str, str]]:
    """The records that a plan says go along so."""
    return {
        (ref.kind, ref.id)
        for touch in plan.touches
        if touch.rule.effect.value in effects
        for ref in touch.refs
    }


def test_a_hundred_records_with_trouble_among_them_are_told_apart(org: Any) -> None:
    zoho = org(160)
    ids = zoho.plain("Leads", 100)
    zoho.act("lock", "Leads", ids[:7])
    zoho.act("delete", "Leads", ids[7:10])
    zoho.act("require_approval", "Leads", ids[10:12])
    zoho.act("revoke", "Leads", ids[12:13], right="delete")
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Leads", ids), **WHY))
    assert sum(receipt.counts.values()) == 100
    assert counts(receipt) == {"done": 87, "already": 3, "skipped": 9, "failed": 1}
    assert not receipt.ok
    told = codes(receipt.outcomes)
    assert (told["locked"], told["blocked"], told["rights"]) == (7, 2, 1)
    after = zoho.truth()
    states = Counter(after["Leads", id]["state"] for id in ids)
    assert states == {"deleted": 90, "live": 10}


def test_what_is_held_after_the_plan_was_made_is_refused_by_zoho_and_told_apart(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 12)
    with zoho.bridge() as bridge:
        bridge.plan("delete", refs("Leads", ids[:1]), **WHY)
        plan = bridge.plan("delete", refs("Leads", ids), **WHY)
        zoho.act("revoke", "Leads", ids[:2], right="delete")
        receipt = bridge.apply(plan)
    assert counts(receipt) == {"done": 10, "failed": 2}
    refused = [o for o in receipt.outcomes if o.problem]
    assert {o.problem.vendor_code for o in refused if o.problem} == {"NO_PERMISSION"}


@pytest.mark.parametrize("policy", ["null", "keep", "cascade"])
def test_all_that_went_along_had_been_told_and_all_comes_back(org: Any, policy: str) -> None:
    zoho = org(60)
    zoho.control("switches", {"lookup_policy": policy, "activities": "stay",
                              "linking_rows": "stay"})  # fmt: skip
    ids = zoho.plain("Accounts", 24)
    before = zoho.truth()
    with zoho.bridge() as bridge:
        plan = bridge.plan("delete", refs("Accounts", ids), **WHY)
        receipt = bridge.apply(plan)
        assert counts(receipt) == {"done": 24}
        after = zoho.truth()
        went = {k for k in after if before[k]["state"] == "live" and after[k]["state"] != "live"}
        went -= {("Accounts", id) for id in ids}
        if policy == "cascade":
            assert along(plan, "follows") <= went
            assert went <= along(plan, "follows", "may_follow")
        else:
            assert went == along(plan, "follows")
        assert went
        back = bridge.apply(bridge.plan("restore", receipt, reason="a mistake", code="wrong"))
        assert counts(back) == {"done": 24}
    assert differing(before, zoho.truth()) == set()


def test_a_scheduled_restore_is_waited_for_and_brings_back_the_same(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Accounts", 20)
    before = zoho.truth()
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Accounts", ids), **WHY))
        zoho.control("switches", {"restore_at_once": 0, "scheduled_looks": 2})
        start = zoho.account.logged
        back = bridge.apply(bridge.plan("restore", receipt, reason="a mistake", code="wrong"))
    assert counts(back) == {"done": 20}
    asked = [e for e in zoho.account.log if e["n"] > start and e["path"].endswith("/restore")]
    assert len(asked) == 1
    assert asked[0]["status"] == 202
    assert differing(before, zoho.truth()) == set()


def test_a_restore_that_waits_is_asked_for_again_and_never_sent_again(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 30)
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Leads", ids), **WHY))
        plan = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        zoho.control("switches", {"restore_at_once": 0, "scheduled_looks": 2})
        match = {"path": "recycle_bin/actions/restore", "method": "POST"}
        zoho.control("faults", {"match": match, "times": 1, "do": {"drop": "after"}})
        match = {"path": "recycle_bin", "method": "GET"}
        zoho.control("faults", {"match": match, "times": 400, "do": {"status": 503}})
        first = bridge.apply(plan)
    assert set(counts(first)) <= {"pending", "unknown", "skipped"}
    zoho.control("faults", {"clear": True})
    with zoho.bridge() as later:
        settled = later.resume(first.run)
    assert counts(settled) == {"done": 30}
    sent = [e for e in zoho.account.log if e["path"].endswith("/actions/restore")]
    named = Counter(id for e in sent if e["status"] in (200, 202) for id in e["ids"])
    assert set(named) == set(ids)
    assert max(named.values()) == 1


def test_a_unique_value_that_was_taken_meanwhile_is_told_with_both_records(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Accounts", 3)
    number = zoho.truth()["Accounts", ids[0]]["fields"]["External_No"]
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Accounts", ids[:2]), **WHY))
        zoho.act("edit", "Accounts", ids[2:], External_No=number)
        plan = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        (settled,) = plan.settled
        back = bridge.apply(plan)
    assert settled.problem.code == "duplicate"
    assert ids[2] in settled.problem.message
    assert counts(back) == {"done": 1, "skipped": 1}
    assert zoho.truth()["Accounts", ids[2]]["fields"]["External_No"] == number


def test_after_sixty_one_days_only_a_remake_is_left_and_it_names_what_differs(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Accounts", 12)
    before = zoho.truth()
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Accounts", ids), **WHY))
        zoho.control("clock", {"advance": "61d"})
        over = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        assert over.blocked
        assert codes(over.settled) == {"window_over": 12}
        plan = bridge.plan("restore", receipt, reason="a mistake", code="wrong", remake=True)
        made = bridge.apply(plan, confirm=plan.confirm)
    assert counts(made) == {"done": 12}
    after = zoho.truth()
    for outcome in made.outcomes:
        assert outcome.new_ref is not None
        old, new = before["Accounts", outcome.ref.id], after["Accounts", outcome.new_ref.id]
        assert new["state"] == "live"
        named = {*outcome.details["not_set"], *outcome.details.get("set_by_vendor", ())}
        for name, value in old["fields"].items():
            assert name in named or new["fields"].get(name) == value, name
    branches = [r for r in before.values() if r["kind"] == "Account_Branches"]
    mine = [r for r in branches if r["fields"]["Parent_Id"]["id"] in ids]
    again = [r for r in after.values() if r["kind"] == "Account_Branches" and r["state"] == "live"]
    assert len(again) == len(branches), f"{len(mine)} rows were to be made again, once each"


def test_a_mark_and_its_lock_go_on_and_come_off_and_nobody_elses_lock_is_touched(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Deals", 6)
    before = zoho.truth()
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("archive", refs("Deals", ids), **WHY))
        assert counts(receipt) == {"done": 6}
        marked = zoho.truth()
        for id in ids:
            assert marked["Deals", id]["fields"]["CRM_Bridge_Status"] == "archived"
            assert marked["Deals", id]["locked"]
        back = bridge.apply(bridge.plan("restore", receipt, reason="a mistake", code="wrong"))
        assert counts(back) == {"done": 6}
    assert differing(before, zoho.truth()) == set()


@pytest.mark.parametrize("locking", ["not_configured", "not_supported"])
def test_without_record_locking_an_archive_is_a_mark_alone(org: Any, locking: str) -> None:
    zoho = org(60)
    zoho.control("switches", {"locking": locking})
    ids = zoho.plain("Deals", 3)
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("archive", refs("Deals", ids), **WHY))
    assert counts(receipt) == {"done": 3}
    after = zoho.truth()
    assert all(after["Deals", id]["fields"]["CRM_Bridge_Status"] == "archived" for id in ids)
    assert not any(after["Deals", id]["locked"] for id in ids)


def test_a_status_that_the_picklist_lacks_blocks_the_plan(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 2)
    marks = {"Leads": {"void": {"Lead_Status": "No Such Status"}}}
    with zoho.bridge(marks=marks) as bridge:
        plan = bridge.plan("void", refs("Leads", ids), **WHY)
    assert plan.blocked
    assert any("Junk Lead" in finding.detail for finding in plan.findings)


def test_a_status_may_be_the_mark(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 4)
    before = zoho.truth()
    with zoho.bridge(marks={"Leads": {"void": {"Lead_Status": "Junk Lead"}}}) as bridge:
        receipt = bridge.apply(bridge.plan("void", refs("Leads", ids), **WHY))
        after = zoho.truth()
        assert all(after["Leads", id]["fields"]["Lead_Status"] == "Junk Lead" for id in ids)
        bridge.apply(bridge.plan("restore", receipt, reason="a mistake", code="wrong"))
    assert differing(before, zoho.truth()) == set()


def test_setup_makes_the_marker_where_it_is_missing(org: Any) -> None:
    zoho = org(60)
    zoho.control("switches", {"marker_field": False})
    ids = zoho.plain("Leads", 2)
    with zoho.bridge() as bridge:
        assert bridge.plan("void", refs("Leads", ids), **WHY).blocked
        dry = bridge.setup("zoho")
        assert any("would be made" in finding.summary for finding in dry)
        made = bridge.setup("zoho", apply=True)
        assert sum("was made" in finding.summary for finding in made) == 4
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("void", refs("Leads", ids), **WHY))
    assert counts(receipt) == {"done": 2}


def test_workflow_rules_are_silent_unless_the_settings_let_them_fire(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 4)
    with zoho.bridge() as bridge:
        bridge.apply(bridge.plan("delete", refs("Leads", ids[:2]), **WHY))
        assert not zoho.account.memory.get("workflows")
    with zoho.bridge(workflows=True) as bridge:
        plan = bridge.plan("delete", refs("Leads", ids[2:]), **WHY)
        assert any(f.code == "automation" and f.severity == "warning" for f in plan.findings)
        bridge.apply(plan)
    assert len(zoho.account.memory["workflows"]) == 2


def test_mass_delete_takes_five_hundred_a_call_where_it_is_wished_for(org: Any) -> None:
    zoho = org(620)
    ids = zoho.plain("Leads", 510)
    with zoho.bridge(mass_delete=True) as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Leads", ids), **WHY))
    assert counts(receipt) == {"done": 510}
    sent = [e for e in zoho.account.log if e["write"] and e["changed"]]
    assert [e["path"].rpartition("/")[2] for e in sent] == ["mass_delete", "mass_delete"]
    after = zoho.truth()
    assert {after["Leads", id]["state"] for id in ids} == {"deleted"}


def test_mass_delete_begins_above_the_number_that_the_settings_name(org: Any) -> None:
    zoho = org(60)
    ids = zoho.plain("Leads", 33)
    with zoho.bridge(mass_delete=20) as bridge:
        bridge.apply(bridge.plan("delete", refs("Leads", ids[:20]), **WHY))
        assert bridge.plan("delete", refs("Leads", ids[20:]), **WHY).counts.records == 13
    with zoho.bridge(mass_delete=10) as bridge:
        bridge.apply(bridge.plan("delete", refs("Leads", ids[20:]), **WHY))
    sent = [e for e in zoho.account.log if e["write"] and e["changed"]]
    assert [e["path"].rpartition("/")[2] for e in sent] == ["Leads", "mass_delete"]


def test_without_the_scope_of_the_bin_a_restore_is_no_longer_promised(org: Any) -> None:
    zoho = org(60)
    zoho.control("ui", {"act": "revoke", "fields": {"scope": "ZohoCRM.settings.recycle_bin.READ"}})
    ids = zoho.plain("Leads", 2)
    with zoho.bridge() as bridge:
        plan = bridge.plan("delete", refs("Leads", ids), **WHY)
    assert plan.irreversible
    assert any("settings.recycle_bin" in f"{f.summary} {f.detail}" for f in plan.findings)


def test_explain_says_what_is_known_and_what_is_observed_only(org: Any) -> None:
    zoho = org(60)
    with zoho.bridge() as bridge:
        told = bridge.explain("zoho", "Accounts", "delete")
    assert told.rows[0].window.days == 60
    effects = {(rule.child, rule.effect.value) for rule in told.cascades}
    assert {("Notes", "follows"), ("Attachments", "follows"), ("Contacts", "may_follow")} <= effects
    assert all("no rule" in r.note for r in told.cascades if r.effect.value == "may_follow")


def test_lines_of_quotes_that_name_a_product_are_told_before_it_goes(org: Any) -> None:
    zoho = org(60)
    lines = zoho.account.store.of("Quoted_Items", "live")
    product = next(line.fields["Product_Name"] for line in lines)
    named = {r.id for r in zoho.account.store.where("Quoted_Items", "Product_Name", product)}
    with zoho.bridge() as bridge:
        plan = bridge.plan("delete", refs("Products", [product]), **WHY)
    assert {id for kind, id in along(plan, "may_follow") if kind == "Quoted_Items"} == named


def test_what_waited_for_records_that_a_resume_brought_back_is_compared_again(org: Any) -> None:
    zoho = org(240)
    ids = zoho.plain("Accounts", 204)
    store = zoho.account.store
    tie = next(r for r in store.of("Contacts_X_Accounts", "live"))
    store.change(tie, {"Partner_Accounts": ids[-1]})
    contact = store.get("Contacts", tie.fields["Partner_Contacts"])
    store.change(contact, {"Account_Name": ids[0]})
    before = zoho.truth()
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Accounts", ids), **WHY))
        plan = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        match = {"path": "actions/restore", "method": "POST", "body": ids[-1]}
        zoho.control("faults", {"match": match, "times": 50, "do": {"status": 503}})
        first = bridge.apply(plan)
    assert first.counts["done"] == 200
    told = {str(o.ref): o.problem.code for o in first.outcomes if o.problem}
    assert told[f"zoho:Accounts/{ids[0]}"] == "followers"
    zoho.control("faults", {"clear": True})
    with zoho.bridge() as later:
        settled = later.resume(first.run)
    assert counts(settled) == {"done": 204}
    assert settled.ok
    assert differing(before, zoho.truth()) == set()


@pytest.mark.parametrize(
    ("switch", "value", "queries"),
    [
        ("coql_in", "all", 30),
        ("coql_in", "first", 50),
        ("coql_in", "refused", 50),
        ("coql_values", 50, 40),
        ("coql_length", 4000, 40),
    ],
)
def test_no_child_is_lost_however_many_ids_a_query_really_takes(
    org: Any, switch: str, value: Any, queries: int
) -> None:
    zoho = org(200)
    ids = zoho.plain("Leads", 120)
    zoho.control("switches", {switch: value})
    with zoho.bridge() as bridge:
        plan = bridge.plan("delete", refs("Leads", ids), **WHY)
        found = along(plan, "follows", "may_follow")
    hung = {
        key for key, record in zoho.truth().items()
        if record["state"] == "live"
        and key[0] in ("Notes", "Attachments", "Tasks", "Events", "Calls")
        and any(link["id"] in ids for link in record["links"])
    }  # fmt: skip
    assert len(hung) > 60
    assert hung <= found
    asked = [json.loads(line)["path"] for line in zoho.control("log").splitlines()]
    # Five kinds hang on a lead: each is asked for once a hundred leads, where that finds them all.
    assert 10 < sum("/coql" in path for path in asked) <= queries


@pytest.mark.parametrize(("kind", "count"), [("Leads", 110), ("Accounts", 12), ("Deals", 3)])
def test_a_plan_tells_how_many_calls_it_takes_and_its_way_back(
    org: Any, kind: str, count: int
) -> None:
    zoho = org(200)
    ids = zoho.plain(kind, count)
    with zoho.bridge() as bridge:
        plan = bridge.plan("delete", refs(kind, ids), **WHY)
        receipt = bridge.apply(plan)
        back = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        came = bridge.apply(back)
    told = [(plan.counts.calls, receipt.calls), (back.counts.calls, came.calls)]
    assert all(abs(told - made) <= max(1, made * 0.05) for told, made in told), told


def test_lookups_that_a_restore_leaves_empty_are_written_again_and_locked_ones_are_named(
    org: Any,
) -> None:
    zoho = org(100)
    ids = zoho.plain("Accounts", 20)
    zoho.control("switches", {"lookup_return": False})
    before = zoho.truth()
    with zoho.bridge() as bridge:
        receipt = bridge.apply(bridge.plan("delete", refs("Accounts", ids), **WHY))
        plan = bridge.plan("restore", receipt, reason="a mistake", code="wrong")
        back = bridge.apply(plan)
        told = " ".join(o.problem.message for o in back.outcomes if o.problem)
    assert counts(back) == {"done": 20}
    after = zoho.truth()
    # Tasks lead to records of several modules: written with the one to which each leads.
    tied = {
        r.kind for r in zoho.account.store.of("Tasks", "live") if r.fields.get("What_Id") in ids
    }
    assert tied
    unlike = differing(before, after)
    assert unlike
    assert all(before[key]["locked"] and f"zoho:{key[0]}/{key[1]}" in told for key in unlike)
    assert any("locked" in what for loss in plan.losses for what, _ in loss.differs)
