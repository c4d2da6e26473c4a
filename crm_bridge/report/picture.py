"""Where things stand in the page's pictures: plain numbers, which the template draws as SVG."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from crm_bridge.model.plans import Loss, Plan, Sum, Touch

WIDTH: Final = 760
"""Units that a picture is wide; about one of print's points."""
ROW: Final = 22
INDENT: Final = 18
BAR_AT: Final = 420
"""Where bars begin."""
BAR: Final = 150
"""The longest bar."""
ALONG: Final = frozenset({"follows", "may_follow"})


@dataclass(frozen=True, slots=True)
class Twig:
    """A row of the tree.

    Attributes:
        x: Where its text begins.
        y: Its middle.
        kind: `root`, an effect, or `sum`.
        number: The touch's number, from 1; 0 for others.
        name: The kind of the records; for a sum what is summed.
        via: The relation, short enough to fit.
        count: Records; None where they were not counted.
        bar: The bar's length.
        comes_back: Whether what goes along comes back; None where nobody says.
        crm: The account, for a root.
        operation: What is done, for a root.
        amount: For a sum: how much, with every digit; None where records were only counted.
        currency: Its currency.
        up: Where the line to its parent begins.
    """

    x: int
    y: int
    kind: str
    name: str
    count: int | None
    bar: float
    number: int = 0
    via: str = ""
    comes_back: bool | None = None
    crm: str = ""
    operation: str = ""
    amount: Decimal | None = None
    currency: str = ""
    up: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of the tree, drawn as a picture of its own, so that paper can part there.

    Attributes:
        y: Where it begins.
        height: Units that it is high.
        twigs: Its rows.
        stems: The rows whose line to their parent passes through it.
    """

    y: int
    height: int
    twigs: list[Twig]
    stems: list[Twig]


@dataclass(slots=True)
class Tree:
    """The tree of what a plan touches.

    Attributes:
        twigs: Its rows, from the top.
        height: Units that it is high.
    """

    twigs: list[Twig] = field(default_factory=list)
    height: int = 0

    def slices(self, rows: int = 6) -> list[Slice]:
        """The tree in pieces of so many rows."""
        return [
            Slice(
                top,
                min(rows * ROW, self.height - top),
                [t for t in self.twigs if top <= t.y < top + rows * ROW],
                [t for t in self.twigs if t.up and t.up < top + rows * ROW and t.y >= top],
            )
            for top in range(0, self.height, rows * ROW)
        ]


def wide(text: str) -> int:
    """About how many narrow letters a text is wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def short(text: str, room: int) -> str:
    """A text that is at most so many narrow letters wide."""
    if wide(text) <= room:
        return text
    kept, size = "", 1
    for sign in text:
        size += wide(sign)
        if size > room:
            break
        kept += sign
    return kept + "…"


def tree_of(plan: Plan) -> Tree:
    """The tree: each kind of target, below it what hangs on it, below that what hangs on that."""
    counts = [len(step.targets) for step in plan.steps] + [t.count or 0 for t in plan.touches]
    scale = BAR / max([1, *counts])
    amounts: dict[str, Decimal] = {}
    for one in (*plan.sums, *(s for t in plan.touches for s in t.sums)):
        if one.amount is not None:
            amounts[one.currency] = max(amounts.get(one.currency, Decimal(0)), abs(one.amount))
    drawing = _Drawing(plan.touches, scale, amounts)
    roots = [step for step in plan.steps if step.after is None]
    for step in roots:
        # With several kinds nobody can say here to which of them a sum belongs.
        sums = plan.sums if len(roots) == 1 else ()
        drawing.root(step.crm, step.kind, plan.operation.value, len(step.targets), sums)
    drawing.rest()
    if len(roots) != 1:
        drawing.targets(plan.sums)
    return drawing.tree


class _Drawing:
    """Puts rows one below the other."""

    def __init__(self, touches: Sequence[Touch], scale: float, amounts: dict[str, Decimal]) -> None:
        self.tree = Tree()
        self._touches, self._scale, self._amounts = touches, scale, amounts
        self._told: set[int] = set()

    def _next(self) -> int:
        self.tree.height += ROW
        return self.tree.height - ROW // 2

    def root(self, crm: str, kind: str, operation: str, count: int, sums: Iterable[Sum]) -> None:
        """Targets of a kind, and what hangs on them."""
        y = self._next()
        self.tree.twigs.append(
            Twig(0, y, "root", kind, count, count * self._scale, crm=crm, operation=operation)
        )
        self._sums(sums, INDENT, y)
        for at in branches(self._touches, crm, kind, 0):
            self._touch(at, 1, y)

    def _touch(self, at: int, depth: int, above: int) -> None:
        if at in self._told:
            return
        self._told.add(at)
        touch = self._touches[at]
        rule, x, y = touch.rule, depth * INDENT, self._next()
        # The number, the kind and the effect stand before the relation.
        room = (BAR_AT - x) // 6 - wide(rule.child) - 20
        self.tree.twigs.append(
            Twig(
                x,
                y,
                rule.effect.value,
                short(rule.child, 30),
                touch.count,
                (touch.count or 0) * self._scale,
                at + 1,
                short(rule.via, max(4, room)),
                rule.comes_back,
                up=above,
            )
        )
        self._sums(touch.sums, x + INDENT, y)
        if rule.effect.value in ALONG:
            for other in branches(self._touches, touch.crm, rule.child, touch.depth):
                self._touch(other, depth + 1, y)

    def _sums(self, sums: Iterable[Sum], x: int, above: int) -> None:
        for one in sums:
            most = self._amounts.get(one.currency) or Decimal(1)
            bar = float(abs(one.amount or Decimal(0)) / most) * BAR
            self.tree.twigs.append(
                Twig(
                    x,
                    self._next(),
                    "sum",
                    short(one.name, 40),
                    one.count,
                    bar,
                    amount=one.amount,
                    currency=one.currency,
                    up=above,
                )
            )

    def rest(self) -> None:
        """What hangs on nothing that was drawn, such as what blocks a record that stays."""
        for at, touch in enumerate(self._touches):
            if at not in self._told:
                self._touch(at, 0 if touch.depth == 1 else 1, 0)

    def targets(self, sums: Iterable[Sum]) -> None:
        """What the targets themselves are worth."""
        self._sums(sums, 0, 0)


def branches(touches: Sequence[Touch], crm: str, kind: str, depth: int) -> list[int]:
    """Indexes of the touches that hang on records of a kind at a depth."""
    return [
        at
        for at, touch in enumerate(touches)
        if touch.crm == crm and touch.rule.kind == kind and touch.depth == depth + 1
    ]


@dataclass(frozen=True, slots=True)
class Window:
    """How long records of a kind can be undone.

    Attributes:
        crm: The account.
        kind: Their kind.
        count: How many.
        undo: The way back.
        days: For how long; None where no limit is known, or there is no way.
        until: The last day, as text; empty where there is none.
        guaranteed: Whether the vendor promises it.
        bar: Its length.
    """

    crm: str
    kind: str
    count: int
    undo: str
    days: int | None
    until: str
    guaranteed: bool
    bar: float


def windows_of(plan: Plan) -> list[Window]:
    """The windows of a plan's own records, as long as they are in proportion."""
    from datetime import timedelta

    most = max([1, *(loss.days or 0 for loss in plan.losses)])

    def one(loss: Loss) -> Window:
        until = ""
        if loss.days is not None:
            until = (plan.made_at + timedelta(days=loss.days)).strftime("%Y-%m-%d")
        length = BAR * (loss.days / most) if loss.days is not None else BAR
        return Window(
            loss.crm,
            loss.kind,
            loss.count,
            loss.undo,
            loss.days,
            until,
            loss.guaranteed,
            length if loss.undo in ("same_id", "by_hand") else 0,
        )

    return [one(loss) for loss in plan.losses if not loss.along]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, as a piece of a bar."""

    name: str
    count: int
    x: float
    width: float


def shares_of(counts: Iterable[tuple[str, int]], width: float = WIDTH) -> list[Share]:
    """The parts of a bar; what is there is seen, however small its part."""
    some = [(name, count) for name, count in counts if count]
    total = sum(count for _, count in some) or 1
    least = 4.0
    rest = width - least * len(some)
    found, x = [], 0.0
    for name, count in some:
        length = least + rest * count / total
        found.append(Share(name, count, x, length))
        x += length
    return found
