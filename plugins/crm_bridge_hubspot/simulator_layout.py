"""What else a portal is made of, over the wire: pipelines, schemas, owners, limits.

https://github.com/HubSpot/HubSpot-public-api-spec-collection, CRM/Pipelines, v3.
"""

from __future__ import annotations

from typing import Any, Final

from crm_bridge.simulator import Account, Reply
from crm_bridge_hubspot.kinds import GROUP
from crm_bridge_hubspot.simulator_catalog import LINK_TYPES, MARKS, PROJECTS, STAGE_OF, TYPE_IDS
from crm_bridge_hubspot.simulator_portal import LIVE, pipelines_of, properties_of
from crm_bridge_hubspot.simulator_schema import property_shown
from crm_bridge_hubspot.simulator_values import owners_of
from crm_bridge_hubspot.simulator_wire import Asked, Deny, not_found, text_of

CUSTOM_PER_OBJECT, CUSTOM_IN_ALL = 1000, 10_000

# -- pipelines ------------------------------------------------------------------------------------

_MADE_AT: Final = {"createdAt": "2023-01-01T00:00:00.000Z", "updatedAt": "2023-01-01T00:00:00.000Z"}


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
    used = (asked.call.query("validateReferencesBeforeDelete") or "").lower() == "true" and (
        asked.account.store.where(kind, STAGE_OF[kind][0], id, LIVE)
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
        "properties": [property_shown(asked.account, PROJECTS, p) for p in known if not p.private],
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
