"""Values as a vendor sent them: nothing is lost or invented on the way into our files and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.model.exact import StrangeAnswer, digest_of, pack, strict_json, unpack

numbers = st.one_of(
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False),
)
texts = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=20,
)


def sign(value: Any) -> Any:
    return value.as_tuple() if isinstance(value, Decimal) and not value else value


@given(values)
def test_what_is_packed_is_unpacked_as_it_was(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_minus_zero_keeps_its_sign() -> None:
    assert str(unpack(pack({"a": [Decimal("-0")]}))["a"][0]) == "-0"
    assert str(strict_json(b'{"a":-0}')["a"]) == "-0"


@given(st.dictionaries(texts, values))
def test_a_digest_does_not_ask_in_which_order_fields_came(fields: dict[str, Any]) -> None:
    assert digest_of(fields) == digest_of(dict(reversed(list(fields.items()))))


@given(values, values)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    if pack(one) != pack(other) and one != other:
        assert digest_of([one]) != digest_of([other])


@pytest.mark.parametrize(
    "text",
    [
        '{"id":1,"id":2}', "NaN", "[Infinity]", "[" * 100 + "]" * 100, '{"a":1} x', "\ufeff{}",
        "<html>", "", '{"a":' + "9" * 5000 + "}", "[1,]", "'a'",
    ],
)  # fmt: skip
def test_strange_json_is_refused(text: str) -> None:
    with pytest.raises(StrangeAnswer):
        strict_json(text.encode())


def test_no_digit_is_lost() -> None:
    told = strict_json(b'{"a":12345678901234567.89,"b":9007199254740993,"c":1e400}')
    assert [str(v) for v in told.values()] == ["12345678901234567.89", "9007199254740993", "1E+400"]
