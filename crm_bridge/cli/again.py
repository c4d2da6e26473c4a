"""What is planned anew in one command: records that moved, and the undoing of a run that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_bridge.cli.voice import Voice, shown
from crm_bridge.errors import BridgeError, PlanMoved, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_bridge.bridge import Bridge
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import RecordRef
    from crm_bridge.model.results import Outcome, Receipt

NAMED = 20
"""Records that moved which a person is shown; a program is given all."""


def tell_moved(voice: Voice, moved: Sequence[tuple[RecordRef, str]], total: int) -> None:
    """Say which records moved, and how."""
    voice.aside(f"{len(moved)} of {total} record(s) moved since the plan was made:")
    for ref, how in moved[:NAMED]:
        voice.aside(f"  {ref} {shown(how)}")
    if len(moved) > NAMED:
        voice.aside(f"  and {len(moved) - NAMED} more")


def planned_again(bridge: Bridge, made: Plan, error: PlanMoved, *, leave_out: bool) -> Plan:
    """The plan made anew: with what moved as it is now, or without it.

    Raises:
        PlanMoved: Everything moved, and would be left out.
    """
    if not leave_out:
        return bridge.replan(made)
    try:
        return bridge.replan(made, without=[ref for ref, _ in error.moved])
    except SettingsError:
        if len(error.moved) >= made.counts.records:
            raise error from None
        raise


def failed(made: Plan, receipt: Receipt) -> bool:
    """Whether anything that was sent, or was to be, did not come out.

    What the plan had settled before was shown and agreed to, and what waits for an approval may yet
    be granted: neither is a failure of the run.
    """
    from crm_bridge.model.results import Verdict

    if receipt.ok:
        return False
    if receipt.halted is not None:
        return True
    before = {came.ref for came in made.settled}
    return any(
        _off(came) and came.ref not in before
        for came in receipt.outcomes
        if came.verdict is not Verdict.PENDING
    )


def _off(came: Outcome) -> bool:
    from crm_bridge.model.results import HARMLESS, Verdict

    problem = came.problem
    return came.verdict not in (Verdict.DONE, Verdict.ALREADY) or (
        problem is not None and problem.code not in HARMLESS
    )


def undoing(voice: Voice, bridge: Bridge, receipt: Receipt) -> Plan | None:
    """A plan that brings back what a run did; None where there is nothing to bring back, or no way.

    A record that could only be made anew is left alone: nobody asked for new ids.
    """
    if receipt.halted == "signal":
        voice.aside(f"stopped by hand, so nothing is undone: crm-bridge restore {receipt.run}")
        return None
    try:
        back = bridge.plan("restore", receipt)
    except SettingsError as error:
        if error.code != "empty":
            raise
        voice.say("nothing had been done, so there is nothing to undo.")
        return None
    except BridgeError as error:
        voice.aside(
            f"what was done could not be undone now: {shown(error.summary, 1000)} "
            f"Later: crm-bridge restore {receipt.run}"
        )
        return None
    if back.blocked:
        why = "; ".join(f.summary for f in back.findings if f.severity.value == "error")
        voice.aside(f"what was done is not undone: {shown(why, 1000)}")
        return None
    voice.say(f"not everything is done, so run {receipt.run} is undone:")
    return back
