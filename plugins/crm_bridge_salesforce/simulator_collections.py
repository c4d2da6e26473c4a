"""sObject Collections: up to 200 records a call, each row with its own success.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_delete.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crm_bridge.simulator import Call
from crm_bridge_salesforce.simulator_life import create, delete, target, update
from crm_bridge_salesforce.simulator_org import DELETED, GONE, Org, Trouble
from crm_bridge_salesforce.simulator_records import named_fields, object_named, shown
from crm_bridge_salesforce.simulator_schema import kind_of, whole_id
from crm_bridge_salesforce.simulator_wire import (
    Answer,
    listed,
    lock_rows,
    not_allowed,
    object_of,
)

LARGEST = 200
LARGEST_READ = 2000
_ROLLED_BACK = Trouble(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone "
    "header",
)


def too_many(count: int, largest: int = LARGEST) -> None:
    """Refuse more rows than a call takes.

    Raises:
        Trouble: There are more.
    """
    if count > largest:
        raise Trouble(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {largest} records into this call",
        )


def rows_written(
    org: Org,
    rows: list[Any],
    write: Callable[[Any], str],
    all_or_none: bool,
    ids: Callable[[Any], str | None],
) -> list[dict[str, Any]]:
    """Write each row and tell each result, by position; all or none where that is asked."""
    spoiled = lock_rows(org, len(rows))
    told: list[dict[str, Any]] = []
    undo = _Snapshot(org) if all_or_none else None
    failed = False
    for at, row in enumerate(rows):
        try:
            if at in spoiled:
                raise spoiled[at]
            told.append({"id": write(row), "success": True, "errors": []})
        except Trouble as error:
            failed = True
            line: dict[str, Any] = {"success": False, "errors": [error.row()]}
            if org.switches["failing_row_id"] and (id := ids(row)):
                line = {"id": id, **line}
            told.append(line)
    if failed and undo is not None:
        undo.put_back()
        rolled = {"success": False, "errors": [_ROLLED_BACK.row()]}
        told = [rolled if line["success"] else line for line in told]
    return told


class _Snapshot:
    """An org before a call that is all or none."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.rows = {
            record.ref: (dict(record.fields), record.state, dict(record.meta), record.locked,
                         record.merged_into, record.changed_at)
            for kind in org.store.kinds()
            for record in org.store.of(kind)
        }  # fmt: skip
        self.bin = dict(org.bin)
        self.relinks = {id: list(rows) for id, rows in org.relinks.items()}
        self.groups = {token: list(group) for token, group in org.groups.items()}
        self.ghosts = {kind: dict(ghosts) for kind, ghosts in org.ghosts.items()}

    def put_back(self) -> None:
        """Make it so again."""
        store = self.org.store
        touched, store.touched = store.touched, None
        for kind in store.kinds():
            for record in list(store.of(kind)):
                before = self.rows.get(record.ref)
                if before is None:
                    store.remove(record)
                    continue
                fields, state, meta, record.locked, record.merged_into, changed = before
                if record.fields != fields:
                    store.change(record, {**dict.fromkeys(record.fields), **fields})
                if record.state != state:
                    store.move(record, state)
                record.meta = meta
                record.changed_at = changed
        if touched is not None:
            touched.clear()
        store.touched = touched
        self.org.bin = self.bin
        self.org.relinks = self.relinks
        self.org.groups = self.groups
        self.org.ghosts = self.ghosts


def _asked(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def collection(org: Org, call: Call, outer: bool = False) -> Answer:
    """`/composite/sobjects`; `outer` is the allOrNone of a composite around it."""
    if call.method == "DELETE":
        texts = [text for text in (call.query("ids") or "").split(",") if text]
        if not texts:
            raise Trouble("MISSING_ARGUMENT", "ids")
        too_many(len(texts))
        return Answer(
            data=rows_written(
                org,
                texts,
                lambda text: _deleted(org, text),
                _asked(call.query("allOrNone")) or outer,
                whole_id,
            )
        )
    if call.method not in ("POST", "PATCH"):
        raise not_allowed(call.method, "POST", "PATCH", "DELETE")
    body = object_of(call)
    given = list(listed(body, "records"))
    too_many(len(given))
    _chunked(given)
    write = _made if call.method == "POST" else _changed
    told = rows_written(
        org,
        given,
        lambda row: write(org, row),
        _asked(body.get("allOrNone")) or outer,
        lambda row: whole_id(row.get("id") or row.get("Id")) if isinstance(row, dict) else None,
    )
    return Answer(data=told)


def _deleted(org: Org, text: str) -> str:
    record = target(org, None, text)
    delete(org, record)
    return record.id


def _type(row: Any) -> str:
    attributes = row.get("attributes") if isinstance(row, Mapping) else None
    name = attributes.get("type") if isinstance(attributes, Mapping) else None
    if not isinstance(name, str):
        raise Trouble("INVALID_TYPE", "sObject type is required in attributes")
    return name


def _chunked(rows: list[Any]) -> None:
    chunks = 0
    last = None
    for row in rows:
        if (name := _type(row)) != last:
            chunks, last = chunks + 1, name
    if chunks > 10:
        raise Trouble(
            "INVALID_FIELD",
            f"Cannot have more than 10 chunks in a single operation, this request had {chunks}",
        )


def _made(org: Org, row: dict[str, Any]) -> str:
    name = _type(row)
    known = org.object(name)
    if known is None:
        raise Trouble("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return create(org, known.name, row).id


def _changed(org: Org, row: dict[str, Any]) -> str:
    record = target(org, _type(row), row.get("id") or row.get("Id"))
    update(org, record, row)
    return record.id


def retrieved(org: Org, name: str, call: Call, version: str) -> Answer:
    """`/composite/sobjects/{Object}`: records by id, in the order asked, null for missing ones."""
    known = object_named(org, name)
    if call.method == "POST":
        body = object_of(call)
        texts, names = list(listed(body, "ids")), list(listed(body, "fields"))
    elif call.method == "GET":
        texts = (call.query("ids") or "").split(",")
        names = (call.query("fields") or "").split(",")
    else:
        raise not_allowed(call.method, "GET", "POST")
    too_many(len(texts), LARGEST_READ)
    fields = named_fields(org, known, [str(name) for name in names])
    told: list[Any] = []
    for text in texts:
        id = whole_id(text)
        if id is None or kind_of(id) != known.name:
            raise Trouble("MALFORMED_ID", f"malformed id {text}")
        record = org.find(id)
        lost = record is None or record.state == GONE
        binned = record is not None and record.state == DELETED
        if record is None or lost or (binned and org.switches["retrieve_deleted"] == "null"):
            told.append(None)
        else:
            told.append(shown(org, record, fields, version))
    return Answer(data=told)
