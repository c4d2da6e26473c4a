"""Who calls: tokens and their scopes, OAuth, what a portal tells of itself.

OAuth: https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide. Its first version is
off from 2027-02-16.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from crm_bridge.simulator import Account, Call, Reply
from crm_bridge.simulator.lifecycle import iso, parse_moment
from crm_bridge_hubspot.kinds import OBJECTS, object_type
from crm_bridge_hubspot.simulator_limits import ZONES, calls_a_day, next_midnight, used_today, zone
from crm_bridge_hubspot.simulator_wire import Asked, Deny, missing_scopes, text_of

V1_ENDS: Final = datetime(2027, 2, 16, tzinfo=UTC)
"""https://developers.hubspot.com/docs/api-reference/legacy/authentication/oauth-tokens/v1/migration-guide."""

TOKEN_LIFE: Final = 1800
"""Seconds in which an access token of OAuth holds."""

UI_DOMAINS: Final = (("app.hubspot.com", "na1"), ("app-eu1.hubspot.com", "eu1"))
SECURITY: Final = "account-info.security.read"


def _all_scopes() -> Iterable[str]:
    yield from ("oauth", "crm.objects.owners.read", "crm.lists.read", "crm.lists.write")
    for one in (*OBJECTS, object_type("2-1")):
        yield from (*one.read, *one.write, *one.schema)
        name = "custom" if one.name.startswith("2-") else one.name
        yield f"crm.schemas.{name}.read"
        for secret in ("sensitive", "highly_sensitive"):
            yield f"crm.objects.{name}.{secret}.read.v2"
            yield f"crm.objects.{name}.{secret}.write.v2"


ALL_SCOPES: Final = frozenset(_all_scopes())
"""What a token may do to begin with: everything that is asked for anywhere but the security log."""


def scopes_of(account: Account) -> frozenset[str]:
    """What tokens of this portal may do now."""
    scopes: frozenset[str] = account.memory.get("scopes", ALL_SCOPES)
    return scopes


def need(asked: Asked, scopes: Iterable[str]) -> None:
    """Refuse a token that has none of these.

    Raises:
        Deny: So it is.
    """
    if not asked.scopes & set(scopes):
        raise missing_scopes(asked.account, scopes)


# -- tokens ---------------------------------------------------------------------------------------


def bearer(call: Call) -> str:
    """The token that a request carries, or nothing."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def owner_of(accounts: Iterable[Account], call: Call) -> Account | None:
    """The portal that a request speaks for, by its token or by what it shows to get one."""
    shown = {bearer(call)} - {""}
    if call.path.startswith("/oauth/"):
        shown |= {call.form.get("client_id", ""), call.form.get("refresh_token", ""),
                  call.form.get("token", ""), call.path.rsplit("/", 1)[-1]}  # fmt: skip
        if call.path.endswith("access-token-info") and isinstance(call.json, dict):
            shown.add(str(call.json.get("tokenKey")))
    for account in accounts:
        own = {account.keys[name] for name in ("token", "client_id", "refresh_token")}
        if shown & (own | set(account.memory.get("access", ()))):
            return account
    return None


def logged_in(account: Account | None, call: Call) -> tuple[Account, bool]:
    """The portal and whether the token is one of OAuth.

    Raises:
        Deny: The token is none, was revoked, or has expired.
    """
    token = bearer(call)
    if account is not None and token == account.keys["token"]:
        if not account.memory.get("revoked"):
            return account, False
    elif account is not None and token in account.memory.get("access", {}):
        if account.clock.epoch() < account.memory["access"][token]:
            return account, True
        raise Deny(401, "The OAuth token used to make this call expired", "EXPIRED_AUTHENTICATION")
    raise Deny(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
        "can find more details at "
        "https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def oauth(account: Account | None, call: Call) -> Reply:
    """The routes under /oauth, which take no token: parameters stand in the body, as a form."""
    parts = call.path.strip("/").split("/")
    match (call.method, *parts):
        case ("POST", "oauth", "v1" | "v3" | "2026-03" | "2026-09" as version, "token"):
            _not_ended(account, version)
            return _token(account, call, version)
        case ("POST", "oauth", "v3" | "2026-03" | "2026-09", "token", "introspect"):
            return _introspect(account, call.form.get("token", ""))
        case ("POST", "oauth", "v3" | "2026-03" | "2026-09", "token", "revoke"):
            _forget(account, call.form.get("token", ""))
            return Reply(204)
        case ("GET", "oauth", "v1", "access-tokens", token):
            _not_ended(account, "v1")
            return _introspect(account, token)
        case ("DELETE", "oauth", "v1", "refresh-tokens", token):
            _not_ended(account, "v1")
            _forget(account, token)
            return Reply(204)
        case ("POST", "oauth", "v2", "private-apps", "get", "access-token-info"):
            return _private_app(account, call)
    raise Deny(404, f"No route {call.method} {call.path}", None)


def _not_ended(account: Account | None, version: str) -> None:
    if version == "v1" and account is not None and account.clock.now() >= V1_ENDS:
        raise Deny(404, "OAuth v1 has ended", None)


def _refused(status: str, message: str, error: str = "invalid_grant") -> Deny:
    return _OAuthDeny(status, message, error)


class _OAuthDeny(Deny):
    """OAuth's own envelope: the status is a word, the error one of its standard."""

    def __init__(self, word: str, message: str, error: str) -> None:
        super().__init__(400, message, None)
        self.word, self.error = word, error

    def body(self, account: Account | None) -> dict[str, Any]:
        """The envelope."""
        told = super().body(account)
        return told | {
            "status": self.word, "error": self.error, "error_description": self.message,
        }  # fmt: skip


def _token(account: Account | None, call: Call, version: str) -> Reply:
    form = call.form
    if call.query_string and version != "v1":
        raise _refused("BAD_REQUEST", "parameters belong in the body", "invalid_request")
    if account is None or form.get("client_id") != account.keys["client_id"]:
        raise _refused("BAD_CLIENT_ID", "missing or unknown client id", "invalid_client")
    if form.get("client_secret") != account.keys["client_secret"]:
        raise _refused("BAD_CLIENT_SECRET", "missing or unknown client secret", "invalid_client")
    if form.get("grant_type") != "refresh_token":
        raise _refused("BAD_GRANT_TYPE", "missing or unknown grant type", "unsupported_grant_type")
    if account.memory.get("portal_gone"):
        raise _refused("BAD_HUB", "the portal is gone")
    if form.get("refresh_token") != account.keys["refresh_token"] or account.memory.get("revoked"):
        raise _refused("BAD_REFRESH_TOKEN", "missing or unknown refresh token")
    token = f"CN{secrets.token_hex(48)}"
    access: dict[str, float] = account.memory.setdefault("access", {})
    access[token] = account.clock.epoch() + TOKEN_LIFE
    told = {
        "token_type": "bearer", "refresh_token": account.keys["refresh_token"],
        "access_token": token, "expires_in": TOKEN_LIFE,
    }  # fmt: skip
    if version != "v1":
        told["hub_id"] = int(account.keys["portal"])
    return Reply.json(told)


def _forget(account: Account | None, token: str) -> None:
    if account is not None:
        account.memory.get("access", {}).pop(token, None)
        if token == account.keys["refresh_token"]:
            account.memory["revoked"] = True


def _introspect(account: Account | None, token: str) -> Reply:
    ends = account.memory.get("access", {}).get(token, 0.0) if account else 0.0
    if account is None or account.clock.epoch() >= ends:
        raise Deny(404, "the token is unknown or has expired", None)
    return Reply.json({
        "token": token, "token_type": "access", "active": True,
        "hub_id": int(account.keys["portal"]), "hub_domain": f"portal{account.keys['portal']}",
        "app_id": int(account.keys["app"]), "user_id": 9_100, "user": "wei.zhang@example.com",
        "scopes": sorted(scopes_of(account)), "expires_in": int(ends - account.clock.epoch()),
    })  # fmt: skip


def _private_app(account: Account | None, call: Call) -> Reply:
    body = call.json if isinstance(call.json, dict) else {}
    if account is None or text_of(body, "tokenKey") != account.keys["token"]:
        raise Deny(404, "the token is unknown", None)
    return Reply.json({
        "userId": 9_100, "hubId": int(account.keys["portal"]), "appId": int(account.keys["app"]),
        "scopes": sorted(scopes_of(account)),
    })  # fmt: skip


# -- what a portal tells of itself ----------------------------------------------------------------


def details(asked: Asked) -> Reply:
    """GET /account-info/../details; whether a service key may is a switch."""
    account = asked.account
    need(asked, ("oauth",))
    if not asked.oauth and asked.switch("account_info") == "denied":
        raise missing_scopes(account, ("oauth",))
    domain, place = UI_DOMAINS[account.index]
    offset = zone(account).utcoffset(None)
    return Reply.json({
        "portalId": int(account.keys["portal"]),
        "accountType": account.memory.get("account_type", "STANDARD"),
        "timeZone": ZONES[account.index][0], "companyCurrency": "USD", "additionalCurrencies": [],
        "utcOffset": f"+{ZONES[account.index][1]:02d}:00",
        "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
        "uiDomain": domain, "dataHostingLocation": place,
    })  # fmt: skip


def daily_usage(asked: Asked) -> Reply:
    """GET /account-info/../api-usage/daily/private-apps."""
    account = asked.account
    return Reply.json({"results": [{
        "name": "private-apps-api-calls-daily", "currentUsage": used_today(account),
        "usageLimit": calls_a_day(account), "collectedAt": account.clock.iso(),
        "fetchStatus": "SUCCESS", "resetsAt": iso(next_midnight(account).timestamp()),
    }]})  # fmt: skip


def audit_logs(asked: Asked) -> Reply:
    """GET /account-info/../activity/audit-logs, for Enterprise portals with the security scope."""
    account, call = asked.account, asked.call
    need(asked, (SECURITY,))
    since = call.query("occurredAfter")
    try:
        oldest = parse_moment(since).timestamp() if since else 0.0
        start, limit = int(call.query("after") or 0), int(call.query("limit") or 100)
    except ValueError as error:
        raise Deny(400, str(error)) from error
    rows = [
        {
            "id": str(at), "category": "CRM_OBJECT", "subCategory": "RECORD", "action": action,
            "targetObjectId": id, "occurredAt": iso(when),
            "actingUser": {"userId": 9_100, "userEmail": "wei.zhang@example.com"},
        }
        for at, (when, action, id) in enumerate(account.memory.get("audit", ()))
        if when >= oldest
    ]  # fmt: skip
    told: dict[str, Any] = {"results": rows[start : start + limit]}
    if start + limit < len(rows):
        told["paging"] = {"next": {"after": str(start + limit)}}
    return Reply.json(told)
