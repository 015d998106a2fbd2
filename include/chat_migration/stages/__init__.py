"""The use cases, one function per stage, in the order in which a run calls them.

The command line and Airflow's operators call these and nothing deeper. Each opens what it needs from the
:class:`~chat_migration.run.Run`, may be repeated at any time (what is done is in the ledger), and returns
paths and counts only.
"""

from chat_migration.stages.approval import ask_approval, confirm_plan
from chat_migration.stages.extract import extract_export, look_for_export
from chat_migration.stages.messages import import_direct_messages, import_group_messages
from chat_migration.stages.people import (
    import_accounts,
    import_group_members,
    import_group_profiles,
)
from chat_migration.stages.plan import plan_import, quote_of
from chat_migration.stages.profiles import sync_group_profiles
from chat_migration.stages.rebuild import rebuild_ledger
from chat_migration.stages.report import report_of, write_report
from chat_migration.stages.result import StageResult
from chat_migration.stages.unread import set_unread_counts
from chat_migration.stages.window import open_window

__all__ = [
    "StageResult",
    "ask_approval",
    "confirm_plan",
    "extract_export",
    "import_accounts",
    "import_direct_messages",
    "import_group_members",
    "import_group_messages",
    "import_group_profiles",
    "look_for_export",
    "open_window",
    "plan_import",
    "quote_of",
    "rebuild_ledger",
    "report_of",
    "set_unread_counts",
    "sync_group_profiles",
    "write_report",
]
