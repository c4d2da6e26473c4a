"""Salesforce on loopback, spoken to: OAuth, SOQL, collections, composites, Bulk, SOAP, limits."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree

import jwt
import pytest
import requests
import simple_salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from crm_bridge.kit import strict_json
from crm_bridge.simulator import serving
from crm_bridge_salesforce.simulator import SalesforceSimulator
from tests.unit.simulators.salesforce_org import DATA, PARTNER, SOAP, SalesforceOrg

# -- tokens ---------------------------------------------------------------------------------------


def ask_token(sf: SalesforceOrg, **form: str) -> requests.Response:
    return sf.session.post(f"{sf.url}/services/oauth2/token", data=form, timeout=30)


def test_client_credentials_give_a_token_that_tells_its_org(sf: SalesforceOrg) -> None:
    told = ask_token(sf, grant_type="client_credentials", client_id=sf.keys["consumer_key"],
                     client_secret=sf.keys["secret"]).json()  # fmt: skip
    org, user = told["id"].split("/")[-2:]
    assert org == sf.keys["org_id"]
    assert told["instance_url"] == sf.url
    me = sf.get("/services/oauth2/userinfo").json()
    assert (me["organization_id"], me["user_id"]) == (org, user)
    assert sf.query("SELECT Id, IsSandbox FROM Organization")[0]["IsSandbox"] is True


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_token_request_is_refused(
    sf: SalesforceOrg, change: dict[str, str], error: str
) -> None:
    form = {"grant_type": "client_credentials", "client_id": sf.keys["consumer_key"],
            "client_secret": sf.keys["secret"]}  # fmt: skip
    answer = ask_token(sf, **(form | change))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"sub": "somebody@else.example"}, 400),
        ({"aud": "https://evil.example"}, 400),
        ({"exp": 1}, 400),
        ({"exp": 4_000_000_000}, 400),
    ],
)
def test_a_signed_assertion_is_taken_if_every_claim_fits(
    sf: SalesforceOrg, change: dict[str, Any], status: int
) -> None:
    claims = {"iss": sf.keys["consumer_key"], "sub": sf.keys["username"],
              "aud": "https://login.salesforce.com", "exp": int(time.time()) + 180}  # fmt: skip
    signed = jwt.encode(claims | change, sf.simulator.jwt_key(sf.account), algorithm="RS256")
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    answer = ask_token(sf, grant_type=grant, assertion=signed)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"] == "invalid_grant"


def test_a_token_dies_of_idleness_and_the_answer_is_401(sf: SalesforceOrg) -> None:
    sf.control("clock", {"advance": "3h"})
    answer = sf.get("limits")
    assert (answer.status_code, answer.json()) == (
        401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )  # fmt: skip


def test_soap_tells_of_a_dead_token_in_a_fault_and_takes_no_jwt(sf: SalesforceOrg) -> None:
    sf.ui("revoke", fields={"right": "opaque_token"})
    sf.login()
    assert sf.get("limits").status_code == 200
    for token in (sf.token, "nonsense"):
        sf.token = token
        answer = sf.soap("undelete", "001Fj0000000000IAA")
        assert answer.status_code == 500
        assert "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in answer.text


# -- the vendor's own client ----------------------------------------------------------------------


class Loopback(requests.adapters.HTTPAdapter):
    """Sends https requests to the simulator."""

    def __init__(self, origin: str) -> None:
        self.netloc = urlsplit(origin).netloc
        super().__init__()

    def send(self, request: Any, *given: Any, **more: Any) -> Any:
        url = urlsplit(request.url)
        request.url = urlunsplit(("http", self.netloc, url.path, url.query, ""))
        return super().send(request, *given, **more)


def client_of(sf: SalesforceOrg, **more: Any) -> Any:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Loopback(sf.url))
    return simple_salesforce.Salesforce(session=session, version="64.0", **more)


def test_simple_salesforce_logs_in_reads_writes_and_deletes(sf: SalesforceOrg) -> None:
    client = client_of(sf, consumer_key=sf.keys["consumer_key"],
                       consumer_secret=sf.keys["secret"], domain="acme.my")  # fmt: skip
    id = client.Account.create({"Name": "Acme"})["id"]
    assert client.Account.get(id)["Name"] == "Acme"
    assert client.Account.update(id, {"Name": "B"}) == 204
    (row,) = client.query_all(f"SELECT Name FROM Account WHERE Id = '{id}'")["records"]
    assert row["Name"] == "B"
    assert client.Account.delete(id) == 204
    with pytest.raises(SalesforceResourceNotFound) as caught:
        client.Account.delete(id)
    assert caught.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"
    start = datetime.now(UTC) - timedelta(minutes=5)
    told = client.Account.deleted(start, start + timedelta(minutes=10))["deletedRecords"]
    assert id in [row["id"] for row in told]


def test_simple_salesforce_signs_in_by_assertion(sf: SalesforceOrg) -> None:
    key = sf.simulator.jwt_key(sf.account)
    client = client_of(sf, username=sf.keys["username"], consumer_key=sf.keys["consumer_key"],
                       privatekey=key, domain="login")  # fmt: skip
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000


def test_simple_salesforce_runs_bulk_jobs(sf: SalesforceOrg) -> None:
    client = client_of(sf, session_id=sf.token, instance_url=sf.url)
    ids = [sf.make("Lead", LastName=f"L{n}", Company="C") for n in range(3)]
    sf.drop(ids[0])
    told = client.bulk2.Lead.delete(records=[{"Id": id} for id in ids], wait=0.01)
    assert told[0]["numberRecordsProcessed"] == 3
    assert told[0]["numberRecordsFailed"] == 1
    failed = client.bulk2.Lead.get_failed_records(told[0]["job_id"])
    assert "ENTITY_IS_DELETED:entity is deleted:--" in failed
    sf.ui("revoke", fields={"right": "hard_delete"})
    with pytest.raises(SalesforceMalformedRequest) as caught:
        client.bulk2.Lead.hard_delete(records=[{"Id": ids[0]}], wait=0.01)
    assert caught.value.content[0]["errorCode"] == "FEATURENOTENABLED"


def test_simple_salesforce_reads_by_a_query_job(sf: SalesforceOrg) -> None:
    client = client_of(sf, session_id=sf.token, instance_url=sf.url)
    pages = list(
        client.bulk2.Lead.query("SELECT Id, LastName FROM Lead", max_records=20, wait=0.01)
    )
    assert len(pages) > 1
    rows = [line for page in pages for line in page.splitlines()[1:]]
    assert len(rows) == len(sf.ids("Lead"))


# -- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'acme %_ \\'A\\' \\\\'", 1),
        ("Name LIKE 'acme \\%\\_%'", 1),
        ("Name LIKE 'ACME%'", 2),
        ("Name LIKE '_cme plain'", 1),
        ("NumberOfEmployees > 9 AND Name LIKE 'acme%'", 1),
        ("NumberOfEmployees = null AND Name LIKE 'acme%'", 1),
        ("Name IN ('Acme plain', 'nobody')", 1),
        ("Name LIKE 'acme%' AND (NOT Name = 'Acme plain')", 1),
        ("(Name = 'Acme plain' OR NumberOfEmployees = 10) AND CreatedDate >= 2026-01-01T00:00:00Z"
         " AND Name LIKE 'Acme%'", 2),
        ("Id IN (SELECT AccountId FROM Contact WHERE LastName = 'Zzz')", 1),
        ("Name LIKE 'acme%' AND IsDeleted = true", 0),
    ],
)  # fmt: skip
def test_a_query_finds_what_its_conditions_mean(sf: SalesforceOrg, where: str, found: int) -> None:
    awkward = sf.make("Account", Name="Acme %_ 'A' \\", NumberOfEmployees=10)
    sf.make("Account", Name="Acme plain")
    sf.make("Contact", LastName="Zzz", AccountId=awkward)
    assert len(sf.ids("Account", where)) == found


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nme FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Acount", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE Name = 'a' OR Name = 'b' AND Name = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'a\\q'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE NumberOfEmployees = '10'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 10", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE IsDeleted = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Description = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE ParentId = 'abc'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM OpenActivity", "INVALID_TYPE_FOR_OPERATION"),
        ("SELECT Id FROM AccountChangeEvent", "INVALID_TYPE_FOR_OPERATION"),
        ("SELECT Id FROM Account WHERE Id IN ()", "MALFORMED_QUERY"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Description", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_a_wrong_query_is_refused(sf: SalesforceOrg, soql: str, code: str) -> None:
    assert sf.refused(soql)[0] == code


def test_a_wrong_object_is_told_as_it_was_recorded(sf: SalesforceOrg) -> None:
    answer = sf.get("query", q="select count() from XYZZY")
    assert answer.json() == [{
        "message": "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\n"
        "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, be "
        "sure to append the '__c' after the entity name. Please reference your WSDL or the "
        "describe call for the appropriate names.", "errorCode": "INVALID_TYPE"}]  # fmt: skip


def test_counts_are_told_alone_and_by_group(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    for n in range(3):
        sf.make("Contact", LastName=f"C{n}", AccountId=account)
    where = f"WHERE AccountId = '{account}'"
    told = sf.get("query", q=f"SELECT COUNT() FROM Contact {where}").json()
    assert told == {"totalSize": 3, "done": True, "records": []}
    rows = sf.query(f"SELECT AccountId p, COUNT(Id) n FROM Contact {where} GROUP BY AccountId"
                    .replace("AccountId p,", "AccountId,"))  # fmt: skip
    assert rows == [{"attributes": {"type": "AggregateResult"}, "AccountId": account, "n": 3}]


def test_pages_follow_one_another_and_bring_each_row_once(sf: SalesforceOrg) -> None:
    sf.control("reset", {"records": 300})
    sf.login()
    found = []
    answer = sf.get("query", q="SELECT Id FROM Contact")
    answer = sf.ask("GET", "query", params={"q": "SELECT Id FROM Contact"},
                    headers={"Sforce-Query-Options": "batchSize=200"})  # fmt: skip
    while True:
        told = answer.json()
        found += [row["Id"] for row in told["records"]]
        if told["done"]:
            break
        assert len(told["records"]) == 200
        answer = sf.ask("GET", told["nextRecordsUrl"],
                        headers={"Sforce-Query-Options": "batchSize=200"})  # fmt: skip
    assert len(found) == len(set(found)) == told["totalSize"]
    sf.control("reset", {"records": 40})


def test_query_all_shows_deleted_ones_and_the_bin_list_its_roots(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    sf.ui("delete", "Account", account)
    assert sf.ids("Contact", f"Id = '{contact}'") == []
    assert sf.ids("Contact", f"Id = '{contact}' AND IsDeleted = true", all=True) == [contact]
    events = sf.query("SELECT Record, RecordName, DeletedById, SobjectName FROM DeleteEvent")
    (event,) = [e for e in events if e["Record"] in (account, contact)]
    assert (event["Record"], event["RecordName"]) == (account, "Acme")
    assert event["DeletedById"] == sf.ids("User", "Alias = 'u1'")[0]
    sf.switch("delete_event", "all")
    where = f"WHERE Record = '{contact}'"
    assert len(sf.query(f"SELECT Record FROM DeleteEvent {where}")) == 1
    sf.switch("delete_event", "refused")
    assert sf.refused("SELECT Record FROM DeleteEvent")[0] == "INVALID_TYPE"


def test_numbers_stay_exact_both_ways(sf: SalesforceOrg) -> None:
    body = b'{"Name": "Exact", "Exact_Revenue__c": 1234567890.12345678, "External_No__c": 9007199254740993}'
    answer = sf.session.post(
        f"{sf.url}{DATA}/sobjects/Account/", data=body, timeout=30,
        headers={"Authorization": f"Bearer {sf.token}", "Content-Type": "application/json"},
    )  # fmt: skip
    id = answer.json()["id"]
    told = strict_json(sf.get(f"sobjects/Account/{id}").content)
    assert told["Exact_Revenue__c"] == Decimal("1234567890.12345678")
    assert told["External_No__c"] == 9007199254740993
    assert b"1234567890.12345678" in sf.control("records", kind="Account").content


# -- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nme": "x"}, "INVALID_FIELD"),
        ({"Id": "x", "IsDeleted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Name": None}, "REQUIRED_FIELD_MISSING"),
        ({"Name": "x" * 256}, "STRING_TOO_LONG"),
        ({"Name": 5}, "JSON_PARSER_ERROR"),
        ({"NumberOfEmployees": "5"}, "JSON_PARSER_ERROR"),
        ({"ParentId": "003Fj0000000000IAA"}, "MALFORMED_ID"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(
    sf: SalesforceOrg, fields: dict[str, Any], code: str
) -> None:
    id = sf.make("Account", Name="Acme")
    before = sf.truths("Account")[id]
    answer = sf.ask("PATCH", f"sobjects/Account/{id}", fields)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert sf.truths("Account")[id] == before


def test_a_precondition_protects_an_update_and_not_a_delete(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    head = {"If-Unmodified-Since": "Tue, 01 Jan 2019 00:00:00 GMT"}
    assert sf.ask("PATCH", f"sobjects/Account/{id}", {"Name": "B"}, headers=head).status_code == 412
    assert sf.ask("DELETE", f"sobjects/Account/{id}", headers=head).status_code == 204


def test_the_marker_field_can_be_missing_and_made(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.switch("marker_field", False)
    names = [f["name"] for f in sf.get("sobjects/Account/describe").json()["fields"]]
    assert "CRM_Bridge_Status__c" not in names
    change = {"CRM_Bridge_Status__c": "void"}
    assert sf.ask("PATCH", f"sobjects/Account/{id}", change).status_code == 400
    made = sf.ask("POST", "tooling/sobjects/CustomField", {
        "FullName": "Account.CRM_Bridge_Status__c",
        "Metadata": {"type": "Text", "length": 32, "label": "CRM Bridge Status"}})  # fmt: skip
    assert made.status_code == 201
    assert sf.ask("PATCH", f"sobjects/Account/{id}", change).status_code == 204


def test_an_external_id_finds_makes_and_updates(sf: SalesforceOrg) -> None:
    place = "sobjects/Account/Legacy_Id__c/old-1"
    assert sf.ask("PATCH", place, {"Name": "A"}).status_code == 201
    assert sf.ask("PATCH", place, {"Name": "B"}).status_code == 200
    assert sf.get(place).json()["Name"] == "B"


# -- collections ----------------------------------------------------------------------------------


def test_more_than_200_ids_are_refused_as_a_whole(sf: SalesforceOrg) -> None:
    ids = ",".join(f"001Fj0000000{n:03d}" for n in range(201))
    answer = sf.ask("DELETE", "composite/sobjects", params={"ids": ids})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert "more than 200" in answer.json()[0]["message"]


def test_a_failing_row_carries_its_id_by_a_switch_only(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.drop(id)
    answer = sf.ask("DELETE", "composite/sobjects", params={"ids": id})
    why = {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []}
    assert answer.json() == [{"success": False, "errors": [why]}]
    sf.switch("failing_row_id", True)
    answer = sf.ask("DELETE", "composite/sobjects", params={"ids": id})
    assert answer.json()[0]["id"] == id


def test_all_or_none_takes_back_what_went_and_keeps_the_culprits_code(sf: SalesforceOrg) -> None:
    ids = [sf.make("Account", Name=f"A{n}") for n in range(2)]
    contact = sf.make("Contact", LastName="Li", AccountId=ids[0])
    before = sf.truths("Account"), sf.truths("Contact")
    gone = "001Fj00000zzzzz"
    answer = sf.ask("DELETE", "composite/sobjects",
                    params={"ids": ",".join([*ids, gone]), "allOrNone": "true"})  # fmt: skip
    codes = [row["errors"][0]["statusCode"] for row in answer.json()]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK"] * 2 + ["INVALID_CROSS_REFERENCE_KEY"]
    assert (sf.truths("Account"), sf.truths("Contact")) == before
    assert sf.state("Contact", contact) == "live"


def test_a_collection_is_read_in_order_with_null_for_what_is_not_there(sf: SalesforceOrg) -> None:
    here, binned = (sf.make("Account", Name=n) for n in "AB")
    sf.drop(binned)
    body = {"ids": [binned, here, "001Fj00000zzzzz"], "fields": ["Id", "Name"]}
    told = sf.ask("POST", "composite/sobjects/Account", body).json()
    assert [row and row["Name"] for row in told] == [None, "A", None]
    sf.switch("retrieve_deleted", "row")
    told = sf.ask("POST", "composite/sobjects/Account", body).json()
    assert [row and row["Name"] for row in told] == ["B", "A", None]
    body["fields"] = ["Nme"]
    assert sf.ask("POST", "composite/sobjects/Account", body).status_code == 400


def test_a_collection_update_tells_each_row(sf: SalesforceOrg) -> None:
    ids = [sf.make("Lead", LastName=f"L{n}", Company="C") for n in range(2)]
    rows = [{"attributes": {"type": "Lead"}, "id": ids[0], "Title": "T"},
            {"attributes": {"type": "Lead"}, "id": ids[1], "Nope": 1}]  # fmt: skip
    told = sf.ask("PATCH", "composite/sobjects", {"allOrNone": False, "records": rows}).json()
    assert [row["success"] for row in told] == [True, False]
    assert told[1]["errors"][0]["statusCode"] == "INVALID_FIELD"
    mixed = [rows[0], {"attributes": {"type": "Account"}, "id": "x"}] * 6
    answer = sf.ask("PATCH", "composite/sobjects", {"records": mixed})
    assert answer.status_code == 400
    assert "10 chunks" in answer.json()[0]["message"]


def test_an_address_too_long_is_refused(sf: SalesforceOrg) -> None:
    answer = sf.get("query", q=f"SELECT Id FROM Account WHERE Name = '{'x' * 16400}'")
    assert answer.status_code == 414


# -- requests in requests -------------------------------------------------------------------------


def test_a_composite_is_one_call_with_at_most_five_queries(sf: SalesforceOrg) -> None:
    url = f"{DATA}/query/?q={quote('SELECT COUNT() FROM Account')}"
    wanted = [{"referenceId": f"r{n}", "method": "GET", "url": url} for n in range(5)]
    wanted[1]["url"] = f"{DATA}/query/?q={quote('SELECT COUNT() FROM XYZZY')}"
    first = sf.get("limits").json()["DailyApiRequests"]["Remaining"]
    answer = sf.ask("POST", "composite", {"compositeRequest": wanted})
    told = answer.json()["compositeResponse"]
    assert [row["httpStatusCode"] for row in told] == [200, 400, 200, 200, 200]
    assert told[1]["body"][0]["errorCode"] == "INVALID_TYPE"
    assert first - sf.get("limits").json()["DailyApiRequests"]["Remaining"] == 2
    wanted.append({"referenceId": "r5", "method": "GET", "url": url})
    assert sf.ask("POST", "composite", {"compositeRequest": wanted}).status_code == 400


def test_a_batch_counts_each_of_its_requests(sf: SalesforceOrg) -> None:
    url = f"v64.0/query/?q={quote('SELECT COUNT() FROM Account')}"
    wanted = [{"method": "GET", "url": url}] * 25
    first = sf.get("limits").json()["DailyApiRequests"]["Remaining"]
    told = sf.ask("POST", "composite/batch", {"batchRequests": wanted}).json()
    assert told["hasErrors"] is False
    assert {row["statusCode"] for row in told["results"]} == {200}
    assert first - sf.get("limits").json()["DailyApiRequests"]["Remaining"] == 26
    wanted[0] = {"method": "GET", "url": "v64.0/query/?q=nonsense"}
    told = sf.ask("POST", "composite/batch", {"haltOnError": True, "batchRequests": wanted}).json()
    assert [row["statusCode"] for row in told["results"]] == [400] + [412] * 24


def test_the_log_knows_which_requests_could_write(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    since = sf.log()[-1]["n"]
    sf.ask("POST", "composite/sobjects/Account", {"ids": [id], "fields": ["Id"]})
    sf.query("SELECT Id FROM Account LIMIT 1")
    sf.drop(id)
    sf.rows("undelete", id)
    sf.job("delete", [id], "Account")
    lines = [line for line in sf.log() if line["n"] > since]
    assert [line["write"] for line in lines] == [False, False, True, True, True, True, True]
    named = [lines[n]["ids"] for n in (0, 2, 3, 5, 6)]
    assert named == [[id]] * 5
    assert lines[2]["changed"] == lines[3]["changed"] == [f"Account/{id}"]


# -- bulk -----------------------------------------------------------------------------------------


def test_a_job_is_under_way_at_the_first_poll_and_done_at_the_second(sf: SalesforceOrg) -> None:
    ids = [sf.make("Lead", LastName=f"L{n}", Company="C") for n in range(3)]
    job = sf.job("delete", [*ids, "00QFj00000zzzzz"])
    assert sf.get(f"jobs/ingest/{job}").json()["state"] == "InProgress"
    assert sf.state("Lead", ids[0]) == "live"
    told = sf.get(f"jobs/ingest/{job}").json()
    assert (told["state"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (
        "JobComplete", 4, 1,
    )  # fmt: skip
    good = sf.get(f"jobs/ingest/{job}/successfulResults").text.splitlines()
    assert good[0] == '"sf__Id","sf__Created","Id"'
    assert {line.split(",")[2].strip('"') for line in good[1:]} == set(ids)
    assert [line.split(",")[2].strip('"') for line in good[1:]] != ids
    bad = sf.get(f"jobs/ingest/{job}/failedresults").text.splitlines()
    assert bad[1].startswith('"00QFj00000zzzzz","INVALID_CROSS_REFERENCE_KEY:')
    assert [sf.state("Lead", id) for id in ids] == ["deleted"] * 3


def test_the_worker_needs_no_poll(sf: SalesforceOrg) -> None:
    id = sf.make("Lead", LastName="L", Company="C")
    sf.job("delete", [id])
    sf.turn("2m")
    assert sf.state("Lead", id) == "deleted"


def test_an_aborted_job_does_nothing_and_says_what_it_left(sf: SalesforceOrg) -> None:
    id = sf.make("Lead", LastName="L", Company="C")
    job = sf.job("delete", [id])
    assert sf.ask("PATCH", f"jobs/ingest/{job}", {"state": "Aborted"}).json()["state"] == "Aborted"
    assert id in sf.get(f"jobs/ingest/{job}/unprocessedrecords").text
    assert sf.state("Lead", id) == "live"
    assert sf.ask("DELETE", f"jobs/ingest/{job}").status_code == 204
    assert sf.get(f"jobs/ingest/{job}").status_code == 404


def test_another_column_fails_the_job(sf: SalesforceOrg) -> None:
    id = sf.make("Lead", LastName="L", Company="C")
    job = sf.job("delete", [id], head="id")
    sf.get(f"jobs/ingest/{job}")
    told = sf.get(f"jobs/ingest/{job}").json()
    assert told["state"] == "Failed"
    assert told["errorMessage"] == "InvalidBatch : The 'delete' batch must contain only ids"
    assert sf.state("Lead", id) == "live"


def test_results_of_a_hard_delete_may_be_silent(sf: SalesforceOrg) -> None:
    id = sf.make("Lead", LastName="L", Company="C")
    sf.switch("hard_delete_rows", False)
    job = sf.job("hardDelete", [id])
    sf.get(f"jobs/ingest/{job}")
    assert sf.get(f"jobs/ingest/{job}").json()["numberRecordsFailed"] == 0
    assert id not in sf.get(f"jobs/ingest/{job}/successfulResults").text


# -- soap -----------------------------------------------------------------------------------------


def test_the_elements_of_a_row_stand_in_the_order_of_the_wsdl(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    root = ElementTree.fromstring(sf.soap("undelete", id).content)
    (row,) = root.iter(f"{{{PARTNER}}}result")
    assert [e.tag.rpartition("}")[2] for e in row] == ["errors", "id", "success"]
    assert [e.tag.rpartition("}")[2] for e in row[0]] == ["message", "statusCode"]
    assert root.find(f".//{{{PARTNER}}}limitInfo/{{{PARTNER}}}type") is not None


def test_an_envelope_with_a_doctype_is_refused(sf: SalesforceOrg) -> None:
    text = f'<!DOCTYPE x [<!ENTITY e "x">]><e:Envelope xmlns:e="{SOAP}"><e:Body/></e:Envelope>'
    answer = sf.envelope(text)
    assert answer.status_code == 500
    assert "<faultcode>soapenv:Client</faultcode>" in answer.text


def test_login_by_password_is_gone(sf: SalesforceOrg) -> None:
    for version in ("64.0", "65.0"):
        answer = sf.soap("login", version=version)
        assert answer.status_code == 500
        assert "Fault" in answer.text


def test_more_than_200_ids_are_a_fault_and_none_is_touched(sf: SalesforceOrg) -> None:
    answer = sf.soap("undelete", *(f"001Fj0000000{n:03d}" for n in range(201)))
    assert answer.status_code == 500
    assert "<faultcode>sf:EXCEEDED_ID_LIMIT</faultcode>" in answer.text


def test_get_user_info_tells_the_org(sf: SalesforceOrg) -> None:
    root = ElementTree.fromstring(sf.soap("getUserInfo").content)
    assert root.findtext(f".//{{{PARTNER}}}organizationId") == sf.keys["org_id"]


# -- rights and limits ----------------------------------------------------------------------------


def test_a_revoked_delete_shows_in_describe_in_access_and_at_the_delete(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.ui("revoke", "Account", fields={"right": "delete"})
    assert sf.get("sobjects/Account/describe").json()["deletable"] is False
    sf.switch("describe_rights", False)
    assert sf.get("sobjects/Account/describe").json()["deletable"] is True
    user = sf.get("/services/oauth2/userinfo").json()["user_id"]
    (row,) = sf.query(
        "SELECT RecordId, HasDeleteAccess, HasEditAccess, MaxAccessLevel FROM UserRecordAccess "
        f"WHERE UserId = '{user}' AND RecordId IN ('{id}')"
    )
    assert (row["HasDeleteAccess"], row["HasEditAccess"]) == (False, True)
    answer = sf.ask("DELETE", f"sobjects/Account/{id}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (
        400, "INSUFFICIENT_ACCESS_OR_READONLY",
    )  # fmt: skip
    sf.switch("access_status", 403)
    assert sf.ask("DELETE", f"sobjects/Account/{id}").status_code == 403
    sf.ui("grant", "Account", fields={"right": "delete"})
    assert sf.drop(id) == [""]


def test_system_rights_are_told_and_rule_what_others_deleted(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.ui("delete", "Account", id)
    sf.ui("revoke", fields={"right": "ModifyAllData"})
    told = sf.query("SELECT PermissionsModifyAllData, PermissionsBulkApiHardDelete FROM "
                    "UserPermissionAccess")[0]  # fmt: skip
    assert (told["PermissionsModifyAllData"], told["PermissionsBulkApiHardDelete"]) == (False, True)
    code = "INSUFFICIENT_ACCESS_OR_READONLY"
    assert sf.rows("undelete", id) == [(id, False, code)]
    assert sf.rows("emptyRecycleBin", id) == [(id, False, code)]


def test_every_answer_tells_the_calls_and_the_last_of_the_day_is_refused(sf: SalesforceOrg) -> None:
    sf.ui("quota", fields={"left": 2})
    answer = sf.get("limits")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=99999/100000"
    assert sf.get("limits").status_code == 200
    answer = sf.get("limits")
    assert answer.status_code == 403
    assert answer.json()[0]["message"] == "TotalRequests Limit exceeded."
    assert answer.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    sf.turn("25h")
    assert sf.get("limits").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "sobjects/Nothing/describe", 404, "NOT_FOUND"),
        ("GET", "recycleBin", 404, "NOT_FOUND"),
        ("POST", "sobjects/Account/001Fj0000000000IAA/undelete", 404, "NOT_FOUND"),
        ("DELETE", "sobjects/Account/", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "composite/sobjects", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/services/data/v25.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("GET", "/services/data/v99.0/limits", 404, "NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_refused(
    sf: SalesforceOrg, method: str, path: str, status: int, code: str
) -> None:
    answer = sf.ask(method, path)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


# -- trouble --------------------------------------------------------------------------------------


def test_rows_that_cannot_be_locked_fail_alone(sf: SalesforceOrg) -> None:
    ids = [sf.make("Lead", LastName=f"L{n}", Company="C") for n in range(6)]
    sf.fault({"row_error": "UNABLE_TO_LOCK_ROW", "every": 3}, "composite/sobjects")
    assert sf.drop(*ids) == ["UNABLE_TO_LOCK_ROW", "", ""] * 2
    assert sf.drop(ids[0], ids[3]) == ["", ""]
    assert sf.rows("undelete", *ids) == [(id, True, None) for id in ids]
    sf.fault({"row_error": "UNABLE_TO_LOCK_ROW", "every": 3}, "jobs/ingest/[^/]+$")
    job = sf.job("delete", ids)
    sf.get(f"jobs/ingest/{job}")
    assert sf.get(f"jobs/ingest/{job}").json()["numberRecordsFailed"] == 2


def test_a_call_can_be_refused_by_a_code(sf: SalesforceOrg) -> None:
    sf.fault({"error": "REQUEST_LIMIT_EXCEEDED"}, times=2)
    answer = sf.get("limits")
    assert answer.status_code == 403
    assert "ConcurrentRequests" in answer.json()[0]["message"]
    answer = sf.soap("undelete", "001Fj0000000000IAA")
    assert "<sf:exceptionCode>REQUEST_LIMIT_EXCEEDED</sf:exceptionCode>" in answer.text


def test_a_lost_answer_leaves_its_effect(sf: SalesforceOrg) -> None:
    id = sf.make("Lead", LastName="L", Company="C")
    sf.fault({"drop": "after"}, "composite/sobjects")
    with pytest.raises(requests.ConnectionError):
        sf.drop(id)
    assert sf.state("Lead", id) == "deleted"
    assert sf.drop(id) == ["ENTITY_IS_DELETED"]


def test_limits_off_means_no_quota() -> None:
    simulator = SalesforceSimulator(records=0, limits=False)
    with serving(simulator) as url:
        org = SalesforceOrg(simulator, url)
        org.login()
        org.ui("quota", fields={"left": 0})
        assert org.get("limits").status_code == 200


def test_its_describes_travel_in_the_wheel() -> None:
    from importlib.resources import files

    data = files("crm_bridge_salesforce").joinpath("simulator_describes.json")
    assert data.is_file()
    assert len(data.read_bytes()) < 100_000
