"""How HubSpot's answers are read, by the pages and rows that a small portal never shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_bridge.kit import Unreachable
from crm_bridge_hubspot.reading import Reader, Told
from crm_bridge_hubspot.schema import PropertyDef, Schema

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Portal:
    """Answers in the order they were put in, and remembers what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, name: str, kinds: Sequence[str], query: Any, body: Any) -> Any:
        self.asked.append((name, body))
        return self.answers.pop(0)


def reader(portal: Portal) -> Reader:
    def spread(calls: Any) -> list[Any]:
        return [call() for call in calls]

    def now() -> datetime:
        return NOW

    return Reader("hub", portal, spread, Schema(portal, spread), now, Told(now))


def linked(id: str, *to: int, after: str | None = None) -> dict[str, Any]:
    types = [{"category": "HUBSPOT_DEFINED", "typeId": 280, "label": None}]
    row: dict[str, Any] = {
        "from": {"id": id},
        "to": [{"toObjectId": one, "associationTypes": types} for one in to],
    }
    return row | ({"paging": {"next": {"after": after}}} if after else {})


def test_associations_are_read_to_the_last_page_of_each_record() -> None:
    portal = Portal(
        {"results": [linked("1", 11, 12, after="A"), linked("2", 21)]},
        {"results": [linked("1", 13, after="B")]},
        {"results": [linked("1", 14)]},
    )
    found = [(id, link.other.id) for id, link in reader(portal).pair("companies", "contacts", "12")]
    assert sorted(found) == [("1", "11"), ("1", "12"), ("1", "13"), ("1", "14"), ("2", "21")]
    inputs = [body["inputs"] for _, body in portal.asked]
    assert inputs[1:] == [[{"id": "1", "after": "A"}], [{"id": "1", "after": "B"}]]


def test_a_row_that_could_not_be_read_is_not_taken_for_missing() -> None:
    error = {"status": "error", "category": "INTERNAL_ERROR", "context": {"ids": ["2"]}}
    row = {"id": "1", "properties": {}, "archived": False}
    portal = Portal({"results": [row], "errors": [error]})
    with pytest.raises(Unreachable):
        reader(portal).batch("contacts", ["1", "2"], [])


def test_an_answer_that_does_not_say_for_whom_is_asked_for_alone() -> None:
    survivor = {"id": "9", "properties": {}, "archived": False}
    portal = Portal({"results": [survivor]}, {"results": [survivor]}, {"results": []})
    found = reader(portal).batch("contacts", ["1", "2"], [])
    assert found.merged == {"1": "9"}
    assert found.missing == ("2",)
    assert found.rows == {}


def test_values_that_hubspot_would_not_take_are_told_with_the_reason() -> None:
    stage = PropertyDef("stage", "enumeration", options=("new", "won"))
    assert stage.refusal("won") is None
    assert stage.refusal("lost") == "'lost' is no longer among its options"
    assert PropertyDef("n", "number", computed=True).refusal("1") == "HubSpot computes it"
