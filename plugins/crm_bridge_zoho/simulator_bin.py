"""The recycle bin of the organisation: look, restore, purge, empty.

Version 7 has looking and purging, version 8 also restore, count and empty:
https://www.zoho.com/crm/developer/docs/api/v7/get-recycle-bin.html and
https://www.zoho.com/crm/developer/docs/api/v8/restore-recycle-bin-records.html. A SCHEDULED restore
names no job: it is done once the bin no longer holds the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_zoho.simulator_life import came_with, out_of_bin, owned, parents, purge
from crm_bridge_zoho.simulator_org import (
    DELETED,
    anywhere,
    denied,
    in_bin,
    is_admin,
    module_id,
    person,
)
from crm_bridge_zoho.simulator_shape import display
from crm_bridge_zoho.simulator_values import as_id
from crm_bridge_zoho.simulator_wire import (
    Asked,
    Deny,
    RowDeny,
    answered,
    epoch_of,
    moment,
    nothing,
    page_of,
    reply,
    success,
)
from crm_bridge_zoho.simulator_writes import each

RESTORE_MOST = 200
PURGE_MOST = 100
_KEY = "recycle_bin"
_WAIT = 600.0  # seconds of the account's clock after which a scheduled restore has surely ended


def _shown(account: Account, record: Stored) -> dict[str, Any]:
    def short(id: str | None) -> dict[str, Any] | None:
        found = person(account, id)
        return found and {"name": found["name"], "id": found["id"]}

    return {
        "owner": short(record.fields.get("Owner")),
        "module": {"api_name": record.kind, "id": module_id(account, record.kind)},
        "deleted_by": short(record.meta.get("deleted_by")),
        "id": record.id,
        "display_name": display(account, record),
        "deleted_time": moment(record.meta["deleted_at"]),
    }


def _visible(asked: Asked, record: Stored) -> bool:
    if is_admin(asked.account, asked.user):
        return True
    return asked.user in (record.fields.get("Owner"), record.meta.get("deleted_by"))


def binned_here(asked: Asked, id: str) -> Stored | None:
    """The record of that id where it is in the bin and the user sees it."""
    record = anywhere(asked.account, id)
    if record is None or record.state != DELETED or not _visible(asked, record):
        return None
    return record


# -- looking --------------------------------------------------------------------------------------

_WORDS: dict[str, Callable[[str, str], bool]] = {
    "equal": lambda value, wanted: value == wanted,
    "not_equal": lambda value, wanted: value != wanted,
    "contains": lambda value, wanted: wanted in value,
    "not_contains": lambda value, wanted: wanted not in value,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
_MOMENTS: dict[str, Callable[[float, float], bool]] = {
    "equal": lambda value, wanted: int(value) == int(wanted),
    "not_equal": lambda value, wanted: int(value) != int(wanted),
    "greater_than": lambda value, wanted: value > wanted,
    "less_than": lambda value, wanted: value < wanted,
}


def _wrong_filter(asked: Asked, name: str) -> Deny:
    status = int(asked.account.switches["filter_error_status"])
    return Deny("INVALID_DATA", "invalid data", {"api_name": name}, status)


def _filter(asked: Asked, given: Any) -> list[Callable[[Stored], bool]]:
    """The tests of a filter: only AND, only the four fields that are documented."""
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given)
        except msgspec.DecodeError:
            raise _wrong_filter(asked, "filters") from None
    if not isinstance(given, dict):
        raise _wrong_filter(asked, "filters")
    if "group" in given:
        if given.get("group_operator") != "AND" or not isinstance(given["group"], list):
            raise _wrong_filter(asked, "group_operator")
        return [test for one in given["group"] for test in _filter(asked, one)]
    field, comparator, wanted = given.get("field"), given.get("comparator"), given.get("value")
    name = field.get("api_name") if isinstance(field, dict) else None
    account = asked.account
    if name == "deleted_time" and comparator in _MOMENTS and isinstance(wanted, str):
        at = epoch_of(wanted)
        if at is None:
            raise _wrong_filter(asked, "deleted_time")
        late = _MOMENTS[comparator]
        return [lambda record: late(record.meta["deleted_at"], at)]
    if name == "module" and comparator in ("equal", "not_equal"):
        text = _WORDS[comparator]
        word = str(wanted.get("api_name") if isinstance(wanted, dict) else wanted)
        return [lambda record: text(record.kind, word)]
    if name == "display_name" and comparator in _WORDS:
        text, word = _WORDS[comparator], str(wanted)
        return [lambda record: text(display(account, record) or "", word)]
    if name == "deleted_by" and comparator in _WORDS:
        text = _WORDS[comparator]
        first = wanted[0] if isinstance(wanted, list) and wanted else wanted
        if isinstance(first, dict):
            id = str(first.get("id"))
            return [lambda record: text(record.meta.get("deleted_by") or "", id)]
        word = str(first)
        return [lambda r: text((person(account, r.meta.get("deleted_by")) or {"name": ""})["name"],
                               word)]  # fmt: skip
    raise _wrong_filter(asked, str(name or "field"))


def _chosen(asked: Asked, filters: Any) -> list[Stored]:
    tests = _filter(asked, filters) if filters else []
    return [
        record
        for record in in_bin(asked.account)
        if _visible(asked, record) and all(test(record) for test in tests)
    ]


def look(asked: Asked) -> Reply:
    """GET /settings/recycle_bin, GET /settings/recycle_bin/{id}; a path id beats ids, filters."""
    run_scheduled(asked.account)
    account = asked.account
    ids = [asked.parts[2]] if len(asked.parts) == 3 else asked.names("ids")
    if ids:
        found = [one for id in ids if (one := binned_here(asked, id)) is not None]
    else:
        found = _chosen(asked, asked.query("filters"))
    by, order = asked.query("sort_by") or "deleted_time", asked.query("sort_order") or "desc"
    keys: dict[str, Callable[[Stored], Any]] = {
        "deleted_time": lambda r: (r.meta["deleted_at"], r.id),
        "display_name": lambda r: (display(account, r) or "", r.id),
        "deleted_by": lambda r: (r.meta.get("deleted_by") or "", r.id),
    }
    if by not in keys or order not in ("asc", "desc"):
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "sort_by"})
    found.sort(key=keys[by], reverse=order == "desc")
    some, info = page_of(asked, found)
    if not some:
        return nothing()
    return reply({_KEY: [_shown(account, record) for record in some], "info": info})


def count(asked: Asked) -> Reply:
    """GET /settings/recycle_bin/actions/count."""
    run_scheduled(asked.account)
    return reply({"count": len(_chosen(asked, asked.query("filters")))})


# -- restore --------------------------------------------------------------------------------------


def restore_one(asked: Asked) -> Reply:
    """POST /settings/recycle_bin/{id}/actions/restore."""
    return _restore(asked, [asked.parts[2]], "Restored")


def restore_many(asked: Asked) -> Reply:
    """POST /settings/recycle_bin/actions/restore with ids, filters or restore_all_records."""
    body = asked.body()
    modes = [name for name in ("ids", "filters", "restore_all_records") if name in body]
    if not modes:
        names = ["ids", "filters", "restore_all_records"]
        raise Deny("EXPECTED_FIELD_MISSING", "expected field missing", {"param_names": names},
                   key=_KEY)  # fmt: skip
    if len(modes) > 1:
        raise Deny("AMBIGUITY_DURING_PROCESSING", "ambiguity while processing the request",
                   {"ambiguity_due_to": [{"api_name": name} for name in modes]})  # fmt: skip
    if modes == ["ids"]:
        ids = body["ids"]
        if not isinstance(ids, list) or not ids or not all(map(as_id, ids)):
            details = {"api_name": "ids", "expected_data_type": "jsonarray"}
            raise Deny("INVALID_DATA", "invalid data", details)
        if len(ids) > RESTORE_MOST:
            most = {"api_name": "ids", "maximum_length": RESTORE_MOST}
            raise Deny("INVALID_DATA", "invalid data", most)
        return _restore(asked, [str(id) for id in ids], "record restored")
    if modes == ["restore_all_records"] and body["restore_all_records"] is not True:
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "restore_all_records"})
    found = _chosen(asked, body.get("filters"))
    schedule(asked.account, [record.id for record in found], asked.user)
    text = "Bulk restoration of records based on filters has been scheduled"
    return reply({_KEY: [success(text, code="SCHEDULED")]}, 202)


def _restore(asked: Asked, ids: Sequence[str], message: str) -> Reply:
    account = asked.account
    asking = dict.fromkeys(ids)
    known = [record for record in (binned_here(asked, id) for id in asking) if record]
    total = len(known) + sum(len(came_with(account, record)) for record in known)
    later = total > int(account.switches["restore_at_once"])
    taken: list[str] = []

    def do(id: str) -> dict[str, Any]:
        record = anywhere(account, id)
        if id in done:
            return success(message, {"id": id})
        if record is None or record.state != DELETED or not _visible(asked, record):
            raise RowDeny("INVALID_DATA", "the id given seems to be invalid", {"id": id})
        if denied(account, "restore", record.kind, id):
            raise RowDeny("NO_PERMISSION", "permission denied", {"id": id})
        if any(parent.id not in asking for parent in parents(account, record)):
            text = "cannot restore the record without its parent"
            raise RowDeny("CANNOT_RESTORE_WITHOUT_PARENT", text, {"id": id})
        if later:
            taken.append(id)
            text = "record has been scheduled for restoration"
            return success(text, {"id": id}, "SCHEDULED")
        for parent in parents(account, record):
            done.update(back(account, parent, asked.user))
        if record.state == DELETED:
            done.update(back(account, record, asked.user))
        return success(message, {"id": id})

    done: set[str] = set()
    rows = each(list(asking), do, account)
    if taken:
        schedule(account, taken, asked.user)
        if len(taken) == len(rows):
            return answered(_KEY, rows, 202)
    return answered(_KEY, rows)


def back(account: Account, record: Stored, by: str) -> list[str]:
    """Bring one back; gives the ids that came with it and its own."""
    along = [child.id for child in came_with(account, record)]
    out_of_bin(account, record, by)
    return [record.id, *along]


def schedule(account: Account, ids: list[str], by: str) -> None:
    """Take ids for a restore that happens later."""
    jobs: list[dict[str, Any]] = account.memory.setdefault("restores", [])
    polls = int(account.switches["scheduled_looks"])
    jobs.append({"ids": ids, "by": by, "looks": polls, "at": account.clock.epoch() + _WAIT})
    if polls == 0:
        run_scheduled(account)


def run_scheduled(account: Account) -> None:
    """Go on with scheduled restores: each look at the bin brings them nearer to their end."""
    jobs: list[dict[str, Any]] = account.memory.get("restores", [])
    for job in list(jobs):
        due = job["looks"] <= 0 or account.clock.epoch() >= job["at"]
        # Part of the records come back before the rest, as in any work of the background.
        share = len(job["ids"]) if due else len(job["ids"]) // (job["looks"] + 1)
        job["looks"] -= 1
        some, job["ids"] = job["ids"][:share], job["ids"][share:]
        for id in some:
            record = anywhere(account, id)
            if record is not None and record.state == DELETED:
                try:
                    out_of_bin(account, record, job["by"])
                except RowDeny:
                    continue  # a value was taken meanwhile: it stays in the bin, and nobody says so
        if not job["ids"]:
            jobs.remove(job)


# -- purge ----------------------------------------------------------------------------------------


def purge_some(asked: Asked) -> Reply:
    """DELETE /settings/recycle_bin?ids=|filters=, DELETE /settings/recycle_bin/{id}."""
    account = asked.account
    ids = [asked.parts[2]] if len(asked.parts) == 3 else asked.names("ids")
    if not ids:
        filters = asked.query("filters")
        if not filters:
            raise Deny("EXPECTED_PARAM_MISSING", "expected parameter missing",
                       {"param_names": ["ids", "filters"]})  # fmt: skip
        for record in _chosen(asked, filters):
            if record.state == DELETED:
                purge(account, record)
        text = "Bulk deletion of records based on filters has been scheduled"
        return reply({_KEY: [success(text, code="SCHEDULED")]}, 202)
    if len(ids) > PURGE_MOST:
        raise Deny("LIMIT_EXCEEDED", "the ids limit is exceeded", {"limit": PURGE_MOST})
    wanted = list(dict.fromkeys(ids))
    asking, gone = set(wanted), set[str]()

    def do(id: str) -> dict[str, Any]:
        record = binned_here(asked, id)
        if id in gone:
            return success("record deleted", {"id": id})
        if record is None:
            raise RowDeny("INVALID_DATA", "the id given seems to be invalid", {"id": id})
        if denied(account, "purge", record.kind, id):
            raise RowDeny("NO_PERMISSION", "permission denied", {"id": id})
        along = {one.id for one in (*came_with(account, record), *owned(account, record, DELETED))}
        gone.update(along & asking)
        purge(account, record)
        return success("record deleted", {"id": id})

    return answered(_KEY, each(wanted, do, account))


def empty(asked: Asked) -> Reply:
    """POST /settings/recycle_bin/actions/empty, for administrators."""
    if not is_admin(asked.account, asked.user):
        raise Deny("AUTHORIZATION_FAILED")
    found = list(in_bin(asked.account))
    for record in found:
        if record.state == DELETED:
            purge(asked.account, record)
    if len(found) > int(asked.account.switches["restore_at_once"]):
        text = "Empty bin action has been scheduled"
        return reply({_KEY: [success(text, code="SCHEDULED")]}, 202)
    return reply({_KEY: [success("recyclebin is cleared")]})
