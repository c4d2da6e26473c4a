"""What a terminal and a program are shown of values that strangers wrote."""

import json
import unicodedata
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.cli.voice import json_text, shown

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


@given(ANY_TEXT)
def test_nothing_that_acts_on_a_terminal_is_shown(text):
    told = shown(text)
    odd = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
    assert not [c for c in told if unicodedata.category(c) in odd]
    assert "\n" not in told


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=150))
def test_plain_words_of_any_language_are_shown_as_they_are(text):
    assert shown(text) == text


def test_a_very_long_value_is_cut():
    assert len(shown("x" * 1_000_000)) == 200


def test_codes_are_shown_in_place_of_signs():
    assert shown("a\x1b[2J\u202eb\u200bc\nd") == "a\\x1b[2J\\u202eb\\u200bc\\nd"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_lines_hold_every_value_and_stay_one_harmless_line(value):
    text = json_text(value)
    assert json.loads(text) == value
    assert "\n" not in text
    assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    text.encode("utf-8")


def test_numbers_keep_every_digit():
    for digits in ("12345678901234567.89", "0.12345678901234", "-0", "1E+30", "9007199254740993"):
        amount = Decimal(digits)
        text = json_text({"amount": amount})
        assert text == f'{{"amount":{digits}}}'
        assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == {"amount": amount}
