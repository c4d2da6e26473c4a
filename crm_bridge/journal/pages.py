"""Snapshots as frames: records as lines of exact JSON, up to a thousand compressed together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import zstandard

from crm_bridge.errors import JournalError
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.exact import pack, unpack
from crm_bridge.model.records import Link, Record, RecordRef, State

FRAME_BYTES: Final = 4 << 20
"""A frame is closed once its lines have come to this; a record alone may be larger."""
FRAME_LINES: Final = 1000
"""A page with its children is one frame as a rule: what repeats in them is then written once."""

_LEVEL: Final = 3
"""Level 6 makes a frame a fourteenth smaller, for 10 µs a record."""
_LARGEST: Final = 1 << 30
_PLAIN: Final = b"\x00"
_SQUEEZED: Final = b"\x01"


def squeeze(data: bytes) -> bytes:
    """Compress with zstd."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def expand(data: bytes) -> bytes:
    """The inverse of `squeeze`.

    Raises:
        ValueError: It was not made by `squeeze`, or claims to be larger than anything we write.
    """
    try:
        if not 0 <= zstandard.frame_content_size(data) <= _LARGEST:
            raise ValueError("a frame of unlikely size")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def wrap(body: Any) -> bytes:
    """The body of an entry as it is stored; its first byte tells whether it is compressed."""
    plain = pack(body)
    if len(plain) > 100:
        small = squeeze(plain)
        if len(small) < len(plain):
            return _SQUEEZED + small
    return _PLAIN + plain


def unwrap(body: bytes) -> Any:
    """The inverse of `wrap`.

    Raises:
        ValueError: It was not made by `wrap`.
    """
    return unpack(expand(body[1:]) if body[:1] == _SQUEEZED else body[1:])


def to_line(snapshot: Snapshot) -> bytes:
    """A snapshot as a line.

    Raises:
        JournalError: It holds what cannot be kept exactly.
    """
    record = snapshot.record
    try:
        kept = pack(
            [
                record.ref.crm,
                record.ref.kind,
                record.ref.id,
                record.state.value,
                record.fields if type(record.fields) is dict else dict(record.fields),
                [[k.name, k.other.crm, k.other.kind, k.other.id, k.label] for k in record.links],
                record.changed_at.isoformat() if record.changed_at else None,
                record.evidence,
                record.locked,
                record.unreadable,
            ]
        )
        parent = snapshot.parent
        along = (
            pack([parent.crm, parent.kind, parent.id, snapshot.via, snapshot.effect])
            if parent
            else b""
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"{record.ref} cannot be kept: {str(error)[:160]}.",
            detail="It was not touched; its adapter gave a value that no snapshot can hold.",
        ) from None
    # Neither part can hold a line feed or a tab: both are escaped in JSON.
    return kept + b"\t" + along


def sha256_of(line: bytes) -> str:
    """The SHA-256 of the record in a line; 64 hex digits."""
    return hashlib.sha256(line.partition(b"\t")[0]).hexdigest()


def from_line(line: bytes) -> Snapshot:
    """The inverse of `to_line`.

    Raises:
        ValueError: It was not made by `to_line`.
    """
    kept, _, along = line.partition(b"\t")
    crm, kind, id_, state, fields, links, changed_at, evidence, locked, unreadable = unpack(kept)
    record = Record(
        RecordRef(crm, kind, id_),
        State(state),
        fields,
        tuple(Link(name, RecordRef(c, k, i), label) for name, c, k, i, label in links),
        datetime.fromisoformat(changed_at) if changed_at else None,
        evidence,
        locked,
        unreadable,
    )
    if not along:
        return Snapshot(record)
    parent_crm, parent_kind, parent_id, via, effect = unpack(along)
    return Snapshot(record, RecordRef(parent_crm, parent_kind, parent_id), via, effect)


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines that are compressed together.

    Attributes:
        first: Position of the first of them in its page.
        data: The compressed bytes.
        lines_sha256: Of the lines before they were compressed.
    """

    first: int
    data: bytes
    lines_sha256: bytes

    @property
    def sha256(self) -> str:
        """Of the compressed bytes; 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()


def frames_of(lines: Sequence[bytes]) -> Iterator[Frame]:
    """Cut a page's lines into frames."""
    first, size = 0, 0
    for position, line in enumerate(lines):
        full = position - first >= FRAME_LINES or size + len(line) > FRAME_BYTES
        if position > first and full:
            yield _frame(first, lines[first:position])
            first, size = position, 0
        size += len(line)
    if lines:
        yield _frame(first, lines[first:])


def _frame(first: int, lines: Sequence[bytes]) -> Frame:
    joined = b"\n".join(lines)
    return Frame(first, squeeze(joined), hashlib.sha256(joined).digest())


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a frame.

    Raises:
        ValueError: It is not a frame.
    """
    return expand(data).split(b"\n")


def manifest(
    frames: Sequence[Frame],
    records: int,
    captured: str,
    missing: Mapping[str, Sequence[str]],
) -> Mapping[str, Any]:
    """The body of a `snapshot` entry: through it the chain covers frames and index rows.

    `not_captured` stands there where snapshots are not complete: kind to what was hidden of it.
    """
    told = {"not_captured": missing} if missing else {}
    return {
        "records": records,
        "frames": [[frame.first, frame.sha256] for frame in frames],
        "captured": captured,
        **told,
    }
