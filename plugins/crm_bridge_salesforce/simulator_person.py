"""What a colleague does in the org's own pages, who has every right there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from crm_bridge.simulator import Act, Refused, Stored
from crm_bridge_salesforce.simulator_life import delete, empty_bin, merge, undelete, update
from crm_bridge_salesforce.simulator_org import DELETED, GONE, LIVE, Org, Trouble
from crm_bridge_salesforce.simulator_schema import SYSTEM_RIGHTS, schema, whole_id
from crm_bridge_salesforce.simulator_wire import spend

RIGHTS: Final = (
    *("create", "read", "edit", "delete", "edit_field", "opaque_token"),
    *SYSTEM_RIGHTS,
)
"""What `grant` and `revoke` may name as fields.right; "*" is create, edit and delete."""
_WORDS = {"hard_delete": "BulkApiHardDelete", "modify_all": "ModifyAllData", "purge":
          "BulkApiHardDelete", "restore": "ModifyAllData", "void": "edit", "archive": "edit",
          "update": "edit", "write": "edit"}  # fmt: skip


def act(org: Org, told: Act) -> Iterable[str]:
    """Do it; gives the refs of what changed.

    Raises:
        Refused: Nobody can do that.
    """
    if told.act in ("grant", "revoke"):
        return _right(org, told)
    if told.act == "quota" or told.kind == "Organization":
        return _organization(org, told)
    does = _ACTS.get(told.act)
    if does is None:
        raise Refused(f"salesforce knows no act {told.act!r}")
    if told.kind not in schema() or not schema()[told.kind].prefix:
        raise Refused(f"no object {told.kind!r}")
    records = []
    for id in told.ids:
        record = org.find(whole_id(id) or "")
        if record is None or record.kind != told.kind or record.state == GONE:
            raise Refused(f"no {told.kind}/{id}")
        records.append(record)
    changed: list[str] = []
    org.store.touched = changed
    try:
        does(org, told, records)
    except Trouble as error:
        raise Refused(f"{error.code}: {error.text}") from None
    finally:
        org.store.touched = None
    return list(dict.fromkeys(changed))


def _right(org: Org, told: Act) -> list[str]:
    given = str(told.fields.get("right", "*"))
    right = _WORDS.get(given, given)
    if right != "*" and right not in RIGHTS:
        raise Refused(f"no right {given!r}; there are: {', '.join(RIGHTS)}")
    rights = ("create", "edit", "delete") if right == "*" else (right,)
    places = [whole_id(id) or id for id in told.ids] or [told.kind]
    marks = {(one, at) for one in rights for at in places}
    if told.act == "revoke":
        org.revoked |= marks
    else:
        org.revoked -= marks
    return []


def _organization(org: Org, told: Act) -> list[str]:
    """What is true of the whole org: `quota` with fields.left (and limit), `edit` of its facts."""
    fields = told.fields
    if told.act == "quota" and isinstance(fields.get("left"), int):
        org.daily = int(fields.get("limit", org.daily))
        spend(org, org.daily - int(fields["left"]))
    elif told.act == "edit" and set(fields) <= {"IsSandbox", "BinCapacity"}:
        org.sandbox = bool(fields.get("IsSandbox", org.sandbox))
        org.capacity = fields.get("BinCapacity", org.capacity)
    else:
        raise Refused("quota takes fields.left; an Organization has IsSandbox and BinCapacity")
    return []


def _live(records: list[Stored]) -> list[Stored]:
    for record in records:
        if record.state != LIVE:
            raise Refused(f"{record.ref} is {record.state}")
    return records


def _edit(org: Org, told: Act, records: list[Stored]) -> None:
    given: dict[str, Any] = {
        # The control route reads numbers as floats; the org keeps them exact.
        name: Decimal(str(value)) if isinstance(value, float) else value
        for name, value in told.fields.items()
    }
    for record in _live(records):
        update(org, record, given, by=org.person)


def _delete(org: Org, told: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state == LIVE:
            delete(org, record, by=org.person)


def _restore(org: Org, told: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state == DELETED:
            undelete(org, record.id, by=org.person)


def _empty(org: Org, told: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state == DELETED:
            empty_bin(org, record.id, by=org.person)


def _merge(org: Org, told: Act, records: list[Stored]) -> None:
    into = org.live(whole_id(told.into or ""))
    if into is None:
        raise Refused(f"no {told.kind}/{told.into} to merge into")
    merge(org, into, _live(records), told.fields, by=org.person)


def _lock(org: Org, told: Act, records: list[Stored]) -> None:
    """Submit for approval: the record is locked until somebody decides."""
    approvable = any(child.child == "ProcessInstance" for child in schema()[told.kind].children)
    if not approvable and not (told.kind == "Task" and org.switches["task_approvals"]):
        raise Refused(f"no approval process can be defined for {told.kind}")
    for record in records:
        org.store.lock(record)
        fields = {"TargetObjectId": record.id, "Status": "Pending", "SubmittedById": org.person}
        org.store.add(Stored("ProcessInstance", org.new_id("ProcessInstance"), fields))


def _decide(status: str) -> Callable[[Org, Act, list[Stored]], None]:
    def decide(org: Org, told: Act, records: list[Stored]) -> None:
        for record in records:
            if not record.locked:
                raise Refused(f"no approval runs for {record.ref}")
            org.store.lock(record, False)
            for one in org.store.where("ProcessInstance", "TargetObjectId", record.id, LIVE):
                if one.fields.get("Status") == "Pending":
                    org.store.change(one, {"Status": status})

    return decide


def _unlock(org: Org, told: Act, records: list[Stored]) -> None:
    _decide("Removed")(org, told, [record for record in records if record.locked])


_ACTS: Final[dict[str, Callable[[Org, Act, list[Stored]], None]]] = {
    "edit": _edit,
    "delete": _delete,
    "restore": _restore,
    "purge": _empty,
    "merge": _merge,
    "lock": _lock,
    "unlock": _unlock,
    "approve": _decide("Approved"),
    "reject": _decide("Rejected"),
}
