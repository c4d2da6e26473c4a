"""Trouble on request: rules that match requests and say what goes wrong with them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from crm_bridge.simulator.call import Call

_DO = frozenset({"status", "retry_after", "delay", "drop", "body", "headers", "after"})


class Fault:
    """One rule: which requests, how many more of them, and what happens.

    `do` may hold, together: `delay` seconds, before the effect; `status` (with `retry_after`,
    `headers`, `body`), answered instead of applying; `body`, in place of the true answer's body,
    after the effect; `drop` "before" or "after" the effect; `after`: true turns `status` and
    `delay` to after the effect.
    Any other key must be one the vendor's simulator has named (`fault_keys`).
    """

    def __init__(self, rule: Any, vendor_keys: Collection[str] = ()) -> None:
        if not isinstance(rule, dict) or not isinstance(rule.get("do"), dict) or not rule["do"]:
            raise ValueError('a fault is {"match": {...}, "times": N, "do": {...}}')
        if unknown := set(rule) - {"match", "times", "do"}:
            raise ValueError(f"unknown key of a fault: {', '.join(sorted(unknown))}")
        match = rule.get("match") or {}
        if not isinstance(match, dict) or (unknown := set(match) - {"path", "method", "body"}):
            raise ValueError("match takes path, method and body")
        self.do: dict[str, Any] = rule["do"]
        if unknown := set(self.do) - _DO - set(vendor_keys):
            raise ValueError(f"unknown key of do: {', '.join(sorted(unknown))}")
        if self.do.get("drop", "before") not in ("before", "after"):
            raise ValueError('drop is "before" or "after"')
        self.times: int = rule.get("times", 1)
        if not isinstance(self.times, int) or self.times < 1:
            raise ValueError("times is a number from 1")
        self.match = match
        try:
            self._path = re.compile(match.get("path", ""))
            self._method = re.compile(match.get("method", ".*"), re.IGNORECASE)
            self._body = re.compile(match.get("body", ""))
        except (re.error, TypeError) as error:
            raise ValueError(f"not a regular expression: {error}") from error

    def hits(self, call: Call) -> bool:
        """Whether the rule means this request; the path is tried with and without its query."""
        if not self._method.fullmatch(call.method):
            return False
        if not self._path.search(call.path) and not (
            call.query_string and self._path.search(f"{call.path}?{call.query_string}")
        ):
            return False
        return not self._body.pattern or bool(
            self._body.search(call.body.decode("utf-8", "replace"))
        )

    def shown(self) -> dict[str, Any]:
        """The rule with the times it has left."""
        return {"match": self.match, "times": self.times, "do": self.do}


class Faults:
    """The rules of one account, the oldest first; a request meets the first that matches."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a rule behind the others."""
        self.rules.append(fault)

    def clear(self) -> None:
        """Take all rules away."""
        self.rules.clear()

    def take(self, call: Call) -> Fault | None:
        """The rule that this request meets, counted down."""
        for fault in self.rules:
            if fault.hits(call):
                fault.times -= 1
                if fault.times <= 0:
                    self.rules.remove(fault)
                return fault
        return None

    def shown(self) -> list[dict[str, Any]]:
        """All rules that are left."""
        return [fault.shown() for fault in self.rules]
