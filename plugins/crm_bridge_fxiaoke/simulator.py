"""FxiaoKe (纷享销客, ShareCRM) as it answers: its open API on loopback, with voids and approvals.

Sections: the objects it has · the records it begins with · words of the wire · the calls ·
queries · the life of a record · what a person does.

What the vendor's documentation leaves open is a switch;
what nobody has recorded (codes of business errors above all) is invented and changes at each start.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from crm_bridge.simulator import (
    Account,
    Act,
    Call,
    Link,
    Refused,
    Reply,
    RollingLimit,
    Stored,
    Switch,
    VendorSimulator,
)
from crm_bridge.simulator.seed import (
    TEXT_SORTS,
    Awkward,
    activities,
    companies,
    deals,
    people,
    sizes,
)

# -- the objects it has ---------------------------------------------------------------------------

MARKER = "crm_bridge_status__c"
PROJECT = "object_Pj7x2__c"
PROJECT_LINE = "object_Ln3q8__c"

LIVE, PENDING, VOIDED, GONE = "live", "pending", "voided", "gone"
VISIBLE = (LIVE, PENDING)


@dataclass(frozen=True)
class _Field:
    name: str
    label: str
    type: str = "text"
    target: str = ""
    on_delete: str = "set_null"
    options: tuple[tuple[str, str], ...] = ()
    system: bool = False
    required: bool = False

    def shown(self) -> dict[str, Any]:
        """The field as a describe holds it."""
        custom = self.name.endswith("__c")
        data: dict[str, Any] = {
            "api_name": self.name,
            "label": self.label,
            "type": self.type,
            "define_type": "custom" if custom else "system" if self.system else "package",
            "is_active": True,
            "is_required": self.required,
        }
        if self.type in ("object_reference", "master_detail"):
            data["target_api_name"] = self.target
            data["target_related_list_name"] = f"target_related_list_{self.name}"
            if self.type == "object_reference":
                data["action_on_target_delete"] = self.on_delete
            else:
                data["is_create_when_master_create"] = True
        if self.options:
            data["options"] = [{"label": label, "value": value} for value, label in self.options]
        return data


def _lookup(name: str, label: str, target: str, on_delete: str = "set_null") -> _Field:
    return _Field(name, label, "object_reference", target, on_delete)


def _master(name: str, label: str, target: str) -> _Field:
    return _Field(name, label, "master_detail", target, required=True)


_LIFE = (
    ("ineffective", "未生效"),
    ("under_review", "审核中"),
    ("normal", "正常"),
    ("in_change", "变更中"),
    ("invalid", "作废"),
)
_SYSTEM = (
    _Field("_id", "数据ID", system=True),
    _Field("tenant_id", "企业ID", system=True, required=True),
    _Field("object_describe_id", "对象描述ID", system=True, required=True),
    _Field("object_describe_api_name", "对象名", system=True, required=True),
    _Field("package", "包", system=True),
    _Field("version", "版本", "number", system=True),
    _Field("create_time", "创建时间", "date_time", system=True),
    _Field("created_by", "创建人", "employee", system=True),
    _Field("last_modified_time", "最后修改时间", "date_time", system=True),
    _Field("last_modified_by", "最后修改人", "employee", system=True),
    _Field("is_deleted", "是否作废", "true_or_false", system=True),
    _Field("extend_obj_data_id", "扩展数据ID", system=True),
    _Field("name", "名称", system=True, required=True),
    _Field("owner", "负责人", "employee", required=True),
    _Field("owner_department", "负责人主属部门"),
    _Field("data_own_department", "归属部门", "department"),
    _Field("data_own_organization", "归属组织", "department"),
    _Field("relevant_team", "相关团队", "embedded_object_list"),
    _Field("record_type", "业务类型", "record_type"),
    _Field("life_status", "生命状态", "select_one", options=_LIFE, required=True),
    _Field("life_status_before_invalid", "作废前生命状态"),
    _Field("lock_status", "锁定状态", "select_one", options=(("0", "未锁定"), ("1", "锁定"))),
    _Field("lock_rule", "锁定规则", "lock_rule"),
    _Field("lock_user", "加锁人", "employee"),
    _Field("out_owner", "外部负责人", "employee"),
    _Field("out_tenant_id", "外部企业"),
    _Field("origin_source", "数据来源", "select_one"),
    _Field("order_by", "排序", "number"),
    _Field("mc_currency", "币种", "select_one"),
)
# Written by the platform only: an update that names one is refused, a create passes them over.
_READ_ONLY = frozenset(
    [
        "tenant_id",
        "object_describe_id",
        "object_describe_api_name",
        "package",
        "version",
        "create_time",
        "created_by",
        "last_modified_time",
        "last_modified_by",
        "is_deleted",
        "extend_obj_data_id",
        "owner_department",
        "life_status",
        "life_status_before_invalid",
        "lock_status",
        "lock_rule",
        "lock_user",
        "order_by",
        "out_tenant_id",
    ]
)
_PEOPLE = frozenset(f.name for f in _SYSTEM if f.type == "employee")
_VENDOR_SET = (
    "_id",
    "version",
    "last_modified_time",
    "last_modified_by",
    "lock_user",
    "life_status_before_invalid",
    "extend_obj_data_id",
    "order_by",
)
_NOTE = _Field("remark", "备注", "long_text")
_MARK = _Field(MARKER, "归档标记")


@dataclass(frozen=True)
class _Object:
    api: str
    label: str
    own: tuple[_Field, ...]
    markable: bool = False

    @property
    def custom(self) -> bool:
        """Whether a tenant made it."""
        return self.api.endswith("__c")


OBJECTS: dict[str, _Object] = {
    o.api: o
    for o in (
        _Object(
            "AccountObj",
            "客户",
            (
                _Field("tel", "电话", "phone_number"),
                _Field("url", "网址", "url"),
                _Field("industry_level1", "行业"),
                _Field("address", "详细地址"),
                _Field("account_no", "客户编号", "auto_number"),
                _lookup("high_seas_id", "所属公海", "HighSeasObj"),
                _Field("biz_status", "分配状态"),
                _Field("employees__c", "员工数", "number"),
                _Field("external_no__c", "外部编号"),
                _Field("revenue__c", "年收入", "number"),
                _NOTE,
            ),
            markable=True,
        ),
        _Object(
            "ContactObj",
            "联系人",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                _Field("mobile1", "手机", "phone_number"),
                _Field("email", "邮件", "email"),
                _Field("job_title", "职务"),
                _Field("external_no__c", "外部编号"),
                _NOTE,
            ),
            markable=True,
        ),
        _Object(
            "LeadsObj",
            "销售线索",
            (
                _Field("company", "公司"),
                _Field("mobile", "手机", "phone_number"),
                _Field("email", "邮件", "email"),
                _Field("source", "来源"),
                _Field("biz_status", "状态"),
                _lookup("leads_pool_id", "线索池", "LeadsPoolObj"),
                _Field("external_no__c", "外部编号"),
                _NOTE,
            ),
            markable=True,
        ),
        _Object(
            "NewOpportunityObj",
            "商机2.0",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                _Field("amount", "商机金额", "currency"),
                _Field("sales_stage", "商机阶段"),
                _Field("close_date", "预计成交日期", "date"),
                _NOTE,
            ),
            markable=True,
        ),
        _Object(
            "ActiveRecordObj",
            "销售记录",
            (
                _lookup("account_id", "客户", "AccountObj"),
                _Field("active_record_content", "内容", "long_text"),
                _Field("finished__c", "已完成", "true_or_false"),
                _Field("due_time__c", "跟进时间", "date_time"),
            ),
            markable=True,
        ),
        _Object(
            "SalesOrderObj",
            "销售订单",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                _lookup("opportunity_id", "商机", "NewOpportunityObj"),
                _Field("order_amount", "销售订单金额", "currency"),
                _NOTE,
            ),
            markable=True,
        ),
        _Object(
            "SalesOrderProductObj",
            "订单产品",
            (
                _master("order_id", "销售订单", "SalesOrderObj"),
                _Field("quantity", "数量", "number"),
                _Field("subtotal", "小计", "currency"),
            ),
        ),
        _Object(
            "AccountAddrObj",
            "客户地址",
            (_master("account_id", "客户", "AccountObj"), _Field("address", "详细地址")),
        ),
        _Object(
            "AccountFinInfoObj",
            "财务信息",
            (_master("account_id", "客户", "AccountObj"), _Field("account_bank", "开户行")),
        ),
        _Object(
            "CustomerAccountObj",
            "客户账户",
            (
                _master("customer_id", "客户", "AccountObj"),
                _Field("prepay_balance", "预存款余额", "currency"),
                _Field("rebate_balance", "返利余额", "currency"),
            ),
        ),
        _Object(
            PROJECT,
            "项目",
            (
                _lookup("field_acc01__c", "客户", "AccountObj"),
                _lookup("field_guar1__c", "担保客户", "AccountObj", "do_not_allow"),
                _Field("field_budg1__c", "预算", "currency"),
                _Field("field_text1__c", "说明", "long_text"),
            ),
            markable=True,
        ),
        _Object(
            PROJECT_LINE,
            "项目明细",
            (
                _master("field_proj1__c", "项目", PROJECT),
                _Field("field_hours__c", "工时", "number"),
            ),
        ),
        _Object(
            "PriceBookProductObj", "价目表明细", (_Field("pricebook_price", "价格", "currency"),)
        ),
        _Object("DeliveryNoteObj", "发货单", (_Field("express_no", "物流单号"),)),
        _Object("HighSeasObj", "公海", ()),
        _Object("LeadsPoolObj", "线索池", ()),
        _Object(
            "PersonnelObj",
            "人员",
            (_Field("user_id", "员工ID"), _Field("phone", "手机", "phone_number")),
        ),
    )
}
MARKABLE = tuple(o.api for o in OBJECTS.values() if o.markable)
_POOLED = {"AccountObj": "high_seas_id", "LeadsObj": "leads_pool_id"}
_CODES = {api: number for number, api in enumerate(OBJECTS, 1)}
_FIELDS: dict[str, dict[str, _Field]] = {
    o.api: {f.name: f for f in (*_SYSTEM, *o.own, *((_MARK,) if o.markable else ()))}
    for o in OBJECTS.values()
}
_LOOKUPS = {api: [f for f in fields.values() if f.target] for api, fields in _FIELDS.items()}
# The details of an object, and who looks up to it: (child object, its field).
_DETAILS: dict[str, list[tuple[str, str]]] = {api: [] for api in OBJECTS}
_REFERRERS: dict[str, list[tuple[str, _Field]]] = {api: [] for api in OBJECTS}
for _api, _found in _LOOKUPS.items():
    for _one in _found:
        if _one.type == "master_detail":
            _DETAILS[_one.target].append((_api, _one.name))
        else:
            _REFERRERS[_one.target].append((_api, _one))
_DEFAULTS: dict[str, Any] = {
    "life_status": "normal",
    "lock_status": "0",
    "lock_rule": "default_lock_rule",
    "package": "CRM",
    "record_type": "default__c",
    "version": 1,
    "owner_department": "销售部",
    "data_own_department": ["1123"],
    "created_by": ["1000"],
    "last_modified_by": ["1000"],
    "mc_currency": "CNY",
}
_NUMBERS = ("number", "currency", "percentile")
_TIMES = ("date", "date_time", "time")

# -- the records it begins with -------------------------------------------------------------------

USERS = (
    ("1000", "张敏", "13800001000"),
    ("1001", "李强", "13800001001"),
    ("1002", "王芳", "13800001002"),
)
ADMINS = frozenset({"1000"})
_OWNERS = [["1000"], ["1001"], ["1002"]]
_STAGES = ("验证客户", "需求确定", "方案报价", "谈判审核", "赢单")
_ADDRESSES = (1, 2, 0, 1, 1)  # addresses of five accounts in turn: as many addresses as accounts
_PLAIN = tuple(sort for sort in TEXT_SORTS if sort != "orphan")


def _address_row(row: int) -> int:
    """The account's row of an address."""
    return row // 5 * 5 + (0, 1, 1, 3, 4)[row % 5]


class _Seeds:
    """What an account begins with; every id follows from the seed, the kind and the row."""

    def __init__(self, account: Account) -> None:
        self.word = f"{account.seed}:{account.index}"
        n = sizes(account.records)
        self.n = n
        self.salt = (account.seed * 0x9E3779B1 + account.index * 0x85EBCA6B + 1) % (1 << 32)
        self.accounts = Awkward(
            n["company"],
            (
                *_PLAIN,
                "locked",
                "voided",
                "merged",
                "pooled",
                "ineffective",
                "under_review",
                "balance",
                "guaranteed",
            ),
        )
        self.leads = Awkward(n["lead"], (*_PLAIN, "locked", "voided", "merged", "pooled"))
        self.contacts = Awkward(n["contact"], (*TEXT_SORTS, "locked", "voided"))
        self.deals = Awkward(
            n["deal"], (*TEXT_SORTS, "locked", "voided", "ineffective", "under_review")
        )
        self.activities = Awkward(n["activity"], (*TEXT_SORTS, "locked", "voided"))
        self.orders = Awkward(n["deal"], ("locked", "voided", "orphan"))
        self.projects = Awkward(max(12, account.records // 20), ("locked", "voided"))

    def id(self, kind: str, row: int) -> str:
        """The id of a row, before the row exists."""
        return f"6708dc09{self.salt:08x}{_CODES[kind]:02x}{row:06x}"

    def plant(self, account: Account) -> None:
        """Promise all records to the store."""
        for kind, awkward, make in (
            ("AccountObj", self.accounts, self._accounts),
            ("ContactObj", self.contacts, self._contacts),
            ("LeadsObj", self.leads, self._leads),
            ("NewOpportunityObj", self.deals, self._deals),
            ("ActiveRecordObj", self.activities, self._activities),
            ("SalesOrderObj", self.orders, self._orders),
            (PROJECT, self.projects, self._projects),
        ):
            voided = awkward.count("voided", "merged")
            counts = {LIVE: awkward.total - voided, VOIDED: voided}
            account.store.plant(kind, counts, make)
        accounts = set(self.accounts.rows("voided")) | set(self.accounts.rows("merged"))
        orders, projects = set(self.orders.rows("voided")), set(self.projects.rows("voided"))
        total = self.accounts.total
        addresses = total // 5 * 5 + sum(_ADDRESSES[: total % 5])
        for kind, master, count, up, voids, words in (
            ("AccountAddrObj", "AccountObj", addresses, _address_row, accounts, self._address),
            (
                "AccountFinInfoObj",
                "AccountObj",
                -(-total // 4),
                lambda r: r * 4,
                accounts,
                self._bank,
            ),
            ("CustomerAccountObj", "AccountObj", total, lambda r: r, accounts, self._money),
            (
                "SalesOrderProductObj",
                "SalesOrderObj",
                2 * self.orders.total,
                lambda r: r // 2,
                orders,
                self._product,
            ),
            (
                PROJECT_LINE,
                PROJECT,
                2 * self.projects.total,
                lambda r: r // 2,
                projects,
                self._line,
            ),
        ):
            self._plant_details(account, kind, master, count, up, voids, words)
        few = [("HighSeasObj", ("华东公海", "华北公海")), ("LeadsPoolObj", ("默认线索池",))]
        few += [("PriceBookProductObj", tuple(f"价目 {i}" for i in range(12)))]
        few += [("DeliveryNoteObj", tuple(f"发货单 {i}" for i in range(12)))]
        for kind, names in few:
            account.store.plant(kind, {LIVE: len(names)}, partial(self._few, kind, names))
        account.store.plant("PersonnelObj", {LIVE: len(USERS)}, self._personnel)

    def _plant_details(
        self,
        account: Account,
        kind: str,
        master: str,
        total: int,
        up: Callable[[int], int],
        voided_masters: set[int],
        words: Callable[[int], dict[str, Any]],
    ) -> None:
        own = Awkward(total, () if kind == "CustomerAccountObj" else ("voided",))
        before = set(own.rows("voided")) if own.sorts else set()
        voided = sum(1 for row in range(total) if row in before or up(row) in voided_masters)
        field = next(f.name for f in _LOOKUPS[kind] if f.type == "master_detail")

        def make() -> Iterator[Stored]:
            for row in range(total):
                parent = up(row)
                fields = words(row)
                fields[field] = self.id(master, parent)
                fields["owner"] = _OWNERS[parent % 3]
                fields["create_time"] = fields["last_modified_time"] = 1_704_067_200_000 + row
                record = Stored(kind, self.id(kind, row), fields)
                record.changed_at = fields["last_modified_time"] / 1000
                if row in before or parent in voided_masters:
                    self._void(record)
                    if row not in before:
                        record.meta["with"] = f"{master}/{fields[field]}"
                    if kind == "CustomerAccountObj":
                        fields["lock_status"] = "1"
                        record.locked = True
                yield record

        account.store.plant(kind, {LIVE: total - voided, VOIDED: voided}, make)

    @staticmethod
    def _void(record: Stored) -> None:
        record.state = VOIDED
        record.fields["life_status"] = "invalid"
        record.fields["life_status_before_invalid"] = "normal"

    def _seeded(
        self, kind: str, row: int, sort: str, fields: dict[str, Any], times: tuple[int, int]
    ) -> Stored:
        fields["create_time"], fields["last_modified_time"] = times
        fields.setdefault("owner", _OWNERS[row % 3])
        record = Stored(kind, self.id(kind, row), fields, changed_at=times[1] / 1000)
        match sort:
            case "locked":
                fields["lock_status"], fields["lock_user"] = "1", ["1001"]
                record.locked = True
            case "voided":
                self._void(record)
            case "merged":
                self._void(record)
                record.merged_into = self.id(kind, row + 1)
            case "ineffective" | "under_review":
                fields["life_status"] = sort
            case "pooled":
                fields[_POOLED[kind]] = self.id(
                    "HighSeasObj" if kind == "AccountObj" else "LeadsPoolObj", 0
                )
                del fields["owner"]
                fields["biz_status"] = "un_allocated"
        return record

    def _accounts(self) -> Iterator[Stored]:
        for row, c in enumerate(companies(self.word, self.accounts)):
            fields: dict[str, Any] = {
                "name": c.name,
                "tel": c.phone,
                "url": c.website,
                "industry_level1": c.industry,
                "address": c.street,
                "account_no": f"C{row:07d}",
                "employees__c": str(c.employees),
                "external_no__c": str(c.number),
                "revenue__c": c.revenue,
            }
            if c.note:
                fields["remark"] = c.note
            yield self._seeded("AccountObj", row, c.sort, fields, (c.created_ms, c.changed_ms))

    def _contacts(self) -> Iterator[Stored]:
        for row, p in enumerate(people(self.word, "contact", self.contacts, self.n["company"])):
            fields: dict[str, Any] = {
                "name": p.name,
                "mobile1": p.phone,
                "email": p.email,
                "job_title": p.title,
                "external_no__c": str(p.number),
            }
            if p.parent >= 0:
                fields["account_id"] = self.id("AccountObj", p.parent)
            if p.note:
                fields["remark"] = p.note
            yield self._seeded("ContactObj", row, p.sort, fields, (p.created_ms, p.changed_ms))

    def _leads(self) -> Iterator[Stored]:
        for row, p in enumerate(people(self.word, "lead", self.leads, 0)):
            fields: dict[str, Any] = {
                "name": p.name,
                "company": p.company,
                "mobile": p.phone,
                "email": p.email,
                "source": p.source,
                "biz_status": ("un_processed", "processed", "closed")[row % 3],
                "external_no__c": str(p.number),
            }
            if p.note:
                fields["remark"] = p.note
            yield self._seeded("LeadsObj", row, p.sort, fields, (p.created_ms, p.changed_ms))

    def _deals(self) -> Iterator[Stored]:
        for row, d in enumerate(deals(self.word, self.deals, self.n["company"])):
            fields: dict[str, Any] = {
                "name": d.name,
                "amount": d.amount,
                "sales_stage": _STAGES[d.stage],
                "close_date": d.close_ms,
            }
            if d.parent >= 0:
                fields["account_id"] = self.id("AccountObj", d.parent)
            times = (d.created_ms, d.changed_ms)
            yield self._seeded("NewOpportunityObj", row, d.sort, fields, times)

    def _activities(self) -> Iterator[Stored]:
        for row, a in enumerate(activities(self.word, self.activities, self.n["company"])):
            fields: dict[str, Any] = {
                "name": a.subject,
                "finished__c": a.done,
                "due_time__c": a.due_ms,
            }
            if a.text:
                fields["active_record_content"] = a.text
            if a.parent >= 0:
                fields["account_id"] = self.id("AccountObj", a.parent)
            times = (a.created_ms, a.changed_ms)
            yield self._seeded("ActiveRecordObj", row, a.sort, fields, times)

    def _orders(self) -> Iterator[Stored]:
        accounts = self.n["company"]
        for row in range(self.orders.total):
            sort = self.orders.at(row)
            fields: dict[str, Any] = {"name": f"SO-{row:07d}", "order_amount": f"{row * 37}.50"}
            if sort != "orphan" and accounts:
                fields["account_id"] = self.id("AccountObj", row * 7 % accounts)
                fields["opportunity_id"] = self.id("NewOpportunityObj", row)
            made = 1_704_067_200_000 + row * 60_000
            yield self._seeded("SalesOrderObj", row, sort, fields, (made, made))

    def _projects(self) -> Iterator[Stored]:
        accounts = self.n["company"]
        guaranteed = list(self.accounts.rows("guaranteed"))
        for row in range(self.projects.total):
            fields: dict[str, Any] = {
                "name": f"项目 {row:05d}",
                "field_budg1__c": f"{row * 1000}.00",
            }
            # Guarantors are few: the vendor refuses to delete an account that one names.
            if row < len(guaranteed):
                fields["field_guar1__c"] = self.id("AccountObj", guaranteed[row])
            elif accounts:
                fields["field_acc01__c"] = self.id("AccountObj", row * 11 % accounts)
            made = 1_704_067_200_000 + row * 60_000
            yield self._seeded(PROJECT, row, self.projects.at(row), fields, (made, made))

    def _address(self, row: int) -> dict[str, Any]:
        return {"name": f"地址 {row:06d}", "address": f"人民路{row % 900 + 1}号"}

    def _bank(self, row: int) -> dict[str, Any]:
        return {"name": f"开户 {row:06d}", "account_bank": "中国银行"}

    def _money(self, row: int) -> dict[str, Any]:
        # By turns: prepaid money, or a rebate; either keeps the account from being voided.
        held = "300.00" if self.accounts.at(row) == "balance" else "0.00"
        kept, other = ("prepay_balance", "rebate_balance")[:: 1 if row % 2 else -1]
        return {"name": f"客户账户 {row:06d}", kept: held, other: "0.00"}

    def _product(self, row: int) -> dict[str, Any]:
        return {"name": f"SOP-{row:07d}", "quantity": str(row % 9 + 1), "subtotal": f"{row}.00"}

    def _line(self, row: int) -> dict[str, Any]:
        return {"name": f"明细 {row:06d}", "field_hours__c": str(row % 40)}

    def _few(self, kind: str, names: Sequence[str]) -> Iterator[Stored]:
        for row, name in enumerate(names):
            made = 1_672_531_200_000
            yield self._seeded(kind, row, "", {"name": name}, (made, made))

    def _personnel(self) -> Iterator[Stored]:
        for row, (user, name, phone) in enumerate(USERS):
            fields = {"name": name, "user_id": user, "phone": phone, "owner": ["1000"]}
            yield self._seeded("PersonnelObj", row, "", fields, (1_672_531_200_000,) * 2)


# -- words of the wire ----------------------------------------------------------------------------

TOKEN_PATHS = ("/oauth2.0/token", "/cgi/corpAccessToken/get/V2")
PRESET, CUSTOM = "/cgi/crm/v2/data/", "/cgi/crm/custom/v2/data/"
_TOKEN_SAME, _TOKEN_LIFE = 6600.0, 7200.0
_CHINA = timezone(timedelta(hours=8))
_MESSAGES = {
    -1: "系统繁忙",
    -2: "系统错误",
    10010: "缺少参数openUserId",
    14001: "接口调用超过限制",
    15003: "APP没有访问权限",
    20012: "openUserId未找到",
    20015: "永久授权码错误",
    20016: "the cropId,cropAccessToken or authorization is error",
    20017: "corpAccessToken为必填项，不能为空",
    30002: "当天访问频次超限（0点重新统计）",
    30003: "客户没有购买openapi配额，需要提open api订单进行购买",
    30004: "秒频次超限",
    30027: "员工不存在",
    32000: "参数错误",
    50009: "服务异常，如:超时",
}
_VOIDED_OR_DELETED = "数据已作废或已删除"
_NO_DATA_RIGHT = "无此操作的数据权限"
_RIGHTS = {
    "create": "新建",
    "update": "编辑",
    "invalid": "作废",
    "recover": "恢复",
    "delete": "删除",
    "lock": "锁定",
    "unlock": "解锁",
    "changeOwner": "更换负责人",
    "read": "查看",
}
_RIGHT_WORDS = {"void": "invalid", "restore": "recover", "edit": "update", "*": "*"}
# An ordinary employee may not void, recover or delete, as the vendor's articles say.
_ADMIN_RIGHTS = frozenset({"invalid", "recover", "delete"})


class _Deny(Exception):
    """An answer with another errorCode than 0."""

    def __init__(self, code: int, message: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message or _MESSAGES.get(code, "系统错误")
        self.detail = detail


class _Business(Exception):
    """A refusal by the business rules: free text, and a code that nobody has published."""


@dataclass
class _Asked:
    """A call that is logged in."""

    account: Account
    user: str
    path: str
    body: dict[str, Any]
    data: dict[str, Any]
    open_ids: bool  # people are FSUID_... on the wire
    cut: bool = False


def _gateway_page(status: int, title: str) -> Reply:
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>Tengine</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Reply.html(page, status)


def _keys(data: Any, needed: Iterable[str], allowed: Iterable[str] = ()) -> dict[str, Any]:
    """A part of a body that holds just these keys; the spelling traps spring here."""
    if not isinstance(data, dict):
        raise _Deny(32000, "参数错误: data")
    need = set(needed)
    if missing := need - set(data):
        raise _Deny(32000, f"参数错误: 缺少{','.join(sorted(missing))}")
    if unknown := set(data) - need - set(allowed):
        raise _Deny(32000, f"参数错误: {','.join(sorted(unknown))}")
    return data


def _id(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Deny(32000, "参数错误: id必须是字符串")
    return value


def _id_list(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise _Deny(32000, "参数错误: id列表")
    return [_id(one) for one in value]


def _yes(value: Any) -> bool:
    return value is True or value == "yes"


_YES_NO = (True, False, "yes", "no")


class FxiaokeSimulator(VendorSimulator):
    """FxiaoKe on loopback: fxk and fxk2."""

    vendor = "fxiaoke"
    crm = "fxk"
    states = (LIVE, PENDING, VOIDED, GONE)
    switches: ClassVar[Mapping[str, Switch]] = {
        "voided_get": Switch("error", ("row", "error", "empty"), "get of a voided record"),
        "voided_query": Switch(
            "is_deleted",
            ("never", "is_deleted", "life_status"),
            "the filter that shows voided rows",
        ),
        "business_error_code": Switch(300000, (), "code of every business refusal"),
        "list_partial": Switch(
            "all_or_nothing", ("all_or_nothing", "first_failure_stops"), "one bad id in a list"
        ),
        "void_ineffective": Switch("allow", ("allow", "refuse"), "void of an ineffective record"),
        "void_twice": Switch("error", ("error", "ok"), "void of a voided record"),
        "recover_cascade": Switch("details", ("details", "record"), "what a recover brings back"),
        "create_custom_returns_dataId": Switch(True, _YES_NO),
        "trace_id_required": Switch(False, _YES_NO, "refuse a call without thirdTraceId"),
        "preset_path_accepts_custom": Switch(False, _YES_NO),
        "drop_after_write": Switch(False, (*_YES_NO, "on", "off"), "cut after every change"),
        "rate_limit_code": Switch(30004, (30004, 14001)),
        "daily_quota": Switch(1_000_000, (), "calls a day; 0: none was bought"),
        "marker_field": Switch(True, _YES_NO, f"whether objects have {MARKER}"),
    }
    fault_keys = frozenset({"error_code", "error_message"})

    def __init__(
        self, seed: int = 1, records: int = 1000, latency: float = 0.0, limits: bool = True
    ) -> None:
        self._asking: dict[int, int] = {}  # token calls under way, by account
        self._crossed: set[int] = set()  # token calls that met another one
        self._calls: dict[str, Callable[[_Asked], dict[str, Any]]] = self._routes()
        super().__init__(seed, records, latency, limits)

    # -- accounts ---------------------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the tenant, its application's keys and the ids of its people."""
        account.keys.update(
            ea=f"sim{secrets.token_hex(4)}",
            tenant_id=str(600000 + secrets.randbelow(300000)),
            app_id=f"FSAID_{secrets.token_hex(4)}",
            app_secret=secrets.token_hex(16),
            permanent_code=secrets.token_hex(16).upper(),
            corp_id=f"FSCID_{secrets.token_hex(16).upper()}",
        )
        for user, _, _ in USERS:
            account.keys[f"user:{user}"] = f"FSUID_{secrets.token_hex(16).upper()}"
        account.default("business_error_code", 300000 + secrets.randbelow(100000))

    def seed(self, account: Account) -> None:
        """Plant the records."""
        _Seeds(account).plant(account)

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """The table for crm_bridge.toml."""
        mark = {"archive": {MARKER: "archived", "lock_status": "1"}}
        keys = account.keys
        return {
            "vendor": self.vendor,
            "environment": "simulator",
            "base_url": url,
            "auth": "header",
            "app_id": keys["app_id"],
            "app_secret": keys["app_secret"],
            "permanent_code": keys["permanent_code"],
            "user_id": "1000",
            "marks": dict.fromkeys(MARKABLE, mark),
        }

    def vendor_set(self, kind: str) -> Iterable[str]:
        """The fields that the platform writes itself."""
        return (*_VENDOR_SET, "account_no") if kind == "AccountObj" else _VENDOR_SET

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """All fields, without the derived display names."""
        return self._shown(account, record)

    def links_of(self, account: Account, record: Stored) -> Iterable[Link]:
        """The lookups and the master."""
        for lookup in _LOOKUPS[record.kind]:
            if other := record.fields.get(lookup.name):
                yield Link(lookup.name, lookup.target, other)

    # -- the door ---------------------------------------------------------------------------------

    def account_of(self, call: Call) -> Account | None:
        """By the bearer token, the token in the body, or the appId of a token call."""
        given = call.headers.get("authorization", "")
        token = given.removeprefix("Bearer ").strip()
        body = call.json if not token or call.path in TOKEN_PATHS else None
        if isinstance(body, dict):
            if call.path in TOKEN_PATHS:
                app = body.get("appId")
                return next((a for a in self.accounts if a.keys["app_id"] == app), None)
            token = body.get("corpAccessToken") or token
        for account in self.accounts:
            if any(token == known for known, _ in account.memory.get("tokens", ())):
                return account
        # A dead token still names its tenant beside it: the refusal belongs in that one's log.
        tenant = call.headers.get("x-fs-ea") or (isinstance(body, dict) and body.get("corpId"))
        names = ("ea", "corp_id")
        return next((a for a in self.accounts if tenant in map(a.keys.get, names)), None)

    def describe(self, call: Call) -> None:
        """Which calls write, and which ids they name."""
        name = call.path.rsplit("/", 1)[-1]
        call.write = call.path in self._calls and (
            (
                call.path.startswith((PRESET, CUSTOM, "/cgi/crm/custom/data/"))
                and name not in ("get", "query", "findOne", "findSimple")
            )
            or name in ("lock", "unlock", "cancel")
        )
        body = call.json
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            return
        for key in ("object_data_id", "objectDataId", "objectId"):
            if isinstance(data.get(key), str):
                call.ids.append(data[key])
        for key in ("idList", "dataIds", "objectIds", "objectIDs"):
            if isinstance(data.get(key), list):
                call.ids += [str(one) for one in data[key]]
        if isinstance(data.get("Data"), list):
            call.ids += [str(one["objectDataId"]) for one in data["Data"]]
        if isinstance(data.get("object_data"), dict) and "_id" in data["object_data"]:
            call.ids.append(str(data["object_data"]["_id"]))

    def arrive(self, call: Call) -> None:
        """Notice token calls that run beside another of the same application."""
        if call.path in TOKEN_PATHS and call.account is not None:
            index = call.account.index
            if self._asking.get(index):
                self._crossed.add(id(call))
            self._asking[index] = self._asking.get(index, 0) + 1

    def leave(self, call: Call) -> None:
        """Forget a token call."""
        if call.path in TOKEN_PATHS and call.account is not None:
            self._asking[call.account.index] = max(0, self._asking[call.account.index] - 1)
            self._crossed.discard(id(call))

    def handle(self, call: Call) -> Reply | None:
        """Answer as the gateway does: HTTP 200 and an envelope, but for paths it does not map."""
        if call.method != "POST":
            return _gateway_page(405, "Not Allowed")
        account = call.account
        if call.path in TOKEN_PATHS:
            return self._token(call)
        if call.path.startswith("/oauth2.0/"):
            text = f"the request uri=[{call.path}],apiName=[null] is not exists"
            return self._reply(call, "", {}, 10006, text)
        route = self._calls.get(call.path)
        if route is None:
            return _gateway_page(404, "Not Found")
        user = ""
        try:
            asked = self._login(call)
            account, user = asked.account, asked.user
            self._meter(asked)
            if _yes(account.switches["trace_id_required"]) and not call.query("thirdTraceId"):
                raise _Deny(32000, "thirdTraceId为必填项，不能为空")
            more = route(asked)
        except _Deny as no:
            return self._reply(call, user, {}, no.code, no.message, no.detail)
        except _Business as no:
            code = (account or self.accounts[0]).switches["business_error_code"]
            return self._reply(call, user, {}, code, str(no), str(no))
        finally:
            changed = bool(call.changed)
        if changed and account.switches["drop_after_write"] in (True, "yes", "on"):
            return None
        return self._reply(call, user, more)

    def _reply(
        self,
        call: Call,
        user: str,
        more: Mapping[str, Any],
        code: int = 0,
        message: str = "OK",
        detail: str = "",
    ) -> Reply:
        if call.account is not None and user:
            stamp = call.account.clock.now().astimezone(_CHINA).strftime("%Y%m%d%H%M%S")
            trace = f"E-O.{call.account.keys['ea']}.{user}-{stamp}-{secrets.token_hex(3)}"
        elif call.path in TOKEN_PATHS:
            trace = f"open-api-gateway-web/{secrets.token_hex(8)}"
        else:
            trace = f"E-O.null.-1000-{secrets.token_hex(8)}"
        envelope: dict[str, Any] = {"traceId": trace, "errorMessage": message, "errorCode": code}
        if code == 0:
            envelope["errorDescription"] = "success"
        elif detail:
            envelope["errorDescription"] = detail
        return Reply.json({**envelope, **more})

    def refusal(self, call: Call, status: int) -> Reply:
        """A bare status comes from the gateway, never from the API: a page."""
        titles = {429: "Too Many Requests", 502: "Bad Gateway", 503: "Service Unavailable"}
        return _gateway_page(status, titles.get(status, "Error"))

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """`{"error_code": 30004}` answers the envelope with that code."""
        code = do.get("error_code", 0)
        if not isinstance(code, int) or code == 0:
            return None
        text = str(do.get("error_message") or _MESSAGES.get(code, "系统错误"))
        return self._reply(call, "1000" if call.account else "", {}, code, text, text)

    # -- login ------------------------------------------------------------------------------------

    def _token(self, call: Call) -> Reply:
        legacy = call.path == TOKEN_PATHS[1]
        try:
            body = call.json
        except ValueError:
            body = None
        if not isinstance(body, dict):
            body = {}
        account = call.account
        if account is None or body.get("appSecret") != account.keys["app_secret"]:
            # Recorded from the gateway: a wrong appId and a wrong secret answer alike.
            more = (
                {} if legacy else {"error": "非法请求", "error_description": "缺少参数或参数不合法"}
            )
            text = "the parameter appSecret is missing or illegal"
            return self._reply(call, "", more, 10006, text, "缺少参数或参数不合法")
        now = account.clock.epoch()
        if account.limits:
            if id(call) in self._crossed:
                return self._reply(call, "", {}, 14001, _MESSAGES[14001])
            window = account.memory.setdefault("token_window", RollingLimit(10, 60))
            if window.take("token", now):
                code = account.switches["rate_limit_code"]
                return self._reply(call, "", {}, code, _MESSAGES[code])
        if body.get("permanentCode") != account.keys["permanent_code"]:
            return self._reply(call, "", {}, 20015, _MESSAGES[20015], _MESSAGES[20015])
        if not legacy and body.get("grantType") != "app_secret":
            return self._reply(call, "", {}, 32000, "参数错误: grantType")
        tokens: list[tuple[str, float]] = account.memory.setdefault("tokens", [])
        if not tokens or not 0 <= now - tokens[-1][1] <= _TOKEN_SAME:
            tokens.append((secrets.token_hex(16).upper(), now))
        token, issued = tokens[-1]
        left = int(_TOKEN_LIFE - (now - issued))
        keys = account.keys
        answer: dict[str, Any]
        if legacy:
            answer = {"corpAccessToken": token, "corpId": keys["corp_id"], "expiresIn": left}
        else:
            answer = {
                "openUserId": keys["corp_id"],  # the company, whatever the name says
                "accessToken": token,
                "expiresIn": left,
                "appId": keys["app_id"],
                "ea": keys["ea"],
            }
        return self._reply(call, "", answer, message="success")

    def _login(self, call: Call) -> _Asked:
        try:
            body = call.json
        except ValueError as error:
            raise _Deny(32000, f"参数错误: {error}") from error
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise _Deny(32000)
        bearer = call.headers.get("authorization")
        legacy = body.get("corpAccessToken")
        if not bearer and not legacy:
            raise _Deny(20017)
        account = call.account
        if account is None or (bearer and legacy):
            raise _Deny(20016)
        token = legacy or str(bearer).removeprefix("Bearer ").strip()
        if bearer and not bearer.startswith("Bearer "):
            raise _Deny(20016)
        tokens = reversed(account.memory.get("tokens", []))
        issued = next((at for known, at in tokens if known == token), None)
        tenant = (
            call.headers.get("x-fs-ea") == account.keys["ea"]
            if bearer
            else body.get("corpId") == account.keys["corp_id"]
        )
        if issued is None or not tenant:
            raise _Deny(20016)
        if not 0 <= account.clock.epoch() - issued < _TOKEN_LIFE:
            raise _Deny(20016)
        people = {account.keys[f"user:{user}"]: user for user, _, _ in USERS}
        if bearer:
            user = call.headers.get("x-fs-userid", "")
            if not user:
                raise _Deny(10010)
            if user not in people.values():
                raise _Deny(30027)
        elif call.path == "/cgi/user/getByMobile":
            user = "1000"  # the call that finds out who one is
        else:
            given = body.get("currentOpenUserId")
            if not given:
                raise _Deny(10010)
            if given not in people:
                raise _Deny(20012)
            user = people[given]
        data = body.get("data")
        open_ids = bool(legacy) or body.get("convertUserId") is True
        return _Asked(account, user, call.path, body, data if data is not None else {}, open_ids)

    def _meter(self, asked: _Asked) -> None:
        account = asked.account
        if not account.limits:
            return
        quota = account.switches["daily_quota"]
        if quota <= 0:
            raise _Deny(30003)
        now = account.clock.epoch()
        window = account.memory.setdefault("window", RollingLimit(100, 20))
        if window.take(asked.path, now):
            code = account.switches["rate_limit_code"]
            raise _Deny(code, _MESSAGES[code], _MESSAGES[code])
        today = datetime.fromtimestamp(now, UTC).astimezone(_CHINA).date()
        day, used = account.memory.get("day", (today, 0))
        used = used + 1 if day == today else 1
        account.memory["day"] = (today, used)
        if used > quota:
            raise _Deny(30002)

    # -- the calls --------------------------------------------------------------------------------

    def _routes(self) -> dict[str, Callable[[_Asked], dict[str, Any]]]:
        both = {
            "create": self._create,
            "get": self._get,
            "query": self._query,
            "update": self._update,
            "invalid": self._invalid,
            "recover": self._recover,
            "delete": self._delete,
            "changeOwner": self._change_owner,
        }
        return {
            **{PRESET + name: route for name, route in both.items()},
            **{CUSTOM + name: route for name, route in both.items()},
            PRESET + "choose": self._choose,
            PRESET + "return": self._return,
            PRESET + "remove": self._remove,
            CUSTOM + "findOne": self._find_one,
            CUSTOM + "findSimple": self._query,
            "/cgi/crm/custom/data/invalid": self._bulk_invalid,
            "/cgi/crm/v2/object/lock": self._lock,
            "/cgi/crm/v2/object/unlock": self._lock,
            "/cgi/crm/v2/object/list": self._object_list,
            "/cgi/crm/v2/object/describe": self._object_describe,
            "/cgi/crm/v2/object/getNewLogInfoListForWeb": self._record_log,
            "/cgi/crm/crmLog/query": self._crm_log,
            "/cgi/crm/object/approvalInstances/query": self._approvals,
            "/cgi/crm/approvalInstance/get": self._approval,
            "/cgi/crm/v2/special/approval/instance/cancel": self._approval_cancel,
            "/cgi/user/list": self._user_list,
            "/cgi/user/getByMobile": self._user_by_mobile,
        }

    def _kind(self, asked: _Asked, api: Any, right: str = "read") -> str:
        """The object a call names, if the path takes it and the user has the right."""
        if not isinstance(api, str) or not api:
            raise _Deny(32000, "参数错误: dataObjectApiName")
        if api not in OBJECTS:
            raise _Business(f"对象[{api}]不存在")
        preset_only = asked.path.startswith(PRESET)
        accepts = _yes(asked.account.switches["preset_path_accepts_custom"])
        if preset_only and OBJECTS[api].custom and not accepts:
            raise _Business(f"预置对象接口不支持自定义对象[{api}]")
        revoked = asked.account.memory.get("revoked", ())
        ordinary = asked.user not in ADMINS
        for name in (right, *(() if right == "read" else ("*",))):
            if any((name, kind, "") in revoked for kind in (api, "")):
                raise _Business(f"没有{OBJECTS[api].label}{_RIGHTS.get(right, '')}权限")
        if ordinary and right in _ADMIN_RIGHTS:
            raise _Business(f"没有{OBJECTS[api].label}{_RIGHTS[right]}权限")
        if api == "PersonnelObj" and right != "read":
            raise _Business(f"没有人员{_RIGHTS.get(right, '')}权限")
        return api

    def _record(self, asked: _Asked, kind: str, id: str, right: str) -> Stored:
        """A record that the call may act on, whatever its state, but for gone ones."""
        record = asked.account.store.get(kind, id)
        if record is None:
            raise _Business("数据不存在")
        if record.state == GONE:
            raise _Business(_VOIDED_OR_DELETED)
        revoked = asked.account.memory.get("revoked", ())
        if (right, kind, id) in revoked or (right != "read" and ("*", kind, id) in revoked):
            raise _Business(_NO_DATA_RIGHT)
        mine = asked.user in record.fields.get("owner", ())
        if right != "read" and asked.user not in ADMINS and not mine:
            raise _Business(_NO_DATA_RIGHT)
        return record

    def _fields(self, account: Account, kind: str) -> dict[str, _Field]:
        fields = _FIELDS[kind]
        if MARKER in fields and not _yes(account.switches["marker_field"]):
            return {name: f for name, f in fields.items() if name != MARKER}
        return fields

    def _get(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "objectDataId"))
        kind = self._kind(asked, data["dataObjectApiName"])
        record = self._record(asked, kind, _id(data["objectDataId"]), "read")
        if record.state == VOIDED:
            match asked.account.switches["voided_get"]:
                case "error":
                    raise _Business(_VOIDED_OR_DELETED)
                case "empty":
                    return {"data": {}}
        return {"data": self._wire(asked, record)}

    def _create(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("object_data",), ("details", "optionInfo"))
        given = data["object_data"]
        if not isinstance(given, dict) or "dataObjectApiName" not in given:
            raise _Deny(32000, "参数错误: object_data.dataObjectApiName")
        kind = self._kind(asked, given["dataObjectApiName"], "create")
        details = data.get("details") or {}
        if not isinstance(details, dict):
            raise _Deny(32000, "参数错误: details")
        if kind == "CustomerAccountObj":
            raise _Business("客户账户随客户新建")
        made = self._made(asked, kind, given)
        pairs = []
        for api, rows in details.items():
            field = next((f for name, f in _DETAILS[kind] if name == api), None)
            if field is None or not isinstance(rows, list):
                raise _Business(f"{api}不是{kind}的从对象")
            pairs += [(api, {**row, field: made.id}) for row in rows if isinstance(row, dict)]
        store = asked.account.store
        children = [self._made(asked, api, row, made.id) for api, row in pairs]
        store.add(made)
        for child in children:
            store.add(child)
        if kind == "AccountObj":
            money = {"name": made.fields["name"], "customer_id": made.id}
            store.add(self._made(asked, "CustomerAccountObj", money))
        if OBJECTS[kind].custom and not _yes(
            asked.account.switches["create_custom_returns_dataId"]
        ):
            return {}
        return {"dataId": made.id}

    def _made(self, asked: _Asked, kind: str, given: Mapping[str, Any], master: str = "") -> Stored:
        account, now = asked.account, asked.account.clock.ms()
        given = {k: v for k, v in given.items() if k not in ("dataObjectApiName", "_id")}
        fields = self._written(
            asked,
            kind,
            {k: v for k, v in given.items() if k not in _READ_ONLY},
            creating=True,
            master=master,
        )
        if not fields.get("name"):
            raise _Business("主属性为必填项，不能为空")
        for lookup in _LOOKUPS[kind]:
            if lookup.required and not fields.get(lookup.name):
                raise _Business(f"{lookup.label}为必填项，不能为空")
        fields.setdefault("owner", [asked.user])
        fields["created_by"] = fields["last_modified_by"] = [asked.user]
        fields["create_time"] = fields["last_modified_time"] = now
        if asked.body.get("hasSpecifyTime") is True and "create_time" in given:
            if not isinstance(given["create_time"], int):
                raise _Deny(32000, "参数错误: create_time")
            fields["create_time"] = given["create_time"]
        if asked.body.get("hasSpecifyCreatedBy") is True and "created_by" in given:
            fields["created_by"] = self._people_in(asked, given["created_by"])
        if kind == "AccountObj":
            fields.setdefault("account_no", f"C{secrets.randbelow(10**7):07d}")
        number = account.memory["made"] = account.memory.get("made", 0) + 1
        salt = _Seeds(account).salt
        id = f"{now // 1000:08x}{salt:08x}{_CODES[kind]:02x}{number:06x}"
        return Stored(kind, id, {k: v for k, v in fields.items() if v is not None})

    def _written(
        self,
        asked: _Asked,
        kind: str,
        given: Mapping[str, Any],
        creating: bool = False,
        master: str = "",
    ) -> dict[str, Any]:
        """Values that a create or update may write, as they are stored; None empties a field."""
        known = self._fields(asked.account, kind)
        out: dict[str, Any] = {}
        for name, value in given.items():
            field = known.get(name)
            if field is None:
                stem = name.rsplit("__", 1)[0]
                if stem in known and name.endswith(("__r", "__l", "__o", "__v", "__p", "__e")):
                    if creating:
                        continue  # derived names are passed over, as other read-only ones
                    raise _Business(f"字段[{name}]不可编辑")
                raise _Business(f"字段[{name}]不存在")
            if name in _READ_ONLY or (name == "owner" and not creating):
                raise _Business(f"字段[{name}]不可编辑")
            if value is None or value == "" or value == []:
                out[name] = None
                continue
            if name in _PEOPLE:
                value = self._people_in(asked, value)
            elif field.target:
                other = asked.account.store.get(field.target, _id(value))
                # A detail may arrive with its master, which is stored a moment later.
                if value != master and (other is None or other.state in (VOIDED, GONE)):
                    raise _Business(f"{field.label}: {_VOIDED_OR_DELETED}")
            elif field.type in _NUMBERS:
                try:
                    Decimal(str(value))
                except InvalidOperation as error:
                    raise _Business(f"字段[{name}]不是数字") from error
                value = str(value)
            elif field.type in _TIMES and not isinstance(value, int):
                raise _Business(f"字段[{name}]不是毫秒时间")
            elif field.type == "true_or_false" and not isinstance(value, bool):
                raise _Business(f"字段[{name}]不是布尔值")
            elif field.type in ("department", "embedded_object_list"):
                if not isinstance(value, list):
                    raise _Business(f"字段[{name}]不是列表")
            elif field.type not in _TIMES and field.type != "true_or_false":
                if not isinstance(value, str):
                    raise _Business(f"字段[{name}]不是文本")
                if len(value) > 256 and field.type == "text":
                    raise _Business(f"字段[{name}]超过最大长度")
            out[name] = value
        return out

    def _update(self, asked: _Asked) -> dict[str, Any]:
        custom = asked.path.startswith(CUSTOM)
        allowed = ("details", "optionInfo", *(("skipDataStatusValidate",) if custom else ()))
        data = _keys(asked.data, ("object_data",), allowed)
        given = data["object_data"]
        if not isinstance(given, dict) or not {"_id", "dataObjectApiName"} <= set(given):
            raise _Deny(32000, "参数错误: object_data._id, object_data.dataObjectApiName")
        kind = self._kind(asked, given["dataObjectApiName"], "update")
        record = self._record(asked, kind, _id(given["_id"]), "update")
        if record.state == VOIDED:
            raise _Business(_VOIDED_OR_DELETED)
        if data.get("skipDataStatusValidate") is not True:
            self._open_for(record, "编辑")
        changes = {k: v for k, v in given.items() if k not in ("_id", "dataObjectApiName")}
        written = self._written(asked, kind, changes)
        if "name" in written and not written["name"]:
            raise _Business("主属性为必填项，不能为空")
        self._stamp(asked.account, asked.user, record, written)
        return {}

    def _change_owner(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "Data"))
        kind = self._kind(asked, data["dataObjectApiName"], "changeOwner")
        if not isinstance(data["Data"], list) or not data["Data"]:
            raise _Deny(32000, "参数错误: Data")
        owners: dict[str, list[str]] = {}
        for row in data["Data"]:
            _keys(row, ("objectDataId", "ownerId"))
            owners[_id(row["objectDataId"])] = self._people_in(asked, row["ownerId"])

        def check(id: str) -> Stored:
            record = self._record(asked, kind, id, "changeOwner")
            if record.state == VOIDED:
                raise _Business(_VOIDED_OR_DELETED)
            self._open_for(record, "更换负责人")
            return record

        def apply(record: Stored) -> None:
            self._stamp(asked.account, asked.user, record, {"owner": owners[record.id]})

        return self._each(asked, list(owners), check, apply)

    def _each(
        self,
        asked: _Asked,
        ids: Sequence[str],
        check: Callable[[str], Stored],
        apply: Callable[[Stored], None],
    ) -> dict[str, Any]:
        """Go through a list as the switch `list_partial` says; an id named twice is done once."""
        ids = list(dict.fromkeys(ids))
        if asked.account.switches["list_partial"] == "all_or_nothing":
            for record in [check(id) for id in ids]:
                apply(record)
        else:
            for id in ids:
                apply(check(id))
        return {}

    def _choose(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("apiName", "objectIds"))

        def apply(record: Stored) -> None:
            fields = {"owner": [asked.user], "biz_status": "un_processed"}
            self._stamp(asked.account, asked.user, record, fields)

        return self._pool(asked, data["objectIds"], True, apply)

    def _return(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(
            asked.data, ("apiName", "objectIds", "objectPoolId", "backReason"), ("backReason__o",)
        )
        if data["backReason"] not in ("0", "1", "2", "other"):
            raise _Deny(32000, "参数错误: backReason")
        field = self._pool_field(asked)
        pool = asked.account.store.get(_FIELDS[data["apiName"]][field].target, data["objectPoolId"])
        if pool is None or pool.state != LIVE:
            raise _Business("公海不存在")

        def apply(record: Stored) -> None:
            fields = {field: pool.id, "owner": None, "biz_status": "un_allocated"}
            self._stamp(asked.account, asked.user, record, fields)

        return self._pool(asked, data["objectIds"], False, apply)

    def _remove(self, asked: _Asked) -> dict[str, Any]:
        needed = ("apiName", "objectIDs", "objectPoolId", "isKeepOwner")
        data = _keys(asked.data, needed, ("owner",))
        field = self._pool_field(asked)
        owner = data.get("owner") or asked.user

        def apply(record: Stored) -> None:
            if record.fields.get(field) != data["objectPoolId"]:
                raise _Business("数据不在该公海")
            fields: dict[str, Any] = {field: None, "biz_status": "un_processed"}
            if data["isKeepOwner"] is not True or not record.fields.get("owner"):
                fields["owner"] = self._people_in(asked, [owner])
            self._stamp(asked.account, asked.user, record, fields)

        return self._pool(asked, data["objectIDs"], None, apply)

    def _pool_field(self, asked: _Asked) -> str:
        field = _POOLED.get(asked.data["apiName"])
        if field is None:
            raise _Deny(32000, "参数错误: apiName")
        return field

    def _pool(
        self, asked: _Asked, ids: Any, pooled: bool | None, apply: Callable[[Stored], None]
    ) -> dict[str, Any]:
        self._pool_field(asked)
        kind = self._kind(asked, asked.data["apiName"], "update")

        def check(id: str) -> Stored:
            record = asked.account.store.get(kind, id)
            if record is None or record.state in (VOIDED, GONE):
                raise _Business(_VOIDED_OR_DELETED)
            if pooled is not None and self._in_pool(record) != pooled:
                raise _Business("数据不在公海" if pooled else "数据已在公海")
            return record

        return self._each(asked, _id_list(ids), check, apply)

    def _object_list(self, asked: _Asked) -> dict[str, Any]:
        objects = [
            {
                "describeApiName": o.api,
                "describeDisplayName": o.label,
                "defineType": "custom" if o.custom else "package",
                "isActive": True,
                "iconPath": "",
                "iconIndex": 0,
                "hideButton": False,
                "publicObject": False,
            }
            for o in OBJECTS.values()
        ]
        return {"data": {"objects": objects}}

    def _object_describe(self, asked: _Asked) -> dict[str, Any]:
        api = asked.data.get("apiName") if isinstance(asked.data, dict) else None
        # Older clients send it beside `data`.
        kind = self._kind(asked, api or asked.body.get("apiName"))
        custom = OBJECTS[kind].custom
        fields = self._fields(asked.account, kind)
        describe = {
            "api_name": kind,
            "display_name": OBJECTS[kind].label,
            "define_type": "custom" if custom else "package",
            "package": "CRM",
            "is_active": True,
            "fields": {name: field.shown() for name, field in fields.items()},
        }
        return {"data": {"describe": describe}}

    def _record_log(self, asked: _Asked) -> dict[str, Any]:
        _keys(asked.data, ("apiName", "objectId"), ("operationalType", "pageNumber", "pageSize"))
        return {"data": {"modifyRecordList": [], "pageInfo": {"pageCount": 1}}}

    def _crm_log(self, asked: _Asked) -> dict[str, Any]:
        _keys(asked.data, ("pageNumber", "pageSize", "QueryInfo"))
        return {"data": {}}

    def _user_list(self, asked: _Asked) -> dict[str, Any]:
        if "departmentId" not in asked.body and "departmentId" not in asked.data:
            raise _Deny(32000, "参数错误: departmentId")
        users = [
            {
                "openUserId": self._person_out(asked, user),
                "account": phone,
                "name": name,
                "nickName": name,
                "isStop": False,
                "departmentIds": [1123],
                "employeeNumber": user,
                "createTime": 1672531200000,
                "leaderId": "1000",
            }
            for user, name, phone in USERS
        ]
        return {"userList": users, "errorMessage": "success", "errorDescription": "成功"}

    def _user_by_mobile(self, asked: _Asked) -> dict[str, Any]:
        mobile = asked.body.get("mobile")
        if not mobile:
            raise _Deny(32000, "参数错误: mobile")
        found = [
            {
                "openUserId": asked.account.keys[f"user:{user}"],
                "name": name,
                "mobile": phone,
                "email": f"u{user}@mail.example",
                "status": "NORMAL",
                "mainDepartmentIds": [1123],
                "departmentIds": [1123],
            }
            for user, name, phone in USERS
            if phone == str(mobile)
        ]
        return {"empList": found, "errorMessage": "success"}

    # -- people and shapes ------------------------------------------------------------------------

    def _people_in(self, asked: _Asked, value: Any) -> list[str]:
        if not isinstance(value, list) or not value:
            raise _Business("人员字段必须是列表")
        known = {asked.account.keys[f"user:{user}"]: user for user, _, _ in USERS}
        ids = [known.get(one, one) for one in map(str, value)]
        if any(one not in known.values() for one in ids):
            raise _Deny(30027)
        return ids

    def _person_out(self, asked: _Asked, user: str) -> str:
        return asked.account.keys.get(f"user:{user}", user) if asked.open_ids else user

    def _shown(self, account: Account, record: Stored) -> dict[str, Any]:
        """A record with all that the platform adds, people as employee ids."""
        code = _CODES[record.kind]
        out = {
            "_id": record.id,
            "tenant_id": account.keys["tenant_id"],
            "object_describe_id": f"5cef84d3ec347f00015{code:05x}",
            "object_describe_api_name": record.kind,
            **_DEFAULTS,
            **record.fields,
            "is_deleted": record.state == VOIDED,
        }
        if owner := record.fields.get("owner"):
            out["relevant_team"] = [
                {
                    "teamMemberEmployee": owner,
                    "teamMemberType": "0",
                    "teamMemberRole": "1",
                    "teamMemberPermissionType": "2",
                }
            ]
        if not _yes(account.switches["marker_field"]):
            out.pop(MARKER, None)
        return out

    def _wire(
        self, asked: _Asked, record: Stored, projection: Any = None, derived: bool = True
    ) -> dict[str, Any]:
        out = self._shown(asked.account, record)
        if asked.open_ids:
            for name in _PEOPLE & out.keys():
                out[name] = [self._person_out(asked, one) for one in out[name]]
        if asked.body.get("includeNull") is True:
            out = {**dict.fromkeys(self._fields(asked.account, record.kind)), **out}
        if derived:
            out["created_by__r"] = {}
            for lookup in _LOOKUPS[record.kind]:
                target = record.fields.get(lookup.name)
                other = asked.account.store.get(lookup.target, target) if target else None
                if other is not None and other.state != GONE:
                    out[f"{lookup.name}__r"] = other.fields.get("name")
        if isinstance(projection, list) and projection:
            wanted = {"_id", *projection}
            out = {name: value for name, value in out.items() if name in wanted}
        return out

    # -- queries ----------------------------------------------------------------------------------

    def _query(self, asked: _Asked) -> dict[str, Any]:
        allowed = ("find_explicit_total_num", "field_projection")
        data = _keys(asked.data, ("dataObjectApiName", "search_query_info"), allowed)
        kind = self._kind(asked, data["dataObjectApiName"])
        info = _keys(
            data["search_query_info"],
            ("limit", "offset", "filters", "orders"),
            ("fieldProjection",),
        )
        limit, offset = info["limit"], info["offset"]
        for value in (limit, offset):
            if not isinstance(value, int) or isinstance(value, bool):
                raise _Deny(32000, "参数错误: limit, offset")
        if not 1 <= limit <= 100:
            raise _Deny(32000, "参数错误: limit不能超过100")
        if offset > 10000:
            raise _Deny(10013, "offset out of range 10000", "offset 不能超过10000")
        if offset < 0 or offset % limit:
            raise _Deny(32000, "参数错误: offset必须是limit的整数倍")
        counted = (
            data.get("find_explicit_total_num") is not False
            and asked.body.get("returnTotalNum") != 3
            and asked.body.get("need_return_count_num") is not False
        )
        found = self._found(asked, kind, info["filters"], info["orders"])
        page = list(islice(found, offset, offset + limit))
        # When the page is not full, what came before it is all there was.
        total = offset + len(page) + sum(1 for _ in found) if counted and page else 0
        if counted and not page and offset:
            total = sum(1 for _ in self._found(asked, kind, info["filters"], []))
        simple = asked.path.endswith("/findSimple")
        wanted = data.get("field_projection") or info.get("fieldProjection")
        rows = [self._wire(asked, record, wanted, derived=not simple) for record in page]
        return {"data": {"dataList": rows, "offset": offset, "limit": limit, "total": total}}

    def _find_one(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "search_query_info"), ("field_projection",))
        kind = self._kind(asked, data["dataObjectApiName"])
        parts = ("limit", "offset", "filters", "orders", "fieldProjection")
        info = _keys(data["search_query_info"], (), parts)
        first = next(
            self._found(asked, kind, info.get("filters") or [], info.get("orders") or []), None
        )
        found = {} if first is None else self._wire(asked, first, data.get("field_projection"))
        return {"data": {"objectData": found}}

    def _found(self, asked: _Asked, kind: str, filters: Any, orders: Any) -> Iterator[Stored]:
        """The records that a query means, in its order."""
        account = asked.account
        known = self._fields(account, kind)
        if not isinstance(filters, list) or not isinstance(orders, list):
            raise _Deny(32000, "参数错误: filters, orders")
        tests: list[tuple[str, Callable[[Any], bool]]] = []
        narrow: list[str] | None = None
        after: str | None = None
        by_lookup: tuple[str, list[str]] | None = None
        seen = set()
        for given in filters:
            _keys(given, ("field_name", "operator", "field_values"))
            name, operator, values = given["field_name"], given["operator"], given["field_values"]
            field = known.get(name)
            if field is None:
                raise _Business(f"字段[{name}]不存在")
            if not isinstance(values, list):
                raise _Deny(32000, "参数错误: field_values必须是列表")
            if name in _PEOPLE:
                people = {account.keys[f"user:{user}"]: user for user, _, _ in USERS}
                values = [people.get(one, one) for one in values]
            tests.append((name, _test(field, operator, values)))
            seen.add(name)
            texts = [one for one in values if isinstance(one, str)]
            if operator in ("EQ", "IN"):
                if name == "_id":
                    narrow = sorted(set(texts))
                elif field.target:
                    by_lookup = (name, texts)
            elif name == "_id" and operator == "GT" and len(texts) == 1:
                after = max(after or "", texts[0])
        states: tuple[str, ...] = VISIBLE
        if account.switches["voided_query"] in seen:
            states = (*VISIBLE, VOIDED)
        store = account.store
        records: Iterator[Stored]
        if narrow is not None:
            each = (store.get(kind, id) for id in narrow)
            records = (r for r in each if r is not None and r.state in states)
        elif by_lookup is not None:
            name, texts = by_lookup
            some = {r.id: r for text in texts for r in store.where(kind, name, text, *states)}
            records = iter([some[id] for id in sorted(some)])
        else:
            records = store.after(kind, after, *states)
        matching = (r for r in records if all(t(_value(r, n)) for n, t in tests))
        return self._ordered(known, matching, orders)

    def _ordered(
        self, known: Mapping[str, _Field], found: Iterator[Stored], orders: list[Any]
    ) -> Iterator[Stored]:
        keys: list[tuple[str, bool, _Field]] = []
        for order in orders:
            _keys(order, ("fieldName", "isAsc"))
            field = known.get(order["fieldName"])
            if field is None:
                raise _Business(f"字段[{order['fieldName']}]不存在")
            if not isinstance(order["isAsc"], bool):
                raise _Deny(32000, "参数错误: isAsc")
            keys.append((field.name, order["isAsc"], field))
        if not keys or keys[0][:2] == ("_id", True):
            return found  # candidates come in the order of their ids
        rows = list(found)
        for name, ascending, field in reversed(keys):

            def key(record: Stored, name: str = name, field: _Field = field) -> tuple[bool, Any]:
                value = _comparable(field, _value(record, name))
                return (value is not None, value if value is not None else "")

            rows.sort(key=key, reverse=not ascending)
        return iter(rows)

    # -- the life of a record ---------------------------------------------------------------------

    def _stamp(
        self, account: Account, user: str, record: Stored, fields: Mapping[str, Any]
    ) -> None:
        """Write fields as an edit does: a new version, by whom and when."""
        stamped = {
            **fields,
            "version": record.fields.get("version", 1) + 1,
            "last_modified_time": account.clock.ms(),
            "last_modified_by": [user],
        }
        account.store.change(record, stamped)

    @staticmethod
    def _in_pool(record: Stored) -> bool:
        field = _POOLED.get(record.kind)
        return bool(field and record.fields.get(field) and not record.fields.get("owner"))

    def _open_for(self, record: Stored, verb: str) -> None:
        """Refuse what a lock, a running approval or a pool forbids."""
        life = record.fields.get("life_status", "normal")
        if life == "in_change":
            raise _Business(f"变更中不可{verb}")
        if life == "under_review":
            raise _Business(f"审核中不可{verb}")
        if record.fields.get("lock_status") == "1":
            raise _Business(f"数据已锁定，不可{verb}")
        if self._in_pool(record):
            raise _Business(_NO_DATA_RIGHT)

    def _details(self, account: Account, record: Stored, *states: str) -> Iterator[Stored]:
        for child, field in _DETAILS[record.kind]:
            yield from account.store.where(child, field, record.id, *states)

    def _check_void(self, asked: _Asked, kind: str, id: str) -> Stored:
        record = self._record(asked, kind, id, "invalid")
        account = asked.account
        if record.state == VOIDED:
            if account.switches["void_twice"] == "ok":
                return record
            raise _Business(_VOIDED_OR_DELETED)
        if kind == "CustomerAccountObj":
            raise _Business("不可作废，随主对象作废")
        self._open_for(record, "作废")
        life = record.fields.get("life_status", "normal")
        if life == "ineffective" and account.switches["void_ineffective"] == "refuse":
            raise _Business("未生效的数据不可作废")
        if kind == "AccountObj":
            for money in account.store.where("CustomerAccountObj", "customer_id", id, *VISIBLE):
                if Decimal(money.fields.get("prepay_balance", "0")) > 0:
                    raise _Business("预存款金额不为零，无法作废！")
                if Decimal(money.fields.get("rebate_balance", "0")) > 0:
                    raise _Business("返利金额不为零，无法作废！")
        return record

    def _start_void(self, account: Account, user: str, record: Stored) -> None:
        if record.state == VOIDED:
            return
        asks = account.memory.get("approvals_for", ())
        if record.ref in asks or record.kind in asks:
            number = account.memory["instances"] = account.memory.get("instances", 0) + 1
            now = account.clock.ms()
            record.meta["instance"] = {
                "instanceId": f"{now // 1000:08x}{number:016x}",
                "instanceName": f"{OBJECTS[record.kind].label}作废审批",
                "dataId": record.id,
                "triggerType": "Invalid",
                "state": "in_progress",
                "createTime": now,
                "lastModifyTime": now,
                "endTime": 0,
                "flowApiName": "appr_void__crmappr",
                "applicantOpenUserId": account.keys[f"user:{user}"],
                "cancelTime": 0,
                "objectApiName": record.kind,
            }
            account.memory.setdefault("flows", []).append(record.meta["instance"])
            record.meta["before"] = record.fields.get("life_status", "normal")
            self._stamp(account, user, record, {"life_status": "in_change", "lock_status": "1"})
            account.store.lock(record)
            account.store.move(record, PENDING)
            return
        self._void(account, user, record, None)

    def _void(self, account: Account, user: str, record: Stored, master: str | None) -> None:
        before = record.meta.pop("before", None) or record.fields.get("life_status", "normal")
        fields: dict[str, Any] = {"life_status": "invalid", "life_status_before_invalid": before}
        record.meta.pop("with", None)
        if master is not None:
            record.meta["with"] = master
        if record.kind == "CustomerAccountObj":
            fields["lock_status"] = "1"
            account.store.lock(record)
        self._stamp(account, user, record, fields)
        account.store.move(record, VOIDED)
        for detail in self._details(account, record, *VISIBLE):
            self._void(account, user, detail, record.ref)

    def _invalid(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "object_data_id"))
        kind = self._kind(asked, data["dataObjectApiName"], "invalid")
        record = self._check_void(asked, kind, _id(data["object_data_id"]))
        self._start_void(asked.account, asked.user, record)
        return {}

    def _bulk_invalid(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "idList"))
        if asked.user not in ADMINS:
            raise _Business("Bad Request")
        kind = self._kind(asked, data["dataObjectApiName"], "invalid")
        if not OBJECTS[kind].custom:
            raise _Business(f"对象[{kind}]不支持批量作废")
        return self._each(
            asked,
            _id_list(data["idList"]),
            lambda id: self._check_void(asked, kind, id),
            lambda record: self._start_void(asked.account, asked.user, record),
        )

    def _recover(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "idList"))
        kind = self._kind(asked, data["dataObjectApiName"], "recover")

        def check(id: str) -> Stored:
            record = self._record(asked, kind, id, "recover")
            if record.state != VOIDED:
                raise _Business("数据未作废，不可恢复")
            if kind == "DeliveryNoteObj":
                raise _Business("发货单不允许恢复")
            for lookup in _LOOKUPS[kind]:
                if lookup.type == "master_detail" and (up := record.fields.get(lookup.name)):
                    master = asked.account.store.get(lookup.target, up)
                    if master is None or master.state in (VOIDED, GONE):
                        raise _Business(f"{lookup.label}已作废，请恢复关联对象")
            return record

        return self._each(
            asked,
            _id_list(data["idList"]),
            check,
            lambda record: self._bring_back(asked.account, asked.user, record),
        )

    def _bring_back(self, account: Account, user: str, record: Stored) -> None:
        before = record.fields.get("life_status_before_invalid") or "normal"
        fields: dict[str, Any] = {"life_status": before, "life_status_before_invalid": None}
        record.meta.pop("with", None)
        if record.kind == "CustomerAccountObj":
            fields["lock_status"] = "0"
            account.store.lock(record, False)
        self._stamp(account, user, record, fields)
        account.store.move(record, LIVE)
        if account.switches["recover_cascade"] == "details":
            for detail in self._details(account, record, VOIDED):
                # Only what went with the master comes back; what was voided before stays voided.
                if detail.meta.get("with") == record.ref:
                    self._bring_back(account, user, detail)

    def _delete(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("dataObjectApiName", "idList"))
        kind = self._kind(asked, data["dataObjectApiName"], "delete")

        def check(id: str) -> Stored:
            record = self._record(asked, kind, id, "delete")
            if record.state != VOIDED and kind != "PriceBookProductObj":
                raise _Business("只能删除已作废的数据")
            for child, field in _REFERRERS[kind]:
                if field.on_delete == "do_not_allow" and asked.account.store.where(
                    child, field.name, id, *VISIBLE, VOIDED
                ):
                    raise _Business(f"数据被{OBJECTS[child].label}引用，不允许删除")
            return record

        return self._each(
            asked,
            _id_list(data["idList"]),
            check,
            lambda r: self._remove_for_good(asked.account, r),
        )

    def _remove_for_good(self, account: Account, record: Stored) -> None:
        for detail in list(self._details(account, record, *VISIBLE, VOIDED)):
            self._remove_for_good(account, detail)
        for child, field in _REFERRERS[record.kind]:
            for other in account.store.where(child, field.name, record.id, *VISIBLE, VOIDED):
                account.store.change(other, {field.name: None})
        account.store.remove(record)
        record.meta.clear()

    def _lock(self, asked: _Asked) -> dict[str, Any]:
        locking = asked.path.endswith("/lock")
        data = _keys(asked.data, ("dataObjectApiName", "dataIds"), ("detailObjStrategy",))
        kind = self._kind(asked, data["dataObjectApiName"], "lock" if locking else "unlock")
        strategy = data.get("detailObjStrategy", 1)
        if strategy not in (0, 1) or isinstance(strategy, bool):
            raise _Deny(32000, "参数错误: detailObjStrategy")

        def check(id: str) -> Stored:
            record = self._record(asked, kind, id, "lock" if locking else "unlock")
            if record.state == VOIDED:
                raise _Business(_VOIDED_OR_DELETED)
            if record.state == PENDING:
                raise _Business(f"变更中不可{'锁定' if locking else '解锁'}")
            return record

        def apply(record: Stored) -> None:
            self._set_lock(asked.account, asked.user, record, locking, bool(strategy))

        return self._each(asked, _id_list(data["dataIds"]), check, apply)

    def _set_lock(
        self, account: Account, user: str, record: Stored, locking: bool, details: bool
    ) -> None:
        if record.locked != locking:
            fields: dict[str, Any] = {"lock_status": "1", "lock_user": [user]}
            if not locking:
                fields = {"lock_status": "0", "lock_user": None}
            self._stamp(account, user, record, fields)
            account.store.lock(record, locking)
        if details:
            for detail in self._details(account, record, LIVE):
                self._set_lock(account, user, detail, locking, True)

    # -- approvals --------------------------------------------------------------------------------

    def _approvals(self, asked: _Asked) -> dict[str, Any]:
        wanted = _id(asked.body.get("dataId"))
        flows = asked.account.memory.get("flows", ())
        found = [{**flow} for flow in flows if flow["dataId"] == wanted]
        return {"instances": found, "errorMessage": "success"}

    def _approval(self, asked: _Asked) -> dict[str, Any]:
        wanted = _id(asked.body.get("instanceId"))
        for flow in asked.account.memory.get("flows", ()):
            if flow["instanceId"] == wanted:
                task = {"taskId": f"{wanted}t", "state": flow["state"], "name": "审批"}
                return {"instanceDetail": {"instance": {**flow}, "tasks": [task]}}
        raise _Business("审批流实例不存在")

    def _approval_cancel(self, asked: _Asked) -> dict[str, Any]:
        data = _keys(asked.data, ("objectId", "entityId"), ("opinion",))
        kind = self._kind(asked, data["entityId"], "read")
        record = self._record(asked, kind, _id(data["objectId"]), "invalid")
        if record.state != PENDING:
            raise _Business("没有进行中的审批")
        self._end_approval(asked.account, asked.user, record, "cancel")
        return {}

    def _end_approval(self, account: Account, user: str, record: Stored, state: str) -> None:
        flow = record.meta.pop("instance", None)
        if flow is not None:
            now = account.clock.ms()
            flow.update(state=state, lastModifyTime=now, endTime=now)
            if state == "cancel":
                flow["cancelTime"] = now
        account.store.lock(record, False)
        if state == "pass":
            account.store.change(record, {"lock_status": "0"})
            self._void(account, user, record, None)
            return
        before = record.meta.pop("before", "normal")
        self._stamp(account, user, record, {"life_status": before, "lock_status": "0"})
        account.store.move(record, LIVE)

    # -- what a person does -----------------------------------------------------------------------

    def ui(self, account: Account, act: Act) -> Iterable[str]:
        """Act as a person with every right does in the vendor's pages; give what changed."""
        if act.act in ("grant", "revoke"):
            return self._ui_rights(account, act)
        if act.kind not in OBJECTS:
            raise Refused(f"no object {act.kind!r}; there are: {', '.join(OBJECTS)}")
        if act.act == "require_approval":
            asks: set[str] = account.memory.setdefault("approvals_for", set())
            names = {f"{act.kind}/{id}" for id in act.ids} or {act.kind}
            if act.fields.get("required", True) is False:
                asks.difference_update(names)
            else:
                asks.update(names)
            return []
        records = []
        for id in act.ids:
            record = account.store.get(act.kind, id)
            if record is None or record.state == GONE:
                raise Refused(f"no {act.kind}/{id}")
            records.append(record)
        does = getattr(self, f"_ui_{act.act}", None)
        if does is None or act.act == "rights":
            raise Refused(f"{self.vendor} knows no act {act.act!r}")
        changed: list[str] = []
        account.store.touched = changed
        try:
            does(account, act, records)
        finally:
            account.store.touched = None
        return list(dict.fromkeys(changed))

    def _ui_rights(self, account: Account, act: Act) -> list[str]:
        given = str(act.fields.get("right", "*"))
        right = _RIGHT_WORDS.get(given, given)
        if right != "*" and right not in _RIGHTS:
            raise Refused(f"no right {given!r}; there are: {', '.join(_RIGHTS)}")
        revoked: set[tuple[str, str, str]] = account.memory.setdefault("revoked", set())
        marks = {(right, act.kind, id) for id in act.ids or ("",)}
        if act.act == "revoke":
            revoked.update(marks)
        elif right == "*":
            ids = set(act.ids or ("",))
            gone = {m for m in revoked if m[1] == act.kind and m[2] in ids}
            revoked.difference_update(gone)
        else:
            revoked.difference_update(marks)
        return []

    def _ui_restore(self, account: Account, act: Act, records: list[Stored]) -> None:
        for record in records:
            if record.state != VOIDED:
                raise Refused(f"{record.ref} is not voided")
            self._bring_back(account, "1000", record)

    def _ui_void(self, account: Account, act: Act, records: list[Stored]) -> None:
        for record in records:
            if record.state == LIVE:
                self._void(account, "1000", record, None)

    def _ui_delete(self, account: Account, act: Act, records: list[Stored]) -> None:
        for record in records:
            self._remove_for_good(account, record)

    def _ui_approve(self, account: Account, act: Act, records: list[Stored]) -> None:
        self._ui_decide(account, records, "pass")

    def _ui_reject(self, account: Account, act: Act, records: list[Stored]) -> None:
        self._ui_decide(account, records, "reject")

    def _ui_decide(self, account: Account, records: list[Stored], state: str) -> None:
        for record in records:
            if record.state != PENDING:
                raise Refused(f"no approval runs for {record.ref}")
            self._end_approval(account, "1000", record, state)

    def _ui_edit(self, account: Account, act: Act, records: list[Stored]) -> None:
        known = _FIELDS[act.kind]
        if unknown := set(act.fields) - set(known):
            raise Refused(f"{act.kind} has no {', '.join(sorted(unknown))}")
        for record in records:
            self._stamp(account, "1001", record, act.fields)

    def _ui_lock(self, account: Account, act: Act, records: list[Stored]) -> None:
        for record in records:
            self._set_lock(account, "1001", record, True, False)

    def _ui_unlock(self, account: Account, act: Act, records: list[Stored]) -> None:
        for record in records:
            self._set_lock(account, "1001", record, False, False)

    def _ui_merge(self, account: Account, act: Act, records: list[Stored]) -> None:
        """The ones merged away are voided; who looked up to them looks up to the one that stays."""
        winner = account.store.get(act.kind, act.into or "")
        if winner is None or winner.state != LIVE:
            raise Refused(f"into: no live {act.kind}/{act.into}")
        for record in records:
            if record is winner:
                continue
            if record.state != LIVE:
                raise Refused(f"{record.ref} cannot be merged away")
            for child, field in _REFERRERS[act.kind]:
                for other in account.store.where(child, field.name, record.id, *VISIBLE):
                    account.store.change(other, {field.name: winner.id})
            self._void(account, "1001", record, None)
            record.merged_into = winner.id


# -- comparing ------------------------------------------------------------------------------------


def _value(record: Stored, name: str) -> Any:
    if name in record.fields:
        return record.fields[name]
    if name == "_id":
        return record.id
    if name == "is_deleted":
        return record.state == VOIDED
    if name == "object_describe_api_name":
        return record.kind
    return _DEFAULTS.get(name)


def _comparable(field: _Field, value: Any) -> Any:
    """A value in the form that its field type is compared by; None for empty."""
    if value is None or value == "" or value == []:
        return None
    if field.type in _NUMBERS or field.type in _TIMES:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return None
    if field.type == "true_or_false":
        return "true" if value in (True, "true", "1", 1) else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _test(field: _Field, operator: Any, values: list[Any]) -> Callable[[Any], bool]:
    """What a filter asks of a value."""
    wanted = [_comparable(field, one) for one in values]
    wanted = [one for one in wanted if one is not None]
    several = frozenset(wanted)
    texts = frozenset(map(str, values))

    def one(value: Any) -> Any:
        return _comparable(field, value)

    def any_of(value: Any) -> bool:
        if isinstance(value, list):
            return not texts.isdisjoint(map(str, value))
        return one(value) in several

    def text(value: Any) -> str:
        return str(one(value) or "")

    needs = {"BETWEEN": 2, "NBETWEEN": 2}
    needs |= dict.fromkeys(("GT", "GTE", "LT", "LTE", "LIKE", "NLIKE", "STARTWITH", "ENDWITH"), 1)
    if operator in needs and len(wanted) != needs[operator]:
        raise _Deny(32000, f"参数错误: {operator}")
    first = wanted[0] if wanted else None
    low, high = (wanted[0], wanted[1]) if len(wanted) > 1 else (first, first)

    def within(value: Any) -> bool:
        at = one(value)
        return at is not None and bool(low <= at <= high)

    def compared(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda value: (at := one(value)) is not None and holds(at)

    tests: dict[str, Callable[[Any], bool]] = {
        "EQ": any_of,
        "N": lambda value: not any_of(value),  # empty values as well
        "IN": any_of,
        "NIN": lambda value: not any_of(value),
        "HASANYOF": any_of,
        "NHASANYOF": lambda value: not any_of(value),
        "CONTAINS": any_of,
        "IS": lambda value: one(value) is None,
        "ISN": lambda value: one(value) is not None,
        "GT": compared(lambda at: at > first),
        "GTE": compared(lambda at: at >= first),
        "LT": compared(lambda at: at < first),
        "LTE": compared(lambda at: at <= first),
        "LIKE": lambda value: str(first) in text(value),
        "NLIKE": lambda value: str(first) not in text(value),
        "STARTWITH": lambda value: text(value).startswith(str(first)),
        "ENDWITH": lambda value: text(value).endswith(str(first)),
        "BETWEEN": within,
        "NBETWEEN": lambda value: not within(value),
    }
    test = tests.get(operator) if isinstance(operator, str) else None
    if test is None:
        raise _Deny(32000, f"参数错误: operator {operator}")
    return test
