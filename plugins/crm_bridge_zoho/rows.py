"""What the rows of a write's answer mean, record by record.

Rows are told apart by code, never by message: Zoho words one refusal in several ways. Most rows
name their record; one that names none is matched by its place, as long as all others stand in
theirs.
https://www.zoho.com/crm/developer/docs/api/v7/delete-records.html and update-records.html,
read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_bridge.kit import Outcome, RecordRef, Unreachable, failed
from crm_bridge_zoho.client import TITLE

Row = Mapping[str, Any]

SUCCESS: Final = "SUCCESS"
SCHEDULED: Final = "SCHEDULED"
NO_SUCH: Final = "INVALID_DATA"
"""Not there, or there no more; also a value that a field does not take, which its details name."""

CODES: Final = {
    "RECORD_LOCKED": ("locked", "somebody locked it in Zoho CRM; unlock it first."),
    "NOT_ALLOWED": ("locked", "it is locked already, or its lock is none that a call takes off."),
    "NOT_APPROVED": ("blocked", "it waits for an approval."),
    "RECORD_IN_BLUEPRINT": ("blocked", "it is in a blueprint that holds it."),
    "CONVERTED_RECORD": ("blocked", "it was converted."),
    "NO_PERMISSION": ("rights", "this user has no right to it."),
    "AUTHORIZATION_FAILED": ("rights", "this user has no right to it."),
    "CANNOT_RESTORE_WITHOUT_PARENT": ("blocked", "its parent is in the bin too."),
    "CANNOT_DELETE": ("blocked", "Zoho CRM does not let it be deleted."),
    "DUPLICATE_DATA": ("duplicate", "a value that must be unique is another record's."),
    "ALREADY_MODIFIED": ("changed", "somebody changed it meanwhile."),
}


def matched(refs: Sequence[RecordRef], rows: Sequence[Row]) -> Iterator[tuple[RecordRef, Row]]:
    """Each row with its record; a record without a row is left out.

    Raises:
        Unreachable: A row names a record that was not asked for, or one is named twice.
    """
    by_id = {ref.id: ref for ref in refs}
    named = [_id(row) for row in rows]
    told = [id for id in named if id]
    if len(set(told)) != len(told) or not set(told) <= set(by_id):
        raise Unreachable(f"{TITLE} answered for records that were not asked for.", answered=True)
    in_place = len(rows) == len(refs) and all(
        not id or id == ref.id for id, ref in zip(named, refs, strict=True)
    )
    for n, row in enumerate(rows):
        if named[n]:
            yield by_id[named[n]], row
        elif in_place:
            yield refs[n], row


def code_of(row: Row) -> str:
    """The code of a row."""
    return str(row.get("code", ""))


def field_of(row: Row) -> str:
    """The field that a refusal names; empty where it is about the record."""
    details = row.get("details")
    name = details.get("api_name") if isinstance(details, Mapping) else None
    return name if isinstance(name, str) and name != "id" else ""


def refusal(ref: RecordRef, row: Row) -> Outcome:
    """A row that was not done, as an outcome."""
    code, field = code_of(row), field_of(row)
    ours, words = CODES.get(code, ("refused", ""))
    details = row.get("details")
    if (
        code == "RECORD_LOCKED"
        and isinstance(details, Mapping)
        and details.get("action") not in (None, "record_locking")
    ):
        ours, words = "blocked", "something in Zoho CRM holds it for now, such as a merge."
    told = " ".join(str(row.get("message", "")).split())[:200]
    about = f" ({field})" if field else ""
    return failed(ref, ours, f"{words or 'Zoho CRM refused it.'} {told}{about}".strip(),
                  vendor_code=code or None)  # fmt: skip


def _id(row: Row) -> str:
    details = row.get("details")
    id = details.get("id") if isinstance(details, Mapping) else None
    if isinstance(id, int) and not isinstance(id, bool):
        return str(id)
    return id if isinstance(id, str) else ""
