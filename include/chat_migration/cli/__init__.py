"""The command line: the same use cases as the DAGs, without Airflow."""

from chat_migration.cli.main import main

__all__ = ["main"]
