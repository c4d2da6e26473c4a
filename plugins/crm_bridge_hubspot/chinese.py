"""What the table and the checks say to people, in Chinese; `{}` stands for what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    "By HubSpot's rule they stay without their deal; of these nobody has confirmed it.":
        "按 HubSpot 的规则，它们会在没有交易的情况下保留；对此类记录尚未证实。",
    "HubSpot deletes them for good with the call": "HubSpot 会随通话记录将其永久删除",
    "HubSpot does not say whether a restore in the page brings associations back":
        "在页面恢复后关联是否恢复，HubSpot 未作说明",
    "HubSpot drops them at the delete and restores the record without them":
        "HubSpot 在删除时移除，恢复记录时不再带回",
    "HubSpot gives a record that is made anew its own": "HubSpot 会为重新创建的记录另行生成",
    "HubSpot has no such state; crm_bridge_status is written (crm-bridge setup makes it), or fields "
    "named in the settings. Workflows that watch a marked field do run; on 2026-09 paths an "
    "administrator's rules for required properties apply to the write.":
        "HubSpot 没有此状态；改为写入 crm_bridge_status（由 crm-bridge setup 创建）或设置指定的字段。"
        "监视标记字段的工作流会运行；2026-09 版接口还会执行管理员设置的必填规则。",
    "HubSpot's API purges contacts only. Delete it: HubSpot purges it by itself 90 days later, and a "
    "person can do so at once in the recycling bin (Permanently delete).":
        "HubSpot 接口只能彻底删除联系人。请先删除：90 天后 HubSpot 自动清除，"
        "人工也可在回收站中立即永久删除。",
    "HubSpot's word is archive. Associated records stay, their associations go. Only a person brings "
    "it back, in the recycling bin, with account access and the right to add and edit users; static "
    "list memberships and call recordings never come back.":
        "HubSpot 称之为 archive。关联的记录保留，但关联解除。只能由有权限的人在回收站中恢复；"
        "静态列表成员关系和通话录音无法恢复。",
    "Lost: id, creation date and source, property history, list memberships, recordings, form and "
    "e-mail history, marketing status. A remade contact takes the e-mail, and the recycling bin then "
    "refuses to restore the original. One whose person was erased must not be made anew.":
        "会丢失：ID、创建日期与来源、属性历史、列表成员关系、录音、表单与邮件历史、营销状态。"
        "重新创建的联系人会占用邮箱，回收站将拒绝恢复原联系人。已被抹除个人信息的联系人不得重新创建。",
    "No call of HubSpot's restores a record. A person does, in the recycling bin, within 90 days; a "
    "contact only while no active contact holds its e-mail.":
        "HubSpot 没有恢复接口，须由人工在 90 天内于回收站恢复；联系人还要求其邮箱未被其他联系人占用。",
    "The contact, its activities' links and its associations go for good, at once for users and within "
    "30 days in HubSpot's stores; its e-mail is put on a blocklist, so that pages and imports refuse to "
    "add the person again. It is asked for by record id and never by e-mail. Whether it takes a contact "
    "out of the bin nobody says; a person can.":
        "联系人、其活动关联及各项关联将永久消失：对用户立即生效，HubSpot 存储在 30 天内清除；"
        "其邮箱进入黑名单，页面与导入将拒绝再次添加此人。只按记录 ID 请求，绝不按邮箱。"
        "能否处理回收站中的联系人未有说明，人工可以。",
    "The marked fields get their old values back, exactly.": "标记字段准确恢复为原值。",
    "They stay; their associations with it go.": "它们保留，但与它的关联解除。",
    "They stay; their associations with it go. Whether a restore in the page brings those back nobody "
    "says.": "它们保留，但与它的关联解除；在页面恢复后关联是否恢复，未有说明。",
    "id and creation date": "ID 与创建日期",
    "links": "关联",
    "marketing status": "营销状态",
    "memberships of static lists": "静态列表成员关系",
    "property history and timeline": "属性历史与时间线",
    "recordings, hs_call_recording_url": "通话录音（hs_call_recording_url）",
    "the way back in the recycling bin": "回收站中的恢复途径",
    "no API endpoint of HubSpot's can set it": "HubSpot 没有接口可以写入",
    "the new contact holds the e-mail, and the page then refuses the original":
        "新联系人占用邮箱后，页面将拒绝恢复原联系人",
    "what HubSpot's API calls archive is a delete here: 90 days in the recycling bin, and only a "
    "person can restore it.": "HubSpot 接口所称的 archive 在此即删除：在回收站保留 90 天，且只能人工恢复。",
    "{} have no property {}, so that none can be made anew.": "{} 没有属性 {}，因此无法重新创建。",
    "crm-bridge setup makes it; it keeps a record from being made twice.":
        "crm-bridge setup 可创建该属性；它用于防止重复创建。",
    "this token may not write {}.": "此令牌无权写入 {}。",
    "It needs one of the scopes {}.": "需要以下权限之一：{}。",
    "{} have no property {} to mark.": "{} 没有可用于标记的属性 {}。",
    "crm-bridge setup makes crm_bridge_status; other fields are named in the settings.":
        "crm-bridge setup 可创建 crm_bridge_status；其他字段在设置中指定。",
    "static list memberships of these {} never come back.": "这些 {} 的静态列表成员关系无法恢复。",
    "HubSpot drops them at the delete, and restores the record without them.":
        "HubSpot 在删除时移除，恢复记录时不再带回。",
    "the recordings of calls are deleted for good.": "通话录音将被永久删除。",
    "HubSpot restores a call without its recording.": "HubSpot 恢复通话时不含录音。",
    "properties of {} that are {} are not in the snapshot.": "{} 的 {} 属性未能留存。",
    "The token lacks the scope to see them, so a remake cannot set them.":
        "令牌缺少查看权限，因此重新创建时无法写入。",
    "associations of {} with {} are not in the snapshot.": "{} 与 {} 的关联未能留存。",
    "The token lacks the scope to see them, so a remake cannot put them back.":
        "令牌缺少查看权限，因此重新创建时无法恢复。",
    "the e-mail of deleted contacts is held by an active contact.": "已删除联系人的邮箱被现有联系人占用。",
    "HubSpot's page refuses to restore these until that contact gives the e-mail up.":
        "在该联系人让出邮箱之前，HubSpot 页面会拒绝恢复。",
    "{} {} to be made anew belong to an owner who is archived.":
        "{} 条待重新创建的 {} 属于已停用的负责人。",
    "Whether HubSpot gives a new record to such an owner is said nowhere; it is tried.":
        "HubSpot 未说明新记录能否归属此类负责人；仍会尝试。",
    "whether the owners of {} records to be made anew are active is not known.":
        "{} 条待重新创建的记录，其负责人是否在用未知。",
    "The token lacks the scope crm.objects.owners.read.": "令牌缺少权限 crm.objects.owners.read。",
}  # fmt: skip
"""English to Chinese."""
