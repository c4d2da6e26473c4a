"""Tokens without a browser: client credentials, JWT bearer, and who a token is.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from crm_bridge.simulator import Account, Call, Reply
from crm_bridge_salesforce.simulator_org import Org

TOKEN: Final = "/services/oauth2/token"
REVOKE: Final = "/services/oauth2/revoke"
USERINFO: Final = "/services/oauth2/userinfo"
SESSION_SECONDS: Final = 7200
"""A token dies after so many seconds without a call."""
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_JWT = 300


def jwt_key(account: Account) -> str:
    """The private key, PEM, whose certificate the org's app holds; made when first asked for."""
    if "private_key" not in account.keys:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        account.keys["private_key"] = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        account.keys["public_key"] = (
            key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )
    return account.keys["private_key"]


def client(call: Call) -> tuple[str, str]:
    """The client id and secret of a token request, from Basic or the form."""
    kind, _, told = call.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            id, _, secret = base64.b64decode(told, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return id, secret
    return call.form.get("client_id", ""), call.form.get("client_secret", "")


def claims(assertion: str) -> dict[str, Any]:
    """The claims of an assertion, read without trust."""
    parts = assertion.split(".")
    if len(parts) != 3:
        return {}
    try:
        told = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return {}
    return told if isinstance(told, dict) else {}


def account_of(accounts: Iterable[Account], call: Call) -> Account | None:
    """The account that a token request names."""
    id = client(call)[0] or str(claims(call.form.get("assertion", "")).get("iss", ""))
    return next((a for a in accounts if id and a.keys["consumer_key"] == id), None)


def _wrong(error: str, text: str) -> Reply:
    return Reply.json({"error": error, "error_description": text}, 400)


def token(call: Call) -> Reply:
    """The token endpoint."""
    if call.method != "POST":
        return _wrong("invalid_request", "must use HTTP POST")
    grant = call.form.get("grant_type")
    if grant not in ("client_credentials", _JWT_GRANT):
        return _wrong("unsupported_grant_type", "grant type not supported")
    account = call.account
    if account is None:
        return _wrong("invalid_client_id", "client identifier invalid")
    if grant == "client_credentials":
        if not secrets.compare_digest(client(call)[1].encode(), account.keys["secret"].encode()):
            return _wrong("invalid_client", "invalid client credentials")
    elif why := _refusal(account, call.form.get("assertion", "")):
        return _wrong("invalid_grant", why)
    return Reply.json(issue(account, call.base))


def _refusal(account: Account, assertion: str) -> str:
    """Why an assertion is not taken, or nothing."""
    import jwt

    if "public_key" not in account.keys:
        return "invalid assertion"
    try:
        told = jwt.decode(
            assertion, account.keys["public_key"], algorithms=["RS256"],
            options={"verify_exp": False, "verify_aud": False},
        )  # fmt: skip
    except jwt.PyJWTError:
        return "invalid assertion"
    audience = str(told.get("aud", ""))
    if audience not in ("https://login.salesforce.com", "https://test.salesforce.com"):
        return "audience is invalid"
    if told.get("sub") != account.keys["username"]:
        return "user hasn't approved this consumer"
    try:
        left = float(told["exp"]) - account.clock.epoch()
    except (KeyError, TypeError, ValueError):
        return "expiration is missing"
    return "" if 0 < left <= _LONGEST_JWT + 5 else "expired authorization code"


def issue(account: Account, base: str) -> dict[str, Any]:
    """A new token, and what the endpoint says of it."""
    org = Org.of(account)
    now = account.clock.epoch()
    made = _jwt_token(org, now) if not org.may("opaque_token") else _opaque(org)
    sessions(account)[made] = now
    place = f"{base}/id/{org.id}/{org.user}"
    issued = str(int(now * 1000))
    signature = hashlib.sha256(f"{place}{issued}{account.keys['secret']}".encode()).digest()
    return {
        "access_token": made,
        "signature": base64.b64encode(signature).decode(),
        "scope": "api",
        "instance_url": base,
        "id": place,
        "token_type": "Bearer",
        "issued_at": issued,
    }


def _opaque(org: Org) -> str:
    # Two dots are within an opaque token's alphabet; what they part is no JSON.
    return f"{org.id[:15]}!AQ{secrets.token_hex(16)}.{secrets.token_hex(16)}.{secrets.token_hex(4)}"


def _jwt_token(org: Org, now: float) -> str:
    def part(told: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(told)).decode().rstrip("=")

    head = {"tnk": "core/prod", "ver": "1.0", "kid": "CORE", "alg": "RS256"}
    body = {"sub": f"uid:{org.user}", "scp": "api", "iss": org.id, "iat": int(now)}
    return f"{part(head)}.{part(body)}.{secrets.token_urlsafe(64)}"


def is_jwt(token: str) -> bool:
    """Whether a token is in JWT format, which SOAP does not take."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4))
    except (binascii.Error, ValueError):
        return False
    return parts[0].startswith("ey")


def sessions(account: Account) -> dict[str, float]:
    """The account's tokens, each with the second of its last call."""
    found: dict[str, float] = account.memory.setdefault("tokens", {})
    return found


def valid(account: Account, token: str) -> bool:
    """Whether a token still holds; a call keeps it alive."""
    known = sessions(account)
    now = account.clock.epoch()
    last = known.get(token)
    if last is None or now - last > SESSION_SECONDS:
        known.pop(token, None)
        return False
    known[token] = now
    return True


def user_info(org: Org, base: str) -> dict[str, Any]:
    """Who a token is."""
    name = org.account.keys["username"]
    return {
        "sub": f"{base}/id/{org.id}/{org.user}",
        "user_id": org.user,
        "organization_id": org.id,
        "preferred_username": name,
        "nickname": "bridge",
        "name": "Bridge",
        "email": name,
        "email_verified": True,
        "zoneinfo": "Etc/UTC",
        "active": True,
        "user_type": "STANDARD",
        "is_salesforce_integration_user": True,
        "urls": {
            "rest": f"{base}/services/data/v{{version}}/",
            "sobjects": f"{base}/services/data/v{{version}}/sobjects/",
            "query": f"{base}/services/data/v{{version}}/query/",
            "partner": f"{base}/services/Soap/u/{{version}}/{org.id[:15]}",
        },
    }
