"""Secrets are references, and are never printed: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`."""

from __future__ import annotations

import os
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


def _from_file(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
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
            raise SettingsError(f"the secret file {path} belongs to somebody else.")
        return file.read(65536).strip()


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
