"""What goes into the journal and what comes out of it. Frozen data. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_bridge.model.records import Record, RecordRef


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to append: one batch and stage.

    Attributes:
        stage: `plan`, `page`, `intent`, `job`, `outcome`, `settle`, `readback`, `verdict`, `lock`,
            `halt`, `finish`, `setup` ... The journal itself writes `snapshot`, `remade` and
            `migration`.
        run: The run.
        crm: The account's name in the settings.
        org: Its organisation's id.
        kind: Kind of the records.
        step: Index of the plan's step, -1 where none.
        page: Index of the page of that step's targets, -1 where none.
        batch: Number of the batch within the run, -1 where none.
        attempt: 1 for the first send of a batch, 0 where it does not apply.
        body: Anything `model.exact.pack` takes.
    """

    stage: str
    run: str = ""
    crm: str = ""
    org: str = ""
    kind: str = ""
    step: int = -1
    page: int = -1
    batch: int = -1
    attempt: int = 0
    body: Any = None


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as it stands in the journal: its number, its moment (UTC) and what was appended."""

    n: int
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as it was just before it was touched.

    Attributes:
        record: The whole of it.
        parent: For a child that follows: the target that takes it along.
        via: The rule's `via`, for a child.
        effect: The rule's effect, for a child (`follows`, `detaches` ...).
    """

    record: Record
    parent: RecordRef | None = None
    via: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """One run that took a record.

    Attributes:
        run: The run.
        step: Step and page under which its verdict stands; -1 for a child.
        page: See `step`.
        parent: The target that took it along; None where it was a target itself.
        at: When its snapshot was kept (UTC).
    """

    run: str
    step: int
    page: int
    parent: RecordRef | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """What a check of the chain found.

    Attributes:
        ok: Whether everything is as it was written.
        rows: Rows looked at, over all tables.
        table: Table of the first row that is not; `head` for the sidecar, `schema` for the tables
            themselves, `file` for the whole.
        row: Its number: `n` of the entry that it is or that it belongs to.
        why: What is wrong with it.
    """

    ok: bool
    rows: int
    table: str = ""
    row: int = 0
    why: str = ""
