"""How often a portal may be called: ten rolling seconds, a day, and a second for search.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import uuid4

from crm_bridge.simulator import Account, Reply
from crm_bridge_hubspot.simulator_wire import Asked

TIERS: Final = {
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
}
"""Calls of a private app or service key in ten seconds, and of all of them in a day, by edition."""

OAUTH_CALLS: Final = 110
"""Calls of an OAuth app in ten seconds."""

SEARCHES: Final = 5
"""Searches a second, of the whole portal."""

ZONES: Final = (("Asia/Shanghai", 8), ("UTC", 0))
"""Each portal's time zone and its hours; the day of the quota begins at its midnight."""

_TEXTS: Final = {
    "DAILY": "You have reached your daily limit.",
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
}
POLICIES: Final = tuple(_TEXTS)


def zone(account: Account) -> timezone:
    """The portal's time zone."""
    return timezone(timedelta(hours=ZONES[account.index][1]))


def next_midnight(account: Account) -> datetime:
    """When the daily quota begins anew."""
    local = account.clock.now().astimezone(zone(account))
    day = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return day.astimezone(UTC)


def used_today(account: Account) -> int:
    """Calls of today, by the portal's own day."""
    day = account.clock.now().astimezone(zone(account)).date().isoformat()
    kept: list[Any] = account.memory.setdefault("day", [day, 0])
    if kept[0] != day:
        kept[:] = [day, 0]
    return int(kept[1])


def use(account: Account, calls: int) -> None:
    """Count calls of today."""
    used_today(account)
    account.memory["day"][1] += calls


def calls_a_day(account: Account) -> int:
    """Calls of a day, by the portal's edition."""
    return TIERS[account.memory.get("tier", "starter")][1]


def left_today(account: Account) -> int:
    """Calls that are left today."""
    return max(calls_a_day(account) - used_today(account), 0)


def too_often(account: Account, policy: str) -> Reply:
    """429 in its own shape: `errorType` in place of a category, and no Retry-After."""
    told: dict[str, Any] = {
        "status": "error",
        "message": _TEXTS[policy],
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid4()),
        "policyName": policy,
    }
    if policy != "SECONDLY":
        told["requestId"] = str(uuid4())
    if not account.switches["correlation_id"]:
        del told["correlationId"]
    wait = {"DAILY": 3600, "TEN_SECONDLY_ROLLING": 10, "SECONDLY": 1}[policy]
    headers = {"retry-after": str(wait)} if account.switches["retry_after"] else {}
    return Reply.json(told, 429, headers)


def _recent(account: Account, name: str, seconds: float) -> deque[float]:
    now = account.clock.epoch()
    calls: deque[float] = account.memory.setdefault("recent", {}).setdefault(name, deque())
    while calls and not now - seconds < calls[0] <= now:
        calls.popleft()
    return calls


def admit(asked: Asked, searching: bool) -> Reply | None:
    """Count a call; the refusal where there are too many."""
    account = asked.account
    if not account.limits:
        use(account, 1)
        return None
    if not asked.oauth and left_today(account) < 1:
        return too_often(account, "DAILY")
    name, most, seconds, policy = (
        ("search", SEARCHES, 1.0, "SECONDLY")
        if searching
        else (_bucket(asked), _calls(asked), 10.0, "TEN_SECONDLY_ROLLING")
    )
    calls = _recent(account, name, seconds)
    if len(calls) >= most:
        return too_often(account, policy)
    calls.append(account.clock.epoch())
    use(account, 1)
    return None


def _bucket(asked: Asked) -> str:
    return "oauth" if asked.oauth else "private"


def _calls(asked: Asked) -> int:
    if asked.oauth:
        return OAUTH_CALLS
    return TIERS[asked.account.memory.get("tier", "starter")][0]


def rate_headers(asked: Asked) -> list[tuple[str, str]]:
    """What every answer tells of the rates, but search; the day's only to private apps."""
    account, bucket = asked.account, _bucket(asked)
    most = _calls(asked)
    recent = len(_recent(account, bucket, 10.0)) if account.limits else 1
    found = [
        ("x-hubspot-ratelimit-max", str(most)),
        ("x-hubspot-ratelimit-remaining", str(max(most - recent, 0))),
        ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
    ]
    if not asked.oauth:
        found += [
            ("x-hubspot-ratelimit-daily", str(calls_a_day(account))),
            ("x-hubspot-ratelimit-daily-remaining", str(left_today(account))),
        ]
    return found
