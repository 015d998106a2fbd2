"""The call budget, by a clock that only waits move: even, without bursts, slower for all when throttled."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.clocks import HandClock

from chat_migration import pacing
from chat_migration.errors import InterruptedRunError
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing import CALM_SECONDS, SLOW_FACTOR, Budget, LedgerBudget, MemoryBudget
from chat_migration.stop import StopSignal

RATES = {"send": 10.0, "other": 10.0}
SPACING = 0.1
ABOUT = 0.0021
"""The ledger's budget counts the wall clock's whole milliseconds."""


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that a lone waiting caller moves on, so that no wait takes time."""
    clock = HandClock()
    waits = SimpleNamespace(wait=clock.move, notify=lambda: None)
    replaced = SimpleNamespace(Lock=threading.Lock, Condition=lambda _lock: waits)
    monkeypatch.setattr(pacing, "threading", replaced)
    return clock


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[list[Ledger]]:
    """Two ledgers on one file, as two processes have them."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        yield [
            stack.enter_context(Ledger.open(url, "tencent:1", clock=HandClock())) for _ in range(2)
        ]


@pytest.fixture(params=["memory", "ledger"])
def budget(request: pytest.FixtureRequest, clock: HandClock, stop: StopSignal) -> Budget:
    if request.param == "memory":
        return MemoryBudget(RATES, clock, stop)
    return LedgerBudget(request.getfixturevalue("ledgers")[0], RATES, clock, stop)


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


def test_calls_are_evenly_spaced(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=2)
    assert gaps(starts(clock, budget, calls=20)) == pytest.approx([SPACING] * 19, abs=ABOUT)


def test_idleness_earns_one_call_and_no_burst(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=5)
    clock.move(3600)
    expected = [0, 0, SPACING, 2 * SPACING, 3 * SPACING]
    assert starts(clock, budget, calls=5) == pytest.approx(expected, abs=ABOUT)


def test_apis_do_not_wait_for_each_other(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=10)
    assert starts(clock, budget, api="other") == pytest.approx([0], abs=ABOUT)


def test_a_throttle_answer_pauses_and_stretches(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=3)
    budget.slow_down("send")
    first, second = starts(clock, budget, calls=2)
    assert first >= CALM_SECONDS
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, abs=ABOUT)


def test_throttle_answers_within_the_calm_time_count_once(budget: Budget, clock: HandClock) -> None:
    starts(clock, budget, calls=3)
    for _ in range(5):
        budget.slow_down("send")
        clock.move(CALM_SECONDS / 10)
    first, second = starts(clock, budget, calls=2)
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, abs=ABOUT)
    assert first < 2 * CALM_SECONDS


def test_throttle_answers_a_calm_time_apart_stretch_again(budget: Budget, clock: HandClock) -> None:
    for _ in range(3):
        budget.slow_down("send")
        clock.move(CALM_SECONDS)
    budget.slow_down("send")
    first, second = starts(clock, budget, calls=2)
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR**4, abs=SPACING / 10)


def test_the_stretch_has_an_end(budget: Budget, clock: HandClock) -> None:
    for _ in range(40):
        budget.slow_down("send")
        clock.move(CALM_SECONDS)
    budget.slow_down("send")
    first, second = starts(clock, budget, calls=2)
    assert second - first == pytest.approx(SPACING * pacing.MAX_FACTOR, abs=ABOUT)


def test_the_spacing_recovers_and_goes_no_further(budget: Budget, clock: HandClock) -> None:
    budget.slow_down("send")
    made = gaps(starts(clock, budget, calls=100))
    assert made[0] == pytest.approx(SPACING * SLOW_FACTOR, abs=ABOUT)
    assert all(later <= earlier + ABOUT for earlier, later in itertools.pairwise(made))
    assert made[-20:] == pytest.approx([SPACING] * 20, abs=ABOUT)


def test_a_stopped_run_gets_no_turn(budget: Budget, stop: StopSignal) -> None:
    stop.set()
    with pytest.raises(InterruptedRunError, match="asked to stop"):
        budget.acquire("send")


def test_a_stop_ends_a_wait(budget: Budget, clock: HandClock, stop: StopSignal) -> None:
    budget.slow_down("send")
    clock._moved = stop.set
    begun = clock.monotonic()
    with pytest.raises(InterruptedRunError):
        budget.acquire("send")
    assert clock.monotonic() - begun <= 0.26


# --- several callers ----------------------------------------------------------------------------


def until(true: Callable[[], bool]) -> None:
    """Wait for other threads to get there."""
    patience, nothing = 10_000, threading.Event()
    while not true():
        nothing.wait(0.001)
        patience -= 1
        assert patience, "the other threads did not get there"


def test_the_longest_way_to_go_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_NAP_SECONDS", 0.001)
    clock, order = HandClock(), []
    budget = MemoryBudget(RATES, clock, StopSignal())
    starts(clock, budget, calls=2)

    def call(priority: int) -> None:
        budget.acquire("send", priority)
        order.append(priority)

    callers = [threading.Thread(target=call, args=(priority,)) for priority in (1, 7, 3, 9)]
    for number, caller in enumerate(callers, 1):
        caller.start()
        until(lambda number=number: len(budget._turns["send"].waiting) == number)
    for number in range(1, 5):
        clock.move(SPACING)
        until(lambda number=number: len(order) == number)
    assert order == [9, 7, 3, 1]


def test_equal_priorities_are_served_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_NAP_SECONDS", 0.001)
    clock, order = HandClock(), []
    budget = MemoryBudget(RATES, clock, StopSignal())
    starts(clock, budget, calls=2)
    callers = [
        threading.Thread(target=lambda n=n: (budget.acquire("send"), order.append(n)))
        for n in range(4)
    ]
    for number, caller in enumerate(callers, 1):
        caller.start()
        until(lambda number=number: len(budget._turns["send"].waiting) == number)
    for number in range(1, 5):
        clock.move(SPACING)
        until(lambda number=number: len(order) == number)
    assert order == [0, 1, 2, 3]


def most_within(times: list[float], seconds: float) -> int:
    """Return how many of some starts lie in the fullest stretch of time."""
    return max(sum(start <= each < start + seconds for each in times) for start in times)


@given(turns=st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0, 0, 0.03, 0.5])), max_size=40))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_two_processes_share_one_rate(
    ledgers: list[Ledger], clock: HandClock, turns: list[tuple[bool, float]]
) -> None:
    clock.move(3600)
    budgets = [LedgerBudget(ledger, RATES, clock, StopSignal()) for ledger in ledgers]
    times = [0.0]
    for which, idle in turns:
        clock.move(idle)
        budgets[which].acquire("send")
        times.append(clock.monotonic())
    assert most_within(times, 1.0 - ABOUT) <= RATES["send"] + 1
    assert most_within(times, SPACING - ABOUT) <= 2


def test_threads_of_two_processes_share_one_rate(
    ledgers: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "_NAP_SECONDS", 0.001)
    clock, given_out, made = HandClock(), [], []
    budgets = [LedgerBudget(ledger, RATES, clock, StopSignal()) for ledger in ledgers]

    def calls(budget: LedgerBudget) -> None:
        for _ in range(5):
            budget.acquire("send")
            made.append(budget)

    def noting(reserve: pacing.Reserve, api: str, many: int) -> tuple[float, float]:
        first, spacing = reserve(api, many)
        given_out.extend(first + place * spacing for place in range(many))
        return first, spacing

    for budget in budgets:
        budget._reserve = functools.partial(noting, budget._reserve)
    for budget in budgets * 4:
        threading.Thread(target=calls, args=(budget,)).start()
    until(lambda: clock.move(0.02) or len(made) == 40)
    assert len(given_out) == 40
    assert min(gaps(sorted(given_out))) >= SPACING - ABOUT


def test_a_throttle_answer_to_one_process_slows_the_other(
    ledgers: list[Ledger], clock: HandClock, stop: StopSignal
) -> None:
    one, other = (LedgerBudget(ledger, RATES, clock, stop) for ledger in ledgers)
    starts(clock, one, other, calls=4)
    one.slow_down("send")
    first, second = starts(clock, other, calls=2)
    assert first >= CALM_SECONDS
    assert second - first == pytest.approx(SPACING * SLOW_FACTOR, abs=ABOUT)


def test_a_process_that_begins_later_goes_on_where_the_others_are(
    ledgers: list[Ledger], clock: HandClock, stop: StopSignal
) -> None:
    starts(clock, LedgerBudget(ledgers[0], RATES, clock, stop), calls=5)
    fresh = LedgerBudget(ledgers[1], RATES, clock, stop)
    assert starts(clock, fresh, calls=2) == pytest.approx([SPACING, 2 * SPACING], abs=ABOUT)
