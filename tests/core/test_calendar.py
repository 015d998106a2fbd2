"""Which windows are complete, what is missing, what the next run takes, what it completes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from tests.builders_neutral import DAY, HOUR

from chat_migration.calendar import (
    NothingLeft,
    common,
    completed,
    contiguous,
    decide,
    gaps,
    merged,
    missing,
    resume,
)
from chat_migration.errors import UsageError
from chat_migration.window import UTC_ZONE, RunKind, RunWindow, Window, parse_instant

BERLIN = ZoneInfo("Europe/Berlin")
EVERYTHING = Window()


def may(day: float) -> int:
    """Return midnight UTC of a day in May 2024; 1.5 is noon of the first."""
    return parse_instant("2024-05-01") + round((day - 1) * DAY)


def days(start: float | None, end: float | None) -> Window:
    return Window(None if start is None else may(start), None if end is None else may(end))


def taken(
    kind: RunKind,
    *complete: Window,
    given: Window = EVERYTHING,
    interval: Window | None = None,
    lookback: float = 2,
    zone: ZoneInfo = UTC_ZONE,
) -> RunWindow:
    decided = decide(kind, given, interval, complete, lookback, zone=zone)
    assert isinstance(decided, RunWindow), decided
    return decided


# --- sets of windows ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([days(3, 4), days(1, 2)], [days(1, 2), days(3, 4)], id="apart"),
        pytest.param([days(2, 3), days(1, 2)], [days(1, 3)], id="touching"),
        pytest.param([days(1, 5), days(2, 3)], [days(1, 5)], id="one within another"),
        pytest.param([days(1, 3), days(2, 5)], [days(1, 5)], id="overlapping"),
        pytest.param([days(3, 4), days(None, 3)], [days(None, 4)], id="open start"),
        pytest.param([days(3, None), days(1, 4), days(9, 10)], [days(1, None)], id="open end"),
        pytest.param([days(None, 2), days(2, None)], [EVERYTHING], id="everything"),
    ],
)
def test_windows_that_touch_or_overlap_become_one_range(
    windows: list[Window], expected: list[Window]
) -> None:
    assert merged(windows) == expected


def test_gaps_lie_between_ranges_and_nowhere_else() -> None:
    assert gaps([days(1, 2), days(5, 6), days(2, 3), days(8, 9)]) == [days(3, 5), days(6, 8)]
    assert gaps([days(3, 4)]) == gaps([]) == []


def test_the_contiguous_range_is_the_one_of_the_window_that_was_completed_first() -> None:
    history, older, newer, next_night = days(10, 20), days(1, 3), days(25, 26), days(20, 21)
    assert contiguous([history, older, newer, next_night]) == days(10, 21)
    assert contiguous([older, history]) == older
    assert contiguous([]) is None


def test_a_window_is_divided_into_what_is_complete_and_what_is_not() -> None:
    complete = [days(None, 2), days(4, 6)]
    assert common(days(1, 5), complete) == [days(1, 2), days(4, 5)]
    assert missing(days(1, 5), complete) == [days(2, 4)]
    assert missing(EVERYTHING, complete) == [days(2, 4), days(6, None)]
    assert (common(days(2, 4), complete), missing(days(4, 6), complete)) == ([], [])
    assert (common(EVERYTHING, []), missing(EVERYTHING, [])) == ([], [EVERYTHING])


# --- what a run takes ---------------------------------------------------------------------------


def test_the_first_scheduled_run_takes_everything_before_the_end_of_its_interval() -> None:
    assert taken("scheduled", interval=days(9, 10)).window == days(None, 10)


def test_a_scheduled_run_takes_its_night_when_the_night_before_is_complete() -> None:
    assert taken("scheduled", days(None, 9), interval=days(9, 10)).window == days(9, 10)


def test_a_scheduled_run_catches_up_on_the_nights_that_were_missed() -> None:
    decided = taken("scheduled", days(None, 5), days(5, 6), interval=days(9, 10))
    assert decided.window == days(6, 10)
    assert decided.text.startswith("the 4 nights since 2024-05-06, catching up")


def test_a_scheduled_run_goes_on_where_the_history_ended_within_a_day() -> None:
    decided = taken("scheduled", days(None, 8.5), interval=days(9, 10))
    assert decided.window == days(8.5, 10)
    assert decided.text == "the 2 nights since 2024-05-08 12:00:00, catching up (UTC)"


def test_a_night_that_failed_is_taken_by_the_next_even_if_a_newer_one_is_complete() -> None:
    decided = taken("scheduled", days(None, 5), days(6, 7), interval=days(7, 8))
    assert decided.window == days(5, 8)


def test_a_backfill_of_older_days_sends_no_nightly_run_back_there() -> None:
    decided = taken("scheduled", days(10, 20), days(1, 3), interval=days(20, 21))
    assert decided.window == days(20, 21)


@pytest.mark.parametrize(
    "complete",
    [
        pytest.param([days(None, 10)], id="just complete"),
        pytest.param([days(None, 12)], id="overtaken by a longer run"),
        pytest.param([days(None, None)], id="everything complete"),
        pytest.param([days(11, 12)], id="before what was ever taken"),
    ],
)
def test_a_scheduled_run_that_was_overtaken_has_nothing_left(complete: list[Window]) -> None:
    decided = decide("scheduled", EVERYTHING, days(9, 10), complete, 2)
    assert isinstance(decided, NothingLeft)
    assert decided.text.startswith("Nothing is left to do")


def test_nothing_is_left_says_how_far_the_nightly_runs_have_come() -> None:
    decided = decide("scheduled", EVERYTHING, days(9, 10), [days(None, 12)], 2)
    assert isinstance(decided, NothingLeft)
    assert "have come to 2024-05-12 already, and this one ends at 2024-05-10 (UTC)" in decided.text


def test_a_final_bound_in_the_settings_ends_the_nightly_runs() -> None:
    freeze = days(None, 9.5)
    last = taken("scheduled", days(None, 9), given=freeze, interval=days(9, 10))
    assert last.window == days(9, 9.5)
    after = decide("scheduled", freeze, days(10, 11), [days(None, 9), last.window], 2)
    assert isinstance(after, NothingLeft)


@pytest.mark.parametrize("kind", ["scheduled", "backfill", "manual"])
def test_given_bounds_win_whoever_started_the_run(kind: RunKind) -> None:
    complete = [days(None, 9)]
    decided = taken(kind, *complete, given=days(2, 4), interval=days(9, 10))
    assert (decided.window, decided.kind) == (days(2, 4), kind)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        pytest.param("scheduled", days(3, None), days(3, 10), id="scheduled from"),
        pytest.param("scheduled", days(None, 9.5), days(8, 9.5), id="scheduled to"),
        pytest.param("backfill", days(8, None), days(8, 10), id="backfill from"),
        pytest.param("backfill", days(None, 9.5), days(9, 9.5), id="backfill to"),
        pytest.param("manual", days(3, None), days(3, None), id="manual from"),
        pytest.param("manual", days(None, 3), days(None, 3), id="manual to"),
    ],
)
def test_a_bound_that_is_not_given_comes_from_whoever_started_the_run(
    kind: RunKind, given: Window, expected: Window
) -> None:
    assert taken(kind, days(None, 8), given=given, interval=days(9, 10)).window == expected


def test_a_backfill_takes_its_interval_even_if_that_is_complete() -> None:
    decided = taken("backfill", days(None, 20), interval=days(9, 10))
    assert decided.window == days(9, 10)
    assert decided.text == (
        "backfill of 2024-05-09 to 2024-05-10; complete already: what is known is not sent again (UTC)"
    )


def test_a_manual_run_takes_the_whole_export_whatever_its_interval_is() -> None:
    decided = taken("manual", days(None, 8), interval=days(9, 10))
    assert (decided.window, decided.text) == (EVERYTHING, "the whole export")


@pytest.mark.parametrize("kind", ["scheduled", "backfill"])
def test_a_run_of_the_schedule_without_an_interval_is_refused(kind: RunKind) -> None:
    with pytest.raises(UsageError, match="no data interval"):
        decide(kind, EVERYTHING, None, [], 2)


def test_bounds_that_hold_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="is empty"):
        decide("scheduled", days(11, None), days(9, 10), [], 2)


def test_a_run_that_began_takes_the_same_again_however_much_is_complete_now() -> None:
    again = resume("scheduled", days(5, 8), [days(None, 5), days(5, 10)], 2)
    assert (again.window, again.lookback_start_ms) == (days(5, 8), may(3))
    assert "as when this run began" in again.text


# --- what a person should know ------------------------------------------------------------------


def test_a_range_older_than_what_is_complete_is_taken_and_says_that_rows_may_be_late() -> None:
    decided = taken("manual", days(10, 20), given=days(1, 3))
    assert "newer messages are complete up to 2024-05-20" in decided.text


def test_a_range_that_leaves_days_out_names_them() -> None:
    decided = taken("backfill", days(None, 5), interval=days(8, 9))
    assert "leaves out 2024-05-05 to 2024-05-08, which is not complete" in decided.text


def test_an_ordinary_night_needs_no_remark() -> None:
    decided = taken("scheduled", days(None, 9), interval=days(9, 10))
    assert decided.text == "the night since 2024-05-09 (UTC)"


def test_days_are_those_of_the_given_zone() -> None:
    midnight = parse_instant("2024-05-09T00:00:00+02:00")
    decided = taken(
        "scheduled", Window(None, midnight), interval=Window(midnight, midnight + DAY), zone=BERLIN
    )
    assert decided.text == "the night since 2024-05-09 (Europe/Berlin)"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (parse_instant("2024-10-25T00:00:00+02:00"), "the 4 nights since 2024-10-25, catching up"),
        (parse_instant("2024-10-27T00:00:00+02:00"), "the 2 nights since 2024-10-27, catching up"),
        (parse_instant("2024-10-28T00:00:00+01:00"), "the night since 2024-10-28"),
        (parse_instant("2024-10-28T06:00:00+01:00"), "the rest of the night, since 2024-10-28 06:00:00"),
    ],
)  # fmt: skip
def test_nights_are_counted_right_over_a_night_of_25_hours(start: int, text: str) -> None:
    interval = Window(
        parse_instant("2024-10-28T00:00:00+01:00"), parse_instant("2024-10-29T00:00:00+01:00")
    )
    decided = taken("scheduled", Window(None, start), interval=interval, zone=BERLIN)
    assert decided.text == f"{text} (Europe/Berlin)"


def test_an_interval_that_is_no_night_is_not_called_one() -> None:
    hour = Window(may(9), may(9) + HOUR)
    assert taken("scheduled", days(None, 8), interval=hour).text == (
        "everything since 2024-05-08, catching up (UTC)"
    )


def test_bounds_at_the_end_of_all_calendars_can_be_said_in_any_zone() -> None:
    end = parse_instant("9999-12-31T23:59:59+00:00")
    decided = taken("manual", given=Window(0, end), zone=ZoneInfo("Asia/Singapore"))
    assert decided.text == "1970-01-01 07:30:00 to 9999-12-31 23:59:59 (Asia/Singapore)"


# --- looking back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("complete", "start", "lookback", "expected"),
    [
        pytest.param([days(None, 9)], 9, 2, may(7), id="the setting"),
        pytest.param([days(8, 9)], 9, 2, may(8), id="no further than what is complete"),
        pytest.param([days(8, 9), days(None, 8)], 9, 2, may(7), id="over runs that touch"),
        pytest.param([days(None, 8)], 9, 2, None, id="nothing complete just before"),
        pytest.param([days(None, 12)], 9, 2, may(7), id="within what is complete"),
        pytest.param([days(9, 12)], 9, 2, None, id="at the very start of what is complete"),
        pytest.param([days(None, 9)], 9, 0, None, id="switched off"),
        pytest.param([days(None, 9)], 9, 0.5, may(8.5), id="half a day"),
        pytest.param([], 9, 2, None, id="nothing complete"),
        pytest.param([days(None, 9)], None, 2, None, id="a window from the beginning"),
    ],
)
def test_a_run_looks_back_within_what_is_complete_only(
    complete: list[Window], start: float | None, lookback: float, expected: int | None
) -> None:
    decided = taken("manual", *complete, given=days(start, 13), lookback=lookback)
    assert decided.lookback_start_ms == expected


def test_a_look_back_ends_on_a_whole_second() -> None:
    decided = taken("manual", days(None, 9), given=days(9, 10), lookback=1 / 7)
    assert decided.lookback_start_ms is not None
    assert decided.lookback_start_ms % 1000 == 0


@pytest.mark.parametrize("lookback", [1e9, float("inf")])
def test_a_look_back_without_bounds_ends_before_all_chats(lookback: float) -> None:
    decided = taken("manual", days(None, 9), given=days(9, 10), lookback=lookback)
    assert decided.lookback_start_ms == may(9) - 36_500 * DAY


# --- what a run completes -----------------------------------------------------------------------

NOW = may(20) + 250


@pytest.mark.parametrize(
    ("window", "newest", "expected"),
    [
        pytest.param(days(1, 3), may(9), days(1, 3), id="bounded"),
        pytest.param(days(1, 3), None, days(1, 3), id="bounded, without messages"),
        pytest.param(EVERYTHING, may(9) + 999, Window(None, may(9) + 1000), id="everything"),
        pytest.param(days(1, None), may(9), Window(may(1), may(9) + 1000), id="open end"),
        pytest.param(EVERYTHING, may(25), days(None, 20), id="a message of the future"),
        pytest.param(EVERYTHING, NOW, days(None, 20), id="a message of this second"),
        pytest.param(days(1, 30), may(9), Window(may(1), may(9) + 1000), id="end in the future"),
        pytest.param(days(1, 30), may(40), days(1, 20), id="end and message in the future"),
        pytest.param(EVERYTHING, None, None, id="no message at all"),
        pytest.param(days(9, None), may(8), None, id="all messages before an open window"),
        pytest.param(days(25, None), may(26), None, id="a window of the future"),
    ],
)
def test_a_run_completes_what_its_export_holds_and_nothing_later_than_now(
    window: Window, newest: int | None, expected: Window | None
) -> None:
    assert completed(window, newest, NOW) == expected
