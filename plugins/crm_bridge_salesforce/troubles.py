"""What Salesforce's errors mean: for a call as a whole, and for one row of it.

Codes: the StatusCode and ExceptionCode enumerations of the partner WSDL; statuses:
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm. Nobody says
by which HTTP status each code comes, so the code decides wherever there is one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.kit import (
    AdapterError,
    Busy,
    Outcome,
    RecordRef,
    Rejected,
    State,
    StrangeAnswer,
    Unauthorized,
    Unreachable,
    already,
    failed,
    strict_json,
)

if TYPE_CHECKING:
    import requests

_LOGIN: Final = frozenset(["INVALID_SESSION_ID", "InvalidSessionId", "INVALID_AUTH_HEADER"])
_RIGHTS: Final = frozenset(
    [
        "INSUFFICIENT_ACCESS",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "API_DISABLED_FOR_ORG",
        "FEATURENOTENABLED",
        "FeatureNotEnabled",
        "API_CURRENTLY_DISABLED",
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    ]
)
_UNWELL: Final = frozenset(["UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "GACK"])
_TOO_MANY: Final = frozenset(["EXCEEDED_ID_LIMIT", "DELETE_OPERATION_TOO_LARGE"])

ROWS: Final[Mapping[str, str]] = {
    "INVALID_CROSS_REFERENCE_KEY": "not_found",
    "NOT_FOUND": "not_found",
    "MALFORMED_ID": "malformed_id",
    "INVALID_ID_FIELD": "malformed_id",
    "DELETE_FAILED": "blocked",
    "DELETE_NOT_ALLOWED": "blocked",
    "OBJECT_CANNOT_BE_DELETED": "blocked",
    "CANNOT_CASCADE_PRODUCT_ACTIVE": "blocked",
    "DELETE_REQUIRED_ON_CASCADE": "blocked",
    "CANNOT_DELETE_MANAGED_OBJECT": "blocked",
    "DELETE_OPERATION_TOO_LARGE": "too_large",
    "INSUFFICIENT_ACCESS_OR_READONLY": "rights",
    "INSUFFICIENT_ACCESS": "rights",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "rights",
    "ENTITY_IS_LOCKED": "locked",
    "ENTITY_IS_DELETED": "in_bin",
    "UNDELETE_FAILED": "not_in_bin",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "refused",
    "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE": "changed",
}
"""A row's code to ours; any other is `refused`, and the vendor's own stands beside it."""

PASSING: Final = frozenset(
    ["UNABLE_TO_LOCK_ROW", "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"]
)
"""Reasons that pass; the row was surely not applied."""


def told_of(response: requests.Response) -> tuple[str, str]:
    """Code and words of an error's body; both empty where it is not of this vendor's making."""
    try:
        told = strict_json(response.content)
    except StrangeAnswer:
        return "", ""
    return told_in(told)


def told_in(told: Any) -> tuple[str, str]:
    """Code and words of an error: a list of errors, one error, or what a login is refused with."""
    if isinstance(told, list):
        told = told[0] if told else {}
    if not isinstance(told, dict):
        return "", ""
    code = told.get("errorCode") or told.get("statusCode") or told.get("exceptionCode")
    words = told.get("message") or told.get("exceptionMessage") or told.get("error_description")
    return str(code or told.get("error") or ""), plain(str(words or ""))


def plain(words: str) -> str:
    """The vendor's words on one line, of bounded length."""
    return " ".join(words.split())[:500]


def trouble(response: requests.Response) -> AdapterError:
    """What an answer of status 300 and above means for the call."""
    code, words = told_of(response)
    return judged(response.status_code, code, words, response.headers)


def judged(
    status: int, code: str, words: str, headers: Mapping[str, str], *, fault: bool = False
) -> AdapterError:
    """What a status and a code mean for the call.

    Args:
        status: The HTTP status.
        code: The vendor's code; empty where there is none.
        words: The vendor's words.
        headers: The answer's.
        fault: Whether it is a SOAP fault, which comes with status 500 whatever it means.
    """
    request = headers.get("X-Request-Id") or headers.get("x-request-id")
    more: dict[str, Any] = {"vendor_code": code or None, "request_id": request}
    text = f"{words} ({code})" if words else code or f"HTTP {status}"
    if status == 401 or code in _LOGIN:
        return Unauthorized("Salesforce does not take the token any more.", renewable=True, **more)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in words.lower():
            return Busy(f"too many long calls run at once: {text}.", _after(headers), **more)
        return Busy(f"the day's calls are used up: {text}.", until_reset=True, **more)
    if status == 429:
        return Busy("Salesforce asks for a pause.", _after(headers), **more)
    if code in _TOO_MANY or status in (413, 414, 431):
        return Rejected(f"Salesforce finds the list too long: {text}.", divisible=True, **more)
    if code in _RIGHTS:
        return Unauthorized(f"Salesforce says that the right is missing: {text}.", **more)
    if code in _UNWELL or (status >= 500 and not fault):
        return Unreachable(f"Salesforce answered {status}: {text}.", answered=True, **more)
    if not code:
        # A proxy, a portal, or a host that is none of the vendor's.
        return Unreachable(f"something answered {status} without a code.", strange=True, **more)
    if code[0].islower() or code.endswith("OAuth_Token"):
        return Unauthorized(f"Salesforce refused the login: {text}.", **more)
    return Rejected(f"Salesforce refused: {text}.", **more)


def _after(headers: Mapping[str, str]) -> float | None:
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return None


def row(ref: RecordRef, code: str, words: str, *, deleting: bool = False) -> Outcome:
    """What a refused row means for its record.

    Args:
        ref: The record.
        code: The vendor's code.
        words: The vendor's words.
        deleting: Whether a delete was asked for, for which a record in the bin is done already.
    """
    if deleting and code == "ENTITY_IS_DELETED":
        return already(ref, state=State.DELETED)
    return failed(
        ref, "row_lock" if code in PASSING else ROWS.get(code, "refused"),
        plain(words) or f"Salesforce gave the code {code} and no words.",
        vendor_code=code or None, passing=code in PASSING,
    )  # fmt: skip
