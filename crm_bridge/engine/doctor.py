"""Checks an account before it is needed, and makes the fields that marks need; each thing by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.connect import Accounts
from crm_bridge.errors import BridgeError
from crm_bridge.guard import NotSent, Permit
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.plans import Finding, Severity
from crm_bridge.secrets import Secret

MAKE_IT: Final = "Make it: crm-bridge setup CRM"
"""The detail of the one finding that tells of something which `setup` itself would make."""


def would_make(findings: Iterable[Finding]) -> bool:
    """Whether a dry `prepared` held a write back; others tell what a person has to make."""
    return any(found.detail == MAKE_IT for found in findings)


def examined(accounts: Accounts, crm: str) -> Iterator[tuple[str, bool, str]]:
    """Look at one crm; reads only.

    Yields:
        Name, whether it is well, and what was found.
    """
    try:
        vendor = accounts.vendor(crm)
        adapter = accounts.adapter(crm)
    except BridgeError as error:
        yield "settings", False, str(error)
        return
    yield "settings", True, f"they hold for {adapter.profile.title} ({vendor})"
    for name, secret in _secrets(accounts, crm):
        if secret.plain:
            yield (
                "secrets",
                False,
                (
                    f"{name} stands in the settings itself; keep it elsewhere: env:NAME, file:PATH or "
                    "keyring:SERVICE/USER"
                ),
            )
    try:
        connected = accounts.connected(crm)
    except BridgeError as error:
        yield "login", False, str(error)
        return
    account = connected.account
    yield (
        "login",
        True,
        (f"{account.user} in org {account.org} ({account.name}), {account.environment}"),
    )
    if account.quota is not None:
        left = account.quota
        yield "quota", left.left > 0, f"{left.left} of {left.limit} calls left today"
    rows = len(connected.profile.capabilities)
    all_rows = len(adapter.profile.capabilities)
    yield "abilities", True, f"{rows} of the vendor's {all_rows} rows hold for this account"
    try:
        for name, ok, summary in adapter.examine():
            yield name, ok, summary
    except Exception as error:
        yield "examine", False, str(contained(error, crm))


def _secrets(accounts: Accounts, crm: str) -> Iterator[tuple[str, Secret]]:
    typed = accounts.settings(crm)
    for name in typed.__struct_fields__:
        value = getattr(typed, name)
        if isinstance(value, Secret):
            yield name, value


def prepared(connected: Connected, journal: Callable[[], Journal], *, apply: bool) -> list[Finding]:
    """Make the fields that marks need, or say what would be made.

    Args:
        connected: The account.
        journal: Opens the journal, where something is made.
        apply: False lets nothing leave: each write is held back and told instead.

    Raises:
        BridgeError: The vendor refused, or cannot be asked.
    """
    org, crm = connected.account.org, connected.crm
    if not apply:
        return _dry(connected)
    memory = journal()
    memory.append(Entry("setup", "", crm, org, body={"ids": [], "what": "prepare", "done": False}))
    permit = Permit(frozenset(), 10_000, lambda: None)
    try:
        with connected.guard.permitted(permit):
            findings = list(connected.adapter.prepare())
    except Exception as error:
        raise contained(error, crm) from error
    finally:
        memory.append(
            Entry(
                "setup", "", crm, org, body={"what": "prepare", "done": True, "sent": permit.sent}
            )
        )
    return findings


def _dry(connected: Connected) -> list[Finding]:
    """What `prepare` says and would send; its first write is held back by the gate."""
    findings: list[Finding] = []
    try:
        for finding in connected.adapter.prepare():
            findings.append(finding)
    except NotSent:
        marker = connected.profile.marker
        findings.append(
            Finding(
                Severity.NOTE,
                "vendor_note",
                f"the field {marker} would be made in {connected.crm}, on every kind that may be "
                "marked."
                if marker
                else f"fields would be made in {connected.crm}.",
                MAKE_IT,
            )
        )
    except Exception as error:
        raise contained(error, connected.crm) from error
    return findings
