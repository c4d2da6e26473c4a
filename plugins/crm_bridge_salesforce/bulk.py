"""Bulk API 2.0 jobs: made, made known, filled, started; asked how they stand; read row by row.

https://developer.salesforce.com/docs/platform/api-asynch/guide/create-job.html. The client's own
`bulk2.X.delete` makes, fills, starts and waits in one go, and aborts the job on any trouble; so the
steps are made one by one, each by its own leave.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from crm_bridge.kit import (
    Batch,
    Job,
    Outcome,
    RecordRef,
    Rejected,
    Unreachable,
    done,
    failed,
    pending,
    unknown,
)
from crm_bridge_salesforce import troubles
from crm_bridge_salesforce.ids import whole

_JOB: Final = re.compile(r"750[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_ENDED: Final = frozenset(["JobComplete", "Failed", "Aborted"])

Tell = Callable[[Sequence[RecordRef], Callable[[Any], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]
Together = Callable[[Sequence[Callable[[], Any]]], list[Any]]


class Unstarted:
    """Jobs that a run before this made and died over, before it told the vendor to start them."""

    def __init__(self) -> None:
        self._records: dict[str, frozenset[RecordRef]] = {}

    def add(self, handle: str, refs: Iterable[RecordRef]) -> None:
        """Note a job that stands open, with the records that it was made for."""
        self._records[handle] = frozenset(refs)

    def take(self, refs: Iterable[RecordRef]) -> str | None:
        """The open job for exactly these records, once; None where there is none."""
        wanted = frozenset(refs)
        for handle, records in self._records.items():
            if records == wanted:
                del self._records[handle]
                return handle
        return None


def run(
    batch: Batch, operation: str, job: Job, tell: Tell, unstarted: Unstarted
) -> Iterator[Outcome]:
    """Make a job, let it be known, fill it, start it.

    Where one stands open for the very same records, made by a run that died over it, that one is
    filled and started: the core has read the records anew since. For any others a new job is made,
    and the open one never starts.

    Args:
        batch: The records.
        operation: `delete` or `hardDelete`.
        job: Makes the job's id durable before anything is uploaded.
        tell: Makes one write.
        unstarted: Open jobs that polling came upon.
    """
    if (left := unstarted.take(batch.refs)) is not None:
        job.save(left)
        # Whether its file arrived before nobody knows; a job takes one, and refuses a second.
        with contextlib.suppress(Rejected):
            _fill(batch, left, tell)
        _start(batch, left, tell)
        return (pending(ref, f"job {left} runs", details={"job": left}) for ref in batch)
    made = tell(
        batch.refs,
        lambda client: client.restful(
            "jobs/ingest", method="POST",
            json={"object": batch.kind, "operation": operation, "contentType": "CSV",
                  "lineEnding": "LF", "columnDelimiter": "COMMA"},
        ),
    )  # fmt: skip
    id_ = made.get("id") if isinstance(made, dict) else None
    if not isinstance(id_, str) or not _JOB.fullmatch(id_):
        raise Unreachable("Salesforce made a job and did not name it.", strange=True)
    job.save(id_)
    _fill(batch, id_, tell)
    _start(batch, id_, tell)
    return (pending(ref, f"job {id_} runs", details={"job": id_}) for ref in batch)


def _fill(batch: Batch, id_: str, tell: Tell) -> None:
    # A file with any column but Id fails the whole job.
    body = "\n".join(["Id", *batch.ids, ""]).encode()
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    path = f"jobs/ingest/{id_}/batches"
    tell(batch.refs, lambda c: c.restful(path, method="PUT", data=body, headers=headers))


def _start(batch: Batch, id_: str, tell: Tell) -> None:
    path, state = f"jobs/ingest/{id_}", {"state": "UploadComplete"}
    tell(batch.refs, lambda client: client.restful(path, method="PATCH", json=state))


def outcomes(
    handle: str, batch: Batch, ask: Ask, unstarted: Unstarted, together: Together
) -> Iterator[Outcome]:
    """How a job stands for these records: pending, or row by row once it has ended.

    A job that was made and never started (whoever made it died between two steps) has done nothing
    and does nothing by itself. It is not started here, for what was read before it is old: it is
    noted, for `run` to take up once its records were read anew.

    Args:
        handle: The job's id.
        batch: Its records.
        ask: Makes one read.
        unstarted: Where an open job is noted.
        together: Makes reads that need nothing of each other.
    """
    if not _JOB.fullmatch(handle):
        raise Rejected(f"{handle!r} is not the id of a job.")
    told = ask(lambda client: client.restful(f"jobs/ingest/{handle}"))
    if not isinstance(told, dict) or not isinstance(told.get("state"), str):
        raise Unreachable("Salesforce answered strangely: a job without a state.", strange=True)
    if told["state"] == "Open":
        unstarted.add(handle, batch.refs)
        why = f"job {handle} was never started, so it has done nothing."
        yield from (failed(ref, "not_started", why, passing=True) for ref in batch)
        return
    if told["state"] not in _ENDED:
        yield from (pending(ref, f"job {handle} runs", details={"job": handle}) for ref in batch)
        return
    rows = _rows(batch, handle, ask, together)
    rest = _rest(told)
    for ref in batch:
        yield rows.get(ref) or rest(ref)


def _rest(told: Mapping[str, Any]) -> Callable[[RecordRef], Outcome]:
    """What is said of a record that none of the three lists names."""
    if told["state"] == "JobComplete":
        return lambda ref: unknown(ref, "the job has ended, and none of its lists names it.")
    why = troubles.plain(str(told.get("errorMessage") or f"the job is {told['state']}"))
    return lambda ref: unknown(ref, f"the job ended without it: {why}")


def _rows(batch: Batch, handle: str, ask: Ask, together: Together) -> dict[RecordRef, Outcome]:
    """All three lists; each record by the id that its row echoes."""
    refs = {ref.id: ref for ref in batch}
    found: dict[RecordRef, Outcome] = {}
    lists: tuple[tuple[str, Callable[[RecordRef, Mapping[str, str]], Outcome]], ...] = (
        ("get_successful_records", lambda ref, row: done(ref)),
        ("get_failed_records", _failed),
        ("get_unprocessed_records", _unprocessed),
    )
    calls = [partial(ask, _asking(batch.kind, method, handle)) for method, _ in lists]
    for (_, judge), text in zip(lists, together(calls), strict=True):
        for row in csv.DictReader(io.StringIO(str(text))):
            ref = refs.get(whole(row.get("Id") or row.get("sf__Id") or ""))
            if ref is not None:
                found[ref] = judge(ref, row)
    return found


def _asking(kind: str, method: str, handle: str) -> Callable[[Any], Any]:
    return lambda client: getattr(getattr(client.bulk2, kind), method)(handle)


def _failed(ref: RecordRef, row: Mapping[str, str]) -> Outcome:
    # CODE:message:fields --, such as ENTITY_IS_DELETED:entity is deleted:--
    code, _, words = (row.get("sf__Error") or "").partition(":")
    return troubles.row(ref, code, words.rstrip(" -:"), deleting=True)


def _unprocessed(ref: RecordRef, row: Mapping[str, str]) -> Outcome:
    return failed(ref, "refused", "the job ended before it came to this record.")
