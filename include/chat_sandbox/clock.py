"""The sandbox's own time: the machine's, plus an offset and a stop that tests move by hand."""

from __future__ import annotations

import asyncio
import time


class SandboxClock:
    """Wall clock and monotonic clock in one. Waiting tasks notice when it is moved."""

    def __init__(self) -> None:
        self._offset_ms = 0
        self._frozen_at: tuple[int, float] | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def offset_ms(self) -> int:
        """How far this clock was moved by hand."""
        return self._offset_ms

    @property
    def is_frozen(self) -> bool:
        """Whether it moves by hand only."""
        return self._frozen_at is not None

    def now_ms(self) -> int:
        """Return the sandbox's wall clock, epoch milliseconds."""
        return self._machine()[0] + self._offset_ms

    def monotonic(self) -> float:
        """Return seconds that move as the wall clock does."""
        return self._machine()[1] + self._offset_ms / 1000

    def set_offset(self, offset_ms: int) -> None:
        """Move the clock; tasks whose moment has come are woken. Call it in the event loop."""
        self._offset_ms = offset_ms
        for waiter in tuple(self._waiters):
            if not waiter.done():
                waiter.set_result(None)

    def freeze(self, *, frozen: bool) -> None:
        """Stop the clock where it is, or let it run with the machine's again."""
        self._frozen_at = None
        if frozen:
            self._frozen_at = self._machine()

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has moved on by ``seconds``, by itself or by hand."""
        deadline = self.monotonic() + seconds
        while (left := deadline - self.monotonic()) > 0:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait_for(waiter, timeout=left)
            except TimeoutError:
                continue
            finally:
                self._waiters.discard(waiter)

    def _machine(self) -> tuple[int, float]:
        if self._frozen_at is not None:
            return self._frozen_at
        return time.time_ns() // 1_000_000, time.monotonic()
