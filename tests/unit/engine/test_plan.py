"""The planner is pure: for any table, state and rules it gives one way or one verdict, and an order."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.engine.plan import confirm_text, judge, ordered, steps_of, undo_of, until_of, way
from crm_bridge.model.abilities import (
    REACHES,
    Capability,
    CascadeRule,
    Effect,
    Operation,
    Profile,
    RecoveryWindow,
    Support,
    Undo,
)
from crm_bridge.model.plans import Target
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Outcome, Verdict
from crm_bridge.testing.memory import PROFILE

DAY = date(2026, 11, 24)
TAKING = (Operation.VOID, Operation.ARCHIVE, Operation.DELETE, Operation.PURGE)
operations = st.sampled_from(TAKING)
states = st.sampled_from(tuple(State))
rows = st.builds(
    Capability,
    operation=st.sampled_from(tuple(Operation)),
    support=st.sampled_from((Support.NATIVE, Support.MARKED, Support.NEVER, Support.NOT_YET)),
    takes=st.lists(states, max_size=3, unique=True).map(tuple),
    gives=states,
    window=st.sampled_from((RecoveryWindow(Undo.NONE), RecoveryWindow(Undo.SAME_ID, 30))),
    batch=st.integers(1, 500),
    checked=st.just(DAY),
)


def profile(table: list[Capability]) -> Profile:
    return Profile(vendor="v", title="V", capabilities=tuple(table))


@given(st.lists(rows, max_size=8), operations, states)
def test_a_way_begins_where_the_record_is_and_every_row_of_it_can_be_gone(
    table: list[Capability], operation: Operation, state: State
) -> None:
    found = way(profile(table), operation, "Lead", state)
    if found is None:
        return
    assert 1 <= len(found.rows) <= 2
    assert state in found.rows[0].takes
    assert found.rows[-1].operation is operation
    for one, then in zip(found.rows, found.rows[1:], strict=False):
        assert one.gives in then.takes
    assert all(row.support not in (Support.NEVER, Support.NOT_YET) for row in found.rows)


@given(st.lists(rows, max_size=8), operations, states, st.booleans())
def test_every_record_has_one_way_or_one_verdict(
    table: list[Capability], operation: Operation, state: State, locked: bool
) -> None:
    record = Record(RecordRef("c", "Lead", "1"), state, {"a": 1}, locked=locked)
    found = judge(operation, record, profile(table))
    if isinstance(found, Outcome):
        assert found.ref == record.ref
        assert found.problem is not None or found.verdict is Verdict.ALREADY
        assert found.verdict is not Verdict.DONE
        if found.verdict is Verdict.ALREADY:
            assert state in {*REACHES[operation], State.GONE}
    else:
        assert not locked
        assert state not in (State.PENDING, State.GONE)
    assert judge(operation, record, profile(table)) == found


KINDS = ("A", "B", "C", "D", "E")
arrows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] < p[1]), max_size=8
)


@given(st.permutations(KINDS), arrows)
def test_what_blocks_goes_before_what_it_blocks(
    kinds: list[str], pairs: list[tuple[int, int]]
) -> None:
    rules = [
        CascadeRule(KINDS[up], KINDS[down], "x", Effect.BLOCKS, None, Operation.DELETE)
        for up, down in pairs
    ]
    found = ordered(kinds, rules, Operation.DELETE)
    assert sorted(found) == sorted(KINDS)
    for up, down in pairs:
        assert found.index(KINDS[down]) < found.index(KINDS[up])


@given(
    st.permutations(KINDS),
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS), st.sampled_from(tuple(Effect))),
        max_size=10,
    ),
)
def test_a_ring_of_relations_is_ordered_all_the_same(
    kinds: list[str], ring: list[tuple[str, str, Effect]]
) -> None:
    rules = [CascadeRule(a, b, "x", effect, None, Operation.DELETE) for a, b, effect in ring]
    assert sorted(ordered(kinds, rules, Operation.DELETE)) == sorted(KINDS)


@given(st.integers(1, 2000), st.sampled_from(("delete", "purge", "void")))
def test_steps_hold_every_target_once_and_what_is_for_ever_is_typed(count: int, word: str) -> None:
    operation = Operation(word)
    state = State.DELETED if operation is Operation.PURGE else State.LIVE
    found = way(PROFILE, operation, "Lead", state)
    assert found is not None
    targets = [Target(RecordRef("c", "Lead", str(n)), "f") for n in range(count)]
    steps = steps_of({("c", "Lead", found.rows): targets}, {"c": PROFILE}, {}, operation)
    first = [step for step in steps if step.after is None]
    assert sum(len(step.targets) for step in first) == count
    assert all(step.capability.at_least <= max(1, count) for step in steps)
    text = confirm_text(steps, {"c": PROFILE})
    assert text == (f"c {count}" if operation is Operation.PURGE else None)


@given(rows, st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_a_deadline_is_never_after_the_window(row: Capability, moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    until = until_of(row, undo_of(row), moment)
    if until is not None:
        assert row.window.days is not None
        assert (until - moment).days <= row.window.days
