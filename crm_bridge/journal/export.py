"""The events of the journal: one JSON object a record and stage, expanded from the entries.

An entry speaks of a whole batch. What its body has to hold, so that it can be expanded:

| stage | body | events |
|---|---|---|
| `plan` | `{"plan": id, "digest": ...}` | `plan` |
| `snapshot` | written by `Journal.keep` | for each record `read`, then `snapshot` |
| `remade` | written by `Journal.map_ids` | `restore` for each new record, its evidence the old one |
| `intent` | `{"ids": [...]}` | `intent` each |
| `outcome` | `{"rows": [[id, "applied" or "refused" or "unknown" or "not_sent", evidence], ...]}` | `send` each unless `"sent"` is 0, then `outcome` each; nothing for `not_sent` |
| `settle` | `{"ids": [...]}` | `settle` each |
| `readback` | `{"rows": [[id, state or "changed" or "unreadable"], ...]}` | `readback` each |
| `verdict` | `{"rows": [[id, verdict, state, problem code or null, ...], ...]}` | `verified` for done and already, `conflict` for skipped with a code of a conflict, nothing for others |
| `lock`, `halt`, `restore`, `erase` | `{"epoch"}`, `{"why"}`, `{"ids"}` | one each, or one an id |

Other stages make no event.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.journal.rows import Entry, Written

CONFLICTS: Final = frozenset({"changed", "merged", "protected", "locked", "blocked", "held"})
"""Codes of a skipped record that is left alone because of what it is now."""

Captured = Callable[[int], Iterator[tuple[str, str, str, str]]]
"""Kind, id, effect and SHA-256 of the records of a `snapshot` entry."""

Remade = Callable[[int], Iterator[tuple[str, str, str, str]]]
"""Kind and id of the old record, kind and id of the new one, of a `remade` entry."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What an event tells beyond its entry."""

    ev: str
    id: str | None = None
    evidence: str | None = None
    kind: str | None = None
    sha256: str | None = None
    not_captured: Sequence[str] = ()


def plan_of(written: Written) -> str | None:
    """The plan's id, of a `plan` entry."""
    body = written.entry.body
    found = body.get("plan") if isinstance(body, Mapping) else None
    return found if isinstance(found, str) else None


def events(
    entries: Iterator[Written],
    plans: Mapping[str, str | None],
    captured: Captured,
    remade: Remade,
) -> Iterator[Mapping[str, Any]]:
    """Expand entries into events.

    Args:
        entries: All of them, in order.
        plans: Each run to its plan's id.
        captured: Reads the index rows of a `snapshot` entry.
        remade: Reads the index rows of a `remade` entry.

    Yields:
        Objects with `n` (number of the event, from 1), `run`, `plan`, `crm`, `org`, `kind`, `id`,
        `ev`, `batch`, `attempt`, `evidence`, `snapshot_sha256` and `at` (ISO 8601, UTC); null where a
        thing does not apply. A snapshot that is not complete names what is missing from it in
        `not_captured`.
    """
    n = 0
    for written in entries:
        e = written.entry
        at = written.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        for line in _lines(written, captured, remade):
            n += 1
            yield {
                "n": n,
                "run": e.run or None,
                "plan": plans.get(e.run),
                "crm": e.crm or None,
                "org": e.org or None,
                "kind": line.kind or e.kind or None,
                "id": line.id,
                "ev": line.ev,
                "batch": e.batch if e.batch >= 0 else None,
                "attempt": e.attempt or None,
                "evidence": line.evidence or None,
                "snapshot_sha256": line.sha256,
                "at": at,
                **({"not_captured": list(line.not_captured)} if line.not_captured else {}),
            }


def _lines(written: Written, captured: Captured, remade: Remade) -> Iterator[_Line]:
    entry = written.entry
    if entry.stage == "snapshot":
        missing: Mapping[str, Sequence[str]] = entry.body.get("not_captured") or {}
        for kind, id_, effect, sha256 in captured(written.n):
            yield _Line("read", id_, effect, kind)
            yield _Line("snapshot", id_, effect, kind, sha256, missing.get(kind, ()))
        return
    if entry.stage == "remade":
        for kind, id_, new_kind, new_id in remade(written.n):
            yield _Line("restore", new_id, f"{kind}/{id_}", new_kind)
        return
    expand = _EXPAND.get(entry.stage)
    if expand is not None:
        yield from expand(entry, entry.body if isinstance(entry.body, Mapping) else {})


def _rows(body: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    return body.get("rows") or ()


def _plan(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    yield _Line("plan", evidence=body.get("digest"))


def _each(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    for id_ in body.get("ids") or ():
        yield _Line(entry.stage, id_)


def _outcome(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    sent = [row for row in _rows(body) if row[1] != "not_sent"]
    if body.get("sent", 1):
        for row in sent:
            yield _Line("send", row[0])
    for row in sent:
        yield _Line("outcome", row[0], row[1])


def _readback(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    for row in _rows(body):
        yield _Line("readback", row[0], row[1])


def _verdict(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    for id_, verdict, _, code, *_ in _rows(body):
        if verdict in ("done", "already"):
            yield _Line("verified", id_, verdict)
        elif verdict == "skipped" and code in CONFLICTS:
            yield _Line("conflict", id_, code)


def _whole(entry: Entry, body: Mapping[str, Any]) -> Iterator[_Line]:
    if ids := body.get("ids"):
        for id_ in ids:
            yield _Line(entry.stage, id_)
    elif "epoch" in body:
        yield _Line(entry.stage, evidence=f"epoch {body['epoch']}")
    else:
        yield _Line(entry.stage, evidence=str(body.get("why") or body.get("reason") or ""))


_EXPAND: Final[Mapping[str, Callable[[Entry, Mapping[str, Any]], Iterator[_Line]]]] = {
    "plan": _plan,
    "intent": _each,
    "outcome": _outcome,
    "settle": _each,
    "readback": _readback,
    "verdict": _verdict,
    "lock": _whole,
    "halt": _whole,
    "restore": _whole,
    "erase": _whole,
}
