"""What is true of Salesforce: the lifecycle as a table, each row with its source and its day."""

from __future__ import annotations

from collections.abc import Iterator
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
from crm_bridge_salesforce.chinese import CHINESE

CHECKED: Final = date(2026, 11, 24)
_ATLAS: Final = "https://developer.salesforce.com/docs/atlas.en-us"
_GUIDE: Final = "https://developer.salesforce.com/docs/platform/api-asynch/guide"
_REST: Final = f"{_ATLAS}.api_rest.meta/api_rest"
_UPDATES: Final = f"{_REST}/resources_composite_sobjects_collections_update.htm"
_SOAP: Final = f"{_ATLAS}.api.meta/api"
_HELP: Final = "https://help.salesforce.com/s/articleView?id="
_OBJECTS: Final = f"{_ATLAS}.object_reference.meta/object_reference"
_DESCRIBES: Final = (
    "https://github.com/SFDO-Tooling/CumulusCI/tree/598cda5a/cumulusci/tests/shared_cassettes"
)
"""Recorded describes of a real org; the account's own describe comes before these."""

BIN_DAYS: Final = 15
LONG_BIN_DAYS: Final = 30
"""What Support can extend the recycle bin to; there is no other value."""
BULK_ABOVE: Final = 2000
"""More records of one kind than this go by a Bulk job, unless the settings say otherwise."""
CALL: Final = 200
"""Records of a collections call, ids of a SOAP call."""
WIDE: Final = 10
"""Lanes of an org that is no Developer Edition: 25 calls of 20 seconds and more may run at once there."""
PARENTS: Final = 400
"""Parents of one query of their children: 11 kB of its URL, of the 14 that it may have."""
JOB: Final = 10_000
"""Records of one Bulk job: 190 kB of ids, far below the vendor's 150 MB."""
MARKER: Final = "CRM_Bridge_Status__c"
ORIGIN: Final = "CRM_Bridge_Origin__c"
"""An optional text field that holds the old id of a record that was made anew."""

_LIVE: Final = (State.LIVE,)
_ANY_LIVE: Final = (State.LIVE, State.VOIDED, State.ARCHIVED)
_BIN: Final = RecoveryWindow(Undo.SAME_ID, BIN_DAYS, guaranteed=False)
_FOR_GOOD: Final = RecoveryWindow(Undo.SAME_ID)
_SPILLS: Final = (
    "The window is never a promise: a full bin drops its oldest records once they are two hours "
    "old, and anybody with Modify All Data can empty it."
)
_MARKED_NOTE: Final = (
    f"Salesforce has no such verb: {MARKER}, or the fields that the settings name, are written, "
    "and their old values are kept."
)
_NEVER_BINNED: Final = ("OrderItem", "OpportunityContactRole", "CampaignMember")
_FILES: Final = ("ContentDocument",)
_BODIES: Final = ("Attachment",)


def _row(operation: Operation, support: Support, source: str, **facts: Any) -> Capability:
    return Capability(operation, support, source=source, checked=CHECKED, **facts)


_UNDELETE: Final = _row(
    Operation.RESTORE, Support.NATIVE, f"{_SOAP}/sforce_api_calls_undelete.htm",
    takes=(State.DELETED,), gives=State.LIVE, batch=CALL, means="SOAP undelete",
    needs=("an opaque access token", "Modify All Data for what others deleted"),
    note="Only SOAP and Apex undelete. Children that went along come back; lookups are tied again "
    "where nobody replaced them. A token in JWT form is refused.",
)  # fmt: skip
_UNMARK: Final = _row(
    Operation.RESTORE, Support.MARKED, _UPDATES, takes=(State.VOIDED, State.ARCHIVED),
    gives=State.LIVE, batch=CALL, means="PATCH composite/sobjects",
    note="The marked fields get their old values back.",
)  # fmt: skip
_REMAKE: Final = _row(
    Operation.RESTORE, Support.REMADE, f"{_HELP}000213290", takes=(State.GONE,),
    gives=State.LIVE, batch=CALL, means="POST composite/sobjects",
    note="A new id. Audit fields, auto-numbers, formulas, history, feed and shares are not set, nor "
    "what field-level security hid from the user who kept it: describe does not tell of that.",
)  # fmt: skip

CAPABILITIES: Final = (
    _row(
        Operation.VOID, Support.MARKED, _UPDATES, takes=_LIVE, gives=State.VOIDED,
        window=_FOR_GOOD, batch=CALL, means="PATCH composite/sobjects",
        needs=("Edit on the object and field",), note=_MARKED_NOTE,
    ),
    _row(
        Operation.VOID, Support.NEVER, f"{_OBJECTS}/sforce_api_objects_contentdocument.htm",
        kinds=_FILES, note="A ContentDocument takes no fields of one's own; archive it instead.",
    ),
    _row(
        Operation.ARCHIVE, Support.MARKED, _UPDATES, takes=_LIVE, gives=State.ARCHIVED,
        window=_FOR_GOOD, batch=CALL, means="PATCH composite/sobjects",
        needs=("Edit on the object and field",), note=_MARKED_NOTE,
    ),
    _row(
        Operation.ARCHIVE, Support.MARKED, f"{_OBJECTS}/sforce_api_objects_contentdocument.htm",
        kinds=_FILES, takes=_LIVE, gives=State.ARCHIVED, window=_FOR_GOOD, batch=CALL,
        means="PATCH IsArchived=true", needs=("Edit on the file",),
        note="IsArchived is the vendor's own archive: no everyday object but this has one.",
    ),
    _row(
        Operation.DELETE, Support.NATIVE,
        f"{_REST}/resources_composite_sobjects_collections_delete.htm", takes=_ANY_LIVE,
        gives=State.DELETED, window=_BIN, batch=CALL, means="DELETE composite/sobjects",
        needs=("Delete on the object and record",), note=_SPILLS,
    ),
    _row(
        Operation.DELETE, Support.NATIVE, f"{_GUIDE}/create-job.html", takes=_ANY_LIVE,
        gives=State.DELETED, window=_BIN, batch=JOB, way="bulk", at_least=BULK_ABOVE + 1,
        job=True, sends=3, means="Bulk API 2.0, operation delete",
        needs=("Delete on the object and record",), note=_SPILLS,
    ),
    _row(
        Operation.DELETE, Support.NATIVE, f"{_OBJECTS}/sforce_api_objects_orderitem.htm",
        kinds=_NEVER_BINNED, takes=_ANY_LIVE, gives=State.GONE, batch=CALL,
        means="DELETE composite/sobjects", needs=("Delete on the object and record",),
        note="Deleted by itself it never enters the recycle bin, and nothing undeletes it.",
    ),
    _row(
        Operation.DELETE, Support.NEVER, f"{_OBJECTS}/sforce_api_objects_user.htm",
        kinds=("User",), note="Users cannot be deleted; set IsActive to false instead.",
    ),
    _row(
        Operation.DELETE, Support.NEVER, f"{_OBJECTS}/sforce_api_objects_pricebookentry.htm",
        kinds=("PricebookEntry",),
        note="The vendor's pages contradict each other, and a delete of an entry in use archives "
        "it; set IsActive to false instead.",
    ),
    _row(
        Operation.DELETE, Support.NEVER, f"{_OBJECTS}/sforce_api_objects_contentversion.htm",
        kinds=("ContentVersion",), note="A version cannot be deleted; delete its ContentDocument.",
    ),
    _row(
        Operation.PURGE, Support.NATIVE, f"{_SOAP}/sforce_api_calls_emptyrecyclebin.htm",
        takes=(State.DELETED,), gives=State.GONE, batch=CALL, means="SOAP emptyRecycleBin",
        needs=("an opaque access token", "Modify All Data for what others deleted"),
        note="For good at once, with what went along; queryAll shows the rows for a day more.",
    ),
    _row(
        Operation.PURGE, Support.NATIVE, f"{_HELP}000382207", takes=_ANY_LIVE,
        gives=State.GONE, batch=JOB, way="hard", job=True, sends=3,
        means="Bulk API 2.0, operation hardDelete", needs=("Bulk API Hard Delete",),
        note="Skips the recycle bin. The permission is off by default, for administrators too.",
    ),
    _UNDELETE,
    _UNMARK,
    _REMAKE,
    Capability(
        Operation.RESTORE, Support.NATIVE, takes=(State.DELETED,), gives=State.LIVE, batch=CALL,
        kinds=_FILES, means=_UNDELETE.means, needs=_UNDELETE.needs, source=_UNDELETE.source,
        checked=CHECKED, note="The file itself is not in the snapshot, so it is never made anew.",
    ),
    _row(
        Operation.RESTORE, Support.MARKED, f"{_OBJECTS}/sforce_api_objects_contentdocument.htm",
        kinds=_FILES, takes=(State.ARCHIVED,), gives=State.LIVE, batch=CALL,
        means="PATCH IsArchived=false", needs=("Edit on the file",),
    ),
    _row(
        Operation.RESTORE, Support.NATIVE, f"{_OBJECTS}/sforce_api_objects_attachment.htm",
        kinds=_BODIES, takes=(State.DELETED,), gives=State.LIVE, batch=CALL,
        means=_UNDELETE.means, needs=_UNDELETE.needs,
        note="Its Body is required and not in the snapshot, so it is never made anew.",
    ),
    _row(
        Operation.RESTORE, Support.NEVER, f"{_OBJECTS}/sforce_api_objects_processinstance.htm",
        kinds=("ProcessInstance",), note="No call makes an approval anew as it stood.",
    ),
)  # fmt: skip

# Parent: child.via, by the two flags of its childRelationships. The account's own describe replaces
# these and tells many more; they are here so that `explain` can tell of the common ones.
_CASCADE: Final = {
    "Account": "Contact.AccountId Opportunity.AccountId Asset.AccountId Task.WhatId Event.WhatId "
    "Note.ParentId Attachment.ParentId ContentDocumentLink.LinkedEntityId",
    "Contact": "CampaignMember.ContactId OpportunityContactRole.ContactId Task.WhoId Event.WhoId "
    "Note.ParentId Attachment.ParentId",
    "Opportunity": "OpportunityLineItem.OpportunityId OpportunityContactRole.OpportunityId "
    "Task.WhatId Event.WhatId Note.ParentId",
    "Case": "CaseComment.ParentId EmailMessage.ParentId Task.WhatId Attachment.ParentId",
    "Lead": "CampaignMember.LeadId Task.WhoId Event.WhoId Note.ParentId",
    "Order": "OrderItem.OrderId",
    "ContentDocument": "ContentVersion.ContentDocumentId ContentDocumentLink.ContentDocumentId",
}
_RESTRICTED: Final = {
    "Account": "Case.AccountId",
    "Contact": "Case.ContactId Contract.CustomerSignedId Order.BillToContactId",
}
_BOTH: Final = {"Account": "Contract.AccountId Order.AccountId"}
_NEITHER: Final = {
    "Account": "Account.ParentId Asset.AssetProvidedById",
    "Contact": "Contact.ReportsToId",
    "Case": "Case.ParentId",
}

RETIED: Final = frozenset(
    [
        "Account.ParentId",
        "Case.ParentId",
        "Contact.ReportsToId",
        "Asset.Product2Id",
        "Quote.OpportunityId",
    ]
)
"""Standard lookups that the vendor lists as tied again by an undelete; of others nobody says.

https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/
langCon_apex_dml_examples_delete.htm
"""

LASTING: Final = frozenset(
    [
        "Task.AccountId",
        "Event.AccountId",
        "CampaignMember.LeadOrContactId",
    ]
)
"""Lookups that describe lists and the platform computes from others."""

NOT_ASKED: Final = frozenset(
    [
        "OpenActivity",
        "ActivityHistory",
        "NoteAndAttachment",
        "CombinedAttachment",
        "AttachedContentDocument",
        "FeedItem",
        "FeedComment",
        "EntitySubscription",
    ]
)
"""Children that are read-only lists of others, or belong to the feed."""
ENTRY: Final = "PricebookEntry"
WITH_CONTENTS: Final = frozenset(["Attachment", "ContentVersion", "Document"])
NOT_ASKED_ENDINGS: Final = ("ChangeEvent", "Feed", "History", "Share")

_NOTE_BOTH: Final = (
    "Goes along, unless its status is in the category Activated: then the parent is refused."
)
_NOTE_CONTENTS: Final = "The contents of files are not kept."
_NOTE_LOST: Final = "This kind has no undelete."
_NOTE_ENTRY: Final = (
    "By itself an entry in use is archived; nobody says whether it keeps its product or price book."
)
_NOTE_ALONE: Final = "A record of it in use refuses the whole delete of its parent."


def rule(
    kind: str,
    child: str,
    via: str,
    cascade: bool,
    restricted: bool,
    *,
    undeletable: bool | None,
    source: str = _DESCRIBES,
    custom: bool = False,
) -> CascadeRule:
    """One relation, read from the flags of describe's childRelationships.

    Args:
        kind: The parent.
        child: The child.
        via: The child's field.
        cascade: `cascadeDelete`.
        restricted: `restrictedDelete`.
        undeletable: Whether records of the child's kind can be undeleted; None where nobody says.
        source: Where the flags were read.
        custom: Whether the lookup is a custom field.
    """
    facts: dict[str, Any] = {"operation": Operation.DELETE, "source": source}
    contents = f" {_NOTE_CONTENTS}" if child in WITH_CONTENTS else ""
    if cascade and restricted:
        return CascadeRule(kind, child, via, Effect.MAY_FOLLOW, undeletable, note=_NOTE_BOTH,
                           **facts)  # fmt: skip
    if cascade and child == ENTRY:
        return CascadeRule(kind, child, via, Effect.MAY_FOLLOW, undeletable, note=_NOTE_ENTRY,
                           **facts)  # fmt: skip
    if cascade:
        note = ((_NOTE_LOST if undeletable is False else "") + contents).strip()
        return CascadeRule(kind, child, via, Effect.FOLLOWS, undeletable, note=note, **facts)
    if restricted and kind == ENTRY:
        return CascadeRule(kind, child, via, Effect.MAY_BLOCK, None, note=_NOTE_ENTRY, **facts)
    if restricted:
        return CascadeRule(kind, child, via, Effect.BLOCKS, None, note=_NOTE_ALONE, **facts)
    back = True if custom or f"{child}.{via}" in RETIED else None
    note = "" if back else "Nobody says whether an undelete of the parent ties it again."
    return CascadeRule(kind, child, via, Effect.DETACHES, back, note=note, **facts)


def _rules() -> Iterator[CascadeRule]:
    tables = ((_CASCADE, True, False), (_RESTRICTED, False, True), (_BOTH, True, True),
              (_NEITHER, False, False))  # fmt: skip
    for table, cascade, restricted in tables:
        for kind, named in table.items():
            for one in named.split():
                child, _, via = one.partition(".")
                # No recorded describe tells of it; the account's own does.
                unsaid = child == "ContentDocumentLink"
                kept = None if unsaid else child not in _NEVER_BINNED
                yield rule(kind, child, via, cascade, restricted, undeletable=kept)


MEASURES: Final = (
    Measure(
        "Opportunity", "open deals", "Amount", "CurrencyIsoCode", "Name", {"IsClosed": (True,)},
        f"{_OBJECTS}/sforce_api_objects_opportunity.htm",
    ),
    Measure(
        "Case", "open cases", "", "", "CaseNumber", {"IsClosed": (True,), "Status": ("Closed",)},
        f"{_OBJECTS}/sforce_api_objects_case.htm",
    ),
    Measure(
        "Contract", "active contracts", "", "", "ContractNumber",
        {"Status": ("Draft", "In Approval Process", "Expired", "Terminated")},
        f"{_OBJECTS}/sforce_api_objects_contract.htm",
    ),
)  # fmt: skip
LOSSES: Final = (
    LossRule("*", Support.REMADE, "field history, feed and sharing", "they stay with the old id",
             f"{_REST}/dome_sobject_create.htm"),
    LossRule("*", Support.REMADE, "approvals and their locks", "a new record is in none of them",
             f"{_OBJECTS}/sforce_api_objects_processinstance.htm"),
    LossRule("*", Support.REMADE, "fields hidden from this user",
             "describe leaves them out without a word, so no snapshot holds them and no plan can "
             "name them", f"{_REST}/resources_sobject_describe.htm"),
    LossRule("*", Support.REMADE, "contents of files", "no snapshot holds them",
             f"{_REST}/dome_sobject_create.htm"),
    *(
        LossRule(kind, None, "AccountId", "the platform computes it from whom it is about",
                 f"{_OBJECTS}/sforce_api_objects_{kind.lower()}.htm")
        for kind in ("Task", "Event")
    ),
    LossRule("Lead", Support.REMADE, "IsUnreadByOwner", "a new lead is unread by its owner",
             f"{_OBJECTS}/sforce_api_objects_lead.htm"),
)  # fmt: skip

PROFILE: Final = Profile(
    vendor="salesforce",
    title="Salesforce",
    capabilities=CAPABILITIES,
    cascades=tuple(_rules()),
    aliases={"company": "Account", "contact": "Contact", "lead": "Lead", "deal": "Opportunity"},
    marks={
        "*": {Operation.VOID: {MARKER: "void"}, Operation.ARCHIVE: {MARKER: "archived"}},
        "ContentDocument": {Operation.ARCHIVE: {"IsArchived": True}},
    },
    marker=MARKER,
    vendor_set=(
        "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
        "LastActivityDate", "LastViewedDate", "LastReferencedDate", "LastCURequestDate",
        "LastCUUpdateDate", "LastStageChangeDate", "LastAmountChangedHistoryId",
        "LastCloseDateChangedHistoryId", "LastTransferDate", "PhotoUrl", "HasOpenActivity",
        "HasOverdueTask", "JigsawCompanyId", "JigsawContactId", "ExpectedRevenue",
    ),
    lanes=5,
    read_batch=CALL,
    child_batch=PARENTS,
    along_calls=3,
    id_grammar=r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?",
    hosts=("salesforce.com",),
    measures=MEASURES,
    losses=LOSSES,
    chinese=CHINESE,
    notes=(
        ("automation", "Triggers, flows, validation and duplicate rules of the org run on delete, "
         "undelete and update; Salesforce has no switch for a call to go without them."),
    ),
    source="https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet/guide/"
    "salesforce-app-limits-platform-api.html",
)  # fmt: skip
"""No rate is documented: a day's calls are counted (`Account.quota`), and at most 25 calls of 20
seconds and more may run at once, 5 in a trial or Developer Edition org: hence five lanes."""
