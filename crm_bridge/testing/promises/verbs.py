"""What the verbs do, held against the vendor's truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from crm_bridge.kit import (
    ANY,
    Capability,
    Change,
    Effect,
    Operation,
    RecordRef,
    Rejected,
    State,
    Support,
    Verdict,
    is_empty,
)
from crm_bridge.testing.bench import Bench, SavedJob, differing, every_position, hanging, same
from crm_bridge.testing.ground import CannotDo, Truths

SETTLED = {Verdict.DONE, Verdict.ALREADY}


class Verbs:
    """Promises about void, archive, delete, purge, restore and update."""

    blind: ClassVar[frozenset[tuple[Operation, Support]]]

    def test_a_no_is_told_with_its_reason(self, no: Capability) -> None:
        assert no.note.strip()
        pytest.skip(f"{no.support}: {no.note}")

    @every_position
    def test_it_answers_once_for_each_record_and_in_no_other_name(
        self, bench: Bench, row: Capability
    ) -> None:
        refs = self._ready(bench, row, min(3, row.batch))
        if bench.strict:
            told = [outcome.ref for outcome in bench.send(row, refs)]
            assert sorted(told) == sorted(refs)
        else:
            assert set(bench.apply(row, refs)) == set(refs)

    @every_position
    def test_it_leads_where_the_row_says(self, bench: Bench, row: Capability) -> None:
        refs = self._ready(bench, row, 3)
        for ref, outcome in bench.apply(row, refs).items():
            assert bench.landed(row, ref, outcome), (ref, outcome, bench.true(ref))

    def test_what_is_done_is_called_done(self, bench: Bench, row: Capability) -> None:
        refs = self._ready(bench, row, 3)
        for ref, outcome in bench.apply(row, refs).items():
            assert outcome.verdict is Verdict.DONE, (ref, outcome)

    @every_position
    def test_twice_is_as_good_as_once(self, bench: Bench, row: Capability) -> None:
        if row.support is Support.REMADE:
            raise CannotDo("a second create makes a second record, and the core never sends it")
        refs = self._ready(bench, row, 2)
        bench.apply(row, refs)
        before = bench.truth()
        again = bench.apply(row, refs)
        assert set(again) == set(refs)
        assert not differing(before, bench.truth())

    @every_position
    def test_a_missing_record_fails_alone(self, bench: Bench, row: Capability) -> None:
        if row.support is Support.REMADE:
            raise CannotDo("a record that is made anew is missing by nature")
        refs = self._ready(bench, row, 2)
        missing = bench.missing(refs[0].kind)
        bench.olds[missing] = bench.olds.get(refs[0], {})
        told = bench.apply(row, [refs[0], missing, refs[1]])
        assert set(told) == {*refs, missing}
        for ref in refs:
            assert bench.landed(row, ref, told[ref]), (ref, told[ref])
        true = bench.true(missing)
        assert true is None or true.state == "gone"

    def test_a_missing_record_is_never_called_done(self, bench: Bench, row: Capability) -> None:
        if row.support is Support.REMADE:
            raise CannotDo("a record that is made anew is missing by nature")
        if (row.operation, row.support) in self.blind:
            raise CannotDo("this vendor's answer names no rows, and the read-back tells")
        refs = self._ready(bench, row, 1)
        missing = bench.missing(refs[0].kind)
        bench.olds[missing] = bench.olds.get(refs[0], {})
        told = bench.apply(row, [missing])
        assert told[missing].verdict is not Verdict.DONE, told

    @every_position
    def test_a_locked_record_is_left_as_it_is(self, bench: Bench, row: Capability) -> None:
        if State.LIVE not in row.takes:
            raise CannotDo("only live records are locked here")
        refs = self._ready(bench, row, 2)
        bench.ground.act(bench.crm, "lock", refs[0].kind, [refs[0].id])
        if not bench.read([refs[0]])[refs[0]].locked:
            raise CannotDo("a lock does not hinder writes here")
        before = bench.true(refs[0])
        told = bench.apply(row, refs)
        after = bench.true(refs[0])
        assert before is not None
        assert after is not None
        assert (after.state, after.own) == (before.state, before.own)
        assert told[refs[0]].verdict is not Verdict.DONE
        assert bench.landed(row, refs[1], told[refs[1]])

    @every_position
    def test_nothing_else_is_touched(self, bench: Bench, row: Capability) -> None:
        for kind in self._kinds(bench, row):
            refs = self._ready(bench, row, 2, kind)
            before = bench.truth()
            allowed = _along(bench, row, before, refs)
            told = bench.apply(row, refs)
            allowed |= _made_along(bench, row, before, refs[0].kind)
            allowed |= {(ref.kind, ref.id) for ref in refs}
            allowed |= {(o.new_ref.kind, o.new_ref.id) for o in told.values() if o.new_ref}
            extra = differing(before, _without(bench.truth(), refs, before)) - allowed
            assert not extra, extra

    def test_a_batch_is_so_many_write_requests_as_its_row_says(
        self, bench: Bench, row: Capability
    ) -> None:
        refs = self._ready(bench, row, min(3, row.batch))
        start = bench.last()
        bench.send(row, refs)
        assert len(bench.writes(start)) == row.sends, bench.writes(start)

    def test_each_write_passes_the_gate_with_its_records(
        self, bench: Bench, row: Capability
    ) -> None:
        refs = self._ready(bench, row, min(3, row.batch))
        start, told = bench.last(), len(bench.gate.told)
        bench.send(row, refs)
        assert len(bench.gate.told) - told == len(bench.writes(start)) == row.sends
        for named in bench.gate.told[told:]:
            assert sorted(named) == sorted(refs)

    def test_a_request_names_the_records_it_was_given(self, bench: Bench, row: Capability) -> None:
        refs = self._ready(bench, row, min(3, row.batch))
        start = bench.last()
        bench.send(row, refs)
        named = {one for line in bench.writes(start) for one in line.ids}
        wanted = {ref.id for ref in refs}
        if row.support is Support.REMADE:
            assert not named - wanted, named
        else:
            assert named == wanted

    def test_a_full_batch_is_taken(self, bench: Bench, row: Capability) -> None:
        kind = bench.kind_for(row)
        there = len(list(bench.free(kind, row)))
        refs = self._ready(bench, row, min(row.batch, there), kind)
        told = bench.send(row, refs)
        assert len(told) == len(refs)
        assert all(bench.landed(row, outcome.ref, outcome) for outcome in told)

    @every_position
    def test_what_was_taken_away_comes_back_whole(self, bench: Bench, coming: Capability) -> None:
        for kind in self._kinds(bench, coming):
            live = bench.plain(kind, 3)
            before = bench.truth()
            bench.bring(coming, live)
            bench.apply(coming, live)
            after = bench.truth()
            for ref in live:
                old, new = before[ref.kind, ref.id], after[ref.kind, ref.id]
                assert new.state == "live", new
                assert new.own == old.own
                assert new.links == old.links

    @every_position
    def test_only_what_was_asked_for_comes_back(self, bench: Bench, coming: Capability) -> None:
        refs = self._ready(bench, coming, 4)
        before = bench.truth()
        bench.apply(coming, refs[:2])
        changed = differing(before, bench.truth())
        assert {(ref.kind, ref.id) for ref in refs[:2]} <= changed
        assert not {(ref.kind, ref.id) for ref in refs[2:]} & changed

    def test_a_mark_writes_its_own_fields_only(self, bench: Bench, marked: Capability) -> None:
        refs = self._ready(bench, marked, 2)
        before = bench.truth()
        bench.apply(marked, refs)
        marks = bench.marks(refs[0].kind, marked)
        for ref in refs:
            old, new = before[ref.kind, ref.id], bench.truth()[ref.kind, ref.id]
            changed = {k for k in {*old.own, *new.own} if not same(old.own.get(k), new.own.get(k))}
            assert changed == set(marks)

    def test_a_mark_goes_back_to_the_exact_old_values(
        self, bench: Bench, marked: Capability
    ) -> None:
        refs = self._ready(bench, marked, 2)
        before = bench.truth()
        bench.apply(marked, refs)
        marks = bench.marks(refs[0].kind, marked)
        for part in _parts(bench, [Change(ref, bench.olds[ref], marks) for ref in refs]):
            bench.willing(lambda part=part: list(bench.adapter.update(part)))  # type: ignore[misc]
        assert not differing(before, bench.truth())

    def test_an_update_writes_each_record_its_own_values(self, bench: Bench) -> None:
        refs = self._updated(bench)
        name = bench.text_field(refs[0].kind)
        changes = [
            Change(ref, {name: f"Value {n} 'of' \"its own\" 🚀"}) for n, ref in enumerate(refs)
        ]
        told = [o for c in _parts(bench, changes) for o in bench.adapter.update(c)]
        assert {o.ref for o in told} == set(refs)
        for change in changes:
            true = bench.true(change.ref)
            assert true is not None
            assert true.fields[name] == change.fields[name]

    def test_an_update_empties_a_field_with_none(self, bench: Bench) -> None:
        for marked in bench.adapter.abilities().capabilities:
            if marked.support is Support.MARKED and marked.operation is not Operation.RESTORE:
                (ref,) = bench.plain(bench.kind_for(marked), 1, marked)
                bench.apply(marked, [ref])
                names = bench.marks(ref.kind, marked)
                told = list(bench.adapter.update([Change(ref, dict.fromkeys(names))]))
                assert told[0].verdict is Verdict.DONE
                true = bench.true(ref)
                assert true is not None
                assert all(is_empty(true.fields.get(name)) for name in names)
                return
        raise CannotDo("nothing is marked here")

    def test_an_update_of_a_field_that_is_not_there_fails(self, bench: Bench) -> None:
        (ref,) = self._updated(bench)[:1]
        before = bench.truth()
        try:
            told = list(bench.adapter.update([Change(ref, {"no_such_field_7f3a": "x"})]))
        except Rejected:
            told = []
        assert all(outcome.verdict is Verdict.FAILED for outcome in told)
        assert not differing(before, bench.truth())

    def test_the_lock_is_a_field_that_locks_and_unlocks(self, bench: Bench) -> None:
        lock = bench.adapter.profile.lock
        if not lock:
            raise CannotDo("this vendor locks no records")
        (ref,) = self._updated(bench)[:1]
        for value in (True, False):
            list(bench.adapter.update([Change(ref, {lock: value})]))
            true = bench.true(ref)
            assert true is not None
            assert true.locked is value
            assert bench.read([ref])[ref].locked is value

    def test_a_job_is_known_before_it_acts(self, bench: Bench, job: Capability) -> None:
        refs = self._ready(bench, job, 3)
        before = bench.truth()
        saved = SavedJob(bench.truth)
        verb = getattr(bench.adapter, job.operation.value)
        list(verb(bench.batch(job, refs), saved))
        assert saved.handle
        assert not differing(before, saved.before)

    def test_a_poll_never_starts_a_job_anew(self, bench: Bench, job: Capability) -> None:
        refs = self._ready(bench, job, 3)
        saved = SavedJob(bench.truth)
        verb = getattr(bench.adapter, job.operation.value)
        list(verb(bench.batch(job, refs), saved))
        start = bench.last()
        for _ in range(3):
            told = list(bench.adapter.poll(saved.handle, bench.batch(job, refs)))
            assert {outcome.ref for outcome in told} == set(refs)
        assert bench.writes(start) == []

    def test_what_a_person_brings_back_has_a_page(self, bench: Bench, by_hand: Capability) -> None:
        kind = bench.kind_for(by_hand)
        refs = bench.plain(kind, 2)
        bench.bring(by_hand, refs)
        for ref in refs:
            page = bench.adapter.page(ref, bench.begins(by_hand))
            assert page is not None
            assert page.startswith("https://"), page

    def test_what_a_person_brings_back_is_live_again(
        self, bench: Bench, by_hand: Capability
    ) -> None:
        kind = bench.kind_for(by_hand)
        refs = bench.plain(kind, 2)
        bench.bring(by_hand, refs)
        bench.ground.act(bench.crm, "restore", kind, [ref.id for ref in refs])
        assert {record.state for record in bench.read(refs).values()} == {State.LIVE}

    def test_within_the_window_it_comes_back(self, bench: Bench, taking: Capability) -> None:
        refs, back = self._windowed(bench, taking)
        bench.ground.turn(bench.crm, timedelta(days=taking.window.days or 0, hours=-2))
        told = bench.apply(back, refs)
        assert all(bench.landed(back, ref, told[ref]) for ref in refs)

    def test_after_the_window_it_does_not_come_back(self, bench: Bench, taking: Capability) -> None:
        refs, back = self._windowed(bench, taking)
        bench.ground.turn(bench.crm, timedelta(days=taking.window.days or 0, hours=26))
        told = bench.apply(back, refs)
        for ref in refs:
            assert told[ref].verdict not in SETTLED, told[ref]
            true = bench.true(ref)
            assert true is None or true.state != "live"

    # --- private ---------------------------------------------------------------------------------

    @staticmethod
    def _ready(
        bench: Bench, row: Capability, count: int, kind: str | None = None
    ) -> list[RecordRef]:
        if row not in bench.adapter.abilities().capabilities:
            raise CannotDo("this account lacks the row")
        refs = bench.plain(kind or bench.kind_for(row), count, row)
        bench.bring(row, refs)
        return refs

    @staticmethod
    def _kinds(bench: Bench, row: Capability) -> list[str]:
        first = bench.kind_for(row)
        company = bench.adapter.profile.aliases["company"]
        fits = row.kinds == ANY and row in bench.adapter.abilities().rows(row.operation, company)
        return [first, company] if fits and first != company else [first]

    @staticmethod
    def _updated(bench: Bench) -> list[RecordRef]:
        rows = bench.adapter.abilities().capabilities
        if not any(row.support is Support.MARKED for row in rows):
            raise CannotDo("nothing is written here")
        return bench.plain(bench.kinds[0], 3)

    def _windowed(self, bench: Bench, taking: Capability) -> tuple[list[RecordRef], Capability]:
        if taking.window.days is None or taking.support is not Support.NATIVE:
            raise CannotDo("no limit of the way back is known")
        kind = bench.kind_for(taking)
        rows = bench.adapter.abilities().rows(Operation.RESTORE, kind)
        back = [r for r in rows if taking.gives in r.takes and r.support is Support.NATIVE]
        if not back:
            raise CannotDo("no call brings it back")
        refs = self._ready(bench, taking, 2, kind)
        bench.apply(taking, refs)
        return refs, back[0]


def _parts(bench: Bench, changes: Sequence[Change]) -> list[list[Change]]:
    rows = bench.adapter.abilities().capabilities
    size = min(row.batch for row in rows if row.support is Support.MARKED)
    return [list(changes[start : start + size]) for start in range(0, len(changes), size)]


def _along(
    bench: Bench, row: Capability, truth: Truths, refs: Sequence[RecordRef]
) -> set[tuple[str, str]]:
    """What the rules announce to be touched along with these records."""
    if row.operation is Operation.RESTORE:
        # What went along comes back, to any depth; what was detached is tied again.
        named = _named_along(bench, refs[0].kind)
        return {key for key in truth if key[0] in named}
    if row.support is not Support.NATIVE:
        return set()
    # What takes records out of a bin, or out of a void, takes what went there along with them.
    binned = State.LIVE not in row.takes
    operations = (None, row.operation, *((Operation.DELETE,) if binned else ()))
    states = ("live", *row.takes) if binned else ("live",)
    allowed = set[tuple[str, str]]()
    waiting = {(ref.kind, ref.id) for ref in refs}
    while waiting:
        below = set[tuple[str, str]]()
        for kind in {kind for kind, _ in waiting}:
            ids = [id for own, id in waiting if own == kind]
            for rule in bench.adapter.relations(kind):
                if rule.operation not in operations:
                    continue
                found = {(rule.child, one) for one in hanging(truth, ids, rule, states)}
                if rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW):
                    below |= found
                elif rule.effect is Effect.DETACHES:
                    allowed |= found
        waiting = below - allowed
        allowed |= below
    return allowed


def _named_along(bench: Bench, kind: str) -> set[str]:
    """The kinds that come back with a record of this kind, by the profile and the account's own."""
    named, parents = set[str](), {kind}
    while parents:
        undone = [r for r in bench.adapter.profile.cascades if r.kind in parents]
        undone += [r for parent in parents for r in bench.adapter.relations(parent)]
        parents = {r.child for r in undone if r.comes_back is not False} - named
        named |= parents
    return named


def _made_along(bench: Bench, row: Capability, before: Truths, kind: str) -> set[tuple[str, str]]:
    """What the vendor makes by itself beside a record that is made anew: its one account, say."""
    if row.support is not Support.REMADE:
        return set()
    named = _named_along(bench, kind)
    return {key for key in bench.truth() if key not in before and key[0] in named}


def _without(after: Truths, refs: Sequence[RecordRef], before: Truths) -> Truths:
    """The truth afterwards, with the associations that only pointed at what is gone put back."""
    import dataclasses

    gone = {ref.id for ref in refs}
    shown: Any = {}
    for key, truth in after.items():
        old = before.get(key)
        lost = {link for link in (old.links - truth.links if old else ()) if link[2] in gone}
        shown[key] = dataclasses.replace(truth, links=truth.links | lost)
    return shown  # type: ignore[no-any-return]
