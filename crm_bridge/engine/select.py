"""Words become addresses: refs, `crm:Kind` with conditions, files, records; doubles removed and counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from crm_bridge.engine.idfile import read_ids
from crm_bridge.engine.spool import Spool
from crm_bridge.errors import SettingsError
from crm_bridge.model.plans import Lazy
from crm_bridge.model.records import Condition, Record, RecordRef

SHOWN: Final = 5
"""Doubles that a finding names."""

Spell = Callable[[str, str, str], RecordRef]
"""(crm, kind, id) as the vendor spells it; raises SettingsError where no record can have it."""

Search = Callable[[str, str, Sequence[str | Condition], str | None], Iterable[Record]]
"""(crm, kind, conditions, native query) to the records that are found."""


def mark_of(ref: RecordRef) -> int:
    """Sixty-four bits that stand for an address in a set of a million."""
    return int.from_bytes(blake2b(str(ref).encode(), digest_size=8).digest(), "big")


@dataclass(slots=True)
class Selection:
    """What a plan is to be made for, in the order given, each record once.

    Attributes:
        doubles: How often a record was named again.
        again: The first of those.
        ignored: Columns of files that were left out of account.
    """

    doubles: int = 0
    again: list[RecordRef] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _kinds: dict[tuple[str, str], Spool[RecordRef]] = field(default_factory=dict)

    def add(self, ref: RecordRef) -> None:
        """Take a record in, unless it is there."""
        mark = mark_of(ref)
        if mark in self._seen:
            self.doubles += 1
            if len(self.again) < SHOWN:
                self.again.append(ref)
            return
        self._seen.add(mark)
        key = (ref.crm, ref.kind)
        spool = self._kinds.get(key)
        if spool is None:

            def decode(id_: str, crm: str = ref.crm, kind: str = ref.kind) -> RecordRef:
                return RecordRef(crm, kind, id_)

            spool = self._kinds[key] = Spool(lambda one: one.id, decode)
        spool.append(ref)

    def __len__(self) -> int:
        return sum(len(spool) for spool in self._kinds.values())

    def __contains__(self, ref: RecordRef) -> bool:
        return mark_of(ref) in self._seen

    def refs(self) -> Iterator[RecordRef]:
        """All of them, kind by kind."""
        for spool in self._kinds.values():
            yield from spool

    @property
    def crms(self) -> list[str]:
        """The crms, in the order given."""
        return list(dict.fromkeys(crm for crm, _ in self._kinds))

    def of(self, crm: str) -> dict[str, Lazy[RecordRef]]:
        """The records of a crm, by kind."""
        return {kind: refs for (name, kind), refs in self._kinds.items() if name == crm}


def select(
    targets: Any,
    *,
    spell: Spell,
    spell_kind: Callable[[str, str], str],
    search: Search,
    where: Sequence[str | Condition] = (),
    native: str | None = None,
    kind: str | None = None,
) -> Selection:
    """Read what somebody wrote, or handed over, into addresses.

    Args:
        targets: A string (`crm:Kind/id`, or `crm:Kind` with conditions), a path to a file of ids, or
            any iterable of strings, `RecordRef`s and `Record`s.
        spell: Spells an address; sends nothing.
        spell_kind: Spells a kind of a crm; sends nothing.
        search: Asks a vendor.
        where: Conditions, for a `crm:Kind`.
        native: A query in the vendor's own language, for a `crm:Kind`.
        kind: `crm:Kind` for files that have a column `id` alone.

    Raises:
        SettingsError: Something is malformed, contradicts itself, or selects nothing (code `empty`).
    """
    selection = Selection()
    searches: list[tuple[str, str]] = []
    wanted = None
    if kind:
        crm, _, name = kind.partition(":")
        wanted = (crm, spell_kind(crm, name))
    for one in _each(targets):
        if isinstance(one, str) and "/" not in one and ":" in one:
            crm, _, name = one.partition(":")
            searches.append((crm, spell_kind(crm, name)))
        else:
            _take(selection, one, spell, wanted)
    if (where or native is not None) and not searches:
        raise SettingsError(
            "conditions are given, and no kind that they are for.",
            detail="Name a target such as crm:Kind beside --where or --native.",
            code="target",
        )
    if searches and not where and native is None:
        crm, name = searches[0]
        raise SettingsError(
            f"{crm}:{name} alone would mean every {name} there is; that has to be said.",
            detail=f"Say which by --where, --native or --from, or name records: {crm}:{name}/ID.",
            code="target",
        )
    for crm, name in searches:
        for record in search(crm, name, where, native):
            selection.add(record.ref)
    if not len(selection):
        raise SettingsError(
            "nothing is selected: no record meets what was asked for."
            if searches
            else "nothing is selected: the list is empty.",
            detail="Look first: crm-bridge find TARGET --where ...",
            code="empty",
        )
    return selection


def _each(targets: Any) -> Iterator[Any]:
    if isinstance(targets, (str, RecordRef, Record, os.PathLike)):
        yield targets
    elif isinstance(targets, Iterable):
        yield from targets
    else:
        raise SettingsError(
            f"a {type(targets).__name__} names no records.",
            detail="Give addresses, records, a path, or a receipt.",
            code="target",
        )


def _take(selection: Selection, one: Any, spell: Spell, wanted: tuple[str, str] | None) -> None:
    if isinstance(one, Record):
        one = one.ref
    if isinstance(one, RecordRef):
        selection.add(spell(one.crm, one.kind, one.id))
    elif isinstance(one, str):
        crm, colon, rest = one.partition(":")
        name, slash, id_ = rest.partition("/")
        if not (colon and slash and crm and name and id_):
            raise SettingsError(
                f"{one!a} is not an address.",
                detail="One looks like crm:Kind/id, or crm:Kind for a whole kind.",
                code="malformed_id",
            )
        selection.add(spell(crm, name, id_))
    elif isinstance(one, os.PathLike):
        _from_file(selection, Path(one), spell, wanted)
    else:
        raise SettingsError(f"a {type(one).__name__} is no address.", code="target")


def _from_file(
    selection: Selection, path: Path, spell: Spell, wanted: tuple[str, str] | None
) -> None:
    lines, ignored = read_ids(path)
    selection.ignored += ignored
    crm, kind = wanted or ("", "")
    count = 0
    for line in lines:
        if not line.crm and not crm:
            raise SettingsError(
                f"{line.where}: it names an id and no kind.",
                detail="Name the kind as the target: crm-bridge void crm:Kind --from FILE.",
                code="target",
            )
        try:
            ref = spell(line.crm or crm, line.kind or kind, line.id)
        except SettingsError as error:
            raise SettingsError(
                f"{line.where}: {error.summary}", detail=error.detail, code=error.code
            ) from None
        if wanted is not None and (ref.crm, ref.kind) != wanted:
            raise SettingsError(
                f"{line.where}: {ref} is not of {crm}:{kind}, which the target names.",
                code="target",
            )
        selection.add(ref)
        count += 1
    if not count:
        raise SettingsError(
            f"{path} names no record: there is nothing below its first row.", code="empty"
        )
