"""Holding conversations: one worker writes to each, however many runs there are.

A stage's :class:`Lease` says to all others that it lives. :func:`run_held` does each piece of work while its
conversation is held, leaves those of other runs for the end, and waits for them for a while.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chat_migration.clock import Clock
from chat_migration.delivery.crew import run_all
from chat_migration.errors import HeldElsewhereError
from chat_migration.ledger.holds import LostHoldError
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Worker
from chat_migration.process import this_process

if TYPE_CHECKING:
    from chat_migration.delivery.context import Tools

_log = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
"""How long a worker may be silent; longer where a call may take long."""
HEARTBEATS = 6
"""Renewals in the time of one lease."""
SKEW_SECONDS = 5.0
"""By how much the clocks of two machines may differ."""
_LOOK_AGAIN_SECONDS = 1.0
_NAMED_AT_MOST = 5


class Lease:
    """What one stage of one process holds, and until when others may rely on it. Use as a context manager.

    Args:
        call_seconds: the longest that one call can take. None begins unless the lease outlives it.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, *, run_id: str, stage: str, call_seconds: float
    ) -> None:
        self._ledger, self._clock, self._call_seconds = ledger, clock, call_seconds
        self._seconds = max(LEASE_SECONDS, 3 * call_seconds)
        self._until, self._until_ms = 0.0, 0
        self._held: set[str] = set()
        self._renewing = threading.Lock()
        self._ended = threading.Event()
        self._abandoned = False
        self.worker_id = uuid.uuid4().hex
        self._worker = Worker(
            worker_id=self.worker_id,
            run_id=run_id,
            stage=stage,
            process=this_process(),
            started_at_ms=clock.now_ms(),
            lease_until_ms=clock.now_ms() + round(self._seconds * 1000),
            grace_ms=round((call_seconds + SKEW_SECONDS) * 1000),
        )

    def __enter__(self) -> Self:
        """Begin, and renew from now on."""
        self._until = self._clock.monotonic() + self._seconds
        self._until_ms = self._worker.lease_until_ms
        self._ledger.enlist(self._worker)
        threading.Thread(target=self._beat, name="lease", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give everything back; what was abandoned stays held until the process is gone or the lease ends."""
        self._ended.set()
        if not self._abandoned:
            try:
                self._ledger.dismiss(self.worker_id)
            except Exception:
                _log.exception("what this stage held is free when its lease ends")

    def take(self, conversations: list[str]) -> dict[str, Worker]:
        """Take the conversations that are free; return who holds each of the others."""
        elsewhere = self._ledger.hold(self.worker_id, conversations)
        self._held.update(set(conversations) - set(elsewhere))
        return elsewhere

    def give_back(self, conversation: str) -> None:
        """Let others have a conversation."""
        if not self._abandoned:
            self._held.discard(conversation)
            self._ledger.release_holds(self.worker_id, [conversation])

    def assure(self, conversation: str) -> None:
        """Make sure, right before a call, that the conversation is ours until the call must have ended.

        Raises:
            LostHoldError: another worker has taken it over while this process was paused.
        """
        # Without the lock while all is well: a renewal must not keep sixty streams from their calls.
        if self._left() < self._call_seconds:
            with self._renewing:
                self._renew()
        if conversation not in self._held:
            raise LostHoldError(conversation)

    def abandon(self) -> None:
        """Mark what is in flight as in doubt; nothing is given back, because it may still arrive."""
        self._abandoned = True
        count = self._ledger.abandon(self.worker_id)
        _log.warning(
            "%d messages were in flight: the next run reads back what became of them", count
        )

    def _left(self) -> float:
        """Return for how many seconds others still rely on us.

        They go by the wall clock. Ours alone tells that the machine slept: the monotonic one may stand still then.
        """
        wall = (self._until_ms - self._clock.now_ms()) / 1000
        return min(wall, self._until - self._clock.monotonic())

    def _renew(self) -> None:
        # Counted from before the write: others may see the new lease no later than we believe in it.
        now, wall = self._clock.monotonic(), self._clock.now_ms()
        before = set(self._held)
        until_ms = wall + round(self._seconds * 1000)
        held = self._ledger.renew(self.worker_id, until_ms)
        self._held -= before - held
        self._until, self._until_ms = now + self._seconds, until_ms

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / HEARTBEATS):
            try:
                with self._renewing:
                    self._renew()
            except Exception as error:
                if not self._ended.is_set():
                    _log.warning("the lease could not be renewed: %s", error)


@dataclass(frozen=True, kw_only=True)
class HeldWork:
    """A piece of work on one conversation; ``skip`` ends the rows that are left when another run holds it."""

    conversation: str
    run: Callable[[], object]
    skip: Callable[[], object]


def run_held(tools: Tools, works: Iterable[HeldWork]) -> None:
    """Do each piece of work while its conversation is held, those that other runs hold at the end.

    Raises:
        HeldElsewhereError: some were still held after ``lease_wait_seconds``; the rest is done.
    """
    waiting: list[HeldWork] = []
    lost: list[str] = []

    def attempt(work: HeldWork) -> None:
        if tools.lease.take([work.conversation]):
            waiting.append(work)
        else:
            held(work)

    def held(work: HeldWork) -> None:
        try:
            work.run()
        except LostHoldError:
            lost.append(work.conversation)
            work.skip()
        finally:
            tools.lease.give_back(work.conversation)

    _run(tools, (partial(attempt, work) for work in works))
    holders = _wait(tools, waiting, held)
    for work in waiting:
        work.skip()
    if waiting or lost:
        _raise_held(tools, holders, lost)


def _run(tools: Tools, jobs: Iterable[Callable[[], object]]) -> None:
    run_all(jobs, threads=tools.threads, stop=tools.stop, abandon=tools.lease.abandon)


def _wait(
    tools: Tools, waiting: list[HeldWork], held: Callable[[HeldWork], None]
) -> dict[str, Worker]:
    """Do what becomes free in time; the rest stays in ``waiting``, its holders are returned."""
    end = tools.clock.monotonic() + tools.settings.lease_wait_seconds
    holders: dict[str, Worker] = {}
    while waiting:
        holders = tools.lease.take([work.conversation for work in waiting])
        free = [work for work in waiting if work.conversation not in holders]
        waiting[:] = [work for work in waiting if work.conversation in holders]
        _run(tools, (partial(held, work) for work in free))
        if not waiting or tools.clock.monotonic() >= end:
            break
        tools.progress.note(f"waiting for {len(waiting)} conversations: {_named(holders)}")
        tools.caller.pause(_LOOK_AGAIN_SECONDS)
    return holders


def _named(holders: dict[str, Worker]) -> str:
    shown = [
        f"`{conversation}` is held by run `{worker.run_id}` ({worker.stage}, process "
        f"{worker.process.process.partition('@')[0]} on {worker.process.machine.partition('/')[0]})"
        for conversation, worker in list(holders.items())[:_NAMED_AT_MOST]
    ]
    more = len(holders) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _raise_held(tools: Tools, holders: dict[str, Worker], lost: list[str]) -> None:
    tools.tally.held_elsewhere.extend(sorted([*holders, *lost]))
    said = _named(holders)
    if lost:
        said = "; ".join(
            part
            for part in (said, f"{len(lost)} were taken over while this process was paused")
            if part
        )
    raise HeldElsewhereError(
        f"{len(holders) + len(lost)} conversations are held by another run: {said}.",
        advice="Run again when that run has ended (`lease_wait_seconds` waits longer for it).",
        done="Everything else of this stage is done; nothing was sent twice.",
    )
