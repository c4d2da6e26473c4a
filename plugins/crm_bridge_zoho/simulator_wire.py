"""Words of Zoho's wire: refusals, rows of an answer, moments, and JSON that loses no digit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from crm_bridge.simulator import Account, Call, Reply

ZONE = timezone(timedelta(hours=8))
"""The organisation's own zone: every moment in an answer carries its offset, never a Z."""

JSON = "application/json;charset=UTF-8"
VERSIONS = {"v2": 2.0, "v2.1": 2.1, **{f"v{n}": float(n) for n in range(3, 9)}}
"""The versions that are served side by side (https://www.zoho.com/crm/developer/docs/api/v8/)."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

MESSAGES = {
    "AUTHENTICATION_FAILURE": "Authentication failed",
    "AUTHORIZATION_FAILED": "User does not have sufficient privilege to perform this action",
    "INTERNAL_ERROR": "Internal Server Error",
    "INVALID_HOST": "The host of the request does not belong to the data centre of the token",
    "INVALID_MODULE": "the module name given seems to be invalid",
    "INVALID_OAUTHTOKEN": "invalid oauth token",
    "INVALID_REQUEST_METHOD": "The http request method type is not a valid one",
    "INVALID_TOKEN": "invalid oauth token",
    "INVALID_URL_PATTERN": "Please check if the URL trying to access is a correct one",
    "NO_PERMISSION": "permission denied",
    "NOT_SUPPORTED": "The given module is not supported in API",
    "OAUTH_SCOPE_MISMATCH": "Unauthorized",
    "REQUIRED_PARAM_MISSING": "One of the expected parameter is missing",
    "TOO_MANY_REQUESTS": "You have exceeded the number of API calls allowed, try again later",
}
STATUSES = {
    "AUTHENTICATION_FAILURE": 401,
    "INVALID_TOKEN": 401,
    "INVALID_OAUTHTOKEN": 401,
    "OAUTH_SCOPE_MISMATCH": 401,
    "NO_PERMISSION": 403,
    "INVALID_URL_PATTERN": 404,
    "INTERNAL_ERROR": 500,
    "TOO_MANY_REQUESTS": 429,
}


def entry(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One refusal, bare or as a row."""
    return {"code": code, "details": dict(details or {}), "message": message, "status": "error"}


def success(
    message: str, details: Mapping[str, Any] | None = None, code: str = "SUCCESS"
) -> dict[str, Any]:
    """One row that says that it was done (or SCHEDULED)."""
    return {"code": code, "details": dict(details or {}), "message": message, "status": "success"}


class Deny(Exception):
    """A request that is refused as a whole: bare, or wrapped as the only row of `key`."""

    def __init__(
        self,
        code: str,
        message: str = "",
        details: Mapping[str, Any] | None = None,
        status: int = 0,
        key: str = "",
    ) -> None:
        super().__init__(code)
        self.status = status or STATUSES.get(code, 400)
        self.body: dict[str, Any] = entry(code, message or MESSAGES.get(code, code), details)
        if key:
            self.body = {key: [self.body]}


class RowDeny(Exception):
    """One record that is refused; the others of the request go on."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.row = entry(code, message, details)


@dataclass
class Asked:
    """A request that is logged in.

    Attributes:
        account: Whose token it carries.
        call: The request.
        version: 2.0, 2.1, 3.0 ... 8.0.
        parts: The path behind /crm/v8/, cut at the slashes.
        user: The id of the user whom the token speaks for.
        scopes: What the token may do.
        cost: Credits that the call takes.
    """

    account: Account
    call: Call
    version: float
    parts: list[str]
    user: str
    scopes: frozenset[str]
    cost: int = 1
    fields: list[str] = field(default_factory=list)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.method

    def query(self, name: str) -> str | None:
        """A parameter of the query, None where it is missing or empty."""
        return self.call.query(name) or None

    def need(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            Deny: It is not.
        """
        value = self.query(name)
        if value is None:
            raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": name})
        return value

    def names(self, name: str) -> list[str]:
        """A parameter that is a list with commas."""
        return [one.strip() for one in (self.query(name) or "").split(",") if one.strip()]

    def body(self) -> dict[str, Any]:
        """The body, with every digit of its numbers; the content type does not matter.

        Raises:
            Deny: It is no JSON object.
        """
        return exact_body(self.call)

    def rows(self, key: str = "data", most: int = 100) -> list[dict[str, Any]]:
        """The records that a body holds.

        Raises:
            Deny: There are none, too many, or they are no objects.
        """
        given = self.body().get(key)
        if given is None:
            raise Deny("MANDATORY_NOT_FOUND", "required field not found", {"api_name": key})
        if not isinstance(given, list) or not given or not all(isinstance(r, dict) for r in given):
            raise Deny("INVALID_DATA", "invalid data", wrong_type(key, "jsonarray"))
        if len(given) > most:
            raise Deny("LIMIT_EXCEEDED", "the limit is exceeded", {"limit": most, "api_name": key})
        return given


def exact_body(call: Call) -> dict[str, Any]:
    """The body of a request as an object.

    Raises:
        Deny: It is none.
    """
    try:
        data = _decoder.decode(call.body)
    except (ValueError, msgspec.DecodeError):
        data = None
    if not isinstance(data, dict):
        text = "The request body format is invalid or expected body content is missing"
        raise Deny("INVALID_DATA", text, {"expected_data_type": "jsonobject"})
    return data


def wrong_type(name: str, wanted: str) -> dict[str, Any]:
    """The details of a value of the wrong type."""
    return {"expected_data_type": wanted, "api_name": name}


def reply(data: Any, status: int = 200) -> Reply:
    """An answer whose numbers keep every digit."""
    return Reply(status, _encoder.encode(data), JSON)


def nothing() -> Reply:
    """204: no body, no content type."""
    return Reply(204)


def raw(value: Any) -> Any:
    """The same value with decimals as JSON numbers, for encoders that would quote them."""
    if isinstance(value, Decimal):
        return msgspec.Raw(plain(value).encode())
    if isinstance(value, dict):
        return {name: raw(one) for name, one in value.items()}
    if isinstance(value, list):
        return [raw(one) for one in value]
    return value


def plain(value: Decimal) -> str:
    """A decimal without an exponent and without idle noughts."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(text: str, places: int) -> Decimal | int:
    """A number with at most so many decimals, as the vendor stores it."""
    head, _, tail = text.partition(".")
    kept = tail[:places].rstrip("0")
    return Decimal(f"{head}.{kept}") if kept else int(head)


def answered(key: str, rows: Sequence[Mapping[str, Any]], good: int = 200, bad: int = 400) -> Reply:
    """An answer row by row: all well, all refused, or 207 where they differ."""
    fine = sum(1 for row in rows if row["status"] == "success")
    status = good if fine == len(rows) else bad if not fine else 207
    return reply({key: list(rows)}, status)


def moment(epoch: float) -> str:
    """A moment as Zoho writes it: to the second, with the organisation's offset."""
    return datetime.fromtimestamp(int(epoch), ZONE).isoformat()


def moment_ms(ms: int) -> str:
    """Milliseconds since 1970 as Zoho writes a moment."""
    return datetime.fromtimestamp(ms // 1000, ZONE).isoformat()


def day_ms(ms: int) -> str:
    """Milliseconds since 1970 as a date."""
    return datetime.fromtimestamp(ms // 1000, ZONE).date().isoformat()


def epoch_of(text: str) -> float | None:
    """An ISO 8601 moment with its offset as seconds since 1970; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def page_of(asked: Asked, rows: Iterable[Any], most: int = 200) -> tuple[list[Any], dict[str, Any]]:
    """One page of plain paging, and its info.

    Raises:
        Deny: page or per_page is no number, or too big.
    """
    page, size = paging(asked, most)
    start = (page - 1) * size
    found = list(rows)
    some = found[start : start + size]
    info = {
        "per_page": size,
        "count": len(some),
        "page": page,
        "more_records": start + size < len(found),
    }
    return some, info


def paging(asked: Asked, most: int = 200) -> tuple[int, int]:
    """`page` and `per_page`.

    Raises:
        Deny: They are no numbers, or too big.
    """
    found = []
    for name, default in (("page", 1), ("per_page", most)):
        text = asked.query(name) or str(default)
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise Deny("INVALID_DATA", "invalid data", {"param_name": name})
        found.append(int(text))
    if found[1] > most:
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "per_page", "maximum": most})
    return found[0], found[1]
