"""The core's promises, one by one, over the CRM in memory: each test names one way to do harm."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from crm_bridge.adapter import Account, Adapter
from crm_bridge.bridge import Bridge
from crm_bridge.cli.ending import code_of
from crm_bridge.engine.lock import OrgLock
from crm_bridge.errors import (
    BridgeError,
    Busy,
    JournalError,
    PlanBlocked,
    Rejected,
    Unauthorized,
    Unreachable,
)
from crm_bridge.journal.connection import Connection
from crm_bridge.journal.pages import Frame
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.records import Link, RecordRef, State
from crm_bridge.model.results import Outcome, Receipt, Verdict, done, failed
from crm_bridge.testing.memory import MemoryAdapter
from crm_bridge.testing.world import Tenant, World
from tests.safety.dying import Death, Died, one_lane
from tests.safety.ground import order

WHY = {"reason": "left the market", "code": "left"}


@pytest.fixture(autouse=True)
def in_one_lane() -> Iterator[None]:
    with one_lane():
        yield


def leads(world: World, count: int) -> list[str]:
    found = [e.id for e in world["mem"].records.values() if e.kind == "Lead" and e.state == "live"]
    return [f"mem:Lead/{one}" for one in found[:count]]


def id_of(ref: str) -> str:
    return ref.partition("/")[2]


def writes(world: World) -> list[tuple[str, str]]:
    return [(line.method, one) for line in world["mem"].log if line.write for one in line.ids]


def state(world: World, ref: str) -> str:
    return world["mem"].records[id_of(ref)].state.value


def test_nothing_leaves_before_its_snapshot_and_its_intent(world: World, bridge: Bridge) -> None:
    plan = bridge.plan("delete", leads(world, 3), **WHY)
    known: list[tuple[set[str], set[str]]] = []
    request = Tenant.request

    def watched(tenant: Tenant, token: int, verb: str, ids: Any, *args: Any, **more: Any) -> Any:
        if more.get("write"):
            journal = bridge.history.journal
            run = journal.find_plan(plan.digest) or ""
            kept = journal.snapshots(run, [ref for s in plan.steps for ref in s.refs])
            intended = {i for w in journal.entries(run, ("intent",)) for i in w.entry.body["ids"]}
            known.append(({ref.id for ref in kept}, intended))
            assert set(ids) <= {ref.id for ref in kept}
            assert set(ids) <= intended
        return request(tenant, token, verb, ids, *args, **more)

    with patch.object(Tenant, "request", watched):
        assert bridge.apply(plan).ok
    assert known
    assert order(list(bridge.export_journal())) == []


def test_a_snapshot_that_reads_back_otherwise_stops_before_a_send(
    world: World, bridge: Bridge
) -> None:
    plan = bridge.plan("delete", leads(world, 3), **WHY)
    prove = Journal._prove

    def rotten(journal: Journal, n: int, frames: list[Frame]) -> None:
        prove(journal, n, [dataclasses.replace(f, lines_sha256=b"\0" * 32) for f in frames])

    with patch.object(Journal, "_prove", rotten), pytest.raises(JournalError):
        bridge.apply(plan)
    assert writes(world) == []


def test_a_disk_that_gives_back_something_else_is_found_out(world: World, bridge: Bridge) -> None:
    plan = bridge.plan("delete", leads(world, 3), **WHY)
    run = Connection.run

    def bad(connection: Connection, text: str, values: Any = ()) -> Any:
        if "INSERT INTO frames" in text:
            connection._sql.exec_driver_sql(text, values)
            return connection._sql.exec_driver_sql("UPDATE frames SET data = x'00'") and ()
        return run(connection, text, values)

    with patch.object(Connection, "run", bad), pytest.raises(JournalError):
        bridge.apply(plan)
    assert writes(world) == []


@pytest.mark.parametrize("fault", ["cut_after", "page", "torn"])
def test_a_write_whose_answer_was_lost_is_not_sent_again(
    world: World, bridge: Bridge, fault: str
) -> None:
    world.trouble("mem", fault, on="write")
    receipt = bridge.apply(bridge.plan("delete", leads(world, 3), **WHY))
    assert receipt.ok
    assert max(Counter(writes(world)).values()) == 1


def test_a_ghost_within_the_settle_time_is_waited_for(
    world: World, open_bridge: Callable[..., Bridge], clock: Any
) -> None:
    """The first request arrives 1.5 s late; a second one sent before that would have been double."""
    late: list[tuple[float, Callable[[], Any]]] = []
    request, sleep = Tenant.request, clock.sleep

    def slow(tenant: Tenant, token: int, verb: str, ids: Any, effect: Any, **more: Any) -> Any:
        if more.get("write") and not late:
            late.append(
                (clock.now + 1.5, lambda: request(tenant, token, verb, ids, effect, **more))
            )
            raise Unreachable("no answer came.")
        return request(tenant, token, verb, ids, effect, **more)

    def passing(seconds: float) -> None:
        sleep(seconds)
        for number, (at, call) in enumerate(list(late)):
            if at <= clock.now:
                late[number] = (float("inf"), call)
                call()

    clock.sleep = passing
    bridge = open_bridge()
    with patch.object(Tenant, "request", slow):
        receipt = bridge.apply(bridge.plan("delete", leads(world, 3), **WHY))
    assert receipt.ok
    assert max(Counter(writes(world)).values()) == 1


def test_two_lost_answers_of_what_was_not_done_are_never_told_as_done(
    world: World, bridge: Bridge
) -> None:
    some = leads(world, 2)
    world.trouble("mem", "cut_before", on="write", times=2)
    receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    assert all(state(world, ref) == "live" for ref in some)
    assert receipt.counts[Verdict.DONE] == 0


@pytest.mark.parametrize("fault", ["wrong_ids", "rows_missing"])
def test_rows_that_do_not_fit_are_read_back_and_not_believed(
    world: World, bridge: Bridge, fault: str
) -> None:
    some = leads(world, 4)
    world["mem"].records[id_of(some[0])].locked = False
    world.trouble("mem", fault, on="write")
    receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    assert receipt.ok
    assert max(Counter(writes(world)).values()) == 1
    seen = [line for line in bridge.export_journal() if line["ev"] == "outcome"]
    assert "unknown" in {line["evidence"] for line in seen}


def test_rows_beyond_those_that_were_asked_for_make_the_batch_unknown(
    world: World, bridge: Bridge
) -> None:
    plan = bridge.plan("delete", leads(world, 3), **WHY)
    each = MemoryAdapter._each

    def more(self: MemoryAdapter, *args: Any) -> Iterator[Outcome]:
        rows = list(each(self, *args))
        yield from [
            *rows,
            dataclasses.replace(rows[0], ref=dataclasses.replace(rows[0].ref, id="x")),
        ]

    with patch.object(MemoryAdapter, "_each", more):
        assert bridge.apply(plan).ok
    told = [line["evidence"] for line in bridge.export_journal() if line["ev"] == "outcome"]
    assert told == ["unknown"] * 3
    assert max(Counter(writes(world)).values()) == 1


def test_rows_in_another_order_are_matched_by_their_ids(world: World, bridge: Bridge) -> None:
    some = leads(world, 3)
    plan = bridge.plan("delete", some, **WHY)
    world.act("mem", "require_approval", "Lead", [id_of(some[0])])
    each = MemoryAdapter._each

    def turned(self: MemoryAdapter, *args: Any) -> Iterator[Outcome]:
        yield from reversed(list(each(self, *args)))

    with patch.object(MemoryAdapter, "_each", turned):
        receipt = bridge.apply(plan)
    told = {str(o.ref): o.verdict.value for o in receipt.outcomes}
    assert told == {some[0]: "pending", some[1]: "done", some[2]: "done"}
    answers = {
        line["id"]: line["evidence"] for line in bridge.export_journal() if line["ev"] == "outcome"
    }
    assert set(answers.values()) == {"applied"}


def test_an_adapter_that_says_done_and_sent_nothing_is_not_believed(
    world: World, bridge: Bridge
) -> None:
    some = leads(world, 2)
    plan = bridge.plan("delete", some, **WHY)
    with patch.object(MemoryAdapter, "delete", lambda self, batch, job=None: map(done, batch)):
        receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.DONE] == 0
    assert all(state(world, ref) == "live" for ref in some)


def test_an_adapter_cannot_write_what_the_plan_does_not_name(world: World, bridge: Bridge) -> None:
    some = leads(world, 3)
    plan = bridge.plan("delete", some[:2], **WHY)
    plain = MemoryAdapter.delete

    def more(self: MemoryAdapter, batch: Any, job: Any = None) -> Any:
        other = dataclasses.replace(batch.refs[0], id=id_of(some[2]))
        return plain(self, dataclasses.replace(batch, refs=(*batch.refs, other)), job)

    with patch.object(MemoryAdapter, "delete", more):
        receipt = bridge.apply(plan)
    assert state(world, some[2]) == "live"
    assert receipt.counts[Verdict.DONE] == 0


def test_a_read_that_answers_for_another_record_keeps_and_sends_nothing(
    world: World, bridge: Bridge
) -> None:
    some = leads(world, 2)
    plan = bridge.plan("delete", some, **WHY)
    read = MemoryAdapter.read

    def swapped(self: MemoryAdapter, batch: Any) -> Any:
        found = list(read(self, batch))
        other = dataclasses.replace(found[0].ref, id="ld-000999")
        return [dataclasses.replace(found[0], ref=other), *found[1:]]

    with patch.object(MemoryAdapter, "read", swapped):
        receipt = bridge.apply(plan)
    assert writes(world) == []
    assert receipt.counts[Verdict.SKIPPED] == 2


def test_a_child_that_came_since_the_plan_keeps_its_parent(world: World, bridge: Bridge) -> None:
    company = next(e.id for e in world["mem"].records.values() if e.kind == "Company")
    plan = bridge.plan("delete", [f"mem:Company/{company}"], **WHY)
    world["mem"].add("Note", name="late", company=company)
    receipt = bridge.apply(plan)
    assert [o.problem.code for o in receipt.outcomes] == ["changed"]
    assert writes(world) == []


def test_a_second_run_on_one_org_is_told_who_holds_it(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    first, second = open_bridge(), open_bridge()
    plan = first.plan("delete", leads(world, 2), **WHY)
    other = second.plan("delete", leads(world, 4)[2:], **WHY)
    told: list[PlanBlocked] = []
    request = Tenant.request

    def meanwhile(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        if more.get("write") and not told:
            with pytest.raises(PlanBlocked) as refused:
                second.apply(other)
            told.append(refused.value)
        return request(tenant, token, verb, *args, **more)

    with patch.object(Tenant, "request", meanwhile):
        assert first.apply(plan).ok
    assert told[0].code == "locked"
    assert "process" in told[0].summary
    assert len(writes(world)) == 2


def test_a_process_that_slept_through_its_lease_sends_nothing_more(
    world: World, bridge: Bridge, clock: Any
) -> None:
    plan = bridge.plan("delete", leads(world, 25), limit_share=None, **WHY)
    request = Tenant.request

    def asleep(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        answer = request(tenant, token, verb, *args, **more)
        if more.get("write"):
            clock.now += 61
        return answer

    with patch.object(Tenant, "request", asleep):
        receipt = bridge.apply(plan)
    assert len([line for line in world["mem"].log if line.write]) == 1
    assert receipt.halted == "lock"
    assert code_of(receipt) == 4
    assert bridge.resume(receipt.run).ok


def test_a_lock_is_held_while_it_is_renewed_and_lost_to_another(tmp_path: Path, clock: Any) -> None:
    args: dict[str, Any] = {"run": "r-1", "journal": "j", "lease": 60, "clock": clock}
    lock = OrgLock.take("v", "o", folder=tmp_path, **args)
    for _ in range(5):
        clock.now += 40
        lock.rest()
        lock.check()
    lock.path.write_text('{"epoch": 99}')
    clock.now += 40
    with pytest.raises(PlanBlocked, match="lost"):
        lock.check()
    lock.release(finished=True)


def test_an_unfinished_run_of_another_journal_is_finished_there_first(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    bridge = open_bridge()
    plan = bridge.plan("delete", leads(world, 2), **WHY)
    with Death(20).at_work(), pytest.raises(Died):
        bridge.apply(plan)
    bridge.close()
    other = open_bridge()
    other.config = dataclasses.replace(
        other.config, bridge=_with(other.config.bridge, journal="sqlite:///other.db")
    )
    with pytest.raises(PlanBlocked, match="unfinished"):
        other.apply(other.plan("delete", leads(world, 4)[3:], **WHY))
    assert open_bridge().apply(plan).ok


def _with(bridge: Any, **more: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(bridge, **more)


def test_what_was_read_too_long_ago_is_read_again_before_it_is_sent(
    world: World, bridge: Bridge, clock: Any
) -> None:
    plan = bridge.plan("delete", leads(world, 2), **WHY)
    keep, moved = Journal.keep_pages, []

    def slow(journal: Journal, *args: Any) -> None:
        keep(journal, *args)
        if not moved:
            moved.append(True)
            # Within the lease by its own beat, and longer than a read may be old.
            for _ in range(20):
                clock.now += 20
                _beat(bridge)

    with patch.object(Journal, "keep_pages", slow):
        receipt = bridge.apply(plan)
    reads = [line for line in world["mem"].log if line.method == "read"]
    assert receipt.ok
    first_write = next(n for n, line in enumerate(world["mem"].log) if line.write)
    assert sum(line.n <= first_write for line in reads) >= 3


def _beat(bridge: Bridge) -> None:
    bridge.accounts.connected("mem").lanes.beat()


def test_a_token_of_another_org_halts_before_the_next_write(world: World, bridge: Bridge) -> None:
    some = leads(world, 3)
    renew = MemoryAdapter.renew

    def for_another(self: MemoryAdapter) -> None:
        renew(self)
        self._tenant = world["mem2"]
        self._token = self._tenant.token

    world.trouble("mem", "expired", on="write")
    since = len(world["mem2"].log)
    with patch.object(MemoryAdapter, "renew", for_another):
        receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    assert not any(line.write for line in world["mem2"].log[since:])
    assert receipt.halted == "target"


def test_a_token_of_another_user_halts_before_the_next_write(world: World, bridge: Bridge) -> None:
    some = leads(world, 3)
    renew, whoami = MemoryAdapter.renew, MemoryAdapter.whoami
    renewed: list[int] = []

    def for_another(self: MemoryAdapter) -> None:
        renew(self)
        renewed.append(1)

    def named(self: MemoryAdapter) -> Account:
        account = whoami(self)
        return dataclasses.replace(account, user="somebody else") if renewed else account

    world.trouble("mem", "expired", on="write")
    with (
        patch.object(MemoryAdapter, "renew", for_another),
        patch.object(MemoryAdapter, "whoami", named),
    ):
        receipt = bridge.apply(bridge.plan("delete", some, **WHY))
    assert renewed
    assert receipt.halted == "target"
    assert all(state(world, one) == "live" for one in some)


def test_a_resume_waits_until_nothing_can_arrive_any_more(
    world: World, open_bridge: Callable[..., Bridge], clock: Any
) -> None:
    bridge = open_bridge()
    plan = bridge.plan("delete", leads(world, 2), **WHY)
    death = Death()

    def die_at_the_send(verb: str) -> None:
        if verb == "delete":
            death.die()

    death.during = die_at_the_send
    with death.at_work(), pytest.raises(Died):
        bridge.apply(plan)
    bridge.close()
    again, began, sent = open_bridge(), clock.now, []
    looking = Death(during=lambda verb: sent.append(clock.now) if verb == "read" else None)
    with looking.at_work():
        assert again.apply(plan).ok
    assert sent[0] - began > 1.0
    mine = [line["ev"] for line in again.export_journal() if line["id"] == id_of(leads_of(plan)[0])]
    assert mine.index("settle") < mine.index("readback") < len(mine) - mine[::-1].index("intent")


def leads_of(plan: Any) -> list[str]:
    return [str(ref) for step in plan.steps for ref in step.refs]


def gone_for_good(bridge: Bridge, some: Sequence[str]) -> Receipt:
    """Delete records and purge them; gives what the delete told, from which a remake goes."""
    first = bridge.apply(bridge.plan("delete", some, **WHY))
    purge = bridge.plan("purge", some, **WHY)
    bridge.apply(purge, confirm=purge.confirm)
    return first


def test_a_remake_whose_answer_was_lost_is_found_and_not_made_twice(
    world: World, bridge: Bridge
) -> None:
    first = gone_for_good(bridge, leads(world, 2))
    many = len(world["mem"].records)
    world.trouble("mem", "cut_after", on="create")
    receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert receipt.ok
    assert len(world["mem"].records) == many + 2


def test_after_a_failed_append_nothing_more_is_appended_or_sent(
    world: World, bridge: Bridge
) -> None:
    plan = bridge.plan("delete", leads(world, 25), limit_share=None, **WHY)
    append, failed = Journal.append, []

    def full(journal: Journal, *entries: Entry) -> list[int]:
        if entries and entries[0].stage == "outcome" and not failed:
            failed.append(True)
            with journal._guarded(), journal._connection.telling("written"):
                raise OSError(28, "No space left on device")
        return append(journal, *entries)

    with patch.object(Journal, "append", full), pytest.raises(JournalError):
        bridge.apply(plan)
    sent = len([line for line in world["mem"].log if line.write])
    with pytest.raises(JournalError):
        bridge.apply(bridge.plan("delete", leads(world, 2), **WHY))
    assert len([line for line in world["mem"].log if line.write]) == sent


def test_the_journal_syncs_each_commit(bridge: Bridge) -> None:
    connection = bridge.history.journal._connection
    assert connection.run("PRAGMA synchronous")[0][0] == 2
    assert connection.run("PRAGMA journal_mode")[0][0] == "wal"


def test_an_unknown_is_never_told_as_success(world: World, bridge: Bridge) -> None:
    plan = bridge.plan("delete", leads(world, 2), **WHY)
    request, lost = Tenant.request, []

    def dark(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        if lost:
            raise Unreachable("no answer came.")
        if more.get("write"):
            lost.append(True)
            raise Unreachable("no answer came.")
        return request(tenant, token, verb, *args, **more)

    with patch.object(Tenant, "request", dark):
        receipt = bridge.apply(plan)
    assert receipt.counts[Verdict.UNKNOWN] == 2
    assert code_of(receipt) == 5
    assert bridge.resume(receipt.run).ok


def test_what_breaks_down_stops_the_run_and_a_resume_finishes_it(
    world: World, bridge: Bridge
) -> None:
    some = leads(world, 30)
    plan = bridge.plan("delete", some, limit_share=None, **WHY)
    world.trouble("mem", "unwell", on="write", times=40)
    receipt = bridge.apply(plan)
    assert receipt.halted == "breaker", (receipt.counts, writes(world))
    assert code_of(receipt) in (5, 6)
    world["mem"].faults.clear()
    assert bridge.resume(receipt.run).ok
    assert all(state(world, ref) == "deleted" for ref in some)


def test_an_edited_entry_is_found_out_when_the_journal_is_opened_and_checked(
    world: World, open_bridge: Callable[..., Bridge], tmp_path: Path
) -> None:
    import sqlite3

    bridge = open_bridge()
    assert bridge.apply(bridge.plan("delete", leads(world, 2), **WHY)).ok
    bridge.close()
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("UPDATE entries SET org = 'other' WHERE n = (SELECT max(n) - 1 FROM entries)")
    assert not open_bridge().check_journal().ok
    with pytest.raises(BridgeError):
        open_bridge().runs()


@pytest.mark.parametrize("fault", ["cut_before", "unwell", "not_sent", "expired"])
def test_what_was_lost_twice_or_never_reached_anybody_is_taken_up_by_a_resume(
    world: World, bridge: Bridge, fault: str
) -> None:
    some = leads(world, 3)
    plan = bridge.plan("delete", some, **WHY)
    world.trouble("mem", fault, on="write", times=40)
    first = bridge.apply(plan)
    assert not first.ok
    assert all(state(world, ref) == "live" for ref in some)
    world["mem"].faults.clear()
    assert bridge.resume(first.run).ok
    assert all(state(world, ref) == "deleted" for ref in some)
    assert order(list(bridge.export_journal())) == []


def test_that_there_is_no_trace_of_a_record_is_believed_at_the_second_look(
    world: World, bridge: Bridge
) -> None:
    """An empty answer names nobody: it may be the answer to something else."""
    some = leads(world, 2)
    bridge.apply(bridge.plan("delete", some, **WHY))
    read, empty = MemoryAdapter.read, []

    def astray(self: MemoryAdapter, batch: Any) -> Any:
        found = list(read(self, batch))
        if not empty:
            empty.append(True)
            return [dataclasses.replace(r, state=State.GONE, fields={}, evidence="") for r in found]
        return found

    purge = bridge.plan("purge", some, **WHY)
    with patch.object(MemoryAdapter, "read", astray):
        receipt = bridge.apply(purge, confirm=purge.confirm)
    assert receipt.counts[Verdict.DONE] == 2
    assert all(state(world, ref) == "gone" for ref in some)


def test_a_remake_that_was_doubled_on_the_way_is_told(world: World, bridge: Bridge) -> None:
    first = gone_for_good(bridge, leads(world, 2))
    request = Tenant.request

    def doubled(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        if verb == "create":
            request(tenant, token, verb, *args, **more)
        return request(tenant, token, verb, *args, **more)

    with patch.object(Tenant, "request", doubled):
        receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert code_of(receipt) == 3
    assert {o.problem.code for o in receipt.outcomes if o.problem} == {"doubled"}


def test_a_remake_is_looked_for_before_it_is_sent_again(world: World, bridge: Bridge) -> None:
    some = leads(world, 2)
    first = gone_for_good(bridge, some)
    world.trouble("mem", "cut_before", on="create")
    receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert receipt.ok
    events = [line for line in bridge.export_journal() if line["run"] == receipt.run]
    assert order(events) == []
    mine = [line["ev"] for line in events if line["id"] == id_of(some[0])]
    assert mine.count("intent") == 2
    assert "readback" in mine[mine.index("outcome") : len(mine) - mine[::-1].index("intent")]


def dying_with_an_outcome() -> Any:
    """Within it a process dies as soon as an outcome is durable."""
    append = Journal.append

    def died(journal: Journal, *entries: Entry) -> list[int]:
        written = append(journal, *entries)
        if entries and entries[0].stage == "outcome":
            raise Died
        return written

    return patch.object(Journal, "append", died)


def test_what_was_said_to_be_done_and_brought_back_by_others_is_not_done_again(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    some = leads(world, 2)
    bridge = open_bridge()
    plan = bridge.plan("delete", some, **WHY)
    with dying_with_an_outcome(), pytest.raises(Died):
        bridge.apply(plan)
    bridge.close()
    for ref in some:
        world["mem"].restore(id_of(ref))
    receipt = open_bridge().apply(plan)
    assert max(Counter(writes(world)).values()) == 1
    assert all(state(world, ref) == "live" for ref in some)
    assert {o.problem.code for o in receipt.outcomes if o.problem} == {"not_applied"}


def lose_the_answer_and_die(open_bridge: Callable[..., Bridge], world: World, plan: Any) -> None:
    """Apply a plan whose first write is applied and not answered; the process dies at once."""
    bridge = open_bridge()
    request = Tenant.request

    def last_words(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        answer = request(tenant, token, verb, *args, **more)
        if more.get("write"):
            raise Died
        return answer

    with patch.object(Tenant, "request", last_words), pytest.raises(Died):
        bridge.apply(plan)
    bridge.close()


@pytest.mark.parametrize("undone", [True, False])
def test_what_was_done_unanswered_and_undone_by_somebody_else_is_not_done_again(
    world: World, open_bridge: Callable[..., Bridge], undone: bool
) -> None:
    """As it was, and stamped since it was sent: not ours to do a second time."""
    some = leads(world, 2)
    bridge = open_bridge()
    plan = bridge.plan("delete", some, **WHY)
    bridge.close()
    lose_the_answer_and_die(open_bridge, world, plan)
    world.now += timedelta(minutes=1)
    if undone:
        for ref in some:
            world["mem"].restore(id_of(ref))
    receipt = open_bridge().apply(plan)
    assert max(Counter(writes(world)).values()) == 1
    assert {state(world, ref) for ref in some} == {"live" if undone else "deleted"}
    codes = {o.problem.code for o in receipt.outcomes if o.problem}
    assert codes == ({"changed"} if undone else set())


def test_what_somebody_takes_away_again_while_we_wait_is_not_brought_back_again(
    world: World, open_bridge: Callable[..., Bridge], clock: Any
) -> None:
    """The answer to a restore was lost, and before it is read back somebody deletes the record."""
    some, sleep, waits = leads(world, 2), clock.sleep, [False]

    def meanwhile(seconds: float) -> None:
        sleep(seconds)
        world.now += timedelta(seconds=seconds)
        if waits[0]:
            for ref in some:
                world["mem"].delete(id_of(ref))
            waits[0] = False

    clock.sleep = meanwhile
    bridge = open_bridge()
    first = bridge.apply(bridge.plan("delete", some, **WHY))
    back = bridge.plan("restore", first)
    world.trouble("mem", "cut_after", on="restore")
    waits[0] = True
    receipt = bridge.apply(back)
    assert {o.problem.code for o in receipt.outcomes if o.problem} == {"changed"}
    assert all(state(world, ref) == "deleted" for ref in some)


@pytest.mark.parametrize("spoilt", ["cut", "noise", "gone"])
def test_a_check_tells_of_a_journal_that_cannot_even_be_opened(
    world: World, open_bridge: Callable[..., Bridge], spoilt: str, tmp_path: Path
) -> None:
    bridge = open_bridge()
    assert bridge.apply(bridge.plan("delete", leads(world, 2), **WHY)).ok
    bridge.close()
    file = tmp_path / "journal.db"
    whole = file.read_bytes()
    file.unlink()
    if spoilt != "gone":
        file.write_bytes(whole[: len(whole) // 2] if spoilt == "cut" else b"noise" * 2000)
        file.chmod(0o600)
    found = open_bridge().check_journal()
    assert not found.ok
    assert (found.table, found.row) == ("file", 0)
    assert found.why


def turning_away(error: Callable[[], BridgeError], after: bool) -> Callable[..., Any]:
    """A `Tenant.request` that turns the first write away: before it is applied, or after it was."""
    request, told = Tenant.request, list[str]()

    def away(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
        first = more.get("write") and not told
        if first:
            told.append(verb)
        if not first or after:
            answer = request(tenant, token, verb, *args, **more)
        if first:
            raise error()
        return answer

    return away


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        lambda: Busy("too many calls.", retry_after=1.0),
        lambda: Unauthorized("the token is not taken any more.", renewable=True),
        lambda: Unauthorized("the right was taken away.", renewable=False),
    ],
    ids=["busy", "token", "right"],
)
@pytest.mark.parametrize("verb", ["void", "delete", "restore", "remake"])
def test_a_call_that_was_turned_away_is_looked_at_before_it_is_sent_again(
    world: World, bridge: Bridge, verb: str, error: Callable[[], BridgeError], after: bool
) -> None:
    """Who turns a call away may be a gateway, and the vendor behind it may have done it all the same."""
    some = leads(world, 2)
    if verb in ("restore", "remake"):
        first = bridge.apply(bridge.plan("delete", some, **WHY))
        if verb == "remake":
            purge = bridge.plan("purge", some, **WHY)
            bridge.apply(purge, confirm=purge.confirm)
        plan = bridge.plan("restore", first, remake=verb == "remake")
    else:
        plan = bridge.plan(verb, some, **WHY)
    since = len(world["mem"].log)
    with patch.object(Tenant, "request", turning_away(error, after)):
        receipt = bridge.apply(plan)
    if "right" in error().summary and not after:
        assert {o.problem.code for o in receipt.outcomes if o.problem} == {"not_sent"}
        receipt = bridge.resume(receipt.run)
    assert receipt.counts[Verdict.DONE] == 2
    assert {o.problem.code for o in receipt.outcomes if o.problem} <= {"set_by_vendor"}
    changed = Counter(
        one for line in world["mem"].log[since:] if line.write for one in line.changed
    )
    assert set(changed.values()) == {1}
    assert len(changed) == 2
    mine = [line for line in bridge.export_journal() if line["run"] == receipt.run]
    assert order(mine) == []


def test_what_was_turned_away_and_done_is_known_to_a_resume_as_done(
    world: World, open_bridge: Callable[..., Bridge]
) -> None:
    some = leads(world, 2)
    bridge = open_bridge()
    plan = bridge.plan("void", some, **WHY)
    away = turning_away(lambda: Busy("too many calls.", retry_after=1.0), after=True)
    with (
        patch.object(Tenant, "request", away),
        dying_with_an_outcome(),
        pytest.raises(Died),
    ):
        bridge.apply(plan)
    bridge.close()
    receipt = open_bridge().apply(plan)
    assert receipt.counts[Verdict.DONE] == 2
    assert max(Counter(writes(world)).values()) == 1


def test_a_remake_that_its_own_double_refused_is_found_and_done(
    world: World, bridge: Bridge
) -> None:
    """The first of two made it; the second was refused, for the like of it was there: its own."""
    first = gone_for_good(bridge, leads(world, 2))
    create = MemoryAdapter.create

    def refused(self: MemoryAdapter, records: Any) -> list[Outcome]:
        list(create(self, records))
        return [failed(r.ref, "duplicate", "it exists already.") for r in records]

    with patch.object(MemoryAdapter, "create", refused):
        receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert receipt.counts[Verdict.DONE] == 2
    assert all(o.new_ref and state(world, str(o.new_ref)) == "live" for o in receipt.outcomes)


def refused_after_it_was_made(divisible: bool) -> Any:
    """A create that makes a list of several whole, and answers as if none of it could be."""
    create = MemoryAdapter.create

    def refused(self: MemoryAdapter, records: Any) -> list[Outcome]:
        outcomes = list(create(self, records))
        if len(records) > 1:
            raise Rejected("the list is not valid.", divisible=divisible)
        return outcomes

    return refused


def test_a_remake_that_was_refused_whole_is_looked_for_before_it_is_divided(
    world: World, bridge: Bridge
) -> None:
    first = gone_for_good(bridge, leads(world, 3))
    before = len(world["mem"].records)
    with patch.object(MemoryAdapter, "create", refused_after_it_was_made(True)):
        receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert receipt.counts[Verdict.DONE] == 3
    assert len(world["mem"].records) == before + 3


@pytest.mark.parametrize("divisible", [True, False])
def test_where_nothing_marks_a_second_life_its_like_leaves_a_refusal_in_doubt(
    world: World, bridge: Bridge, divisible: bool
) -> None:
    first = gone_for_good(bridge, leads(world, 3))
    before = len(world["mem"].records)
    with (
        patch.object(MemoryAdapter, "twin", Adapter.twin),
        patch.object(MemoryAdapter, "create", refused_after_it_was_made(divisible)),
    ):
        receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    assert receipt.counts[Verdict.UNKNOWN] == 3
    assert len(world["mem"].records) == before + 3


@pytest.mark.parametrize("fault", ["cut_before", "cut_after"])
def test_a_link_waits_until_one_before_it_on_the_same_record_is_no_longer_in_doubt(
    world: World, bridge: Bridge, fault: str
) -> None:
    one, other = leads(world, 2)
    company = next(e.id for e in world["mem"].records.values() if e.kind == "Company")
    for name, ref in (("partner", other), ("client", f"mem:Company/{company}")):
        world["mem"].tie(id_of(one), Link(name, RecordRef.parse(ref), None))
    first = gone_for_good(bridge, [one])
    world.trouble("mem", fault, on="link")
    receipt = bridge.apply(bridge.plan("restore", first, remake=True))
    (outcome,) = receipt.outcomes
    assert outcome.verdict is Verdict.DONE
    assert outcome.new_ref is not None
    links = {link.name for link in world["mem"].records[outcome.new_ref.id].links}
    assert links == {"partner", "client"}
    assert order([line for line in bridge.export_journal() if line["run"] == receipt.run]) == []
