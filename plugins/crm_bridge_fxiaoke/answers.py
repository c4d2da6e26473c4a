"""What an answer means: HTTP is 200 for every failure, and only `errorCode` tells.

Codes: https://developer.fxiaoke.com/openapi_v2/start/guide/codes.html. Refusals by an object's
business rules (locked, already voided, in an approval) have codes that nobody has published: they
are whatever is not in that list, and their Chinese text is handed on as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crm_bridge.kit import (
    Busy,
    Rejected,
    StrangeAnswer,
    Unauthorized,
    Unreachable,
    date_of,
    strict_json,
)

TOKEN_DEAD: Final = frozenset({20005, 20016})
LIMITED: Final = frozenset({14001, 30004})
DAY_USED_UP: Final = 30002
IN_DOUBT: Final = frozenset({-1, -2, 50009})
"""Busy, a system error, a timeout behind the gateway: nobody says whether a write was applied."""

NO_LOGIN: Final = frozenset(
    {10001, 10002, 10003, 10012, 10014, 11001, 11002, 11003, 11013, 11014, 11015, 12002, 20006,
     20010, 20015, 20017}
)  # fmt: skip
NO_RIGHT: Final = frozenset({15003, 20014, 20020, 20021, 20022, 20023, 30003})
"""The application may not: refused for every record alike, until an administrator acts."""

PARAMETERS: Final = frozenset({15002, 32000})
REQUEST: Final = frozenset(
    {10004, 10005, 10006, 10007, 10008, 10009, 10010, 10013, 10015, 11004, 11005, 11006, 11007,
     11008, 11009, 11010, 11011, 11016, 11017, 11018, 12003, 12004, 12005, 20012, 30007, 30027,
     40010}
)  # fmt: skip
PUBLISHED: Final = (
    TOKEN_DEAD | LIMITED | {DAY_USED_UP} | IN_DOUBT | NO_LOGIN | NO_RIGHT | PARAMETERS | REQUEST
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        body: The whole envelope.
        now: The server's clock, from its Date header.
    """

    body: Mapping[str, Any]
    now: datetime

    @property
    def data(self) -> Mapping[str, Any]:
        """What the call is about; empty where it tells nothing."""
        data = self.body.get("data")
        return data if isinstance(data, Mapping) else {}


def is_business(error: Rejected) -> bool:
    """Whether a refusal comes from the rules of an object, and not from the shape of the call."""
    code = error.vendor_code or ""
    return bool(code) and int(code) not in PUBLISHED


def opened(
    status: int, headers: Mapping[str, str], content: bytes, *, write: bool, login: bool = False
) -> Answer:
    """Read an answer.

    Args:
        status: The HTTP status.
        headers: Its headers.
        content: Its body.
        write: Whether the request could change something.
        login: Whether it was a login; then no code means that another token would help.

    Raises:
        Busy: Turned away for now.
        Unauthorized: The login or a right of the application does not hold.
        Rejected: Refused; `divisible` where a shorter list may pass.
        Unreachable: Nothing that can be read, or a failure that tells nothing.
    """
    if status == 429:
        raise Busy("FxiaoKe's gateway asks for a pause.", _seconds(headers.get("Retry-After")))
    if status >= 500:
        raise Unreachable(f"FxiaoKe's gateway answered {status}.", answered=True)
    body = _envelope(status, headers, content)
    code = body.get("errorCode")
    if code is None and not write and not login and "data" in body:
        code = 0  # the manual's sample of object/list has none
    if not isinstance(code, int) or isinstance(code, bool):
        raise Unreachable("FxiaoKe answered without an errorCode.", answered=True)
    if code == 0:
        return Answer(body, date_of(headers))
    _refuse(code, _words(body), _line(body.get("traceId")) or None, login)
    raise AssertionError("a code other than 0 is always refused")


def _refuse(code: int, text: str, trace: str | None, login: bool) -> None:
    told: dict[str, Any] = {"vendor_code": str(code), "request_id": trace}
    said = f"FxiaoKe answered {code}: {text}"
    if code in LIMITED:
        raise Busy(f"FxiaoKe limits the calls ({code}: {text}).", **told)
    if code == DAY_USED_UP:
        raise Busy(
            f"the day's calls are used up ({code}: {text}); they are counted anew at 0:00.",
            until_reset=True,
            **told,
        )
    if code in IN_DOUBT:
        raise Unreachable(said, answered=True, **told)
    if code in TOKEN_DEAD and not login:
        raise Unauthorized(said, renewable=True, **told)
    if code in NO_RIGHT:
        raise Unauthorized(
            said, detail="An administrator of the enterprise allows the application so.", **told
        )
    if login or code in NO_LOGIN:
        # A wrong appSecret is answered as 10006, a missing scope, by both token calls.
        raise Unauthorized(
            said, detail="Check app_id, app_secret, permanent_code and the allowed IPs.", **told
        )
    raise Rejected(text or said, divisible=code in PARAMETERS or code not in PUBLISHED, **told)


def _envelope(status: int, headers: Mapping[str, str], content: bytes) -> Mapping[str, Any]:
    html = "html" in headers.get("Content-Type", "").lower() or content.lstrip()[:1] == b"<"
    if html or status != 200:
        raise Unreachable(
            f"what answered ({status}) is not FxiaoKe's API.",
            strange=True,
            detail="Check base_url: the API is at open.fxiaoke.com, not at www.",
        )
    try:
        body = strict_json(content)
    except StrangeAnswer as error:
        raise Unreachable(
            f"FxiaoKe's answer cannot be read: {_line(str(error))}.", answered=True
        ) from None
    if not isinstance(body, dict):
        raise Unreachable("FxiaoKe answered with something else than an object.", answered=True)
    return body


def _words(body: Mapping[str, Any]) -> str:
    """The vendor's own text; the description too where it says something else."""
    message, more = _line(body.get("errorMessage")), _line(body.get("errorDescription"))
    if more and more not in (message, "success", "成功"):
        return f"{message} ({more})" if message else more
    return message


def _line(text: Any) -> str:
    """A text of the vendor's on one line, cut at a limit."""
    return " ".join(text.split())[:300] if isinstance(text, str) else ""


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
