"""Zoho on loopback: what it refuses, what a delete takes along, what comes back, what it costs."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import types
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_bridge.simulator import serving
from crm_bridge_zoho.simulator import ZohoSimulator

MARKER = "CRM_Bridge_Status"


class Org:
    """One organisation over plain HTTP."""

    def __init__(self, simulator: ZohoSimulator, url: str, index: int = 0) -> None:
        self.url = url
        self.account = simulator.accounts[index]
        self.settings = simulator.settings(self.account, url)
        self.session = requests.Session()

    def login(self) -> Org:
        self.token = str(self.refresh().json()["access_token"])
        return self

    def refresh(self, **changed: str) -> requests.Response:
        names = ("client_id", "client_secret", "refresh_token")
        form = {name: self.settings[name] for name in names} | {"grant_type": "refresh_token"}
        return requests.post(f"{self.url}/oauth/v2/token", data=form | changed)

    def ask(self, method: str, path: str, version: str = "v8", **more: Any) -> requests.Response:
        headers = {"Authorization": f"Zoho-oauthtoken {self.token}"} | more.pop("headers", {})
        url = f"{self.url}/crm/{version}/{path}"
        return self.session.request(method, url, headers=headers, **more)

    def get(self, path: str, version: str = "v8") -> requests.Response:
        return self.ask("GET", path, version)

    def write(self, method: str, path: str, rows: list[Any], version: str = "v8") -> Any:
        # As the vendor's own client: no content type.
        return self.ask(method, path, version, data=json.dumps({"data": rows}))

    def make(self, module: str, **fields: Any) -> str:
        answer = self.write("POST", module, [fields])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"][0]["details"]["id"])

    def delete(self, module: str, *ids: str, version: str = "v8") -> requests.Response:
        return self.ask("DELETE", f"{module}?ids={','.join(ids)}", version)

    def restore(self, *ids: str) -> requests.Response:
        path = "settings/recycle_bin/actions/restore"
        return self.ask("POST", path, json={"ids": list(ids)})

    def query(self, text: str) -> requests.Response:
        return self.ask("POST", "coql", json={"select_query": text})

    def control(self, name: str, body: Any = None, query: str = "") -> Any:
        url = f"{self.url}/__control__/{name}?crm={self.account.crm}{query}"
        answer = requests.get(url) if body is None else requests.post(url, json=body)
        assert answer.status_code == 200, answer.text
        lines = answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()] if lines else answer.json()

    def switch(self, **positions: Any) -> None:
        self.control("switches", positions)

    def act(self, act: str, kind: str = "", ids: tuple[str, ...] = (), **more: Any) -> Any:
        return self.control("ui", {"act": act, "kind": kind, "ids": list(ids), **more})

    def turn(self, by: str) -> None:
        self.control("clock", {"advance": by})
        self.login()

    def truth(self, module: str) -> dict[str, Any]:
        return {row["id"]: row for row in self.control("records", query=f"&kind={module}")}

    def state(self, module: str, id: str) -> str:
        return str(self.truth(module)[id]["state"])

    def live(self, module: str, count: int = 1) -> list[str]:
        free = [r for r in self.truth(module).values() if r["state"] == "live" and not r["locked"]]
        return [row["id"] for row in free][:count]

    def family(self) -> dict[str, str]:
        """An account with a branch, a note, a file, a contact and a task."""
        account = self.make("Accounts", Account_Name="Acme", Branches=[{"Branch_Name": "North"}])
        note = self.make("Notes", Note_Title="n", Parent_Id={"id": account})
        file = self.ask("POST", f"Accounts/{account}/Attachments", files={"file": ("a.txt", b"hi")})
        found = {
            "Accounts": account,
            "Notes": note,
            "Attachments": file.json()["data"][0]["details"]["id"],
            "Contacts": self.make("Contacts", Last_Name="Li", Account_Name={"id": account}),
            "Tasks": self.make("Tasks", Subject="Call", What_Id={"id": account}),
        }
        rows = self.get(f"Accounts/{account}").json()["data"][0]["Branches"]
        return found | {"Account_Branches": rows[0]["id"]}

    def states(self, family: dict[str, str]) -> dict[str, str]:
        return {module: self.state(module, id) for module, id in family.items()}


def codes(answer: requests.Response, key: str = "data") -> list[str]:
    return [row["code"] for row in answer.json()[key]]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[ZohoSimulator, str]]:
    simulator = ZohoSimulator(records=40)
    with serving(simulator) as url:
        yield simulator, url


@pytest.fixture
def zoho(served: tuple[ZohoSimulator, str]) -> Org:
    for index in (1, 0):
        org = Org(*served, index)
        org.control("reset", {})
        org.login()
    return org


# -- the accounts server --------------------------------------------------------------------------


def test_the_eleventh_token_in_ten_minutes_is_refused(zoho: Org) -> None:
    for _ in range(9):
        assert "access_token" in zoho.refresh().json()
    refused = zoho.refresh()
    assert (refused.status_code, refused.json()["error"]) == (400, "Access Denied")
    zoho.switch(throttle_status=200)
    assert zoho.refresh().status_code == 200
    zoho.control("clock", {"advance": "10m"})
    assert "access_token" in zoho.refresh().json()


def test_a_token_lives_an_hour_and_the_sixteenth_ends_the_first(zoho: Org) -> None:
    first = zoho.token
    for _ in range(9):
        zoho.refresh()
    zoho.control("clock", {"advance": "11m"})
    for _ in range(5):
        zoho.refresh()
    assert zoho.get("org").status_code == 200
    zoho.login()
    last, zoho.token = zoho.token, first
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"
    zoho.token = last
    zoho.control("clock", {"advance": "61m"})
    assert zoho.get("org").status_code == 401


def test_wrong_keys_are_named_in_the_vendors_words(zoho: Org) -> None:
    assert zoho.refresh(client_secret="x").json() == {"error": "invalid_client"}
    assert zoho.refresh(refresh_token="x").json() == {"error": "invalid_code"}
    zoho.switch(oauth_error_status=400)
    assert zoho.refresh(refresh_token="x").status_code == 400


def test_a_grant_can_be_used_once(zoho: Org) -> None:
    code = zoho.account.keys["grant"]
    made = zoho.refresh(grant_type="authorization_code", code=code).json()
    assert made["refresh_token"] == zoho.settings["refresh_token"]
    assert made["api_domain"] == zoho.url
    assert "error" in zoho.refresh(grant_type="authorization_code", code=code).json()


def test_a_missing_a_bearer_and_a_dead_token_are_told_apart(zoho: Org) -> None:
    bare = requests.get(f"{zoho.url}/crm/v8/org")
    assert (bare.status_code, bare.json()["code"]) == (401, "AUTHENTICATION_FAILURE")
    bearer = zoho.ask("GET", "org", headers={"Authorization": f"Bearer {zoho.token}"})
    assert bearer.json()["code"] == "INVALID_TOKEN"
    zoho.switch(token_code="INVALID_OAUTHTOKEN")
    zoho.act("expire_tokens")
    assert zoho.get("org").json()["code"] == "INVALID_OAUTHTOKEN"


def test_a_lost_scope_refuses_its_own_calls_only(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.delete("Leads", id)
    zoho.act("revoke", fields={"scope": "ZohoCRM.settings.recycle_bin.UPDATE"})
    refused = zoho.restore(id)
    assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")
    assert zoho.get(f"settings/recycle_bin/{id}").status_code == 200


def test_two_organisations_share_nothing(zoho: Org, served: tuple[ZohoSimulator, str]) -> None:
    other = Org(*served, 1).login()
    assert not set(zoho.truth("Leads")) & set(other.truth("Leads"))
    assert zoho.get("org").json()["org"][0]["id"] != other.get("org").json()["org"][0]["id"]
    (id,) = zoho.live("Leads")
    assert codes(other.delete("Leads", id)) == ["INVALID_DATA"]
    assert zoho.state("Leads", id) == "live"
    zoho.act("expire_tokens")
    assert other.get("org").status_code == 200


# -- paths, verbs, metadata -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "version", "status", "code"),
    [
        ("GET", "Nope?fields=id", "v8", 400, "INVALID_MODULE"),
        ("GET", "Documents?fields=id", "v8", 400, "NOT_SUPPORTED"),
        ("PATCH", "Leads", "v8", 400, "INVALID_REQUEST_METHOD"),
        ("GET", "settings/nothing", "v8", 404, "INVALID_URL_PATTERN"),
        ("GET", "Leads?fields=id", "v9", 404, "INVALID_URL_PATTERN"),
        ("POST", "Leads/1/actions/lock", "v8", 404, "INVALID_URL_PATTERN"),
        ("POST", "settings/recycle_bin/actions/restore", "v7", 404, "INVALID_URL_PATTERN"),
        ("GET", "settings/recycle_bin/actions/count", "v7", 404, "INVALID_URL_PATTERN"),
        ("GET", "settings/recycle_bin", "v2", 404, "INVALID_URL_PATTERN"),
        ("GET", "Leads", "v8", 400, "REQUIRED_PARAM_MISSING"),
        ("DELETE", "Leads", "v8", 400, "REQUIRED_PARAM_MISSING"),
        ("GET", "Leads/deleted?type=odd", "v8", 400, "PATTERN_NOT_MATCHED"),
    ],
)
def test_what_does_not_exist_is_refused(
    zoho: Org, method: str, path: str, version: str, status: int, code: str
) -> None:
    answer = zoho.ask(method, path, version)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_who_one_is_and_which_organisation(zoho: Org) -> None:
    user = zoho.get("users?type=CurrentUser").json()["users"]
    assert [one["profile"]["name"] for one in user] == ["Administrator"]
    org = zoho.get("org").json()["org"][0]
    assert (org["type"], org["license_details"]["paid_type"]) == ("production", "enterprise")


def test_metadata_tells_what_goes_to_the_bin_and_where_lookups_lead(zoho: Org) -> None:
    modules = {m["api_name"]: m for m in zoho.get("settings/modules").json()["modules"]}
    assert not modules["Attachments"]["recycle_bin_on_delete"]
    assert not modules["Emails"]["recycle_bin_on_delete"]
    assert modules["Accounts"]["recycle_bin_on_delete"]
    assert modules["Account_Branches"]["generated_type"] == "subform"
    fields = zoho.get("settings/fields?module=Contacts").json()["fields"]
    lookups = {f["api_name"]: f["lookup"] for f in fields if f["data_type"] == "lookup"}
    assert lookups["Account_Name"]["module"]["api_name"] == "Accounts"
    old = zoho.get("settings/fields?module=Contacts", "v2").json()["fields"]
    assert {f["lookup"]["module"] for f in old if f["api_name"] == "Account_Name"} == {"Accounts"}
    assert len(zoho.get("settings/fields?module=Accounts").json()["fields"]) > 50
    lists = zoho.get("settings/related_lists?module=Accounts").json()["related_lists"]
    assert {"Notes", "Attachments", "Contacts", "Deals"} <= {one["api_name"] for one in lists}


def test_the_marker_can_be_taken_away_and_made_again(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.switch(marker_field=False)
    zoho.write("PUT", "Leads", [{"id": id, MARKER: "void"}])
    assert MARKER not in zoho.get(f"Leads/{id}").json()["data"][0]
    field = {"field_label": "CRM Bridge Status", "data_type": "text", "length": 50}
    made = zoho.ask("POST", "settings/fields?module=Leads", json={"fields": [field]})
    assert made.json()["fields"][0]["code"] == "SUCCESS"
    zoho.write("PUT", "Leads", [{"id": id, MARKER: "void"}])
    assert zoho.truth("Leads")[id]["fields"][MARKER] == "void"
    again = zoho.ask("POST", "settings/fields?module=Leads", json={"fields": [field]})
    assert codes(again, "fields") == ["DUPLICATE_DATA"]


# -- reading --------------------------------------------------------------------------------------


def test_lists_want_fields_from_version_3_and_fifty_at_most(zoho: Org) -> None:
    names = ",".join(f"Segment_{n:02d}" for n in range(1, 26))
    assert zoho.get(f"Accounts?fields={names},{names}").status_code == 200
    assert zoho.get(f"Accounts?fields={names},{names},Phone").json()["code"] == "LIMIT_EXCEEDED"
    assert len(zoho.get("Accounts", "v2").json()["data"][0]) > 50


def test_only_one_record_at_a_time_shows_subforms_and_ties(zoho: Org) -> None:
    family = zoho.family()
    id = family["Accounts"]
    contact = zoho.make("Contacts", Last_Name="Tie",
                        Partner_Accounts=[{"Partner_Accounts": {"id": id}}])  # fmt: skip
    whole = zoho.get(f"Accounts/{id}").json()["data"][0]
    assert [row["Branch_Name"] for row in whole["Branches"]] == ["North"]
    listed = zoho.get(f"Accounts?ids={id}&fields=Branches,Phone").json()["data"][0]
    assert set(listed) == {"id", "Phone"}
    ties = zoho.get(f"Contacts/{contact}").json()["data"][0]["Partner_Accounts"]
    assert [tie["Partner_Accounts"]["id"] for tie in ties] == [id]


def test_lists_cut_rich_text_and_the_full_text_is_asked_for(zoho: Org) -> None:
    text = "<p>" + "长" * 900 + "</p>"
    id = zoho.make("Accounts", Account_Name="Long", Profile_Text=text)
    listed = zoho.get(f"Accounts?ids={id}&fields=Profile_Text").json()["data"][0]
    assert listed["Profile_Text"] == text[:500]
    full = zoho.get(f"Accounts/{id}/actions/fetch_full_data?fields=Profile_Text")
    assert full.json()["data"] == [{"Profile_Text": text, "id": id}]


def test_no_digit_is_lost(zoho: Org) -> None:
    exact = Decimal("123456789.123456789")
    body = '{"data":[{"Last_Name":"D","Annual_Revenue":123456789.123456789}]}'
    made = zoho.ask("POST", "Leads", data=body).json()["data"][0]["details"]["id"]
    text = zoho.get(f"Leads/{made}").text
    assert json.loads(text, parse_float=Decimal)["data"][0]["Annual_Revenue"] == exact


def test_moments_carry_the_organisations_offset(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    assert zoho.get(f"Leads/{id}").json()["data"][0]["Modified_Time"].endswith("+08:00")


def test_what_is_not_there_answers_204(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.delete("Leads", id)
    for path in (f"Leads/{id}", f"Leads?ids={id}&fields=id", f"Accounts/{id}"):
        answer = zoho.get(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-type" not in answer.headers


def test_beyond_2000_rows_only_a_page_token_goes_on() -> None:
    simulator = ZohoSimulator(records=1100, limits=False)
    with serving(simulator) as url:
        zoho = Org(simulator, url).login()
        past = zoho.get("Contacts?fields=id&page=11")
        assert past.json()["code"] == "DISCRETE_PAGINATION_LIMIT_EXCEEDED"
        found: list[str] = []
        token = ""
        while True:
            answer = zoho.get(f"Contacts?fields=id{token}").json()
            found += [row["id"] for row in answer["data"]]
            if not answer["info"]["more_records"]:
                break
            if len(found) == 200:
                # What is deleted between two pages shifts no other out of sight.
                zoho.delete("Contacts", *found[:50])
            token = f"&page_token={answer['info']['next_page_token']}"
        live = [one for one, row in zoho.truth("Contacts").items() if row["state"] == "live"]
        assert set(found) == {*live, *found[:50]}
        assert len(found) > 2000
        other = zoho.get(f"Contacts?fields=Email{token}")
        assert other.json()["code"] == "TOKEN_BOUND_DATA_MISMATCH"
        zoho.turn("25h")
        assert zoho.get(f"Contacts?fields=id{token}").json()["code"] == "EXPIRED_VALUE"


def test_converted_leads_are_left_out_of_plain_lists(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.ask("POST", f"Leads/{id}/actions/convert", json={"data": [{}]})
    assert zoho.get(f"Leads/{id}").json()["data"][0]["$converted"] is True
    plain = zoho.get("Leads?fields=id").json()["data"]
    both = zoho.get("Leads?fields=id&converted=both").json()["data"]
    assert id not in [row["id"] for row in plain]
    assert id in [row["id"] for row in both]


# -- queries --------------------------------------------------------------------------------------


def test_a_query_gives_a_lookups_id_only_and_joins_by_its_dots(zoho: Org) -> None:
    family = zoho.family()
    answer = zoho.query(
        "select Last_Name, Account_Name, Account_Name.Account_Name from Contacts "
        f"where id = '{family['Contacts']}'"
    ).json()
    assert answer["data"] == [
        {
            "id": family["Contacts"],
            "Last_Name": "Li",
            "Account_Name": {"id": family["Accounts"]},
            "Account_Name.Account_Name": "Acme",
        }
    ]
    assert answer["info"] == {"count": 1, "more_records": False}


def test_a_quote_is_doubled_and_a_backslash_is_no_escape(zoho: Org) -> None:
    id = zoho.make("Leads", Last_Name="O'Neil\\n")
    found = zoho.query("select id from Leads where Last_Name = 'O''Neil\\n'").json()
    assert [row["id"] for row in found["data"]] == [id]
    refused = zoho.query("select id from Leads where Last_Name = 'O\\'Neil'")
    assert refused.json()["code"] == "SYNTAX_ERROR"


def test_more_than_two_criteria_stand_in_brackets(zoho: Org) -> None:
    bare = "id is not null and Company is not null and Email is not null"
    assert zoho.query(f"select id from Leads where {bare}").json()["code"] == "SYNTAX_ERROR"
    held = "((id is not null and Company is not null) and Email is not null)"
    assert zoho.query(f"select id from Leads where {held}").status_code == 200


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select id from Leads where id in ({})".format(",".join(["'1'"] * 101)), "LIMIT_EXCEEDED"),
        ("select id from Leads where id is not null limit 201", "LIMIT_EXCEEDED"),
        ("select Nope from Leads where id is not null", "INVALID_QUERY"),
        ("select id from Nope where id is not null", "INVALID_QUERY"),
        ("select id from Leads", "SYNTAX_ERROR"),
        ("select id from Leads where Description = 'x'", "INVALID_QUERY"),
        ("select id from Leads where Email_Opt_Out != 'true'", "INVALID_QUERY"),
    ],
)
def test_a_query_beyond_the_grammar_is_refused(zoho: Org, text: str, code: str) -> None:
    answer = zoho.query(text)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_an_empty_result_is_204(zoho: Org) -> None:
    assert zoho.query("select id from Leads where Last_Name = 'nobody'").status_code == 204


# -- writing --------------------------------------------------------------------------------------


def test_ids_may_be_numbers_and_no_content_type_is_needed(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    answer = zoho.write("PUT", "Leads", [{"id": int(id), MARKER: "archived"}], "v2")
    assert codes(answer) == ["SUCCESS"]
    assert zoho.truth("Leads")[id]["fields"][MARKER] == "archived"


def test_one_bad_row_leaves_the_others_alone(zoho: Org) -> None:
    one, two = zoho.live("Leads", 2)
    answer = zoho.write(
        "PUT", "Leads",
        [{"id": one, "Company": "New"}, {"id": "5" * 18}, {"Company": "x"},
         {"id": two, "No_of_Employees": "12"}],
    )  # fmt: skip
    assert answer.status_code == 207
    assert codes(answer) == ["SUCCESS", "INVALID_DATA", "MANDATORY_NOT_FOUND", "INVALID_DATA"]
    assert zoho.truth("Leads")[one]["fields"]["Company"] == "New"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Lead_Status": "No Such Status"}, "INVALID_DATA"),
        ({"Last_Name": None}, "MANDATORY_NOT_FOUND"),
        ({"Last_Name": "x" * 81}, "INVALID_DATA"),
        ({"Email_Opt_Out": "yes"}, "INVALID_DATA"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(zoho: Org, fields: Any, code: str) -> None:
    (id,) = zoho.live("Leads")
    before = zoho.truth("Leads")[id]
    answer = zoho.write("PUT", "Leads", [{"id": id, **fields}])
    assert (answer.status_code, codes(answer)) == (400, [code])
    assert zoho.truth("Leads")[id] == before


def test_a_lookup_is_an_object(zoho: Org) -> None:
    account, contact = zoho.live("Accounts")[0], zoho.live("Contacts")[0]
    bare = zoho.write("PUT", "Contacts", [{"id": contact, "Account_Name": account}])
    assert codes(bare) == ["INVALID_DATA"]
    whole = zoho.write("PUT", "Contacts", [{"id": contact, "Account_Name": {"id": account}}])
    assert codes(whole) == ["SUCCESS"]


def test_what_is_read_only_is_dropped_without_a_word(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    row = {"id": id, "Locked__s": True, "Record_Status__s": "Trash", "Nope": "x"}
    assert codes(zoho.write("PUT", "Leads", [row])) == ["SUCCESS"]
    assert not zoho.truth("Leads")[id]["locked"]
    zoho.switch(unknown_field="refuse")
    assert codes(zoho.write("PUT", "Leads", [{"id": id, "Nope": "x"}])) == ["INVALID_DATA"]


def test_version_2_answers_202_where_no_record_was_taken(zoho: Org) -> None:
    assert zoho.write("POST", "Leads", [{}], "v2").status_code == 202
    assert zoho.write("POST", "Leads", [{}]).status_code == 400


def test_a_list_of_101_is_refused_whole(zoho: Org) -> None:
    rows = [{"Last_Name": f"n{n}"} for n in range(101)]
    before = zoho.control("state")["kinds"]["Leads"]
    assert zoho.write("POST", "Leads", rows).json()["code"] == "LIMIT_EXCEEDED"
    ids = [str(4 * 10**17 + n) for n in range(101)]
    assert zoho.delete("Leads", *ids).json()["code"] == "LIMIT_EXCEEDED"
    assert zoho.control("state")["kinds"]["Leads"] == before


def test_a_taken_unique_value_names_the_record_that_has_it(zoho: Org) -> None:
    first = zoho.make("Products", Product_Name="a", Product_Code="X-1")
    answer = zoho.write("POST", "Products", [{"Product_Name": "b", "Product_Code": "X-1"}])
    assert codes(answer) == ["DUPLICATE_DATA"]
    assert answer.json()["data"][0]["details"]["id"] == first


def test_an_upsert_finds_by_the_modules_own_field(zoho: Org) -> None:
    first = zoho.make("Contacts", Last_Name="a", Email="a@b.example")
    rows = [{"Last_Name": "b", "Email": "a@b.example"}, {"Last_Name": "c", "Email": "c@b.example"}]
    found = zoho.write("POST", "Contacts/upsert", rows).json()["data"]
    assert [row["action"] for row in found] == ["update", "insert"]
    assert found[0]["details"]["id"] == first
    assert found[0]["duplicate_field"] == "Email"


def test_a_stale_write_is_refused(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    answer = zoho.ask(
        "PUT", "Leads", json={"data": [{"id": id, "Company": "late"}]},
        headers={"If-Unmodified-Since": "2000-01-01T00:00:00+00:00"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (412, "ALREADY_MODIFIED")
    assert zoho.truth("Leads")[id]["fields"].get("Company") != "late"


def test_workflows_are_silent_where_they_are_told_to_be(zoho: Org) -> None:
    one, two, three = zoho.live("Leads", 3)
    zoho.ask("PUT", "Leads", json={"data": [{"id": one, "Company": "x"}], "trigger": []})
    zoho.ask("DELETE", f"Leads?ids={two}&wf_trigger=false")
    assert zoho.account.memory.get("workflows", []) == []
    zoho.switch(wf_trigger_on_v8="ignored")
    zoho.ask("DELETE", f"Leads?ids={three}&wf_trigger=false")
    assert zoho.account.memory["workflows"] == [("delete", f"Leads/{three}")]


def test_tags_are_added_to_many_and_taken_away(zoho: Org) -> None:
    ids = zoho.live("Leads", 3)
    body = {"tags": [{"name": "archived"}], "ids": ids, "over_write": False}
    assert set(codes(zoho.ask("POST", "Leads/actions/add_tags", json=body))) == {"SUCCESS"}
    assert [one["name"] for one in zoho.truth("Leads")[ids[0]]["fields"]["Tag"]][-1] == "archived"
    zoho.ask("POST", "Leads/actions/remove_tags", json=body)
    assert "archived" not in str(zoho.truth("Leads")[ids[0]]["fields"].get("Tag"))


def test_mass_update_takes_one_field(zoho: Org) -> None:
    ids = zoho.live("Leads", 3)
    body = {"data": [{"Lead_Status": "Junk Lead"}], "ids": ids, "over_write": True}
    assert codes(zoho.ask("POST", "Leads/actions/mass_update", json=body)) == ["SUCCESS"] * 3
    body["data"] = [{"Lead_Status": "Junk Lead", "Company": "x"}]
    assert zoho.ask("POST", "Leads/actions/mass_update", json=body).status_code == 400


# -- deleting -------------------------------------------------------------------------------------


def test_rows_of_a_delete_tell_locked_gone_unapproved_and_forbidden_apart(zoho: Org) -> None:
    fine, locked, before, waiting, forbidden = zoho.live("Leads", 5)
    zoho.act("lock", "Leads", (locked,))
    zoho.act("delete", "Leads", (before,))
    zoho.act("require_approval", "Leads", (waiting,))
    zoho.act("revoke", "Leads", (forbidden,), fields={"right": "delete"})
    answer = zoho.delete("Leads", fine, locked, before, waiting, forbidden)
    assert answer.status_code == 207
    assert codes(answer) == [
        "SUCCESS", "RECORD_LOCKED", "INVALID_DATA", "NOT_APPROVED", "NO_PERMISSION",
    ]  # fmt: skip
    states = {id: row["state"] for id, row in zoho.truth("Leads").items()}
    wanted = ["deleted", "live", "deleted", "live", "live"]
    assert [states[one] for one in (fine, locked, before, waiting, forbidden)] == wanted
    zoho.act("approve", "Leads", (waiting,))
    zoho.act("grant", "Leads", (forbidden,), fields={"right": "delete"})
    assert zoho.delete("Leads", waiting, forbidden).status_code == 200


def test_all_rows_refused_is_400_and_a_right_on_the_module_403(zoho: Org) -> None:
    answer = zoho.delete("Leads", "5" * 18)
    assert (answer.status_code, answer.json()["data"][0]["message"]) == (400, "record not deleted")
    (id,) = zoho.live("Leads")
    zoho.act("revoke", "Leads", fields={"right": "delete"})
    refused = zoho.delete("Leads", id)
    assert (refused.status_code, refused.json()["code"]) == (403, "NO_PERMISSION")
    assert zoho.state("Leads", id) == "live"


def test_version_2_and_the_order_of_rows_are_switches(zoho: Org) -> None:
    zoho.switch(v2_mixed_status=200, rows_order="reversed")
    (id,) = zoho.live("Leads")
    answer = zoho.delete("Leads", id, "5" * 18, version="v2")
    assert answer.status_code == 200
    assert codes(answer) == ["INVALID_DATA", "SUCCESS"]


def test_mass_delete_takes_500_and_says_it_in_its_own_words(zoho: Org) -> None:
    ids = zoho.live("Leads", 3)
    answer = zoho.ask("POST", "Leads/actions/mass_delete", json={"ids": ids})
    assert {row["message"] for row in answer.json()["data"]} == {"record is deleted"}
    assert {zoho.state("Leads", id) for id in ids} == {"deleted"}
    many = zoho.ask("POST", "Leads/actions/mass_delete", json={"ids": ids * 200})
    assert codes(many) == ["LIMIT_EXCEEDED"]


def test_mass_delete_by_view_is_a_job_and_one_at_a_time(zoho: Org) -> None:
    view = zoho.get("settings/custom_views?module=Tasks").json()["custom_views"][0]["id"]
    path = "Tasks/actions/mass_delete"
    job = zoho.ask("POST", path, json={"cvid": view}).json()["data"][0]["details"]["job_id"]
    again = zoho.ask("POST", path, json={"cvid": view})
    assert again.json()["code"] == "ALREADY_SCHEDULED"
    first = zoho.get(f"{path}?job_id={job}").json()["data"][0]
    last = zoho.get(f"{path}?job_id={job}").json()["data"][0]
    assert (first["Status"], last["Status"]) == ("RUNNING", "COMPLETED")
    assert last["Deleted_Count"] + last["Failed_Count"] == last["Total_Count"]
    locked = [row for row in zoho.truth("Tasks").values() if row["locked"]]
    assert last["Failed_Count"] == len(locked)


# -- what goes along, what comes back -------------------------------------------------------------


def test_rows_notes_and_files_go_and_come_with_their_record(zoho: Org) -> None:
    family = zoho.family()
    before = {module: zoho.truth(module)[id] for module, id in family.items()}
    zoho.delete("Accounts", family["Accounts"])
    gone = {"Accounts", "Notes", "Attachments", "Account_Branches"}
    states = zoho.states(family)
    assert {module for module, state in states.items() if state == "deleted"} == gone
    assert "Account_Name" not in zoho.truth("Contacts")[family["Contacts"]]["fields"]
    assert zoho.restore(family["Accounts"]).status_code == 200
    assert {module: zoho.truth(module)[id] for module, id in family.items()} == before


def test_lookups_stay_or_go_as_the_switch_says(zoho: Org) -> None:
    zoho.switch(lookup_policy="keep")
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    link = zoho.truth("Contacts")[family["Contacts"]]["fields"]["Account_Name"]
    assert link["id"] == family["Accounts"]
    zoho.switch(lookup_policy="cascade", activities="follow")
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    assert set(zoho.states(family).values()) == {"deleted"}
    zoho.restore(family["Accounts"])
    assert set(zoho.states(family).values()) == {"live"}


def test_lookups_may_stay_empty_after_a_restore(zoho: Org) -> None:
    zoho.switch(lookup_return=False)
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    zoho.restore(family["Accounts"])
    assert "Account_Name" not in zoho.truth("Contacts")[family["Contacts"]]["fields"]


def test_linking_rows_follow_where_the_switch_says_so(zoho: Org) -> None:
    zoho.switch(linking_rows="follow")
    account = zoho.make("Accounts", Account_Name="P")
    contact = zoho.make("Contacts", Last_Name="T",
                        Partner_Accounts=[{"Partner_Accounts": {"id": account}}])  # fmt: skip
    before = zoho.truth("Contacts")[contact]
    zoho.delete("Contacts", contact)
    tie = before["fields"]["Partner_Accounts"][0]["id"]
    assert zoho.state("Contacts_X_Accounts", tie) == "deleted"
    zoho.restore(contact)
    assert zoho.truth("Contacts")[contact] == before


def test_who_still_points_at_a_binned_record_is_listed(zoho: Org) -> None:
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    path = f"Accounts/deleted/{family['Accounts']}/Contacts?fields=Last_Name"
    assert [row["id"] for row in zoho.get(path).json()["data"]] == [family["Contacts"]]
    assert zoho.get(path, "v5").status_code == 404


def test_a_file_that_is_deleted_by_itself_is_gone(zoho: Org) -> None:
    family = zoho.family()
    path = f"Accounts/{family['Accounts']}/Attachments/{family['Attachments']}"
    assert zoho.get(path).content == b"hi"
    assert zoho.ask("DELETE", path).status_code == 200
    assert zoho.state("Attachments", family["Attachments"]) == "gone"
    assert codes(zoho.restore(family["Attachments"]), "recycle_bin") == ["INVALID_DATA"]


def test_a_note_does_not_come_back_without_its_parent(zoho: Org) -> None:
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    alone = zoho.restore(family["Notes"])
    assert alone.status_code == 400
    assert codes(alone, "recycle_bin") == ["CANNOT_RESTORE_WITHOUT_PARENT"]
    assert zoho.restore(family["Notes"], family["Accounts"]).status_code == 200
    assert zoho.state("Notes", family["Notes"]) == "live"


def test_a_lookup_may_count_as_a_parent(zoho: Org) -> None:
    zoho.switch(parent_rule="lookups")
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    zoho.delete("Contacts", family["Contacts"])
    alone = zoho.restore(family["Contacts"])
    assert codes(alone, "recycle_bin") == ["CANNOT_RESTORE_WITHOUT_PARENT"]
    zoho.restore(family["Accounts"])
    assert zoho.restore(family["Contacts"]).status_code == 200


def test_what_was_deleted_earlier_comes_along_only_where_the_switch_says_so(zoho: Org) -> None:
    for brings, state in (("with_it", "deleted"), ("all", "live")):
        zoho.switch(restore_brings=brings)
        family = zoho.family()
        zoho.delete("Notes", family["Notes"])
        zoho.delete("Accounts", family["Accounts"])
        zoho.restore(family["Accounts"])
        assert zoho.state("Notes", family["Notes"]) == state


# -- the bin --------------------------------------------------------------------------------------


def test_the_bin_names_its_records_and_hides_their_values(zoho: Org) -> None:
    id = zoho.make("Leads", Last_Name="Zhang", Company="secret")
    zoho.delete("Leads", id)
    (entry,) = zoho.get(f"settings/recycle_bin/{id}").json()["recycle_bin"]
    assert set(entry) == {
        "owner", "module", "deleted_by", "id", "display_name", "deleted_time",
    }  # fmt: skip
    assert (entry["module"]["api_name"], entry["display_name"]) == ("Leads", "Zhang")
    assert zoho.get("settings/recycle_bin/" + "5" * 18).status_code == 204


def _filter(field: str, comparator: str, value: str) -> dict[str, Any]:
    one = {"field": {"api_name": field}, "comparator": comparator, "value": value}
    return {"group_operator": "AND", "group": [one]}


def test_the_bin_is_filtered_by_module_and_moment(zoho: Org) -> None:
    old = len(zoho.get("settings/recycle_bin").json()["recycle_bin"])
    (id,) = zoho.live("Leads")
    since = zoho.control("clock")["now"]
    zoho.delete("Leads", id)
    found = zoho.ask(
        "GET", "settings/recycle_bin",
        params={"filters": json.dumps(_filter("module", "equal", "Leads"))},
    ).json()["recycle_bin"]  # fmt: skip
    assert id in [row["id"] for row in found]
    assert {row["module"]["api_name"] for row in found} == {"Leads"}
    late = _filter("deleted_time", "greater_than", since)
    found = zoho.ask("GET", "settings/recycle_bin", params={"filters": json.dumps(late)})
    assert [row["id"] for row in found.json()["recycle_bin"]] == [id]
    assert zoho.get("settings/recycle_bin/actions/count").json() == {"count": old + 1}
    wrong = {"filters": json.dumps(_filter("owner", "equal", "x"))}
    assert zoho.ask("GET", "settings/recycle_bin", params=wrong).status_code == 400
    zoho.switch(filter_error_status=403)
    assert zoho.ask("GET", "settings/recycle_bin", params=wrong).status_code == 403


def test_a_restore_tells_row_by_row_and_of_what_it_is_asked(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    before = zoho.truth("Leads")[id]
    zoho.delete("Leads", id)
    answer = zoho.restore(id, "5" * 18)
    assert (answer.status_code, codes(answer, "recycle_bin")) == (207, ["SUCCESS", "INVALID_DATA"])
    assert zoho.truth("Leads")[id] == before
    path = "settings/recycle_bin/actions/restore"
    assert codes(zoho.ask("POST", path, json={}), "recycle_bin") == ["EXPECTED_FIELD_MISSING"]
    two = zoho.ask("POST", path, json={"ids": [id], "restore_all_records": True})
    assert two.json()["code"] == "AMBIGUITY_DURING_PROCESSING"
    many = [str(4 * 10**17 + n) for n in range(201)]
    assert zoho.restore(*many).json()["code"] == "INVALID_DATA"
    zoho.delete("Leads", id)
    one = zoho.ask("POST", f"settings/recycle_bin/{id}/actions/restore")
    assert (one.status_code, one.json()["recycle_bin"][0]["message"]) == (200, "Restored")


def test_a_restore_of_more_than_a_thousand_is_scheduled_and_comes_in_parts() -> None:
    simulator = ZohoSimulator(records=5, limits=False)
    with serving(simulator) as url:
        zoho = Org(simulator, url).login()
        ids = []
        branches = [{"Branch_Name": str(n)} for n in range(5)]
        for n in range(0, 200, 100):
            rows = [{"Account_Name": f"a{n + m}", "Branches": branches} for m in range(100)]
            made = zoho.write("POST", "Accounts", rows).json()["data"]
            ids += [row["details"]["id"] for row in made]
        zoho.delete("Accounts", *ids[:100])
        zoho.delete("Accounts", *ids[100:])
        answer = zoho.restore(*ids)
        assert answer.status_code == 202
        assert set(codes(answer, "recycle_bin")) == {"SCHEDULED"}

        def back() -> int:
            return sum(zoho.truth("Accounts")[id]["state"] == "live" for id in ids)

        assert back() == 0
        zoho.get(f"settings/recycle_bin/{ids[0]}")
        assert 0 < back() < 200
        for _ in range(2):
            zoho.get(f"settings/recycle_bin/{ids[0]}")
        assert back() == 200
        assert zoho.get(f"settings/recycle_bin/{ids[-1]}").status_code == 204
        there = zoho.truth("Account_Branches").values()
        assert {row["state"] for row in there} == {"live"}


def test_a_restore_by_filter_is_always_scheduled(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.delete("Leads", id)
    path = "settings/recycle_bin/actions/restore"
    answer = zoho.ask("POST", path, json={"filters": _filter("module", "equal", "Leads")})
    assert (answer.status_code, codes(answer, "recycle_bin")) == (202, ["SCHEDULED"])
    zoho.turn("11m")
    assert zoho.get(f"settings/recycle_bin/{id}").status_code == 204
    assert zoho.state("Leads", id) == "live"


def test_a_value_that_was_taken_meanwhile_keeps_a_record_in_the_bin(zoho: Org) -> None:
    id = zoho.make("Products", Product_Name="a", Product_Code="X-1")
    zoho.delete("Products", id)
    zoho.make("Products", Product_Name="b", Product_Code="X-1")
    assert codes(zoho.restore(id), "recycle_bin") == ["DUPLICATE_DATA"]
    assert zoho.state("Products", id) == "deleted"
    zoho.switch(restore_conflict="allow")
    assert zoho.restore(id).status_code == 200


def test_after_60_days_a_record_is_gone_and_after_120_forgotten(zoho: Org) -> None:
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    zoho.turn("59d")
    assert zoho.state("Accounts", family["Accounts"]) == "deleted"
    zoho.turn("2d")
    states = zoho.states(family)
    assert [states[m] for m in ("Accounts", "Notes", "Attachments")] == ["gone"] * 3
    assert states["Contacts"] == "live"
    assert codes(zoho.restore(family["Accounts"]), "recycle_bin") == ["INVALID_DATA"]

    def listed() -> list[str]:
        answer = zoho.get("Accounts/deleted?type=permanent")
        return [r["id"] for r in answer.json()["data"]] if answer.status_code == 200 else []

    assert family["Accounts"] in listed()
    zoho.turn("60d")
    assert family["Accounts"] not in listed()


def test_the_list_of_deleted_ones_tells_the_bin_from_what_is_gone(zoho: Org) -> None:
    one, two = zoho.live("Leads", 2)
    zoho.delete("Leads", one, two)
    zoho.ask("DELETE", f"settings/recycle_bin?ids={two}")
    rows = {row["id"]: row for row in zoho.get("Leads/deleted", "v2").json()["data"]}
    assert (rows[one]["type"], rows[two]["type"]) == ("recycle", "permanent")
    assert (rows[two]["deleted_by"], rows[two]["display_name"]) == (None, None)
    later = {"If-Modified-Since": "2999-01-01T00:00:00+00:00"}
    assert zoho.ask("GET", "Leads/deleted", headers=later).status_code == 204
    zoho.switch(deleted_304=True)
    assert zoho.ask("GET", "Leads/deleted", headers=later).status_code == 304


def test_a_purge_takes_what_belongs_to_the_record(zoho: Org) -> None:
    family = zoho.family()
    zoho.delete("Accounts", family["Accounts"])
    answer = zoho.ask("DELETE", f"settings/recycle_bin?ids={family['Accounts']},{'5' * 18}")
    assert (answer.status_code, codes(answer, "recycle_bin")) == (207, ["SUCCESS", "INVALID_DATA"])
    assert zoho.state("Notes", family["Notes"]) == "gone"
    assert zoho.state("Contacts", family["Contacts"]) == "live"
    row = zoho.truth("Accounts")[family["Accounts"]]
    assert (row["state"], row["fields"], row["links"]) == ("gone", {}, [])
    ids = ",".join(str(4 * 10**17 + n) for n in range(101))
    assert zoho.ask("DELETE", f"settings/recycle_bin?ids={ids}").json()["code"] == "LIMIT_EXCEEDED"


def test_only_an_administrator_empties_the_bin(zoho: Org) -> None:
    path = "settings/recycle_bin/actions/empty"
    zoho.act("revoke", fields={"right": "admin"})
    refused = zoho.ask("POST", path)
    assert (refused.status_code, refused.json()["code"]) == (400, "AUTHORIZATION_FAILED")
    zoho.act("grant", fields={"right": "admin"})
    assert zoho.ask("POST", path).status_code == 200
    assert zoho.get("settings/recycle_bin").status_code == 204


# -- locks ----------------------------------------------------------------------------------------


def test_a_lock_keeps_from_writing_and_is_taken_off_by_its_own_id(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    path = f"Leads/{id}/Locking_Information__s"
    made = zoho.ask("POST", path, json={"data": [{"Locked_Reason__s": "archived by us"}]})
    assert made.status_code == 201
    held = made.json()["data"][0]["details"]["id"]
    assert zoho.ask("POST", path, json={"data": [{}]}).status_code == 403
    shown = zoho.get(f"{path}?fields=Locked_Reason__s,Lock_Source__s").json()["data"][0]
    assert shown == {"Locked_Reason__s": "archived by us", "Lock_Source__s": "Manual", "id": held}
    assert zoho.get(f"Leads/{id}").json()["data"][0]["Locked__s"] is True
    assert codes(zoho.write("PUT", "Leads", [{"id": id, "Company": "x"}])) == ["RECORD_LOCKED"]
    assert zoho.ask("DELETE", f"{path}/{'5' * 18}").status_code == 400
    assert zoho.ask("DELETE", f"{path}/{held}").status_code == 200
    assert codes(zoho.write("PUT", "Leads", [{"id": id, "Company": "x"}])) == ["SUCCESS"]


def test_an_automatic_lock_cannot_be_taken_off(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.act("lock", "Leads", (id,), fields={"automatic": True})
    path = f"Leads/{id}/Locking_Information__s"
    held = zoho.get(f"{path}?fields=Lock_Source__s").json()["data"][0]["id"]
    refused = zoho.ask("DELETE", f"{path}/{held}")
    assert (refused.status_code, codes(refused)) == (403, ["NOT_ALLOWED"])


def test_a_lock_hinders_a_delete_only_where_the_administrator_said_so(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    zoho.act("lock", "Leads", (id,))
    assert codes(zoho.delete("Leads", id)) == ["RECORD_LOCKED"]
    body = {"record_locking_configurations": [{"restricted_actions": ["update"]}]}
    zoho.ask("POST", "settings/record_locking_configurations?module=Leads", json=body)
    assert codes(zoho.delete("Leads", id)) == ["SUCCESS"]


@pytest.mark.parametrize(
    ("position", "code"),
    [("not_configured", "NOT_ALLOWED"), ("not_supported", "FEATURE_NOT_SUPPORTED")],
)
def test_locking_needs_an_edition_and_a_configuration(zoho: Org, position: str, code: str) -> None:
    zoho.switch(locking=position)
    (id,) = zoho.live("Leads")
    answer = zoho.ask("POST", f"Leads/{id}/Locking_Information__s", json={"data": [{}]})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


# -- people, history, limits, trouble -------------------------------------------------------------


def test_a_merged_record_is_gone_and_its_children_point_at_the_other(zoho: Org) -> None:
    family = zoho.family()
    winner = zoho.make("Accounts", Account_Name="Winner")
    zoho.act("merge", "Accounts", (family["Accounts"],), into=winner)
    row = zoho.truth("Accounts")[family["Accounts"]]
    assert (row["state"], row["merged_into"]) == ("gone", winner)
    assert zoho.get(f"Accounts/{family['Accounts']}").status_code == 204
    assert zoho.truth("Contacts")[family["Contacts"]]["fields"]["Account_Name"]["id"] == winner


def test_the_timeline_tells_what_happened(zoho: Org) -> None:
    id = zoho.make("Leads", Last_Name="T")
    zoho.delete("Leads", id)
    assert zoho.get(f"Leads/{id}/__timeline").status_code == 204
    zoho.restore(id)
    lines = zoho.get(f"Leads/{id}/__timeline").json()["__timeline"]
    assert [line["action"] for line in lines] == ["restored", "deleted", "added"]


def test_credits_are_counted_shown_from_half_on_and_end_in_429(zoho: Org) -> None:
    zoho.switch(credits=20)
    assert "X-API-CREDITS-REMAINING" not in zoho.get("org").headers
    rows = [{"Last_Name": f"n{n}"} for n in range(100)]
    answer = zoho.write("POST", "Leads", rows)
    assert answer.headers["X-API-CREDITS-REMAINING"] == "9"
    again = zoho.write("POST", "Leads", rows)
    assert (again.status_code, again.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert "Retry-After" not in again.headers
    (id,) = zoho.live("Leads")
    assert zoho.delete("Leads", id).headers["X-API-CREDITS-REMAINING"] == "8"
    zoho.turn("25h")
    assert zoho.write("POST", "Leads", rows).status_code == 201


def test_more_calls_at_one_time_than_the_edition_has_are_refused() -> None:
    simulator = ZohoSimulator(records=5, latency=0.3)
    with serving(simulator) as url:
        zoho = Org(simulator, url).login()
        zoho.switch(edition="Free")
        answers: list[int] = []
        lanes = [
            threading.Thread(
                target=lambda: answers.append(
                    requests.get(
                        f"{url}/crm/v8/org",
                        headers={"Authorization": f"Zoho-oauthtoken {zoho.token}"},
                    ).status_code
                )
            )
            for _ in range(12)
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        assert answers.count(200) >= 5
        assert 429 in answers


def test_faults_refuse_calls_and_single_rows(zoho: Org) -> None:
    ids = zoho.live("Leads", 3)
    rule = {"match": {"method": "DELETE"}, "do": {"fail_rows": [1], "row_code": "INTERNAL_ERROR"}}
    zoho.control("faults", rule)
    assert codes(zoho.delete("Leads", *ids)) == ["SUCCESS", "INTERNAL_ERROR", "SUCCESS"]
    assert zoho.state("Leads", ids[1]) == "live"
    zoho.control("faults", {"match": {"path": "/org"}, "do": {"code": "INVALID_HOST"}})
    host = zoho.get("org")
    assert (host.status_code, host.json()["code"]) == (400, "INVALID_HOST")
    zoho.control("faults", {"match": {"path": "/org"}, "do": {"status": 503}})
    assert zoho.get("org").text.startswith("<html>")


def test_the_log_tells_writes_from_reads(zoho: Org) -> None:
    (id,) = zoho.live("Leads")
    since = zoho.control("log")[-1]["n"]
    zoho.refresh()
    zoho.query("select id from Leads where id is not null limit 1")
    zoho.delete("Leads", id)
    lines = [(x["method"], x["write"]) for x in zoho.control("log", query=f"&since={since}")]
    assert lines == [("POST", False), ("POST", False), ("DELETE", True)]
    last = zoho.control("log")[-1]
    assert (last["ids"], last["changed"][0]) == ([id], f"Leads/{id}")


# -- seeds ----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_records_and_new_keys() -> None:
    one, two = ZohoSimulator(records=30), ZohoSimulator(records=30)
    for a, b in zip(one.accounts, two.accounts, strict=True):
        assert a.keys["org"] != b.keys["org"]
        for module in a.store.kinds():
            assert a.store.ids(module) == b.store.ids(module)
            for left, right in zip(a.store.of(module), b.store.of(module), strict=True):
                assert left.fields == right.fields


def test_counts_are_right_before_any_record_is_made() -> None:
    account = ZohoSimulator(records=120).accounts[0]
    promised = account.store.counts()
    assert {m: promised[m]["live"] for m in ("Accounts", "Contacts", "Deals")} == {
        "Accounts": 117, "Contacts": 234, "Deals": 60,
    }  # fmt: skip
    for module in account.store.kinds():
        account.store.ids(module)
    grown = account.store.counts()
    assert {m: {s: n for s, n in c.items() if n} for m, c in grown.items()} == {
        m: {s: n for s, n in c.items() if n} for m, c in promised.items()
    }


def test_no_seeded_child_hangs_on_what_is_away(zoho: Org) -> None:
    away = {
        id
        for module in ("Leads", "Accounts", "Contacts", "Tasks")
        for id, row in zoho.truth(module).items()
        if row["state"] != "live"
    }
    assert away
    for row in zoho.control("records"):
        if row["state"] == "live":
            assert not away & {link["id"] for link in row["links"]}, row


def test_the_awkward_ones_are_there() -> None:
    rows = list(ZohoSimulator(records=400).accounts[0].store.of("Accounts"))
    names = [row.fields.get("Account_Name", "") for row in rows]
    assert any(len(name) == 255 for name in names)
    assert any('"' in name for name in names)
    assert any(ord(letter) > 0xFFFF for name in names for letter in name)
    assert len(set(names)) < len(names)
    assert 3 <= sum(row.locked for row in rows) <= 8
    assert {row.fields.get(MARKER) for row in rows} >= {"void", "archived"}
    assert any(row.merged_into for row in rows)


# -- the vendor's own client ----------------------------------------------------------------------


@pytest.fixture
def sdk(zoho: Org, tmp_path: Path) -> Iterator[Any]:
    """Zoho's client 3.1.0, bound to this organisation and this thread.

    It imports mysql, which it does not declare; an empty stand-in serves the import. It is imported
    anew, since the adapter holds a copy whose requests go by its own session.
    """
    held = {n: sys.modules.pop(n) for n in list(sys.modules) if n.partition(".")[0] == "zcrmsdk"}
    added = []
    if importlib.util.find_spec("mysql") is None:
        outer, inner = types.ModuleType("mysql"), types.ModuleType("mysql.connector")
        outer.__path__ = []
        inner.Error = type("Error", (Exception,), {})  # type: ignore[attr-defined]
        outer.connector = inner  # type: ignore[attr-defined]
        for name, module in (("mysql", outer), ("mysql.connector", inner)):
            sys.modules[name] = module
            added.append(name)
    place = "zcrmsdk.src.com.zoho"
    names = {
        "Initializer": f"{place}.crm.api.initializer",
        "UserSignature": f"{place}.crm.api.user_signature",
        "DataCenter": f"{place}.crm.api.dc.data_center",
        "OAuthToken": f"{place}.api.authenticator.oauth_token",
        "TokenType": f"{place}.api.authenticator.oauth_token",
        "FileStore": f"{place}.api.authenticator.store.file_store",
        "SDKConfig": f"{place}.crm.api.sdk_config",
        "RecordOperations": f"{place}.crm.api.record",
        "DeleteRecordsParam": f"{place}.crm.api.record",
        "GetRecordsParam": f"{place}.crm.api.record",
        "BodyWrapper": f"{place}.crm.api.record",
        "Record": f"{place}.crm.api.record",
        "ParameterMap": f"{place}.crm.api",
        "HeaderMap": f"{place}.crm.api",
        "ModulesOperations": f"{place}.crm.api.modules",
        "OrgOperations": f"{place}.crm.api.org",
    }
    found = {name: getattr(importlib.import_module(home), name) for name, home in names.items()}
    for name in added:
        del sys.modules[name]
    kit = types.SimpleNamespace(**found)
    package = Path(importlib.util.find_spec("zcrmsdk").submodule_search_locations[0])  # type: ignore[union-attr,index]
    kit.Initializer.json_details = json.loads((package / "src" / "json_details.json").read_text())
    one = kit.Initializer()
    one.user = kit.UserSignature("ops@example.com")
    url = zoho.url
    one.environment = kit.DataCenter.Environment(url, f"{url}/oauth/v2/token", url)
    keys = [zoho.settings[name] for name in ("client_id", "client_secret", "refresh_token")]
    one.token = kit.OAuthToken(*keys, kit.TokenType.REFRESH)
    one.store = kit.FileStore(str(tmp_path / "tokens.csv"))
    one.sdk_config = kit.SDKConfig(False, False)
    one.resource_path = str(tmp_path)
    (tmp_path / "resources").mkdir()
    kit.Initializer.LOCAL.init = one
    yield kit
    kit.Initializer.LOCAL.init = None
    for name in [n for n in sys.modules if n.partition(".")[0] == "zcrmsdk"]:
        del sys.modules[name]
    sys.modules.update(held)


def test_the_vendors_client_deletes_and_reads_what_was_deleted(zoho: Org, sdk: Any) -> None:
    ids = zoho.live("Leads", 2)
    params = sdk.ParameterMap()
    for id in (*ids, "5" * 18):
        params.add(sdk.DeleteRecordsParam.ids, int(id))
    params.add(sdk.DeleteRecordsParam.wf_trigger, "false")
    answer = sdk.RecordOperations().delete_records("Leads", params)
    assert answer.get_status_code() == 207
    rows = answer.get_object().get_data()
    assert [row.get_code().get_value() for row in rows] == ["SUCCESS", "SUCCESS", "INVALID_DATA"]
    assert zoho.account.memory.get("workflows", []) == []
    listed = sdk.RecordOperations().get_deleted_records(
        "Leads", sdk.ParameterMap(), sdk.HeaderMap()
    )
    found = {str(one.get_id()) for one in listed.get_object().get_data()}
    assert set(ids) <= found


def test_the_vendors_client_reads_updates_and_makes_records(zoho: Org, sdk: Any) -> None:
    (id,) = zoho.live("Vendors")
    operations = sdk.RecordOperations()
    params = sdk.ParameterMap()
    params.add(sdk.GetRecordsParam.ids, int(id))
    answer = operations.get_records("Vendors", params, sdk.HeaderMap())
    (row,) = answer.get_object().get_data()
    assert row.get_key_value("Vendor_Name") == zoho.truth("Vendors")[id]["fields"]["Vendor_Name"]
    assert row.get_created_by().get_name()
    record, body = sdk.Record(), sdk.BodyWrapper()
    record.set_id(int(id))
    record.add_key_value(MARKER, "void")
    body.set_data([record])
    updated = operations.update_records("Vendors", body)
    assert updated.get_object().get_data()[0].get_status().get_value() == "success"
    assert zoho.truth("Vendors")[id]["fields"][MARKER] == "void"
    record, body = sdk.Record(), sdk.BodyWrapper()
    record.add_key_value("Vendor_Name", "New")
    body.set_data([record])
    made = operations.create_records("Vendors", body)
    assert made.get_status_code() == 201


def test_the_vendors_client_reads_metadata_and_the_organisation(zoho: Org, sdk: Any) -> None:
    modules = sdk.ModulesOperations().get_modules(sdk.HeaderMap()).get_object().get_modules()
    assert {"Leads", "Accounts"} <= {one.get_api_name() for one in modules}
    org = sdk.OrgOperations().get_organization().get_object().get_org()[0]
    assert str(org.get_id()) == zoho.account.keys["org"]


def test_the_vendors_client_gets_refusals_it_can_read(zoho: Org, sdk: Any) -> None:
    zoho.switch(credits=1)
    operations = sdk.RecordOperations()
    operations.get_deleted_records("Vendors", sdk.ParameterMap(), sdk.HeaderMap())
    params = sdk.ParameterMap()
    params.add(sdk.DeleteRecordsParam.ids, int(zoho.live("Leads")[0]))
    answer = operations.delete_records("Leads", params)
    assert answer.get_status_code() == 429
    assert answer.get_object().get_code().get_value() == "TOO_MANY_REQUESTS"
