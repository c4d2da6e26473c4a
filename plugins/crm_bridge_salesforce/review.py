"""Whether a plan would push older records out of the recycle bin: its targets, and what follows.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_emptyrecyclebin.htm
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from crm_bridge.kit import Effect, Finding, Operation, Severity, State

if TYPE_CHECKING:
    from crm_bridge.model.plans import Plan

BIN: Final = "the recycle bin holds"
"""How the finding begins that tells, as its count, how many records still fit into the bin."""


def room_told(crm: str) -> str:
    """How that finding begins for one account."""
    return f"{crm}: {BIN}"


def pressed(plan: Plan) -> Iterator[Finding]:
    """One warning for each account whose bin this plan may overflow.

    Args:
        plan: The plan, with what was found of each bin among its findings.
    """
    if plan.operation is not Operation.DELETE:
        return
    for crm, target in plan.targets.items():
        if target.vendor != "salesforce":
            continue
        told = [f for f in plan.findings if f.summary.startswith(room_told(crm))]
        room = min((f.count for f in told if f.count is not None), default=None)
        going = sum(
            len(step.targets)
            for step in plan.steps
            if step.crm == crm and step.capability.gives is State.DELETED
        )
        going += sum(
            touch.count or 0
            for touch in plan.touches
            if touch.crm == crm and touch.rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW)
        )
        if room is not None and going > room:
            yield Finding(
                Severity.WARNING, "window",
                f"{crm}: this puts {going} record(s) into a recycle bin with room for {room}.",
                "Older ones may be dropped for it, this plan's own once they are two hours old. "
                "Delete in parts, or empty the bin first.", going,
            )  # fmt: skip
