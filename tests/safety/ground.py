"""Where a run is put to the test: a simulator, a bad network before it, and the command line.

A `Ground` serves one vendor's simulator, with the proxy before it. A `Scene` is one vendor and one
verb on it: what a clean run does there is remembered (every request, every record before and after)
and is what a faulted run is held against.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from crm_bridge.errors import JournalError
from crm_bridge.journal.store import Journal
from crm_bridge.registry import simulators
from crm_bridge.simulator import serving
from crm_bridge.simulator.settings import config_text
from tests.safety.nursery import Ended, Nursery
from tests.safety.wire import KILLS, NEVER, Wire

WHY = (
    "--reason",
    "left the market",
    "--code",
    "left",
    "--yes",
    "--limit-share",
    "1",
)
LEADS = {"salesforce": "Lead", "hubspot": "leads", "zoho": "Leads", "fxiaoke": "LeadsObj"}
PLAIN = {"salesforce": "Lead", "hubspot": "contacts", "zoho": "Leads", "fxiaoke": "LeadsObj"}
"""A kind of each vendor that nothing hangs on."""
VERBS = {
    "salesforce": ("void", "archive", "delete", "purge", "restore", "unmark", "remake"),
    "hubspot": ("void", "archive", "delete", "purge", "unmark", "remake"),
    "zoho": ("void", "archive", "delete", "purge", "restore", "unmark", "remake"),
    "fxiaoke": ("void", "delete", "restore", "remake"),
}
"""Verbs that send something; `unmark` is the way back of a void that was marked."""

JOURNAL = "sqlite:///crm_bridge.db"

Truth = dict[str, tuple[str, dict[str, Any]]]


class Ground:
    """One vendor's simulator, served, with a proxy before it.

    Args:
        vendor: The vendor.
        records: How many companies and leads it begins with.
        watch: The kind whose records are held against each other; all kinds where it is empty.
    """

    def __init__(self, vendor: str, records: int = 8, watch: str = "") -> None:
        self.vendor, self.records, self.watch = vendor, records, watch

    def __enter__(self) -> Ground:
        self._stack = ExitStack()
        (made,) = simulators((self.vendor,))
        self.simulator = made(seed=1, records=self.records, limits=False)
        self.origin = self._stack.enter_context(serving(self.simulator))
        host, _, port = self.origin.removeprefix("http://").partition(":")
        self.wire = self._stack.enter_context(Wire((host, int(port))))
        self.nursery = self._stack.enter_context(Nursery())
        self.crm = self.simulator.crm
        self.kind = PLAIN[self.vendor]
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def control(self, name: str, data: Any = None) -> Any:
        """Ask, or tell, the simulator behind the proxy."""
        body = None if data is None else json.dumps(data).encode()
        asked = Request(f"{self.origin}/__control__/{name}", body)
        with urlopen(asked) as answer:
            text = answer.read().decode()
        if name.partition("?")[0] in ("records", "log"):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def reset(self) -> None:
        """Begin anew, with the same records."""
        self.control("reset", {"seed": 1, "records": self.records})

    def truth(self) -> Truth:
        """Every record: its state, and its fields but those that the vendor sets."""
        return {
            f"{one['kind']}/{one['id']}": (
                one["state"],
                {k: v for k, v in one["fields"].items() if k not in one["vendor_set"]},
            )
            for one in self.control(f"records?kind={self.watch}" if self.watch else "records")
        }

    def log(self) -> list[dict[str, Any]]:
        """Every request that the simulator received."""
        found: list[dict[str, Any]] = self.control("log")
        return found

    def pick(self, count: int) -> list[str]:
        """Addresses of plain live records of the plain kind."""
        found = []
        for one in self.control(f"records?kind={self.kind}&state=live"):
            if not one["locked"] and not one["merged_into"] and not _awkward(one["fields"]):
                found.append(f"{self.crm}:{self.kind}/{one['id']}")
        return found[-count:]

    def settings(self, folder: Path, **bridge: str) -> Path:
        """Write settings that lead through the proxy: no pace, and a settle time of 0.2 s."""
        text = config_text([(self.simulator, self.wire.url)])
        # A simulator that holds thousands, on a machine that is busy, may take its time.
        slow = "60s" if self.watch else "5s"
        given = {"settle": "0.2s", "deadline": slow, **bridge}
        for name in given:
            text = re.sub(rf"(?m)^{name} = .*\n", "", text)
        lines = "".join(f'{name} = "{value}"\n' for name, value in given.items())
        path = folder / "crm_bridge.toml"
        path.write_text(text.replace("[bridge]\n", f"[bridge]\n{lines}", 1))
        path.chmod(0o600)
        return path

    def run(self, folder: Path, *words: str, **more: Any) -> Ended:
        """Run a command to its end; the proxy's kills are meant for it."""
        pid, stem = self.nursery.start(folder, "--json", *words, **more)
        self.wire.victim = pid
        return self.nursery.wait(folder, pid, stem)

    def confirm(self, count: int) -> Sequence[str]:
        """The text that a step without a way back asks for."""
        return ("--confirm", f"{self.crm} {count}")


def _awkward(fields: Mapping[str, Any]) -> bool:
    """Whether it is marked, locked, or waits for somebody."""
    return (
        any("bridge_status" in name.lower() for name in fields)
        or str(fields.get("lock_status", "0")) != "0"
        or str(fields.get("life_status", "normal")) != "normal"
        or ("life_status" in fields and not fields.get("owner"))  # in FxiaoKe's pool
    )


@dataclass
class Scene:
    """One verb on one vendor, and what a clean run of it does.

    Attributes:
        ground: The vendor.
        verb: One of `VERBS`.
        count: How many records.
        raised: Caps that are raised by name.
        writing: Which requests of the clean run were writes.
    """

    ground: Ground
    verb: str
    count: int = 3
    raised: tuple[str, ...] = ()
    targets: list[str] = field(default_factory=list)
    before: Truth = field(default_factory=dict)
    after: Truth = field(default_factory=dict)
    requests: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    writing: list[bool] = field(default_factory=list)

    def prepare(self) -> None:
        """Make a clean run, and remember it.

        Raises:
            AssertionError: Even a clean run does not do what it is asked.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words = self.set_the_stage(folder)
            self.before, since = self.ground.truth(), len(self.ground.log())
            self.ground.wire.begin()
            ended = self.ground.run(folder, *words)
            assert ended.code == 0, (self.ground.vendor, self.verb, ended)
            self.requests = len(self.ground.wire.passed)
            self.lines = [passed.line for passed in self.ground.wire.passed]
            self.writing = [line["write"] for line in self.ground.log()[-self.requests :]]
            self.after = self.ground.truth()
            self.effects = effects(self.ground.log(), since)

    def writes(self, at: int) -> bool:
        """Whether a request of the clean run, by its number from 1, was a write."""
        return self.writing[at - 1]

    def set_the_stage(self, folder: Path) -> list[str]:
        """Begin anew, do what comes before the verb, and give the words of the command."""
        ground, verb = self.ground, self.verb
        ground.wire.begin()
        ground.reset()
        ground.settings(folder)
        self.targets = ground.pick(self.count)
        fxiaoke = ground.vendor == "fxiaoke"
        confirm = ground.confirm(self.count)
        if verb in ("void", "archive"):
            return [verb, *self.targets, *WHY, *self.raised]
        if verb == "delete":
            return ["delete", *self.targets, *WHY, *self.raised, *(confirm if fxiaoke else ())]
        if verb == "purge":
            if ground.vendor != "hubspot":
                first = ground.run(folder, "delete", *self.targets, *WHY)
                assert first.code == 0, first
            return ["purge", *self.targets, *WHY, *confirm]
        taken = {"unmark": "void", "restore": "void" if fxiaoke else "delete"}.get(verb, "delete")
        again = confirm if taken == "delete" and fxiaoke else ()
        first = ground.run(folder, taken, *self.targets, *WHY, *again)
        assert first.code == 0, first
        if verb == "remake" and ground.vendor in ("salesforce", "zoho"):
            purged = ground.run(folder, "purge", *self.targets, *WHY, *confirm)
            assert purged.code == 0, purged
        run = first.of("receipt")[0]["run"]
        more = ["--remake"] if verb == "remake" else []
        return ["restore", run, *more, "--yes"]


def effects(log: Sequence[Mapping[str, Any]], since: int) -> Counter[str]:
    """How many requests that name a record changed it; what hangs on others changes with them."""
    return Counter(
        one
        for line in log[since:]
        if line["write"]
        for one in set(line["changed"])
        if one.partition("/")[2] in line["ids"]
    )


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that goes wrong at one moment of a scene."""

    kind: str
    at: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.at}"


def try_point(scene: Scene, point: Point, folder: Path, **more: Any) -> list[str]:
    """Run a scene with one thing going wrong, then resume once; gives what was violated.

    Args:
        scene: A scene that was prepared.
        point: What goes wrong; of kind `""` where `more` says so.
        folder: An empty folder.
        more: For the command's process, such as `die_at`.
    """
    ground = scene.ground
    words = scene.set_the_stage(folder)
    runs = set(runs_of(folder))
    before, since = ground.truth(), len(ground.log())
    ground.wire.begin(point.at, point.kind)
    first = ground.run(folder, *words, **more)
    ground.wire.calm()
    if more:
        point = Point("killed_before", 0)
    ground.wire.begin()
    made = [run for run in runs_of(folder) if run not in runs]
    if not made:
        if any(line["write"] and line["changed"] for line in ground.log()[since:]):
            return ["sent without a run in the journal"]
        last = ground.run(folder, *words)
    else:
        last = ground.run(folder, "resume", made[0], "--yes")
    return judge(scene, point, folder, before, since, last, first)


def judge(
    scene: Scene, point: Point, folder: Path, before: Truth, since: int, last: Ended, first: Ended
) -> list[str]:
    """Hold truth, wire and journal against each other."""
    wrong: list[str] = []
    ground = scene.ground
    told = {line["ref"]: line for line in last.of("outcome")}
    if set(told) != set(scene.targets):
        return [
            f"outcomes of {sorted(told)} (exit {last.code}: {last.err[-300:]} {last.out[-300:]}); "
            f"first: exit {first.code} {first.err[-300:]}"
        ]
    now = ground.truth()
    remade = 0
    for ref in scene.targets:
        one, line = ref.partition(":")[2], told[ref]
        done = line["verdict"] in ("done", "already")
        if line["verdict"] in ("unknown", "pending") and _cannot_be_told(scene):
            continue
        if line["verdict"] in ("unknown", "pending") or _not_sent(line):
            wrong.append(f"{one} is {line['verdict']} after a resume: {line['problem']}")
        if done and now[one] != scene.after[one]:
            wrong.append(f"{one} is told done, and is {now[one][0]}")
        if not done and now[one] != before[one]:
            wrong.append(f"{one} is told {line['verdict']} ({line['problem']}), and was changed")
        if not done and point.kind not in ("other_answer", "unwell_after"):
            wrong.append(f"{one} was left {line['verdict']} ({line['problem']})")
        remade += done
    others = {one for one in now if one not in before}
    if scene.verb == "remake":
        # What hung on them is made anew as well, as in the clean run.
        due = sum(one not in scene.before for one in scene.after)
        if len(others) > due + scene.count * (point.kind == "doubled"):
            wrong.append(f"{len(others)} records were made, and {due} are due")
        if len(others) > due and not first.code and not last.code:
            wrong.append(f"{len(others)} records were made, {due} are due, and nobody was told")
        if remade == scene.count and len(others) < due:
            wrong.append(f"{len(others)} records were made, and {due} are due")
    elif others:
        wrong.append(f"made out of nothing: {sorted(others)}")
    named = {ref.partition(":")[2] for ref in scene.targets}
    moved = {one for one in before if now[one] != before[one]} - named
    expected = {one for one in scene.after if one in before and scene.after[one] != before[one]}
    if moved - expected:
        wrong.append(f"others were changed: {sorted(moved - expected)}")
    wrong += _wire(scene, point, folder, since)
    return wrong


def runs_of(folder: Path) -> list[str]:
    """The runs that a folder's journal knows, newest first; none where there is no journal."""
    if not (folder / "crm_bridge.db").exists():
        return []
    with Journal.open(JOURNAL, folder=folder, reading=True) as journal:
        try:
            return [written.entry.run for written in journal.runs()]
        except JournalError:
            return []  # killed before there was a table in it


def _cannot_be_told(scene: Scene) -> bool:
    """Whether this vendor has nothing by which a record that was made can be found again."""
    from crm_bridge.adapter import Adapter
    from crm_bridge.registry import adapter_class

    blind = adapter_class(scene.ground.vendor).twin is Adapter.twin
    return scene.verb == "remake" and blind


def _not_sent(line: Mapping[str, Any]) -> bool:
    return bool(line["problem"] and line["problem"]["code"] == "not_sent")


def _wire(scene: Scene, point: Point, folder: Path, since: int) -> list[str]:
    ground, wrong = scene.ground, []
    log = ground.log()[since:]
    done = effects(log, 0)
    doubled = point.kind == "doubled"
    for ref in scene.targets:
        one = ref.partition(":")[2]
        if done[one] > scene.effects[one] and not doubled:
            wrong.append(f"{one} was changed {done[one]} times, not {scene.effects[one]}")
    with Journal.open(JOURNAL, folder=folder, reading=True) as journal:
        if not (checked := journal.check()).ok:
            wrong.append(f"the journal does not check: {checked}")
        events = list(journal.export())
    known = {line["run"] for line in events if line["ev"] == "plan"}
    mine = [line for line in events if line["run"] in known]
    kinds = {scene.ground.kind}
    wrong += order([line for line in mine if line["kind"] in kinds])
    last = max((line["n"] for line in events if line["ev"] == "plan"), default=0)
    mine = [line for line in mine if line["n"] >= last]
    sent = len({(line["at"], line["batch"]) for line in mine if line["ev"] == "send"})
    arrived = sum(line["write"] for line in log)
    # Not by their old ids: a record that is made anew is not named by it on the wire. At a death as
    # many lanes may be under way as there are records.
    died = scene.count if point.kind in KILLS else 0
    least = sent - died - (point.kind in NEVER)
    most = sent + died + (point.kind == "doubled")
    if scene.verb == "remake" and not least <= arrived <= most:
        wrong.append(f"{arrived} writes on the wire, {sent} sends in the journal")
    sends = Counter(line["id"] for line in mine if line["ev"] == "send")
    intents = Counter(line["id"] for line in mine if line["ev"] == "intent")
    asked = Counter(id_ for line in log if line["write"] for id_ in set(line["ids"]))
    for ref in scene.targets if scene.verb != "remake" else ():
        # A record that is made anew is not named by its old id on the wire.
        id_ = ref.partition("/")[2]
        wire, told = asked[id_], sends[id_]
        slack = point.kind in KILLS or doubled
        lost = point.kind in NEVER
        if wire > told + slack or told > wire + lost + (point.kind in KILLS):
            wrong.append(f"{id_}: {wire} requests on the wire, {told} sends in the journal")
        if wire > intents[id_] + doubled:
            wrong.append(f"{id_}: {wire} requests, {intents[id_]} intents")
    ids = {ref.partition("/")[2] for ref in scene.targets}
    if (strays := set(asked) - ids) and scene.verb != "remake":
        wrong.append(f"requests named {sorted(strays)}")
    return wrong


def order(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether each record's events stand in the order that a safe run writes them in."""
    wrong: list[str] = []
    by: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for line in events:
        if line["id"] is not None:
            by.setdefault((line["run"], line["kind"], line["id"]), []).append(line)
    for (run, _, id_), lines in by.items():
        if told := _out_of_order(lines):
            wrong.append(f"{run} {id_}: {told} in {' '.join(line['ev'] for line in lines)}")
    return wrong


def _out_of_order(lines: Sequence[Mapping[str, Any]]) -> str:
    kept = doubtful = False
    intents = sends = 0
    for line in lines:
        match line["ev"]:
            case "snapshot" | "restore":
                kept = True  # what was made anew is nobody's loss
            case "intent":
                if not kept:
                    return "an intent before a snapshot"
                if doubtful:
                    return "intended again without a look at what became of it"
                intents, doubtful = intents + 1, True
            case "send":
                sends += 1
                if sends > intents:
                    return "a send without an intent"
            case "outcome":
                doubtful = line["evidence"] == "unknown"
            case "read" | "readback":
                doubtful = False
            case "verified":
                if doubtful:
                    return "verified without a look at what became of it"
    return ""


def points(scene: Scene, kinds: Sequence[str]) -> Iterator[Point]:
    """Every request of the clean run, times everything that can go wrong with it."""
    for at in range(1, scene.requests + 1):
        for kind in kinds:
            yield Point(kind, at)


def fresh(root: Path, name: str) -> Path:
    """An empty folder."""
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
