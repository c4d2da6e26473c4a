"""Where the bridge keeps what is its own: names that nobody chooses, folders for one owner, no links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.engine.lock import OrgLock
from crm_bridge.errors import PlanBlocked, SettingsError
from crm_bridge.guard import Guard
from crm_bridge.model.abilities import Rate
from crm_bridge.transport import TokenFile

NAMES = ("../../.ssh/authorized_keys", "/etc/passwd", "CON", "x" * 300, "a\0b", "\u202e", "")


@pytest.fixture
def open_mask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def take(folder: Path, org: str = "org", **more: Any) -> OrgLock:
    return OrgLock.take("v", org, run="r-1", journal="j", lease=60, folder=folder, **more)


@pytest.mark.usefixtures("open_mask")
def test_whatever_names_an_account_its_files_lie_under_the_given_folder(tmp_path: Path) -> None:
    root = tmp_path / "own" / "deep"
    for name in NAMES:
        lock = take(root / "locks", name)
        assert lock.path.parent == root / "locks"
        lock.release(finished=True)
        token = TokenFile("v", name, folder=root / "tokens")
        token.write({"access": "canary"})
        guard = Guard("v", [Rate(5, 1.0)])
        guard.share("v", name, root / "pace")
        guard.ask(lambda: None)
        guard.close()
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.parent for path in made} == {root}
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    folders = [tmp_path / "own", *(p for p in (tmp_path / "own").rglob("*") if p.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


@pytest.mark.parametrize("what", ["link", "dangling", "pipe", "folder"])
def test_a_lock_that_is_no_plain_file_is_refused_and_left_alone(what: str, tmp_path: Path) -> None:
    lock = take(tmp_path)
    lock.release(finished=True)
    lock.path.unlink()
    victim = tmp_path / "authorized_keys"
    victim.write_text("mine")
    made: dict[str, Callable[[], object]] = {
        "link": lambda: lock.path.symlink_to(victim),
        "dangling": lambda: lock.path.symlink_to(tmp_path / "nowhere"),
        "pipe": lambda: os.mkfifo(lock.path),
        "folder": lambda: lock.path.mkdir(),
    }
    made[what]()
    with pytest.raises(PlanBlocked) as refused:
        take(tmp_path)
    assert refused.value.code == "locked"
    assert victim.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{{{",
        "[]",
        '{"epoch": "x"}',
        '{"epoch": 1e400}',
        '{"pid": 1, "host": "o", "until": "z"}',
    ],
)
def test_a_lock_that_says_nothing_sensible_is_taken_anew(text: str, tmp_path: Path) -> None:
    lock = take(tmp_path)
    lock.release(finished=True)
    lock.path.write_text(text)
    again = take(tmp_path)
    assert again.epoch >= 1
    again.check()
    again.release(finished=True)


@pytest.mark.parametrize(
    "use",
    [lambda folder: take(folder), lambda folder: TokenFile("host", folder=folder)],
    ids=["locks", "tokens"],
)
def test_a_place_that_takes_no_folder_is_refused_in_words(
    use: Callable[[Path], Any], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("no folder")
    with pytest.raises(SettingsError) as told:
        use(tmp_path / "taken" / "x")
    assert told.value.exit_code == 2
    assert str(tmp_path / "taken") in told.value.summary
