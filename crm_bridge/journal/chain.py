"""The chain of hashes over the entries, and its head in a file beside the journal.

The chain covers the other tables as well: the body of the entry that owns their rows holds the digest
over them. The head is what makes a cut tail visible; it has no key, so it does not hold against
somebody who stamps the whole journal anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crm_bridge.errors import JournalError

GENESIS: Final = bytes(32)
"""What stands before the first entry."""


def _plain(value: object) -> Any:
    # A check reads text as bytes, since an edit may have left what is not UTF-8.
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value


def link(previous: bytes, columns: Sequence[Any], body: bytes) -> bytes:
    """The hash of an entry.

    Args:
        previous: The hash of the entry before, or `GENESIS`.
        columns: All columns but `hash` and `body`, in the table's order; text as `str` or UTF-8.
        body: The body as it is stored.
    """
    head = json.dumps([_plain(c) for c in columns] + [len(body)], separators=(",", ":"))
    return hashlib.sha256(previous + head.encode() + body).digest()


def digest_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Digest over all columns of index rows; numbers and text, hashes as hex; 64 hex digits."""
    text = json.dumps([[_plain(c) for c in row] for row in rows], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain had come when it was last looked at.

    Attributes:
        count: Its entries.
        hash: The hash of the last of them.
    """

    count: int
    hash: bytes


def head_of(journal: Path) -> Path:
    """Where the head of a journal lies."""
    return journal.with_name(journal.name + ".head")


def read_head(journal: Path) -> Head | None:
    """The head beside a journal; None where there is none.

    Raises:
        JournalError: It is a link, not a plain file, or not a head.
    """
    path = head_of(journal)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(
            f"the journal's head {path} cannot be read: {error.strerror}.",
            detail="It has to be a plain file that you own, never a link.",
        ) from None
    try:
        with os.fdopen(descriptor, "rb") as file:
            told = json.loads(file.read(4096))
        count, digest = told["count"], bytes.fromhex(told["hash"])
        if type(count) is not int or count < 0 or len(digest) != len(GENESIS):
            raise ValueError("not a head")
    except (OSError, ValueError, KeyError, TypeError):
        raise JournalError(
            f"{path} is not the head of a journal.",
            detail="Bring it back from a backup, together with the journal; "
            "'crm-bridge journal check' tells what still holds.",
        ) from None
    return Head(count, digest)


def write_head(journal: Path, head: Head, folder: int) -> None:
    """Write the head whole or not at all, mode 0600; called under the append lock.

    Args:
        journal: The journal's file.
        head: What to write.
        folder: A descriptor of the journal's folder.

    Raises:
        OSError: It could not be made durable.
    """
    name = head_of(journal).name
    fresh = name + ".tmp"
    # What a crash left behind; the lock makes sure that nobody else writes it now.
    with suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        told = f'{{"count":{head.count},"hash":"{head.hash.hex()}"}}\n'.encode()
        if os.write(descriptor, told) != len(told):
            raise OSError("the head was written in part")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
