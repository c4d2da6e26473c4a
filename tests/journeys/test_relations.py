"""What a plan says of its reach is what happens: a sample of the random graphs of each vendor."""

from __future__ import annotations

import pytest

from crm_bridge.model.abilities import Effect
from tests.journeys import relations
from tests.journeys.street import VENDORS, street


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_follows_detaches_and_blocks_is_what_was_told(
    vendor: str, pytestconfig: pytest.Config
) -> None:
    count = 500 if pytestconfig.getoption("soak") else 5
    scores, wrong = relations.run(vendor, count)
    assert wrong == []
    assert sum(score.right + score.told for score in scores.values()) >= count
    assert all(score.precision == score.recall == 1.0 for score in scores.values())


@pytest.mark.parametrize("vendor", VENDORS)
def test_in_other_positions_every_difference_stood_there_as_a_may(
    vendor: str, pytestconfig: pytest.Config
) -> None:
    count = 500 if pytestconfig.getoption("soak") else 3
    _, wrong = relations.run(vendor, count, seed=1001, positions=True)
    assert wrong == []


def test_a_record_that_nobody_told_of_is_missed_and_one_that_stays_is_wrong() -> None:
    found = relations.Graph()
    found.said[Effect.FOLLOWS] = {("Contacts", "1"), ("Contacts", "2")}
    found.so[Effect.FOLLOWS] = {("Contacts", "2"), ("Contacts", "3")}
    scores = {effect: relations.Score() for effect in relations.SURE}
    found.scored(scores)
    assert (scores[Effect.FOLLOWS].precision, scores[Effect.FOLLOWS].recall) == (0.5, 0.5)
    assert found.wrong == [
        "follows: Contacts/1 did not", "follows: Contacts/3 was not told of",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "moved", [{"both_flags": "refuse"}, {"entry_in_use": "archive"}], ids=lambda m: next(iter(m))
)
def test_what_salesforce_leaves_open_stood_there_as_something_that_may_be(
    moved: dict[str, str],
) -> None:
    scores = {effect: relations.Score() for effect in relations.SURE}
    with street("salesforce") as one:
        for seed in (81, 700):
            found = relations.graph(one, "sf", "salesforce", seed, **moved)
            found.scored(scores)
            assert found.wrong == []
    assert any(score.right + score.told for score in scores.values())
