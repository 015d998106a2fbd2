"""Waiting for a database that went away: for about a minute, and not in silence."""

from __future__ import annotations

import logging

from chat_migration.clock import Clock

PATIENCE_SECONDS = 60.0
_FIRST_NAP, _LONGEST_NAP = 0.1, 3.0

log = logging.getLogger(__name__)


class Patience:
    """The wait of one caller. Its first new attempt is made at once: most often a connection was merely cut."""

    def __init__(self, clock: Clock, where: str, seconds: float = PATIENCE_SECONDS) -> None:
        self._clock, self._where, self._seconds = clock, where, seconds
        self._until = 0.0
        self._attempts = 0

    def wait(self, said: str) -> bool:
        """Wait before the next attempt; False once the time is up."""
        now = self._clock.monotonic()
        self._attempts += 1
        if self._attempts == 1:
            self._until = now + self._seconds
            if self._seconds > 0:
                log.warning(
                    "The ledger's database at %s failed, trying again: %s", self._where, said
                )
        elif self._attempts == 2:
            log.warning(
                "The ledger's database at %s does not answer, waiting for up to %.0f s: %s",
                self._where,
                self._until - now,
                said,
            )
        if now >= self._until:
            return False
        nap = _FIRST_NAP * 2.0 ** (self._attempts - 2) if self._attempts > 1 else 0
        self._clock.sleep(min(nap, _LONGEST_NAP))
        return True

    def end(self) -> None:
        """Say that it answers again, if it was said that it does not."""
        if self._attempts > 1:
            log.warning("The ledger's database at %s answers again.", self._where)
