"""How records are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from crm_bridge.kit import Condition, Operation, Record, Rejected, State, Support, is_empty
from crm_bridge.testing.bench import AWKWARD, Bench
from crm_bridge.testing.ground import CannotDo, Truth

INJECTIONS = {
    "soql": "' OR Name LIKE '%",
    "double quote": '" or (id != "',
    "closing": "x') or ('1'='1",
    "percent": "%",
    "underscore": "_",
    "star": "*",
    "backslash": "\\",
    "backslash quote": "\\' OR 1=1 --",
    "newline": "one\ntwo",
    "json": '"}],"filters":[{"x":"',
    "xml": "</name><name>&lt;",
    "emoji": "🚀🚀🚀",
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: bool(value == wanted),
    "!=": lambda value, wanted: bool(value != wanted),
    "in": lambda value, wanted: value in wanted,
    "contains": lambda value, wanted: wanted.casefold() in value.casefold(),
    "<": lambda value, wanted: bool(value < wanted),
    "<=": lambda value, wanted: bool(value <= wanted),
    ">": lambda value, wanted: bool(value > wanted),
    ">=": lambda value, wanted: bool(value >= wanted),
}


class Searches:
    """Promises about searches."""

    def test_a_search_finds_every_live_record_once(self, bench: Bench) -> None:
        for kind in bench.kinds:
            found = [record.ref.id for record in bench.adapter.find(kind)]
            assert sorted(found) == sorted(t.id for t in bench.live(kind))

    def test_a_search_streams(self, bench: Bench) -> None:
        kind = max(bench.kinds, key=lambda k: len(bench.live(k)))
        start = bench.last()
        assert len(list(bench.adapter.find(kind))) > 1
        whole = len(bench.arrived(start))
        if whole < 2:
            raise CannotDo("all records of this account are on one page")
        start = bench.last()
        assert next(iter(bench.adapter.find(kind)))
        assert len(bench.arrived(start)) < whole

    def test_what_is_found_is_live_and_in_this_account(self, bench: Bench) -> None:
        for record in bench.adapter.find(bench.kinds[0]):
            assert record.state is State.LIVE
            assert (record.ref.crm, record.ref.kind) == (bench.crm, bench.kinds[0])

    def test_what_is_found_is_what_is_read(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        found = {record.ref: record for record in bench.adapter.find(kind)}
        read = bench.read(found)
        for ref, record in found.items():
            assert read[ref].fields.items() >= _filled(record).items()

    @pytest.mark.parametrize("op", OPERATORS)
    def test_an_operator_means_what_it_says(self, bench: Bench, op: str) -> None:
        kind, field, values = self._field(bench, op)
        middle = sorted(values)[len(values) // 2]
        wanted: Any = middle
        if op == "in":
            wanted = tuple(sorted(values)[:3])
        elif op == "contains":
            wanted = max(re.findall(r"[A-Za-z0-9]+", middle) or [middle], key=len)
        found = self._found(bench, kind, Condition(field, op, wanted))
        for truth in bench.live(kind):
            value = _value(truth, field, op)
            if value is not None:
                assert (truth.id in found) == OPERATORS[op](value, wanted), (value, op, wanted)

    @pytest.mark.parametrize("op", ["is empty", "is not empty"])
    def test_an_empty_value_is_told_from_a_full_one(self, bench: Bench, op: str) -> None:
        for kind in bench.kinds:
            texts = self._texts(bench, kind)
            some = [f for f, n in texts.items() if 0 < n < len(bench.live(kind))]
            for field in some[:1]:
                found = self._found(bench, kind, Condition(field, op))
                for truth in bench.live(kind):
                    assert (truth.id in found) == (
                        is_empty(truth.fields.get(field)) == (op == "is empty")
                    )
                return
        raise CannotDo("no field of text is empty in some records only")

    def test_all_conditions_hold_together(self, bench: Bench) -> None:
        kind, field, values = self._field(bench, "=")
        first, second = sorted(values)[:2]
        both = [Condition(field, "=", first), Condition(field, "=", second)]
        assert self._found(bench, kind, *both) == {}
        twice = [Condition(field, "=", first), Condition(field, "in", (first, second))]
        wanted = {t.id for t in bench.live(kind) if t.fields.get(field) == first}
        assert set(self._found(bench, kind, *twice)) == wanted

    @pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
    def test_a_value_is_data_and_never_grammar(self, bench: Bench, text: str) -> None:
        kind, field, _ = self._field(bench, "=")
        try:
            found = self._found(bench, kind, Condition(field, "=", text))
        except Rejected:
            return
        wanted = {t.id for t in bench.live(kind) if t.fields.get(field) == text}
        assert set(found) == wanted

    @pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"'])
    def test_a_wildcard_in_a_value_stands_for_itself(self, bench: Bench, text: str) -> None:
        kind, field, _ = self._field(bench, "=")
        try:
            found = self._found(bench, kind, Condition(field, "contains", text))
        except Rejected:
            return
        for record in found.values():
            assert text in record.fields[field]

    def test_awkward_values_are_found_again(self, bench: Bench) -> None:
        kind, field, values = self._field(bench, "=")
        awkward = [value for value in sorted(values) if AWKWARD.search(value)]
        for value in awkward[:6]:
            wanted = {t.id for t in bench.live(kind) if t.fields.get(field) == value}
            assert set(self._found(bench, kind, Condition(field, "=", value))) == wanted, value

    def test_nothing_found_is_no_error(self, bench: Bench) -> None:
        kind, field, _ = self._field(bench, "=")
        assert self._found(bench, kind, Condition(field, "=", "no such value 7f3a")) == {}

    def test_a_field_that_the_vendor_does_not_know_is_refused(self, bench: Bench) -> None:
        with pytest.raises((Rejected, ValueError)):
            list(bench.adapter.find(bench.kinds[0], [Condition("no_such_field_7f3a", "=", "x")]))

    def test_a_field_name_is_no_grammar(self, bench: Bench) -> None:
        kind, field, _ = self._field(bench, "=")
        for name in (f"{field}' OR '1'='1", f"{field} != null OR {field}", "", "__proto__"):
            try:
                found = list(bench.adapter.find(kind, [Condition(name, "=", "no such value")]))
            except (Rejected, ValueError):
                continue
            assert found == []

    def test_an_operator_that_nobody_knows_is_refused(self, bench: Bench) -> None:
        kind, field, values = self._field(bench, "=")
        with pytest.raises((Rejected, ValueError, KeyError)):
            list(bench.adapter.find(kind, [Condition(field, "OR 1=1", min(values))]))

    def test_fields_that_are_wanted_come(self, bench: Bench) -> None:
        kind, field, _ = self._field(bench, "=")
        truth = {t.id: t for t in bench.live(kind)}
        for record in bench.adapter.find(kind, fields=[field]):
            assert record.fields.get(field) == truth[record.ref.id].fields.get(field)

    def test_what_was_taken_away_is_found_by_its_state_only(self, bench: Bench) -> None:
        row = next(
            (r for r in bench.adapter.abilities().capabilities
             if r.support is Support.NATIVE and State.LIVE in r.takes and not r.job
             and r.operation is not Operation.PURGE), None)  # fmt: skip
        if row is None or row.gives is None:
            raise CannotDo("nothing here takes live records away")
        kind = bench.kind_for(row)
        refs = bench.plain(kind, 2, row)
        bench.apply(row, refs)
        gone = {ref.id for ref in refs}
        assert not gone & {record.ref.id for record in bench.adapter.find(kind)}
        try:
            found = {r.ref.id: r for r in bench.adapter.find(kind, state=row.gives)}
        except Rejected:
            return
        wanted = {t.id for t in bench.truth().values() if (t.kind, t.state) == (kind, row.gives)}
        assert set(found) == wanted
        assert {record.state for record in found.values()} == {row.gives}

    def test_looking_changes_nothing(self, bench: Bench) -> None:
        before = bench.truth()
        for kind in bench.kinds:
            refs = [record.ref for record in bench.adapter.find(kind)][:2]
            records = list(bench.read(refs).values())
            for operation in Operation:
                list(bench.adapter.precheck(operation, records))
            for rule in bench.adapter.relations(kind):
                bench.adapter.count(bench.batch(None, refs), rule)
                list(bench.adapter.children(bench.batch(None, refs), rule))
            bench.adapter.total(kind)
        bench.adapter.whoami()
        list(bench.adapter.examine())
        assert bench.truth() == before
        assert bench.writes() == []
        assert bench.gate.told == []

    # --- private ---------------------------------------------------------------------------------

    @staticmethod
    def _found(bench: Bench, kind: str, *where: Condition) -> dict[str, Record]:
        return {record.ref.id: record for record in bench.adapter.find(kind, where)}

    @staticmethod
    def _texts(bench: Bench, kind: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for truth in bench.live(kind):
            for name, value in truth.own.items():
                counts[name] = counts.get(name, 0) + isinstance(value, str)
        return {name: count for name, count in counts.items() if count}

    def _field(self, bench: Bench, op: str) -> tuple[str, str, set[Any]]:
        numbers = op in ("<", "<=", ">", ">=")
        for kind in bench.kinds:
            for field in bench.number_fields(kind) if numbers else bench.text_fields(kind):
                values = {_value(t, field, op) for t in bench.live(kind)} - {None}
                if len(values) > 4:
                    return kind, field, values
        raise CannotDo(f"no field here can be asked with {op}; name one for the suite")


def _number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _value(truth: Truth, field: str, op: str) -> Any:
    value = truth.fields.get(field)
    if op in ("<", "<=", ">", ">="):
        if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
            return Decimal(value)
        return value if _number(value) else None
    return value if isinstance(value, str) else None


def _filled(record: Record) -> dict[str, Any]:
    return {k: v for k, v in record.fields.items() if not is_empty(v)}
