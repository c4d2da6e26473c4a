"""What hangs on a record, and what becomes of it."""

from __future__ import annotations

from crm_bridge.kit import (
    Capability,
    CascadeRule,
    Effect,
    Operation,
    Profile,
    RecordRef,
    State,
    Support,
)
from crm_bridge.testing.bench import Bench, every_position, hanging
from crm_bridge.testing.ground import CannotDo, Truth

FOLLOWS = (Effect.FOLLOWS, Effect.MAY_FOLLOW)


class Relations:
    """Promises about relations; each is tried for every rule of the profile."""

    def test_rules_speak_of_the_kind_they_were_asked_for(self, bench: Bench) -> None:
        for kind in bench.kinds:
            for rule in bench.adapter.relations(kind):
                assert rule.kind == kind
                assert RecordRef(bench.crm, rule.child, "1")

    def test_a_count_is_the_truth(self, bench: Bench, rule: CascadeRule) -> None:
        for some in ([0], [1], [0, 1, 2]):
            parents = _parents(bench, rule)
            refs = [parents[n] for n in some if n < len(parents)]
            if refs:
                told = bench.adapter.count(bench.batch(None, refs), rule)
                true = hanging(bench.truth(), [ref.id for ref in refs], rule)
                assert told is None or told == len(true)

    def test_children_are_the_truth_and_come_whole(self, bench: Bench, rule: CascadeRule) -> None:
        if rule.effect not in FOLLOWS:
            raise CannotDo("only what follows is read whole")
        refs = _parents(bench, rule)[:3]
        true = hanging(bench.truth(), [ref.id for ref in refs], rule)
        found = list(bench.adapter.children(bench.batch(None, refs), rule))
        assert sorted(r.ref.id for r in found) == sorted(true)
        for record in found:
            assert record.state is State.LIVE
            assert record.ref == bench.ref(rule.child, record.ref.id)
            assert record.fields.items() >= true[record.ref.id].own.items()

    def test_a_record_with_nothing_on_it_counts_nought(
        self, bench: Bench, rule: CascadeRule
    ) -> None:
        truth = bench.truth()
        for one in bench.live(rule.kind):
            if not hanging(truth, [one.id], rule):
                batch = bench.batch(None, [bench.ref(rule.kind, one.id)])
                assert bench.adapter.count(batch, rule) in (0, None)
                assert list(bench.adapter.children(batch, rule)) == []
                return
        raise CannotDo("something hangs on every record here")

    @every_position
    def test_what_follows_goes_along(self, bench: Bench, rule: CascadeRule) -> None:
        row, parent, children = _case(bench, rule, (Effect.FOLLOWS,))
        bench.apply(row, [parent])
        for one in children:
            true = bench.true(bench.ref(rule.child, one))
            assert true is None or true.state != "live", true

    def test_what_came_along_comes_back_as_the_rule_says(
        self, bench: Bench, rule: CascadeRule
    ) -> None:
        if rule.comes_back is None:
            raise CannotDo("nobody says whether it comes back")
        row, parent, children = _case(bench, rule, (*FOLLOWS, Effect.DETACHES))
        back = _back(bench, row)
        bench.apply(row, [parent])
        bench.apply(back, [parent])
        for one, old in children.items():
            true = bench.true(bench.ref(rule.child, one))
            if rule.comes_back:
                assert true is not None
                assert true.state == "live"
                assert true.own == old.own
                assert true.links == old.links
            elif rule.effect is Effect.FOLLOWS:
                assert true is None or true.state != "live"

    def test_what_is_detached_stays(self, bench: Bench, rule: CascadeRule) -> None:
        row, parent, children = _case(bench, rule, (Effect.DETACHES,))
        bench.apply(row, [parent])
        for one in children:
            true = bench.true(bench.ref(rule.child, one))
            assert true is not None
            assert true.state == "live"

    def test_what_blocks_keeps_its_parent(self, bench: Bench, rule: CascadeRule) -> None:
        row, parent, _ = _case(bench, rule, (Effect.BLOCKS,))
        before = bench.true(parent)
        told = bench.apply(row, [parent])
        assert told[parent].verdict == "failed", told
        assert bench.true(parent) == before


def _parents(bench: Bench, rule: CascadeRule) -> list[RecordRef]:
    truth = bench.truth()
    found = []
    for one in sorted(truth):
        fits = one[0] == rule.kind and truth[one].state == "live" and not truth[one].locked
        if fits and hanging(truth, [one[1]], rule):
            found.append(bench.ref(*one))
    if not found:
        raise CannotDo(f"no {rule.child} hangs on a {rule.kind} here")
    return found


def _case(
    bench: Bench, rule: CascadeRule, effects: tuple[Effect, ...]
) -> tuple[Capability, RecordRef, dict[str, Truth]]:
    own = [
        r for r in bench.adapter.relations(rule.kind) if (r.child, r.via) == (rule.child, rule.via)
    ]
    if not any(r.effect in effects for r in own):
        raise CannotDo(f"the {rule.child} {rule.effect}")
    operations = [rule.operation] if rule.operation else [Operation.VOID, Operation.DELETE]
    profile: Profile = bench.adapter.abilities()
    for operation in operations:
        for row in profile.rows(operation, rule.kind):
            if row.support is Support.NATIVE and State.LIVE in row.takes and not row.job:
                plain = set(bench.free(rule.kind, row))
                for parent in _parents(bench, rule):
                    if parent in plain:
                        return row, parent, hanging(bench.truth(), [parent.id], rule)
    raise CannotDo(f"no {rule.kind} with a {rule.child} can be taken away by itself")


def _back(bench: Bench, row: Capability) -> Capability:
    profile: Profile = bench.adapter.abilities()
    for back in profile.capabilities:
        native = back.operation is Operation.RESTORE and back.support is Support.NATIVE
        if native and row.gives in back.takes:
            return back
    raise CannotDo("no call brings the parent back")
