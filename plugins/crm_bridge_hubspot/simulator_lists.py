"""Static lists of contacts: the one thing of the CRM that its API restores; members do not return.

https://github.com/HubSpot/HubSpot-public-api-spec-collection, CRM/Lists, v3.
"""

from __future__ import annotations

from typing import Any, Final

from crm_bridge.simulator import Account, Reply
from crm_bridge_hubspot.simulator_catalog import TYPE_IDS
from crm_bridge_hubspot.simulator_portal import LIVE, kind_of
from crm_bridge_hubspot.simulator_wire import Asked, Deny, not_found, pages

DAYS: Final = 90

Members = dict[str, dict[tuple[str, str], None]]


def members_of(account: Account) -> Members:
    """Each list's members, as (kind, id)."""
    members: Members = account.memory.setdefault("members", {})
    return members


_NAMES: Final = {"11": "Newsletter", "12": "展会 2026"}


def _list(asked: Asked, id: str) -> dict[str, Any]:
    if id not in members_of(asked.account):
        raise not_found()
    deleted = asked.account.memory.get("lists_gone", {}).get(id)
    told = {
        "listId": id, "name": _NAMES[id], "objectTypeId": TYPE_IDS["contacts"],
        "processingType": "MANUAL", "processingStatus": "COMPLETE", "listVersion": 1,
        "size": len(members_of(asked.account)[id]), "createdAt": "2023-01-01T00:00:00.000Z",
        "updatedAt": "2023-01-01T00:00:00.000Z",
    }  # fmt: skip
    return told if deleted is None else told | {"deletedAt": deleted[1]}


def one_list(asked: Asked, id: str) -> Reply:
    """GET and DELETE /lists/{id}."""
    gone: dict[str, tuple[float, str]] = asked.account.memory.setdefault("lists_gone", {})
    told = _list(asked, id)
    if asked.call.method == "DELETE":
        gone.setdefault(id, (asked.account.clock.epoch(), asked.account.clock.iso()))
        return Reply(204)
    if id in gone:
        raise not_found()
    return Reply.json({"list": told})


def restore_list(asked: Asked, id: str) -> Reply:
    """PUT /lists/{id}/restore: 204 within 90 days."""
    _list(asked, id)
    gone = asked.account.memory.get("lists_gone", {})
    if id in gone and asked.account.clock.epoch() - gone[id][0] > DAYS * 86_400:
        raise not_found()
    gone.pop(id, None)
    return Reply(204)


def members(asked: Asked, id: str) -> Reply:
    """GET /lists/{id}/memberships."""
    _list(asked, id)
    size, start = int(asked.call.query("limit") or 100), int(asked.call.query("after") or 0)
    rows = [{"recordId": one} for _, one in sorted(members_of(asked.account)[id])]
    told: dict[str, Any] = {"results": list(pages(rows, start, size)), "total": len(rows)}
    if start + size < len(rows):
        told["paging"] = {"next": {"after": str(start + size)}}
    return Reply.json(told)


def change_members(asked: Asked, id: str, verb: str) -> Reply:
    """PUT /lists/{id}/memberships/{add, remove} with a list of ids."""
    _list(asked, id)
    try:
        ids = asked.call.json
    except ValueError:
        ids = None
    if not isinstance(ids, list):
        raise Deny(400, "a list of record ids is needed")
    held, changed = members_of(asked.account)[id], []
    for one in map(str, ids):
        record = asked.account.store.get("contacts", one)
        if verb == "remove" and held.pop(("contacts", one), 0) is None:
            changed.append(one)
        if verb == "add" and record is not None and record.state == LIVE:
            held[("contacts", one)] = None
            changed.append(one)
    name = "recordIdsAdded" if verb == "add" else "recordIdsRemoved"
    return Reply.json({name: changed, "recordIdsMissing": [o for o in ids if o not in changed]})


def memberships(asked: Asked, spelled: str, id: str) -> Reply:
    """GET /lists/records/{type}/{id}/memberships: the lists that hold a record."""
    kind = kind_of(asked.account, spelled)
    now = asked.account.clock.iso()
    rows = [
        {"listId": name, "listVersion": 1, "isPublishedList": False,
         "firstAddedTimestamp": now, "lastAddedTimestamp": now}
        for name, held in members_of(asked.account).items()
        if (kind, id) in held
    ]  # fmt: skip
    return Reply.json({"results": rows, "total": len(rows)})


def search_lists(asked: Asked) -> Reply:
    """POST /lists/search: the lists by a part of their name."""
    wanted = str(asked.body().get("query") or "").lower()
    gone = asked.account.memory.get("lists_gone", {})
    rows = [
        _list(asked, id)
        for id in members_of(asked.account)
        if id not in gone and wanted in _NAMES[id].lower()
    ]
    return Reply.json({"lists": rows, "total": len(rows), "offset": len(rows), "hasMore": False})
