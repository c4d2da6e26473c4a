"""Zoho's accounts server: grant and refresh tokens, their life, their throttle, their scopes.

https://www.zoho.com/crm/developer/docs/api/v8/token-validity.html: an access token lives an hour,
ten a refresh token in ten minutes, fifteen alive at once. Bodies of errors are not documented
whole; their HTTP statuses are switches.
"""

from __future__ import annotations

import secrets
from typing import Any

from crm_bridge.simulator import Account, Call, Reply, RollingLimit
from crm_bridge_zoho.simulator_wire import JSON, reply

TOKEN_PATH = "/oauth/v2/token"
TOKEN_LIFE = 3600.0
TOKENS_ALIVE = 15
SCOPES = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.fields.ALL",
    "ZohoCRM.settings.related_lists.READ",
    "ZohoCRM.settings.layouts.READ",
    "ZohoCRM.settings.custom_views.READ",
    "ZohoCRM.settings.profiles.READ",
    "ZohoCRM.settings.roles.READ",
    "ZohoCRM.settings.tags.ALL",
    "ZohoCRM.settings.record_locking_configurations.ALL",
    "ZohoCRM.settings.recycle_bin.READ",
    "ZohoCRM.settings.recycle_bin.UPDATE",
    "ZohoCRM.settings.recycle_bin.DELETE",
    "ZohoCRM.mass_delete.DELETE",
    "ZohoCRM.mass_delete.READ",
    "ZohoCRM.mass_update.ALL",
    "ZohoCRM.coql.READ",
    "ZohoCRM.bulk.READ",
    "ZohoCRM.modules.lockinginformation.ALL",
    "ZohoCRM.org.READ",
    "ZohoCRM.users.READ",
)
_THROTTLED = {
    "error_description": (
        "You have made too many requests continuously. Please try again after some time."
    ),
    "error": "Access Denied",
    "status": "failure",
}


def open_keys(account: Account) -> None:
    """Make an account's client, secrets and refresh token; new at each start."""
    account.keys.update(
        org=f"{secrets.randbelow(9 * 10**17) + 10**17}",
        zgid=str(700_000_000 + secrets.randbelow(99_999_999)),
        domain=f"org{700_000_000 + secrets.randbelow(99_999_999)}",
        client_id=f"1000.{secrets.token_hex(15).upper()}",
        client_secret=secrets.token_hex(21),
        refresh_token=f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}",
        grant=f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}",
    )


def scopes_of(account: Account) -> frozenset[str]:
    """The scopes that the refresh token has; a person may have taken some away."""
    return frozenset(SCOPES) - frozenset(account.memory.get("lost_scopes", ()))


def form(call: Call) -> dict[str, str]:
    """The parameters of a token call: of the body, or of the query."""
    found = {name: values[0] for name, values in call.queries.items()}
    return {**found, **call.form}


def token(call: Call, account: Account | None, issued: dict[str, Account]) -> Reply:
    """Answer a token call; what is issued is remembered with the account it speaks for."""
    if call.method != "POST":
        return _error(account, "invalid_request")
    given = form(call)
    if account is None or given.get("client_id") != account.keys["client_id"]:
        return _error(account, "invalid_client")
    if given.get("client_secret") != account.keys["client_secret"]:
        return _error(account, "invalid_client")
    kind = given.get("grant_type")
    if kind == "refresh_token":
        known = given.get("refresh_token") == account.keys["refresh_token"]
        if not known or account.memory.get("revoked"):
            return _error(account, "invalid_code")
    elif kind == "authorization_code":
        if given.get("code") != account.keys["grant"] or account.memory.get("grant_used"):
            return _error(account, "invalid_code")
    else:
        return _error(account, "unsupported_grant_type" if kind else "invalid_request")
    now = account.clock.epoch()
    if account.limits:
        window = account.memory.setdefault("token_window", RollingLimit(10, 600))
        if window.take("refresh" if kind == "refresh_token" else "grant", now):
            return reply(_THROTTLED, account.switches["throttle_status"])
    made = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
    alive: dict[str, float] = account.memory.setdefault("tokens", {})
    alive[made] = now + TOKEN_LIFE
    issued[made] = account
    while len(alive) > TOKENS_ALIVE:
        del alive[next(iter(alive))]
    data: dict[str, Any] = {"access_token": made}
    if kind == "authorization_code":
        account.memory["grant_used"] = True
        data["refresh_token"] = account.keys["refresh_token"]
    data |= {
        "scope": " ".join(sorted(scopes_of(account))),
        "api_domain": call.base,
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFE),
    }
    return reply(data)


def is_alive(account: Account, given: str) -> bool:
    """Whether an access token still counts."""
    ends: float | None = account.memory.get("tokens", {}).get(given)
    return ends is not None and account.clock.epoch() < ends


def _error(account: Account | None, error: str) -> Reply:
    status = account.switches["oauth_error_status"] if account else 200
    return reply({"error": error}, status)


def refused(status: int) -> Reply:
    """What a fault that gives a status only answers on the accounts server."""
    if status == 429:
        return reply(_THROTTLED, status)
    if status >= 500:
        return Reply.html("<html><body><h1>Service Unavailable</h1></body></html>", status)
    if status == 401:
        return reply({"error": "invalid_client"}, status)
    return Reply(status, b'{"error":"general_error"}', JSON)
