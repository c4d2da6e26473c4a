"""Which path leads where, spelled `/crm/v3/objects/...` or `/crm/objects/2026-09/...`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from crm_bridge.simulator import Call, Reply
from crm_bridge_hubspot import (
    simulator_layout,
    simulator_links,
    simulator_lists,
    simulator_login,
    simulator_making,
    simulator_objects,
    simulator_schema,
)
from crm_bridge_hubspot.kinds import object_type
from crm_bridge_hubspot.simulator_login import need
from crm_bridge_hubspot.simulator_portal import kind_of
from crm_bridge_hubspot.simulator_search import search
from crm_bridge_hubspot.simulator_wire import DATED, V3, V4, Asked, Deny

_AREAS: Final = (
    "objects", "properties", "pipelines", "owners", "lists", "limits", "associations",
)  # fmt: skip
_VERSION: Final = re.compile(r"v\d|\d{4}-\d\d(-beta)?")
_READS: Final = re.compile(r"/(batch/read|search|introspect|access-token-info|token)$")


class Place(NamedTuple):
    """What a path names, whichever way it is spelled."""

    area: str
    version: str
    rest: tuple[str, ...]


def no_route(call: Call) -> Deny:
    """A route that HubSpot does not have, such as one to restore a record."""
    return Deny(404, f"No route {call.method} {call.path}", None)


def place_of(call: Call) -> Place | None:
    """Read a path; None where nothing begins so, or in a version that nothing answers."""
    parts = [part for part in call.path.split("/") if part]
    if len(parts) < 2:
        return None
    if parts[0] in ("account-info", "crm-object-schemas"):
        area, version, rest = parts[0], parts[1], parts[2:]
        known = version == V3 or version in DATED
    elif parts[0] == "crm" and len(parts) > 2 and _VERSION.fullmatch(parts[1]):
        version, area, rest = parts[1], parts[2], parts[3:]
        is_link = area == "associations" or (area == "objects" and "associations" in rest)
        known = area in _AREAS and version == (V4 if is_link else V3)
    elif parts[0] == "crm" and len(parts) > 2:
        area, version, rest = parts[1], parts[2], parts[3:]
        known = area in _AREAS and version in DATED
    else:
        return None
    return Place(area, version, tuple(rest)) if known else None


# -- what the log says of a request ---------------------------------------------------------------


def changes(call: Call) -> bool:
    """Whether a request could change a record or a schema."""
    if call.method == "GET" or call.path.startswith("/oauth/"):
        return False
    return not (call.method == "POST" and _READS.search(call.path))


def ids_named(call: Call) -> list[str]:
    """The records that a request names, in its path and its body."""
    found: list[str] = []
    place = place_of(call)
    if place is not None and place.area == "objects" and len(place.rest) > 1:
        found += [part for part in place.rest[1:] if part.isdigit()]
    body = call.json if call.method != "GET" else None
    if not isinstance(body, dict):
        return found
    for name in ("objectId", "primaryObjectId", "objectIdToMerge"):
        if name in body:
            found.append(str(body[name]))
    for row in body.get("inputs") or ():
        if "id" in row:
            found.append(str(row["id"]))
        for end in ("from", "to"):
            ends = row.get(end)
            for one in ends if isinstance(ends, list) else [ends]:
                if isinstance(one, dict) and "id" in one:
                    found.append(str(one["id"]))
    return list(dict.fromkeys(found))


# -- the way to a handler -------------------------------------------------------------------------


def handled(asked: Asked, place: Place) -> Reply:
    """Answer a request that is logged in.

    Raises:
        Deny: It is refused.
    """
    route = _ROUTES.get(place.area)
    reply = route(asked, place.rest) if route else None
    if reply is None:
        raise no_route(asked.call)
    return reply


def _may(asked: Asked, kind: str, what: str) -> None:
    scopes: Sequence[str] = getattr(object_type(kind), what)
    need(asked, scopes)


def _objects(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    if "associations" in rest:
        return _links_of_one(asked, rest)
    method, account, o = asked.call.method, asked.account, simulator_objects
    if not rest:
        return None
    kind = kind_of(account, rest[0])
    match (method, *rest[1:]):
        case ("GET",):
            _may(asked, kind, "read")
            return o.page(asked, kind)
        case ("POST",):
            _may(asked, kind, "write")
            return o.create_one(asked, kind)
        case ("POST", "search"):
            _may(asked, kind, "read")
            return search(asked, kind)
        case ("POST", "merge"):
            _may(asked, kind, "write")
            return simulator_making.merge_two(asked, kind)
        case ("POST", "gdpr-delete") if kind == "contacts":
            _may(asked, kind, "write")
            return simulator_making.gdpr_delete(asked)
        case ("POST", "batch", verb) if verb in o.BATCHES:
            _may(asked, kind, "read" if verb == "read" else "write")
            return o.BATCHES[verb](asked, kind)
        case ("GET", id):
            _may(asked, kind, "read")
            return o.read_one(asked, kind, id)
        case ("PATCH", id):
            _may(asked, kind, "write")
            return o.update_one(asked, kind, id)
        case ("DELETE", id):
            _may(asked, kind, "write")
            return o.archive_one(asked, kind, id)
    return None


def _pair(asked: Asked, one: str, other: str, what: str) -> tuple[str, str]:
    pair = kind_of(asked.account, one), kind_of(asked.account, other)
    for kind in pair:
        _may(asked, kind, what)
    return pair


def _links_of_one(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    match (asked.call.method, *rest):
        case ("GET", one, id, "associations", other):
            one, other = _pair(asked, one, other, "read")
            return simulator_links.read_of_one(asked, one, id, other)
        case ("PUT", one, id, "associations", "default", other, far):
            one, other = _pair(asked, one, other, "write")
            return simulator_links.make_one_default(asked, one, id, other, far)
        case ("PUT", one, id, "associations", other, far):
            one, other = _pair(asked, one, other, "write")
            return simulator_links.make_one(asked, one, id, other, far)
        case ("DELETE", one, id, "associations", other, far):
            one, other = _pair(asked, one, other, "write")
            return simulator_links.drop_one(asked, one, id, other, far)
    return None


_LINK_BATCHES: Final[dict[tuple[str, ...], Callable[[Asked, str, str], Reply]]] = {
    ("read",): simulator_links.read_many,
    ("create",): simulator_links.make_many,
    ("archive",): simulator_links.drop_many,
    ("associate", "default"): simulator_links.make_default,
    ("labels", "archive"): simulator_links.drop_labels,
}


def _associations(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    match (asked.call.method, *rest):
        case ("POST", one, other, "batch", *verb) if tuple(verb) in _LINK_BATCHES:
            one, other = _pair(asked, one, other, "read" if verb == ["read"] else "write")
            return _LINK_BATCHES[tuple(verb)](asked, one, other)
        case ("GET", one, other, "labels"):
            return simulator_links.labels(asked, *_pair(asked, one, other, "read"))
        case ("POST", one, other, "labels"):
            return simulator_links.make_label(asked, *_pair(asked, one, other, "write"))
        case ("DELETE", one, other, "labels", number):
            pair = _pair(asked, one, other, "write")
            return simulator_links.drop_label(asked, *pair, number)
    return None


def _properties(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    s = simulator_schema
    if not rest:
        return None
    kind = kind_of(asked.account, rest[0])
    writes = asked.call.method != "GET" and rest[-2:] != ("batch", "read")
    _may(asked, kind, "schema" if writes else "read")
    match (asked.call.method, *rest[1:]):
        case ("GET",):
            return s.properties(asked, kind)
        case ("POST",):
            return s.make_property(asked, kind)
        case ("GET", "groups"):
            return s.groups(asked, kind)
        case ("POST", "groups"):
            return s.make_group(asked, kind)
        case ("GET" | "DELETE", "groups", name):
            return s.one_group(asked, kind, name)
        case ("POST", "batch", "read" | "create" | "archive" as verb):
            return s.property_batch(asked, kind, verb)
        case ("GET", name):
            return s.one_property(asked, kind, name)
        case ("PATCH", name):
            return s.change_property(asked, kind, name)
        case ("DELETE", name):
            return s.drop_property(asked, kind, name)
    return None


def _pipelines(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    if not rest:
        return None
    kind, method = kind_of(asked.account, rest[0]), asked.call.method
    _may(asked, kind, "read" if method == "GET" else "schema")
    match (method, *rest[1:]):
        case ("GET" | "POST",):
            return simulator_layout.pipelines(asked, kind)
        case ("GET" | "DELETE", id):
            return simulator_layout.pipeline(asked, kind, id)
        case ("GET" | "POST", id, "stages"):
            return simulator_layout.stages(asked, kind, id)
    return None


def _owners(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    need(asked, ("crm.objects.owners.read",))
    match (asked.call.method, *rest):
        case ("GET",):
            return simulator_layout.owners(asked)
        case ("GET", id):
            return simulator_layout.owner(asked, id)
    return None


def _lists(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    reads = asked.call.method == "GET" or rest == ("search",)
    need(asked, ("crm.lists.read",) if reads else ("crm.lists.write",))
    match (asked.call.method, *rest):
        case ("POST", "search"):
            return simulator_lists.search_lists(asked)
        case ("GET", "records", spelled, id, "memberships"):
            return simulator_lists.memberships(asked, spelled, id)
        case ("GET" | "DELETE", id):
            return simulator_lists.one_list(asked, id)
        case ("PUT", id, "restore"):
            return simulator_lists.restore_list(asked, id)
        case ("GET", id, "memberships"):
            return simulator_lists.members(asked, id)
        case ("PUT", id, "memberships", "add" | "remove" as verb):
            return simulator_lists.change_members(asked, id, verb)
    return None


def _limits(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    if (asked.call.method, *rest) == ("GET", "custom-properties"):
        return simulator_layout.custom_properties(asked)
    return None


def _schemas(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    match (asked.call.method, *rest):
        case ("GET", "schemas"):
            need(asked, ("crm.schemas.custom.read", "crm.schemas.custom.write"))
            return simulator_layout.schemas(asked)
        case ("GET", "schemas", spelled):
            need(asked, ("crm.schemas.custom.read", "crm.schemas.custom.write"))
            return simulator_layout.schema(asked, kind_of(asked.account, spelled))
    return None


def _account(asked: Asked, rest: tuple[str, ...]) -> Reply | None:
    match (asked.call.method, *rest):
        case ("GET", "details"):
            return simulator_login.details(asked)
        case ("GET", "api-usage", "daily", "private-apps"):
            return simulator_login.daily_usage(asked)
        case ("GET", "activity", "audit-logs"):
            return simulator_login.audit_logs(asked)
    return None


_ROUTES: Final[dict[str, Callable[[Asked, tuple[str, ...]], Reply | None]]] = {
    "objects": _objects,
    "associations": _associations,
    "properties": _properties,
    "pipelines": _pipelines,
    "owners": _owners,
    "lists": _lists,
    "limits": _limits,
    "crm-object-schemas": _schemas,
    "account-info": _account,
}


def searching(place: Place) -> bool:
    """Whether a path is a search of records, which has a pace of its own."""
    return place.area == "objects" and place.rest[1:] == ("search",)
