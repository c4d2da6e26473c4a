"""A loss statement as a person reads it: kinds with the same losses together, what goes along apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from crm_bridge.model.plans import Loss

SET: Final = "the vendor writes it itself"
"""The reason of those losses that are told as one."""

Differs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Together:
    """Kinds of one crm that come back in the same way.

    Attributes:
        losses: One for each kind, of the same way back.
        own: What the first of them differs in, in the window; of what goes along, what its parents
            do not differ in as well.
        later: The same after the window; None where nothing is left then.
    """

    losses: tuple[Loss, ...]
    own: Differs
    later: Differs | None

    @property
    def first(self) -> Loss:
        """What all of them have in common: crm, way back, days."""
        return self.losses[0]


def together(losses: Sequence[Loss]) -> tuple[list[Together], list[Together]]:
    """The losses of the targets, and of what goes along with them, each way back once.

    Of what goes along, a loss that the targets of the same crm have too is not told again.
    """
    targets = [
        Together(tuple(some), some[0].differs, some[0].later)
        for some in _alike((loss for loss in losses if not loss.along), whole=True)
    ]
    known = {
        (one.first.crm, name, why)
        for one in targets
        for name, why in (*one.own, *(one.later or ()))
    }
    along = []
    for some in _alike((loss for loss in losses if loss.along), whole=False):
        own = [_new(loss, loss.differs, known) for loss in some]
        later = [_new(loss, loss.later or (), known) for loss in some]
        along.append(
            Together(
                tuple(some),
                tuple(dict.fromkeys(one for each in own for one in each)),
                None
                if some[0].later is None
                else tuple(dict.fromkeys(one for each in later for one in each)),
            )
        )
    return targets, along


def _alike(losses: Iterable[Loss], *, whole: bool) -> list[list[Loss]]:
    found: dict[object, list[Loss]] = {}
    for loss in losses:
        key = (loss.crm, loss.undo, loss.days, loss.guaranteed, loss.later is None)
        found.setdefault((*key, loss.differs, loss.later) if whole else key, []).append(loss)
    return list(found.values())


def _new(loss: Loss, differs: Differs, known: set[tuple[str, str, str]]) -> Differs:
    """What is this kind's alone, with its name."""
    return tuple(
        (f"{loss.kind}: {name}", why)
        for name, why in differs
        if (loss.crm, name, why) not in known and why != SET and name != "id"
    )
