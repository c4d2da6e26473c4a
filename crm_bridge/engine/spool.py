"""Lazy sequences: pages on disk that are walked again and again, so that nothing holds a million rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any, Generic, TypeVar

from crm_bridge.model.exact import pack, unpack
from crm_bridge.model.plans import PAGE, Lazy

T = TypeVar("T")

_IN_MEMORY = 1 << 20
"""Bytes of a spool that are kept in memory before it moves to an unnamed file."""


class Spool(Generic[T]):
    """An appendable `Lazy` sequence in an unnamed temporary file.

    Args:
        encode: A row as something `pack` takes.
        decode: The inverse.
    """

    def __init__(self, encode: Callable[[T], Any], decode: Callable[[Any], T]) -> None:
        self._encode, self._decode = encode, decode
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._pages: list[tuple[int, int]] = []
        self._open: list[T] = []
        self._count = 0

    def append(self, row: T) -> None:
        """Add a row at the end."""
        self._open.append(row)
        self._count += 1
        if len(self._open) >= PAGE:
            self._write()

    def _write(self) -> None:
        data = pack([self._encode(row) for row in self._open])
        self._file.seek(0, 2)
        self._pages.append((self._file.tell(), len(data)))
        self._file.write(data)
        self._open = []

    def __len__(self) -> int:
        return self._count

    def encoded(self) -> Iterator[list[Any]]:
        """The rows as they are kept, in pages."""
        for start, size in list(self._pages):
            self._file.seek(start)
            yield unpack(self._file.read(size))
        if self._open:
            yield [self._encode(row) for row in self._open]

    def __iter__(self) -> Iterator[T]:
        for start, size in list(self._pages):
            self._file.seek(start)
            for row in unpack(self._file.read(size)):
                yield self._decode(row)
        yield from list(self._open)


class Rows(Generic[T]):
    """A `Lazy` sequence over pages that somebody else keeps (a plan file, the journal).

    Args:
        count: How many rows there are.
        pages: Makes a fresh walk over the pages, each a list of encoded rows.
        decode: An encoded row to a row.
    """

    def __init__(
        self, count: int, pages: Callable[[], Iterator[list[Any]]], decode: Callable[[Any], T]
    ) -> None:
        self._count, self._pages, self._decode = count, pages, decode

    def __len__(self) -> int:
        return self._count

    def encoded(self) -> Iterator[list[Any]]:
        """The rows as they are kept, in pages."""
        return self._pages()

    def __iter__(self) -> Iterator[T]:
        for page in self._pages():
            for row in page:
                yield self._decode(row)


def encoded(rows: Lazy[T], encode: Callable[[T], Any]) -> Iterator[list[Any]]:
    """A sequence as pages of encoded rows; what is kept so already is not decoded for it.

    Args:
        rows: A sequence; where it is a `Spool` or `Rows`, of rows that were kept by the same `encode`.
        encode: A row as something `pack` takes.
    """
    if isinstance(rows, (Spool, Rows)):
        yield from rows.encoded()
        return
    for some in paged(rows):
        yield [encode(row) for row in some]


def paged(rows: Lazy[T], size: int = PAGE) -> Iterator[tuple[T, ...]]:
    """Walk a sequence in pages."""
    walk = iter(rows)
    while page := tuple(islice(walk, size)):
        yield page
