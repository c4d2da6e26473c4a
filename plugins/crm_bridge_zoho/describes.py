"""What an account's metadata says of its modules and fields, asked for once in a connection.

https://www.zoho.com/crm/developer/docs/api/v7/modules-api.html, field-meta.html and
related-list-meta.html, read 2026-11-24.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from crm_bridge.kit import CascadeRule, Rejected, Unauthorized
from crm_bridge_zoho.client import TITLE, Client
from crm_bridge_zoho.profile import detached, observed, owned

T = TypeVar("T")

BIN_SCOPE: Final = "settings.recycle_bin.READ"
SINGLE: Final = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
"""Types whose values only the read of a single record shows."""
NUMBERS: Final = frozenset({"integer", "bigint", "double", "currency", "percent"})
COMPUTED: Final = frozenset({"formula", "rollup_summary", "autonumber"})
FILES: Final = frozenset({"fileupload", "imageupload", "profileimage"})
APPROVAL: Final = "$approval_state"
CONVERTED: Final = "$converted"
"""Keys that lists show where they are asked for
(https://www.zoho.com/crm/developer/docs/api/v7/get-records.html)."""
ANY_MODULE: Final = "se_module"
"""The target of a lookup that leads to records of several modules."""
ATTACHMENTS: Final = "Attachments"
PARTS: Final = ("Notes", ATTACHMENTS)
"""Modules whose records hang on one of another module and go with it."""
UNTOLD: Final = frozenset({"INVALID_MODULE", "NOT_SUPPORTED", "INVALID_URL_PATTERN"})
"""Codes that say that there is no such module, or none that the API serves."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module.

    Attributes:
        name: Its API name.
        type: Its data_type.
        target: The module that a lookup or multi-select lookup leads to; empty for other types.
        inner: The module of a subform's rows, or the linking module of a multi-select lookup.
        creates: Whether an insert may set it.
        updates: Whether an update may set it.
        picks: The values of a picklist; empty for other types.
        unique: Whether no two records may share a value.
        rich: Whether lists cut it short.
        hidden_from: Ids of the profiles that it is not shown to.
    """

    name: str
    type: str
    target: str = ""
    inner: str = ""
    creates: bool = True
    updates: bool = True
    picks: tuple[str, ...] = ()
    unique: bool = False
    rich: bool = False
    hidden_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Module:
    """One module.

    Attributes:
        name: Its API name.
        kind: Its generated_type: default, custom, subform, linking ...
        bin: Whether what is deleted goes to the bin.
        served: Whether the API reaches its records.
        creates: Whether records can be made.
    """

    name: str
    kind: str = "default"
    bin: bool = True
    served: bool = True
    creates: bool = True


@dataclass(frozen=True, slots=True)
class Related:
    """One related list of a module.

    Attributes:
        name: Its API name, the last segment of its path.
        module: The module of its records.
        linking: The module of the rows between, for a multi-select lookup; else empty.
    """

    name: str
    module: str
    linking: str = ""


class Describes:
    """The metadata of one account.

    Args:
        client: The account.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._turns: dict[Any, threading.RLock] = {}
        self._known: dict[Any, Any] = {}

    def modules(self) -> Mapping[str, Module]:
        """Every module, by its name."""
        return self._once("modules", self._modules)

    def bin_open(self) -> bool:
        """Whether the token has the scope of the bin."""
        return self._once("bin", self._bin_open)

    def retired(self) -> frozenset[str] | None:
        """Ids of the users who were deactivated or deleted; None where the token may not ask.

        https://www.zoho.com/crm/developer/docs/api/v8/get-users.html, read 2026-11-25.
        """
        return self._once("retired", self._retired)

    def again(self) -> None:
        """Ask anew who is active: people leave more often than fields do."""
        self._known.pop("retired", None)

    def module(self, kind: str) -> Module:
        """One module.

        Raises:
            Rejected: There is none of that name.
        """
        found = self.modules().get(kind)
        if found is None:
            raise Rejected(f"{TITLE} has no module {kind} for this user.",
                           vendor_code="INVALID_MODULE")  # fmt: skip
        return found

    def fields(self, kind: str) -> Mapping[str, Field]:
        """The fields of a module, by their names.

        Raises:
            Rejected: There is no such module.
        """
        self.module(kind)
        return self._once(("fields", kind), lambda: self._fields(kind))

    def learn(self, kinds: Sequence[str], *, lists: bool = False) -> None:
        """Have the fields of modules told, and their related lists too; asked for at once."""
        asked: list[Callable[[], object]] = [partial(self.fields, kind) for kind in kinds]
        if lists:
            asked += [partial(self.related, kind) for kind in kinds]
        self._client.together(asked)

    def related(self, kind: str) -> tuple[Related, ...]:
        """The related lists of a module."""
        return self._once(("related", kind), lambda: self._related(kind))

    def signs(self, kind: str) -> list[str]:
        """Names of the keys that tell what holds a record, where it has any."""
        module = self.module(kind)
        if module.kind not in ("default", "custom") or kind in PARTS:
            return []
        return [APPROVAL, CONVERTED] if kind == "Leads" else [APPROVAL]

    def plain(self, kind: str) -> list[str]:
        """Names of the fields that a list shows."""
        return [f.name for f in self.fields(kind).values() if f.type not in SINGLE]

    def lookups(self, kind: str) -> tuple[Field, ...]:
        """The fields that lead to other records."""
        return self._once(("lookups", kind), lambda: tuple(self._lookups(kind)))

    def _lookups(self, kind: str) -> Iterable[Field]:
        return (f for f in self.fields(kind).values() if f.type in ("lookup", "multiselectlookup"))

    def single(self, kind: str) -> list[str]:
        """Names of the fields that only the read of a single record shows."""
        return [f.name for f in self.fields(kind).values() if f.type in SINGLE]

    def rules(self, kind: str) -> tuple[CascadeRule, ...]:
        """What hangs on a module: parts that go along, and lookups that are observed only."""
        return self._once(("rules", kind), lambda: tuple(self._rules(kind)))

    def back(self, kind: str, field: Field) -> str:
        """The lookup by which rows of a subform or a multi-select lookup name their record."""
        if not field.inner or field.inner not in self.modules():
            return ""
        if field.type == "subform":
            return "Parent_Id" if "Parent_Id" in self.fields(field.inner) else ""
        ends = [f.name for f in self.fields(field.inner).values() if f.target == kind]
        return ends[0] if len(ends) == 1 else ""

    def list_of(self, kind: str, child: str) -> str:
        """The related list of a module that shows the records of another; empty where none does."""
        return next((r.name for r in self.related(kind) if r.module == child), "")

    # --- private ---------------------------------------------------------------------------------

    def _once(self, key: Any, ask: Callable[[], T]) -> T:
        if key not in self._known:
            with self._lock:
                turn = self._turns.setdefault(key, threading.RLock())
            # One thread asks for a thing, and the others wait for it; other things are not waited for.
            with turn:
                if key not in self._known:
                    self._known[key] = ask()
        found: T = self._known[key]
        return found

    def _bin_open(self) -> bool:
        try:
            self._client.ask("/settings/recycle_bin", {"per_page": 1}, scope=BIN_SCOPE)
        except Unauthorized as error:
            if error.renewable or error.vendor_code != "OAUTH_SCOPE_MISMATCH":
                raise
            return False
        return True

    def _modules(self) -> dict[str, Module]:
        answer = self._client.ask("/settings/modules", scope="settings.modules.READ")
        self._client.once()
        return {m.name: m for m in map(_module, answer.rows("modules"))}

    def _retired(self) -> frozenset[str] | None:
        found: set[str] = set()
        for type in ("DeactiveUsers", "DeletedUsers"):
            page, more = 1, True
            while more:
                params = {"type": type, "page": page, "per_page": 200}
                try:
                    answer = self._client.ask("/users", params, scope="users.READ")
                except (Rejected, Unauthorized) as error:
                    if isinstance(error, Unauthorized) and error.renewable:
                        raise
                    return None
                found |= {str(row.get("id")) for row in answer.rows("users")}
                page, more = page + 1, answer.more
        return frozenset(found)

    def _fields(self, kind: str) -> dict[str, Field]:
        params = {"module": kind}
        answer = self._client.ask("/settings/fields", params, scope="settings.fields.READ")
        self._client.once()
        found = [_field(row) for row in answer.rows("fields")]
        return {f.name: f for f in found if f.name and f.name != "id"}

    def _related(self, kind: str) -> tuple[Related, ...]:
        answer = self._client.ask(
            "/settings/related_lists", {"module": kind}, scope="settings.related_lists.READ"
        )
        self._client.once()
        found = []
        for row in answer.rows("related_lists"):
            name, module = row.get("api_name"), named(row.get("module"))
            if isinstance(name, str) and name and module:
                found.append(Related(name, module, named(row.get("linkingmodule"))))
        return tuple(found)

    def _rules(self, kind: str) -> Iterable[CascadeRule]:
        modules = self.modules()
        if kind not in modules or modules[kind].kind not in ("default", "custom") or kind in PARTS:
            return
        self.learn([kind], lists=True)
        listed = list(dict.fromkeys(r.module for r in self.related(kind)))
        yield from (owned(kind, part) for part in PARTS if part in listed)
        own = self.fields(kind).values()
        for field in own:
            if field.type == "subform" and field.inner:
                yield owned(kind, field.inner, note=f"rows of {field.name}")
        linking = [f.inner for f in own if f.type == "multiselectlookup" and f.inner]
        linking += [r.linking for r in self.related(kind) if r.linking]
        served = {m.name: m for m in modules.values() if m.served}
        lines = [m.name for m in served.values() if m.kind == "subform" and m.name not in listed]
        children = [c for c in dict.fromkeys([*listed, *linking]) if c in served and c not in PARTS]
        parts = [part for part in PARTS if part in listed and part in modules]
        self.learn([*parts, *children, *lines])
        for child in children:
            module = modules[child]
            for field in self.fields(child).values():
                if field.type == "lookup" and field.target in (kind, ANY_MODULE):
                    yield observed(kind, child, field.name, module.kind == "linking")
                elif field.type == "multiselectlookup" and field.target == kind:
                    yield detached(kind, child, field.name)
        # Rows of other modules' subforms that name a record here; no related list shows them.
        for line in lines:
            for field in self.fields(line).values():
                if field.type == "lookup" and field.target == kind and field.name != "Parent_Id":
                    yield observed(kind, line, field.name)


def named(value: Any) -> str:
    """A module's name: v8 gives an object, v2 and some of the specs a text."""
    if isinstance(value, Mapping):
        value = value.get("api_name")
    return value if isinstance(value, str) else ""


def _module(row: Mapping[str, Any]) -> Module:
    return Module(
        str(row.get("api_name", "")),
        str(row.get("generated_type", "default")),
        row.get("recycle_bin_on_delete") is not False,
        row.get("api_supported") is not False,
        row.get("creatable") is not False,
    )


def _field(row: Mapping[str, Any]) -> Field:
    may = row.get("operation_type")
    may = may if isinstance(may, Mapping) else {}
    lookup, many = row.get("lookup"), row.get("multiselectlookup")
    subform, text = row.get("subform"), row.get("textarea")
    inner = ""
    target = named(lookup.get("module")) if isinstance(lookup, Mapping) else ""
    if isinstance(subform, Mapping):
        inner = named(subform.get("module"))
    inner = inner or named(row.get("associated_module"))
    if isinstance(many, Mapping) and many:
        inner = named(many.get("linking_module")) or inner
        target = named(many.get("connected_module"))
    picks = row.get("pick_list_values")
    read_only = row.get("read_only") is True or row.get("field_read_only") is True
    return Field(
        str(row.get("api_name", "")),
        str(row.get("data_type", "")),
        target,
        inner,
        may.get("api_create") is not False and not read_only,
        may.get("api_update") is not False and not read_only,
        tuple(
            str(p.get("actual_value"))
            for p in (picks if isinstance(picks, list) else ())
            if isinstance(p, Mapping)
        ),
        bool(row.get("unique")),
        row.get("data_type") == "textarea"
        and isinstance(text, Mapping)
        and text.get("type") == "rich_text",
        frozenset(_hidden_from(row.get("profiles"))),
    )


def _hidden_from(profiles: Any) -> Iterable[str]:
    """Profiles for which a field is set to Don't Show; the list tells such fields too.

    https://www.zoho.com/crm/developer/docs/api/v8/create-custom-field.html names the three words of
    `permission_type`, https://www.zoho.com/crm/developer/docs/api/v2.1/field-meta.html says that
    fields whose permission is Don't Show are among the answer.
    """
    for one in profiles if isinstance(profiles, list) else ():
        if isinstance(one, Mapping) and one.get("permission_type") == "hidden":
            yield str(one.get("id", ""))
