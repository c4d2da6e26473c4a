"""What Salesforce's documentation leaves open or contradicts, and where this org stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_bridge.simulator import Switch

SWITCHES: Final[Mapping[str, Switch]] = {
    "marker_field": Switch(True, about="whether CRM_Bridge_Status__c exists"),
    "retention": Switch(15, (15, 30), "days in the bin; 30 where Support extended it"),
    "late_undelete": Switch(True, about="whether the API undeletes on the days 16 to 30"),
    "bin_rule": Switch(
        "storage",
        ("storage", "licences"),
        "how many the bin holds: 25 for each MB of data storage, or 5,000 for each licence",
    ),
    "binned_rows_count": Switch(False, about="whether binned rows count toward data storage"),
    "purged_shown_hours": Switch(24, (24, 0), "how long queryAll shows purged rows"),
    "failing_row_id": Switch(False, about="whether failing rows of a collection carry their id"),
    "missing_id_code": Switch(
        "INVALID_CROSS_REFERENCE_KEY",
        ("INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED"),
        "what a delete of a purged or never made id answers",
    ),
    "access_status": Switch(400, (400, 403), "HTTP status of a missing right"),
    "locked_code": Switch(
        "ENTITY_IS_LOCKED",
        ("ENTITY_IS_LOCKED", "INSUFFICIENT_ACCESS_OR_READONLY"),
        "how a write to a record in approval is refused",
    ),
    "access_shows_lock": Switch(True, about="whether UserRecordAccess tells of approval locks"),
    "describe_rights": Switch(True, about="whether describe tells the user's rights"),
    "empty_bin_code": Switch(
        "INVALID_ID_FIELD",
        ("INVALID_ID_FIELD", "INVALID_CROSS_REFERENCE_KEY", "UNDELETE_FAILED"),
        "code of emptyRecycleBin for what is not in the bin",
    ),
    "both_flags": Switch(
        "cascade",
        ("cascade", "refuse"),
        "what cascadeDelete and restrictedDelete together mean, where nothing is activated",
    ),
    "closed_won": Switch(
        "delete", ("delete", "refuse"), "delete of an account with closed-won opportunities"
    ),
    "others_opportunities": Switch(
        "refuse", ("refuse", "delete"), "delete of an account with opportunities of other owners"
    ),
    "entry_in_use": Switch(
        "refuse",
        ("refuse", "archive"),
        "what a delete of a product or price book does to an entry that line items use",
    ),
    "task_approvals": Switch(False, about="whether tasks go through approvals that lock them"),
    "dependents_come_back": Switch(
        False, about="whether children whose type is not undeletable return with their parent"
    ),
    "child_of_deleted": Switch(
        "refused", ("refused", "with_parent"), "undelete of a child whose parent is in the bin"
    ),
    "relink": Switch(
        "published", ("published", "all"), "which emptied lookups an undelete fills again"
    ),
    "delete_event": Switch(
        "roots", ("roots", "all", "refused"), "what DeleteEvent lists to an API user"
    ),
    "retrieve_deleted": Switch(
        "null", ("null", "row"), "what retrieving a collection shows of a binned id"
    ),
    "hard_delete_rows": Switch(True, about="whether hardDelete jobs have results by row"),
    "hard_delete_children": Switch("gone", ("gone", "bin"), "where children of a hard delete go"),
}
