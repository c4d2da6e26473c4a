"""The records that a simulated organisation begins with, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from crm_bridge.simulator import Account, Stored
from crm_bridge.simulator.seed import (
    TEXT_SORTS,
    Awkward,
    activities,
    companies,
    deals,
    parent_row,
    people,
    sizes,
)
from crm_bridge_zoho.simulator_modules import LEAD_STATUSES, MARKER, STAGES
from crm_bridge_zoho.simulator_org import (
    BIN_DAYS,
    DAY,
    DELETED,
    GONE,
    LIVE,
    id_of,
    setup_id,
    user_id,
)
from crm_bridge_zoho.simulator_wire import day_ms, moment, moment_ms, number

_GONE_SORTS = ("binned", "merged")
_BASE = ("locked", "voided", "archived")
_LONG = "<p>" + "客户简介 / profile of the customer, longer than a list shows. " * 14 + "</p>"
_OLDEST = 23  # days that the oldest has lain in the bin
_FIXED = 1_704_067_200_000  # 2024-01-01, where nothing else says when


class Seeds:
    """Every id follows from the seed, the module and the row; a module grows when touched."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.word = f"{account.seed}:{account.index}"
        n = sizes(account.records)
        self.companies = n["company"]
        self.sorts = {
            "Accounts": Awkward(n["company"], (*TEXT_SORTS, *_BASE, "merged")),
            "Leads": Awkward(n["lead"], (*TEXT_SORTS, *_BASE, *_GONE_SORTS, "converted")),
            "Contacts": Awkward(n["contact"], (*TEXT_SORTS, *_BASE, "binned", "merged")),
            "Deals": Awkward(n["deal"], (*TEXT_SORTS, *_BASE)),
            "Tasks": Awkward(n["activity"] // 2, (*TEXT_SORTS, "locked", "binned")),
            "Events": Awkward(n["activity"] // 4, TEXT_SORTS),
            "Calls": Awkward(n["activity"] // 4, TEXT_SORTS),
        }
        self.notes = n["company"] // 2
        self.files = n["company"] // 4
        self.branches = n["company"] // 2
        self.quotes = n["deal"] // 2
        self.invoices = n["deal"] // 4
        self.ties = n["company"] // 4
        self.cases = n["company"] // 10
        self.sites = min(max(12, n["company"] // 20), n["company"]) if n["company"] else 0

    def id(self, module: str, row: int) -> str:
        """The id of a row."""
        return id_of(self.account, module, row)

    def owner(self, row: int) -> str:
        """The owner of a row."""
        return user_id(self.account, row % 3)

    def there(self, module: str, row: int) -> int:
        """That row, or the next one that is neither in the bin nor merged away."""
        sorts = self.sorts[module]
        while sorts.at(row) in _GONE_SORTS:
            row = (row + 1) % sorts.total
        return row

    def plant(self) -> None:
        """Promise all records to the store; counts are right before any record is made."""
        store = self.account.store
        for module, make in (
            ("Leads", self._leads),
            ("Accounts", self._accounts),
            ("Contacts", self._contacts),
            ("Deals", self._deals),
            ("Tasks", partial(self._acts, "Tasks", self._task)),
            ("Events", partial(self._acts, "Events", self._event)),
            ("Calls", partial(self._acts, "Calls", self._call)),
        ):
            sorts = self.sorts[module]
            away, gone = sorts.count("binned"), sorts.count("merged")
            counts = {LIVE: sorts.total - away - gone, DELETED: away, GONE: gone}
            store.plant(module, counts, make)
        # The bin is known by arithmetic, so that a look at it grows no module.
        self.account.memory["bin"] = {
            self.id(module, row): None
            for module, sorts in self.sorts.items()
            if "binned" in sorts.sorts
            for row in sorts.rows("binned")
        }
        now = self.account.clock.epoch()
        self.account.memory["sweep_at"] = now + (BIN_DAYS - _OLDEST) * DAY
        rows = bool(self.companies)
        for module, count, one in (
            ("Products", 12, self._product),
            ("Quotes", self.quotes, self._quote),
            ("Invoices", self.invoices, self._invoice),
            ("Vendors", 6, self._vendor),
            ("Campaigns", 6, self._campaign),
            ("Cases", self.cases, self._case),
            ("Sites", self.sites, self._site),
            ("Quoted_Items", 2 * self.quotes, partial(self._item, "Quotes")),
            ("Invoiced_Items", 2 * self.invoices, partial(self._item, "Invoices")),
            ("Account_Branches", self.branches, self._branch),
            ("Contacts_X_Accounts", self.ties, self._tie),
            ("Notes", self.notes, self._note),
            ("Attachments", self.files, self._file),
        ):
            total = count if rows or module in ("Products", "Vendors", "Campaigns") else 0
            store.plant(module, {LIVE: total}, partial(self._simple, module, total, one))

    # -- one of a kind ----------------------------------------------------------------------------

    def _made(
        self, module: str, row: int, sort: str, fields: dict[str, Any], times: tuple[int, int]
    ) -> Stored:
        fields["Owner"] = fields["Created_By"] = self.owner(row)
        fields["Modified_By"] = self.owner(row + 1)
        fields["Created_Time"], fields["Modified_Time"] = moment_ms(times[0]), moment_ms(times[1])
        fields["Last_Activity_Time"] = fields["Modified_Time"]
        record = Stored(module, self.id(module, row), fields, changed_at=times[1] / 1000)
        now = self.account.clock.epoch()
        match sort:
            case "locked":
                record.locked = True
                record.meta["lock"] = {
                    "id": self.id("Locking_Information__s", row * 10 + len(module)),
                    "reason": "under audit",
                    "by": self.owner(1),
                    "time": fields["Modified_Time"],
                    "automatic": False,
                }
            case "voided":
                fields[MARKER] = "void"
            case "archived":
                fields[MARKER] = "archived"
            case "converted":
                record.meta["converted"] = True
            case "binned":
                record.state = DELETED
                record.meta["deleted_at"] = now - (3 + row % 20) * DAY
                record.meta["deleted_by"] = self.owner(1)
            case "merged":
                record.state = GONE
                record.merged_into = self.id(module, self.there(module, (row + 1)))
                record.meta["deleted_at"] = now - (3 + row % 20) * DAY
                record.fields = {}
        if sort == "emoji" and "Tag" not in fields and row % 2:
            tag = setup_id(self.account, 7, 1)
            fields["Tag"] = [{"name": "重点", "id": tag, "color_code": None}]
        return record

    def _accounts(self) -> Iterator[Stored]:
        sorts = self.sorts["Accounts"]
        for row, c in enumerate(companies(self.word, sorts)):
            fields: dict[str, Any] = {
                "Account_Name": c.name,
                "Account_No": f"A{row + 1:06d}",
                "Phone": c.phone[:30],
                "Website": c.website,
                "Industry": c.industry,
                "Employees": c.employees,
                "Annual_Revenue": number(c.revenue, 9),
                "Billing_Street": c.street,
                "Billing_City": c.city,
                "Account_Type": ("Customer", "Partner", "Prospect")[row % 3],
                # Unique in the metadata, so no two may share one.
                "External_No": str(c.number if c.sort == "big_number" else f"{c.number}{row:05d}"),
                "Segment_01": f"S{row % 9}",
            }
            if c.note:
                fields["Description"] = c.note
            if row % 40 == 7:
                fields["Profile_Text"] = _LONG
            if row % 25 == 24:
                fields["Parent_Account"] = self.id("Accounts", self.there("Accounts", row - 20))
            yield self._made("Accounts", row, c.sort, fields, (c.created_ms, c.changed_ms))

    def _leads(self) -> Iterator[Stored]:
        for row, p in enumerate(people(self.word, "lead", self.sorts["Leads"], 0)):
            fields: dict[str, Any] = {
                "Last_Name": p.family,
                "First_Name": p.given[:40],
                "Company": p.name if p.sort in ("emoji", "quotes", "long") else p.company,
                "Designation": p.title,
                "Phone": p.phone[:30],
                "Email": p.email,
                "Lead_Source": p.source,
                "Lead_Status": LEAD_STATUSES[row % 3],
                "No_of_Employees": row % 900,
                "Annual_Revenue": number(f"{row * 37}.{row % 7}", 9),
                "External_No": str(p.number),
                "Email_Opt_Out": row % 5 == 0,
            }
            if p.note:
                fields["Description"] = p.note
            if row % 6 == 0:
                fields["Languages"] = ["Chinese", "English"]
            yield self._made("Leads", row, p.sort, fields, (p.created_ms, p.changed_ms))

    def _contacts(self) -> Iterator[Stored]:
        sorts = self.sorts["Contacts"]
        for row, p in enumerate(people(self.word, "contact", sorts, self.companies)):
            fields: dict[str, Any] = {
                "Last_Name": p.family,
                "First_Name": p.given[:40],
                "Title": p.title,
                "Phone": p.phone[:30],
                "Email": p.email,
                "Lead_Source": p.source,
                "External_No": str(p.number),
                "Email_Opt_Out": row % 7 == 0,
            }
            if p.note:
                fields["Description"] = p.note
            if p.parent >= 0:
                fields["Account_Name"] = self.id("Accounts", self.there("Accounts", p.parent))
            yield self._made("Contacts", row, p.sort, fields, (p.created_ms, p.changed_ms))

    def _deals(self) -> Iterator[Stored]:
        for row, d in enumerate(deals(self.word, self.sorts["Deals"], self.companies)):
            fields: dict[str, Any] = {
                "Deal_Name": d.name,
                "Stage": STAGES[d.stage],
                "Pipeline": "Standard (Standard)",
                "Amount": number(d.amount, 9),
                "Closing_Date": day_ms(d.close_ms),
                "Probability": d.stage * 20,
                "Type": ("Existing Business", "New Business")[row % 2],
            }
            if d.note:
                fields["Description"] = d.note
            if d.parent >= 0:
                fields["Account_Name"] = self.id("Accounts", self.there("Accounts", d.parent))
                contact = self.there("Contacts", row * 3 % (2 * self.companies))
                fields["Contact_Name"] = self.id("Contacts", contact)
            yield self._made("Deals", row, d.sort, fields, (d.created_ms, d.changed_ms))

    def _acts(self, module: str, words: Callable[[int, Any], dict[str, Any]]) -> Iterator[Stored]:
        word = f"{self.word}:{module}"
        for row, a in enumerate(activities(word, self.sorts[module], self.companies)):
            fields = words(row, a)
            if a.text:
                fields["Description"] = a.text
            if a.parent >= 0:
                # Most hang on accounts, some on deals or leads: the lookup leads anywhere.
                module_to = ("Accounts", "Accounts", "Deals", "Leads")[row % 4]
                there = a.parent // 2 if module_to == "Deals" else a.parent
                there = min(there, self.sorts[module_to].total - 1)
                if there >= 0:
                    fields["What_Id"] = self.id(module_to, self.there(module_to, there))
            if row % 5 == 0 and self.companies:
                who = self.there("Contacts", row * 7 % (2 * self.companies))
                fields["Who_Id"] = self.id("Contacts", who)
            yield self._made(module, row, a.sort, fields, (a.created_ms, a.changed_ms))

    def _task(self, row: int, a: Any) -> dict[str, Any]:
        status = "Completed" if a.done else "Not Started"
        return {
            "Subject": a.subject,
            "Status": status,
            "Due_Date": day_ms(a.due_ms),
            "Priority": ("High", "Normal", "Low")[row % 3],
        }

    def _event(self, row: int, a: Any) -> dict[str, Any]:
        return {
            "Event_Title": a.subject,
            "Start_DateTime": moment_ms(a.due_ms),
            "End_DateTime": moment_ms(a.due_ms + 3_600_000),
        }

    def _call(self, row: int, a: Any) -> dict[str, Any]:
        return {
            "Subject": a.subject,
            "Call_Type": ("Outbound", "Inbound")[row % 2],
            "Call_Start_Time": moment_ms(a.due_ms),
            "Call_Duration": f"{row % 50:02d}:00",
        }

    # -- plain ones -------------------------------------------------------------------------------

    def _simple(
        self, module: str, total: int, words: Callable[[int], dict[str, Any]]
    ) -> Iterator[Stored]:
        for row in range(total):
            made = _FIXED + row * 60_000
            record = self._made(module, row, "", words(row), (made, made))
            if module in ("Quoted_Items", "Invoiced_Items", "Account_Branches") or (
                module == "Contacts_X_Accounts"
            ):
                for name in ("Owner", "Created_By", "Modified_By", "Last_Activity_Time"):
                    del record.fields[name]
            if module == "Attachments":
                record.meta["content"] = f"file {row}\n".encode()
            yield record

    def _account(self, row: int, word: str) -> str:
        draw = Random(f"{self.word}:{word}:{row}")
        return self.id("Accounts", self.there("Accounts", parent_row(draw, self.companies)))

    def _product(self, row: int) -> dict[str, Any]:
        return {
            "Product_Name": f"产品 {row:03d}",
            "Product_Code": f"P-{row:03d}",
            "Product_Active": row % 4 != 3,
            "Unit_Price": number(f"{row * 19}.5", 2),
            "Qty_in_Stock": row,
        }

    def _quote(self, row: int) -> dict[str, Any]:
        return {
            "Subject": f"Quote {row:05d}",
            "Quote_Stage": ("Draft", "Delivered")[row % 2],
            "Account_Name": self._account(row, "quote"),
            "Deal_Name": self.id("Deals", row * 2),
            "Valid_Till": day_ms(_FIXED),
            "Grand_Total": number(f"{row * 11}.25", 2),
        }

    def _invoice(self, row: int) -> dict[str, Any]:
        return {
            "Subject": f"Invoice {row:05d}",
            "Status": ("Created", "Approved")[row % 2],
            "Account_Name": self._account(row, "invoice"),
            "Invoice_Date": day_ms(_FIXED),
            "Grand_Total": number(f"{row * 23}.75", 2),
        }

    def _vendor(self, row: int) -> dict[str, Any]:
        return {"Vendor_Name": f"供应商 {row}", "Phone": f"020 {row:08d}"}

    def _campaign(self, row: int) -> dict[str, Any]:
        return {"Campaign_Name": f"Campaign {row}", "Status": "Planning"}

    def _case(self, row: int) -> dict[str, Any]:
        return {
            "Subject": f"Case {row:05d}",
            "Status": "New",
            "Case_Origin": "Email",
            "Account_Name": self._account(row, "case"),
        }

    def _site(self, row: int) -> dict[str, Any]:
        return {
            "Name": f"工地 {row:04d}",
            "Customer": self._account(row, "site"),
            "Budget": number(f"{row * 1000}.5", 2),
        }

    def _item(self, module: str, row: int) -> dict[str, Any]:
        return {
            "Parent_Id": self.id(module, row // 2),
            "Product_Name": self.id("Products", row % 12),
            "Quantity": row % 9 + 1,
            "List_Price": number(f"{row % 30}.5", 2),
            "Total": number(f"{(row % 30) * (row % 9 + 1)}.5", 2),
        }

    def _branch(self, row: int) -> dict[str, Any]:
        return {
            "Parent_Id": self._account(row // 2, "branch"),
            "Branch_Name": f"分店 {row:05d}",
            "Branch_City": ("北京", "London")[row % 2],
            "Staff": row % 80,
        }

    def _tie(self, row: int) -> dict[str, Any]:
        contact = self.there("Contacts", row * 5 % (2 * self.companies))
        return {
            "Partner_Contacts": self.id("Contacts", contact),
            "Partner_Accounts": self._account(row, "tie"),
        }

    def _note(self, row: int) -> dict[str, Any]:
        return {
            "Note_Title": f"备注 {row:05d}",
            "Note_Content": f'Called back, "quoted" and it\'s fine 😀 {row}',
            "Parent_Id": self._owner_of(row, "note"),
        }

    def _file(self, row: int) -> dict[str, Any]:
        size = len(f"file {row}\n")
        return {
            "File_Name": f"合同 {row:05d}.pdf",
            "Size": str(size),
            "Parent_Id": self._owner_of(row, "file"),
        }

    def _owner_of(self, row: int, word: str) -> str:
        if row % 4 == 1:
            contact = self.there("Contacts", row * 3 % (2 * self.companies))
            return self.id("Contacts", contact)
        if row % 4 == 2:
            return self.id("Leads", self.there("Leads", row % self.companies))
        if row % 4 == 3 and self.sorts["Deals"].total:
            return self.id("Deals", row % self.sorts["Deals"].total)
        return self._account(row, word)


def since(account: Account) -> str:
    """When the organisation's first day was."""
    return moment(account.clock.epoch() - 900 * DAY)
