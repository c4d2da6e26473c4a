"""What we call at HubSpot: one portal, through hubspot-api-client or by dated paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Self

from crm_bridge.kit import (
    Account,
    Adapter,
    Batch,
    CascadeRule,
    Change,
    Condition,
    Finding,
    Gate,
    Link,
    Operation,
    Outcome,
    Profile,
    Record,
    RecordRef,
    Rejected,
    Secret,
    Settings,
    SettingsError,
    State,
    check_host,
    date_of,
    done,
    failed,
    is_loopback,
    together,
)
from crm_bridge_hubspot import checks, setting_up
from crm_bridge_hubspot.finding import Finder
from crm_bridge_hubspot.kinds import ASSOCIATIONS, OBJECTS, PRIOR_ID, object_type
from crm_bridge_hubspot.login import Login
from crm_bridge_hubspot.portal import Portal
from crm_bridge_hubspot.profile import (
    BATCH,
    PATH_VERSIONS,
    PROFILE,
    READ,
    SEARCH,
    TIES_BATCH,
    measured,
    rule,
)
from crm_bridge_hubspot.reading import Reader, Told, parts
from crm_bridge_hubspot.schema import Schema, computed, rows
from crm_bridge_hubspot.troubles import judged
from crm_bridge_hubspot.wire import ROUTES, Answer, ClientDoor, Door, PlainDoor, Pool, Query
from crm_bridge_hubspot.writing import (
    LIFECYCLE,
    changes_body,
    ids_body,
    links_body,
    made,
    remake_of,
    remakes_body,
    tied,
    updated,
)


class HubspotSettings(Settings, kw_only=True, frozen=True):
    """The keys of `[crms.NAME]`.

    Attributes:
        access_token: A service key, or a private app's token.
        client_id: Of an OAuth app, instead of a token.
        client_secret: Its secret.
        refresh_token: What the OAuth app was given when somebody allowed it in.
        path_version: `v3`, or a dated path such as `2026-09`.
    """

    access_token: Secret | None = None
    client_id: str = ""
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    path_version: str = "v3"


class HubspotAdapter(Adapter):
    """One portal of HubSpot."""

    settings = HubspotSettings
    profile = PROFILE
    clients: ClassVar[tuple[str, ...]] = ("hubspot-api-client",)

    def __init__(self, crm: str, settings: HubspotSettings, gate: Gate, base: str) -> None:
        self.crm = crm
        self._settings, self._gate = settings, gate
        self._now = datetime.now(UTC)
        self._limits: dict[str, str] = {}
        self._login = Login(
            settings.access_token, settings.client_id, settings.client_secret,
            settings.refresh_token, base, self._fetch_token,
        )  # fmt: skip
        self._pool = Pool(settings)
        self._door: Door = (
            ClientDoor(base, self._pool, self._login.bearer, settings.deadline)
            if settings.path_version == "v3"
            else PlainDoor(base, settings.path_version, self._pool, self._login.bearer)
        )
        spread = partial(together, gate)
        self._schema = Schema(self._ask, spread)
        self._told = Told(lambda: self._now)
        self._reader = Reader(crm, self._ask, spread, self._schema, lambda: self._now, self._told)
        self._finder = Finder(self._ask, self._schema, self._reader)
        self._portal = Portal(self._ask, spread, self._login, is_loopback(base))

    @classmethod
    def connect(cls, crm: str, settings: HubspotSettings, gate: Gate) -> Self:
        """Check host, login and path version; make pool and client. Nothing is sent."""
        if settings.path_version not in PATH_VERSIONS:
            raise SettingsError(
                f"path_version {settings.path_version!r} is none of HubSpot's that are known here.",
                detail=f"Choose one of {', '.join(PATH_VERSIONS)}.",
            )
        base = check_host(
            settings.base_url or "https://api.hubapi.com",
            environment=settings.environment,
            hosts=cls.profile.hosts,
            settings_hosts=settings.settings_hosts,
        )
        return cls(crm, settings, gate, base)

    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """Stream by pages, in the order of ids; associations are left to `read`.

        `native` is the JSON body of a search (`filterGroups`, `query`). Whatever a search finds is
        read by id and judged here, since its index lags and compares loosely. `DELETED` lists the
        recycling bin, which no search ever shows.
        """
        if state not in (State.LIVE, State.DELETED):
            raise Rejected(f"HubSpot keeps no state {state}; ask by the marked property.")
        if native is not None and (where or state is not State.LIVE):
            raise Rejected("a query of HubSpot's own stands alone, and finds live records only.")
        return self._finder.records(kind, where, state is State.DELETED, native, fields)

    def read(self, batch: Batch) -> Iterator[Record]:
        """Read whole, with associations; the bin is looked into for what is not live."""
        return self._reader.records(batch.kind, batch.ids)

    def delete(self, batch: Batch) -> Iterable[Outcome]:
        """Into the recycling bin (HubSpot says archive); the 204 names nobody, proves nothing."""
        self._tell(batch, "archive", (batch.kind,), ids_body(batch.refs))
        return [done(ref) for ref in batch]

    def purge(self, batch: Batch) -> Iterable[Outcome]:
        """Erase one contact for good, by its record id: an unknown e-mail would be blocklisted."""
        (ref,) = batch.refs
        self._tell(batch, "erase", (), {"objectId": ref.id})
        return [done(ref)]

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write properties, each record its own.

        A lifecycle stage that would move back is emptied by this request and told to be sent again:
        HubSpot takes an earlier stage only from an empty one, and a request carries one of both.
        """
        kind = changes[0].ref.kind
        back = self._backward(kind, changes)
        sent = [Change(c.ref, {LIFECYCLE: None}) if c.ref.id in back else c for c in changes]
        told = self._tell([c.ref for c in changes], "update", (kind,), changes_body(sent))
        for outcome in updated(sent, told):
            if outcome.ref.id in back and outcome.verdict == "done":
                yield failed(
                    outcome.ref, "cleared",
                    f"{LIFECYCLE} moves forward only; it was emptied, to be set next.",
                    passing=True,
                )  # fmt: skip
            else:
                yield outcome

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Make anew, each with its old id in a unique property: a second remake is refused."""
        kind = records[0].ref.kind
        schema = self._schema.of(kind)
        if PRIOR_ID not in schema.properties:
            raise Rejected(
                f"{kind} have no property {PRIOR_ID}, without which a record could be made twice.",
                detail=f"Run: crm-bridge setup {self.crm}",
            )
        remakes = [remake_of(record, schema) for record in records]
        told = self._tell([r.ref for r in records], "create", (kind,), remakes_body(remakes))
        return list(made(remakes, told))

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterable[Outcome]:
        """Put associations back with their labels; one request for each pair of kinds."""
        groups: dict[tuple[str, str], list[tuple[RecordRef, Link]]] = {}
        for ref, link in links:
            groups.setdefault((ref.kind, link.other.kind), []).append((ref, link))
        for pair, some in groups.items():
            for start in range(0, len(some), TIES_BATCH):
                part = some[start : start + TIES_BATCH]
                refs = list(dict.fromkeys(ref for ref, _ in part))
                told = self._tell(refs, "tie", pair, links_body(part))
                yield from tied(part, told)

    def spell_kind(self, kind: str) -> str:
        """A kind by its plural, from alias, singular or type id; custom objects by `2-123`."""
        kind = super().spell_kind(kind)
        return object_type(self._schema.known_spelling(kind) or kind).name

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """What associations a delete takes away, with kinds and custom objects of this portal."""
        own = super().relations(kind)
        told = {(r.child, r.via) for r in own}
        others = [
            rule(kind, a.to_kind, f"HUBSPOT_DEFINED/{a.type_id}")
            for a in ASSOCIATIONS
            if a.from_kind == kind and not a.primary
        ]
        named = {r.child for r in (*own, *others)}
        rest = [
            rule(kind, other, checks.ANY_TYPE)
            for other in self._schema.kinds()
            if other not in named
        ]
        return (*own, *(r for r in others if (r.child, r.via) not in told), *rest)

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """Read whole what may go along: line items and quotes of a deal.

        What surely stays is told by its association with its parent, and by what measures it: a
        whole read of everything that merely loses an association would cost many times the delete.
        """
        found: dict[str, Link] = {}
        for id, link in self._hanging(batch, rule):
            back = Link(link.name, RecordRef(self.crm, batch.kind, id), link.label)
            found.setdefault(link.other.id, back)
        if rule.effect in checks.MAY_GO:
            for part in parts(sorted(found), READ):
                whole = self._reader.records(rule.child, part)
                yield from (record for record in whole if record.state is State.LIVE)
            return
        names = sorted(measured(rule.child))
        for part in parts(sorted(found), BATCH) if names else ():
            rows_of = self._reader.batch(rule.child, part, names).rows
            for id, row in rows_of.items():
                yield self._reader.record(rule.child, row, (found.pop(id),))
        for id, back in found.items():
            yield Record(RecordRef(self.crm, rule.child, id), State.LIVE, {}, (back,))

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """How many records are associated so."""
        return len({link.other.id for _, link in self._hanging(batch, rule)})

    def hidden(self, kind: str) -> Sequence[str] | None:
        """The sensitivity classes for which the token lacks the scope.

        Their properties are listed to nobody without it, so their names are not known, nor whether
        the portal has any.
        https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
        """
        return [f"{one} properties" for one in self._schema.of(kind).hidden]

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Merged records, rights and marks that lack, what no snapshot holds, what hinders a remake."""
        if not records:
            return
        kind = records[0].ref.kind
        yield from checks.merged(records)
        yield from checks.rights(operation, kind, self._portal.scopes())
        match operation:
            case Operation.VOID | Operation.ARCHIVE:
                yield from checks.marks(self._schema.of(kind), self._marks(kind, operation))
            case Operation.DELETE | Operation.PURGE:
                yield from checks.not_captured(self._schema, kind, records)
            case Operation.RESTORE:
                yield from checks.remakable(self._schema.of(kind))
                yield from checks.values_gone(self._schema.of(kind), records)
                yield from checks.values_taken(self._ask, self._schema.of(kind), records)
                yield from checks.owners_who_left(self._schema, records)
                if kind == "contacts":
                    yield from checks.emails_in_use(self._ask, records)

    def total(self, kind: str) -> int | None:
        """Live records, by a search that asks for none of them."""
        told = self._ask("search", (kind,), (), {"filterGroups": [], "properties": [], "limit": 1})
        total = told.get("total")
        return total if isinstance(total, int) else None

    def page(self, ref: RecordRef, state: State | None) -> str | None:
        """The record's page, or the recycling bin of its kind."""
        if state is State.GONE:
            return None
        me = self._portal.known() or self._portal.ask()
        type_id = object_type(ref.kind).type_id
        if state is State.DELETED:
            return f"https://{me.ui}/recycling-bin/{me.org}/restore/{type_id}"
        return f"https://{me.ui}/contacts/{me.org}/record/{type_id}/{ref.id}"

    def abilities(self) -> Profile:
        """Without what scopes or missing properties rule out; the portal's computed ones named."""
        scopes = self._portal.scopes()
        seen = self._schema.seen(one.name for one in OBJECTS)
        keep = tuple(
            row
            for row in self.profile.capabilities
            if checks.allowed(row, scopes) and checks.written(row, seen, self._marks)
        )
        names = tuple(dict.fromkeys((*self.profile.vendor_set, *computed(seen.values()))))
        return replace(self.profile.limited(keep), vendor_set=names)

    def twin(self, record: Record) -> RecordRef | None:
        """The live record that holds this one's id as its prior one."""
        kind, old = record.ref.kind, record.ref.id
        if PRIOR_ID not in self._schema.of(kind).properties:
            return None
        told = self._ask(
            "read", (kind,), [("archived", "false")],
            {"idProperty": PRIOR_ID, "inputs": [{"id": old}], "properties": [PRIOR_ID],
             "propertiesWithHistory": []},
        )  # fmt: skip
        for row in rows(told):
            if (row.get("properties") or {}).get(PRIOR_ID) == old:
                return RecordRef(self.crm, kind, str(row.get("id")))
        return None

    def prepare(self) -> Iterable[Finding]:
        """Make the group and the properties that marks and remakes write to."""
        return setting_up.prepare(self._ask, self._tell, self._schema)

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """Account, scopes, sensitivity classes, marker, path version and announced end dates."""
        account = self.whoami()
        me = self._portal.known() or self._portal.ask()
        yield setting_up.account_line(me.details, me.org, account.name)
        yield from setting_up.scope_lines(self._schema, self._portal.scopes())
        both = (Operation.VOID, Operation.ARCHIVE)
        used = {
            kind: {name for operation in both for name in self._marks(kind, operation)}
            for kind in self.profile.aliases.values()
        }
        yield setting_up.marker_line(self._schema, used)
        yield setting_up.version_line(
            self._settings.path_version, self._login.renewable, account.now
        )

    def renew(self) -> None:
        """Get another access token; only OAuth has one to give."""
        self._login.renew()

    def whoami(self) -> Account:
        """The portal by HubSpot's own word: its kind, its clock, its day's calls, its rates."""
        known = self._schema.forget()
        if self._login.renewable:
            me = self._portal.ask()
            self._schema.custom()
        else:
            # No lane waits for another login here, so what was known of kinds is asked again at once.
            asked: list[Callable[[], Any]] = [self._portal.ask, self._schema.custom]
            asked += [partial(self._schema.learn, kind) for kind in known]
            me = together(self._gate, asked)[0]
        return Account(
            me.org, me.name, me.environment, me.user, self._now,
            self._portal.quota(self._limits, self._now), self._portal.rates(self._limits),
        )  # fmt: skip

    def close(self) -> None:
        """Let connections go."""
        self._pool.close()

    # --- private ---------------------------------------------------------------------------------

    def _ask(
        self, name: str, kinds: Sequence[str] = (), query: Query = (), body: Any = None
    ) -> Any:
        self._login.ready()
        interface = SEARCH if name == "search" else ""
        call = partial(self._request, name, kinds, query, body)
        return self._gate.ask(call, interface=interface)

    def _tell(self, refs: Iterable[RecordRef], name: str, kinds: Sequence[str], body: Any) -> Any:
        self._login.ready()
        self._told.forget()
        return self._gate.tell(tuple(refs), partial(self._request, name, kinds, (), body))

    def _fetch_token(self, form: dict[str, str]) -> Any:
        return self._gate.ask(partial(self._request, "token", (), (), form))

    def _request(self, name: str, kinds: Sequence[str], query: Query, body: Any) -> Any:
        route = ROUTES[name]
        answer = self._door.send(name, kinds, query, body)
        self._note(answer)
        return judged(route, answer, renewable=self._login.renewable and not route.form)

    def _note(self, answer: Answer) -> None:
        """Remember the clock and the limits that an answer tells; searches tell no limits."""
        if "date" in answer.headers:
            self._now = date_of(answer.headers)
        told = {k: v for k, v in answer.headers.items() if k.startswith("x-hubspot-ratelimit")}
        if told:
            self._limits = told

    def _marks(self, kind: str, operation: Operation) -> Mapping[str, Any]:
        """The fields that mark a kind so: the settings' own, else the profile's."""
        for name, by in self._settings.marks.items():
            own = self.profile.aliases.get(name, name)
            if own == kind and by.get(operation.value):
                return by[operation.value]
        return self.profile.marks_for(kind, operation)

    def _backward(self, kind: str, changes: Sequence[Change]) -> set[str]:
        """The records whose lifecycle stage would have to move back from where it is now."""
        wanted = {c.ref.id: str(c.fields[LIFECYCLE]) for c in changes if c.fields.get(LIFECYCLE)}
        if not wanted:
            return set()
        known = self._schema.of(kind).properties.get(LIFECYCLE)
        order = (known.options if known else None) or ()
        found = self._reader.batch(kind, list(wanted), [LIFECYCLE]).rows
        return {
            id
            for id, row in found.items()
            if checks.moves_back(order, (row.get("properties") or {}).get(LIFECYCLE), wanted[id])
        }

    def _hanging(self, batch: Batch, rule: CascadeRule) -> Iterator[tuple[str, Link]]:
        """The associations of this rule, each with the id of its parent."""
        for id, link in self._reader.hanging(batch.kind, rule.child, batch.ids):
            if rule.via in (link.name, checks.ANY_TYPE):
                yield id, link
