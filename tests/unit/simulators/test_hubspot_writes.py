"""HubSpot on loopback judges what is written, merges, and purges."""

from __future__ import annotations

import pytest

from tests.unit.simulators.hubspot_portal import CONTACTS, Portal

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
