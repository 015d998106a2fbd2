"""Drops: which exports a template means, by the days and bounds of a window."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.drops import Drop, Template, absent_days, days_of, is_template, marker_names
from chat_migration.errors import UsageError
from chat_migration.window import UTC_ZONE, Window, parse_instant

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Template.parse("/data/drops/{date}/")


def window(start: str | None, end: str | None) -> Window:
    return Window(
        None if start is None else parse_instant(start), None if end is None else parse_instant(end)
    )


def names(template: str, of: Window, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    return [each.name for each in Template.parse(template).expected(of, zone)]


# --- days ---------------------------------------------------------------------------------------


def test_a_night_has_one_drop() -> None:
    assert DAILY.expected(window("2024-05-01", "2024-05-02"), UTC_ZONE) == [
        Drop("2024-05-01", "/data/drops/2024-05-01/", "2024-05-01")
    ]


def test_caught_up_nights_have_a_drop_each_in_order() -> None:
    found = names("drops/{date}.zip", window("2024-02-28", "2024-03-02"))
    assert found == ["2024-02-28.zip", "2024-02-29.zip", "2024-03-01.zip"]


def test_days_are_those_of_the_zone() -> None:
    night = window("2024-05-01T22:00:00Z", "2024-05-02T22:00:00Z")
    assert names("{date}", night, BERLIN) == ["2024-05-02"]
    assert names("{date}", night, UTC_ZONE) == ["2024-05-01"]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00", 23),
        ("2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00", 25),
    ],
)
def test_a_night_of_a_clock_change_is_one_day(start: str, end: str, hours: int) -> None:
    night = window(start, end)
    assert night.end_ms is not None
    assert night.start_ms is not None
    assert (night.end_ms - night.start_ms) // 3_600_000 == hours
    assert [day.isoformat() for day in days_of(night, BERLIN)] == [start[:10]]


@given(
    st.sampled_from([BERLIN, UTC_ZONE, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")]),
    st.integers(0, 23),
    st.integers(0, 364),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_any_split_of_whole_days_has_the_same_drops(
    zone: ZoneInfo, hour: int, first: int, lengths: list[int]
) -> None:
    """Nights may begin at any hour: no day is left out at a seam, and none comes twice."""
    # The hours that a clock change makes or removes are no start of a night here.
    at = datetime(2024, 1, 1, hour if hour not in (1, 2, 3) else 4, tzinfo=zone) + timedelta(first)

    def instant(days: int) -> int:
        return round((at + timedelta(days)).timestamp() * 1000)

    whole = Window(instant(0), instant(sum(lengths)))
    parts, done = [], 0
    for length in lengths:
        parts += days_of(Window(instant(done), instant(done + length)), zone)
        done += length
    assert parts == list(days_of(whole, zone))
    assert len(set(parts)) == sum(lengths)


# --- bounds -------------------------------------------------------------------------------------


def test_bounds_are_written_in_utc_and_fit_for_paths() -> None:
    night = window("2024-05-01T00:00:00+02:00", "2024-05-02T00:00:00+02:00")
    assert names("exports/chat-{start}-{end}.tar.gz", night, BERLIN) == [
        "chat-20240430T220000Z-20240501T220000Z.tar.gz"
    ]


def test_a_name_reaches_from_the_first_placeholder_s_folder_on() -> None:
    (drop,) = Template.parse("s3://bucket/{date}/chat/export-{date}.zip").expected(
        window("2024-05-01", "2024-05-02"), UTC_ZONE
    )
    assert drop.name == "2024-05-01/chat/export-2024-05-01.zip"
    assert drop.path == "s3://bucket/2024-05-01/chat/export-2024-05-01.zip"


# --- open windows -------------------------------------------------------------------------------

THERE = ["2024-04-29", "2024-04-30/messages.jsonl", "2024-04-30/users.jsonl", "2024-05-01", "2024-05-03",
         "2024-13-01", "README", "2024-05-02.tmp"]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, ["2024-04-29", "2024-04-30", "2024-05-01", "2024-05-03"]),
        ("2024-04-30", None, ["2024-04-30", "2024-05-01", "2024-05-03"]),
        (None, "2024-05-01", ["2024-04-29", "2024-04-30"]),
    ],
)
def test_an_open_window_has_the_drops_that_are_there(
    start: str | None, end: str | None, found: list[str]
) -> None:
    among = DAILY.among(THERE, window(start, end), UTC_ZONE)
    assert [each.name for each in among] == found
    assert [each.path for each in among] == [f"/data/drops/{name}/" for name in found]


def test_a_window_open_to_the_past_still_needs_the_drop_that_ends_it() -> None:
    assert names("{date}", window(None, "2024-05-02")) == ["2024-05-01"]
    assert names("{date}", window(None, None)) == []
    assert names("{date}", window("2024-05-02", None)) == []


def test_bounds_of_drops_that_are_there_lie_within_an_open_window() -> None:
    template = Template.parse("{start}-{end}.zip")
    there = [f"2024050{day}T000000Z-2024050{day + 1}T000000Z.zip" for day in range(1, 5)]
    assert [
        each.name for each in template.among(there, window(None, "2024-05-03"), UTC_ZONE)
    ] == there[:2]
    assert [
        each.name for each in template.among(there, window("2024-05-03", None), UTC_ZONE)
    ] == there[2:]


def test_a_placeholder_that_comes_twice_is_one_value() -> None:
    template = Template.parse("{date}/export-{date}.zip")
    there = ["2024-05-01/export-2024-05-01.zip", "2024-05-01/export-2024-05-02.zip"]
    found = template.among(there, Window(), UTC_ZONE)
    assert [each.name for each in found] == there[:1]


def test_days_between_drops_that_have_none_are_named() -> None:
    drops = [Drop(day, day, day) for day in ("2024-05-01", "2024-05-04")]
    assert absent_days(drops) == ["2024-05-02", "2024-05-03"]
    assert absent_days([]) == []


# --- odd templates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("drops/{date}/../../etc", "leads upwards"),
        ("../{date}", "leads upwards"),
        ("drops\\..\\{date}", "leads upwards"),
        ("drops/{date}/{hour}", "no placeholder"),
        ("drops/{date:%Y}/{date}", "no placeholder"),
        ("drops/{{date}}", "no placeholder"),
        ("drops/{date}-{end}", "days and bounds"),
    ],
)
def test_an_odd_template_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Template.parse(text)


def test_braces_without_a_placeholder_make_no_template() -> None:
    assert not is_template("/exports/{legacy}")


# --- markers ------------------------------------------------------------------------------------


def test_a_marker_may_name_the_drop_s_day() -> None:
    night = window("2024-05-01", "2024-05-03")
    drop = Drop("2024-05-02", "x", "2024-05-02")
    assert marker_names("_SUCCESS", drop, night, UTC_ZONE) == ["_SUCCESS"]
    assert marker_names("done-{date}", drop, night, UTC_ZONE) == ["done-2024-05-02"]
    assert marker_names("", drop, night, UTC_ZONE) == []


def test_a_folder_that_grows_needs_the_markers_of_all_days_of_the_window() -> None:
    folder = Drop("", "/export")
    days = ["done-2024-05-01", "done-2024-05-02"]
    assert marker_names("done-{date}", folder, window("2024-05-01", "2024-05-03"), UTC_ZONE) == days
    assert marker_names("done-{date}", folder, window(None, "2024-05-03"), UTC_ZONE) == days[1:]
    assert marker_names("done-{date}", folder, window("2024-05-01", None), UTC_ZONE) == []


@pytest.mark.parametrize("marker", ["../_SUCCESS", "/tmp/_SUCCESS", "a/../../b", "s3://b/_SUCCESS"])  # noqa: S108
def test_a_marker_outside_the_export_is_refused(marker: str) -> None:
    with pytest.raises(UsageError, match="leads out of the export"):
        marker_names(marker, Drop("", "/export"), Window(), UTC_ZONE)
