"""By when a nightly run must be done. Airflow's scheduler watches it and tells who is to know."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from chat_migration_airflow import alerts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

HOURS_VARIABLE = "CHAT_MIGRATION_NIGHT_HOURS"
DEFAULT_HOURS = 6.0


class EndOfNight(BaseDeadlineReference):
    """The end of a scheduled run's data interval: midnight, when the run starts. Other runs have none.

    Airflow's own references take every run: a backfill of last month would be late before it starts, and the whole
    history is no night. The scheduler evaluates this one, so the plugin registers it.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(
        self, *, session: Session, dag_id: str, run_id: str, **_: Any
    ) -> datetime | None:
        """Return it, or None for a run without a deadline."""
        # Imported late: only the scheduler may touch Airflow's database.
        from airflow.models.dagrun import DagRun  # noqa: PLC0415
        from sqlalchemy import select  # noqa: PLC0415

        end: datetime | None = session.scalar(
            select(DagRun.data_interval_end).where(
                DagRun.dag_id == dag_id, DagRun.run_id == run_id, DagRun.run_type == "scheduled"
            )
        )
        return end


def night_deadline() -> DeadlineAlert | None:
    """Return the alert for a nightly run that is not done so many hours after midnight; None where none is wanted.

    ``CHAT_MIGRATION_NIGHT_HOURS`` says how many (6); 0 turns the alert off.

    Raises:
        ValueError: it is no number.
    """
    hours = float(os.environ.get(HOURS_VARIABLE, "") or DEFAULT_HOURS)
    if hours <= 0:
        return None
    return DeadlineAlert(
        reference=EndOfNight(),
        interval=timedelta(hours=hours),
        callback=AsyncCallback(alerts.deadline_missed),
        name="night",
    )
