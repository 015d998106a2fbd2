"""What a budget promises, and the waiting in line that all budgets have in common.

A budget reserves a few start times for the callers that wait in this process and gives each to the caller that
is first in line at that moment. Callers with a longer way to go come first: the longest conversation decides
when a run ends. Equal ones are served as they came.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, Protocol, TypeVar

from chat_migration.clock import Clock
from chat_migration.errors import BudgetUnreachableError, InterruptedRunError
from chat_migration.pacing import spacing
from chat_migration.pacing.spacing import LATE_SECONDS, Pace, Slots
from chat_migration.stop import StopSignal

T = TypeVar("T")
Change = Callable[[Pace | None, int], tuple[Pace, T]]
"""Takes the pace of an API, if there is one, and the time in microseconds; returns the new pace and a result."""

_log = logging.getLogger(__name__)

_NAP_SECONDS = 0.2
"""How often a waiting caller looks whether the run should stop."""
_AHEAD = 4
"""Start times reserved at once at most: more would keep other processes waiting."""
_HELD = 3
"""With fewer reserved than this, the first in line reserves more before it waits."""
_QUIET_SECONDS = 1.0
"""An outage this short is not worth a word."""
_TELL_SECONDS = 30.0
GIVE_UP_SECONDS = 900.0
"""How long a run waits for its budget to be reachable again, unless told otherwise."""


class Budget(Protocol):
    """Who may call when."""

    def acquire(self, api: str, priority: int = 0) -> None:
        """Wait until one call of this API may start; a higher priority goes first.

        Raises:
            InterruptedRunError: the run is to stop.
            BudgetUnreachableError: where the budget is kept has not answered for a long time.
        """

    def slow_down(self, api: str) -> None:
        """Tell that the target throttled this thread's last call of the API: everybody slows down.

        Answers to calls that were in flight when the budget slowed down last do not count again.
        """


class NoAnswerError(Exception):
    """Where the budget is kept gave no answer this time; nobody may start. The text has no secret in it."""


class _Start(NamedTuple):
    """A reserved start: from and until when, in clock seconds, and its time for all users, microseconds."""

    at: float
    until: float
    shared_us: float


class _Turn:
    """The callers that wait for one API, and the start times reserved for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[tuple[int, int, threading.Condition]] = []
        self.starts: deque[_Start] = deque()
        self.reserving = False
        self.usual = 0.0
        """How long a reservation takes at best, seconds."""

    def wants_more(self) -> bool:
        """Tell whether the first in line should reserve."""
        held = len(self.starts)
        return not self.reserving and held < min(_HELD, len(self.waiting))

    def wake_first(self) -> None:
        """Let the first in line look again."""
        if self.waiting:
            self.waiting[0][2].notify()


class OrderedBudget(ABC):
    """Hands start times to waiting callers by priority; a subclass says where the pace of each API is kept."""

    _grain_seconds = 0.0
    """How coarse the shared clock is."""

    def __init__(
        self,
        rates: Mapping[str, float],
        clock: Clock,
        stop: StopSignal,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._rates, self._clock, self._stop = dict(rates), clock, stop
        self._turns = {api: _Turn() for api in self._rates}
        self._numbers = itertools.count()
        self._mine = threading.local()
        self._outage = _Outage(self._place, clock, give_up_seconds)

    @property
    def _place(self) -> str:
        """Return where the budget is kept, for messages."""
        return "memory"

    @abstractmethod
    def _change(self, api: str, change: Change[T]) -> T:
        """Apply a change to the pace of an API, alone among all users, and keep its outcome.

        Raises:
            NoAnswerError: it could not be applied, or nobody knows.
        """

    def _fresh(self, now_us: int) -> Pace:
        """Return the pace of an API that nobody has called yet."""
        return Pace(now_us)

    def close(self) -> None:  # noqa: B027
        """Let go of connections, where there are any; the budget is not used after that."""

    def acquire(self, api: str, priority: int = 0) -> None:
        """Wait until one call of this API may start; a higher priority goes first."""
        turn = self._turns[api]
        with turn.lock:
            ticket = (-priority, next(self._numbers), threading.Condition(turn.lock))
            heapq.heappush(turn.waiting, ticket)
            try:
                self._wait(api, turn, ticket)
            finally:
                turn.waiting.remove(ticket)
                heapq.heapify(turn.waiting)
                turn.wake_first()

    def slow_down(self, api: str) -> None:
        """Slow everybody down: a pause, then a longer spacing that shrinks again."""
        turn = self._turns[api]
        last: dict[str, float] = self._mine.__dict__
        started = last.pop(api, None)

        def change(pace: Pace | None, now_us: int) -> tuple[Pace, bool]:
            old = pace or self._fresh(now_us)
            new = spacing.throttle(old, now_us, started_us=started)
            return new, new != old

        try:
            counted = self._change(api, change)
        except NoAnswerError as error:
            # Nobody starts as long as there is no answer, and not at once when there is one again.
            self._outage.missed(error)
            return
        if counted:
            with turn.lock:
                turn.starts.clear()

    def _wait(self, api: str, turn: _Turn, ticket: tuple[int, int, threading.Condition]) -> None:
        while True:
            if self._stop.is_set():
                _interrupted()
            if turn.waiting[0] is not ticket:
                self._pause(ticket[2], _NAP_SECONDS)
            elif self._take_start(api, turn):
                return
            elif turn.wants_more():
                self._reserve(api, turn, ticket[2])
            else:
                nap = turn.starts[0].at - self._clock.monotonic() if turn.starts else _NAP_SECONDS
                self._pause(ticket[2], min(nap, _NAP_SECONDS))

    def _pause(self, condition: threading.Condition, seconds: float) -> None:
        """Wait for somebody's word, or for the time to pass."""
        if seconds > 0:
            condition.wait(seconds)

    def _take_start(self, api: str, turn: _Turn) -> bool:
        """Use the next reserved start if its time has come; one that is too late is lost."""
        while turn.starts:
            now = self._clock.monotonic()
            if now < turn.starts[0].at:
                return False
            start = turn.starts.popleft()
            if now <= start.until:
                self._mine.__dict__[api] = start.shared_us
                return True
        return False

    def _reserve(self, api: str, turn: _Turn, condition: threading.Condition) -> None:
        """Reserve for those who wait; the lock is free meanwhile, so that nobody is kept from stopping."""
        many = min(len(turn.waiting) - len(turn.starts), _AHEAD)
        turn.reserving = True
        turn.lock.release()
        try:
            begun = self._clock.monotonic()
            slots = self._change(api, self._taking(api, many))
            done = self._clock.monotonic()
            self._outage.over()
        except NoAnswerError as error:
            self._outage.missed(error)
            slots = None
        finally:
            turn.lock.acquire()
            turn.reserving = False
        if slots is None:
            self._pause(condition, _NAP_SECONDS)
            return
        turn.usual = min(done - begun, turn.usual * 1.5 + 0.001)
        turn.starts.extend(self._starts(slots, many, done, done - begun - turn.usual))
        turn.wake_first()

    def _taking(self, api: str, many: int) -> Change[Slots]:
        return lambda pace, now_us: spacing.take(
            pace or self._fresh(now_us), now_us, rate=self._rates[api], many=many
        )

    def _starts(self, slots: Slots, many: int, done: float, delay: float) -> list[_Start]:
        """Place shared times on this process's clock, at the latest that they can mean."""
        starts = []
        for number in range(many):
            shared = slots.first_us + number * slots.spacing_us
            at = done + (shared - slots.now_us) / 1e6
            until = at + LATE_SECONDS - self._grain_seconds - max(0.0, delay)
            starts.append(_Start(at, until, shared))
        return starts


class _Outage:
    """How long the place of a budget has not answered: told now and then, and ended after a long time."""

    def __init__(self, place: str, clock: Clock, give_up_seconds: float) -> None:
        self._place, self._clock, self._give_up = place, clock, give_up_seconds
        self._since: float | None = None
        self._told: float | None = None
        self._lock = threading.Lock()

    def missed(self, error: NoAnswerError) -> None:
        """Note one more question without an answer.

        Raises:
            BudgetUnreachableError: it has lasted too long.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._since = now if self._since is None else self._since
            lasted = now - self._since
            if lasted >= self._give_up:
                raise BudgetUnreachableError(
                    f"The call budget in {self._place} has not answered for {lasted:.0f} s: {error}.",
                    expected="Without it nobody knows how many calls the other workers make.",
                    advice="Bring it back, or correct its address, and run again; "
                    "the run goes on where it stopped.",
                )
            told_ago = float("inf") if self._told is None else now - self._told
            if lasted >= _QUIET_SECONDS and told_ago >= _TELL_SECONDS:
                self._told = now
                _log.warning(
                    "No calls for %.0f s: the call budget in %s does not answer (%s). "
                    "Trying again, for %.0f s at most.",
                    lasted, self._place, error, self._give_up - lasted,
                )  # fmt: skip

    def over(self) -> None:
        """Note an answer."""
        if self._since is None:
            return
        with self._lock:
            if self._told is not None and self._since is not None:
                lasted = self._clock.monotonic() - self._since
                _log.warning(
                    "The call budget in %s answers again after %.0f s; calls go on.",
                    self._place,
                    lasted,
                )
            self._since = self._told = None


def _interrupted() -> NoReturn:
    raise InterruptedRunError(
        "The run was asked to stop.", advice="Run it again; it goes on where it stopped."
    )
