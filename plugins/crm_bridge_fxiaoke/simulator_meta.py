"""What there is besides records: objects and fields, logs, employees, approvals."""

from __future__ import annotations

from typing import Any

from crm_bridge_fxiaoke.simulator_life import end_approval
from crm_bridge_fxiaoke.simulator_objects import OBJECTS, PENDING
from crm_bridge_fxiaoke.simulator_rights import kind_of, record_of
from crm_bridge_fxiaoke.simulator_seed import USERS
from crm_bridge_fxiaoke.simulator_values import fields_known, person_out
from crm_bridge_fxiaoke.simulator_wire import Asked, Business, Deny, one_id, only_keys


def object_list(asked: Asked) -> dict[str, Any]:
    """object/list."""
    objects = [
        {
            "describeApiName": o.api,
            "describeDisplayName": o.label,
            "defineType": "custom" if o.custom else "package",
            "isActive": True,
            "iconPath": "",
            "iconIndex": 0,
            "hideButton": False,
            "publicObject": False,
        }
        for o in OBJECTS.values()
    ]
    return {"data": {"objects": objects}}


def object_describe(asked: Asked) -> dict[str, Any]:
    """object/describe."""
    api = asked.data.get("apiName") if isinstance(asked.data, dict) else None
    # Older clients send it beside `data`.
    kind = kind_of(asked, api or asked.body.get("apiName"))
    custom = OBJECTS[kind].custom
    fields = fields_known(asked.account, kind)
    describe = {
        "api_name": kind,
        "display_name": OBJECTS[kind].label,
        "define_type": "custom" if custom else "package",
        "package": "CRM",
        "is_active": True,
        "fields": {name: field.shown() for name, field in fields.items()},
    }
    return {"data": {"describe": describe}}


def record_log(asked: Asked) -> dict[str, Any]:
    """The changes of one record; the shape of its rows is not recorded, so there are none."""
    only_keys(asked.data, ("apiName", "objectId"), ("operationalType", "pageNumber", "pageSize"))
    return {"data": {"modifyRecordList": [], "pageInfo": {"pageCount": 1}}}


def crm_log(asked: Asked) -> dict[str, Any]:
    """The log of an object; its answer is not recorded."""
    only_keys(asked.data, ("pageNumber", "pageSize", "QueryInfo"))
    return {"data": {}}


def user_list(asked: Asked) -> dict[str, Any]:
    """user/list."""
    if "departmentId" not in asked.body and "departmentId" not in asked.data:
        raise Deny(32000, "参数错误: departmentId")
    users = [
        {
            "openUserId": person_out(asked, user),
            "account": phone,
            "name": name,
            "nickName": name,
            "isStop": user in asked.account.memory.get("stopped", ()),
            "departmentIds": [1123],
            "employeeNumber": user,
            "createTime": 1672531200000,
            "leaderId": "1000",
        }
        for user, name, phone in USERS
    ]
    return {"userList": users, "errorMessage": "success", "errorDescription": "成功"}


def user_by_mobile(asked: Asked) -> dict[str, Any]:
    """user/getByMobile, with its parameters beside no `data`."""
    mobile = asked.body.get("mobile")
    if not mobile:
        raise Deny(32000, "参数错误: mobile")
    found = [
        {
            "openUserId": asked.account.keys[f"user:{user}"],
            "name": name,
            "mobile": phone,
            "email": f"u{user}@mail.example",
            "status": "NORMAL",
            "mainDepartmentIds": [1123],
            "departmentIds": [1123],
        }
        for user, name, phone in USERS
        if phone == str(mobile)
    ]
    return {"empList": found, "errorMessage": "success"}


def approvals(asked: Asked) -> dict[str, Any]:
    """approvalInstances/query, by `dataId` at the top."""
    wanted = one_id(asked.body.get("dataId"))
    flows = asked.account.memory.get("flows", ())
    found = [{**flow} for flow in flows if flow["dataId"] == wanted]
    return {"instances": found, "errorMessage": "success"}


def approval(asked: Asked) -> dict[str, Any]:
    """approvalInstance/get."""
    wanted = one_id(asked.body.get("instanceId"))
    for flow in asked.account.memory.get("flows", ()):
        if flow["instanceId"] == wanted:
            task = {"taskId": f"{wanted}t", "state": flow["state"], "name": "审批"}
            return {"instanceDetail": {"instance": {**flow}, "tasks": [task]}}
    raise Business("审批流实例不存在")


def approval_cancel(asked: Asked) -> dict[str, Any]:
    """approval/instance/cancel."""
    data = only_keys(asked.data, ("objectId", "entityId"), ("opinion",))
    kind = kind_of(asked, data["entityId"], "read")
    record = record_of(asked, kind, one_id(data["objectId"]), "invalid")
    if record.state != PENDING:
        raise Business("没有进行中的审批")
    end_approval(asked.account, asked.user, record, "cancel")
    return {}
