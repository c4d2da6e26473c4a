"""What the profile says of the vendor, held against itself."""

from __future__ import annotations

import inspect
import re
from datetime import date
from typing import Any, ClassVar

import msgspec
import pytest

from crm_bridge.kit import (
    ANY,
    Adapter,
    Capability,
    Effect,
    Operation,
    RecordRef,
    Secret,
    Settings,
    State,
    Support,
    Undo,
)
from crm_bridge.model.abilities import REACHES
from crm_bridge.testing.bench import Bench

NOES = (Support.NOT_YET, Support.NEVER)
BACK = {
    Undo.SAME_ID: (Support.NATIVE, Support.MARKED),
    Undo.BY_HAND: (Support.BY_HAND,),
    Undo.NEW_ID: (Support.REMADE,),
}


class Facts:
    """Promises about facts; they send nothing."""

    adapter_class: ClassVar[Any]

    def test_vendor_and_title_are_told(self) -> None:
        profile = self.adapter_class.profile
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", profile.vendor)
        assert profile.title.strip()

    def test_every_operation_has_its_word(self) -> None:
        told = {row.operation for row in self.adapter_class.profile.capabilities}
        assert told == set(Operation), "a no is a row too, with its reason"

    def test_every_row_has_a_source_or_a_reason(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert row.source.strip() or row.note.strip(), row

    def test_every_row_that_leads_somewhere_has_a_source(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            # What we write ourselves needs no page of the vendor's, but a word of ours.
            told = row.source or (row.support in (Support.MARKED, Support.REMADE) and row.note)
            assert not row.doable or told, row

    def test_every_no_gives_its_reason(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert row.support not in NOES or row.note.strip(), row

    def test_every_row_was_checked_on_a_day(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert not row.doable or row.checked is not None, row
            assert row.checked is None or date(2020, 1, 1) < row.checked, row

    def test_a_row_leads_where_its_operation_reaches(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert not row.doable or row.gives in REACHES[row.operation], row

    def test_a_row_takes_states_and_never_the_one_it_gives(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert not row.doable or row.takes, row
            assert row.gives not in row.takes, row

    def test_a_row_that_is_carried_out_takes_at_least_one_record(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert row.batch >= 1, row
            assert row.at_least >= 1, row
            assert row.sends == 1 or row.job, f"{row}: only a job sends more than once"
            assert row.sends >= 1, row

    def test_a_way_back_is_a_row_of_the_table(self) -> None:
        profile = self.adapter_class.profile
        for row in profile.capabilities:
            if not row.doable or row.operation is Operation.RESTORE or row.gives is None:
                continue
            for kind in row.kinds if row.kinds != ANY else ("*",):
                back = [
                    r.support for r in profile.rows(Operation.RESTORE, kind) if row.gives in r.takes
                ]
                if row.window.undo in BACK:
                    wanted = BACK[row.window.undo]
                    assert any(s in wanted for s in back), f"{row}: back by {back}"
                else:
                    kept = {*BACK[Undo.SAME_ID], Support.BY_HAND}
                    assert not kept & set(back), f"{row} says none, the table has {back}"

    def test_a_window_is_no_promise_without_a_length(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            assert row.window.days is None or row.window.days > 0, row
            assert row.window.undo is not Undo.NONE or row.window.days is None, row

    def test_no_two_rows_answer_the_same_question(self) -> None:
        seen: set[Any] = set()
        for row in self.adapter_class.profile.capabilities:
            for kind in row.kinds if row.kinds != ANY else ("*",):
                for state in row.takes or (None,):
                    key = (row.operation, kind, state, row.way, row.at_least, row.support)
                    assert key not in seen, row
                    seen.add(key)

    def test_the_four_common_words_are_named(self) -> None:
        assert set(self.adapter_class.profile.aliases) >= {"company", "contact", "lead", "deal"}

    def test_kinds_are_fit_for_an_address(self) -> None:
        profile = self.adapter_class.profile
        named = {*profile.aliases.values()}
        named |= {kind for row in profile.capabilities for kind in row.kinds}
        named |= {kind for rule in profile.cascades for kind in (rule.kind, rule.child)}
        for kind in named:
            assert RecordRef("crm", kind, "1")

    def test_rates_and_lanes_are_positive(self) -> None:
        profile = self.adapter_class.profile
        assert profile.lanes >= 1
        assert profile.read_batch >= 1
        for rate in profile.rates:
            assert rate.calls > 0, rate
            assert rate.seconds > 0, rate
            assert rate.per in ("account", "interface"), rate

    def test_the_grammar_of_ids_takes_no_more_than_an_address(self) -> None:
        grammar = re.compile(self.adapter_class.profile.id_grammar)
        for text in (
            "",
            "a/b",
            "../x",
            "a b",
            "a'b",
            'a"b',
            "a\n",
            "a%2eb",
            "?x=1",
            "#a",
            "a;b",
            "１",
        ):
            assert not grammar.fullmatch(text), text

    def test_hosts_are_suffixes_of_names(self) -> None:
        for host in self.adapter_class.profile.hosts:
            assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host), host

    def test_every_rule_has_a_source_and_stands_once(self) -> None:
        rules = self.adapter_class.profile.cascades
        for rule in rules:
            assert rule.source.strip() or rule.note.strip(), rule
            assert rule.via, rule
        keys = [(r.kind, r.child, r.via, r.operation) for r in rules]
        assert len(set(keys)) == len(keys)

    def test_only_what_goes_along_can_come_back(self) -> None:
        for rule in self.adapter_class.profile.cascades:
            if rule.effect in (Effect.BLOCKS, Effect.MAY_BLOCK):
                assert rule.comes_back is None, rule

    def test_every_claimed_verb_has_its_method(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            name = {
                Support.NATIVE: row.operation.value,
                Support.MARKED: "update",
                Support.REMADE: "create",
            }.get(row.support)
            if name:
                own = getattr(self.adapter_class, name)
                assert own is not getattr(Adapter, name), f"{name}() is claimed and missing"

    def test_a_row_that_runs_a_job_can_be_polled(self) -> None:
        for row in self.adapter_class.profile.capabilities:
            if row.job:
                assert self.adapter_class.poll is not Adapter.poll, row

    def test_signatures_do_not_drift(self) -> None:
        for name, owed in inspect.getmembers(Adapter, inspect.isfunction):
            if name.startswith("_"):
                continue
            own = list(inspect.signature(getattr(self.adapter_class, name)).parameters.values())
            base = list(inspect.signature(owed).parameters)
            assert [p.name for p in own][: len(base)] == base, name
            for extra in own[len(base) :]:
                assert extra.default is not inspect.Parameter.empty, f"{name}({extra.name})"

    def test_the_settings_are_typed_and_refuse_what_they_do_not_know(self, bench: Bench) -> None:
        settings = self.adapter_class.settings
        assert issubclass(settings, Settings)
        table = {**bench.ground.settings(bench.crm), "no_such_key": 1}
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(table, settings, dec_hook=lambda of, value: of(value))

    def test_the_settings_hold_secrets_that_are_not_shown(self, bench: Bench) -> None:
        for name in bench.settings.__struct_fields__:
            if isinstance(value := getattr(bench.settings, name), Secret):
                assert value.reveal() not in repr(bench.settings), name

    def test_marks_are_spelled_where_rows_are_marked(self, bench: Bench) -> None:
        for row in self.adapter_class.profile.capabilities:
            if (
                row.support is not Support.MARKED
                or row not in bench.adapter.abilities().capabilities
            ):
                continue
            if row.operation is Operation.RESTORE:
                assert set(row.takes) <= {State.VOIDED, State.ARCHIVED}, row
            else:
                kinds = [*bench.settings.marks, *bench.kinds, *row.kinds]
                assert any(bench.marks(kind, row) for kind in kinds if row.is_for(kind)), row

    def test_two_marks_are_told_apart(self, bench: Bench) -> None:
        rows = [r for r in bench.adapter.abilities().capabilities if r.support is Support.MARKED]
        for kind in bench.kinds:
            marks = {
                row.operation: bench.marks(kind, row)
                for row in rows
                if row.operation is not Operation.RESTORE and row.is_for(kind)
            }
            told = [tuple(sorted(m.items())) for m in marks.values() if m]
            assert len(set(told)) == len(told), marks

    def test_an_account_claims_no_more_than_its_vendor(self, bench: Bench) -> None:
        mine, vendors = bench.adapter.abilities(), self.adapter_class.profile
        extra: list[Capability] = [r for r in mine.capabilities if r not in vendors.capabilities]
        assert not extra
        assert mine.vendor == vendors.vendor
