"""Doing many jobs on some threads, and ending them in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from chat_migration.errors import InterruptedRunError
from chat_migration.stop import StopSignal

ABANDON_SECONDS = 6.0
"""How long jobs may go on after the stop: the calls in flight end, or are left behind with an unknown outcome."""
_LOOK_SECONDS = 0.1

Job = Callable[[], object]


def run_all(
    jobs: Iterable[Job],
    *,
    threads: int,
    stop: StopSignal,
    abandon: Callable[[], None] = lambda: None,
) -> None:
    """Run jobs on some threads, in this order; the first failure stops the others and is raised.

    Jobs are taken from the iterable only as threads become free, so it may be long. A job that runs when the
    stop is asked for ends at its next call. Whatever has not ended ``ABANDON_SECONDS`` later is left behind:
    ``abandon`` is called, and its threads die with the process.

    Raises:
        InterruptedRunError: jobs were left behind.
    """
    _Crew(iter(jobs), threads, stop).run(abandon)


class _Crew:
    def __init__(self, jobs: Iterator[Job], threads: int, stop: StopSignal) -> None:
        self._jobs, self._threads, self._stop = jobs, threads, stop
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._at_work = 0
        self._started = 0
        self._errors: list[BaseException] = []

    def run(self, abandon: Callable[[], None]) -> None:
        self._hire()
        stopped_at: float | None = None
        with self._changed:
            while self._at_work:
                self._changed.wait(_LOOK_SECONDS)
                # Real time, whatever clock the jobs go by: whoever stops us does not wait longer.
                if stopped_at is None and self._stop.is_set():
                    stopped_at = time.monotonic()
                if stopped_at is not None and time.monotonic() - stopped_at > ABANDON_SECONDS:
                    break
            left = self._at_work
        if left:
            abandon()
        if self._errors:
            raise self._errors[0]
        if left:
            raise InterruptedRunError(
                f"The run was asked to stop; {left} calls without an answer were left behind.",
                advice="Run it again: it reads back what became of them.",
            )

    def _hire(self) -> None:
        """Start one more thread, if there may be work for it. Each starts the next when it has found a job."""
        with self._changed:
            if self._started == self._threads:
                return
            self._started += 1
            self._at_work += 1
        threading.Thread(target=self._work, name=f"stream-{self._started}", daemon=True).start()

    def _work(self) -> None:
        try:
            hired = False
            while (job := self._take()) is not None:
                if not hired:
                    self._hire()
                    hired = True
                job()
        except BaseException as error:
            self._errors.append(error)
            self._stop.set()
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def _take(self) -> Job | None:
        with self._taking:
            return None if self._errors else next(self._jobs, None)
