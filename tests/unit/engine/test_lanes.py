"""Calls that need nothing of each other: made by whoever is idle, and by the one who asked else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from crm_bridge.engine.lanes import BEAT, Lanes
from crm_bridge.guard import Guard


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


def test_what_is_begun_later_waits_for_what_was_begun_before() -> None:
    own, made = Lanes(1, lambda: None), list[str]()

    def call(name: str) -> str:
        made.append(name)
        return name.upper()

    first, second = own.begin(call, ["a", "b", "c"]), own.begin(call, ["d", "e"])
    assert second.in_order() == [("d", "D"), ("e", "E")]
    assert made == ["a", "b", "c", "d", "e"]
    assert first.in_order() == [("a", "A"), ("b", "B"), ("c", "C")]
    own.close()


def test_what_is_dropped_is_not_begun_any_more() -> None:
    own, go, made = Lanes(1, lambda: None), threading.Event(), list[int]()

    def call(number: int) -> None:
        go.wait(30)
        made.append(number)

    begun = own.begin(call, range(5))
    begun.drop()
    go.set()
    assert own.together([lambda: 1]) == [1]
    own.close()
    assert made in ([], [0])


def test_calls_in_lanes_are_counted_for_the_work_that_began_them(lanes: Lanes) -> None:
    guard = Guard("acme", clock=lambda: 0.0, sleep=lambda seconds: None)

    def call(number: int) -> list[None]:
        ask = partial(guard.ask, lambda: None)
        return lanes.together([ask] * number)

    with guard.counting() as some:
        begun = lanes.begin(call, [1, 2, 3])
    other = lanes.begin(call, [5])
    with guard.counting() as own:
        guard.ask(lambda: None)
        assert len(begun.in_order() + other.in_order()) == 4
    assert (some.calls, own.calls, guard.calls) == (6, 1, 12)
