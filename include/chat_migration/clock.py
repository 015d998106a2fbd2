"""Time as an argument: the core never asks the system for it by itself."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the core may ask of time. Tests pass one that they move by hand."""

    def now_ms(self) -> int:
        """Return the wall clock, epoch milliseconds in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Wait; nothing happens for zero or less."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the wall clock, epoch milliseconds in UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; nothing happens for zero or less."""
        if seconds > 0:
            time.sleep(seconds)
