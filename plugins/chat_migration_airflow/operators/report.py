"""WriteReportOperator: the ledger and the parts of all tasks → the run's report, and its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chat_migration.errors import MigrationError
from chat_migration_airflow.operators.base import MigrationOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

_BROKEN = {"failed", "upstream_failed", "removed"}


class WriteReportOperator(MigrationOperator):
    """Write the run's report, whatever became of the run, then say whether the run is complete.

    Runs when every task before it has ended, and fails when one of them failed: as the last task it decides the
    state of the DAG run. Its outlet assets are updated, with the counts as ``extra``, by complete runs only.
    A retry writes the same report again.
    """

    stage = "write_report"

    def execute(self, context: Context) -> Any:
        """Write the report; fail when the run is not complete."""
        failure = self._failure_upstream(context)
        if failure and context["params"].get("dry_run"):
            raise failure
        try:
            written = super().execute(context)
        except MigrationError:
            raise
        except Exception as error:
            # Too little was done for a report: what failed before says why, and a retry cannot help.
            if failure:
                raise failure from error
            raise
        if failure:
            raise failure
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {
                "run_id": context["dag_run"].run_id,
                **written,
            }
        return written

    @staticmethod
    def _failure_upstream(context: Context) -> MigrationError | None:
        dag_run = context["dag_run"]
        found = context["ti"].get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
        states = found.get(dag_run.run_id, {})
        broken = sorted(task for task, state in states.items() if state in _BROKEN)
        if not broken:
            return None
        failed = [task for task in broken if states[task] == "failed"] or broken
        return MigrationError(
            f"This run is not complete: {', '.join(f'`{task}`' for task in failed)} failed.",
            advice="Read its log, act on the advice there, then clear it with everything downstream.",
            done="What was sent is in the ledger and is not sent again.",
        )
