"""The call budget: evenly spaced starts per API, no burst credit, slower for everybody when throttled.

``acquire`` gives the caller the next free start time and waits for it. Callers with a longer way to go come
first: the longest conversation decides when a run ends.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection, select

from chat_migration.clock import Clock
from chat_migration.errors import InterruptedRunError
from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger
from chat_migration.stop import StopSignal

SLOW_FACTOR = 1.5
"""How much a throttle answer stretches the spacing."""
MAX_FACTOR = 20.0
CALM_SECONDS = 1.0
"""Throttle answers within this time count as one; after each such calm time the spacing shrinks again."""
RECOVERY = 0.9
_NAP_SECONDS = 0.25
"""How often a waiting caller looks whether the run should stop."""


class Budget(Protocol):
    """Who may call when."""

    def acquire(self, api: str, priority: int = 0) -> None:
        """Wait until one call of this API may start; a higher priority goes first.

        Raises:
            InterruptedRunError: the run is to stop.
        """

    def slow_down(self, api: str) -> None:
        """Tell that the target throttled a call: everybody slows down."""


Reserve = Callable[[str, int], tuple[float, float]]
"""Takes (API, how many) and returns when the first may start, in clock seconds, and the spacing, in seconds."""


class _Turn:
    """The callers that wait for one API, and the start times reserved for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[tuple[int, int, threading.Condition]] = []
        self.starts: list[float] = []


class _OrderedBudget:
    """Hands start times to waiting callers by priority; where the times come from is given."""

    def __init__(self, reserve: Reserve, clock: Clock, stop: StopSignal, most_at_once: int) -> None:
        self._reserve, self._clock, self._stop = reserve, clock, stop
        self._most_at_once = most_at_once
        self._turns: dict[str, _Turn] = {}
        self._turns_lock = threading.Lock()
        self._numbers = itertools.count()

    def acquire(self, api: str, priority: int = 0) -> None:
        with self._turns_lock:
            turn = self._turns.setdefault(api, _Turn())
        with turn.lock:
            ticket = (-priority, next(self._numbers), threading.Condition(turn.lock))
            heapq.heappush(turn.waiting, ticket)
            try:
                self._wait(api, turn, ticket)
            finally:
                turn.waiting.remove(ticket)
                heapq.heapify(turn.waiting)
                if turn.waiting:
                    turn.waiting[0][2].notify()

    def _wait(self, api: str, turn: _Turn, ticket: tuple[int, int, threading.Condition]) -> None:
        while True:
            if self._stop.is_set():
                raise InterruptedRunError(
                    "The run was asked to stop.",
                    advice="Run it again; it goes on where it stopped.",
                )
            if turn.waiting[0] is not ticket:
                ticket[2].wait(_NAP_SECONDS)
                continue
            if not turn.starts:
                many = min(len(turn.waiting), self._most_at_once)
                first, spacing = self._reserve(api, many)
                turn.starts = [first + place * spacing for place in range(many)]
            wait = turn.starts[0] - self._clock.monotonic()
            if wait <= 0:
                turn.starts.pop(0)
                return
            ticket[2].wait(min(wait, _NAP_SECONDS))


class MemoryBudget(_OrderedBudget):
    """The budget of one process."""

    def __init__(self, rates: dict[str, float], clock: Clock, stop: StopSignal) -> None:
        super().__init__(self._next, clock, stop, most_at_once=1)
        self._spacing = {api: 1 / rate for api, rate in rates.items()}
        self._factor = dict.fromkeys(rates, 1.0)
        self._throttled = dict.fromkeys(rates, float("-inf"))
        self._recovered = dict.fromkeys(rates, float("-inf"))
        self._next_at = dict.fromkeys(rates, float("-inf"))
        self._lock = threading.Lock()

    def _next(self, api: str, many: int) -> tuple[float, float]:
        with self._lock:
            now = self._clock.monotonic()
            calm_since = max(self._throttled[api], self._recovered[api])
            if self._factor[api] > 1 and now - calm_since >= CALM_SECONDS:
                self._factor[api] = max(1.0, self._factor[api] * RECOVERY)
                self._recovered[api] = now
            spacing = self._spacing[api] * self._factor[api]
            # One spacing of credit makes up for waking late; it cannot make a burst.
            first = max(self._next_at[api], now - spacing)
            self._next_at[api] = first + many * spacing
            return first, spacing

    def slow_down(self, api: str) -> None:
        """Stretch the spacing, once per calm time, and pause for one."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._throttled[api] >= CALM_SECONDS:
                self._factor[api] = min(MAX_FACTOR, self._factor[api] * SLOW_FACTOR)
                self._throttled[api] = now
                self._next_at[api] = max(self._next_at[api], now) + CALM_SECONDS


class LedgerBudget(_OrderedBudget):
    """The budget of all processes of one machine, in the ledger's database; times are the wall clock's."""

    _PROCESS_AT_ONCE = 16

    def __init__(
        self, ledger: Ledger, rates: dict[str, float], clock: Clock, stop: StopSignal
    ) -> None:
        super().__init__(self._next, _WallClock(clock), stop, most_at_once=self._PROCESS_AT_ONCE)
        self._ledger, self._rates, self._wall = ledger, rates, clock

    def _next(self, api: str, many: int) -> tuple[float, float]:
        spacing_us = 1_000_000 / self._rates[api]

        def reserve(connection: Connection) -> tuple[float, float]:
            now_us = self._wall.now_ms() * 1000
            row = connection.execute(self._row(api).with_for_update()).first()
            next_at, slowed, percent = row or (0, 0, 100)
            if percent > 100 and now_us - slowed >= CALM_SECONDS * 1e6:
                percent, slowed = max(100, int(percent * RECOVERY)), now_us
            spacing = spacing_us * percent / 100
            first = max(next_at, now_us - spacing)
            self._store(connection, api, int(first + many * spacing), slowed, percent)
            return first / 1e6, spacing / 1e6

        return self._ledger.database.write(reserve)

    def slow_down(self, api: str) -> None:
        """Stretch the spacing for all processes, once per calm time, and pause for one."""

        def slow(connection: Connection) -> None:
            now_us = self._wall.now_ms() * 1000
            row = connection.execute(self._row(api).with_for_update()).first()
            next_at, slowed, percent = row or (0, 0, 100)
            if percent == 100 or now_us - slowed >= CALM_SECONDS * 1e6:
                percent = min(int(MAX_FACTOR * 100), int(percent * SLOW_FACTOR))
                self._store(
                    connection, api, int(max(next_at, now_us) + CALM_SECONDS * 1e6), now_us, percent
                )

        self._ledger.database.write(slow)

    def _row(self, api: str) -> Any:
        table = schema.budgets
        return select(table.c.next_at_us, table.c.slowed_at_us, table.c.slow_factor_percent).where(
            table.c.app_id == self._ledger.app_id, table.c.api == api
        )

    def _store(
        self, connection: Connection, api: str, next_at: int, slowed: int, percent: int
    ) -> None:
        self._ledger.upsert_in(
            connection,
            schema.budgets,
            [
                {
                    "api": api,
                    "next_at_us": next_at,
                    "slowed_at_us": slowed,
                    "slow_factor_percent": percent,
                }
            ],
        )


class _WallClock:
    """The wall clock in seconds where a budget asks for a monotonic one: several processes must agree on it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic(self) -> float:
        return self._clock.now_ms() / 1000

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
