"""What HubSpot's answers mean: a body, or one of the four errors.

Shapes and statuses: https://developers.hubspot.com/docs/api-reference/error-handling. All fields of
an error body are optional there, and some bodies are HTML or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crm_bridge.kit import (
    Busy,
    Rejected,
    StrangeAnswer,
    Unauthorized,
    Unreachable,
    strict_json,
)
from crm_bridge_hubspot.wire import Answer, Route

LOCK_SECONDS: Final = 2.0
"""A 423 lasts two seconds (error-handling)."""
POLICY_SECONDS: Final = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
"""How long the windows of the two fast limits are; `Retry-After` on a 429 is not documented."""
MOVING_SECONDS: Final = 3600.0
"""What a 477 without a time means: the account moves between data centres, for up to a day."""
NOT_FOUND: Final = "OBJECT_NOT_FOUND"
"""The category of what HubSpot does not show."""
SCHEMA_CODES: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})
"""Refusals that a smaller list meets as well."""


def judged(route: Route, answer: Answer, *, renewable: bool) -> Any:
    """Take an answer for what it is.

    Args:
        route: What was asked.
        answer: What came.
        renewable: Whether another token can be had.

    Returns:
        The body, read strictly; None where none is due.

    Raises:
        Busy: Turned away for now, and surely not applied.
        Unauthorized: The token or a scope does not hold.
        Rejected: Refused as a whole.
        Unreachable: Something answered that says neither yes nor no.
    """
    if answer.status in route.success:
        return _body(answer)
    told = _told(answer)
    message, code, request = _words(answer, told), code_of(told), told.get("correlationId")
    request = request if isinstance(request, str) else None
    match answer.status:
        case 401:
            raise Unauthorized(
                f"HubSpot does not take the token: {message}", renewable=renewable,
                vendor_code=code, request_id=request,
            )  # fmt: skip
        case 403:
            scopes = scopes_of(told)
            named = f" One of these scopes is needed: {', '.join(scopes)}." if scopes else ""
            raise Unauthorized(
                f"HubSpot refuses for lack of a right: {message}{named}",
                vendor_code=code or "403", request_id=request,
            )  # fmt: skip
        case 423:
            raise Busy(
                f"HubSpot holds a lock: {message}", _wait(answer) or LOCK_SECONDS,
                vendor_code=code, request_id=request,
            )  # fmt: skip
        case 429:
            raise _too_fast(answer, told, message, request)
        case 477:
            raise Busy(
                f"HubSpot moves this account between data centres: {message}",
                _wait(answer) or MOVING_SECONDS, vendor_code=code, request_id=request,
            )  # fmt: skip
    if answer.status == 404 and not told:
        raise Unreachable(
            "what answered 404 is not HubSpot's API.", strange=True,
            detail="Check base_url.",
        )  # fmt: skip
    if 400 <= answer.status < 500:
        raise Rejected(
            f"HubSpot refused ({answer.status}): {message}",
            divisible=route.write and answer.status in (400, 409) and code not in SCHEMA_CODES,
            vendor_code=code, request_id=request,
        )  # fmt: skip
    if answer.status >= 500:
        raise Unreachable(
            f"HubSpot answered {answer.status}: {message}", answered=True, vendor_code=code,
            request_id=request,
        )  # fmt: skip
    raise Unreachable(
        f"HubSpot answered {answer.status}, where {' or '.join(map(str, route.success))} is due.",
        strange=True, request_id=request,
    )  # fmt: skip


def _body(answer: Answer) -> Any:
    if answer.status == 204:
        if answer.body:
            raise Unreachable("HubSpot answered with a body where none is due.", strange=True)
        return None
    try:
        body = strict_json(answer.body)
    except StrangeAnswer as error:
        raise Unreachable(f"what answered is not HubSpot's API ({error}).", strange=True) from None
    if not isinstance(body, dict):
        raise Unreachable("HubSpot answered something else than an object.", strange=True)
    return body


def _told(answer: Answer) -> Mapping[str, Any]:
    """The error's body; nothing where it is HTML, cut short or empty."""
    try:
        body = strict_json(answer.body)
    except StrangeAnswer:
        return {}
    return body if isinstance(body, dict) else {}


def _words(answer: Answer, told: Mapping[str, Any]) -> str:
    message = told.get("message")
    if isinstance(message, str) and message:
        return " ".join(message.split())[:300]
    return "it gives no reason." if answer.body else "without a word."


def code_of(told: Mapping[str, Any]) -> str | None:
    """The most telling of an error's codes: a row's, then the policy, then the category."""
    rows = told.get("errors")
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    for value in (first.get("code"), told.get("policyName"), told.get("category"),
                  told.get("errorType"), told.get("error")):  # fmt: skip
        if isinstance(value, str) and value:
            return value
    return None


def scopes_of(told: Mapping[str, Any]) -> list[str]:
    """The scopes that a refusal names, in either of its two shapes; any one of them would do."""
    places: list[Any] = [told.get("context")]
    rows = told.get("errors")
    if isinstance(rows, list):
        places += [row.get("context") for row in rows if isinstance(row, dict)]
    found: list[str] = []
    for place in places:
        if isinstance(place, dict):
            for name in ("requiredGranularScopes", "missingScopes"):
                found += [s for s in place.get(name) or () if isinstance(s, str)]
    return list(dict.fromkeys(found))


def _wait(answer: Answer) -> float | None:
    try:
        return max(0.0, float(answer.headers.get("retry-after", "")))
    except ValueError:
        return None


def _too_fast(answer: Answer, told: Mapping[str, Any], message: str, request: str | None) -> Busy:
    policy = told.get("policyName")
    policy = policy if isinstance(policy, str) else ""
    wait = _wait(answer)
    return Busy(
        f"HubSpot asks for a pause: {message}",
        POLICY_SECONDS.get(policy) if wait is None else wait,
        until_reset=policy == "DAILY",
        vendor_code=policy or code_of(told),
        request_id=request,
    )
