"""Which stretch of time a DAG run takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chat_migration.errors import UsageError
from chat_migration_airflow.windows import run_settings

DAY = datetime(2024, 5, 1, tzinfo=UTC)
NEXT = datetime(2024, 5, 2, tzinfo=UTC)
INTERVAL = "2024-05-01T00:00:00+00:00 .. 2024-05-02T00:00:00+00:00"


def window(run_type, given=None, start=DAY, end=NEXT):
    settings = run_settings(given or {}, run_type=run_type, interval_start=start, interval_end=end)
    return str(settings.window)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_scheduled_and_backfill_runs_take_their_data_interval(run_type):
    assert window(run_type) == INTERVAL


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "operator_triggered"])
def test_other_runs_take_everything_even_with_a_data_interval(run_type):
    assert window(run_type) == "everything"


def test_manual_run_takes_from_and_to():
    given = {"from": "2024-01-01", "to": "2024-02-01"}
    assert window("manual", given) == "2024-01-01T00:00:00+00:00 .. 2024-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"from": "2024-04-01"},
            "2024-04-01T00:00:00+00:00 .. 2024-05-02T00:00:00+00:00",
            id="from",
        ),
        pytest.param(
            {"to": "2024-05-01T12:00:00Z"},
            "2024-05-01T00:00:00+00:00 .. 2024-05-01T12:00:00+00:00",
            id="to",
        ),
    ],
)
def test_given_bounds_win_over_the_interval_of_a_scheduled_run(given, expected):
    assert window("scheduled", given) == expected


def test_bounds_of_the_settings_file_win_over_the_interval(tmp_path, monkeypatch):
    file = tmp_path / "nightly.yaml"
    file.write_text("from: 2024-03-01\nshards: 3\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    assert window("scheduled") == "2024-03-01T00:00:00+00:00 .. 2024-05-02T00:00:00+00:00"


def test_params_that_are_not_set_leave_the_settings_file_its_say(tmp_path, monkeypatch):
    file = tmp_path / "nightly.yaml"
    file.write_text("same_second: keep\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    settings = run_settings(
        {"same_second": None, "shards": None},
        run_type="manual",
        interval_start=None,
        interval_end=None,
    )
    assert (settings.same_second, settings.shards) == ("keep", 1)


def test_scheduled_run_without_an_interval_takes_everything():
    assert window("scheduled", start=None, end=None) == "everything"


def test_empty_interval_is_refused():
    with pytest.raises(UsageError, match="is empty"):
        window("scheduled", start=DAY, end=DAY)
