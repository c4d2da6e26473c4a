"""The records an org begins with: companies, people, deals and activities, and what hangs on them.

Ids follow from the row, so children name parents that have not grown yet. A row that is in the bin,
or was merged away, has no live children; those that would hang on it are orphans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

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
from crm_bridge_salesforce.simulator_life import DAY
from crm_bridge_salesforce.simulator_org import DELETED, LIVE, Org, stamp
from crm_bridge_salesforce.simulator_schema import MARKER, id_of, schema

_MERGEABLE = (*TEXT_SORTS, "locked", "voided", "binned", "merged")
_SORTS: Final = {
    "Account": _MERGEABLE,
    "Contact": _MERGEABLE,
    "Lead": _MERGEABLE,
    "Opportunity": _MERGEABLE[:-1],
    # Nobody says whether a task goes through approvals: a switch, and none of these is locked.
    "Task": (*TEXT_SORTS, "voided", "binned"),
}
_COMMON = {
    "Account": "company",
    "Contact": "contact",
    "Lead": "lead",
    "Opportunity": "deal",
    "Task": "activity",
}
_STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Closed Won", "Closed Lost")
_ELSEWHERE = ("Group", "Organization")  # views, and what has no rows here
_EPOCH_MS = 1_735_689_600_000  # 2025-01-01, the day that small things were made


def _day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


def _tidy(text: str, places: int) -> Decimal:
    return round(Decimal(text), places)


class Seed:
    """One org's beginning."""

    def __init__(self, account: Account) -> None:
        self.org = Org.of(account)
        self.account = account
        self.number = account.index
        self.size = sizes(account.records)
        self.seed = f"{account.seed}:{account.index}"
        self.awkward = {
            kind: Awkward(self.size[common], _SORTS[kind]) for kind, common in _COMMON.items()
        }

    def plant(self) -> None:
        """Promise all records; each object grows when it is first touched."""
        for kind, make in (
            ("Account", self._accounts),
            ("Contact", self._contacts),
            ("Lead", self._leads),
            ("Opportunity", self._opportunities),
            ("Task", self._tasks),
        ):
            awkward = self.awkward[kind]
            binned = awkward.count("binned", "merged")
            counts = {LIVE: awkward.total - binned, DELETED: binned}
            self.account.store.plant(kind, counts, make)
        few = self.account.records
        for kind, count, row in self._small(few):
            self.account.store.plant(kind, {LIVE: count}, self._rows(kind, count, row))
        self.account.store.plant(
            "ProcessInstance",
            {LIVE: sum(a.count("locked") for a in self.awkward.values())},
            self._approvals,
        )
        self.account.store.declare(
            *(
                known.name
                for known in schema().values()
                if known.prefix and "l" in known.flags and known.name not in _ELSEWHERE
            )
        )

    # -- naming what is there ---------------------------------------------------------------------

    def id(self, kind: str, row: int) -> str:
        """The id of a row."""
        prefix = schema()[kind].prefix
        assert prefix is not None
        return id_of(prefix, self.number, row)

    def lives(self, kind: str, row: int) -> bool:
        """Whether a row of the five great objects is live."""
        return self.awkward[kind].at(row) not in ("binned", "merged")

    def near(self, kind: str, row: int) -> str | None:
        """The id of a live row, the next where that one is not; None where there are none."""
        total = self.awkward[kind].total
        for at in range(total):
            if self.lives(kind, (row + at) % total):
                return self.id(kind, (row + at) % total)
        return None

    def parent(self, row: int) -> str | None:
        """The account of a child that asks for this row; None for an orphan."""
        return self.id("Account", row) if row >= 0 and self.lives("Account", row) else None

    # -- the five great objects -------------------------------------------------------------------

    def _stored(
        self, kind: str, row: int, sort: str, fields: dict[str, Any], created: int, changed: int
    ) -> Stored:
        """A record, with what its sort means for its state."""
        fields = {name: value for name, value in fields.items() if value not in (None, "")}
        fields["CreatedDate"] = stamp(created / 1000)
        fields["LastModifiedDate"] = stamp(changed / 1000)
        fields.setdefault("OwnerId", self.org.user)
        fields["CreatedById"] = self.org.user
        if sort == "voided":
            fields[MARKER] = "void"
        record = Stored(kind, self.id(kind, row), fields, changed_at=changed / 1000)
        record.locked = sort == "locked"
        if sort in ("binned", "merged"):
            at = self.org.clock.epoch() - DAY * (1 + row % 11) - row
            token = f"{record.id}:{at:.6f}"
            record.state = DELETED
            record.meta = {"at": at, "by": self.org.user, "group": token}
            self.org.groups[token] = [record]
            self.org.bin[record.id] = record
            if sort == "merged":
                record.merged_into = self.near(kind, row)
        return record

    def _accounts(self) -> Iterator[Stored]:
        for row, one in enumerate(companies(self.seed, self.awkward["Account"])):
            fields: dict[str, Any] = {
                "Name": one.name,
                "Phone": one.phone,
                "Website": one.website,
                "Industry": "Technology" if one.industry == "Technology" else "Other",
                "BillingCity": one.city,
                "BillingStreet": one.street,
                "BillingCountry": "中国" if one.chinese else "United Kingdom",
                "NumberOfEmployees": one.employees,
                "AnnualRevenue": _tidy(one.revenue, 2),
                "Description": one.note,
                "AccountNumber": f"A-{row:06d}",
                "Type": "Prospect" if row % 3 else "Customer - Direct",
                "External_No__c": one.number,
            }
            if one.sort == "big_number":
                fields["Exact_Revenue__c"] = _tidy(one.revenue, 8)
            if row % 17 == 3:
                fields["ParentId"] = self.parent(row - 1)
            if row % 23 == 5:
                fields["Primary_Contact__c"] = self.near("Contact", row)
            yield self._stored("Account", row, one.sort or self.awkward["Account"].at(row), fields,
                               one.created_ms, one.changed_ms)  # fmt: skip

    def _contacts(self) -> Iterator[Stored]:
        total = self.awkward["Account"].total
        for row, one in enumerate(people(self.seed, "contact", self.awkward["Contact"], total)):
            fields = {
                "LastName": one.family,
                "FirstName": one.given,
                "Name": f"{one.given} {one.family}",
                "Title": one.title,
                "Phone": one.phone,
                "Email": one.email,
                "LeadSource": "Web" if one.source == "Web" else "Other",
                "Description": one.note,
                "External_No__c": one.number,
                "AccountId": self.parent(one.parent),
            }
            if row % 19 == 4 and self.lives("Contact", row - 1):
                fields["ReportsToId"] = self.id("Contact", row - 1)
            sort = self.awkward["Contact"].at(row)
            yield self._stored("Contact", row, sort, fields, one.created_ms, one.changed_ms)

    def _leads(self) -> Iterator[Stored]:
        for row, one in enumerate(people(self.seed, "lead", self.awkward["Lead"], 0)):
            fields = {
                "LastName": one.family,
                "FirstName": one.given,
                "Name": f"{one.given} {one.family}",
                "Company": one.company,
                "Title": one.title,
                "Phone": one.phone,
                "Email": one.email,
                "Status": "Open - Not Contacted" if row % 2 else "Working - Contacted",
                "LeadSource": "Web" if one.source == "Web" else "Other",
                "Description": one.note,
                "External_No__c": one.number,
            }
            if one.sort == "long":
                fields["Company"] = (f"{one.company} 长" + "长" * 255)[:255]
            sort = self.awkward["Lead"].at(row)
            yield self._stored("Lead", row, sort, fields, one.created_ms, one.changed_ms)

    def _opportunities(self) -> Iterator[Stored]:
        total = self.awkward["Account"].total
        for row, one in enumerate(deals(self.seed, self.awkward["Opportunity"], total)):
            fields: dict[str, Any] = {
                "Name": one.name[:120],
                "StageName": _STAGES[one.stage],
                "Amount": _tidy(one.amount, 2),
                "CloseDate": _day(one.close_ms),
                "Description": one.note,
                "AccountId": self.parent(one.parent),
            }
            if one.sort == "big_number":
                fields["Exact_Amount__c"] = _tidy(one.amount, 8)
            if row % 29 == 7:
                fields["OwnerId"] = self.id("User", 2)
            self.org.derive("Opportunity", fields, 0)
            sort = self.awkward["Opportunity"].at(row)
            yield self._stored("Opportunity", row, sort, fields, one.created_ms, one.changed_ms)

    def _tasks(self) -> Iterator[Stored]:
        total = self.awkward["Account"].total
        for row, one in enumerate(activities(self.seed, self.awkward["Task"], total)):
            account = self.parent(one.parent)
            fields: dict[str, Any] = {
                "Subject": one.subject,
                "Description": one.text,
                "Status": "Completed" if one.done else "Not Started",
                "IsClosed": one.done,
                "Priority": "Normal",
                "ActivityDate": _day(one.due_ms),
                "WhatId": account,
                "AccountId": account,
            }
            if row % 9 == 2:
                fields["WhoId"] = self.near("Lead", row)
            sort = self.awkward["Task"].at(row)
            yield self._stored("Task", row, sort, fields, one.created_ms, one.changed_ms)

    def _approvals(self) -> Iterator[Stored]:
        row = 0
        for kind, awkward in self.awkward.items():
            for at in awkward.rows("locked") if "locked" in awkward.sorts else ():
                fields = {"TargetObjectId": self.id(kind, at), "Status": "Pending"}
                yield self._plain("ProcessInstance", row, fields)
                row += 1

    # -- the small ones ---------------------------------------------------------------------------

    def _plain(self, kind: str, row: int, fields: dict[str, Any]) -> Stored:
        at = _EPOCH_MS / 1000 + row * 61
        kept = {name: value for name, value in fields.items() if value is not None}
        kept |= {"CreatedDate": stamp(at), "LastModifiedDate": stamp(at)}
        own = schema()[kind].fields
        if "OwnerId" in own:
            kept.setdefault("OwnerId", self.org.user)
        kept["CreatedById"] = self.org.user
        return Stored(kind, self.id(kind, row), kept, changed_at=at)

    def _rows(
        self, kind: str, count: int, fields: Callable[[int], dict[str, Any]]
    ) -> Callable[[], Iterator[Stored]]:
        def make() -> Iterator[Stored]:
            for row in range(count):
                told = fields(row)
                self.org.derive(kind, told, 0)
                yield self._plain(kind, row, told)

        return make

    def _small(self, n: int) -> Iterator[tuple[str, int, Callable[[int], dict[str, Any]]]]:
        if not n:
            n = 0
        tenth, twentieth, some = max(n // 10, 6), max(n // 20, 4), max(n // 25, 6)
        if n < 8:  # too small an org for anything to hang on anything
            tenth = twentieth = some = 0
        yield "User", 4, self._user
        yield "Campaign", 4, lambda r: {
            "Name": ("Spring Fair", "秋季促销", "Webinar", "Trade Show")[r], "IsActive": r < 2,
            "Status": "Planned", "StartDate": "2026-03-01",
            "ParentId": self.id("Campaign", 0) if r == 3 else None}  # fmt: skip
        yield "Product2", 3, lambda r: {"Name": ("泵", "Valve", "Sensor")[r], "IsActive": True,
                                        "ProductCode": f"P-{r}"}  # fmt: skip
        yield "Pricebook2", 1, lambda r: {"Name": "Standard", "IsActive": True, "IsStandard": True}
        yield "PricebookEntry", 3, lambda r: {
            "Pricebook2Id": self.id("Pricebook2", 0), "Product2Id": self.id("Product2", r),
            "Name": ("泵", "Valve", "Sensor")[r], "UnitPrice": Decimal("19.99") * (r + 1),
            "IsActive": True}  # fmt: skip
        yield "Case", tenth, self._case
        yield (
            "CaseComment",
            tenth // 2,
            lambda r: {
                "ParentId": self.id("Case", 2 * r),
                "CommentBody": f"第{r}次回复",
                "IsPublished": True,
            },
        )
        yield "EmailMessage", tenth // 3, lambda r: {
            "ParentId": self.id("Case", 3 * r), "Subject": f"Re: case {r}",
            "FromAddress": f"a{r}@mail.example", "ToAddress": "desk@mail.example"}  # fmt: skip
        yield "Note", 2 * tenth, self._note
        yield "Attachment", twentieth, lambda r: {
            "ParentId": self.near("Account", 11 * r + 2), "Name": f"file-{r}.txt",
            "ContentType": "text/plain", "BodyLength": 5, "Body": "aGVsbG8=",
        }  # fmt: skip
        yield "Contract", some, lambda r: {
            "AccountId": self.near("Account", 13 * r + 4), "Status": "Activated" if r % 3 == 0 else
            "Draft", "StartDate": "2026-01-01", "ContractTerm": 12, "ContractNumber": f"{r:08d}",
            "CustomerSignedId": self.near("Contact", 31 * r + 9) if r % 3 == 2 else None,
        }  # fmt: skip
        yield "Order", some, lambda r: {
            "AccountId": self.near("Account", 13 * r + 5), "Status": "Activated" if r % 3 == 1 else
            "Draft", "EffectiveDate": "2026-02-01", "OrderNumber": f"{r:08d}"}  # fmt: skip
        yield "OrderItem", 2 * some, lambda r: {
            "OrderId": self.id("Order", r // 2),
            "PricebookEntryId": self.id("PricebookEntry", r % 3),
            "Product2Id": self.id("Product2", r % 3), "Quantity": Decimal(r % 4 + 1),
            "UnitPrice": Decimal("19.99"), "OrderItemNumber": f"{r:010d}"}  # fmt: skip
        yield "Asset", tenth, lambda r: {
            "Name": f"设备 {r:04d}", "AccountId": self.near("Account", 7 * r + 6),
            "ContactId": self.near("Contact", 5 * r) if r % 2 else None, "Status": "Installed",
            "Product2Id": self.id("Product2", r % 3), "SerialNumber": f"SN{r:06d}"}  # fmt: skip
        yield "CampaignMember", tenth, lambda r: {
            "CampaignId": self.id("Campaign", r % 4), "Status": "Sent",
            "LeadId": self.near("Lead", 3 * r) if r % 2 else None,
            "ContactId": None if r % 2 else self.near("Contact", 3 * r)}  # fmt: skip
        yield "OpportunityContactRole", tenth, lambda r: {
            "OpportunityId": self.near("Opportunity", 2 * r), "Role": "Decision Maker",
            "ContactId": self.near("Contact", 4 * r + 1), "IsPrimary": r % 2 == 0}  # fmt: skip
        yield "OpportunityLineItem", 2 * tenth, lambda r: {
            "OpportunityId": self.near("Opportunity", r), "Product2Id": self.id("Product2", r % 3),
            "PricebookEntryId": self.id("PricebookEntry", r % 3), "Quantity": Decimal(r % 5 + 1),
            "UnitPrice": Decimal("19.99"),
            "TotalPrice": Decimal("19.99") * (r % 5 + 1)}  # fmt: skip
        yield "ContentDocument", twentieth, lambda r: {
            "Title": f"合同扫描 {r}", "FileExtension": "pdf", "FileType": "PDF",
            "ContentSize": 1024, "PublishStatus": "P", "IsArchived": False,
            "LatestPublishedVersionId": self.id("ContentVersion", r)}  # fmt: skip
        yield "ContentVersion", twentieth, lambda r: {
            "ContentDocumentId": self.id("ContentDocument", r), "Title": f"合同扫描 {r}",
            "VersionNumber": "1", "FileType": "PDF", "IsLatest": True}  # fmt: skip
        yield "ContentDocumentLink", twentieth, lambda r: {
            "ContentDocumentId": self.id("ContentDocument", r), "ShareType": "V",
            "Visibility": "AllUsers",
            "LinkedEntityId": self.near("Account", 17 * r + 8)}  # fmt: skip
        yield "Event", 2 * tenth, lambda r: {
            "Subject": f"拜访 {r}", "StartDateTime": stamp(_EPOCH_MS / 1000 + 86_400 * (r % 700)),
            "EndDateTime": stamp(_EPOCH_MS / 1000 + 86_400 * (r % 700) + 3600),
            "DurationInMinutes": 60, "Location": "上海",
            "WhatId": self.near("Account", 3 * r + 1) if r % 2 else None,
            "WhoId": self.near("Contact", 3 * r) if r % 4 == 0 else None}  # fmt: skip
        yield "AccountContactRelation", twentieth, lambda r: {
            "AccountId": self.near("Account", 11 * r + 9), "ContactId": self.near("Contact", 9 * r),
            "Roles": "Decision Maker", "IsActive": True, "IsDirect": False}  # fmt: skip
        yield "AccountTeamMember", twentieth, lambda r: {
            "AccountId": self.near("Account", 11 * r + 10), "UserId": self.id("User", 1),
            "TeamMemberRole": "Account Manager"}  # fmt: skip
        yield "Project__c", tenth, lambda r: {
            "Name": f"项目 {r:04d}", "Account__c": self.near("Account", 7 * r + 12),
            "Guarantor__c": self.near("Account", 19 * r + 13) if r % 5 == 0 else None,
            "Budget__c": Decimal("1000.50") * (r + 1), "Description__c": "一期\n二期"}  # fmt: skip
        yield "Project_Line__c", 2 * tenth, lambda r: {
            "Name": f"PL-{r:05d}", "Project__c": self.id("Project__c", r // 2),
            "Hours__c": Decimal(r % 40) + Decimal("0.25")}  # fmt: skip

    def _user(self, row: int) -> dict[str, Any]:
        last = ("Bridge", "陈经理", "Smith", "Left")[row]
        return {
            "LastName": last, "Name": last, "Alias": f"u{row}", "IsActive": row < 3,
            "Username": self.account.keys["username"] if row == 0 else
            f"user{row}@{self.account.crm}.example",
            "Email": f"user{row}@{self.account.crm}.example", "UserType": "Standard",
        }  # fmt: skip

    def _case(self, row: int) -> dict[str, Any]:
        contact = self.near("Contact", 5 * row + 3) if row % 3 == 1 else None
        return {
            "Subject": f"故障报修 {row}" if row % 2 else f"Pump fails {row}",
            "Status": "New" if row % 2 else "Closed", "Origin": "Phone", "Priority": "Medium",
            "CaseNumber": f"{row + 1000:08d}", "ContactId": contact,
            "AccountId": self.near("Account", 3 * row + 3) if row % 3 == 0 else None,
            "ParentId": self.id("Case", row - 1) if row % 8 == 5 else None,
        }  # fmt: skip

    def _note(self, row: int) -> dict[str, Any]:
        kind = ("Account", "Contact", "Opportunity", "Lead")[row % 4]
        return {
            "Title": f"备忘 {row}", "Body": f"第一行\nline {row}",
            "ParentId": self.near(kind, 3 * row),
        }  # fmt: skip
