"""The records a simulated portal begins with, both sides of every association."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from random import Random
from typing import Any, Final

from crm_bridge.simulator import Account, Link, Stored
from crm_bridge.simulator.lifecycle import iso
from crm_bridge.simulator.seed import (
    TEXT_SORTS,
    Awkward,
    activities,
    companies,
    deals,
    parent_row,
    people,
    sizes,
)
from crm_bridge_hubspot.kinds import MARKER, OBJECTS
from crm_bridge_hubspot.simulator_catalog import BY_PAIR, LIFECYCLE, PROJECTS, inverse_of
from crm_bridge_hubspot.simulator_life import bin_until
from crm_bridge_hubspot.simulator_lists import members_of
from crm_bridge_hubspot.simulator_values import owner_id

SORTS: Final = (*TEXT_SORTS, "voided", "binned", "merged")
"""The awkward sorts; `merged` ones are gone, and their ids answer as the next record."""

FIRST_ID: Final = 20_000_001
"""The first portal's first id; unique within a type only: a contact and a company share it."""

_OWNED: Final = ("contacts", "companies", "deals", "tickets", "leads")

_DEAL_STAGES: Final = (
    "appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost",
)  # fmt: skip


Label = str | None
_Drawn = tuple[str, str, int, Label]
"""A link before it has grown: its name, the kind and the row of the far end, its label."""


def counts_of(records: int) -> dict[str, int]:
    """How many of each kind `--records` means."""
    size = sizes(records)
    quarter = size["activity"] // 8
    return {
        "companies": size["company"],
        "contacts": size["contact"],
        "deals": size["deal"],
        "leads": size["lead"],
        "notes": size["activity"] - 4 * quarter,
        "calls": quarter,
        "tasks": quarter,
        "meetings": quarter,
        "emails": quarter,
        "tickets": max(records // 4, 12),
        "products": max(records // 5, 12),
        "line_items": size["deal"],
        "quotes": max(records // 5, 12),
        PROJECTS: max(records // 5, 12),
    }


class Seeds:
    """Plants a portal's records; every link is known from both ends before either has grown.

    Links are drawn once for the whole portal (child row to parent row), when the first record that
    has any is touched, and each kind takes its own side of them.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.seed = f"{account.seed}:{account.index}"
        self.counts = counts_of(account.records)
        self.awkward = {kind: Awkward(total, SORTS) for kind, total in self.counts.items()}
        self.began = account.clock.epoch()
        self._survivors: dict[str, dict[int, int]] = {}
        self._links: dict[str, dict[int, list[_Drawn]]] | None = None
        self._ids: list[str] = []
        self._alive: dict[str, bytearray] = {}
        self._rows: dict[str, list[Any]] = {}

    def id_of(self, row: int) -> str:
        """The id of a row of any kind; those of the second portal lie apart."""
        return str(FIRST_ID + 20_000_000 * self.account.index + row)

    def plant(self) -> None:
        """Promise every kind to the store."""
        store = self.account.store
        for kind, total in self.counts.items():
            awkward = self.awkward[kind]
            binned, merged = awkward.count("binned"), awkward.count("merged")
            states = {"live": total - binned - merged, "deleted": binned, "gone": merged}
            store.plant(kind, states, self._maker(kind))
            for row in awkward.rows("binned"):
                bin_until(self.account, kind, self.id_of(row), self._deleted(row))
        store.declare(*(one.name for one in OBJECTS))
        self._plant_lists()

    def _plant_lists(self) -> None:
        rows = [row for row in range(self.counts["contacts"]) if self._live("contacts", row)]
        for name, every in (("11", 5), ("12", 7)):
            members = {("contacts", self.id_of(row)): None for row in rows if row % every == 0}
            members_of(self.account)[name] = members

    def _deleted(self, row: int) -> float:
        # Within the last 60 days, so that there is a way back for another 30 at least.
        return self.began - 86_400 * (1 + row % 60)

    def _maker(self, kind: str) -> Callable[[], Iterable[Stored]]:
        return lambda: self._grown(kind)

    def rows(self, kind: str) -> list[Any]:
        """The invented rows behind a kind: `.sort`, `.created_ms`, `.changed_ms` and words."""
        if kind not in self._rows:
            self._rows[kind] = list(self._drawn(kind))
        return self._rows[kind]

    def _drawn(self, kind: str) -> Iterator[Any]:
        awkward, parents = self.awkward[kind], self.counts["companies"]
        if kind in ("companies", "products"):
            return companies(f"{self.seed}:{kind}", awkward)
        if kind == "contacts":
            return people(self.seed, "contact", awkward, parents)
        if kind == "leads":
            return people(self.seed, "lead", awkward, parents)
        if kind in ("deals", "quotes", "line_items", PROJECTS):
            return deals(f"{self.seed}:{kind}", awkward, parents)
        return activities(f"{self.seed}:{kind}", awkward, parents)

    def _grown(self, kind: str) -> Iterator[Stored]:
        build, survivors = _BUILDERS[kind], self._merged(kind)
        losers: dict[int, list[int]] = {}
        for one, by in survivors.items():
            losers.setdefault(by, []).append(one)
        links, ids_of = self._all_links()[kind], self._ids
        self.account.memory.setdefault("grown", set()).add(kind)
        awkward = self.awkward[kind]
        for row, made in enumerate(self.rows(kind)):
            sort = awkward.at(row)
            record = Stored(kind, self.id_of(row), changed_at=made.changed_ms / 1000)
            record.meta["created"] = made.created_ms / 1000
            if sort == "merged":
                record.state, record.merged_into = "gone", self.id_of(survivors[row])
                yield record
                continue
            record.fields = {k: v for k, v in build(made, row).items() if v not in ("", None)}
            if sort == "voided" and self.account.switches["marker_field"]:
                record.fields[MARKER] = "void"
            if row in losers:
                ids = ";".join(map(self.id_of, losers[row]))
                record.fields["hs_merged_object_ids"] = ids
                if kind == "contacts":
                    record.fields["hs_calculated_merged_vids"] = ids
            if kind in _OWNED and row % 4:
                # Now and then by one who left.
                record.fields["hubspot_owner_id"] = owner_id(2 if row % 40 == 7 else row % 2)
            if sort == "binned":
                record.state = "deleted"
                record.meta["deleted"] = self._deleted(row)
            else:
                record.links = [
                    Link(name, other, ids_of[at], label)
                    for name, other, at, label in links.get(row, ())
                ]
            yield record

    def _merged(self, kind: str) -> dict[int, int]:
        """Each merged row with the nearest live one, which took it in."""
        if kind not in self._survivors:
            total = self.counts[kind]
            self._survivors[kind] = {
                row: next(
                    near
                    for step in range(1, total)
                    for near in (row + step, row - step)
                    if self._live(kind, near)
                )
                for row in self.awkward[kind].rows("merged")
            }
        return self._survivors[kind]

    # -- links ------------------------------------------------------------------------------------

    def _live(self, kind: str, row: int) -> bool:
        return 0 <= row < self.counts[kind] and bool(self._liveness(kind)[row])

    def _liveness(self, kind: str) -> bytearray:
        if kind not in self._alive:
            alive = self._alive[kind] = bytearray(b"\x01") * self.counts[kind]
            for sort in ("binned", "merged"):
                for row in self.awkward[kind].rows(sort):
                    alive[row] = 0
        return self._alive[kind]

    def _all_links(self) -> dict[str, dict[int, list[_Drawn]]]:
        if self._links is None:
            self._links = {kind: {} for kind in self.counts}
            self._ids = [self.id_of(row) for row in range(max(self.counts.values()))]
            for kind in self.counts:
                self._draw_links(kind)
        return self._links

    def _tie(self, one: str, row: int, other: str, at: int, *ids: int) -> None:
        """Associate two rows, at both ends; ids are type ids, 0 the plain one of the two kinds."""
        links = self._links
        assert links is not None
        if not (self._live(one, row) and self._live(other, at)) or (one, row) == (other, at):
            return
        mine = links[one].setdefault(row, [])
        theirs = links[other].setdefault(at, [])
        for name, label, back, back_label in _types(one, other, ids):
            link = (name, other, at, label)
            if one == other and link in mine:
                continue
            mine.append(link)
            theirs.append((back, one, row, back_label))

    def _draw_links(self, kind: str) -> None:
        if kind in ("companies", "products"):
            return
        draw = Random(f"{self.seed}:{kind}:links")
        orphans = set(self.awkward[kind].rows("orphan"))
        for row in range(self.counts[kind]):
            company, roll = parent_row(draw, self.counts["companies"]), draw.random()
            contact = int(draw.random() * self.counts["contacts"])
            if row in orphans:
                continue
            match kind:
                case "contacts":
                    self._tie(kind, row, "companies", company, 279, 1)
                    if roll < 0.1:
                        label = 101 if roll < 0.05 else 103
                        self._tie(kind, row, "companies", (company + 1) % self.counts["companies"],
                                  279, label)  # fmt: skip
                    if roll > 0.95:
                        self._tie(kind, row, "contacts", contact, 449, 107)
                case "deals":
                    self._tie(kind, row, "companies", company, 341, 5)
                    self._tie(kind, row, "contacts", contact, 3, *([105] if roll < 0.3 else []))
                case "leads":
                    self._tie(kind, row, "contacts", contact, 578)
                case "tickets":
                    self._tie(kind, row, "companies", company, 339, 26)
                    self._tie(kind, row, "contacts", contact, 16)
                case "line_items":
                    self._tie(kind, row, "deals", row % self.counts["deals"], 20)
                case "quotes":
                    self._tie(kind, row, "deals", row % self.counts["deals"], 64)
                case _ if kind == PROJECTS:
                    self._tie(kind, row, "companies", company, 201)
                    self._tie(kind, row, "contacts", contact, 203, *([205] if roll < 0.5 else []))
                case _:
                    self._tie(kind, row, "companies", company, 0)
                    self._tie(kind, row, "contacts", contact, 0)
                    if roll < 0.2:
                        self._tie(kind, row, "deals", row % max(self.counts["deals"], 1), 0)


@cache
def _types(one: str, other: str, ids: tuple[int, ...]) -> tuple[tuple[str, Label, str, Label], ...]:
    """Names and labels of these types at both ends."""
    types = BY_PAIR[one, other]
    chosen = [next(iter(types.values()))] if ids == (0,) else (
        [type for type in types.values() if type.type_id in ids])  # fmt: skip
    ends = ((type, inverse_of(type)) for type in chosen)
    return tuple((type.name, type.label, back.name, back.label) for type, back in ends)


# -- the fields of each kind ----------------------------------------------------------------------


def _company(c: Any, row: int) -> dict[str, str]:
    return {
        "name": c.name, "domain": f"c{row:05d}.example", "phone": c.phone, "website": c.website,
        "industry": c.industry, "city": c.city, "address": c.street, "description": c.note,
        "numberofemployees": str(c.employees), "annualrevenue": c.revenue,
        "account_number": str(c.number), "lifecyclestage": LIFECYCLE[row % 6],
    }  # fmt: skip


def _contact(p: Any, row: int) -> dict[str, str]:
    return {
        "email": p.email, "firstname": p.given, "lastname": p.family, "phone": p.phone,
        "jobtitle": p.title, "company": p.company, "message": p.note,
        "account_number": str(p.number), "lifecyclestage": LIFECYCLE[row % 6],
        "hs_lead_status": ("NEW", "OPEN", "CONNECTED")[row % 3],
        "national_id": f"ID-{row:06d}" if row % 5 == 0 else "",
        "health_note": "allergic to nuts" if row % 50 == 0 else "",
        "hs_marketable_status": "true" if row % 4 == 0 else "false",
        "hs_additional_emails": f"alias{row:05d}@mail.example" if row % 20 == 0 else "",
    }  # fmt: skip


def _deal(d: Any, row: int) -> dict[str, str]:
    return {
        "dealname": d.name, "amount": d.amount, "pipeline": "default",
        "dealstage": _DEAL_STAGES[d.stage], "closedate": iso(d.close_ms / 1000),
        "description": d.note, "deal_currency_code": "USD",
    }  # fmt: skip


def _lead(p: Any, row: int) -> dict[str, str]:
    return {
        "hs_lead_name": p.name, "hs_lead_type": "UPSELL", "hs_lead_label": p.note,
        "hs_pipeline": "lead-pipeline-id", "hs_pipeline_stage": "new-stage-id",
        "lead_source": p.source, "phone": p.phone, "email": p.email, "company": p.company,
    }  # fmt: skip


def _ticket(a: Any, row: int) -> dict[str, str]:
    return {
        "subject": a.subject, "content": a.text, "hs_pipeline": "0",
        "hs_pipeline_stage": "4" if a.done else "1", "hs_ticket_priority": "MEDIUM",
        "hs_ticket_category": "BILLING_ISSUE" if row % 3 else "FEATURE_REQUEST",
    }  # fmt: skip


def _product(c: Any, row: int) -> dict[str, str]:
    return {"name": c.name, "description": c.note, "price": c.revenue, "hs_sku": f"SKU-{row:05d}"}


def _line_item(d: Any, row: int) -> dict[str, str]:
    return {"name": d.name, "quantity": str(row % 9 + 1), "price": d.amount,
            "hs_sku": f"SKU-{row % 50:05d}"}  # fmt: skip


def _quote(d: Any, row: int) -> dict[str, str]:
    return {"hs_title": d.name, "hs_expiration_date": iso(d.close_ms / 1000)[:10],
            "hs_status": "DRAFT", "hs_currency": "USD"}  # fmt: skip


def _note(a: Any, row: int) -> dict[str, str]:
    return {"hs_note_body": f"{a.subject}\n{a.text}", "hs_timestamp": iso(a.due_ms / 1000)}


def _call(a: Any, row: int) -> dict[str, str]:
    recording = f"https://recordings.example/{row}.mp3" if row % 3 == 0 else ""
    return {"hs_call_title": a.subject, "hs_call_body": a.text, "hs_call_duration": str(row * 1000),
            "hs_timestamp": iso(a.due_ms / 1000), "hs_call_recording_url": recording,
            "hs_call_status": "COMPLETED" if a.done else "NO_ANSWER"}  # fmt: skip


def _task(a: Any, row: int) -> dict[str, str]:
    return {"hs_task_subject": a.subject, "hs_task_body": a.text, "hs_task_priority": "LOW",
            "hs_task_status": "COMPLETED" if a.done else "NOT_STARTED",
            "hs_timestamp": iso(a.due_ms / 1000)}  # fmt: skip


def _meeting(a: Any, row: int) -> dict[str, str]:
    at = iso(a.due_ms / 1000)
    return {"hs_meeting_title": a.subject, "hs_meeting_body": a.text, "hs_timestamp": at,
            "hs_meeting_start_time": at, "hs_meeting_end_time": iso(a.due_ms / 1000 + 3600),
            "hs_meeting_outcome": "COMPLETED" if a.done else "SCHEDULED"}  # fmt: skip


def _email(a: Any, row: int) -> dict[str, str]:
    return {"hs_email_subject": a.subject, "hs_email_text": a.text,
            "hs_timestamp": iso(a.due_ms / 1000), "hs_email_direction": "EMAIL"}  # fmt: skip


def _project(d: Any, row: int) -> dict[str, str]:
    return {"project_name": d.name, "project_code": f"PRJ-{row:05d}", "budget": d.amount,
            "starts_on": iso(d.created_ms / 1000)[:10]}  # fmt: skip


_BUILDERS: Final[dict[str, Callable[[Any, int], dict[str, str]]]] = {
    "companies": _company, "contacts": _contact, "deals": _deal, "leads": _lead,
    "tickets": _ticket, "products": _product, "line_items": _line_item, "quotes": _quote,
    "notes": _note, "calls": _call, "tasks": _task, "meetings": _meeting, "emails": _email,
    PROJECTS: _project,
}  # fmt: skip
