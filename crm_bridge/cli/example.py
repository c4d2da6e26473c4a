"""A commented settings file for a vendor, made from its settings class: it cannot go stale."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from crm_bridge import registry
from crm_bridge.adapter import Settings
from crm_bridge.config import BridgeSettings
from crm_bridge.secrets import Secret

FILLED = (
    "settings_hosts",
    "deadline",
    "proxies",
    "extra_ca",
    "marks",
    "protect",
    "vendor",
    "environment",
)
"""Keys of a crm that `[bridge]` fills in, or that are written by hand below."""


def example_for(vendor: str) -> str:
    """The text of a `crm_bridge.toml` with one account of that vendor.

    Raises:
        PluginError: No plugin for the vendor is installed.
    """
    adapter = registry.adapter_class(vendor)
    told = _comments(Settings) | _comments(adapter.settings)
    name = f"my-{vendor}"
    lines = [
        f"# Settings of crm-bridge for {adapter.profile.title}.",
        "# What is commented out is the default.",
        "# Secrets are references: env:NAME, file:PATH (mode 0600), keyring:SERVICE/USER.",
        "",
        "[bridge]",
    ]
    bridge = _comments(BridgeSettings)
    for field in msgspec.structs.fields(BridgeSettings):
        lines += _field(field, bridge, vendor)
    lines += [
        "",
        f"[crms.{name}]",
        f"vendor = {_value(vendor)}",
        "# production, sandbox or simulator; the server must agree.",
        'environment = "sandbox"',
    ]
    for field in msgspec.structs.fields(adapter.settings):
        if field.name not in FILLED:
            lines += _field(field, told, vendor)
    lines += [
        "",
        "# What void and archive write, kind by kind, where the vendor has no such verb;"
        " without it the marker field that setup makes.",
        f"# [crms.{name}.marks.{adapter.profile.aliases.get('lead', 'Lead')}]",
        '# void = { Status = "Closed" }',
        "",
        "# Records that no plan may touch.",
        f"# [crms.{name}.protect]",
        '# kinds = ["User"]',
        '# where = ["VIP = true"]',
    ]
    return "\n".join(lines)


def _field(field: Any, told: dict[str, str], vendor: str) -> list[str]:
    """A key with its comment; commented out where there is a default."""
    lines = []
    if comment := told.get(field.name):
        lines.append(f"# {comment}")
    secret = _is_secret(field.type)
    default = field.default
    if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if default is msgspec.NODEFAULT:
        value = f"env:{vendor}_{field.name}".upper().replace("ENV:", "env:") if secret else "..."
        lines.append(f"{field.encode_name} = {_value(value)}")
    elif default is None or (secret and not default) or isinstance(default, Secret):
        value = f"env:{vendor}_{field.name}".upper().replace("ENV:", "env:") if secret else "..."
        lines.append(f"# {field.encode_name} = {_value(value)}")
    else:
        lines.append(f"# {field.encode_name} = {_value(default)}")
    return lines


def _is_secret(kind: Any) -> bool:
    return kind is Secret or Secret in getattr(kind, "__args__", ())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value), ensure_ascii=False)


def _comments(cls: type[Any]) -> dict[str, str]:
    """What the class' docstring says of each of its attributes."""
    text = cls.__doc__ or ""
    _, _, below = text.partition("Attributes:")
    found: dict[str, str] = {}
    name = ""
    for line in below.splitlines():
        if match := re.match(r"\s{4,8}(\w+): (.*)", line):
            name = match[1]
            found[name] = match[2].strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
        elif name:
            name = ""
    return found
