"""All crash points: `python -m tests.safety [--vendor V] [--verb V] [--kind K] [--every N] [--lies]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.safety.answers import LIES
from tests.safety.ground import VERBS, Ground, Point, Scene, fresh, points, try_point
from tests.safety.wire import KINDS


def main() -> int:
    """Try every point; print what was violated, and the number of points."""
    parser = argparse.ArgumentParser(prog="python -m tests.safety")
    parser.add_argument("--soak", action="store_true", help="all of them (the default)")
    parser.add_argument("--vendor", action="append", choices=tuple(VERBS))
    parser.add_argument("--verb", action="append")
    parser.add_argument("--kind", action="append", choices=(*KINDS, *LIES))
    parser.add_argument("--lies", action="store_true", help="answers that lie, at every write")
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="only every Nth point")
    asked = parser.parse_args()
    tried = bad = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        for vendor in asked.vendor or VERBS:
            with Ground(vendor) as ground:
                for verb in [v for v in VERBS[vendor] if not asked.verb or v in asked.verb]:
                    scene = Scene(ground, verb)
                    scene.prepare()
                    mine = wrong = 0
                    every = points(scene, asked.kind or KINDS)
                    if asked.lies:
                        every = (p for p in points(scene, LIES) if scene.writes(p.at))
                    for n, point in enumerate(every):
                        if n % asked.every or (asked.at and point.at != asked.at):
                            continue
                        mine += 1
                        found = try_point(scene, point, fresh(Path(root), "point"))
                        wrong += bool(found)
                        if found:
                            line = scene.lines[point.at - 1]
                            print(
                                f"{vendor} {verb} {point} ({line}): {'; '.join(found)}", flush=True
                            )
                    mine, wrong = _deaths(scene, Path(root), asked, mine, wrong)
                    tried, bad = tried + mine, bad + wrong
                    print(
                        f"{vendor:12} {verb:8} {scene.requests:3} requests, {mine:4} points, "
                        f"{wrong} violated",
                        flush=True,
                    )
    print(f"{tried} points, {bad} violated, {time.monotonic() - began:.0f} s")
    return bool(bad)


def _deaths(
    scene: Scene, root: Path, asked: argparse.Namespace, tried: int, bad: int
) -> tuple[int, int]:
    """SIGKILL at every transaction of the journal: before it, in it, after it, before its head."""
    if asked.kind or asked.at or asked.lies:
        return tried, bad
    for when in ("before", "within", "after", "head"):
        n = 1
        while True:
            folder = fresh(root, "point")
            found = try_point(scene, Point("", 0), folder, die_at=(n, when))
            tried += 1
            if found:
                bad += 1
                print(
                    f"{scene.ground.vendor} {scene.verb} {when} write {n}: {'; '.join(found)}",
                    flush=True,
                )
            if not (folder / "died").exists():
                break
            n += asked.every
    return tried, bad


if __name__ == "__main__":
    sys.exit(main())
