"""HubSpot on loopback in trouble, its log, its seeds, and its official client."""

from __future__ import annotations

import json
from typing import Any

import hubspot
import pytest
import requests
from hubspot.crm.objects.exceptions import ApiException

from crm_bridge.simulator import Call
from crm_bridge_hubspot.simulator import HubspotSimulator
from crm_bridge_hubspot.simulator_login import ALL_SCOPES
from crm_bridge_hubspot.simulator_portal import properties_of, values_of
from crm_bridge_hubspot.simulator_seed import Seeds
from crm_bridge_hubspot.simulator_values import judged
from crm_bridge_hubspot.simulator_wire import Asked
from tests.unit.simulators.hubspot_portal import CONTACTS, Portal

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
    hub.search("contacts")
    hub.refresh("2026-03")
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


def test_every_seeded_value_may_be_written_again() -> None:
    account = HubspotSimulator(records=60).accounts[0]
    call = Call("POST", "/crm/v3/objects/x", "", {}, b"")
    asked = Asked(account, call, "v3", ALL_SCOPES)
    for kind in account.store.kinds():
        known = properties_of(account, kind)
        for record in list(account.store.of(kind, "live")):
            values = values_of(account, record)
            own = {name: text for name, text in values.items() if known[name].writable}
            assert judged(asked, kind, own, record) == own, record.ref


def test_of_each_awkward_sort_there_are_three_and_not_too_many() -> None:
    seeds = Seeds(HubspotSimulator(records=1000).accounts[0])
    for kind, awkward in seeds.awkward.items():
        for sort in awkward.sorts:
            assert 3 <= awkward.count(sort) <= 0.02 * awkward.total, (kind, sort)
