"""Invented companies, people, deals and activities, in Chinese and English, awkward ones included.

Each generator is a function of the seed alone and runs from the first row to the last, so a vendor
calls it once when a kind is first touched. `Awkward` says by arithmetic which row is of which sort:
the counts of a kind are known before any row is made. No row is of two sorts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

# What every kind has. A vendor appends sorts of its own (locked, merged, voided ...), which change
# nothing in the row's words.
TEXT_SORTS = (
    "emoji",
    "quotes",
    "backslash",
    "long",
    "duplicate",
    "formula",
    "plus_phone",
    "big_number",
    "orphan",
)

FIRST_MS = 1_672_531_200_000  # 2023-01-01, the oldest record
LAST_MS = 1_790_812_800_000  # 2026-10-01, the newest


def sizes(records: int) -> dict[str, int]:
    """How many of each common kind `--records` means."""
    return {
        "company": records,
        "lead": records,
        "contact": 2 * records,
        "deal": records // 2,
        "activity": 2 * records,
    }


class Awkward:
    """Which rows of a kind are of which awkward sort: of each about 1 % of the kind, at least 3."""

    def __init__(self, total: int, sorts: Sequence[str]) -> None:
        self.total = total
        self.sorts = tuple(sorts)
        want = max(3, total // 100)
        self._each = min(want, total // len(self.sorts)) if self.sorts else 0
        self._used = self._each * len(self.sorts)
        self._stride = total // self._used if self._used else 1

    def at(self, row: int) -> str:
        """The sort of a row, "" for an ordinary one."""
        place, rest = divmod(row, self._stride)
        if place >= self._used or rest != self._stride // 2:
            return ""
        return self.sorts[place % len(self.sorts)]

    def count(self, *sorts: str) -> int:
        """How many rows are of these sorts."""
        return sum(self._each for sort in self.sorts if sort in sorts)

    def rows(self, sort: str) -> Iterator[int]:
        """The rows of one sort."""
        at = self.sorts.index(sort)
        for turn in range(self._each):
            yield (turn * len(self.sorts) + at) * self._stride + self._stride // 2


class Company(NamedTuple):
    """A company, whatever the vendor calls it."""

    sort: str
    chinese: bool
    name: str
    phone: str
    website: str
    industry: str
    city: str
    street: str
    employees: int
    note: str
    number: int  # beyond 2^53 for the sort big_number
    revenue: str  # 18 decimals for the sort big_number
    created_ms: int
    changed_ms: int


class Person(NamedTuple):
    """A lead or a contact; `parent` is the row of the company, -1 for an orphan."""

    sort: str
    chinese: bool
    family: str
    given: str
    name: str
    title: str
    company: str
    phone: str
    email: str
    source: str
    note: str
    number: int
    parent: int
    created_ms: int
    changed_ms: int


class Deal(NamedTuple):
    """An opportunity; `parent` is the row of the company, -1 for an orphan."""

    sort: str
    chinese: bool
    name: str
    amount: str
    stage: int  # 0 ... 4; the vendor has its own words
    close_ms: int
    note: str
    parent: int
    created_ms: int
    changed_ms: int


class Activity(NamedTuple):
    """A call, visit, task; `parent` is the row of the company, -1 for an orphan."""

    sort: str
    chinese: bool
    subject: str
    text: str
    done: bool
    due_ms: int
    parent: int
    created_ms: int
    changed_ms: int


_CITIES = ("北京", "上海", "深圳", "杭州", "成都", "西安", "苏州", "武汉")
_TOWNS = ("London", "Berlin", "Austin", "Lyon", "Oslo", "Leeds", "Toronto", "Singapore")
_ROOTS = (
    "华辰",
    "金桥",
    "远航",
    "启明",
    "博雅",
    "天顺",
    "瑞丰",
    "中科",
    "东海",
    "恒信",
    "新锐",
    "宏图",
)
_TRADES = ("科技", "贸易", "制造", "物流", "医疗", "能源", "教育", "食品", "建筑", "传媒")
_FORMS = ("有限公司", "股份有限公司", "集团", "有限责任公司")
_STEMS = ("Harbor", "Summit", "Cedar", "Northwind", "Blue Fern", "Quartz", "Alder", "Kestrel")
_LINES = ("Logistics", "Foods", "Systems", "Energy", "Textiles", "Health", "Partners", "Media")
_ENDS = ("Ltd", "Inc", "GmbH", "LLC", "& Sons", "Group")
_INDUSTRIES = ("Technology", "Trade", "Manufacturing", "Logistics", "Health", "Energy", "Education")
_FAMILIES = ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "欧阳", "司马")
_GIVENS = ("伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "艳", "勇", "晓明", "雨桐", "子轩")
_SURNAMES = ("Smith", "Müller", "O'Neil", "Brown", "García", "Novák", "Jensen", "Lee", "Patel")
_FORENAMES = ("Anna", "Ben", "Chloé", "David", "Eva", "Frank", "Grace", "Henry", "Iris", "Jack")
_TITLES = ("采购经理", "总经理", "技术总监", "财务主管", "CEO", "Buyer", "IT Manager", "Owner")
_SOURCES = ("Web", "Phone", "Fair", "Partner", "Referral", "Campaign")
_DEALS = (
    "年度采购",
    "系统升级",
    "设备租赁",
    "Renewal",
    "New line",
    "Pilot",
    "Expansion",
    "服务合同",
)
_ACTS = ("电话回访", "上门拜访", "方案演示", "Call", "Meeting", "Follow-up", "Demo", "合同谈判")
_NOTES = (
    "",
    "重点客户, 每季度回访",
    "Prefers e-mail",
    "付款周期较长",
    "Met at the fair",
    "第一行\n第二行",
    "",
)


def _name(sort: str, name: str, at: int) -> str:
    match sort:
        case "emoji":
            return f"{name} 🚀👩‍💻"
        case "quotes":
            return f'{name} "O\'Hara" “引号”'
        case "backslash":
            return f"{name} C:\\temp\\{at}"
        case "long":
            return (f"{name} 长" * 60)[:255]
        case "formula":
            return f"=1+{at}&{name}"
    return name


def _number(sort: str, draw: Random) -> int:
    base = int(draw.random() * 1_000_000)
    return (1 << 53) + 1 + 2 * base if sort == "big_number" else base


def _times(draw: Random) -> tuple[int, int]:
    created = FIRST_MS + int(draw.random() * (LAST_MS - FIRST_MS))
    return created, created + int(draw.random() * (LAST_MS - created))


def _phone(sort: str, chinese: bool, draw: Random) -> str:
    digits = int(draw.random() * 100_000_000)
    if sort == "plus_phone":
        return f"+86 138 {digits // 10_000:04d} {digits % 10_000:04d}"
    return f"138{digits:08d}" if chinese else f"020 {digits // 10_000:04d} {digits % 10_000:04d}"


def companies(seed: int | str, awkward: Awkward) -> Iterator[Company]:
    """The companies, in the order of their rows."""
    draw = Random(f"{seed}:company")
    last: Company | None = None
    for row in range(awkward.total):
        sort = awkward.at(row)
        roll = draw.random
        chinese = roll() < 0.6
        if chinese:
            city = _CITIES[int(roll() * 8)]
            trade = f"{_TRADES[int(roll() * 10)]}{_FORMS[int(roll() * 4)]}"
            base = f"{city}{_ROOTS[int(roll() * 12)]}{trade}"
            street = f"{city}市人民路{row % 900 + 1}号"
        else:
            city = _TOWNS[int(roll() * 8)]
            base = f"{_STEMS[int(roll() * 8)]} {_LINES[int(roll() * 8)]} {_ENDS[int(roll() * 6)]}"
            street = f"{row % 300 + 1} Mill Lane"
        created, changed = _times(draw)
        company = Company(
            sort,
            chinese,
            _name(sort, f"{base} {row:05d}", row),
            _phone(sort, chinese, draw),
            f"https://www.c{row:05d}.example",
            _INDUSTRIES[int(roll() * 7)],
            city,
            street,
            int(roll() * 5000) + 1,
            _NOTES[int(roll() * 7)],
            _number(sort, draw),
            f"{int(roll() * 10**9)}.{'123456789012345678' if sort == 'big_number' else '50'}",
            created,
            changed,
        )
        if sort == "duplicate" and last is not None:
            company = company._replace(name=last.name, phone=last.phone, website=last.website)
        elif not sort:
            last = company
        yield company


def parent_row(draw: Random, parents: int) -> int:
    """A company's row; a few companies have very many children, most have some, some none."""
    if not parents:
        return -1
    roll = draw.random()
    if roll < 0.02:
        return int(draw.random() * min(3, parents))
    return int(draw.random() * parents)


def people(seed: int | str, kind: str, awkward: Awkward, parents: int) -> Iterator[Person]:
    """Leads (`parents` 0) or contacts of that many companies, in the order of their rows."""
    draw = Random(f"{seed}:{kind}")
    last: Person | None = None
    for row in range(awkward.total):
        sort = awkward.at(row)
        roll = draw.random
        chinese = roll() < 0.6
        if chinese:
            family, given = _FAMILIES[int(roll() * 12)], _GIVENS[int(roll() * 13)]
            name = f"{family}{given}"
            company = (
                f"{_CITIES[int(roll() * 8)]}{_ROOTS[int(roll() * 12)]}{_TRADES[int(roll() * 10)]}"
            )
        else:
            family, given = _SURNAMES[int(roll() * 9)], _FORENAMES[int(roll() * 10)]
            name = f"{given} {family}"
            company = f"{_STEMS[int(roll() * 8)]} {_LINES[int(roll() * 8)]}"
        created, changed = _times(draw)
        parent = -1 if sort == "orphan" else parent_row(draw, parents)
        person = Person(
            sort,
            chinese,
            _name(sort, family, row)[:80],
            given,
            _name(sort, name, row),
            _TITLES[int(roll() * 8)],
            company,
            _phone(sort, chinese, draw),
            f"{kind}{row:05d}@mail.example",
            _SOURCES[int(roll() * 6)],
            _NOTES[int(roll() * 7)],
            _number(sort, draw),
            parent,
            created,
            changed,
        )
        if sort == "duplicate" and last is not None:
            person = person._replace(
                family=last.family, given=last.given, name=last.name, phone=last.phone
            )
        elif not sort:
            last = person
        yield person


def deals(seed: int | str, awkward: Awkward, parents: int) -> Iterator[Deal]:
    """Deals of that many companies, in the order of their rows."""
    draw = Random(f"{seed}:deal")
    last: Deal | None = None
    for row in range(awkward.total):
        sort = awkward.at(row)
        roll = draw.random
        base = _DEALS[int(roll() * 8)]
        created, changed = _times(draw)
        parent = -1 if sort == "orphan" else parent_row(draw, parents)
        deal = Deal(
            sort,
            base[0] > "z",
            _name(sort, f"{base} {row:05d}", row),
            f"{int(roll() * 10**6)}.{'123456789012345678' if sort == 'big_number' else '00'}",
            int(roll() * 5),
            created + int(roll() * 180 * 86_400_000),
            _NOTES[int(roll() * 7)],
            parent,
            created,
            changed,
        )
        if sort == "duplicate" and last is not None:
            deal = deal._replace(name=last.name, amount=last.amount)
        elif not sort:
            last = deal
        yield deal


def activities(seed: int | str, awkward: Awkward, parents: int) -> Iterator[Activity]:
    """Activities of that many companies, in the order of their rows."""
    draw = Random(f"{seed}:activity")
    last: Activity | None = None
    for row in range(awkward.total):
        sort = awkward.at(row)
        roll = draw.random
        base = _ACTS[int(roll() * 8)]
        created, changed = _times(draw)
        parent = -1 if sort == "orphan" else parent_row(draw, parents)
        activity = Activity(
            sort,
            base[0] > "z",
            _name(sort, f"{base} {row:05d}", row),
            _NOTES[int(roll() * 7)],
            roll() < 0.7,
            created + int(roll() * 30 * 86_400_000),
            parent,
            created,
            changed,
        )
        if sort == "duplicate" and last is not None:
            activity = activity._replace(subject=last.subject, text=last.text)
        elif not sort:
            last = activity
        yield activity
