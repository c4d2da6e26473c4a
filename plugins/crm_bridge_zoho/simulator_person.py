"""What a person does in Zoho's own pages, and what another program does there."""

from __future__ import annotations

from typing import Any

from crm_bridge.simulator import Account, Act, Refused, Stored
from crm_bridge_zoho.simulator_accounts import SCOPES
from crm_bridge_zoho.simulator_bin import back
from crm_bridge_zoho.simulator_life import merge, purge, to_bin
from crm_bridge_zoho.simulator_modules import MODULES
from crm_bridge_zoho.simulator_org import (
    DELETED,
    GONE,
    LIVE,
    fields_of,
    person,
    stamped,
    timeline,
    user_id,
)
from crm_bridge_zoho.simulator_related import put_lock
from crm_bridge_zoho.simulator_values import checked
from crm_bridge_zoho.simulator_wire import RowDeny

RIGHTS = ("read", "create", "edit", "delete", "restore", "purge", "*")
ACTS = (
    "restore", "delete", "purge", "edit", "lock", "unlock", "merge", "require_approval", "approve",
    "reject", "grant", "revoke", "expire_tokens", "deactivate", "activate",
)  # fmt: skip


def act(account: Account, done: Act) -> list[str]:
    """Do it; gives the refs of what changed.

    `grant` and `revoke` take a right (`{"right": "delete"}`, of a module or of some ids), a scope
    (`{"scope": "ZohoCRM.settings.recycle_bin.UPDATE"}`), a field of a module (`{"field": "Phone"}`:
    Don't Show, for the profile of the token's user), `{"right": "admin"}`, or nothing and no module:
    then the whole grant. `deactivate` and `activate` take the ids of users.

    Raises:
        Refused: It makes no sense here.
    """
    if done.act not in ACTS:
        raise Refused(f"zoho knows no act {done.act!r}; there are: {', '.join(ACTS)}")
    if done.act == "expire_tokens":
        account.memory.pop("tokens", None)
        return []
    if done.act in ("grant", "revoke"):
        return _rights(account, done)
    if done.act in ("deactivate", "activate"):
        return _users(account, done)
    if done.kind not in MODULES:
        raise Refused(f"no module {done.kind!r}; there are: {', '.join(MODULES)}")
    records = []
    for id in done.ids:
        record = account.store.get(done.kind, id)
        if record is None or record.state == GONE:
            raise Refused(f"no {done.kind}/{id}")
        records.append(record)
    changed: list[str] = []
    account.store.touched = changed
    try:
        for record in records:
            _one(account, done, record)
    finally:
        account.store.touched = None
    return list(dict.fromkeys(changed))


def _users(account: Account, done: Act) -> list[str]:
    if unknown := [id for id in done.ids if person(account, id) is None]:
        raise Refused(f"no user {', '.join(unknown)}")
    if user_id(account, 0) in done.ids:
        raise Refused("nobody deactivates the user of the token")
    left: set[str] = account.memory.setdefault("deactivated", set())
    (left.update if done.act == "deactivate" else left.difference_update)(done.ids)
    return []


def _rights(account: Account, done: Act) -> list[str]:
    revoke = done.act == "revoke"
    scope = done.fields.get("scope")
    if scope is not None:
        if scope not in SCOPES:
            raise Refused(f"no scope {scope!r}; there are: {', '.join(SCOPES)}")
        lost: set[str] = account.memory.setdefault("lost_scopes", set())
        (lost.add if revoke else lost.discard)(str(scope))
        return []
    field = done.fields.get("field")
    if field is not None:
        if done.kind not in MODULES or field not in fields_of(account, done.kind):
            raise Refused(f"{done.kind} has no field {field!r}")
        unshown: set[tuple[str, str]] = account.memory.setdefault("unshown", set())
        (unshown.add if revoke else unshown.discard)((done.kind, str(field)))
        return []
    right = str(done.fields.get("right", "*"))
    if right == "admin" or done.fields.get("admin"):
        account.memory["no_admin"] = revoke
        return []
    if not done.kind and right == "*":
        # The grant as a whole: its access tokens die, and no new ones come of it.
        account.memory["revoked"] = revoke
        account.memory.pop("tokens", None)
        return []
    if right not in RIGHTS:
        raise Refused(f"no right {right!r}; there are: admin, {', '.join(RIGHTS)}")
    if done.kind not in MODULES:
        raise Refused(f"no module {done.kind!r}")
    taken: set[tuple[str, str, str]] = account.memory.setdefault("denied", set())
    for id in done.ids or ("",):
        if revoke:
            taken.add((right, done.kind, id))
        else:
            taken.difference_update(
                [one for one in taken if one[1:] == (done.kind, id) and right in ("*", one[0])]
            )
    return []


def _one(account: Account, done: Act, record: Stored) -> None:
    by = user_id(account, 1)
    live = record.state == LIVE
    if done.act not in ("restore", "purge") and not live:
        raise Refused(f"{record.ref} is in the bin")
    if done.act in ("restore", "purge") and record.state != DELETED:
        raise Refused(f"{record.ref} is not in the bin")
    match done.act:
        case "restore":
            try:
                back(account, record, by)
            except RowDeny as no:
                raise Refused(f"{record.ref}: {no}") from None
        case "purge":
            purge(account, record)
        case "delete":
            to_bin(account, record, by, "crm_ui")
        case "edit":
            _edit(account, record, done.fields, by)
        case "lock":
            if account.switches["locking"] != "configured" or not MODULES[record.kind].lockable:
                raise Refused(f"{record.kind} have no record locking here")
            if not record.locked:
                automatic = bool(done.fields.get("automatic"))
                put_lock(account, record, by, "locked by a person", automatic)
                timeline(account, record, "locked", by, "crm_ui")
        case "unlock":
            record.meta.pop("lock", None)
            account.store.lock(record, False)
            timeline(account, record, "unlocked", by, "crm_ui")
        case "require_approval":
            record.meta["approval"] = "pending"
            account.store.change(record, {})
        case "approve" | "reject":
            if record.meta.pop("approval", None) is None:
                raise Refused(f"no approval runs for {record.ref}")
            account.store.change(record, {})
        case "merge":
            winner = account.store.get(record.kind, done.into or "")
            if winner is None or winner.state != LIVE or winner is record:
                raise Refused(f"into: no other live {record.kind}/{done.into}")
            merge(account, record, winner)


def _edit(account: Account, record: Stored, fields: Any, by: str) -> None:
    known = fields_of(account, record.kind)
    if unknown := set(fields) - set(known):
        raise Refused(f"{record.kind} has no {', '.join(sorted(unknown))}")
    try:
        values, _ = checked(account, record.kind, fields, False)
    except RowDeny as no:
        raise Refused(f"{record.ref}: {no.row}") from None
    stamps = {k: v for k, v in stamped(account, by).items() if k in known}
    account.store.change(record, {**values, **stamps})
    timeline(account, record, "updated", by, "crm_ui")
