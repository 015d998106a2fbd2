"""Which windows are complete, what is missing between them, and what the next run takes. Pure.

Every instant is in epoch milliseconds, so a night of 23 or 25 hours is one like any other; a time zone matters to
the words alone. Complete windows are given in the order in which they were completed: the first of them begins the
*contiguous complete range*, which the nightly runs carry on. A backfill of older days makes a range of its own,
and sends no nightly run back there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from chat_migration.errors import UsageError
from chat_migration.window import UTC_ZONE, RunKind, RunWindow, Window, local_text

_SECOND, _HOUR, _DAY = 1000, 3_600_000, 86_400_000
_SHORTEST_NIGHT, _LONGEST_NIGHT = 20 * _HOUR, 28 * _HOUR
"""Lengths between which people call an interval a night, clock changes included."""

_LONGEST_LOOKBACK = 36_500
"""Days; nobody's chat is older, and texts of earlier years are none."""

_Bound = float
"""A bound that compares: an ``int`` of epoch milliseconds, or infinity where the window is open."""


class NothingLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a run whose range was taken by earlier ones: there is nothing to do, and that is no failure."""

    text: str
    """Why, in plain words."""


# --- sets of windows ----------------------------------------------------------------------------


def merged(windows: Iterable[Window]) -> list[Window]:
    """Return windows as ranges that neither touch nor overlap, in the order of time.

    >>> [str(each) for each in merged([Window(2000, None), Window(None, 2000)])]
    ['everything']
    """
    ranges: list[Window] = []
    for each in sorted(windows, key=_start):
        if ranges and _start(each) <= _end(ranges[-1]):
            ranges[-1] = _window(_start(ranges[-1]), max(_end(ranges[-1]), _end(each)))
        else:
            ranges.append(each)
    return ranges


def contiguous(complete: Sequence[Window]) -> Window | None:
    """Return the contiguous complete range: all that joins on to the window that was completed first; or None."""
    if not complete:
        return None
    first = _start(complete[0])
    return next(each for each in merged(complete) if _start(each) <= first < _end(each))


def gaps(complete: Iterable[Window]) -> list[Window]:
    """Return what lies between complete ranges, in the order of time."""
    ranges = merged(complete)
    return [Window(before.end_ms, after.start_ms) for before, after in pairwise(ranges)]


def common(window: Window, complete: Iterable[Window]) -> list[Window]:
    """Return what of a window is complete, in the order of time."""
    shared = (
        (max(_start(window), _start(each)), min(_end(window), _end(each)))
        for each in merged(complete)
    )
    return [_window(start, end) for start, end in shared if start < end]


def missing(window: Window, complete: Iterable[Window]) -> list[Window]:
    """Return what of a window is not complete, in the order of time."""
    left, at = [], _start(window)
    for each in common(window, complete):
        if at < _start(each):
            left.append(_window(at, _start(each)))
        at = _end(each)
    return left + ([_window(at, _end(window))] if at < _end(window) else [])


# --- what a run takes, and what it completes ----------------------------------------------------


def decide(
    kind: RunKind,
    given: Window,
    interval: Window | None,
    complete: Sequence[Window],
    lookback_days: float,
    *,
    zone: ZoneInfo = UTC_ZONE,
) -> RunWindow | NothingLeft:
    """Return what a run takes, or that nothing is left for it.

    Args:
        kind: who started it. It decides the bounds that are not given: a scheduled run begins at the end of the
            contiguous complete range, so that missed nights are caught up, and ends with its interval; a backfill
            takes its interval; a manual run everything.
        given: ``from`` and ``to``; each wins, whoever started the run.
        interval: the schedule's, of scheduled runs and backfills.
        complete: complete windows, in the order in which they were completed.
        lookback_days: how far before its window a run looks for late rows; no further than what is complete there,
            so that what was never imported is left to a run of its own.
        zone: of the days in the text.

    Raises:
        UsageError: a scheduled run or a backfill has no interval, or the window holds no instant.
    """
    if kind == "manual":
        interval = Window()
    elif interval is None:
        raise UsageError(
            f"This {kind} run has no data interval.",
            expected="A schedule that gives each run a stretch of time, such as `CronDataIntervalTimetable`.",
            advice="Correct the DAG's schedule, or trigger a run with `from` and `to`.",
        )
    start = interval.start_ms if given.start_ms is None else given.start_ms
    end = interval.end_ms if given.end_ms is None else given.end_ms
    if kind == "scheduled" and given.start_ms is None:
        reached = contiguous(complete)
        if reached is not None and _end(reached) >= (math.inf if end is None else end):
            return NothingLeft(text=_nothing(reached, end, zone))
        start = None if reached is None else reached.end_ms
    window = Window(start, end)
    why = _why(kind, given, interval, window, zone)
    found = RunWindow(window=window, kind=kind, text=why)
    return _decided(found, complete, lookback_days, zone)


def resume(
    kind: RunKind,
    window: Window,
    complete: Sequence[Window],
    lookback_days: float,
    *,
    zone: ZoneInfo = UTC_ZONE,
) -> RunWindow:
    """Return what a run takes that began before, on this window: the same again. Arguments as of :func:`decide`."""
    why = f"{span_text(window, zone)}, as when this run began"
    found = RunWindow(window=window, kind=kind, text=why)
    return _decided(found, complete, lookback_days, zone)


def _decided(
    found: RunWindow, complete: Sequence[Window], lookback_days: float, zone: ZoneInfo
) -> RunWindow:
    """Return a run's window with what follows from the complete ones: the look back, and what to know of it."""
    said = "; ".join([found.text, *_remarks(found.window, complete, zone)])
    return msgspec.structs.replace(
        found,
        lookback_start_ms=_lookback(found.window, complete, lookback_days),
        text=said if found.window.is_everything else f"{said} ({zone.key})",
    )


def completed(window: Window, newest_ms: int | None, now_ms: int) -> Window | None:
    """Return what a complete run over a window completes, or None.

    A window that is open to the end, or ends later than now, is complete only as far as the export goes: up to
    the second of its newest message, and never later than now.

    Args:
        window: what the run took.
        newest_ms: when the newest message was sent that the reader saw, in the window or not; None: it saw none.
        now_ms: the time of the run's end.
    """
    if window.end_ms is not None and window.end_ms <= now_ms:
        return window
    if newest_ms is None:
        return None
    end = min(newest_ms // _SECOND * _SECOND + _SECOND, now_ms // _SECOND * _SECOND, _end(window))
    return _window(_start(window), end) if _start(window) < end else None


def _lookback(window: Window, complete: Iterable[Window], days: float) -> int | None:
    """Return where to look for late rows from: within the complete range that the window begins in, or joins on to."""
    start = window.start_ms
    if start is None:
        return None
    furthest = start - round(min(days, _LONGEST_LOOKBACK) * _DAY / _SECOND) * _SECOND
    for each in merged(complete):
        if _start(each) < start <= _end(each) and furthest < start:
            return int(max(furthest, _start(each)))
    return None


# --- in plain words -----------------------------------------------------------------------------


def _why(kind: RunKind, given: Window, interval: Window, window: Window, zone: ZoneInfo) -> str:
    span = span_text(window, zone)
    if kind == "backfill":
        return f"backfill of {span}"
    if kind == "manual":
        return "the whole export" if window.is_everything else span
    if not given.is_everything:
        return f"{span}, as `from` and `to` say"
    if window.start_ms is None:
        return f"{span}, because nothing is complete yet"
    return _nights(window.start_ms, interval, zone)


def _nights(start_ms: int, interval: Window, zone: ZoneInfo) -> str:
    since = f"since {local_text(start_ms, zone)}"
    missed = int(_start(interval)) - start_ms
    if not _SHORTEST_NIGHT <= _end(interval) - _start(interval) <= _LONGEST_NIGHT:
        return f"everything {since}" + (", catching up" if missed > 0 else "")
    if missed <= 0:
        return f"{'the night' if not missed else 'the rest of the night,'} {since}"
    # An hour less, because one of the nights may have 25.
    nights = 1 + max(1, math.ceil((missed - _HOUR) / _DAY))
    return f"the {nights} nights {since}, catching up"


def _nothing(reached: Window, end_ms: int | None, zone: ZoneInfo) -> str:
    if reached.end_ms is None or end_ms is None:
        return "Nothing is left to do: everything is complete."
    return (
        f"Nothing is left to do: the nightly runs have come to {local_text(reached.end_ms, zone)} already, and this "
        f"one ends at {local_text(end_ms, zone)} ({zone.key})."
    )


def _remarks(window: Window, complete: Iterable[Window], zone: ZoneInfo) -> list[str]:
    """Say what a person should know before such a window is sent: what it comes too late for, what it leaves out."""
    ranges = merged(complete)
    if ranges and not missing(window, ranges):
        return ["complete already: what is known is not sent again"]
    said = []
    newer = [each for each in ranges if _end(each) > _end(window)]
    if newer:
        until = "" if newer[-1].end_ms is None else f" up to {local_text(newer[-1].end_ms, zone)}"
        said.append(
            f"newer messages are complete{until}, so rows of groups that have them are late"
        )
    before = [each for each in ranges if _start(each) < _start(window)]
    if before and _end(before[-1]) < _start(window):
        left = span_text(Window(before[-1].end_ms, window.start_ms), zone)
        said.append(f"leaves out {left}, which is not complete")
    return said


def span_text(window: Window, zone: ZoneInfo) -> str:
    """Return a window as people say it.

    >>> span_text(Window(0, 86_400_000), UTC_ZONE), span_text(Window(None, 1000), UTC_ZONE)
    ('1970-01-01 to 1970-01-02', 'everything before 1970-01-01 00:00:01')
    """
    if window.start_ms is None:
        return (
            "everything"
            if window.end_ms is None
            else f"everything before {local_text(window.end_ms, zone)}"
        )
    start = local_text(window.start_ms, zone)
    if window.end_ms is None:
        return f"everything since {start}"
    return f"{start} to {local_text(window.end_ms, zone)}"


# --- bounds that compare ------------------------------------------------------------------------


def _start(window: Window) -> _Bound:
    return -math.inf if window.start_ms is None else window.start_ms


def _end(window: Window) -> _Bound:
    return math.inf if window.end_ms is None else window.end_ms


def _window(start: _Bound, end: _Bound) -> Window:
    return Window(None if start == -math.inf else int(start), None if end == math.inf else int(end))
