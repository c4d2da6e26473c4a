"""All that an adapter's author needs, in one import.

Light on purpose: no vendor's client, no SQLAlchemy, no requests until a session is made.
"""

from crm_bridge.adapter import Account, Adapter, Gate, Job, Quota, Settings
from crm_bridge.errors import (
    AdapterError,
    BridgeError,
    Busy,
    Rejected,
    SettingsError,
    Unauthorized,
    Unreachable,
)
from crm_bridge.hookspecs import hookimpl
from crm_bridge.model.abilities import (
    ANY,
    Capability,
    CascadeRule,
    Effect,
    Operation,
    Profile,
    Rate,
    RecoveryWindow,
    Support,
    Undo,
)
from crm_bridge.model.exact import StrangeAnswer, pack, strict_json, unpack
from crm_bridge.model.plans import Batch, Finding, Severity
from crm_bridge.model.records import Change, Condition, Link, Record, RecordRef, State, is_empty
from crm_bridge.model.results import (
    Outcome,
    Problem,
    Verdict,
    already,
    done,
    failed,
    pending,
    skipped,
    unknown,
)
from crm_bridge.secrets import Secret
from crm_bridge.transport import (
    TokenFile,
    careful_session,
    check_host,
    date_of,
    is_loopback,
    network_errors,
    pool_manager,
)

__all__ = [
    "ANY",
    "Account",
    "Adapter",
    "AdapterError",
    "Batch",
    "BridgeError",
    "Busy",
    "Capability",
    "CascadeRule",
    "Change",
    "Condition",
    "Effect",
    "Finding",
    "Gate",
    "Job",
    "Link",
    "Operation",
    "Outcome",
    "Problem",
    "Profile",
    "Quota",
    "Rate",
    "Record",
    "RecordRef",
    "RecoveryWindow",
    "Rejected",
    "Secret",
    "Settings",
    "SettingsError",
    "Severity",
    "State",
    "StrangeAnswer",
    "Support",
    "TokenFile",
    "Unauthorized",
    "Undo",
    "Unreachable",
    "Verdict",
    "already",
    "careful_session",
    "check_host",
    "date_of",
    "done",
    "failed",
    "hookimpl",
    "is_empty",
    "is_loopback",
    "network_errors",
    "pack",
    "pending",
    "pool_manager",
    "skipped",
    "strict_json",
    "unknown",
    "unpack",
]
