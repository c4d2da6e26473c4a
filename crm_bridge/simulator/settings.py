"""Writes the crm_bridge.toml that fits the simulators which are running."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crm_bridge.simulator.server import VendorSimulator

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def _key(name: str) -> str:
    return name if name and set(name) <= _BARE else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # TOML's basic strings are JSON's, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return "{ " + inside + " }" if inside else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"{value!r} has no place in TOML")


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values())


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    lines = [f"[{name}]"] if any(not _is_table(v) for v in table.values()) else []
    lines += [f"{_key(k)} = {_value(v)}" for k, v in table.items() if not _is_table(v)]
    if lines:
        lines.append("")
    for key, value in table.items():
        if _is_table(value):
            lines += _table(f"{name}.{_key(key)}", value)
    return lines


def config_text(simulators: Sequence[tuple[VendorSimulator, str]]) -> str:
    """The text of a crm_bridge.toml for simulators and the urls they answer on."""
    bridge = {"journal": "sqlite:///crm_bridge.db", "settle": "2s", "deadline": "5s"}
    lines = ["# Written by crm-bridge simulator; its keys hold until that stops.", ""]
    lines += _table("bridge", bridge)
    for simulator, url in simulators:
        for account in simulator.accounts:
            table = dict(simulator.settings(account, url))
            if not simulator.limits:
                table["pace"] = "off"
            lines += _table(f"crms.{_key(account.crm)}", table)
    return "\n".join(lines)


def write_config(
    path: str | os.PathLike[str], simulators: Sequence[tuple[VendorSimulator, str]]
) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    target = Path(path)
    # mkstemp makes the file 0600; it must lie in the same folder for the rename to be atomic.
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(config_text(simulators))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
