"""The vendor on loopback: what a simulator's author writes, and the street that a request walks.

How to write a vendor's simulator
=================================
Subclass `VendorSimulator`, in `plugins/crm_bridge_<vendor>/simulator.py`:

    class AcmeSimulator(VendorSimulator):
        vendor = "acme"                      # as in the settings
        crm = "acme"                         # accounts are named acme and acme2
        states = ("live", "deleted", "gone") # listed in /__control__/state even at zero
        switches = {"bin_read": Switch("row", ("row", "error"))}     # UNCONFIRMED points

        def open(self, account): ...         # once: fresh org id and secrets into account.keys
        def seed(self, account): ...         # fill account.store from account.seed, account.records
        def account_of(self, call): ...      # which account a request is for (token), or None
        def describe(self, call): ...        # call.write and call.ids, from the request alone
        def handle(self, call): ...          # the vendor's API: a Call in, a Reply out
        def settings(self, account, url): .. # the [crms.<name>] table for --write-config
        def ui(self, account, act): ...      # what a person does; raise Refused for nonsense
        def vendor_set(self, kind): ...      # fields the vendor writes itself

`handle` is plain and synchronous: one request at a time, so no locks. `describe` runs first, for
requests that a fault will drop or refuse as well: it sets `call.write = True` for whatever could
change a record or a schema (never a token, query or read by POST), and `call.ids` to the ids that
the request names; `call.changed` is filled by the store. `call.account` is what `account_of` said,
maybe None: answer as the vendor does without a login. None from `handle` cuts the connection. Time
is `account.clock` only, never the machine's.

The two accounts share nothing: each has its store, clock, switches, faults, log, `keys` (made once
by `open`; a reset keeps them) and `memory` (a reset empties it; make things on demand with
`setdefault`). Where `account.limits` is False, rate limits and quotas are off.

Records: `account.store.plant(kind, {"live": 980, "deleted": 20}, make)` where `make()` yields
`Stored`, but only when the kind is first touched; counts are right before that. So ids must be
computable from an index (`id_of(kind, i)`), since children name parents that have not grown yet.
`crm_bridge.simulator.seed` has companies, people, deals and activities, awkward ones included.

Optional: `fields_of`, `links_of` (how a record is shown in /__control__/records), `refusal` (the
body of a fault's bare status), `fault_keys` with `fault` (faults of the vendor's own), `arrive` and
`leave` (around the latency, to see concurrency). What `handle` raises becomes a 500 with the
traceback.

In tests: `with serving(AcmeSimulator(records=50)) as url:` and then `requests` against `url`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, ClassVar

from crm_bridge.simulator.account import Account, Switch
from crm_bridge.simulator.act import Act, Refused
from crm_bridge.simulator.call import Call, Reply
from crm_bridge.simulator.control import CONTROL, control
from crm_bridge.simulator.faults import Fault
from crm_bridge.simulator.lifecycle import Link, Stored, iso

__all__ = ["Act", "Receive", "Refused", "Scope", "Send", "VendorSimulator"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class VendorSimulator:
    """A vendor's API with two accounts; see the guide at the top of this file."""

    vendor: ClassVar[str]
    crm: ClassVar[str]
    states: ClassVar[tuple[str, ...]] = ("live", "deleted", "gone")
    switches: ClassVar[Mapping[str, Switch]] = {}
    fault_keys: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, seed: int = 1, records: int = 1000, latency: float = 0.0, limits: bool = True
    ) -> None:
        self.latency = latency
        self.limits = limits
        names = (self.crm, f"{self.crm}2")
        self.accounts = [Account(name, i, self.switches, limits) for i, name in enumerate(names)]
        for account in self.accounts:
            self.open(account)
            self.begin(account, seed, records)

    def begin(self, account: Account, seed: int, records: int) -> None:
        """Start an account anew from a seed."""
        account.begin(seed, records)
        self.seed(account)

    def account(self, crm: str | None) -> Account | None:
        """The account of that name, the first where none is named."""
        if crm is None:
            return self.accounts[0]
        return next((account for account in self.accounts if account.crm == crm), None)

    # -- what an author owes ----------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the account's org id, keys and secrets: new at each start, kept over a reset."""

    def seed(self, account: Account) -> None:
        """Plant `account.records` records from `account.seed`; the same seed, the same records."""
        raise NotImplementedError

    def account_of(self, call: Call) -> Account | None:
        """The account that a request speaks for, or None; no refusal here, `handle` does that."""
        raise NotImplementedError

    def describe(self, call: Call) -> None:
        """Set `call.write` and `call.ids` from the request alone; checks nothing."""
        raise NotImplementedError

    def handle(self, call: Call) -> Reply | None:
        """Answer a request as the vendor does; None cuts the connection, the effect stands."""
        raise NotImplementedError

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """The account's table for crm_bridge.toml, with the vendor, environment and credentials."""
        raise NotImplementedError

    def ui(self, account: Account, act: Act) -> Iterable[str]:
        """Do what a person does; give the refs ("Kind/id") of what changed, or raise Refused."""
        raise Refused(f"{self.vendor} knows no act {act.act!r}")

    def vendor_set(self, kind: str) -> Iterable[str]:
        """The fields that the vendor writes itself."""
        return ()

    # -- what an author may add -------------------------------------------------------------------

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """The fields as /__control__/records shows them."""
        return record.fields

    def links_of(self, account: Account, record: Stored) -> Iterable[Link]:
        """The links as /__control__/records shows them."""
        return record.links

    def load(self, account: Account, kind: str, fields: Mapping[str, Any]) -> str | None:
        """Put a record there that no call of the vendor's makes; gives its id, None where it cannot.

        For a rehearsal, which needs what stands in the true account, however it came there.

        Args:
            account: The account.
            kind: The record's kind.
            fields: As a read of the true account gave them, lookups to what was loaded re-pointed.
        """
        return None

    def arrive(self, call: Call) -> None:
        """A request came in; its latency is still ahead."""

    def leave(self, call: Call) -> None:
        """A request that had arrived was answered or dropped."""

    def refusal(self, call: Call, status: int) -> Reply:
        """The answer of a fault that gives a status only, in the vendor's own shape."""
        return Reply.json({"status": status, "message": "fault"}, status)

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """Answer a fault that holds one of `fault_keys`; None goes on as if there were none.

        It stands in place of the effect, or with `after`: true takes the place of the answer only.
        """
        return None

    # -- the street -------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        call = await _received(scope, receive)
        if call.path.startswith(CONTROL):
            account = self.account(call.query("crm"))
            reply = control(self, account, call)
            await _send(send, reply, account or self.accounts[0])
            return
        # A request too broken to be read is still a request: `handle` refuses it in its own way.
        with suppress(Exception):
            call.account = self.account_of(call)
        with suppress(Exception):
            self.describe(call)
        account = call.account or self.accounts[0]
        at = account.clock.epoch()
        fault = account.faults.take(call)
        self.arrive(call)
        try:
            answer = await self._answer(call, fault)
        finally:
            self.leave(call)
        account = call.account or account
        account.note(
            {
                "at": iso(at),
                "crm": account.crm,
                "method": call.method,
                "path": call.path,
                "status": 0 if answer is None else answer.status,
                "write": call.write,
                "ids": call.ids,
                "changed": call.changed,
            }
        )
        if answer is None:
            scope["crm_bridge.cut"]()
            return
        await _send(send, answer, account)

    async def _answer(self, call: Call, fault: Fault | None) -> Reply | None:
        """What goes back, or None where the connection is to be cut."""
        if self.latency:
            await asyncio.sleep(self.latency)
        if fault is None:
            return self._handled(call)
        do = fault.do
        late = bool(do.get("after"))
        if "delay" in do and not late:
            await asyncio.sleep(float(do["delay"]))
        if do.get("drop") == "before":
            return None
        if "status" in do and not late and do.get("drop") != "after":
            return self._faulty(call, do)
        named = bool(self.fault_keys & set(do))
        if named and not late and (own := self.fault(call, do)) is not None:
            return own
        answer = self._handled(call)
        if named and late:
            answer = self.fault(call, do) or answer
        if "delay" in do and late:
            await asyncio.sleep(float(do["delay"]))
        if answer is None or do.get("drop") == "after":
            return None
        return self._faulty(call, do) if "status" in do or "body" in do else answer

    def _faulty(self, call: Call, do: Mapping[str, Any]) -> Reply:
        status = int(do.get("status", 200))
        if "body" in do:
            body = do["body"]
            if not isinstance(body, str):
                reply = Reply.json(body, status)
            elif body.lstrip().startswith("<"):
                reply = Reply.html(body, status)
            else:
                reply = Reply(status, body, "application/json")
        else:
            reply = self.refusal(call, status)
        if "retry_after" in do:
            reply.headers.append(("retry-after", str(do["retry_after"])))
        own = do.get("headers")
        for name, value in own.items() if isinstance(own, dict) else ():
            reply.headers.append((str(name).lower(), str(value)))
        return reply

    def _handled(self, call: Call) -> Reply | None:
        # Every account's store reports here, as `handle` may learn the account late.
        for account in self.accounts:
            account.store.touched = call.changed
        try:
            return self.handle(call)
        except Exception:
            return Reply(500, traceback.format_exc(), "text/plain")
        finally:
            for account in self.accounts:
                account.store.touched = None


async def _received(scope: Scope, receive: Receive) -> Call:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    return Call(
        scope["method"],
        scope["path"],
        scope["query_string"].decode("latin-1"),
        headers,
        b"".join(chunks),
    )


async def _send(send: Send, reply: Reply, account: Account) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers]
    headers.append((b"date", account.clock.http_date().encode()))
    body = reply.body
    if isinstance(body, bytes):
        if reply.status != 204:
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if reply.status == 204 else body})
        return
    assert not isinstance(body, str)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})
