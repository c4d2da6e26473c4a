"""The life of a record: made, written, deleted with what follows it, brought back, merged, purged.

A delete walks the flags that describe tells (`cascadeDelete`, `restrictedDelete`), refuses as a
whole or takes a group into the bin; an undelete brings back the group, and what was in the bin
before stays there.
https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/langCon_apex_dml_examples_delete.htm
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_bridge.simulator import Stored
from crm_bridge_salesforce.simulator_org import DELETED, GONE, LIVE, Org, Trouble, name_of, stamp
from crm_bridge_salesforce.simulator_schema import Child, kind_of, schema, whole_id

DAY: Final = 86_400.0
NEVER_BINNED: Final = frozenset({"OrderItem", "OpportunityContactRole", "CampaignMember"})
"""Gone at once when they are deleted by themselves."""
_UNSEEN: Final = frozenset({"AccountTeamMember"})  # queryAll does not show deleted ones
_TOO_LARGE = 100_000

_COMES_BACK: Final = frozenset(
    [
        ("Account", "ParentId"),
        ("AccountContactRelation", "AccountId"),
        ("AccountContactRelation", "ContactId"),
        ("Case", "ParentId"),
        ("Contact", "ReportsToId"),
        ("Asset", "Product2Id"),
        ("Quote", "OpportunityId"),
    ]
)
"""The standard lookups that are published as restored with their target; custom ones are too."""


# -- finding --------------------------------------------------------------------------------------


def target(org: Org, kind: str | None, text: object) -> Stored:
    """The live record that a REST call names.

    Raises:
        Trouble: It is no id, of another object, deleted, or there is none.
    """
    id = whole_id(text)
    if id is None:
        raise Trouble("MALFORMED_ID", f"malformed id {text}", status=404)
    own = kind_of(id)
    if own is None or (kind is not None and own != kind):
        raise Trouble(
            "MALFORMED_ID", f"{kind or 'bad'} ID: id value of incorrect type: {id}", ("Id",)
        )
    record = org.find(id)
    if record is None or record.state == GONE or not org.may("read", own, id):
        code = org.switches["missing_id_code"]
        text = "entity is deleted" if code == "ENTITY_IS_DELETED" else "invalid cross reference id"
        raise Trouble(code, text, status=404)
    if record.state == DELETED:
        raise Trouble("ENTITY_IS_DELETED", "entity is deleted", status=404)
    return record


def locked(org: Org, record: Stored) -> None:
    """Refuse where an approval has locked the record.

    Raises:
        Trouble: It is locked.
    """
    if record.locked:
        code = org.switches["locked_code"]
        text = (
            "the entity is locked for editing"
            if code == "ENTITY_IS_LOCKED"
            else "insufficient access rights on object id"
        )
        raise Trouble(code, text, status=400)


def refused(org: Org) -> Trouble:
    """The answer to a user without the right."""
    status: int = org.switches["access_status"]
    code = "INSUFFICIENT_ACCESS_OR_READONLY"
    return Trouble(code, "insufficient access rights on object id", status=status)


# -- writing --------------------------------------------------------------------------------------


def create(org: Org, kind: str, given: Mapping[str, Any], by: str | None = None) -> Stored:
    """Make a record.

    Raises:
        Trouble: The org refuses it.
    """
    known = schema()[kind]
    if "c" not in known.flags or not org.may("create", kind):
        raise Trouble(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            f"entity type cannot be inserted: {known.label}",
        )
    kept = org.checked(known, given, None)
    now = org.clock.epoch()
    made = stamp(now)
    fields: dict[str, Any] = {n: v for n, v in kept.items() if v is not None}
    if "OwnerId" in known.fields:
        fields.setdefault("OwnerId", by or org.user)
    for field in org.fields(known):
        if field.auto:
            fields[field.name] = f"{org.made.get(kind, 10_000_000) + 1:08d}"
        elif field.values and field.defaulted and field.name not in fields:
            fields[field.name] = field.values[0]
    fields |= {"CreatedDate": made, "LastModifiedDate": made, "CreatedById": by or org.user}
    org.derive(kind, fields, now)
    fields = {n: v for n, v in fields.items() if v is not None}
    return org.store.add(Stored(kind, org.new_id(kind), fields))


def update(org: Org, record: Stored, given: Mapping[str, Any], by: str | None = None) -> None:
    """Write fields of a live record.

    Raises:
        Trouble: The org refuses it.
    """
    known = schema()[record.kind]
    if by is None:
        if "u" not in known.flags or not org.may("edit", record.kind, record.id):
            raise refused(org)
        locked(org, record)
    kept = org.checked(known, given, record)
    if record.kind == "Lead" and record.fields.get("IsConverted"):
        raise Trouble("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    merged = {**record.fields, **kept}
    org.derive(record.kind, merged, org.clock.epoch())
    changed = {n: v for n, v in merged.items() if record.fields.get(n) != v}
    changed["LastModifiedDate"] = stamp(org.clock.epoch())
    changed["LastModifiedById"] = by or org.user
    org.store.change(record, changed)


# -- deleting -------------------------------------------------------------------------------------


def delete(org: Org, record: Stored, by: str | None = None) -> None:
    """Take a live record and what follows it into the bin.

    Raises:
        Trouble: Something forbids it; then nothing has changed.
    """
    _allowed(org, record, by)
    if record.kind == "PricebookEntry" and _used(org, record):
        org.store.change(record, {"IsActive": False, "IsArchived": True})
        return
    group, emptied = _taken(org, record)
    if record.kind in NEVER_BINNED:
        bury(org, record)
        return
    _empty(org, emptied)
    now = org.clock.epoch()
    token = f"{record.id}:{now:.6f}"
    org.groups[token] = group
    for each in group:
        if each.kind in _UNSEEN:
            bury(org, each, seen=False)
            continue
        each.meta |= {"at": now, "by": by or org.user, "group": token}
        org.store.move(each, DELETED)
        org.bin[each.id] = each
    _overflow(org)


def hard_delete(org: Org, record: Stored) -> None:
    """Delete past the bin.

    Raises:
        Trouble: Something forbids it.
    """
    _allowed(org, record, None)
    group, emptied = _taken(org, record)
    _empty(org, emptied)
    binned = org.switches["hard_delete_children"] == "bin"
    now = org.clock.epoch()
    for each in group[1:]:
        if binned and each.kind not in _UNSEEN:
            each.meta |= {"at": now, "by": org.user, "group": f"{each.id}:{now:.6f}"}
            org.groups[each.meta["group"]] = [each]
            org.store.move(each, DELETED)
            org.bin[each.id] = each
        else:
            bury(org, each)
    bury(org, record)


def _allowed(org: Org, record: Stored, by: str | None) -> None:
    known = schema()[record.kind]
    if "d" not in known.flags:
        raise refused(org)
    if by is None:
        if not org.may("delete", record.kind, record.id):
            raise refused(org)
        locked(org, record)
    if _activated(record):
        raise Trouble("DELETE_FAILED", f"You can't delete an activated {known.label.lower()}.")
    if record.kind == "OrderItem":
        order = org.live(record.fields.get("OrderId"))
        if order is not None and _activated(order):
            raise Trouble("DELETE_FAILED", "You can't delete products of an activated order.")


def _activated(record: Stored) -> bool:
    return record.kind in ("Contract", "Order") and record.fields.get("StatusCode") == "Activated"


def _used(org: Org, entry: Stored) -> bool:
    return any(
        org.store.where(kind, "PricebookEntryId", entry.id)
        for kind in ("OpportunityLineItem", "OrderItem")
    )


def children(org: Org, record: Stored) -> Iterator[tuple[Child, list[Stored]]]:
    """The live records that hang on a record, by relationship."""
    there = org.store.kinds()
    for child in schema()[record.kind].children:
        if child.child in there:
            rows = org.store.where(child.child, child.field, record.id, LIVE)
            if rows:
                yield child, rows


def _taken(org: Org, root: Stored) -> tuple[list[Stored], list[tuple[Stored, str, str]]]:
    """What a delete takes, the root first, and the lookups that it empties: (child, field, id)."""
    group = {root.id: root}
    blocking: list[tuple[Child, list[Stored]]] = []
    loose: list[tuple[Stored, str, str]] = []
    archived: list[Stored] = []
    waiting = [root]
    while waiting:
        parent = waiting.pop(0)
        for child, rows in children(org, parent):
            if child.restricted and (not child.cascade or org.switches["both_flags"] == "refuse"):
                blocking.append((child, rows))
            elif child.cascade:
                if child.child == "PricebookEntry" and org.switches["entry_in_use"] == "archive":
                    used = [row for row in rows if _used(org, row)]
                    archived += used
                    rows = [row for row in rows if row not in used]
                if stops := [row for row in rows if _stops(org, row)]:
                    raise _blocked(root, child, stops)
                fresh = [row for row in rows if row.id not in group]
                group |= {row.id: row for row in fresh}
                waiting += fresh
            else:
                loose += [(row, child.field, parent.id) for row in rows]
        if len(group) > _TOO_LARGE:
            raise Trouble("DELETE_OPERATION_TOO_LARGE", "delete operation too large")
    for child, rows in blocking:
        if left := [row for row in rows if row.id not in group]:
            raise _blocked(root, child, left)
    for entry in archived:
        org.store.change(entry, {"IsActive": False, "IsArchived": True})
    return list(group.values()), [one for one in loose if one[0].id not in group]


def _stops(org: Org, child: Stored) -> bool:
    """Whether a child that would follow forbids the delete of its parent by its own state."""
    if child.kind == "Opportunity":
        others = child.fields.get("OwnerId") not in (None, org.user)
        if others and org.switches["others_opportunities"] == "refuse":
            return True
        return bool(child.fields.get("IsWon")) and org.switches["closed_won"] == "refuse"
    return _activated(child)


def _blocked(root: Stored, child: Child, rows: list[Stored]) -> Trouble:
    names = ", ".join(name_of(row) for row in rows[:5])
    plural = schema()[child.child].plural.lower()
    return Trouble(
        "DELETE_FAILED",
        f"Your attempt to delete {name_of(root)} could not be completed because it is associated "
        f"with the following {plural}.: {names}\n",
    )


def _empty(org: Org, emptied: list[tuple[Stored, str, str]]) -> None:
    for child, field, parent in emptied:
        if child.fields.get(field) == parent:
            org.store.change(child, {field: None})
            org.relinks.setdefault(parent, []).append((child.kind, child.id, field))


# -- coming back ----------------------------------------------------------------------------------


def undelete(org: Org, text: object, by: str | None = None) -> Stored:
    """Bring a record back from the bin, with what its delete took.

    Raises:
        Trouble: It is no id, not in the bin, or may not come back.
    """
    id = whole_id(text)
    if id is None:
        raise Trouble("INVALID_ID_FIELD", f"invalid ID field: {text}")
    kind = kind_of(id)
    if kind is not None and "r" not in schema()[kind].flags:
        raise Trouble("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Entity type is not undeletable")
    record = org.find(id)
    if record is None or record.state != DELETED:
        raise Trouble("UNDELETE_FAILED", "Entity is not in the recycle bin")
    if by is None:
        locked(org, record)
        if record.meta.get("by") != org.user and not org.may("ModifyAllData"):
            raise refused(org)
        age = org.clock.epoch() - float(record.meta.get("at", 0))
        if age > 15 * DAY and not org.switches["late_undelete"]:
            raise Trouble("UNDELETE_FAILED", "Entity is not in the recycle bin")
    group = org.groups.get(record.meta.get("group", ""), [record])
    if group[0] is not record and group[0].state == DELETED:
        if org.switches["child_of_deleted"] == "refused":
            raise Trouble("UNDELETE_FAILED", "The parent of this record is in the recycle bin")
        undelete(org, group[0].id, by)
        return record
    _master_lives(org, record)
    back = [record] if group[0] is not record else [r for r in group if r.state == DELETED]
    for each in back:
        if "r" not in schema()[each.kind].flags and not org.switches["dependents_come_back"]:
            continue  # it stays where it is, until the bin drops it
        each.merged_into = None
        each.meta.clear()
        org.bin.pop(each.id, None)
        org.store.move(each, LIVE)
    for each in back:
        if each.state == LIVE:
            _mend(org, each, by or org.user)
    return record


def _master_lives(org: Org, record: Stored) -> None:
    for field in schema()[record.kind].fields.values():
        if field.master and org.live(record.fields.get(field.name)) is None:
            raise Trouble("UNDELETE_FAILED", "The master of this record is deleted")


def _mend(org: Org, record: Stored, by: str) -> None:
    """Empty lookups to what is not there any more, and fill those that named this record."""
    lost: dict[str, Any] = {}
    for field in schema()[record.kind].fields.values():
        there = record.fields.get(field.name)
        if field.type != "reference" or not there or kind_of(there) not in org.store.kinds():
            continue
        if org.live(there) is None:
            lost[field.name] = None
            org.relinks.setdefault(there, []).append((record.kind, record.id, field.name))
    now = stamp(org.clock.epoch())
    org.store.change(record, {**lost, "LastModifiedDate": now, "LastModifiedById": by})
    for kind, id, name in org.relinks.pop(record.id, ()):
        published = name.endswith("__c") or (kind, name) in _COMES_BACK
        child = org.store.get(kind, id)
        if child is None or child.state == GONE or child.fields.get(name) is not None:
            continue
        if published or org.switches["relink"] == "all":
            org.store.change(child, {name: record.id})


# -- leaving for good -----------------------------------------------------------------------------


def bury(org: Org, record: Stored, seen: bool = True) -> None:
    """Make a record gone; queryAll may show it for some hours more."""
    org.bin.pop(record.id, None)
    org.relinks.pop(record.id, None)
    if seen and record.kind not in _UNSEEN:
        known = schema()[record.kind]
        kept = {f.name: org.value(record, f) for f in known.fields.values()}
        kept["IsDeleted"] = True
        ghosts = org.ghosts.setdefault(record.kind, {})
        ghosts[record.id] = (org.clock.epoch(), kept)
    record.meta.clear()
    org.store.remove(record)


def empty_bin(org: Org, text: object, by: str | None = None) -> None:
    """Take a record, and what its delete took along, out of the bin for good.

    Raises:
        Trouble: It is not in the bin.
    """
    id = whole_id(text)
    record = org.find(id) if id else None
    if record is None or record.state != DELETED:
        code = org.switches["empty_bin_code"]
        raise Trouble(code, "invalid record id; no recycle bin entry found")
    if by is None and record.meta.get("by") != org.user and not org.may("ModifyAllData"):
        raise refused(org)
    _bury_group(org, record)


def _bury_group(org: Org, record: Stored) -> None:
    token = record.meta.get("group", "")
    group = org.groups.get(token, [record])
    if group[0] is record:
        for each in group[1:]:
            if each.state == DELETED and each.meta.get("group") == token:
                bury(org, each)
        org.groups.pop(token, None)
    bury(org, record)


def sweep(org: Org) -> None:
    """Let the clock take its share: of the bin, and of what queryAll shows of the purged."""
    now = org.clock.epoch()
    if now < org.unswept:
        return
    days = float(org.switches["retention"]) * DAY
    for record in list(org.bin.values()):
        if record.state == DELETED and now - float(record.meta["at"]) > days:
            _bury_group(org, record)
    hours = float(org.switches["purged_shown_hours"]) * 3600
    for kind, ghosts in org.ghosts.items():
        org.ghosts[kind] = {id: g for id, g in ghosts.items() if now - g[0] < hours}
    _overflow(org)
    org.unswept = now + 60


def _overflow(org: Org) -> None:
    """Drop the oldest once the bin is over its capacity, if they are in it for two hours.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_emptyrecyclebin.htm
    """
    over = len(org.bin) - org.bin_holds
    if over <= 0:
        return
    now = org.clock.epoch()
    for record in sorted(org.bin.values(), key=lambda r: float(r.meta["at"]))[:over]:
        if record.state == DELETED and now - float(record.meta["at"]) >= 7200:
            _bury_group(org, record)


# -- merging --------------------------------------------------------------------------------------


def merge(
    org: Org, master: Stored, victims: list[Stored], given: Mapping[str, Any], by: str | None
) -> list[str]:
    """Merge up to two records of one kind into another; gives the ids of moved children.

    Raises:
        Trouble: They cannot be merged.
    """
    if "m" not in schema()[master.kind].flags:
        raise Trouble("INVALID_FIELD", f"merge is not supported for {master.kind}")
    if not 1 <= len(victims) <= 2 or any(v.kind != master.kind or v is master for v in victims):
        raise Trouble("INVALID_FIELD", "merge takes one or two other records of the same type")
    if given:
        update(org, master, given, by)
    moved = []
    now = org.clock.epoch()
    for victim in victims:
        for child, rows in list(children(org, victim)):
            for row in rows:
                org.store.change(row, {child.field: master.id})
                moved.append(row.id)
        token = f"{victim.id}:{now:.6f}"
        victim.merged_into = master.id
        victim.meta |= {"at": now, "by": by or org.user, "group": token}
        org.groups[token] = [victim]
        org.store.move(victim, DELETED)
        org.bin[victim.id] = victim
    return moved
