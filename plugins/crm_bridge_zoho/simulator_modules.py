"""The modules and fields that a simulated organisation has, as its metadata tells them.

Flags, types and mandatory fields follow
https://www.zoho.com/crm/developer/docs/api/v7/modules-api.html,
https://www.zoho.com/crm/developer/docs/api/v7/field-meta.html and
https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MARKER: Final = "CRM_Bridge_Status"
"""The marker field, as Zoho spells a custom field that is labelled `CRM Bridge Status`."""

JSON_TYPES = {
    "integer": "integer",
    "double": "double",
    "currency": "double",
    "percent": "double",
    "boolean": "boolean",
    "lookup": "jsonobject",
    "ownerlookup": "jsonobject",
    "multiselectlookup": "jsonarray",
    "multiselectpicklist": "jsonarray",
    "subform": "jsonarray",
}
LENGTHS = {
    "text": 255,
    "email": 100,
    "phone": 30,
    "website": 450,
    "textarea": 32000,
    "picklist": 120,
    "integer": 9,
    "bigint": 18,
    "currency": 16,
    "double": 18,
}


@dataclass(frozen=True)
class Field:
    """A field of a module.

    Attributes:
        api: Its API name.
        type: Its data_type.
        target: The module that a lookup leads to; "*" where the record names it ($se_module).
        picks: The values of a picklist.
        mandatory: Whether an insert needs it.
        unique: Whether no two live records may share a value.
        read_only: Whether the API drops what is sent for it.
        custom: Whether the organisation made it.
        rich: Whether it is rich text, cut at 500 characters in lists.
        places: Decimals that are kept.
        length: Characters or digits at most; 0 for the type's own.
        inner: The module of a subform's rows, or of a multi-select lookup's linking rows.
        back: In linking rows, the lookup that leads back to the record.
    """

    api: str
    type: str = "text"
    target: str = ""
    picks: tuple[str, ...] = ()
    mandatory: bool = False
    unique: bool = False
    read_only: bool = False
    custom: bool = False
    rich: bool = False
    places: int = 0
    length: int = 0
    inner: str = ""
    back: str = ""
    label: str = ""

    @property
    def shown(self) -> str:
        """Its label."""
        return self.label or self.api.replace("__s", "").replace("_", " ")

    @property
    def most(self) -> int:
        """How long a value may be."""
        return 50000 if self.rich else self.length or LENGTHS.get(self.type, 255)


@dataclass(frozen=True)
class Module:
    """A module of the organisation.

    Attributes:
        api: Its API name.
        code: Two digits of the ids of its records.
        display: The field that names a record.
        fields: Its own fields, without those that all have.
        kind: Its generated_type: default, custom, subform, linking.
        bin: Its recycle_bin_on_delete.
        served: Whether records are reached at /{module}.
        lockable: Whether its records can be locked.
    """

    api: str
    code: int
    display: str
    fields: tuple[Field, ...]
    kind: str = "default"
    bin: bool = True
    served: bool = True
    lockable: bool = False
    singular: str = ""

    @property
    def whole(self) -> bool:
        """Whether its records stand by themselves, with owner, tags, notes and marks."""
        return self.kind in ("default", "custom") and self.served and self.api not in _PARTS


_PARTS = ("Notes", "Attachments", "Emails")
_RATINGS = ("Acquired", "Active", "Market Failed", "Project Cancelled", "Shut Down")
_INDUSTRIES = (
    "Technology", "Trade", "Manufacturing", "Logistics", "Health", "Energy", "Education",
)  # fmt: skip
_SOURCES = ("Web", "Phone", "Fair", "Partner", "Referral", "Campaign", "Advertisement")
LEAD_STATUSES = (
    "Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead",
    "Not Contacted", "Pre-Qualified", "Not Qualified",
)  # fmt: skip
STAGES = (
    "Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Won",
    "Closed Lost", "Closed Lost to Competition",
)  # fmt: skip


def _pick(api: str, picks: tuple[str, ...], mandatory: bool = False) -> Field:
    return Field(api, "picklist", picks=picks, mandatory=mandatory)


def _look(api: str, target: str, mandatory: bool = False) -> Field:
    return Field(api, "lookup", target=target, mandatory=mandatory)


def _address(prefix: str) -> tuple[Field, ...]:
    return tuple(Field(f"{prefix}_{one}") for one in ("Street", "City", "State", "Code", "Country"))


_TEXT = Field("Description", "textarea")
_NUMBER = Field("External_No", "bigint", custom=True)
_TITLE = Field("Subject", mandatory=True)
_TOTAL = Field("Grand_Total", "currency", places=2)
_WHAT = (_look("What_Id", "*"), _look("Who_Id", "Contacts"))

MODULES: dict[str, Module] = {
    m.api: m
    for m in (
        Module("Leads", 1, "Full_Name", (
            Field("Last_Name", mandatory=True, length=80),
            Field("First_Name", length=40),
            Field("Full_Name", read_only=True),
            Field("Company"),
            Field("Email", "email"),
            Field("Phone", "phone"),
            Field("Mobile", "phone"),
            Field("Website", "website"),
            Field("Designation"),
            _pick("Lead_Source", _SOURCES),
            _pick("Lead_Status", LEAD_STATUSES),
            _pick("Industry", _INDUSTRIES),
            Field("No_of_Employees", "integer"),
            Field("Annual_Revenue", "currency", places=9),
            Field("Email_Opt_Out", "boolean"),
            Field("Street"), Field("City"), Field("State"), Field("Zip_Code"), Field("Country"),
            Field("Languages", "multiselectpicklist", picks=("Chinese", "English", "German"),
                  custom=True),
            _NUMBER,
            _TEXT,
        ), lockable=True),
        Module("Accounts", 2, "Account_Name", (
            Field("Account_Name", mandatory=True),
            Field("Account_Number", "bigint"),
            Field("Account_No", "autonumber", read_only=True, custom=True),
            Field("Account_Site"),
            _look("Parent_Account", "Accounts"),
            _pick("Account_Type", ("Analyst", "Competitor", "Customer", "Partner", "Prospect")),
            _pick("Industry", _INDUSTRIES),
            _pick("Ownership", ("Private", "Public", "Subsidiary", "Government")),
            _pick("Rating", _RATINGS),
            Field("Phone", "phone"), Field("Fax", "phone"),
            Field("Website", "website"),
            Field("Ticker_Symbol", length=30),
            Field("SIC_Code", "integer"),
            Field("Employees", "integer"),
            Field("Annual_Revenue", "currency", places=9),
            *_address("Billing"), *_address("Shipping"),
            Field("Profile_Text", "textarea", rich=True, custom=True),
            Field("External_No", "bigint", custom=True, unique=True),
            # A real organisation has more fields than one call may name (50).
            *(Field(f"Segment_{n:02d}", custom=True) for n in range(1, 26)),
            Field("Branches", "subform", inner="Account_Branches", custom=True),
            _TEXT,
        ), lockable=True),
        Module("Contacts", 3, "Full_Name", (
            Field("Last_Name", mandatory=True, length=80),
            Field("First_Name", length=40),
            Field("Full_Name", read_only=True),
            _look("Account_Name", "Accounts"),
            _look("Reporting_To", "Contacts"),
            Field("Email", "email"),
            Field("Phone", "phone"),
            Field("Mobile", "phone"),
            Field("Title"), Field("Department"),
            _pick("Lead_Source", _SOURCES),
            Field("Date_of_Birth", "date"),
            Field("Email_Opt_Out", "boolean"),
            *_address("Mailing"),
            Field("Partner_Accounts", "multiselectlookup", target="Accounts",
                  inner="Contacts_X_Accounts", back="Partner_Contacts", custom=True),
            _NUMBER,
            _TEXT,
        ), lockable=True),
        Module("Deals", 4, "Deal_Name", (
            Field("Deal_Name", mandatory=True),
            _pick("Stage", STAGES, mandatory=True),
            _pick("Pipeline", ("Standard (Standard)",)),
            Field("Amount", "currency", places=9),
            Field("Closing_Date", "date"),
            Field("Probability", "integer"),
            _look("Account_Name", "Accounts"),
            _look("Contact_Name", "Contacts"),
            _pick("Type", ("Existing Business", "New Business")),
            _pick("Lead_Source", _SOURCES),
            Field("Next_Step"),
            _TEXT,
        ), lockable=True),
        Module("Tasks", 5, "Subject", (
            _TITLE,
            Field("Due_Date", "date"),
            _pick("Status", ("Not Started", "Deferred", "In Progress", "Completed")),
            _pick("Priority", ("High", "Highest", "Low", "Lowest", "Normal")),
            *_WHAT,
            _TEXT,
        ), lockable=True),
        Module("Events", 6, "Event_Title", (
            Field("Event_Title", mandatory=True),
            Field("Start_DateTime", "datetime", mandatory=True),
            Field("End_DateTime", "datetime", mandatory=True),
            Field("Venue"),
            *_WHAT,
            _TEXT,
        )),
        Module("Calls", 7, "Subject", (
            Field("Subject"),
            _pick("Call_Type", ("Outbound", "Inbound", "Missed"), mandatory=True),
            Field("Call_Start_Time", "datetime", mandatory=True),
            Field("Call_Duration"),
            *_WHAT,
            _TEXT,
        )),
        Module("Products", 8, "Product_Name", (
            Field("Product_Name", mandatory=True),
            Field("Product_Code", unique=True),
            Field("Product_Active", "boolean"),
            Field("Unit_Price", "currency", places=2),
            Field("Qty_in_Stock", "double", places=2),
            _TEXT,
        )),
        Module("Quotes", 9, "Subject", (
            _TITLE,
            _pick("Quote_Stage", ("Draft", "Negotiation", "Delivered", "Confirmed", "Closed Lost")),
            _look("Account_Name", "Accounts"),
            _look("Deal_Name", "Deals"),
            _look("Contact_Name", "Contacts"),
            Field("Valid_Till", "date"),
            _TOTAL,
            Field("Quoted_Items", "subform", inner="Quoted_Items", mandatory=True),
            _TEXT,
        ), lockable=True),
        Module("Invoices", 10, "Subject", (
            _TITLE,
            _pick("Status", ("Created", "Approved", "Delivered", "Cancelled")),
            _look("Account_Name", "Accounts"),
            Field("Invoice_Date", "date"),
            _TOTAL,
            Field("Invoiced_Items", "subform", inner="Invoiced_Items", mandatory=True),
            _TEXT,
        ), lockable=True),
        Module("Vendors", 11, "Vendor_Name", (
            Field("Vendor_Name", mandatory=True), Field("Phone", "phone"), _TEXT,
        ), lockable=True),
        Module("Campaigns", 12, "Campaign_Name", (
            Field("Campaign_Name", mandatory=True),
            _pick("Status", ("Planning", "Active", "Inactive", "Complete")),
            _TEXT,
        )),
        Module("Cases", 13, "Subject", (
            _TITLE,
            _pick("Status", ("New", "On Hold", "Escalated", "Closed"), mandatory=True),
            _pick("Case_Origin", ("Email", "Phone", "Web"), mandatory=True),
            _look("Account_Name", "Accounts"),
            _TEXT,
        ), lockable=True),
        Module("Sites", 14, "Name", (
            Field("Name", mandatory=True, label="Site Name"),
            _look("Customer", "Accounts"),
            Field("Budget", "currency", places=2),
            _TEXT,
        ), kind="custom", lockable=True),
        Module("Notes", 15, "Note_Title", (
            Field("Note_Title", length=120),
            Field("Note_Content", "textarea"),
            _look("Parent_Id", "*", mandatory=True),
        )),
        Module("Attachments", 16, "File_Name", (
            Field("File_Name", read_only=True),
            Field("Size", "bigint", read_only=True),
            Field("Parent_Id", "lookup", target="*", read_only=True),
        ), bin=False),
        Module("Quoted_Items", 17, "Product_Name", (
            _look("Parent_Id", "Quotes"),
            _look("Product_Name", "Products"),
            Field("Quantity", "double", places=2),
            Field("List_Price", "currency", places=2),
            Field("Total", "currency", places=2),
            Field("Description", "textarea"),
        ), kind="subform"),
        Module("Invoiced_Items", 18, "Product_Name", (
            _look("Parent_Id", "Invoices"),
            _look("Product_Name", "Products"),
            Field("Quantity", "double", places=2),
            Field("List_Price", "currency", places=2),
            Field("Total", "currency", places=2),
        ), kind="subform"),
        Module("Account_Branches", 19, "Branch_Name", (
            _look("Parent_Id", "Accounts"),
            Field("Branch_Name"),
            Field("Branch_City"),
            Field("Staff", "integer"),
        ), kind="subform"),
        Module("Contacts_X_Accounts", 20, "Partner_Contacts", (
            _look("Partner_Contacts", "Contacts"),
            _look("Partner_Accounts", "Accounts"),
        ), kind="linking"),
        Module("Emails", 21, "Subject", (Field("Subject"),), bin=False),
        Module("Documents", 22, "Subject", (), bin=False, served=False),
        Module("Locking_Information__s", 23, "Locked_For__s", (
            Field("Locked_For__s", "lookup", target="*", read_only=True),
            Field("Locked_Reason__s", length=255),
            Field("Lock_Source__s", read_only=True),
            Field("Locked_Time__s", "datetime", read_only=True),
            Field("Locked_By__s", "ownerlookup", read_only=True),
        ), bin=False, served=False),
    )
}  # fmt: skip

_STAMPS = (
    Field("Created_By", "ownerlookup", read_only=True),
    Field("Modified_By", "ownerlookup", read_only=True),
    Field("Created_Time", "datetime", read_only=True),
    Field("Modified_Time", "datetime", read_only=True),
)
_COMMON = (
    Field("Owner", "ownerlookup"),
    *_STAMPS,
    Field("Last_Activity_Time", "datetime", read_only=True),
    Field("Tag"),
    Field("Record_Status__s", "picklist", picks=("Trash", "Available", "Draft"), read_only=True),
    Field("Locked__s", "boolean", read_only=True),
)
MARK = Field(MARKER, custom=True, length=50, label="CRM Bridge Status")

WHOLE = tuple(m.api for m in MODULES.values() if m.whole)
"""The modules whose records stand by themselves; all of them may be marked."""

ACTIVITIES = ("Tasks", "Events", "Calls")
SUBFORMS = tuple(m.api for m in MODULES.values() if m.kind == "subform")
BY_CODE = {m.code: m.api for m in MODULES.values()}


def _fields(module: Module) -> dict[str, Field]:
    if module.whole:
        own = (*module.fields, *_COMMON, MARK)
    elif module.api == "Attachments" or module.api == "Notes":
        own = (*module.fields, Field("Owner", "ownerlookup"), *_STAMPS)
    elif module.kind in ("subform", "linking"):
        own = (*module.fields, _STAMPS[2], _STAMPS[3])
    else:
        own = module.fields
    return {f.api: f for f in own}


FIELDS: dict[str, dict[str, Field]] = {m.api: _fields(m) for m in MODULES.values()}
VENDOR_SET = (
    "Created_By", "Modified_By", "Created_Time", "Modified_Time", "Last_Activity_Time",
    "Record_Status__s", "Locked__s", "Full_Name", "Account_No",
)  # fmt: skip
LOOKUPS: dict[str, tuple[Field, ...]] = {
    api: tuple(f for f in fields.values() if f.type == "lookup") for api, fields in FIELDS.items()
}
MULTIPLES: dict[str, tuple[Field, ...]] = {
    api: tuple(f for f in fields.values() if f.type == "multiselectlookup")
    for api, fields in FIELDS.items()
}
INNER: dict[str, tuple[Field, ...]] = {
    api: tuple(f for f in fields.values() if f.type == "subform") for api, fields in FIELDS.items()
}


@dataclass(frozen=True)
class RelatedList:
    """A related list: the records of another module that point here by a lookup."""

    api: str
    module: str
    via: str
    linking: str = ""


def _related() -> dict[str, dict[str, RelatedList]]:
    names = {("Accounts", "Parent_Account"): "Child_Accounts",
             ("Contacts", "Reporting_To"): "Reporting_Contacts",
             ("Quotes", "Deal_Name"): "Quotes"}  # fmt: skip
    found: dict[str, dict[str, RelatedList]] = {}
    for parent in WHOLE:
        own = [RelatedList("Notes", "Notes", "Parent_Id"),
               RelatedList("Attachments", "Attachments", "Parent_Id")]  # fmt: skip
        for child in WHOLE:
            for lookup in LOOKUPS[child]:
                if lookup.target == parent or (lookup.target == "*" and parent not in ACTIVITIES):
                    own.append(
                        RelatedList(names.get((child, lookup.api), child), child, lookup.api)
                    )
            for many in MULTIPLES[child]:
                if many.target == parent:
                    own.append(RelatedList(many.back, child, many.api, many.inner))
        for many in MULTIPLES[parent]:
            own.append(RelatedList(many.api, many.target, many.back, many.inner))
        # Tasks of a contact hang on it by What_Id or by Who_Id: one list, both ways.
        found[parent] = {}
        for one in own:
            found[parent].setdefault(one.api, one)
    return found


RELATED: dict[str, dict[str, RelatedList]] = _related()


def ways(parent: str, listed: RelatedList) -> tuple[str, ...]:
    """The lookups of a list's module by which its records point at the parent's module."""
    if listed.linking:
        return (listed.via,)
    if listed.module in ACTIVITIES:
        fits = [f.api for f in LOOKUPS[listed.module] if f.target in ("*", parent)]
        return tuple(fits)
    return (listed.via,)


def referrers(parent: str) -> list[tuple[str, Field]]:
    """Every (module, lookup) that may point at records of that module, notes and rows included."""
    return [
        (api, lookup)
        for api, lookups in LOOKUPS.items()
        for lookup in lookups
        if MODULES[api].served and (lookup.target == parent or lookup.target == "*")
    ]


def field_meta(field: Field, module: str, id: str, version: float, ids: Any) -> dict[str, Any]:
    """A field as /settings/fields shows it; `ids` gives the id of a module by its name."""
    data: dict[str, Any] = {
        "id": id,
        "api_name": field.api,
        "field_label": field.shown,
        "display_label": field.shown,
        "data_type": field.type,
        "json_type": "jsonarray" if field.api == "Tag" else JSON_TYPES.get(field.type, "string"),
        "length": field.most,
        "custom_field": field.custom,
        "created_source": "default",
        "read_only": field.read_only,
        "field_read_only": field.read_only,
        "system_mandatory": field.mandatory,
        "visible": True,
        "webhook": True,
        "searchable": field.type not in ("subform", "multiselectlookup"),
        "filterable": field.type not in ("subform", "textarea"),
        "sortable": field.type not in ("subform", "multiselectlookup", "textarea"),
        "virtual_field": field.type in ("subform", "multiselectlookup") or field.api == "Full_Name",
        "mass_update": not field.read_only and field.type in ("text", "picklist", "boolean"),
        "operation_type": {
            "web_update": not field.read_only,
            "api_create": not field.read_only,
            "web_create": not field.read_only,
            "api_update": not field.read_only,
        },
        "unique": {"casesensitive": "false"} if field.unique else {},
        "decimal_place": field.places if field.type in ("currency", "double") else None,
        "pick_list_values": [
            {
                "display_value": pick,
                "actual_value": pick,
                "reference_value": pick,
                "sequence_number": n,
                "id": f"{id[:-3]}{n:03d}",
                "type": "used",
            }
            for n, pick in enumerate(field.picks, 1)
        ],
        "lookup": {},
        "multiselectlookup": {},
        "subform": None,
        "formula": {},
        "auto_number": {"prefix": "A", "start_number": "1"} if field.type == "autonumber" else {},
        "currency": {"precision": field.places} if field.type == "currency" else {},
        "textarea": {"type": "rich_text" if field.rich else "large"}
        if field.type == "textarea"
        else None,
        "external": None,
        "profiles": [],
    }
    if field.type == "lookup":
        target = "se_module" if field.target == "*" else field.target
        named: Any = {"api_name": target, "id": ids(target)} if version >= 3 else target
        data["lookup"] = {
            "display_label": field.shown,
            "api_name": field.api,
            "module": named,
            "id": id,
            "query_details": {},
            "revalidate_filter_during_edit": False,
            "show_fields": None,
        }
    elif field.type == "multiselectlookup":
        data["multiselectlookup"] = {
            "display_label": field.shown,
            "linking_module": field.inner,
            "lookup_apiname": field.back,
            "api_name": field.api,
            "connectedlookup_apiname": field.api,
            "connected_module": field.target,
            "id": id,
        }
    elif field.type == "subform":
        named = {"api_name": field.inner, "id": ids(field.inner)} if version >= 3 else field.inner
        data["subform"] = {"module": named, "id": ids(field.inner), "layouts": []}
        if version >= 3:
            data["associated_module"] = named
    return data
