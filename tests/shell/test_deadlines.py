"""By when a night must be done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chat_migration_airflow import alerts, deadlines


@pytest.mark.parametrize(
    ("given", "hours"), [(None, 6), ("", 6), ("4.5", 4.5)], ids=["not set", "empty", "set"]
)
def test_night_has_so_many_hours(monkeypatch, given, hours):
    monkeypatch.delenv(deadlines.HOURS_VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(deadlines.HOURS_VARIABLE, given)
    alert = deadlines.night_deadline()
    assert alert.interval == timedelta(hours=hours)
    assert alert.callback.path == f"{alerts.__name__}.deadline_missed"


def test_no_hours_mean_no_alert(monkeypatch):
    monkeypatch.setenv(deadlines.HOURS_VARIABLE, "0")
    assert deadlines.night_deadline() is None


def test_hours_that_are_no_number_are_refused(monkeypatch):
    monkeypatch.setenv(deadlines.HOURS_VARIABLE, "six")
    with pytest.raises(ValueError, match="six"):
        deadlines.night_deadline()
