"""Acme CRM for crm_bridge."""

import json
from datetime import date, datetime

from crm_bridge.kit import (
    Account,
    Adapter,
    Busy,
    Capability,
    Operation,
    Profile,
    Rate,
    Record,
    RecordRef,
    RecoveryWindow,
    Rejected,
    Secret,
    Settings,
    State,
    StrangeAnswer,
    Support,
    Unauthorized,
    Undo,
    Unreachable,
    already,
    careful_session,
    check_host,
    date_of,
    done,
    failed,
    hookimpl,
    network_errors,
    strict_json,
)

PAGES = "https://acme.example/api"
READ_ON = date(2026, 11, 22)


class AcmeSettings(Settings):
    """What `[crms.NAME]` holds beside what every crm may hold."""

    base_url: str
    token: Secret


class Acme(Adapter):
    """One account of Acme."""

    settings = AcmeSettings
    profile = Profile(
        vendor="acme", title="Acme CRM", rates=(Rate(calls=10, seconds=1),), lanes=2,
        aliases={"company": "company", "contact": "contact", "lead": "lead", "deal": "deal"},
        id_grammar=r"(company|contact|lead|deal)-[0-9]{1,12}", hosts=("acme.example",),
        capabilities=(
            Capability(Operation.DELETE, Support.NATIVE, takes=(State.LIVE,), gives=State.DELETED,
                       batch=100, window=RecoveryWindow(Undo.SAME_ID, days=30),
                       source=f"{PAGES}#delete", checked=READ_ON),
            Capability(Operation.RESTORE, Support.NATIVE, takes=(State.DELETED,), gives=State.LIVE,
                       batch=100, source=f"{PAGES}#restore", checked=READ_ON),
            Capability(Operation.ARCHIVE, Support.NEVER, note="Acme keeps no archive"),
            Capability(Operation.VOID, Support.NOT_YET, note="marks need an update()"),
            Capability(Operation.PURGE, Support.NEVER, note="the bin empties itself after 30 days"),
        ),
    )  # fmt: skip

    @classmethod
    def connect(cls, crm, settings, gate):
        """Make the session; nothing is sent."""
        self = cls()
        self.crm, self._gate, self._token = crm, gate, settings.token
        self._url = check_host(
            settings.base_url,
            environment=settings.environment,
            hosts=cls.profile.hosts,
            settings_hosts=settings.settings_hosts,
        )
        self._environment = settings.environment
        self._session = careful_session(settings, hosts=cls.profile.hosts)
        return self

    def find(self, kind, where=(), state=State.LIVE, native=None, fields=()):
        """By pages of 100, in the order of ids."""
        if native is not None:
            raise Rejected("Acme has no query language.")
        wanted = [[c.field, c.op, c.value] for c in where]
        after = ""
        while True:
            answer = self._ask("/find", kind=kind, where=wanted, state=state, after=after)
            yield from map(self._record, answer["rows"])
            if not answer["more"]:
                return
            after = answer["rows"][-1]["id"]

    def read(self, batch):
        """Acme answers only for the records that it has or had."""
        answer = self._ask("/read", ids=[ref.id for ref in batch])
        found = {row["id"]: self._record(row) for row in answer["rows"]}
        for ref in batch:
            record = found.get(ref.id)
            yield record if record and record.ref == ref else Record(ref, State.GONE)

    def delete(self, batch):
        """Into the bin."""
        answer = self._post("/delete", ids=[ref.id for ref in batch])
        for ref, row in zip(batch, answer["rows"], strict=True):
            yield done(ref) if row["ok"] else failed(ref, row["code"], row["text"])

    def restore(self, batch):
        """Out of the bin."""
        answer = self._post("/restore", ids=[ref.id for ref in batch])
        for ref, row in zip(batch, answer["rows"], strict=True):
            if row["code"] == "not_deleted":
                yield already(ref)
            else:
                yield done(ref) if row["ok"] else failed(ref, row["code"], row["text"])

    def whoami(self):
        """Who the token is, and the server's clock."""
        me = self._ask("/me")
        return Account(me["org"], me["name"], self._environment, me["user"], self._now)

    # --- private ---------------------------------------------------------------------------------

    def _ask(self, path, **body):
        return self._gate.ask(lambda: self._send(path, body))

    def _post(self, path, ids):
        refs = [RecordRef(self.crm, id.partition("-")[0], id) for id in ids]
        return self._gate.tell(refs, lambda: self._send(path, {"ids": ids}))

    def _send(self, path, body):
        with network_errors("Acme"):
            answer = self._session.post(
                self._url + path,
                data=json.dumps(body, default=str),
                headers={"Authorization": f"Bearer {self._token.reveal()}"},
            )
        self._now = date_of(answer.headers)
        if answer.status_code == 429:
            raise Busy("Acme asks for a pause.", float(answer.headers.get("Retry-After", 1)))
        if answer.status_code in (401, 403):
            raise Unauthorized("Acme does not take the token.")
        if answer.status_code >= 500:
            raise Unreachable(f"Acme answered {answer.status_code}.", answered=True)
        try:
            told = strict_json(answer.content)
        except StrangeAnswer as error:
            raise Unreachable(f"Acme answered strangely: {error}.", strange=True) from None
        if answer.status_code != 200:
            raise Rejected(f"Acme refused: {told.get('text')}")
        return told

    def _record(self, row):
        ref = RecordRef(self.crm, row["kind"], row["id"])
        changed = datetime.fromisoformat(row["changed"])
        return Record(ref, State(row["state"]), row["fields"], (), changed, locked=row["locked"])


@hookimpl
def provide_adapters():
    """Give the adapter."""
    return [Acme]


@hookimpl
def provide_simulators():
    """Give the vendor on loopback, for tests and for `crm-bridge demo`."""
    from crm_bridge_acme_simulator import AcmeSimulator

    return [AcmeSimulator]
