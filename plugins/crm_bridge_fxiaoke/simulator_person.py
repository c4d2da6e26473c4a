"""What a person with every right does in the vendor's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crm_bridge.simulator import Account, Act, Refused, Stored
from crm_bridge_fxiaoke.simulator_life import (
    bring_back,
    end_approval,
    remove_for_good,
    set_lock,
    void,
)
from crm_bridge_fxiaoke.simulator_objects import (
    FIELDS,
    GONE,
    LIVE,
    OBJECTS,
    PENDING,
    REFERRERS,
    VISIBLE,
    VOIDED,
)
from crm_bridge_fxiaoke.simulator_rights import RIGHT_WORDS, RIGHTS
from crm_bridge_fxiaoke.simulator_seed import USERS
from crm_bridge_fxiaoke.simulator_values import stamp


def act_of_person(account: Account, act: Act) -> Iterable[str]:
    """Act as a person with every right does in the vendor's pages; give what changed."""
    if act.act in ("grant", "revoke"):
        return _rights(account, act)
    if act.act == "stop":
        return _stop(account, act)
    if act.kind not in OBJECTS:
        raise Refused(f"no object {act.kind!r}; there are: {', '.join(OBJECTS)}")
    if act.act == "require_approval":
        asks: set[str] = account.memory.setdefault("approvals_for", set())
        names = {f"{act.kind}/{id}" for id in act.ids} or {act.kind}
        if act.fields.get("required", True) is False:
            asks.difference_update(names)
        else:
            asks.update(names)
        return []
    if act.act == "drop_option":
        return _drop_options(account, act)
    records = []
    for id in act.ids:
        record = account.store.get(act.kind, id)
        if record is None or record.state == GONE:
            raise Refused(f"no {act.kind}/{id}")
        records.append(record)
    does = _ACTS.get(act.act)
    if does is None:
        raise Refused(f"fxiaoke knows no act {act.act!r}; it knows: {', '.join(_ACTS)}")
    changed: list[str] = []
    account.store.touched = changed
    try:
        does(account, act, records)
    finally:
        account.store.touched = None
    return list(dict.fromkeys(changed))


def _stop(account: Account, act: Act) -> list[str]:
    """Stop employees (停用)."""
    known = {user for user, _, _ in USERS}
    if unknown := set(act.ids) - known:
        raise Refused(f"no employee {', '.join(sorted(unknown))}")
    account.memory.setdefault("stopped", set()).update(act.ids)
    return []


def _drop_options(account: Account, act: Act) -> list[str]:
    """Take an option off a list: the field is named, with the value that goes."""
    known = FIELDS[act.kind]
    for name, value in act.fields.items():
        if name not in known or value not in {option for option, _ in known[name].options}:
            raise Refused(f"{act.kind}.{name} has no option {value!r}")
        account.memory.setdefault("dropped_options", set()).add((act.kind, name, value))
    return []


def _rights(account: Account, act: Act) -> list[str]:
    given = str(act.fields.get("right", "*"))
    right = RIGHT_WORDS.get(given, given)
    if right != "*" and right not in RIGHTS:
        raise Refused(f"no right {given!r}; there are: {', '.join(RIGHTS)}")
    revoked: set[tuple[str, str, str]] = account.memory.setdefault("revoked", set())
    marks = {(right, act.kind, id) for id in act.ids or ("",)}
    if act.act == "revoke":
        revoked.update(marks)
    elif right == "*":
        ids = set(act.ids or ("",))
        gone = {m for m in revoked if m[1] == act.kind and m[2] in ids}
        revoked.difference_update(gone)
    else:
        revoked.difference_update(marks)
    return []


def _restore(account: Account, act: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state != VOIDED:
            raise Refused(f"{record.ref} is not voided")
        bring_back(account, "1000", record)


def _void(account: Account, act: Act, records: list[Stored]) -> None:
    for record in records:
        if record.state == LIVE:
            void(account, "1000", record, None)


def _delete(account: Account, act: Act, records: list[Stored]) -> None:
    for record in records:
        remove_for_good(account, record)


def _approve(account: Account, act: Act, records: list[Stored]) -> None:
    _decide(account, records, "pass")


def _reject(account: Account, act: Act, records: list[Stored]) -> None:
    _decide(account, records, "reject")


def _decide(account: Account, records: list[Stored], state: str) -> None:
    for record in records:
        if record.state != PENDING:
            raise Refused(f"no approval runs for {record.ref}")
        end_approval(account, "1000", record, state)


def _edit(account: Account, act: Act, records: list[Stored]) -> None:
    known = FIELDS[act.kind]
    if unknown := set(act.fields) - set(known):
        raise Refused(f"{act.kind} has no {', '.join(sorted(unknown))}")
    for record in records:
        stamp(account, "1001", record, act.fields)


def _lock(account: Account, act: Act, records: list[Stored]) -> None:
    for record in records:
        set_lock(account, "1001", record, True, False)


def _unlock(account: Account, act: Act, records: list[Stored]) -> None:
    for record in records:
        set_lock(account, "1001", record, False, False)


def _merge(account: Account, act: Act, records: list[Stored]) -> None:
    """The ones merged away are voided; who looked up to them looks up to the one that stays."""
    winner = account.store.get(act.kind, act.into or "")
    if winner is None or winner.state != LIVE:
        raise Refused(f"into: no live {act.kind}/{act.into}")
    for record in records:
        if record is winner:
            continue
        if record.state != LIVE:
            raise Refused(f"{record.ref} cannot be merged away")
        for child, field in REFERRERS[act.kind]:
            for other in account.store.where(child, field.name, record.id, *VISIBLE):
                account.store.change(other, {field.name: winner.id})
        void(account, "1001", record, None)
        record.merged_into = winner.id


_ACTS: dict[str, Callable[[Account, Act, list[Stored]], None]] = {
    "restore": _restore,
    "void": _void,
    "delete": _delete,
    "approve": _approve,
    "reject": _reject,
    "edit": _edit,
    "lock": _lock,
    "unlock": _unlock,
    "merge": _merge,
}
