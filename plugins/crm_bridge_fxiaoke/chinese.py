"""What the table and the checks say to people, in Chinese; `{}` stands for what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    "seen in the vendor's public engine code of 2017 and 2018; the manual is silent on it":
        "见于厂商 2017—2018 年公开的引擎代码，手册未提及",
    "FxiaoKe has no archive: a field that an administrator adds and the settings name is written, and "
    "the record locked": "纷享销客没有归档：写入由管理员添加、设置指定的字段，并锁定记录",
    "a delete empties their fields; those that are void cannot be written again":
        "删除会清空它们的查找字段；已作废的记录无法再写入",
    "a new id; creation time and author are kept; fields hidden from the user who kept it stay lost, "
    "and no call tells which those are": "新的 ID；保留创建时间与创建人；对留存者隐藏的字段会丢失，"
        "且没有接口能说明是哪些",
    "fields hidden from this user": "对此用户隐藏的字段",
    "no call tells which there are, so no snapshot holds them and no plan can name them":
        "没有接口能说明有哪些，因此留存中没有，计划也无法列出",
    "a new record is in effect and open": "新记录为正常且未锁定状态",
    "a void starts whatever approval and automation the enterprise has set up for it, and no call "
    "switches that off; a void that waits for an approval is pending until somebody passes it.":
        "作废会触发企业配置的审批与自动化，且无法通过接口关闭；需审批的作废在通过之前处于待定状态。",
    "an administrator has to add a text field to the object, such as {}, and the settings to name it: "
    "{}": "须由管理员在对象上添加文本字段（如 {}），并在设置中指定：{}",
    "details are deleted with their master: {}": "从对象随主对象删除：{}",
    "details are voided with their master: {}": "从对象随主对象作废：{}",
    "it follows the owner as of now": "以负责人当前所属为准",
    "it needs no void first; nothing brings it back: a void can be undone, a delete cannot":
        "无需先作废；无法恢复：作废可以撤销，删除不能",
    "its recovery is refused afterwards, {}": "此后恢复会被拒绝，{}",
    "its recovery is refused, {}": "恢复会被拒绝，{}",
    "lists, by an older call; only where bulk_void = true in the settings":
        "旧接口的批量方式；仅在设置 bulk_void = true 时使用",
    "no limit of time is documented; what is voided stays until it is deleted":
        "未见时间限制；已作废的记录会保留至被删除",
    "nobody says whether details that were voided with a record come back with it; each is looked at":
        "随主对象作废的从对象是否随之恢复未有说明，会逐条复核",
    "nothing brings it back: a void can be undone, a delete cannot": "无法恢复：作废可以撤销，删除不能",
    "one record a call; an approval of the enterprise's may hold it as pending":
        "每次调用一条；企业审批可能使其处于待定",
    "the platform makes it by itself with an account made anew, {}": "平台会自动为重新创建的客户生成，{}",
    "{}; no page says it": "{}（文档未说明）",
    "the same as delete; nothing brings it back: a void can be undone, a delete cannot":
        "与删除相同；无法恢复：作废可以撤销，删除不能",
    "the team is made of the owner alone": "相关团队仅含负责人",
    "they are deleted with their master, and are not made anew; {}": "随主对象删除，且不会重新创建；{}",
    "they stay with the old id": "它们留在原 ID 上",
    "不可作废，随主对象作废: it is voided with its account only, {}": "不可作废，随主对象作废（{}）",
    "its describe says {} of a delete of its target": "其描述对目标删除的规定为 {}",
    "it stays and keeps the id; lists and reports show 数据已作废或已删除 in its place until the record "
    "is recovered": "它会保留并保存原 ID；在记录恢复之前，列表与报表显示“数据已作废或已删除”",
    "details": "从对象",
    "details that were void before": "此前已作废的从对象",
    "history of changes and approvals": "修改与审批历史",
    "records that looked up to it": "以查找字段指向它的记录",
    "{} are not in effect (未生效), and may not be voided.": "{} 未生效，可能无法作废。",
    "The vendor's pages say that only what is in effect can be voided, and its engine did void them; "
    "it is tried.": "厂商文档称只有已生效的记录可以作废，而其引擎实际可作废；将尝试执行。",
    "{} has no field {}, which would mark it.": "{} 没有用于标记的字段 {}。",
    "its owner {} is stopped (停用).": "其负责人 {} 已停用。",
    "{} is no longer among the values of its {}.": "{} 已不在其 {} 的可选值中。",
    "{} has its {} by now.": "{} 现已占用其 {}。",
    "whether the owners of {} {} to be made anew are active is not known.":
        "{} 条待重新创建的 {}，其负责人是否在用未知。",
    "This application may not list the employees.": "此应用无权列出员工。",
}  # fmt: skip
"""English to Chinese."""
