"""Records over the wire: single, by pages, in batches. Archive answers 204 and tells nothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from crm_bridge.simulator import Reply, Stored
from crm_bridge_hubspot.simulator_catalog import TYPE_IDS, LinkType
from crm_bridge_hubspot.simulator_life import archive, by_value, resolved, write
from crm_bridge_hubspot.simulator_links import associations_shown
from crm_bridge_hubspot.simulator_making import check_id, ends_named, made
from crm_bridge_hubspot.simulator_portal import BINNED, LIVE, properties_of, shown
from crm_bridge_hubspot.simulator_values import Conflict, Invalid, Values, judged, sent
from crm_bridge_hubspot.simulator_wire import (
    BATCH_HISTORY,
    PAGE,
    Asked,
    Deny,
    batch_reply,
    not_found,
    text_of,
    texts_of,
)

# -- single records -------------------------------------------------------------------------------


def _single(asked: Asked, kind: str, id: str) -> Stored:
    """The record of a path: an active one, or an archived one where those are asked for."""
    state = BINNED if asked.archived else LIVE
    if name := asked.call.query("idProperty"):
        record = by_value(asked.account, kind, name, id, state)
    else:
        check_id(asked, id)
        record = resolved(asked.account, kind, id)
    if record is None or record.state != state:
        raise not_found()
    return record


def read_one(asked: Asked, kind: str, id: str) -> Reply:
    """GET /{id}; an id that was merged answers with another."""
    record = _single(asked, kind, id)
    told = shown(asked, record, asked.names("properties"), asked.names("propertiesWithHistory"))
    return Reply.json(_with_links(asked, record, told))


def _with_links(asked: Asked, record: Stored, told: dict[str, Any]) -> dict[str, Any]:
    if wanted := asked.names("associations"):
        told["associations"] = associations_shown(asked, record, wanted)
    return told


def create_one(asked: Asked, kind: str) -> Reply:
    """POST: exactly 201."""
    row = asked.body()
    values = judged(asked, kind, sent(row), None)
    record = made(asked.account, kind, values, ends_named(asked, kind, row))
    return Reply.json(_written(asked, record, values), 201)


def update_one(asked: Asked, kind: str, id: str) -> Reply:
    """PATCH /{id}: archived records are not found."""
    record = _single(asked, kind, id)
    if record.state != LIVE:
        raise not_found()
    values = judged(asked, kind, sent(asked.body()), record)
    if record.id in asked.refused:
        raise _refused()
    write(asked.account, record, values)
    return Reply.json(_written(asked, record, values))


def archive_one(asked: Asked, kind: str, id: str) -> Reply:
    """DELETE /{id}: 204, whatever was or was not there."""
    check_id(asked, id)
    _archive(asked, kind, id)
    return Reply(204)


def _archive(asked: Asked, kind: str, id: str) -> None:
    record = asked.account.store.get(kind, id)
    if record is not None and record.merged_into and asked.switch("delete_merged") == "survivor":
        record = resolved(asked.account, kind, id)
    if record is not None and id not in asked.skipped:
        archive(asked.account, record)


def page(asked: Asked, kind: str) -> Reply:
    """GET: active records, or only archived ones, by id; `after` is the next record's id."""
    history = asked.names("propertiesWithHistory")
    limit = _limit(asked, BATCH_HISTORY if history else PAGE)
    after = asked.call.query("after")
    if after is not None and not after.isdigit():
        raise Deny(400, f'Cannot deserialize value of type `long` from String "{after}"')
    start = str(int(after) - 1).rjust(len(after), "0") if after else None
    state = BINNED if asked.archived else LIVE
    names = asked.names("properties")
    found = list(islice(asked.account.store.after(kind, start, state), limit + 1))
    results = [
        _with_links(asked, record, shown(asked, record, names, history)) for record in found[:limit]
    ]
    told: dict[str, Any] = {"results": results}
    if len(found) > limit:
        last = found[limit].id
        link = f"{asked.call.base}{asked.call.path}?after={last}&limit={limit}"
        told["paging"] = {"next": {"after": last, "link": link}}
    return Reply.json(told)


def _limit(asked: Asked, most: int) -> int:
    text = asked.call.query("limit") or "10"
    if not text.isdigit() or text == "0":
        raise Deny(400, f"limit: {text} is not a number from 1 to {most}")
    if int(text) > most and asked.switch("page_over") == "refused":
        raise Deny(400, f"limit: {text} is greater than the maximum of {most}")
    return min(int(text), most)


# -- batches --------------------------------------------------------------------------------------


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    return [text_of(row, "id") for row in rows]


def _no_doubles(ids: list[str]) -> None:
    doubles = [id for id in dict.fromkeys(ids) if ids.count(id) > 1]
    if doubles:
        raise Deny(
            400,
            f"Duplicate IDs found in batch input: [{', '.join(doubles)}]. IDs must be unique",
            context={"ids": doubles},
        )


def _missing(kind: str, ids: list[str]) -> dict[str, Any]:
    name = "CUSTOM" if kind == TYPE_IDS[kind] else kind.removesuffix("s").upper()
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {'COMPANY' if kind == 'companies' else name} objects, "
        "they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": ids},
    }


def _in_batch(asked: Asked, kind: str, id: str, name: str | None, state: str) -> Stored | None:
    if name:
        return by_value(asked.account, kind, name, id, state)
    record = asked.account.store.get(kind, id)
    if record is not None and record.merged_into and asked.switch("batch_merged") == "resolves":
        record = resolved(asked.account, kind, id)
    return record if record is not None and record.state == state else None


def batch_read(asked: Asked, kind: str) -> Reply:
    """POST /batch/read: `archived` stands in the query; the missing share one entry of errors."""
    body = asked.body()
    names, history = texts_of(body, "properties"), texts_of(body, "propertiesWithHistory")
    rows = asked.inputs()
    if history and len(rows) > BATCH_HISTORY:
        raise Deny(
            400,
            "The maximum number of inputs supported in a batch request for property histories is "
            f"{BATCH_HISTORY}. Please reduce the number of items and try again",
        )
    state = BINNED if asked.archived else LIVE
    found: dict[str, Stored] = {}
    missing = []
    for id in dict.fromkeys(_ids(rows)):
        record = _in_batch(asked, kind, id, body.get("idProperty"), state)
        if record is None:
            missing.append(id)
        else:
            found[record.id] = record
    # The order of the answer is not the order of the question.
    results = [shown(asked, found[id], names, history) for id in sorted(found)]
    return batch_reply(asked, results, [_missing(kind, missing)] if missing else [])


def batch_archive(asked: Asked, kind: str) -> Reply:
    """POST /batch/archive: 204 for ids that existed, never existed, were archived before."""
    ids = _ids(asked.inputs())
    if asked.switch("archive_doubles") == "refused":
        _no_doubles(ids)
    for id in ids:
        _archive(asked, kind, id)
    return Reply(204)


def batch_update(asked: Asked, kind: str) -> Reply:
    """POST /batch/update: the missing fail in one entry; a name that is unknown fails all."""
    rows = asked.inputs()
    _no_doubles(_ids(rows))
    found: list[tuple[Stored, Values, dict[str, Any]]] = []
    missing, errors = [], []
    traced = _traced(rows)
    for row in rows:
        given, id = sent(row), text_of(row, "id")
        record = _in_batch(asked, kind, id, row.get("idProperty"), LIVE)
        if record is None:
            missing.append(id)
            continue
        try:
            values = judged(asked, kind, given, record)
            if id in asked.refused:
                raise _refused()
        except Deny as error:
            if not (traced or id in asked.refused) or _fails_all(error):
                raise
            errors.append(_row_error(error, row))
            continue
        found.append((record, values, row))
    results = []
    for record, values, row in found:
        write(asked.account, record, values)
        results.append(_written(asked, record, values, row))
    if missing:
        errors.append(_missing(kind, missing))
    return batch_reply(asked, results, errors)


def _refused() -> Deny:
    """What a fault makes of one row."""
    return Deny(400, "This record cannot be written now")


def _traced(rows: list[dict[str, Any]]) -> bool:
    """Whether every input has a trace id of its own: only then some may fail alone."""
    traces = [row.get("objectWriteTraceId") for row in rows]
    return all(isinstance(t, str) and t for t in traces) and len(set(traces)) == len(traces)


def _fails_all(error: Deny) -> bool:
    return isinstance(error, Invalid) and error.unknown


def _row_error(error: Deny, row: Mapping[str, Any]) -> dict[str, Any]:
    context = {}
    if trace := row.get("objectWriteTraceId"):
        context["objectWriteTraceId"] = [trace]
    if isinstance(error, Conflict):
        context["existingId"] = [error.existing]
    elif "id" in row:
        context["ids"] = [str(row["id"])]
    return error.row(**context)


def _written(
    asked: Asked, record: Stored, values: Values, row: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    told = shown(asked, record, list(values))
    if row and row.get("objectWriteTraceId"):
        told["objectWriteTraceId"] = row["objectWriteTraceId"]
    return told


def batch_create(asked: Asked, kind: str) -> Reply:
    """POST /batch/create: 201; without trace ids one bad row keeps all from being made."""
    rows = asked.inputs()
    traced = _traced(rows)
    ready: list[tuple[Values, list[tuple[LinkType, Stored]], dict[str, Any]]] = []
    errors = []
    taken: set[tuple[str, str]] = set()
    for row in rows:
        try:
            given = sent(row)
            values = judged(asked, kind, given, None)
            _not_twice(asked, kind, values, taken)
            if row.get("objectWriteTraceId") in asked.refused:
                raise _refused()
            ready.append((values, ends_named(asked, kind, row), row))
        except Deny as error:
            if isinstance(error, Conflict) and not traced:
                # In a batch the id of the other is not told.
                raise Deny(409, error.short, "CONFLICT") from None
            if not traced or _fails_all(error):
                raise
            errors.append(_row_error(error, row))
    results = []
    for values, ends, row in ready:
        record = made(asked.account, kind, values, ends)
        results.append(_written(asked, record, values, row))
    # With a trace in each the answer need not keep the order of the question.
    return batch_reply(asked, results[::-1] if traced else results, errors, 201)


def _not_twice(asked: Asked, kind: str, values: Values, taken: set[tuple[str, str]]) -> None:
    for name, property in properties_of(asked.account, kind).items():
        value = values.get(name)
        if value is not None and "u" in property.flags:
            if (name, value) in taken:
                raise Deny(409, f"{value} stands twice in this batch", "CONFLICT")
            taken.add((name, value))


def batch_upsert(asked: Asked, kind: str) -> Reply:
    """POST /batch/upsert: by a unique property; contacts by e-mail are all made, or none."""
    rows = asked.inputs()
    _no_doubles(_ids(rows))
    ready = []
    for row in rows:
        name = text_of(row, "idProperty")
        id = text_of(row, "id")
        record = by_value(asked.account, kind, name, id)
        given = sent(row)
        if record is None:
            given.setdefault(name, id)
        ready.append((record, judged(asked, kind, given, record), row))
    results = []
    for record, values, row in ready:
        new = record is None
        if record is None:
            record = made(asked.account, kind, values, [])
        else:
            write(asked.account, record, values)
        results.append({**_written(asked, record, values, row), "new": new})
    return batch_reply(asked, results, [])


BATCHES: Final = {
    "read": batch_read,
    "create": batch_create,
    "update": batch_update,
    "upsert": batch_upsert,
    "archive": batch_archive,
}
"""The last word of a batch's path to what it does."""
