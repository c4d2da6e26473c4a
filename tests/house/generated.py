"""The parts of the pages that are made from the code; cog fills them in, and a test compares.

From the root: `python -m cogapp -r FILE`. Nothing here needs a network, a simulator or a client.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

import click

from crm_bridge import hookspecs
from crm_bridge.bridge import Bridge, MatrixRow
from crm_bridge.cli import markdown
from crm_bridge.cli.app import COMMANDS, app
from crm_bridge.cli.options import common
from crm_bridge.model.abilities import CascadeRule, Operation, Profile
from crm_bridge.registry import Registry

WIDTH = 100
TAKING = (Operation.VOID, Operation.ARCHIVE, Operation.DELETE, Operation.PURGE)

CHINESE = {
    "vendor": "厂商", "operation": "操作", "void": "作废 void", "archive": "归档 archive",
    "delete": "删除 delete", "purge": "彻底删除 purge", "restore": "恢复 restore",
    "afterwards": "之后的状态", "way back": "恢复方式", "open for": "期限", "source": "来源",
    "with a": "主记录", "these": "关联记录", "what happens": "会怎样", "comes back": "能否一起恢复",
    "same id": "原 id", "new id": "新 id", "by hand": "人工", "none": "无",
    "no limit known": "未见期限", "days": "天", "not guaranteed": "不保证",
    "follows": "一起走", "may follow": "可能一起走（厂商未说明）", "detaches": "只断开关联",
    "blocks": "阻止操作", "may block": "可能阻止操作", "yes": "能", "no": "不能",
    "nobody says": "厂商未说明", "native": "原生", "marked": "标记", "remade": "重建",
    "not yet": "尚未支持", "never": "不支持", "one a call": "每次 1 条", "kinds": "对象",
    "all": "全部", "voided": "已作废", "archived": "已归档", "deleted": "在回收站",
    "gone": "已消失", "live": "正常",
}  # fmt: skip
"""The words of the tables in Chinese."""


def profiles() -> list[Profile]:
    """The vendors that this distribution brings."""
    registry = Registry()
    return [registry.adapter_class(v).profile for v in registry.vendors(ours_only=True)]


def _say(text: str, lang: str) -> str:
    if lang == "en":
        return text
    if text in CHINESE:
        return CHINESE[text]
    text = re.sub(r"(\d+) a call", r"每次 \1 条", text).replace("one a call", "每次 1 条")
    text = re.sub(r"(\d+) days", r"\1 天", text).replace("(not guaranteed)", "（不保证）")
    for word in ("native", "marked", "remade", "by hand", "not yet", "never"):
        text = re.sub(rf"(^|; |\*\*){word}\b", rf"\1{CHINESE[word]}", text)
    return text


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]], lang: str) -> str:
    return markdown.table(
        [_say(c, lang) for c in columns], [[_say(cell, lang) for cell in row] for row in rows]
    )


# --- README.md ------------------------------------------------------------------------------------


def matrix(lang: str = "en") -> str:
    """What each vendor can do."""
    columns, body = markdown.cells(Bridge.matrix_of())
    return _table(columns, body, lang)


def windows(lang: str = "en") -> str:
    """How, and until when, each vendor can bring a record back; rows for all kinds."""
    told: dict[tuple[str, ...], None] = {}
    for row in Bridge.matrix_of():
        own = row.capability
        if own.operation in TAKING and own.doable and row.kind == "*":
            told[(row.title, own.operation.value, own.gives.value if own.gives else "",
                  own.window.undo.value.replace("_", " "), _open_for(row), )] = None  # fmt: skip
    sources: dict[tuple[str, str], str] = {}
    for row in Bridge.matrix_of():
        key = (row.title, row.capability.operation.value)
        if row.kind == "*" and row.capability.doable and key not in sources:
            sources[key] = _link(row)
    return _table(
        ("vendor", "operation", "afterwards", "way back", "open for", "source"),
        ([*cells, sources[cells[0], cells[1]]] for cells in told),
        lang,
    )


def _open_for(row: MatrixRow) -> str:
    window = row.capability.window
    if window.undo.value == "none":
        return "-"
    if window.days is None:
        return "no limit known"
    return f"{window.days} days" + ("" if window.guaranteed else " (not guaranteed)")


def _link(row: MatrixRow) -> str:
    own = row.capability
    return f"[{own.checked:%Y-%m-%d}]({own.source.split()[0]})" if own.checked else own.source


def cascades(lang: str = "en") -> str:
    """What goes along with the four common kinds when one is deleted, vendor by vendor."""
    rows: list[list[str]] = []
    for profile in profiles():
        usual = set(profile.aliases.values())
        rules = [r for r in profile.cascades if r.kind in usual]
        rows += [[profile.title, *cells] for cells in _grouped(rules)]
    columns = ("vendor", "operation", "with a", "these", "what happens", "comes back", "source")
    return _table(columns, rows, lang)


def _grouped(rules: Iterable[CascadeRule]) -> Iterator[list[str]]:
    back = {True: "yes", False: "no", None: "nobody says"}
    groups: dict[tuple[str, ...], list[str]] = {}
    for rule in rules:
        key = (rule.operation.value if rule.operation else "", rule.kind,
               rule.effect.value.replace("_", " "), back[rule.comes_back],
               rule.source or rule.note)  # fmt: skip
        groups.setdefault(key, []).append(rule.child)
    for (operation, kind, effect, comes, source), children in groups.items():
        first = source.split()[0] if source else ""
        link = f"[link]({first})" if first.startswith("http") else source
        yield [operation, kind, ", ".join(dict.fromkeys(children)), effect, comes, link]


def commands() -> str:
    """Each command with its arguments and options, as it stands."""
    shared = {option for each in common() for option in each.opts}
    lines = ["```"]
    for name, (_, told) in COMMANDS.items():
        command = app.get_command(click.Context(app), name)
        assert command is not None
        if isinstance(command, click.Group):
            words = ["|".join(command.commands)]
        else:
            words = list(_words(command, shared))
        lines += _wrapped(f"crm-bridge {name}", words)
        lines.append(f"    {told}")
    lines.append("```")
    return "\n".join(lines)


def _words(command: click.Command, shared: set[str]) -> Iterator[str]:
    context = click.Context(command)
    for param in command.params:
        if isinstance(param, click.Argument):
            yield param.make_metavar(context)
        elif isinstance(param, click.Option) and not set(param.opts) & shared:
            value = "" if param.is_flag else f" {param.make_metavar(context)}"
            text = f"{param.opts[0]}{value}"
            text = text if param.required else f"[{text}]"
            yield text + "..." * param.multiple


def _wrapped(head: str, words: Iterable[str]) -> list[str]:
    lines, line = [], head
    for word in words:
        if len(line) + len(word) + 1 > WIDTH:
            lines.append(line)
            line = "       "
        line += f" {word}"
    return [*lines, line]


# --- plugins/ -------------------------------------------------------------------------------------


def hooks() -> str:
    """Each hook with its arguments and what it is for."""
    lines = []
    for name, hook in vars(hookspecs).items():
        if inspect.isfunction(hook) and hasattr(hook, f"{hookspecs.GROUP}_spec"):
            signature = str(inspect.signature(hook)).replace("'", "")
            lines.append(f"- `{name}{signature}`: {inspect.getdoc(hook)}")
    return "\n".join(lines)


def vendor(name: str) -> str:
    """All rows of one vendor, what goes along, and what a way back loses."""
    profile = Registry().adapter_class(name).profile
    parts = [_rows(profile)]
    if profile.cascades:
        columns = ("operation", "with a", "these", "what happens", "comes back", "source")
        parts.append(markdown.table(columns, list(_grouped(profile.cascades))))
    if profile.losses:
        parts.append(markdown.table(
            ("kinds", "after", "by", "what is not as it was", "why"),
            [
                (loss.kind.replace("*", "all"), loss.operation.value if loss.operation else "any",
                 loss.support.value.replace("_", " ") if loss.support else "any way back",
                 loss.what, loss.why)
                for loss in profile.losses
            ],
        ))  # fmt: skip
    return "\n\n".join(parts)


def _rows(profile: Profile) -> str:
    rows = []
    for own in profile.capabilities:
        window = own.window
        back = "" if own.operation is Operation.RESTORE or not own.doable else (
            window.undo.value.replace("_", " ")
            + (f", {window.days} days" if window.days is not None else "")
            + (" (not guaranteed)" if window.days is not None and not window.guaranteed else "")
        )  # fmt: skip
        states = f"{'/'.join(s.value for s in own.takes)}→{own.gives.value}" if own.gives else ""
        page = f"[{own.checked or 'source'}]({own.source.split()[0]})" if own.source else ""
        rows.append((
            own.operation.value, ", ".join(own.kinds) or "all", own.support.value.replace("_", " "),
            states, str(own.batch) if own.doable else "", back, own.means or own.note, page,
        ))  # fmt: skip
    return markdown.table(
        ("operation", "kinds", "how", "states", "records a call", "way back", "by", "source"), rows
    )
