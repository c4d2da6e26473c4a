"""Records got, made, edited, given to another owner, and moved in and out of pools."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from crm_bridge.simulator import Stored
from crm_bridge_fxiaoke.simulator_life import each
from crm_bridge_fxiaoke.simulator_objects import (
    CODES,
    DETAILS,
    FIELDS,
    GONE,
    LIVE,
    LOOKUPS,
    OBJECTS,
    POOLED,
    READ_ONLY,
    VOIDED,
)
from crm_bridge_fxiaoke.simulator_rights import in_pool, kind_of, open_for, record_of
from crm_bridge_fxiaoke.simulator_seed import Seeds
from crm_bridge_fxiaoke.simulator_values import judged, people_in, stamp, wire
from crm_bridge_fxiaoke.simulator_wire import (
    CUSTOM,
    VOIDED_OR_DELETED,
    Asked,
    Business,
    Deny,
    id_list,
    one_id,
    only_keys,
    yes,
)


def get(asked: Asked) -> dict[str, Any]:
    """get: one record; what it makes of a voided one is a switch."""
    data = only_keys(asked.data, ("dataObjectApiName", "objectDataId"))
    kind = kind_of(asked, data["dataObjectApiName"])
    record = record_of(asked, kind, one_id(data["objectDataId"]), "read")
    if record.state == VOIDED:
        match asked.account.switches["voided_get"]:
            case "error":
                raise Business(VOIDED_OR_DELETED)
            case "empty":
                return {"data": {}}
    return {"data": wire(asked, record)}


def create(asked: Asked) -> dict[str, Any]:
    """create, with details."""
    data = only_keys(asked.data, ("object_data",), ("details", "optionInfo"))
    given = data["object_data"]
    if not isinstance(given, dict) or "dataObjectApiName" not in given:
        raise Deny(32000, "参数错误: object_data.dataObjectApiName")
    kind = kind_of(asked, given["dataObjectApiName"], "create")
    details = data.get("details") or {}
    if not isinstance(details, dict):
        raise Deny(32000, "参数错误: details")
    if kind == "CustomerAccountObj":
        raise Business("客户账户随客户新建")
    made = make_record(asked, kind, given)
    pairs = []
    for api, rows in details.items():
        field = next((f for name, f in DETAILS[kind] if name == api), None)
        if field is None or not isinstance(rows, list):
            raise Business(f"{api}不是{kind}的从对象")
        pairs += [(api, {**row, field: made.id}) for row in rows if isinstance(row, dict)]
    store = asked.account.store
    children = [make_record(asked, api, row, made.id) for api, row in pairs]
    store.add(made)
    for child in children:
        store.add(child)
    if kind == "AccountObj":
        money = {"name": made.fields["name"], "customer_id": made.id}
        store.add(make_record(asked, "CustomerAccountObj", money))
    if OBJECTS[kind].custom and not yes(asked.account.switches["create_custom_returns_dataId"]):
        return {}
    return {"dataId": made.id}


def make_record(asked: Asked, kind: str, given: Mapping[str, Any], master: str = "") -> Stored:
    """A new record, not stored yet; original time and author where the switches say so."""
    account, now = asked.account, asked.account.clock.ms()
    given = {k: v for k, v in given.items() if k not in ("dataObjectApiName", "_id")}
    fields = judged(
        asked,
        kind,
        {k: v for k, v in given.items() if k not in READ_ONLY},
        creating=True,
        master=master,
    )
    if not fields.get("name"):
        raise Business("主属性为必填项，不能为空")
    for lookup in LOOKUPS[kind]:
        if lookup.required and not fields.get(lookup.name):
            raise Business(f"{lookup.label}为必填项，不能为空")
    fields.setdefault("owner", [asked.user])
    fields["created_by"] = fields["last_modified_by"] = [asked.user]
    fields["create_time"] = fields["last_modified_time"] = now
    if asked.body.get("hasSpecifyTime") is True and "create_time" in given:
        if not isinstance(given["create_time"], int):
            raise Deny(32000, "参数错误: create_time")
        fields["create_time"] = given["create_time"]
    if asked.body.get("hasSpecifyCreatedBy") is True and "created_by" in given:
        fields["created_by"] = people_in(asked, given["created_by"])
    if kind == "AccountObj":
        fields.setdefault("account_no", f"C{secrets.randbelow(10**7):07d}")
    number = account.memory["made"] = account.memory.get("made", 0) + 1
    salt = Seeds(account).salt
    id = f"{now // 1000:08x}{salt:08x}{CODES[kind]:02x}{number:06x}"
    return Stored(kind, id, {k: v for k, v in fields.items() if v is not None})


def update(asked: Asked) -> dict[str, Any]:
    """update: the fields that are named, and no other."""
    custom = asked.path.startswith(CUSTOM)
    allowed = ("details", "optionInfo", *(("skipDataStatusValidate",) if custom else ()))
    data = only_keys(asked.data, ("object_data",), allowed)
    given = data["object_data"]
    if not isinstance(given, dict) or not {"_id", "dataObjectApiName"} <= set(given):
        raise Deny(32000, "参数错误: object_data._id, object_data.dataObjectApiName")
    kind = kind_of(asked, given["dataObjectApiName"], "update")
    record = record_of(asked, kind, one_id(given["_id"]), "update")
    if record.state == VOIDED:
        raise Business(VOIDED_OR_DELETED)
    if data.get("skipDataStatusValidate") is not True:
        open_for(record, "编辑")
    changes = {k: v for k, v in given.items() if k not in ("_id", "dataObjectApiName")}
    written = judged(asked, kind, changes, own=record.id)
    if "name" in written and not written["name"]:
        raise Business("主属性为必填项，不能为空")
    stamp(asked.account, asked.user, record, written)
    return {}


def change_owner(asked: Asked) -> dict[str, Any]:
    """changeOwner, with its capital `Data`."""
    data = only_keys(asked.data, ("dataObjectApiName", "Data"))
    kind = kind_of(asked, data["dataObjectApiName"], "changeOwner")
    if not isinstance(data["Data"], list) or not data["Data"]:
        raise Deny(32000, "参数错误: Data")
    owners: dict[str, list[str]] = {}
    for row in data["Data"]:
        only_keys(row, ("objectDataId", "ownerId"))
        owners[one_id(row["objectDataId"])] = people_in(asked, row["ownerId"])

    def check(id: str) -> Stored:
        record = record_of(asked, kind, id, "changeOwner")
        if record.state == VOIDED:
            raise Business(VOIDED_OR_DELETED)
        open_for(record, "更换负责人")
        return record

    def apply(record: Stored) -> None:
        stamp(asked.account, asked.user, record, {"owner": owners[record.id]})

    return each(asked, list(owners), check, apply)


def choose(asked: Asked) -> dict[str, Any]:
    """Claim records from a pool."""
    data = only_keys(asked.data, ("apiName", "objectIds"))

    def apply(record: Stored) -> None:
        fields = {"owner": [asked.user], "biz_status": "un_processed"}
        stamp(asked.account, asked.user, record, fields)

    return pooled(asked, data["objectIds"], True, apply)


def give_back(asked: Asked) -> dict[str, Any]:
    """Return records to a pool."""
    data = only_keys(
        asked.data, ("apiName", "objectIds", "objectPoolId", "backReason"), ("backReason__o",)
    )
    if data["backReason"] not in ("0", "1", "2", "other"):
        raise Deny(32000, "参数错误: backReason")
    field = pool_field(asked)
    pool = asked.account.store.get(FIELDS[data["apiName"]][field].target, data["objectPoolId"])
    if pool is None or pool.state != LIVE:
        raise Business("公海不存在")

    def apply(record: Stored) -> None:
        fields = {field: pool.id, "owner": None, "biz_status": "un_allocated"}
        stamp(asked.account, asked.user, record, fields)

    return pooled(asked, data["objectIds"], False, apply)


def take_out(asked: Asked) -> dict[str, Any]:
    """Take records out of a pool."""
    needed = ("apiName", "objectIDs", "objectPoolId", "isKeepOwner")
    data = only_keys(asked.data, needed, ("owner",))
    field = pool_field(asked)
    owner = data.get("owner") or asked.user

    def apply(record: Stored) -> None:
        if record.fields.get(field) != data["objectPoolId"]:
            raise Business("数据不在该公海")
        fields: dict[str, Any] = {field: None, "biz_status": "un_processed"}
        if data["isKeepOwner"] is not True or not record.fields.get("owner"):
            fields["owner"] = people_in(asked, [owner])
        stamp(asked.account, asked.user, record, fields)

    return pooled(asked, data["objectIDs"], None, apply)


def pool_field(asked: Asked) -> str:
    """The field that names the pool of an object."""
    field = POOLED.get(asked.data["apiName"])
    if field is None:
        raise Deny(32000, "参数错误: apiName")
    return field


def pooled(
    asked: Asked, ids: Any, pooled: bool | None, apply: Callable[[Stored], None]
) -> dict[str, Any]:
    """Go through records that are, or are not, in a pool."""
    pool_field(asked)
    kind = kind_of(asked, asked.data["apiName"], "update")

    def check(id: str) -> Stored:
        record = asked.account.store.get(kind, id)
        if record is None or record.state in (VOIDED, GONE):
            raise Business(VOIDED_OR_DELETED)
        if pooled is not None and in_pool(record) != pooled:
            raise Business("数据不在公海" if pooled else "数据已在公海")
        return record

    return each(asked, id_list(ids), check, apply)
