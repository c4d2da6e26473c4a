"""Zoho's words: queries that no value can bend, and rows that are told apart by code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.kit import (
    Condition,
    Operation,
    RecordRef,
    Secret,
    SettingsError,
    Unreachable,
    Verdict,
    strict_json,
)
from crm_bridge_zoho.client import dumped
from crm_bridge_zoho.describes import Field
from crm_bridge_zoho.profile import PROFILE
from crm_bridge_zoho.queries import criteria, meets, query
from crm_bridge_zoho.rows import matched, refusal
from crm_bridge_zoho.settings import DATA_CENTRES, ZohoSettings, addresses

FIELDS = {
    "Last_Name": Field("Last_Name", "text"),
    "Annual_Revenue": Field("Annual_Revenue", "currency"),
    "Account_Name": Field("Account_Name", "lookup", "Accounts"),
    "Description": Field("Description", "textarea"),
}
REFS = [RecordRef("zoho", "Leads", f"41040500000226400{n}") for n in range(4)]


def row(code: str, details: dict[str, Any] | None = None, status: str = "error") -> dict[str, Any]:
    return {"code": code, "details": details or {}, "message": "any words", "status": status}


@given(st.sampled_from(["=", "contains", "in"]), st.text(max_size=60))
def test_whatever_a_value_holds_the_query_keeps_its_shape(op: str, text: str) -> None:
    value: Any = (text, "Boyle") if op == "in" else text
    told = query("Leads", criteria([Condition("Last_Name", op, value)], FIELDS), "")
    bare = re.sub(r"'[^']*'", "?", told)
    shapes = ("Last_Name = ? and ", "Last_Name like ? and ", "Last_Name in (?, ?) and ", "")
    tail = "id is not null order by id asc limit 200"
    assert bare in {f"select id from Leads where {shape}{tail}" for shape in shapes}
    assert "\\" not in told
    assert '"' not in told


@given(st.text(max_size=60))
def test_a_value_that_is_not_asked_for_is_judged_here(text: str) -> None:
    assert meets({"Last_Name": text}, Condition("Last_Name", "=", text))
    assert not meets({"Last_Name": text + "x"}, Condition("Last_Name", "=", text))


def test_a_lookup_is_met_by_its_id_and_by_its_name() -> None:
    fields = {"Account_Name": {"name": "Zylker", "id": "410405000002264040"}}
    for wanted in ("Zylker", "410405000002264040"):
        assert meets(fields, Condition("Account_Name", "=", wanted))
    assert not meets(fields, Condition("Account_Name", "=", "Zylke"))


def test_a_part_with_letters_is_looked_for_here_as_nobody_says_whether_case_matters() -> None:
    assert criteria([Condition("Last_Name", "contains", "boyle")], FIELDS) == []
    assert criteria([Condition("Last_Name", "contains", "2024")], FIELDS)


def test_long_text_is_never_asked_for_by_query() -> None:
    assert criteria([Condition("Description", "contains", "Zylker")], FIELDS) == []


def test_more_than_two_criteria_stand_in_pairs() -> None:
    where = [Condition("Last_Name", "=", "Boyle"), Condition("Annual_Revenue", ">", 5)]
    told = query("Leads", criteria(where, FIELDS), "4104")
    assert "where (Last_Name = 'Boyle' and Annual_Revenue > 5) and id > 4104 order" in told


def test_rows_are_matched_by_the_id_they_name_whatever_their_order() -> None:
    rows = [row("SUCCESS", {"id": ref.id}, "success") for ref in reversed(REFS)]
    assert [(ref, told["details"]["id"]) for ref, told in matched(REFS, rows)] == [
        (ref, ref.id) for ref in reversed(REFS)
    ]


def test_a_row_without_a_name_has_its_place() -> None:
    rows = [row("SUCCESS", {"id": ref.id}, "success") for ref in REFS]
    rows[2] = row("NOT_APPROVED")
    assert dict(matched(REFS, rows))[REFS[2]]["code"] == "NOT_APPROVED"


def test_a_row_without_a_name_has_no_place_where_others_have_moved() -> None:
    rows = [row("SUCCESS", {"id": ref.id}, "success") for ref in reversed(REFS)]
    rows[1] = row("NOT_APPROVED")
    assert set(dict(matched(REFS, rows))) == {REFS[0], REFS[1], REFS[3]}


@pytest.mark.parametrize("ids", [["999999999999999999"], [REFS[0].id, REFS[0].id]])
def test_an_answer_in_other_names_is_no_answer(ids: list[str]) -> None:
    with pytest.raises(Unreachable):
        list(matched(REFS, [row("SUCCESS", {"id": id}) for id in ids]))


def test_locked_unapproved_and_forbidden_are_told_apart() -> None:
    told = {
        "locked": row("RECORD_LOCKED", {"action": "record_locking", "id": REFS[0].id}),
        "blocked": row("NOT_APPROVED"),
        "rights": row("NO_PERMISSION", {"id": REFS[0].id}),
    }
    for code, one in told.items():
        outcome = refusal(REFS[0], one)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.problem is not None
        assert outcome.problem.code == code
        assert outcome.problem.vendor_code == one["code"]


def test_numbers_are_written_with_every_digit() -> None:
    text = b'{"a":12345678901234567.89,"b":9007199254740993,"c":[0.100000000000000000001]}'
    assert dumped(strict_json(text)) == text


@pytest.mark.parametrize("name", DATA_CENTRES)
def test_every_data_centre_has_its_own_hosts(name: Any) -> None:
    settings = ZohoSettings(vendor="zoho", data_centre=name, client_id="1000.A",
                            client_secret=Secret("s"), refresh_token=Secret("r"))  # fmt: skip
    urls = addresses(settings)
    assert urls.api == f"https://www.{DATA_CENTRES[name].api}"
    assert urls.accounts == f"https://{DATA_CENTRES[name].accounts}"


@pytest.mark.parametrize("url", ["https://www.zoho.com", "https://accounts.zoho.eu",
                                 "https://zohoapis.com.evil.example"])  # fmt: skip
def test_a_host_that_is_not_of_the_api_is_refused(url: str) -> None:
    settings = ZohoSettings(vendor="zoho", base_url=url, client_id="1000.A",
                            client_secret=Secret("s"), refresh_token=Secret("r"))  # fmt: skip
    with pytest.raises(SettingsError):
        addresses(settings)


def test_no_lookup_is_promised_to_follow() -> None:
    owned = {"Notes", "Attachments"}
    for rule in PROFILE.cascades:
        assert (rule.effect == "follows") == (rule.child in owned)
        assert rule.operation is Operation.DELETE
