"""What a person does in Zoho's pages, or another program beside us: played through the control route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crm_bridge.simulator import Account, Act, Refused, Stored
from crm_bridge_zoho.simulator_life import merge, out_of_bin, purge, to_bin
from crm_bridge_zoho.simulator_modules import MODULES
from crm_bridge_zoho.simulator_org import DELETED, LIVE, fields_of, stamped, timeline, user_id
from crm_bridge_zoho.simulator_related import put_lock
from crm_bridge_zoho.simulator_values import checked
from crm_bridge_zoho.simulator_wire import RowDeny


def play(account: Account, act: Act) -> Iterator[str]:
    """Do it; gives the refs of what changed.

    Raises:
        Refused: Nobody can do that.
    """
    if act.act in ("grant", "revoke"):
        yield from _rights(account, act)
        return
    do = _ACTS.get(act.act)
    if do is None:
        raise Refused(f"nobody here can {act.act!r}; there are {', '.join((*_ACTS, 'grant'))}")
    if act.kind not in MODULES:
        raise Refused(f"there is no module {act.kind!r}")
    for id in act.ids:
        record = account.store.get(act.kind, id)
        if record is None:
            raise Refused(f"there is no {act.kind}/{id}")
        try:
            do(account, act, record)
        except RowDeny as error:
            raise Refused(str(error.row)) from None
        yield record.ref


def _rights(account: Account, act: Act) -> Iterator[str]:
    """Give or take rights: of a scope (`fields.scope`), on a module or its records, or of the admin."""
    take = act.act == "revoke"
    scope = act.fields.get("scope")
    if scope:
        lost = set(account.memory.get("lost_scopes", ()))
        account.memory["lost_scopes"] = (lost | {scope}) if take else (lost - {scope})
        return
    if act.fields.get("admin"):
        account.memory["no_admin"] = take
        return
    if not act.kind:
        # The grant itself: its tokens die, and the refresh token is refused.
        if take:
            account.memory["tokens"] = {}
        return
    taken: set[tuple[str, str, str]] = account.memory.setdefault("denied", set())
    rights = [act.fields["right"]] if "right" in act.fields else ["*"]
    for right in rights:
        for id in act.ids or ("",):
            (taken.add if take else taken.discard)((right, act.kind, id))
            if id:
                yield f"{act.kind}/{id}"


def _need(record: Stored, state: str) -> None:
    if record.state != state:
        raise Refused(f"{record.ref} is {record.state}, not {state}")


def _restore(account: Account, act: Act, record: Stored) -> None:
    _need(record, DELETED)
    out_of_bin(account, record, user_id(account, 0))


def _delete(account: Account, act: Act, record: Stored) -> None:
    _need(record, LIVE)
    to_bin(account, record, user_id(account, 1), "web")


def _purge(account: Account, act: Act, record: Stored) -> None:
    _need(record, DELETED)
    purge(account, record)


def _edit(account: Account, act: Act, record: Stored) -> None:
    _need(record, LIVE)
    fields: dict[str, Any] = dict(act.fields)
    known = fields_of(account, record.kind)
    if unknown := sorted(set(fields) - set(known)):
        raise Refused(f"{record.kind} has no field {', '.join(unknown)}")
    plain, _ = checked(account, record.kind, fields, False)
    account.store.change(record, {**plain, **stamped(account, user_id(account, 1))})
    timeline(account, record, "updated", user_id(account, 1), "web")


def _lock(account: Account, act: Act, record: Stored) -> None:
    _need(record, LIVE)
    put_lock(account, record, user_id(account, 1), act.fields.get("reason"))


def _unlock(account: Account, act: Act, record: Stored) -> None:
    record.meta.pop("lock", None)
    account.store.lock(record, False)


def _require(account: Account, act: Act, record: Stored) -> None:
    _need(record, LIVE)
    record.meta["approval"] = "pending"


def _approve(account: Account, act: Act, record: Stored) -> None:
    record.meta.pop("approval", None)


def _merge(account: Account, act: Act, record: Stored) -> None:
    winner = account.store.get(act.kind, act.into or "")
    if winner is None or winner.state != LIVE or winner is record:
        raise Refused(f"{act.kind}/{act.into} cannot take {record.ref} in")
    _need(record, LIVE)
    merge(account, record, winner)


_ACTS: dict[str, Callable[[Account, Act, Stored], None]] = {
    "restore": _restore,
    "delete": _delete,
    "purge": _purge,
    "edit": _edit,
    "lock": _lock,
    "unlock": _unlock,
    "require_approval": _require,
    "approve": _approve,
    "reject": _approve,
    "merge": _merge,
}
