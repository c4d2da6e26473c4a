"""How records are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from crm_bridge.kit import Batch, Capability, State, Support, is_empty
from crm_bridge.testing.bench import Bench, every_position
from crm_bridge.testing.ground import CannotDo


class Reads:
    """Promises about reads."""

    def test_each_record_is_read_once_and_in_no_other_name(self, bench: Bench) -> None:
        for kind in bench.kinds:
            refs = [bench.ref(kind, t.id) for t in bench.live(kind)]
            size = bench.adapter.profile.read_batch
            some = tuple(refs[:size])
            found = [r.ref for r in bench.adapter.read(Batch(bench.crm, kind, None, some))]
            assert sorted(found) == sorted(some)

    @every_position
    def test_a_missing_record_is_gone_and_hides_no_other(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        refs = [*bench.plain(kind, 2), bench.missing(kind)]
        found = bench.read(refs)
        assert set(found) == set(refs)
        assert [found[ref].state for ref in refs[:2]] == [State.LIVE, State.LIVE]
        assert found[refs[2]].state is State.GONE or found[refs[2]].unreadable
        assert not found[refs[2]].fields

    def test_what_never_was_comes_without_evidence(self, bench: Bench) -> None:
        ref = bench.missing(bench.kinds[0])
        assert bench.read([ref])[ref].evidence == ""

    def test_the_order_of_asking_does_not_matter(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        refs = [bench.ref(kind, t.id) for t in bench.live(kind)][:10]
        assert bench.read(refs) == bench.read(refs[::-1])

    def test_values_are_exactly_the_vendors(self, bench: Bench) -> None:
        for kind in bench.kinds:
            live = {bench.ref(kind, t.id): t for t in bench.live(kind)}
            for ref, record in bench.read(live).items():
                truth = live[ref].fields
                own = {k: record.fields.get(k) for k in truth if k not in live[ref].vendor_set}
                assert own == live[ref].own, ref

    def test_no_number_is_rounded(self, bench: Bench) -> None:
        for kind in bench.kinds:
            refs = [bench.ref(kind, t.id) for t in bench.live(kind)]
            for record in bench.read(refs).values():
                for value in _leaves(record.fields):
                    assert not isinstance(value, float), (record.ref, value)

    def test_big_numbers_keep_every_digit(self, bench: Bench) -> None:
        big = 0
        for kind in bench.kinds:
            live = {bench.ref(kind, t.id): t for t in bench.live(kind)}
            for ref, record in bench.read(live).items():
                for name, value in live[ref].own.items():
                    if _digits(value) > 15:
                        big += 1
                        assert str(record.fields[name]) == str(value)
        if not big:
            raise CannotDo("no record here has so many digits")

    def test_links_are_the_vendors(self, bench: Bench) -> None:
        for kind in bench.kinds:
            live = {bench.ref(kind, t.id): t for t in bench.live(kind)}
            for ref, record in bench.read(live).items():
                told = {(o.name, o.other.kind, o.other.id, o.label) for o in record.links}
                assert told == live[ref].links, ref
                assert all(o.other.crm == bench.crm for o in record.links)

    def test_a_locked_record_says_so(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        locked, free = bench.plain(kind, 2)
        bench.ground.act(bench.crm, "lock", kind, [locked.id])
        found = bench.read([locked, free])
        assert found[locked].locked
        assert not found[free].locked

    def test_the_moment_of_change_is_utc(self, bench: Bench) -> None:
        for kind in bench.kinds:
            for record in bench.read(bench.plain(kind, 3)).values():
                if record.changed_at is not None:
                    assert record.changed_at.utcoffset() == timedelta(0)

    def test_a_change_shows_at_the_next_read(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        (ref,) = bench.plain(kind, 1)
        before = bench.read([ref])[ref]
        name = bench.text_field(kind)
        bench.ground.act(bench.crm, "edit", kind, [ref.id], fields={name: "edited by a person"})
        after = bench.read([ref])[ref]
        assert after.fields[name] == "edited by a person"
        own = bench.adapter.profile.vendor_set
        assert after.fingerprint(own) != before.fingerprint(own)

    def test_reading_twice_gives_the_same(self, bench: Bench) -> None:
        refs = bench.plain(bench.kinds[0], 5)
        assert bench.read(refs) == bench.read(refs)

    def test_a_whole_batch_can_be_read(self, bench: Bench) -> None:
        kind = max(bench.kinds, key=lambda k: len(bench.live(k)))
        some = [bench.ref(kind, t.id) for t in bench.live(kind)][: bench.adapter.profile.read_batch]
        found = bench.read(some)
        assert {record.state for record in found.values()} == {State.LIVE}

    @every_position
    def test_a_record_that_was_taken_away_says_so(self, bench: Bench, taking: Capability) -> None:
        if taking.support is not Support.NATIVE:
            raise CannotDo("a marked record is read as live, and the core judges the mark")
        refs = bench.plain(bench.kind_for(taking), 2, taking)
        bench.bring(taking, refs)
        bench.apply(taking, refs)
        for record in bench.read(refs).values():
            assert record.state is taking.gives or record.unreadable, record

    def test_a_merged_record_is_not_passed_off_as_another(self, bench: Bench) -> None:
        kind = bench.adapter.profile.aliases["company"]
        loser, winner = bench.plain(kind, 2)
        bench.ground.act(bench.crm, "merge", kind, [loser.id], into=winner.id)
        record = bench.read([loser])[loser]
        assert record.ref == loser
        assert record.unreadable or record.state is not State.LIVE

    def test_reading_many_at_once_reads_each_as_if_alone(self, bench: Bench) -> None:
        refs = bench.plain(bench.kinds[0], 4)
        together = bench.read(refs)
        for ref in refs:
            assert bench.read([ref])[ref] == together[ref]

    def test_a_record_tells_its_own_account(self, bench: Bench, other: Bench) -> None:
        for one in (bench, other):
            for record in one.read(one.plain(one.kinds[0], 2)).values():
                assert record.ref.crm == one.crm

    def test_a_record_of_the_other_account_is_gone_here(self, bench: Bench, other: Bench) -> None:
        kind = bench.kinds[0]
        mine = {t.id for t in bench.truth().values()}
        foreign = [t.id for t in other.live(kind) if t.id not in mine]
        if not foreign:
            raise CannotDo("ids of two accounts may be the same here")
        ref = bench.ref(kind, foreign[0])
        record = bench.read([ref])[ref]
        assert record.unreadable or record.state is State.GONE


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _digits(value: Any) -> int:
    if isinstance(value, bool) or is_empty(value):
        return 0
    try:
        return len(Decimal(str(value)).as_tuple().digits)
    except ArithmeticError:
        return 0
