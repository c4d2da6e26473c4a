"""SIGKILL at random moments of larger runs, then one resume: nothing lost, nothing doubled.

The test command tries two moments of small runs; `--soak` tries 200 of 2,000 records (200 for FxiaoKe),
as does `python -m tests.safety.test_random_deaths [VENDOR]...`, told as it goes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.safety.ground import PLAIN, Ground, Point, Scene, fresh, judge, runs_of

LARGE = {"salesforce": 2000, "hubspot": 2000, "zoho": 2000, "fxiaoke": 200}
SMALL = {"fxiaoke": 12}
MOMENTS = 200


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "records" in metafunc.fixturenames:
        sizes = LARGE if metafunc.config.getoption("--soak") else SMALL
        metafunc.parametrize(("vendor", "records"), list(sizes.items()))


def test_killed_at_a_random_moment(
    vendor: str, records: int, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    moments = MOMENTS if pytestconfig.getoption("--soak") else 2
    for told, wrong in killed(vendor, records, moments, tmp_path):
        assert not wrong, (told, wrong[:5])


def killed(
    vendor: str, records: int, moments: int, folder: Path, begin: int = 1
) -> Iterator[tuple[str, list[str]]]:
    """Kill a run at each of so many random moments, and resume it once; what was violated."""
    chance = random.Random(f"{vendor} {records}")
    verb = "void" if vendor == "fxiaoke" else "delete"
    # Enough that there are so many plain ones, and no more: HubSpot's contacts are two to a company.
    many = records * (12 if vendor == "hubspot" else 23) // 20 + 10
    with Ground(vendor, records=many, watch=PLAIN[vendor]) as ground:
        scene = Scene(ground, verb, records)
        scene.raised = ("--limit-records", str(records))
        scene.prepare()
        for number in range(1, moments + 1):
            at, late = chance.randint(2, scene.requests), chance.random() * 0.05
            if number < begin:
                continue
            place = fresh(folder, "killed")
            words = scene.set_the_stage(place)
            before, since = ground.truth(), len(ground.log())
            ground.wire.begin()
            pid, stem = ground.nursery.start(place, "--json", *words)

            def kill(n: int, at: int = at, late: float = late, pid: int = pid) -> None:
                if n == at:
                    threading.Timer(late, _kill, (pid,)).start()

            ground.wire.on_request = kill
            first = ground.nursery.wait(place, pid, stem)
            ground.wire.on_request = None
            made = runs_of(place)
            again = ("resume", made[0], "--yes") if made else words
            last = ground.run(place, *again)
            wrong = judge(scene, Point("killed_after", 0), place, before, since, last, first)
            yield (
                f"{vendor} {number}: request {at} of {scene.requests}, {late:.3f} s later, "
                f"exit {first.code} then {last.code}",
                wrong,
            )


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it had ended by itself


def main() -> int:
    """Try all moments of the vendors that are named, or of all; `hubspot:51` goes on with the 51st."""
    bad = 0
    for name in sys.argv[1:] or LARGE:
        vendor, _, first = name.partition(":")
        began, dead = time.monotonic(), 0
        with tempfile.TemporaryDirectory() as folder:
            for told, wrong in killed(
                vendor, LARGE[vendor], MOMENTS, Path(folder), int(first or 1)
            ):
                dead += "exit -9" in told
                bad += bool(wrong)
                print(told, wrong[:3] or "", flush=True)
        print(
            f"{vendor}: {MOMENTS} moments of {LARGE[vendor]} records, {dead} died, {bad} violated, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
