"""What a record is, wherever it lives: its address, its state, its fields and its links.

Frozen data. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from crm_bridge.model.exact import digest_of

_CRM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KIND: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}")


class State(StrEnum):
    """Where a record stands in its life, by effect and not by the vendor's word."""

    LIVE = "live"
    VOIDED = "voided"
    ARCHIVED = "archived"
    DELETED = "deleted"
    """In the vendor's bin."""
    GONE = "gone"
    PENDING = "pending"
    """Waits for an approval or for a job of the vendor's."""


@lru_cache(maxsize=1024)
def _named(crm: str, kind: str) -> None:
    """Refuse names that no address may hold; a million addresses share a few of them."""
    if not _CRM.fullmatch(crm):
        raise ValueError(f"{crm!r} is not a name of a crm")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not a name of a kind")


@dataclass(frozen=True, slots=True, order=True)
class RecordRef:
    """The address of one record: `sf-prod:Account/001xx000003DGb2AAG`.

    `str()` and `parse()` are inverses.

    Attributes:
        crm: The account's name in the settings.
        kind: The kind as the vendor names it.
        id: The record's id as the vendor spells it.

    Raises:
        ValueError: A part is empty or holds a character that no address may hold.
    """

    crm: str
    kind: str
    id: str

    def __post_init__(self) -> None:
        _named(self.crm, self.kind)
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not an id")

    def __hash__(self) -> int:
        # Records of one id in two kinds or crms are rare enough to share a place; equality tells them
        # apart, and the text keeps its hash.
        return hash(self.id)

    def __str__(self) -> str:
        return f"{self.crm}:{self.kind}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> RecordRef:
        """Read an address back from its text.

        Raises:
            ValueError: The text is not `crm:Kind/id`.
        """
        crm, colon, rest = text.partition(":")
        kind, slash, id_ = rest.partition("/")
        if not colon or not slash:
            raise ValueError(f"{text!r} is not an address; one looks like crm:Kind/id")
        return cls(crm, kind, id_)


@dataclass(frozen=True, slots=True)
class Link:
    """One association of a record with another, as the vendor names it.

    Attributes:
        name: The relation, in the vendor's word.
        other: The record at the far end.
        label: The vendor's label of the association, if it has one.
    """

    name: str
    other: RecordRef
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the vendor showed it at one moment.

    Attributes:
        ref: Its address; the id is the one the vendor answered with.
        state: Where it stands. Marks are not judged by the adapter: a marked record is read as live.
        fields: Values exactly as the vendor sent them, numbers as `int` or `Decimal`, never `float`.
        links: Its associations, where the vendor keeps them outside the fields.
        changed_at: When the vendor says it was last changed (UTC).
        evidence: For a state that a read alone does not prove: by what it is known, such as
            "listed as permanently deleted"; empty on a gone record means that there is no trace.
        locked: True where the vendor would refuse a write because somebody locked the record.
        unreadable: True where the vendor shows nothing and that proves nothing; the journal then
            decides, and without it the record is `failed` with code `unreadable`.
    """

    ref: RecordRef
    state: State
    fields: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    changed_at: datetime | None = None
    evidence: str = ""
    locked: bool = False
    unreadable: bool = False

    def fingerprint(self, without: tuple[str, ...] = ()) -> str:
        """Digest of state, fields and links; equal fingerprints mean an equal record.

        Args:
            without: Fields that the vendor writes itself, left out (`Profile.vendor_set`).

        Returns:
            32 hexadecimal digits.
        """
        # A fingerprint is taken of every field of a million records, so what need not be asked of each
        # field is not.
        fields = dict(self.fields)
        for name in without:
            fields.pop(name, None)
        # An empty value and an absent one are the same thing to every vendor we know.
        if not all(fields.values()):
            fields = {k: v for k, v in fields.items() if v or not is_empty(v)}
        links = (
            sorted([link.name, str(link.other), link.label or ""] for link in self.links)
            if self.links
            else ()
        )
        return digest_of([str(self.ref), self.state.value, fields, links])


def is_empty(value: object) -> bool:
    """Whether a vendor would show nothing for this value."""
    return value is None or value == "" or value == [] or value == {}


@dataclass(frozen=True, slots=True)
class Condition:
    """One typed condition; all conditions of a search hold together.

    Attributes:
        field: A field, as the vendor names it.
        op: One of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `is empty`, `is not empty`.
        value: Text, `int`, `Decimal`, `bool`, `date`, `datetime`, None, or a tuple of them for `in`.
    """

    field: str
    op: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """Write these fields, only where the record still shows `expect`.

    Attributes:
        ref: The record to write.
        fields: The values to write; None empties a field.
        expect: What the fields must still hold. The core has read and compared just before; an
            adapter whose vendor has conditional writes may use it again.
        leads: For lookups among the fields: the record that each is to lead to.
    """

    ref: RecordRef
    fields: Mapping[str, Any]
    expect: Mapping[str, Any] = field(default_factory=dict)
    leads: Mapping[str, RecordRef] = field(default_factory=dict)
