"""An Airflow whose nights pass when a test says so: its folders of DAGs and plugins, and the clock they go by."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from tests.scheduler.one_dag import DAG

ROOT = Path(__file__).resolve().parents[2]
BEFORE_EVERYTHING = "2000-01-01T00:00:00+00:00"
_DAG_FILE = f"""# The DAG of this repository, by the calendar of a simulation.
from pathlib import Path
from chat_migration_airflow import schedule
from simulated_nights import SimulatedNights

schedule.nightly = lambda: SimulatedNights("0 0 * * *", timezone=schedule.zone_name())
path = Path({str(ROOT / "dags" / f"{DAG}.py")!r})
exec(compile(path.read_text(), str(path), "exec"), globals())
"""
_PARSING_SECONDS = 3
QUICK_BUT_PATIENT = {
    # The file of the DAG is read when the clock is moved; what this leaves out waits for the interval.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    # The first answer of an API server that has just started takes long on a busy machine; a task fails without it.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
}


class SimulatedCalendar:
    """The clock and the two folders, below a folder of the test's own."""

    def __init__(self, folder: Path, zone: str) -> None:
        self._clock = folder / "clock"
        self._dags, self._plugins = folder / "dags", folder / "plugins"
        self._zone = zone
        for each in (self._dags, self._plugins):
            each.mkdir(parents=True)
        for plugin in (
            ROOT / "plugins" / "chat_migration_plugin.py",
            Path(__file__).with_name("simulated_nights.py"),
        ):
            shutil.copy(plugin, self._plugins)
        self._dag_file.write_text(_DAG_FILE)
        self.set(BEFORE_EVERYTHING)

    def set(self, now: str) -> None:
        """Move the clock, at once for all who read it, and have Airflow ask the DAG for its next night."""
        new = self._clock.with_suffix(".new")
        new.write_text(now)
        new.replace(self._clock)
        # Airflow reads a file again that was changed after it was read; one who reads it now may know the old time.
        changed = time.time() + _PARSING_SECONDS
        os.utime(self._dag_file, (changed, changed))

    def environment(self) -> dict[str, str]:
        """Return what every process of the Airflow needs to go by it."""
        return QUICK_BUT_PATIENT | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._plugins),
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": self._zone,
            "SIMULATED_CLOCK": str(self._clock),
        }

    @property
    def _dag_file(self) -> Path:
        return self._dags / f"{DAG}.py"
