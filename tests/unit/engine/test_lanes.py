"""Calls that need nothing of each other: made by whoever is idle, and by the one who asked else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from crm_bridge.engine.lanes import BEAT, Lanes


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(2, lambda: None)
    yield own
    own.close()


def test_what_was_asked_for_together_comes_in_its_order(lanes: Lanes) -> None:
    assert lanes.together([lambda n=n: n for n in range(9)]) == list(range(9))  # type: ignore[misc]
    assert lanes.together([]) == []


def test_idle_lanes_take_calls_over(lanes: Lanes) -> None:
    both = threading.Barrier(2, timeout=30)
    # Each waits for the other: alone, neither could end.
    assert lanes.together([both.wait, both.wait]) in ([0, 1], [1, 0])


def test_a_lane_that_asks_while_all_are_busy_makes_its_calls_itself(lanes: Lanes) -> None:
    def work(number: int) -> list[int]:
        return lanes.together([lambda n=n: number * 10 + n for n in range(5)])  # type: ignore[misc]

    found = dict(lanes.each(work, range(20)))
    assert found == {n: [n * 10 + k for k in range(5)] for n in range(20)}


def test_the_first_trouble_is_raised_once_nothing_is_under_way(lanes: Lanes) -> None:
    ended: list[str] = []

    def wrong(name: str) -> None:
        ended.append(name)
        raise ValueError(name)

    with pytest.raises(ValueError, match="a"):
        lanes.together([lambda: wrong("a"), lambda: ended.append("b"), lambda: wrong("c")])
    assert set(ended) <= {"a", "b", "c"}
    assert lanes.together([lambda: len(ended)]) == [len(ended)]


def test_a_sign_of_life_is_given_however_quickly_the_lanes_answer() -> None:
    now, beats = [0.0], []

    def call(number: int) -> None:
        now[0] += BEAT

    own = Lanes(1, lambda: None, lambda: now[0])
    own.beat = lambda: beats.append(now[0])
    for _ in range(3):
        assert len(dict(own.each(call, range(4)))) == 4
    own.close()
    assert len(beats) >= 3
