"""What calls cost and how many may run: credits in a rolling day, calls at one time.

https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html; the cost of each call is also in
https://www.zoho.com/developer/docs/vertical-solutions/api/v2/api-limits.html. What bin and mass
delete cost is not documented; here one credit.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from crm_bridge.simulator import Account
from crm_bridge_zoho.simulator_org import DAY, PEOPLE
from crm_bridge_zoho.simulator_wire import Deny

EDITIONS = {
    "Free": (5_000, 0, 5),
    "Standard": (50_000, 250, 10),
    "Professional": (50_000, 500, 15),
    "Enterprise": (50_000, 1_000, 20),
    "Ultimate": (50_000, 2_000, 25),
}
"""Credits a day, more for each user, calls at one time."""

HEAVY = 10
"""Heavy calls at one time, in every edition."""


def credits_of(account: Account) -> int:
    """The credits of a day, by edition and users, or as the switch says."""
    base, each, _ = EDITIONS[account.switches["edition"]]
    return int(account.switches["credits"]) or base + each * len(PEOPLE)


def used(account: Account) -> int:
    """The credits used in the last 24 hours."""
    log: deque[tuple[float, int]] = account.memory.setdefault("credit_log", deque())
    since = account.clock.epoch() - DAY
    spent: int = account.memory.get("credits", 0)
    while log and log[0][0] <= since:
        spent -= log.popleft()[1]
    account.memory["credits"] = spent
    return spent


def spend(account: Account, cost: int) -> None:
    """Take credits for a call.

    Raises:
        Deny: TOO_MANY_REQUESTS, the day's credits are used up.
    """
    if not account.limits or not cost:
        return
    if used(account) + cost > credits_of(account):
        raise Deny("TOO_MANY_REQUESTS")
    account.memory["credit_log"].append((account.clock.epoch(), cost))
    account.memory["credits"] += cost


def left(account: Account) -> int | None:
    """The credits left, once half of them are used; the header tells no earlier."""
    if not account.limits:
        return None
    limit, spent = credits_of(account), used(account)
    return limit - spent if 2 * spent >= limit else None


class Flight:
    """The calls under way, by account; heavy ones (more than ten records written) apart."""

    def __init__(self) -> None:
        self._under: dict[int, dict[int, bool]] = {}
        self._over: set[int] = set()  # calls that found too many under way when they came

    def begin(self, account: Account, call: Any, heavy: bool) -> None:
        """A call came in."""
        under = self._under.setdefault(account.index, {})
        most = EDITIONS[account.switches["edition"]][2]
        if len(under) >= most or (heavy and sum(under.values()) >= HEAVY):
            self._over.add(id(call))
        under[id(call)] = heavy

    def end(self, account: Account, call: Any) -> None:
        """A call was answered."""
        self._under.get(account.index, {}).pop(id(call), None)
        self._over.discard(id(call))

    def check(self, account: Account, call: Any) -> None:
        """Refuse a call that came while too many were under way.

        Raises:
            Deny: TOO_MANY_REQUESTS.
        """
        if account.limits and id(call) in self._over:
            raise Deny("TOO_MANY_REQUESTS")
