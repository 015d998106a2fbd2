"""When the nightly runs start."""

from __future__ import annotations

from airflow.sdk import CronDataIntervalTimetable, conf
from pendulum.tz.local_timezone import get_local_timezone


def nightly() -> CronDataIntervalTimetable:
    """Return a schedule whose runs cover one day each, midnight to midnight in Airflow's default time zone.

    A plain cron string would give runs with an empty data interval.
    """
    return CronDataIntervalTimetable("0 0 * * *", timezone=zone_name())


def zone_name() -> str:
    """Return the IANA name of the schedule's time zone, which is Airflow's ``core.default_timezone``."""
    name = conf.get_mandatory_value("core", "default_timezone")
    if name == "system":
        return str(get_local_timezone().name)
    # Airflow writes it small; files of time zones do not.
    return "UTC" if name.lower() == "utc" else str(name)
