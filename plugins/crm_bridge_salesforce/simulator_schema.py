"""The objects of the simulated org: fields, child relationships, key prefixes, ids.

Standard objects come from `simulator_describes.json`, reduced from describes that were recorded in
real orgs (github.com/SFDO-Tooling/CumulusCI, BSD-3-Clause) and from Salesforce's object reference
(github.com/forcedotcom/sf-skills, Apache-2.0). Custom objects, custom fields and the relationships
of parents that nobody recorded are this org's own. Whatever a describe names as a child and nothing
else tells of is an object with its lookups and no rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec

MARKER: Final = "CRM_Bridge_Status__c"
"""The marker field; the switch `marker_field` takes it away."""

MARKABLE: Final = (
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "Case",
    "Task",
    "Event",
    "Contract",
    "Order",
    "Asset",
    "Campaign",
    "Project__c",
)
"""The objects that have the marker field."""

ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_PODS = ("Fj", "Kx")  # the two orgs live on two instances, so no id is in both


def id18(id15: str) -> str:
    """An id of 15 characters with the suffix that tells which of its letters are capitals."""
    bits = 0
    for n, char in enumerate(id15):
        if "A" <= char <= "Z":
            bits |= 1 << n
    return f"{id15}{_SUFFIX[bits & 31]}{_SUFFIX[bits >> 5 & 31]}{_SUFFIX[bits >> 10]}"


def whole_id(text: object) -> str | None:
    """The 18 characters of an id given with 15 or 18; None for what is not an id."""
    return _whole(text) if isinstance(text, str) else None


@lru_cache(1 << 17)
def _whole(text: str) -> str | None:
    if not ID.fullmatch(text):
        return None
    whole = id18(text[:15])
    return whole if len(text) == 15 or whole == text else None


@lru_cache(1 << 17)
def id_of(prefix: str, org: int, row: int) -> str:
    """The id of a row: computable, so that children can name parents which were not made yet."""
    tail = ""
    for _ in range(9):
        row, digit = divmod(row, 62)
        tail = _DIGITS[digit] + tail
    return id18(f"{prefix}{_PODS[org]}0{tail}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object, as far as the simulator follows it."""

    name: str
    type: str
    length: int = 0
    createable: bool = False
    updateable: bool = False
    nillable: bool = True
    filterable: bool = True
    groupable: bool = False
    to: tuple[str, ...] = ()
    relation: str | None = None
    values: tuple[str, ...] = ()
    strict: bool = False
    compound: str | None = None
    auto: bool = False
    external: bool = False
    defaulted: bool = False
    scale: int = 2
    master: bool = False  # the detail's side of a master-detail relationship
    cascade: bool = False
    restricted: bool = False

    @property
    def custom(self) -> bool:
        """Whether this org made it."""
        return self.name.endswith("__c")

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in ("int", "double", "currency", "percent", "long")

    @property
    def required(self) -> bool:
        """Whether a create must give it."""
        return self.createable and not self.nillable and not self.defaulted and not self.auto

    def shown(self) -> dict[str, Any]:
        """The entry of a describe."""
        number = self.type in ("double", "currency", "percent")
        relation = self.relation
        if relation is None and self.to:
            relation = self.name[:-3] + "__r" if self.custom else self.name.removesuffix("Id")
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "length": self.length,
            "precision": 18 if number else 0,
            "scale": self.scale if number else 0,
            "digits": 9 if self.type == "int" else 0,
            "nillable": self.nillable,
            "createable": self.createable,
            "updateable": self.updateable,
            "filterable": self.filterable,
            "groupable": self.groupable,
            "sortable": self.filterable,
            "custom": self.custom,
            "externalId": self.external,
            "unique": self.external,
            "idLookup": self.type == "id" or self.external,
            "calculated": False,
            "autoNumber": self.auto,
            "nameField": self.name == "Name",
            "defaultedOnCreate": self.defaulted or self.auto or self.type == "boolean",
            "cascadeDelete": self.cascade,
            "restrictedDelete": self.restricted,
            "writeRequiresMasterRead": False,
            "relationshipName": relation,
            "relationshipOrder": 0 if self.master else None,
            "referenceTo": list(self.to),
            "polymorphicForeignKey": len(self.to) > 1,
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": v, "validFor": None, "value": v}
                for v in self.values
            ],
            "restrictedPicklist": self.strict,
            "permissionable": self.nillable,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "compoundFieldName": self.compound,
            "deprecatedAndHidden": False,
        }


_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "long": "xsd:long",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
}


@dataclass(frozen=True, slots=True)
class Child:
    """One entry of an object's childRelationships."""

    child: str
    field: str
    relation: str | None
    cascade: bool
    restricted: bool

    def shown(self) -> dict[str, Any]:
        """The entry, with exactly the keys that a describe has."""
        return {
            "cascadeDelete": self.cascade,
            "childSObject": self.child,
            "deprecatedAndHidden": False,
            "field": self.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": self.relation,
            "restrictedDelete": self.restricted,
        }


@dataclass(frozen=True, slots=True)
class SObject:
    """One object.

    `flags` are c createable, d deletable, r undeletable, u updateable, m mergeable, q queryable,
    l replicateable.
    """

    name: str
    prefix: str | None
    label: str
    plural: str
    flags: str
    fields: Mapping[str, Field]
    children: tuple[Child, ...] = ()
    lower: Mapping[str, str] = field(default_factory=dict)

    @property
    def custom(self) -> bool:
        """Whether this org made it."""
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """The field of that name, whatever its letters' case."""
        own = self.lower.get(name.lower())
        return self.fields[own] if own is not None else None


# The parts of another record that nobody may query on their own.
UNQUERYABLE: Final = frozenset(
    ["OpenActivity", "ActivityHistory", "NoteAndAttachment", "CombinedAttachment",
     "AttachedContentDocument"]
)  # fmt: skip


def _text(name: str, length: int = 255, **more: Any) -> Field:
    return Field(name, "string", length, True, True, groupable=True, **more)


def _lookup(name: str, *to: str, update: bool = True, **more: Any) -> Field:
    return Field(name, "reference", 18, True, update, groupable=True, to=to, **more)


def _number(name: str, scale: int) -> Field:
    return Field(name, "double", 0, True, True, scale=scale)


def _read(name: str, type: str, length: int = 0, *to: str) -> Field:
    return Field(name, type, length, groupable=type != "datetime", to=to)


_AUDIT = (
    Field("Id", "id", 18, nillable=False, groupable=True, defaulted=True),
    Field("IsDeleted", "boolean", nillable=False, groupable=True, defaulted=True),
    Field("CreatedDate", "datetime", nillable=False, defaulted=True),
    Field("CreatedById", "reference", 18, nillable=False, groupable=True, to=("User",)),
    Field("LastModifiedDate", "datetime", nillable=False, defaulted=True),
    Field("LastModifiedById", "reference", 18, nillable=False, groupable=True, to=("User",)),
    Field("SystemModstamp", "datetime", nillable=False, defaulted=True),
)
_OWNER = _lookup("OwnerId", "User", nillable=False, defaulted=True)
_MARK = _text(MARKER, 32)
_EXTERNAL = _number("External_No__c", 0)
_LEGACY = _text("Legacy_Id__c", 18, external=True)
_ANYTHING = ("Account", "Contact", "Lead", "Opportunity", "Case", "Project__c")

_OWN_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "Account": (_EXTERNAL, _number("Exact_Revenue__c", 8), _LEGACY),
    "Contact": (_EXTERNAL, _LEGACY),
    "Lead": (_EXTERNAL, _LEGACY),
    "Opportunity": (_number("Exact_Amount__c", 8),),
}  # fmt: skip

_OWN_OBJECTS = (
    ("ContentDocumentLink", "06A", "cdql", (
        _lookup("ContentDocumentId", "ContentDocument", update=False, nillable=False),
        _lookup("LinkedEntityId", *_ANYTHING, "User", update=False, nillable=False),
        _text("ShareType", 40), _text("Visibility", 40))),
    ("CaseComment", "00a", "cdruql", (
        _lookup("ParentId", "Case", update=False, nillable=False), _text("CommentBody", 4000),
        Field("IsPublished", "boolean", 0, True, True, nillable=False))),
    ("EmailMessage", "02s", "cdruql", (
        _lookup("ParentId", "Case", update=False), _lookup("RelatedToId", *_ANYTHING),
        _text("Subject", 3000), _text("FromAddress", 1000), _text("ToAddress", 4000))),
    ("ProcessInstance", "04g", "ql", (
        _read("TargetObjectId", "reference", 18, *_ANYTHING), _read("Status", "picklist", 40),
        _read("CompletedDate", "datetime"), _read("SubmittedById", "reference", 18, "User"))),
    ("AccountTeamMember", "01M", "cduql", (
        _lookup("AccountId", "Account", update=False, nillable=False),
        _lookup("UserId", "User", update=False, nillable=False), _text("TeamMemberRole", 40))),
    ("Project__c", "a00", "cdruql", (
        _text("Name", 80, nillable=False), _OWNER, _lookup("Account__c", "Account"),
        _lookup("Guarantor__c", "Account", restricted=True), _number("Budget__c", 2),
        Field("Description__c", "textarea", 32768, True, True, filterable=False))),
    ("Project_Line__c", "a01", "cdruql", (
        Field("Name", "string", 80, nillable=False, groupable=True, auto=True),
        _lookup("Project__c", "Project__c", update=False, nillable=False, master=True,
                cascade=True),
        _number("Hours__c", 2))),
    ("Group", "00G", "ql", (_read("Name", "string", 40), _read("Type", "picklist", 40))),
    ("Organization", "00D", "ql", (
        _read("Name", "string", 80), _read("IsSandbox", "boolean"),
        _read("InstanceName", "string", 5), _read("OrganizationType", "picklist", 40),
        _read("NamespacePrefix", "string", 15),
        _read("TrialExpirationDate", "datetime"))),
    ("DeleteEvent", None, "q", (
        _read("Record", "string", 18), _read("RecordName", "string", 255),
        _read("SobjectName", "string", 80), _read("DeletedById", "reference", 18, "User"),
        _read("DeletedDate", "datetime"))),
    ("ObjectPermissions", "110", "q", (
        _read("ParentId", "reference", 18), _read("SobjectType", "picklist", 80),
        *(_read(f"Permissions{p}", "boolean") for p in (
            "Create", "Read", "Edit", "Delete", "ViewAllRecords", "ModifyAllRecords")))),
    ("PermissionSetAssignment", "0Pa", "q", (
        _read("PermissionSetId", "reference", 18), _read("AssigneeId", "reference", 18, "User"))),
)  # fmt: skip

_ACCESS = (
    _read("RecordId", "picklist", 18),
    _read("UserId", "reference", 18, "User"),
    *(_read(f"Has{a}Access", "boolean") for a in ("Read", "Edit", "Delete", "Transfer", "All")),
    _read("MaxAccessLevel", "picklist", 40),
)
SYSTEM_RIGHTS: Final = (
    "BulkApiHardDelete",
    "ModifyAllData",
    "ViewAllData",
    "ApiEnabled",
    "UseAnyApiAuth",
    "CustomizeApplication",
)
"""The user permissions that UserPermissionAccess tells, without the word Permissions before."""

_ON_ANY = (
    ("Task", "WhatId", "Tasks", "c"),
    ("Event", "WhatId", "Events", "c"),
    ("Attachment", "ParentId", "Attachments", "c"),
    ("ContentDocumentLink", "LinkedEntityId", "ContentDocumentLinks", "c"),
    ("ProcessInstance", "TargetObjectId", "ProcessInstances", "c"),
)
_OWN_CHILDREN: Mapping[str, tuple[tuple[str, str, str | None, str], ...]] = {
    "Account": (
        ("AccountContactRelation", "AccountId", "AccountContactRelations", "c"),
        ("AccountTeamMember", "AccountId", "AccountTeamMembers", "c"),
        ("Project__c", "Account__c", "Projects__r", ""),
        ("Project__c", "Guarantor__c", "Guaranteed_Projects__r", "r"),
    ),
    "Contact": (
        ("AccountContactRelation", "ContactId", "AccountContactRelations", "c"),
        ("Account", "Primary_Contact__c", "Primary_Accounts__r", ""),
    ),
    "Contract": (("Order", "ContractId", "Orders", ""), *_ON_ANY),
    "Order": (("OrderItem", "OrderId", "OrderItems", "c"), *_ON_ANY),
    "Campaign": (
        ("CampaignMember", "CampaignId", "CampaignMembers", "c"),
        ("Campaign", "ParentId", "ChildCampaigns", ""),
        ("Opportunity", "CampaignId", "Opportunities", ""),
        *_ON_ANY,
    ),
    "Asset": (
        ("Asset", "ParentId", "ChildAssets", ""),
        ("Case", "AssetId", "Cases", ""),
        *_ON_ANY,
    ),
    "Product2": (
        ("PricebookEntry", "Product2Id", "PricebookEntries", "c"),
        ("OpportunityLineItem", "Product2Id", None, "r"),
        ("OrderItem", "Product2Id", None, "r"),
        ("Asset", "Product2Id", "Assets", ""),
    ),
    # What is in use is archived when it is deleted by itself; whether a product or price book goes
    # all the same is said nowhere (the switch `entry_in_use`):
    # https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
    # sforce_api_objects_pricebookentry.htm
    "PricebookEntry": (
        ("OpportunityLineItem", "PricebookEntryId", None, "r"),
        ("OrderItem", "PricebookEntryId", None, "r"),
    ),
    "Pricebook2": (
        ("PricebookEntry", "Pricebook2Id", "PricebookEntries", "c"),
        ("Opportunity", "Pricebook2Id", "Opportunities", "r"),
    ),
    "ContentDocument": (
        ("ContentVersion", "ContentDocumentId", "ContentVersions", "c"),
        ("ContentDocumentLink", "ContentDocumentId", "ContentDocumentLinks", "c"),
    ),
    "Task": (("Attachment", "ParentId", "Attachments", "c"),),
    "EmailMessage": (("Attachment", "ParentId", "Attachments", "c"),),
    "Project__c": (
        ("Project_Line__c", "Project__c", "Project_Lines__r", "c"),
        ("Note", "ParentId", "Notes", "c"),
        *_ON_ANY,
    ),
}
# Values that a describe of this org tells where nobody recorded any.
_VALUES = {
    ("Task", "Status"): ("Not Started", "In Progress", "Completed", "Deferred"),
    ("Task", "Priority"): ("High", "Normal", "Low"),
    ("Contract", "Status"): ("Draft", "In Approval Process", "Activated"),
    ("Order", "Status"): ("Draft", "Activated", "Cancelled"),
    ("Asset", "Status"): ("Purchased", "Shipped", "Installed", "Registered", "Obsolete"),
    ("Campaign", "Status"): ("Planned", "In Progress", "Completed", "Aborted"),
    ("CampaignMember", "Status"): ("Sent", "Responded"),
}


def _field(row: list[Any]) -> Field:
    name, type, length, flags = row[:4]
    more = row[4] if len(row) > 4 else {}
    return Field(
        name,
        type,
        length,
        "c" in flags,
        "u" in flags,
        "n" in flags,
        "f" in flags,
        "g" in flags,
        tuple(more.get("ref", ())),
        more.get("rel"),
        tuple(more.get("values", ())),
        bool(more.get("strict")),
        more.get("in"),
        bool(more.get("auto")),
        bool(more.get("ext")),
        bool(more.get("dflt")) or type == "boolean" or name == "OwnerId",
    )


def _object(
    name: str, prefix: str | None, label: str, plural: str, flags: str,
    told: tuple[Field, ...], children: tuple[Child, ...], audit: bool = True,
) -> SObject:  # fmt: skip
    fields = {f.name: f for f in told}
    more = (*(_AUDIT if audit else _AUDIT[:1]), *_OWN_FIELDS.get(name, ()))
    for own in (*more, *((_MARK,) if name in MARKABLE else ())):
        fields.setdefault(own.name, own)
    for at, values in _VALUES.items():
        if at[0] == name and at[1] in fields and not fields[at[1]].values:
            fields[at[1]] = replace(fields[at[1]], values=values)
    ordered = {"Id": fields.pop("Id"), **fields}
    lower = {n.lower(): n for n in ordered}
    return SObject(name, prefix, label, plural, flags, ordered, children, lower)


def _children(rows: Iterator[Any]) -> tuple[Child, ...]:
    return tuple(Child(c, f, r, "c" in how, "r" in how) for c, f, r, how in rows)


@cache
def schema() -> Mapping[str, SObject]:
    """Every object of the org by its name; the same for all orgs."""
    data = msgspec.json.decode(
        files(__package__ or "crm_bridge_salesforce")
        .joinpath("simulator_describes.json")
        .read_bytes()
    )
    found: dict[str, SObject] = {}
    for name, told in data["objects"].items():
        rows = [*told["children"], *_OWN_CHILDREN.get(name, ())]
        found[name] = _object(
            name, told["prefix"], told["label"], told["plural"], told["flags"],
            tuple(map(_field, told["fields"])), _children(iter(rows)),
        )  # fmt: skip
    for name, prefix, flags, fields in _OWN_OBJECTS:
        label = name.removesuffix("__c").replace("_", " ")
        rows = list(_OWN_CHILDREN.get(name, ()))
        found[name] = _object(
            name, prefix, label, f"{label}s", flags, fields, _children(iter(rows)),
            audit=name not in ("DeleteEvent", "ObjectPermissions", "PermissionSetAssignment"),
        )  # fmt: skip
    rights = tuple(_read(f"Permissions{right}", "boolean") for right in SYSTEM_RIGHTS)
    for name, own in (("UserRecordAccess", _ACCESS), ("UserPermissionAccess", rights)):
        found[name] = _object(name, None, name, name, "q", own, (), audit=False)
    for parent in list(found.values()):
        for child in parent.children:
            _grow(found, parent.name, child)
    return found


def _grow(found: dict[str, SObject], parent: str, child: Child) -> None:
    """See to it that the child of a relationship exists and has the field it is told by."""
    known = found.get(child.child)
    name = child.child
    if known is None:
        flags = "" if name in UNQUERYABLE or name.endswith("ChangeEvent") else "ql"
        known = found[name] = _object(name, None, name, name, flags, (), ())
    own = known.fields.get(child.field)
    if own is None:
        own = _read(child.field, "reference", 18, parent)
    elif parent not in own.to:
        own = replace(own, to=(*own.to, parent))
    fields = {**known.fields, child.field: own}
    found[name] = replace(known, fields=fields, lower={n.lower(): n for n in fields})


@cache
def prefixes() -> Mapping[str, str]:
    """Key prefix to the name of the object."""
    return {o.prefix: o.name for o in schema().values() if o.prefix}


def kind_of(id: str) -> str | None:
    """The object that an id's prefix tells."""
    return prefixes().get(id[:3])
