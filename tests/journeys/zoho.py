"""Zoho CRM at full size, over HTTP: `python -m tests.journeys.zoho [lanes] [house] [switches]`.

`lanes`: two organisations of one data centre, eight lanes, 20,000 calls, tokens that end in between;
then three processes on one account. `house`: 4,000 accounts with all that hangs on them, deleted and
brought back through scheduled restores, killed in the middle. `switches`: what Zoho does not document,
each position of it. Tells what it saw, and ends 1 where something did not hold.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

from crm_bridge.bridge import Bridge
from crm_bridge.kit import RecordRef, Unauthorized
from crm_bridge_zoho.tokens import MOST, SPAN
from tests.bench.stage import Stage, own, stage
from tests.journeys.zoho_lanes import client, read_toml

Truth = dict[tuple[str, str], dict[str, Any]]
LANES = 4
"""Lanes of each account."""
WHY: dict[str, Any] = {
    "reason": "left the market", "code": "left", "limit_records": None, "limit_share": None,
}  # fmt: skip
POSITIONS: tuple[dict[str, Any], ...] = (
    {"lookup_policy": "keep"},
    {"lookup_policy": "cascade"},
    {"lookup_return": False},
    {"activities": "follow"},
    {"linking_rows": "follow"},
    {"restore_brings": "all"},
    {"restore_touches": True},
    {"restore_at_once": 0},
)


def get(place: Stage, route: str, crm: str) -> list[dict[str, Any]]:
    """The lines of a control route."""
    answer = requests.get(f"{place.url}/__control__/{route}", params={"crm": crm}, timeout=600)
    return [json.loads(line) for line in answer.content.splitlines()]


def post(place: Stage, route: str, crm: str, body: dict[str, Any]) -> None:
    """Ask something of a control route."""
    url = f"{place.url}/__control__/{route}"
    requests.post(url, params={"crm": crm}, json=body, timeout=600).raise_for_status()


def truth(place: Stage, crm: str) -> Truth:
    """Every record of an account as it is stored."""
    return {(r["kind"], r["id"]): r for r in get(place, "records", crm)}


class Findings:
    """What was seen, and what did not hold."""

    def __init__(self) -> None:
        self.wrong = 0

    def tell(self, text: str) -> None:
        """Say a figure."""
        print(text, flush=True)

    def hold(self, sentence: str, holds: bool, seen: object = "") -> None:
        """Say whether a sentence holds."""
        self.wrong += not holds
        print(f"{'holds' if holds else 'WRONG'}  {sentence}  {seen}".rstrip(), flush=True)


# --- lanes -----------------------------------------------------------------------------------------


def most_in_span(log: Sequence[dict[str, Any]]) -> int:
    """The most tokens that were asked for within ten minutes of the vendor's clock."""
    from datetime import datetime

    moments = sorted(
        datetime.fromisoformat(e["at"]).timestamp() for e in log if e["path"] == "/oauth/v2/token"
    )
    return max((sum(1 for m in moments if 0 <= m - first < SPAN) for first in moments), default=0)


def lanes(found: Findings, folder: Path, calls: int) -> None:
    """Two accounts, eight lanes: each lane deletes, reads, queries and lists in turn."""
    each = calls // (2 * LANES)
    with stage("zoho", folder, records=2 * calls // 16 + 400, latency=0, limits=True) as place:
        crms = sorted(read_toml(place.config)["crms"])
        leads = {
            crm: [r["id"] for r in get(place, "records?kind=Leads&state=live", crm)
                  if not r["locked"]]
            for crm in crms
        }  # fmt: skip
        before = {crm: set(truth(place, crm)) for crm in crms}
        found.hold("the organisations share no id", not before[crms[0]] & before[crms[1]])
        clients = {crm: client(place.config, crm) for crm in crms}
        made: collections.Counter[str] = collections.Counter()
        asked: dict[str, set[str]] = {crm: set() for crm in crms}
        troubles: list[str] = []
        lock, start = threading.Lock(), threading.Barrier(2 * LANES)

        def again(crm: str, call: Any) -> Any:
            for _ in range(4):
                try:
                    with lock:
                        made[crm] += 1
                    return call()
                except Unauthorized as error:
                    if not error.renewable:
                        raise
                    clients[crm].renew()
            raise RuntimeError("no token held")

        def lane(crm: str, number: int) -> None:
            one = clients[crm]
            mine = iter(leads[crm][number::LANES])
            some = leads[crm][number::LANES][:50]
            try:
                one.enter_lane()
                start.wait(60)
                for turn in range(each):
                    if turn % 4 == 0:
                        ref = RecordRef(crm, "Leads", next(mine))
                        with lock:
                            asked[crm].add(ref.id)
                        rows = again(crm, lambda r=ref: one.delete([r], "Leads")).rows("data")
                        if [r["code"] for r in rows] != ["SUCCESS"]:
                            troubles.append(f"{crm} {ref.id} {rows}")
                    elif turn % 4 == 1:
                        again(crm, lambda t=turn: one.deleted("Leads", "recycle", t % 5 + 1))
                    elif turn % 4 == 2:
                        params = {"ids": ",".join(some), "fields": "Last_Name"}
                        got = again(crm, lambda p=params: one.ask("/Leads", p)).rows("data")
                        if not {r["id"] for r in got} <= set(some):
                            troubles.append(f"{crm} read what it did not ask for")
                    else:
                        query = f"select Last_Name from Leads where id in ('{some[-1]}') limit 1"
                        again(crm, lambda q=query: one.ask("/coql", query=q))
                    if number == 0 and turn % (each // 6) == each // 12:
                        post(place, "clock", crm, {"advance": "61m"})
            except Exception as error:
                troubles.append(f"{crm} lane {number}: {error!r}")

        began = time.monotonic()
        threads = [threading.Thread(target=lane, args=(c, n)) for c in crms for n in range(LANES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.tell(f"lanes: {sum(made.values()):,} calls in {time.monotonic() - began:.0f} s")
        found.hold("no lane had trouble", not troubles, troubles[:3])
        for crm in crms:
            log = get(place, "log", crm)
            ours = [e for e in log if e["path"].startswith("/crm/")]
            tokens = [e for e in log if e["path"] == "/oauth/v2/token"]
            strays = [e for e in ours if e["ids"] and not set(e["ids"]) <= set(leads[crm])]
            found.hold(f"{crm}: no request named a record of another organisation", not strays,
                       strays[:2])  # fmt: skip
            found.hold(f"{crm}: its log holds exactly its own calls", len(ours) == made[crm],
                       (len(ours), made[crm]))  # fmt: skip
            after = truth(place, crm)
            away = {id for kind, id in after if kind == "Leads" and id in asked[crm]
                    and after[kind, id]["state"] == "deleted"}  # fmt: skip
            changed = {c.partition("/")[2] for e in log for c in e["changed"]}
            found.hold(f"{crm}: what was deleted is what was asked for", away == asked[crm],
                       len(away))  # fmt: skip
            found.hold(f"{crm}: nothing of it was touched by the other's calls",
                       changed & set(leads[crm]) == asked[crm])  # fmt: skip
            dead = collections.Counter(e["status"] for e in ours if e["status"] != 200)
            found.tell(f"{crm}: tokens {len(tokens)}, other statuses {dict(dead)}")
            found.hold(f"{crm}: at most {MOST} tokens in ten minutes, none turned away",
                       most_in_span(log) <= MOST and {e["status"] for e in tokens} == {200},
                       most_in_span(log))  # fmt: skip
        processes(found, place, crms[0])


def processes(found: Findings, place: Stage, crm: str, turns: int = 400) -> None:
    """Three processes on one account, that share what is kept of tokens."""
    since = get(place, "log", crm)[-1]["n"]
    post(place, "clock", crm, {"advance": "61m"})
    words = [sys.executable, "-m", "tests.journeys.zoho_lanes", str(place.config), crm, str(turns)]
    runs = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ended = turns
    while any(run.poll() is None for run in runs):
        time.sleep(0.2)
        # Three times, by how much was called: a slow machine sees as many tokens end as a fast one.
        if len(get(place, f"log?since={since}", crm)) > ended and ended < 3 * turns:
            post(place, "clock", crm, {"advance": "61m"})
            ended += turns
    told = [json.loads(run.communicate()[0]) for run in runs]
    found.hold("three processes: each ended well", all(run.returncode == 0 for run in runs), told)
    log = get(place, f"log?since={since}", crm)
    tokens = [e for e in log if e["path"] == "/oauth/v2/token"]
    calls = sum(one["calls"] for one in told)
    found.hold("three processes: at most ten tokens in ten minutes, none turned away",
               most_in_span(log) <= MOST and {e["status"] for e in tokens} == {200},
               f"{len(tokens)} tokens, most in a span {most_in_span(log)}, {calls} calls")  # fmt: skip
    found.hold("three processes: some were held back by us", any(one["busy"] for one in told))


# --- the house -------------------------------------------------------------------------------------


def shape(record: dict[str, Any] | None) -> Any:
    """State, own values and links of a record; None where it is gone."""
    if record is None or record["state"] == "gone":
        return None
    values = {k: v for k, v in record["fields"].items() if k not in record["vendor_set"]}
    return record["state"], values, sorted(map(str, record["links"])), record["locked"]


def differing(before: Truth, after: Truth) -> set[tuple[str, str]]:
    """What is not as it was, or is new."""
    return {k for k in {*before, *after} if shape(before.get(k)) != shape(after.get(k))}


def plain(rows: Truth, kind: str, count: int) -> list[str]:
    """Ids of live records that nobody locked or marked."""
    ids = [
        id for (k, id), r in sorted(rows.items())
        if k == kind and r["state"] == "live" and not r["locked"]
        and "CRM_Bridge_Status" not in r["fields"]
    ]  # fmt: skip
    return ids[:count]


def more_notes(place: Stage, crm: str, ids: Sequence[str], each: int) -> int:
    """Hang so many notes on each account, as another program does by the API."""
    one = client(place.config, crm)
    rows = [
        {"Note_Title": f"{n}", "Note_Content": f"note {n} of {id}",
         "Parent_Id": {"module": {"api_name": "Accounts"}, "id": id}}
        for id in ids for n in range(each)
    ]  # fmt: skip
    for start in range(0, len(rows), 100):
        answer = one.tell((), "POST", "/Notes", None, {"data": rows[start : start + 100]})
        assert {row["code"] for row in answer.rows("data")} == {"SUCCESS"}
    return len(rows)


def along(plan: Any, *effects: str) -> set[tuple[str, str]]:
    """The records that a plan says go along so."""
    return {(r.kind, r.id) for t in plan.touches if t.rule.effect.value in effects for r in t.refs}


def command(place: Stage, folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command line, in a process of its own."""
    full = [sys.executable, "-m", "crm_bridge", "--config", str(place.config), "--json", *words]
    return subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=own(folder))  # fmt: skip


def receipt_of(text: str) -> dict[str, Any]:
    """The last line that is a receipt."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return next((one for one in reversed(lines) if one["type"] == "receipt"), {})


def house(found: Findings, folder: Path, accounts: int) -> None:
    """Delete, compare with what was told, restore, be killed twice, resume, compare again."""
    with stage("zoho", folder, records=accounts + accounts // 8, latency=0, limits=False) as place:
        crm = place.crm
        first = truth(place, crm)
        ids = plain(first, "Accounts", accounts)
        found.hold(f"{accounts} accounts to begin with", len(ids) == accounts)
        added = more_notes(place, crm, ids[: accounts // 10], 10)
        before = truth(place, crm)
        found.tell(f"house: {len(before):,} records, {added:,} of them notes of our own")
        with Bridge.open(place.config) as bridge:
            began, cpu, held = time.monotonic(), time.process_time(), peak_mb()
            plan = bridge.plan("delete", [f"{crm}:Accounts/{id}" for id in ids], **WHY)
            planned = time.monotonic() - began
            receipt = bridge.apply(plan)
            took, spent = time.monotonic() - began, time.process_time() - cpu
            found.tell(f"delete: plan {planned:.0f} s, all {took:.0f} s, CPU {spent:.0f} s, "
                       f"{receipt.calls} calls (told {plan.counts.calls}), peak {peak_mb():.0f} MB, "
                       f"of them {held:.0f} before it")  # fmt: skip
            done = {v.value: n for v, n in receipt.counts.items() if n}
            found.hold("all were deleted", done == {"done": accounts}, done)
            told = along(plan, "follows")
            named = along(plan, "may_follow", "detaches")
        after = truth(place, crm)
        went = {k for k in after if before[k]["state"] == "live" and after[k]["state"] != "live"}
        went -= {("Accounts", id) for id in ids}
        kinds = collections.Counter(kind for kind, _ in went)
        found.hold("the predicted follow set is the truth", went == told, dict(kinds))
        found.tell(f"may follow, and did not: {collections.Counter(k for k, _ in named)}")
        post(place, "switches", crm, {"scheduled_looks": 4})
        killed_and_resumed(found, place, folder, receipt.run, (2, max(3, accounts // 500)))
        back = truth(place, crm)
        unlike = differing(before, back)
        found.hold("the same ids, children and fields are back", not unlike,
                   [(k, shape(before.get(k)), shape(back.get(k))) for k in sorted(unlike)[:2]])  # fmt: skip


def peak_mb(pid: int | str = "self") -> float:
    """The most memory that a process ever had, as its kernel tells; 0 where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1024 for line in lines if line[:6] == "VmHWM:"), default=0.0)


def _watch(pid: int, most: list[float]) -> None:
    while (now := peak_mb(pid)) > 0:
        most[0] = max(most[0], now)
        time.sleep(0.1)


def killed_and_resumed(
    found: Findings, place: Stage, folder: Path, run: str, deaths: Sequence[int]
) -> None:
    """Restore a run, die once a restore is scheduled, die again in the resume, end by a third."""
    crm = place.crm
    since = get(place, "log", crm)[-1]["n"]
    began = time.monotonic()
    words = ["restore", run, "--yes", "--reason", "a mistake", "--code", "wrong"]
    for wanted in deaths:
        child = command(place, folder, *words)
        while child.poll() is None:
            time.sleep(0.05)
            log = get(place, f"log?since={since}", crm)
            if sum(e["path"].endswith("/actions/restore") for e in log) >= wanted:
                child.send_signal(signal.SIGKILL)
                break
        child.communicate()
        found.hold(f"killed after {wanted} restores were sent", child.returncode == -9,
                   child.returncode)  # fmt: skip
        if words[0] == "restore":
            listed = command(place, folder, "runs").communicate()[0]
            newest = json.loads(listed.splitlines()[0])
            words = ["resume", newest["run"], "--yes"]
    child = command(place, folder, *words)
    usage = [0.0]
    watch = threading.Thread(target=_watch, args=(child.pid, usage))
    watch.start()
    out, err = child.communicate()
    watch.join()
    log = get(place, f"log?since={since}", crm)
    sent = [e for e in log if e["path"].endswith("/actions/restore")]
    statuses = collections.Counter(e["status"] for e in sent)
    ended = receipt_of(out)
    told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    problems = [one for one in told if one["type"] == "outcome" and one["problem"]]
    found.hold("the resume ends well", child.returncode == 0,
               f"{child.returncode} {ended.get('counts')} {problems[:1]} {err[-500:]}")  # fmt: skip
    found.tell(f"restore: {time.monotonic() - began:.0f} s with two deaths, {len(log)} calls, "
               f"restores {dict(statuses)}, peak of the resume {usage[0]:.0f} MB")  # fmt: skip
    found.hold("over 1,000 records were scheduled at once", statuses[202] > 0)
    named = collections.Counter(id for e in sent for id in e["ids"])
    found.hold("no record was sent twice", max(named.values()) == 1, len(named))


def switches(found: Findings, folder: Path, accounts: int) -> None:
    """Each other position: what went beyond what was promised had been told as may follow."""
    for number, position in enumerate(POSITIONS):
        place_at = folder / str(number)
        with stage("zoho", place_at, records=accounts * 2, latency=0, limits=False) as place:
            crm = place.crm
            post(place, "switches", crm, position)
            before = truth(place, crm)
            ids = plain(before, "Accounts", accounts)
            word = " ".join(f"{k}={v}" for k, v in position.items())
            with Bridge.open(place.config) as bridge:
                plan = bridge.plan("delete", [f"{crm}:Accounts/{id}" for id in ids], **WHY)
                receipt = bridge.apply(plan)
                after = truth(place, crm)
                went = {k for k in after
                        if before[k]["state"] == "live" and after[k]["state"] != "live"}  # fmt: skip
                went -= {("Accounts", id) for id in ids}
                sure, maybe = along(plan, "follows"), along(plan, "may_follow", "detaches")
                found.hold(f"{word}: what was promised went, all else had been told",
                           sure <= went <= sure | maybe,
                           f"{len(went)} of {len(sure)} + {len(maybe)}; untold "
                           f"{collections.Counter(k for k, _ in went - sure - maybe)}")  # fmt: skip
                back = bridge.apply(bridge.plan("restore", receipt, reason="x", code="wrong"))
                done = {v.value: n for v, n in back.counts.items() if n}
            unlike = differing(before, truth(place, crm))
            found.hold(f"{word}: all come back, and what differs had been told",
                       done == {"done": accounts} and unlike <= maybe,
                       f"{done}, {len(unlike)} differ")  # fmt: skip


@contextmanager
def a_home(folder: Path) -> Iterator[None]:
    """Locks and tokens lie in the campaign's folder."""
    with patch.dict(os.environ, own(folder)):
        yield


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.zoho", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["lanes", "house", "switches", []])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--accounts", type=int, default=4_000)
    asked = parser.parse_args()
    found = Findings()
    random.seed(1)
    with tempfile.TemporaryDirectory(prefix="crm-bridge-zoho.") as name:
        folder = Path(name)
        with a_home(folder):
            if not asked.parts or "lanes" in asked.parts:
                lanes(found, folder / "lanes", asked.calls)
            if not asked.parts or "house" in asked.parts:
                house(found, folder / "house", asked.accounts)
            if not asked.parts or "switches" in asked.parts:
                switches(found, folder / "switches", max(10, asked.accounts // 20))
    print("all of it holds" if not found.wrong else f"{found.wrong} did not hold")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
