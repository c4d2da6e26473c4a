"""What is FxiaoKe's own: two logins, codes in HTTP 200, approvals, hidden voids, lists, remakes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.kit import (
    Batch,
    Busy,
    Capability,
    Change,
    Condition,
    Effect,
    Finding,
    Operation,
    Outcome,
    RecordRef,
    Rejected,
    Secret,
    SettingsError,
    State,
    Support,
    Unauthorized,
    Undo,
    Unreachable,
    Verdict,
)
from crm_bridge.simulator import serving
from crm_bridge.testing.bench import Bench, connect
from crm_bridge.testing.ground import SimulatedGround
from crm_bridge_fxiaoke.adapter import FxiaokeAdapter
from crm_bridge_fxiaoke.client import exact_json
from crm_bridge_fxiaoke.profile import PROFILE
from crm_bridge_fxiaoke.settings import FxiaokeSettings, checked_url
from crm_bridge_fxiaoke.simulator import FxiaokeSimulator

ACCOUNT, LEAD, PROJECT = "AccountObj", "LeadsObj", "object_Pj7x2__c"
MARK = "crm_bridge_status__c"
INVALID = "/cgi/crm/v2/data/invalid"
TOKENS = ("/oauth2.0/token", "/cgi/corpAccessToken/get/V2")


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatedGround]:
    simulator = FxiaokeSimulator(records=40, limits=False)
    with serving(simulator) as url:
        yield SimulatedGround(simulator, url)


@pytest.fixture
def ground(
    served: SimulatedGround, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SimulatedGround:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    served.reset()
    return served


@pytest.fixture
def bench(ground: SimulatedGround) -> Bench:
    return connect(FxiaokeAdapter, ground, "fxk")


def rows(operation: Operation, kind: str, support: Support = Support.NATIVE) -> list[Capability]:
    return [r for r in PROFILE.rows(operation, kind) if r.support is support]


def void(bench: Bench, *refs: RecordRef) -> list[Outcome]:
    row = rows(Operation.VOID, refs[0].kind)[0]
    return [one for ref in refs for one in bench.adapter.void(bench.batch(row, [ref]))]


def fault(bench: Bench, code: int, path: str = "", times: int = 1, **more: Any) -> None:
    do = {"error_code": code, **more}
    bench.ground._control("faults", bench.crm, {"match": {"path": path}, "times": times, "do": do})  # type: ignore[attr-defined]


def logged(bench: Bench, *paths: str) -> int:
    return sum(line.path in paths for line in bench.arrived())


class TestLogin:
    @pytest.mark.parametrize("how", ["open_user_id", "mobile"])
    def test_the_legacy_style_voids_and_brings_back(
        self, ground: SimulatedGround, how: str
    ) -> None:
        account = ground.simulator.accounts[0]
        who = {"open_user_id": account.keys["user:1000"], "mobile": "13800001000"}[how]
        bench = connect(FxiaokeAdapter, ground, "fxk", auth="legacy", user_id="", **{how: who})
        assert bench.adapter.whoami().org == account.keys["corp_id"]
        (ref,) = bench.plain(LEAD, 1)
        assert void(bench, ref)[0].verdict is Verdict.DONE
        assert bench.read([ref])[ref].state is State.VOIDED
        row = rows(Operation.RESTORE, LEAD)[0]
        assert bench.apply(row, [ref])[ref].verdict is Verdict.DONE
        true = bench.true(ref)
        assert true is not None
        assert true.state == "live"
        assert logged(bench, TOKENS[0]) == 0

    def test_a_legacy_remake_keeps_its_author(self, ground: SimulatedGround) -> None:
        who = ground.simulator.accounts[0].keys["user:1000"]
        bench = connect(FxiaokeAdapter, ground, "fxk", auth="legacy", user_id="", open_user_id=who)
        making = rows(Operation.RESTORE, LEAD, Support.REMADE)[0]
        (ref,) = bench.plain(LEAD, 1)
        bench.bring(making, [ref])
        before = bench.whole[ref]
        new = bench.apply(making, [ref])[ref].new_ref
        assert new is not None
        after = bench.read([new])[new]
        for name in ("created_by", "create_time", "owner"):
            assert after.fields[name] == before.fields[name]

    def test_a_mobile_that_nobody_has_is_told(self, ground: SimulatedGround) -> None:
        bench = connect(
            FxiaokeAdapter, ground, "fxk", auth="legacy", user_id="", mobile="13900000000"
        )
        with pytest.raises(Unauthorized, match="0 employees"):
            bench.adapter.whoami()

    def test_processes_share_one_token(self, ground: SimulatedGround) -> None:
        benches = [connect(FxiaokeAdapter, ground, "fxk") for _ in range(3)]
        orgs = {bench.adapter.whoami().org for bench in benches}
        assert len(orgs) == 1
        assert logged(benches[0], *TOKENS) == 1

    def test_threads_ask_for_one_token_between_them(self, bench: Bench) -> None:
        start, troubles = threading.Barrier(6), []

        def look() -> None:
            try:
                start.wait(10)
                bench.adapter.whoami()
            except Exception as error:
                troubles.append(error)

        lanes = [threading.Thread(target=look) for _ in range(6)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join(30)
        assert troubles == []
        assert logged(bench, *TOKENS) == 1

    def test_a_token_that_died_is_replaced_and_the_dead_one_forgotten(self, bench: Bench) -> None:
        bench.adapter.whoami()
        bench.ground.turn(bench.crm, timedelta(hours=3))
        with pytest.raises(Unauthorized) as caught:
            bench.adapter.whoami()
        assert caught.value.renewable
        bench.adapter.renew()
        bench.adapter.whoami()
        later = connect(FxiaokeAdapter, bench.ground, bench.crm)
        later.adapter.whoami()
        assert logged(bench, *TOKENS) == 2

    def test_a_wrong_secret_cannot_be_renewed(self, ground: SimulatedGround) -> None:
        for name in ("app_secret", "permanent_code"):
            bench = connect(FxiaokeAdapter, ground, "fxk", **{name: "wrong-secret-7f3a"})
            with pytest.raises(Unauthorized) as caught:
                bench.adapter.whoami()
            assert not caught.value.renewable
            assert "wrong-secret-7f3a" not in str(caught.value)

    def test_personnel_that_is_not_shared_hides_no_account(self, bench: Bench) -> None:
        bench.ground.act(bench.crm, "revoke", "PersonnelObj", [], fields={"right": "read"})
        account = bench.adapter.whoami()
        assert account.org == bench.ground.simulator.accounts[0].keys["ea"]  # type: ignore[attr-defined]
        assert account.user == "1000"

    def test_an_employee_that_does_not_exist_is_no_account(self, ground: SimulatedGround) -> None:
        bench = connect(FxiaokeAdapter, ground, "fxk", user_id="4711")
        with pytest.raises(Rejected, match=r"30027|员工不存在"):
            bench.adapter.whoami()


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        ["open.fxiaoke.com", "open-hwcloud.fxiaoke.com", "open-ale.fxiaoke.com",
         "open-hws.fxiaoke.com", "open-ksc.sharecrm.com", "open-na.sharecrm.com"],
    )  # fmt: skip
    def test_every_cloud_of_the_vendor_is_spoken_to(self, host: str) -> None:
        assert checked_url(_settings(f"https://{host}")) == f"https://{host}"

    def test_none_named_is_the_default_cloud(self) -> None:
        assert checked_url(_settings("")) == "https://open.fxiaoke.com"

    @pytest.mark.parametrize(
        "url",
        ["https://www.fxiaoke.com", "http://open.fxiaoke.com", "https://open.fxiaoke.com.evil.test",
         "https://openfxiaoke.com", "https://open.fxiaoke.com@evil.test"],
    )  # fmt: skip
    def test_what_is_no_host_of_the_api_gets_no_secret(self, url: str) -> None:
        with pytest.raises(SettingsError):
            checked_url(_settings(url))

    @pytest.mark.parametrize("auth", ["header", "legacy"])
    def test_somebody_has_to_act(self, auth: Any) -> None:
        with pytest.raises(SettingsError):
            checked_url(_settings("", auth=auth, user_id=""))


def _settings(url: str, **more: Any) -> FxiaokeSettings:
    told: dict[str, Any] = {"user_id": "1000", **more}
    return FxiaokeSettings(
        vendor="fxiaoke", base_url=url, app_id="FSAID_1", app_secret=Secret("a"),
        permanent_code=Secret("b"), **told,
    )  # fmt: skip


class TestCodes:
    @pytest.mark.parametrize("code", [14001, 30004])
    def test_too_many_calls_is_busy(self, bench: Bench, code: int) -> None:
        (ref,) = bench.plain(LEAD, 1)
        fault(bench, code, INVALID)
        with pytest.raises(Busy) as caught:
            void(bench, ref)
        assert not caught.value.until_reset
        assert caught.value.vendor_code == str(code)

    def test_a_day_that_is_used_up_is_waited_out_by_nobody(self, bench: Bench) -> None:
        (ref,) = bench.plain(LEAD, 1)
        fault(bench, 30002, INVALID)
        with pytest.raises(Busy) as caught:
            void(bench, ref)
        assert caught.value.until_reset

    @pytest.mark.parametrize("code", [15003, 20014, 20020, 20021, 20022, 30003, 20017])
    def test_a_right_that_the_application_lacks_stops_the_run(
        self, bench: Bench, code: int
    ) -> None:
        (ref,) = bench.plain(LEAD, 1)
        fault(bench, code, INVALID)
        with pytest.raises(Unauthorized) as caught:
            void(bench, ref)
        assert not caught.value.renewable

    @pytest.mark.parametrize("code", [-1, -2, 50009])
    def test_a_failure_that_tells_nothing_is_in_doubt(self, bench: Bench, code: int) -> None:
        (ref,) = bench.plain(LEAD, 1)
        fault(bench, code, INVALID)
        with pytest.raises(Unreachable) as caught:
            void(bench, ref)
        assert caught.value.sent
        assert caught.value.answered

    def test_a_refusal_keeps_the_chinese_text_the_code_and_the_trace(self, bench: Bench) -> None:
        (ref,) = bench.plain(LEAD, 1)
        bench.ground.act(bench.crm, "lock", LEAD, [ref.id])
        (told,) = void(bench, ref)
        assert told.verdict is Verdict.FAILED
        assert told.problem is not None
        assert "数据已锁定，不可作废" in told.problem.message
        code = bench.ground.simulator.accounts[0].switches["business_error_code"]  # type: ignore[attr-defined]
        assert told.problem.vendor_code == str(code)
        assert (told.problem.request_id or "").startswith("E-O.")

    def test_10013_is_never_taken_for_a_dead_token(self, bench: Bench) -> None:
        (ref,) = bench.plain(LEAD, 1)
        fault(bench, 10013, "/data/query", error_message="offset out of range 10000")
        with pytest.raises(Rejected):
            list(bench.adapter.read(bench.batch(None, [ref])))

    def test_an_answer_without_a_code_is_no_success(self, bench: Bench) -> None:
        (ref,) = bench.plain(LEAD, 1)
        rule = {"match": {"path": INVALID}, "times": 1, "do": {"body": {"errorMessage": "OK"}}}
        bench.ground._control("faults", bench.crm, rule)  # type: ignore[attr-defined]
        with pytest.raises(Unreachable) as caught:
            void(bench, ref)
        assert caught.value.sent


class TestVoid:
    def test_a_void_that_waits_is_read_with_the_instance_to_pass(self, bench: Bench) -> None:
        (ref,) = bench.plain(ACCOUNT, 1, rows(Operation.VOID, ACCOUNT)[0])
        bench.ground.act(bench.crm, "require_approval", ACCOUNT, [ref.id])
        void(bench, ref)
        record = bench.read([ref])[ref]
        assert record.state is State.PENDING
        flows = bench.ground.simulator.accounts[0].memory["flows"]  # type: ignore[attr-defined]
        assert flows[0]["instanceId"] in record.evidence
        bench.ground.act(bench.crm, "approve", ACCOUNT, [ref.id])
        assert bench.read([ref])[ref].state is State.VOIDED

    def test_a_void_that_was_turned_down_is_as_it_was(self, bench: Bench) -> None:
        (ref,) = bench.plain(ACCOUNT, 1, rows(Operation.VOID, ACCOUNT)[0])
        before = bench.read([ref])[ref]
        bench.ground.act(bench.crm, "require_approval", ACCOUNT, [ref.id])
        void(bench, ref)
        bench.ground.act(bench.crm, "reject", ACCOUNT, [ref.id])
        after = bench.read([ref])[ref]
        assert after.fingerprint(PROFILE.vendor_set) == before.fingerprint(PROFILE.vendor_set)

    def test_what_waits_is_neither_live_nor_lost_to_a_search(self, bench: Bench) -> None:
        (ref,) = bench.plain(LEAD, 1)
        bench.ground.act(bench.crm, "require_approval", LEAD, [ref.id])
        void(bench, ref)
        assert ref not in [r.ref for r in bench.adapter.find(LEAD)]
        assert [r.ref for r in bench.adapter.find(LEAD, state=State.PENDING)] == [ref]

    @pytest.mark.parametrize(
        ("query", "get", "seen"),
        [("is_deleted", "error", True), ("life_status", "error", True), ("never", "row", True),
         ("never", "empty", False), ("never", "error", False)],
    )  # fmt: skip
    def test_what_no_read_shows_is_unreadable_and_never_gone(
        self, bench: Bench, query: str, get: str, seen: bool
    ) -> None:
        (ref,) = bench.plain(LEAD, 1)
        bench.ground.switch("voided_query", query)
        bench.ground.switch("voided_get", get)
        void(bench, ref)
        record = bench.read([ref])[ref]
        assert record.unreadable is not seen
        assert record.state is (State.VOIDED if seen else State.GONE)

    def test_a_vendor_that_hides_voided_records_lists_none(self, bench: Bench) -> None:
        bench.ground.switch("voided_query", "never")
        with pytest.raises(Rejected, match="no search shows voided"):
            list(bench.adapter.find(LEAD, state=State.VOIDED))

    def test_custom_objects_go_by_lists_only_where_the_settings_ask(
        self, ground: SimulatedGround
    ) -> None:
        plain = connect(FxiaokeAdapter, ground, "fxk")
        assert not [r for r in plain.adapter.abilities().capabilities if r.way == "bulk"]
        bench = connect(FxiaokeAdapter, ground, "fxk", bulk_void=True)
        profile = bench.adapter.abilities()
        (bulk,) = (r for r in profile.rows(Operation.VOID, PROJECT) if r.way == "bulk")
        assert not [r for r in profile.rows(Operation.VOID, ACCOUNT) if r.way == "bulk"]
        refs = bench.plain(PROJECT, 5)
        start = bench.last()
        told = list(bench.adapter.void(bench.batch(bulk, refs)))
        assert {one.verdict for one in told} == {Verdict.DONE}
        assert [line.path for line in bench.writes(start)] == ["/cgi/crm/custom/data/invalid"]
        assert {bench.read(refs)[ref].state for ref in refs} == {State.VOIDED}

    def test_an_account_takes_its_money_and_its_addresses_along(self, bench: Bench) -> None:
        row = rows(Operation.VOID, ACCOUNT)[0]
        (ref,) = bench.plain(ACCOUNT, 1, row)
        rules = [r for r in bench.adapter.relations(ACCOUNT) if r.operation is Operation.VOID]
        follows = {r.child for r in rules if r.effect is Effect.FOLLOWS}
        assert follows == {"AccountAddrObj", "AccountFinInfoObj", "CustomerAccountObj"}
        assert {r.child for r in rules if r.effect is Effect.DETACHES} >= {"ContactObj", PROJECT}
        batch = bench.batch(None, [ref])
        children = [
            c.ref for r in rules if r.effect is Effect.FOLLOWS
            for c in bench.adapter.children(batch, r)
        ]  # fmt: skip
        assert children
        void(bench, ref)
        for child in children:
            true = bench.true(child)
            assert true is not None
            assert true.state == "voided"

    def test_what_lies_in_a_pool_or_is_being_made_is_left_alone(self, bench: Bench) -> None:
        (pool,) = bench.live("HighSeasObj")[:1]
        edits = (
            {"high_seas_id": pool.id, "owner": None},
            {"life_status": "ineffective"},
            {"life_status": "under_review"},
        )
        for ref, fields in zip(bench.plain(ACCOUNT, 3), edits, strict=True):
            bench.ground.act(bench.crm, "edit", ACCOUNT, [ref.id], fields=fields)
        records = list(bench.read([bench.ref(ACCOUNT, t.id) for t in bench.live(ACCOUNT)]).values())
        told = list(bench.adapter.precheck(Operation.VOID, records))
        codes = {o.problem.code for o in told if isinstance(o, Outcome) and o.problem}
        assert codes == {"pending", "rights"}
        assert any(isinstance(f, Finding) and "未生效" in f.summary for f in told)


class TestDelete:
    def test_a_list_with_one_bad_id_is_refused_whole_and_may_be_divided(self, bench: Bench) -> None:
        refs = bench.plain(LEAD, 3)
        void(bench, *refs[:2])
        row = rows(Operation.DELETE, LEAD)[0]
        before = bench.truth()
        with pytest.raises(Rejected) as caught:
            bench.adapter.delete(bench.batch(row, refs))
        assert caught.value.divisible
        assert bench.truth() == before
        told = bench.apply(row, refs)
        assert [told[ref].verdict for ref in refs] == [Verdict.DONE, Verdict.DONE, Verdict.FAILED]

    def test_a_delete_has_no_way_back_and_a_void_has(self) -> None:
        for kind in (ACCOUNT, PROJECT):
            assert {r.window.undo for r in rows(Operation.VOID, kind)} == {Undo.SAME_ID}
            assert {r.window.undo for r in rows(Operation.DELETE, kind)} == {Undo.NONE}

    def test_price_book_products_are_deleted_without_a_void(self, bench: Bench) -> None:
        (row,) = rows(Operation.DELETE, "PriceBookProductObj")
        refs = bench.plain("PriceBookProductObj", 2)
        told = bench.apply(row, refs)
        assert {one.verdict for one in told.values()} == {Verdict.DONE}

    def test_what_the_vendor_never_recovers_says_so_beforehand(self, bench: Bench) -> None:
        kind = "DeliveryNoteObj"
        assert rows(Operation.RESTORE, kind) == []
        assert rows(Operation.VOID, kind)[0].window.undo is Undo.NONE
        (ref,) = bench.plain(kind, 1)
        void(bench, ref)
        any_row = rows(Operation.RESTORE, LEAD)[0]
        (told,) = bench.adapter.restore(bench.batch(any_row, [ref]))
        assert told.problem is not None
        assert "不允许恢复" in told.problem.message

    def test_who_looks_up_and_does_not_allow_it_blocks(self, bench: Bench) -> None:
        rules = [r for r in bench.adapter.relations(ACCOUNT) if r.effect is Effect.BLOCKS]
        assert {(r.child, r.via) for r in rules} == {(PROJECT, "field_guar1__c")}
        assert {r.operation for r in rules} == {Operation.DELETE, Operation.PURGE}


class TestArchive:
    def test_a_lock_is_one_call_for_a_list_and_leaves_details_alone(self, bench: Bench) -> None:
        refs = bench.plain(PROJECT, 3)
        start, before = bench.last(), bench.truth()
        told = list(bench.adapter.update([Change(ref, {"lock_status": "1"}) for ref in refs]))
        assert {one.verdict for one in told} == {Verdict.DONE}
        assert len(bench.writes(start)) == 1
        after = bench.truth()
        changed = {key for key in after if after[key].locked is not before[key].locked}
        assert changed == {(ref.kind, ref.id) for ref in refs}

    def test_locks_and_unlocks_in_one_list_never_mix(self, bench: Bench) -> None:
        first, second = bench.plain(LEAD, 2)
        bench.ground.act(bench.crm, "lock", LEAD, [second.id])
        told = list(
            bench.adapter.update(
                [Change(first, {"lock_status": "1"}), Change(second, {"lock_status": "0"})]
            )
        )
        assert [one.verdict for one in told] == [Verdict.DONE, Verdict.FAILED]
        assert told[1].passing
        one, other = bench.true(first), bench.true(second)
        assert one is not None
        assert other is not None
        assert one.locked
        assert other.locked, "it was not sent, and comes again"

    def test_without_the_field_an_archive_is_not_yet_and_setup_says_what_to_add(
        self, ground: SimulatedGround
    ) -> None:
        ground.switch("marker_field", False)
        bench = connect(FxiaokeAdapter, ground, "fxk")
        archive = bench.adapter.abilities().rows(Operation.ARCHIVE, ACCOUNT)
        assert [row.support for row in archive] == [Support.NOT_YET]
        assert MARK in archive[0].note
        told = list(bench.adapter.prepare())
        assert any(f"{ACCOUNT} has no field {MARK}" in finding.summary for finding in told)
        assert bench.writes() == []
        unwell = [name for name, ok, _ in bench.adapter.examine() if not ok]
        assert f"marks of {ACCOUNT}" in unwell


class TestRemake:
    @pytest.mark.parametrize("named", [True, False])
    def test_a_custom_record_is_told_even_where_the_answer_names_no_id(
        self, bench: Bench, named: bool
    ) -> None:
        bench.ground.switch("create_custom_returns_dataId", named)
        making = rows(Operation.RESTORE, PROJECT, Support.REMADE)[0]
        (ref,) = bench.plain(PROJECT, 1)
        bench.bring(making, [ref])
        told = bench.apply(making, [ref])[ref]
        assert told.verdict is Verdict.DONE
        assert told.new_ref is not None
        after = bench.read([told.new_ref])[told.new_ref]
        assert after.fields["create_time"] == bench.whole[ref].fields["create_time"]
        assert set(told.details["not_set"]) >= {"_id", "life_status", "relevant_team"}

    def test_of_two_twins_the_older_is_told_and_both_are_named(self, bench: Bench) -> None:
        making = rows(Operation.RESTORE, LEAD, Support.REMADE)[0]
        (ref,) = bench.plain(LEAD, 1)
        bench.bring(making, [ref])
        (first,) = bench.adapter.create([bench.whole[ref]])
        (second,) = bench.adapter.create([bench.whole[ref]])
        assert bench.adapter.twin(bench.whole[ref]) == first.new_ref
        both = bench.adapter.twins([bench.whole[ref]])[ref]
        assert list(both) == [first.new_ref, second.new_ref]

    def test_a_money_account_is_the_one_that_came_with_the_new_account(self, bench: Bench) -> None:
        making = rows(Operation.RESTORE, ACCOUNT, Support.REMADE)[0]
        (ref,) = bench.plain(ACCOUNT, 1, rows(Operation.VOID, ACCOUNT)[0])
        money = next(
            bench.ref(t.kind, t.id) for t in bench.live("CustomerAccountObj")
            if t.fields["customer_id"] == ref.id
        )  # fmt: skip
        old = bench.read([money])[money]
        bench.bring(making, [ref])
        new = bench.apply(making, [ref])[ref].new_ref
        assert new is not None
        pointed = type(old)(old.ref, old.state, {**old.fields, "customer_id": new.id})
        (told,) = bench.adapter.create([pointed])
        assert told.verdict is Verdict.DONE
        true = bench.true(told.new_ref)
        assert true is not None
        assert true.fields["customer_id"] == new.id


class TestSearch:
    def test_pages_go_by_ids_and_never_by_offsets(self, bench: Bench) -> None:
        start = bench.last()
        found = [r.ref.id for r in bench.adapter.find("ActiveRecordObj")]
        assert found == sorted(t.id for t in bench.live("ActiveRecordObj"))
        queries = [p for p in bench.arrived(start) if p.path.endswith("/query")]
        assert len(queries) == len(found) // 100 + 1

    def test_a_native_query_is_the_vendors_own_filters(self, bench: Bench) -> None:
        one = bench.live(LEAD)[0]
        native = exact_json([{"field_name": "_id", "operator": "EQ", "field_values": [one.id]}])
        assert [r.ref.id for r in bench.adapter.find(LEAD, native=native)] == [one.id]
        for wrong in ("name = 1", '[{"field_name":"name"}]', '{"operator":"DROP"}'):
            with pytest.raises(Rejected):
                list(bench.adapter.find(LEAD, native=wrong))

    def test_a_typo_in_a_field_names_the_nearest(self, bench: Bench) -> None:
        with pytest.raises(Rejected, match="mobile"):
            list(bench.adapter.find(LEAD, [Condition("mobil", "=", "1")]))

    def test_people_and_times_and_numbers_are_asked_in_the_vendors_form(self, bench: Bench) -> None:
        from datetime import UTC, date, datetime

        wanted = {t.id for t in bench.live(ACCOUNT) if t.fields.get("owner") == ["1001"]}
        found = {r.ref.id for r in bench.adapter.find(ACCOUNT, [Condition("owner", "=", "1001")])}
        assert found == wanted
        for day in (date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)):
            when = [Condition("create_time", ">=", day)]
            wanted = {t.id for t in bench.live(ACCOUNT) if t.fields["create_time"] >= 1735689600000}
            assert {r.ref.id for r in bench.adapter.find(ACCOUNT, when)} == wanted
        many = [Condition("employees__c", ">", 100)]
        wanted = {t.id for t in bench.live(ACCOUNT) if Decimal(t.fields["employees__c"]) > 100}
        assert {r.ref.id for r in bench.adapter.find(ACCOUNT, many)} == wanted

    def test_a_number_leaves_with_every_digit(self) -> None:
        text = exact_json({"a": [Decimal("12345678901234567.890"), -0, "é", None, True]})
        assert text == '{"a":[12345678901234567.890,0,"\\u00e9",null,true]}'
        with pytest.raises(TypeError):
            exact_json({"a": 1.5})


class TestSpelling:
    @pytest.mark.parametrize("kind", ["AccountObj", "object_Nyeoj__c", "company"])
    def test_objects_are_preset_or_custom(self, bench: Bench, kind: str) -> None:
        assert bench.adapter.spell_kind(kind).endswith(("Obj", "__c"))

    @pytest.mark.parametrize(
        "id", ["6708DC09167D290001B33A6D", "6708dc09167d290001b33a6", "4.87688E+18", "1000"]
    )
    def test_a_damaged_id_is_refused_before_anything_is_asked(self, bench: Bench, id: str) -> None:
        with pytest.raises(ValueError):
            bench.adapter.spell_id(ACCOUNT, id)
        assert bench.arrived() == []

    def test_older_ids_of_32_digits_are_ids(self, bench: Bench) -> None:
        id = "0039b47555cf4be98b8ff85d1ca70144"
        assert bench.adapter.spell_id(ACCOUNT, id) == id

    def test_custom_objects_have_a_path_of_their_own(self, bench: Bench) -> None:
        (ref,) = bench.plain(PROJECT, 1)
        void(bench, ref)
        assert bench.writes()[-1].path == "/cgi/crm/custom/v2/data/invalid"

    def test_a_trace_id_travels_with_each_call(self, bench: Bench) -> None:
        bench.ground.switch("trace_id_required", True)
        (ref,) = bench.plain(LEAD, 1)
        assert void(bench, ref)[0].verdict is Verdict.DONE
        assert isinstance(bench.batch(None, [ref]), Batch)
