"""Records come into a portal, are merged, or leave it for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_hubspot.simulator_catalog import TYPE_IDS, LinkType
from crm_bridge_hubspot.simulator_life import (
    by_value,
    emails_of,
    merge,
    purge,
    resolved,
    tie,
    types_between,
    write,
)
from crm_bridge_hubspot.simulator_links import spec_of
from crm_bridge_hubspot.simulator_portal import BINNED, LIVE, shown
from crm_bridge_hubspot.simulator_values import Values
from crm_bridge_hubspot.simulator_wire import Asked, Deny, fresh_id, not_found, not_json, text_of

# -- making ---------------------------------------------------------------------------------------


def ends_named(asked: Asked, kind: str, row: Mapping[str, Any]) -> list[tuple[LinkType, Stored]]:
    """What a new record is to be associated with, each with its type."""
    return list(_ends_of(asked, kind, row))


def _ends_of(asked: Asked, kind: str, row: Mapping[str, Any]) -> Iterator[tuple[LinkType, Stored]]:
    associations = row.get("associations") or []
    if not isinstance(associations, list):
        raise not_json("associations is a list")
    for one in associations:
        to = one.get("to") if isinstance(one, dict) else None
        types = one.get("types") if isinstance(one, dict) else None
        if not isinstance(to, dict) or not isinstance(types, list) or not types:
            raise not_json("an association has to and types")
        for spec in map(spec_of, types):
            type = next(
                (t for other in TYPE_IDS
                 if (t := types_between(asked.account, kind, other).get(spec))),
                None,
            )  # fmt: skip
            if type is None:
                raise Deny(400, f"{spec[0]} {spec[1]} is no association type of {kind}")
            end = resolved(asked.account, type.to_kind, text_of(to, "id"))
            if end is None or end.state != LIVE:
                raise Deny(
                    400,
                    f"No {type.to_kind} with id {to['id']} exists",
                    subCategory="crm.associations.INVALID_OBJECT_IDS",
                )
            yield type, end


def made(
    account: Account, kind: str, values: Values, ends: list[tuple[LinkType, Stored]]
) -> Stored:
    """A new record, with what it is tied to."""
    record = Stored(kind, fresh_id(account))
    record.meta["created"] = account.clock.epoch()
    account.store.add(record)
    write(account, record, values)
    if "before" in record.meta:
        record.meta["before"] = (record.meta["created"], None)
    for type, end in ends:
        tie(account, record, end, type)
    if kind == "contacts" and account.switches["auto_company"]:
        _company_by_domain(account, record)
    return record


def _company_by_domain(account: Account, contact: Stored) -> None:
    """Associate a new contact with the company of its e-mail's domain, which is made if need be.

    The portal may be set so; domains at which anybody may have a mailbox are passed over.
    """
    domain = (contact.fields.get("email") or "").partition("@")[2]
    if not domain or domain == "mail.example":
        return
    company = next(iter(account.store.where("companies", "domain", domain, LIVE)), None)
    if company is None:
        company = made(account, "companies", {"name": domain, "domain": domain}, [])
    tie(account, contact, company, types_between(account, "contacts", "companies")
        ["HUBSPOT_DEFINED", 1])  # fmt: skip


# -- merge and purge ------------------------------------------------------------------------------


def merge_two(asked: Asked, kind: str) -> Reply:
    """POST /merge: 200 with the record that survives, which has a new id by default."""
    body = asked.body()
    records = []
    for name in ("primaryObjectId", "objectIdToMerge"):
        record = resolved(asked.account, kind, text_of(body, name))
        if record is None or record.state != LIVE:
            raise not_found()
        records.append(record)
    if records[0] is records[1]:
        raise Deny(400, "A record cannot be merged with itself")
    return Reply.json(shown(asked, merge(asked.account, records[0], records[1])))


def gdpr_delete(asked: Asked) -> Reply:
    """POST /contacts/gdpr-delete: 204 always; an e-mail that nobody has is put on the blocklist.

    https://developers.hubspot.com/changelog/changes-to-the-gdpr-deletion-endpoints-for-the-crm-contact-object-api
    """
    account, body = asked.account, asked.body()
    id, name = text_of(body, "objectId"), body.get("idProperty")
    blocked: set[str] = account.memory.setdefault("blocklist", set())
    if name is None:
        check_id(asked, id)
        record = account.store.get("contacts", id)
        if record and record.merged_into and asked.switch("delete_merged") == "survivor":
            record = resolved(account, "contacts", id)
    elif name == "email":
        record = by_value(account, "contacts", "email", id)
        blocked.add(id.strip().lower())
    else:
        raise Deny(400, f"{name} cannot be used as idProperty")
    if record is not None and record.state == BINNED and asked.switch("gdpr_archived") == "refused":
        raise not_found()
    if record is not None and record.state in (LIVE, BINNED) and id not in asked.skipped:
        blocked.update(emails_of(record))
        account.memory.setdefault("audit", []).append(
            (account.clock.epoch(), "GDPR_DELETE", record.id)
        )
        purge(account, record)
    return Reply(204)


def check_id(asked: Asked, id: str) -> None:
    """Refuse an id that is no number, in the way that the switch says."""
    if not (id.isascii() and id.isdigit()):
        if asked.switch("bad_id") == 404:
            raise not_found()
        raise Deny(400, f"{id} is not a valid object ID")
