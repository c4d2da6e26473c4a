"""Which path is which call, who may make it, and what it takes: the map of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crm_bridge.simulator import Reply
from crm_bridge_zoho import simulator_bin as bin
from crm_bridge_zoho import simulator_metadata as metadata
from crm_bridge_zoho import simulator_reads as reads
from crm_bridge_zoho import simulator_related as related
from crm_bridge_zoho import simulator_writes as writes
from crm_bridge_zoho.simulator_coql import coql
from crm_bridge_zoho.simulator_modules import MODULES
from crm_bridge_zoho.simulator_wire import Asked


@dataclass(frozen=True)
class Route:
    """One call of the API.

    Attributes:
        method: Its HTTP method.
        path: Its path behind /crm/v8/; `{}` is any one part, `{M}` the name of a module.
        do: What answers it.
        scopes: One of these must be held; `{m}` is the module in lower case.
        since: The first version that has it.
        write: Whether it could change a record or a schema.
        heavy: Whether it counts among the few heavy calls where it names more than ten records.
    """

    method: str
    path: str
    do: Callable[[Asked], Reply]
    scopes: tuple[str, ...]
    since: float = 2.0
    write: bool = False
    heavy: bool = False

    @property
    def parts(self) -> list[str]:
        """The path, cut at its slashes."""
        return self.path.split("/")

    def fits(self, parts: list[str]) -> bool:
        """Whether a path is of this form."""
        own = self.parts
        return len(own) == len(parts) and all(
            mine in ("{}", "{M}") or mine == given for mine, given in zip(own, parts, strict=True)
        )

    def allowed(self, parts: list[str], held: frozenset[str]) -> bool:
        """Whether what the token holds is enough."""
        module = parts[0] if "{M}" in self.path else ""
        if module in MODULES:
            module = module.lower().replace("_", "")
        return any(scope.replace("{m}", module) in held for scope in self.scopes)


def _records(operation: str) -> tuple[str, ...]:
    names = ("ZohoCRM.modules.ALL", f"ZohoCRM.modules.{operation}")
    return (*names, "ZohoCRM.modules.{m}.ALL", f"ZohoCRM.modules.{{m}}.{operation}")


def _settings(name: str, operation: str = "READ", all_covers: bool = True) -> tuple[str, ...]:
    found = (f"ZohoCRM.settings.{name}.{operation}", f"ZohoCRM.settings.{name}.ALL")
    return (*found, "ZohoCRM.settings.ALL") if all_covers else found


_READ, _MAKE, _EDIT, _DELETE = map(_records, ("READ", "CREATE", "UPDATE", "DELETE"))
# Whether ZohoCRM.settings.ALL covers the bin is not documented; the scopes are asked for by name.
_BIN_READ, _BIN_UPDATE, _BIN_DELETE = (
    _settings("recycle_bin", operation, False) for operation in ("READ", "UPDATE", "DELETE")
)
_LOCKS = (
    "ZohoCRM.modules.lockinginformation.ALL", "ZohoCRM.modules.lockinginformation.{o}",
)  # fmt: skip
_MASS = ("ZohoCRM.mass_delete.DELETE", "ZohoCRM.mass_delete.{m}.DELETE")
_MASS_READ = ("ZohoCRM.mass_delete.READ", "ZohoCRM.mass_delete.{m}.READ")
_MASS_UPDATE = ("ZohoCRM.mass_update.ALL", "ZohoCRM.mass_update.{m}.UPDATE")
_FIELDS = _settings("fields", "CREATE")
_LOCK_CONFIG = _settings("record_locking_configurations", "UPDATE")


def _lock(operation: str) -> tuple[str, ...]:
    return tuple(one.replace("{o}", operation) for one in _LOCKS)


ROUTES: tuple[Route, ...] = (
    Route("GET", "org", metadata.org, ("ZohoCRM.org.READ", "ZohoCRM.org.ALL")),
    Route("GET", "users", metadata.users, ("ZohoCRM.users.READ", "ZohoCRM.users.ALL")),
    Route("GET", "users/{}", metadata.users, ("ZohoCRM.users.READ", "ZohoCRM.users.ALL")),
    Route("GET", "settings/modules", metadata.modules, _settings("modules")),
    Route("GET", "settings/modules/{}", metadata.modules, _settings("modules")),
    Route("GET", "settings/fields", metadata.fields, _settings("fields")),
    Route("GET", "settings/fields/{}", metadata.fields, _settings("fields")),
    Route("POST", "settings/fields", metadata.create_fields, _FIELDS, 6, write=True),
    Route("GET", "settings/related_lists", metadata.related_lists, _settings("related_lists")),
    Route("GET", "settings/layouts", metadata.layouts, _settings("layouts")),
    Route("GET", "settings/layouts/{}", metadata.layouts, _settings("layouts")),
    Route("GET", "settings/custom_views", metadata.custom_views, _settings("custom_views")),
    Route("GET", "settings/profiles", metadata.profiles, _settings("profiles")),
    Route("GET", "settings/roles", metadata.roles, _settings("roles")),
    Route("GET", "settings/record_locking_configurations", related.lock_configs,
          _settings("record_locking_configurations"), 7),
    Route("POST", "settings/record_locking_configurations", related.configure_locks,
          _LOCK_CONFIG, 7, write=True),
    Route("PUT", "settings/record_locking_configurations", related.configure_locks,
          _LOCK_CONFIG, 7, write=True),
    Route("GET", "settings/recycle_bin", bin.look, _BIN_READ, 7),
    Route("DELETE", "settings/recycle_bin", bin.purge_some, _BIN_DELETE, 7, write=True),
    Route("GET", "settings/recycle_bin/actions/count", bin.count, _BIN_READ, 8),
    Route("POST", "settings/recycle_bin/actions/restore", bin.restore_many, _BIN_UPDATE, 8,
          write=True),
    Route("POST", "settings/recycle_bin/actions/empty", bin.empty, _BIN_UPDATE, 8, write=True),
    Route("GET", "settings/recycle_bin/{}", bin.look, _BIN_READ, 7),
    Route("DELETE", "settings/recycle_bin/{}", bin.purge_some, _BIN_DELETE, 7, write=True),
    Route("POST", "settings/recycle_bin/{}/actions/restore", bin.restore_one, _BIN_UPDATE, 8,
          write=True),
    Route("POST", "coql", coql, ("ZohoCRM.coql.READ",)),
    Route("GET", "{M}/deleted", reads.deleted, _READ),
    Route("GET", "{M}/search", reads.search, _READ),
    Route("GET", "{M}/actions/count", reads.count, _READ, 2.1),
    Route("POST", "{M}/upsert", writes.upsert, _EDIT, write=True, heavy=True),
    Route("POST", "{M}/actions/mass_delete", writes.mass_delete, _MASS, 4, write=True),
    Route("GET", "{M}/actions/mass_delete", writes.mass_delete_status, _MASS_READ, 4),
    Route("POST", "{M}/actions/mass_update", writes.mass_update, _MASS_UPDATE, write=True),
    Route("POST", "{M}/actions/add_tags", writes.add_tags, _EDIT, write=True),
    Route("POST", "{M}/actions/remove_tags", writes.remove_tags, _EDIT, write=True),
    Route("GET", "{M}/deleted/{}/{}", reads.still_pointing, _READ, 6),
    Route("GET", "{M}/{}/__timeline", reads.history, _READ, 3),
    Route("GET", "{M}/{}/actions/fetch_full_data", reads.full_text, _READ, 4),
    Route("POST", "{M}/{}/actions/convert", related.convert, _MAKE, write=True),
    Route("GET", "{M}/{}/Locking_Information__s", related.lock_info, _lock("READ"), 7),
    Route("POST", "{M}/{}/Locking_Information__s", related.lock, _lock("CREATE"), 7, write=True),
    Route("DELETE", "{M}/{}/Locking_Information__s/{}", related.unlock, _lock("DELETE"), 7,
          write=True),
    Route("POST", "{M}/{}/Notes", related.add_notes, _MAKE, write=True),
    Route("DELETE", "{M}/{}/Notes/{}", related.remove, _DELETE, write=True),
    Route("POST", "{M}/{}/Attachments", related.upload, _MAKE, write=True),
    Route("GET", "{M}/{}/Attachments/{}", related.download, _READ),
    Route("DELETE", "{M}/{}/Attachments/{}", related.remove, _DELETE, write=True),
    Route("GET", "{M}/{}/{}", related.listed, _READ),
    Route("GET", "{M}/{}", reads.one, _READ),
    Route("PUT", "{M}/{}", writes.update, _EDIT, write=True),
    Route("DELETE", "{M}/{}", writes.delete, _DELETE, write=True),
    Route("GET", "{M}", reads.listed, _READ),
    Route("POST", "{M}", writes.insert, _MAKE, write=True, heavy=True),
    Route("PUT", "{M}", writes.update, _EDIT, write=True, heavy=True),
    Route("DELETE", "{M}", writes.delete, _DELETE, write=True),
)  # fmt: skip


def routed(method: str, parts: list[str], version: float) -> Route | str:
    """The call that a path means, or why it means none: the code of the refusal."""
    fitting = [route for route in ROUTES if route.fits(parts) and version >= route.since]
    if parts[0] in ("settings", "coql", "org", "users"):
        fitting = [route for route in fitting if not route.path.startswith("{M}")]
    if not fitting:
        return "INVALID_URL_PATTERN"
    # `{M}/deleted` is no record of the id "deleted": what is spelled out comes first.
    spelled = min(route.path.count("{") for route in fitting)
    for route in fitting:
        if route.method == method and route.path.count("{") == spelled:
            return route
    if "actions" in parts[1:2] or "deleted" in parts[1:2]:
        return "INVALID_REQUEST_METHOD"
    for route in fitting:
        if route.method == method:
            return route
    return "INVALID_REQUEST_METHOD"
