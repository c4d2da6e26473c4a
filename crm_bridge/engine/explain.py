"""What a vendor's table says of one operation on one kind, read without any account."""

from __future__ import annotations

from crm_bridge.errors import SettingsError
from crm_bridge.model.abilities import Capability, CascadeRule, Operation, Profile


def explained(
    profile: Profile, kind: str, operation: Operation
) -> tuple[tuple[Capability, ...], tuple[Capability, ...], tuple[CascadeRule, ...]]:
    """The rows, the ways back from where they lead, and what goes along.

    Args:
        profile: The vendor's table.
        kind: By the vendor's own name, or one of the four common words.
        operation: What is asked for.

    Raises:
        SettingsError: No row speaks of such a kind (code `kind`).
    """
    own = profile.aliases.get(kind, kind)
    rows = profile.rows(operation, own)
    if not rows:
        raise SettingsError(
            f"the table of {profile.title} says nothing of {operation.value} for a {kind!a}.",
            detail=f"See all of it: crm-bridge matrix {profile.vendor}",
            code="kind",
        )
    gives = {row.gives for row in rows if row.gives is not None}
    back = tuple(
        row
        for row in profile.rows(Operation.RESTORE, own)
        if operation is not Operation.RESTORE and gives & set(row.takes)
    )
    cascades = tuple(
        rule
        for rule in profile.cascades
        if rule.kind in (own, "*") and rule.operation in (None, operation)
    )
    return rows, back, cascades
