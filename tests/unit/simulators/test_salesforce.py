"""Salesforce on loopback: what a delete takes, what an undelete brings back, what is gone."""

from __future__ import annotations

import pytest

from tests.unit.simulators.salesforce_org import SalesforceOrg

# -- ids ------------------------------------------------------------------------------------------


def test_an_id_of_15_letters_is_answered_with_18(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    assert len(id) == 18
    assert sf.get(f"sobjects/Account/{id[:15]}").json()["Id"] == id
    assert sf.query(f"SELECT Id FROM Account WHERE Id = '{id[:15]}'")[0]["Id"] == id
    assert sf.drop(id[:15]) == [""]
    assert sf.rows("undelete", id[:15]) == [(id, True, None)]


def test_ids_that_differ_by_case_only_are_two_records(sf: SalesforceOrg) -> None:
    ids = [id[:15] for id in sf.truths("Task")]
    assert len({id.lower() for id in ids}) < len(set(ids))


def test_a_wrong_suffix_is_no_id(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    wrong = id[:15] + ("AAB" if id[15:] != "AAB" else "AAC")
    assert sf.drop(wrong) == ["MALFORMED_ID"]
    assert sf.state("Account", id) == "live"


@pytest.mark.parametrize(
    ("id", "status", "code"),
    [
        ("rid", 404, "NOT_FOUND"),
        ("003Fj0000000000IAA", 400, "MALFORMED_ID"),
        ("001Fj00000zzzzzIAA"[:15], 404, "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_what_is_no_account_is_refused_in_the_vendors_words(
    sf: SalesforceOrg, id: str, status: int, code: str
) -> None:
    answer = sf.ask("DELETE", f"sobjects/Account/{id}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


# -- deleting -------------------------------------------------------------------------------------


def test_a_second_delete_says_deleted_and_a_purged_id_says_unknown(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    assert sf.ask("DELETE", f"sobjects/Account/{id}").status_code == 204
    again = sf.ask("DELETE", f"sobjects/Account/{id}")
    assert (again.status_code, again.json()) == (
        404, [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}],
    )  # fmt: skip
    assert sf.get(f"sobjects/Account/{id}").json()[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert sf.rows("emptyRecycleBin", id) == [(id, True, None)]
    gone = sf.ask("DELETE", f"sobjects/Account/{id}")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "INVALID_CROSS_REFERENCE_KEY")
    sf.switch("missing_id_code", "ENTITY_IS_DELETED")
    assert sf.drop(id) == ["ENTITY_IS_DELETED"]


def test_what_cascades_goes_along_and_what_does_not_loses_its_lookup(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    deal = sf.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2027-01-01",
                   AccountId=account)  # fmt: skip
    task = sf.make("Task", Subject="Call", Status="Not Started", Priority="Normal", WhatId=deal)
    daughter = sf.make("Account", Name="Daughter", ParentId=account)
    project = sf.make("Project__c", Name="P", Account__c=account)
    assert sf.drop(account) == [""]
    assert [sf.state(k, i) for k, i in (("Contact", contact), ("Opportunity", deal),
                                        ("Task", task))] == ["deleted"] * 3  # fmt: skip
    assert "ParentId" not in sf.truths("Account")[daughter]["fields"]
    assert "Account__c" not in sf.truths("Project__c")[project]["fields"]
    assert sf.state("Account", daughter) == sf.state("Project__c", project) == "live"


@pytest.mark.parametrize("through", ["account", "contact"])
def test_a_case_forbids_the_delete_and_nothing_changes(sf: SalesforceOrg, through: str) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    where = {"AccountId": account} if through == "account" else {"ContactId": contact}
    case = sf.make("Case", Subject="Fails", **where)
    answer = sf.ask("DELETE", f"sobjects/Account/{account}")
    number = sf.get(f"sobjects/Case/{case}").json()["CaseNumber"]
    assert answer.status_code == 400
    assert answer.json() == [{
        "errorCode": "DELETE_FAILED", "fields": [],
        "message": "Your attempt to delete Acme could not be completed because it is associated "
        f"with the following cases.: {number}\n"}]  # fmt: skip
    assert sf.state("Account", account) == sf.state("Contact", contact) == "live"
    assert sf.drop(case, account) == ["", ""]


def test_a_draft_contract_follows_and_an_activated_one_forbids(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contract = sf.make("Contract", AccountId=account, Status="Draft")
    assert sf.ask("PATCH", f"sobjects/Contract/{contract}", {"Status": "Activated"}).ok
    assert sf.drop(account, contract) == ["DELETE_FAILED", "DELETE_FAILED"]
    assert sf.ask("PATCH", f"sobjects/Contract/{contract}", {"Status": "Draft"}).ok
    sf.switch("both_flags", "refuse")
    assert sf.drop(account) == ["DELETE_FAILED"]
    sf.switch("both_flags", "cascade")
    assert sf.drop(account) == [""]
    assert sf.state("Contract", contract) == "deleted"


def test_a_blocker_that_goes_along_does_not_block(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    order = sf.make("Order", AccountId=account, Status="Draft", EffectiveDate="2026-01-01",
                    BillToContactId=contact)  # fmt: skip
    assert sf.drop(contact) == ["DELETE_FAILED"]
    assert sf.drop(account) == [""]
    assert sf.state("Order", order) == "deleted"


def test_opportunities_of_others_and_won_ones_forbid_by_switches(sf: SalesforceOrg) -> None:
    user = sf.ids("User", "Alias = 'u2'")[0]
    account = sf.make("Account", Name="Acme")
    given = {"StageName": "Closed Won", "CloseDate": "2027-01-01", "AccountId": account}
    sf.make("Opportunity", Name="D", OwnerId=user, **given)
    assert sf.drop(account) == ["DELETE_FAILED"]
    sf.switch("others_opportunities", "delete")
    sf.switch("closed_won", "refuse")
    assert sf.drop(account) == ["DELETE_FAILED"]
    sf.switch("closed_won", "delete")
    assert sf.drop(account) == [""]


def test_a_delete_by_relationship_takes_the_parent(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    assert sf.ask("DELETE", f"sobjects/Contact/{contact}/Account").status_code == 204
    assert sf.state("Account", account) == "deleted"


def test_a_record_in_approval_is_not_written_until_somebody_decides(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.ui("lock", "Account", id)
    assert sf.drop(id) == ["ENTITY_IS_LOCKED"]
    answer = sf.ask("PATCH", f"sobjects/Account/{id}", {"Name": "B"})
    assert answer.json()[0]["message"] == "the entity is locked for editing"
    sf.switch("locked_code", "INSUFFICIENT_ACCESS_OR_READONLY")
    assert sf.drop(id) == ["INSUFFICIENT_ACCESS_OR_READONLY"]
    pending = f"SELECT Status FROM ProcessInstance WHERE TargetObjectId = '{id}'"
    assert sf.query(pending)[0]["Status"] == "Pending"
    sf.ui("approve", "Account", id)
    assert sf.query(pending)[0]["Status"] == "Approved"
    assert sf.drop(id) == [""]


def test_a_user_is_not_deletable(sf: SalesforceOrg) -> None:
    user = sf.ids("User")[0]
    assert sf.get("sobjects/User/describe").json()["deletable"] is False
    assert sf.drop(user) == ["INSUFFICIENT_ACCESS_OR_READONLY"]


def test_a_price_in_use_is_archived_by_its_delete(sf: SalesforceOrg) -> None:
    entry = sf.query("SELECT PricebookEntryId FROM OpportunityLineItem LIMIT 1")[0]
    id = entry["PricebookEntryId"]
    assert sf.drop(id) == [""]
    told = sf.get(f"sobjects/PricebookEntry/{id}").json()
    assert (told["IsArchived"], told["IsActive"]) == (True, False)


# -- coming back ----------------------------------------------------------------------------------


def test_an_undelete_brings_back_what_its_delete_took_and_nothing_else(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    early = sf.make("Contact", LastName="Early", AccountId=account)
    late = sf.make("Contact", LastName="Late", AccountId=account)
    sf.drop(early)
    before = sf.truths("Contact")[late]["fields"]
    sf.drop(account)
    assert sf.rows("undelete", account) == [(account, True, None)]
    assert sf.state("Contact", early) == "deleted"
    after = sf.truths("Contact")[late]
    moving = ("LastModifiedDate", "SystemModstamp", "LastModifiedById")
    assert {k: v for k, v in after["fields"].items() if k not in moving} == {
        k: v for k, v in before.items() if k not in moving
    }
    assert sf.rows("undelete", early) == [(early, True, None)]
    assert sf.truths("Contact")[early]["fields"]["AccountId"] == account


def test_a_lookup_comes_back_only_where_nobody_has_filled_it(sf: SalesforceOrg) -> None:
    account, other = sf.make("Account", Name="A"), sf.make("Account", Name="B")
    kept = sf.make("Project__c", Name="P", Account__c=account)
    moved = sf.make("Project__c", Name="Q", Account__c=account)
    sf.drop(account)
    sf.ask("PATCH", f"sobjects/Project__c/{moved}", {"Account__c": other})
    sf.rows("undelete", account)
    assert sf.truths("Project__c")[kept]["fields"]["Account__c"] == account
    assert sf.truths("Project__c")[moved]["fields"]["Account__c"] == other


@pytest.mark.parametrize(("position", "back"), [("published", False), ("all", True)])
def test_a_standard_lookup_outside_the_list_comes_back_by_a_switch(
    sf: SalesforceOrg, position: str, back: bool
) -> None:
    campaign = sf.make("Campaign", Name="C")
    deal = sf.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2027-01-01",
                   CampaignId=campaign)  # fmt: skip
    sf.switch("relink", position)
    sf.drop(campaign)
    sf.rows("undelete", campaign)
    assert ("CampaignId" in sf.truths("Opportunity")[deal]["fields"]) == back


@pytest.mark.parametrize("back", [False, True])
def test_children_that_are_not_undeletable_stay_away(sf: SalesforceOrg, back: bool) -> None:
    sf.switch("dependents_come_back", back)
    deal = sf.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2027-01-01")
    contact = sf.make("Contact", LastName="Li")
    role = sf.make("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    sf.drop(deal)
    assert role in sf.ids("OpportunityContactRole", "IsDeleted = true", all=True)
    assert sf.rows("undelete", role) == [(role, False, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")]
    sf.rows("undelete", deal)
    assert sf.state("OpportunityContactRole", role) == ("live" if back else "deleted")


def test_some_never_reach_the_bin_when_deleted_by_themselves(sf: SalesforceOrg) -> None:
    member = sf.ids("CampaignMember")[0]
    assert sf.drop(member) == [""]
    assert sf.state("CampaignMember", member) == "gone"
    assert sf.drop(member) == ["INVALID_CROSS_REFERENCE_KEY"]


def test_a_child_cannot_come_back_before_its_parent_but_by_a_switch(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    sf.drop(account)
    assert sf.rows("undelete", contact) == [(contact, False, "UNDELETE_FAILED")]
    sf.switch("child_of_deleted", "with_parent")
    assert sf.rows("undelete", contact) == [(contact, True, None)]
    assert sf.state("Account", account) == "live"


def test_a_detail_that_left_before_its_master_stays_away(sf: SalesforceOrg) -> None:
    project = sf.make("Project__c", Name="P")
    line = sf.make("Project_Line__c", Project__c=project)
    sf.drop(line, project)
    assert sf.rows("undelete", line) == [(line, False, "UNDELETE_FAILED")]
    assert sf.rows("undelete", project, line) == [(project, True, None), (line, True, None)]


def test_a_file_comes_back_with_its_version_and_leaves_its_links(sf: SalesforceOrg) -> None:
    document = sf.ids("ContentDocument")[0]
    (version,) = sf.ids("ContentVersion", f"ContentDocumentId = '{document}'")
    (link,) = sf.ids("ContentDocumentLink", f"ContentDocumentId = '{document}'")
    assert sf.drop(version) == ["INSUFFICIENT_ACCESS_OR_READONLY"]
    sf.drop(document)
    assert sf.state("ContentVersion", version) == "deleted"
    sf.rows("undelete", document)
    assert sf.truths("ContentVersion")[version]["state"] == "live"
    assert sf.state("ContentDocumentLink", link) == "deleted"


def test_undelete_tells_each_row_and_faults_for_none(sf: SalesforceOrg) -> None:
    live = sf.make("Account", Name="Acme")
    assert sf.rows("undelete", live, "nonsense") == [
        (live, False, "UNDELETE_FAILED"),
        (None, False, "INVALID_ID_FIELD"),
    ]


# -- leaving for good -----------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "kept"), [(15, "14d"), (30, "29d")])
def test_the_bin_keeps_records_for_the_days_of_the_org(
    sf: SalesforceOrg, days: int, kept: str
) -> None:
    sf.switch("retention", days)
    id = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=id)
    sf.drop(id)
    sf.turn(kept)
    assert sf.state("Account", id) == "deleted"
    sf.turn("2d")
    assert sf.state("Account", id) == sf.state("Contact", contact) == "gone"
    assert sf.rows("undelete", id) == [(id, False, "UNDELETE_FAILED")]


def test_the_second_fortnight_may_be_closed_to_the_api(sf: SalesforceOrg) -> None:
    sf.switch("retention", 30)
    sf.switch("late_undelete", False)
    id = sf.make("Account", Name="Acme")
    sf.drop(id)
    sf.turn("16d")
    assert sf.rows("undelete", id) == [(id, False, "UNDELETE_FAILED")]
    sf.ui("restore", "Account", id)
    assert sf.state("Account", id) == "live"


def test_a_purged_row_is_queried_for_a_day_and_is_not_recoverable(sf: SalesforceOrg) -> None:
    id = sf.make("Account", Name="Acme")
    sf.drop(id)
    sf.rows("emptyRecycleBin", id)
    assert sf.query(f"SELECT IsDeleted, Name FROM Account WHERE Id = '{id}'", all=True)[0][
        "IsDeleted"
    ]
    assert sf.rows("undelete", id) == [(id, False, "UNDELETE_FAILED")]
    assert sf.truths("Account")[id]["fields"] == {}
    sf.turn("25h")
    assert sf.ids("Account", f"Id = '{id}'", all=True) == []


def test_emptying_takes_the_group_and_then_knows_no_child(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    sf.drop(account)
    assert sf.rows("emptyRecycleBin", account, contact) == [
        (account, True, None),
        (contact, False, "INVALID_ID_FIELD"),
    ]
    answer = sf.soap("emptyRecycleBin", contact)
    assert "invalid record id; no recycle bin entry found" in answer.text


def test_an_overfull_bin_drops_its_oldest_after_two_hours(sf: SalesforceOrg) -> None:
    ids = [sf.make("Account", Name=f"A{n}") for n in range(3)]
    sf.drop(ids[0])
    sf.turn("1h")
    sf.drop(ids[1])
    binned = sum(1 for kind in ("Account", "Contact", "Lead", "Opportunity", "Task")
                 for row in sf.truths(kind).values() if row["state"] == "deleted")  # fmt: skip
    sf.ui("edit", "Organization", fields={"BinCapacity": 2})
    sf.turn("90m")
    sf.drop(ids[2])
    assert binned > 3
    assert [sf.state("Account", id) for id in ids] == ["gone", "deleted", "deleted"]


def test_a_hard_delete_skips_the_bin(sf: SalesforceOrg) -> None:
    account = sf.make("Account", Name="Acme")
    contact = sf.make("Contact", LastName="Li", AccountId=account)
    job = sf.job("hardDelete", [account], "Account")
    sf.get(f"jobs/ingest/{job}")
    assert sf.get(f"jobs/ingest/{job}").json()["state"] == "JobComplete"
    assert sf.state("Account", account) == sf.state("Contact", contact) == "gone"


# -- merging --------------------------------------------------------------------------------------


def test_a_merged_lead_points_at_its_master_and_comes_back_without_children(
    sf: SalesforceOrg,
) -> None:
    master, victim = (sf.make("Lead", LastName=n, Company="C") for n in ("Keep", "Lose"))
    task = sf.make("Task", Subject="Call", Status="Not Started", Priority="Normal", WhoId=victim)
    sf.ui("merge", "Lead", victim, into=master)
    row = sf.query(f"SELECT IsDeleted, MasterRecordId FROM Lead WHERE Id = '{victim}'", all=True)[0]
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, master)
    assert sf.truths("Lead")[victim]["merged_into"] == master
    assert sf.rows("undelete", victim) == [(victim, True, None)]
    assert sf.truths("Task")[task]["fields"]["WhoId"] == master


def test_soap_merges_up_to_two_into_one(sf: SalesforceOrg) -> None:
    ids = [sf.make("Account", Name=f"A{n}") for n in range(3)]
    contact = sf.make("Contact", LastName="Li", AccountId=ids[2])
    urn = 'xmlns:urn="urn:partner.soap.sforce.com" xmlns:s="urn:sobject.partner.soap.sforce.com"'
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        f"{urn}><e:Header><urn:SessionHeader><urn:sessionId>{sf.token}</urn:sessionId>"
        "</urn:SessionHeader></e:Header><e:Body><urn:merge><urn:request><urn:masterRecord>"
        f"<s:type>Account</s:type><s:Id>{ids[0]}</s:Id></urn:masterRecord>"
        f"<urn:recordToMergeIds>{ids[1]}</urn:recordToMergeIds>"
        f"<urn:recordToMergeIds>{ids[2]}</urn:recordToMergeIds>"
        "</urn:request></urn:merge></e:Body></e:Envelope>"
    )
    answer = sf.envelope(body)
    assert f"<updatedRelatedIds>{contact}</updatedRelatedIds>" in answer.text
    assert sf.truths("Contact")[contact]["fields"]["AccountId"] == ids[0]
    assert {sf.truths("Account")[id]["merged_into"] for id in ids[1:]} == {ids[0]}


# -- the records it begins with -------------------------------------------------------------------


def test_the_same_seed_gives_the_same_records_and_other_keys(sf: SalesforceOrg) -> None:
    first = {kind: sf.truths(kind) for kind in ("Account", "Contact", "Opportunity", "Note")}
    from crm_bridge.simulator import serving
    from crm_bridge_salesforce.simulator import SalesforceSimulator

    with serving(SalesforceSimulator(records=40)) as url:
        again = SalesforceOrg(SalesforceSimulator(records=40), url)
        assert {kind: again.truths(kind) for kind in first} == first
        assert again.keys["org_id"] != sf.keys["org_id"]


def test_each_awkward_sort_is_there(sf: SalesforceOrg) -> None:
    assert sf.control("reset", {"records": 150}).status_code == 200
    rows = list(sf.truths("Account").values())
    sf.control("reset", {"records": 40})
    live = [row for row in rows if row["state"] == "live"]
    names = [row["fields"]["Name"] for row in rows]
    assert sum("🚀" in name for name in names) >= 3
    assert sum('"' in name for name in names) >= 3
    assert sum(len(name) == 255 for name in names) >= 3
    assert len(names) - len(set(names)) >= 3
    assert sum(row["locked"] for row in live) >= 3
    assert sum(row["merged_into"] is not None for row in rows) >= 3
    assert sum(row["fields"].get("CRM_Bridge_Status__c") == "void" for row in live) >= 3
    assert sum(row["state"] == "deleted" for row in rows) >= 6
    assert sum(row["fields"].get("External_No__c", 0) > 2**53 for row in rows) >= 3


def test_no_live_child_hangs_on_what_is_not_live(sf: SalesforceOrg) -> None:
    kinds = [kind for kind, by in sf.control("state").json()["kinds"].items() if by["live"]]
    truths = {kind: sf.truths(kind) for kind in kinds}
    live = {id for rows in truths.values() for id, row in rows.items() if row["state"] == "live"}
    known = {id for rows in truths.values() for id in rows}
    for kind, rows in truths.items():
        for row in rows.values():
            if row["state"] == "live":
                for name, value in row["fields"].items():
                    assert value not in known - live, (kind, row["id"], name)


def test_the_two_orgs_share_nothing(sf: SalesforceOrg) -> None:
    other = SalesforceOrg(sf.simulator, sf.url, 1)
    other.login()
    assert not set(sf.truths("Account")) & set(other.truths("Account"))
    id = sf.make("Account", Name="Acme")
    assert other.drop(id) == ["INVALID_CROSS_REFERENCE_KEY"]
    assert sf.state("Account", id) == "live"
