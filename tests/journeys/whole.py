"""Two truths held against each other: what differs, and whether that was named beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_bridge.engine.verify import repoint
from crm_bridge.model.plans import Plan
from crm_bridge.testing.ground import Truth, Truths

Name = tuple[str, str]


def named(plan: Plan, crm: str) -> dict[str, set[str]]:
    """Kind to the fields and things that the plan's loss statement says would differ."""
    found: dict[str, set[str]] = {}
    for loss in plan.losses:
        if loss.crm == crm:
            whats = [what for what, _ in (*loss.differs, *(loss.later or ()))]
            found.setdefault(loss.kind, set()).update(
                one.strip() for what in whats for one in what.split(",")
            )
    return found


ROWS = "ids and stamps of subform rows"
STAMPS = ("id", "Created_Time", "Modified_Time")


def rows(value: Any) -> list[dict[str, Any]] | None:
    """A subform's rows without their ids and stamps; None where it is none."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    return [{k: v for k, v in row.items() if k not in STAMPS} for row in value]


def differences(
    was: Truth, now: Truth, renamed: Mapping[Name, str] | None = None
) -> dict[str, Any]:
    """Field to [was, now], of what the vendor does not write itself; old ids equal the new ones.

    Args:
        was: A record as it was.
        now: The same, or the one that stands for it.
        renamed: Kind and old id to the new id.
    """
    new = dict(renamed or {})
    ids = {old: id for (_, old), id in new.items()}
    left, right = was.own, now.own
    found: dict[str, Any] = {}
    for name in {*left, *right} - {*was.vendor_set, *now.vendor_set}:
        was_there, now_there = repoint(left.get(name), ids), right.get(name)
        if left.get(name) == now_there:
            continue
        # A checkbox that nobody ever ticked is not ticked.
        if was_there != now_there and (was_there or now_there):
            only_ids = rows(was_there) is not None and rows(was_there) == rows(now_there)
            found[ROWS if only_ids else name] = [was_there, now_there]
    links = {(n, kind, new.get((kind, id), id), label) for n, kind, id, label in was.links}
    if links != set(now.links):
        found["links"] = [sorted(links - now.links, key=str), sorted(now.links - links, key=str)]
    if was.state != now.state or was.locked != now.locked:
        found["state"] = [(was.state, was.locked), (now.state, now.locked)]
    return found


def unlike(before: Truths, after: Truths) -> dict[Name, Any]:
    """Every record that is not as it was, with what differs; new ones too."""
    found: dict[Name, Any] = {}
    for name in {*before, *after}:
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            found[name] = "new" if was is None else "not there"
        elif what := differences(was, now):
            found[name] = what
    return found
