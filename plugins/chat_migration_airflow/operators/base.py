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
from chat_migration_airflow.hooks.tencent_chat import TencentChatHook
from chat_migration_airflow.windows import run_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from chat_migration.settings import Settings
    from chat_migration.stages import StageResult


class MigrationOperator(BaseOperator):
    """Base of the operators: one stage of the run that this DAG run is.

    The run is named by the DAG run's id, in ledger and reports alike, so every task and every retry of a DAG
    run works on the same one. Returns what the stage counted, its seconds and the path of what it wrote.

    Args:
        tencent_chat_conn_id: the connection of the target's app. (templated)
    """

    template_fields: Sequence[str] = ("tencent_chat_conn_id",)
    ui_color = "#e8f1fb"

    stage: ClassVar[str]
    """Name of the one function of ``chat_migration.stages`` that this operator calls."""
    runs_dry: ClassVar[bool] = False
    """Whether this stage has something to do when ``dry_run`` is set."""

    def __init__(
        self, *, tencent_chat_conn_id: str = TencentChatHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tencent_chat_conn_id = tencent_chat_conn_id
        self._run: Run | None = None

    @cached_property
    def hook(self) -> TencentChatHook:
        """Return the hook of this operator's connection."""
        return TencentChatHook(self.tencent_chat_conn_id)

    def call(self, run: Run, *parts: int) -> StageResult:
        """Call this operator's use case. Imported only here: a DAG file must stay cheap to parse."""
        stages = import_module("chat_migration.stages")
        done: StageResult = getattr(stages, self.stage)(run, *parts)
        return done

    def execute(self, context: Context) -> Any:
        """Run the stage."""
        settings = settings_of(context)
        if settings.dry_run and not self.runs_dry:
            raise AirflowSkipException("A dry run reads, plans and prints; this task would write.")
        self._run = self.make_run(context, settings)
        done = to_builtins(self.call(self._run), str_keys=True)
        self.log.info(
            "%s: done in %.1f s. %s", self.stage, done["seconds"], counts_text(done["rows"])
        )
        for line in done["summary"].splitlines():
            self.log.info("%s", line)
        return {"rows": done["rows"], "seconds": done["seconds"], "path": done["path"]}

    def make_run(self, context: Context, settings: Settings) -> Run:
        """Return the run that this DAG run is."""
        return Run(
            run_id=context["dag_run"].run_id,
            settings=settings,
            connection=self.hook.connection,
            home=Home.from_environment(),
            progress=LogProgress(),
            shared_budget=True,
        )

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


def settings_of(context: Context) -> Settings:
    """Return the settings of a DAG run: its Params, over the settings file, over the defaults."""
    dag_run = context["dag_run"]
    return run_settings(
        dict(context["params"]),
        run_type=str(dag_run.run_type.value),
        interval_start=dag_run.data_interval_start,
        interval_end=dag_run.data_interval_end,
    )


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
