"""Full disks, failed syncs, signals, sleep, and a second run: what the machine itself does to a run."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.errors import JournalError
from crm_bridge.journal import chain
from crm_bridge.journal.connection import Connection
from crm_bridge.testing.world import World
from tests.safety.dying import one_lane, quick_disk
from tests.safety.ground import WHY, Ground, Point, Scene, effects, fresh, judge, runs_of

REASON = {"reason": "left the market", "code": "left"}


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with Ground("fxiaoke", records=40) as one:
        yield one


def leads(world: World, count: int) -> list[str]:
    found = [e.id for e in world["mem"].records.values() if e.kind == "Lead" and e.state == "live"]
    return [f"mem:Lead/{one}" for one in found[:count]]


@contextmanager
def failing(at: int, how: str) -> Iterator[list[int]]:
    """From the n-th transaction on the disk is full, or syncs fail; gives the count."""
    appending, head, count = Connection.appending, chain.write_head, [0]

    @contextmanager
    def full(connection: Connection) -> Iterator[None]:
        count[0] += 1
        if count[0] >= at and how != "head":
            with connection.telling("written"):
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = (
                    sqlite3.SQLITE_FULL if how == "full" else sqlite3.SQLITE_IOERR
                )
                raise error
        with appending(connection):
            yield

    def write_head(*args: Any) -> None:
        if count[0] >= at and how == "head":
            raise OSError(5, "Input/output error")
        head(*args)

    with patch.object(Connection, "appending", full), patch.object(chain, "write_head", write_head):
        yield count


@pytest.mark.parametrize("how", ["full", "sync", "head"])
def test_with_a_full_disk_nothing_is_sent_without_an_intent_and_a_resume_settles_all(
    how: str, world: World, open_bridge: Callable[..., Bridge], tmp_path: Path
) -> None:
    with one_lane(), quick_disk():
        with failing(10**6, how) as count:
            bridge = open_bridge()
            bridge.apply(bridge.plan("delete", leads(world, 3), **REASON))
        failed = 0
        for at in range(1, count[0] + 1):
            for name in tmp_path.glob("journal.db*"):
                name.unlink()
            world.reset()
            bridge = open_bridge()
            plan = bridge.plan("delete", leads(world, 3), **REASON)
            with failing(at, how):
                try:
                    bridge.apply(plan)
                except JournalError:
                    failed += 1
            bridge.close()
            sent = {i for line in world["mem"].log if line.write for i in line.ids}
            again = open_bridge()
            run = again.history.journal.find_plan(plan.digest) or ""
            entries = again.history.journal.entries(run, ("intent",))
            assert sent <= {i for written in entries for i in written.entry.body["ids"]}
            assert again.apply(plan).ok, (how, at)
            changed = Counter(
                one for line in world["mem"].log if line.write for one in set(line.changed)
            )
            assert set(changed.values()) == {1}
            again.close()
        assert failed >= 12  # each write of the journal, one after the other


def test_a_file_size_limit_stops_the_run_and_a_resume_settles_it(
    ground: Ground, tmp_path: Path
) -> None:
    scene = Scene(ground, "void", 6)
    scene.prepare()
    stopped = 0
    for limit in (150_000, 190_000, 230_000, 270_000):
        folder = fresh(tmp_path, "full")
        words = scene.set_the_stage(folder)
        before, since = ground.truth(), len(ground.log())
        first = ground.run(folder, *words, file_limit=limit)
        stopped += first.code == 4
        assert first.code in (0, 4), first
        made = runs_of(folder)
        if not made:
            assert not effects(ground.log(), since)
            continue
        last = ground.run(folder, "resume", made[0], "--yes")
        assert judge(scene, Point("killed_before", 0), folder, before, since, last, first) == []
    assert stopped


def test_of_two_runs_at_once_one_is_told_to_wait(ground: Ground, tmp_path: Path) -> None:
    scene = Scene(ground, "void", 6)
    words = scene.set_the_stage(tmp_path)
    other = ground.pick(7)[:1]
    started, before = threading.Event(), writes(ground)

    def second(number: int) -> None:
        if writes(ground) > before:
            started.set()

    ground.wire.begin()
    ground.wire.on_request = second
    one = ground.nursery.start(tmp_path, "--json", *words)
    started.wait(20)
    two = ground.nursery.start(tmp_path, "--json", "void", *other, *WHY)
    ground.wire.on_request = None
    first, ended = (ground.nursery.wait(tmp_path, *each) for each in (one, two))
    codes = {first.code, ended.code}
    assert codes in ({0, 4}, {0}), (first, ended)
    if ended.code == 4:
        error = ended.of("error")[0]
        assert error["code"] == "locked"
        assert "process" in error["summary"]
    _not_interleaved(tmp_path)


def _not_interleaved(folder: Path) -> None:
    from crm_bridge.journal.store import Journal
    from tests.safety.ground import JOURNAL

    with Journal.open(JOURNAL, folder=folder, reading=True) as journal:
        order = [e["run"] for e in journal.export() if e["ev"] in ("intent", "send")]
    changes = sum(one != other for one, other in pairwise(order))
    assert changes <= len(set(order)) - 1


def writes(ground: Ground) -> int:
    return sum(line["write"] for account in ground.simulator.accounts for line in account.log)


def test_a_process_that_was_stopped_beyond_its_lease_sends_nothing_more(
    ground: Ground, tmp_path: Path
) -> None:
    scene = Scene(ground, "void", 24)  # more than there are lanes
    ground.wire.begin()
    words = scene.set_the_stage(tmp_path)
    ground.settings(tmp_path, lease="2s")
    asleep: list[int] = []
    before = writes(ground)

    def stop(number: int) -> None:
        if writes(ground) > before and not asleep:
            asleep.append(writes(ground))
            os.kill(ground.wire.victim, signal.SIGSTOP)

    ground.wire.begin()
    pid, stem = ground.nursery.start(tmp_path, "--json", *words)
    ground.wire.victim, ground.wire.on_request = pid, stop
    until = time.monotonic() + 30
    while not asleep and time.monotonic() < until:
        time.sleep(0.01)
    assert asleep, "nothing was sent"
    time.sleep(2.4)
    at_rest = writes(ground)
    ground.wire.on_request = None
    os.kill(pid, signal.SIGCONT)
    ended = ground.nursery.wait(tmp_path, pid, stem)
    # What was on the wire has long arrived; once awake it sends nothing more, from no lane.
    assert writes(ground) == at_rest
    assert ended.code == 4, ended
    ground.settings(tmp_path)
    again = ground.run(tmp_path, "resume", runs_of(tmp_path)[0], "--yes")
    assert again.code == 0, again
    assert set(effects(ground.log(), before).values()) == {1}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_under_way_and_leaves_the_rest_to_a_resume(
    ground: Ground, tmp_path: Path, number: int, code: int
) -> None:
    scene = Scene(ground, "void", 8)
    words = scene.set_the_stage(tmp_path)
    before, sent = writes(ground), []

    def interrupt(_: int) -> None:
        if writes(ground) > before and not sent:
            sent.append(True)
            os.kill(ground.wire.victim, number)

    ground.wire.begin()
    ground.wire.on_request = interrupt
    try:
        ended = ground.run(tmp_path, *words)
    finally:
        ground.wire.on_request = None
    assert ended.code == code
    from crm_bridge.journal.store import Journal
    from tests.safety.ground import JOURNAL

    with Journal.open(JOURNAL, folder=tmp_path, reading=True) as journal:
        lines = list(journal.export())
    sends = Counter(e["id"] for e in lines if e["ev"] == "send")
    told = Counter(e["id"] for e in lines if e["ev"] == "outcome")
    assert sends == told
    assert sum(sends.values()) == writes(ground) - before
    again = ground.run(tmp_path, "resume", runs_of(tmp_path)[0], "--yes")
    assert again.code == 0, again
