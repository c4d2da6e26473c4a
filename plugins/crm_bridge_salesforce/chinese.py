"""What the table and the checks say to people, in Chinese; `{}` stands for what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    "A ContentDocument takes no fields of one's own; archive it instead.":
        "ContentDocument 不接受自定义字段，请改用归档。",
    "A new id. Audit fields, auto-numbers, formulas, history, feed and shares are not set, nor what "
    "field-level security hid from the user who kept it: describe does not tell of that.":
        "新的 ID；审计字段、自动编号、公式、历史、动态和共享不会写入；"
        "因字段级安全对留存者隐藏的字段也不会写入，describe 不会提示这些字段。",
    "A record of it in use refuses the whole delete of its parent.":
        "只要有一条正在使用，其上级的整个删除就会被拒绝。",
    "A version cannot be deleted; delete its ContentDocument.": "版本不能删除，请删除其 ContentDocument。",
    "By itself an entry in use is archived; nobody says whether it keeps its product or price book.":
        "单独删除时，使用中的价格条目会被归档；是否阻止其产品或价格手册的删除未有说明。",
    "Deleted by itself it never enters the recycle bin, and nothing undeletes it.":
        "单独删除时不进入回收站，无法恢复。",
    "For good at once, with what went along; queryAll shows the rows for a day more.":
        "立即永久删除，连同随之处理的记录；queryAll 还会显示一天。",
    "Goes along, unless its status is in the category Activated: then the parent is refused.":
        "随之删除；但若状态属于“已激活”类别，上级的删除会被拒绝。",
    "IsArchived is the vendor's own archive: no everyday object but this has one.":
        "IsArchived 是厂商自带的归档，常用对象中只有它有。",
    "Its Body is required and not in the snapshot, so it is never made anew.":
        "其内容（Body）为必填且未留存，因此不能重新创建。",
    "No call makes an approval anew as it stood.": "没有接口能按原样重新创建审批。",
    "Nobody says whether an undelete of the parent ties it again.": "恢复上级后是否会重新关联，未有说明。",
    "Only SOAP and Apex undelete. Children that went along come back; lookups are tied again where "
    "nobody replaced them. A token in JWT form is refused.":
        "只有 SOAP 和 Apex 能恢复。随之删除的下级会一并恢复；未被他人改写的查找字段会重新关联。"
        "JWT 形式的令牌会被拒绝。",
    "Salesforce has no such verb: CRM_Bridge_Status__c, or the fields that the settings name, are "
    "written, and their old values are kept.":
        "Salesforce 没有此操作：改为写入 CRM_Bridge_Status__c 或设置指定的字段，并留存原值。",
    "Skips the recycle bin. The permission is off by default, for administrators too.":
        "不经过回收站。该权限默认关闭，管理员也一样。",
    "The contents of files are not kept.": "文件内容不会留存。",
    "The file itself is not in the snapshot, so it is never made anew.": "文件本身未留存，因此不能重新创建。",
    "The marked fields get their old values back.": "标记字段恢复为原值。",
    "The vendor's pages contradict each other, and a delete of an entry in use archives it; set "
    "IsActive to false instead.":
        "厂商文档相互矛盾，且删除使用中的条目只会将其归档；请改为将 IsActive 设为 false。",
    "The window is never a promise: a full bin drops its oldest records once they are two hours old, "
    "and anybody with Modify All Data can empty it.":
        "期限并非保证：回收站满时，最早的记录满两小时即被清除；拥有“修改所有数据”权限的人可随时清空。",
    "This kind has no undelete.": "此对象不支持恢复。",
    "Triggers, flows, validation and duplicate rules of the org run on delete, undelete and update; "
    "Salesforce has no switch for a call to go without them.":
        "删除、恢复和更新会触发组织的触发器、流程、校验和查重规则；Salesforce 没有跳过它们的开关。",
    "Users cannot be deleted; set IsActive to false instead.": "用户不能删除，请将 IsActive 设为 false。",
    "approvals and their locks": "审批及其锁定",
    "contents of files": "文件内容",
    "describe leaves them out without a word, so no snapshot holds them and no plan can name them":
        "describe 会不加提示地略去它们，因此留存中没有，计划也无法列出",
    "fields hidden from this user": "对此用户隐藏的字段",
    "field history, feed and sharing": "字段历史、动态与共享",
    "a new lead is unread by its owner": "新线索对负责人显示为未读",
    "a new record is in none of them": "新记录不在任何审批中",
    "no snapshot holds them": "留存中没有文件内容",
    "the platform computes it from whom it is about": "平台根据所关联的对象自动计算",
    "they stay with the old id": "它们留在原 ID 上",
    "this puts {} record(s) into a recycle bin with room for {}.":
        "本计划将 {} 条记录放入回收站，而回收站只剩 {} 条的空间。",
    "Older ones may be dropped for it, this plan's own once they are two hours old. Delete in parts, "
    "or empty the bin first.":
        "较早的记录可能因此被清除，本计划的记录满两小时后亦然。请分批删除，或先清空回收站。",
    "this user may not delete any {}.": "当前用户无权删除 {}。",
    "Describe says deletable=false: the kind has no delete, or the right is missing.":
        "元数据 deletable=false：该对象不可删除，或缺少权限。",
    "nothing undeletes a {}.": "{} 无法从回收站恢复。",
    "Describe says undeletable=false.": "元数据 undeletable=false。",
    "this login cannot undelete what it deletes.": "此登录无法恢复自己删除的记录。",
    "this login cannot undelete.": "此登录无法恢复记录。",
    "the contents of {} of {} are not kept.": "{}（{}）的内容不会留存。",
    "An undelete brings them back; a record that is made anew has none.":
        "从回收站恢复时会一并恢复；重新创建的记录则没有。",
    "only what this very user deleted can be brought back.": "只能恢复当前用户自己删除的记录。",
    "Undeleting what others deleted needs Modify All Data.": "恢复他人删除的记录需要“修改所有数据”权限。",
    "{} have followers that others name, which may block it.":
        "{} 的随从记录被其他记录引用，可能阻止操作。",
    "All that names them goes along too; nobody says whether it blocks all the same.":
        "引用它们的记录也会随之删除；是否仍会阻止，未有说明。",
    "{} Account have won opportunities, which may block it.": "{} 个客户有已赢单的业务机会，可能阻止操作。",
    "The page asks a person; nobody says whether the API refuses or deletes.":
        "页面会询问操作人；接口是拒绝还是删除，未有说明。",
    "the recycle bin holds {} record(s); {} more fit.": "回收站现有 {} 条记录，还可容纳 {} 条。",
    "The vendor's pages give its room as {}. Over it, the oldest are dropped once they have been there "
    "for two hours.": "厂商文档给出的容量为 {}。超出后，最早的记录满两小时即被清除。",
    "{} has its {} {} by now.": "{} 现已占用其 {} 的值 {}。",
    "its owner {} is not active.": "其负责人 {} 已停用。",
    "its {} names {}, which is not there.": "其 {} 指向 {}，该记录已不在。",
    "{} is no longer among the values of its {}.": "{} 已不在其 {} 的可选值中。",
    "Contact {}: Case {} ({}) keeps it from being deleted.": "联系人 {}：个案 {}（{}）阻止其删除。",
}  # fmt: skip
"""English to Chinese."""
