"""What a run left of a step is told from its journal in one walk, and little of it is held."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.engine.leftover import leftover, open_still
from crm_bridge.engine.planfile import outcome_row
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Outcome, Verdict, done, failed, skipped, unknown

IDS = [f"{n}" for n in range(6)]
PAGES = [IDS[:3], IDS[3:]]
COMING = (
    lambda ref: done(ref),
    lambda ref: unknown(ref, "lost"),
    lambda ref: skipped(ref, "not_sent", "it stopped"),
    lambda ref: skipped(ref, "changed", "it moved"),
    lambda ref: failed(ref, "refused", "no"),
)

sends = st.tuples(st.just("intent"), st.sets(st.sampled_from(IDS), min_size=1), st.integers(0, 2))
answers = st.tuples(
    st.just("outcome"),
    st.dictionaries(
        st.sampled_from(IDS), st.sampled_from(["applied", "refused", "not_sent", "unknown"])
    ),
    st.sampled_from(["row", "pending"]),
)
verdicts = st.tuples(
    st.just("verdict"), st.integers(0, 1), st.lists(st.sampled_from(COMING), min_size=3, max_size=3)
)


def written(event: tuple[str, Any, Any]) -> Entry:
    """An event as the entry that a run writes."""
    stage, what, more = event
    if stage == "intent":
        return Entry("intent", "r", "a", "o", "K", 0, body={"ids": sorted(what), "phase": more})
    if stage == "outcome":
        rows: list[Any] = [[id_, word, more] for id_, word in what.items()]
        return Entry("outcome", "r", "a", "o", "K", 0, body={"rows": rows})
    rows = [
        outcome_row(make(RecordRef("a", "K", id_)))
        for make, id_ in zip(more, PAGES[what], strict=True)
    ]
    return Entry("verdict", "r", "a", "o", "K", 0, what, body={"rows": rows})


@given(st.lists(st.one_of(sends, answers, verdicts), max_size=14))
def test_of_what_is_open_all_is_known_and_of_the_rest_only_its_count(
    events: list[tuple[str, Any, Any]],
) -> None:
    tried: dict[str, bool] = {}
    asked: dict[str, int] = {}
    told: set[str] = set()
    newest: dict[int, list[Outcome]] = {}
    for stage, what, more in events:
        if stage == "intent":
            tried.update(dict.fromkeys(what, False))
            asked.update(dict.fromkeys(what, more))
            told -= set(what)
        elif stage == "outcome":
            tried.update({id_: word in ("refused", "not_sent") for id_, word in what.items()})
            told |= {id_ for id_, word in what.items() if word == "applied" and more != "pending"}
        else:
            refs = [RecordRef("a", "K", id_) for id_ in PAGES[what]]
            newest[what] = [make(ref) for make, ref in zip(more, refs, strict=True)]
    with (
        tempfile.TemporaryDirectory() as name,
        Journal.open("sqlite:///j.db", folder=Path(name)) as journal,
    ):
        for event in events:
            journal.append(written(event))
        found = leftover(journal, "r", 0, "K")
    for page, ids in enumerate(PAGES):
        outcomes = newest.get(page)
        still = ids if outcomes is None else [o.ref.id for o in outcomes if open_still(o)]
        assert found.finished(page) is (outcomes is not None and not still)
        if outcomes is not None:
            counts = found.pages[page].counts
            assert {word: n for word, n in counts.items() if n} == {
                v.value: n for v in Verdict if (n := [o.verdict for o in outcomes].count(v))
            }
        for id_ in still:
            assert found.tried.get(id_) == tried.get(id_)
            assert found.asked.get(id_) == asked.get(id_)
            assert (id_ in found.told_done) is (id_ in told)


def test_what_is_done_is_not_held() -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        Journal.open("sqlite:///j.db", folder=Path(name)) as journal,
    ):
        journal.append(
            written(("intent", set(PAGES[0]), 0)),
            written(("outcome", dict.fromkeys(PAGES[0], "applied"), "row")),
            written(("verdict", 0, [COMING[0]] * 3)),
        )
        found = leftover(journal, "r", 0, "K")
    assert found.finished(0)
    assert (found.tried, found.asked, found.told_done) == ({}, {}, set())
