"""Zoho CRM for crm_bridge: what we call.

zcrmsdk has the account, deletes, and lists what was deleted (`sdk.py`); all else goes to v8 with
its token (`client.py`). What is true of the vendor stands in `profile.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Self

from crm_bridge.kit import (
    Account,
    Adapter,
    Batch,
    BridgeError,
    Capability,
    CascadeRule,
    Change,
    Condition,
    Finding,
    Gate,
    Job,
    Link,
    Operation,
    Outcome,
    Profile,
    Quota,
    Record,
    RecordRef,
    Rejected,
    State,
    Support,
    Unauthorized,
    Unreachable,
    is_loopback,
)
from crm_bridge_zoho.anew import Anew
from crm_bridge_zoho.bin import Bin
from crm_bridge_zoho.checks import Checks
from crm_bridge_zoho.client import FEWEST, TITLE, Answer, Client
from crm_bridge_zoho.describes import Describes
from crm_bridge_zoho.hanging import Hanging
from crm_bridge_zoho.locking import Locking
from crm_bridge_zoho.looking import Looking
from crm_bridge_zoho.making import made
from crm_bridge_zoho.profile import LOCK, PROFILE
from crm_bridge_zoho.settings import ZohoSettings, addresses
from crm_bridge_zoho.verbs import Verbs

_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")

USERS: Final = {
    "free": 0, "standard": 250, "starter": 250, "professional": 500, "enterprise": 1000,
    "zohoone": 1000, "ultimate": 2000, "crmplus": 2000,
}  # fmt: skip
"""Credits a day that each user adds, by edition; 50,000 stand beside them, but 5,000 in all where
it is free (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html, read 2026-11-24)."""
CEILINGS: Final = {"standard": 100_000, "starter": 100_000, "professional": 3_000_000,
                   "enterprise": 5_000_000, "zohoone": 5_000_000}  # fmt: skip

AT_ONCE: Final = {"standard": 10, "starter": 10, "professional": 15, "enterprise": 20,
                  "zohoone": 20, "ultimate": 25, "crmplus": 25}  # fmt: skip
"""Calls that are served at one time, by edition
(https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html, read 2026-11-24)."""

HEAVY: Final = 10
"""Calls at once that every paid edition allows, writes of more than ten records among them."""


class ZohoAdapter(Adapter):
    """One account of Zoho CRM."""

    settings = ZohoSettings
    profile = PROFILE

    def __init__(self, crm: str, settings: ZohoSettings, gate: Gate) -> None:
        self.crm = crm
        self._settings = settings
        self._urls = addresses(settings)
        self._client = Client(crm, settings, self._urls, gate)
        self._describes = Describes(self._client)
        self._bin = Bin(self._client, self._describes)
        self._looking = Looking(self._client, self._describes, self._bin)
        self._hanging = Hanging(self._client, self._describes, self._looking)
        self._anew = Anew(self._client, self._describes, self._looking)
        self._verbs = Verbs(self._client, self._describes, self._looking)
        self._checks = Checks(self._client, self._describes, self._looking, PROFILE)
        self._domain = self._edition = self._role = ""
        self._since: datetime | None = None

    @classmethod
    def connect(cls, crm: str, settings: ZohoSettings, gate: Gate) -> Self:
        """Check the addresses; nothing is sent, and zcrmsdk is imported at the first call."""
        return cls(crm, settings, gate)

    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """By COQL where it can say the conditions, else by pages; `native` is criteria of COQL."""
        if state is State.DELETED and not where and native is None:
            return self._bin.find(kind)
        if state is not State.LIVE:
            raise Rejected(f"{TITLE} lists what is live, and the bin without conditions.")
        return self._looking.find(kind, where, native, fields)

    def read(self, batch: Batch) -> Iterator[Record]:
        """By lists of 100, with single reads where only those show a value, and the bin."""
        return self._looking.read(batch.kind, batch.ids)

    def delete(self, batch: Batch, job: Job | None = None) -> Iterable[Outcome]:
        """To the bin."""
        return self._verbs.delete(batch)

    def purge(self, batch: Batch) -> Iterable[Outcome]:
        """Out of the bin for good."""
        return self._verbs.purge(batch)

    def restore(self, batch: Batch, job: Job | None = None) -> Iterable[Outcome]:
        """Out of the bin; a scheduled one has no id at Zoho, so the ids are the handle."""
        handle = ",".join(batch.ids)
        if job is not None:
            job.save(handle)
        return self._verbs.restore(batch, handle)

    def poll(self, handle: str, batch: Batch) -> Iterable[Outcome]:
        """Whether the bin still holds them."""
        return self._verbs.poll(handle, batch)

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write fields of up to 100 records, or lock or unlock one; ends of linking rows as ties."""
        if not self._anew.writes(changes[0].ref.kind):
            ends = [(c.ref, name, str(id)) for c in changes for name, id in c.fields.items()]
            return self._anew.tied(changes[0].ref.kind, ends)
        return self._verbs.update(changes)

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Insert up to 100 records from their snapshots."""
        return self._anew.create(records)

    def twins(self, records: Sequence[Record]) -> Mapping[RecordRef, Sequence[RecordRef]]:
        """What was made since this account was asked who it is, with all the text of a snapshot.

        Nothing marks a second life, so that `twin` cannot be told; one too many can.
        """
        if self._since is None:
            return {}
        found: dict[RecordRef, Sequence[RecordRef]] = {}
        for kind in {record.ref.kind for record in records}:
            where = [Condition("Created_Time", ">=", self._since)]
            new = list(self.find(kind, where))
            fields = self._describes.fields(kind)
            for record in (r for r in records if r.ref.kind == kind):
                given, _ = made(record, fields, frozenset())
                told = {n: v for n, v in given.items() if isinstance(v, str)}
                alike = [r.ref for r in new if all(r.fields.get(n) == v for n, v in told.items())]
                found[record.ref] = alike if told else []
        return found

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterable[Outcome]:
        """Point lookups where they led."""
        return self._anew.link(links)

    # --- the small questions -------------------------------------------------------------------

    def spell_kind(self, kind: str) -> str:
        """A module's API name; which of them there are only the account knows."""
        kind = super().spell_kind(kind)
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind[:80]!r} is not a name of a module of {TITLE}")
        return kind

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """This account's own relations, from its metadata."""
        return self._describes.rules(kind)

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """Whole, by COQL many parents a call; attachments under each parent where no query shows them."""
        return self._hanging.children(rule, batch.ids)

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """As many as there are."""
        return len(self._hanging.hung(rule, batch.ids))

    def read_cost(self, records: Sequence[Record]) -> int | None:
        """A list shows most; subforms, multi-select lookups and long rich text take calls alone."""
        return self._looking.cost(records[0].ref.kind, records) if records else 0

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Marks that cannot be written, modules without a bin, workflow rules."""
        return self._checks.before(operation, records)

    def total(self, kind: str) -> int | None:
        """As Zoho counts them; None where it does not."""
        try:
            return self._looking.total(kind)
        except Rejected:
            return None

    def hidden(self, kind: str) -> Sequence[str] | None:
        """Fields that the metadata tells are not shown to the profile of this user.

        None where the user's profile is not known. A field that the metadata leaves out as well is
        known to nobody.
        """
        if not self._role:
            return None
        fields = self._describes.fields(kind).values()
        return [field.name for field in fields if self._role in field.hidden_from]

    def page(self, ref: RecordRef, state: State | None) -> str | None:
        """The record's page; what is in the bin has none of its own."""
        if state in (State.DELETED, State.GONE) or not self._domain:
            return None
        return f"{self._urls.page}/crm/{self._domain}/tab/{ref.kind}/{ref.id}"

    def abilities(self) -> Profile:
        """Fewer rows where a marker or a scope is missing; lanes and locks as the account has them."""
        locked = self._asked_ahead()
        profile = PROFILE.limited(tuple(row for row in PROFILE.capabilities if self._can(row)))
        fitted = tuple(self._fitted(row) for row in profile.capabilities)
        profile = dataclasses.replace(profile, capabilities=fitted)
        if self._edition in USERS and self._edition != "free":
            profile = dataclasses.replace(profile, lanes=HEAVY)
        marks: dict[str, Any] = dict(profile.marks)
        for kind in locked:
            own = dict(marks["*"])
            own[Operation.ARCHIVE] = {**own[Operation.ARCHIVE], LOCK: True}
            marks[kind] = own
        return dataclasses.replace(profile, marks=marks)

    def prepare(self) -> Iterable[Finding]:
        """Make the marker field where it is missing."""
        return self._checks.make_marker()

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """Scopes and the marker field, by harmless reads."""
        return self._checks.examined()

    def renew(self) -> None:
        """Another access token, from this machine's store or from the vendor."""
        self._client.renew()

    def enter_lane(self) -> None:
        """A session of this thread's own."""
        self._client.enter_lane()

    def close(self) -> None:
        """Let connections go."""
        self._client.close()

    def whoami(self) -> Account:
        """The organisation, and the user that the token speaks for."""
        self._describes.again()
        asked: list[Callable[[], Any]] = [
            partial(self._client.ask, "/org", scope="org.READ"),
            partial(self._client.ask, "/users", {"type": "CurrentUser"}, scope="users.READ"),
            self._modules_ahead,
        ]
        told, of_user, _ = self._client.together(asked)
        org, user = _first(told, "org"), _first(of_user, "users")
        self._domain, self._since = str(org.get("domain_name") or ""), told.at
        if not org.get("id"):
            raise Unreachable(f"{TITLE} did not name the organisation.", answered=True)
        mine = user.get("profile")
        self._role = str(mine.get("id") or "") if isinstance(mine, dict) else ""
        return Account(
            str(org["id"]),
            str(org.get("company_name") or ""),
            self._environment(str(org.get("type") or "production")),
            str(user.get("email") or user.get("full_name") or user.get("id") or ""),
            told.at,
            self._quota(org),
        )

    # --- private -------------------------------------------------------------------------------

    def _modules_ahead(self) -> None:
        """The list of modules, which all that comes next needs; who needs it says why it is not there."""
        with contextlib.suppress(BridgeError):
            self._describes.modules()

    def _asked_ahead(self) -> list[str]:
        """What abilities are judged by, asked for at once; gives the kinds whose records can be locked."""
        kinds = list(PROFILE.aliases.values()) if self._settings.lock_archived else []
        locking = Locking(self._client)
        asked: list[Callable[[], bool]] = [
            partial(self._checks.markable, Operation.ARCHIVE),
            self._describes.bin_open,
        ]
        asked += [partial(locking.configured, kind) for kind in kinds]
        locked = self._client.together(asked)[2:]
        return [kind for kind, can in zip(kinds, locked, strict=True) if can]

    def _can(self, row: Capability) -> bool:
        """Whether this account can do what a row says."""
        if row.way == "mass":
            return bool(self._settings.mass_delete)
        if row.support is Support.MARKED:
            return self._checks.markable(row.operation)
        if State.DELETED in row.takes and row.support is Support.NATIVE:
            return self._describes.bin_open()
        return True

    def _fitted(self, row: Capability) -> Capability:
        """A row as the settings fit it: from how many records on a mass delete is taken."""
        above = self._settings.mass_delete
        if row.way != "mass" or isinstance(above, bool):
            return row
        return dataclasses.replace(row, at_least=above + 1)

    def _environment(self, told: str) -> str:
        if is_loopback(self._urls.api):
            return "simulator"
        # A developer's organisation holds no customers' records, as a sandbox.
        return "sandbox" if told in ("sandbox", "developer") else "production"

    def _quota(self, org: Any) -> Quota | None:
        """Credits of 24 hours; what is left is told once half are spent, and is half before."""
        licence = org.get("license_details")
        licence = licence if isinstance(licence, dict) else {}
        edition = re.sub(r"[^a-z]", "", str(licence.get("paid_type") or "").lower())
        self._edition = edition
        self._client.serve(AT_ONCE.get(edition, FEWEST))
        users = licence.get("users_license_purchased")
        if edition not in USERS or not isinstance(users, int):
            return None
        limit = 5_000 if edition == "free" else 50_000 + USERS[edition] * users
        limit = min(limit, CEILINGS.get(edition, limit))
        left = self._client.credits
        return Quota(limit, limit - limit // 2 if left is None else left)


def _first(answer: Answer, key: str) -> Any:
    rows = answer.rows(key)
    if not rows:
        raise Unauthorized(f"{TITLE} names no {key} for this token.")
    return rows[0]
