"""Guard: the one door out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crm_bridge.adapter import made_once, served_at_once
from crm_bridge.errors import Busy, PlanBlocked, Unauthorized, Unreachable
from crm_bridge.guard import BREAKER, Guard, NotSent, Permit
from crm_bridge.model.abilities import Rate
from crm_bridge.model.records import RecordRef

ONE = RecordRef("c", "K", "1")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def guard(*rates: Rate) -> tuple[Guard, Clock]:
    clock = Clock()
    return Guard("c", rates, clock=clock, sleep=clock.sleep), clock


def permit(*refs: RecordRef, sends: int = 1, check: Callable[[], None] = lambda: None) -> Permit:
    return Permit(frozenset(refs), sends, check)


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    left, calls = list(errors), [0]

    def call() -> str:
        calls[0] += 1
        if left:
            raise left.pop(0)
        return "done"

    return call, calls


def test_a_read_is_asked_again_where_no_answer_came() -> None:
    one, _ = guard()
    call, calls = failing(Unreachable(), Unreachable())
    assert one.ask(call) == "done"
    assert calls == [3]


def test_a_write_is_never_sent_again_in_doubt() -> None:
    one, _ = guard()
    call, calls = failing(Unreachable())
    with one.permitted(permit(ONE)), pytest.raises(Unreachable):
        one.tell([ONE], call)
    assert calls == [1]


def test_a_write_without_an_intent_is_held_back() -> None:
    one, _ = guard()
    call, calls = failing()
    with pytest.raises(NotSent):
        one.tell([ONE], call)
    with one.permitted(permit(RecordRef("c", "K", "2"))), pytest.raises(NotSent):
        one.tell([ONE], call)
    with one.permitted(permit(ONE)):
        one.tell([ONE], call)
        with pytest.raises(NotSent):
            one.tell([ONE], call)
    assert calls == [1]


def test_a_page_that_is_no_answer_of_the_vendors_is_not_asked_for_again() -> None:
    one, _ = guard()
    call, calls = failing(*[Unreachable(strange=True)] * 3)
    with pytest.raises(Unreachable) as caught:
        one.ask(call)
    assert calls == [1]
    assert caught.value.exit_code == 2


def test_a_busy_vendor_is_waited_for_as_it_says() -> None:
    one, clock = guard()
    call, _ = failing(Busy(retry_after=7.0))
    assert one.ask(call) == "done"
    assert clock.now >= 7.0


@pytest.mark.parametrize("told", [10.0**9, 91.0])
def test_a_vendor_that_asks_for_too_long_stops_the_run_for_later(told: float) -> None:
    one, clock = guard()
    call, calls = failing(Busy(retry_after=told))
    with pytest.raises(Busy):
        one.ask(call)
    assert one.halted == "busy"
    assert calls == [1]
    assert clock.now < 90


def test_a_negative_wait_is_none() -> None:
    one, clock = guard()
    call, _ = failing(Busy(retry_after=-5.0))
    assert one.ask(call) == "done"
    assert clock.now < 1


def test_the_breaker_opens_after_answers_that_are_none() -> None:
    one, _ = guard()
    call, calls = failing(*[Unreachable()] * (BREAKER + 5))
    for _ in range(2):
        with pytest.raises(Unreachable):
            one.ask(call)
    assert one.halted == "breaker"
    with one.permitted(permit(ONE)), pytest.raises((Unreachable, NotSent)):
        one.tell([ONE], call)
    assert calls[0] <= BREAKER


def test_a_new_login_for_somebody_else_halts() -> None:
    one, _ = guard()
    one.renew = lambda: None

    def prove() -> None:
        raise PlanBlocked("another org")

    one.prove = prove
    call, _ = failing(Unauthorized(renewable=True))
    with pytest.raises(PlanBlocked):
        one.ask(call)
    assert one.halted == "target"
    with one.permitted(permit(ONE)), pytest.raises(NotSent):
        one.tell([ONE], call)


def test_who_we_are_is_proved_before_the_first_write_of_a_new_login() -> None:
    one, _ = guard()
    proved: list[int] = []
    one.prove = lambda: proved.append(1)
    one.login_changed()
    with one.permitted(permit(ONE, sends=2)):
        one.tell([ONE], lambda: None)
        one.tell([ONE], lambda: None)
    assert proved == [1]


@pytest.mark.parametrize("count", [1, 7, 10])
def test_no_window_ever_holds_more_calls_than_the_rate(count: int) -> None:
    one, clock = guard(Rate(count, 2.0))
    at: list[float] = []
    for _ in range(count * 5):
        one.ask(lambda: at.append(clock.now))
    for moment in at:
        assert sum(moment <= other < moment + 2.0 for other in at) <= count


def test_a_rate_is_used_to_its_brim() -> None:
    one, clock = guard(Rate(10, 1.0))
    for _ in range(101):
        one.ask(lambda: None)
    assert clock.now < 10.0 / 0.95


def test_each_interface_is_counted_alone_where_the_vendor_does() -> None:
    one, clock = guard(Rate(2, 10.0, per="interface"))
    for name in ("a", "b", "a", "b"):
        one.ask(lambda: None, interface=name)
    assert clock.now == 0
    one.ask(lambda: None, interface="a")
    assert clock.now > 9


def test_processes_of_one_machine_count_together(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 50.0
    some = [Guard("c", (Rate(6, 2.0),), clock=clock, sleep=clock.sleep) for _ in range(3)]
    for one in some:
        one.share("acme", "org", tmp_path)
    at: list[float] = []
    for turn in range(30):
        some[turn % 3].ask(lambda: at.append(clock.now))
    for moment in at:
        assert sum(moment <= other < moment + 2.0 for other in at) <= 6
    assert at[-1] - at[0] < 8.0 / 0.95
    for one in some:
        one.close()


def test_a_process_that_joins_forgets_nothing_of_what_the_others_asked_meanwhile(
    tmp_path: Path,
) -> None:
    clock = Clock()
    clock.now = 50.0
    rate = Rate(6, 2.0)
    late, early = (Guard("c", (rate,), clock=clock, sleep=clock.sleep) for _ in range(2))
    at: list[float] = []
    late.ask(lambda: at.append(clock.now))
    early.share("acme", "org", tmp_path)
    clock.now += 0.1
    for _ in range(4):
        early.ask(lambda: at.append(clock.now))
    late.share("acme", "org", tmp_path)
    for turn in range(12):
        (late, early)[turn % 2].ask(lambda: at.append(clock.now))
    for moment in at:
        assert sum(moment <= other < moment + 2.0 for other in at) <= 6
    late.close()
    early.close()


def test_processes_of_one_login_count_together_from_their_first_call_on(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 50.0
    one, other, stranger = (
        Guard("c", (Rate(2, 5.0),), clock=clock, sleep=clock.sleep) for _ in range(3)
    )
    one.expect("acme", "a token", tmp_path)
    one.ask(lambda: None)
    one.share("acme", "org", tmp_path, login="a token")
    one.ask(lambda: None)
    stranger.expect("acme", "another token", tmp_path)
    stranger.ask(lambda: None)
    assert clock.now == 50.0
    other.expect("acme", "a token", tmp_path)
    other.ask(lambda: None)
    assert clock.now >= 55.0
    assert not any("token" in path.name for path in tmp_path.iterdir())
    for guard in (one, other, stranger):
        guard.close()


def test_logins_of_one_org_count_together_once_it_is_known_and_at_once_the_next_time(
    tmp_path: Path,
) -> None:
    clock = Clock()
    clock.now = 50.0
    first, second, again = (
        Guard("c", (Rate(2, 5.0),), clock=clock, sleep=clock.sleep) for _ in range(3)
    )
    for guard, login in ((first, "one"), (second, "two")):
        guard.expect("acme", login, tmp_path)
        guard.share("acme", "org", tmp_path, login=login)
        guard.ask(lambda: None)
    assert clock.now == 50.0
    again.expect("acme", "two", tmp_path)
    again.ask(lambda: None)
    assert clock.now >= 55.0
    for guard in (first, second, again):
        guard.close()


def test_counts_from_before_the_machine_was_started_anew_are_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 10_000.0
    old = Guard("c", (Rate(1, 5.0),), clock=clock, sleep=clock.sleep)
    old.share("acme", "org", tmp_path)
    old.ask(lambda: None)
    old.close()
    clock.now = 1.0
    new = Guard("c", (Rate(1, 5.0),), clock=clock, sleep=clock.sleep)
    new.share("acme", "org", tmp_path)
    new.ask(lambda: None)
    assert clock.now < 5
    new.close()


def test_what_is_asked_once_a_connection_is_left_out_of_what_reads_take_again() -> None:
    one, _ = guard()
    with one.counting() as counted:
        one.ask(lambda: "metadata")
        made_once(one)
        one.ask(lambda: "records")
    one.ask(lambda: "something else")
    assert (one.calls, counted.calls) == (3, 1)


def test_where_nothing_can_be_counted_together_each_process_counts_alone(tmp_path: Path) -> None:
    (tmp_path / "pace").write_text("no folder")
    clock = Clock()
    clock.now = 50.0
    guard = Guard("c", (Rate(2, 5.0),), clock=clock, sleep=clock.sleep)
    guard.share("acme", "org", tmp_path / "pace")
    at: list[float] = []
    for _ in range(4):
        guard.ask(lambda: at.append(clock.now))
    assert at[2] - at[0] >= 5.0
    guard.close()


def test_shared_counts_that_are_spoilt_are_left(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 50.0
    guard = Guard("c", (Rate(2, 5.0),), clock=clock, sleep=clock.sleep)
    guard.share("acme", "org", tmp_path)
    assert guard._pace.place is not None
    guard._pace.place.write_bytes(b"noise" * 1000)
    assert guard.ask(lambda: 7) == 7
    guard.close()


def test_no_more_calls_are_under_way_than_the_vendor_serves_at_one_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, _ = guard()
    served_at_once(one, "me", 2)
    under_way: set[int] = set()
    most = 0
    both = threading.Barrier(2)

    def call() -> str:
        nonlocal most
        under_way.add(threading.get_ident())
        most = max(most, len(under_way))
        both.wait(5)
        under_way.discard(threading.get_ident())
        return "done"

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: one.ask(call), range(6))) == {"done"}
    assert most == 2
    one.close()


def test_a_pace_that_is_off_counts_no_calls_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one = Guard("c", pace="off")
    served_at_once(one, "me", 1)
    assert one.ask(lambda: one.ask(lambda: "done")) == "done"
    assert list(tmp_path.iterdir()) == []
