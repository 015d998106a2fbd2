"""Telling a person what is done, how far it is and when it will end."""

from __future__ import annotations

import logging
from typing import Protocol

from chat_migration.clock import Clock, SystemClock

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """What a stage reports to while it works."""

    def begin(self, what: str, total: int | None, unit: str) -> None:
        """Start a piece of work of ``total`` units (None: unknown)."""

    def advance(self, done: int) -> None:
        """Say that ``done`` units in all are done."""

    def note(self, text: str) -> None:
        """Say what it waits for."""

    def end(self) -> None:
        """Finish the piece of work."""


class NoProgress:
    """Says nothing."""

    def begin(self, what: str, total: int | None, unit: str) -> None:
        """Do nothing."""

    def advance(self, done: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class LogProgress:
    """One log line at most every few seconds: done, total, rate, time left. For task logs and pipes."""

    def __init__(self, *, clock: Clock | None = None, every_seconds: float = 5.0) -> None:
        self._clock, self._every = clock or SystemClock(), every_seconds
        self._what, self._unit, self._total, self._done = "", "", None, 0  # type: tuple[str, str, int | None, int]
        self._started = self._last = 0.0

    def begin(self, what: str, total: int | None, unit: str) -> None:
        """Start counting."""
        self._what, self._total, self._unit, self._done = what, total, unit, 0
        self._started = self._last = self._clock.monotonic()

    def advance(self, done: int) -> None:
        """Log a line if the last one is old enough."""
        self._done = done
        now = self._clock.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self._line(now)

    def note(self, text: str) -> None:
        """Log it, if the last line is old enough."""
        now = self._clock.monotonic()
        if now - self._last >= self._every:
            self._last = now
            _log.info("%s: %s", self._what, text)

    def end(self) -> None:
        """Log the last line."""
        self._line(self._clock.monotonic())

    def _line(self, now: float) -> None:
        seconds = max(now - self._started, 1e-9)
        rate = self._done / seconds
        if not self._total:
            _log.info("%s: %d %s, %.0f %s/s", self._what, self._done, self._unit, rate, self._unit)
            return
        left = "?" if not self._done else clock_text((self._total - self._done) / rate)
        _log.info(
            "%s: %d of %d %s (%.0f %%), %.0f %s/s, ETA %s",
            self._what, self._done, self._total, self._unit,
            100 * self._done / self._total, rate, self._unit, left,
        )  # fmt: skip


def clock_text(seconds: float) -> str:
    """Return a duration as people read it.

    >>> clock_text(3725)
    '1:02:05'
    """
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
