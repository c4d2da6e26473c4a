"""What HubSpot's users were promised beyond the contract suite, over HTTP against the simulator."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.kit import (
    Busy,
    Condition,
    Finding,
    Operation,
    Record,
    RecordRef,
    SettingsError,
    Severity,
    State,
    Unauthorized,
    Undo,
    Unreachable,
    Verdict,
)
from crm_bridge.registry import Registry
from crm_bridge.simulator import serving
from crm_bridge.testing.bench import Bench, connect
from crm_bridge.testing.ground import SimulatedGround, Truth
from crm_bridge_hubspot import wire
from crm_bridge_hubspot.adapter import HubspotAdapter
from crm_bridge_hubspot.kinds import MARKER, PRIOR_ID
from crm_bridge_hubspot.simulator import HubspotSimulator

HUB = "hub"
VERSIONS = ("v3", "2026-09")


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatedGround]:
    simulator = HubspotSimulator(records=60, limits=False)
    with serving(simulator) as url:
        yield SimulatedGround(simulator, url)


@pytest.fixture
def ground(served: SimulatedGround) -> SimulatedGround:
    served.reset()
    return served


@pytest.fixture
def bench(ground: SimulatedGround) -> Iterator[Bench]:
    bench = connect(HubspotAdapter, ground, HUB)
    yield bench
    bench.adapter.close()


@pytest.fixture
def hub(ground: SimulatedGround, clock: Any, tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """Opens a bridge over the portal; the same journal each time."""
    opened: list[Bridge] = []

    def open_one(**changed: Any) -> Bridge:
        settings = {HUB: {**ground.settings(HUB), **changed}}
        bridge = BridgeSettings(journal="sqlite:///journal.db", actor="tester", settle="2s")
        config = Config(tmp_path / "crm_bridge.toml", bridge, settings)
        one = Bridge(config, Registry([Review()]), clock=clock, sleep=clock.sleep)
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()


def live(ground: SimulatedGround, kind: str) -> list[Truth]:
    return [
        t for t in ground.truth(HUB).values()
        if t.kind == kind and t.state == "live" and MARKER not in t.fields
    ]  # fmt: skip


def refs(truths: Sequence[Truth]) -> list[str]:
    return [f"{HUB}:{t.kind}/{t.id}" for t in truths]


def act(bridge: Bridge, operation: str, targets: Any, **options: Any) -> Any:
    plan = bridge.plan(
        operation, targets, reason="tried", code="stale", limit_records=None, limit_share=None,
        **options,
    )  # fmt: skip
    return bridge.apply(plan, confirm=plan.confirm)


def fault(ground: SimulatedGround, path: str, do: dict[str, Any], times: int = 1) -> None:
    ground._control("faults", HUB, {"match": {"path": path}, "times": times, "do": do})


# --- the seam ------------------------------------------------------------------------------------


def test_v3_goes_through_the_official_client(
    ground: SimulatedGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("a v3 request went beside the official client")

    monkeypatch.setattr(wire.PlainDoor, "send", never)
    bench = connect(HubspotAdapter, ground, HUB)
    (ref,) = bench.plain("contacts", 1)
    list(bench.adapter.delete(bench.batch(None, [ref])))
    assert bench.true(ref).state == "deleted"  # type: ignore[union-attr]
    paths = {line.path for line in bench.arrived()}
    assert "/crm/v3/objects/contacts/batch/archive" in paths
    assert "/crm/v4/associations/contacts/deals/batch/read" in paths


def test_a_dated_version_never_asks_an_older_path(ground: SimulatedGround) -> None:
    bench = connect(HubspotAdapter, ground, HUB, path_version="2026-09")
    (ref,) = bench.plain("contacts", 1)
    list(bench.adapter.delete(bench.batch(None, [ref])))
    assert bench.true(ref).state == "deleted"  # type: ignore[union-attr]
    older = {line.path for line in bench.arrived() if "/v3/" in line.path or "/v4/" in line.path}
    assert older <= {"/crm-object-schemas/v3/schemas"}, "schemas have no dated path that is known"


def test_a_path_version_that_nobody_knows_is_refused(ground: SimulatedGround) -> None:
    with pytest.raises(SettingsError, match="2026-09"):
        connect(HubspotAdapter, ground, HUB, path_version="2031-03")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_url_is_longer_than_hubspot_takes(ground: SimulatedGround, version: str) -> None:
    ground.switch("uri_max", 1700)
    bench = connect(HubspotAdapter, ground, HUB, path_version=version)
    found = list(bench.adapter.find("contacts"))
    assert {r.ref.id for r in found} == {t.id for t in bench.live("contacts")}
    assert any(r.fields.get("national_id") for r in found), "all properties, in all classes"


def test_lanes_share_the_client_and_each_gets_its_own_answer(bench: Bench) -> None:
    import threading

    wanted = [bench.ref("contacts", t.id) for t in bench.live("contacts")][:16]
    found: dict[str, Record] = {}

    def lane(ref: RecordRef) -> None:
        found[ref.id] = bench.read([ref])[ref]

    threads = [threading.Thread(target=lane, args=(ref,)) for ref in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {id: record.ref.id for id, record in found.items()} == {r.id: r.id for r in wanted}


# --- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "wait", "until_reset"),
    [("TEN_SECONDLY_ROLLING", 10, False), ("SECONDLY", 1, False), ("DAILY", None, True)],
)
def test_each_limit_is_told_by_its_policy(
    ground: SimulatedGround, bench: Bench, policy: str, wait: float | None, until_reset: bool
) -> None:
    fault(ground, "/search", {"policy": policy})
    with pytest.raises(Busy) as caught:
        bench.adapter.total("contacts")
    assert (caught.value.retry_after, caught.value.until_reset) == (wait, until_reset)
    assert caught.value.vendor_code == policy


def test_a_lock_is_waited_for_and_a_move_of_the_account_stops(
    ground: SimulatedGround, bench: Bench
) -> None:
    fault(ground, "/search", {"status": 423})
    with pytest.raises(Busy) as locked:
        bench.adapter.total("contacts")
    fault(ground, "/search", {"status": 477, "retry_after": 3600})
    with pytest.raises(Busy) as moving:
        bench.adapter.total("contacts")
    assert (locked.value.retry_after, moving.value.retry_after) == (2, 3600)


@pytest.mark.parametrize("status", [502, 504, 524])
def test_a_page_of_a_gateway_says_neither_yes_nor_no(
    ground: SimulatedGround, bench: Bench, status: int
) -> None:
    (ref,) = bench.plain("contacts", 1)
    fault(ground, "/batch/archive", {"status": status})
    with pytest.raises(Unreachable) as caught:
        list(bench.adapter.delete(bench.batch(None, [ref])))
    assert caught.value.sent
    assert caught.value.answered


@pytest.mark.parametrize("shape", ["context", "errors"])
def test_a_missing_scope_is_named_in_either_shape(
    ground: SimulatedGround, bench: Bench, shape: str
) -> None:
    (ref,) = bench.plain("deals", 1)
    ground.switch("scope_shape", shape)
    ground.act(HUB, "revoke", "deals", [])
    with pytest.raises(Unauthorized, match=r"crm\.objects\.deals\.write"):
        list(bench.adapter.delete(bench.batch(None, [ref])))


def test_associations_that_could_not_be_read_do_not_pass_for_none(
    ground: SimulatedGround, bench: Bench
) -> None:
    (ref,) = bench.plain("contacts", 1)
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [
        {"status": "error", "category": "INTERNAL_ERROR", "message": "try later",
         "context": {"fromObjectId": [ref.id]}}]}  # fmt: skip
    fault(ground, "/associations/contacts/companies/batch/read", {"body": json.dumps(body)})
    with pytest.raises(Unreachable):
        bench.read([ref])


# --- delete --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("merged_in_batches", ["resolves", "missing"])
def test_merged_unknown_and_deleted_ids_are_told_apart_and_nothing_else_is_touched(
    ground: SimulatedGround, hub: Callable[..., Bridge], version: str, merged_in_batches: str
) -> None:
    ground.switch("batch_merged", merged_in_batches)
    loser, winner, plain = live(ground, "contacts")[:3]
    ground.act(HUB, "merge", "contacts", [loser.id], into=winner.id)
    survivor = ground.truth(HUB)["contacts", loser.id].merged_into
    binned = next(t for t in ground.truth(HUB).values()
                  if (t.kind, t.state) == ("contacts", "deleted"))  # fmt: skip
    before = ground.truth(HUB)
    never = f"{HUB}:contacts/7777777777"
    receipt = act(hub(path_version=version), "delete",
                  [*refs([loser, plain, binned]), never])  # fmt: skip
    told = {o.ref.id: (o.verdict, o.problem.code if o.problem else None) for o in receipt.outcomes}
    assert told == {
        loser.id: (Verdict.SKIPPED, "merged"),
        plain.id: (Verdict.DONE, None),
        binned.id: (Verdict.ALREADY, None),
        "7777777777": (Verdict.FAILED, "not_found"),
    }
    after = ground.truth(HUB)
    assert after["contacts", survivor].state == "live"  # type: ignore[index]
    moved = {key for key in before if before[key].state != after[key].state}
    assert moved == {("contacts", plain.id)}


def test_a_204_proves_nothing(ground: SimulatedGround, hub: Callable[..., Bridge]) -> None:
    kept, gone = live(ground, "contacts")[:2]
    fault(ground, "/batch/archive", {"skip": [kept.id]})
    receipt = act(hub(), "delete", refs([kept, gone]))
    told = {o.ref.id: o for o in receipt.outcomes}
    assert told[gone.id].verdict is Verdict.DONE
    assert told[kept.id].verdict is Verdict.FAILED
    assert told[kept.id].problem.code == "not_applied"
    assert ground.truth(HUB)["contacts", kept.id].state == "live"


def test_a_delete_names_the_last_day_and_the_recycling_bin(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    (one,) = live(ground, "contacts")[:1]
    bridge = hub()
    receipt = act(bridge, "delete", refs([one]))
    (outcome,) = receipt.outcomes
    now = ground.simulator.account(HUB).clock.now()  # type: ignore[union-attr]
    assert outcome.undo is Undo.BY_HAND
    assert outcome.link is not None
    assert outcome.link.endswith("/restore/0-1")
    assert "/recycling-bin/" in outcome.link
    left = outcome.recoverable_until - now
    assert timedelta(days=90, minutes=-5) < left <= timedelta(days=90, minutes=5)
    (by_hand,) = act(bridge, "restore", receipt.run).outcomes
    assert by_hand.verdict is Verdict.BY_HAND
    assert (by_hand.link, by_hand.recoverable_until) == (
        outcome.link, outcome.recoverable_until,
    )  # fmt: skip


def test_a_plan_says_what_stays_behind_and_what_never_comes_back(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    bridge = hub()
    contacts = live(ground, "contacts")[:20]
    plan = bridge.plan("delete", refs(contacts), reason="tried", code="stale")
    ids = {t.id for t in contacts}
    for kind in ("companies", "deals", "notes"):
        behind = {id for t in contacts for _, other, id, _ in t.links if other == kind}
        (touch,) = (t for t in plan.touches if t.rule.child == kind)
        assert (touch.count, touch.rule.effect) == (len(behind), "detaches")
    weighed = [t for t in plan.touches if t.rule.child == "deals"]
    open_deals = {
        id for t in contacts for _, other, id, _ in t.links if other == "deals"
        if ground.truth(HUB)["deals", id].fields["hs_is_closed"] != "true"
    }  # fmt: skip
    assert sum(one.count for touch in weighed for one in touch.sums) == len(open_deals)
    assert ids
    assert any("list memberships" in f.summary for f in plan.findings)
    recorded = [t for t in live(ground, "calls") if t.fields.get("hs_call_recording_url")]
    calls = bridge.plan("delete", refs(recorded[:3]), reason="tried", code="stale")
    (finding,) = (f for f in calls.findings if "recordings" in f.summary)
    assert (finding.severity, finding.count) == (Severity.WARNING, 3)


def test_what_a_person_restored_is_told_and_the_rest_waits_with_its_last_day(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    some = live(ground, "contacts")[:8]
    bridge = hub()
    receipt = act(bridge, "delete", refs(some))
    ground.act(HUB, "restore", "contacts", [t.id for t in some[:3]])
    seen = {o.ref.id: o for o in bridge.verify(receipt.run).outcomes}
    for one in some[:3]:
        assert seen[one.id].state is State.LIVE
        assert seen[one.id].problem.code == "restored_elsewhere"  # type: ignore[union-attr]
    back = {o.ref.id: o for o in act(bridge, "restore", receipt.run).outcomes}
    assert [back[t.id].verdict for t in some[:3]] == [Verdict.ALREADY] * 3
    for one in some[3:]:
        assert back[one.id].verdict is Verdict.BY_HAND
        assert back[one.id].recoverable_until == seen[one.id].recoverable_until


def test_an_e_mail_in_use_is_named_before_a_person_tries(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    gone, taker = [t for t in live(ground, "contacts") if t.fields.get("email")][:2]
    bridge = hub()
    receipt = act(bridge, "delete", refs([gone]))
    ground.act(HUB, "edit", "contacts", [taker.id], fields={"email": gone.fields["email"]})
    plan = bridge.plan("restore", receipt.run)
    (finding,) = (f for f in plan.findings if f.code == "blocked")
    assert [ref.id for ref in finding.refs] == [gone.id]


def test_an_e_mail_that_is_taken_is_named_where_only_a_remake_is_left(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    gone, taker = [t for t in live(ground, "contacts") if t.fields.get("email")][:2]
    receipt = act(hub(), "delete", refs([gone]))
    ground.act(HUB, "edit", "contacts", [taker.id], fields={"email": gone.fields["email"]})
    ground.turn(HUB, timedelta(days=91))
    before = len(live(ground, "contacts"))
    (outcome,) = act(hub(), "restore", receipt.run, remake=True).outcomes
    assert (outcome.verdict, outcome.problem.code) == (Verdict.SKIPPED, "duplicate")
    assert taker.id in outcome.problem.message
    assert len(live(ground, "contacts")) == before


def test_after_90_days_the_page_is_no_way_back_any_more(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    for days in (90, 97):
        ground.reset()
        ground.switch("bin_read_days", days)
        (one,) = live(ground, "deals")[:1]
        bridge = hub()
        receipt = act(bridge, "delete", refs([one]))
        ground.turn(HUB, timedelta(days=91))
        plan = hub().plan("restore", receipt.run)
        (outcome,) = plan.settled
        assert (outcome.verdict, outcome.problem.code) == (Verdict.FAILED, "window_over")


# --- made anew -----------------------------------------------------------------------------------


def compared(
    before: dict[Any, Truth], after: dict[Any, Truth], outcomes: Sequence[Any]
) -> dict[str, Any]:
    """What differs between records and those made in their place, ids put through the map."""
    new = {(o.ref.kind, o.ref.id): o.new_ref.id for o in outcomes if o.new_ref}
    differing: dict[str, Any] = {}
    for (kind, old), id in new.items():
        was, now = before[kind, old], after[kind, id]
        links = frozenset((n, k, new.get((k, i), i), label) for n, k, i, label in was.links)
        own = {k: v for k, v in now.own.items() if k != PRIOR_ID}
        if (own, now.links) != (was.own, links):
            differing[old] = (was.own, own, links ^ now.links)
    return differing


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["contacts", "companies", "deals"])
def test_a_remake_equals_what_was_and_is_made_once(
    ground: SimulatedGround, hub: Callable[..., Bridge], version: str, kind: str
) -> None:
    some, before = live(ground, kind)[:12], ground.truth(HUB)
    bridge = hub(path_version=version)
    receipt = act(bridge, "delete", refs(some))
    made = act(bridge, "restore", receipt.run, remake=True)
    assert made.counts[Verdict.DONE] == len(some)
    after = ground.truth(HUB)
    assert compared(before, after, list(made.outcomes)) == {}
    again = act(bridge, "restore", receipt.run, remake=True)
    assert again.counts[Verdict.ALREADY] == len(some)
    standing = [t for t in before.values() if (t.kind, t.state) == (kind, "live")]
    assert len([t for t in ground.truth(HUB).values()
                if (t.kind, t.state) == (kind, "live")]) == len(standing)  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_a_remake_whose_answer_was_lost_makes_nothing_twice(
    ground: SimulatedGround, hub: Callable[..., Bridge], version: str
) -> None:
    some, before = live(ground, "contacts")[:12], ground.truth(HUB)
    bridge = hub(path_version=version)
    receipt = act(bridge, "delete", refs(some))
    fault(ground, "/batch/create", {"drop": "after"})
    made = act(bridge, "restore", receipt.run, remake=True)
    assert made.counts[Verdict.DONE] == len(some)
    assert len({o.new_ref for o in made.outcomes}) == len(some)
    after = ground.truth(HUB)
    created = [t for t in after.values() if t.kind == "contacts" and PRIOR_ID in t.fields]
    assert len(created) == len(some)
    assert compared(before, after, list(made.outcomes)) == {}


def test_nothing_is_made_anew_where_it_could_be_made_twice(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    (one,) = live(ground, "deals")[:1]
    receipt = act(hub(), "delete", refs([one]))
    ground.switch("marker_field", False)
    bridge = hub()
    plan = bridge.plan("restore", receipt.run, remake=True)
    assert any(PRIOR_ID in f.summary and "setup" in f.detail for f in plan.findings)
    (outcome,) = bridge.apply(plan).outcomes
    assert outcome.new_ref is None
    assert not [t for t in live(ground, "deals") if t.fields.get("dealname") == one.own["dealname"]]


def test_an_option_that_is_gone_is_named_and_the_rest_is_made(bench: Bench) -> None:
    (ref,) = bench.plain("deals", 1)
    record = bench.read([ref])[ref]
    list(bench.adapter.delete(bench.batch(None, [ref])))
    old = {**record.fields, "dealstage": "a-stage-of-last-year", "a_property_of_last_year": "x"}
    (outcome,) = bench.adapter.create([Record(ref, State.LIVE, old, record.links)])
    not_set = outcome.details["not_set"]
    assert {"dealstage", "a_property_of_last_year"} <= set(not_set)
    assert bench.true(outcome.new_ref).fields["dealname"] == record.fields["dealname"]  # type: ignore[union-attr]


# --- marks ---------------------------------------------------------------------------------------

STAGE = {"deals": {"void": {"pipeline": "75e28846", "dealstage": "1297155"}}}


def test_a_pipeline_stage_marks_deals_and_comes_back_exactly(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    deals, before = live(ground, "deals"), ground.truth(HUB)
    bridge = hub(marks=STAGE)
    receipt = act(bridge, "void", refs(deals))
    assert receipt.counts[Verdict.DONE] == len(deals)
    assert {t.fields["dealstage"] for t in live(ground, "deals")} == {"1297155"}
    edited = deals[0]
    ground.act(HUB, "edit", "deals", [edited.id], fields={"dealstage": "closedwon",
                                                          "pipeline": "default"})  # fmt: skip
    back = {o.ref.id: o for o in act(bridge, "restore", receipt.run).outcomes}
    assert back[edited.id].verdict is Verdict.SKIPPED
    assert "'1297155'" in back[edited.id].problem.message
    assert "'closedwon'" in back[edited.id].problem.message
    after = ground.truth(HUB)
    for one in deals[1:]:
        assert after["deals", one.id].own == before["deals", one.id].own


@pytest.mark.parametrize("backwards", ["refused", "ignored"])
def test_a_lifecycle_stage_goes_back_by_way_of_an_empty_one(
    ground: SimulatedGround, hub: Callable[..., Bridge], backwards: str
) -> None:
    ground.switch("lifecycle_back", backwards)
    some, before = live(ground, "contacts")[:6], ground.truth(HUB)
    bridge = hub(marks={"contact": {"void": {"lifecyclestage": "other"}}})
    receipt = act(bridge, "void", refs(some))
    assert receipt.counts[Verdict.DONE] == len(some)
    back = act(bridge, "restore", receipt.run)
    assert back.counts[Verdict.DONE] == len(some), list(back.outcomes)
    after = ground.truth(HUB)
    for one in some:
        assert after["contacts", one.id].own == before["contacts", one.id].own


def test_a_mark_that_the_portal_lacks_blocks_the_plan_and_setup_makes_it(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    ground.switch("marker_field", False)
    (one,) = live(ground, "companies")[:1]
    plan = hub().plan("void", refs([one]), reason="tried", code="stale")
    assert plan.blocked
    assert any("crm-bridge setup" in f.detail for f in plan.findings)
    bench = connect(HubspotAdapter, ground, HUB)
    told = list(bench.adapter.prepare())
    assert any("companies" in f.summary for f in told)
    assert all(isinstance(f, Finding) and f.severity is Severity.NOTE for f in told), told
    start = bench.last()
    assert not list(bench.adapter.prepare()), "what is there is left as it is"
    assert not bench.writes(start)
    assert act(hub(), "void", refs([one])).counts[Verdict.DONE] == 1
    assert ground.truth(HUB)["companies", one.id].fields[MARKER] == "void"


@pytest.mark.parametrize("category", ["OBJECT_ALREADY_EXISTS", "VALIDATION_ERROR"])
def test_what_setup_finds_there_is_no_trouble(ground: SimulatedGround, category: str) -> None:
    ground.switch("marker_field", False)
    ground.switch("property_exists", category)
    slow, quick = (connect(HubspotAdapter, ground, HUB) for _ in range(2))
    findings = slow.adapter.prepare()
    first = next(iter(findings))
    assert list(quick.adapter.prepare()), "another program makes all of it in between"
    assert all(f.severity is Severity.NOTE for f in (first, *findings))


def test_an_administrators_rule_holds_on_the_newest_paths_alone(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    (one,) = [t for t in live(ground, "companies") if "industry" in t.fields][:1]
    ground.act(HUB, "edit", "companies", [one.id], fields={"industry": ""})
    ground.act(HUB, "rule", "companies", [], fields={"required": ["industry"]})
    (refused,) = act(hub(path_version="2026-09"), "void", refs([one])).outcomes
    assert refused.verdict is Verdict.FAILED
    (done,) = act(hub(), "void", refs([one])).outcomes
    assert done.verdict is Verdict.DONE


# --- purge ---------------------------------------------------------------------------------------


def test_a_purge_is_asked_for_by_record_id_and_typed(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    (one,) = [t for t in live(ground, "contacts") if t.fields.get("email")][:1]
    bridge = hub()
    plan = bridge.plan("purge", refs([one]), reason="asked to be forgotten", code="request")
    assert plan.confirm == "hub 1"
    assert any("blocklist" in f.detail for f in plan.findings)
    start = max(line.n for line in ground.arrived(HUB))
    receipt = bridge.apply(plan, confirm="hub 1")
    assert receipt.counts[Verdict.DONE] == 1
    (sent,) = [line for line in ground.arrived(HUB, start) if line.write]
    assert (sent.path, sent.ids) == ("/crm/v3/objects/contacts/gdpr-delete", (one.id,))
    assert ground.truth(HUB)["contacts", one.id].state == "gone"


def test_a_person_who_was_erased_is_never_made_anew(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    (one,) = [t for t in live(ground, "contacts") if t.fields.get("email")][:1]
    bridge = hub()
    receipt = act(bridge, "purge", refs([one]))
    assert [o.undo for o in receipt.outcomes] == [Undo.NONE]
    (outcome,) = act(bridge, "restore", receipt.run, remake=True).outcomes
    assert (outcome.verdict, outcome.problem.code) == (Verdict.SKIPPED, "erased")
    assert one.fields["email"] not in {t.fields.get("email") for t in live(ground, "contacts")}


def test_only_contacts_are_purged_and_the_reason_is_given(hub: Callable[..., Bridge]) -> None:
    (row,) = HubspotAdapter.profile.rows(Operation.PURGE, "deals")
    assert row.support == "never"
    assert "90 days" in row.note


# --- who, how fast, how much ---------------------------------------------------------------------


def test_a_service_key_that_may_not_ask_the_account_is_told_its_portal(
    ground: SimulatedGround, bench: Bench
) -> None:
    org = bench.adapter.whoami().org
    ground.switch("account_info", "denied")
    assert bench.adapter.whoami().org == org
    assert all(ok for name, ok, _ in bench.adapter.examine() if name == "account")


def oauth(ground: SimulatedGround) -> dict[str, Any]:
    keys = ground.simulator.account(HUB).keys  # type: ignore[union-attr]
    names = ("client_id", "client_secret", "refresh_token")
    return {"access_token": None, **{name: keys[name] for name in names}}


def test_oauth_gets_a_token_and_another_when_it_dies(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    some = live(ground, "contacts")[:4]
    bridge = hub(**oauth(ground))
    plan = bridge.plan("delete", refs(some), reason="tried", code="stale")
    ground.turn(HUB, timedelta(minutes=31))
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.DONE] == len(some)
    assert not any("/oauth/v1/" in line.path for line in ground.arrived(HUB))


def test_a_token_that_dies_under_all_lanes_at_once_is_renewed_once(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    bridge = hub(**oauth(ground))
    contacts = [r.ref for r in bridge.find(f"{HUB}:contacts")]
    ground.turn(HUB, timedelta(minutes=31))
    plan = bridge.plan("delete", contacts, reason="tried", code="stale", limit_share=None)
    ground.turn(HUB, timedelta(minutes=31))
    assert bridge.apply(plan).counts[Verdict.DONE] == plan.counts.records
    asked = [line for line in ground.arrived(HUB) if line.path.endswith("/token")]
    assert len(asked) == 3


def test_a_kept_token_is_for_its_owner_alone(ground: SimulatedGround, tmp_path: Path) -> None:
    bench = connect(HubspotAdapter, ground, HUB, **oauth(ground))
    bench.adapter.whoami()
    kept = [path for path in tmp_path.rglob("*.json") if path.is_file()]
    assert kept
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    tokens = [line for line in ground.arrived(HUB) if line.path.endswith("/token")]
    again = connect(HubspotAdapter, ground, HUB, **oauth(ground))
    again.adapter.whoami()
    assert len([a for a in ground.arrived(HUB) if a.path.endswith("/token")]) == len(tokens)


def test_a_portal_that_let_the_app_go_is_a_login_that_does_not_hold(
    ground: SimulatedGround,
) -> None:
    ground.act(HUB, "revoke", "", [])
    bench = connect(HubspotAdapter, ground, HUB, **oauth(ground))
    with pytest.raises(Unauthorized) as caught:
        bench.adapter.whoami()
    assert not caught.value.renewable


def test_a_login_must_be_named(ground: SimulatedGround) -> None:
    with pytest.raises(SettingsError, match="access_token"):
        connect(HubspotAdapter, ground, HUB, access_token=None, client_id="an-app")


def test_rates_and_quota_are_those_of_the_answers(ground: SimulatedGround, bench: Bench) -> None:
    ground.act(HUB, "tier", "", [], fields={"tier": "enterprise"})
    ground.act(HUB, "quota", "", [], fields={"left": 2000})
    account = bench.adapter.whoami()
    assert account.rates is not None
    assert (account.rates[0].calls, account.rates[0].seconds) == (190, 10)
    assert account.rates[1].interface == "search"
    assert account.quota is not None
    assert account.quota.limit == 1_000_000
    assert 1990 <= account.quota.left <= 2000
    assert account.quota.resets_at is not None
    assert timedelta(0) < account.quota.resets_at - account.now <= timedelta(days=1)


def test_a_plan_over_the_days_calls_says_how_many_calls_and_days_it_needs(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    some = live(ground, "contacts")
    bridge = hub()
    bridge.doctor(HUB)
    ground.act(HUB, "quota", "", [], fields={"left": 60})
    plan = bridge.plan("delete", refs(some), reason="tried", code="stale", limit_share=None)
    (finding,) = (f for f in plan.findings if f.code == "quota")
    assert "left today" in finding.summary
    assert "days" in finding.detail


def test_what_a_class_of_properties_hides_is_told_and_keeps_a_delete_back(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    name = "crm.objects.contacts.highly_sensitive"
    ground.act(HUB, "revoke", "", [f"{name}.read.v2", f"{name}.write.v2"])
    (one,) = live(ground, "contacts")[:1]
    bridge = hub()
    plan = bridge.plan("delete", refs([one]), reason="tried", code="stale")
    assert plan.blocked
    assert any("highly_sensitive" in f.summary for f in plan.findings)
    (line,) = (c for c in bridge.doctor(HUB) if c.name == "sensitive properties")
    assert "contacts (highly_sensitive)" in line.summary


def test_a_right_that_is_missing_is_told_before_anything_is_sent(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    ground.act(HUB, "revoke", "deals", [])
    (one,) = live(ground, "deals")[:1]
    plan = hub().plan("delete", refs([one]), reason="tried", code="stale")
    assert plan.blocked
    assert any(f.code == "rights" and "deals" in f.summary for f in plan.findings)
    assert not [line for line in ground.arrived(HUB) if line.write]


def test_doctor_tells_scopes_marker_version_and_the_announced_ends(
    ground: SimulatedGround, hub: Callable[..., Bridge]
) -> None:
    lines = {line.name: line for line in hub().doctor(HUB)}
    told = ("account", "scopes", "sensitive properties", "marker", "path version", "quota")
    assert all(lines[name].ok for name in told), lines
    version = lines["path version"].summary
    for words in ("v3", "2027-03-30", "September 2027", "2027-02-16"):
        assert words in version
    assert MARKER in lines["marker"].summary


def test_doctor_says_when_a_version_in_use_has_ended(ground: SimulatedGround) -> None:
    ground.turn(HUB, timedelta(days=160))
    benches = [connect(HubspotAdapter, ground, HUB, path_version=v) for v in VERSIONS]
    old, new = ({name: ok for name, ok, _ in b.adapter.examine()} for b in benches)
    assert not old["path version"]
    assert new["path version"]


# --- finding -------------------------------------------------------------------------------------


def test_a_search_narrows_and_what_it_finds_is_read_by_id(bench: Bench) -> None:
    some = bench.live("contacts")
    name = some[0].fields["lastname"]
    start = bench.last()
    found = {r.ref.id for r in bench.adapter.find("contacts", [Condition("lastname", "=", name)])}
    assert found == {t.id for t in some if t.fields.get("lastname") == name}
    paths = [line.path.rpartition("/")[2] for line in bench.arrived(start)]
    assert "search" in paths
    assert paths[-1] == "read"


def test_text_is_found_where_hubspot_wants_it_in_lower_case(
    ground: SimulatedGround, bench: Bench
) -> None:
    ground.switch("in_lowercase", True)
    names = tuple({t.fields["lastname"] for t in bench.live("contacts")
                   if t.fields.get("lastname")})[:3]  # fmt: skip
    found = {r.ref.id for r in bench.adapter.find("contacts", [Condition("lastname", "in", names)])}
    assert found == {t.id for t in bench.live("contacts") if t.fields.get("lastname") in names}


def test_moments_are_compared_as_moments(bench: Bench) -> None:
    from datetime import datetime

    deals = bench.live("deals")
    dates = sorted(datetime.fromisoformat(t.fields["closedate"]) for t in deals)
    middle = dates[len(dates) // 2]
    found = {r.ref.id for r in bench.adapter.find("deals", [Condition("closedate", "<", middle)])}
    assert found == {t.id for t in deals if datetime.fromisoformat(t.fields["closedate"]) < middle}


def test_a_query_of_hubspots_own_is_handed_through(bench: Bench) -> None:
    name = bench.live("deals")[0].fields["dealname"]
    native = json.dumps({"filterGroups": [{"filters": [
        {"propertyName": "dealname", "operator": "EQ", "value": name}]}]})  # fmt: skip
    found = {r.fields["dealname"] for r in bench.adapter.find("deals", native=native)}
    assert found == {name}


def test_a_custom_object_is_one_kind_however_it_is_spelled(bench: Bench) -> None:
    bench.adapter.whoami()
    assert {bench.adapter.spell_kind(k) for k in ("p_projects", "2-9000001")} == {"2-9000001"}
    assert {bench.adapter.spell_kind(k) for k in ("0-1", "contact", "contacts")} == {"contacts"}
    (ref,) = bench.plain("2-9000001", 1)
    assert bench.adapter.page(ref, State.DELETED).endswith("/restore/2-9000001")
    list(bench.adapter.delete(bench.batch(None, [ref])))
    assert bench.read([ref])[ref].state is State.DELETED
