"""How often cycles are looked for is put back, whoever ends first."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from crm_bridge.engine.collecting import RARELY, seldom_collecting


@pytest.fixture(autouse=True)
def own_setting() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_a_run_within_a_run_leaves_the_setting_to_the_outer_one() -> None:
    with seldom_collecting():
        with seldom_collecting():
            assert gc.get_threshold()[0] == RARELY
        assert gc.get_threshold()[0] == RARELY
    assert gc.get_threshold() == (700, 10, 10)


def test_it_is_put_back_after_trouble() -> None:
    with pytest.raises(ValueError, match="no"), seldom_collecting():
        raise ValueError("no")
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (RARELY * 2, 5, 5)])
def test_a_process_that_collects_more_seldom_is_left_alone(own: tuple[int, int, int]) -> None:
    gc.set_threshold(*own)
    with seldom_collecting():
        assert gc.get_threshold() == own
