"""A clock whose waits are over at once, for runs that would otherwise settle and back off for minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_REPORTED_AT = 1.0
"""Slept seconds that are passed on together."""


class FastClock:
    """The real clock, ahead by everything that was slept.

    ``moved`` is told of slept seconds, so that a sandbox's clock can be moved on too and applies what is late.
    ``hurry`` makes the monotonic clock run that many times faster, which shortens the budget's pauses after a
    throttle answer, the only waits that do not go through ``sleep``.
    """

    def __init__(
        self, moved: Callable[[float], object] | None = None, *, hurry: float = 20.0
    ) -> None:
        self._moved, self._hurry = moved, hurry
        self._ahead = self._untold = 0.0
        self._lock = threading.Lock()

    @property
    def slept(self) -> float:
        """Return the seconds slept so far, and moved by hand."""
        return self._ahead

    def now_ms(self) -> int:
        """Return the wall clock, ahead by what was slept."""
        return time.time_ns() // 1_000_000 + round(self._ahead * 1000)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() * self._hurry + self._ahead

    def sleep(self, seconds: float) -> None:
        """Be done with a wait at once."""
        if seconds <= 0:
            return
        with self._lock:
            self._ahead += seconds
            self._untold += seconds
            told, self._untold = (
                (self._untold, 0.0) if self._untold >= _REPORTED_AT else (0.0, self._untold)
            )
        if told and self._moved is not None:
            self._moved(told)
