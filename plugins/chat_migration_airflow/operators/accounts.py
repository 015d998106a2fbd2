"""ImportAccountsOperator: people → accounts."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class ImportAccountsOperator(MigrationOperator):
    """Create an account for everybody who appears anywhere in the export.

    Accounts that the ledger or the app already has are left alone, so a retry creates only what is missing.
    """

    stage = "import_accounts"
