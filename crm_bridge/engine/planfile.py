"""A plan as lines: sealed by a digest, saved to a file, kept in the journal, and read back lazily."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from crm_bridge.engine.spool import Rows, encoded, paged
from crm_bridge.errors import PlanBlocked, SettingsError
from crm_bridge.model.abilities import Capability, CascadeRule, Operation, Undo
from crm_bridge.model.exact import StrangeAnswer, pack, strict_json, unpack
from crm_bridge.model.plans import (
    Counts,
    Finding,
    Largest,
    Loss,
    Plan,
    Step,
    Sum,
    Target,
    TargetOrg,
    Tie,
    Touch,
)
from crm_bridge.model.records import RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Verdict

VERSION: Final = 1
MAX_LINE: Final = 64 * 2**20
"""Bytes of one line of a plan file."""

_plain = msgspec.to_builtins


def target_row(target: Target) -> list[Any]:
    """A target as a row of a page."""
    row: list[Any] = [target.ref.id, target.fingerprint]
    more = [
        target.evidence,
        target.source,
        list(target.without),
        [[tie.other.kind, tie.other.id, tie.field, tie.was] for tie in target.ties],
    ]
    while more and not more[-1]:
        more.pop()
    return row + more


def target_of(crm: str, kind: str) -> Callable[[list[Any]], Target]:
    """The inverse of `target_row`, for one step."""

    def decode(row: list[Any]) -> Target:
        if len(row) == 2:
            return Target(RecordRef(crm, kind, row[0]), row[1])
        whole = [*row, *("", "", (), ())[len(row) - 2 :]]
        id_, fingerprint, evidence, source, without, ties = whole
        return Target(
            RecordRef(crm, kind, id_),
            fingerprint,
            evidence,
            source,
            tuple(without),
            tuple(Tie(RecordRef(crm, k, i), name, was) for k, i, name, was in ties),
        )

    return decode


def outcome_row(outcome: Outcome) -> list[Any]:
    """An outcome as a row: id, verdict, state, problem code, and the rest, where there is any."""
    rest: dict[str, Any] = {}
    if outcome.problem:
        rest["problem"] = [
            outcome.problem.message,
            outcome.problem.vendor_code,
            outcome.problem.request_id,
        ]
    if outcome.evidence:
        rest["evidence"] = outcome.evidence
    if outcome.link:
        rest["link"] = outcome.link
    if outcome.undo:
        rest["undo"] = outcome.undo.value
    if outcome.recoverable_until:
        rest["until"] = outcome.recoverable_until.isoformat()
    if outcome.new_ref:
        rest["new"] = str(outcome.new_ref)
    if outcome.details:
        rest["details"] = dict(outcome.details)
    return [
        outcome.ref.id,
        outcome.verdict.value,
        outcome.state.value if outcome.state else None,
        outcome.problem.code if outcome.problem else None,
        rest,
    ]


def outcome_of(crm: str, kind: str) -> Callable[[list[Any]], Outcome]:
    """The inverse of `outcome_row`, for one kind."""
    from datetime import datetime

    def decode(row: list[Any]) -> Outcome:
        id_, verdict, state, code, rest = row
        return Outcome(
            RecordRef(crm, kind, id_),
            Verdict(verdict),
            State(state) if state else None,
            rest.get("evidence", ""),
            Problem(code, *rest["problem"]) if code else None,
            Undo(rest["undo"]) if "undo" in rest else None,
            datetime.fromisoformat(rest["until"]) if "until" in rest else None,
            RecordRef.parse(rest["new"]) if "new" in rest else None,
            rest.get("link"),
            details=rest.get("details", {}),
        )

    return decode


def settled_row(outcome: Outcome) -> list[Any]:
    """A settled outcome with its whole address, since settled rows are of all kinds."""
    return [outcome.ref.crm, outcome.ref.kind, *outcome_row(outcome)]


def settled_of(row: list[Any]) -> Outcome:
    """The inverse of `settled_row`."""
    return outcome_of(row[0], row[1])(row[2:])


def _sum_row(one: Sum) -> list[Any]:
    return [one.name, one.currency, one.amount, one.count]


def head_of(plan: Plan) -> dict[str, Any]:
    """Everything of a plan but the pages of records, and without its digest."""
    return {
        "version": VERSION,
        "id": plan.id,
        "made_at": plan.made_at.isoformat(),
        "by": plan.by,
        "operation": plan.operation.value,
        "reason": plan.reason,
        "code": plan.code,
        "targets": _plain(dict(plan.targets)),
        "versions": dict(plan.versions),
        "counts": _plain(plan.counts),
        "irreversible": plan.irreversible,
        "confirm": plan.confirm,
        "losses": _plain(plan.losses),
        "sums": [_sum_row(one) for one in plan.sums],
        "options": dict(plan.options),
        "findings": [
            {**_plain(dataclasses.replace(f, refs=())), "refs": [str(r) for r in f.refs]}
            for f in plan.findings
        ],
        "steps": [
            {
                "crm": s.crm,
                "kind": s.kind,
                "capability": _plain(s.capability),
                "count": len(s.targets),
                "after": s.after,
            }
            for s in plan.steps
        ],
        "touches": [
            {
                "crm": t.crm,
                "rule": _plain(t.rule),
                "count": t.count,
                "read": len(t.refs),
                "depth": t.depth,
                "sums": [_sum_row(one) for one in t.sums],
                "largest": [[one.ref.kind, one.ref.id, one.title, one.amount] for one in t.largest],
            }
            for t in plan.touches
        ],
        "settled": len(plan.settled),
    }


def pages_of(plan: Plan) -> Iterator[tuple[str, int, list[Any]]]:
    """The pages of a plan's records: (of, number, rows), in a fixed order."""
    for number, step in enumerate(plan.steps):
        if step.after is None:
            for rows in encoded(step.targets, target_row):
                yield "step", number, rows
    for number, touch in enumerate(plan.touches):
        parents = iter(touch.parents)
        for refs in paged(touch.refs):
            yield "touch", number, [[ref.id, next(parents, "")] for ref in refs]
    for outcomes in paged(plan.settled):
        yield "settled", 0, [settled_row(o) for o in outcomes]


def sealed(plan: Plan) -> Plan:
    """The plan with its digest: SHA-256 over the head and every page."""
    digest = hashlib.sha256(pack(head_of(plan)))
    for page in pages_of(plan):
        digest.update(pack(list(page)))
    return dataclasses.replace(plan, digest=digest.hexdigest())


def _finding(row: Mapping[str, Any]) -> Finding:
    refs = tuple(RecordRef.parse(ref) for ref in row["refs"])
    return dataclasses.replace(msgspec.convert({**row, "refs": []}, Finding), refs=refs)


def build(
    head: Mapping[str, Any], pages: Callable[[str, int], Callable[[], Iterator[list[Any]]]]
) -> Plan:
    """A plan from its head and from somebody who keeps its pages.

    Args:
        head: As `head_of` wrote it, with `digest`.
        pages: Gives, for (of, number), a function that walks those pages anew.
    """
    from datetime import datetime

    if head.get("version") != VERSION:
        raise PlanBlocked(
            f"the plan is of version {head.get('version')}, this program reads {VERSION}.",
            detail="Make the plan anew with this program.",
            code="stale",
        )
    steps: list[Step] = []
    for number, row in enumerate(head["steps"]):
        capability = msgspec.convert(row["capability"], Capability)
        after = row["after"]
        root = number
        while after is not None:
            root, after = after, head["steps"][after]["after"]
        targets: Any = Rows(row["count"], pages("step", root), target_of(row["crm"], row["kind"]))
        steps.append(Step(row["crm"], row["kind"], capability, targets, row["after"]))
    touches = []
    for number, row in enumerate(head["touches"]):
        rule = msgspec.convert(row["rule"], CascadeRule)

        def child(one: list[str], crm: str = row["crm"], kind: str = rule.child) -> RecordRef:
            return RecordRef(crm, kind, one[0])

        refs = Rows(row["read"], pages("touch", number), child)
        parents: Rows[str] = Rows(row["read"], pages("touch", number), lambda one: one[1])
        touches.append(
            Touch(
                row["crm"],
                rule,
                row["count"],
                refs,
                row["depth"],
                parents,
                tuple(Sum(*one) for one in row["sums"]),
                tuple(
                    Largest(RecordRef(row["crm"], kind, id_), title, amount)
                    for kind, id_, title, amount in row["largest"]
                ),
            )
        )
    return Plan(
        id=head["id"],
        made_at=datetime.fromisoformat(head["made_at"]),
        by=head["by"],
        operation=Operation(head["operation"]),
        reason=head["reason"],
        code=head["code"],
        targets={k: msgspec.convert(v, TargetOrg) for k, v in head["targets"].items()},
        versions=head["versions"],
        steps=tuple(steps),
        touches=tuple(touches),
        findings=tuple(_finding(f) for f in head["findings"]),
        settled=Rows(head["settled"], pages("settled", 0), settled_of),
        counts=msgspec.convert(head["counts"], Counts),
        irreversible=head["irreversible"],
        confirm=head["confirm"],
        losses=tuple(msgspec.convert(one, Loss) for one in head["losses"]),
        sums=tuple(Sum(*one) for one in head["sums"]),
        options=head["options"],
        digest=head["digest"],
    )


def save(plan: Plan, path: str | Path) -> None:
    """Write a plan whole, or not at all; 0600, never through a link.

    Raises:
        SettingsError: The file cannot be written.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise SettingsError(f"{path} is not a plain file; the plan was not written.")
        handle = os.open(draft, flags, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pack({**head_of(plan), "digest": plan.digest}) + b"\n")
            for page in pages_of(plan):
                file.write(pack(list(page)) + b"\n")
            file.write(pack({"end": plan.digest}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SettingsError(
            f"the plan cannot be written to {path}: {error.strerror}.",
            detail="Name another place with --out.",
        ) from None


def _opened(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file")
    return os.fdopen(handle, "rb")


def _broken(path: Path, why: str) -> PlanBlocked:
    return PlanBlocked(
        f"{path} is not a plan as it was saved: {why}.", detail="Make the plan anew.", code="stale"
    )


def load(path: str | Path) -> Plan:
    """Read a saved plan; its seal is checked over every byte before anything else is believed.

    Raises:
        PlanBlocked: It was edited, cut or is of another version (code `stale`).
        SettingsError: It cannot be read at all.
    """
    path = Path(path)
    index: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
    try:
        with _opened(path) as file:
            first = file.readline(MAX_LINE)
            head = strict_json(first) if first.startswith(b'{"version"') else None
            if not isinstance(head, dict) or "digest" not in head:
                raise _broken(path, "it does not begin as one")
            head = unpack(first)
            claimed = head.pop("digest")
            digest = hashlib.sha256(pack(head))
            end = None
            while line := file.readline(MAX_LINE):
                if end is not None or not line.endswith(b"\n"):
                    raise _broken(path, "it is cut, or goes on after its end")
                value = unpack(line)
                if isinstance(value, dict):
                    end = value.get("end")
                    continue
                of, number, _ = value
                digest.update(line[:-1])
                index.setdefault((of, number), []).append(
                    (file.tell() - len(line), hashlib.sha256(line).digest())
                )
            if end is None:
                raise _broken(path, "its end is missing")
            if not digest.hexdigest() == claimed == end:
                raise _broken(path, "its seal does not hold, so a byte of it was changed")
    except OSError as error:
        raise SettingsError(f"the plan {path} cannot be read: {error.strerror}.") from None
    except (StrangeAnswer, ValueError, TypeError) as error:
        raise _broken(path, str(error)[:80] or "it cannot be read") from None

    def pages(of: str, number: int) -> Callable[[], Iterator[list[Any]]]:
        def walk() -> Iterator[list[Any]]:
            with _opened(path) as file:
                for start, sealed in index.get((of, number), ()):
                    file.seek(start)
                    line = file.readline(MAX_LINE)
                    if hashlib.sha256(line).digest() != sealed:
                        raise _broken(path, "it was changed after its seal was looked at")
                    yield unpack(line)[2]

        return walk

    return build({**head, "digest": claimed}, pages)
