"""What one simulated organisation knows beside its records: ids, people, rights, timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_bridge.simulator import Account, Stored
from crm_bridge_zoho.simulator_modules import (
    BY_CODE,
    FIELDS,
    MARK,
    MARKER,
    MODULES,
    WHOLE,
    Field,
)
from crm_bridge_zoho.simulator_wire import moment

LIVE, DELETED, GONE = "live", "deleted", "gone"
BIN_DAYS = 60
"""Days that a deleted record stays in the bin (https://help.zoho.com/portal/en/kb/crm)."""

LISTED_DAYS = 120
"""Days after a deletion that its id is still listed
(https://www.zoho.com/crm/developer/docs/api/v7/get-deleted-records.html)."""

DAY = 86_400.0
_MADE = 500_000_000  # rows from here on were made by a call, not planted

PEOPLE = (
    ("张敏", "min.zhang", "Administrator"),
    ("Ben Brown", "ben.brown", "Standard"),
    ("李强", "qiang.li", "Standard"),
)


def prefix(account: Account) -> str:
    """The seven digits that all ids of an organisation begin with, from its seed."""
    salt = (account.seed * 0x9E3779B1 + account.index * 0x85EBCA6B) % 100_000
    return f"{4 + account.index}{salt:05d}0"


def id_of(account: Account, module: str, row: int) -> str:
    """The id of a row of a module: 18 digits, computed before the row exists."""
    return f"{prefix(account)}{MODULES[module].code:02d}{row:09d}"


def user_id(account: Account, row: int) -> str:
    """The id of a user."""
    return f"{prefix(account)}90{row + 1:09d}"


def setup_id(account: Account, kind: int, row: int) -> str:
    """The id of a module, field, profile, layout, view or list."""
    return f"{prefix(account)}91{kind:03d}{row:06d}"


def module_id(account: Account, module: str) -> str:
    """The id of a module itself."""
    known = MODULES.get(module)
    return setup_id(account, 1, known.code if known else 0)


def new_id(account: Account, module: str) -> str:
    """An id for a record that a call makes."""
    made = account.memory.get("made", 0)
    account.memory["made"] = made + 1
    return id_of(account, module, _MADE + made)


def module_of(account: Account, id: str) -> str | None:
    """The module that an id belongs to, by its digits."""
    if len(id) != 18 or not id.isascii() or not id.isdigit() or id[:7] != prefix(account):
        return None
    return BY_CODE.get(int(id[7:9]))


def anywhere(account: Account, id: str) -> Stored | None:
    """The record of that id, whatever its module."""
    module = module_of(account, id)
    return account.store.get(module, id) if module else None


def person(account: Account, id: str | None) -> dict[str, Any] | None:
    """A user as records show one."""
    for row, (name, mail, _) in enumerate(PEOPLE):
        if id == user_id(account, row):
            return {"name": name, "id": id, "email": f"{mail}@{account.keys['domain']}.example"}
    return None


def is_active(account: Account, user: str) -> bool:
    """Whether a user may log in; a person may deactivate one."""
    return user not in account.memory.get("deactivated", ())


def is_admin(account: Account, user: str) -> bool:
    """Whether a user is an administrator; a person may take that away."""
    return user == user_id(account, 0) and not account.memory.get("no_admin")


def fields_of(account: Account, module: str) -> dict[str, Field]:
    """The fields of a module in this organisation, made ones included."""
    fields = FIELDS[module]
    made: dict[str, Field] = account.memory.get("fields", {}).get(module, {})
    if MARKER in fields and not account.switches["marker_field"]:
        fields = {name: field for name, field in fields.items() if field is not MARK}
    return {**fields, **made} if made else fields


def denied(account: Account, right: str, module: str, id: str = "") -> bool:
    """Whether a person took this right away from the API's user."""
    taken: set[tuple[str, str, str]] = account.memory.get("denied", set())
    return bool(taken) and any((one, module, id) in taken for one in (right, "*"))


def timeline(account: Account, record: Stored, action: str, by: str, source: str) -> None:
    """Write a line of a record's history."""
    lines = account.memory.setdefault("timeline", {}).setdefault(record.id, [])
    lines.append((account.clock.epoch(), action, by, source))


def fire(account: Account, record: Stored, what: str, silent: bool) -> None:
    """Remember which workflows ran: `account.memory["workflows"]` lists (what, ref)."""
    if not silent and record.kind in WHOLE:
        account.memory.setdefault("workflows", []).append((what, record.ref))


def stamped(account: Account, by: str) -> dict[str, Any]:
    """What every change writes."""
    now = moment(account.clock.epoch())
    return {"Modified_Time": now, "Modified_By": by, "Last_Activity_Time": now}


def binned(account: Account) -> dict[str, None]:
    """The ids of all that is in the bin; found once, kept afterwards."""
    known: dict[str, None] | None = account.memory.get("bin")
    if known is None:
        known = account.memory["bin"] = {}
        for kind, counts in account.store.counts().items():
            if counts.get(DELETED):
                known.update((record.id, None) for record in account.store.of(kind, DELETED))
    return known


def in_bin(account: Account) -> Iterator[Stored]:
    """The records in the bin."""
    for id in list(binned(account)):
        record = anywhere(account, id)
        if record is not None and record.state == DELETED:
            yield record
