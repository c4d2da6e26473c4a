"""SIGKILL at random moments of larger runs, then one resume: nothing lost, nothing doubled.

The test command tries two moments of small runs; `--soak` tries 200 of 2,000 records (200 for FxiaoKe).
"""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.safety.ground import Ground, Point, Scene, fresh, judge, runs_of

LARGE = {"salesforce": 2000, "hubspot": 2000, "zoho": 2000, "fxiaoke": 200}
SMALL = {"fxiaoke": 12}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "records" in metafunc.fixturenames:
        sizes = LARGE if metafunc.config.getoption("--soak") else SMALL
        metafunc.parametrize(("vendor", "records"), list(sizes.items()))


def test_killed_at_a_random_moment(
    vendor: str, records: int, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    moments = 200 if pytestconfig.getoption("--soak") else 2
    chance = random.Random(f"{vendor} {records}")
    verb = "void" if vendor == "fxiaoke" else "delete"
    with Ground(vendor, records=records * 3) as ground:
        scene = Scene(ground, verb, records)
        scene.raised = ("--limit-records", str(records))
        scene.prepare()
        for number in range(moments):
            folder = fresh(tmp_path, "killed")
            words = scene.set_the_stage(folder)
            before, since = ground.truth(), len(ground.log())
            at, late = chance.randint(2, scene.requests), chance.random() * 0.05
            ground.wire.begin()
            pid, stem = ground.nursery.start(folder, "--json", *words)

            def kill(n: int, at: int = at, late: float = late, pid: int = pid) -> None:
                if n == at:
                    threading.Timer(late, _kill, (pid,)).start()

            ground.wire.on_request = kill
            first = ground.nursery.wait(folder, pid, stem)
            ground.wire.on_request = None
            made = runs_of(folder)
            again = ("resume", made[0], "--yes") if made else words
            last = ground.run(folder, *again)
            point = Point("killed_after", 0)
            wrong = judge(scene, point, folder, before, since, last, first)
            assert not wrong, (vendor, number, at, late, wrong[:5])
    print(f"{vendor}: {moments} moments")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it had ended by itself
