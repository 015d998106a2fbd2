"""Whatever becomes of the nights, each instant is taken by exactly one complete run."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from chat_migration.calendar import (
    NothingLeft,
    common,
    contiguous,
    decide,
    gaps,
    merged,
    missing,
)
from chat_migration.window import RunKind, RunWindow, Window

HOUR = 3_600_000
EVERYTHING = Window()


@dataclass(frozen=True)
class Night:
    """A scheduled run, so many hours after the one before; it may be missed, fail, or fail and be cleared."""

    hours: int
    fate: str


NIGHTS = st.lists(
    st.builds(
        Night, st.sampled_from([1, 23, 24, 25, 168]), st.sampled_from(["done", "missed", "failed"])
    ),
    min_size=1,
    max_size=30,
)
BOUNDS = st.integers(0, 60).map(lambda hour: hour * HOUR)
WINDOWS = st.builds(
    lambda start, length: Window(start, start + length * HOUR), BOUNDS, st.integers(1, 20)
)


def decided(
    kind: RunKind, interval: Window, complete: list[Window], lookback: float = 2
) -> RunWindow | NothingLeft:
    return decide(kind, EVERYTHING, interval, complete, lookback)


@given(NIGHTS, st.none() | BOUNDS, st.sampled_from([0, 0.5, 2, 30]))
def test_any_ascending_nights_cover_every_instant_exactly_once(
    nights: list[Night], history: int | None, lookback: float
) -> None:
    """The history is a first run up to some instant, or none; the look back stays in what is complete."""
    complete = [] if history is None else [Window(None, history)]
    reached = history
    end = 0
    for night in nights:
        start, end = end, end + night.hours * HOUR
        if night.fate == "missed":
            continue
        found = decided("scheduled", Window(start, end), complete, lookback)
        if isinstance(found, NothingLeft):
            assert reached is not None
            assert reached >= end
            continue
        assert found.window == Window(reached, end)
        if found.lookback_start_ms is not None:
            assert found.window.start_ms is not None
            back = Window(found.lookback_start_ms, found.window.start_ms)
            assert missing(back, complete) == []
        if night.fate == "done":
            complete.append(found.window)
            reached = end
    assert merged(complete) == ([] if reached is None else [Window(None, reached)])


@given(st.lists(WINDOWS, min_size=1, max_size=8))
def test_after_any_runs_one_scheduled_run_leaves_no_gap_after_the_first(
    complete: list[Window],
) -> None:
    end = 100 * HOUR
    found = decided("scheduled", Window(end - HOUR, end), complete)
    assert isinstance(found, RunWindow)
    reached = contiguous([*complete, found.window])
    assert reached is not None
    assert reached.end_ms == end
    first = complete[0].start_ms
    assert missing(Window(first, end), [*complete, found.window]) == []


@given(st.lists(WINDOWS, max_size=8), WINDOWS)
def test_a_window_is_what_is_complete_of_it_and_what_is_missing(
    complete: list[Window], window: Window
) -> None:
    parts = [*common(window, complete), *missing(window, complete)]
    assert merged(parts) == [window]
    assert sum(_length(each) for each in parts) == _length(window)


@given(st.lists(WINDOWS, max_size=8))
def test_ranges_and_gaps_do_not_depend_on_the_order_and_make_one_range(
    complete: list[Window],
) -> None:
    ranges = merged(complete)
    assert ranges == merged(complete[::-1]) == merged(ranges)
    assert gaps(complete) == gaps(ranges)
    assert len(merged([*ranges, *gaps(complete)])) == min(1, len(ranges))


def _length(window: Window) -> int:
    assert window.start_ms is not None
    assert window.end_ms is not None
    return window.end_ms - window.start_ms
