"""HubSpot on loopback knows who calls, how often, and what it is made of."""

from __future__ import annotations

import pytest
import requests

from tests.unit.simulators.hubspot_portal import CONTACTS, Portal

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
    hub.ui("grant", "notes")
    hub.archive("notes", id)
    hub.ui("revoke", "contacts", fields={"right": "read"})
    assert hub.get("/crm/v3/objects/notes").status_code == 403


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


@pytest.mark.parametrize("version", ["v1", "2026-03", "2026-09"])
def test_an_oauth_token_holds_half_an_hour(hub: Portal, version: str) -> None:
    told = hub.refresh(version).json()
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
    answer = hub.refresh("2026-03", refresh_token="na1-wrong")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert told["error"] == "invalid_grant"
    assert hub.refresh("2026-03", client_secret="x").json()["status"] == "BAD_CLIENT_SECRET"


def test_the_first_version_of_oauth_ends(hub: Portal) -> None:
    hub.control("clock", {"set": "2027-02-17"})
    assert hub.refresh("v1").status_code == 404
    assert hub.refresh("2026-09").status_code == 200


# -- how often ------------------------------------------------------------------------------------


def test_the_hundred_and_first_call_in_ten_seconds_is_429(limited_hub: Portal) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {limited_hub.token}"
        first = session.get(limited_hub.url + CONTACTS + "?limit=1", timeout=30)
        answers = [session.get(limited_hub.url + CONTACTS + "/1", timeout=30) for _ in range(100)]
    assert first.headers["X-HubSpot-RateLimit-Max"] == "100"
    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "99"
    assert first.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert {a.status_code for a in answers[:99]} == {404}
    refused = answers[99]
    told = refused.json()
    assert (refused.status_code, told["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    assert (told["errorType"], "category" in told) == ("RATE_LIMIT", False)
    assert "Retry-After" not in refused.headers
    limited_hub.control("clock", {"advance": "10s"})
    assert limited_hub.get(CONTACTS).status_code == 200


def test_the_sixth_search_in_a_second_is_429(
    limited_hub: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited_hub.switch("retry_after", True)
    clock = limited_hub.account.clock
    start = clock.epoch()
    monkeypatch.setattr(clock, "epoch", lambda: start)
    answers = [limited_hub.search("contacts") for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert answers[5].json()["policyName"] == "SECONDLY"
    assert answers[5].headers["Retry-After"] == "1"
    assert limited_hub.get(CONTACTS).status_code == 200, "other calls have a pace of their own"
    monkeypatch.setattr(clock, "epoch", lambda: start + 1)
    assert limited_hub.search("contacts").status_code == 200


def test_the_day_has_an_end_and_begins_at_the_portals_midnight(limited_hub: Portal) -> None:
    limited_hub.control("clock", {"set": "2026-11-24T15:00:00Z"})
    limited_hub.ui("quota", fields={"left": 2})
    path = "/account-info/v3/api-usage/daily/private-apps"
    usage = limited_hub.get(path)
    assert usage.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "1"
    (row,) = usage.json()["results"]
    assert row["usageLimit"] - row["currentUsage"] == 1
    assert row["resetsAt"] == "2026-11-24T16:00:00.000Z"
    assert limited_hub.get(CONTACTS).status_code == 200
    refused = limited_hub.get(CONTACTS)
    assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")
    limited_hub.control("clock", {"advance": "61m"})
    assert limited_hub.get(CONTACTS).status_code == 200


def test_another_edition_has_other_rates(limited_hub: Portal) -> None:
    limited_hub.ui("tier", fields={"tier": "professional"})
    answer = limited_hub.get(CONTACTS)
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "190"
    assert answer.headers["X-HubSpot-RateLimit-Daily"] == "625000"


def test_a_closed_portal_is_a_bad_hub(hub: Portal) -> None:
    token = hub.refresh("2026-03").json()["access_token"]
    hub.ui("close")
    assert hub.get(CONTACTS).status_code == 401
    hub.token = token
    assert hub.get(CONTACTS).status_code == 401
    assert hub.refresh("2026-03").json()["status"] == "BAD_HUB"


def test_the_security_log_takes_a_scope_of_its_own(hub: Portal) -> None:
    path = "/account-info/v3/activity/audit-logs"
    (id,) = hub.live("contacts", 1)
    hub.archive("contacts", id)
    assert hub.get(path).status_code == 403
    hub.ui("grant", fields={"scope": "account-info.security.read"})
    (row,) = hub.get(path).json()["results"]
    assert (row["action"], row["targetObjectId"]) == ("DELETE", id)


def test_custom_properties_are_counted(hub: Portal) -> None:
    told = hub.get("/crm/v3/limits/custom-properties").json()
    assert {row["usage"] for row in told["byObjectType"]} == {3}
    assert told["overallUsage"] == 3 * len(told["byObjectType"])
