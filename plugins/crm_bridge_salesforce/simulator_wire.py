"""How REST is spoken: requests taken apart, answers put together, numbers exact both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from crm_bridge.simulator import Call, Reply
from crm_bridge_salesforce.simulator_org import Org, Trouble

PATH: Final = re.compile(r"/services/data/(v\d+\.\d)(?:/(.*))?")
OLDEST: Final = 31

_ENCODE = msgspec.json.Encoder(decimal_format="number")
_DECODE = msgspec.json.Decoder(float_hook=Decimal)
JSON: Final = "application/json;charset=UTF-8"


@dataclass(slots=True)
class Answer:
    """A status, what the body says, and headers; `text` is a body that is not JSON."""

    status: int = 200
    data: Any = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str | None = None

    def reply(self) -> Reply:
        """The answer on the wire."""
        if self.text is not None:
            return Reply(self.status, self.text, "text/csv", self.headers)
        if self.data is None:
            return Reply(self.status, b"", None, self.headers)
        return Reply(self.status, _ENCODE.encode(self.data), JSON, self.headers)


def body_of(call: Call) -> Any:
    """The body as JSON, its numbers exact.

    Raises:
        Trouble: It is no JSON.
    """
    try:
        return _DECODE.decode(call.body)
    except (ValueError, msgspec.DecodeError) as error:
        raise Trouble("JSON_PARSER_ERROR", f"Unexpected character: {error}") from None


def object_of(call: Call) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Trouble: It is something else.
    """
    told = body_of(call)
    if not isinstance(told, dict):
        raise Trouble("JSON_PARSER_ERROR", "The HTTP entity body is required, as a JSON object")
    return told


def not_found(text: str = "The requested resource does not exist") -> Trouble:
    """The answer for a place that there is not."""
    return Trouble("NOT_FOUND", text, status=404)


def not_allowed(method: str, *allowed: str) -> Trouble:
    """The answer to a method that a place does not take."""
    listed = ",".join(("HEAD", *allowed) if "GET" in allowed else allowed)
    text = f"HTTP Method '{method}' not allowed. Allowed are {listed}"
    return Trouble("METHOD_NOT_ALLOWED", text, status=405)


def failure(error: Trouble) -> Answer:
    """A refusal of the whole request: an array of one."""
    entry = error.rest()
    if error.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED", "INVALID_SESSION_ID", "INVALID_TYPE"):
        del entry["fields"]
    return Answer(error.status, [entry])


def listed(data: Any, name: str) -> Sequence[Any]:
    """A list inside a body.

    Raises:
        Trouble: It is missing.
    """
    found = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(found, list):
        raise Trouble("JSON_PARSER_ERROR", f"Missing or invalid list: {name}")
    return found


# -- allowance ------------------------------------------------------------------------------------


def used(org: Org) -> int:
    """Calls of the last 24 hours."""
    hours: dict[int, int] = org.account.memory.setdefault("usage", {})
    now = int(org.clock.epoch() // 3600)
    for hour in [h for h in hours if not now - 24 < h <= now]:
        del hours[hour]
    return sum(hours.values())


def count(org: Org, calls: int = 1) -> None:
    """Count calls against the daily allowance.

    Raises:
        Trouble: It is used up.
    """
    hours: dict[int, int] = org.account.memory.setdefault("usage", {})
    if org.account.limits and used(org) + calls > org.daily:
        text = "TotalRequests Limit exceeded."
        raise Trouble("REQUEST_LIMIT_EXCEEDED", text, status=403)
    now = int(org.clock.epoch() // 3600)
    hours[now] = hours.get(now, 0) + calls


def spend(org: Org, calls: int) -> None:
    """Have so many calls made within the last hour, and none before."""
    org.account.memory["usage"] = {int(org.clock.epoch() // 3600): calls}


def usage(org: Org) -> tuple[str, str]:
    """The header that tells of the allowance."""
    return "sforce-limit-info", f"api-usage={used(org)}/{org.daily}"


def lock_rows(org: Org, total: int) -> dict[int, Trouble]:
    """The rows of this write that a waiting fault spoils, by position."""
    if org.row_error is None:
        return {}
    code, every = org.row_error
    org.row_error = None
    text = {
        "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record or 1 records",
    }.get(code, code.replace("_", " ").lower())
    return {at: Trouble(code, text) for at in range(0, total, max(every, 1))}
