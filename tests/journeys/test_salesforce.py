"""What a Salesforce org asks of a way there and back that no other vendor does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from crm_bridge.kit import Batch, RecordRef, Rejected, Verdict
from crm_bridge_salesforce import bulk
from crm_bridge_salesforce.profile import PROFILE
from tests.journeys.street import WHY, live, street

JOB = "750000000000001AAA"
REFS = tuple(RecordRef("sf", "Lead", f"00Q00000000000{n}AAA") for n in range(1, 4))


class Org:
    """The jobs' routes: one job, open, with or without its file."""

    def __init__(self, *, filled: bool) -> None:
        self.filled, self.state = filled, "Open"
        self.asked: list[str] = []

    def restful(self, path: str, method: str = "GET", **given: Any) -> Any:
        self.asked.append(f"{method} {path}")
        if method == "POST":
            self.filled = False
            return {"id": "750000000000002AAA"}
        if method == "PUT":
            if self.filled:
                raise Rejected("cannot upload twice")
            self.filled = True
        if method == "PATCH":
            assert self.filled
            self.state = given["json"]["state"]
        return {"state": self.state}


class Saved:
    """The journal's side of a job."""

    def __init__(self) -> None:
        self.handles: list[str] = []

    def save(self, handle: str) -> None:
        self.handles.append(handle)


def batch(refs: Sequence[RecordRef]) -> Batch:
    row = next(r for r in PROFILE.capabilities if r.operation.value == "delete" and r.job)
    return Batch("sf", "Lead", row, tuple(refs))


def picked_up(org: Org, refs: Sequence[RecordRef]) -> list[str]:
    """What is sent when these records are deleted after a dead run's job was found open."""

    def ask(call: Callable[[Any], Any]) -> Any:
        return call(org)

    def tell(_: Sequence[RecordRef], call: Callable[[Any], Any]) -> Any:
        return call(org)

    unstarted, saved = bulk.Unstarted(), Saved()
    found = list(
        bulk.outcomes(JOB, batch(REFS), ask, unstarted, lambda calls: [c() for c in calls])
    )
    assert {outcome.verdict for outcome in found} == {Verdict.FAILED}
    assert org.state == "Open"
    org.asked.clear()
    told = list(bulk.run(batch(refs), "delete", saved, tell, unstarted))
    assert {outcome.verdict for outcome in told} == {Verdict.PENDING}
    assert len(saved.handles) == 1
    assert org.state == "UploadComplete"
    return [line.replace("jobs/ingest", "jobs") for line in org.asked]


def test_a_job_that_was_filled_and_never_started_is_started_and_no_second_one_is_made() -> None:
    asked = picked_up(Org(filled=True), REFS)
    assert asked == [f"PUT jobs/{JOB}/batches", f"PATCH jobs/{JOB}"]


def test_a_job_that_was_made_and_never_filled_gets_its_file_and_is_started() -> None:
    asked = picked_up(Org(filled=False), REFS)
    assert asked == [f"PUT jobs/{JOB}/batches", f"PATCH jobs/{JOB}"]


def test_for_other_records_than_its_own_an_open_job_is_never_started() -> None:
    asked = picked_up(Org(filled=True), REFS[:2])
    assert asked[0] == "POST jobs"
    assert f"PATCH jobs/{JOB}" not in asked


def test_what_was_void_and_went_past_its_window_is_made_anew_void() -> None:
    with street("salesforce", records=60) as one:
        (crm,) = one.crms
        bridge = one.bridge()
        refs = [RecordRef(crm, "Lead", id_) for id_ in live(one.truth(crm), "Lead")][:2]
        assert bridge.apply(bridge.plan("void", refs[:1], **WHY)).counts[Verdict.DONE] == 1
        run = bridge.apply(bridge.plan("delete", refs, **WHY)).run
        one.grounds[crm].turn(crm, timedelta(days=16))
        later = one.bridge()
        back = later.apply(later.plan("restore", run, remake=True, **WHY))
        assert back.counts[Verdict.DONE] == 2
