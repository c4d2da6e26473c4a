"""What a portal's schema says: properties in all three sensitivity classes, custom objects, pairs.

Schema only, never records; it is asked once for each kind and forgotten when `whoami()` is asked
again, which the bridge does before every run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from crm_bridge.kit import BridgeError, Rejected, Unauthorized, Unreachable, is_empty
from crm_bridge_hubspot.kinds import OBJECTS, object_type
from crm_bridge_hubspot.wire import Query

SENSITIVITIES: Final = ("non_sensitive", "sensitive", "highly_sensitive")
"""The classes of `dataSensitivity`. The list shows the first alone unless asked; the others need
scopes such as `crm.objects.contacts.sensitive.read.v2` (HubSpot's OpenAPI of properties, v3)."""

Ask = Callable[[str, Sequence[str], Query, Any], Any]
"""One read through the gate: a route's name, kinds, query, body."""

Spread = Callable[[Sequence[Callable[[], Any]]], list[Any]]
"""Makes reads that need nothing of each other at once, and gives what they gave in their order."""


@dataclass(frozen=True, slots=True)
class PropertyDef:
    """A property as the portal defines it.

    Attributes:
        name: Its internal name.
        type: string, number, date, datetime, enumeration, bool, phone_number.
        computed: HubSpot calculates it.
        read_only: No client may write its value.
        options: The values of an enumeration, in their order; None where any value may stand.
        unique: No two records may share a value.
    """

    name: str
    type: str
    computed: bool = False
    read_only: bool = False
    options: tuple[str, ...] | None = None
    unique: bool = False

    @property
    def writable(self) -> bool:
        """Whether a client may set it."""
        return not (self.computed or self.read_only)

    def refusal(self, value: Any) -> str | None:
        """Why HubSpot would not take this value, or None."""
        if self.computed:
            return "HubSpot computes it"
        if self.read_only:
            return "HubSpot lets no client write it"
        if self.options is not None and not is_empty(value):
            # Several choices of one property are told in one text.
            several = [str(value)] if str(value) in self.options else str(value).split(";")
            if left := [one for one in several if one not in self.options]:
                return f"{left[0]!r} is no longer among its options"
        return None


@dataclass(frozen=True, slots=True)
class KindSchema:
    """The properties of one kind, as far as the token may see them.

    Attributes:
        kind: The kind.
        properties: Name to definition.
        skipped: Sensitivity classes that are not shown.
        hidden: Those of them that the token may not see, as it lacks their scope.
    """

    kind: str
    properties: Mapping[str, PropertyDef]
    skipped: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomKind:
    """A custom object of a portal.

    Attributes:
        type_id: `2-123`; our kind.
        spellings: Other names that paths take: `p_name`, `p123_name`, the bare name.
    """

    type_id: str
    spellings: tuple[str, ...] = ()


@dataclass(slots=True)
class Schema:
    """The schema of one portal, asked for as it is needed.

    The lock only keeps lanes from asking the same twice. Whatever `whoami()` touches goes without
    it: a lane that waits here for a new login must not keep the one that gets it.

    Args:
        ask: Makes one read.
        spread: Makes several at once.
    """

    ask: Ask
    spread: Spread
    _kinds: dict[str, KindSchema] = field(default_factory=dict)
    _plain: dict[str, KindSchema] = field(default_factory=dict)
    _custom: tuple[CustomKind, ...] | None = None
    _left: tuple[frozenset[str] | None] | None = None
    _no_pairs: set[tuple[str, str]] = field(default_factory=set)
    _closed_pairs: set[tuple[str, str]] = field(default_factory=set)
    _lock: Any = field(default_factory=threading.RLock)

    def forget(self) -> list[str]:
        """Ask anew from now on; gives the kinds that were known whole."""
        known = list(self._kinds)
        self._kinds, self._plain, self._custom, self._left = {}, {}, None, None
        self._no_pairs, self._closed_pairs = set(), set()
        return known

    def learn(self, kind: str) -> None:
        """Have a kind told ahead; why it is not told is said to who needs it."""
        with contextlib.suppress(BridgeError):
            self.of(kind)

    def of(self, kind: str) -> KindSchema:
        """The properties of a kind.

        Raises:
            Rejected: HubSpot knows no such kind.
            Unauthorized: The token may not see it.
        """
        with self._lock:
            found = self._kinds.get(kind)
            if found is None:
                found = self._kinds[kind] = self._asked(kind)
            return found

    def plain(self, kind: str) -> KindSchema:
        """The properties of the first class alone: one call, where the others do not matter."""
        with self._lock:
            found = self._plain.get(kind)
            if found is None:
                found = self._plain[kind] = self._first(kind)
            return found

    def _first(self, kind: str) -> KindSchema:
        return KindSchema(kind, {one.name: one for one in self._class(kind, SENSITIVITIES[0])})

    def _asked(self, kind: str) -> KindSchema:
        first, *others = self.spread(
            [
                partial(self.plain, kind) if kind in self._plain else partial(self._first, kind),
                *(partial(self._class_or_why, kind, one) for one in SENSITIVITIES[1:]),
            ]
        )
        assert isinstance(first, KindSchema)
        self._plain[kind] = first
        found, skipped, hidden = dict(first.properties), [], []
        for sensitivity, told in zip(SENSITIVITIES[1:], others, strict=True):
            if isinstance(told, list):
                found |= {one.name: one for one in told}
                continue
            skipped.append(sensitivity)
            if isinstance(told, Unauthorized):
                hidden.append(sensitivity)
        return KindSchema(kind, found, tuple(skipped), tuple(hidden))

    def _class_or_why(
        self, kind: str, sensitivity: str
    ) -> list[PropertyDef] | Unauthorized | Rejected:
        """The properties of a class, or why this token is not shown them."""
        try:
            return self._class(kind, sensitivity)
        except (Unauthorized, Rejected) as error:
            if getattr(error, "renewable", False):
                raise
            return error

    def _class(self, kind: str, sensitivity: str) -> list[PropertyDef]:
        query = [("archived", "false"), ("dataSensitivity", sensitivity)]
        found = list(_definitions(self.ask("properties", (kind,), query, None)))
        telling = {"hs_object_id", *object_type(kind).shown}
        if sensitivity == SENSITIVITIES[0] and not telling <= {one.name for one in found}:
            # The answer names no kind: without this the list of another would be taken for it.
            raise Unreachable(
                f"HubSpot's list of the properties of {kind} lacks what every such list has.",
                answered=True,
            )
        return found

    def custom(self) -> tuple[CustomKind, ...]:
        """The portal's custom objects; none where the token may not see them."""
        found = self._custom
        if found is None:
            try:
                told = self.ask("schemas", (), [("archived", "false")], None)
            except (Unauthorized, Rejected) as error:
                if getattr(error, "renewable", False):
                    raise
                told = {}
            found = self._custom = tuple(_custom_kinds(told))
        return found

    def owners_who_left(self) -> frozenset[str] | None:
        """Ids of the owners who are archived; None where the token may not see them.

        https://developers.hubspot.com/docs/guides/api/crm/owners, read 2026-11-25.
        """
        with self._lock:
            if self._left is None:
                self._left = (self._archived_owners(),)
            return self._left[0]

    def _archived_owners(self) -> frozenset[str] | None:
        found: set[str] = set()
        after: str | None = ""
        while after is not None:
            query = [("archived", "true"), ("limit", "500"), *([("after", after)] if after else [])]
            try:
                told = self.ask("owners", (), query, None)
            except (Unauthorized, Rejected) as error:
                if getattr(error, "renewable", False):
                    raise
                return None
            some = rows(told)
            found.update(str(row.get("id")) for row in some)
            further = (told.get("paging") or {}).get("next") or {}
            after = str(further["after"]) if some and further.get("after") else None
        return frozenset(found)

    def known_spelling(self, kind: str) -> str | None:
        """The type id of a custom object by one of its names, from what was asked already."""
        for one in self._custom or ():
            if kind in one.spellings:
                return one.type_id
        return None

    def kinds(self) -> list[str]:
        """Every kind of the portal."""
        return [one.name for one in OBJECTS] + [one.type_id for one in self.custom()]

    def pairs(self, kind: str) -> list[str]:
        """The kinds that associations of `kind` may lead to, as far as is known."""
        return [other for other in self.kinds() if (kind, other) not in self._no_pairs]

    def no_pair(self, kind: str, other: str) -> None:
        """Remember that HubSpot associates no such two kinds."""
        self._no_pairs.add((kind, other))

    def closed_pair(self, kind: str, other: str) -> None:
        """Remember that the token may not see these associations."""
        self._no_pairs.add((kind, other))
        self._closed_pairs.add((kind, other))

    def closed(self, kind: str) -> list[str]:
        """Kinds whose associations with this one the token may not see."""
        return sorted(other for one, other in self._closed_pairs if one == kind)

    def seen(self, kinds: Iterable[str]) -> dict[str, KindSchema]:
        """The properties of the first class, of those of these kinds that the token may see."""
        wanted = list(kinds)
        missing = [kind for kind in wanted if kind not in self._plain]
        # Without the lock, which lanes that ask for us would wait for.
        for kind, told in zip(
            missing, self.spread([partial(self._shown, k) for k in missing]), strict=True
        ):
            if told is not None:
                self._plain.setdefault(kind, told)
        return {kind: self._plain[kind] for kind in wanted if kind in self._plain}

    def _shown(self, kind: str) -> KindSchema | None:
        try:
            return self._first(kind)
        except (Unauthorized, Rejected) as error:
            if getattr(error, "renewable", False):
                raise
            return None


def computed(kinds: Iterable[KindSchema]) -> list[str]:
    """Properties that no client may write in one of these kinds, and that is writable in none."""
    fixed: set[str] = set()
    writable: set[str] = set()
    for kind in kinds:
        fixed.update(one.name for one in kind.properties.values() if not one.writable)
        writable.update(one.name for one in kind.properties.values() if one.writable)
    return sorted(fixed - writable)


def rows(told: Any, name: str = "results") -> list[dict[str, Any]]:
    """The rows of an answer.

    Raises:
        Unreachable: It has none, which no answer of HubSpot's is without.
    """
    found = told.get(name) if isinstance(told, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unreachable(f"HubSpot's answer has no {name}.", strange=True)
    return found


def _definitions(told: Any) -> Iterator[PropertyDef]:
    for row in rows(told):
        name = row.get("name")
        if not isinstance(name, str):
            raise Unreachable("HubSpot's answer has a property without a name.", strange=True)
        meta = row.get("modificationMetadata")
        options: tuple[str, ...] | None = None
        listed = row.get("options")
        # A checkbox holds several values in one text, and owners are options of somewhere else.
        if (
            row.get("type") == "enumeration"
            and row.get("fieldType") != "checkbox"
            and not row.get("externalOptions")
            and isinstance(listed, list)
            and listed
        ):
            ordered = sorted(
                (o for o in listed if isinstance(o, dict)), key=lambda o: o.get("displayOrder") or 0
            )
            options = tuple(str(o.get("value")) for o in ordered)
        yield PropertyDef(
            name,
            str(row.get("type") or "string"),
            bool(row.get("calculated")),
            bool(meta.get("readOnlyValue")) if isinstance(meta, dict) else False,
            options,
            row.get("hasUniqueValue") is True,
        )


def _custom_kinds(told: Any) -> Iterator[CustomKind]:
    for row in told.get("results") or () if isinstance(told, dict) else ():
        type_id, name = row.get("objectTypeId"), row.get("name")
        if not isinstance(type_id, str):
            continue
        try:
            object_type(type_id)
        except ValueError:
            continue
        names = [row.get("fullyQualifiedName"), name, f"p_{name}" if name else None]
        yield CustomKind(type_id, tuple(n for n in names if isinstance(n, str)))
