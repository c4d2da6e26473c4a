"""Questions at a terminal, and what stands for their answers where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from crm_bridge.cli.options import CODES, near
from crm_bridge.cli.voice import Voice, is_terminal, shown
from crm_bridge.errors import PlanBlocked

if TYPE_CHECKING:
    from crm_bridge.model.plans import Plan


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def answer(question: str) -> str:
    """Ask on stderr, which is never a stream of results; the answer without blanks around it."""
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise PlanBlocked(
            "not confirmed: the input ended.", detail="Nothing was sent.", code="not_confirmed"
        )
    return line.strip()


def why(operation: str, reason: str, code: str | None) -> tuple[str, str | None]:
    """Ask for a reason and its code where they are missing and somebody can be asked."""
    if operation == "restore" or not at_terminal():
        return reason, code
    if not reason:
        reason = answer("Why? (kept in the journal; empty for none) ")
    while code is None:
        told = answer(f"In one word ({', '.join(CODES)}; empty for none) ")
        if not told:
            break
        if told in CODES:
            code = told
        else:
            sys.stderr.write(f"{shown(told)!r} is none of them.{near(told, CODES)}\n")
    return reason, code


def whereto(plan: Plan) -> str:
    """The accounts of a plan as their servers named them: "sf (org 00D..., production)"."""
    return ", ".join(
        f"{crm} (org {shown(t.org, 64)}, {t.environment})" for crm, t in plan.targets.items()
    )


def go_ahead(voice: Voice, plan: Plan, *, yes: bool, confirm: str | None) -> None:
    """Return where the plan may be applied.

    Raises:
        PlanBlocked: Nobody said so: there is no terminal, the answer was no, or the text was not
            the one asked for.
    """
    what = f"{plan.operation.value} {plan.counts.records} record(s) in {whereto(plan)}"
    if plan.confirm:
        if confirm is None and yes:
            raise PlanBlocked(
                f"{what}: nothing brings them back, and --yes alone is not enough.",
                detail=f'Nothing was sent. If that is meant: --confirm "{plan.confirm}"',
                code="not_confirmed",
            )
        if confirm is None:
            if not at_terminal():
                raise PlanBlocked(
                    f"{what}: nothing brings them back, and nobody is here to be asked.",
                    detail=f'Nothing was sent. If that is meant: --confirm "{plan.confirm}"',
                    code="not_confirmed",
                )
            confirm = answer(f"{what}\nNothing brings them back. Type {plan.confirm} to go on: ")
        if confirm.strip() != plan.confirm:
            raise PlanBlocked(
                f"{what}: the text {shown(confirm, 60)!r} is not {plan.confirm!r}.",
                detail="Nothing was sent.",
                code="not_confirmed",
            )
        return
    if yes or confirm is not None:
        return
    sure(what)


def sure(what: str) -> None:
    """Ask whether to go on.

    Raises:
        PlanBlocked: Nobody is here, or the answer was no.
    """
    if not at_terminal():
        raise PlanBlocked(
            f"{what}: not confirmed, and there is no terminal to ask at.",
            detail="Nothing was sent. If that is meant: --yes",
            code="not_confirmed",
        )
    if answer(f"{what}: go on? [y/N] ").lower() not in ("y", "yes"):
        raise PlanBlocked(
            f"{what}: the answer was no.", detail="Nothing was sent.", code="not_confirmed"
        )
