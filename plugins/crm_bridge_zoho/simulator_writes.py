"""Writing records: insert, update, upsert, delete, mass delete and update, tags.

Limits and rows follow https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html,
update-records.html, upsert-records.html, delete-records.html, mass-delete.html, mass-update-records
.html and add-tags.html beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_zoho.simulator_life import to_bin, unique_taken
from crm_bridge_zoho.simulator_metadata import view_id
from crm_bridge_zoho.simulator_modules import (
    FIELDS,
    INNER,
    MULTIPLES,
    WHOLE,
    Field,
    Module,
)
from crm_bridge_zoho.simulator_org import (
    LIVE,
    denied,
    fields_of,
    fire,
    new_id,
    person,
    stamped,
    timeline,
)
from crm_bridge_zoho.simulator_reads import module_asked
from crm_bridge_zoho.simulator_values import as_id, checked, tag
from crm_bridge_zoho.simulator_wire import (
    Asked,
    Deny,
    RowDeny,
    answered,
    epoch_of,
    reply,
    success,
)

DUPLICATE_FIELDS = {
    "Leads": "Email", "Accounts": "Account_Name", "Contacts": "Email", "Deals": "Deal_Name",
    "Campaigns": "Campaign_Name", "Cases": "Subject", "Products": "Product_Name",
    "Vendors": "Vendor_Name", "Quotes": "Subject", "Invoices": "Subject", "Sites": "Name",
}  # fmt: skip
_TRIGGERS = {"workflow", "approval", "blueprint", "pathfinder", "orchestration"}


def each(rows: Sequence[Any], do: Callable[[Any], dict[str, Any]], account: Account) -> list[Any]:
    """Do one thing for each row; a row that is refused leaves the others alone.

    A fault `fail_rows` refuses rows by their place, without an effect.
    """
    failing: dict[int, dict[str, Any]] = account.memory.pop("fail_rows", {})
    found = []
    for place, row in enumerate(rows):
        try:
            if place in failing:
                refused = failing[place]
                raise RowDeny(refused["code"], refused["message"], {"id": _named(row)})
            found.append(do(row))
        except RowDeny as no:
            found.append(no.row)
    return found


def _named(row: Any) -> Any:
    return row.get("id") if isinstance(row, dict) else row


def _silent(asked: Asked) -> bool:
    trigger = asked.body().get("trigger")
    if trigger is None:
        return False
    if not isinstance(trigger, list) or not set(trigger) <= _TRIGGERS:
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "trigger"})
    return "workflow" not in trigger


def done(account: Account, record: Stored, message: str, **more: Any) -> dict[str, Any]:
    """The row of a record that was written."""
    fields = record.fields
    by, last = person(account, fields.get("Created_By")), person(account, fields.get("Modified_By"))
    return success(
        message,
        {
            "Modified_Time": fields.get("Modified_Time"),
            "Modified_By": last and {"name": last["name"], "id": last["id"]},
            "Created_Time": fields.get("Created_Time"),
            "id": record.id,
            "Created_By": by and {"name": by["name"], "id": by["id"]},
            **more,
        },
    )


# -- insert, update, upsert -----------------------------------------------------------------------


def insert(asked: Asked) -> Reply:
    """POST /{module}, 100 at once."""
    module = writable(asked, "create")
    rows = asked.rows()
    asked.cost = -(-len(rows) // 10)
    silent = _silent(asked)
    answers = each(rows, lambda row: _insert(asked, module, row, silent), asked.account)
    # Version 2 answers 202 where no record was taken, in place of 400.
    return answered("data", answers, 201, 400 if asked.version >= 3 else 202)


def writable(asked: Asked, right: str) -> Module:
    """The module of the path, where records are written by themselves.

    Raises:
        Deny: It is none of those, or the user may not.
    """
    module = module_asked(asked, right)
    if module.api not in (*WHOLE, "Notes"):
        raise Deny("NOT_SUPPORTED", details={"resource_path_index": 0})
    return module


def _insert(asked: Asked, module: Module, row: dict[str, Any], silent: bool) -> dict[str, Any]:
    record = make(asked, module, row)
    fire(asked.account, record, "create", silent)
    more = {"$approval_state": "approved"} if asked.version >= 3 else {}
    return done(asked.account, record, "record added", **more)


def make(asked: Asked, module: Module, row: dict[str, Any]) -> Stored:
    """Make a record of what was sent.

    Raises:
        RowDeny: It cannot be made.
    """
    account = asked.account
    sent = dict(row)
    if module.api == "Notes" and isinstance(sent.get("Parent_Id"), str | int):
        sent["Parent_Id"] = {"id": sent["Parent_Id"]}
    values, inner = checked(account, module.api, sent, True)
    now = stamped(account, asked.user)
    fields = {name: value for name, value in values.items() if value is not None}
    fields.setdefault("Owner", asked.user)
    fields |= {**now, "Created_By": asked.user, "Created_Time": now["Modified_Time"]}
    if module.api == "Accounts":
        fields["Account_No"] = f"A9{account.memory.get('made', 0):06d}"
    if module.api == "Notes":
        del fields["Last_Activity_Time"]
    record = Stored(module.api, "", fields)
    if taken := unique_taken(account, record):
        raise RowDeny("DUPLICATE_DATA", "duplicate data", _duplicate(account, record, taken))
    record.id = new_id(account, module.api)
    account.store.add(record)
    timeline(account, record, "added", asked.user, "crm_api")
    try:
        write_inner(asked, record, inner)
    except RowDeny:
        account.store.remove(record)
        raise
    return record


def _duplicate(account: Account, record: Stored, field: str) -> dict[str, Any]:
    found = account.store.where(record.kind, field, record.fields[field], LIVE)
    details: dict[str, Any] = {"api_name": field}
    if found:
        details |= {
            "id": found[0].id,
            "duplicate_record": {
                "id": found[0].id,
                "module": {"api_name": record.kind},
            },
        }
    return details


def update(asked: Asked) -> Reply:
    """PUT /{module}, 100 at once; PUT /{module}/{id}."""
    module = writable(asked, "edit")
    rows = asked.rows()
    if len(asked.parts) == 2:
        rows = [{**rows[0], "id": asked.parts[1]}]
    asked.cost = -(-len(rows) // 10)
    silent = _silent(asked)
    answers = each(rows, lambda row: _update(asked, module, row, silent), asked.account)
    return answered("data", answers, 200, 400 if asked.version >= 3 else 202)


def hindrance(asked: Asked, record: Stored, right: str) -> None:
    """Refuse what a lock, an approval or a missing right keeps from being written.

    Raises:
        RowDeny: NO_PERMISSION, RECORD_LOCKED, NOT_APPROVED.
    """
    id = record.id
    if denied(asked.account, right, record.kind, id):
        raise RowDeny("NO_PERMISSION", "permission denied", {"id": id})
    if record.locked and right in locked_actions(asked.account, record.kind):
        text = "You cannot perform this operation as the record is locked."
        raise RowDeny("RECORD_LOCKED", text, {"action": "record_locking", "id": id})
    if record.meta.get("approval") == "pending":
        word = "delete" if right == "delete" else "update"
        text = f"cannot {word} record that is not approved yet"
        raise RowDeny("NOT_APPROVED", text, {} if right == "delete" else {"id": id})


def locked_actions(account: Account, module: str) -> frozenset[str]:
    """What a lock keeps from being done; update always, the rest as the administrator chose."""
    configured: dict[str, Any] = account.memory.get("lock_configs", {})
    chosen = configured.get(module, {}).get("restricted_actions", ("update", "delete", "tags"))
    return frozenset({"edit", *chosen})


def found(asked: Asked, module: Module, row: dict[str, Any]) -> Stored:
    """The live record that a row names.

    Raises:
        RowDeny: It names none.
    """
    if "id" not in row:
        raise RowDeny("MANDATORY_NOT_FOUND", "required field not found", {"api_name": "id"})
    id = as_id(row["id"])
    record = asked.account.store.get(module.api, id) if id else None
    if record is None or record.state != LIVE:
        details = {"id": str(row["id"]), "api_name": "id"}
        raise RowDeny("INVALID_DATA", "the id given seems to be invalid", details)
    return record


def _update(asked: Asked, module: Module, row: dict[str, Any], silent: bool) -> dict[str, Any]:
    record = found(asked, module, row)
    hindrance(asked, record, "edit")
    since = asked.call.headers.get("if-unmodified-since")
    if since and (epoch_of(since) or 0) < (epoch_of(record.fields["Modified_Time"]) or 0):
        raise Deny("ALREADY_MODIFIED", "the record is modified already", {}, 412)
    if record.meta.get("converted"):
        raise RowDeny("INVALID_DATA", "the id given seems to be invalid", {"id": record.id})
    write(asked, record, {name: value for name, value in row.items() if name != "id"})
    fire(asked.account, record, "update", silent)
    return done(asked.account, record, "record updated")


def write(asked: Asked, record: Stored, row: dict[str, Any]) -> None:
    """Write what was sent to a record.

    Raises:
        RowDeny: It cannot be written.
    """
    account = asked.account
    values, inner = checked(account, record.kind, row, False)
    trial = Stored(record.kind, record.id, {**record.fields, **values})
    if taken := unique_taken(account, trial):
        raise RowDeny("DUPLICATE_DATA", "duplicate data", _duplicate(account, trial, taken))
    write_inner(asked, record, inner)
    account.store.change(record, {**values, **_stamps(asked, record)})
    timeline(account, record, "updated", asked.user, "crm_api")


def _stamps(asked: Asked, record: Stored) -> dict[str, Any]:
    own = FIELDS[record.kind]
    return {k: v for k, v in stamped(asked.account, asked.user).items() if k in own}


def write_inner(asked: Asked, record: Stored, inner: dict[str, list[dict[str, Any]]]) -> None:
    """Write rows of subforms and ties: with an id one that is there, without one a new one.

    Raises:
        RowDeny: A row cannot be written; nothing of them was.
    """
    account = asked.account
    plans: list[tuple[Field, str, Stored | None, dict[str, Any]]] = []
    for field in (*INNER[record.kind], *MULTIPLES[record.kind]):
        back = field.back or "Parent_Id"
        for row in inner.get(field.api, ()):
            old = None
            if row.get("id") is not None:
                id = as_id(row["id"])
                old = account.store.get(field.inner, id) if id else None
                if old is None or old.state != LIVE or old.fields.get(back) != record.id:
                    details = {"api_name": field.api, "id": str(row["id"])}
                    raise RowDeny("INVALID_DATA", "the id given seems to be invalid", details)
            sent = {k: v for k, v in row.items() if k not in ("id", back)}
            values, _ = checked(account, field.inner, sent, False)
            plans.append((field, back, old, {"_delete": True} if "_delete" in row else values))
    for field, back, old, values in plans:
        if "_delete" in values:
            if old is not None:
                to_bin(account, old, asked.user, "crm_api", silent=True)
        elif old is not None:
            account.store.change(old, {**values, **_stamps(asked, old)})
        else:
            now = stamped(account, asked.user)["Modified_Time"]
            fields = {k: v for k, v in values.items() if v is not None}
            fields |= {back: record.id, "Created_Time": now, "Modified_Time": now}
            account.store.add(Stored(field.inner, new_id(account, field.inner), fields))


def upsert(asked: Asked) -> Reply:
    """POST /{module}/upsert, 100 at once."""
    module = writable(asked, "edit")
    rows = asked.rows()
    asked.cost = -(-len(rows) // 10)
    silent = _silent(asked)
    given = asked.body().get("duplicate_check_fields") or []
    own = fields_of(asked.account, module.api)
    names = [n for n in given if n in own] if isinstance(given, list) else []
    if module.api in DUPLICATE_FIELDS:
        names.append(DUPLICATE_FIELDS[module.api])
    names += [name for name, field in own.items() if field.unique]

    def do(row: dict[str, Any]) -> dict[str, Any]:
        for name in dict.fromkeys(names):
            value = row.get(name)
            if isinstance(value, str) and value:
                there = asked.account.store.where(module.api, name, value, LIVE)
                if there:
                    answer = _update(asked, module, {**row, "id": there[0].id}, silent)
                    return {**answer, "action": "update", "duplicate_field": name}
        answer = _insert(asked, module, row, silent)
        return {**answer, "action": "insert", "duplicate_field": None}

    answers = each(rows, do, asked.account)
    return answered("data", answers, 200, 400 if asked.version >= 3 else 202)


# -- delete ---------------------------------------------------------------------------------------


def delete(asked: Asked) -> Reply:
    """DELETE /{module}?ids=, 100 at once; DELETE /{module}/{id}."""
    module = module_asked(asked, "delete")
    if module.api not in (*WHOLE, "Notes", "Attachments"):
        raise Deny("NOT_SUPPORTED", details={"resource_path_index": 0})
    ids = asked.names("ids") if len(asked.parts) == 1 else [asked.parts[1]]
    if not ids:
        raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": "ids"})
    if len(ids) > 100:
        raise Deny("LIMIT_EXCEEDED", "the ids limit is exceeded", {"limit": 100})
    wanted = asked.query("wf_trigger")
    if wanted not in (None, "true", "false"):
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "wf_trigger"})
    honoured = asked.version < 8 or asked.account.switches["wf_trigger_on_v8"] == "honoured"
    silent = wanted == "false" and honoured
    message = "record deleted"
    rows = each(ids, lambda id: _delete(asked, module, id, silent, message), asked.account)
    if asked.account.switches["rows_order"] == "reversed":
        rows.reverse()
    good = 200
    if asked.version < 3 and any(row["status"] == "error" for row in rows):
        # What version 2 answers to a mixed delete is not documented.
        mixed = any(row["status"] == "success" for row in rows)
        if mixed and asked.account.switches["v2_mixed_status"] != 207:
            return reply({"data": rows}, 200)
    return answered("data", rows, good)


def _delete(
    asked: Asked, module: Module, id: str, silent: bool, message: str, source: str = "crm_api"
) -> dict[str, Any]:
    if as_id(id) is None:
        text = "either the request body or parameters is in wrong format"
        raise RowDeny("INVALID_DATA", text, {"id": id})
    record = asked.account.store.get(module.api, id)
    if record is None or record.state != LIVE:
        raise RowDeny("INVALID_DATA", "record not deleted", {"id": id})
    hindrance(asked, record, "delete")
    to_bin(asked.account, record, asked.user, source, silent)
    return success(message, {"id": id})


def mass_delete(asked: Asked) -> Reply:
    """POST /{module}/actions/mass_delete: 500 ids at once, or a job over a view."""
    module = writable(asked, "delete")
    body = asked.body()
    if "ids" in body:
        ids = body["ids"]
        if not isinstance(ids, list) or not ids:
            raise Deny("INVALID_DATA", "invalid data", {"api_name": "ids"}, key="data")
        if len(ids) > 500:
            raise Deny("LIMIT_EXCEEDED", "the ids limit is exceeded", {"limit": 500}, key="data")
        rows = each(
            [str(id) for id in ids],
            lambda id: _delete(
                asked, module, id, False, "record is deleted", "mass_delete_via_crm_api"
            ),
            asked.account,
        )
        return answered("data", rows)
    view = body.get("cvid")
    if view is None:
        details = {"api_name": "cvid", "expected_data_type": "bigint"}
        raise Deny("MANDATORY_NOT_FOUND", "required field not found", details)
    if str(view) != view_id(asked, module):
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "cvid"})
    jobs: dict[str, dict[str, Any]] = asked.account.memory.setdefault("jobs", {})
    if any(job["Status"] == "RUNNING" for job in jobs.values()):
        raise Deny("ALREADY_SCHEDULED", "a mass delete is scheduled already")
    live = [record.id for record in asked.account.store.of(module.api, LIVE)][:50_000]
    id = new_id(asked.account, "Emails")
    jobs[id] = {"ids": live, "Status": "RUNNING", "Deleted_Count": 0, "Failed_Count": 0}
    jobs[id] |= {"Total_Count": len(live), "module": module.api}
    return reply({"data": [success("mass delete scheduled successfully", {"job_id": id})]})


def mass_delete_status(asked: Asked) -> Reply:
    """GET /{module}/actions/mass_delete?job_id=; each look brings a job half-way to its end."""
    module = module_asked(asked)
    job = asked.account.memory.get("jobs", {}).get(asked.need("job_id"))
    if job is None or job["module"] != module.api:
        raise Deny("INVALID_DATA", "invalid data", {"param_name": "job_id"})
    if job["Status"] == "RUNNING":
        half = len(job["ids"]) if job.get("looked") else len(job["ids"]) // 2
        some, job["ids"] = job["ids"][:half], job["ids"][half:]
        job["looked"] = True
        for id in some:
            try:
                _delete(asked, module, id, False, "", "mass_delete_via_crm_api")
                job["Deleted_Count"] += 1
            except RowDeny:
                job["Failed_Count"] += 1
        if not job["ids"]:
            job["Status"] = "COMPLETED"
    names = ("Status", "Failed_Count", "Deleted_Count", "Total_Count")
    return reply({"data": [{name: job[name] for name in names}]})


def mass_update(asked: Asked) -> Reply:
    """POST /{module}/actions/mass_update: one field (three in Deals), 500 ids; triggers fire."""
    module = writable(asked, "edit")
    body = asked.body()
    data, ids = body.get("data"), body.get("ids")
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict):
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "data"})
    if not isinstance(ids, list) or not ids or len(ids) > 500:
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "ids", "limit": 500})
    own = fields_of(asked.account, module.api)
    types = {own[name].type for name in data[0] if name in own}
    if len(data[0]) > (3 if module.api == "Deals" else 1):
        raise Deny("LIMIT_EXCEEDED", "too many fields", {"api_name": "data"})
    if types & {"email", "lookup", "ownerlookup", "textarea"}:
        raise Deny("NOT_SUPPORTED", "the field cannot be mass updated", {"api_name": "data"})

    def do(id: Any) -> dict[str, Any]:
        record = found(asked, module, {"id": id})
        hindrance(asked, record, "edit")
        write(asked, record, data[0])
        fire(asked.account, record, "update", False)
        return success("record updated", {"id": record.id})

    return answered("data", each(ids, do, asked.account))


def add_tags(asked: Asked) -> Reply:
    """POST /{module}/actions/add_tags, 500 ids."""
    return _tagged(asked, True)


def remove_tags(asked: Asked) -> Reply:
    """POST /{module}/actions/remove_tags, 500 ids."""
    return _tagged(asked, False)


def _tagged(asked: Asked, add: bool) -> Reply:
    module = writable(asked, "edit")
    # Version 2 takes them from the query, later ones from the body.
    body = asked.body() if asked.call.body else {}
    names: list[Any] = [*asked.names("tag_names")]
    names += [one.get("name") for one in body.get("tags") or () if isinstance(one, dict)]
    ids = asked.names("ids") or body.get("ids") or []
    over = body.get("over_write", asked.query("over_write")) in (True, "true")
    if not names or not all(isinstance(name, str) for name in names):
        raise Deny("MANDATORY_NOT_FOUND", "required field not found", {"api_name": "tags"})
    if not isinstance(ids, list) or not ids or len(ids) > (500 if asked.version >= 3 else 100):
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "ids"})
    asked.cost = -(-len(ids) // 50)

    def do(id: Any) -> dict[str, Any]:
        account = asked.account
        record = found(asked, module, {"id": id})
        if denied(account, "edit", module.api, record.id):
            raise RowDeny("NO_PERMISSION", "permission denied", {"id": record.id})
        if record.locked and "tags" in locked_actions(account, module.api):
            text = "You cannot perform this operation as the record is locked."
            raise RowDeny("RECORD_LOCKED", text, {"action": "record_locking", "id": record.id})
        held = [] if over and add else list(record.fields.get("Tag") or ())
        if add:
            there = {one["name"] for one in held}
            held += [tag(account, str(name)) for name in names if name not in there]
        else:
            held = [one for one in held if one["name"] not in names]
        account.store.change(record, {"Tag": held or None, **_stamps(asked, record)})
        message = "tags updated successfully"
        return success(message, {"id": record.id, "tags": [one["name"] for one in held]})

    return answered("data", each(ids, do, asked.account))
