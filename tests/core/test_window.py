"""Windows: whole seconds, start included, end not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.errors import UsageError
from chat_migration.window import Window, parse_instant

MAY = 1_714_521_600_000


@pytest.mark.parametrize(
    ("window", "held", "not_held"),
    [
        pytest.param(Window(MAY, MAY + 1000), [MAY, MAY + 999], [MAY - 1, MAY + 1000], id="second"),
        pytest.param(Window(MAY, None), [MAY, 2**60], [MAY - 1, -1], id="open-end"),
        pytest.param(Window(None, MAY), [MAY - 1, -(2**60)], [MAY], id="open-start"),
        pytest.param(Window(), [0, -1, 2**60], [], id="everything"),
        pytest.param(Window(-2000, -1000), [-2000, -1001], [-1000, 0], id="before-1970"),
    ],
)
def test_the_start_is_held_and_the_end_is_not(
    window: Window, held: list[int], not_held: list[int]
) -> None:
    assert [*map(window.holds, held + not_held)] == [True] * len(held) + [False] * len(not_held)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        pytest.param(1, None, "`1` ms is no whole second", id="start-within-a-second"),
        pytest.param(None, MAY + 999, "no whole second", id="end-within-a-second"),
        pytest.param(MAY, MAY, "is empty", id="no-instant"),
        pytest.param(MAY + 1000, MAY, "is empty", id="backwards"),
    ],
)
def test_a_window_that_cannot_be_is_refused(start: int | None, end: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Window(start, end)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2024-05-01", MAY, id="date-is-midnight-utc"),
        pytest.param("2024-05-01T00:00:00Z", MAY, id="z"),
        pytest.param("2024-05-01T08:00:00+08:00", MAY, id="offset"),
        pytest.param("2024-04-30T19:30:00-04:30", MAY, id="negative-offset"),
        pytest.param("2024-05-01 00:00:00+00:00", MAY, id="space"),
        pytest.param("2024-05-01T00:00+00:00", MAY, id="minutes"),
        pytest.param("2024-05-01T00:00:00.250Z", MAY + 250, id="milliseconds"),
        pytest.param("1969-12-31T23:59:59Z", -1000, id="before-1970"),
    ],
)
def test_an_instant_is_read(text: str, instant: int) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "now", "2024-05-01T00:00:00", "2024-05-01 09:30", "20240501", "1714521600",
        "2024-02-30", "2024-13-01", " 2024-05-01", "2024-05-01T25:00:00Z", "2024-05-01T00:00:00 UTC",
        "\ud800", "2024-05-01\0",
    ],
)  # fmt: skip
def test_a_text_that_names_no_one_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no instant"):
        parse_instant(text)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_any_second_with_any_offset_is_read_exactly(naive: datetime, minutes: int) -> None:
    moment = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_instant(moment.isoformat()) == (since.days * 86400 + since.seconds) * 1000


@pytest.mark.parametrize(
    ("window", "text", "everything"),
    [
        pytest.param(Window(), "everything", True, id="everything"),
        pytest.param(Window(0, None), "1970-01-01T00:00:00+00:00 .. the end", False, id="open-end"),
        pytest.param(
            Window(None, MAY), "the beginning .. 2024-05-01T00:00:00+00:00", False, id="open-start"
        ),
    ],
)
def test_a_window_says_what_it_takes(window: Window, text: str, *, everything: bool) -> None:
    assert (str(window), window.is_everything) == (text, everything)
