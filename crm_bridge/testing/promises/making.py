"""Making records anew from their snapshots."""

from __future__ import annotations

from crm_bridge.kit import Adapter, Capability, Link, RecordRef, State
from crm_bridge.testing.bench import Bench, every_position, same
from crm_bridge.testing.ground import CannotDo


class Making:
    """Promises about `create`, `twin` and `link`."""

    @every_position
    def test_a_remade_record_has_a_new_id(self, bench: Bench, making: Capability) -> None:
        refs = _taken(bench, making, 2)
        before = bench.truth()
        told = bench.apply(making, refs)
        if not bench.strict and not all(outcome.new_ref for outcome in told.values()):
            raise CannotDo("the answer is lost under this switch")
        new = [outcome.new_ref for outcome in told.values()]
        assert len(set(new)) == len(refs)
        for ref in new:
            assert ref is not None
            assert (ref.kind, ref.id) not in before
            assert ref.crm == bench.crm

    def test_a_remade_record_has_the_old_values_but_those_named(
        self, bench: Bench, making: Capability
    ) -> None:
        refs = _taken(bench, making, 2)
        for ref, outcome in bench.apply(making, refs).items():
            assert outcome.new_ref is not None
            new = bench.true(outcome.new_ref)
            assert new is not None
            not_set = outcome.details.get("not_set", {})
            for name, value in bench.whole[ref].fields.items():
                if name not in new.vendor_set and name not in not_set:
                    assert same(new.fields.get(name), value), name

    def test_what_cannot_be_set_is_named_with_its_reason(
        self, bench: Bench, making: Capability
    ) -> None:
        refs = _taken(bench, making, 2)
        for ref, outcome in bench.apply(making, refs).items():
            not_set = outcome.details.get("not_set", {})
            assert set(not_set) <= set(bench.whole[ref].fields)
            assert all(isinstance(why, str) and why for why in not_set.values()), not_set

    @every_position
    def test_each_record_is_made_once(self, bench: Bench, making: Capability) -> None:
        refs = _taken(bench, making, 2)
        before = {key for key, truth in bench.truth().items() if truth.state == "live"}
        bench.apply(making, refs)
        after = {key for key, truth in bench.truth().items() if truth.state == "live"}
        assert len(after - before) == len(refs)
        assert not before - after

    def test_a_twin_is_told_for_sure_or_not_at_all(self, bench: Bench, making: Capability) -> None:
        refs = _taken(bench, making, 2)
        assert bench.adapter.twin(bench.whole[refs[0]]) is None
        told = bench.apply(making, refs[:1])
        twin: RecordRef | None = bench.adapter.twin(bench.whole[refs[0]])
        assert twin in (None, told[refs[0]].new_ref)
        assert bench.adapter.twin(bench.whole[refs[1]]) is None

    def test_a_remade_record_can_be_taken_away_again(
        self, bench: Bench, making: Capability
    ) -> None:
        refs = _taken(bench, making, 1)
        new = bench.apply(making, refs)[refs[0]].new_ref
        assert new is not None
        assert bench.read([new])[new].state is State.LIVE
        for step in bench.way(new.kind, State.LIVE, bench.begins(making)):
            told = bench.apply(step, [new])
            assert bench.landed(step, new, told[new])

    def test_an_association_is_put_back(self, bench: Bench) -> None:
        if type(bench.adapter).link is Adapter.link:
            raise CannotDo(
                "this vendor keeps associations in fields, or the adapter puts none back"
            )
        kind = bench.adapter.profile.aliases["contact"]
        first, second = bench.plain(kind, 2)
        links = bench.read([first])[first].links
        link = links[0] if links else Link("friend", second)
        told = list(bench.adapter.link([(second, Link(link.name, link.other, link.label))]))
        assert [outcome.ref for outcome in told] == [second]
        true = bench.true(second)
        assert true is not None
        assert (link.name, link.other.kind, link.other.id, link.label) in true.links


def _taken(bench: Bench, making: Capability, count: int) -> list[RecordRef]:
    if making not in bench.adapter.abilities().capabilities:
        raise CannotDo("this account lacks the row")
    refs = bench.plain(bench.kind_for(making), count)
    bench.bring(making, refs)
    return refs
