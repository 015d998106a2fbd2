"""What Airflow says of a DAG run, in the core's words; and nights over clock changes, as its timetable cuts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.interval import CronDataIntervalTimetable

from chat_migration.calendar import decide, merged
from chat_migration.errors import UsageError
from chat_migration.targets.vendors import VENDORS
from chat_migration.window import RunWindow, Window
from chat_migration_airflow.windows import interval_of, kind_of, run_settings

DAY = datetime(2024, 5, 1, tzinfo=UTC)
NEXT = datetime(2024, 5, 2, tzinfo=UTC)
HOUR = 3_600_000
TENCENT, ZIM = VENDORS


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_scheduled_and_backfill_runs_have_their_data_interval(run_type):
    assert kind_of(run_type) == run_type
    window = interval_of(run_type, DAY, NEXT)
    assert str(window) == "2024-05-01T00:00:00+00:00 .. 2024-05-02T00:00:00+00:00"


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "operator_triggered", "new"])
def test_other_runs_were_asked_for_and_have_none_even_with_a_data_interval(run_type):
    assert kind_of(run_type) == "manual"
    assert interval_of(run_type, DAY, NEXT) is None


def test_scheduled_run_without_an_interval_has_none():
    assert interval_of("scheduled", None, None) is None


def test_empty_interval_of_a_plain_cron_schedule_is_refused_with_what_to_do():
    with pytest.raises(UsageError, match="is empty.*CronDataIntervalTimetable"):
        interval_of("scheduled", DAY, DAY)


def test_interval_is_cut_to_whole_seconds():
    part = timedelta(milliseconds=750)
    assert interval_of("backfill", DAY + part, NEXT + part) == interval_of("backfill", DAY, NEXT)


def test_settings_have_no_window_but_the_one_that_is_given():
    assert run_settings(TENCENT, {}).window == Window()
    given = {"from": "2024-01-01", "to": "2024-02-01"}
    assert (
        str(run_settings(TENCENT, given).window)
        == "2024-01-01T00:00:00+00:00 .. 2024-02-01T00:00:00+00:00"
    )


def test_bounds_of_the_settings_file_are_given(tmp_path, monkeypatch):
    file = tmp_path / "nightly.yaml"
    file.write_text("from: 2024-03-01\nshards: 3\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    assert str(run_settings(TENCENT, {}).window) == "2024-03-01T00:00:00+00:00 .. the end"


def test_params_that_are_not_set_leave_the_settings_file_its_say(tmp_path, monkeypatch):
    file = tmp_path / "nightly.yaml"
    file.write_text("same_second: keep\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    settings = run_settings(TENCENT, {"same_second": None, "shards": None})
    assert (settings.same_second, settings.shards) == ("keep", 1)


def test_section_of_the_settings_file_is_for_its_target_alone_and_params_win(tmp_path, monkeypatch):
    file = tmp_path / "nightly.yaml"
    file.write_text("shards: 3\nsource: slack\nzim:\n  shards: 5\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    found = [run_settings(target, {"shards": None}) for target in (TENCENT, ZIM)]
    assert [(each.shards, each.source) for each in found] == [(3, "slack"), (5, "slack")]
    assert run_settings(ZIM, {"shards": 7}).shards == 7


def test_params_that_a_target_cannot_do_are_refused():
    given = {"c2c_unread": "preserve", "allow_push": True}
    assert run_settings(TENCENT, given).c2c_unread == "preserve"
    with pytest.raises(UsageError, match="use `clear_unread`"):
        run_settings(ZIM, given)


def test_zone_of_the_schedule_counts_where_none_is_set(tmp_path, monkeypatch):
    assert run_settings(TENCENT, {}, time_zone="Europe/Berlin").time_zone == "Europe/Berlin"
    given = {"time_zone": "Asia/Singapore"}
    assert run_settings(TENCENT, given, time_zone="Europe/Berlin").time_zone == "Asia/Singapore"
    file = tmp_path / "nightly.yaml"
    file.write_text("time_zone: America/New_York\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    assert run_settings(TENCENT, {}, time_zone="Europe/Berlin").time_zone == "America/New_York"


# --- nights over clock changes ------------------------------------------------------------------


def nights(zone, first, count):
    """Return the intervals that a nightly schedule gives, one run after each midnight of a zone."""
    timetable = CronDataIntervalTimetable("0 0 * * *", timezone=pendulum.timezone(zone))
    day = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone))
    for number in range(1, count + 1):
        after = (day + timedelta(days=number)).replace(minute=30)
        found = timetable.infer_manual_data_interval(run_after=pendulum.instance(after))
        yield interval_of("scheduled", found.start, found.end)


CHANGES = [
    pytest.param("Europe/Berlin", "2024-03-29", [24, 24, 23, 24, 24], id="Berlin, spring"),
    pytest.param("Europe/Berlin", "2024-10-25", [24, 24, 25, 24, 24], id="Berlin, autumn"),
    pytest.param("America/New_York", "2024-03-08", [24, 24, 23, 24, 24], id="New York, spring"),
    pytest.param("America/New_York", "2024-11-01", [24, 24, 25, 24, 24], id="New York, autumn"),
]


@pytest.mark.parametrize(("zone", "first", "hours"), CHANGES)
def test_nights_touch_over_a_clock_change_and_none_is_taken_twice(zone, first, hours):
    complete = []
    for interval in nights(zone, first, 5):
        decided = decide("scheduled", Window(), interval, complete, 2, zone=ZoneInfo(zone))
        assert isinstance(decided, RunWindow)
        if complete:
            assert decided.window == interval
            assert decided.text.startswith("the night since 2024-")
        complete.append(Window(interval.start_ms, interval.end_ms))
    assert [(each.end_ms - each.start_ms) / HOUR for each in complete] == hours
    assert len(merged(complete)) == 1


@pytest.mark.parametrize(("zone", "first", "hours"), CHANGES)
@pytest.mark.parametrize("missed", [1, 2, 3])
def test_nights_missed_over_a_clock_change_are_caught_up_and_counted_right(
    zone, first, hours, missed
):
    history, *_, last = list(nights(zone, first, 5))[: 2 + missed]
    complete = [Window(None, history.end_ms)]
    decided = decide("scheduled", Window(), last, complete, 2, zone=ZoneInfo(zone))
    assert isinstance(decided, RunWindow)
    assert decided.window == Window(history.end_ms, last.end_ms)
    length = decided.window.end_ms - decided.window.start_ms
    assert length / HOUR == sum(hours[1 : 2 + missed])
    assert decided.text.startswith(f"the {1 + missed} nights since 2024-")


def test_month_of_daily_backfills_over_a_clock_change_makes_one_range():
    complete = [
        decide("backfill", Window(), interval, [], 2).window
        for interval in nights("Europe/Berlin", "2024-03-10", 31)
    ]
    (whole,) = merged(complete)
    assert (whole.end_ms - whole.start_ms) / HOUR == 31 * 24 - 1
