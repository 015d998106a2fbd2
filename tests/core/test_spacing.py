"""The arithmetic of the budget, over any course of turns, idle times and throttle answers."""

from __future__ import annotations

import bisect
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.pacing.spacing import (
    CALM_SECONDS,
    LATE_SECONDS,
    MAX_FACTOR,
    SLOW_FACTOR,
    Pace,
    paused,
    slowness,
    spacing_us,
    take,
    throttle,
)

NOW = 1_714_555_800_000_000
CALM = round(CALM_SECONDS * 1e6)
LATE = round(LATE_SECONDS * 1e6)

rates = st.integers(1, 400)
idle_us = st.sampled_from([0, 0, 0, 1, 500, 4_999, 60_000, 900_000, 5_000_000])
turns = st.lists(st.tuples(idle_us, st.integers(1, 16), st.booleans()), max_size=60)


def fullest_second(times: list[float]) -> int:
    """Return the greatest number of times within any second, its end not included."""
    ordered = sorted(times)
    return max(
        (bisect.bisect_left(ordered, each + 1e6) - place for place, each in enumerate(ordered)),
        default=0,
    )


def handed_out(rate: float, course: list[tuple[int, int, bool]]) -> list[tuple[float, int]]:
    """Return start times, each with the time at which it was handed out."""
    pace, now, given_out = Pace(NOW), NOW, []
    for idle, many, throttled in course:
        now += idle
        if throttled:
            pace = throttle(pace, now)
        pace, slots = take(pace, now, rate=rate, many=many)
        given_out += [(slots.first_us + n * slots.spacing_us, now) for n in range(many)]
        now = max(now, int(slots.first_us))
    return given_out


@given(rate=rates, course=turns, seed=st.randoms(use_true_random=False))
def test_no_second_holds_more_than_the_rate_however_late_each_call_starts(
    rate: int, course: list[tuple[int, int, bool]], seed: random.Random
) -> None:
    used = [max(asked, start + seed.uniform(0, LATE)) for start, asked in handed_out(rate, course)]
    assert fullest_second(used) <= rate


@given(rate=rates, course=turns)
def test_start_times_are_never_closer_than_the_spacing(
    rate: int, course: list[tuple[int, int, bool]]
) -> None:
    times = [start for start, _ in handed_out(rate, course)]
    assert all(b - a >= spacing_us(rate) - 1 for a, b in itertools.pairwise(times))


@given(rate=rates, course=turns)
def test_a_start_lies_at_most_half_of_the_lateness_back(
    rate: int, course: list[tuple[int, int, bool]]
) -> None:
    assert all(start >= asked - LATE / 2 for start, asked in handed_out(rate, course))


@given(rate=st.integers(20, 400), many=st.integers(1, 16))
def test_a_busy_budget_uses_at_least_95_percent(rate: int, many: int) -> None:
    pace, now, times = Pace(NOW), NOW, list[float]()
    while now < NOW + 10_000_000:
        pace, slots = take(pace, now, rate=rate, many=many)
        times += [slots.first_us + n * slots.spacing_us for n in range(many)]
        now = max(now, int(times[-1]))
    assert len([each for each in times if each < NOW + 10_000_000]) >= 9.5 * rate


@given(
    percent=st.integers(100, 2000),
    ago=st.integers(0, 100_000_000),
    later=st.integers(0, 100_000_000),
)
def test_slowness_only_shrinks_and_ends_at_full_speed(percent: int, ago: int, later: int) -> None:
    pace = Pace(NOW, NOW - ago, percent)
    now, then = slowness(pace, NOW), slowness(pace, NOW + later)
    assert 1 <= then <= now <= percent / 100
    assert slowness(pace, NOW + 60_000_000) == 1


@given(
    answers=st.lists(st.tuples(st.integers(0, CALM - 1), st.integers(0, 3_000_000)), max_size=30)
)
def test_a_burst_of_throttle_answers_counts_once(answers: list[tuple[int, int]]) -> None:
    """Whenever they come: the calls had started before the first answer's pause was over."""
    first = throttle(Pace(NOW), NOW)
    pace = first
    for started, took in answers:
        pace = throttle(pace, NOW + started + took, started_us=NOW + started)
    assert pace == first
    assert slowness(pace, NOW) == SLOW_FACTOR


@given(gaps=st.lists(st.integers(CALM, 3 * CALM), min_size=12, max_size=40))
def test_throttle_answers_that_go_on_slow_down_further(gaps: list[int]) -> None:
    """Recovery between them never makes up for what each of them adds."""
    pace, now, stretch = Pace(NOW), NOW, [1.0]
    for gap in gaps:
        now += gap
        pace = throttle(pace, now)
        stretch.append(slowness(pace, now))
    assert all(b > a or b == MAX_FACTOR for a, b in itertools.pairwise(stretch))
    assert stretch[-1] > 5


@given(percent=st.integers(100, 2000), ago=st.integers(0, 10_000_000))
def test_a_throttle_answer_makes_everybody_pause(percent: int, ago: int) -> None:
    after = throttle(Pace(NOW - ago, NOW - 20_000_000, percent), NOW)
    assert after.next_at_us >= NOW + CALM


def test_a_pause_shortens_no_longer_one() -> None:
    assert paused(Pace(NOW + 5 * CALM), NOW) == Pace(NOW + 5 * CALM)


@pytest.mark.parametrize("percent", [100, 2000])
def test_a_clock_that_was_set_back_costs_a_pause_and_no_hours(percent: int) -> None:
    ahead = Pace(NOW + 7_200_000_000, NOW + 7_200_000_000, percent)
    after, slots = take(ahead, NOW, rate=190, many=1)
    assert slots.first_us == NOW + CALM
    assert after.throttled_at_us == NOW
