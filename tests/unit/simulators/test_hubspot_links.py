"""HubSpot on loopback ties records together, and searches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulators.hubspot_portal import CONTACTS, Portal

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


def test_search_never_shows_archived_ones_and_no_rate_headers(hub: Portal) -> None:
    before = hub.search("contacts").json()["total"]
    hub.archive("contacts", *hub.live("contacts", 3))
    answer = hub.search("contacts")
    assert answer.json()["total"] == before - 3
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_search_pages_by_number_up_to_ten_thousand(hub: Portal) -> None:
    answer = hub.search("contacts", limit=20).json()
    assert answer["paging"]["next"]["after"] == "20"
    assert hub.search("contacts", limit=201).status_code == 400
    assert hub.search("contacts", limit=200, after="9900").status_code == 400
    assert hub.search("contacts", after="20000001abc").status_code == 400


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
        rows = hub.search("deals", one, limit=200).json()["results"]
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
    assert hub.search("contacts", one).status_code == 400


def test_search_is_late_by_a_switch(hub: Portal) -> None:
    hub.switch("search_lag", 5)
    (id,) = hub.live("deals", 1)
    hub.ask("PATCH", f"/crm/v3/objects/deals/{id}", {"properties": {"crm_bridge_status": "void"}})
    hub.make("deals", {"properties": {"dealname": "n", "crm_bridge_status": "void"}})
    one = {"propertyName": "crm_bridge_status", "operator": "EQ", "value": "void"}
    before = hub.search("deals", one).json()["total"]
    hub.control("clock", {"advance": "6s"})
    assert hub.search("deals", one).json()["total"] == before + 2
