"""A clock that stands still until a test moves it."""

from __future__ import annotations

import math
from collections.abc import Callable

START_MS = 1_714_555_800_000


class HandClock:
    """Wall clock and monotonic clock in one, counted in whole microseconds; waits move it and are noted.

    ``moved`` is called after each move, for tests in which something happens while somebody waits.
    """

    def __init__(
        self, start_ms: int = START_MS, *, moved: Callable[[], object] = lambda: None
    ) -> None:
        self._us, self._moved = start_ms * 1000, moved
        self.slept: list[float] = []

    def now_ms(self) -> int:
        """Return the wall clock, epoch milliseconds."""
        return self._us // 1000

    def monotonic(self) -> float:
        """Return the same instant in seconds."""
        return self._us / 1e6

    def sleep(self, seconds: float) -> None:
        """Be there at once."""
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Go on, by a microsecond at least."""
        self._us += max(1, math.ceil(seconds * 1e6))
        self._moved()
