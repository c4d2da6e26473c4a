"""`setup`, which makes the properties that marks are written to; and `doctor`, which looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from crm_bridge.kit import Finding, Rejected, Severity, Unauthorized
from crm_bridge_hubspot.kinds import GROUP, MARKER, PRIOR_ID, REASON, object_type
from crm_bridge_hubspot.profile import PROFILE, SUNSET
from crm_bridge_hubspot.schema import Ask, PropertyDef, Schema

Tell = Callable[..., Any]
"""One write of the schema through the gate: a route's name, kinds, query, body."""

STATUS_VALUES: Final = {"void": "Void", "archived": "Archived"}
"""The marker's values; empty means live."""

DEFINITIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    MARKER: {
        "name": MARKER, "label": "CRM bridge status", "groupName": GROUP, "type": "enumeration",
        "fieldType": "select", "hasUniqueValue": False, "formField": False, "hidden": False,
        "description": "Set by crm_bridge. Empty means live.",
        "options": [
            {"label": label, "value": value, "displayOrder": at, "hidden": False}
            for at, (value, label) in enumerate(STATUS_VALUES.items())
        ],
    },
    REASON: {
        "name": REASON, "label": "CRM bridge reason", "groupName": GROUP, "type": "string",
        "fieldType": "text", "hasUniqueValue": False, "formField": False, "hidden": False,
        "description": "Why it was voided or archived, where the settings' marks name it.",
    },
    PRIOR_ID: {
        "name": PRIOR_ID, "label": "CRM bridge prior id", "groupName": GROUP, "type": "string",
        "fieldType": "text", "hasUniqueValue": True, "formField": False, "hidden": False,
        "description": "The id that a record had before crm_bridge made it anew.",
    },
}  # fmt: skip
"""What `POST /crm/v3/properties/{objectType}` takes; name and uniqueness can never be changed."""

_GROUP_BODY: Final = {"name": GROUP, "label": "CRM bridge", "displayOrder": -1}


def prepare(ask: Ask, tell: Tell, schema: Schema) -> Iterator[Finding]:
    """Make group and properties on every kind that lacks them; what is there is left as it is.

    All is said before anything is made, each write is one request about the schema alone, and a 409
    means that it is there.
    """
    wanted: dict[str, list[str]] = {}
    for kind in schema.kinds():
        try:
            there = schema.of(kind).properties
        except (Unauthorized, Rejected) as error:
            if getattr(error, "renewable", False):
                raise
            yield Finding(
                Severity.NOTE, "rights", f"{kind}: this token may not see their properties.",
                str(error),
            )  # fmt: skip
            continue
        if MARKER in there and (missing := _lacking(there[MARKER])):
            yield Finding(
                Severity.WARNING, "vendor_note",
                f"{kind}: {MARKER} is there and lacks the option(s) {', '.join(missing)}.",
                "Add them in HubSpot (Settings, Properties), or name other fields in the settings.",
            )  # fmt: skip
        if lacking := [name for name in DEFINITIONS if name not in there]:
            wanted[kind] = lacking
            yield Finding(
                Severity.NOTE, "vendor_note",
                f"{kind}: {', '.join(lacking)} will be made, in the group {GROUP}.",
            )  # fmt: skip
    for kind, names in wanted.items():
        yield from _make(ask, tell, kind, names)
    if wanted:
        schema.forget()


def _lacking(marker: PropertyDef) -> list[str]:
    return [v for v in STATUS_VALUES if marker.options is not None and v not in marker.options]


def _make(ask: Ask, tell: Tell, kind: str, names: list[str]) -> Iterator[Finding]:
    needed = " or ".join(object_type(kind).schema)
    try:
        told = ask("groups", (kind,), (), None)
        if all(row.get("name") != GROUP for row in told.get("results") or ()):
            _unless_there(tell, "make_group", kind, _GROUP_BODY)
        for name in names:
            _unless_there(tell, "make_property", kind, DEFINITIONS[name])
    except (Unauthorized, Rejected) as error:
        if getattr(error, "renewable", False):
            raise
        yield Finding(
            Severity.WARNING, "rights", f"{kind}: {', '.join(names)} could not be made.",
            f"{error} The scope {needed} is needed.",
        )  # fmt: skip


def _unless_there(tell: Tell, name: str, kind: str, body: Mapping[str, Any]) -> None:
    try:
        tell((), name, (kind,), body)
    except Rejected as error:
        # The category differs between reports; that it is a 409 does not.
        if not error.summary.startswith("HubSpot refused (409)"):
            raise


# --- doctor --------------------------------------------------------------------------------------

Line = tuple[str, bool, str]


def account_line(details: Mapping[str, Any], org: str, name: str) -> Line:
    """Who the portal is."""
    if not details:
        return ("account", True, f"portal {org}; its details need the scope oauth")
    told = [details.get("accountType"), details.get("uiDomain"), details.get("dataHostingLocation")]
    return ("account", True, f"{name}: " + ", ".join(str(one) for one in told if one))


def scope_lines(schema: Schema, scopes: frozenset[str] | None) -> Iterator[Line]:
    """Which kinds the token may read and write, and which sensitivity classes it sees."""
    unseen, unwritten, skipped = [], [], []
    for kind in schema.kinds():
        try:
            classes = schema.of(kind).skipped
        except (Unauthorized, Rejected) as error:
            if getattr(error, "renewable", False):
                raise
            unseen.append(kind)
            continue
        if classes:
            skipped.append(f"{kind} ({', '.join(classes)})")
        if scopes is not None and not scopes & set(object_type(kind).write):
            unwritten.append(kind)
    words = [
        "every kind can be read" if not unseen else f"not readable: {', '.join(unseen)}",
        "HubSpot does not tell the token's scopes" if scopes is None
        else "every kind can be written" if not unwritten
        else f"not writable: {', '.join(unwritten)}",
    ]  # fmt: skip
    common = set(PROFILE.aliases.values())
    yield ("scopes", not common & {*unseen, *unwritten}, "; ".join(words))
    yield (
        "sensitive properties", True,
        "all three sensitivity classes are read" if not skipped
        else f"left out of snapshots for lack of scope: {'; '.join(skipped)}",
    )  # fmt: skip


def marker_line(schema: Schema, used: Mapping[str, set[str]]) -> Line:
    """Whether the marked properties are there, on the kinds of the four common words.

    Args:
        schema: The portal's schema.
        used: Kind to the properties that its marks write.
    """
    lacking = []
    for kind, names in used.items():
        try:
            there = schema.of(kind).properties
        except (Unauthorized, Rejected) as error:
            if getattr(error, "renewable", False):
                raise
            continue
        lacking += [f"{kind}.{name}" for name in sorted(names) if name not in there]
    if lacking:
        return ("marker", False, f"missing: {', '.join(lacking)}; run: crm-bridge setup")
    marked = sorted({name for some in used.values() for name in some})
    return ("marker", True, f"{', '.join(marked)} on {', '.join(used)}")


def version_line(version: str, oauth: bool, now: datetime) -> Line:
    """The path version in use, and the days from which HubSpot supports things no longer."""
    ends = {
        "v4 associations": version == "v3",
        "v3 paths": version == "v3",
        "OAuth v1": False,
    }
    over = [what for what, used in ends.items() if used and now.date() >= SUNSET[what]]
    told = []
    for what, day in SUNSET.items():
        when = f"{day:%B %Y}" if what == "v3 paths" else f"{day:%Y-%m-%d}"
        told.append(f"{what} end {when}{' (in use)' if ends[what] else ''}")
    login = "OAuth by its dated paths" if oauth else "a static token"
    words = f"{version}, {login}; announced: {', '.join(told)}"
    if over:
        words += f'; unsupported now: {", ".join(over)}; set path_version = "2026-09"'
    return ("path version", not over, words)
