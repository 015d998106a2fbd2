"""When the nightly runs start."""

from __future__ import annotations

import pendulum
from airflow.sdk import CronDataIntervalTimetable, conf


def nightly() -> CronDataIntervalTimetable:
    """Return a schedule whose runs cover one day each, midnight to midnight in Airflow's default time zone.

    A plain cron string would give runs with an empty data interval.
    """
    name = conf.get_mandatory_value("core", "default_timezone")
    zone = pendulum.local_timezone() if name == "system" else pendulum.timezone(name)
    return CronDataIntervalTimetable("0 0 * * *", timezone=zone)
