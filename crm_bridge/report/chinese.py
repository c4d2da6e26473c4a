"""The core's own sentences in Chinese; a vendor's are its plugin's, and stand in its profile.

`{}` stands for what changes: a number, a name, an address. It is taken over as it is, or in Chinese
where it is a sentence of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    # the loss statement
    "the vendor writes it itself": "由厂商自动写入",
    "a record that is made anew has a new one": "重新创建的记录会得到新的 ID",
    "what is locked is not written, so it stays untied": "已锁定的记录不会被写入，因此不再关联",
    "a restore asks by --on-conflict what to do": "恢复时由 --on-conflict 决定如何处理",
    "{} of them name what is away already: left out, or made without it":
        "其中 {} 条指向已不在的记录：恢复时跳过，或将该字段留空后创建",
    "ties of locked records": "已锁定记录的关联",
    "lookups to what is not there then": "届时指向已不在记录的查找字段",
    # limits, quota, reasons
    "{} records are more than the {} that a plan may take.": "{} 条记录超过单个计划允许的 {} 条。",
    "If that is meant, raise it by name: {}": "如确需如此，请明确放宽：{}",
    "how many {} there are in {} is not known, so the share is not checked.":
        "无法得知 {} 在 {} 中的总数，因此未检查比例上限。",
    "{} of {} live {} in {} are {}, more than {}.": "{}／{} 条有效 {}（{}）占 {}，超过 {}。",
    "{} has {} calls left today, {} of them kept for a restore; this plan needs about {}.":
        "{} 今日剩余 {} 次调用，其中 {} 次为恢复预留；本计划约需 {} 次。",
    "It takes {} days: about {} calls today, then resume after the reset at {}.":
        "需 {} 天：今日约 {} 次调用，配额于 {} 重置后再继续执行。",
    "It takes {} days: about {} calls today, then resume after the reset.":
        "需 {} 天：今日约 {} 次调用，配额重置后再继续执行。",
    "{} has {} calls left today, {} of them kept for a restore; to read these {} records, take them "
    "and look again needs at least {}.":
        "{} 今日剩余 {} 次调用，其中 {} 次为恢复预留；读取、处理并复核这 {} 条记录至少需要 {} 次。",
    "no reason and no code is given.": "未填写原因，也未选择原因代码。",
    "no reason is given.": "未填写原因。",
    "no code is given.": "未选择原因代码。",
    "Say why, for whoever asks later: {}": "请说明原因，以备日后查询：{}",
    # what was settled beforehand
    "{} of {} record(s) were not found.": "{}／{} 条记录未找到。",
    "{} of {} record(s) could be neither found nor read.": "{}／{} 条记录既找不到也读不到。",
    "{} of {} record(s) are in the bin already.": "{}／{} 条记录已在回收站中。",
    "{} of {} record(s) are locked.": "{}／{} 条记录已被锁定。",
    "{} of {} record(s) are blocked.": "{}／{} 条记录被阻止。",
    "{} of {} record(s) are protected, or take along what is.":
        "{}／{} 条记录受保护，或会牵连受保护的记录。",
    "{} of {} record(s) are held, or take along what is.":
        "{}／{} 条记录已被保留，或会牵连被保留的记录。",
    "{} of {} record(s) wait for an approval or a job.": "{}／{} 条记录正在等待审批或后台任务。",
    "{} of {} record(s) were changed by somebody else since.": "{}／{} 条记录此后已被他人修改。",
    "{} of {} record(s) were merged into others.": "{}／{} 条记录已并入其他记录。",
    "{} of {} record(s) were erased for good, and must not come back.":
        "{}／{} 条记录已被永久抹除，不得恢复。",
    "{} of {} record(s) have no window left.": "{}／{} 条记录已过恢复期限。",
    "{} of {} record(s) only a person can restore, in the vendor's page.":
        "{}／{} 条记录只能由人工在厂商页面恢复。",
    "{} of {} record(s) name a record that is not there.": "{}／{} 条记录指向已不存在的记录。",
    "{} of {} record(s) hold a value that the vendor takes no more.":
        "{}／{} 条记录含有厂商不再接受的值。",
    "{} of {} record(s) belong to somebody who is not active.": "{}／{} 条记录的负责人已停用。",
    "{} of {} record(s) hold a unique value that another record has now.":
        "{}／{} 条记录的唯一值现已被其他记录占用。",
    "{} of {} record(s) were never kept.": "{}／{} 条记录没有留存。",
    "{} of {} record(s) cannot be treated so yet.": "{}／{} 条记录目前尚不能如此处理。",
    "{} of {} record(s) can never be treated so.": "{}／{} 条记录不能如此处理。",
    "{} of {} record(s) may not be touched by this user.": "{}／{} 条记录当前用户无权处理。",
    "{} of {} record(s) are left alone ({}).": "{}／{} 条记录未处理（{}）。",
    # steps
    "{} will be made anew, under new ids.": "{} 将以新 ID 重新创建。",
    "Set by the vendor and not by us: {}. {}": "以下由厂商写入，我们不写：{}。{}",
    "nothing brings {} back after this: only making it anew from the snapshot is left.":
        "此后 {} 无法恢复，只能依据留存重新创建。",
    "nothing brings {} back after this: no way is left.": "此后 {} 再无任何恢复方式。",
    "a void would serve, and can be undone: {}": "作废即可满足需要，而且可以撤销：{}",
    "{} can be brought back by a person, in the vendor's page for {} days, guaranteed.":
        "{} 可由人工在厂商页面恢复，期限 {} 天，厂商保证。",
    "{} can be brought back by a person, in the vendor's page for {} days, not guaranteed.":
        "{} 可由人工在厂商页面恢复，期限 {} 天，厂商不保证。",
    "{} can be brought back for {} days, guaranteed.": "{} 可在 {} 天内恢复，厂商保证。",
    "{} can be brought back for {} days, not guaranteed.": "{} 可在 {} 天内恢复，厂商不保证。",
    # what goes along
    "{} ({} of {}) follow and do not come back.": "{}（依据 {}，所属 {}）随之处理，且不能恢复。",
    "{} ({} of {}) follow.": "{}（依据 {}，所属 {}）随之处理。",
    "{} ({} of {}) may follow; nobody says.": "{}（依据 {}，所属 {}）可能随之处理，厂商未说明。",
    "{} ({} of {}) stay, and lose their tie.": "{}（依据 {}，所属 {}）保留，但解除关联。",
    "{} ({} of {}) may block it.": "{}（依据 {}，所属 {}）可能阻止操作。",
    "{} ({} of {}) block it.": "{}（依据 {}，所属 {}）阻止操作。",
    "an unknown number of {}": "数量不明的 {}",
    "{} target(s) that stay lose a tie to what goes.": "{} 条保留的目标记录将失去与被处理记录的关联。",
    "They name records that this plan takes, or takes along.": "它们指向本计划处理或牵连的记录。",
    "{} that are out of reach stay, and lose their tie by {}.":
        "{} 条受保护或被保留的记录会保留，但失去 {} 上的关联。",
    "They name records that this plan takes.": "它们指向本计划处理的记录。",
    "{} name a record that is away already, in {}.": "{} 指向已不在的记录，字段：{}。",
    "Made anew they cannot name it: a restore leaves them out, unless --on-conflict null leaves that "
    "empty.": "重新创建时无法指向它：恢复时会跳过，除非用 --on-conflict null 将该字段留空。",
    "{} missing parent(s) are brought back as well.": "{} 条缺失的上级记录将一并恢复。",
    "That is what --on-conflict create asks for.": "这是 --on-conflict create 的要求。",
    "{} address(es) stood there more than once, and count once.": "{} 个地址重复列出，只计一次。",
    "A record is never sent twice.": "同一条记录不会发送两次。",
    # one record
    "somebody locked it in {}; unlock it first.": "已在 {} 中被锁定，请先解锁。",
    "somebody locked it since the plan was made.": "计划制定后已被锁定。",
    "it is not as the plan saw it; make a new plan for it.": "与计划时不同，请重新制定计划。",
    "{} hangs on it and keeps it from going.": "{} 关联于它，阻止了操作。",
    "{} hangs on it now, which the plan did not announce.": "现有 {} 关联于它，计划中没有列出。",
    "{} would go along with it, and is out of reach: {}": "{} 会随之处理，而它不可触及：{}",
    "{} would go along with it, and is left alone: {}.": "{} 会随之处理，而它已被跳过：{}。",
    "held since {} by {}: {}": "自 {} 起由 {} 保留：{}",
    "{} are out of reach in the settings.": "设置规定 {} 不可触及。",
    "the settings protect what has {}.": "设置保护满足 {} 的记录。",
    "it waits for an approval or a job.": "正在等待审批或后台任务。",
    "it is in the bin of {}; restore it first.": "已在 {} 的回收站中，请先恢复。",
    "{} shows no trace of it, nor does this journal.": "{} 与本日志中均无其踪迹。",
    "no run of this journal kept what it was.": "本日志没有留存其原貌。",
    "the window closed on {}; --remake makes it anew.":
        "恢复期限已于 {} 截止；--remake 可重新创建。",
    "{} brings it back no more; --remake makes it anew, under a new id.":
        "{} 已不能恢复；--remake 可以新 ID 重新创建。",
    "its {} names {}, which is not there; --on-conflict null leaves that empty, create brings it back "
    "as well.": "其 {} 指向 {}，该记录已不在；--on-conflict null 将其留空，create 则一并恢复。",
    "somebody changed it since: {}.": "此后已被他人修改：{}。",
    "the run stopped first ({}); resume takes it up.": "执行已提前停止（{}）；resume 可继续处理。",
    "the vendor said done, and a read shows that it is not.": "厂商答复已完成，但复核显示并未完成。",
    "{} field(s) are not as they were: {}.": "{} 个字段与原来不同：{}。",
    "as the plan said: {}.": "如计划所述：{}。",
    "{} went along, and nothing makes it anew": "{} 已随之处理，且无法重新创建",
    "{} is locked, and so is not tied to it again": "{} 已锁定，因此未重新关联",
}  # fmt: skip
"""English to Chinese."""


def chinese(text: str, more: Mapping[str, str]) -> str | None:
    """A sentence in Chinese; None where nobody gave it.

    Args:
        text: The sentence.
        more: What plugins give, in the same form as `SENTENCES`.
    """
    for known in (more, SENTENCES):
        if text in known:
            return known[text]
    for english, told in (*more.items(), *SENTENCES.items()):
        if "{}" not in english:
            continue
        found = _pattern(english).fullmatch(text)
        if found is not None:
            parts = (_part(part, more) for part in found.groups())
            return "".join(
                piece + part for piece, part in zip(told.split("{}"), (*parts, ""), strict=True)
            )
    head, colon, rest = text.partition(": ")
    said = chinese(rest, more) if colon and " " not in head else None
    return None if said is None else f"{head}：{said}"


def _part(text: str, more: Mapping[str, str]) -> str:
    return (chinese(text, more) or text) if " " in text else text


@cache
def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL)
