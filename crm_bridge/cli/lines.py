"""The JSON lines that programs read, one function an object. They only ever grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_bridge.cli.voice import moment

if TYPE_CHECKING:
    from crm_bridge.bridge import CheckLine, Expiring, MatrixRow, RunSummary
    from crm_bridge.model.abilities import CascadeRule
    from crm_bridge.model.plans import Finding, Loss, Plan, Sum, Touch
    from crm_bridge.model.records import Record, RecordRef
    from crm_bridge.model.results import Outcome, Receipt
    from crm_bridge.registry import PluginLine

VERDICTS = ("done", "already", "pending", "by_hand", "failed", "unknown", "skipped")
SOME = 20
"""Addresses that a finding shows."""


def counts(found: Mapping[Any, int]) -> dict[str, int]:
    """All seven verdicts, those with nothing too."""
    plain = {str(getattr(v, "value", v)): n for v, n in found.items()}
    return {name: plain.get(name, 0) for name in VERDICTS}


def record(found: Record) -> dict[str, Any]:
    """A line of `find`."""
    return {
        "type": "record",
        "ref": str(found.ref),
        "state": found.state.value,
        "fields": dict(found.fields),
        "links": [
            {
                "name": link.name,
                "ref": str(link.other),
                "kind": link.other.kind,
                "id": link.other.id,
                "label": link.label,
            }
            for link in found.links
        ],
        "changed_at": moment(found.changed_at),
    }


def finding(found: Finding) -> dict[str, Any]:
    """A finding within a plan line."""
    return {
        "severity": found.severity.value,
        "code": found.code,
        "summary": found.summary,
        "detail": found.detail,
        "count": found.count,
        "refs": [str(ref) for ref in found.refs[:SOME]],
    }


def total(found: Sum) -> dict[str, Any]:
    """What records are worth; `amount` is null where they are only counted."""
    return {
        "name": found.name,
        "currency": found.currency,
        "amount": found.amount,
        "count": found.count,
    }


def touch(number: int, found: Touch) -> dict[str, Any]:
    """A relation within a plan line; `n` is what `show --touch` opens."""
    return {
        "n": number,
        "crm": found.crm,
        "kind": found.rule.kind,
        "child": found.rule.child,
        "via": found.rule.via,
        "effect": found.rule.effect.value,
        "comes_back": found.rule.comes_back,
        "count": found.count,
        "depth": found.depth,
        "listed": len(found.refs),
        "sums": [total(one) for one in found.sums],
        "largest": [
            {"ref": str(one.ref), "title": one.title, "amount": one.amount} for one in found.largest
        ],
        "note": found.rule.note,
    }


def touched(number: int, found: Touch, ref: RecordRef, parent: str) -> dict[str, Any]:
    """One record behind the number of a touch, and what it hangs on."""
    return {
        "type": "touched",
        "touch": number,
        "ref": str(ref),
        "parent": f"{found.crm}:{found.rule.kind}/{parent}" if parent else None,
        "via": found.rule.via,
        "effect": found.rule.effect.value,
        "comes_back": found.rule.comes_back,
        "depth": found.depth,
    }


def loss(found: Loss) -> dict[str, Any]:
    """A line of the loss statement: `later` is what differs once the window is over."""

    def told(differs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"what": what, "why": why} for what, why in differs]

    return {
        "crm": found.crm,
        "kind": found.kind,
        "count": found.count,
        "undo": found.undo,
        "days": found.days,
        "guaranteed": found.guaranteed,
        "differs": told(found.differs),
        "later": None if found.later is None else told(found.later),
        "along": found.along,
    }


def plan(made: Plan) -> dict[str, Any]:
    """The plan line."""
    return {
        "type": "plan",
        "id": made.id,
        "digest": made.digest,
        "operation": made.operation.value,
        "made_at": moment(made.made_at),
        "by": made.by,
        "reason": made.reason,
        "code": made.code,
        "targets": {
            crm: {"org": target.org, "class": target.environment, "vendor": target.vendor}
            for crm, target in made.targets.items()
        },
        "counts": {
            "records": made.counts.records,
            "steps": made.counts.steps,
            "calls": made.counts.calls,
            "settled": made.counts.settled,
        },
        "touches": [touch(number, one) for number, one in enumerate(made.touches, 1)],
        "sums": [total(one) for one in made.sums],
        "losses": [loss(one) for one in made.losses],
        "findings": [finding(found) for found in made.findings],
        "irreversible": made.irreversible,
        "confirm": made.confirm,
        "blocked": made.blocked,
    }


def outcome(run: str, came: Outcome) -> dict[str, Any]:
    """What came of one record."""
    problem = came.problem
    return {
        "type": "outcome",
        "run": run,
        "ref": str(came.ref),
        "verdict": came.verdict.value,
        "state": came.state.value if came.state else None,
        "undo": came.undo.value if came.undo else None,
        "recoverable_until": moment(came.recoverable_until),
        "new_ref": str(came.new_ref) if came.new_ref else None,
        "link": came.link,
        "problem": {
            "code": problem.code,
            "message": problem.message,
            "vendor_code": problem.vendor_code,
            "request_id": problem.request_id,
        }
        if problem
        else None,
        "details": dict(came.details),
    }


def receipt(came: Receipt) -> dict[str, Any]:
    """The last line of a run."""
    return {
        "type": "receipt",
        "run": came.run,
        "operation": came.operation.value,
        "digest": came.plan_digest,
        "counts": counts(came.counts),
        "seconds": round(came.seconds, 3),
        "calls": came.calls,
        "halted": came.halted,
        "note": came.note,
    }


def run(found: RunSummary) -> dict[str, Any]:
    """A line of `runs`, the first line of `show RUN`."""
    return {
        "type": "run",
        "run": found.run,
        "operation": found.operation.value,
        "started": moment(found.started),
        "by": found.by,
        "reason": found.reason,
        "code": found.code,
        "crms": list(found.crms),
        "state": found.state,
        "counts": counts(found.counts),
    }


def expiring(found: Expiring) -> dict[str, Any]:
    """A line of `expiring`."""
    return {
        "type": "expiring",
        "run": found.run,
        "crm": found.crm,
        "kind": found.kind,
        "count": found.count,
        "until": moment(found.until),
        "guaranteed": found.guaranteed,
    }


def tally(by: str, key: str, runs: int, found: Mapping[Any, int]) -> dict[str, Any]:
    """A line of `runs --by`: what runs of one code, crm, kind or month came to."""
    told = counts(found)
    return {
        "type": "tally",
        "by": by,
        "key": key,
        "runs": runs,
        "records": sum(told.values()),
        "counts": told,
    }


def proof(crm: str, records: int, equal: int, different: Sequence[Any]) -> dict[str, Any]:
    """What came of a comparison with what was."""
    return {
        "type": "proof",
        "crm": crm,
        "records": records,
        "equal": equal,
        "different": list(different),
    }


def check(found: CheckLine) -> dict[str, Any]:
    """A line of `doctor`."""
    return {
        "type": "check",
        "crm": found.crm,
        "name": found.name,
        "ok": found.ok,
        "summary": found.summary,
    }


def journal(found: Any) -> dict[str, Any]:
    """What `journal check` found."""
    bad = None if found.ok else {"table": found.table, "row": found.row, "why": found.why}
    return {"type": "journal", "ok": found.ok, "rows": found.rows, "first_bad": bad}


def capability(row: MatrixRow) -> dict[str, Any]:
    """A row of a vendor's table."""
    own = row.capability
    return {
        "type": "capability",
        "vendor": row.vendor,
        "kind": row.kind,
        "operation": own.operation.value,
        "support": own.support.value,
        "batch": own.batch,
        "window_days": own.window.days,
        "undo": own.window.undo.value,
        "guaranteed": own.window.guaranteed,
        "source": own.source,
        "checked": own.checked.isoformat() if own.checked else None,
        "note": own.note,
        "takes": [state.value for state in own.takes],
        "gives": own.gives.value if own.gives else None,
        "way": own.way,
        "at_least": own.at_least,
        "needs": list(own.needs),
        "refuses": list(own.refuses),
        "means": own.means,
    }


def cascade(vendor: str, rule: CascadeRule) -> dict[str, Any]:
    """A relation, as `explain` tells it."""
    return {
        "type": "cascade",
        "vendor": vendor,
        "kind": rule.kind,
        "child": rule.child,
        "via": rule.via,
        "effect": rule.effect.value,
        "comes_back": rule.comes_back,
        "operation": rule.operation.value if rule.operation else None,
        "source": rule.source,
        "note": rule.note,
    }


def plugin(found: PluginLine) -> dict[str, Any]:
    """A line of `plugins`."""
    return {
        "type": "plugin",
        "name": found.name,
        "vendor": found.vendor,
        "version": found.version,
        "loaded": found.loaded,
    }


def error(
    code: str, summary: str, detail: str = "", moved: Sequence[tuple[RecordRef, str]] = ()
) -> dict[str, Any]:
    """Why nothing, or nothing more, was done; with every record that moved, where that is why."""
    told: dict[str, Any] = {"type": "error", "code": code, "summary": summary, "detail": detail}
    if moved:
        told["moved"] = [{"ref": str(ref), "how": how} for ref, how in moved]
    return told
