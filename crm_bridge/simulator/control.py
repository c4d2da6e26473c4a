"""The routes under /__control__/: look at the truth, turn the clock, set switches and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from crm_bridge.simulator.account import Account
from crm_bridge.simulator.act import Act, Refused
from crm_bridge.simulator.call import Call, Reply
from crm_bridge.simulator.faults import Fault
from crm_bridge.simulator.lifecycle import GONE, Stored, iso, parse_duration, parse_moment

if TYPE_CHECKING:
    from crm_bridge.simulator.server import VendorSimulator

CONTROL = "/__control__/"

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_LINES = "application/x-ndjson"
_CHUNK = 500


class _Wrong(Exception):
    """The request cannot be understood."""


def control(simulator: VendorSimulator, account: Account | None, call: Call) -> Reply:
    """Answer a control request."""
    if account is None:
        names = ", ".join(a.crm for a in simulator.accounts)
        return _error(404, f"no crm {call.query('crm')!r} here; there are: {names}")
    name = call.path.removeprefix(CONTROL).strip("/")
    methods = _ROUTES.get(name)
    if methods is None:
        return _error(404, f"no route {call.path}; there are: {', '.join(_ROUTES)}")
    route = methods.get(call.method)
    if route is None:
        return _error(405, f"{call.path} takes {', '.join(methods)}")
    try:
        return route(simulator, account, call)
    except (_Wrong, Refused) as error:
        return _error(400, str(error))


def _error(status: int, text: str) -> Reply:
    return Reply.json({"error": text}, status)


def _body(call: Call) -> dict[str, Any]:
    try:
        data = call.json
    except ValueError as error:
        raise _Wrong(f"not JSON: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _Wrong("a JSON object is needed")
    return data


def _number(data: dict[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Wrong(f"{name} is a whole number, not {value!r}")
    return value


def _state(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    kinds = {
        kind: dict.fromkeys(simulator.states, 0) | counts
        for kind, counts in account.store.counts().items()
    }
    return Reply.json({"crm": account.crm, "now": account.clock.iso(), "kinds": kinds})


def _shown(simulator: VendorSimulator, account: Account, record: Stored) -> dict[str, Any]:
    gone = record.state == GONE
    fields = {} if gone else simulator.fields_of(account, record)
    links = () if gone else simulator.links_of(account, record)
    return {
        "kind": record.kind,
        "id": record.id,
        "state": record.state,
        # `in` would take 0 and False for empty by equality with nothing here, but a list is no key.
        "fields": {name: value for name, value in fields.items() if value not in _EMPTY},
        "links": [
            {"name": link.name, "kind": link.kind, "id": link.id, "label": link.label}
            for link in links
        ],
        "changed_at": iso(record.changed_at),
        "locked": record.locked,
        "merged_into": record.merged_into,
        "vendor_set": list(simulator.vendor_set(record.kind)),
    }


def _records(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    kind = call.query("kind") or None
    state = call.query("state") or None
    kinds = account.store.kinds()
    if kind is not None:
        if kind not in kinds:
            raise _Wrong(f"no kind {kind!r}; there are: {', '.join(kinds)}")
        kinds = [kind]

    def lines() -> Iterator[bytes]:
        page: list[bytes] = []
        for each in kinds:
            for record in account.store.of(each, *((state,) if state else ())):
                page.append(msgspec.json.encode(_shown(simulator, account, record)))
                if len(page) == _CHUNK:
                    yield b"\n".join(page) + b"\n"
                    page.clear()
        if page:
            yield b"\n".join(page) + b"\n"

    return Reply(200, lines(), _LINES)


def _log(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    try:
        since = int(call.query("since") or 0)
    except ValueError as error:
        raise _Wrong("since is a number") from error
    # Lines are numbered without gaps, also over a reset, so the place follows from the number.
    first = account.log[0]["n"] if account.log else 1
    lines = [msgspec.json.encode(e) + b"\n" for e in account.log[max(0, since - first + 1) :]]
    return Reply(200, b"".join(lines), _LINES)


def _clock(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    data = _body(call)
    try:
        if set(data) == {"advance"}:
            account.clock.advance(parse_duration(str(data["advance"])))
        elif set(data) == {"set"}:
            account.clock.set(parse_moment(str(data["set"])))
        elif data or call.method == "POST":
            raise _Wrong('the clock takes {"advance": "91d"} or {"set": ISO 8601}')
    except ValueError as error:
        raise _Wrong(str(error)) from error
    return Reply.json({"now": account.clock.iso()})


def _faults(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    if call.method == "DELETE":
        account.faults.clear()
    elif call.method == "POST":
        data = _body(call)
        if data == {"clear": True}:
            account.faults.clear()
        else:
            try:
                account.faults.add(Fault(data, simulator.fault_keys))
            except ValueError as error:
                raise _Wrong(str(error)) from error
    return Reply.json({"faults": account.faults.shown()})


def _switches(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    data = _body(call) if call.method == "POST" else {}
    for name, value in data.items():
        switch = simulator.switches.get(name)
        if switch is None:
            known = ", ".join(simulator.switches) or "none"
            raise _Wrong(f"no switch {name!r}; there are: {known}")
        if refusal := switch.refusal(value):
            raise _Wrong(f"{name}: {refusal}")
    account.switches.update(data)
    return Reply.json(account.switches)


def _reset(simulator: VendorSimulator, account: Account, call: Call) -> Reply:
    data = _body(call)
    seed = _number(data, "seed", account.seed)
    records = _number(data, "records", account.records)
    simulator.begin(account, seed, records)
    return Reply.json({"seed": seed, "records": records})


def _ui(simulator: VendorSimulator, account: Account, call: Call) -> Reply:

    data = _body(call)
    if unknown := set(data) - {"act", "kind", "ids", "fields", "into"}:
        raise _Wrong(f"unknown key: {', '.join(sorted(unknown))}")
    ids, fields, into = data.get("ids") or [], data.get("fields") or {}, data.get("into")
    if not isinstance(data.get("act"), str):
        raise _Wrong("act is missing")
    if not isinstance(ids, list) or not isinstance(fields, dict):
        raise _Wrong("ids is a list, fields an object")
    act = Act(
        data["act"],
        str(data.get("kind") or ""),
        tuple(str(id) for id in ids),
        fields,
        None if into is None else str(into),
    )
    return Reply.json({"act": act.act, "changed": list(simulator.ui(account, act))})


_Route = Callable[["VendorSimulator", Account, Call], Reply]
_ROUTES: dict[str, dict[str, _Route]] = {
    "state": {"GET": _state},
    "records": {"GET": _records},
    "log": {"GET": _log},
    "clock": {"GET": _clock, "POST": _clock},
    "faults": {"GET": _faults, "POST": _faults, "DELETE": _faults},
    "switches": {"GET": _switches, "POST": _switches},
    "reset": {"POST": _reset},
    "ui": {"POST": _ui},
}
