"""What a person or another program does in the vendor's own pages, and the refusal of nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """What was asked of the control routes makes no sense; answered 400 with this text."""


@dataclass(frozen=True)
class Act:
    """What a person or another program does in the vendor's own pages."""

    act: str
    kind: str = ""
    ids: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    into: str | None = None
