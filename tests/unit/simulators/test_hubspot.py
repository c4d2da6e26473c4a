"""HubSpot on loopback archives, restores by a person only, and tells what there is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulators.hubspot_portal import CONTACTS, Portal

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
