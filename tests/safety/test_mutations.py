"""A sample of the deliberate bugs is caught; all of them by `python -m tests.safety.mutations`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.safety.mutations import MUTATIONS, ROOT, Mutation, caught, copied

SAMPLE = ("skip the intent", "commit without a sync", "trust a 204")


@pytest.fixture(scope="module")
def copy() -> Path:
    with copied() as folder:
        yield folder


@pytest.mark.parametrize("name", SAMPLE)
def test_a_deliberate_bug_is_caught(name: str, copy: Path) -> None:
    (mutation,) = [m for m in MUTATIONS if m.name == name]
    assert caught(mutation, copy)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_each_bug_can_still_be_put_in(mutation: Mutation) -> None:
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    file, _, test = mutation.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()


def test_there_are_at_least_twenty() -> None:
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 20
