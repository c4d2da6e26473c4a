"""Related records that are taken along as targets of their own, in the order that blocks nothing."""

from __future__ import annotations

from collections.abc import Sequence

from crm_bridge.engine.accounts import contained
from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.inspect import MAX_DEPTH, rules_for
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.select import Selection
from crm_bridge.errors import SettingsError
from crm_bridge.model.abilities import Operation
from crm_bridge.model.records import RecordRef


def take_along(
    selection: Selection, accounts: Accounts, kinds: Sequence[str], operation: Operation
) -> None:
    """Add the records of these kinds that hang on what is selected, to any depth.

    Raises:
        SettingsError: Nothing of such a kind hangs on what is selected (code `kind`).
        BridgeError: A call went wrong.
    """
    reached: set[str] = set()
    for crm in selection.crms:
        wanted = {accounts.spell_kind(crm, kind): kind for kind in kinds}
        connected = accounts.connected(crm)
        level: dict[str, list[RecordRef]] = {
            kind: list(refs) for kind, refs in selection.of(crm).items()
        }
        for _ in range(MAX_DEPTH):
            below: dict[str, list[RecordRef]] = {}
            for kind, refs in level.items():
                for rule in rules_for(connected, kind, {operation}):
                    if rule.child not in wanted:
                        continue
                    reached.add(wanted[rule.child])
                    for part in batched(refs, 1000):
                        work = list(connected.parents(part))
                        look = lambda batch, r=rule, a=connected.adapter: list(a.children(batch, r))  # noqa: E731
                        for _, found in connected.lanes.each(look, work):
                            if isinstance(found, BaseException):
                                raise contained(found, crm)
                            for child in found:
                                if child.ref not in selection:
                                    selection.add(child.ref)
                                    below.setdefault(child.ref.kind, []).append(child.ref)
            if not below:
                break
            level = below
    if missing := [kind for kind in kinds if kind not in reached]:
        raise SettingsError(
            f"no relation leads from what is selected to {', '.join(missing)}.",
            detail="See what hangs on a kind: crm-bridge explain VENDOR KIND OPERATION",
            code="kind",
        )
