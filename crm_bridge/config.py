"""`crm_bridge.toml` into typed settings; a typo is an error that names the line and the nearest key."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from crm_bridge.adapter import Settings
from crm_bridge.errors import SettingsError
from crm_bridge.secrets import Secret

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_BYTES: Final = 2**20
"""A settings file is never larger."""


def seconds_of(text: str | int | float) -> float:
    """Read a duration: `300s`, `24h`, `7d`, `0.2s`, or plain seconds.

    Raises:
        SettingsError: It is none.
    """
    if isinstance(text, (int, float)):
        return float(text)
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)\s*", text)
    if not match:
        raise SettingsError(f"{text!r} is not a duration.", detail="Write 300s, 24h or 7d.")
    return float(match[1]) * _UNITS[match[2]]


def within(text: str) -> timedelta:
    """A duration as a timedelta."""
    return timedelta(seconds=seconds_of(text))


class BridgeSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The `[bridge]` table.

    Attributes:
        journal: Where the journal is; empty for the user's data folder.
        actor: Who, for the audit: a name, or `env:NAME`.
        settle: How long an unanswered write may still arrive.
        read_max_age: The oldest read behind a write.
        plan_max_age: The oldest plan that may be applied.
        lease: How long a writer's claim on an org holds without being renewed.
        deadline: One request, from connect to the last byte.
        limit_records: Targets of one plan.
        limit_share: Share of a kind's live records that one plan may take.
        require_reason: Whether a plan without a reason is blocked.
        rehearse_above: Targets of a plan above which it must have been rehearsed; 0 for never.
        proxies: Whether environment proxies and netrc are used.
        extra_ca: A file with one more certificate authority.
        settings_hosts: Hosts beyond the vendors' own.
    """

    journal: str = ""
    actor: str = "env:USER"
    settle: str | float = "90s"
    read_max_age: str | float = "300s"
    plan_max_age: str | float = "24h"
    lease: str | float = "60s"
    deadline: str | float = "60s"
    limit_records: int = 1000
    limit_share: float = 0.5
    require_reason: bool = False
    rehearse_above: int = 0
    proxies: bool = False
    extra_ca: str = ""
    settings_hosts: list[str] = []


@dataclass(frozen=True, slots=True)
class Config:
    """A settings file that was read.

    Attributes:
        path: The file; None where there is none.
        bridge: The `[bridge]` table.
        crms: Each `[crms.NAME]` table, still untyped: the vendor's class types it.
        text: The file's text, for messages that name a line.
    """

    path: Path | None
    bridge: BridgeSettings
    crms: Mapping[str, Mapping[str, Any]]
    text: str = ""

    def crm(self, name: str) -> Mapping[str, Any]:
        """The table of one crm.

        Raises:
            SettingsError: The settings name no such crm.
        """
        if name in self.crms:
            return self.crms[name]
        near = difflib.get_close_matches(name, self.crms, 1)
        where = self.path or "the settings (there is no crm_bridge.toml here)"
        raise SettingsError(
            f"no crm is named {name!r} in {where}.",
            detail=f"Did you mean {near[0]!r}?"
            if near
            else f"Named there: {', '.join(self.crms) or 'none'}.",
        )

    def typed(self, name: str, cls: type[Settings]) -> Any:
        """The settings of one crm, in its vendor's class.

        Raises:
            SettingsError: A key is unknown or a value is of the wrong type; the line is named.
        """
        table = dict(self.crm(name))
        table.setdefault("settings_hosts", list(self.bridge.settings_hosts))
        table.setdefault("deadline", seconds_of(self.bridge.deadline))
        table.setdefault("proxies", self.bridge.proxies)
        table.setdefault("extra_ca", self.bridge.extra_ca)
        return _convert(table, cls, f"crms.{name}", self)


def user_file() -> Path:
    """The settings in the user's config folder."""
    import platformdirs

    return Path(platformdirs.user_config_dir("crm-bridge")) / "crm_bridge.toml"


def load(path: str | Path | None = None) -> Config:
    """Read a settings file.

    Args:
        path: The file; None for `./crm_bridge.toml`, then the user's config folder. Without any of
            them the settings are empty.

    Raises:
        SettingsError: The file is missing, is not TOML, or holds a key or value it may not.
    """
    if path is None:
        found = [p for p in (Path("crm_bridge.toml"), user_file()) if p.is_file()]
        if not found:
            return Config(None, BridgeSettings(), {})
        path = found[0]
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(
            f"the settings file {path} cannot be read: {error.strerror}.",
            detail="Name another with --config, or run: crm-bridge setup --example VENDOR",
        ) from None
    if len(data) > MAX_BYTES:
        raise SettingsError(f"the settings file {path} is larger than {MAX_BYTES} bytes.")
    try:
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    config = Config(path.resolve(), BridgeSettings(), {}, text)
    for key in raw:
        if key not in ("bridge", "crms"):
            raise _unknown(key, ("bridge", "crms"), "", config)
    bridge = _convert(raw.get("bridge", {}), BridgeSettings, "bridge", config)
    for name in ("settle", "read_max_age", "plan_max_age", "lease", "deadline"):
        seconds_of(getattr(bridge, name))
    crms = raw.get("crms", {})
    if not isinstance(crms, dict) or not all(isinstance(t, dict) for t in crms.values()):
        raise SettingsError(f"{path}: crms holds tables: write [crms.NAME].")
    _no_clash(crms, path)
    for name, table in crms.items():
        if not isinstance(table.get("vendor"), str):
            raise SettingsError(f'{path}: [crms.{name}] names no vendor: vendor = "salesforce".')
    return Config(path.resolve(), bridge, crms, text)


def _no_clash(crms: Mapping[str, Any], path: Path) -> None:
    seen: dict[str, str] = {}
    for name in crms:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
            raise SettingsError(
                f"{path}: {name!r} is not a name of a crm.", detail="Use letters, digits, - and _."
            )
        plain = unicodedata.normalize("NFKC", name).casefold().replace("_", "-")
        if plain in seen:
            raise SettingsError(f"{path}: the crms {seen[plain]!r} and {name!r} look alike.")
        seen[plain] = name


def _decode(cls: type, value: Any) -> Any:
    if cls is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError


def _convert(table: Any, cls: type[Any], where: str, config: Config) -> Any:
    if not isinstance(table, dict):
        raise SettingsError(f"{config.path}: {where} is a table: write [{where}].")
    known = {f.encode_name for f in msgspec.structs.fields(cls)}
    for key in table:
        if key not in known:
            raise _unknown(key, known, where, config)
    try:
        return msgspec.convert(table, cls, dec_hook=_decode)
    except msgspec.ValidationError as error:
        told = re.sub(r" - at `\$\.?", f" - at `{where}.", str(error))
        key = re.search(r"`\$\.(\w+)", str(error)) or re.search(r"field `(\w+)`", str(error))
        line = _line(config.text, key[1], where) if key else ""
        raise SettingsError(f"{config.path}{line}: {told}.") from None


def _unknown(key: str, known: Any, where: str, config: Config) -> SettingsError:
    near = difflib.get_close_matches(key, sorted(known), 1, 0.5)
    place = f"[{where}] has" if where else "there is"
    return SettingsError(
        f"{config.path}{_line(config.text, key, where)}: {place} no setting {key!r}.",
        detail=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}.",
    )


def _line(text: str, key: str, where: str) -> str:
    """`:12` where the key stands in the file, looking below its table's headline first."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() == f"[{where}]"), 0)
    for number in [*range(start, len(lines)), *range(start)]:
        if re.match(rf"\s*\[?[\w.\"-]*\b{re.escape(key)}\b", lines[number]):
            return f":{number + 1}"
    return ""
