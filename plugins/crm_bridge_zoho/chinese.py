"""What the table and the checks say to people, in Chinese; `{}` stands for what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    "A new id; history, files, images and whatever else no insert takes stay lost.":
        "新的 ID；历史、文件、图片及其他无法写入的内容会丢失。",
    "It comes back with its record, never by itself, and no insert takes its file.":
        "只随其记录恢复，不能单独恢复；文件也无法通过接口重新写入。",
    "Only with mass_delete set; workflow rules fire, as nothing keeps them silent. That what it "
    "deletes goes to the bin is said nowhere for it by name.":
        "仅在设置 mass_delete 后使用；工作流规则会触发，无法静默。文档未明确说明其删除的记录进入回收站。",
    "Our own lock comes off first; nobody else's is touched.": "先解除我们自己的锁；他人的锁不会改动。",
    "Rows of its subforms go with it. A person may empty the bin earlier; at which hour of the last day "
    "Zoho does is said nowhere.":
        "子表单的行随之删除。人工可提前清空回收站；Zoho 在最后一天的具体清除时刻未有说明。",
    "lookups of locked records": "已锁定记录的查找字段",
    "whether Zoho fills them again is said nowhere, and what is locked is not written":
        "Zoho 是否会重新填充未有说明，而已锁定的记录不会被写入",
    "What went to the bin with a record is purged with it.": "随记录进入回收站的内容会一并彻底删除。",
    "Zoho documents no delete rule for lookups; they are observed only.":
        "Zoho 未说明删除时查找字段的规则，只能事后观察。",
    "Zoho documents no rule for lookups, only a list of records that stay and still point at a deleted "
    "one; whether they all do, and what their lookup then shows, is said nowhere.":
        "Zoho 未说明查找字段的规则，只提供仍指向已删除记录的列表；是否全部如此、字段显示什么，均无说明。",
    "Zoho has no archive; fields mark it, and a lock where record locking is configured.":
        "Zoho 没有归档：以字段标记，并在启用记录锁定时加锁。",
    "Zoho has no void; fields mark it, and a status of your own may be one of them.":
        "Zoho 没有作废：以字段标记，也可使用自定义状态。",
    "v8 only. Over 1,000 records, with children, Zoho schedules it and tells no job id. Whether "
    "workflow rules fire, whether stamps move and what becomes of a unique value that was taken "
    "meanwhile is said nowhere.":
        "仅限 v8。含下级超过 1,000 条时 Zoho 会排队执行且不返回任务 ID。工作流是否触发、时间戳是否变动、"
        "期间被占用的唯一值如何处理，均无说明。",
    "$converted": "转换状态（$converted）",
    "files and images": "文件与图片",
    "ids and stamps of subform rows": "子表单行的 ID 与时间戳",
    "rows of linking modules": "关联模块的行",
    "timeline": "时间线",
    "an insert makes a lead that is not converted": "新建的线索为未转换状态",
    "an insert makes the rows anew": "新建时会重新生成各行",
    "it stays with the old id": "它留在原 ID 上",
    "no insert takes them": "新建接口不接受",
    "they are made anew, and those of the old id may stay with one end empty":
        "会重新生成，原 ID 的行可能保留且一端为空",
    "what is deleted of {} goes to no bin: nothing brings it back.": "{} 删除后不进入回收站，无法恢复。",
    "Zoho's metadata says recycle_bin_on_delete = false. It is left alone here; what goes with a "
    "record of another module comes back with that.":
        "Zoho 元数据 recycle_bin_on_delete = false，因此此处不处理；随其他模块记录删除的会随之恢复。",
    "the token may not look into the recycle bin.": "令牌无权查看回收站。",
    "workflow rules, and what hangs on them, may fire.": "工作流规则及其后续动作可能触发。",
    "The settings say workflows = true.": "设置中 workflows = true。",
    "workflow rules are kept silent, by {}.": "工作流规则保持静默（{}）。",
    "Documented for v2 to v7; whether v8 still honours it is said nowhere. A mass delete takes no such "
    "parameter.": "文档仅说明 v2 至 v7；v8 是否仍有效未有说明。批量删除没有此参数。",
    "an empty trigger": "空的 trigger",
    "{} has no field {}, which would mark it.": "{} 没有用于标记的字段 {}。",
    "the field {} of {} cannot be written.": "字段 {}（{}）不可写入。",
    "it is a converted lead, which no update writes.": "这是已转换的线索，不能更新。",
    "its owner {} is not active.": "其负责人 {} 已停用。",
    "whether the owners of {} {} to be made anew are active is not known.":
        "{} 条待重新创建的 {}，其负责人是否在用未知。",
    "The token lacks the scope ZohoCRM.users.READ.": "令牌缺少权限 ZohoCRM.users.READ。",
}  # fmt: skip
"""English to Chinese."""
