"""What an account hides from its user: no snapshot holds it, so no delete may take it unasked.

A delete of such records needs a waiver that names their kind: `waive_hidden` of the crm's settings.
What may go along with them is held to the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.inspect import TAKEN_ALONG
from crm_bridge.errors import Rejected, Unauthorized
from crm_bridge.model.abilities import Operation, Support
from crm_bridge.model.plans import Finding, Severity, Step, Touch
from crm_bridge.model.records import RecordRef

TAKES: Final = (Operation.DELETE, Operation.PURGE)
"""What may lose what was not kept; a mark loses nothing."""

_LISTED: Final = 200
"""Records that a finding lists."""


def hidden_of(connected: Connected, kind: str) -> tuple[str, ...]:
    """What is known to be hidden of a kind; empty too where nobody can say.

    Raises:
        BridgeError: It could not be asked.
    """
    try:
        return tuple(dict.fromkeys(connected.adapter.hidden(kind) or ()))
    except (Rejected, Unauthorized) as error:
        if isinstance(error, Unauthorized) and error.renewable:
            raise
        # A kind that this user may not see at all is none that was read.
        return ()
    except Exception as error:
        raise contained(error, connected.crm) from error


def waived(connected: Connected, kind: str) -> bool:
    """Whether the settings name this kind among those that may go all the same."""
    return kind in {connected.adapter.spell_kind(one) for one in connected.settings.waive_hidden}


@dataclass(slots=True)
class Unseen:
    """What a plan takes of which fields are hidden.

    Attributes:
        fields: (crm, kind) to what is hidden.
        counts: (crm, kind) to the records that are taken; None where they were not counted.
        refs: (crm, kind) to those records, or the first of them.
        waived: Those that the settings let go.
    """

    fields: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    counts: dict[tuple[str, str], int | None] = field(default_factory=dict)
    refs: dict[tuple[str, str], list[RecordRef]] = field(default_factory=dict)
    waived: set[tuple[str, str]] = field(default_factory=set)

    def told(self) -> dict[str, dict[str, list[str]]]:
        """What was waived, for the plan: crm to kind to what is hidden."""
        found: dict[str, dict[str, list[str]]] = {}
        for crm, kind in sorted(self.waived):
            found.setdefault(crm, {})[kind] = list(self.fields[crm, kind])
        return found

    def _add(self, key: tuple[str, str], count: int | None, refs: Iterable[RecordRef]) -> None:
        before = self.counts.get(key, 0)
        self.counts[key] = None if before is None or count is None else before + count
        mine = self.refs.setdefault(key, [])
        for ref in refs:
            if len(mine) >= _LISTED:
                break
            mine.append(ref)


def unseen(
    steps: Sequence[Step], touches: Sequence[Touch], connected: Mapping[str, Connected]
) -> Unseen:
    """What these steps would take, and take along, without its being seen whole.

    Raises:
        BridgeError: An account could not be asked.
    """
    found = Unseen()
    taking = {
        step.crm
        for step in steps
        if step.capability.operation in TAKES and step.capability.support is Support.NATIVE
    }
    for number, step in enumerate(steps):
        last = not any(other.after == number for other in steps)
        if step.crm in taking and last and step.capability.operation in TAKES:
            found._add((step.crm, step.kind), len(step.targets), step.refs)
    for touch in touches:
        if touch.crm in taking and touch.rule.effect in TAKEN_ALONG and touch.count != 0:
            found._add((touch.crm, touch.rule.child), touch.count, touch.refs)
    for crm, kind in list(found.counts):
        if fields := hidden_of(connected[crm], kind):
            found.fields[crm, kind] = fields
            if waived(connected[crm], kind):
                found.waived.add((crm, kind))
    return found


def unseen_findings(found: Unseen) -> Iterator[Finding]:
    """One for each kind: it blocks, unless it was waived."""
    for (crm, kind), fields in found.fields.items():
        count, let = found.counts[crm, kind], (crm, kind) in found.waived
        many = "some" if count is None else str(count)
        asked = f'[crms.{crm}] waive_hidden = ["{kind}"]'
        yield Finding(
            Severity.WARNING if let else Severity.ERROR,
            "not_captured",
            f"{', '.join(fields)} of {many} {kind} in {crm} are hidden from this user, so no "
            "snapshot holds them" + (": waived in the settings." if let else "."),
            f"It goes all the same, as the settings say: {asked}."
            if let
            else "Give the user or token the right to see them, or waive them by name in the "
            f"settings: {asked}.",
            count,
            tuple(found.refs[crm, kind]),
        )


def incomplete(connected: Connected, kinds: Collection[str]) -> dict[str, list[str]]:
    """Kind to what of it no snapshot holds, for the manifest; kinds that are seen whole are left out.

    Raises:
        BridgeError: The account could not be asked.
    """
    told = {kind: list(hidden_of(connected, kind)) for kind in sorted(kinds)}
    return {kind: fields for kind, fields in told.items() if fields}
