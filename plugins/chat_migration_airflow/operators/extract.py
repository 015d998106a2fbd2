"""ExtractExportOperator: export → checked, staged Parquet."""

from __future__ import annotations

from chat_migration_airflow.operators.base import MigrationOperator


class ExtractExportOperator(MigrationOperator):
    """Read the window of the export, check every row and stage it as Parquet.

    A retry reads again and replaces its own extract only; nothing is sent.
    """

    stage = "extract_export"
    runs_dry = True
