"""What a portal is made of, over the wire: properties, groups, pipelines, schemas, owners.

Properties: https://github.com/HubSpot/HubSpot-public-api-spec-collection, CRM/Properties, v3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crm_bridge.simulator import Account, Reply
from crm_bridge_hubspot.kinds import GROUP
from crm_bridge_hubspot.simulator_catalog import (
    LINK_TYPES,
    MARKS,
    PROJECTS,
    TYPE_IDS,
    Property,
    definition,
)
from crm_bridge_hubspot.simulator_portal import (
    define,
    may_see,
    pipelines_of,
    properties_of,
    sensitive_scopes,
    values_allowed,
)
from crm_bridge_hubspot.simulator_values import owners_of
from crm_bridge_hubspot.simulator_wire import (
    Asked,
    Deny,
    batch_reply,
    missing_scopes,
    not_found,
    text_of,
)

TYPES: Final = {
    "bool": ("booleancheckbox", "calculation_equation"),
    "date": ("date",),
    "datetime": ("date",),
    "enumeration": ("booleancheckbox", "checkbox", "radio", "select", "calculation_equation"),
    "number": ("number", "calculation_equation"),
    "phone_number": ("phonenumber",),
    "string": ("text", "textarea", "html", "file", "phonenumber", "calculation_equation"),
}
"""The types of a property, each with the field types it may have."""

UNIQUE: Final = 10
CUSTOM_PER_OBJECT, CUSTOM_IN_ALL = 1000, 10_000

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_CLASSES: Final = ("non_sensitive", "sensitive", "highly_sensitive")

# -- properties -----------------------------------------------------------------------------------


def _shown(account: Account, kind: str, property: Property) -> dict[str, Any]:
    told = definition(property)
    if property.type == "enumeration":
        labels = dict(property.options)
        allowed = values_allowed(account, kind, property)
        extra = [(v, v) for v in sorted(allowed) if v not in labels]
        options = [*((v, n) for v, n in property.options if v in allowed), *extra]
        told["options"] = [
            {"label": label, "value": value, "displayOrder": at, "hidden": False}
            for at, (value, label) in enumerate(options)
        ]
    return told


def _class_of(asked: Asked, kind: str, wanted: Any) -> str:
    sensitivity = wanted or "non_sensitive"
    if sensitivity not in _CLASSES:
        raise Deny(400, f"dataSensitivity {sensitivity} is not one of {', '.join(_CLASSES)}")
    if sensitivity != "non_sensitive":
        scopes = sensitive_scopes(kind, sensitivity)
        if not set(scopes) & asked.scopes:
            raise missing_scopes(asked.account, scopes)
    return str(sensitivity)


def properties(asked: Asked, kind: str) -> Reply:
    """GET: those of one class of sensitivity, the harmless ones unless another is named."""
    wanted = _class_of(asked, kind, asked.call.query("dataSensitivity"))
    if asked.archived:
        gone = asked.account.memory.get("properties_gone", {}).get(kind, [])
        return Reply.json({"results": [one for one in gone if one["dataSensitivity"] == wanted]})
    found = [
        _shown(asked.account, kind, p)
        for p in properties_of(asked.account, kind).values()
        if p.sensitivity == wanted
    ]
    return Reply.json({"results": found})


def _named(asked: Asked, kind: str, name: str) -> Property:
    property = properties_of(asked.account, kind).get(name)
    if property is None or not may_see(asked, kind, property):
        raise not_found()
    return property


def one_property(asked: Asked, kind: str, name: str) -> Reply:
    """GET /{name}."""
    return Reply.json(_shown(asked.account, kind, _named(asked, kind, name)))


def _options(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    options = body.get("options") or []
    if not isinstance(options, list):
        raise Deny(400, "options is a list")
    for option in options:
        lacking = {"label", "value", "hidden"} - set(option if isinstance(option, dict) else ())
        if lacking:
            raise Deny(400, f"Some required fields were not set: {sorted(lacking)}")
    return tuple((str(option["value"]), str(option["label"])) for option in options)


def _defined(asked: Asked, kind: str, body: Mapping[str, Any]) -> Property:
    name, label = text_of(body, "name"), text_of(body, "label")
    group, type = text_of(body, "groupName"), text_of(body, "type")
    field = text_of(body, "fieldType")
    if not _NAME.fullmatch(name):
        raise Deny(400, f"{name} is no name: small letters, digits and _, a letter first")
    if type not in TYPES or field not in TYPES[type]:
        raise Deny(400, f"type {type} with fieldType {field} does not exist")
    if group not in groups_of(asked.account, kind):
        raise Deny(400, f"Property group {group} does not exist")
    options = _options(body)
    if type == "enumeration" and not options:
        raise Deny(400, "Some required fields were not set: [options]")
    known = properties_of(asked.account, kind)
    if name in known:
        raise _exists(asked.account)
    unique = body.get("hasUniqueValue") is True
    flags = {"sensitive": "s", "highly_sensitive": "h"}.get(str(body.get("dataSensitivity")), "")
    if unique and sum("u" in p.flags and p.name != "email" for p in known.values()) >= UNIQUE:
        raise Deny(400, f"No more than {UNIQUE} properties of an object may be unique")
    return Property(name, type, flags + ("u" if unique else ""), options, label, group)


def _exists(account: Account) -> Deny:
    text = "A property with this name already exists."
    if account.switches["property_exists"] == "OBJECT_ALREADY_EXISTS":
        return Deny(409, text, "OBJECT_ALREADY_EXISTS")
    return Deny(409, text, subCategory="PropertyValidationError.PROPERTY_EXISTS")


def make_property(asked: Asked, kind: str) -> Reply:
    """POST: 201; 409 where the name is there already."""
    made = _defined(asked, kind, asked.body())
    define(asked.account, kind, made.name, made)
    return Reply.json(_shown(asked.account, kind, made), 201)


def change_property(asked: Asked, kind: str, name: str) -> Reply:
    """PATCH /{name}: label, group, options; never the name."""
    property, body = _named(asked, kind, name), asked.body()
    if property.group != GROUP and name not in asked.account.memory.get("made", {}).get(kind, {}):
        raise Deny(400, f"The definition of {name} is read only")
    changed = property._replace(
        label=body.get("label") or property.label,
        group=body.get("groupName") or property.group,
        options=_options(body) or property.options,
    )
    define(asked.account, kind, name, changed)
    return Reply.json(_shown(asked.account, kind, changed))


def drop_property(asked: Asked, kind: str, name: str) -> Reply:
    """DELETE /{name}: 204; its name may be used again at once, its values are not migrated."""
    property = properties_of(asked.account, kind).get(name)
    if property is not None:
        if not definition(property)["modificationMetadata"]["archivable"] and name not in (
            asked.account.memory.get("made", {}).get(kind, {})
        ):
            raise Deny(400, f"{name} is defined by HubSpot and cannot be archived")
        told = _shown(asked.account, kind, property) | {
            "archived": True, "archivedAt": asked.account.clock.iso(),
        }  # fmt: skip
        gone = asked.account.memory.setdefault("properties_gone", {})
        gone.setdefault(kind, []).append(told)
        define(asked.account, kind, name, None)
    return Reply(204)


def property_batch(asked: Asked, kind: str, verb: str) -> Reply:
    """POST /batch/{read, create, archive}."""
    rows = asked.inputs()
    if verb == "archive":
        for row in rows:
            drop_property(asked, kind, text_of(row, "name"))
        return Reply(204)
    results, errors = [], []
    wanted = None
    if verb == "read":
        wanted = _class_of(asked, kind, asked.body().get("dataSensitivity"))
    for row in rows:
        try:
            if verb == "create":
                made = _defined(asked, kind, row)
                define(asked.account, kind, made.name, made)
            else:
                made = _named(asked, kind, text_of(row, "name"))
                if made.sensitivity != wanted:
                    raise not_found()
            results.append(_shown(asked.account, kind, made))
        except Deny as error:
            errors.append(error.row(name=[str(row.get("name"))]))
    return batch_reply(asked, results, errors, 201 if verb == "create" else 200)


# -- groups ---------------------------------------------------------------------------------------


def groups_of(account: Account, kind: str) -> dict[str, str]:
    """The groups of a kind's properties, each with its label."""
    groups: dict[str, str] = dict(account.memory.get("groups", {}).get(kind, {}))
    own = f"{kind}info"
    groups.setdefault(own, f"{kind} information")
    if account.switches["marker_field"]:
        groups.setdefault(GROUP, "CRM bridge")
    return groups


def _group(name: str, label: str) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": -1, "archived": False}


def groups(asked: Asked, kind: str) -> Reply:
    """GET /groups."""
    found = [_group(name, label) for name, label in groups_of(asked.account, kind).items()]
    return Reply.json({"results": found})


def make_group(asked: Asked, kind: str) -> Reply:
    """POST /groups: 201; 409 where it is there already."""
    body = asked.body()
    name, label = text_of(body, "name"), text_of(body, "label")
    if name in groups_of(asked.account, kind):
        raise Deny(409, "A property group with this name already exists.", "OBJECT_ALREADY_EXISTS")
    asked.account.memory.setdefault("groups", {}).setdefault(kind, {})[name] = label
    return Reply.json(_group(name, label), 201)


def one_group(asked: Asked, kind: str, name: str) -> Reply:
    """GET and DELETE /groups/{name}."""
    found = groups_of(asked.account, kind)
    if asked.call.method == "DELETE":
        if any(p.group == name for p in properties_of(asked.account, kind).values()):
            raise Deny(400, f"{name} holds properties")
        asked.account.memory.get("groups", {}).get(kind, {}).pop(name, None)
        return Reply(204)
    if name not in found:
        raise not_found()
    return Reply.json(_group(name, found[name]))


# -- pipelines ------------------------------------------------------------------------------------

_MADE_AT = {"createdAt": "2023-01-01T00:00:00.000Z", "updatedAt": "2023-01-01T00:00:00.000Z"}


def _stage(kind: str, id: str, label: str, closed: bool, at: int) -> dict[str, Any]:
    word = "true" if closed else "false"
    metadata = {"isClosed": word, "probability": f"{0.1 * (at + 1):.1f}"}
    if kind == "tickets":
        metadata = {"isClosed": word, "ticketState": "CLOSED" if closed else "OPEN"}
    return {
        "id": id, "label": label, "displayOrder": at, "metadata": metadata, "archived": False,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT", **_MADE_AT,
    }  # fmt: skip


def _pipeline(account: Account, kind: str, id: str, at: int = 0) -> dict[str, Any]:
    found = pipelines_of(account, kind).get(id)
    if found is None:
        raise not_found()
    label, stages = found
    return {
        "id": id, "label": label, "displayOrder": at, "archived": False, **_MADE_AT,
        "stages": [_stage(kind, *stage, at) for at, stage in enumerate(stages)],
    }  # fmt: skip


def pipelines(asked: Asked, kind: str) -> Reply:
    """GET and POST /pipelines/{type}."""
    account = asked.account
    if asked.call.method == "GET":
        lines = enumerate(pipelines_of(account, kind))
        return Reply.json({"results": [_pipeline(account, kind, id, at) for at, id in lines]})
    body = asked.body()
    label = text_of(body, "label")
    rows = body.get("stages") or []
    id = f"8{len(pipelines_of(account, kind)):07d}"
    stages = tuple(_new_stage(row, f"{id}{at}") for at, row in enumerate(rows))
    pipelines_of(account, kind)[id] = (label, stages)
    return Reply.json(_pipeline(account, kind, id), 201)


def _new_stage(row: Any, id: str) -> tuple[str, str, bool]:
    metadata = row.get("metadata") if isinstance(row, dict) else None
    if not isinstance(metadata, dict):
        raise Deny(400, "Some required fields were not set: [metadata]")
    closed = metadata.get("ticketState") == "CLOSED" or metadata.get("isClosed") == "true"
    return id, text_of(row, "label"), closed or metadata.get("probability") in ("0.0", "1.0")


def pipeline(asked: Asked, kind: str, id: str) -> Reply:
    """GET and DELETE /pipelines/{type}/{id}; one that records stand in may be refused."""
    told = _pipeline(asked.account, kind, id)
    if asked.call.method == "GET":
        return Reply.json(told)
    from crm_bridge_hubspot.simulator_catalog import STAGE_OF

    used = (asked.call.query("validateReferencesBeforeDelete") or "").lower() == "true" and (
        asked.account.store.where(kind, STAGE_OF[kind][0], id, "live")
    )
    if used:
        raise Deny(400, f"Pipeline {id} is used by {len(used)} records")
    del pipelines_of(asked.account, kind)[id]
    return Reply(204)


def stages(asked: Asked, kind: str, id: str) -> Reply:
    """GET and POST /pipelines/{type}/{id}/stages."""
    told = _pipeline(asked.account, kind, id)
    if asked.call.method == "GET":
        return Reply.json({"results": told["stages"]})
    label, old = pipelines_of(asked.account, kind)[id]
    new = _new_stage(asked.body(), f"{id}{len(old) + 100}")
    pipelines_of(asked.account, kind)[id] = (label, (*old, new))
    return Reply.json(_stage(kind, *new, len(old)), 201)


# -- schemas, owners, limits ----------------------------------------------------------------------


def _schema(asked: Asked) -> dict[str, Any]:
    portal = asked.account.keys["portal"]
    known = properties_of(asked.account, PROJECTS).values()
    return {
        "id": PROJECTS.partition("-")[2],
        "objectTypeId": PROJECTS,
        "fullyQualifiedName": f"p{portal}_projects",
        "name": "projects",
        "labels": {"singular": "Project", "plural": "Projects"},
        "description": "",
        "primaryDisplayProperty": "project_name",
        "secondaryDisplayProperties": ["project_code"],
        "requiredProperties": [],
        "searchableProperties": ["project_name"],
        "properties": [_shown(asked.account, PROJECTS, p) for p in known if not p.private],
        "associations": [
            {
                "id": str(type.type_id),
                "fromObjectTypeId": PROJECTS,
                "toObjectTypeId": TYPE_IDS[type.to_kind],
                "name": f"projects_to_{type.to_kind}",
            }
            for type in LINK_TYPES
            if type.from_kind == PROJECTS and type.label is None
        ],
        "createdByUserId": 9_100,
        "updatedByUserId": 9_100,
        "archived": False,
        **_MADE_AT,
    }


def schemas(asked: Asked) -> Reply:
    """GET /crm-object-schemas/../schemas: the custom objects."""
    return Reply.json({"results": [] if asked.archived else [_schema(asked)]})


def schema(asked: Asked, kind: str) -> Reply:
    """GET one custom object."""
    if kind != PROJECTS:
        raise not_found()
    return Reply.json(_schema(asked))


def owners(asked: Asked) -> Reply:
    """GET /owners: the active ones, or those who left."""
    email = asked.call.query("email")
    found = [
        owner
        for owner in owners_of(asked.account)
        if owner["archived"] == asked.archived and email in (None, owner["email"])
    ]
    return Reply.json({"results": found})


def owner(asked: Asked, id: str) -> Reply:
    """GET /owners/{id}, by the owner's id or the user's."""
    name = asked.call.query("idProperty") or "id"
    for one in owners_of(asked.account):
        if str(one.get(name)) == id and one["archived"] == asked.archived:
            return Reply.json(one)
    raise not_found()


def custom_properties(asked: Asked) -> Reply:
    """GET /limits/custom-properties: how many there are, and how many there may be."""
    rows, total = [], 0
    for kind, number in TYPE_IDS.items():
        known = properties_of(asked.account, kind).values()
        used = len([p for p in known if p.group == GROUP or p.name in MARKS])
        rows.append({"objectTypeId": number, "limit": CUSTOM_PER_OBJECT, "usage": used,
                     "percentage": 100 * used // CUSTOM_PER_OBJECT})  # fmt: skip
        total += used
    return Reply.json(
        {"overallLimit": CUSTOM_IN_ALL, "overallUsage": total, "byObjectType": rows,
         "overallPercentage": 100 * total // CUSTOM_IN_ALL}
    )  # fmt: skip
