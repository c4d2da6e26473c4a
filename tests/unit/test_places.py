"""Places: how many calls are under way at one time, over all processes of a machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from crm_bridge.places import LONGEST, Places


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1


def places(folder: Path, calls: int, who: str = "me") -> tuple[Places, Clock]:
    clock = Clock()
    one = Places(who, clock=clock, sleep=clock.sleep, folder=folder)
    one.open(calls)
    return one, clock


def test_those_who_are_counted_together_share_the_places(tmp_path: Path) -> None:
    one, _ = places(tmp_path, 2)
    other, clock = places(tmp_path, 2)
    taken = [one.take(), other.take()]
    assert None not in taken
    assert one.take() is None
    one.give(taken[0])  # type: ignore[arg-type]
    assert other.take() is not None
    assert clock.slept == 0


def test_who_waits_too_long_goes_without_a_place(tmp_path: Path) -> None:
    one, _ = places(tmp_path, 1)
    other, clock = places(tmp_path, 1)
    assert one.take() == 0
    assert other.take() is None
    assert LONGEST <= clock.now < LONGEST + 1


def test_others_have_places_of_their_own(tmp_path: Path) -> None:
    one, _ = places(tmp_path, 1)
    other, _ = places(tmp_path, 1, who="somebody else")
    assert (one.take(), other.take()) == (0, 0)


def test_more_places_are_opened_and_none_is_taken_back(tmp_path: Path) -> None:
    one, _ = places(tmp_path, 1)
    one.open(3)
    one.open(2)
    assert sorted(one.take() or 0 for _ in range(3)) == [0, 1, 2]
    assert one.take() is None


def test_a_process_that_dies_leaves_its_places_to_others(tmp_path: Path) -> None:
    dying = (
        "import os, sys; from pathlib import Path; from crm_bridge.places import Places\n"
        "one = Places('me', folder=Path(sys.argv[1])); one.open(1); one.take(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", dying, str(tmp_path)], check=False)
    one, clock = places(tmp_path, 1)
    assert one.take() == 0
    assert clock.slept == 0


def test_nothing_of_who_it_is_is_written_down(tmp_path: Path) -> None:
    one, _ = places(tmp_path / "pace", 1, who="a secret")
    assert one.take() == 0
    (file,) = (tmp_path / "pace").iterdir()
    assert "secret" not in file.name
    assert (file.stat().st_mode & 0o777, file.stat().st_size) == (0o600, 0)


def test_a_folder_that_takes_no_file_keeps_no_call_from_being_made(tmp_path: Path) -> None:
    (tmp_path / "pace").write_text("")
    one, _ = places(tmp_path / "pace", 1)
    assert one.take() is None
    assert one.take() is None
