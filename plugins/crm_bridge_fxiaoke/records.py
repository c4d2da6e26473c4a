"""The vendor's rows as records, and records as the rows of a remake.

Life states: https://developer.fxiaoke.com/openapi_v2/ (life_status, lock_status of every object).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_bridge.kit import Link, Record, RecordRef, State, is_empty
from crm_bridge_fxiaoke.describes import Field, looks_up
from crm_bridge_fxiaoke.profile import LOCK

INVALID, IN_CHANGE, UNDER_REVIEW = "invalid", "in_change", "under_review"

_DERIVED: Final = ("__r", "__l", "__v", "__p", "__e", "__relation_ids")
"""Names beside a value, for display: they are other records' words, and change with those."""

_PLATFORM: Final = frozenset(
    [
        "_id",
        "tenant_id",
        "object_describe_id",
        "object_describe_api_name",
        "package",
        "version",
        "last_modified_time",
        "last_modified_by",
        "is_deleted",
        "extend_obj_data_id",
        "owner_department",
        "life_status",
        "life_status_before_invalid",
        "lock_status",
        "lock_rule",
        "lock_user",
        "order_by",
        "out_tenant_id",
        "relevant_team",
    ]
)
"""What a create cannot set; creation time and author can be, by two switches of their own."""


def record_of(crm: str, kind: str, row: Mapping[str, Any], fields: Mapping[str, Field]) -> Record:
    """A row as a record, with its id as the row names it."""
    id = str(row["_id"])
    own = {name: value for name, value in row.items() if not name.endswith(_DERIVED)}
    state = state_of(row)
    return Record(
        RecordRef(crm, kind, id),
        state,
        own,
        links_of(crm, own, fields),
        moment(row.get("last_modified_time")),
        locked=state is State.LIVE and str(row.get(LOCK)) == "1",
    )


def state_of(row: Mapping[str, Any]) -> State:
    """Where a row stands: a void shows in `life_status`, and as a deletion mark."""
    life = row.get("life_status")
    if life == INVALID or row.get("is_deleted") is True:
        return State.VOIDED
    return State.PENDING if life == IN_CHANGE else State.LIVE


def links_of(crm: str, row: Mapping[str, Any], fields: Mapping[str, Field]) -> tuple[Link, ...]:
    """The lookups and the master, as associations."""
    found = []
    for name, value in row.items():
        field = fields.get(name)
        if field is None or not looks_up(field):
            continue
        for id in value if isinstance(value, list) else [value]:
            if isinstance(id, str) and id:
                found.append(Link(name, RecordRef(crm, field.target, id)))
    return tuple(found)


def moment(value: Any) -> datetime | None:
    """The vendor's milliseconds as a moment (UTC)."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))
    except (TypeError, ValueError, OverflowError):
        return None


def remade(record: Record, fields: Mapping[str, Field]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a create may be given of a snapshot, and why the rest is left out."""
    given: dict[str, Any] = {}
    not_set: dict[str, str] = {}
    for name, value in record.fields.items():
        if is_empty(value):
            continue
        field = fields.get(name)
        if name in _PLATFORM:
            not_set[name] = "the platform writes it itself"
        elif field is None and name.removesuffix("__o") not in fields:
            not_set[name] = "the object has no such field any more"
        elif field is not None and field.type == "auto_number":
            not_set[name] = "the platform gives out the number"
        else:
            given[name] = value
    return given, not_set
