"""The records it begins with; every id follows from the seed, the kind and the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from crm_bridge.simulator import Account, Stored
from crm_bridge.simulator.seed import (
    TEXT_SORTS,
    Awkward,
    activities,
    companies,
    deals,
    people,
    sizes,
)
from crm_bridge_fxiaoke.simulator_objects import (
    CODES,
    LIVE,
    LOOKUPS,
    PROJECT,
    PROJECT_LINE,
    VOIDED,
)

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


class Seeds:
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
                "guaranteed",
            ),
        )
        self.leads = Awkward(n["lead"], (*_PLAIN, "locked", "voided", "merged"))
        self.contacts = Awkward(n["contact"], (*TEXT_SORTS, "locked", "voided"))
        self.deals = Awkward(n["deal"], (*TEXT_SORTS, "locked", "voided"))
        self.activities = Awkward(n["activity"], (*TEXT_SORTS, "locked", "voided"))
        self.orders = Awkward(n["deal"], ("locked", "voided", "orphan"))
        self.projects = Awkward(max(12, account.records // 20), ("locked", "voided"))

    def id(self, kind: str, row: int) -> str:
        """The id of a row, before the row exists."""
        return f"6708dc09{self.salt:08x}{CODES[kind]:02x}{row:06x}"

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
        field = next(f.name for f in LOOKUPS[kind] if f.type == "master_detail")

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
        # Money on it would keep the account from being voided; a person pays it in by an edit.
        return {"name": f"客户账户 {row:06d}", "prepay_balance": "0.00", "rebate_balance": "0.00"}

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
