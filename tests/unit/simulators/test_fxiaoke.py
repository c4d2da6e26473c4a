"""FxiaoKe's simulator, as plain requests see it: logins, spelling, queries, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crm_bridge.simulator import Call, serving
from crm_bridge_fxiaoke.simulator import FxiaokeSimulator
from tests.unit.simulators.fxiaoke_tenant import CUSTOM, PRESET, PROJECT, Tenant

ACCOUNT, LEAD = "AccountObj", "LeadsObj"


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


@pytest.fixture
def limited() -> Iterator[Tenant]:
    simulator = FxiaokeSimulator(records=10)
    with serving(simulator) as url:
        yield Tenant(simulator, url)


class TestLogin:
    @pytest.mark.parametrize("legacy", [False, True])
    def test_a_wrong_secret_is_answered_as_it_was_recorded(self, fxk: Tenant, legacy: bool) -> None:
        told = fxk.ask_token(legacy, appSecret="test")
        assert told["errorCode"] == 10006
        assert told["errorMessage"] == "the parameter appSecret is missing or illegal"
        assert ("error" in told) is not legacy
        assert fxk.ask_token(legacy, appId="FSAID_test")["errorCode"] == 10006

    def test_a_wrong_permanent_code_has_a_code_of_its_own(self, fxk: Tenant) -> None:
        assert fxk.ask_token(permanentCode="x")["errorCode"] == 20015

    def test_within_6600_seconds_the_token_is_the_same_and_expires_sooner(
        self, fxk: Tenant
    ) -> None:
        first = fxk.ask_token()
        fxk.control("clock", {"advance": "6000s"})
        second = fxk.ask_token()
        assert second["accessToken"] == first["accessToken"]
        assert first["expiresIn"] - second["expiresIn"] in range(5995, 6010)
        assert first["openUserId"] == fxk.keys["corp_id"]

    def test_after_6600_seconds_both_tokens_work_and_after_7200_the_new_one_alone(
        self, fxk: Tenant
    ) -> None:
        old = fxk.header()
        fxk.control("clock", {"advance": "6700s"})
        new = {**old, "authorization": f"Bearer {fxk.ask_token()['accessToken']}"}
        assert new != old
        for header, late in ((old, 0), (new, 0), (old, 20016), (new, 0)):
            if late:
                fxk.control("clock", {"advance": "600s"})
            told = fxk.post("/cgi/crm/v2/object/list", {"data": {}}, header).json()
            assert told["errorCode"] == late

    def test_no_login_and_a_forged_one_are_told_apart(self, fxk: Tenant) -> None:
        none = fxk.post(PRESET + "get", {"data": {}}).json()
        assert (none["errorCode"], none["errorMessage"]) == (
            20017, "corpAccessToken为必填项，不能为空",
        )  # fmt: skip
        assert none["traceId"].startswith("E-O.null.-1000-")
        forged = {**fxk.header(), "authorization": "Bearer FAKE"}
        told = fxk.post(PRESET + "get", {"data": {}}, forged).json()
        assert told["errorCode"] == 20016
        assert told["errorMessage"] == "the cropId,cropAccessToken or authorization is error"

    def test_a_token_holds_for_its_own_enterprise_only(
        self, served: tuple[FxiaokeSimulator, str], fxk: Tenant
    ) -> None:
        other = Tenant(*served, 1)
        mixed = {**fxk.header(), "x-fs-ea": other.keys["ea"]}
        told = fxk.post("/cgi/crm/v2/object/list", {"data": {}}, mixed).json()
        assert told["errorCode"] == 20016

    def test_the_legacy_style_travels_in_the_body(self, fxk: Tenant) -> None:
        token = fxk.ask_token(legacy=True)
        login = {"corpAccessToken": token["corpAccessToken"], "corpId": token["corpId"]}
        found = fxk.post("/cgi/user/getByMobile", {**login, "mobile": "13800001001"}).json()
        (person,) = found["empList"]
        assert person["openUserId"].startswith("FSUID_")
        (id,) = fxk.plain(ACCOUNT)
        body = {
            **login,
            "currentOpenUserId": fxk.keys["user:1000"],
            "data": {"dataObjectApiName": ACCOUNT, "objectDataId": id},
        }
        told = fxk.post(PRESET + "get", body).json()
        assert told["errorCode"] == 0
        assert told["data"]["owner"][0].startswith("FSUID_")
        both = fxk.post(PRESET + "get", body, fxk.header()).json()
        assert both["errorCode"] == 20016, "one style a request, never both"

    def test_somebody_has_to_act(self, fxk: Tenant) -> None:
        header = fxk.header()
        for user, code in (("", 10010), ("4711", 30027)):
            told = fxk.post(
                "/cgi/crm/v2/object/list", {"data": {}}, {**header, "x-fs-userid": user}
            )
            assert told.json()["errorCode"] == code

    def test_an_employee_may_not_void_recover_or_delete(self, fxk: Tenant) -> None:
        (id,) = fxk.plain(ACCOUNT)
        told = fxk.void(ACCOUNT, id, user="1001")
        assert told["errorMessage"] == "没有客户作废权限"


class TestPaths:
    def test_only_posts_are_taken(self, fxk: Tenant) -> None:
        answer = fxk.http.get(f"{fxk.url}{PRESET}get", timeout=10)
        assert answer.status_code == 405
        assert "html" in answer.headers["content-type"]

    def test_unmapped_paths_are_answered_as_they_were_recorded(self, fxk: Tenant) -> None:
        told = fxk.post("/oauth2.0/nothing", {})
        assert told.status_code == 200
        assert told.json()["errorMessage"] == (
            "the request uri=[/oauth2.0/nothing],apiName=[null] is not exists"
        )
        page = fxk.post("/cgi/nothing", {})
        assert page.status_code == 404
        assert "Tengine" in page.text

    def test_every_answer_has_the_envelope(self, fxk: Tenant) -> None:
        told = fxk.call("/cgi/crm/v2/object/list", {})
        assert (told["errorCode"], told["errorMessage"]) == (0, "OK")
        assert told["traceId"].startswith(f"E-O.{fxk.keys['ea']}.1000-")

    @pytest.mark.parametrize(
        ("path", "data"),
        [
            ("get", {"dataObjectApiName": ACCOUNT, "object_data_id": "ID"}),
            ("get", {"apiName": ACCOUNT, "objectDataId": "ID"}),
            ("invalid", {"dataObjectApiName": ACCOUNT, "objectDataId": "ID"}),
            ("invalid", {"dataObjectApiName": ACCOUNT, "idList": ["ID"]}),
            ("invalid", {"dataObjectApiName": ACCOUNT, "object_data_id": ["ID"]}),
            ("recover", {"dataObjectApiName": ACCOUNT, "object_data_id": "ID"}),
            ("recover", {"dataObjectApiName": ACCOUNT, "idList": "ID"}),
            ("delete", {"dataObjectApiName": ACCOUNT, "objectDataId": "ID"}),
            ("delete", {"dataObjectApiName": ACCOUNT, "idList": []}),
            ("changeOwner", {"dataObjectApiName": ACCOUNT, "data": []}),
            ("update", {"dataObjectApiName": ACCOUNT, "object_data": {"_id": "ID"}}),
            ("create", {"dataObjectApiName": ACCOUNT, "object_data": {"name": "x"}}),
            ("choose", {"dataObjectApiName": ACCOUNT, "objectIds": ["ID"]}),
            ("remove", {"apiName": ACCOUNT, "objectIds": ["ID"], "objectPoolId": "x",
                        "isKeepOwner": True}),
            ("query", {"dataObjectApiName": ACCOUNT, "search_query_info": {"limit": 1}}),
        ],
    )  # fmt: skip
    def test_a_wrong_spelling_is_refused_and_changes_nothing(
        self, fxk: Tenant, path: str, data: dict[str, Any]
    ) -> None:
        (id,) = fxk.plain(ACCOUNT)
        before = fxk.truth()
        own = {k: id if v == "ID" else [id] if v == ["ID"] else v for k, v in data.items()}
        assert fxk.call(PRESET + path, own)["errorCode"] == 32000
        assert fxk.truth() == before

    def test_preset_paths_take_no_custom_objects_and_custom_paths_take_both(
        self, fxk: Tenant
    ) -> None:
        (project,), (account,) = fxk.plain(PROJECT), fxk.plain(ACCOUNT)
        asked = {"dataObjectApiName": PROJECT, "objectDataId": project}
        refused = fxk.call(PRESET + "get", asked)["errorCode"]
        assert refused == fxk.account.switches["business_error_code"]
        assert fxk.call(CUSTOM + "get", asked)["errorCode"] == 0
        preset = {"dataObjectApiName": ACCOUNT, "objectDataId": account}
        assert fxk.call(CUSTOM + "get", preset)["errorCode"] == 0
        fxk.control("switches", {"preset_path_accepts_custom": "yes"})
        assert fxk.call(PRESET + "get", asked)["errorCode"] == 0

    def test_a_trace_id_is_asked_for_where_the_switch_says_so(self, fxk: Tenant) -> None:
        def bare() -> int:
            answer = fxk.http.post(
                f"{fxk.url}/cgi/crm/v2/object/list", json={"data": {}}, headers=fxk.header(),
                timeout=10,
            )  # fmt: skip
            return int(answer.json()["errorCode"])

        assert bare() == 0
        fxk.control("switches", {"trace_id_required": True})
        assert bare() == 32000

    def test_codes_of_business_errors_are_new_at_each_start_and_in_no_list(self) -> None:
        codes = set()
        for _ in range(4):
            for account in FxiaokeSimulator(records=1).accounts:
                codes.add(account.switches["business_error_code"])
        assert len(codes) > 1
        assert all(300000 <= code < 400000 for code in codes)


class TestQueries:
    def test_a_limit_above_100_and_a_crooked_offset_are_refused(self, fxk: Tenant) -> None:
        assert fxk.query(ACCOUNT, limit=101)["errorCode"] == 32000
        assert fxk.query(ACCOUNT, limit=10, offset=5)["errorCode"] == 32000
        assert fxk.query(ACCOUNT, limit=10, offset=10)["errorCode"] == 0

    def test_an_offset_above_10000_has_the_code_of_a_missing_token(self, fxk: Tenant) -> None:
        told = fxk.query(ACCOUNT, limit=100, offset=10100)
        assert (told["errorCode"], told["errorMessage"]) == (10013, "offset out of range 10000")

    def test_pages_by_id_walk_over_all(self, fxk: Tenant) -> None:
        found: list[str] = []
        while True:
            after = [("_id", "GT", [found[-1]])] if found else []
            page = fxk.ids(ACCOUNT, *after, limit=7)
            found += page
            if len(page) < 7:
                break
        truth = fxk.truth()
        assert found == sorted(i for (k, i), r in truth.items()
                               if k == ACCOUNT and r["state"] == "live")  # fmt: skip

    def test_the_total_is_0_where_nobody_wants_it(self, fxk: Tenant) -> None:
        path, info = PRESET + "query", {"limit": 1, "offset": 0, "filters": [], "orders": []}
        data = {"dataObjectApiName": ACCOUNT, "search_query_info": info}
        assert fxk.call(path, data)["data"]["total"] > 1
        off = {**data, "find_explicit_total_num": False}
        assert fxk.call(path, off)["data"]["total"] == 0
        assert fxk.call(path, data, returnTotalNum=3)["data"]["total"] == 0

    def test_empty_fields_are_left_out_unless_asked_for(self, fxk: Tenant) -> None:
        row = fxk.query(ACCOUNT, limit=1)["data"]["dataList"][0]
        whole = fxk.query(ACCOUNT, limit=1, top={"includeNull": True})["data"]["dataList"][0]
        assert None not in row.values()
        assert {k for k, v in whole.items() if v is None} >= {"out_owner"}

    @pytest.mark.parametrize(
        ("operator", "values", "holds"),
        [
            ("EQ", ["100"], lambda n: n == 100),
            ("N", ["100"], lambda n: n != 100),
            ("GT", ["100"], lambda n: n > 100),
            ("GTE", ["100"], lambda n: n >= 100),
            ("LT", ["100"], lambda n: n < 100),
            ("LTE", ["100"], lambda n: n <= 100),
            ("BETWEEN", ["50", "500"], lambda n: 50 <= n <= 500),
            ("NBETWEEN", ["50", "500"], lambda n: not 50 <= n <= 500),
            ("IS", [], lambda n: False),
            ("ISN", [], lambda n: True),
        ],
    )
    def test_numbers_compare_as_numbers(
        self, fxk: Tenant, operator: str, values: list[str], holds: Any
    ) -> None:
        live = {i: r for (k, i), r in fxk.truth().items() if k == ACCOUNT and r["state"] == "live"}
        wanted = [i for i, r in live.items() if holds(int(r["fields"]["employees__c"]))]
        assert fxk.ids(ACCOUNT, ("employees__c", operator, values)) == sorted(wanted)

    @pytest.mark.parametrize(
        ("operator", "holds"),
        [
            ("LIKE", lambda name, word: word in name),
            ("NLIKE", lambda name, word: word not in name),
            ("STARTWITH", lambda name, word: name.startswith(word)),
            ("ENDWITH", lambda name, word: name.endswith(word)),
        ],
    )
    def test_texts_compare_as_they_stand(self, fxk: Tenant, operator: str, holds: Any) -> None:
        live = {i: r for (k, i), r in fxk.truth().items() if k == ACCOUNT and r["state"] == "live"}
        word = next(iter(live.values()))["fields"]["name"][-2:]
        wanted = [i for i, r in live.items() if holds(r["fields"]["name"], word)]
        assert fxk.ids(ACCOUNT, ("name", operator, [word])) == sorted(wanted)

    def test_filters_hold_together_and_an_empty_value_is_not_equal(self, fxk: Tenant) -> None:
        notes = fxk.ids(ACCOUNT, ("remark", "N", ["no such note"]))
        assert notes == fxk.ids(ACCOUNT)
        both = fxk.ids(ACCOUNT, ("owner", "IN", ["1000"]), ("owner", "IN", ["1001"]))
        assert both == []

    def test_an_unknown_field_or_operator_is_refused(self, fxk: Tenant) -> None:
        assert fxk.query(ACCOUNT, ("nothing", "EQ", ["x"]))["errorCode"] >= 300000
        assert fxk.query(ACCOUNT, ("name", "NE", ["x"]))["errorCode"] == 32000
        assert fxk.query(ACCOUNT, ("name", "EQ", "x"))["errorCode"] == 32000  # type: ignore[arg-type]


class TestLimits:
    @pytest.mark.parametrize("code", [30004, 14001])
    def test_an_interface_takes_100_calls_in_20_seconds(self, limited: Tenant, code: int) -> None:
        limited.control("switches", {"rate_limit_code": code})
        told = [limited.call("/cgi/crm/v2/object/list", {})["errorCode"] for _ in range(101)]
        assert told == [0] * 100 + [code]
        assert limited.query(ACCOUNT)["errorCode"] == 0, "each interface is counted alone"
        limited.control("clock", {"advance": "21s"})
        assert limited.call("/cgi/crm/v2/object/list", {})["errorCode"] == 0

    def test_a_day_has_so_many_calls_and_begins_at_midnight_in_china(self, limited: Tenant) -> None:
        limited.control("clock", {"set": "2026-11-24T15:59:00Z"})
        limited.control("switches", {"daily_quota": 2})
        told = [limited.call("/cgi/crm/v2/object/list", {})["errorCode"] for _ in range(3)]
        assert told == [0, 0, 30002]
        limited.control("clock", {"set": "2026-11-24T16:00:01Z"})
        assert limited.call("/cgi/crm/v2/object/list", {})["errorCode"] == 0
        limited.control("switches", {"daily_quota": 0})
        assert limited.call("/cgi/crm/v2/object/list", {})["errorCode"] == 30003

    def test_a_token_is_asked_for_10_times_a_minute(self, limited: Tenant) -> None:
        told = [limited.ask_token()["errorCode"] for _ in range(11)]
        assert told == [0] * 10 + [30004]
        limited.control("clock", {"advance": "61s"})
        assert limited.ask_token()["errorCode"] == 0

    def test_two_token_calls_at_once_are_one_too_many(self) -> None:
        simulator = FxiaokeSimulator(records=1)
        keys = simulator.accounts[0].keys
        body = {
            "appId": keys["app_id"], "appSecret": keys["app_secret"],
            "permanentCode": keys["permanent_code"], "grantType": "app_secret",
        }  # fmt: skip
        calls = [Call("POST", "/oauth2.0/token", "", {}, json.dumps(body).encode()) for _ in "12"]
        for call in calls:
            call.account = simulator.account_of(call)
            simulator.arrive(call)
        told = [json.loads(simulator.handle(call).body)["errorCode"] for call in calls]  # type: ignore[union-attr,arg-type]
        assert told == [0, 14001]
