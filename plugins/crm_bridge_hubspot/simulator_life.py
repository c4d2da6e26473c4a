"""The life of a record in a simulated portal: bin, way back, purge, merge, associations."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, Final

from crm_bridge.simulator import Account, Link, Stored
from crm_bridge_hubspot.kinds import ASSOCIATIONS
from crm_bridge_hubspot.simulator_catalog import LINK_TYPES, LinkType
from crm_bridge_hubspot.simulator_portal import BINNED, GONE, LIVE, properties_of, remember
from crm_bridge_hubspot.simulator_wire import Deny, fresh_id

BIN_DAYS: Final = 90
"""Days in which a person may bring a record back.

https://knowledge.hubspot.com/records/restore-deleted-records
"""

MERGES: Final = 250
"""Merges that one record's history takes; https://developers.hubspot.com/docs/api-reference/error-handling."""

_DAY = 86_400.0
_ACTIVITIES = ("notes", "calls", "tasks", "meetings", "emails", "communications")
_COMPANIES = {a.from_kind for a in ASSOCIATIONS if a.primary and a.to_kind == "companies"}


# -- association types ----------------------------------------------------------------------------

Types = dict[tuple[str, int], LinkType]


def types_between(account: Account, one: str, other: str) -> Types:
    """The association types from one kind to another, by category and number."""
    pairs: dict[tuple[str, str], Types] | None = account.memory.get("types")
    if pairs is None:
        pairs = account.memory["types"] = {}
        for type in (*LINK_TYPES, *account.memory.get("labels", ())):
            pair = pairs.setdefault((type.from_kind, type.to_kind), {})
            pair[type.category, type.type_id] = type
    return pairs.get((one, other), {})


def type_named(account: Account, link: Link, from_kind: str) -> LinkType | None:
    """The type of a link that a record of that kind holds."""
    category, _, number = link.name.partition("/")
    return types_between(account, from_kind, link.kind).get((category, int(number)))


def plain_between(account: Account, one: str, other: str) -> LinkType | None:
    """The type without a label between two kinds, which a labelled one brings along."""
    types = types_between(account, one, other).values()
    return next((t for t in types if t.label is None), None)


def inverse(account: Account, type: LinkType) -> LinkType:
    """The same type, seen from its other end."""
    return types_between(account, type.to_kind, type.from_kind)[type.category, type.inverse]


def tie(account: Account, one: Stored, other: Stored, type: LinkType) -> None:
    """Associate two records; a label brings the plain type, a primary one replaces another."""
    store, back = account.store, inverse(account, type)
    if type.primary:
        # One end has one primary company: whichever side the type is written from.
        held, far = (one, type) if one.kind in _COMPANIES and other.kind == "companies" else (
            other, back)  # fmt: skip
        for link in [link for link in held.links if link.name == far.name]:
            untie(account, held, far, link.id)
    plain = plain_between(account, type.from_kind, type.to_kind)
    for each in dict.fromkeys(t for t in (plain, type) if t is not None):
        opposite = inverse(account, each)
        store.link(one, each.name, other.kind, other.id, each.label)
        store.link(other, opposite.name, one.kind, one.id, opposite.label)


def untie(
    account: Account, one: Stored, type: LinkType | None, other_id: str, kind: str = ""
) -> None:
    """Take one type of association away at both ends; every type where none is named."""
    to_kind = type.to_kind if type else kind
    account.store.unlink(one, type.name if type else None, to_kind, other_id)
    if (other := account.store.get(to_kind, other_id)) is not None:
        name = inverse(account, type).name if type else None
        account.store.unlink(other, name, one.kind, one.id)


# -- where a record is ----------------------------------------------------------------------------


def resolved(account: Account, kind: str, id: str) -> Stored | None:
    """The record that an id leads to: of a merged one the one that took it in."""
    record = account.store.get(kind, id)
    while record is not None and record.merged_into is not None:
        record = account.store.get(kind, record.merged_into)
    return record


def by_value(
    account: Account, kind: str, name: str, value: str, state: str = LIVE
) -> Stored | None:
    """The record that holds a unique value; a live contact's e-mail may be an additional one.

    Raises:
        Deny: The property is not unique.
    """
    property = properties_of(account, kind).get(name)
    if name == "hs_object_id":
        record = resolved(account, kind, value)
        return record if record is not None and record.state == state else None
    if property is None or "u" not in property.flags:
        raise Deny(400, f"Property {name} is not a unique identifier property")
    if name == "email" and state == LIVE:
        return holder_of(account, value)
    value = value.strip().lower() if name == "email" else value
    return next(iter(account.store.where(kind, name, value, state)), None)


def emails_of(record: Stored) -> list[str]:
    """The primary e-mail of a contact and the additional ones, in lower case."""
    texts = [record.fields.get("email") or ""]
    texts += (record.fields.get("hs_additional_emails") or "").split(";")
    return [text.strip().lower() for text in texts if text.strip()]


def holder_of(account: Account, email: str) -> Stored | None:
    """The active contact that has an e-mail, as its primary or an additional one."""
    email = email.strip().lower()
    store = account.store
    for record in store.where("contacts", "email", email, LIVE):
        return record
    for record in store.where("contacts", "hs_additional_emails", email, LIVE):
        return record
    for id in account.memory.get("several_emails", ()):
        several = store.get("contacts", id)
        if several is not None and several.state == LIVE and email in emails_of(several):
            return several
    return None


def write(account: Account, record: Stored, values: dict[str, str | None]) -> None:
    """Write values that were found right; None takes one away. What search shows lags behind."""
    now = account.clock.epoch()
    if account.switches["search_lag"]:
        record.meta["before"] = (now, {name: record.fields.get(name) for name in values})
    for name, value in values.items():
        if record.fields.get(name) != value:
            remember(record, name, now, value or "")
    account.store.change(record, values)
    if ";" in (record.fields.get("hs_additional_emails") or ""):
        account.memory.setdefault("several_emails", {})[record.id] = None


# -- the bin --------------------------------------------------------------------------------------


def _audit(account: Account, action: str, record: Stored) -> None:
    account.memory.setdefault("audit", []).append((account.clock.epoch(), action, record.id))


def archive(account: Account, record: Stored) -> None:
    """Move a record to the recycling bin: its associations go, what it was tied to stays.

    A call's recording and the memberships of static lists go for good. What becomes of a deal's
    line items, and of activities of one contact alone, nobody has confirmed.
    """
    if record.state != LIVE:
        return
    along = list(_going_along(account, record))
    store = account.store
    record.meta["shadow"] = list(record.links)
    for link in record.meta["shadow"]:
        if (other := store.get(link.kind, link.id)) is not None:
            store.unlink(other, None, record.kind, record.id)
    store.unlink(record)
    if record.fields.get("hs_call_recording_url"):
        store.change(record, {"hs_call_recording_url": None})
    for members in account.memory.get("members", {}).values():
        members.pop((record.kind, record.id), None)
    record.meta["deleted"] = account.clock.epoch()
    store.move(record, BINNED)
    bin_until(account, record.kind, record.id, record.meta["deleted"])
    _audit(account, "DELETE", record)
    for other in along:
        archive(account, other)


def _going_along(account: Account, record: Stored) -> Iterator[Stored]:
    goes: tuple[str, ...] = ()
    if record.kind == "deals" and account.switches["deal_children"] == "follow":
        goes = ("line_items", "quotes")
    if record.kind == "contacts" and account.switches["lonely_activities"] == "follow":
        goes = _ACTIVITIES
    for link in record.links:
        if link.kind in goes and (child := account.store.get(link.kind, link.id)):
            ends = {(other.kind, other.id) for other in child.links}
            if ends == {(record.kind, record.id)}:
                yield child


def bin_until(account: Account, kind: str, id: str, deleted: float) -> None:
    """Remember when the bin lets go of a record."""
    heappush(account.memory.setdefault("bin", []), (deleted, kind, id))


def sweep(account: Account) -> None:
    """Purge what has lain in the bin for longer than the API shows it."""
    heap: list[tuple[float, str, str]] = account.memory.setdefault("bin", [])
    oldest = account.clock.epoch() - account.switches["bin_read_days"] * _DAY
    while heap and heap[0][0] <= oldest:
        deleted, kind, id = heappop(heap)
        record = account.store.get(kind, id)
        if record is not None and record.state == BINNED and record.meta["deleted"] == deleted:
            purge(account, record)


def restorable(account: Account, record: Stored) -> bool:
    """Whether the page still offers a record."""
    age = account.clock.epoch() - record.meta.get("deleted", 0.0)
    return record.state == BINNED and age < BIN_DAYS * _DAY


def bring_back(account: Account, record: Stored) -> None:
    """Make a record of the bin active again: same id, same values, its associations by a switch.

    An end that lies in the bin itself gets the association back when it returns.
    """
    links: list[Link] = record.meta.pop("shadow", [])
    account.store.move(record, LIVE)
    record.meta.pop("deleted")
    if not account.switches["restore_links"]:
        return
    for link in links:
        type = type_named(account, link, record.kind)
        other = resolved(account, link.kind, link.id)
        if type is None or other is None or other.state == GONE:
            continue
        if other.state == LIVE:
            tie(account, record, other, type)
        else:
            back = inverse(account, type)
            mine = Link(back.name, record.kind, record.id, back.label)
            shadow = other.meta.setdefault("shadow", [])
            if mine not in shadow:
                shadow.append(mine)


def purge(account: Account, record: Stored) -> None:
    """Make a record gone for good."""
    for link in record.links:
        if (other := account.store.get(link.kind, link.id)) is not None:
            account.store.unlink(other, None, record.kind, record.id)
    for members in account.memory.get("members", {}).values():
        members.pop((record.kind, record.id), None)
    account.store.remove(record)
    kept = {name: record.meta[name] for name in ("created",)}
    record.meta.clear()
    record.meta.update(kept)


# -- merges ---------------------------------------------------------------------------------------


def merge(account: Account, primary: Stored, other: Stored) -> Stored:
    """Merge two records: the primary's values win; the result is a new record by default.

    https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies

    Raises:
        Deny: The history would hold more merges than it may.
    """
    merges = 1 + primary.meta.get("merges", 0) + other.meta.get("merges", 0)
    if merges > MERGES:
        raise Deny(414, "Cannot have more than 250 identities on a profile")
    fields: dict[str, Any] = {**other.fields, **primary.fields}
    if primary.kind == "contacts":
        extra = dict.fromkeys((*emails_of(primary)[1:], *emails_of(other)))
        extra.pop(str(fields.get("email", "")).lower(), None)
        fields["hs_additional_emails"] = ";".join(extra) or None
    ends = [(link, record) for record in (primary, other) for link in record.links]
    old = [primary, other]
    past = [record.fields.get("hs_merged_object_ids") for record in old]
    store, result = account.store, primary
    if account.switches["merge_keeps_id"]:
        old = [other]
    else:
        result = Stored(primary.kind, fresh_id(account))
        result.meta["created"] = min(record.meta["created"] for record in (primary, other))
        store.add(result)
    ids = ";".join([*(text for text in past if text), *(record.id for record in old)])
    fields["hs_merged_object_ids"] = ids
    if primary.kind == "contacts":
        fields["hs_calculated_merged_vids"] = ids
    for record in old:
        purge(account, record)
        record.merged_into = result.id
    for link, holder in ends:
        type = type_named(account, link, holder.kind)
        end = resolved(account, link.kind, link.id)
        if type is not None and end is not None and end is not result:
            tie(account, result, end, type)
    write(account, result, fields)
    result.meta["merges"] = merges
    return result
