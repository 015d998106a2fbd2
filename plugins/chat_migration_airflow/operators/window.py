"""OpenWindowOperator: the gate, which decides what the DAG run takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import SkipMixin

from chat_migration.calendar import NothingLeft
from chat_migration_airflow.operators.base import MigrationOperator, open_window_of, settings_of
from chat_migration_airflow.windows import kind_of

if TYPE_CHECKING:
    from airflow.sdk import Context


_LOOK_AGAIN = timedelta(seconds=20)


class OpenWindowOperator(MigrationOperator, SkipMixin):
    """Decide once what this DAG run takes, before any other task; put it first, unmapped.

    A scheduled run takes all from the end of what is complete, so nights that a stopped scheduler missed are caught
    up; a backfill takes its data interval; a manual run the whole export; ``from`` and ``to`` win everywhere. A retry
    keeps what was decided. Where earlier runs took it all, everything downstream is skipped and the run succeeds.

    ``depends_on_past`` stands here and nowhere else: it puts nights and backfills in order, and makes Airflow refuse
    ``--run-backwards``. A run before this task existed does not count as past. While an earlier night or backfill is
    under way, the gate waits for its end.
    """

    stage = "open_window"
    runs_dry = True

    def __init__(
        self,
        *,
        depends_on_past: bool = True,
        ignore_first_depends_on_past: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            depends_on_past=depends_on_past,
            ignore_first_depends_on_past=ignore_first_depends_on_past,
            **kwargs,
        )

    def execute(self, context: Context, event: Any = None) -> Any:
        """Decide, and skip everything downstream where nothing is left. Waits while an earlier night is under way."""
        self._let_earlier_runs_end(context)
        self._run = self.make_run(context, settings_of(context, self.target))
        opened = open_window_of(self._run, context)
        if not isinstance(opened, NothingLeft):
            return self.tell(opened)
        self.log.info("%s Everything downstream is skipped.", opened.text)
        # Of tasks that run whatever became of those before them, such as the report, a skip of this one is no end.
        self.skip(context["ti"], context["task"].get_flat_relatives(upstream=False))
        return None

    def _let_earlier_runs_end(self, context: Context) -> None:
        """Step aside, without a worker, while a run of an earlier time is going on.

        A backfill has ten runs at a time, whatever the DAG says, and ``depends_on_past`` makes a gate wait for the gate
        before it, not for that run's end. A night that overtook another would make that one's rows late for good.
        """
        if kind_of(str(context["dag_run"].run_type.value)) == "manual":
            return
        earlier = context["ti"].get_previous_dagrun(state="running")
        if earlier is None:
            return
        # Imported late: a DAG file must stay cheap to parse.
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger  # noqa: PLC0415

        self.log.info(
            "`%s` is of an earlier time and under way; this run begins after it. Looking again in %d s.",
            earlier.run_id,
            _LOOK_AGAIN.seconds,
        )
        self.defer(trigger=TimeDeltaTrigger(_LOOK_AGAIN), method_name="execute")
