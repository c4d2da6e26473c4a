"""Reading records: one, lists with pages and page tokens, searches, what was deleted, history."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_zoho.simulator_life import gone_since, survivors
from crm_bridge_zoho.simulator_metadata import known, view_id
from crm_bridge_zoho.simulator_modules import Field, Module
from crm_bridge_zoho.simulator_org import (
    DAY,
    DELETED,
    LISTED_DAYS,
    LIVE,
    denied,
    fields_of,
    person,
)
from crm_bridge_zoho.simulator_shape import display, shown_in_list, shown_whole, value_of
from crm_bridge_zoho.simulator_values import as_id
from crm_bridge_zoho.simulator_wire import (
    Asked,
    Deny,
    epoch_of,
    moment,
    nothing,
    page_of,
    paging,
    reply,
)

PLAIN_ROWS = 2_000
TOKEN_ROWS = 100_000
TOKEN_DAY = DAY
FIELDS_MOST = 50
"""Limits of https://www.zoho.com/crm/developer/docs/api/v7/get-records.html."""


def module_asked(asked: Asked, right: str = "read") -> Module:
    """The module that the path names, where it is served and the user may look.

    Raises:
        Deny: There is none, it is not served, or the user has no right.
    """
    module = known(asked, asked.parts[0])
    if not module.served:
        raise Deny("NOT_SUPPORTED", details={"resource_path_index": 0})
    if denied(asked.account, right, module.api):
        permission = {"permissions": [f"Crm_Implied_{right.title()}_{module.api}"]}
        raise Deny("NO_PERMISSION", f"Permission denied to {right}", permission)
    return module


def names_asked(asked: Asked) -> list[str]:
    """The field names asked for; from version 3 on they must be given in lists.

    Raises:
        Deny: None are given, or more than fifty.
    """
    names = asked.names("fields")
    if not names and asked.version >= 3:
        raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": "fields"})
    if len(names) > FIELDS_MOST:
        raise Deny(
            "LIMIT_EXCEEDED", "the fields limit is exceeded",
            {"limit": FIELDS_MOST, "param_name": "fields"},
        )  # fmt: skip
    return names


def one(asked: Asked) -> Reply:
    """GET /{module}/{id}."""
    module = module_asked(asked)
    record = readable(asked, module, asked.parts[1])
    if record is None:
        return nothing()
    return reply({"data": [shown_whole(asked, record)]})


def readable(asked: Asked, module: Module, id: str) -> Stored | None:
    """A live record that the user may read.

    Raises:
        Deny: That is no id, or the record is hidden from the user.
    """
    if as_id(id) is None:
        details = {"resource_path_index": 1}
        raise Deny("INVALID_DATA", "the id given seems to be invalid", details)
    record = asked.account.store.get(module.api, id)
    if record is None or record.state != LIVE:
        return None
    if denied(asked.account, "read", module.api, id):
        raise Deny("NO_PERMISSION", "permission denied", {"permissions": ["Crm_Implied_View"]})
    return record


def full_text(asked: Asked) -> Reply:
    """GET /{module}/{id}/actions/fetch_full_data?fields=: rich text, uncut."""
    module = module_asked(asked)
    record = readable(asked, module, asked.parts[1])
    if record is None:
        return nothing()
    fields = fields_of(asked.account, module.api)
    names = asked.names("fields") or [name for name, field in fields.items() if field.rich]
    rich = {name: fields[name] for name in names if name in fields and fields[name].rich}
    if not rich:
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "fields"})
    data = {name: value_of(asked.account, record, field) for name, field in rich.items()}
    return reply({"data": [{**data, "id": record.id}]})


def listed(asked: Asked) -> Reply:
    """GET /{module}: by ids, or page by page, the newest id first."""
    module = module_asked(asked)
    names = names_asked(asked)
    ids = asked.names("ids")
    view = asked.query("cvid")
    if view is not None and view != view_id(asked, module):
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "cvid"})
    if view is not None:
        asked.cost = 3
    if ids:
        most = int(asked.account.switches["read_ids"])
        if len(ids) > most:
            raise Deny("LIMIT_EXCEEDED", "the ids limit is exceeded", {"limit": most})
        return _by_ids(asked, module, names, ids)
    return _paged(asked, module, names)


def _hidden(asked: Asked, record: Stored) -> bool:
    return denied(asked.account, "read", record.kind, record.id)


def _by_ids(asked: Asked, module: Module, names: list[str], ids: list[str]) -> Reply:
    found = []
    for id in dict.fromkeys(ids):
        if as_id(id) is None:
            raise Deny("INVALID_DATA", "the id given seems to be invalid", {"param_name": "ids"})
        record = asked.account.store.get(module.api, id)
        if record is not None and record.state == LIVE and not _hidden(asked, record):
            found.append(record)
    found.sort(key=lambda record: record.id, reverse=True)
    some, info = page_of(asked, found)
    if not some:
        return nothing()
    data = [shown_in_list(asked, record, names) for record in some]
    return reply({"data": data, "info": _info(info, asked, "id", "desc")})


def _info(info: dict[str, Any], asked: Asked, by: str, order: str, **more: Any) -> dict[str, Any]:
    if asked.version < 3:
        return info
    blank = {"next_page_token": None, "previous_page_token": None, "page_token_expiry": None}
    return {**info, **blank, "sort_by": by, "sort_order": order, **more}


def _paged(asked: Asked, module: Module, names: list[str]) -> Reply:
    account = asked.account
    by, order = asked.query("sort_by") or "id", asked.query("sort_order") or "desc"
    if by not in ("id", "Created_Time", "Modified_Time") or order not in ("asc", "desc"):
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "sort_by"})
    page, size = paging(asked)
    token = asked.query("page_token")
    skip, after = (page - 1) * size, ""
    binds = [module.api, by, order, size, *names]
    if token is not None:
        page, skip, after = _token(asked, token, binds)
    elif asked.version >= 3 and page * size > PLAIN_ROWS:
        raise Deny(
            "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
            "the limit of discrete pagination is exceeded, use page_token",
            {"limit": PLAIN_ROWS},
        )
    # By id a token goes on behind the last one it gave: what was deleted meanwhile shifts nothing.
    found = _in_order(asked, module, by, order, after)
    some = list(islice(found, 0 if after else skip, (0 if after else skip) + size + 1))
    more, some = len(some) > size, some[:size]
    more = more and skip + size < TOKEN_ROWS
    if not some:
        return nothing()
    info = {"per_page": size, "count": len(some), "page": page, "more_records": more}
    tokens: dict[str, Any] = {}
    if more and asked.version >= 3:
        ends = account.clock.epoch() + TOKEN_DAY
        last = some[-1].id if by == "id" else ""
        tokens = {
            "next_page_token": _made_token(asked, page + 1, skip + size, last, ends, binds),
            "page_token_expiry": moment(ends),
        }
    data = [shown_in_list(asked, record, names) for record in some]
    return reply({"data": data, "info": _info(info, asked, by, order, **tokens)})


def _in_order(
    asked: Asked, module: Module, by: str, order: str, after: str = ""
) -> Iterator[Stored]:
    ids = asked.account.store.ids(module.api)
    if by != "id":
        records = [r for id in ids if (r := _listable(asked, module, id)) is not None]
        records.sort(key=lambda r: (r.fields.get(by, ""), r.id), reverse=order == "desc")
        yield from records
        return
    if order == "asc":
        places = range(bisect_right(ids, after) if after else 0, len(ids))
    else:
        places = range((bisect_left(ids, after) if after else len(ids)) - 1, -1, -1)
    for at in places:
        record = _listable(asked, module, ids[at])
        if record is not None:
            yield record


def _listable(asked: Asked, module: Module, id: str) -> Stored | None:
    """The record of that id where a list shows it."""
    record = asked.account.store.get(module.api, id)
    assert record is not None
    if record.state != LIVE or _hidden(asked, record):
        return None
    converted = "true" if record.meta.get("converted") else "false"
    if module.api == "Leads" and (asked.query("converted") or "false") not in ("both", converted):
        return None
    since = _since(asked)
    if since is not None and (epoch_of(record.fields.get("Modified_Time", "")) or 0) <= since:
        return None
    return record


def _since(asked: Asked) -> float | None:
    text = asked.call.headers.get("if-modified-since")
    return epoch_of(text) if text else None


def _made_token(
    asked: Asked, page: int, skip: int, last: str, ends: float, binds: list[Any]
) -> str:
    text = msgspec.json.encode([asked.account.crm, asked.user, page, skip, last, ends, binds])
    return base64.urlsafe_b64encode(text).decode()


def _token(asked: Asked, token: str, binds: list[Any]) -> tuple[int, int, str]:
    try:
        held = msgspec.json.decode(base64.urlsafe_b64decode(token))
        crm, user, page, skip, last, ends, bound = held
    except (ValueError, TypeError, binascii.Error, msgspec.DecodeError):
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "page_token"}) from None
    if ends <= asked.account.clock.epoch():
        raise Deny("EXPIRED_VALUE", "the page_token has expired", {"param_name": "page_token"})
    if [crm, user, bound] != [asked.account.crm, asked.user, binds]:
        raise Deny(
            "TOKEN_BOUND_DATA_MISMATCH",
            "the request does not fit the one that the page_token was given for",
            {"param_name": "page_token"},
        )
    return page, skip, last


def count(asked: Asked) -> Reply:
    """GET /{module}/actions/count."""
    module = module_asked(asked)
    total = asked.account.store.counts().get(module.api, {}).get(LIVE, 0)
    return reply({"count": total})


def deleted(asked: Asked) -> Reply:
    """GET /{module}/deleted?type=: two credits."""
    asked.cost = 2
    module = module_asked(asked)
    kind = asked.query("type") or "all"
    if kind not in ("all", "recycle", "permanent"):
        raise Deny("PATTERN_NOT_MATCHED", "invalid type", {"param_name": "type"})
    account = asked.account
    found: list[tuple[float, dict[str, Any]]] = []
    if kind != "permanent":
        for record in account.store.of(module.api, DELETED):
            found.append((record.meta["deleted_at"], _recycled(account, record)))
    if kind != "recycle":
        for record in gone_since(account, module.api, LISTED_DAYS):
            found.append((record.meta["deleted_at"], _lost(record)))
    since = _since(asked)
    if since is not None:
        found = [one for one in found if one[0] > since]
        if not found:
            return Reply(304) if account.switches["deleted_304"] else nothing()
    found.sort(key=lambda one: (-one[0], one[1]["id"]))
    some, info = page_of(asked, [row for _, row in found])
    return reply({"data": some, "info": info}) if some else nothing()


def _recycled(account: Account, record: Stored) -> dict[str, Any]:
    by = person(account, record.meta.get("deleted_by"))
    made = person(account, record.fields.get("Created_By"))
    return {
        "deleted_by": by and {"name": by["name"], "id": by["id"]},
        "id": record.id,
        "display_name": display(account, record),
        "type": "recycle",
        "created_by": made and {"name": made["name"], "id": made["id"]},
        "deleted_time": moment(record.meta["deleted_at"]),
    }


def _lost(record: Stored) -> dict[str, Any]:
    return {
        "deleted_by": None,
        "id": record.id,
        "display_name": None,
        "type": "permanent",
        "created_by": None,
        "deleted_time": moment(record.meta["deleted_at"]),
    }


def still_pointing(asked: Asked) -> Reply:
    """GET /{module}/deleted/{id}/{related list}: who survived a binned parent.

    https://www.zoho.com/crm/developer/docs/api/v7/get-related-records-of-deleted-record.html
    """
    if asked.version < 6:
        raise Deny("INVALID_URL_PATTERN")
    module = module_asked(asked)
    names = names_asked(asked)
    record = asked.account.store.get(module.api, asked.parts[2])
    if record is None or record.state != DELETED:
        details = {"resource_path_index": 2}
        raise Deny("INVALID_DATA", "the id given seems to be invalid", details)
    found = survivors(asked.account, record, asked.parts[3])
    if found is None:
        raise Deny("INVALID_DATA", "the relation name given seems to be invalid",
                   {"resource_path_index": 3})  # fmt: skip
    some, info = page_of(asked, sorted(found, key=lambda one: one.id, reverse=True))
    if not some:
        return nothing()
    return reply({"data": [shown_in_list(asked, one, names) for one in some], "info": info})


def history(asked: Asked) -> Reply:
    """GET /{module}/{id}/__timeline."""
    module = module_asked(asked)
    account = asked.account
    record = account.store.get(module.api, asked.parts[1])
    if record is None or (record.state != LIVE and not account.switches["timeline_in_bin"]):
        return nothing()
    lines = [
        {
            "id": f"{record.id[:9]}9{n:08d}",
            "action": action,
            "source": source,
            "audited_time": moment(at),
            "done_by": _by(account, by),
            "record": {
                "id": record.id,
                "name": display(account, record),
                "module": {"api_name": module.api},
            },
            "field_history": None,
        }
        for n, (at, action, by, source) in enumerate(
            account.memory.get("timeline", {}).get(record.id, ())
        )
    ]
    some, info = page_of(asked, reversed(lines))
    return reply({"__timeline": some, "info": info}) if some else nothing()


def _by(account: Account, id: str) -> dict[str, Any] | None:
    found = person(account, id)
    return found and {"name": found["name"], "id": found["id"]}


# -- search ---------------------------------------------------------------------------------------

_TESTS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "starts_with": lambda value, wanted: value.startswith(wanted),
}


def search(asked: Asked) -> Reply:
    """GET /{module}/search?criteria=|word=|email=|phone=."""
    module = module_asked(asked)
    names = names_asked(asked) if asked.version >= 3 else asked.names("fields")
    criteria, word = asked.query("criteria"), asked.query("word")
    email, phone = asked.query("email"), asked.query("phone")
    fields = fields_of(asked.account, module.api)
    live: Iterable[Stored] = asked.account.store.of(module.api, LIVE)
    live = [one for one in live if not _hidden(asked, one)]
    if criteria:
        found = [one for one in live if _meets(asked, one, fields, criteria)]
    elif word:
        found = [one for one in live if _says(one, word)]
    elif email or phone:
        kind, wanted = ("email", email) if email else ("phone", phone)
        own = [name for name, field in fields.items() if field.type == kind]
        found = [one for one in live if any(one.fields.get(name) == wanted for name in own)]
    else:
        raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": "criteria"})
    some, info = page_of(asked, found)
    if not some:
        return nothing()
    return reply({"data": [shown_in_list(asked, one, names) for one in some], "info": info})


def _says(record: Stored, word: str) -> bool:
    return any(isinstance(v, str) and word.lower() in v.lower() for v in record.fields.values())


def _meets(asked: Asked, record: Stored, fields: dict[str, Field], criteria: str) -> bool:
    held = True
    for part in criteria.strip("()").split(")and("):
        name, _, rest = part.partition(":")
        test, _, wanted = rest.partition(":")
        field = fields.get(name)
        if field is None or test not in _TESTS:
            raise Deny("INVALID_QUERY", "invalid query formed", {"api_name": name})
        value = value_of(asked.account, record, field)
        held = held and value is not None and _TESTS[test](str(value), wanted)
    return held
