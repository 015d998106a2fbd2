"""SetUnreadCountsOperator: read positions → unread counts."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class SetUnreadCountsOperator(MigrationOperator):
    """Set the unread count of every member whose number is not yet right.

    Setting a number twice is harmless; a retry sets those that the ledger does not record as set.
    """

    stage = "set_unread_counts"
