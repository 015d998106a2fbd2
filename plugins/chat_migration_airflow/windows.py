"""What Airflow says of a DAG run, in the core's words: its settings, who started it, its data interval. Pure.

Which window the run takes is not decided here but by the core, once, in the task ``open_window``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chat_migration.errors import UsageError
from chat_migration.settings import Settings
from chat_migration.target_settings import settings_for
from chat_migration.targets.vendors import DEFAULT_TARGET
from chat_migration.window import RunKind, Window

_KINDS: dict[str, RunKind] = {"scheduled": "scheduled", "backfill": "backfill"}


def run_settings(target: str, given: Mapping[str, Any], *, time_zone: str = "") -> Settings:
    """Return the settings of one DAG run.

    Args:
        target: where it goes, as ``--target`` of the command line names it.
        given: its Params.
        time_zone: the schedule's, which counts where neither Params nor settings file name one.

    Raises:
        UsageError: a setting is unknown or wrong, or the target cannot do what is asked.
    """
    settings = settings_for(target, given)
    return settings if settings.time_zone else settings.model_copy(update={"time_zone": time_zone})


def run_name(target: str, run_type: str, run_id: str) -> str:
    """Return the name of the run that a DAG run is: its id, if need be with the target before it.

    The ids of nights and backfills are made of their times alone and are the same in every DAG, while the runs of all
    DAGs lie side by side under one home.

    >>> run_name("tencent", "scheduled", "scheduled__2026-05-01")
    'scheduled__2026-05-01'
    >>> run_name("zim", "scheduled", "scheduled__2026-05-01")
    'zim__scheduled__2026-05-01'
    """
    is_its_own = target == DEFAULT_TARGET or kind_of(run_type) == "manual"
    return run_id if is_its_own else f"{target}__{run_id}"


def kind_of(run_type: str) -> RunKind:
    """Return who started a DAG run. Whatever is neither scheduled nor a backfill was asked for by somebody.

    Only the run's type decides that: a manual run with a logical date has a data interval too, which is not meant.

    >>> [kind_of(each) for each in ("scheduled", "backfill", "manual", "asset_triggered")]
    ['scheduled', 'backfill', 'manual', 'manual']
    """
    return _KINDS.get(run_type, "manual")


def interval_of(run_type: str, start: datetime | None, end: datetime | None) -> Window | None:
    """Return the data interval of a scheduled run or a backfill, in whole seconds; of other runs, or without one, None.

    Raises:
        UsageError: the interval is empty.
    """
    if kind_of(run_type) == "manual" or start is None or end is None:
        return None
    first, last = (int(each.timestamp()) * 1000 for each in (start, end))
    if first >= last:
        raise UsageError(
            f"The data interval of this {run_type} run is empty: `{start.isoformat()}` to `{end.isoformat()}`.",
            expected="A schedule of `CronDataIntervalTimetable`; a plain cron string gives empty intervals.",
            advice="Correct the DAG's schedule, or trigger a run with `from` and `to`.",
        )
    return Window(first, last)
