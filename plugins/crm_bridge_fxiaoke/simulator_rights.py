"""Who may do what with which object and record, and what a lock, an approval or a pool forbids."""

from __future__ import annotations

from typing import Any

from crm_bridge.simulator import Stored
from crm_bridge_fxiaoke.simulator_objects import GONE, OBJECTS, POOLED
from crm_bridge_fxiaoke.simulator_seed import ADMINS
from crm_bridge_fxiaoke.simulator_wire import (
    NO_DATA_RIGHT,
    PRESET,
    VOIDED_OR_DELETED,
    Asked,
    Business,
    Deny,
    yes,
)

RIGHTS = {
    "create": "新建",
    "update": "编辑",
    "invalid": "作废",
    "recover": "恢复",
    "delete": "删除",
    "lock": "锁定",
    "unlock": "解锁",
    "changeOwner": "更换负责人",
    "read": "查看",
}
RIGHT_WORDS = {"void": "invalid", "restore": "recover", "edit": "update", "*": "*"}
# An ordinary employee may not void, recover or delete, as the vendor's articles say.
ADMIN_RIGHTS = frozenset({"invalid", "recover", "delete"})


def kind_of(asked: Asked, api: Any, right: str = "read") -> str:
    """The object a call names, if the path takes it and the user has the right."""
    if not isinstance(api, str) or not api:
        raise Deny(32000, "参数错误: dataObjectApiName")
    if api not in OBJECTS:
        raise Business(f"对象[{api}]不存在")
    preset_only = asked.path.startswith(PRESET)
    accepts = yes(asked.account.switches["preset_path_accepts_custom"])
    if preset_only and OBJECTS[api].custom and not accepts:
        raise Business(f"预置对象接口不支持自定义对象[{api}]")
    revoked = asked.account.memory.get("revoked", ())
    ordinary = asked.user not in ADMINS
    for name in (right, *(() if right == "read" else ("*",))):
        if any((name, kind, "") in revoked for kind in (api, "")):
            raise Business(f"没有{OBJECTS[api].label}{RIGHTS.get(right, '')}权限")
    if ordinary and right in ADMIN_RIGHTS:
        raise Business(f"没有{OBJECTS[api].label}{RIGHTS[right]}权限")
    if api == "PersonnelObj" and right != "read":
        raise Business(f"没有人员{RIGHTS.get(right, '')}权限")
    return api


def record_of(asked: Asked, kind: str, id: str, right: str) -> Stored:
    """A record that the call may act on, whatever its state, but for gone ones."""
    record = asked.account.store.get(kind, id)
    if record is None:
        raise Business("数据不存在")
    if record.state == GONE:
        raise Business(VOIDED_OR_DELETED)
    revoked = asked.account.memory.get("revoked", ())
    if (right, kind, id) in revoked or (right != "read" and ("*", kind, id) in revoked):
        raise Business(NO_DATA_RIGHT)
    mine = asked.user in record.fields.get("owner", ())
    if right != "read" and asked.user not in ADMINS and not mine:
        raise Business(NO_DATA_RIGHT)
    return record


def in_pool(record: Stored) -> bool:
    """Whether a record lies in a pool: it names one, and nobody owns it."""
    field = POOLED.get(record.kind)
    return bool(field and record.fields.get(field) and not record.fields.get("owner"))


def open_for(record: Stored, verb: str) -> None:
    """Refuse what a lock, a running approval or a pool forbids."""
    life = record.fields.get("life_status", "normal")
    if life == "in_change":
        raise Business(f"变更中不可{verb}")
    if life == "under_review":
        raise Business(f"审核中不可{verb}")
    if record.fields.get("lock_status") == "1":
        raise Business(f"数据已锁定，不可{verb}")
    if in_pool(record):
        raise Business(NO_DATA_RIGHT)
