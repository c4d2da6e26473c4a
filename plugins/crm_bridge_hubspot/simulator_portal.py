"""What a simulated portal knows: its properties, and a record as its API shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_bridge.simulator import Account, Stored
from crm_bridge.simulator.lifecycle import iso
from crm_bridge_hubspot.simulator_catalog import (
    ALIASES,
    MARKS,
    MODIFIED,
    PIPELINES,
    PROPERTIES,
    SHOWN,
    STAGE_OF,
    TYPE_IDS,
    Property,
)
from crm_bridge_hubspot.simulator_wire import Asked, Deny

Pipelines = dict[str, tuple[str, tuple[tuple[str, str, bool], ...]]]
"""Pipeline id to its label and its stages: id, label, whether it closes."""

LIVE, BINNED, GONE = "live", "deleted", "gone"


def kind_of(account: Account, spelled: str) -> str:
    """The kind that a path names: by its plural, its singular, its type id.

    Raises:
        Deny: Nothing is spelled so.
    """
    spelled = spelled.replace(f"p{account.keys['portal']}_", "p_")
    kind = ALIASES.get(spelled)
    if kind is None:
        raise Deny(400, f"Unable to infer object type from: {spelled}", None)
    return kind


# -- properties -----------------------------------------------------------------------------------


def properties_of(account: Account, kind: str) -> Mapping[str, Property]:
    """The properties that a kind has now, with those that integrations added."""
    marked: bool = account.switches["marker_field"]
    cached: dict[tuple[str, bool], dict[str, Property]] = account.memory.setdefault("known", {})
    known = cached.get((kind, marked))
    if known is None:
        known = {**PROPERTIES[kind], **(MARKS if marked else {})}
        for name, made in account.memory.get("made", {}).get(kind, {}).items():
            if made is None:
                known.pop(name, None)
            else:
                known[name] = made
        cached[kind, marked] = known
    return known


def define(account: Account, kind: str, name: str, made: Property | None) -> None:
    """Add, change or archive (None) a property; values under its name are not migrated."""
    if name not in properties_of(account, kind) and kind in account.memory.get("grown", ()):
        for record in account.store.of(kind):
            record.fields.pop(name, None)
    account.memory.setdefault("made", {}).setdefault(kind, {})[name] = made
    account.memory.pop("known", None)


def pipelines_of(account: Account, kind: str) -> Pipelines:
    """The pipelines of a kind as they are now; the portal's own, to be changed in place."""
    every: dict[str, Pipelines] = account.memory.setdefault("pipelines", {})
    if kind not in every:
        every[kind] = {id: (label, stages) for id, label, stages in PIPELINES.get(kind, ())}
    return every[kind]


def stages_of(account: Account, kind: str) -> dict[str, tuple[str, bool]]:
    """Each stage of a kind with its pipeline and whether it closes."""
    return {
        stage: (line, closed)
        for line, (_, stages) in pipelines_of(account, kind).items()
        for stage, _, closed in stages
    }


def values_allowed(account: Account, kind: str, property: Property) -> set[str]:
    """The values that an enumeration takes; pipelines and stages as they are now."""
    if kind in STAGE_OF and property.name in STAGE_OF[kind]:
        if property.name == STAGE_OF[kind][0]:
            return set(pipelines_of(account, kind))
        return set(stages_of(account, kind))
    return {value for value, _ in property.options}


# -- values ---------------------------------------------------------------------------------------


def _linked(record: Stored, kind: str) -> str:
    return str(len({link.id for link in record.links if link.kind == kind}))


def _calculated(account: Account, record: Stored, name: str) -> str | None:
    match name:
        case "num_associated_deals":
            return _linked(record, "deals")
        case "num_associated_contacts":
            return _linked(record, "contacts")
        case "hs_full_name_or_email":
            names = (record.fields.get("firstname"), record.fields.get("lastname"))
            return " ".join(n for n in names if n) or record.fields.get("email")
        case "hs_is_closed":
            stage = record.fields.get(STAGE_OF[record.kind][1], "")
            return str(stages_of(account, record.kind).get(stage, ("", False))[1]).lower()
        case "hs_closed_amount":
            won = record.fields.get("dealstage") == "closedwon"
            return record.fields.get("amount") if won else "0"
        case "amount":
            try:
                price = Decimal(record.fields["price"]) * Decimal(record.fields["quantity"])
            except (KeyError, InvalidOperation):
                return None
            return format(price, "f")
    return None


def value_of(account: Account, record: Stored, property: Property) -> str | None:
    """One value as the API shows it: a string or None."""
    name = property.name
    if name == "hs_object_id":
        return record.id
    if name == "createdate":
        return iso(record.meta["created"])
    if name == MODIFIED[record.kind]:
        return iso(record.changed_at)
    if "c" in property.flags:
        return _calculated(account, record, name)
    return record.fields.get(name)


def _computed(property: Property) -> bool:
    own = ("hs_object_id", "createdate", *MODIFIED.values())
    return "c" in property.flags or property.name in own


def values_of(account: Account, record: Stored) -> dict[str, str]:
    """Every value that a record has."""
    known = properties_of(account, record.kind)
    found = {name: value for name, value in record.fields.items() if name in known}
    lists: dict[str, list[Property]] = account.memory.setdefault("computed", {})
    if record.kind not in lists:
        lists[record.kind] = [p for p in PROPERTIES[record.kind].values() if _computed(p)]
    for property in lists[record.kind]:
        value = value_of(account, record, property)
        if value is not None:
            found[property.name] = value
    return found


def set_by_portal(kind: str) -> tuple[str, ...]:
    """The properties that nobody but the portal writes."""
    return _SET_BY_PORTAL[kind]


_SET_BY_PORTAL: Final = {
    kind: tuple(p.name for p in known.values() if not p.writable)
    for kind, known in PROPERTIES.items()
}


def remember(record: Stored, name: str, at: float, value: str) -> None:
    """Keep a value in the property's history, the newest first."""
    history = record.meta.setdefault("history", {})
    if name not in history:
        old = record.fields.get(name)
        history[name] = [(old, record.meta["created"])] if old is not None else []
    history[name].insert(0, (value, at))


def _history(account: Account, record: Stored, property: Property) -> list[dict[str, Any]]:
    past = record.meta.get("history", {}).get(property.name)
    if past is None:
        value = value_of(account, record, property)
        past = [] if value is None else [(value, record.meta["created"])]
    return [
        {"value": value or "", "timestamp": iso(at), "sourceType": "INTEGRATION"}
        for value, at in past
    ]


# -- the record on the wire -----------------------------------------------------------------------


def may_see(asked: Asked, kind: str, property: Property) -> bool:
    """Whether the token's scopes show a property of this sensitivity."""
    return not property.private or any(
        scope in asked.scopes for scope in sensitive_scopes(kind, property.sensitivity)
    )


def sensitive_scopes(kind: str, sensitivity: str) -> tuple[str, ...]:
    """The scopes of which any shows the properties of a class."""
    name = "custom" if kind.startswith("2-") else kind
    return (
        f"crm.objects.{name}.{sensitivity}.read.v2",
        f"crm.objects.{name}.{sensitivity}.write.v2",
    )


def shown(
    asked: Asked,
    record: Stored,
    names: Iterable[str] = (),
    history: Iterable[str] = (),
    *,
    old: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A record as every answer holds it: the names asked for, unknown ones passed over.

    Without names a few come by themselves, and the id and the dates always.
    """
    account, kind = asked.account, record.kind
    known = properties_of(account, kind)
    wanted = dict.fromkeys(names) or dict.fromkeys(SHOWN[kind])
    wanted |= dict.fromkeys(("createdate", "hs_object_id", MODIFIED[kind]))
    told: dict[str, str | None] = {}
    for name in sorted(wanted):
        property = known.get(name)
        if property is not None and may_see(asked, kind, property):
            told[name] = value_of(account, record, property)
            if old is not None and name in old:
                told[name] = old[name]
    found: dict[str, Any] = {"id": record.id, "properties": told}
    if asked_for := [known[n] for n in history if n in known and may_see(asked, kind, known[n])]:
        found["propertiesWithHistory"] = {
            property.name: _history(account, record, property) for property in asked_for
        }
    found |= {
        "createdAt": iso(record.meta["created"]),
        "updatedAt": iso(record.changed_at),
        "archived": record.state == BINNED,
        "url": f"{asked.call.base}/contacts/{account.keys['portal']}"
        f"/record/{TYPE_IDS[kind]}/{record.id}",
    }
    if record.state == BINNED:
        found["archivedAt"] = iso(record.meta["deleted"])
        del found["url"]
    return found
