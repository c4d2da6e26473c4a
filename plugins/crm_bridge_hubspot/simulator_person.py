"""What a person does in HubSpot's own pages: the only way back from the recycling bin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from crm_bridge.simulator import Account, Act, Refused, Stored
from crm_bridge_hubspot.kinds import object_type
from crm_bridge_hubspot.simulator_life import (
    archive,
    bring_back,
    emails_of,
    holder_of,
    merge,
    purge,
    restorable,
    write,
)
from crm_bridge_hubspot.simulator_limits import TIERS, left_today, use
from crm_bridge_hubspot.simulator_login import ALL_SCOPES, SECURITY, scopes_of
from crm_bridge_hubspot.simulator_portal import BINNED, LIVE, kind_of, properties_of
from crm_bridge_hubspot.simulator_wire import Deny

AT_A_TIME: Final = 10_000
"""Records that the bin's page shows and restores at a time."""


def act(account: Account, done: Act) -> Iterable[str]:
    """Do what a person does; gives the refs of what changed.

    Raises:
        Refused: The page would not let them, or there is no such act.
    """
    if done.act in _OF_PORTAL:
        _OF_PORTAL[done.act](account, done)
        return []
    if done.act not in _OF_RECORDS:
        known = ", ".join(sorted((*_OF_PORTAL, *_OF_RECORDS)))
        raise Refused(f"HubSpot knows no act {done.act!r}; there are: {known}")
    try:
        kind = kind_of(account, done.kind)
    except Deny as error:
        raise Refused(str(error)) from None
    records = [_found(account, kind, id) for id in done.ids]
    changed: list[str] = []
    account.store.touched = changed
    try:
        _OF_RECORDS[done.act](account, done, records)
    except Deny as error:
        raise Refused(str(error)) from None
    finally:
        account.store.touched = None
    return list(dict.fromkeys(changed))


def _found(account: Account, kind: str, id: str) -> Stored:
    record = account.store.get(kind, id)
    if record is None or record.state not in (LIVE, BINNED):
        raise Refused(f"no {kind}/{id} is shown anywhere")
    return record


# -- on records -----------------------------------------------------------------------------------


def _restore(account: Account, done: Act, records: list[Stored]) -> None:
    if len(records) > AT_A_TIME:
        raise Refused(f"the bin restores {AT_A_TIME} records at a time")
    # Two of one e-mail stop each other as well.
    wanted: dict[str, str] = {}
    for record in records:
        if record.state != BINNED:
            raise Refused(f"{record.ref} is not in the recycling bin")
        if not restorable(account, record):
            raise Refused(f"{record.ref} was deleted more than 90 days ago")
        for email in emails_of(record) if record.kind == "contacts" else ():
            holder = holder_of(account, email)
            if holder is not None or wanted.setdefault(email, record.id) != record.id:
                by = holder.ref if holder else wanted[email]
                raise Refused(f"an active contact, {by}, uses the e-mail of {record.ref}")
    for record in records:
        bring_back(account, record)


def _delete(account: Account, done: Act, records: list[Stored]) -> None:
    for record in records:
        archive(account, record)


def _purge(account: Account, done: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state == LIVE and record.kind != "contacts":
            raise Refused(f"{record.ref} must lie in the recycling bin first")
        purge(account, record)


def _edit(account: Account, done: Act, records: list[Stored]) -> None:
    for record in records:
        known = properties_of(account, record.kind)
        unknown = sorted(name for name in done.fields if name not in known)
        if unknown or record.state != LIVE:
            raise Refused(f"{record.ref} has no field {unknown} that can be edited")
        values = {n: None if v in (None, "") else str(v) for n, v in done.fields.items()}
        write(account, record, values)


def _merge(account: Account, done: Act, records: list[Stored]) -> None:
    for record in records:
        primary = account.store.get(record.kind, done.into or "")
        while primary is not None and primary.merged_into:
            primary = account.store.get(record.kind, primary.merged_into)
        if primary is None or primary is record or {primary.state, record.state} != {LIVE}:
            raise Refused(f"{record.ref} cannot be merged into {done.into!r}")
        merge(account, primary, record)


_OF_RECORDS: Final[dict[str, Callable[[Account, Act, list[Stored]], None]]] = {
    "restore": _restore,
    "delete": _delete,
    "purge": _purge,
    "edit": _edit,
    "merge": _merge,
}

# -- on the portal --------------------------------------------------------------------------------


def _scopes(account: Account, done: Act) -> set[str]:
    """The scopes that are named; of a kind those to write it, or to read it."""
    named = done.fields.get("scopes", done.fields.get("scope"))
    wanted = {*done.ids, *([named] if isinstance(named, str) else named or ())}
    if not wanted and done.kind:
        try:
            one = object_type(kind_of(account, done.kind))
        except Deny as error:
            raise Refused(str(error)) from None
        wanted.update(one.read if done.fields.get("right") == "read" else one.write)
    return wanted


def _grant(account: Account, done: Act) -> None:
    wanted = _scopes(account, done)
    if not wanted:
        account.memory.pop("revoked", None)
        return
    unknown = wanted - ALL_SCOPES - {SECURITY}
    if unknown:
        raise Refused(f"no scope {', '.join(sorted(unknown))}")
    account.memory["scopes"] = scopes_of(account) | wanted


def _revoke(account: Account, done: Act) -> None:
    wanted = _scopes(account, done)
    if not wanted:
        account.memory["revoked"] = True
        return
    unknown = wanted - scopes_of(account)
    if unknown:
        raise Refused(f"the token has no scope {', '.join(sorted(unknown))}")
    account.memory["scopes"] = scopes_of(account) - wanted


def _rule(account: Account, done: Act) -> None:
    """Require properties of a kind; holds for writes of the newest version only."""
    try:
        kind = kind_of(account, done.kind)
    except Deny as error:
        raise Refused(str(error)) from None
    required = done.fields.get("required")
    if not isinstance(required, list) or set(required) - set(properties_of(account, kind)):
        raise Refused("a rule names required properties of its kind")
    account.memory.setdefault("rules", {})[kind] = tuple(required)


def _quota(account: Account, done: Act) -> None:
    """Leave so many calls of today, as if other apps had used the rest."""
    left: Any = done.fields.get("left")
    if not isinstance(left, int) or isinstance(left, bool) or left < 0:
        raise Refused("quota takes fields.left, a number of calls")
    use(account, left_today(account) - left)


def _tier(account: Account, done: Act) -> None:
    """Buy the portal another edition, with its rates."""
    if done.fields.get("tier") not in TIERS:
        raise Refused(f"no tier {done.fields.get('tier')!r}; there are: {', '.join(TIERS)}")
    account.memory["tier"] = done.fields["tier"]


def _close(account: Account, done: Act) -> None:
    """Close the portal: its tokens die, and OAuth knows it no more."""
    account.memory["revoked"] = account.memory["portal_gone"] = True
    account.memory.pop("access", None)


def _account_type(account: Account, done: Act) -> None:
    """Say of which type the portal is."""
    type = done.fields.get("type")
    if type not in ("STANDARD", "DEVELOPER_TEST", "SANDBOX", "APP_DEVELOPER"):
        raise Refused(f"no account type {type!r}")
    account.memory["account_type"] = type


_OF_PORTAL: Final[dict[str, Callable[[Account, Act], None]]] = {
    "grant": _grant,
    "revoke": _revoke,
    "rule": _rule,
    "quota": _quota,
    "account_type": _account_type,
    "tier": _tier,
    "close": _close,
}
