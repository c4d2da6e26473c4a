"""What an account's own describe tells of its kinds: fields, rights, and what hangs on what.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm.
A description is asked for once in an adapter's life; it is no record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from crm_bridge.kit import AdapterError, CascadeRule, Rejected, Unreachable
from crm_bridge_salesforce.profile import LASTING, NOT_ASKED, NOT_ASKED_ENDINGS, rule

COMPOUND: Final = frozenset(["address", "location"])
"""Types whose parts are fields of their own."""
UNREAD: Final = COMPOUND | {"base64", "complexvalue"}
"""Types that no snapshot holds: compounds, and the contents of files."""
TOGETHER: Final = 25
"""Descriptions that one composite call takes."""
PLACED: Final = ("Id", "IsDeleted")
"""Fields that a record tells by its address and its state."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as describe tells it.

    Attributes:
        name: Its API name.
        type: Its type.
        createable: Whether a new record may be given it.
        updateable: Whether this user may write it.
        nillable: Whether it may be empty.
        filterable: Whether a query may ask by it.
        computed: Why nobody writes it; empty where somebody may.
        refers: Kinds that it names; empty where it is no lookup.
        values: The active values of a restricted list; empty where any text is taken.
        unique: Whether no two records may share a value.
    """

    name: str
    type: str
    createable: bool
    updateable: bool
    nillable: bool
    filterable: bool = True
    computed: str = ""
    refers: tuple[str, ...] = ()
    values: frozenset[str] = frozenset()
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind as describe tells it.

    Attributes:
        name: Its API name.
        label: Its name for people.
        prefix: What its ids begin with; empty where it has none.
        deletable: Whether this user may delete records of it at all.
        undeletable: Whether records of it can be undeleted.
        fields: Its fields, by name.
        children: Its childRelationships, as told.
    """

    name: str
    label: str
    prefix: str
    deletable: bool
    undeletable: bool
    fields: Mapping[str, Field]
    children: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    @property
    def types(self) -> dict[str, str]:
        """Each field's type."""
        return {f.name: f.type for f in self.fields.values()}

    def filters(self, name: str) -> bool:
        """Whether a query may ask by a field; what there is not is left to who asks."""
        return name not in self.fields or self.fields[name].filterable

    @property
    def readable(self) -> list[str]:
        """What a snapshot asks for."""
        return [f.name for f in self.fields.values() if f.type not in UNREAD and f.name != "Id"]

    @property
    def files(self) -> list[str]:
        """Fields whose contents no snapshot holds."""
        return [f.name for f in self.fields.values() if f.type == "base64"]


class Schema:
    """The kinds of one account, each described when it is first needed.

    Args:
        ask: Makes one read of a path below the API's version.
        ask_many: Makes one read of up to `TOGETHER` paths; None for each that was refused.
        at_once: Makes reads that need nothing of each other.
    """

    def __init__(
        self,
        ask: Callable[[str], Any],
        ask_many: Callable[[Sequence[str]], Sequence[Any]],
        at_once: Callable[[Sequence[Callable[[], Any]]], Any],
    ) -> None:
        self._ask, self._ask_many, self._at_once = ask, ask_many, at_once
        self._kinds: dict[str, Kind] = {}
        self._all: dict[str, Mapping[str, Any]] | None = None
        self._rules: dict[str, tuple[CascadeRule, ...]] = {}

    def kind(self, name: str) -> Kind:
        """One kind.

        Raises:
            Rejected: The account has none of that name, or this user may not see it.
        """
        if name not in self._kinds:
            told = self._ask(f"sobjects/{name}/describe")
            if not isinstance(told, dict) or told.get("name") != name:
                other = told.get("name") if isinstance(told, dict) else None
                raise Rejected(f"Salesforce described {other!r}, and {name} was asked for.")
            self._kinds[name] = _kind(told)
        return self._kinds[name]

    def learn(self, names: Iterable[str]) -> None:
        """Have many kinds described, 25 in one call; those that cannot be are left for `kind`."""
        unknown = [name for name in dict.fromkeys(names) if name not in self._kinds]
        for start in range(0, len(unknown), TOGETHER):
            some = unknown[start : start + TOGETHER]
            told = self._ask_many([f"sobjects/{name}/describe" for name in some])
            for name, one in zip(some, told, strict=True):
                if isinstance(one, dict) and one.get("name") == name:
                    self._kinds[name] = _kind(one)

    def soon(self, names: Sequence[str]) -> list[Callable[[], Any]]:
        """The calls by which kinds that will be asked for become known; why one cannot is told then."""

        def known(call: Callable[[], Any]) -> None:
            with contextlib.suppress(AdapterError):
                call()

        calls: list[Callable[[], Any]] = [
            partial(self.kind, name) for name in names if name not in self._kinds
        ]
        if calls and self._all is None:
            calls.append(self.all)
        return [partial(known, call) for call in calls]

    def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Every kind of the account, by name, with its flags alone."""
        if self._all is None:
            told = self._ask("sobjects")
            if not isinstance(told, dict) or not isinstance(told.get("sobjects"), list):
                raise Unreachable("Salesforce answered strangely: no list of kinds.", strange=True)
            self._all = {one["name"]: one for one in told["sobjects"]}
        return self._all

    def has(self, name: str) -> bool:
        """Whether the account has a kind that can be queried."""
        return bool(self.all().get(name, {}).get("queryable"))

    def rules(self, name: str) -> tuple[CascadeRule, ...]:
        """What hangs on a kind in this account, by the flags of its describe."""
        if name not in self._rules:
            if name not in self._kinds and self._all is None:
                self._at_once([partial(self.kind, name), self.all])
            found: dict[tuple[str, str], CascadeRule] = {}
            for one in self.kind(name).children:
                child, via = one.get("childSObject"), one.get("field")
                if not child or not via or one.get("deprecatedAndHidden") or not self.has(child):
                    continue
                if child in NOT_ASKED or child.endswith(NOT_ASKED_ENDINGS):
                    continue
                cascade, restricted = bool(one["cascadeDelete"]), bool(one["restrictedDelete"])
                if f"{child}.{via}" in LASTING and not (cascade or restricted):
                    continue
                found[child, via] = rule(
                    name, child, via, cascade, restricted,
                    undeletable=bool(self.all()[child].get("undeletable")),
                    source=f"describe of {name}", custom=via.endswith("__c"),
                )  # fmt: skip
            self._rules[name] = tuple(found.values())
        return self._rules[name]


def _kind(told: Mapping[str, Any]) -> Kind:
    fields = [_field(one) for one in told.get("fields", ())]
    return Kind(
        told["name"],
        str(told.get("label") or told["name"]),
        str(told.get("keyPrefix") or ""),
        bool(told.get("deletable")),
        bool(told.get("undeletable")),
        {one.name: one for one in fields},
        tuple(told.get("childRelationships") or ()),
    )


def _field(told: Mapping[str, Any]) -> Field:
    why = ""
    if told.get("autoNumber"):
        why = "an auto-number"
    elif told.get("calculated"):
        why = "a formula or a roll-up"
    values = told.get("picklistValues") if told.get("restrictedPicklist") else None
    return Field(
        told["name"],
        told["type"],
        bool(told.get("createable")),
        bool(told.get("updateable")),
        bool(told.get("nillable", True)),
        bool(told.get("filterable", True)),
        why,
        tuple(told.get("referenceTo") or ()),
        frozenset(one["value"] for one in values or () if one.get("active", True)),
        bool(told.get("unique")),
    )
