"""Zoho CRM as it answers, on loopback: accounts server, records, bin, metadata, limits.

The parts by subject: `simulator_routes` the map of the API, `simulator_accounts` tokens,
`simulator_limits` credits, `simulator_modules` and `simulator_metadata` what there is,
`simulator_seed` what it begins with, `simulator_reads`, `simulator_writes`, `simulator_related`,
`simulator_coql` and `simulator_bin` the calls, `simulator_life` what follows and comes back,
`simulator_person` what a person does. What Zoho does not document is a switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from crm_bridge.simulator import (
    Account,
    Act,
    Call,
    Link,
    Reply,
    Stored,
    Switch,
    VendorSimulator,
)
from crm_bridge_zoho import simulator_accounts as accounts
from crm_bridge_zoho.simulator_bin import run_scheduled
from crm_bridge_zoho.simulator_life import sweep
from crm_bridge_zoho.simulator_limits import EDITIONS, Flight, left, spend
from crm_bridge_zoho.simulator_modules import MODULES, VENDOR_SET
from crm_bridge_zoho.simulator_org import user_id
from crm_bridge_zoho.simulator_person import act
from crm_bridge_zoho.simulator_related import attached
from crm_bridge_zoho.simulator_routes import Route, routed
from crm_bridge_zoho.simulator_seed import Seeds
from crm_bridge_zoho.simulator_shape import links, truth
from crm_bridge_zoho.simulator_wire import (
    MESSAGES,
    STATUSES,
    VERSIONS,
    Asked,
    Deny,
    RowDeny,
    entry,
    exact_body,
    reply,
)

_PREFIX = "/crm/"


class ZohoSimulator(VendorSimulator):
    """Zoho CRM on loopback: zoho and zoho2, two organisations in one data centre."""

    vendor = "zoho"
    crm = "zoho"
    switches: ClassVar[Mapping[str, Switch]] = {
        "lookup_policy": Switch(
            "null", ("null", "keep", "cascade"), "lookups to a deleted record: read empty, stay, go"
        ),
        "lookup_return": Switch(True, (True, False), "lookups read filled again after a restore"),
        "activities": Switch("stay", ("stay", "follow"), "tasks, events, calls of a deleted one"),
        "linking_rows": Switch("stay", ("stay", "follow"), "rows of multi-select lookups"),
        "parent_rule": Switch(
            "owned", ("owned", "lookups"), "whose binned parent keeps a record from coming back"
        ),
        "restore_brings": Switch(
            "with_it", ("with_it", "all"), "what a parent brings back: what went with it, or all"
        ),
        "restore_touches": Switch(False, (True, False), "whether a restore moves Modified_Time"),
        "restore_conflict": Switch("refuse", ("refuse", "allow"), "a unique value taken meanwhile"),
        "restore_at_once": Switch(1000, (1000, 0), "records that a restore brings back at once"),
        "scheduled_looks": Switch(2, (), "looks at the bin until a scheduled restore has ended"),
        "filter_error_status": Switch(400, (400, 403), "status of a wrong filter of the bin"),
        "rows_order": Switch("request", ("request", "reversed"), "the order of rows of a delete"),
        "v2_mixed_status": Switch(207, (207, 200), "what version 2 answers to a mixed delete"),
        "wf_trigger_on_v8": Switch("honoured", ("honoured", "ignored"), "wf_trigger in version 8"),
        "read_ids": Switch(100, (100, 200), "ids that one read takes"),
        "coql_rows": Switch(200, (200, 2000), "rows that one query gives"),
        "coql_values": Switch(100, (100, 50), "values that one `in` of a query takes"),
        "coql_length": Switch(0, (0, 4000), "characters that a query may have; 0: any number"),
        "coql_in": Switch(
            "all", ("all", "first", "refused"), "`in` on a lookup to several modules"
        ),
        "coql_case": Switch("ignored", ("ignored", "exact"), "case of text in queries"),
        "unknown_field": Switch("drop", ("drop", "refuse"), "a field that the module has not"),
        "deleted_304": Switch(False, (True, False), "304 for a list of deleted ones, or 204"),
        "timeline_in_bin": Switch(False, (True, False), "the history of a binned record is shown"),
        "token_code": Switch("INVALID_TOKEN", ("INVALID_TOKEN", "INVALID_OAUTHTOKEN")),
        "oauth_error_status": Switch(200, (200, 400), "status of errors of the accounts server"),
        "throttle_status": Switch(400, (400, 200), "status of the accounts server's throttle"),
        "locking": Switch("configured", ("configured", "not_configured", "not_supported")),
        "edition": Switch("Enterprise", tuple(EDITIONS), "credits and calls at one time"),
        "credits": Switch(0, (), "credits of a day; 0: by the edition"),
        "org_type": Switch("production", ("production", "sandbox", "developer"), "org.type"),
        "marker_field": Switch(True, (True, False), "whether the marker field exists"),
    }
    fault_keys = frozenset({"code", "message", "details", "fail_rows", "row_code"})

    def __init__(
        self, seed: int = 1, records: int = 1000, latency: float = 0.0, limits: bool = True
    ) -> None:
        self._issued: dict[str, Account] = {}
        self._flight = Flight()
        super().__init__(seed, records, latency, limits)

    # -- accounts ---------------------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the organisation's id, its client and its refresh token."""
        accounts.open_keys(account)

    def seed(self, account: Account) -> None:
        """Plant the records."""
        Seeds(account).plant()
        account.store.declare("Emails")

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """The table for crm_bridge.toml."""
        keys = account.keys
        return {
            "vendor": self.vendor,
            "environment": "simulator",
            "base_url": url,
            "accounts_url": url,
            "client_id": keys["client_id"],
            "client_secret": keys["client_secret"],
            "refresh_token": keys["refresh_token"],
        }

    def load(self, account: Account, kind: str, fields: Mapping[str, Any]) -> str | None:
        """An attachment: uploads make those, and the adapter keeps no files."""
        return attached(account, fields) if kind == "Attachments" else None

    def vendor_set(self, kind: str) -> Iterable[str]:
        """The fields that Zoho writes itself."""
        return VENDOR_SET

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """The fields as GET of one record shows them, without `id` and `$` keys."""
        return truth(account, record)

    def links_of(self, account: Account, record: Stored) -> Iterable[Link]:
        """The lookups."""
        return links(account, record)

    def ui(self, account: Account, act_: Act) -> Iterable[str]:
        """Act as a person does in Zoho's pages."""
        return act(account, act_)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Purge what has lain its 60 days in a bin, by the account's clock, then serve."""
        for account in self.accounts:
            sweep(account)
        await super().__call__(scope, receive, send)

    # -- the door ---------------------------------------------------------------------------------

    def account_of(self, call: Call) -> Account | None:
        """By the token, also a dead one; for a token call by the client's id."""
        if call.path == accounts.TOKEN_PATH:
            id = accounts.form(call).get("client_id")
            return next((a for a in self.accounts if a.keys["client_id"] == id), None)
        return self._issued.get(_token(call))

    def describe(self, call: Call) -> None:
        """Which calls write, and which ids they name."""
        route, parts = self._route(call)
        if not isinstance(route, Route):
            return
        call.write = route.write
        call.ids += [part for part in parts[1:] if part.isdigit() and len(part) > 15]
        call.ids += [one for one in (call.query("ids") or "").split(",") if one]
        if call.method in ("POST", "PUT") and call.body:
            with suppress(Deny):
                body = exact_body(call)
                named = body.get("ids")
                if isinstance(named, list):
                    call.ids += [str(id) for id in named]
                rows = body.get("data")
                if isinstance(rows, list):
                    call.ids += [str(r["id"]) for r in rows if isinstance(r, dict) and "id" in r]

    @staticmethod
    def _route(call: Call) -> tuple[Route | str, list[str]]:
        parts = call.path.removeprefix(_PREFIX).strip("/").split("/")
        version = VERSIONS.get(parts[0])
        if not call.path.startswith(_PREFIX) or version is None or len(parts) < 2:
            return "INVALID_URL_PATTERN", []
        return routed(call.method, parts[1:], version), parts[1:]

    def arrive(self, call: Call) -> None:
        """Count the calls under way; those that write more than ten records apart."""
        if call.account is not None and call.path.startswith(_PREFIX):
            route, _ = self._route(call)
            heavy = isinstance(route, Route) and route.heavy and len(_rows(call)) > 10
            self._flight.begin(call.account, call, heavy)

    def leave(self, call: Call) -> None:
        """Forget a call that was answered."""
        for account in self.accounts:
            self._flight.end(account, call)

    def handle(self, call: Call) -> Reply | None:
        """Answer a call."""
        if call.path == accounts.TOKEN_PATH:
            return accounts.token(call, call.account, self._issued)
        account = call.account
        try:
            answer = self._answered(call)
        except Deny as no:
            answer = reply(no.body, no.status)
        except RowDeny as no:
            answer = reply({"data": [no.row]}, 400)
        if account is not None:
            account.memory.pop("fail_rows", None)
            remaining = left(account)
            if remaining is not None:
                answer.headers.append(("x-api-credits-remaining", str(remaining)))
        return answer

    def _answered(self, call: Call) -> Reply:
        given = call.headers.get("authorization", "")
        account = call.account
        if not given.strip():
            raise Deny("AUTHENTICATION_FAILURE")
        alive = account is not None and accounts.is_alive(account, _token(call))
        if account is None or not alive or not given.startswith("Zoho-oauthtoken "):
            raise Deny(str((account or self.accounts[0]).switches["token_code"]))
        self._flight.check(account, call)
        route, parts = self._route(call)
        if isinstance(route, str):
            raise Deny(route)
        version = VERSIONS[call.path.removeprefix(_PREFIX).split("/")[0]]
        held = accounts.scopes_of(account)
        if "{M}" in route.path and parts[0] not in MODULES:
            raise Deny("INVALID_MODULE", details={"resource_path_index": 0})
        if not route.allowed(parts, held):
            raise Deny("OAUTH_SCOPE_MISMATCH")
        asked = Asked(account, call, version, parts, user_id(account, 0), held)
        asked.cost = _cost(route, call)
        spend(account, asked.cost)
        spent = asked.cost
        answer = route.do(asked)
        if asked.cost > spent:
            with suppress(Deny):
                spend(account, asked.cost - spent)
        run = account.memory.get("restores")
        if run and call.write:
            # Scheduled work goes on whether or not anybody looks at the bin.
            _hurry(account)
        return answer

    # -- faults -----------------------------------------------------------------------------------

    def refusal(self, call: Call, status: int) -> Reply:
        """The answer of a fault that gives a status only."""
        if call.path == accounts.TOKEN_PATH:
            return accounts.refused(status)
        if status in (502, 503, 504):
            page = f"<html><head><title>{status}</title></head><body>Zoho</body></html>"
            return Reply.html(page, status)
        codes = {
            400: "INVALID_DATA",
            401: "INVALID_TOKEN",
            403: "NO_PERMISSION",
            404: "INVALID_URL_PATTERN",
            429: "TOO_MANY_REQUESTS",
        }
        code = codes.get(status, "INTERNAL_ERROR")
        return reply(entry(code, MESSAGES.get(code, "invalid data")), status)

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """`{"code": "INVALID_HOST"}` refuses the call with that code.

        `{"fail_rows": [0, 3], "row_code": "RECORD_LOCKED"}` refuses these rows of a list, by their
        place, and applies the others.
        """
        if "fail_rows" in do:
            if call.account is not None:
                code = str(do.get("row_code", "INTERNAL_ERROR"))
                message = str(do.get("message") or MESSAGES.get(code, code))
                row = {"code": code, "message": message}
                call.account.memory["fail_rows"] = {int(at): row for at in do["fail_rows"]}
            return None
        code = str(do.get("code", "INTERNAL_ERROR"))
        message = str(do.get("message") or MESSAGES.get(code, code))
        return reply(entry(code, message, do.get("details")), STATUSES.get(code, 400))


def _token(call: Call) -> str:
    return call.headers.get("authorization", "").rpartition(" ")[2]


def _rows(call: Call) -> list[Any]:
    try:
        rows = exact_body(call).get("data")
    except Deny:
        return []
    return rows if isinstance(rows, list) else []


def _cost(route: Route, call: Call) -> int:
    """Credits that are known before the call is answered: one for each ten records written."""
    if route.method in ("POST", "PUT") and route.path in ("{M}", "{M}/upsert"):
        return max(1, -(-len(_rows(call)) // 10))
    return 1


def _hurry(account: Account) -> None:
    jobs = account.memory["restores"]
    if any(account.clock.epoch() >= job["at"] for job in jobs):
        run_scheduled(account)
