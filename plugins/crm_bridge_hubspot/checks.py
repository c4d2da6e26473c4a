"""What can be said before anything is touched: rights, marks, values in use, lasting losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from crm_bridge.kit import (
    Capability,
    Effect,
    Finding,
    Operation,
    Outcome,
    Record,
    RecordRef,
    Severity,
    State,
    Support,
    skipped,
)
from crm_bridge_hubspot.kinds import PRIOR_ID, object_type
from crm_bridge_hubspot.profile import BATCH
from crm_bridge_hubspot.reading import MERGED
from crm_bridge_hubspot.schema import Ask, KindSchema, Schema, rows

ANY_TYPE: Final = "association"
"""A rule's `via` where the type of the association is the portal's own."""
MAY_GO: Final = (Effect.FOLLOWS, Effect.MAY_FOLLOW)
EMAIL: Final = "email"
OWNER: Final = "hubspot_owner_id"
RECORDING: Final = "hs_call_recording_url"
_LISTED: Final = ("contacts", "companies", "deals", "tickets")
_FEW: Final = 20
"""Refs that a finding names."""


def allowed(row: Capability, scopes: frozenset[str] | None) -> bool:
    """Whether the token's scopes leave a row standing; None where they are not told."""
    if scopes is None or row.support not in (Support.NATIVE, Support.MARKED, Support.REMADE):
        return True
    if row.kinds:
        return any(scopes & set(object_type(kind).write) for kind in row.kinds)
    return any(
        (s.endswith(".write") and s.startswith("crm.objects.")) or s in ("tickets", "e-commerce")
        for s in scopes
    )


def written(
    row: Capability, seen: Mapping[str, KindSchema],
    marked: Callable[[str, Operation], Mapping[str, Any]],
) -> bool:  # fmt: skip
    """Whether the properties that a row writes are there, on any kind at all.

    Args:
        row: The row.
        seen: Kind to schema.
        marked: The fields that mark a kind so.
    """
    if row.support is Support.REMADE:
        return any(PRIOR_ID in schema.properties for schema in seen.values())
    if row.support is not Support.MARKED:
        return True
    both = (Operation.VOID, Operation.ARCHIVE)
    operations = both if row.operation is Operation.RESTORE else (row.operation,)
    return any(
        bool(names := marked(kind, operation)) and set(names) <= set(schema.properties)
        for operation in operations
        for kind, schema in seen.items()
    )


def remakable(schema: KindSchema) -> Iterator[Finding]:
    """Without the unique property for the old id nothing of this kind can be made anew."""
    if PRIOR_ID not in schema.properties:
        yield Finding(
            Severity.WARNING, "vendor_note",
            f"{schema.kind} have no property {PRIOR_ID}, so that none can be made anew.",
            "crm-bridge setup makes it; it keeps a record from being made twice.",
        )  # fmt: skip


def merged(records: Sequence[Record]) -> Iterator[Outcome]:
    """Merged records are left alone: a delete of the old id may reach the one that took it in."""
    for record in records:
        if record.evidence.startswith(MERGED):
            yield skipped(record.ref, "merged", f"it was {record.evidence}; name that one instead.")


def rights(operation: Operation, kind: str, scopes: frozenset[str] | None) -> Iterator[Finding]:
    """A write that the token's scopes rule out."""
    needed = object_type(kind).write
    if scopes is None or scopes & set(needed):
        return
    restore = operation is Operation.RESTORE
    yield Finding(
        Severity.WARNING if restore else Severity.ERROR, "rights",
        f"this token may not write {kind}.",
        f"It needs one of the scopes {', '.join(needed)}.",
    )  # fmt: skip


def marks(schema: KindSchema, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """A marked property that is not there, or does not take the value."""
    for name, value in wanted.items():
        known = schema.properties.get(name)
        if known is None:
            yield Finding(
                Severity.ERROR, "blocked", f"{schema.kind} have no property {name} to mark.",
                "crm-bridge setup makes crm_bridge_status; other fields are named in the settings.",
            )  # fmt: skip
        elif (refusal := known.refusal(value)) is not None:
            yield Finding(
                Severity.ERROR, "blocked", f"{schema.kind}.{name} cannot be marked: {refusal}.",
                "Add the option in HubSpot, or name another field in the settings.",
            )  # fmt: skip


def not_captured(schema: Schema, kind: str, records: Sequence[Record]) -> Iterator[Finding]:
    """What a delete takes that neither the recycling bin nor a snapshot brings back."""
    live = [r for r in records if r.state in (State.LIVE, State.VOIDED, State.ARCHIVED)]
    if not live:
        return
    if kind in _LISTED:
        yield Finding(
            Severity.WARNING, "not_captured",
            f"static list memberships of these {kind} never come back.",
            "HubSpot drops them at the delete, and restores the record without them.",
        )  # fmt: skip
    recorded = [r.ref for r in live if r.fields.get(RECORDING)]
    if kind == "calls" and recorded:
        yield Finding(
            Severity.WARNING, "not_captured",
            "the recordings of calls are deleted for good.",
            "HubSpot restores a call without its recording.", len(recorded),
            tuple(recorded[:_FEW]),
        )  # fmt: skip
    if closed := schema.closed(kind):
        yield Finding(
            Severity.WARNING, "not_captured",
            f"associations of {kind} with {', '.join(closed)} are not in the snapshot.",
            "The token lacks the scope to see them, so a remake cannot put them back.",
        )  # fmt: skip


def values_gone(schema: KindSchema, records: Sequence[Record]) -> Iterator[Outcome]:
    """Records that left the bin, with values that are no longer among their property's options."""
    for record in records:
        if record.state is not State.GONE:
            continue
        for name, value in record.fields.items():
            known = schema.properties.get(name)
            if known is None or not known.writable or (why := known.refusal(value)) is None:
                continue
            yield replace(
                skipped(record.ref, "value_gone", f"its {name}: {why}."),
                details={"fields": [name]},
            )


def values_taken(ask: Ask, schema: KindSchema, records: Sequence[Record]) -> Iterator[Outcome]:
    """Records that left the bin, with a value that no two may share and that an active one has.

    The e-mail of contacts is looked at by itself, since additional ones count as well.
    https://developers.hubspot.com/changelog/unique-properties-for-contacts, read 2026-11-24.
    """
    gone = [record for record in records if record.state is State.GONE]
    for known in schema.properties.values() if gone else ():
        if not known.unique or not known.writable or known.name in (PRIOR_ID, EMAIL):
            continue
        # HubSpot does not say whether it minds the case: what it finds by a value has that value.
        wanted: dict[str, list[RecordRef]] = {}
        for record in gone:
            if value := record.fields.get(known.name):
                wanted.setdefault(str(value).casefold(), []).append(record.ref)
        asked = sorted({str(v) for r in gone if (v := r.fields.get(known.name))})
        for start in range(0, len(asked), BATCH):
            part = [{"id": value} for value in asked[start : start + BATCH]]
            told = ask(
                "read", (schema.kind,), [("archived", "false")],
                {"idProperty": known.name, "inputs": part, "propertiesWithHistory": [],
                 "properties": [known.name]},
            )  # fmt: skip
            for row in rows(told):
                value = str((row.get("properties") or {}).get(known.name))
                for ref in wanted.pop(value.casefold(), ()):
                    words = f"{schema.kind}/{row.get('id')} has its {known.name} {value!r} by now."
                    yield replace(
                        skipped(ref, "duplicate", words), details={"fields": [known.name]}
                    )


def owners_who_left(schema: Schema, records: Sequence[Record]) -> Iterator[Finding]:
    """Records that left the bin and belong to an owner who is archived.

    Whether a create takes such an owner HubSpot says nowhere, so nothing is settled by it.
    """
    owned = {
        record.ref: str(record.fields[OWNER])
        for record in records
        if record.state is State.GONE and record.fields.get(OWNER)
    }
    if not owned:
        return
    left = schema.owners_who_left()
    if left is None:
        yield Finding(
            Severity.NOTE, "vendor_note",
            f"whether the owners of {len(owned)} records to be made anew are active is not known.",
            "The token lacks the scope crm.objects.owners.read.", len(owned),
        )  # fmt: skip
        return
    theirs = [ref for ref, owner in owned.items() if owner in left]
    if theirs:
        yield Finding(
            Severity.WARNING, "vendor_note",
            f"{len(theirs)} {theirs[0].kind} to be made anew belong to an owner who is archived.",
            "Whether HubSpot gives a new record to such an owner is said nowhere; it is tried.",
            len(theirs), tuple(theirs[:_FEW]),
        )  # fmt: skip


def emails_in_use(ask: Ask, records: Sequence[Record]) -> Iterator[Finding | Outcome]:
    """Contacts that are to come back while an active contact holds their e-mail.

    HubSpot's page refuses to restore these, so a person should know. One that left the bin can only
    be made anew, and not with that e-mail: it is settled, and names the field.
    """
    wanted: dict[str, list[Record]] = {}
    for record in records:
        email = record.fields.get(EMAIL)
        if record.state in (State.DELETED, State.GONE) and isinstance(email, str) and email:
            wanted.setdefault(email.lower(), []).append(record)
    held: dict[str, str] = {}
    emails = sorted(wanted)
    for start in range(0, len(emails), BATCH):
        part = [{"id": email} for email in emails[start : start + BATCH]]
        told = ask(
            "read", ("contacts",), [("archived", "false")],
            {"idProperty": "email", "inputs": part, "propertiesWithHistory": [],
             "properties": ["email", "hs_additional_emails"]},
        )  # fmt: skip
        for row in rows(told):
            values = row.get("properties") or {}
            more = str(values.get("hs_additional_emails") or "").split(";")
            for email in {str(values.get("email") or ""), *more}:
                held[email.strip().lower()] = str(row.get("id"))
    blocked: list[RecordRef] = []
    for email, some in wanted.items():
        for record in some if email in held else ():
            if record.state is State.DELETED:
                blocked.append(record.ref)
                continue
            yield replace(
                skipped(record.ref, "duplicate", f"contact {held[email]} holds its e-mail now."),
                details={"fields": ["email"]},
            )
    if blocked:
        yield Finding(
            Severity.WARNING, "blocked",
            "the e-mail of deleted contacts is held by an active contact.",
            "HubSpot's page refuses to restore these until that contact gives the e-mail up.",
            len(blocked), tuple(blocked[:_FEW]),
        )  # fmt: skip


def moves_back(order: Sequence[str], now: Any, wanted: str) -> bool:
    """Whether a stage lies before the one that stands; one of another order is left to HubSpot."""
    return now in order and wanted in order and order.index(wanted) < order.index(str(now))
