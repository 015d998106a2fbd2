"""ImportGroupProfilesOperator: groups → group profiles and topics."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class ImportGroupProfilesOperator(MigrationOperator):
    """Create the groups and topics, with their original times.

    A retry asks the app about a group whose creation had no answer before it creates it again.
    """

    stage = "import_group_profiles"
