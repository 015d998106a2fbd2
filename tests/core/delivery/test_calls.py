"""One call at a time: repeated where that is safe, handed back where it is not, given up in the end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.clocks import START_MS, HandClock

from chat_migration.delivery.calls import (
    LOCKED_SECONDS,
    MOST_REPEATS,
    MOST_THROTTLES,
    ApiCalls,
    Caller,
    CallStatistics,
    merge_calls,
)
from chat_migration.delivery.crew import run_all
from chat_migration.errors import InterruptedRunError, MigrationError, StoppedError
from chat_migration.stop import StopSignal
from chat_migration.targets.base import Advice, Effect, Failure
from chat_migration.targets.verbs import Verb


def failed(advice: Advice, effect: Effect = Effect.NONE, code: int | None = 7) -> Failure:
    return Failure(api="send", code=code, text="no", advice=advice, effect=effect)


@dataclass
class Bench:
    """A caller whose budget, clock and signature only note what is asked of them."""

    stop: StopSignal = field(default_factory=StopSignal)
    clock: HandClock = field(default_factory=HandClock)
    statistics: CallStatistics = field(default_factory=CallStatistics)
    acquired: list[tuple[str, int]] = field(default_factory=list)
    slowed: list[str] = field(default_factory=list)
    renewed: int = 0

    def acquire(self, api: str, priority: int = 0) -> None:
        """Be the budget."""
        if self.stop.is_set():
            raise InterruptedRunError("stop")
        self.acquired.append((api, priority))

    def slow_down(self, api: str) -> None:
        """Be the budget."""
        self.slowed.append(api)

    def renew(self) -> None:
        self.renewed += 1

    def call(self, *answers: object, priority: int = 0) -> object:
        """Make one call; the answers come one after the other, the last one again and again."""
        coming = itertools.chain(answers, itertools.repeat(answers[-1]))
        caller = Caller(
            budget=self, clock=self.clock, stop=self.stop, statistics=self.statistics,
            api_of={Verb.READ_GROUP: "send"},
            renew_signature=self.renew, stop_error=lambda failure: StoppedError(str(failure)),
        )  # fmt: skip
        return caller.call(Verb.READ_GROUP, lambda: next(coming), priority=priority)

    @property
    def sent(self) -> int:
        return len(self.acquired)


@pytest.fixture
def bench() -> Bench:
    return Bench()


AGAIN, BACK, STOP = "again", "back", "stop"
FOLLOWS = {
    Advice.TRY_AGAIN: AGAIN,
    Advice.READ_BACK: BACK,
    Advice.SLOW_DOWN: AGAIN,
    Advice.SIGN_AGAIN: AGAIN,
    Advice.WAIT_LOCKED: AGAIN,
    Advice.STOP_RUN: STOP,
    Advice.SMALLER_BATCH: BACK,
    Advice.LATE: BACK,
    Advice.TOO_OLD: BACK,
    Advice.REJECT_ITEM: BACK,
    Advice.MISSING_MESSAGE: BACK,
    Advice.MISSING_ACCOUNT: BACK,
    Advice.EXISTS: BACK,
    Advice.STOP_CONVERSATION: BACK,
    Advice.QUOTA: BACK,
}


@pytest.mark.parametrize("effect", list(Effect), ids=lambda effect: effect.value)
@pytest.mark.parametrize("advice", list(Advice), ids=lambda advice: advice.value)
def test_the_advice_alone_says_what_follows_a_failure(
    bench: Bench, advice: Advice, effect: Effect
) -> None:
    first, then = failed(advice, effect), FOLLOWS[advice]
    if then == STOP:
        with pytest.raises(StoppedError, match="send: 7 no"):
            bench.call(first, "done")
    else:
        assert bench.call(first, "done") == ("done" if then == AGAIN else first)
    assert bench.sent == (2 if then == AGAIN else 1)


def test_an_answer_needs_one_turn_at_its_priority(bench: Bench) -> None:
    assert bench.call(["an answer"], priority=5) == ["an answer"]
    assert bench.acquired == [("send", 5)]
    assert (bench.slowed, bench.renewed, bench.clock.slept) == ([], 0, [])


def test_each_repeat_waits_for_its_turn_again(bench: Bench) -> None:
    bench.call(failed(Advice.TRY_AGAIN), failed(Advice.SLOW_DOWN), "done", priority=3)
    assert bench.acquired == [("send", 3)] * 3


def test_a_throttle_answer_slows_everybody_and_never_costs_the_call(bench: Bench) -> None:
    throttled = [failed(Advice.SLOW_DOWN)] * 50
    assert bench.call(*throttled, "done") == "done"
    assert (bench.slowed, bench.clock.slept) == (["send"] * 50, [])


def test_endless_throttling_stops_the_run(bench: Bench) -> None:
    with pytest.raises(StoppedError):
        bench.call(failed(Advice.SLOW_DOWN))
    assert (bench.sent, len(bench.slowed)) == (MOST_THROTTLES + 1, MOST_THROTTLES)


@pytest.mark.parametrize(
    ("advice", "renewed", "slept"),
    [(Advice.SIGN_AGAIN, 1, 0), (Advice.WAIT_LOCKED, 0, LOCKED_SECONDS)],
    ids=["sign-again", "wait-locked"],
)
def test_what_helps_once_is_done_once(
    bench: Bench, advice: Advice, renewed: int, slept: float
) -> None:
    with pytest.raises(StoppedError):
        bench.call(failed(advice))
    assert (bench.sent, bench.renewed) == (2, renewed)
    assert sum(bench.clock.slept) == pytest.approx(slept)


def test_one_call_may_meet_every_passing_trouble(bench: Bench) -> None:
    troubles = [Advice.SIGN_AGAIN, Advice.WAIT_LOCKED, Advice.SLOW_DOWN, Advice.TRY_AGAIN]
    assert bench.call(*map(failed, troubles), "done") == "done"


def test_another_call_may_sign_again_too(bench: Bench) -> None:
    for _ in range(3):
        assert bench.call(failed(Advice.SIGN_AGAIN), "done") == "done"
    assert bench.renewed == 3


def test_a_fault_without_effect_that_stays_stops_the_run(bench: Bench) -> None:
    with pytest.raises(StoppedError) as caught:
        bench.call(failed(Advice.TRY_AGAIN))
    assert bench.sent == MOST_REPEATS + 1
    assert not caught.value.may_have_effect


def test_a_repeatable_call_that_never_gets_an_answer_stops_the_run(bench: Bench) -> None:
    with pytest.raises(StoppedError) as caught:
        bench.call(failed(Advice.TRY_AGAIN, Effect.UNKNOWN, None))
    assert bench.sent == MOST_REPEATS + 1
    assert caught.value.may_have_effect


def test_a_repeatable_call_with_an_internal_error_that_stays_is_handed_back(bench: Bench) -> None:
    fault = failed(Advice.TRY_AGAIN, Effect.UNKNOWN, 10002)
    assert bench.call(fault) is fault
    assert bench.sent == MOST_REPEATS + 1


@pytest.mark.parametrize(
    ("earlier", "may_have"),
    [
        pytest.param([], False, id="nothing-before"),
        pytest.param([failed(Advice.TRY_AGAIN, Effect.NONE)], False, id="certainly-nothing"),
        pytest.param([failed(Advice.TRY_AGAIN, Effect.UNKNOWN)], True, id="perhaps"),
        pytest.param(
            [failed(Advice.TRY_AGAIN, Effect.UNKNOWN), failed(Advice.SLOW_DOWN)], True,
            id="perhaps-then-nothing",
        ),
    ],
)  # fmt: skip
def test_an_error_tells_whether_an_earlier_attempt_may_have_been_applied(
    bench: Bench, earlier: list[Failure], *, may_have: bool
) -> None:
    with pytest.raises(MigrationError) as caught:
        bench.call(*earlier, failed(Advice.STOP_RUN))
    assert caught.value.may_have_effect is may_have


def test_waits_grow_and_are_taken_in_short_steps(bench: Bench) -> None:
    with pytest.raises(StoppedError):
        bench.call(failed(Advice.TRY_AGAIN))
    assert max(bench.clock.slept) <= 0.25
    assert 0 < sum(bench.clock.slept) <= 0.5 * (2**MOST_REPEATS)


@pytest.mark.parametrize("advice", [Advice.WAIT_LOCKED, Advice.TRY_AGAIN], ids=["locked", "fault"])
def test_a_stop_ends_a_wait_at_its_next_step(advice: Advice) -> None:
    stop = StopSignal()
    bench = Bench(stop=stop, clock=HandClock(moved=stop.set))
    with pytest.raises(InterruptedRunError) as caught:
        bench.call(failed(advice, Effect.UNKNOWN))
    assert len(bench.clock.slept) <= 1
    assert caught.value.may_have_effect


def test_a_stop_before_the_first_turn_sends_nothing(bench: Bench) -> None:
    bench.stop.set()
    with pytest.raises(InterruptedRunError) as caught:
        bench.call("done")
    assert (bench.sent, caught.value.may_have_effect) == (0, False)


# --- statistics ---------------------------------------------------------------------------------


def test_calls_are_counted_with_their_troubles(bench: Bench) -> None:
    bench.call(
        failed(Advice.SLOW_DOWN), failed(Advice.TRY_AGAIN), failed(Advice.SIGN_AGAIN), "done"
    )
    bench.call("done")
    counted = bench.statistics.snapshot()["send"]
    assert (counted.count, counted.throttled, counted.retried) == (5, 1, 3)
    assert sum(counted.by_second.values()) == 5
    assert min(counted.by_second) == START_MS // 1000


def test_a_snapshot_does_not_change_any_more(bench: Bench) -> None:
    bench.call("done")
    before = bench.statistics.snapshot()
    bench.call("done")
    assert before["send"] == ApiCalls(count=1, by_second={START_MS // 1000: 1})


def test_threads_lose_no_count() -> None:
    statistics = CallStatistics()

    def count() -> None:
        for _ in range(500):
            statistics.started("send", 1000, again=True)
            statistics.throttled("send")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot() == {
        "send": ApiCalls(count=2000, throttled=2000, retried=2000, by_second={1: 2000})
    }


def test_shards_add_up_second_by_second() -> None:
    one = {"send": ApiCalls(count=2, throttled=1, by_second={5: 1, 6: 1})}
    other = {
        "send": ApiCalls(count=3, retried=1, by_second={6: 3}),
        "read": ApiCalls(count=1, by_second={5: 1}),
    }
    assert merge_calls([one, other, {}]) == {
        "send": ApiCalls(count=5, throttled=1, retried=1, by_second={5: 1, 6: 4}),
        "read": ApiCalls(count=1, by_second={5: 1}),
    }
    assert one["send"].by_second == {5: 1, 6: 1}


# --- many streams side by side ------------------------------------------------------------------


def test_all_jobs_run_and_are_begun_in_order() -> None:
    begun: list[int] = []
    jobs: list[Callable[[], object]] = [lambda n=n: begun.append(n) for n in range(20)]
    run_all(jobs, threads=1, stop=StopSignal())
    assert begun == list(range(20))
    run_all([], threads=3, stop=StopSignal())


def test_jobs_are_taken_only_as_threads_become_free() -> None:
    taken, ended, ahead = itertools.count(1), itertools.count(1), []

    def jobs() -> object:
        for _ in range(50):
            number = next(taken)
            yield lambda number=number: ahead.append(number - next(ended))

    run_all(jobs(), threads=3, stop=StopSignal())
    assert len(ahead) == 50
    assert max(ahead) <= 3


def test_the_first_failure_stops_the_others_and_is_raised() -> None:
    stop, begun = StopSignal(), []

    def job(number: int) -> None:
        begun.append(number)
        if number == 2:
            raise StoppedError("two")

    with pytest.raises(StoppedError, match="two"):
        run_all(((lambda n=n: job(n)) for n in range(100)), threads=1, stop=stop)
    assert stop.is_set()
    assert max(begun) <= 3
