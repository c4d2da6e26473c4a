"""Where a journal may lie, and how its file is made: never through a link, never open to others."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from crm_bridge.errors import JournalError, SettingsError

_MOUNTS: Final = Path("/proc/mounts")

_NETWORK: Final = re.compile(
    r"(nfs|nfs4|cifs|smb|smb2|smb3|smbfs|afs|ncpfs|ncp|ceph|glusterfs|lustre|gpfs|beegfs|ocfs2|gfs2|davfs2?"
    r"|fuse\.(sshfs|s3fs|glusterfs|ceph|ceph-fuse|davfs2?|rclone|gcsfuse|smbnetfs|afpfs|blobfuse2?))"
)
"""File systems whose locks SQLite cannot trust: https://www.sqlite.org/wal.html, "does not work over a
network filesystem"."""

_COMPANIONS: Final = ("", "-wal", "-shm", "-journal", ".head")


def path_of(url: str, folder: Path | None) -> Path:
    """The file that a setting such as `sqlite:///crm_bridge.db` names.

    Args:
        url: `sqlite:///PATH`; four slashes make an absolute path.
        folder: What a relative path is relative to; None for the working folder.

    Raises:
        SettingsError: PostgreSQL, which comes later, or something else altogether.
    """
    scheme, colon, rest = url.partition("://")
    if scheme.split("+")[0] in ("postgresql", "postgres"):
        # The address holds a password, so it is not repeated.
        raise SettingsError(
            "the journal cannot stand in PostgreSQL yet.",
            detail='That comes later; use journal = "sqlite:///crm_bridge.db".',
        )
    path = rest[1:]
    if scheme != "sqlite" or not colon or rest[:1] != "/" or not path or "\0" in path:
        raise SettingsError(
            "the journal's address is not one of a file.",
            detail='Write journal = "sqlite:///crm_bridge.db".',
        )
    if path == ":memory:" or "?" in path:
        raise SettingsError(
            "a journal is a file that stays; it takes no options and is not kept in memory.",
            detail='Write journal = "sqlite:///crm_bridge.db".',
        )
    return Path(os.path.abspath((folder or Path.cwd()) / path))


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system on which a path lies, by the text of `/proc/mounts`."""
    found, depth = "", -1
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        # Blanks in a mount point are written as octal numbers.
        point = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), parts[1]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = parts[2], len(point.parts)
    return found


def _refuse_network(folder: Path) -> None:
    try:
        mounts = _MOUNTS.read_text(errors="replace")
    except OSError:
        return  # No such list on this system.
    kind = file_system(folder.resolve(), mounts)
    if _NETWORK.fullmatch(kind):
        raise JournalError(
            f"the journal's folder {folder} is on a network share ({kind}).",
            detail="Locks do not hold there; name a folder on a disk of this machine.",
        )


def _refuse_odd(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        sort = "a link" if stat.S_ISLNK(found.st_mode) else "not a plain file"
        raise JournalError(
            f"{path} is {sort}.", detail="A journal is a plain file; name another, or remove it."
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise JournalError(
            f"{path} belongs to another user.", detail="Each user keeps a journal of their own."
        )
    if found.st_mode & 0o022:
        raise JournalError(
            f"{path} can be written by other users.", detail=f"Make it yours: chmod 600 '{path}'."
        )


def prepare(path: Path) -> os.stat_result:
    """Make sure that a plain file of ours lies at the path, making it and its folder where missing.

    Returns:
        What the file is, to be compared with what was opened in the end.

    Raises:
        JournalError: A link, a FIFO, a network share, a file that others can write or own.
    """
    folder = path.parent
    try:
        # A umask takes rights away and never adds any: the folders below the first are as private.
        for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        _refuse_network(folder)
        for companion in _COMPANIONS:
            _refuse_odd(path.with_name(path.name + companion))
        return _make(path)
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be made: {error.strerror}.",
            detail="Look at its folder's rights, or name another file.",
        ) from None


def _make(path: Path) -> os.stat_result:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise JournalError(f"{path} is not a plain file.", detail="Name another.")
        return found
    finally:
        os.close(descriptor)


def same_file(path: Path, found: os.stat_result) -> None:
    """Hold what lies at the path now against what was found before it was opened.

    Raises:
        JournalError: It was swapped in between.
    """
    now = os.lstat(path)
    if (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
        raise JournalError(f"{path} was swapped while it was opened.", detail="Find out by whom.")
