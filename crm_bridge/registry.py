"""Loads plugins by entry point, by name and only when needed; refuses doubles; lists.

`load_setuptools_entrypoints` would import every adapter. Loading is running code, so a third party's
plugin is imported only when the settings, or a person, name its vendor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from crm_bridge import hookspecs
from crm_bridge.errors import PluginError

if TYPE_CHECKING:
    from crm_bridge.adapter import Adapter
    from crm_bridge.simulator import VendorSimulator

_OURS = "crm-bridge"


@dataclass(frozen=True, slots=True)
class PluginLine:
    """A line of `plugins`.

    Attributes:
        name: The distribution that brings it.
        vendor: The entry point's name.
        version: The distribution's version.
        loaded: Whether it has been imported.
    """

    name: str
    vendor: str
    version: str
    loaded: bool


class Registry:
    """The plugins of one bridge.

    Args:
        plugins: Objects with hook implementations beside the entry points: reviewers, observers.
        block: Vendors that may not be loaded.
    """

    def __init__(self, plugins: Iterable[Any] = (), *, block: Sequence[str] = ()) -> None:
        self.manager = pluggy.PluginManager(hookspecs.GROUP)
        self.manager.add_hookspecs(hookspecs)
        for plugin in plugins:
            self.manager.register(plugin)
        for vendor in block:
            self.manager.set_blocked(vendor)
        self._points = _points()

    @property
    def hook(self) -> Any:
        """The hooks, to be called."""
        return self.manager.hook

    def vendors(self, *, ours_only: bool = False) -> list[str]:
        """Names of the installed vendors, in the order of their distribution's entry points."""
        return [v for v, p in self._points.items() if not ours_only or _dist(p)[0] == _OURS]

    def load(self, vendor: str) -> Any:
        """Import one vendor's plugin.

        Raises:
            PluginError: There is none, it is blocked, or it cannot be imported.
        """
        if plugin := self.manager.get_plugin(vendor):
            return plugin
        if self.manager.is_blocked(vendor):
            raise PluginError(f"the plugin for {vendor} is blocked.")
        point = self._points.get(vendor)
        if point is None:
            import difflib

            near = difflib.get_close_matches(vendor, self._points, 1)
            raise PluginError(
                f"no plugin for the vendor {vendor!r} is installed.",
                detail=f"Did you mean {near[0]!r}?"
                if near
                else f"Installed: {', '.join(self._points) or 'none'}.",
            )
        try:
            plugin = point.load()
            self.manager.register(plugin, name=vendor)
            self.manager.check_pending()
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"the plugin for {vendor} ({point.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}.",
                detail="Reinstall it, or remove the crm from the settings.",
            ) from error
        return plugin

    def adapter_class(self, vendor: str) -> type[Adapter]:
        """The adapter of a vendor, imported now.

        Raises:
            PluginError: There is none of that name, or two claim it.
        """
        plugin = self.load(vendor)
        caller = self.manager.subset_hook_caller(
            "provide_adapters", [p for p in self.manager.get_plugins() if p is not plugin]
        )
        found = [c for some in caller() for c in some if c.profile.vendor == vendor]
        if len(found) != 1:
            raise PluginError(
                f"the plugin for {vendor} provides {len(found)} adapters of that vendor, not one."
            )
        adapter: type[Adapter] = found[0]
        return adapter

    def simulators(self, vendors: Sequence[str] = ()) -> list[type[VendorSimulator]]:
        """The simulators of these vendors; of all that this distribution brings if none are named."""
        found: list[type[VendorSimulator]] = []
        for vendor in vendors or self.vendors(ours_only=True):
            plugin = self.load(vendor)
            caller = self.manager.subset_hook_caller(
                "provide_simulators", [p for p in self.manager.get_plugins() if p is not plugin]
            )
            found += [c for some in caller() for c in some]
        return found

    def lines(self) -> list[PluginLine]:
        """What is installed; imports nothing."""
        return [
            PluginLine(*_dist(point)[:1], vendor, _dist(point)[1], self.manager.has_plugin(vendor))
            for vendor, point in self._points.items()
        ]


def _dist(point: EntryPoint) -> tuple[str, str]:
    dist = point.dist
    return (dist.name, dist.version) if dist else ("?", "?")


def _points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=hookspecs.GROUP):
        other = found.get(point.name)
        if other is not None and (_dist(other), other.value) != (_dist(point), point.value):
            raise PluginError(
                f"{_dist(point)[0]} and {_dist(other)[0]} both claim the vendor {point.name!r}.",
                detail="Uninstall one of them: an adapter is never shadowed.",
            )
        found[point.name] = point
    return found


def adapter_class(vendor: str) -> type[Adapter]:
    """The adapter of a vendor, by a registry of its own."""
    return Registry().adapter_class(vendor)


def simulators(vendors: Sequence[str] = ()) -> list[type[VendorSimulator]]:
    """The simulators of vendors, by a registry of its own."""
    return Registry().simulators(vendors)


def plugins() -> list[PluginLine]:
    """What is installed; imports nothing."""
    return Registry().lines()
