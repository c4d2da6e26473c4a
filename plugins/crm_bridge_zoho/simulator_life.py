"""The life of a record: deleted with what follows it, brought back, purged, expired.

What follows a deleted record, and what comes back with it:
https://www.zoho.com/crm/developer/docs/api/v7/delete-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/restore-recycle-bin-records.html. Lookups of other
modules, activities and linking rows are not documented: each is a switch.
"""

from __future__ import annotations

from collections.abc import Iterator

from crm_bridge.simulator import Account, Stored
from crm_bridge_zoho.simulator_modules import (
    ACTIVITIES,
    LOOKUPS,
    MODULES,
    RELATED,
    SUBFORMS,
    referrers,
)
from crm_bridge_zoho.simulator_org import (
    BIN_DAYS,
    DAY,
    DELETED,
    GONE,
    LIVE,
    anywhere,
    binned,
    fire,
    in_bin,
    stamped,
    timeline,
)
from crm_bridge_zoho.simulator_wire import RowDeny

OWNED = (*SUBFORMS, "Notes", "Attachments")
"""What belongs to one record and goes and comes with it."""


def owned(account: Account, record: Stored, state: str) -> Iterator[Stored]:
    """Subform rows, notes and attachments of a record that are in that state."""
    for kind in OWNED:
        if kind in SUBFORMS and LOOKUPS[kind][0].target != record.kind:
            continue
        yield from account.store.where(kind, "Parent_Id", record.id, state)


def followers(account: Account, record: Stored) -> Iterator[Stored]:
    """The live records that go with a deleted one, by the switches, nearest first."""
    yield from owned(account, record, LIVE)
    for kind, field in referrers(record.kind):
        if kind in OWNED:
            continue
        linking = MODULES[kind].kind == "linking"
        if linking:
            follows = account.switches["linking_rows"] == "follow"
        elif kind in ACTIVITIES:
            follows = account.switches["activities"] == "follow"
        else:
            follows = account.switches["lookup_policy"] == "cascade"
        if follows:
            yield from account.store.where(kind, field.api, record.id, LIVE)


def to_bin(account: Account, record: Stored, by: str, source: str, silent: bool = False) -> None:
    """Delete a record as the vendor does, with all that follows it."""
    fire(account, record, "delete", silent)
    _into_bin(account, record, by, source, "")


def _into_bin(account: Account, record: Stored, by: str, source: str, root: str) -> None:
    now = account.clock.epoch()
    if not root and not MODULES[record.kind].bin:
        # recycle_bin_on_delete is false: what is deleted by itself is gone.
        record.meta.update(deleted_at=now, deleted_by=by)
        account.store.remove(record)
        return
    record.meta.update(deleted_at=now, deleted_by=by, root=root, was=record.changed_at)
    account.store.move(record, DELETED)
    binned(account)[record.id] = None
    if root:
        account.memory.setdefault("with", {}).setdefault(root, []).append(record.id)
    due = account.memory.get("sweep_at")
    if due is not None:
        account.memory["sweep_at"] = min(due, now + BIN_DAYS * DAY)
    timeline(account, record, "deleted", by, source)
    for child in list(followers(account, record)):
        if child.state == LIVE:
            _into_bin(account, child, by, source, root or record.id)


def came_with(account: Account, record: Stored) -> list[Stored]:
    """What a restore of a binned record would bring along."""
    ids: list[str] = account.memory.get("with", {}).get(record.id, [])
    found = {id: anywhere(account, id) for id in ids}
    if account.switches["restore_brings"] == "all":
        found.update({child.id: child for child in owned(account, record, DELETED)})
    return [
        child
        for child in found.values()
        if child is not None and child.state == DELETED and child is not record
    ]


def parents(account: Account, record: Stored) -> list[Stored]:
    """The binned records without which a binned one cannot come back."""
    names = []
    if record.kind in OWNED:
        names.append(record.fields.get("Parent_Id"))
    elif account.switches["parent_rule"] == "lookups":
        names += [record.fields.get(f.api) for f in LOOKUPS[record.kind] if f.target != "*"]
    names.append(record.meta.get("root"))
    found = [anywhere(account, id) for id in dict.fromkeys(names) if id and id != record.id]
    return [one for one in found if one is not None and one.state == DELETED]


def out_of_bin(account: Account, record: Stored, by: str) -> None:
    """Bring a binned record back with its id and fields, and what was deleted with it.

    Raises:
        RowDeny: A value that must be unique was taken meanwhile.
    """
    if account.switches["restore_conflict"] == "refuse":
        taken = unique_taken(account, record)
        if taken:
            details = {"id": record.id, "api_name": taken}
            raise RowDeny("DUPLICATE_DATA", "duplicate data", details)
    along = came_with(account, record)
    for one in (record, *along):
        _back(account, one, by)
    account.memory.get("with", {}).pop(record.id, None)
    if not account.switches["lookup_return"]:
        _forget(account, record)


def _back(account: Account, record: Stored, by: str) -> None:
    binned(account).pop(record.id, None)
    changed_at = record.meta.pop("was", record.changed_at)
    for name in ("deleted_at", "deleted_by", "root"):
        record.meta.pop(name, None)
    account.store.move(record, LIVE)
    if account.switches["restore_touches"] and record.kind not in SUBFORMS:
        # Rows are values of their record; what is in question is the record's own stamp.
        account.store.change(record, stamped(account, by))
    else:
        record.changed_at = changed_at
    timeline(account, record, "restored", by, "crm_api")


def _forget(account: Account, record: Stored) -> None:
    """The lookups that read as empty while it was away stay empty."""
    for kind, field in referrers(record.kind):
        if kind not in OWNED and MODULES[kind].kind != "linking":
            for other in account.store.where(kind, field.api, record.id, LIVE):
                account.store.change(other, {field.api: None})


def unique_taken(account: Account, record: Stored) -> str:
    """The unique field whose value another live record has now, or nothing."""
    from crm_bridge_zoho.simulator_org import fields_of

    for field in fields_of(account, record.kind).values():
        value = record.fields.get(field.api)
        if field.unique and value:
            found = account.store.where(record.kind, field.api, value, LIVE)
            if any(other.id != record.id for other in found):
                return field.api
    return ""


def purge(account: Account, record: Stored) -> None:
    """Empty a record out of the bin for good, and the binned records that belong to it."""
    along = [*came_with(account, record), *owned(account, record, DELETED)]
    for one in (*along, record):
        if one.state == DELETED:
            binned(account).pop(one.id, None)
            at = one.meta.get("deleted_at")
            account.store.remove(one)
            one.meta.clear()
            one.meta["deleted_at"] = at
    account.memory.get("with", {}).pop(record.id, None)


def sweep(account: Account) -> None:
    """Purge what has lain in the bin for its days; cheap where nothing is due."""
    now = account.clock.epoch()
    due = account.memory.get("sweep_at")
    if due is not None and now < due:
        return
    oldest = now + BIN_DAYS * DAY
    for record in in_bin(account):
        ends = record.meta.get("deleted_at", now) + BIN_DAYS * DAY
        if ends <= now:
            purge(account, record)
        else:
            oldest = min(oldest, ends)
    account.memory["sweep_at"] = oldest


def merge(account: Account, loser: Stored, winner: Stored) -> None:
    """Merge a record away: who pointed at it points at the one that stays."""
    for kind, field in referrers(loser.kind):
        for other in account.store.where(kind, field.api, loser.id, LIVE):
            account.store.change(other, {field.api: winner.id})
    at = account.clock.epoch()
    account.store.remove(loser)
    loser.merged_into = winner.id
    loser.meta = {"deleted_at": at}


def survivors(account: Account, record: Stored, listed: str) -> list[Stored] | None:
    """The live records of a related list that still point at a binned one; None: no such list."""
    found = RELATED.get(record.kind, {}).get(listed)
    if found is None or found.linking:
        return None
    return account.store.where(found.module, found.via, record.id, LIVE)


def gone_since(account: Account, kind: str, days: float) -> list[Stored]:
    """The records that were deleted for good within so many days, with a known moment."""
    since = account.clock.epoch() - days * DAY
    return [
        record
        for record in account.store.of(kind, GONE)
        if (record.meta.get("deleted_at") or 0) >= since
    ]
