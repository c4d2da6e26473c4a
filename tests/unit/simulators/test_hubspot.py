"""HubSpot on loopback refuses, limits and forgets as HubSpot does; asked with plain requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hubspot
import pytest
import requests
from hubspot.crm.objects.exceptions import ApiException

from crm_bridge.simulator import serving
from crm_bridge_hubspot.simulator import HubspotSimulator

CONTACTS = "/crm/v3/objects/contacts"
DAY = 86_400


class Portal:
    """One portal, asked over HTTP, and its truth."""

    def __init__(self, simulator: HubspotSimulator, url: str, index: int = 0) -> None:
        self.simulator, self.url = simulator, url
        self.account = simulator.accounts[index]
        self.token = self.account.keys["token"]

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(
            method, self.url + path, json=body, headers=headers, timeout=30, **more
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.ask("POST", path, body)

    def control(self, name: str, body: Any = None, **query: str) -> requests.Response:
        path = f"/__control__/{name}"
        params = {"crm": self.account.crm, **query}
        return self.ask("GET" if body is None else "POST", path, body, params=params)

    def switch(self, name: str, value: Any) -> None:
        assert self.control("switches", {name: value}).status_code == 200

    def ui(self, act: str, kind: str = "", ids: Any = (), **more: Any) -> requests.Response:
        return self.control("ui", {"act": act, "kind": kind, "ids": list(ids), **more})

    def truth(self, kind: str, id: str) -> dict[str, Any]:
        rows = self.control("records", kind=kind).text
        return next(row for row in map(json.loads, rows.splitlines()) if row["id"] == id)

    def live(self, kind: str, count: int = 2, linked: str = "") -> list[str]:
        """Plain live ids; with one association at least to a kind."""
        rows = [
            r
            for r in self.account.store.of(kind, "live")
            if not linked or any(link.kind == linked for link in r.links)
        ]
        return [r.id for r in rows if "crm_bridge_status" not in r.fields][:count]

    def ids(self, kind: str, state: str) -> list[str]:
        return [r.id for r in self.account.store.of(kind, state)]

    def archive(self, kind: str, *ids: str) -> None:
        body = {"inputs": [{"id": id} for id in ids]}
        assert self.post(f"/crm/v3/objects/{kind}/batch/archive", body).status_code == 204

    def read(self, kind: str, *ids: str, query: str = "", **body: Any) -> requests.Response:
        rows = [{"id": id} for id in ids]
        path = f"/crm/v3/objects/{kind}/batch/read{query}"
        return self.post(path, {"inputs": rows, "properties": [], **body})

    def make(self, kind: str, *rows: Any) -> requests.Response:
        return self.post(f"/crm/v3/objects/{kind}/batch/create", {"inputs": list(rows)})

    def links(self, one: str, other: str, *ids: str) -> dict[str, set[tuple[str, int]]]:
        path = f"/crm/v4/associations/{one}/{other}/batch/read"
        rows = self.post(path, {"inputs": [{"id": id} for id in ids]}).json()["results"]
        return {
            row["from"]["id"]: {
                (end["toObjectId"], type["typeId"])
                for end in row["to"]
                for type in end["associationTypes"]
            }
            for row in rows
        }


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[HubspotSimulator, str]]:
    simulator = HubspotSimulator(records=40, limits=False)
    with serving(simulator) as url:
        yield simulator, url


@pytest.fixture
def hub(served: tuple[HubspotSimulator, str]) -> Portal:
    for index in (1, 0):
        portal = Portal(*served, index)
        portal.control("reset", {})
    return portal


@pytest.fixture
def limited() -> Iterator[Portal]:
    simulator = HubspotSimulator(records=20)
    with serving(simulator) as url:
        yield Portal(simulator, url)


# -- archive --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CONTACTS, "/crm/objects/2026-09/contacts", "/crm/v3/objects/0-1"])
def test_deleting_what_never_was_answers_204_and_nothing_else(hub: Portal, path: str) -> None:
    answer = hub.ask("DELETE", f"{path}/834872398")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not {"content-type", "content-length"} & {name.lower() for name in answer.headers}


def test_an_archived_record_is_found_only_as_archived(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    assert hub.ask("DELETE", f"{CONTACTS}/{id}").status_code == 204
    answer = hub.get(f"{CONTACTS}/{id}")
    assert answer.status_code == 404
    assert answer.json()["message"] == "resource not found"
    assert answer.json()["category"] == "OBJECT_NOT_FOUND"
    found = hub.get(f"{CONTACTS}/{id}", archived="true").json()
    assert (found["id"], found["archived"]) == (id, True)
    assert found["archivedAt"].endswith("Z")
    assert hub.truth("contacts", id)["state"] == "deleted"


def test_only_the_word_true_asks_for_archived_ones(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    hub.archive("contacts", id)
    for word, count in (("true", 1), ("True", 1), ("TRUE", 1), ("1", 0), ("yes", 0)):
        answer = hub.read("contacts", id, query=f"?archived={word}")
        assert len(answer.json()["results"]) == count, word


def test_archiving_twice_changes_nothing_more(hub: Portal) -> None:
    (id,) = hub.live("deals", 1)
    hub.archive("deals", id)
    before = hub.truth("deals", id)
    hub.archive("deals", id)
    assert hub.truth("deals", id) == before


def test_a_hundred_and_one_inputs_are_refused(hub: Portal) -> None:
    body = {"inputs": [{"id": str(n)} for n in range(101)]}
    answer = hub.post(f"{CONTACTS}/batch/archive", body)
    assert answer.status_code == 400
    assert "The maximum number of inputs supported in a batch is 100." in answer.json()["message"]


def test_doubles_in_an_archive_are_refused_or_taken_by_a_switch(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    body = {"inputs": [{"id": id}, {"id": id}]}
    answer = hub.post(f"{CONTACTS}/batch/archive", body)
    assert (answer.status_code, answer.json()["context"]) == (400, {"ids": [id]})
    assert hub.truth("contacts", id)["state"] == "live"
    hub.switch("archive_doubles", "taken")
    assert hub.post(f"{CONTACTS}/batch/archive", body).status_code == 204
    assert hub.truth("contacts", id)["state"] == "deleted"


def test_an_archive_takes_associations_and_no_records(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1, linked="companies")
    ends = hub.truth("contacts", id)["links"]
    hub.archive("contacts", id)
    for end in ends:
        other = hub.truth(end["kind"], end["id"])
        assert other["state"] == "live"
        assert id not in {link["id"] for link in other["links"] if link["kind"] == "contacts"}
    assert hub.links("contacts", "companies", id) == {}


def test_a_list_shows_archived_ones_apart(hub: Portal) -> None:
    live, binned = hub.ids("companies", "live"), hub.ids("companies", "deleted")
    path = "/crm/v3/objects/companies"
    for word, wanted in (("false", live), ("true", binned)):
        found, after = [], {}
        while True:
            answer = hub.get(path, archived=word, limit=7, **after).json()
            found += [row["id"] for row in answer["results"]]
            if "paging" not in answer:
                break
            after = {"after": answer["paging"]["next"]["after"]}
            assert answer["paging"]["next"]["link"].startswith(hub.url)
        assert found == sorted(wanted)


def test_a_page_holds_ten_by_itself_and_a_hundred_at_most(hub: Portal) -> None:
    assert len(hub.get(CONTACTS).json()["results"]) == 10
    assert hub.get(CONTACTS, limit=101).status_code == 400
    hub.switch("page_over", "clamped")
    assert len(hub.get(CONTACTS, limit=101).json()["results"]) <= 100


def test_a_cursor_that_is_no_number_is_refused(hub: Portal) -> None:
    answer = hub.get(CONTACTS, after="abc")
    assert answer.status_code == 400
    assert "Cannot deserialize" in answer.json()["message"]


@pytest.mark.parametrize("status", [400, 404])
def test_an_id_that_is_no_number_is_refused_by_a_switch(hub: Portal, status: int) -> None:
    hub.switch("bad_id", status)
    assert hub.ask("DELETE", f"{CONTACTS}/abc").status_code == status


# -- the way back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/crm/v3/objects/contacts/{}/restore", {}),
        ("PUT", "/crm/v3/objects/contacts/{}/restore", {}),
        ("POST", "/crm/v3/objects/contacts/batch/restore", {"inputs": [{"id": "{}"}]}),
        ("POST", "/crm/objects/2026-09/contacts/batch/unarchive", {"inputs": [{"id": "{}"}]}),
        ("PATCH", "/crm/v3/objects/contacts/{}", {"properties": {}, "archived": False}),
    ],
)
def test_no_route_brings_a_record_back(hub: Portal, method: str, path: str, body: Any) -> None:
    (id,) = hub.live("contacts", 1)
    hub.archive("contacts", id)
    assert hub.ask(method, path.format(id), body).status_code == 404
    assert hub.truth("contacts", id)["state"] == "deleted"


def test_a_person_brings_it_back_with_id_values_and_associations(hub: Portal) -> None:
    ids = hub.live("contacts", 3, linked="companies")
    before = {id: hub.truth("contacts", id) for id in ids}
    ends = hub.links("contacts", "companies", *ids)
    hub.archive("contacts", *ids)
    assert hub.ui("restore", "contacts", ids).status_code == 200
    for id, old in before.items():
        new = hub.truth("contacts", id)
        own = set(old["fields"]) - set(old["vendor_set"])
        assert {k: new["fields"][k] for k in own} == {k: old["fields"][k] for k in own}
        assert {tuple(x.items()) for x in new["links"]} == {tuple(x.items()) for x in old["links"]}
    assert hub.links("contacts", "companies", *ids) == ends


def test_associations_stay_lost_where_the_switch_says_so(hub: Portal) -> None:
    hub.switch("restore_links", False)
    (id,) = hub.live("contacts", 1, linked="companies")
    hub.archive("contacts", id)
    hub.ui("restore", "contacts", [id])
    assert hub.truth("contacts", id)["state"] == "live"
    assert hub.truth("contacts", id)["links"] == []


def test_two_archived_ends_find_each_other_again(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1, linked="companies")
    before = hub.truth("contacts", id)["links"]
    company = next(link["id"] for link in before if link["kind"] == "companies")
    hub.archive("contacts", id)
    hub.archive("companies", company)
    hub.ui("restore", "contacts", [id])
    assert company not in {link["id"] for link in hub.truth("contacts", id)["links"]}
    hub.ui("restore", "companies", [company])
    after = hub.truth("contacts", id)["links"]
    assert {tuple(x.items()) for x in after} == {tuple(x.items()) for x in before}


def test_an_active_contact_with_the_email_keeps_the_page_from_restoring(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    email = hub.truth("contacts", id)["fields"]["email"]
    hub.archive("contacts", id)
    made = hub.make("contacts", {"properties": {"email": email}}).json()["results"][0]
    refused = hub.ui("restore", "contacts", [id])
    assert refused.status_code == 400
    assert made["id"] in refused.json()["error"]
    hub.archive("contacts", made["id"])
    assert hub.ui("restore", "contacts", [id]).status_code == 200


def test_an_additional_email_keeps_it_too(hub: Portal) -> None:
    one, other = hub.live("contacts", 2)
    email = hub.truth("contacts", one)["fields"]["email"]
    hub.archive("contacts", one)
    hub.ui("edit", "contacts", [other], fields={"hs_additional_emails": f"a@b.example;{email}"})
    assert hub.ui("restore", "contacts", [one]).status_code == 400


def test_ninety_days_later_it_is_gone(hub: Portal) -> None:
    one, other = hub.live("deals", 2)
    hub.archive("deals", one, other)
    hub.control("clock", {"advance": "89d"})
    assert hub.ui("restore", "deals", [one]).status_code == 200
    hub.control("clock", {"advance": "25h"})
    gone = hub.truth("deals", other)
    assert (gone["state"], gone["fields"], gone["links"]) == ("gone", {}, [])
    assert hub.read("deals", other, query="?archived=true").json()["results"] == []


def test_the_api_may_show_for_longer_what_the_page_no_longer_restores(hub: Portal) -> None:
    hub.switch("bin_read_days", 97)
    (id,) = hub.live("deals", 1)
    hub.archive("deals", id)
    hub.control("clock", {"advance": "91d"})
    assert len(hub.read("deals", id, query="?archived=true").json()["results"]) == 1
    assert hub.ui("restore", "deals", [id]).status_code == 400


def test_a_recording_and_list_memberships_never_come_back(hub: Portal) -> None:
    call = next(r.id for r in hub.account.store.of("calls", "live")
                if "hs_call_recording_url" in r.fields)  # fmt: skip
    member = hub.get("/crm/v3/lists/11/memberships").json()["results"][0]["recordId"]
    path = f"/crm/v3/lists/records/0-1/{member}/memberships"
    assert "11" in {row["listId"] for row in hub.get(path).json()["results"]}
    hub.archive("calls", call)
    hub.archive("contacts", member)
    hub.ui("restore", "calls", [call])
    hub.ui("restore", "contacts", [member])
    assert "hs_call_recording_url" not in hub.truth("calls", call)["fields"]
    assert hub.get(path).json()["total"] == 0


def test_a_list_itself_is_restored_by_the_api(hub: Portal) -> None:
    assert hub.ask("DELETE", "/crm/v3/lists/11").status_code == 204
    assert hub.get("/crm/v3/lists/11").status_code == 404
    assert hub.ask("PUT", "/crm/v3/lists/11/restore").status_code == 204
    assert hub.get("/crm/v3/lists/11").json()["list"]["name"] == "Newsletter"


@pytest.mark.parametrize("act", ["lock", "approve", "void", "nonsense"])
def test_what_hubspot_has_not_nobody_can_do(hub: Portal, act: str) -> None:
    assert hub.ui(act, "contacts", hub.live("contacts", 1)).status_code == 400


# -- reads ----------------------------------------------------------------------------------------


def test_missing_ids_share_one_entry_of_a_207(hub: Portal) -> None:
    one, other = hub.live("contacts", 2)
    hub.archive("contacts", other)
    answer = hub.read("contacts", one, other, "999")
    assert answer.status_code == 207
    told = answer.json()
    assert [row["id"] for row in told["results"]] == [one]
    assert told["numErrors"] == 1
    (error,) = told["errors"]
    assert error["category"] == "OBJECT_NOT_FOUND"
    assert error["context"] == {"ids": [other, "999"]}
    whole = hub.read("contacts", one)
    assert (whole.status_code, "numErrors" in whole.json()) == (200, False)


def test_a_dated_path_may_answer_200_in_place_of_207(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    body = {"inputs": [{"id": id}, {"id": "999"}], "properties": []}
    path = "/crm/objects/2026-09/contacts/batch/read"
    assert hub.post(path, body).status_code == 207
    hub.switch("dated_207", False)
    answer = hub.post(path, body)
    assert (answer.status_code, answer.json()["numErrors"]) == (200, 1)


def test_history_takes_fifty(hub: Portal) -> None:
    ids = hub.live("contacts", 51)
    many = hub.read("contacts", *ids, propertiesWithHistory=["email"])
    assert many.status_code == 400
    assert "histories is 50" in many.json()["message"]
    few = hub.read("contacts", *ids[:50], propertiesWithHistory=["email"])
    assert few.json()["results"][0]["propertiesWithHistory"]["email"][0]["value"]


def test_history_remembers_what_was_before(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    old = hub.truth("contacts", id)["fields"]["email"]
    hub.ask("PATCH", f"{CONTACTS}/{id}", {"properties": {"email": "new@b.example"}})
    told = hub.get(f"{CONTACTS}/{id}", propertiesWithHistory="email").json()
    values = [entry["value"] for entry in told["propertiesWithHistory"]["email"]]
    assert values == ["new@b.example", old]


def test_names_come_repeated_or_with_commas_and_unknown_ones_are_passed_over(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    path = f"{CONTACTS}/{id}"
    for query in ("?properties=phone&properties=city&properties=x", "?properties=phone,city,x"):
        told = hub.get(path + query).json()["properties"]
        assert set(told) == {"phone", "city", "createdate", "hs_object_id", "lastmodifieddate"}


def test_every_spelling_of_a_kind_is_taken_and_others_are_not(hub: Portal) -> None:
    portal = hub.account.keys["portal"]
    for spelled in ("deals", "deal", "0-3", "2-9000001", "p_projects", f"p{portal}_projects"):
        assert hub.get(f"/crm/v3/objects/{spelled}").status_code == 200, spelled
    answer = hub.get("/crm/v3/objects/butterflies")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Unable to infer object type from: butterflies"
    assert "category" not in answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v4/objects/contacts",
        "/crm/v3/associations/contacts/companies/batch/read",
        "/crm/objects/2025-09/contacts",
        "/crm/objects/2026-09-beta/contacts",
        "/crm/2026-09/objects/contacts",
        "/contacts/v1/lists/all/contacts/all",
    ],
)
def test_a_path_in_another_version_is_no_route(hub: Portal, path: str) -> None:
    assert hub.get(path).status_code == 404


# -- writes ---------------------------------------------------------------------------------------


def test_an_unknown_name_fails_the_whole_write(hub: Portal) -> None:
    one, other = hub.live("contacts", 2)
    rows = [
        {"id": one, "properties": {"phone": "1"}, "objectWriteTraceId": "a"},
        {"id": other, "properties": {"nmae": "x"}, "objectWriteTraceId": "b"},
    ]
    answer = hub.post(f"{CONTACTS}/batch/update", {"inputs": rows})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == "PROPERTY_DOESNT_EXIST"
    assert error["context"] == {"propertyName": ["nmae"]}
    assert hub.truth("contacts", one)["fields"].get("phone") != "1"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("hs_object_id", "1", "READ_ONLY_VALUE"),
        ("num_associated_deals", "1", "READ_ONLY_VALUE"),
        ("hs_marketable_status", "false", "READ_ONLY_VALUE"),
        ("annualrevenue", "much", "INVALID_DOUBLE"),
        ("date_of_birth", "2026-02-30", "INVALID_DATE"),
        ("crm_bridge_status", "Void", "INVALID_OPTION"),
        ("email", "no address", "INVALID_EMAIL"),
    ],
)
def test_a_value_that_cannot_be_is_refused(hub: Portal, name: str, value: str, code: str) -> None:
    (id,) = hub.live("contacts", 1)
    before = hub.truth("contacts", id)
    answer = hub.ask("PATCH", f"{CONTACTS}/{id}", {"properties": {name: value}})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert hub.truth("contacts", id) == before


def test_an_empty_text_clears_a_value(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    for value in ("void", ""):
        body = {"properties": {"crm_bridge_status": value}}
        assert hub.ask("PATCH", f"{CONTACTS}/{id}", body).status_code == 200
        fields = hub.truth("contacts", id)["fields"]
        assert fields.get("crm_bridge_status", "") == value


def test_an_update_writes_those_that_are_there(hub: Portal) -> None:
    one, other = hub.live("deals", 2)
    hub.archive("deals", other)
    rows = [{"id": id, "properties": {"amount": "12.50"}} for id in (one, other, "999")]
    answer = hub.post("/crm/v3/objects/deals/batch/update", {"inputs": rows})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"]["ids"] == [other, "999"]
    assert hub.truth("deals", one)["fields"]["amount"] == "12.50"


def test_doubles_in_an_update_are_refused(hub: Portal) -> None:
    (id,) = hub.live("deals", 1)
    rows = [{"id": id, "properties": {"amount": value}} for value in ("1", "2")]
    answer = hub.post("/crm/v3/objects/deals/batch/update", {"inputs": rows})
    assert (answer.status_code, answer.json()["context"]["ids"]) == (400, [id])


def test_an_archived_record_cannot_be_patched(hub: Portal) -> None:
    (id,) = hub.live("deals", 1)
    hub.archive("deals", id)
    body = {"properties": {"amount": "1"}}
    assert hub.ask("PATCH", f"/crm/v3/objects/deals/{id}", body).status_code == 404
    assert hub.ask("PATCH", f"/crm/v3/objects/deals/{id}?archived=true", body).status_code == 404


def test_without_trace_ids_one_conflict_keeps_all_from_being_made(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    taken = hub.truth("contacts", id)["fields"]["email"]
    count = len(hub.ids("contacts", "live"))
    rows = [{"properties": {"email": email}} for email in ("n@b.example", taken)]
    answer = hub.make("contacts", *rows)
    assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
    assert len(hub.ids("contacts", "live")) == count


def test_with_trace_ids_the_rest_is_made(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    taken = hub.truth("contacts", id)["fields"]["email"]
    rows = [
        {"properties": {"email": email}, "objectWriteTraceId": trace}
        for email, trace in (("n@b.example", "t1"), (taken, "t2"), ("m@b.example", "t3"))
    ]
    answer = hub.make("contacts", *rows)
    assert answer.status_code == 207
    told = answer.json()
    made = {row["objectWriteTraceId"]: row["properties"]["email"] for row in told["results"]}
    assert made == {"t1": "n@b.example", "t3": "m@b.example"}
    context = told["errors"][0]["context"]
    assert context == {"objectWriteTraceId": ["t2"], "existingId": [id]}


def test_a_single_conflict_names_the_other(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    email = hub.truth("contacts", id)["fields"]["email"]
    answer = hub.post(CONTACTS, {"properties": {"email": email.upper()}})
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {id}"


def test_companies_are_made_again_and_again(hub: Portal) -> None:
    rows = [{"properties": {"name": "A", "domain": "a.example"}}] * 2
    answer = hub.make("companies", *rows)
    assert answer.status_code == 201
    assert len({row["id"] for row in answer.json()["results"]}) == 2


@pytest.mark.parametrize("status", ["409", "400"])
def test_a_unique_value_is_held_by_one_record(hub: Portal, status: str) -> None:
    hub.switch("unique_conflict", status)
    row = {"properties": {"name": "A", "crm_bridge_prior_id": "77"}}
    made = hub.make("companies", row).json()["results"][0]["id"]
    assert hub.make("companies", row).status_code == int(status)
    answer = hub.read("companies", "77", idProperty="crm_bridge_prior_id")
    assert [one["id"] for one in answer.json()["results"]] == [made]
    assert hub.read("companies", "77", idProperty="name").status_code == 400


def test_a_record_is_made_with_its_associations(hub: Portal) -> None:
    (company,) = hub.live("companies", 1)
    spec = {"associationCategory": "USER_DEFINED", "associationTypeId": 101}
    row = {
        "properties": {"email": "n@b.example"},
        "associations": [{"to": {"id": company}, "types": [spec]}],
    }
    made = hub.make("contacts", row).json()["results"][0]["id"]
    assert hub.links("contacts", "companies", made)[made] == {(company, 101), (company, 279)}
    row["properties"] = {"email": "o@b.example"}
    row["associations"] = [{"to": {"id": "999"}, "types": [spec]}]
    assert hub.make("contacts", row).status_code == 400


def test_upsert_makes_or_changes_by_a_unique_property(hub: Portal) -> None:
    rows = [{"id": "k1", "idProperty": "project_code", "properties": {"budget": "1"}}]
    path = "/crm/v3/objects/p_projects/batch/upsert"
    first = hub.post(path, {"inputs": rows}).json()["results"][0]
    second = hub.post(path, {"inputs": rows}).json()["results"][0]
    assert (first["new"], second["new"], first["id"]) == (True, False, second["id"])


def test_a_stage_must_be_of_the_pipeline(hub: Portal) -> None:
    (id,) = hub.live("deals", 1)
    path = f"/crm/v3/objects/deals/{id}"
    assert hub.ask("PATCH", path, {"properties": {"dealstage": "1297155"}}).status_code == 400
    body = {"properties": {"dealstage": "1297155", "pipeline": "75e28846"}}
    assert hub.ask("PATCH", path, body).status_code == 200
    assert hub.truth("deals", id)["fields"]["dealstage"] == "1297155"


@pytest.mark.parametrize(("position", "status"), [("refused", 400), ("ignored", 200)])
def test_life_moves_forward_unless_it_is_cleared(hub: Portal, position: str, status: int) -> None:
    hub.switch("lifecycle_back", position)
    (id,) = hub.live("contacts", 1)
    for stage, wanted in (("customer", 200), ("lead", status)):
        body = {"properties": {"lifecyclestage": stage}}
        assert hub.ask("PATCH", f"{CONTACTS}/{id}", body).status_code == wanted
    assert hub.truth("contacts", id)["fields"]["lifecyclestage"] == "customer"
    for stage in ("", "lead"):
        hub.ask("PATCH", f"{CONTACTS}/{id}", {"properties": {"lifecyclestage": stage}})
    assert hub.truth("contacts", id)["fields"]["lifecyclestage"] == "lead"


def test_an_administrators_rule_holds_for_the_newest_version_only(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    hub.ui("rule", "contacts", fields={"required": ["address"]})
    body = {"properties": {"crm_bridge_status": "void"}}
    newest = hub.ask("PATCH", f"/crm/objects/2026-09/contacts/{id}", body)
    assert (newest.status_code, newest.json()["category"]) == (400, "VALIDATION_ERROR")
    assert hub.ask("PATCH", f"/crm/objects/2026-03/contacts/{id}", body).status_code == 200
    assert hub.ask("PATCH", f"{CONTACTS}/{id}", body).status_code == 200


# -- merge and purge ------------------------------------------------------------------------------


def test_both_ids_of_a_merge_answer_as_a_new_record(hub: Portal) -> None:
    one, other = hub.live("companies", 2)
    body = {"primaryObjectId": one, "objectIdToMerge": other}
    new = hub.post("/crm/v3/objects/companies/merge", body).json()["id"]
    assert new not in (one, other)
    for old in (one, other):
        assert hub.get(f"/crm/v3/objects/companies/{old}").json()["id"] == new
        assert hub.read("companies", old).json()["results"][0]["id"] == new
        assert hub.truth("companies", old)["merged_into"] == new
    merged = hub.truth("companies", new)["fields"]["hs_merged_object_ids"]
    assert merged == f"{one};{other}"


def test_a_portal_in_the_beta_keeps_the_primary_id(hub: Portal) -> None:
    hub.switch("merge_keeps_id", True)
    one, other = hub.live("companies", 2)
    body = {"primaryObjectId": one, "objectIdToMerge": other}
    assert hub.post("/crm/v3/objects/companies/merge", body).json()["id"] == one
    assert hub.truth("companies", one)["state"] == "live"


def test_a_merge_keeps_what_both_were_tied_to(hub: Portal) -> None:
    one, other = hub.live("contacts", 2, linked="companies")
    ends = hub.links("contacts", "companies", one, other)
    wanted = {id for types in ends.values() for id, _ in types}
    hub.ui("merge", "contacts", [other], into=one)
    new = hub.truth("contacts", one)["merged_into"]
    assert {id for id, _ in hub.links("contacts", "companies", new)[new]} == wanted


@pytest.mark.parametrize(("position", "state"), [("survivor", "deleted"), ("nothing", "live")])
def test_deleting_a_merged_id_reaches_the_survivor_by_a_switch(
    hub: Portal, position: str, state: str
) -> None:
    hub.switch("delete_merged", position)
    one, other = hub.live("companies", 2)
    hub.ui("merge", "companies", [other], into=one)
    new = hub.truth("companies", one)["merged_into"]
    hub.archive("companies", other)
    assert hub.truth("companies", new)["state"] == state


def test_batches_may_not_find_merged_ids(hub: Portal) -> None:
    hub.switch("batch_merged", "missing")
    one, other = hub.live("companies", 2)
    hub.ui("merge", "companies", [other], into=one)
    assert hub.read("companies", other).json()["errors"][0]["context"]["ids"] == [other]
    assert hub.get(f"/crm/v3/objects/companies/{other}").status_code == 200


def test_the_251st_merge_is_refused(hub: Portal) -> None:
    one, other = hub.live("companies", 2)
    hub.account.store.get("companies", one).meta["merges"] = 250  # type: ignore[union-attr]
    body = {"primaryObjectId": one, "objectIdToMerge": other}
    answer = hub.post("/crm/v3/objects/companies/merge", body)
    assert answer.status_code == 414
    assert "250 identities" in answer.json()["message"]


def test_a_purge_by_id_is_for_good_and_a_second_one_is_204_too(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    email = hub.truth("contacts", id)["fields"]["email"]
    for _ in range(2):
        assert hub.post(f"{CONTACTS}/gdpr-delete", {"objectId": id}).status_code == 204
    assert hub.truth("contacts", id)["state"] == "gone"
    assert hub.read("contacts", id, query="?archived=true").json()["results"] == []
    assert hub.ui("restore", "contacts", [id]).status_code == 400
    assert email in hub.account.memory["blocklist"]


def test_an_unknown_email_is_blocklisted_and_the_api_may_still_make_it(hub: Portal) -> None:
    body = {"objectId": "typo@b.example", "idProperty": "email"}
    assert hub.post(f"{CONTACTS}/gdpr-delete", body).status_code == 204
    assert "typo@b.example" in hub.account.memory["blocklist"]
    assert hub.make("contacts", {"properties": {"email": "typo@b.example"}}).status_code == 201


@pytest.mark.parametrize(("position", "state"), [("purged", "gone"), ("refused", "deleted")])
def test_purging_an_archived_contact_is_a_switch(hub: Portal, position: str, state: str) -> None:
    hub.switch("gdpr_archived", position)
    (id,) = hub.live("contacts", 1)
    hub.archive("contacts", id)
    hub.post(f"{CONTACTS}/gdpr-delete", {"objectId": id})
    assert hub.truth("contacts", id)["state"] == state


@pytest.mark.parametrize("kind", ["companies", "deals", "notes", "2-9000001"])
def test_only_contacts_can_be_purged(hub: Portal, kind: str) -> None:
    (id,) = hub.live(kind, 1)
    answer = hub.post(f"/crm/v3/objects/{kind}/gdpr-delete", {"objectId": id})
    assert answer.status_code == 404
    assert hub.truth(kind, id)["state"] == "live"


@pytest.mark.parametrize("position", ["stay", "follow"])
def test_what_hangs_on_a_deal_alone_is_a_switch(hub: Portal, position: str) -> None:
    hub.switch("deal_children", position)
    (item,) = hub.live("line_items", 1, linked="deals")
    deal = hub.truth("line_items", item)["links"][0]["id"]
    hub.archive("deals", deal)
    assert hub.truth("line_items", item)["state"] == {"stay": "live", "follow": "deleted"}[position]


# -- associations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/crm/v4/associations", "/crm/associations/2026-09"])
def test_a_thousand_are_read_at_once_and_no_more(hub: Portal, path: str) -> None:
    rows = [{"id": str(n)} for n in range(1, 1002)]
    place = f"{path}/contacts/companies/batch/read"
    assert hub.post(place, {"inputs": rows}).status_code == 400
    assert hub.post(place, {"inputs": rows[:1000]}).json()["results"] == []


def test_a_record_without_any_is_absent_or_an_error_by_a_switch(hub: Portal) -> None:
    made = hub.make("companies", {"properties": {"name": "A"}}).json()["results"][0]["id"]
    place = "/crm/v4/associations/companies/contacts/batch/read"
    answer = hub.post(place, {"inputs": [{"id": made}]})
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    hub.switch("unlinked", "errors")
    answer = hub.post(place, {"inputs": [{"id": made}]})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"]["fromObjectId"] == [made]


def test_many_ends_come_by_pages(hub: Portal) -> None:
    (company,) = hub.live("companies", 1)
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
    for start in range(0, 600, 100):
        rows = [
            {"properties": {"email": f"p{start + n}@b.example"},
             "associations": [{"to": {"id": company}, "types": [spec]}]}
            for n in range(100)
        ]  # fmt: skip
        assert hub.make("contacts", *rows).status_code == 201
    place, found, after = "/crm/v4/associations/companies/contacts/batch/read", [], None
    while True:
        row = {"id": company} | ({"after": after} if after else {})
        (told,) = hub.post(place, {"inputs": [row]}).json()["results"]
        assert len(told["to"]) <= 500
        found += [end["toObjectId"] for end in told["to"]]
        if "paging" not in told:
            break
        after = told["paging"]["next"]["after"]
    assert len(set(found)) == len(found) >= 600


def test_writes_are_spelled_otherwise_than_reads(hub: Portal) -> None:
    (contact,), (company,) = hub.live("contacts", 1), hub.live("companies", 1)
    place = "/crm/v4/associations/contacts/companies/batch/create"
    row: dict[str, Any] = {"from": {"id": contact}, "to": {"id": company}}
    wrong = row | {"types": [{"category": "HUBSPOT_DEFINED", "typeId": 279}]}
    assert hub.post(place, {"inputs": [wrong]}).status_code == 400
    right = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
    assert hub.post(place, {"inputs": [row | {"types": [right]}]}).status_code == 201
    assert (company, 279) in hub.links("contacts", "companies", contact)[contact]
    assert (contact, 280) in hub.links("companies", "contacts", company)[company]


def test_the_wrong_direction_of_a_type_fails_alone(hub: Portal) -> None:
    (contact,), (company,) = hub.live("contacts", 1), hub.live("companies", 1)
    specs = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": n} for n in (279, 280)]
    rows = [{"from": {"id": contact}, "to": {"id": company}, "types": [s]} for s in specs]
    answer = hub.post("/crm/v4/associations/contacts/companies/batch/create", {"inputs": rows})
    assert (answer.status_code, len(answer.json()["results"])) == (207, 1)


def test_one_written_for_279_moves_the_primary_company(hub: Portal) -> None:
    contact = next(r.id for r in hub.account.store.of("contacts", "live")
                   if any(link.name == "HUBSPOT_DEFINED/1" for link in r.links))  # fmt: skip
    held = hub.links("contacts", "companies", contact)[contact]
    (primary,) = [id for id, type in held if type == 1]
    (other,) = [id for id in hub.live("companies", 2) if id != primary][:1]
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}
    row = {"from": {"id": contact}, "to": {"id": other}, "types": [spec]}
    hub.post("/crm/v4/associations/contacts/companies/batch/create", {"inputs": [row]})
    now = hub.links("contacts", "companies", contact)[contact]
    assert {id for id, type in now if type == 1} == {other}
    assert (primary, 279) in now


def test_a_label_is_taken_away_alone(hub: Portal) -> None:
    contact = next(r.id for r in hub.account.store.of("contacts", "live")
                   if any(link.name == "USER_DEFINED/101" for link in r.links))  # fmt: skip
    held = hub.links("contacts", "companies", contact)[contact]
    company = next(id for id, type in held if type == 101)
    spec = {"associationCategory": "USER_DEFINED", "associationTypeId": 101}
    row = {"from": {"id": contact}, "to": {"id": company}, "types": [spec]}
    place = "/crm/v4/associations/contacts/companies/batch"
    assert hub.post(f"{place}/labels/archive", {"inputs": [row]}).status_code == 204
    assert hub.links("contacts", "companies", contact)[contact] == held - {(company, 101)}
    row = {"from": {"id": contact}, "to": [{"id": company}]}
    assert hub.post(f"{place}/archive", {"inputs": [row]}).status_code == 204
    left = hub.links("contacts", "companies", contact).get(contact, set())
    assert company not in {id for id, _ in left}


def test_an_id_that_is_no_number_fails_alone_in_a_read_of_associations(hub: Portal) -> None:
    (contact,) = hub.live("contacts", 1, linked="companies")
    place = "/crm/v4/associations/contacts/companies/batch/read"
    answer = hub.post(place, {"inputs": [{"id": contact}, {"id": "unknown_id_1"}]})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["context"]) == (207, {"id": ["unknown_id_1"]})
    assert error["subCategory"] == "crm.associations.INVALID_IDENTIFIER"


def test_labels_are_listed_and_made(hub: Portal) -> None:
    place = "/crm/v4/associations/contacts/companies/labels"
    known = {row["label"] for row in hub.get(place).json()["results"]}
    assert known == {None, "Primary", "Decision maker", "决策人"}
    made = hub.post(place, {"label": "Adviser", "name": "adviser", "inverseLabel": "Advised"})
    number = made.json()["results"][0]["typeId"]
    assert "Adviser" in {row["label"] for row in hub.get(place).json()["results"]}
    assert hub.ask("DELETE", f"{place}/{number}").status_code == 204
    assert "Adviser" not in {row["label"] for row in hub.get(place).json()["results"]}


# -- search ---------------------------------------------------------------------------------------


def _search(hub: Portal, kind: str, *filters: Any, **more: Any) -> requests.Response:
    body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
    return hub.post(f"/crm/v3/objects/{kind}/search", body)


def test_search_never_shows_archived_ones_and_no_rate_headers(hub: Portal) -> None:
    before = _search(hub, "contacts").json()["total"]
    hub.archive("contacts", *hub.live("contacts", 3))
    answer = _search(hub, "contacts")
    assert answer.json()["total"] == before - 3
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_search_pages_by_number_up_to_ten_thousand(hub: Portal) -> None:
    answer = _search(hub, "contacts", limit=20).json()
    assert answer["paging"]["next"]["after"] == "20"
    assert _search(hub, "contacts", limit=201).status_code == 400
    assert _search(hub, "contacts", limit=200, after="9900").status_code == 400
    assert _search(hub, "contacts", after="20000001abc").status_code == 400


def test_search_counts_its_filters(hub: Portal) -> None:
    one = {"propertyName": "email", "operator": "HAS_PROPERTY"}
    path = f"{CONTACTS}/search"
    for groups, each, status in ((5, 3, 200), (6, 1, 400), (1, 7, 400), (4, 5, 400)):
        body = {"filterGroups": [{"filters": [one] * each}] * groups}
        assert hub.post(path, body).status_code == status, (groups, each)


def test_search_knows_its_operators(hub: Portal) -> None:
    (id,) = hub.live("deals", 1)
    body = {"properties": {"amount": "777.5", "dealname": "北京 Kestrel-9 renewal"}}
    hub.ask("PATCH", f"/crm/v3/objects/deals/{id}", body)
    for name, operator, value, found in (
        ("amount", "EQ", "777.50", True),
        ("amount", "GT", "777.5", False),
        ("amount", "GTE", "777.5", True),
        ("dealname", "EQ", "北京 Kestrel-9 renewal", True),
        ("dealname", "CONTAINS_TOKEN", "kestrel", True),
        ("dealname", "CONTAINS_TOKEN", "kestr", False),
        ("dealname", "CONTAINS_TOKEN", "*estr*", True),
        ("dealname", "CONTAINS_TOKEN", "%", False),
        ("hs_object_id", "LTE", id, True),
    ):
        one = {"propertyName": name, "operator": operator, "value": value}
        rows = _search(hub, "deals", one, limit=200).json()["results"]
        assert (id in {row["id"] for row in rows}) == found, (name, operator, value)


@pytest.mark.parametrize(
    "one",
    [
        {"propertyName": "no_such", "operator": "EQ", "value": "x"},
        {"propertyName": "email", "operator": "LIKE", "value": "x"},
        {"propertyName": "email", "operator": "IN", "value": "x"},
        {"propertyName": "annualrevenue", "operator": "GT", "value": "much"},
    ],
)
def test_search_refuses_what_it_does_not_know(hub: Portal, one: Any) -> None:
    assert _search(hub, "contacts", one).status_code == 400


def test_search_is_late_by_a_switch(hub: Portal) -> None:
    hub.switch("search_lag", 5)
    (id,) = hub.live("deals", 1)
    hub.ask("PATCH", f"/crm/v3/objects/deals/{id}", {"properties": {"crm_bridge_status": "void"}})
    hub.make("deals", {"properties": {"dealname": "n", "crm_bridge_status": "void"}})
    one = {"propertyName": "crm_bridge_status", "operator": "EQ", "value": "void"}
    before = _search(hub, "deals", one).json()["total"]
    hub.control("clock", {"advance": "6s"})
    assert _search(hub, "deals", one).json()["total"] == before + 2


# -- properties, pipelines, schemas, owners -------------------------------------------------------


def test_the_list_of_properties_leaves_sensitive_ones_out(hub: Portal) -> None:
    path = "/crm/v3/properties/contacts"
    names = {p["name"] for p in hub.get(path).json()["results"]}
    assert not {"national_id", "health_note"} & names
    for word, name in (("sensitive", "national_id"), ("highly_sensitive", "health_note")):
        found = hub.get(path, dataSensitivity=word).json()["results"]
        assert [p["name"] for p in found] == [name]
        hub.ui("revoke", ids=[f"crm.objects.contacts.{word}.{v}.v2" for v in ("read", "write")])
        assert hub.get(path, dataSensitivity=word).status_code == 403


def test_a_property_is_made_as_setup_makes_it(hub: Portal) -> None:
    hub.switch("marker_field", False)
    (id,) = hub.live("contacts", 1)
    mark = {"properties": {"crm_bridge_status": "void"}}
    assert hub.ask("PATCH", f"{CONTACTS}/{id}", mark).status_code == 400
    options = [{"label": "Void", "value": "void", "displayOrder": 0, "hidden": False}]
    body = {
        "name": "crm_bridge_status", "label": "Status", "groupName": "crm_bridge",
        "type": "enumeration", "fieldType": "select", "options": options,
    }  # fmt: skip
    path = "/crm/v3/properties/contacts"
    assert hub.post(path, body).status_code == 400, "the group is missing"
    group = {"name": "crm_bridge", "label": "CRM bridge"}
    assert hub.post(f"{path}/groups", group).status_code == 201
    assert hub.post(f"{path}/groups", group).status_code == 409
    assert hub.post(path, {**body, "options": []}).status_code == 400
    assert hub.post(path, body).status_code == 201
    assert hub.ask("PATCH", f"{CONTACTS}/{id}", mark).status_code == 200
    for category in ("OBJECT_ALREADY_EXISTS", "VALIDATION_ERROR"):
        hub.switch("property_exists", category)
        answer = hub.post(path, body)
        assert (answer.status_code, answer.json()["category"]) == (409, category)


def test_an_archived_propertys_name_is_free_and_its_values_are_lost(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    hub.ask("PATCH", f"{CONTACTS}/{id}", {"properties": {"crm_bridge_reason": "x"}})
    path = "/crm/v3/properties/contacts"
    assert hub.ask("DELETE", f"{path}/crm_bridge_reason").status_code == 204
    body = {
        "name": "crm_bridge_reason", "label": "R", "groupName": "crm_bridge", "type": "string",
        "fieldType": "text",
    }  # fmt: skip
    assert hub.post(path, body).status_code == 201
    assert "crm_bridge_reason" not in hub.truth("contacts", id)["fields"]


def test_pipelines_schemas_and_owners_are_told_in_both_spellings(hub: Portal) -> None:
    for v3, dated in (
        ("/crm/v3/pipelines/deals", "/crm/pipelines/2026-09/deals"),
        ("/crm-object-schemas/v3/schemas", "/crm-object-schemas/2026-09/schemas"),
        ("/crm/v3/owners/", "/crm/owners/2026-09"),
        ("/crm/v3/properties/deals", "/crm/properties/2026-09/deals"),
        ("/account-info/v3/details", "/account-info/2026-09/details"),
    ):
        assert hub.get(v3).json() == hub.get(dated).json(), v3
    stages = hub.get("/crm/v3/pipelines/tickets").json()["results"][0]["stages"]
    assert stages[-1]["metadata"]["ticketState"] == "CLOSED"
    left = hub.get("/crm/v3/owners/", archived="true").json()["results"]
    assert [owner["userId"] for owner in left] == [None]


# -- who calls ------------------------------------------------------------------------------------


def test_a_wrong_token_is_401_and_two_portals_share_nothing(hub: Portal) -> None:
    other = Portal(hub.simulator, hub.url, 1)
    assert other.token != hub.token
    ids = hub.live("contacts", 2)
    assert other.read("contacts", *ids).json()["results"] == []
    before = [hub.truth("contacts", id) for id in ids]
    other.archive("contacts", *ids)
    assert [hub.truth("contacts", id) for id in ids] == before
    portals = [p.get("/account-info/v3/details").json() for p in (hub, other)]
    assert portals[0]["portalId"] != portals[1]["portalId"]
    assert portals[0]["uiDomain"] == "app.hubspot.com"
    hub.token = "pat-na1-wrong"
    answer = hub.get(CONTACTS)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


@pytest.mark.parametrize("shape", ["context", "errors"])
def test_a_missing_scope_is_403_in_two_shapes(hub: Portal, shape: str) -> None:
    hub.switch("scope_shape", shape)
    (id,) = hub.live("notes", 1)
    hub.ui("revoke", fields={"scope": "crm.objects.contacts.write"})
    answer = hub.post("/crm/v3/objects/notes/batch/archive", {"inputs": [{"id": id}]})
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    told = answer.json() if shape == "context" else answer.json()["errors"][0]
    assert told["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]
    assert hub.truth("notes", id)["state"] == "live"
    assert hub.get("/crm/v3/objects/notes").status_code == 200
    hub.ui("grant", fields={"scope": "crm.objects.contacts.write"})
    hub.archive("notes", id)


def test_account_info_may_be_closed_to_a_private_token(hub: Portal) -> None:
    assert hub.get("/account-info/v3/details").json()["accountType"] == "STANDARD"
    hub.switch("account_info", "denied")
    assert hub.get("/account-info/v3/details").status_code == 403


def test_a_private_token_tells_its_scopes(hub: Portal) -> None:
    hub.ui("revoke", fields={"scope": "crm.objects.quotes.read"})
    body = {"tokenKey": hub.token}
    told = hub.post("/oauth/v2/private-apps/get/access-token-info", body).json()
    assert told["hubId"] == int(hub.account.keys["portal"])
    assert "crm.objects.quotes.read" not in told["scopes"]
    assert "crm.objects.contacts.write" in told["scopes"]


def _refresh(hub: Portal, version: str, **more: str) -> requests.Response:
    keys = hub.account.keys
    form = {
        "grant_type": "refresh_token", "client_id": keys["client_id"],
        "client_secret": keys["client_secret"], "refresh_token": keys["refresh_token"], **more,
    }  # fmt: skip
    return requests.post(f"{hub.url}/oauth/{version}/token", data=form, timeout=30)


@pytest.mark.parametrize("version", ["v1", "2026-03", "2026-09"])
def test_an_oauth_token_holds_half_an_hour(hub: Portal, version: str) -> None:
    told = _refresh(hub, version).json()
    assert told["expires_in"] == 1800
    hub.token = told["access_token"]
    answer = hub.get(CONTACTS)
    assert answer.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "110"
    hub.control("clock", {"advance": "31m"})
    answer = hub.get(CONTACTS)
    assert (answer.status_code, answer.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")


def test_a_refresh_that_cannot_be_says_so(hub: Portal) -> None:
    answer = _refresh(hub, "2026-03", refresh_token="na1-wrong")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert told["error"] == "invalid_grant"
    assert _refresh(hub, "2026-03", client_secret="x").json()["status"] == "BAD_CLIENT_SECRET"


def test_the_first_version_of_oauth_ends(hub: Portal) -> None:
    hub.control("clock", {"set": "2027-02-17"})
    assert _refresh(hub, "v1").status_code == 404
    assert _refresh(hub, "2026-09").status_code == 200


# -- how often ------------------------------------------------------------------------------------


def test_the_hundred_and_first_call_in_ten_seconds_is_429(limited: Portal) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {limited.token}"
        first = session.get(limited.url + CONTACTS + "?limit=1", timeout=30)
        answers = [session.get(limited.url + CONTACTS + "/1", timeout=30) for _ in range(100)]
    assert first.headers["X-HubSpot-RateLimit-Max"] == "100"
    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "99"
    assert first.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert {a.status_code for a in answers[:99]} == {404}
    refused = answers[99]
    told = refused.json()
    assert (refused.status_code, told["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    assert (told["errorType"], "category" in told) == ("RATE_LIMIT", False)
    assert "Retry-After" not in refused.headers
    limited.control("clock", {"advance": "10s"})
    assert limited.get(CONTACTS).status_code == 200


def test_the_sixth_search_in_a_second_is_429(
    limited: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited.switch("retry_after", True)
    clock = limited.account.clock
    start = clock.epoch()
    monkeypatch.setattr(clock, "epoch", lambda: start)
    answers = [_search(limited, "contacts") for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert answers[5].json()["policyName"] == "SECONDLY"
    assert answers[5].headers["Retry-After"] == "1"
    assert limited.get(CONTACTS).status_code == 200, "other calls have a pace of their own"
    monkeypatch.setattr(clock, "epoch", lambda: start + 1)
    assert _search(limited, "contacts").status_code == 200


def test_the_day_has_an_end_and_begins_at_the_portals_midnight(limited: Portal) -> None:
    limited.control("clock", {"set": "2026-11-24T15:00:00Z"})
    limited.ui("quota", fields={"left": 2})
    path = "/account-info/v3/api-usage/daily/private-apps"
    usage = limited.get(path)
    assert usage.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "1"
    (row,) = usage.json()["results"]
    assert row["usageLimit"] - row["currentUsage"] == 1
    assert row["resetsAt"] == "2026-11-24T16:00:00.000Z"
    assert limited.get(CONTACTS).status_code == 200
    refused = limited.get(CONTACTS)
    assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")
    limited.control("clock", {"advance": "61m"})
    assert limited.get(CONTACTS).status_code == 200


# -- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "status", "kind"),
    [
        ({"status": 423}, 423, "application/json"),
        ({"status": 477, "retry_after": 3600}, 477, ""),
        ({"status": 502}, 502, "text/html"),
        ({"status": 504}, 504, "text/html"),
        ({"policy": "DAILY"}, 429, "application/json"),
    ],
)
def test_faults_come_in_hubspots_own_shapes(hub: Portal, do: Any, status: int, kind: str) -> None:
    hub.control("faults", {"match": {"path": CONTACTS}, "do": do})
    answer = hub.get(CONTACTS)
    assert answer.status_code == status
    assert answer.headers.get("content-type", "").startswith(kind)
    if "retry_after" in do:
        assert answer.headers["Retry-After"] == "3600"
    if "policy" in do:
        assert answer.json()["policyName"] == "DAILY"
    assert hub.get(CONTACTS).status_code == 200


def test_a_create_whose_answer_is_lost_has_been_made(hub: Portal) -> None:
    hub.control("faults", {"match": {"path": "batch/create"}, "do": {"drop": "after"}})
    row = {"properties": {"name": "A", "crm_bridge_prior_id": "9"}, "objectWriteTraceId": "t"}
    with pytest.raises(requests.ConnectionError):
        hub.make("companies", row)
    found = hub.read("companies", "9", idProperty="crm_bridge_prior_id").json()["results"]
    assert len(found) == 1


def test_some_rows_fail_alone_or_are_passed_over_in_silence(hub: Portal) -> None:
    one, other = hub.live("deals", 2)
    hub.control("faults", {"match": {"path": "batch/update"}, "do": {"refuse": [one]}})
    rows = [{"id": id, "properties": {"amount": "3"}} for id in (one, other)]
    answer = hub.post("/crm/v3/objects/deals/batch/update", {"inputs": rows})
    assert answer.json()["errors"][0]["context"]["ids"] == [one]
    assert hub.truth("deals", other)["fields"]["amount"] == "3"
    hub.control("faults", {"match": {"path": "batch/archive"}, "do": {"skip": [one]}})
    hub.archive("deals", one, other)
    states = [hub.truth("deals", id)["state"] for id in (one, other)]
    assert states == ["live", "deleted"]


def test_errors_may_lack_their_correlation_id(hub: Portal) -> None:
    first, second = (hub.get(f"{CONTACTS}/1").json()["correlationId"] for _ in range(2))
    assert first != second
    hub.switch("correlation_id", False)
    assert "correlationId" not in hub.get(f"{CONTACTS}/1").json()


def test_a_long_url_is_414(hub: Portal) -> None:
    assert hub.get(CONTACTS, properties="x" * 9000).status_code == 414
    assert hub.get(CONTACTS, properties="x" * 4000).status_code == 200


def test_a_body_that_is_no_json_is_refused(hub: Portal) -> None:
    headers = {"Authorization": f"Bearer {hub.token}"}
    place = f"{hub.url}{CONTACTS}/batch/archive"
    assert requests.post(place, data="inputs=1", headers=headers, timeout=30).status_code == 415
    headers["Content-Type"] = "application/json"
    assert requests.post(place, data="{", headers=headers, timeout=30).status_code == 400
    assert requests.post(place, data="{}", headers=headers, timeout=30).status_code == 400


# -- the log, the seeds, the official client ------------------------------------------------------


def test_the_log_tells_writes_from_reads_by_post(hub: Portal) -> None:
    (id,) = hub.live("contacts", 1)
    hub.read("contacts", id)
    _search(hub, "contacts")
    _refresh(hub, "2026-03")
    hub.links("contacts", "companies", id)
    hub.archive("contacts", id)
    lines = [json.loads(line) for line in hub.control("log").text.splitlines()]
    assert [line["write"] for line in lines[-5:]] == [False] * 4 + [True]
    assert lines[-1]["ids"] == [id]
    assert f"contacts/{id}" in lines[-1]["changed"]


def test_the_same_seed_gives_the_same_records_and_new_keys() -> None:
    one, two = (HubspotSimulator(records=30) for _ in range(2))
    for kind in one.accounts[0].store.kinds():
        rows = [
            [(r.id, r.state, r.fields, sorted(map(str, r.links)))
             for r in simulator.accounts[0].store.of(kind)]
            for simulator in (one, two)
        ]  # fmt: skip
        assert rows[0] == rows[1], kind
    assert one.accounts[0].keys["token"] != two.accounts[0].keys["token"]
    assert one.accounts[0].keys["portal"] != two.accounts[0].keys["portal"]


def test_counts_are_told_before_the_records_grow_and_links_have_two_ends() -> None:
    account = HubspotSimulator(records=60).accounts[0]
    store = account.store
    told = store.counts()
    for kind in store.kinds():
        list(store.of(kind))
    grown = store.counts()
    assert {k: {s: n for s, n in v.items() if n} for k, v in told.items()} == {
        k: {s: n for s, n in v.items() if n} for k, v in grown.items()
    }
    for kind in store.kinds():
        for record in store.of(kind):
            for link in record.links:
                other = store.get(link.kind, link.id)
                assert other is not None
                assert other.state == "live"
                assert record.id in {back.id for back in other.links if back.kind == kind}


def test_a_merged_one_of_the_seed_answers_as_the_one_that_took_it_in(hub: Portal) -> None:
    for kind in ("contacts", "companies", "tickets", "2-9000001"):
        for id in hub.ids(kind, "gone"):
            found = hub.get(f"/crm/v3/objects/{kind}/{id}?properties=hs_merged_object_ids").json()
            assert found["id"] == hub.truth(kind, id)["merged_into"]
            assert id in found["properties"]["hs_merged_object_ids"].split(";")


def test_the_official_client_is_understood(hub: Portal) -> None:
    client = hubspot.HubSpot(access_token=hub.token, host=hub.url, base_url=hub.url)
    api = client.crm.objects.batch_api
    one, other = hub.live("contacts", 2, linked="companies")
    ids = {"inputs": [{"id": one}, {"id": other}]}
    read = api.read("contacts", {**ids, "properties": ["email"], "propertiesWithHistory": []})
    assert {row.id for row in read.results} == {one, other}
    ends = client.crm.associations.v4.batch_api.get_page("contacts", "companies", ids)
    assert {row._from.id for row in ends.results} == {one, other}
    assert api.archive("contacts", ids) is None
    binned = api.read(
        "contacts", {**ids, "properties": [], "propertiesWithHistory": []}, archived=True
    )
    assert all(row.archived and row.archived_at for row in binned.results)
    made = api.create(
        "companies",
        {"inputs": [{"properties": {"name": "A"}, "associations": [], "objectWriteTraceId": "t"}]},
    )
    assert [row.object_write_trace_id for row in made.results] == ["t"]
    with pytest.raises(ApiException) as told:
        client.crm.objects.basic_api.get_by_id("contacts", one)
    assert told.value.status == 404
    partly = api.update(
        "companies",
        {"inputs": [{"id": id, "properties": {"name": "B"}} for id in (made.results[0].id, "9")]},
    )
    assert partly.num_errors == 1
