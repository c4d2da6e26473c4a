"""Salesforce as it answers, on loopback: REST, Bulk API 2.0, partner SOAP and OAuth, for two orgs.

The subjects, one file each: `simulator_schema` objects, `simulator_seed` records,
`simulator_org` rights and values, `simulator_life` what becomes of a record, `simulator_soql` and
`simulator_query` queries, `simulator_rest`, `simulator_records`, `simulator_collections`,
`simulator_bulk`, `simulator_soap`, `simulator_oauth` the interfaces, `simulator_person` the
colleague who clicks, `simulator_switches` what nobody has confirmed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from crm_bridge.simulator import Account, Act, Call, Reply, Stored, Switch, VendorSimulator
from crm_bridge.simulator.server import Receive, Scope, Send
from crm_bridge_salesforce import simulator_oauth as oauth
from crm_bridge_salesforce import simulator_person as person
from crm_bridge_salesforce import simulator_soap as soap
from crm_bridge_salesforce.simulator_bulk import jobs_of, work
from crm_bridge_salesforce.simulator_life import sweep
from crm_bridge_salesforce.simulator_org import DERIVED, NEWEST, VENDOR_SET, Org, Trouble
from crm_bridge_salesforce.simulator_rest import answer
from crm_bridge_salesforce.simulator_schema import ID, id_of
from crm_bridge_salesforce.simulator_seed import Seed
from crm_bridge_salesforce.simulator_switches import SWITCHES
from crm_bridge_salesforce.simulator_wire import (
    JSON,
    OLDEST,
    PATH,
    count,
    failure,
    not_found,
    usage,
)

_ID_PATH = re.compile(r"/id/(\w{15,18})/(\w{15,18})")
_LONGEST_URI = 16_384
_STATUSES = {
    "REQUEST_LIMIT_EXCEEDED": 403,
    "INVALID_SESSION_ID": 401,
    "INSUFFICIENT_ACCESS": 403,
    "API_DISABLED_FOR_ORG": 403,
    "SERVER_UNAVAILABLE": 503,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": 503,
}
_TEXTS = {
    "REQUEST_LIMIT_EXCEEDED": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    "INVALID_SESSION_ID": "Session expired or invalid",
}


class SalesforceSimulator(VendorSimulator):
    """Two orgs of Salesforce on one address; a request's token tells which it means.

    Faults of its own: `{"row_error": CODE, "every": N}` spoils every Nth row of the next write,
    `{"error": CODE, "message": TEXT}` refuses a whole call.
    """

    vendor: ClassVar[str] = "salesforce"
    crm: ClassVar[str] = "sf"
    switches: ClassVar[Mapping[str, Switch]] = SWITCHES
    fault_keys: ClassVar[frozenset[str]] = frozenset({"row_error", "every", "error", "message"})

    # -- accounts -------------------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the org's id, its app's key and secret, and the integration user's name."""
        number = secrets.randbelow(62**6)
        account.keys |= {
            "org_id": id_of("00D", account.index, number),
            "org_name": f"Simulated {account.crm}",
            "consumer_key": f"3MVG9{secrets.token_urlsafe(60)}",
            "secret": secrets.token_hex(32).upper(),
            "username": f"bridge@{secrets.token_hex(4)}.example",
        }

    def seed(self, account: Account) -> None:
        """Plant the records."""
        Seed(account).plant()

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """Client credentials of the org's app."""
        return {
            "vendor": self.vendor,
            "environment": "simulator",
            "base_url": url,
            "consumer_key": account.keys["consumer_key"],
            "consumer_secret": account.keys["secret"],
        }

    def jwt_key(self, account: Account) -> str:
        """The private key (PEM) with which a client may sign for `account.keys["username"]`."""
        return oauth.jwt_key(account)

    def token(self, account: Account, url: str) -> str:
        """A fresh access token, as the token endpoint would give it."""
        return str(oauth.issue(account, url)["access_token"])

    def vendor_set(self, kind: str) -> Iterable[str]:
        """What the platform writes itself."""
        return (*VENDOR_SET, *DERIVED.get(kind, ()))

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """The values as REST writes them; decimals stay exact."""
        told = Org.of(account).stored(record)
        return {
            name: msgspec.Raw(str(value).encode()) if isinstance(value, Decimal) else value
            for name, value in told.items()
        }

    def ui(self, account: Account, act: Act) -> Iterable[str]:
        """Act as a colleague in the org's pages."""
        return person.act(Org.of(account), act)

    # -- requests -------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, after the clock has taken what it takes."""
        for account in self.accounts:
            org = Org.of(account)
            sweep(org)
            work(org)
        await super().__call__(scope, receive, send)

    def account_of(self, call: Call) -> Account | None:
        """The account of a token, a session inside an envelope, or a token request's client."""
        if call.path == oauth.TOKEN:
            return oauth.account_of(self.accounts, call)
        token = self._token(call)
        return next((a for a in self.accounts if token in oauth.sessions(a)), None)

    @staticmethod
    def _token(call: Call) -> str:
        if soap.PATH.fullmatch(call.path):
            return soap.session_of(call.body)
        if call.path == oauth.REVOKE:
            return call.form.get("token", "")
        return call.headers.get("authorization", "").removeprefix("Bearer ")

    def describe(self, call: Call) -> None:
        """Say whether the request could change a record, and which ids it names."""
        if soap.PATH.fullmatch(call.path):
            call.write = soap.verb_of(call.body) in soap.WRITES
            call.ids = soap.ids_of(call.body)
            return
        if found := PATH.fullmatch(call.path):
            self._describe(call, (found[2] or "").strip("/"))

    def _describe(self, call: Call, tail: str) -> None:
        parts = tail.split("/")
        changes = call.method in ("POST", "PATCH", "DELETE")
        match parts:
            case ["sobjects", _, *rest]:
                call.write = changes
                call.ids = [part for part in rest if ID.fullmatch(part) and part != "describe"]
            case ["composite", "sobjects"]:
                call.write = changes
                call.ids = [text for text in (call.query("ids") or "").split(",") if text]
                if call.method in ("PATCH", "POST") and isinstance(call.json, dict):
                    rows = call.json.get("records") or []
                    call.ids = [str(row["id"]) for row in rows if row.get("id")]
            case ["composite", "sobjects", _]:
                if isinstance(call.json, dict):
                    call.ids = [str(text) for text in call.json.get("ids") or []]
                else:
                    call.ids = [text for text in (call.query("ids") or "").split(",") if text]
            case ["composite"] | ["composite", "batch"]:
                self._describe_inner(call)
            case ["jobs", "ingest"]:
                # The three steps of a job are its writes, though only the last lets it act.
                call.write = changes
            case ["jobs", "ingest", id] if call.method == "PATCH":
                job = jobs_of(Org.of(call.account)).get(id) if call.account else None
                call.write = (call.json or {}).get("state") == "UploadComplete"
                call.ids = list(job.rows or ()) if job else []
            case ["jobs", "ingest", _, "batches"]:
                call.write = call.method == "PUT"
                call.ids = call.body.decode().split()[1:]
            case ["tooling", *_]:
                call.write = changes

    def _describe_inner(self, call: Call) -> None:
        told = call.json if isinstance(call.json, dict) else {}
        for request in told.get("compositeRequest") or told.get("batchRequests") or []:
            method = str(request.get("method", "GET"))
            path, _, query = str(request.get("url", "")).partition("?")
            found = re.search(r"/?v\d+\.\d/(.*)", path)
            inner = Call(method, path, query, {}, msgspec.json.encode(request.get("body")))
            if found:
                self._describe(inner, found[1].strip("/"))
            call.write = call.write or inner.write
            call.ids += inner.ids

    # -- answers --------------------------------------------------------------------------------

    def handle(self, call: Call) -> Reply | None:
        """Answer as Salesforce does."""
        if call.path == oauth.TOKEN:
            return oauth.token(call)
        if found := soap.PATH.fullmatch(call.path):
            return self._soap(call, found[2])
        if call.path == oauth.REVOKE:
            if call.account is not None:
                oauth.sessions(call.account).pop(self._token(call), None)
            return Reply(200)
        org = self._org(call)
        if call.path == oauth.USERINFO or (place := _ID_PATH.fullmatch(call.path)):
            if org is None or (call.path != oauth.USERINFO and place and place[1] != org.id):
                return Reply(403, "Bad_OAuth_Token", "text/html")
            return Reply.json(oauth.user_info(org, call.base))
        if call.path.rstrip("/") == "/services/data":
            return Reply.json(_versions())
        found = PATH.fullmatch(call.path)
        if found is None:
            return Reply.html("<html><body>URL No Longer Exists</body></html>", 404)
        return self._rest(call, org, found[1], found[2] or "")

    def _org(self, call: Call) -> Org | None:
        account = call.account
        if account is None or not oauth.valid(account, self._token(call)):
            return None
        return Org.of(account)

    def _soap(self, call: Call, version: str) -> Reply:
        org = None if oauth.is_jwt(self._token(call)) else self._org(call)
        reply = soap.answer(org, call, version)
        if org is not None:
            org.row_error = None
        return reply

    def _rest(self, call: Call, org: Org | None, version: str, tail: str) -> Reply:
        try:
            _served(version)
            uri = len(call.path) + len(call.query_string)
            if uri > _LONGEST_URI:
                raise Trouble("URI_TOO_LONG", "URI is too long", status=414)
            if uri + sum(len(n) + len(v) for n, v in call.headers.items()) > _LONGEST_URI:
                raise Trouble("HEADERS_TOO_LARGE", "URI and headers are too large", status=431)
            if org is None:
                text = "Session expired or invalid"
                raise Trouble("INVALID_SESSION_ID", text, status=401)
            if not org.may("ApiEnabled"):
                text = "The REST API is not enabled for this Organization."
                raise Trouble("API_DISABLED_FOR_ORG", text, status=403)
            count(org)
            found = answer(org, call, version, tail)
        except Trouble as error:
            found = failure(error)
        if org is not None:
            org.row_error = None
            found.headers.append(usage(org))
        return found.reply()

    # -- faults ---------------------------------------------------------------------------------

    def refusal(self, call: Call, status: int) -> Reply:
        """A bare status in Salesforce's shape; SOAP tells of a dead token in a 500."""
        if soap.PATH.fullmatch(call.path):
            if status == 401:
                return soap.invalid_session()
            code = "SERVER_UNAVAILABLE" if status >= 500 else "REQUEST_LIMIT_EXCEEDED"
            return soap.fault(code, f"status {status}", status)
        names = {401: "INVALID_SESSION_ID", 403: "REQUEST_LIMIT_EXCEEDED"}
        names |= {429: "REQUEST_LIMIT_EXCEEDED", 503: "SERVER_UNAVAILABLE"}
        name = names.get(status, "UNKNOWN_EXCEPTION")
        entry = {"message": _TEXTS.get(name, f"status {status}"), "errorCode": name}
        return Reply(status, msgspec.json.encode([entry]), JSON)

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """Spoil rows of the write, or refuse the call with a code."""
        if "row_error" in do:
            if call.account is not None:
                every = do.get("every", 1)
                Org.of(call.account).row_error = (str(do["row_error"]), int(every))
            return None
        code = str(do.get("error", ""))
        if not code:
            return None
        text = str(do.get("message") or _TEXTS.get(code, code.replace("_", " ").lower()))
        if soap.PATH.fullmatch(call.path):
            return soap.fault(code, text)
        return failure(Trouble(code, text, status=_STATUSES.get(code, 400))).reply()


def _versions() -> list[dict[str, str]]:
    return [
        {"label": f"v{number}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(OLDEST, NEWEST + 1)
    ]


def _served(version: str) -> None:
    number = float(version.removeprefix("v"))
    if 21 <= number < OLDEST:
        raise Trouble("UNSUPPORTED_API_VERSION", f"Version {version} is retired", status=410)
    if not OLDEST <= number <= NEWEST or number != int(number):
        raise not_found()
