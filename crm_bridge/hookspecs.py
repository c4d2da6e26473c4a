"""The hooks, each with a user in the tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from crm_bridge.adapter import Adapter
    from crm_bridge.model.plans import Finding, Plan, Scene
    from crm_bridge.model.results import Event
    from crm_bridge.simulator import VendorSimulator

GROUP: Final = "crm_bridge"
"""The entry-point group, and pluggy's name of the project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def provide_adapters() -> Iterable[type[Adapter]]:  # type: ignore[empty-body]
    """Give the adapters that this plugin brings."""


@hookspec
def provide_simulators() -> Iterable[type[VendorSimulator]]:  # type: ignore[empty-body]
    """Give the simulators of vendors that this plugin brings."""


@hookspec
def review_plan(plan: Plan, scene: Scene) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Add findings to a plan; one ERROR keeps it from running."""


@hookspec
def observe(event: Event) -> None:
    """See each event once it is in the journal; what this raises is logged, not obeyed."""
