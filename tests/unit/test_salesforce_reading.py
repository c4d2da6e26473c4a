"""Calls of several reads: answers keep to their calls, and lanes share what they all need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from crm_bridge.guard import Guard
from crm_bridge.kit import Batch, CascadeRule, Effect, RecordRef
from crm_bridge_salesforce.reading import Reader
from crm_bridge_salesforce.schema import Schema
from crm_bridge_salesforce.tally import Tally

QUERIES = ["SELECT COUNT() FROM Task", "SELECT COUNT() FROM Event"]


class Org:
    """Answers a call of several reads as it should, but for the first, which gets another's answer."""

    sf_version = "64.0"

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def restful(self, path: str, method: str, json: Any) -> Any:
        names = [one["referenceId"] for one in json["compositeRequest"]]
        self.asked.append(names)
        told = ["another"] * len(names) if len(self.asked) == 1 else names
        return {
            "compositeResponse": [
                {
                    "referenceId": f"{name}{n}" if name == "another" else name,
                    "httpStatusCode": 200,
                    "body": {
                        "totalSize": 7 if name == "another" else n,
                        "done": True,
                        "records": [],
                    },
                }
                for n, name in enumerate(told)
            ]
        }


class Straight:
    """A wire that calls its client, and nothing else."""

    def __init__(self, client: Org) -> None:
        self._client = client

    def call(self, call: Callable[[Any], Any]) -> Any:
        return call(self._client)


def test_the_answer_to_another_call_of_several_reads_is_never_taken_for_ones_own() -> None:
    org = Org()
    guard = Guard("sf", sleep=lambda seconds: None)
    reader = Reader("sf", Straight(org), guard, lambda: None, 15)  # type: ignore[arg-type]
    assert list(reader.counts(QUERIES)) == [0, 1]
    assert len(org.asked) == 2
    assert not set(org.asked[0]) & set(org.asked[1])


def test_lanes_that_wait_for_the_same_counts_make_a_part_of_them() -> None:
    rules = [
        CascadeRule("Lead", f"Child{n}__c", "Lead__c", Effect.FOLLOWS, source="here")
        for n in range(10)
    ]
    batch = Batch("sf", "Lead", None, (RecordRef("sf", "Lead", "00Q000000000001AAA"),))
    two, makers, lock = threading.Event(), set[int](), threading.Lock()
    made: list[int] = []

    def counts(queries: Sequence[str]) -> Sequence[int]:
        with lock:
            makers.add(threading.get_ident())
            made.append(len(queries))
            if len(makers) == 2:
                two.set()
        # The first part is done only once another lane has begun the second one.
        assert two.wait(30)
        return [3] * len(queries)

    reader = SimpleNamespace(schema=SimpleNamespace(rules=lambda kind: rules), counts=counts)
    tally = Tally(reader, clock=lambda: 0.0)  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as lanes:
        told = list(lanes.map(lambda rule: tally.of(batch, rule), rules))
    assert told == [3] * 10
    assert sum(made) == 10
    assert len(made) == 2


def test_a_kind_and_the_list_of_all_kinds_are_asked_for_at_once_and_each_once() -> None:
    both = threading.Barrier(2, timeout=30)
    asked: list[str] = []
    lead = {"name": "Lead", "childRelationships": [
        {"childSObject": "Task", "field": "WhoId", "cascadeDelete": True, "restrictedDelete": False}
    ]}  # fmt: skip
    listed = {"sobjects": [{"name": "Task", "queryable": True, "undeletable": True}]}

    def ask(path: str) -> Any:
        asked.append(path)
        # Each waits for the other: alone, neither would be answered.
        both.wait()
        return listed if path == "sobjects" else lead

    def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
        with ThreadPoolExecutor() as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    schema = Schema(ask, lambda paths: [], at_once)
    for _ in range(2):
        assert [(r.child, r.via, r.effect) for r in schema.rules("Lead")] == [
            ("Task", "WhoId", Effect.FOLLOWS)
        ]
    assert sorted(asked) == ["sobjects", "sobjects/Lead/describe"]
