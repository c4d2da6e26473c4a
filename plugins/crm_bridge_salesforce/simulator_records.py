"""REST on single records: describe, create, read, update, delete, by id, relationship, external id.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_retrieve_delete.htm
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from crm_bridge.simulator import Call, Stored
from crm_bridge_salesforce.simulator_life import create, delete, target, update
from crm_bridge_salesforce.simulator_org import DELETED, LIVE, Org, Trouble, stamp
from crm_bridge_salesforce.simulator_schema import ID, UNQUERYABLE, Field, SObject, schema
from crm_bridge_salesforce.simulator_wire import (
    Answer,
    lock_rows,
    not_allowed,
    not_found,
    object_of,
)


def object_named(org: Org, name: str) -> SObject:
    """An object by its name in a path.

    Raises:
        Trouble: There is none.
    """
    known = org.object(name)
    if known is None:
        raise not_found()
    return known


# -- describing -----------------------------------------------------------------------------------


def _head(org: Org, known: SObject, version: str) -> dict[str, Any]:
    rights = org.switches["describe_rights"]
    at = f"/services/data/{version}/sobjects/{known.name}"
    flags = known.flags

    def able(flag: str, right: str) -> bool:
        return flag in flags and (not rights or org.may(right, known.name))

    return {
        "activateable": False,
        "createable": able("c", "create"),
        "custom": known.custom,
        "customSetting": False,
        "deletable": able("d", "delete"),
        "deprecatedAndHidden": False,
        "keyPrefix": known.prefix,
        "label": known.label,
        "labelPlural": known.plural,
        "mergeable": "m" in flags,
        "name": known.name,
        "queryable": "q" in flags and known.name not in UNQUERYABLE,
        "replicateable": "l" in flags,
        "retrieveable": "q" in flags,
        "searchable": "u" in flags,
        "triggerable": "c" in flags,
        "undeletable": "r" in flags,
        "updateable": able("u", "edit"),
        "urls": {"sobject": at, "describe": f"{at}/describe", "rowTemplate": f"{at}/{{ID}}"},
    }


def describe_all(org: Org, version: str) -> Answer:
    """The global describe."""
    told = [_head(org, known, version) for known in schema().values() if org.object(known.name)]
    return Answer(data={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": told})


def describe(org: Org, known: SObject, version: str) -> Answer:
    """The describe of one object."""
    children = [child.shown() for child in known.children if org.object(child.child) is not None]
    fields = [
        field.shown() | ({"updateable": False} if not org.may("edit_field", f"{known.name}."
        f"{field.name}") else {}) for field in org.fields(known)
    ]  # fmt: skip
    return Answer(
        data=_head(org, known, version)
        | {"childRelationships": children, "fields": fields, "recordTypeInfos": []}
    )


# -- single records -------------------------------------------------------------------------------


def shown(org: Org, record: Stored, fields: Iterator[Field] | list[Field], version: str) -> Any:
    """A record as REST gives it."""
    told: dict[str, Any] = {
        "attributes": {
            "type": record.kind,
            "url": f"/services/data/{version}/sobjects/{record.kind}/{record.id}",
        }
    }
    for field in fields:
        told[field.name] = org.value(record, field)
    return told


def named_fields(org: Org, known: SObject, names: list[str]) -> list[Field]:
    """The fields of these names.

    Raises:
        Trouble: One is unknown.
    """
    found = []
    for name in names:
        field = org.field(known, name.strip())
        if field is None:
            text = f"No such column '{name}' on sobject of type {known.name}"
            raise Trouble("INVALID_FIELD", text)
        found.append(field)
    return found


def rows(org: Org, known: SObject, call: Call, version: str) -> Answer:
    """`/sobjects/{Object}/`: what it is, or one record more."""
    if call.method in ("GET", "HEAD"):
        return Answer(data={"objectDescribe": _head(org, known, version), "recentItems": []})
    if call.method != "POST":
        raise not_allowed(call.method, "GET", "POST")
    spoiled = lock_rows(org, 1)
    if spoiled:
        raise spoiled[0]
    record = create(org, known.name, object_of(call))
    location = f"/services/data/{version}/sobjects/{known.name}/{record.id}"
    told = {"id": record.id, "success": True, "errors": []}
    return Answer(201, told, [("location", location)])


def row(org: Org, known: SObject, id: str, call: Call, version: str) -> Answer:
    """`/sobjects/{Object}/{id}`."""
    if call.method not in ("GET", "HEAD", "PATCH", "DELETE"):
        raise not_allowed(call.method, "GET", "PATCH", "DELETE")
    if not ID.fullmatch(id):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {id}")
    reads = call.method in ("GET", "HEAD")
    try:
        record = target(org, known.name, id)
    except Trouble as error:
        if reads and error.code == "INVALID_CROSS_REFERENCE_KEY":
            raise not_found() from None
        raise
    if reads:
        return _read(org, known, record, call, version)
    if call.method == "PATCH":
        _unchanged(record, call)
    if spoiled := lock_rows(org, 1):
        raise spoiled[0]
    if call.method == "DELETE":
        delete(org, record)
    else:
        update(org, record, object_of(call))
    return Answer(204)


def _read(org: Org, known: SObject, record: Stored, call: Call, version: str) -> Answer:
    names = call.query("fields")
    fields = named_fields(org, known, names.split(",")) if names else list(org.fields(known))
    changed = _changed(record)
    since = call.headers.get("if-modified-since")
    if since and changed <= _http_date(since):
        return Answer(304)
    headers = [("last-modified", format_datetime(changed, usegmt=True))]
    if known.name == "Account":
        headers.append(("etag", f'"{record.id}:{int(changed.timestamp())}"'))
    return Answer(data=shown(org, record, fields, version), headers=headers)


def _changed(record: Stored) -> datetime:
    told = str(record.fields.get("LastModifiedDate", stamp(record.changed_at)))
    return datetime.fromisoformat(told.replace("+0000", "+00:00")).replace(microsecond=0)


def _http_date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        raise Trouble("INVALID_HEADER", f"not an HTTP date: {text}") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _unchanged(record: Stored, call: Call) -> None:
    """Refuse a PATCH whose precondition fails; a DELETE has none.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm
    """
    since = call.headers.get("if-unmodified-since")
    if since and _changed(record) > _http_date(since):
        raise Trouble("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", "precondition failed", status=412)
    match = call.headers.get("if-match")
    if match and record.kind == "Account":
        own = f'"{record.id}:{int(_changed(record).timestamp())}"'
        if own not in match.split(","):
            raise Trouble(
                "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", "precondition failed", status=412
            )


def beyond(org: Org, known: SObject, first: str, second: str, call: Call, version: str) -> Answer:
    """`/sobjects/{Object}/{id}/{relationship}` or `/{external id field}/{value}`.

    A DELETE by relationship deletes the record at its other end:
    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_relationships_delete.htm
    """
    field = org.field(known, first)
    if field is not None and field.external:
        found = org.store.where(known.name, field.name, second, LIVE)
        if len(found) > 1:
            raise Trouble("MULTIPLE_CHOICES", "more than one record found", status=300)
        if found:
            answer = row(org, known, found[0].id, call, version)
            if call.method != "PATCH":
                return answer
            return Answer(200, {"id": found[0].id, "success": True, "errors": [], "created": False})
        if call.method != "PATCH":
            raise not_found()
        made = create(org, known.name, {**object_of(call), field.name: second})
        return Answer(201, {"id": made.id, "success": True, "errors": [], "created": True})
    if not ID.fullmatch(first):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {first}")
    record = target(org, known.name, first)
    for own in known.fields.values():
        if own.to and str(own.shown()["relationshipName"]).lower() == second.lower():
            other = org.live(record.fields.get(own.name))
            if other is None:
                raise not_found()
            return row(org, schema()[other.kind], other.id, call, version)
    for child in known.children:
        if child.relation and child.relation.lower() == second.lower() and call.method == "GET":
            there = org.store.where(child.child, child.field, record.id, LIVE)
            fields = list(org.fields(schema()[child.child]))
            told = [shown(org, one, fields, version) for one in there]
            return Answer(data={"totalSize": len(told), "done": True, "records": told})
    raise not_found()


# -- what was deleted, what was changed -----------------------------------------------------------


def _span(org: Org, call: Call) -> tuple[float, float]:
    moments = []
    for name in ("start", "end"):
        text = call.query(name)
        try:
            moment = datetime.fromisoformat((text or "").replace(" ", "+").replace("Z", "+00:00"))
            if moment.tzinfo is None:
                raise ValueError
        except ValueError:
            raise Trouble("INVALID_REPLICATION_DATE", f"invalid date: {name}={text}") from None
        moments.append(moment.replace(second=0, microsecond=0))
    start, end = moments
    if end <= start:
        raise Trouble("INVALID_REPLICATION_DATE", "endDate before startDate")
    if org.clock.now() - start > timedelta(days=15):
        raise Trouble("INVALID_REPLICATION_DATE", "startDate cannot be more than 15 days ago")
    return start.timestamp(), end.timestamp() + 60


def deleted(org: Org, known: SObject, call: Call) -> Answer:
    """`/sobjects/{Object}/deleted/`: the ids that left, purged ones of the last hours too.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
    """
    if call.method != "GET":
        raise not_allowed(call.method, "GET")
    if "l" not in known.flags:
        raise Trouble("INVALID_TYPE_FOR_OPERATION", f"entity type {known.name} is not replicable")
    start, end = _span(org, call)
    found = []
    if known.name in org.store.kinds():
        for record in org.store.of(known.name, DELETED):
            at = float(record.meta.get("at", 0))
            found.append((record.id, at))
    found += [(id, at) for id, (at, _) in org.ghosts.get(known.name, {}).items()]
    told = [{"id": id, "deletedDate": stamp(at)} for id, at in found if start <= at < end]
    earliest = org.clock.epoch() - 15 * 86_400
    return Answer(
        data={
            "deletedRecords": told,
            "earliestDateAvailable": stamp(earliest),
            "latestDateCovered": stamp(min(end - 60, org.clock.epoch())),
        }
    )


def updated(org: Org, known: SObject, call: Call) -> Answer:
    """`/sobjects/{Object}/updated/`: the live ids that changed."""
    if call.method != "GET":
        raise not_allowed(call.method, "GET")
    start, end = _span(org, call)
    there = org.store.of(known.name, LIVE) if known.name in org.store.kinds() else ()
    ids = [record.id for record in there if start <= record.changed_at < end]
    return Answer(data={"ids": ids, "latestDateCovered": stamp(end - 60)})
