"""Whose account it is, and that two of them never mix."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from crm_bridge.kit import Account, Capability, Operation, Profile, State, Support
from crm_bridge.testing.bench import Bench, differing
from crm_bridge.testing.ground import CannotDo


class Identity:
    """Promises about `whoami`, its clock, and lanes."""

    def test_the_server_says_who_we_are(self, bench: Bench) -> None:
        account = bench.adapter.whoami()
        assert isinstance(account, Account)
        assert account.org
        assert account.user

    def test_two_accounts_have_two_names(self, bench: Bench, other: Bench) -> None:
        assert bench.adapter.whoami().org != other.adapter.whoami().org

    def test_who_we_are_does_not_depend_on_the_hour(self, bench: Bench) -> None:
        assert bench.adapter.whoami().org == bench.adapter.whoami().org

    def test_the_environment_is_the_one_that_is_claimed(self, bench: Bench) -> None:
        assert bench.adapter.whoami().environment == bench.settings.environment

    def test_the_clock_is_the_vendors(self, bench: Bench) -> None:
        before = bench.adapter.whoami().now
        assert before.utcoffset() == timedelta(0)
        bench.ground.turn(bench.crm, timedelta(days=91))
        after = bench.willing(bench.adapter.whoami).now
        assert timedelta(days=91) <= after.astimezone(UTC) - before < timedelta(days=91, minutes=5)

    def test_each_clock_is_its_own_accounts(self, bench: Bench, other: Bench) -> None:
        if type(bench.ground).__name__ == "World":
            raise CannotDo("the accounts of one world share a clock")
        before = other.adapter.whoami().now
        bench.ground.turn(bench.crm, timedelta(days=91))
        assert other.adapter.whoami().now - before < timedelta(minutes=5)

    def test_two_accounts_never_mix_in_reading(self, bench: Bench, other: Bench) -> None:
        mine = {one.crm: {t.id for t in one.truth().values()} for one in (bench, other)}
        refs = {one.crm: one.plain(one.kinds[0], 6) for one in (bench, other)}
        starts = {one.crm: one.last() for one in (bench, other)}
        found: list[Any] = []

        def work(one: Bench) -> None:
            for _ in range(3):
                found.append((one.crm, one.read(refs[one.crm])))

        _in_threads([bench, other] * 4, work)
        for crm, records in found:
            assert {ref.crm for ref in records} == {crm}
            assert {record.state for record in records.values()} == {State.LIVE}
        for one in (bench, other):
            named = {id for line in one.arrived(starts[one.crm]) for id in line.ids}
            assert not named & (mine[_other(one, bench, other).crm] - mine[one.crm])

    def test_two_accounts_never_mix_in_writing(self, bench: Bench, other: Bench) -> None:
        row = _first_write(bench)
        kind = bench.kind_for(row)
        refs = {one.crm: one.plain(kind, 8, row) for one in (bench, other)}
        before = {one.crm: one.truth() for one in (bench, other)}
        lots = {one.crm: [refs[one.crm][n : n + 2] for n in (0, 2, 4, 6)] for one in (bench, other)}

        def work(one: Bench) -> None:
            one.apply(row, lots[one.crm].pop())

        _in_threads([bench, other] * 4, work)
        for one in (bench, other):
            changed = differing(before[one.crm], one.truth())
            wanted = {(ref.kind, ref.id) for ref in refs[one.crm]}
            assert {key for key in changed if key[0] == kind} == wanted
            for line in one.writes():
                assert set(line.ids) <= {ref.id for ref in refs[one.crm]}

    def test_lanes_may_be_entered_again_and_again(self, bench: Bench, other: Bench) -> None:
        for one in (bench, other, bench):
            one.adapter.enter_lane()
            ref = one.plain(one.kinds[0], 1)[0]
            assert one.read([ref])[ref].state is State.LIVE


def _other(one: Bench, bench: Bench, other: Bench) -> Bench:
    return other if one is bench else bench


def _first_write(bench: Bench) -> Capability:
    profile: Profile = bench.adapter.abilities()
    for operation in (Operation.DELETE, Operation.VOID, Operation.ARCHIVE):
        for row in profile.capabilities:
            fits = row.operation is operation and State.LIVE in row.takes and not row.job
            if fits and row.support in (Support.NATIVE, Support.MARKED):
                return row
    raise CannotDo("nothing is written here")


def _in_threads(benches: list[Bench], work: Callable[[Bench], None]) -> None:
    troubles: list[BaseException] = []
    start = threading.Barrier(len(benches))

    def lane(one: Bench) -> None:
        try:
            one.adapter.enter_lane()
            start.wait(10)
            work(one)
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=lane, args=(one,)) for one in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if troubles:
        raise troubles[0]
