"""Who a portal is, by its own word: id, kind, page host, scopes, and what is left of the day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from crm_bridge.kit import Quota, Rate, Rejected, Unauthorized
from crm_bridge_hubspot.login import Login
from crm_bridge_hubspot.profile import SEARCH_RATE
from crm_bridge_hubspot.reading import moment_of
from crm_bridge_hubspot.schema import Ask, Spread, rows

CLASSES: Final = {
    "STANDARD": "production",
    "SANDBOX": "sandbox",
    "DEVELOPER_TEST": "sandbox",
    "APP_DEVELOPER": "sandbox",
}
"""`accountType` of account-info, in our words; one that is not known is taken for production."""

_PAGE: Final = re.compile(r"https://([a-z0-9.-]+)/contacts/(\d+)/record/")


@dataclass(frozen=True, slots=True)
class Me:
    """Who the server says that we are.

    Attributes:
        org: The portal's id.
        name: For people.
        environment: production, sandbox or simulator.
        user: Who acts.
        ui: The host of the pages.
        details: What account-info told; empty where the token may not ask.
    """

    org: str
    name: str
    environment: str
    user: str
    ui: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Portal:
    """One portal, as its own server names it.

    Args:
        ask: Makes one read through the gate.
        spread: Makes several at once.
        login: The login, for the token's scopes.
        loopback: Whether the server is a simulator on this machine.
    """

    def __init__(self, ask: Ask, spread: Spread, login: Login, loopback: bool) -> None:
        self._ask, self._spread, self._login, self._loopback = ask, spread, login, loopback
        self._me: Me | None = None
        self._token: Mapping[str, Any] | None = None

    def known(self) -> Me | None:
        """Who we are, if it was asked already."""
        return self._me

    def ask(self) -> Me:
        """Ask who we are.

        Account-info needs the scope `oauth`, and whether a service key may ask it nobody says: the
        token's own information, then the address of any record, tell the portal as well.

        Raises:
            Unauthorized: The token holds for nothing that tells the portal.
        """
        self._token = None
        if self._login.renewable:
            # What a token says of itself is asked of one that holds, and the first call finds that out.
            details, token = self._details(), self._told_of_token()
        else:
            details, token = self._spread([self._details, self._told_of_token])
        org = details.get("portalId") or token.get("hubId") or token.get("hub_id")
        ui = details.get("uiDomain")
        if org is None:
            ui, org = self._by_address()
        kind = CLASSES.get(str(details.get("accountType")), "production")
        user = token.get("user") or token.get("userId") or token.get("user_id")
        app = token.get("appId") or token.get("app_id")
        who = f"user {user}" if user else "the token's owner"
        self._me = Me(
            str(org), f"portal {org}", "simulator" if self._loopback else kind,
            f"{who}, app {app}" if app else who, str(ui or "app.hubspot.com"), details,
        )  # fmt: skip
        return self._me

    def scopes(self) -> frozenset[str] | None:
        """The token's scopes; None where HubSpot does not tell them."""
        listed = self._told_of_token().get("scopes")
        return frozenset(map(str, listed)) if isinstance(listed, list) else None

    def quota(self, limits: Mapping[str, str], now: datetime) -> Quota | None:
        """What is left today, by the last answer's headers, or by the usage of private apps."""
        limit = _number(limits, "x-hubspot-ratelimit-daily")
        left = _number(limits, "x-hubspot-ratelimit-daily-remaining")
        if limit is not None and left is not None:
            return Quota(limit, left, self._midnight(now))
        if self._login.renewable:
            return None
        try:
            found = rows(self._ask("usage", (), (), None))
        except (Unauthorized, Rejected) as error:
            if not _lacks_right(error):
                raise
            return None
        for row in found:
            most, used = row.get("usageLimit"), row.get("currentUsage")
            if isinstance(most, int) and isinstance(used, int):
                return Quota(most, max(0, most - used), moment_of(row.get("resetsAt")))
        return None

    def rates(self, limits: Mapping[str, str]) -> tuple[Rate, ...] | None:
        """How fast this portal may be asked, by the headers of the last answer."""
        calls = _number(limits, "x-hubspot-ratelimit-max")
        milliseconds = _number(limits, "x-hubspot-ratelimit-interval-milliseconds")
        if not calls or not milliseconds:
            return None
        return (Rate(calls=calls, seconds=milliseconds / 1000), SEARCH_RATE)

    # --- private ---------------------------------------------------------------------------------

    def _details(self) -> Mapping[str, Any]:
        """What account-info tells; nothing where the token may not ask."""
        try:
            told: Mapping[str, Any] = self._ask("details", (), (), None)
        except (Unauthorized, Rejected) as error:
            if not _lacks_right(error):
                raise
            return {}
        return told

    def _told_of_token(self) -> Mapping[str, Any]:
        """What HubSpot says of the token itself; nothing where it does not."""
        if self._token is None:
            token = self._login.bearer()
            try:
                if self._login.renewable:
                    self._login.ready()
                    form = {"token": self._login.bearer(), "token_type_hint": "access_token"}
                    told = self._ask("introspect", (), (), form)
                else:
                    told = self._ask("token_info", (), (), {"tokenKey": token})
            except (Unauthorized, Rejected):
                # It is a courtesy: a token that holds for nothing is found out by every other call.
                told = {}
            self._token = told if isinstance(told, dict) else {}
        return self._token

    def _by_address(self) -> tuple[str, str]:
        """The portal by the address of one of its records."""
        for kind in ("contacts", "companies", "deals"):
            try:
                found = rows(self._ask("page", (kind,), [("limit", "1")], None))
            except (Unauthorized, Rejected) as error:
                if not _lacks_right(error):
                    raise
                continue
            for row in found:
                if match := _PAGE.match(str(row.get("url") or "")):
                    return match[1], match[2]
        raise Unauthorized(
            "HubSpot does not say which portal this token is for.",
            detail="Give the token the scope oauth, so that account-info can be asked.",
        )

    def _midnight(self, now: datetime) -> datetime | None:
        """When the day ends in the portal's own time zone (HubSpot's daily limits reset then)."""
        offset = (self._me.details if self._me else {}).get("utcOffsetMilliseconds")
        if not isinstance(offset, int):
            return None
        there = now.astimezone(timezone(timedelta(milliseconds=offset)))
        day = there.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return day.astimezone(UTC)


def _lacks_right(error: Unauthorized | Rejected) -> bool:
    """Whether a refusal is about this one question, and not about the login as a whole."""
    if isinstance(error, Rejected):
        return True
    return not error.renewable and error.vendor_code in ("MISSING_SCOPES", "403")


def _number(limits: Mapping[str, str], name: str) -> int | None:
    text = limits.get(name, "")
    return int(text) if text.isdecimal() else None
