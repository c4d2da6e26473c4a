"""Deliberate bugs of the core, each with the test that catches it: `python -m tests.safety.mutations`.

Each is a replacement in a copy of the sources; the named tests must pass before it and fail after it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = "tests/safety/test_core.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One bug: in `file`, `old` becomes `new`; `test` is what catches it."""

    name: str
    file: str
    old: str
    new: str
    test: str


def _core(test: str) -> str:
    return f"{CORE}::{test}"


MUTATIONS = (
    Mutation(
        "skip the intent",
        "crm_bridge/engine/send.py",
        '    street.journal.append(\n        *(\n            street.entry(\n                "intent"',
        '    list(\n        (\n            street.entry(\n                "intent"',
        _core("test_nothing_leaves_before_its_snapshot_and_its_intent"),
    ),
    Mutation(
        "skip the snapshot",
        "crm_bridge/engine/keep.py",
        "        journal.keep_pages(run, connected.account.org, step, some, unseen)",
        "        del some",
        _core("test_nothing_leaves_before_its_snapshot_and_its_intent"),
    ),
    Mutation(
        "skip the snapshot's read-back",
        "crm_bridge/journal/store.py",
        "                self._prove(n, one.frames)\n",
        "                pass\n",
        _core("test_a_disk_that_gives_back_something_else_is_found_out"),
    ),
    Mutation(
        "trust a 204",
        "crm_bridge/engine/verify.py",
        "    if after is not None and phase.reached(item, after, connected):\n        return",
        "    if answer.verdict is Verdict.DONE or (\n"
        "        after is not None and phase.reached(item, after, connected)\n    ):\n        return",
        "tests/unit/engine/test_street.py::test_said_done_and_not_done_is_failed",
    ),
    Mutation(
        "retry a write",
        "crm_bridge/guard.py",
        "        return self._once(leave, interface, last_look)",
        "        try:\n            return self._once(leave, interface, last_look)\n"
        "        except Unreachable:\n            return self._once(leave, interface)",
        "tests/unit/test_guard.py::test_a_write_is_never_sent_again_in_doubt",
    ),
    Mutation(
        "take results by position",
        "crm_bridge/engine/send.py",
        "        found[outcome.ref] = outcome\n",
        "        found[list(asked)[len(found)]] = outcome\n",
        _core("test_rows_in_another_order_are_matched_by_their_ids"),
    ),
    Mutation(
        "believe rows of others",
        "crm_bridge/engine/send.py",
        "            strange = True\n",
        "            strange = False\n",
        _core("test_rows_beyond_those_that_were_asked_for_make_the_batch_unknown"),
    ),
    Mutation(
        "forget the settle time",
        "crm_bridge/engine/send.py",
        "    street.rest(max(0.0, latest + street.settle - clock()))",
        "    del latest",
        _core("test_a_ghost_within_the_settle_time_is_waited_for"),
    ),
    Mutation(
        "forget the settle time in a resume",
        "crm_bridge/engine/run.py",
        "        self._rest(min(self.terms.settle, max(0.0, self.terms.settle - since)))\n",
        "        del since\n",
        _core("test_a_resume_waits_until_nothing_can_arrive_any_more"),
    ),
    Mutation(
        "forget in a resume what was tried",
        "crm_bridge/engine/run.py",
        "self.history.leftover(self.run, number) if self.resumed else Leftover()",
        "Leftover()",
        "tests/safety/test_deaths.py::test_killed_at_any_step_one_resume_settles_all[delete]",
    ),
    Mutation(
        "ignore the lock",
        "crm_bridge/engine/lock.py",
        "            fcntl.flock(lock._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "            pass",
        _core("test_a_second_run_on_one_org_is_told_who_holds_it"),
    ),
    Mutation(
        "ignore unfinished runs of other journals",
        "crm_bridge/engine/lock.py",
        "        if theirs and theirs != journal and os.path.exists(theirs):",
        "        if theirs and lock is None:",
        _core("test_an_unfinished_run_of_another_journal_is_finished_there_first"),
    ),
    Mutation(
        "sleep through the lease",
        "crm_bridge/engine/lock.py",
        "        if self._lost or now - self._renewed > self.lease:",
        "        if self._lost:",
        _core("test_a_process_that_slept_through_its_lease_sends_nothing_more"),
    ),
    Mutation(
        "ignore the epoch",
        "crm_bridge/engine/lock.py",
        'if int(self._read().get("epoch", -1)) != self.epoch:\n                self._lost = True',
        "if False:\n                self._lost = True",
        _core("test_a_lock_is_held_while_it_is_renewed_and_lost_to_another"),
    ),
    Mutation(
        "round unknown to done",
        "crm_bridge/engine/verify.py",
        "    elif answer.verdict is Verdict.PENDING:\n        item.outcome = answer\n",
        "    if answer.verdict is Verdict.UNKNOWN:\n        return\n"
        "    elif answer.verdict is Verdict.PENDING:\n        item.outcome = answer\n",
        _core("test_two_lost_answers_of_what_was_not_done_are_never_told_as_done"),
    ),
    Mutation(
        "end well with unknowns",
        "crm_bridge/cli/ending.py",
        "    if count.get(Verdict.UNKNOWN, 0):\n        return 5\n",
        "    if count.get(Verdict.UNKNOWN, 0):\n        return 0\n",
        _core("test_an_unknown_is_never_told_as_success"),
    ),
    Mutation(
        "act on what changed since the plan",
        "crm_bridge/engine/keep.py",
        "    moved = item.whole is None and record.fingerprint(vendor_set) != item.target.fingerprint",
        "    moved = False",
        "tests/unit/engine/test_street.py::test_what_changed_since_the_plan_is_skipped",
    ),
    Mutation(
        "take children that the plan did not name",
        "crm_bridge/engine/keep.py",
        "        if gained:\n",
        "        if gained and not item:\n",
        _core("test_a_child_that_came_since_the_plan_keeps_its_parent"),
    ),
    Mutation(
        "write to another org than the plan's",
        "crm_bridge/engine/connect.py",
        "            if (vendor, account.org) != (target.vendor, target.org):",
        "            if vendor != target.vendor:",
        "tests/unit/engine/test_street.py"
        "::test_another_org_than_the_plans_is_refused_before_anything_is_read",
    ),
    Mutation(
        "trust a new token",
        "crm_bridge/guard.py",
        "                self._login += 1\n                self._unproven = True\n"
        "                self._prove_again()\n",
        "                self._login += 1\n",
        _core("test_a_token_of_another_org_halts_before_the_next_write"),
    ),
    Mutation(
        "let an adapter name other records",
        "crm_bridge/guard.py",
        " or not named <= permit.refs:",
        ":",
        _core("test_an_adapter_cannot_write_what_the_plan_does_not_name"),
    ),
    Mutation(
        "keep whatever a read answers",
        "crm_bridge/engine/accounts.py",
        "                left.remove(ref)",
        "                left.discard(ref)",
        _core("test_a_read_that_answers_for_another_record_keeps_and_sends_nothing"),
    ),
    Mutation(
        "act on old reads",
        "crm_bridge/engine/run.py",
        "            if self.terms.clock() - self._read_at > self.terms.read_max_age:",
        "            if self._read_at < 0:",
        _core("test_what_was_read_too_long_ago_is_read_again_before_it_is_sent"),
    ),
    Mutation(
        "make anew without a look",
        "crm_bridge/engine/send.py",
        "            if (twin := made.get(item.ref)) is not None and item.answer is not None:\n",
        "            if (twin := None) is not None and item.answer is not None:\n",
        _core("test_a_remake_whose_answer_was_lost_is_found_and_not_made_twice"),
    ),
    Mutation(
        "go on after a failed append",
        "crm_bridge/journal/store.py",
        "        if error is not None:\n            self._journal._trouble =",
        "        if error is self:\n            self._journal._trouble =",
        _core("test_after_a_failed_append_nothing_more_is_appended_or_sent"),
    ),
    Mutation(
        "commit without a sync",
        "crm_bridge/journal/connection.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        _core("test_the_journal_syncs_each_commit"),
    ),
    Mutation(
        "never open the breaker",
        "crm_bridge/guard.py",
        "            if max(self._failures, self._lost_writes) >= BREAKER:",
        "            if self._failures < 0:",
        _core("test_what_breaks_down_stops_the_run_and_a_resume_finishes_it"),
    ),
    Mutation(
        "apply a plan twice",
        "crm_bridge/bridge.py",
        "        if (earlier := self.history.applied(plan.digest)) is not None:",
        '        if (earlier := self.history.applied("")) is not None:',
        "tests/unit/engine/test_street.py"
        "::test_a_plan_that_was_applied_finds_everything_done_and_sends_nothing",
    ),
    Mutation(
        "do not look at the chain",
        "crm_bridge/journal/checking.py",
        "        if chain.link(previous, columns, body) != digest:",
        "        if n < 0:",
        _core("test_an_edited_entry_is_found_out_when_the_journal_is_opened_and_checked"),
    ),
    Mutation(
        "send what passed its last look before a sleep",
        "crm_bridge/transport.py",
        "    if check is not None:\n        check()",
        "    if check is not None:\n        pass",
        "tests/unit/test_transport.py::test_nothing_leaves_once_it_may_not_though_the_connection_stands",
    ),
    Mutation(
        "give up what was lost twice",
        "crm_bridge/engine/leftover.py",
        "or verdict == Verdict.PENDING or bool(lost)",
        "or verdict == Verdict.PENDING",
        _core("test_what_was_lost_twice_or_never_reached_anybody_is_taken_up_by_a_resume"),
    ),
    Mutation(
        "believe that nothing is there at the first look",
        "crm_bridge/engine/keep.py",
        "connected.read_surely(refs, reading)",
        "connected.read(refs, reading)",
        _core("test_that_there_is_no_trace_of_a_record_is_believed_at_the_second_look"),
    ),
    Mutation(
        "believe that what went along stayed at the first look",
        "crm_bridge/engine/aftermath.py",
        "if ref not in found or self._as_before(snapshot, found[ref])",
        "if ref not in found",
        "tests/unit/engine/test_street.py"
        "::test_what_follows_a_little_later_than_its_parent_is_looked_at_again",
    ),
    Mutation(
        "let one that went since the plan keep all others from going",
        "crm_bridge/engine/inspect.py",
        "        results[number] = result\n",
        "        pass\n",
        "tests/unit/engine/test_street.py"
        "::test_of_many_one_that_is_gone_since_keeps_nobody_else_from_going",
    ),
    Mutation(
        "never look whether a remake was doubled",
        "crm_bridge/engine/anew.py",
        "        self._remember(made)\n        self._told_once(made)\n",
        "        self._remember(made)\n",
        _core("test_a_remake_that_was_doubled_on_the_way_is_told"),
    ),
    Mutation(
        "do again in a resume what was said to be done",
        "crm_bridge/engine/keep.py",
        "    if item.told_done:",
        "    if item.told_done and item.source:",
        _core("test_what_was_said_to_be_done_and_brought_back_by_others_is_not_done_again"),
    ),
    Mutation(
        "purge without the text",
        "crm_bridge/bridge.py",
        "        if plan.confirm is not None and confirm != plan.confirm:",
        '        if plan.confirm is not None and confirm == "":',
        "tests/unit/engine/test_street.py"
        "::test_a_purge_is_refused_without_the_text_that_the_plan_prints",
    ),
    Mutation(
        "do once more what somebody undid",
        "crm_bridge/engine/keep.py",
        "        if written_since(item, kept, record):\n",
        "        if False:\n",
        _core("test_what_was_done_unanswered_and_undone_by_somebody_else_is_not_done_again[True]"),
    ),
    Mutation(
        "send again what was turned away, unseen",
        "crm_bridge/engine/send.py",
        "        if item.answer.passing and code not in TURNED_AWAY:\n",
        "        if item.answer.passing:\n",
        _core(
            "test_a_call_that_was_turned_away_is_looked_at_before_it_is_sent_again[void-token-True]"
        ),
    ),
)
"""All of them."""


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the sources and the tests."""
    with tempfile.TemporaryDirectory(prefix="mutated-") as name:
        copy = Path(name)
        for folder in ("crm_bridge", "tests"):
            shutil.copytree(
                ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
            )
        (copy / "plugins").symlink_to(ROOT / "plugins")
        shutil.copy(ROOT / "pyproject.toml", copy)
        yield copy


def caught(mutation: Mutation, copy: Path) -> bool:
    """Whether the named test fails with the bug in place; the copy is as before afterwards.

    Raises:
        ValueError: The source does not hold what is to be replaced, exactly once.
    """
    path = copy / mutation.file
    before = path.read_text()
    if before.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.name}: {mutation.file} holds it {before.count(mutation.old)} times"
        )
    path.write_text(before.replace(mutation.old, mutation.new))
    try:
        return run(mutation.test, copy) == 1
    finally:
        path.write_text(before)


def run(test: str, copy: Path) -> int:
    """pytest's exit code: 0 passed, 1 failed, others are no answer."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'plugins'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
        cwd=copy,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=300,
    ).returncode


def main() -> int:
    """Prove all of them; the names of those that were missed."""
    wanted = sys.argv[1:]
    missed = []
    with copied() as copy:
        tests = dict.fromkeys(m.test for m in MUTATIONS if not wanted or m.name in wanted)
        broken = [test for test in tests if run(test, copy) != 0]
        for test in broken:
            print(f"fails without any bug: {test}", flush=True)
        tried = 0
        for mutation in MUTATIONS:
            if wanted and mutation.name not in wanted:
                continue
            tried += 1
            found = caught(mutation, copy)
            print(f"{'caught' if found else 'MISSED'}  {mutation.name}", flush=True)
            if not found:
                missed.append(mutation.name)
    print(f"{tried} deliberate bugs, {len(missed)} missed")
    return bool(missed or broken)


if __name__ == "__main__":
    sys.exit(main())
