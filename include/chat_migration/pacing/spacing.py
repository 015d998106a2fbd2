"""The arithmetic of the budget, without clocks, threads or storage: spacing, slowing down, recovering.

What all users of a budget share about one API is a :class:`Pace`. Each change of it is a pure function of the
pace and of the time, so that memory, database and Redis keep the same rules.

Any second, wherever it begins, holds at most ``rate`` starts: start times lie ``(1 + LATE_SECONDS) / rate``
apart, and one that could not be used within ``LATE_SECONDS`` is given up.
"""

from __future__ import annotations

import math
from typing import NamedTuple

LATE_SECONDS = 0.015
"""How long after its time a call may start; it costs the same share of the rate."""
SLOW_FACTOR = 1.25
"""How much a throttle answer stretches the spacing."""
MAX_FACTOR = 20.0
"""How far the spacing stretches at most."""
CALM_SECONDS = 1.0
"""How long nobody calls after a throttle answer; answers to calls from before its end say nothing new."""
RECOVERY = 0.95
"""What remains of the stretch after each second without a throttle answer."""

_CALM_US = round(CALM_SECONDS * 1e6)
_LATE_US = round(LATE_SECONDS * 1e6)
_FARTHEST_US = 60_000_000
_FARTHEST_CALLS = 200


class Pace(NamedTuple):
    """What is known of one API. Times are microseconds of whatever clock the users share."""

    next_at_us: int
    """When the next call may start."""
    throttled_at_us: int = 0
    """When the last throttle answer that counted came."""
    slow_percent: int = 100
    """How far the spacing was stretched then."""


class Slots(NamedTuple):
    """Start times that were handed out: the first, what lies between two, and the time of asking."""

    first_us: float
    spacing_us: float
    now_us: int


def spacing_us(rate: float) -> float:
    """Return the time between two starts at full speed, microseconds, for a rate in calls per second."""
    return 1e6 * (1 + LATE_SECONDS) / rate


def slowness(pace: Pace, at_us: float) -> float:
    """Return by what factor the spacing is stretched at a time: 1 at full speed."""
    calm = max(0.0, (at_us - pace.throttled_at_us - _CALM_US) / 1e6)
    return float(max(1.0, pace.slow_percent / 100 * RECOVERY**calm))


def take(pace: Pace, now_us: int, *, rate: float, many: int) -> tuple[Pace, Slots]:
    """Hand out the next start times.

    Time in which nobody called earns one start at once, and no more.

    Args:
        pace: what is known of the API.
        now_us: the time, microseconds.
        rate: calls per second at full speed.
        many: how many start times.
    """
    pace = _believable(pace, now_us, rate)
    credit = min(spacing_us(rate), _LATE_US / 2)
    first = max(float(pace.next_at_us), now_us - credit)
    spacing = spacing_us(rate) * slowness(pace, first)
    after = pace._replace(next_at_us=math.ceil(first + many * spacing))
    return after, Slots(first, spacing, now_us)


def throttle(pace: Pace, now_us: int, *, started_us: float | None = None) -> Pace:
    """Slow down because a call was throttled; an answer to a call from before the last pause's end changes nothing.

    Args:
        pace: what is known of the API.
        now_us: the time, microseconds.
        started_us: when the throttled call started, or None for just now.
    """
    started = now_us if started_us is None else min(started_us, now_us)
    pause_ended_us = pace.throttled_at_us + _CALM_US
    if pace.slow_percent > 100 and pace.throttled_at_us <= now_us and started < pause_ended_us:
        return pace
    slow = min(MAX_FACTOR, slowness(pace, now_us) * SLOW_FACTOR)
    return paused(Pace(pace.next_at_us, now_us, round(slow * 100)), now_us)


def paused(pace: Pace, now_us: int) -> Pace:
    """Let nobody start before ``CALM_SECONDS`` have passed."""
    return pace._replace(next_at_us=max(pace.next_at_us, now_us + _CALM_US))


def _believable(pace: Pace, now_us: int, rate: float) -> Pace:
    """Repair times that lie so far ahead that only a clock that was set back explains them."""
    stretch = spacing_us(rate) * max(1.0, pace.slow_percent / 100)
    farthest = now_us + _FARTHEST_US + _FARTHEST_CALLS * stretch
    if pace.next_at_us > farthest:
        pace = paused(pace._replace(next_at_us=now_us), now_us)
    return pace._replace(throttled_at_us=min(pace.throttled_at_us, now_us))
