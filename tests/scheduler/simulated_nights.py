"""The schedule of this project, by a clock that a test moves: a night is over when the test says so.

Everything that decides which run comes next is Airflow's own timetable; only what it takes for the present is read from
the file that ``SIMULATED_CLOCK`` names. Airflow loads this module as a plugin, beside the project's own.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


def simulated_now() -> datetime:
    """Return the present of the simulation."""
    return datetime.fromisoformat(Path(os.environ["SIMULATED_CLOCK"]).read_text())


class SimulatedNights(CronDataIntervalTimetable):
    """Nights of a simulated calendar, each of which is over when the simulated clock has passed its end."""

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        now = simulated_now()
        with patch("airflow.timetables.interval.utcnow", lambda: now):
            found = super().next_dagrun_info(
                last_automated_data_interval=last_automated_data_interval, restriction=restriction
            )
        if found is None or found.run_after <= now:
            return found
        # In the simulation its time has not come; for the real clock it has been long ago.
        tomorrow = pendulum.now("UTC") + timedelta(days=1)
        return DagRunInfo(run_after=tomorrow, data_interval=found.data_interval)


class SimulatedNightsPlugin(AirflowPlugin):
    """Makes the timetable known to Airflow."""

    name = "simulated_nights"
    timetables: ClassVar[list[type]] = [SimulatedNights]
