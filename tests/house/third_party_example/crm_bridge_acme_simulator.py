"""Acme on loopback: real HTTP, real state, a clock one can turn."""

import secrets
from datetime import UTC, datetime, timedelta

from crm_bridge.simulator import Refused, Reply, Stored, VendorSimulator
from crm_bridge.simulator.seed import TEXT_SORTS, Awkward, companies, deals, people, sizes

KINDS = ("company", "contact", "lead", "deal")
FIELDS = {"name", "phone", "note", "employees"}
OPERATORS = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value in wanted,
    "contains": lambda value, wanted: wanted in (value or ""),
    "is empty": lambda value, wanted: value in (None, ""),
    "is not empty": lambda value, wanted: value not in (None, ""),
    "<": lambda value, wanted: value is not None and value < wanted,
    "<=": lambda value, wanted: value is not None and value <= wanted,
    ">": lambda value, wanted: value is not None and value > wanted,
    ">=": lambda value, wanted: value is not None and value >= wanted,
}


class AcmeSimulator(VendorSimulator):
    """POST /me, /find, /read, /delete, /restore."""

    vendor = crm = "acme"

    def open(self, account):
        account.keys |= {"token": secrets.token_hex(16), "org": secrets.token_hex(4)}

    def seed(self, account):
        size = sizes(account.records)
        seed = f"{account.seed}:{account.index}"
        for kind in KINDS:
            awkward = Awkward(size[kind], TEXT_SORTS)

            def make(kind=kind, awkward=awkward):
                made = {
                    "company": lambda: companies(seed, awkward),
                    "deal": lambda: deals(seed, awkward, 0),
                }.get(kind, lambda: people(seed, kind, awkward, 0))()
                for row, one in enumerate(made):
                    told = {"phone": getattr(one, "phone", ""), "note": one.note}
                    told["employees"] = getattr(one, "number", row)
                    id = f"{kind}-{account.index + 1}{row:06d}"
                    fields = {"name": one.name, **{k: v for k, v in told.items() if v != ""}}
                    yield Stored(kind, id, fields, changed_at=one.changed_ms / 1000)

            account.store.plant(kind, {"live": awkward.total}, make)

    def account_of(self, call):
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        return next((a for a in self.accounts if a.keys["token"] == token), None)

    def describe(self, call):
        call.write = call.path in ("/delete", "/restore")
        call.ids = (call.json or {}).get("ids", [])

    def handle(self, call):
        if call.account is None:
            return Reply.json({"text": "who are you?"}, 401)
        verb = getattr(self, f"_{call.path.strip('/')}", None)
        if call.method != "POST" or verb is None:
            return Reply.json({"text": f"no call {call.method} {call.path}"}, 404)
        try:
            return Reply.json(verb(call.account, call.json))
        except Refused as error:
            return Reply.json({"text": str(error)}, 400)

    def settings(self, account, url):
        token = account.keys["token"]
        return {"vendor": "acme", "environment": "simulator", "base_url": url, "token": token}

    def ui(self, account, act):
        for id in act.ids:
            record = self._stored(account, id)
            if record is None or act.act not in ("lock", "unlock", "edit"):
                raise Refused(f"nobody can {act.act} {id}")
            if act.act == "edit":
                account.store.change(record, act.fields)
            else:
                account.store.lock(record, act.act == "lock")
            yield record.ref

    def _me(self, account, body):
        return {"org": account.keys["org"], "name": account.crm, "user": "api"}

    def _find(self, account, body):
        if body["kind"] not in KINDS:
            raise Refused(f"no kind {body['kind']}")
        if any(f not in FIELDS or op not in OPERATORS for f, op, _ in body["where"]):
            raise Refused("no such field or operator")
        rows = [
            self._shown(account, record)
            for record in account.store.after(body["kind"], body["after"], body["state"])
            if all(OPERATORS[op](record.fields.get(f), v) for f, op, v in body["where"])
        ]
        return {"rows": rows[:100], "more": len(rows) > 100}

    def _read(self, account, body):
        found = [self._stored(account, id) for id in body["ids"]]
        return {"rows": [self._shown(account, record) for record in found if record]}

    def _delete(self, account, body):
        return {"rows": [self._move(account, id, "live", "deleted") for id in body["ids"]]}

    def _restore(self, account, body):
        return {"rows": [self._move(account, id, "deleted", "live") for id in body["ids"]]}

    def _move(self, account, id, old, new):
        record = self._stored(account, id)
        if record is None or record.state == "gone":
            return {"ok": False, "code": "not_found", "text": f"there is no {id}"}
        if record.locked:
            return {"ok": False, "code": "locked", "text": f"{id} is locked"}
        if record.state != old:
            return {"ok": False, "code": f"not_{old}", "text": f"{id} is {record.state}"}
        account.store.move(record, new)
        return {"ok": True, "code": "", "text": ""}

    def _stored(self, account, id):
        kind = id.partition("-")[0]
        record = account.store.get(kind, id) if kind in KINDS else None
        if record and record.state == "deleted":
            age = account.clock.epoch() - record.changed_at
            if age > timedelta(days=30).total_seconds():
                account.store.remove(record)
        return record

    def _shown(self, account, record):
        return {
            "kind": record.kind,
            "id": record.id,
            "state": record.state,
            "fields": record.fields,
            "locked": record.locked,
            "changed": datetime.fromtimestamp(record.changed_at, UTC).isoformat(),
        }
