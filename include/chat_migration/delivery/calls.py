"""One call at a time through the budget: repeats what is safe to repeat, hands back everything else.

What is repeated here had certainly no effect (throttled, refused, never sent) or is repeatable by the
vendor's own key: the failure's advice says so, which the target took from its table of outcomes. A call that may
have taken effect and must not be repeated comes back with the advice to read back; its stream does that.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from tenacity import RetryCallState, wait_random_exponential

from chat_migration.clock import Clock
from chat_migration.errors import InterruptedRunError, MigrationError
from chat_migration.pacing import Budget
from chat_migration.stop import StopSignal
from chat_migration.targets.base import Advice, Effect, Failure
from chat_migration.targets.verbs import Verb

T = TypeVar("T")
_log = logging.getLogger(__name__)

MOST_REPEATS = 7
"""Repeats of a call that fails without effect; with the waits below about a minute and a half."""
MOST_THROTTLES = 200
"""Throttle answers to one call before the run stops: another client holds the app's whole budget."""
LOCKED_SECONDS = 60.0
"""How long to wait where the app is locked after failed signatures: see :attr:`Advice.WAIT_LOCKED`."""
_WAIT = wait_random_exponential(multiplier=0.5, max=30)
_STEP_SECONDS = 0.25


class ApiCalls(msgspec.Struct, kw_only=True):
    """What was called of one API. ``by_second``: epoch second → calls started in it."""

    count: int = 0
    throttled: int = 0
    retried: int = 0
    by_second: dict[int, int] = {}


@dataclass
class CallStatistics:
    """Calls per API of one stage; safe to use from many threads."""

    apis: dict[str, ApiCalls] = field(default_factory=dict)
    _answers: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, api: str, now_ms: int, *, again: bool) -> None:
        """Count a call that starts now."""
        with self._lock:
            calls = self.apis.setdefault(api, ApiCalls(by_second={}))
            calls.count += 1
            calls.retried += again
            calls.by_second[now_ms // 1000] = calls.by_second.get(now_ms // 1000, 0) + 1

    def throttled(self, api: str) -> None:
        """Count a throttle answer."""
        with self._lock:
            self.apis[api].throttled += 1

    def answered(self, api: str) -> None:
        """Count an answer that is no failure."""
        with self._lock:
            self._answers[api] += 1

    def answers(self, api: str) -> int:
        """Return how many calls of an API were answered so."""
        with self._lock:
            return self._answers[api]

    def snapshot(self) -> dict[str, ApiCalls]:
        """Return a copy."""
        with self._lock:
            return {
                api: msgspec.structs.replace(calls, by_second=dict(calls.by_second))
                for api, calls in self.apis.items()
            }


@dataclass
class _Attempts:
    """What happened to one call so far."""

    repeats: int = 0
    throttles: int = 0
    signed_again: bool = False
    locked: bool = False
    may_have_effect: bool = False

    @property
    def any(self) -> bool:
        return self.repeats + self.throttles > 0 or self.signed_again or self.locked


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Makes calls for all streams of a stage."""

    budget: Budget
    clock: Clock
    stop: StopSignal
    statistics: CallStatistics
    api_of: Mapping[Verb, str]
    renew_signature: Callable[[], None]
    stop_error: Callable[[Failure], MigrationError]

    def call(
        self, verb: Verb, send: Callable[[], T | Failure], *, priority: int = 0
    ) -> T | Failure:
        """Make one call, wait for its turn first, and return its answer or its failure.

        Raises:
            StoppedError: the failure stops the whole run, or no answer is to be had at all.
            InterruptedRunError: the run is to stop.
            Either has ``may_have_effect`` set if an earlier attempt of this call may have been applied.
        """
        state = _Attempts()
        try:
            return self._until_answered(self.api_of[verb], send, state, priority=priority)
        except MigrationError as error:
            error.may_have_effect = state.may_have_effect
            raise

    def _until_answered(
        self,
        api: str,
        send: Callable[[], T | Failure],
        so_far: _Attempts,
        *,
        priority: int,
    ) -> T | Failure:
        while True:
            self.budget.acquire(api, priority)
            self.statistics.started(api, self.clock.now_ms(), again=so_far.any)
            answer = send()
            if not isinstance(answer, Failure):
                self.statistics.answered(api)
                return answer
            so_far.may_have_effect |= answer.effect is Effect.UNKNOWN
            if answer.slows:
                self.statistics.throttled(api)
                self.budget.slow_down(api)
            match answer.advice:
                case Advice.SLOW_DOWN if so_far.throttles < MOST_THROTTLES:
                    so_far.throttles += 1
                    self.statistics.throttled(api)
                    self.budget.slow_down(api)
                case Advice.SIGN_AGAIN if not so_far.signed_again:
                    so_far.signed_again = True
                    self.renew_signature()
                case Advice.WAIT_LOCKED if not so_far.locked:
                    so_far.locked = True
                    self.pause(LOCKED_SECONDS)
                case Advice.TRY_AGAIN:
                    so_far.repeats += 1
                    if so_far.repeats > MOST_REPEATS:
                        return self._given_up(answer)
                    _log.warning("%s, again (%d of %d)", answer, so_far.repeats, MOST_REPEATS)
                    self.pause(_backoff(so_far.repeats))
                case Advice.STOP_RUN | Advice.SIGN_AGAIN | Advice.WAIT_LOCKED | Advice.SLOW_DOWN:
                    raise self.stop_error(answer)
                case _:
                    return answer

    def answers(self, verb: Verb) -> int:
        """Return how many calls of what is asked of the target succeeded so far, in all streams together."""
        return self.statistics.answers(self.api_of[verb])

    def slow_down(self, verb: Verb) -> None:
        """Slow the budget of what is asked of the target."""
        self.budget.slow_down(self.api_of[verb])

    def _given_up(self, failed: Failure) -> Failure:
        """Stop the run where nothing answers at all; hand back what at least may have had an effect."""
        if failed.effect is Effect.NONE or failed.code is None:
            raise self.stop_error(failed)
        return failed

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            InterruptedRunError: the run is to stop.
        """
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            if self.stop.is_set():
                raise InterruptedRunError(
                    "The run was asked to stop.",
                    advice="Run it again; it goes on where it stopped.",
                )
            self.clock.sleep(min(left, _STEP_SECONDS))


def _backoff(attempt: int) -> float:
    """Return a random wait, exponentially longer with each attempt, in seconds."""
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempt
    return float(_WAIT(state))


def merge_calls(parts: list[dict[str, ApiCalls]]) -> dict[str, ApiCalls]:
    """Return the calls of several stages or shards together."""
    merged: dict[str, ApiCalls] = {}
    for part in parts:
        for api, calls in part.items():
            into = merged.setdefault(api, ApiCalls(by_second={}))
            into.count += calls.count
            into.throttled += calls.throttled
            into.retried += calls.retried
            into.by_second = dict(Counter(into.by_second) + Counter(calls.by_second))
    return merged
