"""Properties and their groups over the wire: listed, made, changed, archived.

https://github.com/HubSpot/HubSpot-public-api-spec-collection, CRM/Properties, v3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crm_bridge.simulator import Account, Reply
from crm_bridge_hubspot.kinds import GROUP
from crm_bridge_hubspot.simulator_catalog import (
    Property,
    definition,
)
from crm_bridge_hubspot.simulator_portal import (
    define,
    may_see,
    properties_of,
    sensitive_scopes,
    values_allowed,
)
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

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_CLASSES: Final = ("non_sensitive", "sensitive", "highly_sensitive")

# -- properties -----------------------------------------------------------------------------------


def property_shown(account: Account, kind: str, property: Property) -> dict[str, Any]:
    """A definition as every answer holds it, with the options of now."""
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
        property_shown(asked.account, kind, p)
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
    return Reply.json(property_shown(asked.account, kind, _named(asked, kind, name)))


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
    return Reply.json(property_shown(asked.account, kind, made), 201)


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
    return Reply.json(property_shown(asked.account, kind, changed))


def drop_property(asked: Asked, kind: str, name: str) -> Reply:
    """DELETE /{name}: 204; its name may be used again at once, its values are not migrated."""
    property = properties_of(asked.account, kind).get(name)
    if property is not None:
        if not definition(property)["modificationMetadata"]["archivable"] and name not in (
            asked.account.memory.get("made", {}).get(kind, {})
        ):
            raise Deny(400, f"{name} is defined by HubSpot and cannot be archived")
        told = property_shown(asked.account, kind, property) | {
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
            results.append(property_shown(asked.account, kind, made))
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
