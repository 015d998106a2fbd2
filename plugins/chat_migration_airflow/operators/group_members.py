"""ImportGroupMembersOperator: memberships → group members."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class ImportGroupMembersOperator(MigrationOperator):
    """Add the members, with their original join times and roles.

    Members are keyed by group and account at the app: a retry repeats a call with no answer without effect.
    """

    stage = "import_group_members"
