"""Words of a condition become typed data; whatever a value holds, it stays a value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.engine.conditions import OPERATORS, parse_all, parse_condition
from crm_bridge.errors import SettingsError

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "field", "op", "value"),
    [
        ('Industry = "Banking"', "Industry", "=", "Banking"),
        ("Industry=Banking", "Industry", "=", "Banking"),
        ("Amount >= 10.50", "Amount", ">=", Decimal("10.50")),
        ("Status in (Open, 'In Work')", "Status", "in", ("Open", "In Work")),
        ("Name contains 100%", "Name", "contains", "100%"),
        ("LastActivityDate < today-90d", "LastActivityDate", "<", date(2026, 8, 26)),
        ("CreatedDate < 2023-01-01", "CreatedDate", "<", date(2023, 1, 1)),
        ("Email is empty", "Email", "is empty", None),
        ("Email IS  NOT EMPTY", "Email", "is not empty", None),
        ("A.B__c != x", "A.B__c", "!=", "x"),
    ],
)
def test_what_is_written_is_read(text: str, field: str, op: str, value: Any) -> None:
    found = parse_condition(text, TODAY)
    assert (found.field, found.op) == (field, op)
    if value is not None or "empty" in op:
        got = found.value
        assert (tuple(got) if isinstance(got, (list, tuple)) else got) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Name",
        "= x",
        "Name ~ x",
        "Name =",
        "Email is empty x",
        "Status in ()",
        "Status in (a,,b)",
        "Status in (a",
        'Name = "x',
        "Account WHERE = 1; DROP",
        "1x = 2",
        "Name = 'x' or 1=1",
        "__proto__",
        "D < 2026-13-40",
        "a" * 200 + " = 1",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_condition(text, TODAY)
    assert refused.value.code == "condition"


@given(st.text(min_size=1, max_size=40).filter(lambda t: "\\" not in t))
def test_a_quoted_value_is_whatever_it_is(text: str) -> None:
    quoted = text.replace('"', '\\"')
    found = parse_condition(f'Name = "{quoted}"')
    assert (found.field, found.op, found.value) == ("Name", "=", text)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_an_error_of_ours(text: str) -> None:
    try:
        found = parse_condition(text, TODAY)
    except SettingsError:
        return
    assert found.op in OPERATORS
    assert found.field in text
    assert not isinstance(found.value, float)
    assert parse_all([found]) == (found,)
    assert found.value is None or isinstance(
        found.value, (str, bool, int, Decimal, date, datetime, tuple)
    )
