"""What every operator of the migration does: settings and connection, one use case, a summary."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from msgspec import to_builtins

from chat_migration.home import Home
from chat_migration.progress import LogProgress
from chat_migration.run import Run
from chat_migration.targets.vendors import DEFAULT_TARGET
from chat_migration_airflow.hooks import HOOKS
from chat_migration_airflow.hooks.target import TargetHook
from chat_migration_airflow.schedule import zone_name
from chat_migration_airflow.windows import interval_of, kind_of, run_name, run_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from chat_migration.calendar import NothingLeft
    from chat_migration.settings import Settings
    from chat_migration.stages import StageResult


class MigrationOperator(BaseOperator):
    """Base of the operators: one stage of the run that this DAG run is.

    The run is named by the DAG run's id, in ledger and reports alike, so every task and every retry of a DAG
    run works on the same one. Returns what the stage counted, its seconds and the path of what it wrote.

    Args:
        target: where to, as ``--target`` of the command line names it.
        conn_id: the connection of the target's app; by default that of the target. (templated)
    """

    template_fields: Sequence[str] = ("conn_id",)
    ui_color = "#e8f1fb"

    stage: ClassVar[str]
    """Name of the one function of ``chat_migration.stages`` that this operator calls."""
    runs_dry: ClassVar[bool] = False
    """Whether this stage has something to do when ``dry_run`` is set."""

    def __init__(
        self, *, target: str = DEFAULT_TARGET, conn_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.conn_id = conn_id or HOOKS[target].default_conn_name
        self._run: Run | None = None

    @cached_property
    def hook(self) -> TargetHook:
        """Return the hook of this operator's connection."""
        return HOOKS[self.target](self.conn_id)

    def call(self, run: Run, *parts: int) -> StageResult:
        """Call this operator's use case. Imported only here: a DAG file must stay cheap to parse."""
        stages = import_module("chat_migration.stages")
        done: StageResult = getattr(stages, self.stage)(run, *parts)
        return done

    def execute(self, context: Context) -> Any:
        """Run the stage."""
        settings = settings_of(context, self.target)
        if settings.dry_run and not self.runs_dry:
            raise AirflowSkipException("A dry run reads, plans and prints; this task would write.")
        self._run = self.make_run(context, settings)
        if settings.dry_run:
            # What the gate of a dry run noted lies on the machine that it ran on.
            open_window_of(self._run, context)
        return self.tell(self.call(self._run))

    def tell(self, result: StageResult) -> dict[str, Any]:
        """Log what a stage did, and return what other tasks may want of it."""
        done = to_builtins(result, str_keys=True)
        for line in (done["summary"] or counts_text(done["rows"])).splitlines():
            self.log.info("%s", line)
        self.log.info("%s: done in %.1f s", self.stage, done["seconds"])
        return {"rows": done["rows"], "seconds": done["seconds"], "path": done["path"]}

    def make_run(self, context: Context, settings: Settings) -> Run:
        """Return the run that this DAG run is, and say in one line which it is."""
        dag_run = context["dag_run"]
        run = Run(
            run_id=run_name(self.target, str(dag_run.run_type.value), dag_run.run_id),
            settings=settings,
            connection=self.hook.connection,
            home=Home.from_environment(),
            progress=LogProgress(),
            shared_budget=True,
        )
        self.log.info("%s: %s", self.stage, introduction(run))
        return run

    def on_kill(self) -> None:
        """Ask the stage to stop: calls in flight end and are recorded, no new ones begin.

        Airflow calls this in the signal handler of the main thread, which may itself be holding the event's
        lock; another thread sets it.
        """
        if self._run is not None:
            threading.Thread(target=self._run.stop.set, name="stop-run", daemon=True).start()


class ShardOperator(MigrationOperator):
    """Base of the operators that are mapped over shards.

    Args:
        shard: which part of the conversations; a conversation is in exactly one. Expand over
            ``ListShardsOperator``. (templated)
    """

    template_fields: Sequence[str] = (*MigrationOperator.template_fields, "shard")

    def __init__(self, *, shard: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def call(self, run: Run, *parts: int) -> StageResult:
        """Call this operator's use case for its shard."""
        return super().call(run, self.shard, *parts)


def introduction(run: Run) -> str:
    """Return what a log is about: run, window, export, target."""
    settings, noted = run.settings, run.noted_window()
    parts = [
        f"run {run.run_id}" + (" (dry)" if settings.dry_run else ""),
        f"window {noted.window}" if noted else "window not opened yet",
        f"export {settings.export_path or 'not given'} ({settings.name_of_source})",
        f"target {run.connection.app} at {run.connection.host}",
    ]
    return " · ".join(parts)


def settings_of(context: Context, target: str) -> Settings:
    """Return the settings of a DAG run into a target: its Params, over the settings file, over the defaults."""
    return run_settings(target, dict(context["params"]), time_zone=zone_name())


def open_window_of(run: Run, context: Context) -> StageResult | NothingLeft:
    """Decide what a DAG run takes, or find what was decided."""
    dag_run = context["dag_run"]
    run_type = str(dag_run.run_type.value)
    interval = interval_of(run_type, dag_run.data_interval_start, dag_run.data_interval_end)
    stages = import_module("chat_migration.stages")
    opened: StageResult | NothingLeft = stages.open_window(run, kind_of(run_type), interval)
    return opened


def counts_text(rows: Mapping[str, Mapping[str, int]]) -> str:
    """Return counts as one line.

    >>> counts_text({"accounts": {"imported": 3, "rejected": 1}, "groups": {}})
    'accounts: 3 imported, 1 rejected'
    """
    return "; ".join(
        f"{kind}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"
        for kind, counts in rows.items()
        if counts
    )
