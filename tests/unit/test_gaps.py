"""A list that is shorter than its own count has a gap: whoever plans from it would miss records."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crm_bridge.errors import Unreachable
from crm_bridge.guard import Guard
from crm_bridge_fxiaoke import queries
from crm_bridge_hubspot.conditions import Filter
from crm_bridge_hubspot.finding import Finder
from crm_bridge_salesforce.reading import Reader
from crm_bridge_zoho.client import Answer


def test_salesforce_gives_as_many_rows_as_it_found() -> None:
    def reader(due: int) -> Reader:
        page = {"totalSize": due, "done": True, "records": [{"Id": "00Q1"}, {"Id": "00Q2"}]}
        client = SimpleNamespace(query=lambda query, include_deleted: page)
        wire = SimpleNamespace(call=lambda call: call(client))
        return Reader("sf", wire, Guard("sf"), lambda: None, 15)  # type: ignore[arg-type]

    assert len(list(reader(2).rows("SELECT Id FROM Lead"))) == 2
    with pytest.raises(Unreachable, match="gap"):
        list(reader(3).rows("SELECT Id FROM Lead"))


def test_hubspot_ends_a_search_only_where_nothing_is_left() -> None:
    def pages(total: int) -> list[list[str]]:
        told = {"total": total, "results": [{"id": "1"}, {"id": "2"}]}
        finder = Finder(lambda *asked: told, cast("Any", None), cast("Any", None))
        where: list[Filter] = []
        return list(finder._searched("contacts", where))

    assert pages(2) == [["1", "2"]]
    with pytest.raises(Unreachable, match="gap"):
        pages(3)


def test_zoho_gives_as_many_rows_as_its_page_says() -> None:
    def answer(count: int) -> Answer:
        body = {"data": [{"id": "1"}], "info": {"count": count, "more_records": False}}
        return Answer(200, body, datetime.now(UTC))

    assert len(answer(1).page()) == 1
    with pytest.raises(Unreachable, match="gap"):
        answer(2).page()


def test_fxiaoke_ends_a_query_only_where_nothing_is_left() -> None:
    def rows(total: int) -> list[Any]:
        told = SimpleNamespace(data={"dataList": [{"_id": "a"}, {"_id": "b"}], "total": total})
        client = SimpleNamespace(ask=lambda path, data: told)
        return list(queries.rows_of(client, "LeadsObj", []))  # type: ignore[arg-type]

    assert len(rows(2)) == 2
    with pytest.raises(Unreachable, match="gap"):
        rows(3)
    assert len(rows(0)) == 2  # the vendor did not count
