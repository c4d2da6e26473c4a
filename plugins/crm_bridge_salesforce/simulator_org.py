"""One org as its server sees it: who may what, how a record is shown, what may be written.

Everything of an org that a reset forgets hangs on `Org`, which `Org.of(account)` makes on demand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from crm_bridge.simulator import Account, Stored
from crm_bridge_salesforce.simulator_schema import (
    MARKER,
    Field,
    SObject,
    id_of,
    kind_of,
    schema,
    whole_id,
)

NEWEST: Final = 67  # the API's newest version, Summer '26
STORAGE_MB: Final = 1024
LICENCES: Final = 4
LIVE, DELETED, GONE = "live", "deleted", "gone"

VENDOR_SET: Final = (
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "CreatedDate",
    "CreatedById",
    "IsDeleted",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
)
"""What the platform writes itself on every object."""

DERIVED: Final[Mapping[str, tuple[str, ...]]] = {
    "Opportunity": ("IsClosed", "IsWon", "ExpectedRevenue", "ForecastCategory", "HasOverdueTask"),
    "Case": ("IsClosed", "ClosedDate", "CaseNumber"),
    "Task": ("IsClosed", "AccountId", "CompletedDateTime", "IsArchived"),
    "Event": ("AccountId", "IsArchived"),
    "Contract": ("StatusCode", "ContractNumber", "ActivatedDate"),
    "Order": ("StatusCode", "OrderNumber", "TotalAmount"),
    "OrderItem": ("OrderItemNumber",),
    "ContentDocument": ("LatestPublishedVersionId", "ContentSize", "FileType", "PublishStatus"),
    "Project_Line__c": ("Name",),
}
"""What the platform computes or numbers, by object."""

_STAGES = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Trouble(Exception):
    """A refusal in Salesforce's words: a code, a text, the fields it speaks of, an HTTP status."""

    def __init__(
        self, code: str, text: str, fields: tuple[str, ...] = (), status: int = 400
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.fields = fields
        self.status = status

    def rest(self) -> dict[str, Any]:
        """The entry of plain REST's array."""
        return {"message": self.text, "errorCode": self.code, "fields": list(self.fields)}

    def row(self) -> dict[str, Any]:
        """The entry of a collection's row, whose key is `statusCode`."""
        return {"statusCode": self.code, "message": self.text, "fields": list(self.fields)}


def stamp(epoch: float) -> str:
    """A datetime as REST writes it, to the second."""
    # Faster than strftime by far, and a seed makes hundreds of thousands.
    return f"{datetime.fromtimestamp(int(epoch), UTC).isoformat()[:19]}.000+0000"


def name_of(record: Stored) -> str:
    """What messages call a record."""
    fields = record.fields
    for field in ("Name", "CaseNumber", "Subject", "Title", "ContractNumber", "OrderNumber"):
        if field in fields:
            return str(fields[field])
    return record.id


class Org:
    """An org since its last reset."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.store = account.store
        self.clock = account.clock
        self.switches = account.switches
        self.revoked: set[tuple[str, str]] = set()  # (right, object or id or "")
        self.relinks: dict[str, list[tuple[str, str, str]]] = {}  # emptied lookups, by their target
        self.groups: dict[str, list[Stored]] = {}  # what one delete took, the root first
        self.bin: dict[str, Stored] = {}  # oldest first
        self.ghosts: dict[str, dict[str, tuple[float, Mapping[str, Any]]]] = {}
        self.unswept = 0.0  # epoch second before which nothing in the bin can run out
        self.made: dict[str, int] = {}
        self.sandbox = True
        self.daily = 100_000  # calls in 24 hours
        self.capacity: int | None = None  # records in the bin, where a person has said so
        self.added_fields: dict[str, set[str]] = {}  # marker fields made by the API
        self.row_error: tuple[str, int] | None = None  # a fault that waits for the next write

    @classmethod
    def of(cls, account: Account) -> Org:
        """The org of an account."""
        org: Org | None = account.memory.get("org")
        if org is None:
            org = account.memory["org"] = cls(account)
        return org

    @property
    def bin_holds(self) -> int:
        """How many records the bin holds before the oldest are dropped."""
        if self.capacity is not None:
            return self.capacity
        by_storage = self.switches["bin_rule"] == "storage"
        return 25 * STORAGE_MB if by_storage else 5_000 * LICENCES

    # -- who ------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The organisation's id."""
        return self.account.keys["org_id"]

    @property
    def user(self) -> str:
        """The integration user."""
        return id_of("005", self.account.index, 0)

    @property
    def person(self) -> str:
        """The colleague who clicks in the pages."""
        return id_of("005", self.account.index, 1)

    def may(self, right: str, *where: str) -> bool:
        """Whether the integration user has a right, on all of these (objects, ids, or "")."""
        return not any((right, at) in self.revoked for at in ("", *where))

    # -- what there is --------------------------------------------------------------------------

    def object(self, name: str) -> SObject | None:
        """An object, whatever its letters' case; None where the user cannot see one."""
        found = schema().get(name)
        if found is None:
            lower = name.lower()
            found = next((o for n, o in schema().items() if n.lower() == lower), None)
        return found if found is not None and self.may("read", found.name) else None

    def fields(self, known: SObject) -> Iterator[Field]:
        """The fields that the org has, which a switch may take the marker from."""
        for field in known.fields.values():
            if self.has(known, field):
                yield field

    def has(self, known: SObject, field: Field) -> bool:
        """Whether the org has this field."""
        return (
            field.name != MARKER
            or bool(self.switches["marker_field"])
            or MARKER in self.added_fields.get(known.name, ())
        )

    def field(self, known: SObject, name: str) -> Field | None:
        """A field of an object, or None."""
        field = known.field(name)
        return field if field is not None and self.has(known, field) else None

    def find(self, id: str) -> Stored | None:
        """The record of an id with 18 characters, gone ones too."""
        kind = kind_of(id)
        return self.store.get(kind, id) if kind in self.store.kinds() and kind else None

    def live(self, id: Any) -> Stored | None:
        """The live record of an id."""
        record = self.find(id) if isinstance(id, str) else None
        return record if record is not None and record.state == LIVE else None

    def new_id(self, kind: str) -> str:
        """The next id of an object."""
        prefix = schema()[kind].prefix
        assert prefix is not None
        # Beyond every planted row.
        at = self.made[kind] = self.made.get(kind, 10_000_000) + 1
        return id_of(prefix, self.account.index, at)

    # -- how a record is shown --------------------------------------------------------------------

    def value(self, record: Stored, field: Field) -> Any:
        """The value of a field, as REST gives it; None for an empty one."""
        match field.name:
            case "Id":
                return record.id
            case "IsDeleted":
                return record.state != LIVE
            case "MasterRecordId":
                return record.merged_into
            case "SystemModstamp":
                return stamp(record.changed_at)
        found = record.fields.get(field.name)
        if field.type == "base64" and found is not None:
            return f"/services/data/v{NEWEST}.0/sobjects/{record.kind}/{record.id}/{field.name}"
        if found is not None:
            return found
        if field.type == "boolean":
            return False
        if field.type == "address":
            return self._address(record, field)
        if field.name in ("CreatedById", "LastModifiedById"):
            return self.user
        return None

    def _address(self, record: Stored, field: Field) -> dict[str, Any] | None:
        parts = {}
        for own in schema()[record.kind].fields.values():
            if own.compound == field.name:
                stem = field.name.removesuffix("Address")
                part = own.name.removeprefix(stem)
                parts[part[0].lower() + part[1:]] = record.fields.get(own.name)
        return parts if any(parts.values()) else None

    def stored(self, record: Stored) -> dict[str, Any]:
        """The values that are kept, for the truth; contents of files are no values."""
        own = schema()[record.kind]
        shown = {n: v for n, v in record.fields.items() if own.fields[n].type != "base64"}
        shown["SystemModstamp"] = stamp(record.changed_at)
        for name in ("CreatedById", "LastModifiedById"):
            if name in own.fields:
                shown.setdefault(name, self.user)
        return shown

    # -- what may be written ----------------------------------------------------------------------

    def checked(
        self, known: SObject, given: Mapping[str, Any], record: Stored | None
    ) -> dict[str, Any]:
        """The values to keep from what a create (no record) or an update was given."""
        kept: dict[str, Any] = {}
        for name, value in given.items():
            if name in ("attributes", "Id", "id"):
                continue
            field = self.field(known, name)
            if field is None:
                raise Trouble(
                    "INVALID_FIELD", f"No such column '{name}' on sobject of type {known.name}"
                )
            if not (field.createable if record is None else field.updateable):
                raise Trouble(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {field.name}. Please check the security "
                    "settings of this field and verify that it is read/write for your profile or "
                    "permission set.",
                    (field.name,),
                )
            kept[field.name] = self._accepted(known, field, value)
        missing = [
            f.name
            for f in self.fields(known)
            if (record is None and f.required and kept.get(f.name) is None)
            or (record is not None and f.name in kept and kept[f.name] is None and f.required)
        ]
        if missing:
            listed = ", ".join(missing)
            raise Trouble(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{listed}]", tuple(missing)
            )
        return kept

    def _accepted(self, known: SObject, field: Field, value: Any) -> Any:
        if value is None or value == "":
            if field.type == "boolean":
                raise Trouble(
                    "INVALID_TYPE_ON_FIELD_IN_RECORD",
                    f"{field.name}: value not of required type: null", (field.name,),
                )  # fmt: skip
            return None
        if field.type == "boolean":
            return _typed(field, value, bool)
        if field.numeric:
            return _number(field, value)
        if field.type == "reference":
            return self._reference(field, value)
        text: str = _typed(field, value, str)
        if field.type in ("date", "datetime"):
            return _moment(field, text)
        if field.length and len(text) > field.length:
            raise Trouble(
                "STRING_TOO_LONG",
                f"{field.name}: data value too large: {text[:255]} (max length={field.length})",
                (field.name,),
            )
        if field.strict and field.values and text not in field.values:
            raise Trouble(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.name}: bad value for restricted picklist field: {text}", (field.name,),
            )  # fmt: skip
        return text

    def _reference(self, field: Field, value: Any) -> str:
        id = whole_id(value)
        kind = kind_of(id) if id else None
        if id is None or kind is None or (field.to and kind not in field.to):
            why = "malformed id" if id is None else "id value of incorrect type:"
            raise Trouble("MALFORMED_ID", f"{field.name}: {why} {value}", (field.name,))
        record = self.find(id)
        if record is None or record.state == GONE:
            raise Trouble("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if record.state == DELETED:
            raise Trouble("ENTITY_IS_DELETED", "entity is deleted")
        return id

    def derive(self, kind: str, fields: dict[str, Any], now: float) -> None:
        """Set what the platform computes from these fields; None empties one."""
        if kind in ("Contact", "Lead"):
            parts = (fields.get("FirstName"), fields.get("LastName"))
            fields["Name"] = " ".join(str(p) for p in parts if p)
        elif kind == "Opportunity":
            chance, forecast = _STAGES.get(str(fields.get("StageName")), (10, "Pipeline"))
            fields["Probability"] = chance
            fields["ForecastCategory"] = fields["ForecastCategoryName"] = forecast
            fields["IsClosed"] = chance in (0, 100)
            fields["IsWon"] = chance == 100
            if isinstance(fields.get("Amount"), int | Decimal):
                expected = Decimal(fields["Amount"]) * chance / 100
                fields["ExpectedRevenue"] = expected.quantize(Decimal("0.01"))
        elif kind == "Case":
            fields["IsClosed"] = fields.get("Status") == "Closed"
        elif kind == "Task":
            fields["IsClosed"] = fields.get("Status") == "Completed"
        elif kind in ("Contract", "Order"):
            active = fields.get("Status") == "Activated"
            fields["StatusCode"] = "Activated" if active else "Draft"
        if kind in ("Task", "Event"):
            fields["AccountId"] = self._account_of(fields)

    def _account_of(self, fields: Mapping[str, Any]) -> str | None:
        for name in ("WhatId", "WhoId"):
            id = fields.get(name)
            if isinstance(id, str) and id.startswith("001"):
                return id
            other = self.live(id)
            if other is not None and isinstance(other.fields.get("AccountId"), str):
                return str(other.fields["AccountId"])
        return None


def _typed(field: Field, value: Any, type: type) -> Any:
    if not isinstance(value, type):
        told = "VALUE_STRING" if isinstance(value, str) else "START_OBJECT"
        if isinstance(value, bool):
            told = "VALUE_TRUE" if value else "VALUE_FALSE"
        elif isinstance(value, int | Decimal):
            told = "VALUE_NUMBER_INT" if isinstance(value, int) else "VALUE_NUMBER_FLOAT"
        raise Trouble(
            "JSON_PARSER_ERROR",
            f"Cannot deserialize instance of {field.type} from {told} value {value} or request may "
            "be missing a required field",
        )
    return value


def _number(field: Field, value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _typed(field, value, Decimal)
    number = Decimal(value)
    if len(number.as_tuple().digits) > 18 or abs(number) >= 10**18:
        raise Trouble(
            "NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range on numeric "
            f"field: {value}", (field.name,),
        )  # fmt: skip
    if field.type in ("int", "long"):
        return int(number)
    kept = round(number, field.scale) if -number.as_tuple().exponent > field.scale else number  # type: ignore[operator]
    return int(kept) if kept == kept.to_integral_value() and field.scale == 0 else kept


def _moment(field: Field, text: str) -> str:
    try:
        if field.type == "date":
            if not _DATE.fullmatch(text):
                raise ValueError
            date.fromisoformat(text)
            return text
        moment = datetime.fromisoformat(text.replace("+0000", "+00:00"))
        return stamp(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except ValueError:
        raise Trouble(
            "JSON_PARSER_ERROR",
            f"Cannot deserialize instance of {field.type} from VALUE_STRING value {text} or "
            "request may be missing a required field",
        ) from None
