"""ListShardsOperator: how many import tasks per message type; Params are not known when a DAG is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from chat_migration_airflow.operators.base import settings_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListShardsOperator(BaseOperator):
    """Return the shard numbers of this run, for the message operators to expand over.

    A retry returns the same.
    """

    ui_color = "#f4f6f8"

    def execute(self, context: Context) -> list[int]:
        """Count the shards that the settings ask for."""
        return list(range(settings_of(context).shards))
