"""What hangs on a record: related lists, notes, attachments, and its lock.

https://www.zoho.com/crm/developer/docs/api/v7/get-related-records.html and
https://www.zoho.com/crm/developer/docs/api/v7/lock-records.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_zoho.simulator_life import to_bin
from crm_bridge_zoho.simulator_metadata import known
from crm_bridge_zoho.simulator_modules import MODULES, RELATED, ways
from crm_bridge_zoho.simulator_org import (
    LIVE,
    anywhere,
    fire,
    new_id,
    person,
    stamped,
    timeline,
    user_id,
)
from crm_bridge_zoho.simulator_reads import module_asked, names_asked, readable
from crm_bridge_zoho.simulator_shape import display, shown_in_list
from crm_bridge_zoho.simulator_values import as_id
from crm_bridge_zoho.simulator_wire import (
    Asked,
    Deny,
    RowDeny,
    answered,
    moment,
    nothing,
    page_of,
    reply,
    success,
)
from crm_bridge_zoho.simulator_writes import done, each, hindrance, make

LOCK = "Locking_Information__s"
LOCK_ACTIONS = ("update", "tags", "convert", "delete", "change_owner")


def holder(asked: Asked) -> Stored | None:
    """The record that the path names."""
    return readable(asked, module_asked(asked), asked.parts[1])


def there(asked: Asked) -> Stored:
    """The record that the path names.

    Raises:
        Deny: There is none.
    """
    record = holder(asked)
    if record is None:
        details = {"resource_path_index": 1}
        raise Deny("INVALID_DATA", "the id given seems to be invalid", details)
    return record


def listed(asked: Asked) -> Reply:
    """GET /{module}/{id}/{related list}."""
    parent = holder(asked)
    name = asked.parts[2]
    found = RELATED.get(asked.parts[0], {}).get(name)
    if found is None:
        if name == "Emails":
            return nothing()
        details = {"resource_path_index": 2}
        raise Deny("INVALID_DATA", "the relation name given seems to be invalid", details)
    names = names_asked(asked)
    if parent is None:
        return nothing()
    account = asked.account
    records: dict[str, Stored] = {}
    if found.linking:
        back = next(f.api for f in MODULES[found.linking].fields if f.target == parent.kind)
        other = next(f.api for f in MODULES[found.linking].fields if f.target == found.module)
        for tie in account.store.where(found.linking, back, parent.id, LIVE):
            record = account.store.get(found.module, tie.fields.get(other, ""))
            if record is not None and record.state == LIVE:
                records[record.id] = record
    else:
        for via in ways(parent.kind, found):
            for record in account.store.where(found.module, via, parent.id, LIVE):
                records[record.id] = record
    order = sorted(records.values(), key=lambda one: one.id, reverse=True)
    some, info = page_of(asked, order)
    if not some:
        return nothing()
    if asked.version >= 3:
        blank = {"next_page_token": None, "previous_page_token": None, "page_token_expiry": None}
        info = {**info, **blank}
    return reply({"data": [shown_in_list(asked, one, names) for one in some], "info": info})


def add_notes(asked: Asked) -> Reply:
    """POST /{module}/{id}/Notes."""
    parent = there(asked)
    module = known(asked, "Notes")

    def do(row: dict[str, Any]) -> dict[str, Any]:
        note = make(asked, module, {**row, "Parent_Id": {"id": parent.id}})
        return done(asked.account, note, "record added")

    return answered("data", each(asked.rows(), do, asked.account), 201)


def _own(asked: Asked, kind: str) -> Stored:
    parent = there(asked)
    record = asked.account.store.get(kind, asked.parts[3]) if as_id(asked.parts[3]) else None
    mine = record is not None and record.fields.get("Parent_Id") == parent.id
    if record is None or record.state != LIVE or not mine:
        raise Deny(
            "INVALID_DATA", "the related id given seems to be invalid",
            {"resource_path_index": 3, "id": asked.parts[3]}, key="data",
        )  # fmt: skip
    return record


def download(asked: Asked) -> Reply:
    """GET /{module}/{id}/Attachments/{id}: the file."""
    record = _own(asked, "Attachments")
    content = record.meta.get("content", b"")
    headers = [("content-disposition", "attachment; filename=file")]
    return Reply(200, content, "application/x-download;charset=UTF-8", headers)


def upload(asked: Asked) -> Reply:
    """POST /{module}/{id}/Attachments: a multipart file, or attachmentUrl."""
    parent = there(asked)
    call, account = asked.call, asked.account
    url = asked.query("attachmentUrl")
    kind = call.headers.get("content-type", "")
    if url:
        name, content = url.rsplit("/", 1)[-1], b""
    elif kind.startswith("multipart/form-data") and "boundary=" in kind:
        name, content = _part(kind, call.body)
    else:
        raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": "file"})
    now = stamped(account, asked.user)
    fields = {
        "File_Name": name,
        "Size": str(len(content)),
        "Parent_Id": parent.id,
        "Owner": asked.user,
        "Created_By": asked.user,
        "Modified_By": asked.user,
        "Created_Time": now["Modified_Time"],
        "Modified_Time": now["Modified_Time"],
    }
    record = Stored("Attachments", new_id(account, "Attachments"), fields)
    record.meta["content"] = content
    account.store.add(record)
    return reply({"data": [done(account, record, "attachment uploaded successfully")]})


def attached(account: Account, fields: Mapping[str, Any]) -> str | None:
    """Attach a file of a name and a size to a record, as an upload once did; gives its id."""
    parent = fields.get("Parent_Id")
    id = str(parent.get("id", "")) if isinstance(parent, Mapping) else ""
    if anywhere(account, id) is None:
        return None
    now, user = stamped(account, user_id(account, 0)), user_id(account, 0)
    kept = {
        "File_Name": fields.get("File_Name"),
        "Size": fields.get("Size"),
        "Parent_Id": id,
        "Owner": user,
        "Created_By": user,
        "Modified_By": user,
        "Created_Time": now["Modified_Time"],
        "Modified_Time": now["Modified_Time"],
    }
    record = Stored("Attachments", new_id(account, "Attachments"), kept)
    account.store.add(record)
    return record.id


def _part(kind: str, body: bytes) -> tuple[str, bytes]:
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        named = re.search(rb'filename="([^"]*)"', head)
        if named:
            return named[1].decode("utf-8", "replace"), content.removesuffix(b"\r\n")
    raise Deny("REQUIRED_PARAM_MISSING", details={"param_name": "file"})


def remove(asked: Asked) -> Reply:
    """DELETE /{module}/{id}/Notes|Attachments/{id}; an attachment is gone for good."""
    record = _own(asked, asked.parts[2])
    to_bin(asked.account, record, asked.user, "crm_api")
    return reply({"data": [success("record deleted", {"id": record.id})]})


# -- locks ----------------------------------------------------------------------------------------


def _configured(asked: Asked, module: str) -> None:
    """Refuse where the edition or the administrator has no locking.

    Raises:
        Deny: FEATURE_NOT_SUPPORTED or NOT_ALLOWED.
    """
    switch = asked.account.switches["locking"]
    if switch == "not_supported":
        raise Deny("FEATURE_NOT_SUPPORTED", "the feature is not supported in this edition")
    made = asked.account.memory.get("lock_configs", {})
    if not MODULES[module].lockable:
        raise Deny("NOT_SUPPORTED", "record locking is not supported for the module")
    if switch == "not_configured" and module not in made:
        raise Deny("NOT_ALLOWED", "record locking is not configured for the module")


def lock(asked: Asked) -> Reply:
    """POST /{module}/{id}/Locking_Information__s: 201."""
    record = there(asked)
    _configured(asked, record.kind)
    row = asked.rows(most=1)[0]
    if record.locked:
        raise Deny("NOT_ALLOWED", "the record is locked already", {}, 403, key="data")
    reason = row.get("Locked_Reason__s")
    if reason is not None and (not isinstance(reason, str) or len(reason) > 255):
        details = {"api_name": "Locked_Reason__s", "maximum_length": 255}
        raise Deny("INVALID_DATA", "invalid data", details, key="data")
    held = put_lock(asked.account, record, asked.user, reason)
    timeline(asked.account, record, "locked", asked.user, "crm_api")
    return reply({"data": [success("record added", {"id": held})]}, 201)


def put_lock(
    account: Account, record: Stored, by: str, reason: str | None, automatic: bool = False
) -> str:
    """Lock a record; gives the id of its lock."""
    held = new_id(account, LOCK)
    record.meta["lock"] = {
        "id": held,
        "reason": reason,
        "by": by,
        "time": moment(account.clock.epoch()),
        "automatic": automatic,
    }
    account.store.lock(record)
    return held


def lock_info(asked: Asked) -> Reply:
    """GET /{module}/{id}/Locking_Information__s?fields=."""
    record = holder(asked)
    if record is not None:
        _configured(asked, record.kind)
    names = names_asked(asked)
    if record is None or not record.locked:
        return nothing()
    held = record.meta["lock"]
    values = {
        "Locked_For__s": {
            "name": display(asked.account, record),
            "id": record.id,
            "module": {"api_name": record.kind},
        },
        "Locked_Reason__s": held["reason"],
        "Lock_Source__s": "Automatic" if held["automatic"] else "Manual",
        "Locked_Time__s": held["time"],
        "Locked_By__s": person(asked.account, held["by"]),
    }
    shown = {name: values[name] for name in names or values if name in values}
    info = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
    return reply({"data": [{**shown, "id": held["id"]}], "info": info})


def unlock(asked: Asked) -> Reply:
    """DELETE /{module}/{id}/Locking_Information__s/{lock id}."""
    record = there(asked)
    _configured(asked, record.kind)
    held = record.meta.get("lock")
    if not record.locked or held is None or held["id"] != asked.parts[3]:
        details = {"id": asked.parts[3]}
        raise Deny("INVALID_DATA", "the related id given seems to be invalid", details, key="data")
    if held["automatic"]:
        raise Deny("NOT_ALLOWED", "automatic locks cannot be removed", {}, 403, key="data")
    del record.meta["lock"]
    asked.account.store.lock(record, False)
    timeline(asked.account, record, "unlocked", asked.user, "crm_api")
    return reply({"data": [success("relation removed", {"id": asked.parts[3]})]})


def lock_configs(asked: Asked) -> Reply:
    """GET /settings/record_locking_configurations?module=."""
    module = known(asked, asked.need("module"))
    switch = asked.account.switches["locking"]
    if switch == "not_supported":
        raise Deny("FEATURE_NOT_SUPPORTED", "the feature is not supported in this edition")
    made = asked.account.memory.get("lock_configs", {}).get(module.api)
    if made is None and switch == "configured" and module.lockable:
        made = {"restricted_actions": ["update", "delete", "tags"]}
    if made is None:
        return nothing()
    data = {
        "id": f"{asked.account.keys['zgid']}{module.code:09d}",
        "locked_for": "all_records",
        "restricted_actions": list(made["restricted_actions"]),
        "lock_type": "both",
        "feature_type": "record_locking",
        "restricted_communications": [],
        "restricted_custom_buttons": [],
    }
    return reply({"record_locking_configurations": [data]})


def configure_locks(asked: Asked) -> Reply:
    """POST, PUT /settings/record_locking_configurations?module=."""
    module = known(asked, asked.need("module"))
    if asked.account.switches["locking"] == "not_supported":
        raise Deny("FEATURE_NOT_SUPPORTED", "the feature is not supported in this edition")
    if not module.lockable:
        raise Deny("NOT_SUPPORTED", "record locking is not supported for the module")
    row = asked.rows("record_locking_configurations", 1)[0]
    actions = row.get("restricted_actions", [])
    if not isinstance(actions, list) or not set(actions) <= set(LOCK_ACTIONS):
        raise Deny("INVALID_DATA", "invalid data", {"api_name": "restricted_actions"})
    made = asked.account.memory.setdefault("lock_configs", {})
    made[module.api] = {"restricted_actions": list(dict.fromkeys(["update", *actions]))}
    asked.call.changed.append(f"{module.api}/record_locking_configuration")
    message = "Record locking configuration added successfully"
    return reply({"record_locking_configurations": [success(message)]}, 201)


# -- convert --------------------------------------------------------------------------------------


def convert(asked: Asked) -> Reply:
    """POST /Leads/{id}/actions/convert: five credits; the lead leaves the plain lists."""
    asked.cost = 5
    if asked.parts[0] != "Leads":
        raise Deny("INVALID_URL_PATTERN")
    record = there(asked)
    if record.meta.get("converted"):
        details = {"id": record.id}
        raise Deny("ID_ALREADY_CONVERTED", "id already converted", details, key="data")
    try:
        hindrance(asked, record, "convert")
    except RowDeny as no:
        return reply({"data": [no.row]}, 400)
    contact = make(
        asked, MODULES["Contacts"], {"Last_Name": record.fields.get("Last_Name", "Lead")}
    )
    record.meta["converted"] = True
    asked.account.store.change(record, stamped(asked.account, asked.user))
    fire(asked.account, record, "convert", False)
    made = {"Contacts": {"id": contact.id, "name": display(asked.account, contact)}}
    return reply({"data": [success("The record has been converted successfully", made)]})
