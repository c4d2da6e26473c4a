"""The street end to end, over a CRM in memory: what is asked for happens, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest

from crm_bridge.adapter import Adapter
from crm_bridge.bridge import Bridge
from crm_bridge.engine.history import History
from crm_bridge.engine.leftover import Leftover
from crm_bridge.errors import PlanBlocked, PlanMoved, Rejected, SettingsError
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.abilities import CascadeRule
from crm_bridge.model.plans import Batch, Severity
from crm_bridge.model.records import Record, RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.testing.memory import MemoryAdapter
from crm_bridge.testing.world import World

WHY = {"reason": "left the market", "code": "left"}


def refs(world: World, kind: str, count: int) -> list[str]:
    """Addresses of live records without awkward states."""
    found = [
        e.id
        for e in world["mem"].records.values()
        if e.kind == kind and e.state == "live" and not e.locked
    ]
    return [f"mem:{kind}/{one}" for one in found[:count]]


def state(world: World, ref: str) -> str:
    return world["mem"].records[ref.partition("/")[2]].state.value


def writes(world: World) -> list[str]:
    return [one for line in world.arrived("mem") if line.write for one in line.ids]


def test_a_delete_takes_what_it_names_and_what_it_announced(world: World, bridge: Bridge) -> None:
    company = next(e for e in world["mem"].records.values() if e.kind == "Company")
    notes = list(world["mem"].hanging([company.id], "Note", "company"))
    before = world.truth("mem")
    plan = bridge.plan("delete", [f"mem:Company/{company.id}"], **WHY)
    touch = {t.rule.child: t.count for t in plan.touches}
    assert touch.get("Note", 0) == len(notes)
    receipt = bridge.apply(plan)
    assert receipt.ok
    after = world.truth("mem")
    gone = {one for one in after if after[one].state != before[one].state}
    assert gone == {("Company", company.id), *(("Note", n.id) for n in notes)}


def test_a_run_that_is_restored_is_equal_to_what_was_before(world: World, bridge: Bridge) -> None:
    before = world.truth("mem")
    receipt = bridge.apply(bridge.plan("delete", refs(world, "Company", 10), **WHY))
    assert receipt.counts[Verdict.DONE] == 10
    back = bridge.apply(bridge.plan("restore", receipt))
    assert back.ok, [o for o in back.outcomes if o.problem]
    now = world.truth("mem")
    for one, was in before.items():
        free = {k: v for k, v in was.fields.items() if k not in was.vendor_set}
        assert {k: v for k, v in now[one].fields.items() if k not in was.vendor_set} == free
        assert now[one].state == was.state


@pytest.mark.parametrize("operation", ["void", "archive"])
def test_a_mark_is_written_and_taken_off_again(
    world: World, bridge: Bridge, operation: str
) -> None:
    some = refs(world, "Lead", 5)
    receipt = bridge.apply(bridge.plan(operation, some, **WHY))
    assert receipt.counts[Verdict.DONE] == 5
    word = {"void": "void", "archive": "archived"}[operation]
    assert all(
        world["mem"].records[r.partition("/")[2]].fields["crm_bridge_status"] == word for r in some
    )
    assert [
        r.ref for r in bridge.find("mem:Lead", state={"void": "voided"}.get(operation, "archived"))
    ]
    back = bridge.apply(bridge.plan("restore", receipt.run))
    assert back.ok
    assert not any(
        "crm_bridge_status" in world["mem"].records[r.partition("/")[2]].fields for r in some
    )


def test_what_somebody_changed_since_a_mark_is_skipped_with_both_values(
    world: World, bridge: Bridge
) -> None:
    some = refs(world, "Lead", 3)
    receipt = bridge.apply(bridge.plan("void", some, **WHY))
    world.act(
        "mem", "edit", "Lead", [some[0].partition("/")[2]], fields={"crm_bridge_status": "theirs"}
    )
    back = bridge.apply(bridge.plan("restore", receipt))
    told = {str(o.ref): o for o in back.outcomes}
    assert told[some[0]].verdict is Verdict.SKIPPED
    assert told[some[0]].problem.code == "changed"
    assert "theirs" in told[some[0]].problem.message
    assert back.counts[Verdict.DONE] == 2


def test_each_sort_of_record_gets_its_own_verdict(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 6)
    ids = [r.partition("/")[2] for r in some]
    world.act("mem", "lock", "Lead", [ids[0]])
    world.act("mem", "delete", "Lead", [ids[1]])
    world.act("mem", "require_approval", "Lead", [ids[2]])
    targets = [*some, some[3], "mem:Lead/ld-999999"]
    plan = bridge.plan("delete", targets, **WHY)
    assert [f.count for f in plan.findings if f.code == "doubles"] == [1]
    receipt = bridge.apply(plan)
    told = {
        str(o.ref): (o.verdict.value, o.problem.code if o.problem else None)
        for o in receipt.outcomes
    }
    assert told[some[0]] == ("skipped", "locked")
    assert told[some[1]][0] == "already"
    assert told[some[2]][0] == "pending"
    assert told["mem:Lead/ld-999999"] == ("failed", "not_found")
    assert [told[r][0] for r in some[3:]] == ["done"] * 3
    assert sum(receipt.counts.values()) == plan.counts.records == 7
    world.act("mem", "approve", "Lead", [ids[2]])
    again = bridge.verify(receipt.run)
    assert {str(o.ref): o.verdict.value for o in again.outcomes}[some[2]] == "done"
    assert again.counts[Verdict.DONE] == 4


def test_what_was_locked_since_the_plan_is_left_alone_and_never_sent(
    world: World, bridge: Bridge, tmp_path: Path, open_bridge: Callable[..., Bridge]
) -> None:
    some = refs(world, "Lead", 3)
    plan = bridge.plan("delete", some, **WHY)
    bridge.save_plan(plan, tmp_path / "plan.json")
    world.act("mem", "lock", "Lead", [some[0].partition("/")[2]])
    with pytest.raises(PlanMoved) as refused:
        open_bridge().apply(tmp_path / "plan.json")
    assert [(str(ref), how) for ref, how in refused.value.moved] == [(some[0], "was locked")]
    receipt = bridge.apply(plan)
    told = {str(o.ref): (o.verdict.value, o.problem and o.problem.code) for o in receipt.outcomes}
    assert told[some[0]] == ("skipped", "locked")
    assert receipt.counts[Verdict.DONE] == 2
    assert some[0].partition("/")[2] not in writes(world)


def test_a_lost_answer_is_settled_by_a_read_and_never_sent_twice(
    world: World, bridge: Bridge
) -> None:
    some = refs(world, "Lead", 4)
    plan = bridge.plan("delete", some, **WHY)
    world.trouble("mem", "cut_after", on="delete")
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.DONE] == 4
    assert sorted(writes(world)) == sorted(r.partition("/")[2] for r in some)


def test_a_write_that_surely_did_not_arrive_is_sent_once_more(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 4)
    plan = bridge.plan("delete", some, **WHY)
    world.trouble("mem", "cut_before", on="delete")
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.DONE] == 4
    assert all(state(world, r) == "deleted" for r in some)


def test_said_done_and_not_done_is_failed(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 2)
    plan = bridge.plan("delete", some, **WHY)
    world.trouble("mem", "lies_done", on="delete")
    receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.FAILED] == 2
    assert {o.problem.code for o in receipt.outcomes} == {"not_applied"}


def test_said_refused_and_done_is_done(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 2)
    plan = bridge.plan("delete", some, **WHY)
    world.trouble("mem", "lies_failed", on="delete")
    assert bridge.apply(plan).counts[Verdict.DONE] == 2


def test_a_plan_that_was_applied_finds_everything_done_and_sends_nothing(
    world: World, bridge: Bridge, open_bridge: Callable[..., Bridge], tmp_path: Path
) -> None:
    plan = bridge.plan("delete", refs(world, "Lead", 3), **WHY)
    bridge.save_plan(plan, tmp_path / "plan")
    bridge.apply(plan)
    before = len(world.arrived("mem"))
    again = open_bridge().apply(tmp_path / "plan")
    assert again.ok
    assert again.note
    assert len(world.arrived("mem")) == before


def test_what_changed_since_the_plan_is_skipped(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 3)
    plan = bridge.plan("delete", some, **WHY)
    world.act("mem", "edit", "Lead", [some[0].partition("/")[2]], fields={"name": "another"})
    receipt = bridge.apply(plan)
    told = {str(o.ref): o for o in receipt.outcomes}
    assert (told[some[0]].verdict, told[some[0]].problem.code) == (Verdict.SKIPPED, "changed")
    assert state(world, some[0]) == "live"
    assert receipt.counts[Verdict.DONE] == 2


def test_a_purge_is_refused_without_the_text_that_the_plan_prints(
    world: World, bridge: Bridge
) -> None:
    some = refs(world, "Lead", 1)
    bridge.apply(bridge.plan("delete", some, **WHY))
    plan = bridge.plan("purge", some, **WHY)
    assert plan.confirm == "mem 1"
    assert plan.irreversible
    with pytest.raises(PlanBlocked) as caught:
        bridge.apply(plan)
    assert caught.value.code == "not_confirmed"
    assert state(world, some[0]) == "deleted"
    assert bridge.apply(plan, confirm="mem 1").counts[Verdict.DONE] == 1
    assert state(world, some[0]) == "gone"


def test_what_is_gone_is_made_anew_once_and_the_ids_are_mapped(
    world: World, bridge: Bridge
) -> None:
    owner = next(
        e for e in world["mem"].records.values() if e.kind == "Contact" and "company" in e.fields
    )
    one = owner.fields["company"]
    company = [f"mem:Company/{one}"]
    tied = {e.id for e in world["mem"].hanging([one], "Contact", "company")}
    notes = len(world["mem"].hanging([one], "Note", "company"))
    receipt = bridge.apply(bridge.plan("delete", company, **WHY))
    was = dict(world["mem"].records[company[0].partition("/")[2]].fields)
    world.turn("mem", timedelta(days=31))
    plain = bridge.plan("restore", receipt.run)
    assert plain.blocked
    with pytest.raises(PlanBlocked):
        bridge.apply(plain)
    back = bridge.apply(bridge.plan("restore", receipt.run, remake=True))
    outcome = next(iter(back.outcomes))
    assert outcome.verdict is Verdict.DONE
    assert outcome.new_ref is not None
    made = world["mem"].records[outcome.new_ref.id].fields
    assert {k: made[k] for k in was if k not in ("revision", "made_from")} == {
        k: v for k, v in was.items() if k not in ("revision", "made_from")
    }
    new = outcome.new_ref.id
    assert {e.id for e in world["mem"].hanging([new], "Contact", "company")} == tied
    assert len(world["mem"].hanging([new], "Note", "company")) == notes
    again = bridge.apply(bridge.plan("restore", receipt.run, remake=True))
    told = next(iter(again.outcomes))
    assert (told.verdict, told.new_ref) == (Verdict.ALREADY, outcome.new_ref)


def test_more_records_than_the_cap_stop_before_the_first_effect(
    world: World, bridge: Bridge
) -> None:
    plan = bridge.plan("delete", refs(world, "Lead", 5), limit_records=4, **WHY)
    assert [f.code for f in plan.findings if f.severity is Severity.ERROR] == ["limit_records"]
    with pytest.raises(PlanBlocked):
        bridge.apply(plan)
    assert writes(world) == []


def test_a_bare_kind_and_an_empty_list_are_refused(world: World, bridge: Bridge) -> None:
    for targets in ("mem:Lead", [], "mem:Lead/../x", "mem:Leed/ld-000001", "mem:Lead/de-000001"):
        with pytest.raises(SettingsError):
            bridge.plan("delete", targets, **WHY)
    assert world.arrived("mem") == []


def test_another_org_than_the_plans_is_refused_before_anything_is_read(
    world: World, bridge: Bridge, open_bridge: Callable[..., Bridge]
) -> None:
    plan = bridge.plan("delete", refs(world, "Lead", 1), **WHY)
    other = open_bridge()
    dict(other.config.crms)["mem"]["account"] = "mem2"
    with pytest.raises(PlanBlocked) as caught:
        other.apply(plan)
    assert caught.value.code == "wrong_target"
    assert {line.path for line in world.arrived("mem2")} <= {"/whoami"}


def test_what_is_protected_is_left_alone(world: World, open_bridge: Callable[..., Bridge]) -> None:
    bridge = open_bridge()
    some = refs(world, "Lead", 2)
    name = world["mem"].records[some[0].partition("/")[2]].fields["name"]
    bridge.config.crms["mem"]["protect"] = {"where": [f'name = "{name}"']}
    receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    assert {str(o.ref): o.verdict for o in receipt.outcomes}[some[0]] is Verdict.SKIPPED
    assert state(world, some[0]) == "live"


def stopped_half_way(world: World, open_bridge: Callable[..., Bridge]) -> tuple[str, list[str]]:
    """A run over 30 leads that was stopped after its first answer, and the leads."""
    some = refs(world, "Lead", 30)
    holder: list[Bridge] = []

    class Stopper:
        from crm_bridge.hookspecs import hookimpl

        @hookimpl
        def observe(self, event: object) -> None:
            if getattr(event, "stage", "") == "answer":
                holder[0].stop()

    bridge = open_bridge(Stopper())
    holder.append(bridge)
    receipt = bridge.apply(bridge.plan("delete", some, limit_share=1.0, **WHY))
    assert receipt.halted == "signal"
    return receipt.run, some


def test_a_stop_leaves_a_run_that_resume_finishes(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    run, some = stopped_half_way(world, open_bridge)
    after = open_bridge().resume(run)
    assert after.counts[Verdict.DONE] == 30
    assert sorted(writes(world)) == sorted(r.partition("/")[2] for r in some)


def test_a_run_that_was_undone_is_not_gone_on_with(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    run, some = stopped_half_way(world, open_bridge)
    bridge = open_bridge()
    back = bridge.apply(bridge.plan("restore", run))
    sent = writes(world)
    with pytest.raises(PlanBlocked) as refused:
        open_bridge().resume(run)
    assert (refused.value.code, refused.value.exit_code) == ("undone", 4)
    assert back.run in refused.value.summary
    assert writes(world) == sent
    assert {state(world, ref) for ref in some} == {"live"}


def test_a_run_of_which_only_some_came_back_can_be_gone_on_with(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    run, some = stopped_half_way(world, open_bridge)
    bridge = open_bridge()
    done = [o.ref for o in bridge.receipt(run).outcomes if o.verdict is Verdict.DONE]
    bridge.apply(bridge.plan("restore", run, only=done[:1]))
    open_bridge().resume(run)
    left = [ref for ref in some if state(world, ref) == "live"]
    assert left == [str(done[0])]


def test_runs_tell_what_was_done_and_by_whom(world: World, bridge: Bridge) -> None:
    receipt = bridge.apply(bridge.plan("delete", refs(world, "Lead", 2), **WHY))
    run = bridge.runs()[0]
    assert (run.run, run.by, run.reason, run.code, run.state) == (
        receipt.run,
        "tester",
        "left the market",
        "left",
        "finished",
    )
    assert run.counts[Verdict.DONE] == 2
    assert bridge.receipt(receipt.run).counts == receipt.counts
    assert bridge.check_journal().ok


def test_expiring_lists_exactly_what_ends_within(world: World, bridge: Bridge) -> None:
    receipt = bridge.apply(bridge.plan("delete", refs(world, "Lead", 2), **WHY))
    assert bridge.expiring("7d") == []
    world.turn("mem", timedelta(days=25))
    bridge.close()
    assert [(e.run, e.kind, e.count) for e in bridge.expiring("7d")] == [(receipt.run, "Lead", 2)]


def test_a_saved_plan_names_what_moved_and_sends_nothing(
    world: World, bridge: Bridge, open_bridge: Callable[..., Bridge], tmp_path: Path
) -> None:
    some = refs(world, "Company", 8)
    bridge.save_plan(bridge.plan("delete", some, **WHY), tmp_path / "plan")
    ids = [r.partition("/")[2] for r in some]
    world.act("mem", "edit", "Company", [ids[0]], fields={"name": "another"})
    world.act("mem", "delete", "Company", [ids[1]])
    world["mem"].add("Note", name="new", company=ids[2])
    sent = len(writes(world))
    later = open_bridge()
    plan = later.load_plan(tmp_path / "plan")
    with pytest.raises(PlanMoved) as caught:
        later.apply(plan)
    assert {str(ref) for ref, _ in caught.value.moved} == set(some[:3])
    assert len(writes(world)) == sent
    assert later.runs() == []
    rest = later.apply(later.replan(plan, without=[ref for ref, _ in caught.value.moved]))
    assert rest.counts[Verdict.DONE] == 5
    assert state(world, some[0]) == "live"
    last = later.apply(later.replan(plan))
    assert last.counts[Verdict.DONE] + last.counts[Verdict.ALREADY] == 8


def test_a_saved_plan_that_did_not_move_reads_each_record_once_before_it_is_sent(
    world: World, bridge: Bridge, open_bridge: Callable[..., Bridge], tmp_path: Path
) -> None:
    some = refs(world, "Lead", 8)
    bridge.save_plan(bridge.plan("delete", some, **WHY), tmp_path / "plan")
    before = len(world.arrived("mem"))
    receipt = open_bridge().apply(tmp_path / "plan")
    assert receipt.counts[Verdict.DONE] == 8
    reads = [line for line in world.arrived("mem", before) if line.path == "/read"]
    assert len(reads) == 2  # once before, once after


def test_what_is_held_is_out_of_reach_until_it_is_released(world: World, bridge: Bridge) -> None:
    some = refs(world, "Lead", 2)
    bridge.hold(some[0], "a lawsuit")
    receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    told = {str(o.ref): o for o in receipt.outcomes}
    assert (told[some[0]].verdict, told[some[0]].problem.code) == (Verdict.SKIPPED, "held")
    assert "a lawsuit" in told[some[0]].problem.message
    bridge.release(some[0], "it is over")
    assert bridge.apply(bridge.plan("delete", some[:1], **WHY)).counts[Verdict.DONE] == 1


def test_related_records_are_taken_along_in_the_order_that_blocks_nothing(
    world: World, bridge: Bridge
) -> None:
    world["mem"].blocking = True
    deal = next(
        e for e in world["mem"].records.values() if e.kind == "Deal" and "company" in e.fields
    )
    company = deal.fields["company"]
    deals = {e.id for e in world["mem"].hanging([company], "Deal", "company")}
    plan = bridge.plan("delete", [f"mem:Company/{company}"], with_children=["Deal"], **WHY)
    assert [step.kind for step in plan.steps] == ["Deal", "Company"]
    assert {ref.id for ref in plan.steps[0].refs} == deals
    assert bridge.apply(plan).counts[Verdict.DONE] == 1 + len(deals)


def test_what_something_keeps_from_going_is_left_alone_and_named(
    world: World, bridge: Bridge
) -> None:
    world["mem"].blocking = True
    deal = next(
        e for e in world["mem"].records.values() if e.kind == "Deal" and "company" in e.fields
    )
    blocked = f"mem:Company/{deal.fields['company']}"
    plan = bridge.plan("delete", [blocked, *refs(world, "Lead", 1)], **WHY)
    touch = next(t for t in plan.touches if t.rule.effect.value == "blocks")
    assert deal.id in {ref.id for ref in touch.refs}
    receipt = bridge.apply(plan)
    told = {str(o.ref): o for o in receipt.outcomes}[blocked]
    assert (told.verdict, told.problem.code) == (Verdict.SKIPPED, "blocked")
    assert receipt.counts[Verdict.DONE] == 1
    assert deal.fields["company"] not in writes(world)


def test_what_was_made_anew_with_its_parent_is_not_made_again_by_a_resume(
    world: World, open_bridge: Callable[..., Bridge], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A vendor that cannot tell what was made from what: only the journal knows.
    monkeypatch.setattr(MemoryAdapter, "twin", Adapter.twin)
    note = next(
        e for e in world["mem"].records.values() if e.kind == "Note" and "company" in e.fields
    )
    one = note.fields["company"]
    notes = len(world["mem"].hanging([one], "Note", "company"))
    bridge = open_bridge()
    receipt = bridge.apply(bridge.plan("delete", [f"mem:Company/{one}"], **WHY))
    world.turn("mem", timedelta(days=31))
    plan = bridge.plan("restore", receipt.run, remake=True)
    append = Journal.append

    def dies(journal: Journal, *entries: Entry) -> list[int]:
        if any(e.stage == "outcome" and e.kind == "Note" for e in entries):
            raise KeyboardInterrupt
        return append(journal, *entries)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", dies)
        with pytest.raises(KeyboardInterrupt):
            bridge.apply(plan)
    bridge.close()
    later = open_bridge()
    run = later.runs()[0].run
    told = next(iter(later.resume(run).outcomes))
    assert (told.verdict, told.new_ref is not None) == (Verdict.DONE, True)
    assert len(world["mem"].hanging([told.new_ref.id], "Note", "company")) == notes
    assert told.problem.code == "followers"


def test_of_many_what_hangs_on_one_that_moved_is_left_as_it_is(
    world: World, bridge: Bridge
) -> None:
    companies = [world["mem"].add("Company", name=f"c{n}") for n in range(130)]
    notes = [world["mem"].add("Note", company=ref.id, body="n") for ref in companies]
    plan = bridge.plan("delete", [str(ref) for ref in companies], limit_share=None, **WHY)
    world.act("mem", "edit", "Company", [companies[7].id], fields={"name": "another"})
    receipt = bridge.apply(plan, confirm=plan.confirm)
    told = {outcome.ref: outcome for outcome in receipt.outcomes}
    assert (told[companies[7]].verdict, told[companies[7]].problem.code) == (
        Verdict.SKIPPED,
        "changed",
    )
    assert receipt.counts[Verdict.DONE] == 129
    kept = bridge.history.journal.followers(receipt.run, companies)
    assert {s.record.ref for some in kept.values() for s in some} == {*notes} - {notes[7]}
    states = [world["mem"].records[note.id].state.value for note in notes]
    assert states == ["deleted"] * 7 + ["live"] + ["deleted"] * 122


def test_what_follows_a_little_later_than_its_parent_is_looked_at_again(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = world["mem"]
    company = tenant.add("Company", name="late")
    notes = [tenant.add("Note", company=company.id, body="n") for _ in range(3)]
    plan = bridge.plan("delete", [str(company)], **WHY)
    before = {note.id: deepcopy(tenant.records[note.id]) for note in notes}
    delete = tenant.delete

    def lagging(one: str) -> str:
        code = delete(one)
        tenant.stale.update({id_: (entry, 1) for id_, entry in before.items()})
        return code

    monkeypatch.setattr(tenant, "delete", lagging)
    (outcome,) = bridge.apply(plan).outcomes
    assert (outcome.verdict, outcome.problem) == (Verdict.DONE, None)
    # Without the second look all three would have been told to have stayed.
    assert not tenant.stale


def test_a_plan_of_many_reaches_what_plans_of_each_would(world: World, bridge: Bridge) -> None:
    companies = [world["mem"].add("Company", name=f"c{n}") for n in range(120)]
    for n, company in enumerate(companies):
        for kind in ("Note", "Contact", "Deal")[: n % 4]:
            world["mem"].add(kind, company=company.id, name=f"{kind} {n}")
    many = bridge.plan("delete", [str(ref) for ref in companies], limit_share=None, **WHY)
    found = {(touch.rule, ref) for touch in many.touches for ref in touch.refs}
    each: set[tuple[CascadeRule, RecordRef]] = set()
    for part in (companies[:60], companies[60:]):
        plan = bridge.plan("delete", [str(ref) for ref in part], limit_share=None, **WHY)
        each |= {(touch.rule, ref) for touch in plan.touches for ref in touch.refs}
    assert found == each
    assert sum(touch.count or 0 for touch in many.touches) == len(found) == 150


def test_of_many_one_that_is_gone_since_keeps_nobody_else_from_going(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = world["mem"]
    companies = [tenant.add("Company", name=f"c{n}") for n in range(130)]
    notes = [tenant.add("Note", company=ref.id, body="n") for ref in companies]
    plan = bridge.plan("delete", [str(ref) for ref in companies], limit_share=None, **WHY)
    world.act("mem", "delete", "Company", [companies[7].id])
    children = MemoryAdapter.children

    def strict(self: MemoryAdapter, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        if any(tenant.records[one].state.value != "live" for one in batch.ids):
            raise Rejected("the id given seems to be invalid")
        return children(self, batch, rule)

    monkeypatch.setattr(MemoryAdapter, "children", strict)
    receipt = bridge.apply(plan, confirm=plan.confirm)
    assert (receipt.halted, receipt.counts[Verdict.DONE]) == (None, 129)
    assert receipt.counts[Verdict.ALREADY] == 1
    kept = bridge.history.journal.followers(receipt.run, companies)
    assert {s.record.ref for some in kept.values() for s in some} == {*notes} - {notes[7]}


def test_of_many_a_child_that_names_nobody_is_given_to_none_that_it_does_not_hang_on(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = world["mem"]
    companies = [tenant.add("Company", name=f"c{n}") for n in range(130)]
    note = tenant.add("Note", company=companies[7].id, body="n")
    plan = bridge.plan("delete", [str(ref) for ref in companies], limit_share=None, **WHY)
    world.act("mem", "edit", "Company", [companies[7].id], fields={"name": "another"})
    children = MemoryAdapter.children

    def nameless(self: MemoryAdapter, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        for child in children(self, batch, rule):
            yield dataclasses.replace(child, fields={"body": "n"}, links=())

    monkeypatch.setattr(MemoryAdapter, "children", nameless)
    receipt = bridge.apply(plan, confirm=plan.confirm)
    assert (receipt.counts[Verdict.DONE], receipt.counts[Verdict.SKIPPED]) == (129, 1)
    assert bridge.history.journal.followers(receipt.run, companies) == {}
    assert state(world, str(note)) == "live"


def test_a_run_under_way_is_counted_whole_though_a_page_was_written_meanwhile(
    world: World, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = bridge.apply(bridge.plan("delete", refs(world, "Lead", 12), **WHY))
    # As a process sees it that looked before the run wrote its last page.
    monkeypatch.setattr(History, "leftover", lambda self, run, step: Leftover())
    assert bridge.history.counted(receipt.run) == (dict(receipt.counts), 0)
