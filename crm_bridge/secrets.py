"""Secrets are references, and are never printed: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
from pathlib import Path

from crm_bridge.errors import SettingsError

_SCHEMES = ("env:", "file:", "keyring:")


class Secret:
    """A secret, or where it is kept; only `reveal()` shows it.

    Args:
        reference: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, or the plain secret itself.
    """

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def plain(self) -> bool:
        """Whether the secret itself stands in the settings; that draws a warning."""
        return not self._reference.startswith(_SCHEMES)

    def reveal(self) -> str:
        """Fetch the secret.

        Raises:
            SettingsError: It is not where the reference says, or others may read the file.
        """
        _no_core_dumps()
        scheme, _, rest = self._reference.partition(":")
        if self.plain:
            return self._reference
        if scheme == "env":
            value = os.environ.get(rest, "")
            if not value:
                raise SettingsError(
                    f"the environment variable {rest} is empty.",
                    detail=f"Set {rest}, or point the setting elsewhere (file:, keyring:).",
                )
            return value
        if scheme == "file":
            return _from_file(Path(rest).expanduser())
        return _from_keyring(rest)

    def __repr__(self) -> str:
        return "Secret(***)" if self.plain else f"Secret({self._reference!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._reference == self._reference

    def __hash__(self) -> int:
        return hash(self._reference)


def _no_core_dumps() -> None:
    """From the first secret in memory on, a crash leaves no image of it on a disk."""
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _from_file(path: Path) -> str:
    try:
        # Not blocking: a pipe in the file's place would hold us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SettingsError(
            f"the secret file {path} cannot be read: {error.strerror}.",
            detail="Check the path in the settings; links are not followed.",
        ) from None
    with os.fdopen(handle, encoding="utf-8") as file:
        told = os.fstat(file.fileno())
        if not stat.S_ISREG(told.st_mode):
            raise SettingsError(f"the secret file {path} is not a plain file.")
        if told.st_mode & 0o077:
            raise SettingsError(
                f"the secret file {path} can be read by others.", detail=f"Run: chmod 600 {path}"
            )
        if told.st_uid not in (os.getuid(), 0):
            raise SettingsError(
                f"the secret file {path} belongs to somebody else.", detail="Make one of your own."
            )
        folder = os.stat(path.parent).st_mode
        if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
            raise SettingsError(
                f"the folder of the secret file {path} can be written by others.",
                detail=f"Run: chmod o-w {path.parent}",
            )
        try:
            return file.read(65536).strip()
        except UnicodeDecodeError:
            raise SettingsError(
                f"the secret file {path} is not text in UTF-8.", detail="Write the secret alone."
            ) from None


def _from_keyring(rest: str) -> str:
    service, _, user = rest.rpartition("/")
    try:
        import keyring
    except ImportError:
        raise SettingsError(
            "a secret is kept in the keyring, and the keyring library is not installed.",
            detail="Run: pip install 'crm-bridge[keyring]'",
        ) from None
    value = keyring.get_password(service, user)
    if not value:
        raise SettingsError(
            f"the keyring holds nothing for {service}/{user}.",
            detail=f"Run: keyring set {service} {user}",
        )
    return str(value)


def own_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for its owner alone, whatever the umask.

    Raises:
        SettingsError: It cannot be made (code `folder`).
    """
    try:
        for missing in reversed([folder, *folder.parents]):
            if not missing.exists():
                missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the folder {folder} cannot be made: {error.strerror}.",
            detail="See to the rights above it, or name another by XDG_STATE_HOME and XDG_CACHE_HOME.",
            code="folder",
        ) from None
    return folder
