"""What is true of Zoho CRM, as data.

Deletes go to a recycle bin for 60 days, and since v8 a public call brings them back. There is no
archive and no void, so both are marked. What a delete does to records that point at the deleted one
by a lookup is documented nowhere: it is observed, and never promised.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from crm_bridge.kit import (
    Capability,
    CascadeRule,
    Effect,
    LossRule,
    Measure,
    Operation,
    Profile,
    RecoveryWindow,
    State,
    Support,
    Undo,
)
from crm_bridge_zoho.chinese import CHINESE
from crm_bridge_zoho.settings import HOSTS

CHECKED: Final = date(2026, 11, 24)
_DOCS: Final = "https://www.zoho.com/crm/developer/docs/api"
DELETE_PAGE: Final = f"{_DOCS}/v7/delete-records.html"
MASS_PAGE: Final = f"{_DOCS}/v7/mass-delete.html"
UPDATE_PAGE: Final = f"{_DOCS}/v7/update-records.html"
INSERT_PAGE: Final = f"{_DOCS}/v7/insert-records.html"
RESTORE_PAGE: Final = f"{_DOCS}/v8/restore-recycle-bin-records.html"
PURGE_PAGE: Final = f"{_DOCS}/v7/del-recycle-bin-records.html"
BIN_PAGE: Final = (
    "https://help.zoho.com/portal/en/kb/crm/manage-crm-data/recycle-bin/articles/recycle-bin"
)
LINKING_PAGE: Final = "https://www.zoho.com/crm/developer/docs/api/v8/linking-modules.html"
SURVIVORS_PAGE: Final = f"{_DOCS}/v7/get-related-records-of-deleted-record.html"
LIMITS_PAGE: Final = f"{_DOCS}/v8/api-limits.html"

MARKER: Final = "CRM_Bridge_Status"
"""The field that `setup` makes; Zoho forms it from the label `CRM Bridge Status`."""
MARKER_LABEL: Final = "CRM Bridge Status"

LOCK: Final = "Locked__s"
"""Read-only to an update; the adapter locks and unlocks by the record's locking information, one
record a call (https://www.zoho.com/crm/developer/docs/api/v7/lock-records.html)."""

LIST: Final = 100
"""Ids that one delete, update, insert or purge takes."""
RESTORED: Final = 200
"""Ids that one restore takes."""
MASS: Final = 500
"""Ids that one mass delete takes at once, without a job."""
MASS_FROM: Final = 501
"""Records from which a mass delete saves calls."""

PARENTS: Final = 500
"""Records whose children are asked for together: queries name a hundred of them, and of the children
that they find a hundred are read a call, so that few reads are for a handful."""

MODULES: Final = ("Leads", "Accounts", "Contacts", "Deals")
"""The modules whose relations are told before an account is asked for its own."""

VENDOR_SET: Final = (
    "Created_By",
    "Modified_By",
    "Created_Time",
    "Modified_Time",
    "Last_Activity_Time",
    "Change_Log_Time__s",
    "Full_Name",
    "Record_Status__s",
)
"""Written by Zoho with every change, or made of other fields."""

_BIN: Final = RecoveryWindow(Undo.SAME_ID, days=60)
_KEPT: Final = RecoveryWindow(Undo.SAME_ID)
_LIVE: Final = (State.LIVE,)
_MARKED: Final = (State.VOIDED, State.ARCHIVED)


def _row(operation: Operation, support: Support, **facts: Any) -> Capability:
    return Capability(operation, support, checked=CHECKED, **facts)


_NOT_ENDED: Final = (
    "Rows of its subforms go with it. A person may empty the bin earlier; at which hour of the last "
    "day Zoho does is said nowhere."
)
_REFUSES: Final = (
    "a lock, where its configuration names delete (RECORD_LOCKED)",
    "an approval that it waits for (NOT_APPROVED)",
    "a merge, or an image of it that is still worked on (RECORD_LOCKED)",
    "no right of the user to delete it (NO_PERMISSION)",
)

CAPABILITIES: Final = (
    _row(
        Operation.VOID, Support.MARKED, takes=_LIVE, gives=State.VOIDED, batch=LIST, window=_KEPT,
        needs=("ZohoCRM.modules.ALL",), means="PUT /{Module}", source=UPDATE_PAGE,
        note="Zoho has no void; fields mark it, and a status of your own may be one of them.",
    ),
    _row(
        Operation.ARCHIVE, Support.MARKED, takes=_LIVE, gives=State.ARCHIVED, batch=LIST,
        window=_KEPT, needs=("ZohoCRM.modules.ALL",), means="PUT /{Module}", source=UPDATE_PAGE,
        note="Zoho has no archive; fields mark it, and a lock where record locking is configured.",
    ),
    _row(
        Operation.DELETE, Support.NATIVE, takes=(*_LIVE, *_MARKED), gives=State.DELETED, batch=LIST,
        window=_BIN, needs=("ZohoCRM.modules.ALL",), means="DELETE /{Module}?ids=",
        source=DELETE_PAGE, note=_NOT_ENDED, refuses=_REFUSES,
    ),
    _row(
        Operation.DELETE, Support.NATIVE, takes=(*_LIVE, *_MARKED), gives=State.DELETED, batch=MASS,
        window=_BIN, way="mass", at_least=MASS_FROM, needs=("ZohoCRM.mass_delete.DELETE",),
        means="POST /{Module}/actions/mass_delete", source=MASS_PAGE, refuses=_REFUSES,
        note="Only with mass_delete set; workflow rules fire, as nothing keeps them silent. That "
        "what it deletes goes to the bin is said nowhere for it by name.",
    ),
    _row(
        Operation.PURGE, Support.NATIVE, takes=(State.DELETED,), gives=State.GONE, batch=LIST,
        needs=("ZohoCRM.settings.recycle_bin.DELETE",), means="DELETE /settings/recycle_bin?ids=",
        source=PURGE_PAGE, note="What went to the bin with a record is purged with it.",
    ),
    _row(
        Operation.RESTORE, Support.NATIVE, takes=(State.DELETED,), gives=State.LIVE, batch=RESTORED,
        job=True, needs=("ZohoCRM.settings.recycle_bin.UPDATE",),
        means="POST /settings/recycle_bin/actions/restore", source=RESTORE_PAGE,
        note="v8 only. Over 1,000 records, with children, Zoho schedules it and tells no job id. "
        "Whether workflow rules fire, whether stamps move and what becomes of a unique value that "
        "was taken meanwhile is said nowhere.",
    ),
    _row(
        Operation.RESTORE, Support.MARKED, takes=_MARKED, gives=State.LIVE, batch=LIST,
        needs=("ZohoCRM.modules.ALL",), means="PUT /{Module}", source=UPDATE_PAGE,
        note="Our own lock comes off first; nobody else's is touched.",
    ),
    _row(
        Operation.RESTORE, Support.REMADE, takes=(State.GONE, State.DELETED), gives=State.LIVE,
        batch=LIST, needs=("ZohoCRM.modules.ALL",), means="POST /{Module}", source=INSERT_PAGE,
        note="A new id; history, files, images and whatever else no insert takes stay lost.",
    ),
    _row(
        Operation.RESTORE, Support.NEVER, kinds=("Attachments",), source=RESTORE_PAGE,
        note="It comes back with its record, never by itself, and no insert takes its file.",
    ),
)  # fmt: skip

_UNSAID: Final = (
    "Zoho documents no rule for lookups, only a list of records that stay and still point at a "
    "deleted one; whether they all do, and what their lookup then shows, is said nowhere."
)


def owned(kind: str, child: str, via: str = "Parent_Id", note: str = "") -> CascadeRule:
    """Notes, attachments and subform rows: they go with their record and come back with it."""
    return CascadeRule(
        kind, child, via, Effect.FOLLOWS, True, Operation.DELETE, source=RESTORE_PAGE, note=note
    )


def observed(kind: str, child: str, via: str, between: bool = False) -> CascadeRule:
    """A lookup that leads to a record: what a delete does to it nobody says."""
    return CascadeRule(
        kind, child, via, Effect.MAY_FOLLOW, None, Operation.DELETE, source=SURVIVORS_PAGE,
        note=_UNSAID, between=between,
    )  # fmt: skip


def detached(kind: str, child: str, via: str) -> CascadeRule:
    """A multi-select lookup that leads to a record: the child stays, and shows it no more."""
    return CascadeRule(
        kind, child, via, Effect.DETACHES, None, Operation.DELETE, source=SURVIVORS_PAGE,
        note=_UNSAID,
    )  # fmt: skip


LOOKUPS: Final = (
    ("Accounts", "Contacts", "Account_Name"),
    ("Accounts", "Deals", "Account_Name"),
    ("Accounts", "Accounts", "Parent_Account"),
    ("Contacts", "Deals", "Contact_Name"),
    ("Contacts", "Contacts", "Reporting_To"),
    ("Contacts", "Tasks", "Who_Id"),
    ("Contacts", "Events", "Who_Id"),
    ("Contacts", "Calls", "Who_Id"),
    ("Accounts", "Tasks", "What_Id"),
    ("Accounts", "Events", "What_Id"),
    ("Accounts", "Calls", "What_Id"),
    ("Deals", "Tasks", "What_Id"),
    ("Deals", "Events", "What_Id"),
    ("Deals", "Calls", "What_Id"),
    ("Deals", "Quotes", "Deal_Name"),
)
"""Lookups of a fresh organisation; an account's own come from its metadata."""

MEASURES: Final = (
    Measure(
        "Deals", "open deals", "Amount", "Currency", "Deal_Name",
        {"Stage": ("Closed Won", "Closed Lost", "Closed Lost to Competition")}, INSERT_PAGE,
    ),
    Measure("Cases", "open cases", "", "", "Subject", {"Status": ("Closed",)}, INSERT_PAGE),
    Measure("Invoices", "invoices", "Grand_Total", "Currency", "Subject", {}, INSERT_PAGE),
)  # fmt: skip
LOSSES: Final = (
    LossRule("*", Support.NATIVE, "lookups of locked records",
             "whether Zoho fills them again is said nowhere, and what is locked is not written",
             SURVIVORS_PAGE),
    LossRule("*", Support.REMADE, "ids and stamps of subform rows",
             "an insert makes the rows anew", INSERT_PAGE),
    LossRule("*", Support.REMADE, "files and images", "no insert takes them", INSERT_PAGE),
    LossRule("*", Support.REMADE, "timeline", "it stays with the old id", INSERT_PAGE),
    LossRule("*", Support.REMADE, "rows of linking modules",
             "they are made anew, and those of the old id may stay with one end empty",
             LINKING_PAGE),
    LossRule("Leads", Support.REMADE, "$converted", "an insert makes a lead that is not converted",
             INSERT_PAGE),
)  # fmt: skip

PROFILE: Final = Profile(
    vendor="zoho",
    title="Zoho CRM",
    capabilities=CAPABILITIES,
    cascades=(
        *(owned(kind, child) for kind in MODULES for child in ("Notes", "Attachments")),
        *(observed(*one) for one in LOOKUPS),
    ),
    aliases={"company": "Accounts", "contact": "Contacts", "lead": "Leads", "deal": "Deals"},
    marks={
        "*": {
            Operation.VOID: {MARKER: "void"},
            Operation.ARCHIVE: {MARKER: "archived"},
        }
    },
    marker=MARKER,
    lock=LOCK,
    lock_batch=1,
    vendor_set=VENDOR_SET,
    lanes=5,
    read_batch=100,
    child_batch=PARENTS,
    proof_calls=2,
    away_calls=2,
    id_grammar=r"[0-9]{15,20}",
    hosts=HOSTS,
    measures=MEASURES,
    losses=LOSSES,
    chinese=CHINESE,
    notes=(("vendor_note", "Zoho documents no delete rule for lookups; they are observed only."),),
    source=LIMITS_PAGE,
)
"""Five lanes are what the smallest edition allows at once; credits are counted for 24 hours, and no
rate for seconds or minutes is documented."""
