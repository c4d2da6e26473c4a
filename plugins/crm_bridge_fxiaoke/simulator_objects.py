"""The objects that the enterprise has: fields, lookups, masters, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MARKER = "crm_bridge_status__c"
PROJECT = "object_Pj7x2__c"
PROJECT_LINE = "object_Ln3q8__c"

LIVE, PENDING, VOIDED, GONE = "live", "pending", "voided", "gone"
VISIBLE = (LIVE, PENDING)


@dataclass(frozen=True)
class Field:
    """One field of an object."""

    name: str
    label: str
    type: str = "text"
    target: str = ""
    on_delete: str = "set_null"
    options: tuple[tuple[str, str], ...] = ()
    system: bool = False
    required: bool = False
    unique: bool = False

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
            "is_unique": self.unique,
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


def _lookup(name: str, label: str, target: str, on_delete: str = "set_null") -> Field:
    return Field(name, label, "object_reference", target, on_delete)


def _master(name: str, label: str, target: str) -> Field:
    return Field(name, label, "master_detail", target, required=True)


_LIFE = (
    ("ineffective", "未生效"),
    ("under_review", "审核中"),
    ("normal", "正常"),
    ("in_change", "变更中"),
    ("invalid", "作废"),
)
_LEVELS = (("1", "重点"), ("2", "普通"), ("other", "其他"))
_SYSTEM = (
    Field("_id", "数据ID", system=True),
    Field("tenant_id", "企业ID", system=True, required=True),
    Field("object_describe_id", "对象描述ID", system=True, required=True),
    Field("object_describe_api_name", "对象名", system=True, required=True),
    Field("package", "包", system=True),
    Field("version", "版本", "number", system=True),
    Field("create_time", "创建时间", "date_time", system=True),
    Field("created_by", "创建人", "employee", system=True),
    Field("last_modified_time", "最后修改时间", "date_time", system=True),
    Field("last_modified_by", "最后修改人", "employee", system=True),
    Field("is_deleted", "是否作废", "true_or_false", system=True),
    Field("extend_obj_data_id", "扩展数据ID", system=True),
    Field("name", "名称", system=True, required=True),
    Field("owner", "负责人", "employee", required=True),
    Field("owner_department", "负责人主属部门"),
    Field("data_own_department", "归属部门", "department"),
    Field("data_own_organization", "归属组织", "department"),
    Field("relevant_team", "相关团队", "embedded_object_list"),
    Field("record_type", "业务类型", "record_type"),
    Field("life_status", "生命状态", "select_one", options=_LIFE, required=True),
    Field("life_status_before_invalid", "作废前生命状态"),
    Field("lock_status", "锁定状态", "select_one", options=(("0", "未锁定"), ("1", "锁定"))),
    Field("lock_rule", "锁定规则", "lock_rule"),
    Field("lock_user", "加锁人", "employee"),
    Field("out_owner", "外部负责人", "employee"),
    Field("out_tenant_id", "外部企业"),
    Field("origin_source", "数据来源", "select_one"),
    Field("order_by", "排序", "number"),
    Field("mc_currency", "币种", "select_one"),
)
# Written by the platform only: an update that names one is refused, a create passes them over.
READ_ONLY = frozenset(
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
PEOPLE = frozenset(f.name for f in _SYSTEM if f.type == "employee")
VENDOR_SET = (
    "_id",
    "version",
    "last_modified_time",
    "last_modified_by",
    "lock_user",
    "life_status_before_invalid",
    "extend_obj_data_id",
    "order_by",
)
_NOTE = Field("remark", "备注", "long_text")
_MARK = Field(MARKER, "归档标记")


@dataclass(frozen=True)
class Object:
    """One object."""

    api: str
    label: str
    own: tuple[Field, ...]
    markable: bool = False

    @property
    def custom(self) -> bool:
        """Whether a tenant made it."""
        return self.api.endswith("__c")


OBJECTS: dict[str, Object] = {
    o.api: o
    for o in (
        Object(
            "AccountObj",
            "客户",
            (
                Field("tel", "电话", "phone_number"),
                Field("url", "网址", "url"),
                Field("industry_level1", "行业"),
                Field("address", "详细地址"),
                Field("account_no", "客户编号", "auto_number"),
                _lookup("high_seas_id", "所属公海", "HighSeasObj"),
                Field("biz_status", "分配状态"),
                Field("employees__c", "员工数", "number"),
                Field("external_no__c", "外部编号"),
                Field("revenue__c", "年收入", "number"),
                _NOTE,
            ),
            markable=True,
        ),
        Object(
            "ContactObj",
            "联系人",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                Field("mobile1", "手机", "phone_number"),
                Field("email", "邮件", "email"),
                Field("job_title", "职务"),
                Field("external_no__c", "外部编号"),
                _NOTE,
            ),
            markable=True,
        ),
        Object(
            "LeadsObj",
            "销售线索",
            (
                Field("company", "公司"),
                Field("mobile", "手机", "phone_number"),
                Field("email", "邮件", "email"),
                Field("source", "来源"),
                Field("biz_status", "状态"),
                _lookup("leads_pool_id", "线索池", "LeadsPoolObj"),
                Field("external_no__c", "外部编号"),
                Field("code__c", "线索编码", unique=True),
                Field("level__c", "级别", "select_one", options=_LEVELS),
                _NOTE,
            ),
            markable=True,
        ),
        Object(
            "NewOpportunityObj",
            "商机2.0",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                Field("amount", "商机金额", "currency"),
                Field("sales_stage", "商机阶段"),
                Field("close_date", "预计成交日期", "date"),
                _NOTE,
            ),
            markable=True,
        ),
        Object(
            "ActiveRecordObj",
            "销售记录",
            (
                _lookup("account_id", "客户", "AccountObj"),
                Field("active_record_content", "内容", "long_text"),
                Field("finished__c", "已完成", "true_or_false"),
                Field("due_time__c", "跟进时间", "date_time"),
            ),
            markable=True,
        ),
        Object(
            "SalesOrderObj",
            "销售订单",
            (
                _lookup("account_id", "客户名称", "AccountObj"),
                _lookup("opportunity_id", "商机", "NewOpportunityObj"),
                Field("order_amount", "销售订单金额", "currency"),
                _NOTE,
            ),
            markable=True,
        ),
        Object(
            "SalesOrderProductObj",
            "订单产品",
            (
                _master("order_id", "销售订单", "SalesOrderObj"),
                Field("quantity", "数量", "number"),
                Field("subtotal", "小计", "currency"),
            ),
        ),
        Object(
            "AccountAddrObj",
            "客户地址",
            (_master("account_id", "客户", "AccountObj"), Field("address", "详细地址")),
        ),
        Object(
            "AccountFinInfoObj",
            "财务信息",
            (_master("account_id", "客户", "AccountObj"), Field("account_bank", "开户行")),
        ),
        Object(
            "CustomerAccountObj",
            "客户账户",
            (
                _master("customer_id", "客户", "AccountObj"),
                Field("prepay_balance", "预存款余额", "currency"),
                Field("rebate_balance", "返利余额", "currency"),
            ),
        ),
        Object(
            PROJECT,
            "项目",
            (
                _lookup("field_acc01__c", "客户", "AccountObj"),
                _lookup("field_guar1__c", "担保客户", "AccountObj", "do_not_allow"),
                Field("field_budg1__c", "预算", "currency"),
                Field("field_text1__c", "说明", "long_text"),
            ),
            markable=True,
        ),
        Object(
            PROJECT_LINE,
            "项目明细",
            (
                _master("field_proj1__c", "项目", PROJECT),
                Field("field_hours__c", "工时", "number"),
            ),
        ),
        Object(
            "PriceBookProductObj", "价目表明细", (Field("pricebook_price", "价格", "currency"),)
        ),
        Object("DeliveryNoteObj", "发货单", (Field("express_no", "物流单号"),)),
        Object("HighSeasObj", "公海", ()),
        Object("LeadsPoolObj", "线索池", ()),
        Object(
            "PersonnelObj",
            "人员",
            (Field("user_id", "员工ID"), Field("phone", "手机", "phone_number")),
        ),
    )
}
MARKABLE = tuple(o.api for o in OBJECTS.values() if o.markable)
POOLED = {"AccountObj": "high_seas_id", "LeadsObj": "leads_pool_id"}
CODES = {api: number for number, api in enumerate(OBJECTS, 1)}
FIELDS: dict[str, dict[str, Field]] = {
    o.api: {f.name: f for f in (*_SYSTEM, *o.own, *((_MARK,) if o.markable else ()))}
    for o in OBJECTS.values()
}
LOOKUPS = {api: [f for f in fields.values() if f.target] for api, fields in FIELDS.items()}
# The details of an object, and who looks up to it: (child object, its field).
DETAILS: dict[str, list[tuple[str, str]]] = {api: [] for api in OBJECTS}
REFERRERS: dict[str, list[tuple[str, Field]]] = {api: [] for api in OBJECTS}
for _api, _found in LOOKUPS.items():
    for _one in _found:
        if _one.type == "master_detail":
            DETAILS[_one.target].append((_api, _one.name))
        else:
            REFERRERS[_one.target].append((_api, _one))
DEFAULTS: dict[str, Any] = {
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
NUMBERS = ("number", "currency", "percentile")
TIMES = ("date", "date_time", "time")
