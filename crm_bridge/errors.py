"""The errors, drawn first.

Each message says what happened, to which record or account, and what to do next. Before a run trouble
is a *finding*, within it an *outcome*; exceptions are only for what stops a call or a program.

```
BridgeError
├── SettingsError      the file, a secret, an unknown crm, a malformed id      exit 2
├── PluginError        an adapter could not be loaded or contradicts itself    exit 2
├── PlanBlocked        carries the findings, or what is not confirmed          exit 4
│   └── PlanMoved      names the records that are not as the plan saw them     exit 4
├── JournalError       the journal does not check, or cannot be written        exit 4
├── RunFailed          by raise_for_failures(); carries the receipt            exit 3
└── AdapterError       the only ones that an adapter raises
    ├── Busy           turned away for now; surely not applied                 exit 6
    ├── Unreachable    no answer; `sent` tells whether it may be applied       exit 6
    ├── Unauthorized   the login does not hold                                 exit 2
    └── Rejected       refused as a whole; `divisible` where parts may pass    exit 2
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_bridge.model.plans import Finding
    from crm_bridge.model.records import RecordRef
    from crm_bridge.model.results import Receipt


class BridgeError(Exception):
    """Anything that this library raises on purpose.

    Attributes:
        code: One word for programs.
        exit_code: What the command line ends with.
        detail: Why, and what to do about it.
    """

    code = "error"
    exit_code = 1

    def __init__(self, summary: str, *, detail: str = "", code: str | None = None) -> None:
        super().__init__(summary)
        self.detail = detail
        if code:
            self.code = code

    def __str__(self) -> str:
        summary = str(self.args[0]) if self.args else ""
        return f"{summary} {self.detail}".strip()

    @property
    def summary(self) -> str:
        """The one sentence that says what happened."""
        return str(self.args[0]) if self.args else ""


class SettingsError(BridgeError):
    """Wrong words, settings, login or host; nothing ran."""

    code = "settings"
    exit_code = 2


class PluginError(BridgeError):
    """An adapter could not be loaded, or its profile claims what it has no method for."""

    code = "plugin"
    exit_code = 2


class PlanBlocked(BridgeError):
    """A plan may not run: blocked, stale, wrong target, not confirmed, or locked by another run.

    Attributes:
        findings: What blocks it.
    """

    code = "blocked"
    exit_code = 4

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        code: str | None = None,
        findings: Sequence[Finding] = (),
    ) -> None:
        super().__init__(summary, detail=detail, code=code)
        self.findings = tuple(findings)


class PlanMoved(PlanBlocked):
    """Records are not as the plan saw them; nothing was sent.

    Attributes:
        moved: Each of them, and how it moved.
    """

    code = "moved"

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        findings: Sequence[Finding] = (),
        moved: Sequence[tuple[RecordRef, str]] = (),
    ) -> None:
        super().__init__(summary, detail=detail, findings=findings)
        self.moved = tuple(moved)


class JournalError(BridgeError):
    """The journal does not check, cannot be opened, or cannot be written; nothing more is sent.

    Attributes:
        damage: What is wrong with the file as a whole (damaged, none of ours, gone); empty where it may
            be as it was written.
    """

    code = "journal"
    exit_code = 4
    damage: str = ""


class RunFailed(BridgeError):
    """Not every record is done.

    Attributes:
        receipt: What the run came to.
    """

    code = "failed"
    exit_code = 3

    def __init__(self, receipt: Receipt) -> None:
        told = ", ".join(f"{n} {v.value}" for v, n in receipt.counts.items() if n)
        super().__init__(f"run {receipt.run} ended with {told}.")
        self.receipt = receipt


class AdapterError(BridgeError):
    """Trouble with a call; trouble with one record is an outcome.

    Attributes:
        vendor_code: The vendor's code.
        request_id: The vendor's handle for its support.
    """

    code = "vendor"
    exit_code = 6

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        vendor_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(summary, detail=detail)
        self.vendor_code = vendor_code
        self.request_id = request_id


class Busy(AdapterError):
    """The vendor turned the call away for now, and surely did not apply it.

    Attributes:
        retry_after: Seconds to wait, as told; None where the vendor does not say.
        until_reset: True for a quota that only a new day fills again; waiting within a run is vain.
    """

    code = "busy"

    def __init__(
        self,
        summary: str = "the vendor is busy.",
        retry_after: float | None = None,
        *,
        until_reset: bool = False,
        vendor_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(summary, vendor_code=vendor_code, request_id=request_id)
        self.retry_after = retry_after
        self.until_reset = until_reset


class Unreachable(AdapterError):
    """There is no answer that can be read.

    Attributes:
        sent: False only where the request surely never left; a write is then surely not applied.
        answered: True where something did answer (5xx, cut short, HTML).
        strange: True where what answered is not this vendor's API: a page, a redirect, a portal.
    """

    code = "unreachable"

    def __init__(
        self,
        summary: str = "no answer.",
        sent: bool = True,
        *,
        answered: bool = False,
        strange: bool = False,
        vendor_code: str | None = None,
        request_id: str | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(summary, vendor_code=vendor_code, request_id=request_id, detail=detail)
        self.sent = sent
        self.answered = answered or strange
        self.strange = strange
        if strange:
            # Not the vendor's API: the address in the settings, or what stands before it, is wrong.
            self.exit_code = 2


class Unauthorized(AdapterError):
    """The login or a right does not hold; the call was surely not applied.

    Attributes:
        renewable: True where a new token may help.
    """

    code = "unauthorized"
    exit_code = 2

    def __init__(
        self,
        summary: str = "the login does not hold.",
        *,
        renewable: bool = False,
        vendor_code: str | None = None,
        request_id: str | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(summary, vendor_code=vendor_code, request_id=request_id, detail=detail)
        self.renewable = renewable


class Rejected(AdapterError):
    """The vendor refused the call as a whole.

    Attributes:
        divisible: True where a smaller list may pass; the core reads back, then divides.
    """

    code = "rejected"
    exit_code = 2

    def __init__(
        self,
        summary: str = "the vendor refused the call.",
        divisible: bool = False,
        *,
        vendor_code: str | None = None,
        request_id: str | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(summary, vendor_code=vendor_code, request_id=request_id, detail=detail)
        self.divisible = divisible
