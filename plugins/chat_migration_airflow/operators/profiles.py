"""SyncGroupProfilesOperator: changes of groups that exist → the app."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class SyncGroupProfilesOperator(MigrationOperator):
    """Remove who has left, set roles, owners and profiles that differ; nothing without ``sync_profiles``.

    Runs after the messages of its run. Every call can be made twice: a retry makes those that the ledger does not
    record as made.
    """

    stage = "sync_group_profiles"
