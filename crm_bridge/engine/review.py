"""The built-in review: a plugin like any other, with the findings that every plan gets."""

from __future__ import annotations

from collections.abc import Iterable

from crm_bridge.hookspecs import hookimpl
from crm_bridge.model.abilities import Operation
from crm_bridge.model.plans import Finding, Plan, Scene, Severity


class Review:
    """Limits, shares, quotas, reasons."""

    @hookimpl
    def review_plan(self, plan: Plan, scene: Scene) -> Iterable[Finding]:
        """Judge a plan as a careful colleague would."""
        return [
            *_limits(plan, scene),
            *_shares(plan, scene),
            *_quotas(plan, scene),
            *_reasons(plan, scene),
            *_notes(plan),
        ]


def _limits(plan: Plan, scene: Scene) -> Iterable[Finding]:
    limit = scene.limits.get("records")
    if limit is not None and plan.counts.records > limit:
        yield Finding(
            Severity.ERROR,
            "limit_records",
            f"{plan.counts.records} records are more than the {int(limit)} that a plan may take.",
            f"If that is meant, raise it by name: --limit-records {plan.counts.records}",
            plan.counts.records,
        )


def _shares(plan: Plan, scene: Scene) -> Iterable[Finding]:
    limit = scene.limits.get("share")
    if limit is None or plan.operation is Operation.RESTORE:
        return
    taken: dict[tuple[str, str], int] = {}
    for step in plan.steps:
        if step.after is None:
            key = (step.crm, step.kind)
            taken[key] = taken.get(key, 0) + len(step.targets)
    for (crm, kind), count in taken.items():
        total = scene.totals.get((crm, kind))
        if total is None:
            yield Finding(
                Severity.NOTE,
                "limit_share",
                f"how many {kind} there are in {crm} is not known, so the share is not checked.",
            )
        elif count > limit * total and count > 1:
            share = count / total if total else 1.0
            yield Finding(
                Severity.ERROR,
                "limit_share",
                f"{count} of {total} live {kind} in {crm} are {share:.0%}, more than {limit:.0%}.",
                f"If that is meant, raise it by name: --limit-share {min(1.0, share + 0.005):.2f}",
                count,
            )


def _quotas(plan: Plan, scene: Scene) -> Iterable[Finding]:
    for crm, account in scene.accounts.items():
        quota = getattr(account, "quota", None)
        if quota is None:
            continue
        reserve = int(quota.limit * scene.limits.get(f"reserve {crm}", 0.1))
        left = quota.left - reserve
        if plan.counts.calls <= max(0, left):
            continue
        days = -(-max(0, plan.counts.calls - max(0, left)) // max(1, quota.limit - reserve)) + 1
        yield Finding(
            Severity.WARNING,
            "quota",
            f"{crm} has {quota.left} calls left today, {reserve} of them kept for a restore; this "
            f"plan needs about {plan.counts.calls}.",
            f"It takes {days} days: about {max(0, left)} calls today, then resume after the reset"
            + (f" at {quota.resets_at:%Y-%m-%d %H:%M} UTC." if quota.resets_at else "."),
            plan.counts.calls,
        )


def _reasons(plan: Plan, scene: Scene) -> Iterable[Finding]:
    if plan.operation is Operation.RESTORE:
        return
    missing = [n for n, v in (("reason", plan.reason), ("code", plan.code)) if not v]
    if missing:
        yield Finding(
            Severity.ERROR if scene.require_reason else Severity.WARNING,
            "no_reason",
            f"no {' and no '.join(missing)} is given.",
            'Say why, for whoever asks later: --reason "left the market" --code left',
        )


def _notes(plan: Plan) -> Iterable[Finding]:
    """What a plan always says of a vendor stands in its profile; the bridge hands it in as options."""
    for crm, notes in dict(plan.options.get("notes", {})).items():
        for code, text in notes:
            yield Finding(Severity.NOTE, code, f"{crm}: {text}")
