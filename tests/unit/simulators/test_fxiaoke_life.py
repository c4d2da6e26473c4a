"""FxiaoKe's simulator: what becomes of records, and what a person does; plain requests only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from crm_bridge.simulator import serving
from crm_bridge_fxiaoke.simulator import FxiaokeSimulator
from tests.unit.simulators.fxiaoke_tenant import CUSTOM, LINE, PRESET, PROJECT, Tenant

ACCOUNT, LEAD, MONEY = "AccountObj", "LeadsObj", "CustomerAccountObj"
GONE_TEXT = "数据已作废或已删除"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FxiaokeSimulator, str]]:
    simulator = FxiaokeSimulator(records=40, limits=False)
    with serving(simulator) as url:
        yield simulator, url


@pytest.fixture
def fxk(served: tuple[FxiaokeSimulator, str]) -> Tenant:
    tenant = Tenant(*served)
    tenant.control("reset", {})
    return tenant


def of(fxk: Tenant, kind: str, **fields: Any) -> list[dict[str, Any]]:
    return [
        r for (k, _), r in sorted(fxk.truth().items())
        if k == kind and all(r["fields"].get(n) == v for n, v in fields.items())
    ]  # fmt: skip


class TestVoid:
    def test_a_void_takes_details_along_and_leaves_lookups_alone(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(ACCOUNT)
        before = fxk.truth()
        assert fxk.void(ACCOUNT, id)["errorCode"] == 0
        after = fxk.truth()
        told = after[ACCOUNT, id]
        assert (told["state"], told["fields"]["life_status"]) == ("voided", "invalid")
        assert told["fields"]["is_deleted"] is True
        assert told["fields"]["life_status_before_invalid"] == "normal"
        changed = {key for key in after if after[key] != before[key]}
        kinds = {kind for kind, _ in changed}
        assert kinds <= {ACCOUNT, "AccountAddrObj", "AccountFinInfoObj", MONEY}
        assert MONEY in kinds
        assert all(after[key]["state"] == "voided" for key in changed)

    def test_what_is_voided_is_hidden_and_cannot_be_written(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.void(LEAD, id)
        assert fxk.ids(LEAD, ("_id", "EQ", [id])) == []
        assert fxk.get(LEAD, id)["errorMessage"] == GONE_TEXT
        data = {"object_data": {"_id": id, "dataObjectApiName": LEAD, "company": "x"}}
        assert fxk.call(PRESET + "update", data)["errorMessage"] == GONE_TEXT

    @pytest.mark.parametrize(
        ("act", "text"), [("lock", "数据已锁定，不可作废"), ("require_approval", "变更中不可作废")]
    )
    def test_what_a_lock_or_an_approval_holds_is_not_voided(
        self, fxk: Tenant, act: str, text: str
    ) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.ui(act, LEAD, [id])
        if act == "require_approval":
            assert fxk.void(LEAD, id)["errorCode"] == 0
        assert fxk.void(LEAD, id)["errorMessage"] == text

    def test_what_the_rules_refuse_is_made_by_a_person(self, fxk: Tenant) -> None:
        review, pooled, paid, rebate = ids = fxk.plain(ACCOUNT, 4)
        fxk.ui("edit", ACCOUNT, [review], fields={"life_status": "under_review"})
        pool = of(fxk, "HighSeasObj")[0]["id"]
        fxk.ui("edit", ACCOUNT, [pooled], fields={"high_seas_id": pool, "owner": None})
        for id, field in ((paid, "prepay_balance"), (rebate, "rebate_balance")):
            (money,) = of(fxk, MONEY, customer_id=id)
            fxk.ui("edit", MONEY, [money["id"]], fields={field: "300.00"})
        assert [fxk.void(ACCOUNT, id)["errorMessage"] for id in ids] == [
            "审核中不可作废", "无此操作的数据权限",
            "预存款金额不为零，无法作废！", "返利金额不为零，无法作废！",
        ]  # fmt: skip

    def test_every_live_record_of_the_seed_that_is_not_locked_can_be_voided(
        self, fxk: Tenant
    ) -> None:
        for kind in (ACCOUNT, LEAD):
            live = [r for r in of(fxk, kind) if r["state"] == "live" and not r["locked"]]
            assert {fxk.void(kind, r["id"])["errorMessage"] for r in live} == {"OK"}

    def test_money_is_voided_with_its_account_only(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(ACCOUNT)
        (money,) = of(fxk, MONEY, customer_id=id)
        assert fxk.void(MONEY, money["id"])["errorMessage"] == "不可作废，随主对象作废"
        fxk.void(ACCOUNT, id)
        assert of(fxk, MONEY, customer_id=id)[0]["locked"]

    def test_lists_of_custom_objects_go_by_the_older_path_only(self, fxk: Tenant) -> None:
        ids = fxk.plain(PROJECT, 3)
        data = {"dataObjectApiName": PROJECT, "idList": ids}
        assert fxk.call("/cgi/crm/custom/data/invalid", data, user="1001")["errorMessage"] == (
            "Bad Request"
        )
        assert fxk.call("/cgi/crm/custom/data/invalid", data)["errorCode"] == 0
        assert {fxk.truth()[PROJECT, id]["state"] for id in ids} == {"voided"}
        data = {"dataObjectApiName": ACCOUNT, "idList": fxk.plain(ACCOUNT, 2)}
        assert fxk.call("/cgi/crm/custom/data/invalid", data)["errorCode"] >= 300000

    @pytest.mark.parametrize(("value", "code"), [("ok", 0), ("error", None)])
    def test_a_second_void_is_a_switch(self, fxk: Tenant, value: str, code: int | None) -> None:
        fxk.control("switches", {"void_twice": value})
        (id,) = fxk.plain(LEAD)
        fxk.void(LEAD, id)
        told = fxk.void(LEAD, id)["errorCode"]
        assert told == (fxk.account.switches["business_error_code"] if code is None else code)

    def test_what_is_not_in_effect_is_voided_unless_the_switch_refuses(self, fxk: Tenant) -> None:
        ids = fxk.plain(ACCOUNT, 2)
        fxk.ui("edit", ACCOUNT, ids, fields={"life_status": "ineffective"})
        assert fxk.void(ACCOUNT, ids[0])["errorCode"] == 0
        fxk.control("switches", {"void_ineffective": "refuse"})
        assert fxk.void(ACCOUNT, ids[1])["errorMessage"] == "未生效的数据不可作废"
        fxk.many("recover", ACCOUNT, ids[:1])
        assert fxk.truth()[ACCOUNT, ids[0]]["fields"]["life_status"] == "ineffective"

    @pytest.mark.parametrize("name", ["is_deleted", "life_status"])
    def test_the_filter_that_shows_voided_rows_is_a_switch(self, fxk: Tenant, name: str) -> None:
        filters = {"is_deleted": True, "life_status": "invalid"}
        fxk.control("switches", {"voided_query": name})
        shown = {n: fxk.ids(LEAD, (n, "EQ", [v])) for n, v in filters.items()}
        assert [n for n, ids in shown.items() if ids] == [name]
        fxk.control("switches", {"voided_query": "never"})
        assert fxk.ids(LEAD, (name, "EQ", [filters[name]])) == []

    @pytest.mark.parametrize("value", ["row", "error", "empty"])
    def test_what_a_get_makes_of_a_voided_record_is_a_switch(self, fxk: Tenant, value: str) -> None:
        fxk.control("switches", {"voided_get": value})
        (id,) = fxk.plain(LEAD)
        fxk.void(LEAD, id)
        told = fxk.get(LEAD, id)
        assert (told["errorCode"] == 0) is (value != "error")
        assert bool(told.get("data")) is (value == "row")


class TestApproval:
    def test_a_void_waits_for_its_approval_and_passes_with_its_details(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(ACCOUNT)
        fxk.ui("require_approval", ACCOUNT)
        assert fxk.void(ACCOUNT, id)["errorCode"] == 0
        row = fxk.get(ACCOUNT, id)["data"]
        assert (row["life_status"], row["lock_status"]) == ("in_change", "1")
        assert {r["state"] for r in of(fxk, MONEY, customer_id=id)} == {"live"}
        (flow,) = fxk.call("/cgi/crm/object/approvalInstances/query", dataId=id)["instances"]
        assert (flow["triggerType"], flow["state"]) == ("Invalid", "in_progress")
        told = fxk.call("/cgi/crm/approvalInstance/get", instanceId=flow["instanceId"])
        assert told["instanceDetail"]["instance"]["dataId"] == id
        fxk.ui("approve", ACCOUNT, [id])
        assert fxk.truth()[ACCOUNT, id]["state"] == "voided"
        assert {r["state"] for r in of(fxk, MONEY, customer_id=id)} == {"voided"}
        (flow,) = fxk.call("/cgi/crm/object/approvalInstances/query", dataId=id)["instances"]
        assert flow["state"] == "pass"

    @pytest.mark.parametrize("how", ["reject", "cancel"])
    def test_one_that_is_turned_down_or_withdrawn_is_as_it_was(self, fxk: Tenant, how: str) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.ui("require_approval", LEAD, [id])
        fxk.void(LEAD, id)
        if how == "reject":
            fxk.ui("reject", LEAD, [id])
        else:
            data = {"objectId": id, "entityId": LEAD, "opinion": "no"}
            assert fxk.call("/cgi/crm/v2/special/approval/instance/cancel", data)["errorCode"] == 0
        told = fxk.truth()[LEAD, id]
        assert (told["state"], told["locked"]) == ("live", False)
        assert told["fields"]["life_status"] == "normal"

    def test_nobody_passes_what_does_not_wait(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        body = {"act": "approve", "kind": LEAD, "ids": [id]}
        assert "no approval" in fxk.control("ui", body, status=400)["error"]


class TestRecover:
    def test_what_went_along_comes_back_and_what_was_voided_before_does_not(
        self, fxk: Tenant
    ) -> None:
        lines = [r for r in of(fxk, LINE) if r["state"] == "live"]
        project = lines[0]["fields"]["field_proj1__c"]
        own = [r["id"] for r in of(fxk, LINE, field_proj1__c=project) if r["state"] == "live"]
        fxk.void(LINE, own[0])
        fxk.void(PROJECT, project)
        assert fxk.many("recover", PROJECT, [project])["errorCode"] == 0
        truth = fxk.truth()
        assert truth[PROJECT, project]["fields"]["life_status"] == "normal"
        assert truth[LINE, own[0]]["state"] == "voided"
        assert {truth[LINE, id]["state"] for id in own[1:]} <= {"live"}

    def test_details_stay_behind_where_the_switch_says_so(self, fxk: Tenant) -> None:
        fxk.control("switches", {"recover_cascade": "record"})
        (id,) = fxk.plain(ACCOUNT)
        fxk.void(ACCOUNT, id)
        fxk.many("recover", ACCOUNT, [id])
        assert fxk.truth()[ACCOUNT, id]["state"] == "live"
        assert of(fxk, MONEY, customer_id=id)[0]["state"] == "voided"

    def test_a_detail_of_a_voided_master_does_not_come_back_alone(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(ACCOUNT)
        fxk.void(ACCOUNT, id)
        (money,) = of(fxk, MONEY, customer_id=id)
        assert "请恢复关联对象" in fxk.many("recover", MONEY, [money["id"]])["errorMessage"]

    def test_some_objects_never_come_back(self, fxk: Tenant) -> None:
        (id,) = fxk.plain("DeliveryNoteObj")
        fxk.void("DeliveryNoteObj", id)
        told = fxk.many("recover", "DeliveryNoteObj", [id])["errorMessage"]
        assert told == "发货单不允许恢复"

    @pytest.mark.parametrize("partial", ["all_or_nothing", "first_failure_stops"])
    def test_one_bad_id_in_a_list_is_a_switch(self, fxk: Tenant, partial: str) -> None:
        fxk.control("switches", {"list_partial": partial})
        ids = fxk.plain(LEAD, 3)
        for id in (ids[0], ids[2]):
            fxk.void(LEAD, id)
        assert fxk.many("recover", LEAD, ids)["errorMessage"] == "数据未作废，不可恢复"
        states = [fxk.truth()[LEAD, id]["state"] for id in ids]
        first = "voided" if partial == "all_or_nothing" else "live"
        assert states == [first, "live", "voided"]


class TestDelete:
    def test_only_what_is_voided_is_deleted_and_for_ever(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        assert fxk.many("delete", LEAD, [id])["errorMessage"] == "只能删除已作废的数据"
        fxk.void(LEAD, id)
        assert fxk.many("delete", LEAD, [id])["errorCode"] == 0
        told = fxk.truth()[LEAD, id]
        assert (told["state"], told["fields"]) == ("gone", {})
        assert fxk.many("recover", LEAD, [id])["errorMessage"] == GONE_TEXT
        assert fxk.many("delete", LEAD, [id])["errorMessage"] == GONE_TEXT

    def test_details_go_and_lookups_are_emptied(self, fxk: Tenant) -> None:
        contact = next(r for r in of(fxk, "ContactObj") if r["fields"].get("account_id")
                       in fxk.plain(ACCOUNT, 30) and r["state"] == "live")  # fmt: skip
        id = contact["fields"]["account_id"]
        fxk.void(ACCOUNT, id)
        fxk.many("delete", ACCOUNT, [id])
        truth = fxk.truth()
        assert of(fxk, MONEY, customer_id=id) == []
        assert truth["ContactObj", contact["id"]]["state"] == "live"
        assert "account_id" not in truth["ContactObj", contact["id"]]["fields"]

    def test_what_does_not_allow_it_keeps_its_target(self, fxk: Tenant) -> None:
        project = next(r for r in of(fxk, PROJECT) if r["fields"].get("field_guar1__c"))
        id = project["fields"]["field_guar1__c"]
        assert fxk.void(ACCOUNT, id)["errorCode"] == 0
        assert fxk.many("delete", ACCOUNT, [id])["errorMessage"] == "数据被项目引用，不允许删除"

    def test_price_book_products_need_no_void_and_respect_a_lock(self, fxk: Tenant) -> None:
        first, second = fxk.plain("PriceBookProductObj", 2)
        fxk.ui("lock", "PriceBookProductObj", [second])
        assert fxk.many("delete", "PriceBookProductObj", [first])["errorCode"] == 0
        told = fxk.many("delete", "PriceBookProductObj", [second])["errorMessage"]
        assert told == "数据已锁定，不可删除"


class TestWrites:
    def test_a_create_keeps_time_and_author_where_it_is_asked_to(self, fxk: Tenant) -> None:
        given = {"dataObjectApiName": LEAD, "name": "甲", "create_time": 1500000000000,
                 "created_by": ["1002"], "life_status": "invalid"}  # fmt: skip
        top = {"hasSpecifyTime": True, "hasSpecifyCreatedBy": True}
        plain = fxk.call(PRESET + "create", {"object_data": given})["dataId"]
        kept = fxk.call(PRESET + "create", {"object_data": given}, **top)["dataId"]
        truth = fxk.truth()
        assert truth[LEAD, kept]["fields"]["create_time"] == 1500000000000
        assert truth[LEAD, kept]["fields"]["created_by"] == ["1002"]
        assert truth[LEAD, plain]["fields"]["create_time"] > 1500000000000
        assert truth[LEAD, plain]["fields"]["created_by"] == ["1000"]
        assert truth[LEAD, plain]["fields"]["life_status"] == "normal"

    def test_an_answer_for_a_custom_object_may_name_no_id(self, fxk: Tenant) -> None:
        given = {"object_data": {"dataObjectApiName": PROJECT, "name": "甲"}}
        assert fxk.call(CUSTOM + "create", given)["dataId"]
        fxk.control("switches", {"create_custom_returns_dataId": "no"})
        assert "dataId" not in fxk.call(CUSTOM + "create", given)

    @pytest.mark.parametrize(
        ("fields", "text"),
        [({"owner": ["1001"]}, "不可编辑"), ({"life_status": "normal"}, "不可编辑"),
         ({"account_id__r": "x"}, "不可编辑"), ({"nothing__c": "x"}, "不存在"),
         ({"name": ""}, "必填"), ({"name": 5}, "不是文本"), ({"account_id": "0" * 24}, GONE_TEXT)],
    )  # fmt: skip
    def test_an_update_writes_what_may_be_written(
        self, fxk: Tenant, fields: dict[str, Any], text: str
    ) -> None:
        (id,) = fxk.plain("ContactObj")
        before = fxk.truth()
        data = {"object_data": {"_id": id, "dataObjectApiName": "ContactObj", **fields}}
        assert text in fxk.call(PRESET + "update", data)["errorMessage"]
        assert fxk.truth() == before

    def test_a_lock_reaches_details_where_it_is_asked_to(self, fxk: Tenant) -> None:
        own = next(r for r in of(fxk, LINE) if r["state"] == "live")
        project = own["fields"]["field_proj1__c"]
        for strategy, locked in ((0, False), (1, True)):
            data = {"dataObjectApiName": PROJECT, "dataIds": [project],
                    "detailObjStrategy": strategy}  # fmt: skip
            assert fxk.call("/cgi/crm/v2/object/lock", data)["errorCode"] == 0
            assert fxk.truth()[PROJECT, project]["locked"]
            assert fxk.truth()[LINE, own["id"]]["locked"] is locked
        data = {"dataObjectApiName": PROJECT, "dataIds": [project], "detailObjStrategy": 1}
        fxk.call("/cgi/crm/v2/object/unlock", data)
        assert not fxk.truth()[LINE, own["id"]]["locked"]

    def test_pools_are_claimed_from_and_returned_to(self, fxk: Tenant) -> None:
        (id,), pool = fxk.plain(ACCOUNT), of(fxk, "HighSeasObj")[0]["id"]
        fxk.ui("edit", ACCOUNT, [id], fields={"high_seas_id": pool, "owner": None})
        assert fxk.void(ACCOUNT, id)["errorMessage"] == "无此操作的数据权限"
        assert (
            fxk.call(PRESET + "choose", {"apiName": ACCOUNT, "objectIds": [id]})["errorCode"] == 0
        )
        assert fxk.truth()[ACCOUNT, id]["fields"]["owner"] == ["1000"]
        data = {"apiName": ACCOUNT, "objectIds": [id], "objectPoolId": pool, "backReason": "1"}
        assert fxk.call(PRESET + "return", data)["errorCode"] == 0
        assert "owner" not in fxk.truth()[ACCOUNT, id]["fields"]
        data = {"apiName": ACCOUNT, "objectIDs": [id], "objectPoolId": pool, "isKeepOwner": False}
        assert fxk.call(PRESET + "remove", data)["errorCode"] == 0
        assert "high_seas_id" not in fxk.truth()[ACCOUNT, id]["fields"]

    def test_an_owner_is_changed_by_a_call_of_its_own(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        data = {"dataObjectApiName": LEAD, "Data": [{"objectDataId": id, "ownerId": ["1002"]}]}
        assert fxk.call(PRESET + "changeOwner", data)["errorCode"] == 0
        assert fxk.truth()[LEAD, id]["fields"]["owner"] == ["1002"]

    def test_a_connection_is_cut_after_the_change_was_made(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.header()
        fxk.control("switches", {"drop_after_write": "on"})
        with pytest.raises(requests.ConnectionError):
            fxk.void(LEAD, id)
        assert fxk.truth()[LEAD, id]["state"] == "voided"
        assert fxk.query(LEAD)["errorCode"] == 0, "reads are answered"


class TestGround:
    def test_describes_tell_types_targets_and_what_a_delete_does(self, fxk: Tenant) -> None:
        objects = fxk.call("/cgi/crm/v2/object/list", {})["data"]["objects"]
        kinds = {o["describeApiName"]: o["defineType"] for o in objects}
        assert (kinds[ACCOUNT], kinds[PROJECT]) == ("package", "custom")
        data = {"apiName": PROJECT}
        told = fxk.call("/cgi/crm/v2/object/describe", data, includeDetail=True)["data"]["describe"]
        guarantor = told["fields"]["field_guar1__c"]
        assert guarantor["target_api_name"] == ACCOUNT
        assert guarantor["action_on_target_delete"] == "do_not_allow"
        line = fxk.call("/cgi/crm/v2/object/describe", {"apiName": LINE})["data"]["describe"]
        assert line["fields"]["field_proj1__c"]["type"] == "master_detail"

    def test_the_marker_field_is_there_unless_the_switch_takes_it_away(self, fxk: Tenant) -> None:
        def fields(kind: str) -> dict[str, Any]:
            told = fxk.call("/cgi/crm/v2/object/describe", {"apiName": kind})
            return dict(told["data"]["describe"]["fields"])

        for kind in (ACCOUNT, "ContactObj", LEAD, "NewOpportunityObj", PROJECT):
            assert "crm_bridge_status__c" in fields(kind)
        fxk.control("switches", {"marker_field": False})
        assert "crm_bridge_status__c" not in fields(ACCOUNT)

    def test_the_same_seed_gives_the_same_records_and_other_secrets(self) -> None:
        first, second = (FxiaokeSimulator(seed=7, records=20) for _ in "12")
        for one, other in zip(first.accounts, second.accounts, strict=True):
            assert one.keys["app_secret"] != other.keys["app_secret"]
            for kind in (ACCOUNT, LEAD, PROJECT, MONEY):
                mine, theirs = (
                    [(r.id, r.state, r.fields) for r in a.store.after(kind, None, "live", "voided")]
                    for a in (one, other)
                )
                assert mine == theirs

    def test_two_accounts_share_nothing(self, served: tuple[FxiaokeSimulator, str]) -> None:
        one, other = (Tenant(*served, index) for index in (0, 1))
        assert not {id for _, id in one.truth()} & {id for _, id in other.truth()}
        assert one.keys["ea"] != other.keys["ea"]

    def test_a_merge_moves_lookups_and_voids_the_loser(self, fxk: Tenant) -> None:
        contact = next(r for r in of(fxk, "ContactObj") if r["state"] == "live"
                       and r["fields"].get("account_id") in fxk.plain(ACCOUNT, 30))  # fmt: skip
        loser = contact["fields"]["account_id"]
        winner = next(id for id in fxk.plain(ACCOUNT, 30) if id != loser)
        fxk.ui("merge", ACCOUNT, [loser], into=winner)
        truth = fxk.truth()
        assert truth[ACCOUNT, loser]["merged_into"] == winner
        assert truth[ACCOUNT, loser]["state"] == "voided"
        assert truth["ContactObj", contact["id"]]["fields"]["account_id"] == winner

    def test_a_right_is_revoked_and_granted_again(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.ui("revoke", LEAD, fields={"right": "void"})
        assert fxk.void(LEAD, id)["errorMessage"] == "没有销售线索作废权限"
        fxk.ui("grant", LEAD, fields={"right": "void"})
        assert fxk.void(LEAD, id)["errorCode"] == 0

    def test_an_act_that_nobody_knows_is_refused_with_those_that_are(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        told = fxk.control("ui", {"act": "dance", "kind": LEAD, "ids": [id]}, status=400)
        assert "approve" in told["error"]

    def test_the_log_tells_writes_from_reads(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(LEAD)
        fxk.query(LEAD, ("_id", "IN", [id]))
        fxk.void(LEAD, id)
        import json

        lines = [json.loads(line) for line in fxk.control("log").splitlines()]
        last = {line["path"]: line for line in lines}
        assert not last[PRESET + "query"]["write"]
        assert last[PRESET + "query"]["ids"] == [id]
        assert last[PRESET + "invalid"]["write"]
        assert f"{LEAD}/{id}" in last[PRESET + "invalid"]["changed"]
        assert not last["/oauth2.0/token"]["write"]

    def test_the_ready_settings_name_marks_for_every_object_that_may_be_marked(
        self, fxk: Tenant, served: tuple[FxiaokeSimulator, str]
    ) -> None:
        table = served[0].settings(fxk.account, served[1])
        assert table["environment"] == "simulator"
        assert set(table["marks"]) >= {ACCOUNT, "ContactObj", LEAD, "NewOpportunityObj", PROJECT}
