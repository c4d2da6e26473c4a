"""The map of REST: which place answers what, queries and limits, and composites of other requests.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_list.htm
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from crm_bridge.simulator import Call
from crm_bridge_salesforce import simulator_bulk as bulk
from crm_bridge_salesforce import simulator_records as records
from crm_bridge_salesforce.simulator_collections import collection, retrieved
from crm_bridge_salesforce.simulator_org import LIVE, STORAGE_MB, Org, Trouble
from crm_bridge_salesforce.simulator_query import Search
from crm_bridge_salesforce.simulator_schema import MARKABLE, MARKER
from crm_bridge_salesforce.simulator_soql import parse
from crm_bridge_salesforce.simulator_wire import (
    PATH,
    Answer,
    body_of,
    count,
    failure,
    listed,
    not_allowed,
    not_found,
    object_of,
    used,
)

PAGE = 2000
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_REFERENCE = re.compile(r"[A-Za-z0-9_]+")


def answer(org: Org, call: Call, version: str, tail: str, outer: bool = False) -> Answer:
    """The answer of a place under `/services/data/{version}/`.

    Raises:
        Trouble: It is refused.
    """
    parts = [part for part in tail.split("/") if part]
    match parts:
        case []:
            return Answer(data=_places(version))
        case ["limits"]:
            return _limits(org, call)
        case ["query" | "queryAll" as name, *rest] if len(rest) < 2:
            return query(org, call, version, name, rest[0] if rest else None)
        case ["composite"]:
            return composite(org, call)
        case ["composite", "batch"]:
            return batch(org, call)
        case ["composite", "sobjects"]:
            return collection(org, call, outer)
        case ["composite", "sobjects", name]:
            return retrieved(org, name, call, version)
        case ["sobjects"]:
            if call.method != "GET":
                raise not_allowed(call.method, "GET")
            return records.describe_all(org, version)
        case ["sobjects", name, *rest]:
            return _object(org, call, version, name, rest)
        case ["jobs", kind, *rest] if kind in ("ingest", "query"):
            return bulk.answer(org, call, version, kind, rest)
        case ["tooling", "sobjects", "CustomField"]:
            return _new_field(org, call)
    raise not_found()


def _object(org: Org, call: Call, version: str, name: str, rest: list[str]) -> Answer:
    known = records.object_named(org, name)
    match rest:
        case []:
            return records.rows(org, known, call, version)
        case ["describe"]:
            if call.method != "GET":
                raise not_allowed(call.method, "GET")
            return records.describe(org, known, version)
        case ["deleted"]:
            return records.deleted(org, known, call)
        case ["updated"]:
            return records.updated(org, known, call)
        case [id]:
            return records.row(org, known, id, call, version)
        case [first, second]:
            return records.beyond(org, known, first, second, call, version)
    raise not_found()


def _places(version: str) -> dict[str, str]:
    at = f"/services/data/{version}"
    names = ("sobjects", "limits", "query", "queryAll", "composite", "jobs")
    return {name: f"{at}/{name}" for name in names}


def _limits(org: Org, call: Call) -> Answer:
    if call.method != "GET":
        raise not_allowed(call.method, "GET")
    counts = org.store.counts()
    rows = sum(by.get(LIVE, 0) for by in counts.values())
    if org.switches["binned_rows_count"]:
        rows += sum(by.get("deleted", 0) for by in counts.values())
    stored = rows * 2 // 1024  # a record counts as 2 kB
    told = {
        "DailyApiRequests": (org.daily, max(org.daily - used(org), 0)),
        "DailyBulkApiBatches": (15_000, 15_000),
        "DailyBulkV2QueryJobs": (10_000, 10_000),
        "DailyBulkV2QueryFileStorageMB": (976_562, 976_562),
        "DataStorageMB": (STORAGE_MB, max(STORAGE_MB - stored, 0)),
        "FileStorageMB": (STORAGE_MB, STORAGE_MB),
    }
    data = {name: {"Max": most, "Remaining": left} for name, (most, left) in told.items()}
    return Answer(data=data)


# -- queries --------------------------------------------------------------------------------------


def query(org: Org, call: Call, version: str, name: str, locator: str | None) -> Answer:
    """A query, or the next page of one."""
    if call.method != "GET":
        raise not_allowed(call.method, "GET")
    cursors: dict[str, tuple[Search, list[Any]]] = org.account.memory.setdefault("cursors", {})
    if locator is not None:
        cursor, _, start = locator.partition("-")
        found = cursors.get(cursor)
        if found is None or not start.isdigit():
            raise Trouble("INVALID_QUERY_LOCATOR", "invalid query locator")
        return _page(found[0], found[1], int(start), call, version, cursor)
    text = call.query("q")
    if text is None:
        raise Trouble("MALFORMED_QUERY", "A query string has to be specified")
    search = Search(org, parse(text), name == "queryAll")
    if search.query.counts:
        return Answer(data={"totalSize": len(search.rows()), "done": True, "records": []})
    if search.aggregates:
        told = search.grouped()
        return Answer(data={"totalSize": len(told), "done": True, "records": told})
    rows = search.rows()
    cursor = f"01gFj{len(cursors) + 1:013d}"
    if len(rows) > _size(call):
        cursors[cursor] = (search, rows)
    return _page(search, rows, 0, call, version, cursor)


def _size(call: Call) -> int:
    told = _BATCH_SIZE.search(call.headers.get("sforce-query-options", ""))
    return min(max(int(told[1]), 200), PAGE) if told else PAGE


def _page(
    search: Search, rows: list[Any], start: int, call: Call, version: str, cursor: str
) -> Answer:
    end = start + _size(call)
    told: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows)}
    if end < len(rows):
        told["nextRecordsUrl"] = f"/services/data/{version}/query/{cursor}-{end}"
    told["records"] = [search.shown(row, version) for row in rows[start:end]]
    return Answer(data=told)


# -- requests in a request ------------------------------------------------------------------------


def sub_call(call: Call, method: str, url: str, body: Any) -> tuple[Call, str, str]:
    """A request inside another: with its version and the rest of its path.

    Raises:
        Trouble: It leads nowhere.
    """
    split = urlsplit(url)
    found = PATH.fullmatch(unquote(split.path).rstrip("/"))
    if found is None or split.netloc:
        raise Trouble("INVALID_URL", f"url must start with /services/data/: {url}")
    sent = b"" if body is None else msgspec.json.encode(body)
    inner = Call(method, found[0], split.query, call.headers, sent)
    inner.account = call.account
    return inner, found[1], found[2] or ""


def _inner(org: Org, call: Call, method: str, url: str, body: Any, outer: bool) -> Answer:
    try:
        inner, version, tail = sub_call(call, method, url, body)
        return answer(org, inner, version, tail, outer)
    except Trouble as error:
        return failure(error)


def composite(org: Org, call: Call) -> Answer:
    """Up to 25 requests as one call, at most 5 of them queries or collections."""
    if call.method != "POST":
        raise not_allowed(call.method, "POST")
    body = object_of(call)
    wanted = listed(body, "compositeRequest")
    if len(wanted) > 25:
        raise Trouble("INVALID_INPUT", "The maximum number of subrequests is 25")
    heavy = [r for r in wanted if re.search(r"/query|/composite/sobjects", str(r.get("url")))]
    if len(heavy) > 5:
        raise Trouble(
            "INVALID_INPUT", "The maximum number of query and sObject Collections subrequests is 5"
        )
    all_or_none = body.get("allOrNone") is True
    told: list[dict[str, Any]] = []
    names: set[str] = set()
    broken = False
    for request in wanted:
        name = str(request.get("referenceId", ""))
        if not _REFERENCE.fullmatch(name) or name in names:
            raise Trouble("INVALID_INPUT", f"Provided referenceId ('{name}') is invalid or used")
        names.add(name)
        if broken and all_or_none:
            found = failure(
                Trouble("PROCESSING_HALTED", "The transaction was rolled back since another "
                        "operation in the same transaction failed.")
            )  # fmt: skip
        else:
            method = str(request.get("method", "GET"))
            url, sent = str(request.get("url")), request.get("body")
            found = _inner(org, call, method, url, sent, all_or_none)
        broken = broken or found.status >= 400
        told.append(
            {
                "body": found.data,
                "httpHeaders": dict(found.headers),
                "httpStatusCode": found.status,
                "referenceId": name,
            }
        )
    return Answer(data={"compositeResponse": told})


def batch(org: Org, call: Call) -> Answer:
    """Up to 25 independent requests, each of which counts."""
    if call.method != "POST":
        raise not_allowed(call.method, "POST")
    body = object_of(call)
    wanted = listed(body, "batchRequests")
    if len(wanted) > 25:
        raise Trouble("INVALID_INPUT", "The maximum number of subrequests is 25")
    count(org, max(len(wanted) - 1, 0))
    told: list[dict[str, Any]] = []
    broken = False
    for request in wanted:
        if broken and body.get("haltOnError") is True:
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "halted"}]
            told.append({"statusCode": 412, "result": halted})
            continue
        url = str(request.get("url", "")).lstrip("/")
        url = url if url.startswith("services/") else f"services/data/{url}"
        method, sent = str(request.get("method", "GET")), request.get("richInput")
        found = _inner(org, call, method, f"/{url}", sent, False)
        broken = broken or found.status >= 400
        told.append({"statusCode": found.status, "result": found.data})
    return Answer(data={"hasErrors": broken, "results": told})


# -- the schema -----------------------------------------------------------------------------------


def _new_field(org: Org, call: Call) -> Answer:
    """The Tooling API's way to add a field; this org takes the marker field only."""
    if call.method != "POST":
        raise not_allowed(call.method, "POST")
    body = body_of(call)
    told = body if isinstance(body, dict) else {}
    name, _, field = str(told.get("FullName", "")).partition(".")
    metadata = told.get("Metadata")
    if not org.may("CustomizeApplication"):
        raise Trouble("INSUFFICIENT_ACCESS", "insufficient access rights", status=403)
    if name not in MARKABLE or field != MARKER or not isinstance(metadata, dict):
        raise Trouble("INVALID_FIELD", f"cannot create {told.get('FullName')}")
    org.added_fields.setdefault(name, set()).add(field)
    return Answer(201, {"id": f"00NFj{quote(name)[:13]:0<13}", "success": True, "errors": []})
