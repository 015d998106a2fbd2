"""PlanImportOperator: staged rows → plan and quote."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class PlanImportOperator(MigrationOperator):
    """Decide what becomes of every row and quote it: rows, calls, time, what would be late.

    Sends nothing. A retry plans anew against the ledger as it is then.
    """

    stage = "plan_import"
    runs_dry = True
