"""One account over the wire: the token, one request a call, and what an answer means.

Refusals are told by status, content type and code, never by their message
(https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html, read 2026-11-24).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from crm_bridge.kit import (
    Busy,
    Gate,
    RecordRef,
    Rejected,
    StrangeAnswer,
    Unauthorized,
    Unreachable,
    careful_session,
    date_of,
    made_once,
    network_errors,
    served_at_once,
    strict_json,
    together,
)
from crm_bridge_zoho.sdk import SdkAccount, library
from crm_bridge_zoho.settings import DATA_CENTRES, HOSTS, TOKEN_PATH, Addresses, ZohoSettings
from crm_bridge_zoho.tokens import Granted, Tokens

T = TypeVar("T")

TITLE: Final = "Zoho CRM"
DEAD: Final = frozenset({"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"})
"""The token does not hold; the first two are two spellings of the same."""
FORBIDDEN: Final = frozenset({"NO_PERMISSION", "AUTHORIZATION_FAILED"})
ONE_AT_A_TIME: Final = frozenset({"ALREADY_SCHEDULED"})
SMALLER: Final = frozenset({"LIMIT_EXCEEDED", "INVALID_DATA"})
"""A list refused whole that may pass in parts: too long, or one id in it is no id."""
FEWEST: Final = 5
"""Calls at one time that every edition serves, the free one too
(https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html, read 2026-11-24)."""
THROTTLED: Final = 60.0
"""Seconds after which a throttled login is tried again; the vendor does not say how long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and could be read.

    Attributes:
        status: The HTTP status.
        body: The JSON object; empty where there is no body.
        at: The vendor's clock.
        credits: Credits left, which Zoho tells once half of them are spent; None before.
    """

    status: int
    body: Mapping[str, Any]
    at: datetime
    credits: int | None = None

    def rows(self, key: str) -> list[Mapping[str, Any]]:
        """The rows under a key; none where the answer has no body, as a 204 for nothing found.

        Raises:
            Unreachable: What stands there is no list of objects, or it is the answer to something else.
        """
        rows = self.body.get(key, None if self.body else [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unreachable(f"{TITLE} answered without the rows that were due.", answered=True)
        return rows

    def page(self) -> list[Mapping[str, Any]]:
        """The rows of a page of a list.

        Raises:
            Unreachable: As `rows`; or they are not as many as the page says.
        """
        rows, info = self.rows("data"), self.body.get("info")
        due = info.get("count") if isinstance(info, dict) else None
        if isinstance(due, int) and due != len(rows):
            raise Unreachable(
                f"{TITLE} says {due} rows and gave {len(rows)}: its pages have a gap.",
                answered=True,
            )
        return rows

    @property
    def more(self) -> bool:
        """Whether there is another page."""
        info = self.body.get("info")
        return isinstance(info, dict) and info.get("more_records") is True


class Client:
    """One account of Zoho CRM.

    Args:
        crm: Its name in the settings.
        settings: Its settings.
        urls: Its addresses, checked.
        gate: The door out.
    """

    def __init__(self, crm: str, settings: ZohoSettings, urls: Addresses, gate: Gate) -> None:
        self.crm, self.settings, self.urls = crm, settings, urls
        self._gate = gate
        self._sessions = threading.local()
        self._open: list[Any] = []
        self.credits: int | None = None
        # Revealed at the first call, not at the start: a keyring may have to be opened for them.
        self._kept: Tokens | None = None
        self._who = ""
        self._lock = threading.Lock()
        self.sdk = SdkAccount(
            urls.api,
            urls.accounts + TOKEN_PATH,
            settings.client_id,
            settings.client_secret.reveal,
            settings.refresh_token.reveal,
            lambda: self._tokens.held,
            self.session,
        )

    def __repr__(self) -> str:
        return f"Client({self.crm!r})"

    # --- sessions ------------------------------------------------------------------------------

    def session(self) -> Any:
        """This thread's own session."""
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = careful_session(self.settings, hosts=HOSTS)
            self._open.append(session)
        return session

    def enter_lane(self) -> None:
        """Have a session, and zcrmsdk, before the first call of this thread."""
        library()
        self.session()

    def close(self) -> None:
        """Let all connections go."""
        while self._open:
            self._open.pop().close()
        self._sessions = threading.local()

    # --- the token -----------------------------------------------------------------------------

    @property
    def _tokens(self) -> Tokens:
        with self._lock:
            if self._kept is None:
                refresh = self.settings.refresh_token.reveal()
                key = (self.urls.accounts, self.settings.client_id, refresh)
                self._kept = Tokens(key, self._granted)
                self._who = "\0".join(("zoho", *key))
                self.serve(FEWEST)
            return self._kept

    def serve(self, calls: int) -> None:
        """Have no more calls under way at one time than this, with all processes of this login."""
        if self._who:
            served_at_once(self._gate, self._who, calls)

    def renew(self) -> None:
        """Have another token than the one that was refused.

        Raises:
            Busy: Zoho gives no more for a while.
            Unauthorized: It gives none.
        """
        tokens = self._tokens
        self._have(tokens.token)

    def ready(self) -> None:
        """Have a token that holds, before a request is made with it."""
        tokens = self._tokens
        if not tokens.held:
            before = tokens.token
            self._have("")
            changed = getattr(self._gate, "login_changed", None)
            # Another token may be another person's: the bridge proves who we are before it writes.
            if before and changed is not None:
                changed()

    def _have(self, refused: str) -> None:
        tokens = self._tokens
        if not tokens.adopt(refused):
            self._gate.ask(lambda: tokens.get(refused), interface="token")
            self.once()

    def _granted(self) -> Granted:
        with network_errors(f"the login of {TITLE}"):
            response = self.sdk.refresh()
        at = date_of(response.headers)
        body = _json(response)
        token = body.get("access_token")
        if isinstance(token, str) and token:
            return Granted(
                token,
                float(body.get("expires_in", 3600)),
                str(body.get("api_domain", "")),
                at.timestamp(),
            )
        if response.status_code >= 500:
            raise Unreachable(f"the login of {TITLE} answered {response.status_code}.",
                              answered=True)  # fmt: skip
        code = str(body.get("error", ""))
        if response.status_code == 429 or code == "Access Denied":
            raise Busy(f"{TITLE} gives no more tokens for a while.", THROTTLED, vendor_code=code)
        raise Unauthorized(
            f"{TITLE} gives no token ({code or response.status_code}).",
            detail="Check client_id, client_secret, refresh_token and data_centre; a refresh token "
            "holds in its own data centre only, and the 21st of a user ends the first.",
            vendor_code=code or None,
        )

    # --- calls ---------------------------------------------------------------------------------

    def ask(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        scope: str = "",
        query: str | None = None,
    ) -> Answer:
        """Read by v8: a GET, or with `query` the POST of a COQL query."""
        self.ready()
        if query is None:
            return self._gate.ask(lambda: self._send("GET", path, params, None, scope))
        body = {"select_query": query}
        return self._gate.ask(lambda: self._send("POST", path, params, body, scope))

    def tell(
        self,
        refs: Iterable[RecordRef],
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "data",
        scope: str = "",
    ) -> Answer:
        """Write by v8: one request; its rows stand under `key`."""
        self.ready()
        named = tuple(refs)
        return self._gate.tell(
            named, lambda: self._send(method, path, params, body, scope, write=key)
        )

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make reads that need nothing of each other, at once where lanes are idle."""
        return together(self._gate, calls)

    def once(self, calls: int = 1) -> None:
        """Say that so many calls were for the connection: what reads again does without them."""
        made_once(self._gate, calls)

    def quiet(self, body: dict[str, Any]) -> dict[str, Any]:
        """A body that keeps workflow rules silent, unless the settings let them fire."""
        return body if self.settings.workflows else {**body, "trigger": []}

    def delete(self, refs: Sequence[RecordRef], kind: str) -> Answer:
        """Delete at most 100 records of a module, by zcrmsdk or by v8 as the settings say."""
        ids = [ref.id for ref in refs]
        if self.settings.transport == "http":
            params = {"ids": ",".join(ids), "wf_trigger": _word(self.settings.workflows)}
            return self.tell(refs, "DELETE", f"/{kind}", params, scope=f"modules.{kind}.DELETE")
        self.ready()
        return self._gate.tell(
            tuple(refs),
            lambda: self._answered(
                lambda: self.sdk.delete(kind, ids, self.settings.workflows),
                f"modules.{kind}.DELETE", write="data",
            ),
        )  # fmt: skip

    def deleted(self, kind: str, which: str, page: int) -> Answer:
        """A page of what was deleted in a module: `recycle` or `permanent`."""
        if self.settings.transport == "http":
            params = {"type": which, "page": page, "per_page": 200}
            return self.ask(f"/{kind}/deleted", params, scope=f"modules.{kind}.READ")
        self.ready()
        return self._gate.ask(
            lambda: self._answered(
                lambda: self.sdk.deleted(kind, which, page), f"modules.{kind}.READ"
            )
        )

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        scope: str,
        write: str = "",
    ) -> Answer:
        headers = {"Authorization": f"Zoho-oauthtoken {self._tokens.held}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json;charset=UTF-8"
            data = dumped(body)
        url = f"{self.urls.api}/crm/v8{path}"
        return self._answered(
            lambda: self.session().request(method, url, params=params, data=data, headers=headers),
            scope, write,
        )  # fmt: skip

    def _answered(self, call: Callable[[], Any], scope: str, write: str = "") -> Answer:
        with network_errors(TITLE):
            response = call()
        at = date_of(response.headers)
        self._tokens.clock(at.timestamp())
        left = response.headers.get("X-API-CREDITS-REMAINING", "")
        credits = int(left) if left.isascii() and left.isdigit() else None
        self.credits = credits if credits is not None else self.credits
        status = response.status_code
        if status == 429:
            raise _busy(response, credits)
        if status == 204:
            return Answer(status, {}, at, credits)
        body = _json(response)
        rows = body.get(write) if write else None
        if status < 400 or (status < 500 and isinstance(rows, list) and rows):
            return Answer(status, body, at, credits)
        raise self._refused(status, body, scope)

    def _refused(self, status: int, body: Mapping[str, Any], scope: str) -> Exception:
        code, message = str(body.get("code", "")), _line(body.get("message"))
        told = f"{TITLE} refused it: {code or status}{f', {message}' if message else ''}."
        if code in DEAD or (status == 401 and not code):
            return Unauthorized(f"{TITLE} does not take the token ({code or status}).",
                                renewable=True, vendor_code=code or None)  # fmt: skip
        if code == "OAUTH_SCOPE_MISMATCH":
            wanted = f"ZohoCRM.{scope}" if scope else "for this call"
            return Unauthorized(
                f"the token lacks a scope: {wanted}.",
                vendor_code=code,
                detail="Make a new refresh token with this scope among the others.",
            )
        if status >= 500:
            return Unreachable(f"{TITLE} answered {status} {code}.".replace(" .", "."),
                               answered=True, vendor_code=code or None)  # fmt: skip
        if code in FORBIDDEN:
            return Unauthorized(told, vendor_code=code, detail=_details(body))
        if status == 401:
            return Unauthorized(told, renewable=True, vendor_code=code)
        if code in ONE_AT_A_TIME:
            return Busy(told, vendor_code=code)
        if code == "INVALID_HOST":
            return Rejected(told, vendor_code=code, detail=self._home())
        return Rejected(told, code in SMALLER, vendor_code=code or None, detail=_details(body))

    def _home(self) -> str:
        """Which data centre is the account's, as its login told."""
        api = self._tokens.api
        for name, centre in DATA_CENTRES.items():
            if api.endswith("." + centre.api):
                return f'The organisation lives elsewhere: data_centre = "{name}".'
        return "The organisation lives in another data centre; name it as data_centre."


def _json(response: Any) -> Mapping[str, Any]:
    """The body as an object; what is none is no answer of this vendor's."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    status = response.status_code
    if status >= 500 and kind != "application/json":
        # An unwell gateway answers with a page of its own; it is asked again.
        raise Unreachable(f"{TITLE} answered {status}.", answered=True)
    if kind == "text/html" or response.content.lstrip()[:1] == b"<":
        raise Unreachable(
            f"{TITLE} answered {status} with a page instead of data.", strange=True,
            detail="Something between here and Zoho answered: a proxy, a portal, maintenance.",
        )  # fmt: skip
    try:
        body = strict_json(response.content)
    except StrangeAnswer as error:
        if status >= 500:
            raise Unreachable(f"{TITLE} answered {status}.", answered=True) from None
        raise Unreachable(f"{TITLE} answered strangely: {error}.", answered=True) from None
    if not isinstance(body, dict):
        raise Unreachable(f"{TITLE} answered with no object.", answered=True)
    return body


def _busy(response: Any, credits: int | None) -> Busy:
    told = response.headers.get("Retry-After", "")
    seconds = float(told) if told.isascii() and told.isdigit() else None
    # Too many at once and credits that are spent answer alike; only the rest of the credits tells.
    return Busy(
        f"{TITLE} asks for a pause.",
        seconds,
        until_reset=credits == 0,
        vendor_code="TOO_MANY_REQUESTS",
    )


def dumped(body: Mapping[str, Any]) -> bytes:
    """JSON with every digit of its numbers."""
    marks: dict[str, str] = {}

    def exact(value: Any) -> Any:
        if isinstance(value, Decimal):
            mark = f"\x00{len(marks)}\x00"
            marks[json.dumps(mark)] = format(value, "f")
            return mark
        if isinstance(value, Mapping):
            return {str(k): exact(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [exact(v) for v in value]
        return value

    text = json.dumps(exact(body), separators=(",", ":"))
    for mark, number in marks.items():
        text = text.replace(mark, number)
    return text.encode()


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def _line(value: Any) -> str:
    return " ".join(str(value or "").split())[:200]


def _details(body: Mapping[str, Any]) -> str:
    details = body.get("details")
    return _line(json.dumps(details, default=str)) if isinstance(details, dict) and details else ""
