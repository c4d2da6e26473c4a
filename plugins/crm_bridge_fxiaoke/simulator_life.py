"""The life of a record: void, approval, recover, delete and lock, with what goes along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from crm_bridge.simulator import Account, Stored
from crm_bridge_fxiaoke.simulator_objects import (
    DETAILS,
    GONE,
    LIVE,
    LOOKUPS,
    OBJECTS,
    PENDING,
    REFERRERS,
    VISIBLE,
    VOIDED,
)
from crm_bridge_fxiaoke.simulator_rights import kind_of, open_for, record_of
from crm_bridge_fxiaoke.simulator_seed import ADMINS
from crm_bridge_fxiaoke.simulator_values import stamp
from crm_bridge_fxiaoke.simulator_wire import (
    VOIDED_OR_DELETED,
    Asked,
    Business,
    Deny,
    id_list,
    one_id,
    only_keys,
)


def each(
    asked: Asked,
    ids: Sequence[str],
    check: Callable[[str], Stored],
    apply: Callable[[Stored], None],
) -> dict[str, Any]:
    """Go through a list as the switch `list_partial` says; an id named twice is done once."""
    ids = list(dict.fromkeys(ids))
    if asked.account.switches["list_partial"] == "all_or_nothing":
        for record in [check(id) for id in ids]:
            apply(record)
    else:
        for id in ids:
            apply(check(id))
    return {}


def details_of(account: Account, record: Stored, *states: str) -> Iterator[Stored]:
    """The details of a record that stand in these states."""
    for child, field in DETAILS[record.kind]:
        yield from account.store.where(child, field, record.id, *states)


def invalid(asked: Asked) -> dict[str, Any]:
    """作废: one record, by `object_data_id`."""
    data = only_keys(asked.data, ("dataObjectApiName", "object_data_id"))
    kind = kind_of(asked, data["dataObjectApiName"], "invalid")
    record = check_void(asked, kind, one_id(data["object_data_id"]))
    start_void(asked.account, asked.user, record)
    return {}


def bulk_invalid(asked: Asked) -> dict[str, Any]:
    """批量作废: a list of a custom object, for administrators only."""
    data = only_keys(asked.data, ("dataObjectApiName", "idList"))
    if asked.user not in ADMINS:
        raise Business("Bad Request")
    kind = kind_of(asked, data["dataObjectApiName"], "invalid")
    if not OBJECTS[kind].custom:
        raise Business(f"对象[{kind}]不支持批量作废")
    return each(
        asked,
        id_list(data["idList"]),
        lambda id: check_void(asked, kind, id),
        lambda record: start_void(asked.account, asked.user, record),
    )


def check_void(asked: Asked, kind: str, id: str) -> Stored:
    """A record that may be voided; refusals are in Chinese, with a code of no list."""
    record = record_of(asked, kind, id, "invalid")
    account = asked.account
    if record.state == VOIDED:
        if account.switches["void_twice"] == "ok":
            return record
        raise Business(VOIDED_OR_DELETED)
    if kind == "CustomerAccountObj":
        raise Business("不可作废，随主对象作废")
    open_for(record, "作废")
    life = record.fields.get("life_status", "normal")
    if life == "ineffective" and account.switches["void_ineffective"] == "refuse":
        raise Business("未生效的数据不可作废")
    if kind == "AccountObj":
        for money in account.store.where("CustomerAccountObj", "customer_id", id, *VISIBLE):
            if Decimal(money.fields.get("prepay_balance", "0")) > 0:
                raise Business("预存款金额不为零，无法作废！")
            if Decimal(money.fields.get("rebate_balance", "0")) > 0:
                raise Business("返利金额不为零，无法作废！")
    return record


def start_void(account: Account, user: str, record: Stored) -> None:
    """Void a record, or leave it in change and locked where an approval is asked for."""
    if record.state == VOIDED:
        return
    asks = account.memory.get("approvals_for", ())
    if record.ref in asks or record.kind in asks:
        number = account.memory["instances"] = account.memory.get("instances", 0) + 1
        now = account.clock.ms()
        record.meta["instance"] = {
            "instanceId": f"{now // 1000:08x}{number:016x}",
            "instanceName": f"{OBJECTS[record.kind].label}作废审批",
            "dataId": record.id,
            "triggerType": "Invalid",
            "state": "in_progress",
            "createTime": now,
            "lastModifyTime": now,
            "endTime": 0,
            "flowApiName": "appr_void__crmappr",
            "applicantOpenUserId": account.keys[f"user:{user}"],
            "cancelTime": 0,
            "objectApiName": record.kind,
        }
        account.memory.setdefault("flows", []).append(record.meta["instance"])
        record.meta["before"] = record.fields.get("life_status", "normal")
        stamp(account, user, record, {"life_status": "in_change", "lock_status": "1"})
        account.store.lock(record)
        account.store.move(record, PENDING)
        return
    void(account, user, record, None)


def void(account: Account, user: str, record: Stored, master: str | None) -> None:
    """Void a record and its details; `master` names the one that took it along."""
    before = record.meta.pop("before", None) or record.fields.get("life_status", "normal")
    fields: dict[str, Any] = {"life_status": "invalid", "life_status_before_invalid": before}
    record.meta.pop("with", None)
    if master is not None:
        record.meta["with"] = master
    if record.kind == "CustomerAccountObj":
        fields["lock_status"] = "1"
        account.store.lock(record)
    stamp(account, user, record, fields)
    account.store.move(record, VOIDED)
    for detail in details_of(account, record, *VISIBLE):
        void(account, user, detail, record.ref)


def recover(asked: Asked) -> dict[str, Any]:
    """恢复: a list of voided records."""
    data = only_keys(asked.data, ("dataObjectApiName", "idList"))
    kind = kind_of(asked, data["dataObjectApiName"], "recover")

    def check(id: str) -> Stored:
        record = record_of(asked, kind, id, "recover")
        if record.state != VOIDED:
            raise Business("数据未作废，不可恢复")
        if kind == "DeliveryNoteObj":
            raise Business("发货单不允许恢复")
        for lookup in LOOKUPS[kind]:
            if lookup.type == "master_detail" and (up := record.fields.get(lookup.name)):
                master = asked.account.store.get(lookup.target, up)
                if master is None or master.state in (VOIDED, GONE):
                    raise Business(f"{lookup.label}已作废，请恢复关联对象")
        return record

    return each(
        asked,
        id_list(data["idList"]),
        check,
        lambda record: bring_back(asked.account, asked.user, record),
    )


def bring_back(account: Account, user: str, record: Stored) -> None:
    """Recover a record, with the details that went along where the switch says so."""
    before = record.fields.get("life_status_before_invalid") or "normal"
    fields: dict[str, Any] = {"life_status": before, "life_status_before_invalid": None}
    record.meta.pop("with", None)
    if record.kind == "CustomerAccountObj":
        fields["lock_status"] = "0"
        account.store.lock(record, False)
    stamp(account, user, record, fields)
    account.store.move(record, LIVE)
    if account.switches["recover_cascade"] == "details":
        for detail in details_of(account, record, VOIDED):
            # Only what went with the master comes back; what was voided before stays voided.
            if detail.meta.get("with") == record.ref:
                bring_back(account, user, detail)


def delete(asked: Asked) -> dict[str, Any]:
    """删除: a list of voided records, for ever; price book products need no void."""
    data = only_keys(asked.data, ("dataObjectApiName", "idList"))
    kind = kind_of(asked, data["dataObjectApiName"], "delete")

    def check(id: str) -> Stored:
        record = record_of(asked, kind, id, "delete")
        if record.state != VOIDED and kind != "PriceBookProductObj":
            raise Business("只能删除已作废的数据")
        if record.state != VOIDED:
            open_for(record, "删除")
        for child, field in REFERRERS[kind]:
            if field.on_delete == "do_not_allow" and asked.account.store.where(
                child, field.name, id, *VISIBLE, VOIDED
            ):
                raise Business(f"数据被{OBJECTS[child].label}引用，不允许删除")
        return record

    return each(
        asked,
        id_list(data["idList"]),
        check,
        lambda r: remove_for_good(asked.account, r),
    )


def remove_for_good(account: Account, record: Stored) -> None:
    """Delete a record and its details; lookups to it are emptied."""
    for detail in list(details_of(account, record, *VISIBLE, VOIDED)):
        remove_for_good(account, detail)
    for child, field in REFERRERS[record.kind]:
        for other in account.store.where(child, field.name, record.id, *VISIBLE, VOIDED):
            account.store.change(other, {field.name: None})
    account.store.remove(record)
    record.meta.clear()


def lock(asked: Asked) -> dict[str, Any]:
    """锁定 and 解锁: a list, with or without details."""
    locking = asked.path.endswith("/lock")
    data = only_keys(asked.data, ("dataObjectApiName", "dataIds"), ("detailObjStrategy",))
    kind = kind_of(asked, data["dataObjectApiName"], "lock" if locking else "unlock")
    strategy = data.get("detailObjStrategy", 1)
    if strategy not in (0, 1) or isinstance(strategy, bool):
        raise Deny(32000, "参数错误: detailObjStrategy")

    def check(id: str) -> Stored:
        record = record_of(asked, kind, id, "lock" if locking else "unlock")
        if record.state == VOIDED:
            raise Business(VOIDED_OR_DELETED)
        if record.state == PENDING:
            raise Business(f"变更中不可{'锁定' if locking else '解锁'}")
        return record

    def apply(record: Stored) -> None:
        set_lock(asked.account, asked.user, record, locking, bool(strategy))

    return each(asked, id_list(data["dataIds"]), check, apply)


def set_lock(account: Account, user: str, record: Stored, locking: bool, details: bool) -> None:
    """Lock or unlock a record, and its details where asked."""
    if record.locked != locking:
        fields: dict[str, Any] = {"lock_status": "1", "lock_user": [user]}
        if not locking:
            fields = {"lock_status": "0", "lock_user": None}
        stamp(account, user, record, fields)
        account.store.lock(record, locking)
    if details:
        for detail in details_of(account, record, LIVE):
            set_lock(account, user, detail, locking, True)


def end_approval(account: Account, user: str, record: Stored, state: str) -> None:
    """End the approval of a void: `pass` voids, `reject` and `cancel` bring back what was."""
    flow = record.meta.pop("instance", None)
    if flow is not None:
        now = account.clock.ms()
        flow.update(state=state, lastModifyTime=now, endTime=now)
        if state == "cancel":
            flow["cancelTime"] = now
    account.store.lock(record, False)
    if state == "pass":
        account.store.change(record, {"lock_status": "0"})
        void(account, user, record, None)
        return
    before = record.meta.pop("before", "normal")
    stamp(account, user, record, {"life_status": before, "lock_status": "0"})
    account.store.move(record, LIVE)
