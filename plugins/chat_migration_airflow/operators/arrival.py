"""WaitForExportOperator: the drop is there and complete, or the run fails and says what is missing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from chat_migration_airflow.operators.base import MigrationOperator, open_window_of, settings_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from chat_migration.arrivals import Waiting
    from chat_migration.run import Run
    from chat_migration.stages import StageResult


class WaitForExportOperator(MigrationOperator):
    """Wait until the export of this run's window is there and complete, for ``wait_for_export_seconds`` at most.

    It waits in the triggerer, without a worker. With 0 seconds it looks once; without a template, a marker and times
    to look for, it takes the export as it is. At the deadline it fails and names each missing drop, or with
    ``allow_gap`` goes on without them. A retry waits anew. Nothing is read or sent.
    """

    stage = "look_for_export"
    runs_dry = True

    def call(self, run: Run, *parts: int) -> StageResult:
        """Look; go on or wait."""
        from chat_migration.arrivals import Waiting  # noqa: PLC0415 - a DAG file must stay cheap to parse

        found: StageResult | Waiting = super().call(run, *parts)
        if isinstance(found, Waiting):
            self._wait(found)
        return found

    def _wait(self, waiting: Waiting) -> NoReturn:
        from chat_migration_airflow.triggers.arrival import ExportArrivalTrigger  # noqa: PLC0415

        self.log.info("%s: %s; waiting without a worker", self.stage, waiting.why)
        self.defer(
            trigger=ExportArrivalTrigger(msgspec.to_builtins(waiting)),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Look a last time, and go on or fail.

        Raises:
            ExportMissingError, ExportNotReadyError: it still cannot be read.
        """
        settings = settings_of(context, self.target)
        run = self._run = self.make_run(context, settings)
        if settings.dry_run:
            open_window_of(run, context)
        watch = {path: (mark, since) for path, (mark, since) in event["watch"].items()}
        stages = import_module("chat_migration.stages")
        return self.tell(stages.look_for_export(run, watch, is_last=True))
