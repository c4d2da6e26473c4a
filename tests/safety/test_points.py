"""Crash points over HTTP, with true processes: a sample here, all of them with `--soak`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.safety.ground import VERBS, Ground, Point, Scene, fresh, points, try_point
from tests.safety.wire import KINDS

SAMPLE = {
    "salesforce": ("delete",),
    "hubspot": ("delete",),
    "zoho": ("delete",),
    "fxiaoke": ("void",),
}
FEW = 4


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[str, Ground]]:
    opened: dict[str, Ground] = {}
    yield opened
    for ground in opened.values():
        ground.__exit__()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "grounds" in metafunc.fixturenames:
        verbs = VERBS if metafunc.config.getoption("--soak") else SAMPLE
        pairs = [(vendor, verb) for vendor, some in verbs.items() for verb in some]
        metafunc.parametrize(("vendor", "verb"), pairs)


def test_one_resume_settles_whatever_went_wrong(
    vendor: str, verb: str, grounds: dict[str, Ground], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if vendor not in grounds:
        for ground in grounds.values():
            ground.__exit__()
        grounds.clear()
        grounds[vendor] = Ground(vendor).__enter__()
    scene = Scene(grounds[vendor], verb)
    scene.prepare()
    every = list(points(scene, KINDS))
    # The writes are where harm is done: a sample is of them and of what surrounds them.
    soak = pytestconfig.getoption("--soak")
    chosen = every if soak else _sample(scene, every, f"{vendor} {verb}")
    for point in chosen:
        wrong = try_point(scene, point, fresh(tmp_path, "point"))
        assert not wrong, f"{point} ({scene.lines[point.at - 1]}): {wrong}"
    print(f"{vendor} {verb}: {len(chosen)} points")


@pytest.mark.parametrize(
    ("vendor", "verb", "lie"),
    [
        ("salesforce", "delete", "row_of_another"),
        ("hubspot", "void", "row_missing"),
        ("zoho", "restore", "refused_after"),
        ("fxiaoke", "void", "html_after"),
    ],
)
def test_an_answer_that_lies_is_not_believed(
    vendor: str, verb: str, lie: str, tmp_path: Path
) -> None:
    """All of them with `python -m tests.safety --lies`."""
    with Ground(vendor) as ground:
        scene = Scene(ground, verb, 2)
        scene.prepare()
        at = next(n for n in range(1, scene.requests + 1) if scene.writes(n))
        assert not try_point(scene, Point(lie, at), fresh(tmp_path, "point"))


def _sample(scene: Scene, every: list[Point], seed: str) -> list[Point]:
    late = [point for point in every if scene.requests / 3 < point.at]
    by_kind = random.Random(seed)
    kinds = by_kind.sample(KINDS, FEW)
    return [by_kind.choice([p for p in late if p.kind == kind]) for kind in kinds]


def test_the_second_step_of_a_delete_that_was_turned_away_is_sent_once_more(tmp_path: Path) -> None:
    """FxiaoKe deletes what is void: after a refusal the record lies where the first step left it."""
    with Ground("fxiaoke") as ground:
        scene = Scene(ground, "delete", 2)
        scene.prepare()
        (at,) = [n for n, line in enumerate(scene.lines, 1) if "/data/delete" in line]
        wrong = try_point(scene, Point("busy", at), fresh(tmp_path, "point"))
        assert not wrong


@pytest.mark.parametrize("when", ["before", "within", "after", "head"])
def test_killed_at_a_write_of_the_journal(when: str, tmp_path: Path) -> None:
    with Ground("fxiaoke") as ground:
        scene = Scene(ground, "void", 2)
        scene.prepare()
        for n in (4, 9):
            wrong = try_point(scene, Point("", 0), fresh(tmp_path, "p"), die_at=(n, when))
            assert not wrong, (n, when, wrong)
