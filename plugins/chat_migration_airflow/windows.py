"""Which stretch of time a DAG run takes, and when the nightly runs start. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chat_migration.settings import Settings

_INTERVAL_RUNS = frozenset({"scheduled", "backfill"})


def run_settings(
    given: Mapping[str, Any],
    *,
    run_type: str,
    interval_start: datetime | None,
    interval_end: datetime | None,
) -> Settings:
    """Return the settings of one DAG run, with its window.

    ``from`` and ``to`` win wherever they are given, in the conf or in the settings file. Otherwise a
    scheduled run and a backfill take their data interval; every other run takes the whole export. Only the
    run's type decides that: a manual run with a logical date has a data interval too, which is not meant.

    Raises:
        UsageError: a setting is unknown or wrong, or the window is empty.
    """
    settings = Settings.load(given)
    if run_type not in _INTERVAL_RUNS or interval_start is None or interval_end is None:
        return settings
    bounds = {
        "from": settings.from_ or interval_start.isoformat(),
        "to": settings.to or interval_end.isoformat(),
    }
    return Settings.load({**given, **bounds})
