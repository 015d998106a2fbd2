"""What every budget promises, wherever it is kept: even, without bursts, slower for all when throttled."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.clocks import HandClock
from tests.contracts.budgets import Opener, opener

from chat_migration.errors import InterruptedRunError
from chat_migration.pacing import CALM_SECONDS, MAX_FACTOR, SLOW_FACTOR, Budget, OrderedBudget, base
from chat_migration.pacing.spacing import LATE_SECONDS, spacing_us
from chat_migration.stop import StopSignal

RATES = {"send": 10.0, "other": 10.0}
SPACING = spacing_us(10) / 1e6
ABOUT = 0.0021
"""A ledger's budget counts whole milliseconds."""


@pytest.fixture
def clock() -> HandClock:
    """Time that only a test, or a lone waiting caller, moves on."""
    return HandClock()


@pytest.fixture(params=["memory", "ledger in SQLite", "ledger in PostgreSQL", "redis"])
def open_budget(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> Iterator[Opener]:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    if request.param == "ledger in PostgreSQL":
        url = request.getfixturevalue("postgresql_url")
    with opener(request.param, url, RATES, clock) as opened:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OrderedBudget, "_pause", move_on)
            first = opened()
            for api in RATES:
                first.acquire(api)
        clock.move(SPACING)
        yield opened


def move_on(budget: OrderedBudget, _: threading.Condition, seconds: float) -> None:
    """Wait by moving the clock."""
    clock: Any = budget._clock
    clock.move(max(seconds, 1e-6))


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a waiting caller, the only one, move time on."""
    monkeypatch.setattr(OrderedBudget, "_pause", move_on)


@pytest.fixture
def budget(lone: None, open_budget: Opener) -> Budget:
    """A budget that has been used before, whose next call may start at once."""
    del lone
    return open_budget()


def starts(clock: HandClock, *budgets: Budget, calls: int = 1, api: str = "send") -> list[float]:
    """Return when calls start that are made one after the other, by turns from each budget."""
    begun = clock.monotonic()
    made = []
    for number in range(calls):
        budgets[number % len(budgets)].acquire(api)
        made.append(clock.monotonic() - begun)
    return made


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def fullest(times: list[float], seconds: float) -> int:
    """Return the greatest number of times within any such stretch, its end not included."""
    ordered = sorted(times)
    ends = (bisect.bisect_left(ordered, each + seconds) for each in ordered)
    return max(end - place for place, end in enumerate(ends))


# --- spacing ------------------------------------------------------------------------------------


def test_calls_are_evenly_spaced(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget)
    assert gaps(starts(clock, budget, calls=20)) == pytest.approx([SPACING] * 19, abs=ABOUT)


def test_at_least_95_percent_of_the_rate_can_be_used() -> None:
    assert 0.95 <= 1 / (spacing_us(190) / 1e6) / 190 <= 1


def test_idleness_earns_no_burst(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=5)
    clock.move(3600)
    made = starts(clock, budget, calls=5)
    assert made[0] == pytest.approx(0, abs=ABOUT)
    assert gaps(made)[0] >= SPACING - LATE_SECONDS
    assert gaps(made)[1:] == pytest.approx([SPACING] * 3, abs=ABOUT)


def test_apis_do_not_wait_for_each_other(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=10)
    assert starts(clock, budget, api="other") == pytest.approx([0], abs=ABOUT)


# --- throttled ----------------------------------------------------------------------------------


def test_a_throttle_answer_pauses_and_stretches(budget: Budget, clock: HandClock) -> None:
    budget.slow_down("send")
    first, second = starts(clock, budget, calls=2)
    assert first >= CALM_SECONDS - ABOUT
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, rel=0.02, abs=ABOUT)


def test_it_does_not_concern_other_apis(budget: Budget, clock: HandClock) -> None:
    budget.slow_down("send")
    assert starts(clock, budget, api="other") == pytest.approx([0], abs=ABOUT)


def test_answers_to_calls_in_flight_count_once(
    lone: None, open_budget: Opener, clock: HandClock
) -> None:
    del lone
    users = [open_budget() for _ in range(3)]
    for user in users:
        user.acquire("send")
    users[0].slow_down("send")
    # Its answer takes long: the pause is over, but it tells of the time before.
    clock.move(CALM_SECONDS * 2)
    for user in users[1:]:
        user.slow_down("send")
    first, second = starts(clock, users[0], calls=2)
    assert first <= SPACING
    assert second - first <= SPACING * SLOW_FACTOR


def test_answers_of_the_same_moment_count_once(budget: Budget, clock: HandClock) -> None:
    for _ in range(5):
        budget.slow_down("send")
        clock.move(CALM_SECONDS / 10)
    first, second = starts(clock, budget, calls=2)
    assert first < CALM_SECONDS
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, rel=0.02, abs=ABOUT)


def test_it_slows_down_again_and_again_as_long_as_calls_are_throttled(
    budget: Budget, clock: HandClock
) -> None:
    stretch = []
    for _ in range(12):
        first, second = starts(clock, budget, calls=2)
        stretch.append((second - first) / SPACING)
        budget.slow_down("send")
    assert all(later > earlier * 1.1 for earlier, later in itertools.pairwise(stretch[:6]))
    assert stretch[-1] > 5


def test_the_stretch_has_an_end(budget: Budget, clock: HandClock) -> None:
    for _ in range(40):
        budget.slow_down("send")
        clock.move(CALM_SECONDS)
    budget.slow_down("send")
    first, second = starts(clock, budget, calls=2)
    assert second - first == pytest.approx(SPACING * MAX_FACTOR, rel=0.01)


def test_it_recovers_to_full_speed_and_goes_no_further(budget: Budget, clock: HandClock) -> None:
    for _ in range(10):
        budget.slow_down("send")
        clock.move(CALM_SECONDS)
    made = gaps(starts(clock, budget, calls=4000))
    assert made[0] > SPACING * 5
    assert all(later <= earlier + ABOUT for earlier, later in itertools.pairwise(made))
    assert made[-20:] == pytest.approx([SPACING] * 20, abs=ABOUT)


def test_idle_time_recovers_too(budget: Budget, clock: HandClock) -> None:
    budget.slow_down("send")
    clock.move(60)
    starts(clock, budget)
    assert gaps(starts(clock, budget, calls=3)) == pytest.approx([SPACING] * 2, abs=ABOUT)


def test_a_throttle_answer_to_one_user_slows_the_others(
    lone: None, open_budget: Opener, clock: HandClock
) -> None:
    del lone
    one, other = open_budget(), open_budget()
    starts(clock, one, other, calls=4)
    one.slow_down("send")
    first, second = starts(clock, other, calls=2)
    assert first >= CALM_SECONDS - ABOUT
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, rel=0.02, abs=ABOUT)


# --- stopping -----------------------------------------------------------------------------------


def test_a_stopped_run_gets_no_turn(open_budget: Opener) -> None:
    stop = StopSignal()
    stop.set()
    with pytest.raises(InterruptedRunError, match="asked to stop"):
        open_budget(stop).acquire("send")


def test_a_stop_ends_a_wait(lone: None, open_budget: Opener, clock: HandClock) -> None:
    del lone
    stop = StopSignal()
    budget = open_budget(stop)
    budget.acquire("send")
    budget.slow_down("send")
    clock._moved = stop.set
    begun = clock.monotonic()
    with pytest.raises(InterruptedRunError):
        budget.acquire("send")
    assert clock.monotonic() - begun <= 0.3


# --- several callers ----------------------------------------------------------------------------


def until(true: Callable[[], object]) -> None:
    """Wait for other threads to get there."""
    patience, nothing = 20_000, threading.Event()
    while not true():
        nothing.wait(0.001)
        patience -= 1
        assert patience, "the other threads did not get there"


def in_line(budget: OrderedBudget, priorities: list[int], order: list[int]) -> None:
    """Let one caller a priority join the line, one after the other; who is served, is noted by place."""

    def call(place: int) -> None:
        budget.acquire("send", priorities[place])
        order.append(place)

    waiting = budget._turns["send"].waiting
    for place in range(len(priorities)):
        threading.Thread(target=call, args=(place,), daemon=True).start()
        until(lambda place=place: len(waiting) == place + 1)


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        pytest.param([1, 7, 3, 9], [3, 1, 2, 0], id="the longest way to go first"),
        pytest.param([5, 5, 5, 5], [0, 1, 2, 3], id="equal ones as they came"),
        pytest.param([0, 2, 0, 2], [1, 3, 0, 2], id="mixed"),
    ],
)
def test_callers_are_served_by_priority(
    open_budget: Opener,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    priorities: list[int],
    expected: list[int],
) -> None:
    monkeypatch.setattr(base, "_NAP_SECONDS", 0.002)
    budget, order = open_budget(), list[int]()
    budget.slow_down("send")
    in_line(budget, priorities, order)
    until(lambda: clock.move(0.004) or len(order) == len(priorities))
    assert order == expected


def test_who_comes_later_with_a_longer_way_still_goes_first(
    open_budget: Opener, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starts are reserved ahead, but for nobody in particular."""
    monkeypatch.setattr(base, "_NAP_SECONDS", 0.002)
    budget, order = open_budget(), list[int]()
    budget.slow_down("send")
    in_line(budget, [1, 1, 1, 99], order)
    until(lambda: len(budget._turns["send"].starts) >= 3)
    until(lambda: clock.move(0.004) or len(order) == 4)
    assert order == [3, 0, 1, 2]


def test_small_ones_are_not_forgotten(
    open_budget: Opener, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long conversation has one call in flight; meanwhile the others have their turns."""
    monkeypatch.setattr(base, "_NAP_SECONDS", 0.002)
    budget, order = open_budget(), list[int]()
    budget.slow_down("send")

    def long_one() -> None:
        for left in range(3, 0, -1):
            budget.acquire("send", 100 + left)
            order.append(-left)
            answered.wait(10)
            answered.clear()

    answered = threading.Event()
    threading.Thread(target=long_one, daemon=True).start()
    until(lambda: budget._turns["send"].waiting)
    threads = [
        threading.Thread(target=lambda n=n: (budget.acquire("send"), order.append(n)), daemon=True)
        for n in (1, 2, 3)
    ]
    for each in threads:
        each.start()
    for served in (2, 4, 6):
        until(lambda served=served: clock.move(0.004) or len(order) >= served)
        answered.set()
    assert sorted(order[:2]) != [-3, -2]
    assert set(order) == {-3, -2, -1, 1, 2, 3}


def test_threads_of_several_users_share_one_rate(
    open_budget: Opener, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_NAP_SECONDS", 0.002)
    users = [open_budget() for _ in range(3)]
    made: list[float] = []
    taken = OrderedBudget._take_start

    def noting(self: OrderedBudget, api: str, turn: object) -> bool:
        got = taken(self, api, turn)  # type: ignore[arg-type]
        if got:
            made.append(self._mine.__dict__[api] / 1e6)
        return got

    monkeypatch.setattr(OrderedBudget, "_take_start", noting)

    def calls(user: OrderedBudget) -> None:
        for _ in range(4):
            user.acquire("send")

    threads = [threading.Thread(target=calls, args=(user,), daemon=True) for user in users * 3]
    for each in threads:
        each.start()
    until(lambda: clock.move(0.004) or len(made) == 36)
    assert min(gaps(sorted(made))) >= SPACING - ABOUT


@given(
    turns=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0, 0, 0, 0.03, 0.5, 3])), max_size=30
    )
)
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_the_turns_and_idle_times_no_second_holds_more_than_the_rate(
    lone: None, open_budget: Opener, clock: HandClock, turns: list[tuple[int, float]]
) -> None:
    del lone
    clock.move(3600)
    users, times = [open_budget(), open_budget()], [0.0]
    for which, idle in turns:
        clock.move(idle)
        users[which].acquire("send")
        times.append(clock.monotonic())
    assert fullest(times, 1.0) <= RATES["send"]
    assert fullest(times, SPACING - LATE_SECONDS) <= 1


# --- who comes later ----------------------------------------------------------------------------


def test_who_begins_later_goes_on_where_the_others_are(
    lone: None, open_budget: Opener, clock: HandClock
) -> None:
    del lone
    starts(clock, open_budget(), calls=5)
    fresh = open_budget()
    assert starts(clock, fresh, calls=2) == pytest.approx([SPACING, 2 * SPACING], abs=ABOUT)


def test_a_start_that_comes_too_late_is_given_up(
    lone: None, open_budget: Opener, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that slept through its start would crowd the second in which it wakes."""
    del lone
    budget = open_budget()
    starts(clock, budget, calls=3)
    last, naps = clock.monotonic(), iter([SPACING + 3 * LATE_SECONDS])

    def oversleep(user: OrderedBudget, condition: threading.Condition, seconds: float) -> None:
        move_on(user, condition, next(naps, seconds))

    monkeypatch.setattr(OrderedBudget, "_pause", oversleep)
    budget.acquire("send")
    assert clock.monotonic() - last == pytest.approx(2 * SPACING, abs=ABOUT)
