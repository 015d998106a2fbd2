"""Registers the chat migration with Airflow. The only file here that the plugin loader runs.

Hooks and operators are no plugins: DAG files import them from ``chat_migration_airflow``, which
``.airflowignore`` hides from the loader.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from chat_migration_airflow.deadlines import EndOfNight


class ChatMigrationPlugin(AirflowPlugin):
    """What this project adds to Airflow's own processes."""

    name = "chat_migration"
    deadline_references = [EndOfNight]  # noqa: RUF012 - as Airflow declares it
