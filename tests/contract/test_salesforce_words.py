"""Salesforce's words, both ways: ids, queries, envelopes and errors, held without a server."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.kit import (
    BridgeError,
    Busy,
    Condition,
    Operation,
    RecordRef,
    Rejected,
    Secret,
    SettingsError,
    State,
    StrangeAnswer,
    Unauthorized,
    Unreachable,
    Verdict,
)
from crm_bridge_salesforce import ids, soap, soql, troubles
from crm_bridge_salesforce.profile import PROFILE
from crm_bridge_salesforce.wire import SalesforceSettings, Wire, is_jwt

HOME = "https://acme.my.salesforce.com"
REF = RecordRef("sf", "Account", "001xx000003DGb2AAG")


# --- ids -----------------------------------------------------------------------------------------


def test_fifteen_characters_become_eighteen() -> None:
    assert ids.spell("Account", "001xx000003DGb2") == "001xx000003DGb2AAG"


def test_eighteen_characters_stay_as_they_are() -> None:
    assert ids.spell("Account", "001xx000003DGb2AAG") == "001xx000003DGb2AAG"


@pytest.mark.parametrize("fold", [str.lower, str.upper, str.swapcase])
@pytest.mark.parametrize("id_", ["001xx000003DGb2AAG", "001xx000003DGb2"])
def test_a_folded_id_is_refused(id_: str, fold) -> None:
    folded = fold(id_)
    if len(folded) == 15 and fold is str.swapcase:
        pytest.skip("with both cases in it, 15 characters are an id like any other")
    with pytest.raises(ValueError, match="fold"):
        ids.spell("Account", folded)


def test_fifteen_characters_without_a_letter_are_taken() -> None:
    assert ids.spell("Account", "001000000000001").startswith("001000000000001")


@pytest.mark.parametrize("id_", ["003xx000003DGb2AAO", "a00xx000003DGb2AAG", "005xx000003DGb2AAG"])
def test_an_id_of_another_kind_is_refused(id_: str) -> None:
    with pytest.raises(ValueError):
        ids.spell("Account", id_)


def test_an_id_of_a_custom_object_begins_with_an_a() -> None:
    first = "a00xx000003DGb2"
    assert ids.spell("Project__c", first) == first + ids.checksum(first)
    with pytest.raises(ValueError):
        ids.spell("Project__c", "001xx000003DGb2")


@given(st.text(alphabet="abcXYZ0189", min_size=12, max_size=12))
def test_a_checksum_tells_every_folding(tail: str) -> None:
    first = f"001{tail}"
    whole = first + ids.checksum(first)
    for folded in {whole.lower(), whole.upper()} - {whole}:
        with pytest.raises(ValueError):
            ids.spell("Account", folded)


@pytest.mark.parametrize("kind", ["Account", "Project__c", "ns__Thing__c", "Order", "Product2"])
def test_an_api_name_is_a_kind(kind: str) -> None:
    assert ids.spell_kind(kind) == kind


@pytest.mark.parametrize("kind", ["__proto__", "Account WHERE", "../x", "", "1x", "A" * 81, "a-b"])
def test_what_is_no_api_name_is_no_kind(kind: str) -> None:
    with pytest.raises(ValueError):
        ids.spell_kind(kind)


# --- queries -------------------------------------------------------------------------------------

TYPES = {"Name": "string", "Amount": "currency", "Born": "date", "At": "datetime", "On": "boolean",
         "Many": "multipicklist", "OwnerId": "reference"}  # fmt: skip


def _shape(text: str) -> str:
    """A clause with every quoted literal taken out, read as the vendor reads it."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "'":
            at += 1
            while text[at] != "'":
                at += 2 if text[at] == "\\" else 1
            out += "?"
        else:
            out += text[at]
        at += 1
    return out


@given(st.text())
def test_a_query_has_the_same_shape_for_every_value(text: str) -> None:
    assert _shape(soql.clause(Condition("Name", "=", text), TYPES)) == "Name = ?"
    assert _shape(soql.clause(Condition("Name", "contains", text), TYPES)) == "Name LIKE ?"
    assert _shape(soql.clause(Condition("Name", "in", (text, "x")), TYPES)) == "Name IN (?,?)"


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Condition("Name", "=", "O'Neil"), r"Name = 'O\'Neil'"),
        (Condition("Name", "contains", "50%_"), r"Name LIKE '%50\%\_%'"),
        (
            Condition("Amount", ">", Decimal("12345678901234567.89")),
            "Amount > 12345678901234567.89",
        ),
        (Condition("Amount", "=", Decimal("1E+3")), "Amount = 1000"),
        (Condition("Born", "<", date(2023, 1, 1)), "Born < 2023-01-01"),
        (Condition("At", ">=", date(2023, 1, 1)), "At >= 2023-01-01T00:00:00.000Z"),
        (Condition("At", "=", datetime(2023, 1, 1, tzinfo=UTC)), "At = 2023-01-01T00:00:00.000Z"),
        (Condition("On", "=", True), "On = true"),
        (Condition("Many", "contains", "a"), "Many INCLUDES ('a')"),
        (Condition("Name", "is empty"), "Name = null"),
        (Condition("Name", "in", ()), "Id = null"),
    ],
)
def test_a_value_stands_as_its_field_takes_it(condition: Condition, text: str) -> None:
    assert soql.clause(condition, TYPES) == text


@pytest.mark.parametrize(
    "condition",
    [
        Condition("Nowhere", "=", "x"),
        Condition("Name != null OR Name", "=", "x"),
        Condition("Name", "OR 1=1", "x"),
        Condition("Amount", "=", "1 OR Name = 'x'"),
        Condition("Amount", "=", "NaN"),
        Condition("Born", "=", "2023-01-01 OR x"),
        Condition("On", "=", "maybe"),
        Condition("OwnerId", "contains", "x"),
    ],
)
def test_what_fits_no_field_is_refused(condition: Condition) -> None:
    with pytest.raises(ValueError):
        soql.clause(condition, TYPES)


def test_long_lists_of_fields_are_split_and_none_is_lost() -> None:
    names = [f"Field_{n}__c" for n in range(800)]
    lists = list(soql.portions(names, 5_000))
    assert [name for some in lists for name in some] == names
    assert all(soql.length(",".join(some)) <= 5_000 for some in lists)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Rating = 'Hot'", "SELECT Id,Name FROM Lead WHERE Rating = 'Hot'"),
        ("SELECT Id FROM Lead WHERE X = 1 LIMIT 3", "SELECT Id,Name FROM Lead WHERE X = 1 LIMIT 3"),
    ],
)
def test_a_persons_own_query_keeps_its_conditions(text: str, query: str) -> None:
    assert soql.native(text, ["Id", "Name"], "Lead") == query


def test_a_persons_own_query_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError):
        soql.native("SELECT Id FROM Contact", ["Id"], "Lead")


# --- envelopes -----------------------------------------------------------------------------------

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns="urn:partner.soap.sforce.com"><soapenv:Header><LimitInfoHeader/></soapenv:Header>
<soapenv:Body><undeleteResponse>
<result><id>001xx000003DGb2AAG</id><success>true</success></result>
<result><errors><message>Entity type is not undeletable</message>
<statusCode>CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY</statusCode></errors>
<id>01Ixx000003DGb2EAG</id><success>false</success></result>
</undeleteResponse></soapenv:Body></soapenv:Envelope>"""
FAULT = """<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>
<faultcode>sf:REQUEST_LIMIT_EXCEEDED</faultcode>
<faultstring>REQUEST_LIMIT_EXCEEDED: ConcurrentRequests (Concurrent API Requests) Limit exceeded.
</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">
<!ENTITY c SYSTEM "http://127.0.0.1:9/x">]><x>&b;&c;</x>"""


def test_an_envelope_escapes_its_token() -> None:
    body = soap.envelope("undelete", "a<b&c", ["001xx000003DGb2AAG"])
    assert b"<urn:sessionId>a&lt;b&amp;c</urn:sessionId>" in body
    assert b"<urn:undelete><urn:ids>001xx000003DGb2AAG</urn:ids></urn:undelete>" in body


def test_rows_are_read_as_recorded() -> None:
    first, second = soap.read(ANSWER.encode(), "undelete")  # type: ignore[misc]
    assert first == soap.Row("001xx000003DGb2AAG", True)
    assert (second.success, second.code) == (False, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


def test_a_fault_is_read_as_recorded() -> None:
    told = soap.read(FAULT.encode(), "undelete")
    assert isinstance(told, soap.Fault)
    assert told.code == "REQUEST_LIMIT_EXCEEDED"
    error = troubles.judged(500, told.code, told.message, {}, fault=True)
    assert isinstance(error, Busy)
    assert not error.until_reset


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused(encoding: str) -> None:
    body = BOMB.replace('"1.0"', f'"1.0" encoding="{encoding}"').encode(encoding)
    with pytest.raises(StrangeAnswer, match="DOCTYPE"):
        soap.read(body, "undelete")


@pytest.mark.parametrize("body", ["<html></html>", "", "{}", ANSWER[:300], "<a" * 10_000])
def test_what_is_no_envelope_is_strange(body: str) -> None:
    with pytest.raises(StrangeAnswer):
        soap.read(body.encode(), "undelete")


def test_the_answer_to_another_call_is_strange() -> None:
    with pytest.raises(StrangeAnswer):
        soap.read(ANSWER.encode(), "emptyRecycleBin")


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (401, "", "", Unauthorized),
        (401, "INVALID_SESSION_ID", "Session expired or invalid", Unauthorized),
        (400, "invalid_grant", "authentication failure", Unauthorized),
        (400, "FEATURENOTENABLED", "", Unauthorized),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", Busy),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", Busy),
        (429, "", "", Busy),
        (400, "EXCEEDED_ID_LIMIT", "record limit reached", Rejected),
        (414, "", "", Rejected),
        (404, "NOT_FOUND", "The requested resource does not exist", Rejected),
        (404, "", "", Unreachable),
        (500, "", "", Unreachable),
        (503, "SERVER_UNAVAILABLE", "", Unreachable),
    ],
)
def test_a_status_and_a_code_tell_what_became_of_a_call(
    status: int, code: str, words: str, kind: type
) -> None:
    assert type(troubles.judged(status, code, words, {})) is kind


def test_the_days_calls_used_up_are_waited_for_in_vain() -> None:
    error = troubles.judged(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", {})
    assert isinstance(error, Busy)
    assert error.until_reset


def test_a_repeated_delete_was_done_before() -> None:
    outcome = troubles.row(REF, "ENTITY_IS_DELETED", "entity is deleted", deleting=True)
    assert (outcome.verdict, outcome.state) == (Verdict.ALREADY, State.DELETED)


def test_a_row_that_could_not_be_locked_may_be_sent_again() -> None:
    assert troubles.row(REF, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access").passing


@pytest.mark.parametrize(
    ("code", "ours"),
    [("DELETE_FAILED", "blocked"), ("ENTITY_IS_LOCKED", "locked"), ("X_Y", "refused"),
     ("INSUFFICIENT_ACCESS_OR_READONLY", "rights"), ("INVALID_CROSS_REFERENCE_KEY", "not_found")],
)  # fmt: skip
def test_a_rows_code_becomes_ours_and_stays_beside_it(code: str, ours: str) -> None:
    outcome = troubles.row(REF, code, "words\nof the vendor")
    assert outcome.problem is not None
    assert (outcome.problem.code, outcome.problem.vendor_code) == (ours, code)
    assert outcome.problem.message == "words of the vendor"


# --- login ---------------------------------------------------------------------------------------


def _jwt() -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256"}).encode()).decode().rstrip("=")
    return f"{head}.e30.c2ln"


@pytest.mark.parametrize("token", ["00Dxx!AQ.a.b", "x.y.z", "plain", "", "a.b"])
def test_an_opaque_token_is_no_jwt(token: str) -> None:
    assert not is_jwt(token)


def test_a_jwt_is_told_by_its_first_part() -> None:
    assert is_jwt(_jwt())
    assert not Wire(SalesforceSettings(vendor="x", base_url=HOME, token=Secret(_jwt()))).opaque


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"base_url": HOME},
        {"base_url": HOME, "consumer_key": Secret("k")},
        {"base_url": HOME, "token": Secret("t"), "bin_days": 20},
        {"base_url": HOME, "token": Secret("t"), "api_version": "31.0"},
        {"base_url": HOME, "token": Secret("t"), "api_version": "../64"},
        {"base_url": "https://acme.my.salesforce.com.evil.test", "token": Secret("t")},
        {"base_url": HOME, "instance_url": "http://169.254.169.254",
         "token": Secret("t")},
    ],
)  # fmt: skip
def test_settings_that_do_not_hold_together_are_refused(table: dict) -> None:
    with pytest.raises(SettingsError):
        Wire(SalesforceSettings(vendor="salesforce", **table))


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/services/data/v64.0/query/01g-2000",
        "@evil.example/x",
        "/services/data/v64.0/sobjects/User/x",
    ],
)
def test_a_next_page_elsewhere_is_not_followed(address: str) -> None:
    wire = Wire(SalesforceSettings(vendor="x", base_url=HOME, token=Secret("t")))
    with pytest.raises(BridgeError):
        wire.more(address)


# --- facts ---------------------------------------------------------------------------------------


def test_what_never_enters_the_bin_is_told_as_gone() -> None:
    for kind in ("OrderItem", "OpportunityContactRole", "CampaignMember"):
        (row,) = PROFILE.rows(Operation.DELETE, kind)
        assert row.gives is State.GONE
        assert all(not rule.comes_back for rule in PROFILE.cascades if rule.child == kind)
