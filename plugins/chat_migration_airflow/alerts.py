"""Telling people that something needs them: a failed task or run, a late night, a plan that waits for approval.

Each becomes one line in the log of whoever noticed it. Where ``CHAT_MIGRATION_NOTIFY`` names a function
(``package.module.function``), it is called with the :class:`Notice` as well, to send it to where people look.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import conf

from chat_migration.errors import MigrationError

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)

NOTIFY_VARIABLE = "CHAT_MIGRATION_NOTIFY"

Kind = Literal["task_failed", "run_failed", "deadline_missed", "approval_wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a person should know. It holds no secret and no text of a message.

    ``task`` is "" where the whole run is meant; ``what`` and ``advice`` are sentences; ``url`` leads to the run or
    task in Airflow's pages.
    """

    kind: Kind
    dag_id: str
    run_id: str
    task: str = ""
    what: str = ""
    advice: str = ""
    url: str = ""

    def line(self) -> str:
        """Return it as one line.

        >>> Notice(kind="run_failed", dag_id="d", run_id="r", what="It failed.", advice="Look.").line()
        'run_failed in d, run r: It failed. Look.'
        """
        where = f"{self.dag_id}, run {self.run_id}" + (f", task {self.task}" if self.task else "")
        said = " ".join(part for part in (self.what, self.advice, self.url) if part)
        return f"{self.kind} in {where}: {' '.join(said.split())}"


def send(notice: Notice) -> None:
    """Log a notice and hand it to the function of ``CHAT_MIGRATION_NOTIFY``. Raises nothing: a failure is logged."""
    level = logging.WARNING if notice.kind == "approval_wanted" else logging.ERROR
    _log.log(level, "%s", notice.line())
    path = os.environ.get(NOTIFY_VARIABLE, "")
    if not path:
        return
    module, _, name = path.rpartition(".")
    try:
        getattr(import_module(module), name)(notice)
    except Exception:
        # What is being told about must not fail once more because nobody could be told.
        _log.exception("%s: `%s` could not be called with this notice", NOTIFY_VARIABLE, path)


def task_failed(context: Context) -> None:
    """Tell that a task failed for good. For ``on_failure_callback`` of tasks; retries are not told."""
    error, task = context.get("exception"), context["ti"]
    index = f" [{task.map_index}]" if (task.map_index or -1) >= 0 else ""
    what, advice = _what_and_advice(error)
    send(
        Notice(
            kind="task_failed",
            dag_id=task.dag_id,
            run_id=task.run_id,
            task=f"{task.task_id}{index}",
            what=what,
            advice=advice,
            url=_page(task.dag_id, task.run_id, task.task_id),
        )
    )


def run_failed(context: Context) -> None:
    """Tell that a run failed. For ``on_failure_callback`` of DAGs."""
    run = context["dag_run"]
    send(
        Notice(
            kind="run_failed",
            dag_id=run.dag_id,
            run_id=run.run_id,
            what="The run is not complete.",
            advice="The log of its first failed task says why; the report of `write_report` says what is missing.",
            url=_page(run.dag_id, run.run_id),
        )
    )


async def deadline_missed(context: Mapping[str, Any]) -> None:
    """Tell that a nightly run was not done in time. Airflow's triggerer calls it."""
    # Imported late: whoever only names this function needs no event loop.
    import asyncio  # noqa: PLC0415

    run, missed = context["dag_run"], context["deadline"]["deadline_time"]
    by = missed if isinstance(missed, str) else _utc(missed)
    notice = Notice(
        kind="deadline_missed",
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        what=f"The night is not done, and should have been by {by}.",
        advice="The run goes on. The newest log lines of its running task say how far it is and what it waits for.",
        url=_page(run["dag_id"], run["dag_run_id"]),
    )
    await asyncio.get_running_loop().run_in_executor(None, partial(send, notice))


def approval_wanted(context: Context, question: str, hours: float) -> None:
    """Tell that a run waits for a person to approve its plan."""
    task = context["ti"]
    send(
        Notice(
            kind="approval_wanted",
            dag_id=task.dag_id,
            run_id=task.run_id,
            task=task.task_id,
            what=question,
            advice=f"Approve or reject it within {hours:g} hours; then the run fails.",
            url=_page(task.dag_id, task.run_id, task.task_id, "/required_actions"),
        )
    )


def _what_and_advice(error: object) -> tuple[str, str]:
    if isinstance(error, MigrationError):
        said = " ".join(part for part in (error.what, error.expected, error.done) if part)
        return f"{type(error).__name__}: {said}", error.advice
    said = type(error).__name__ if error is not None else "It ended without a word."
    return said, "Its log has the details."


def _page(dag_id: str, run_id: str, task_id: str = "", tab: str = "") -> str:
    """Return the address of a run's or task's page; "" where Airflow's own is not known."""
    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    if not base:
        return ""
    page = f"{base}/dags/{dag_id}/runs/{run_id}"
    return f"{page}/tasks/{task_id}{tab}" if task_id else page


def _utc(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
