"""The budget of one process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TypeVar
from weakref import WeakKeyDictionary

from chat_migration.clock import Clock, SystemClock
from chat_migration.pacing.base import Change, OrderedBudget
from chat_migration.pacing.spacing import Pace
from chat_migration.stop import StopSignal

T = TypeVar("T")


class MemoryBudget(OrderedBudget):
    """Shared by the threads of one process; times are the monotonic clock's.

    All budgets of one app in a process are one: stages that run side by side have a budget object each.

    Args:
        app: name of the app whose limit it is.
        rates: calls per second of each API.
        clock: tells the time; budgets share what they know only if they share the time.
        stop: ends every wait when it is set.
    """

    def __init__(
        self, app: str, rates: Mapping[str, float], clock: Clock, stop: StopSignal
    ) -> None:
        super().__init__(rates, clock, stop)
        self._paces = _paces_of(app, clock)

    def _change(self, api: str, change: Change[T]) -> T:
        with self._paces.lock:
            now_us = round(self._clock.monotonic() * 1e6)
            known = self._paces.by_api
            known[api], result = change(known.get(api), now_us)
            return result


class _Paces:
    """What this process knows of an app."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_api: dict[str, Pace] = {}


_system = SystemClock()
_known: WeakKeyDictionary[Clock, dict[str, _Paces]] = WeakKeyDictionary()
_lock = threading.Lock()


def _paces_of(app: str, clock: Clock) -> _Paces:
    """Return what is shared under an app's name; all system clocks are one."""
    key = _system if isinstance(clock, SystemClock) else clock
    with _lock:
        return _known.setdefault(key, {}).setdefault(app, _Paces())
