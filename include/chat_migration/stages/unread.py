"""Setting the unread counts."""

from __future__ import annotations

from chat_migration.delivery.unread import UnreadCounts
from chat_migration.delivery.unread_clearing import UnreadClearing
from chat_migration.run import Run
from chat_migration.stages.plan import quote_of
from chat_migration.stages.result import StageResult, result_of
from chat_migration.workbench import delivering


def set_unread_counts(run: Run) -> StageResult:
    """Set the unread count of every member whose number is not yet right."""
    with delivering(run, "unread") as tools:
        counts = UnreadCounts(tools) if tools.rules.sets_unread else UnreadClearing(tools)
        counts.run()
        counts.count_direct_reads(quote_of(run).direct_reads)
        return result_of("unread", tools, run)
