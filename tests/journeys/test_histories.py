"""A run's restore brings back that run's records, whatever people did meanwhile: a sample."""

from __future__ import annotations

import pytest

from tests.journeys import histories
from tests.journeys.street import VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_restore_revives_exactly_what_its_run_took(
    vendor: str, pytestconfig: pytest.Config
) -> None:
    count = 500 if pytestconfig.getoption("soak") else 5
    found = histories.run(vendor, count)
    assert found.wrong == []
    assert found.back >= count


def test_what_a_later_run_took_is_not_brought_back_by_an_earlier_one() -> None:
    result = histories.run("zoho", 1, seed=152)
    assert result.wrong == []
    assert result.back == 3


def test_a_child_that_a_later_run_took_with_another_parent_is_told_and_left_to_that_run() -> None:
    result = histories.run("salesforce", 1, seed=92)
    assert result.wrong == []
    assert (result.back, result.stated) == (3, 1)
