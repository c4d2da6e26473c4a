"""What is true of FxiaoKe (纷享销客, ShareCRM), as data.

Void (作废) is a soft delete into a recycle bin; recover (恢复) and delete (删除) take only what is
voided; delete is for ever. There is no archive, so one is marked. Where a row rests on less than
the vendor's manual, its note says so.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from crm_bridge.kit import (
    Capability,
    CascadeRule,
    Effect,
    LossRule,
    Measure,
    Operation,
    Profile,
    Rate,
    RecoveryWindow,
    State,
    Support,
    Undo,
)
from crm_bridge_fxiaoke.chinese import CHINESE
from crm_bridge_fxiaoke.login import LEGACY_TOKEN, TOKEN
from crm_bridge_fxiaoke.settings import HOSTS

CHECKED: Final = date(2026, 11, 24)
_MANUAL: Final = "https://developer.fxiaoke.com/openapi_v2/"
PRESET_PAGE: Final = f"{_MANUAL}object/CustomersAndContacts/AccountObj/"
CUSTOM_PAGE: Final = f"{_MANUAL}object/CustomCapabilities/CustomObj/"
LOCK_PAGE: Final = f"{_MANUAL}common/system/lock.html"
RATES_PAGE: Final = f"{_MANUAL}start/guide/rate.html"

LOCK: Final = "lock_status"
MARKER: Final = "crm_bridge_status__c"
"""The name we propose; a field is made by an administrator, as no call makes one."""

LIST: Final = 20
"""Ids a list call: the manual names no maximum; for the same operations inside a tenant the vendor
advises at most 20."""


class _CustomObjects(tuple[str, ...]):
    """Every custom object: kinds that end in `__c`, which no list can name."""

    __slots__ = ()

    def __contains__(self, kind: object) -> bool:
        return isinstance(kind, str) and kind.endswith("__c")


CUSTOM_KINDS: Final = _CustomObjects(("object__c",))
"""Stands for all custom objects in a row; its one element is an example."""

NEVER_BACK: Final = ("DeliveryNoteObj", "RequisitionNoteObj", "CheckinsObj")
"""Objects whose voided records the vendor's engine refuses to recover."""

MONEY: Final = "CustomerAccountObj"
"""An account's money account: it is voided and comes back with its account, never by itself."""

DIRECT: Final = "PriceBookProductObj"
"""Price book products (价目表明细) may be deleted without a void."""

VENDOR_SET: Final = (
    "_id",
    "version",
    "last_modified_time",
    "last_modified_by",
    "life_status_before_invalid",
    "lock_user",
    "extend_obj_data_id",
    "order_by",
)
"""Written by the platform with every change, or anew for every record."""

NUMBERED: Final = {"AccountObj": ("account_no",)}
"""Numbers that the platform gives out; other objects' are told by their describe."""

_ENGINE: Final = (
    "seen in the vendor's public engine code of 2017 and 2018; the manual is silent on it"
)


def _row(operation: Operation, support: Support, **facts: Any) -> Capability:
    return Capability(operation, support, checked=CHECKED, **facts)


def _void(**facts: Any) -> Capability:
    return _row(
        Operation.VOID,
        Support.NATIVE,
        takes=(State.LIVE, State.ARCHIVED),
        gives=State.VOIDED,
        **facts,
    )


def details(parent: str, child: str, via: str) -> tuple[CascadeRule, ...]:
    """The rules of a master and its details.

    The void's stands last: where a record is voided and then deleted, what matters of its details
    is that they do not come back.
    """
    return tuple(
        CascadeRule(
            parent, child, via, Effect.FOLLOWS, None if o is Operation.VOID else False, o,
            note=f"details are {word} with their master: {_ENGINE}",
        )
        for o, word in (
            (Operation.DELETE, "deleted"), (Operation.PURGE, "deleted"), (Operation.VOID, "voided")
        )
    )  # fmt: skip


def lookups(parent: str, child: str, via: str, on_delete: str) -> tuple[CascadeRule, ...]:
    """The rules of a record and those that look up to it, by what its describe says of a delete."""
    blocks = on_delete == "do_not_allow"
    effect = Effect.BLOCKS if blocks else Effect.DETACHES
    told = f"its describe says {on_delete or 'nothing'} of a delete of its target"
    return (
        *(
            CascadeRule(parent, child, via, effect, None if blocks else False, o, note=told)
            for o in (Operation.DELETE, Operation.PURGE)
        ),
        CascadeRule(
            parent, child, via, Effect.DETACHES, None, Operation.VOID,
            note="it stays and keeps the id; lists and reports show 数据已作废或已删除 in its "
                 "place until the record is recovered",
        ),
    )  # fmt: skip


_BACK: Final = RecoveryWindow(Undo.SAME_ID)
_FINAL: Final = "nothing brings it back: a void can be undone, a delete cannot"
_ONE_A_CALL: Final = "one record a call; an approval of the enterprise's may hold it as pending"

_ANEW: Final = (
    "a new id; creation time and author are kept; fields hidden from the user who kept it stay lost, "
    "and no call tells which those are"
)

PROFILE: Final = Profile(
    vendor="fxiaoke",
    title="FxiaoKe",
    capabilities=(
        _void(window=_BACK, means="作废 invalid", needs=("作废 of the object",),
              source=f"{PRESET_PAGE}invalid.html", note=_ONE_A_CALL),
        _void(window=_BACK, kinds=CUSTOM_KINDS, means="作废 invalid",
              needs=("作废 of the object",),
              source=f"{CUSTOM_PAGE}invalid.html", note=_ONE_A_CALL),
        _void(window=_BACK, kinds=CUSTOM_KINDS, batch=LIST, way="bulk", at_least=2,
              means="批量作废 invalid (v1)", needs=("作废 of the object", "an administrator"),
              source=f"{CUSTOM_PAGE}batchInvalid.html",
              note="lists, by an older call; only where bulk_void = true in the settings"),
        _void(kinds=NEVER_BACK, means="作废 invalid", needs=("作废 of the object",),
              source=f"{PRESET_PAGE}invalid.html",
              note=f"its recovery is refused afterwards, {_ENGINE}"),
        _row(Operation.VOID, Support.NEVER, kinds=(MONEY,),
             note=f"不可作废，随主对象作废: it is voided with its account only, {_ENGINE}"),
        _row(Operation.ARCHIVE, Support.MARKED, takes=(State.LIVE,), gives=State.ARCHIVED,
             window=_BACK, means="编辑 update, 锁定 lock",
             needs=("编辑 of the object", "锁定 of the object"), source=LOCK_PAGE,
             note="FxiaoKe has no archive: a field that an administrator adds and the settings "
                  "name is written, and the record locked"),
        _row(Operation.ARCHIVE, Support.NOT_YET,
             note="an administrator has to add a text field to the object, such as "
                  f"{MARKER}, and the settings to name it: [crms.X.marks.KIND] archive = "
                  f'{{ {MARKER} = "archived", lock_status = "1" }}'),
        _row(Operation.DELETE, Support.NATIVE, takes=(State.VOIDED,), gives=State.GONE, batch=LIST,
             means="删除 delete", needs=("删除 of the object",),
             source=f"{PRESET_PAGE}delete.html", note=_FINAL),
        _row(Operation.DELETE, Support.NATIVE, takes=(State.LIVE, State.VOIDED), gives=State.GONE,
             batch=LIST, kinds=(DIRECT,), means="删除 delete", needs=("删除 of the object",),
             source=f"{PRESET_PAGE}delete.html", note=f"it needs no void first; {_FINAL}"),
        _row(Operation.PURGE, Support.NATIVE, takes=(State.VOIDED,), gives=State.GONE, batch=LIST,
             means="删除 delete", needs=("删除 of the object",),
             source=f"{PRESET_PAGE}delete.html", note=f"the same as delete; {_FINAL}"),
        _row(Operation.RESTORE, Support.NATIVE, takes=(State.VOIDED,), gives=State.LIVE, batch=LIST,
             means="恢复 recover", needs=("恢复 of the object",),
             source=f"{PRESET_PAGE}recover.html",
             note="no limit of time is documented; what is voided stays until it is deleted"),
        _row(Operation.RESTORE, Support.NEVER, kinds=NEVER_BACK,
             note=f"its recovery is refused, {_ENGINE}"),
        _row(Operation.RESTORE, Support.REMADE, takes=(State.GONE,), gives=State.LIVE,
             kinds=NEVER_BACK, means="新建 create", needs=("新建 of the object",),
             source=f"{PRESET_PAGE}add.html",
             note=_ANEW),
        _row(Operation.RESTORE, Support.MARKED, takes=(State.ARCHIVED,), gives=State.LIVE,
             means="解锁 unlock, 编辑 update",
             needs=("编辑 of the object", "解锁 of the object"), source=LOCK_PAGE),
        _row(Operation.RESTORE, Support.REMADE, takes=(State.GONE,), gives=State.LIVE,
             means="新建 create", needs=("新建 of the object",), source=f"{PRESET_PAGE}add.html",
             note=_ANEW),
    ),
    cascades=(
        *details("AccountObj", "AccountAddrObj", "account_id"),
        *details("AccountObj", "AccountFinInfoObj", "account_id"),
        *details("AccountObj", MONEY, "customer_id"),
        *details("SalesOrderObj", "SalesOrderProductObj", "order_id"),
    ),
    aliases={
        "company": "AccountObj",
        "contact": "ContactObj",
        "lead": "LeadsObj",
        "deal": "NewOpportunityObj",
    },
    lock=LOCK,
    lock_batch=LIST,
    vendor_set=(*VENDOR_SET, *(name for names in NUMBERED.values() for name in names)),
    rates=(
        Rate(calls=100, seconds=20, per="interface"),
        Rate(calls=10, seconds=60, per="interface", interface=TOKEN),
        Rate(calls=10, seconds=60, per="interface", interface=LEGACY_TOKEN),
    ),
    lanes=4,
    read_batch=100,
    away_calls=2,
    id_grammar=r"[0-9a-f]{24}|[0-9a-f]{32}",
    hosts=HOSTS,
    measures=(
        Measure("NewOpportunityObj", "open deals", "amount", "mc_currency", "name",
                {"sales_stage": ("赢单", "输单", "无效")},
                f"{_MANUAL}object/OpportunitiesAndLeads/"),
        # The manual has no page of its fields; an account's describe names them.
        Measure("SalesOrderObj", "orders", "order_amount", "mc_currency", "name"),
    ),
    losses=(
        LossRule("*", Support.REMADE, "relevant_team",
                 "the team is made of the owner alone; no page says it"),
        LossRule("*", Support.REMADE, "life_status, lock_status",
                 "a new record is in effect and open; no page says it"),
        LossRule("*", Support.REMADE, "owner_department", "it follows the owner as of now; no page says it"),
        LossRule("*", Support.REMADE, "fields hidden from this user",
                 "no call tells which there are, so no snapshot holds them and no plan can name them; "
                 "no page says it"),
        LossRule("*", Support.REMADE, "records that looked up to it",
                 "a delete empties their fields; those that are void cannot be written again",
                 f"{CUSTOM_PAGE}delete.html"),
        LossRule("*", Support.REMADE, "details that were void before",
                 f"they are deleted with their master, and are not made anew; {_ENGINE}"),
        LossRule(
            MONEY,
            Support.REMADE,
            "name, create_time, owner, relevant_team, prepay_balance, rebate_balance",
            f"the platform makes it by itself with an account made anew, {_ENGINE}",
        ),
        LossRule("*", Support.REMADE, "history of changes and approvals",
                 "they stay with the old id; no page says it"),
        LossRule("*", Support.NATIVE, "details",
                 "nobody says whether details that were voided with a record come back with it; "
                 "each is looked at", operation=Operation.VOID),
    ),
    chinese=CHINESE,
    notes=(
        ("automation", "a void starts whatever approval and automation the enterprise has set up "
                       "for it, and no call switches that off; a void that waits for an approval "
                       "is pending until somebody passes it."),
    ),
    source=RATES_PAGE,
)  # fmt: skip
