"""What an organisation tells of itself: org, users, modules, fields, related lists, layouts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from crm_bridge.simulator import Reply
from crm_bridge_zoho.simulator_modules import (
    MODULES,
    RELATED,
    SUBFORMS,
    Field,
    Module,
    field_meta,
)
from crm_bridge_zoho.simulator_org import (
    PEOPLE,
    fields_of,
    is_active,
    is_admin,
    module_id,
    setup_id,
    user_id,
)
from crm_bridge_zoho.simulator_wire import (
    Asked,
    Deny,
    answered,
    entry,
    nothing,
    page_of,
    reply,
    success,
)

PAID = {
    "Free": "free",
    "Standard": "standard",
    "Professional": "professional",
    "Enterprise": "enterprise",
    "Ultimate": "ultimate",
}


def org(asked: Asked) -> Reply:
    """GET /org."""
    account, keys = asked.account, asked.account.keys
    return reply(
        {
            "org": [
                {
                    "id": keys["org"],
                    "zgid": keys["zgid"],
                    "company_name": f"{keys['domain']} 有限公司",
                    "domain_name": keys["domain"],
                    "type": account.switches["org_type"],
                    "time_zone": "Asia/Shanghai",
                    "currency": "CNY",
                    "iso_code": "CNY",
                    "currency_symbol": "¥",
                    "country_code": "CN",
                    "primary_email": f"{PEOPLE[0][1]}@{keys['domain']}.example",
                    "license_details": {
                        "paid": account.switches["edition"] != "Free",
                        "paid_type": PAID[account.switches["edition"]],
                        "paid_expiry": None,
                        "trial_type": None,
                        "trial_expiry": None,
                        "users_license_purchased": len(PEOPLE),
                    },
                }
            ]
        }
    )


def _user(asked: Asked, row: int) -> dict[str, Any]:
    account = asked.account
    name, mail, profile = PEOPLE[row]
    if row == 0 and not is_admin(account, user_id(account, 0)):
        profile = "Standard"
    first, _, last = name.partition(" ")
    return {
        "id": user_id(account, row),
        "full_name": name,
        "first_name": first,
        "last_name": last or name,
        "email": f"{mail}@{account.keys['domain']}.example",
        "zuid": f"{account.keys['zgid']}{row}",
        "status": "active" if is_active(account, user_id(account, row)) else "inactive",
        "confirm": True,
        "profile": {"name": profile, "id": setup_id(account, 2, 1 + (profile != "Administrator"))},
        "role": {"name": "CEO" if row == 0 else "Manager", "id": setup_id(account, 3, row)},
        "time_zone": "Asia/Shanghai",
    }


def users(asked: Asked) -> Reply:
    """GET /users?type=, GET /users/{id}."""
    if len(asked.parts) == 2:
        for row in range(len(PEOPLE)):
            if user_id(asked.account, row) == asked.parts[1]:
                return reply({"users": [_user(asked, row)]})
        return nothing()
    kind = asked.query("type") or "AllUsers"
    rows = range(len(PEOPLE))
    active = [row for row in rows if is_active(asked.account, user_id(asked.account, row))]
    known: dict[str, Sequence[int]] = {
        "AllUsers": rows,
        "ActiveUsers": active,
        "ActiveConfirmedUsers": active,
        "DeactiveUsers": [row for row in rows if row not in active],
        "DeletedUsers": (),
        "AdminUsers": (0,),
        "ActiveConfirmedAdmins": (0,),
        "CurrentUser": (0,),
    }
    if kind not in known:
        raise Deny("PATTERN_NOT_MATCHED", "invalid type", {"param_name": "type"})
    some, info = page_of(asked, [_user(asked, row) for row in known[kind]])
    return reply({"users": some, "info": info}) if some else nothing()


def _module(asked: Asked, module: Module) -> dict[str, Any]:
    real = module.served and module.api != "Emails"
    kind = module.kind
    data: dict[str, Any] = {
        "id": module_id(asked.account, module.api),
        "api_name": module.api,
        "module_name": module.api,
        "plural_label": module.api.replace("_", " "),
        "singular_label": module.api.replace("_", " ").removesuffix("s"),
        "generated_type": kind,
        "api_supported": module.served,
        "creatable": real and kind in ("default", "custom") and module.api != "Attachments",
        "editable": real and kind in ("default", "custom") and module.api != "Attachments",
        "deletable": real and kind in ("default", "custom"),
        "viewable": True,
        "show_as_tab": module.whole,
        "visibility": 1,
        "visible": module.whole,
        "global_search_supported": module.whole,
        "parent_module": {},
        "web_link": None,
        "profiles": [],
    }
    if kind == "subform":
        parent = next(f.target for f in module.fields if f.api == "Parent_Id")
        data["parent_module"] = {"api_name": parent, "id": module_id(asked.account, parent)}
    if asked.version >= 6:
        data["recycle_bin_on_delete"] = module.bin
    return data


def modules(asked: Asked) -> Reply:
    """GET /settings/modules, GET /settings/modules/{module}."""
    if len(asked.parts) == 3:
        return reply({"modules": [_module(asked, known(asked, asked.parts[2]))]})
    return reply({"modules": [_module(asked, module) for module in MODULES.values()]})


def known(asked: Asked, name: str | None) -> Module:
    """The module of that name.

    Raises:
        Deny: There is none.
    """
    module = MODULES.get(name or "")
    if module is None:
        raise Deny("INVALID_MODULE", details={"resource_path_index": 0})
    return module


def field_id(asked: Asked, module: Module, field: Field) -> str:
    """The id of a field."""
    names = list(fields_of(asked.account, module.api))
    return setup_id(asked.account, 100 + module.code, 1000 * (names.index(field.api) + 1))


def fields(asked: Asked) -> Reply:
    """GET /settings/fields?module=, GET /settings/fields/{id}?module=."""
    module = known(asked, asked.need("module"))
    own = fields_of(asked.account, module.api)
    if not own:
        return nothing()
    ids = partial(module_id, asked.account)
    data = [
        field_meta(field, module.api, field_id(asked, module, field), asked.version, ids)
        for field in own.values()
    ]
    unshown = asked.account.memory.get("unshown", ())
    for one in data:
        if (module.api, one["api_name"]) in unshown:
            one["profiles"] = [
                {"id": setup_id(asked.account, 2, 1), "name": "Administrator",
                 "permission_type": "hidden"},
                {"id": setup_id(asked.account, 2, 2), "name": "Standard",
                 "permission_type": "read_write"},
            ]  # fmt: skip
    if len(asked.parts) == 3:
        data = [one for one in data if one["id"] == asked.parts[2]]
        if not data:
            return nothing()
    return reply({"fields": data})


def create_fields(asked: Asked) -> Reply:
    """POST /settings/fields?module=: custom fields, five at once.

    https://www.zoho.com/crm/developer/docs/api/v8/create-custom-field.html
    """
    module = known(asked, asked.need("module"))
    rows = asked.rows("fields", 5)
    if not is_admin(asked.account, asked.user):
        raise Deny("NO_PERMISSION", "permission denied", {"permissions": ["Crm_Implied_Customize"]})
    if not (module.whole or module.api in SUBFORMS):
        raise Deny("NOT_SUPPORTED", "the module does not support custom fields")
    if asked.account.switches["edition"] == "Free":
        raise Deny("FEATURE_NOT_SUPPORTED", "the edition has no custom fields by API")
    answers = [_create_field(asked, module, row) for row in rows]
    return answered("fields", answers)


def _create_field(asked: Asked, module: Module, row: dict[str, Any]) -> dict[str, Any]:
    for name in ("field_label", "data_type"):
        if not row.get(name):
            return entry("MANDATORY_NOT_FOUND", "required field not found", {"api_name": name})
    label, kind = str(row["field_label"]), row["data_type"]
    lengths = {"text": 255, "picklist": 120, "boolean": 0, "integer": 9, "textarea": 50000}
    lengths |= {"date": 0, "datetime": 0, "email": 100, "phone": 30, "double": 18, "bigint": 18}
    if kind not in lengths:
        return entry("INVALID_DATA", "invalid data", {"api_name": "data_type"})
    length = row.get("length", lengths[kind])
    if not isinstance(length, int) or (lengths[kind] and not 1 <= length <= lengths[kind]):
        return entry("INVALID_DATA", "invalid data", {"api_name": "length"})
    api = re.sub(r"\W+", "_", label).strip("_")
    own = fields_of(asked.account, module.api)
    if api in own or any(field.shown == label for field in own.values()):
        details = {"api_name": "field_label"}
        return entry("DUPLICATE_DATA", "duplicate data", details)
    picks = tuple(
        str(pick["actual_value"] if "actual_value" in pick else pick.get("display_value"))
        for pick in row.get("pick_list_values") or ()
    )
    if kind == "picklist" and not picks:
        details = {"api_name": "pick_list_values"}
        return entry("MANDATORY_NOT_FOUND", "required field not found", details)
    field = Field(api, kind, picks=picks, custom=True, length=length, label=label)
    made = asked.account.memory.setdefault("fields", {}).setdefault(module.api, {})
    made[api] = field
    asked.call.changed.append(f"{module.api}/{api}")
    return success("field created", {"id": field_id(asked, module, field)})


def related_lists(asked: Asked) -> Reply:
    """GET /settings/related_lists?module=."""
    module = known(asked, asked.need("module"))
    lists = RELATED.get(module.api, {})
    if not lists:
        return nothing()
    data: list[dict[str, Any]] = []
    for row, listed in enumerate(lists.values(), 1):
        named: Any = listed.module
        if asked.version >= 3:
            named = {"api_name": listed.module, "id": module_id(asked.account, listed.module)}
        data.append(
            {
                "id": setup_id(asked.account, 50 + module.code, row),
                "sequence_number": str(row),
                "api_name": listed.api,
                "name": listed.api.replace("_", " "),
                "display_label": listed.api.replace("_", " "),
                "module": named,
                "href": f"{module.api}/{{ENTITYID}}/{listed.api}",
                "action": None,
                "type": "default" if not listed.linking else "multi_select_lookup",
                "connectedmodule": listed.module if listed.linking else None,
                "linkingmodule": listed.linking or None,
            }
        )
    return reply({"related_lists": data})


def layouts(asked: Asked) -> Reply:
    """GET /settings/layouts?module=, GET /settings/layouts/{id}?module=."""
    module = known(asked, asked.need("module"))
    if not module.whole:
        return nothing()
    id = setup_id(asked.account, 4, module.code)
    if len(asked.parts) == 3 and asked.parts[2] != id:
        return nothing()
    ids = partial(module_id, asked.account)
    own = [
        field_meta(field, module.api, field_id(asked, module, field), asked.version, ids)
        for field in fields_of(asked.account, module.api).values()
    ]
    section = {
        "display_label": f"{module.api} Information",
        "name": f"{module.api} Information",
        "api_name": f"{module.api}_Information",
        "sequence_number": 1,
        "column_count": 2,
        "fields": own,
    }
    layout = {
        "id": id,
        "name": "Standard",
        "api_name": "Standard__s",
        "visible": True,
        "status": "active",
        "profiles": [],
        "sections": [section],
    }
    return reply({"layouts": [layout]})


def custom_views(asked: Asked) -> Reply:
    """GET /settings/custom_views?module=: the one that shows all."""
    module = known(asked, asked.need("module"))
    if not module.whole:
        return nothing()
    view = {
        "id": view_id(asked, module),
        "name": f"All {module.api}",
        "display_value": f"All {module.api}",
        "system_name": "ALLVIEWS",
        "system_defined": True,
        "default": True,
        "favorite": None,
        "category": "public_views",
    }
    info = {"per_page": 200, "default": view["id"], "count": 1, "page": 1, "more_records": False}
    return reply({"custom_views": [view], "info": info})


def view_id(asked: Asked, module: Module) -> str:
    """The id of the view that shows all records of a module."""
    return setup_id(asked.account, 5, module.code)


def profiles(asked: Asked) -> Reply:
    """GET /settings/profiles."""
    names = ("Administrator", "Standard")
    data = [
        {
            "id": setup_id(asked.account, 2, row),
            "name": name,
            "display_label": name,
            "default": True,
            "category": False,
            "description": None,
        }
        for row, name in enumerate(names, 1)
    ]
    return reply({"profiles": data})


def roles(asked: Asked) -> Reply:
    """GET /settings/roles."""
    data = [
        {
            "id": setup_id(asked.account, 3, row),
            "name": "CEO" if row == 0 else "Manager",
            "display_label": "CEO" if row == 0 else "Manager",
            "admin_user": row == 0,
            "reporting_to": None,
        }
        for row in range(len(PEOPLE))
    ]
    return reply({"roles": data})
