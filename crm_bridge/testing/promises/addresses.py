"""How kinds and ids are spelled, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from crm_bridge.kit import RecordRef, Rejected
from crm_bridge.testing.bench import Bench
from crm_bridge.testing.ground import CannotDo

NO_IDS = {
    "path": "../Account/x",
    "percent": "%2e%2e%2fAccount",
    "url": "https://evil.example/1",
    "query": "1?ids=2",
    "fragment": "1#2",
    "semicolon": "1;2",
    "quote": "1' OR Name LIKE '%",
    "double quote": '1" or "1"="1',
    "empty": "",
    "blank": "   ",
    "newline": "1\n2",
    "nul": "1\x00",
    "too long": "1" * 200,
    "full-width digits": "１２３４５",
    "comma": "1,2",
    "spreadsheet": "4.87688E+18",
}
NO_KINDS = {
    "dunder": "__proto__",
    "query": "Account WHERE",
    "path": "../Account",
    "empty": "",
    "quote": "Account'",
    "newline": "Account\nDELETE",
}


class Addresses:
    """Promises about addresses; spelling is pure."""

    def test_the_vendors_own_ids_are_taken_as_they_are(self, bench: Bench) -> None:
        for (kind, id), truth in bench.truth().items():
            if kind in bench.kinds and truth.state == "live":
                assert bench.adapter.spell_id(kind, id) == id

    @pytest.mark.parametrize("text", NO_IDS.values(), ids=NO_IDS)
    def test_what_is_no_id_is_refused(self, bench: Bench, text: str) -> None:
        for kind in bench.kinds:
            with pytest.raises(ValueError):
                bench.adapter.spell_id(kind, text)

    def test_an_id_within_other_text_is_refused(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        id = bench.live(kind)[0].id
        for text in (f"{id}/", f"/{id}", f"{id}'", f" {id}", f"{id}\n", f"{id}%00", f"{id}?a=1"):
            with pytest.raises(ValueError):
                bench.adapter.spell_id(kind, text)

    def test_a_folded_id_never_becomes_another_record(self, bench: Bench) -> None:
        there = {id for _, id in bench.truth()}
        for kind in bench.kinds:
            id = bench.live(kind)[0].id
            for text in {id.lower(), id.upper(), id.swapcase()} - {id}:
                try:
                    spelled = bench.adapter.spell_id(kind, text)
                except ValueError:
                    continue
                assert spelled == id or spelled not in there

    def test_spelling_twice_is_spelling_once(self, bench: Bench) -> None:
        for kind in bench.kinds:
            once = bench.adapter.spell_id(kind, bench.live(kind)[0].id)
            assert bench.adapter.spell_id(kind, once) == once
            assert bench.adapter.spell_kind(bench.adapter.spell_kind(kind)) == kind

    def test_an_alias_leads_to_the_vendors_own_name(self, bench: Bench) -> None:
        for word, kind in bench.adapter.profile.aliases.items():
            assert bench.adapter.spell_kind(word) == kind

    @pytest.mark.parametrize("text", NO_KINDS.values(), ids=NO_KINDS)
    def test_what_is_no_kind_makes_no_address(self, bench: Bench, text: str) -> None:
        with pytest.raises(ValueError):
            RecordRef(bench.crm, bench.adapter.spell_kind(text), "1")

    def test_a_kind_that_the_vendor_does_not_know_is_refused(self, bench: Bench) -> None:
        with pytest.raises((Rejected, ValueError)):
            list(bench.adapter.find(bench.adapter.spell_kind("NoSuchKind7")))

    def test_an_id_of_another_kind_is_no_record_of_this_one(self, bench: Bench) -> None:
        if len(bench.kinds) < 2:
            raise CannotDo("the vendor has one kind")
        kind, other = bench.kinds[:2]
        id = bench.live(other)[0].id
        if (kind, id) in bench.truth():
            raise CannotDo("ids of two kinds may be the same here")
        try:
            spelled = bench.adapter.spell_id(kind, id)
        except ValueError:
            return
        ref = bench.ref(kind, spelled)
        record = bench.read([ref])[ref]
        assert record.unreadable or record.state == "gone", record

    def test_spelling_sends_nothing(self, bench: Bench) -> None:
        before = bench.ground.count()
        for kind in bench.adapter.profile.aliases:
            bench.adapter.spell_kind(kind)
        assert bench.ground.count() == before
