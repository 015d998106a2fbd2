"""Waiting for an export in the triggerer, which needs no worker for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from chat_migration.arrivals import POLL_SECONDS, Readiness, Waiting, judge, look
from chat_migration.clock import Clock, SystemClock
from chat_migration.errors import MigrationError


class ExportArrivalTrigger(BaseTrigger):
    """Looks at an export now and then, until it can be read or the deadline has passed.

    It fires once, with what its last look left; whoever resumes looks again and decides. The triggerer must see the
    export: the same folder at the same path, or the same credentials for its URL. A triggerer that dies is no loss:
    another one goes on to the same deadline.

    Args:
        waiting: what to look at, as plain values.
        poll_seconds: how long to wait between two looks.
    """

    def __init__(self, waiting: dict[str, Any], poll_seconds: float = POLL_SECONDS) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waiting, self.poll_seconds = waiting, poll_seconds
        self._clock: Clock = SystemClock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another process makes this trigger of."""
        kwargs = {"waiting": self.waiting, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, at the latest when the deadline has passed."""
        waiting = msgspec.convert(self.waiting, Waiting)
        watch, said = waiting.watch, ""
        while True:
            found, error = None, ""
            try:
                # In a thread: a slow disk or store must not hold up the triggers of others.
                found, watch = await asyncio.to_thread(self._look, waiting, watch)
            except MigrationError as failure:
                # It may pass; if not, the task meets it at the deadline and fails with it.
                error = failure.what
            left = (waiting.deadline_ms - self._clock.now_ms()) / 1000
            if left <= 0 or (found is not None and found.state == "ready"):
                yield TriggerEvent({"watch": msgspec.to_builtins(watch)})  # type: ignore[no-untyped-call]
                return
            why = found.why if found is not None else error
            if why != said:
                said = why
                self.log.info("Waiting for the export, %.0f s at most: %s", left, why)
            await asyncio.sleep(min(self.poll_seconds, left))

    def _look(
        self, waiting: Waiting, watch: dict[str, tuple[str, int]]
    ) -> tuple[Readiness, dict[str, tuple[str, int]]]:
        seen = look(waiting.wanted, self._clock)
        return judge(waiting.wanted, seen, watch, self._clock.now_ms())
