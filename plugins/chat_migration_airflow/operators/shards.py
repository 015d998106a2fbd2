"""ListShardsOperator: how many import tasks per message type; Params are not known when a DAG is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from chat_migration.targets.vendors import DEFAULT_TARGET
from chat_migration_airflow.operators.base import settings_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListShardsOperator(BaseOperator):
    """Return the shard numbers of this run, for the message operators to expand over.

    A retry returns the same.

    Args:
        target: where to, as ``--target`` of the command line names it: the settings file may say another number there.
    """

    ui_color = "#f4f6f8"

    def __init__(self, *, target: str = DEFAULT_TARGET, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target

    def execute(self, context: Context) -> list[int]:
        """Count the shards that the settings ask for."""
        return list(range(settings_of(context, self.target).shards))
