"""A saved plan is what was reviewed, byte for byte, or it is refused; and it is for one org, once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.errors import BridgeError, PlanBlocked
from crm_bridge.testing.world import World

WHY = {"reason": "left the market", "code": "left"}


def leads(world: World, count: int) -> list[str]:
    found = [e.id for e in world["mem"].records.values() if e.kind == "Lead" and e.state == "live"]
    return [f"mem:Lead/{one}" for one in found[:count]]


@pytest.fixture
def saved(world: World, bridge: Bridge, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    bridge.save_plan(bridge.plan("delete", leads(world, 3), **WHY), path)
    return path


def refused(bridge: Bridge, path: Path) -> bool:
    try:
        bridge.load_plan(path)
    except BridgeError as error:
        return error.exit_code in (2, 4)
    return False


def test_any_byte_that_was_changed_is_found(bridge: Bridge, saved: Path) -> None:
    whole = saved.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        for other in (whole[at] ^ 1, 0x20, 0x0A):
            if other != whole[at]:
                saved.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
                assert refused(bridge, saved), (at, whole[max(0, at - 20) : at + 20])
    saved.write_bytes(whole)
    assert not refused(bridge, saved)


def test_what_was_cut_off_added_or_swapped_is_found(
    bridge: Bridge, world: World, saved: Path, tmp_path: Path
) -> None:
    whole = saved.read_bytes()
    lines = whole.splitlines(keepends=True)
    other = tmp_path / "other.json"
    bridge.save_plan(bridge.plan("delete", leads(world, 2), **WHY), other)
    theirs = other.read_bytes().splitlines(keepends=True)
    for spoilt in (
        b"".join(lines[:-1]),
        whole + b"\n",
        whole + lines[1],
        b"".join([lines[0], *lines[2:]]),
        b"".join([theirs[0], *lines[1:]]),
        b"".join([*lines[:-1], theirs[-1]]),
        b"".join([lines[0], theirs[1], *lines[2:]]),
        b"\xef\xbb\xbf" + whole,
        b"",
    ):
        saved.write_bytes(spoilt)
        assert refused(bridge, saved), spoilt[:80]


def test_a_page_that_is_changed_after_the_seal_was_looked_at_is_found(
    bridge: Bridge, world: World, saved: Path
) -> None:
    plan = bridge.load_plan(saved)
    whole = saved.read_bytes()
    named, other = (ref.partition("/")[2] for ref in leads(world, 4)[2:])
    saved.write_bytes(whole.replace(named.encode(), other.encode()))
    assert saved.read_bytes() != whole
    with pytest.raises(PlanBlocked) as blocked:
        bridge.apply(plan)
    assert blocked.value.code == "stale"
    assert not any(line.write for line in world["mem"].log)


def test_a_plan_is_never_read_or_written_through_a_link_or_a_pipe(
    bridge: Bridge, world: World, saved: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "authorized_keys"
    victim.write_text("mine")
    (tmp_path / "link.json").symlink_to(victim)
    os.mkfifo(tmp_path / "pipe.json")
    plan = bridge.load_plan(saved)
    for name in ("link.json", "pipe.json"):
        with pytest.raises(BridgeError):
            bridge.save_plan(plan, tmp_path / name)
        assert refused(bridge, tmp_path / name)
    assert victim.read_text() == "mine"


def test_a_plan_is_for_its_owner_alone_even_where_the_mask_is_open(
    bridge: Bridge, world: World, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        bridge.save_plan(bridge.plan("delete", leads(world, 1), **WHY), tmp_path / "plan.json")
    finally:
        os.umask(before)
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "other",
    [{"marks": {"Lead": {"void": {"Status": "Lost"}}}}, {"protect": {"kinds": ["Lead"]}}],
    ids=["marks", "protect"],
)
def test_a_plan_whose_marks_or_protection_were_changed_since_is_refused(
    other: dict[str, Any],
    world: World,
    bridge: Bridge,
    open_bridge: Callable[..., Bridge],
    saved: Path,
) -> None:
    changed = open_bridge()
    changed.config.crms["mem"].update(other)  # type: ignore[attr-defined]
    with pytest.raises(PlanBlocked, match="marks and protection of mem was not there") as blocked:
        changed.apply(saved)
    assert blocked.value.code == "stale"
    assert not any(line.write for line in world["mem"].log)
    assert bridge.apply(saved).ok


def test_the_text_of_another_plan_confirms_nothing(
    open_bridge: Callable[..., Bridge], world: World
) -> None:
    bridge = open_bridge()
    some = leads(world, 3)
    bridge.apply(bridge.plan("delete", some, **WHY))
    three, two = bridge.plan("purge", some, **WHY), bridge.plan("purge", some[:2], **WHY)
    since = len(world["mem"].log)
    with pytest.raises(PlanBlocked) as blocked:
        bridge.apply(three, confirm=two.confirm)
    assert blocked.value.code == "not_confirmed"
    assert not any(line.write for line in world["mem"].log[since:])
