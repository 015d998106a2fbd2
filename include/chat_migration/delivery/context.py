"""What every stage that calls a target works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from chat_migration.clock import Clock
from chat_migration.delivery.calls import Caller
from chat_migration.delivery.tally import Tally
from chat_migration.ledger.ledger import Ledger
from chat_migration.planning.forecast import BatchSizes
from chat_migration.planning.tables import Plan
from chat_migration.progress import Progress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.base import Target
from chat_migration.targets.rules import TargetRules

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The tools of one stage of one run."""

    run_id: str
    settings: Settings
    plan: Plan
    ledger: Ledger
    target: Target
    rules: TargetRules
    caller: Caller
    tally: Tally
    sizes: BatchSizes
    clock: Clock
    progress: Progress
    stop: StopSignal
    threads: int
    started: float
    """When the stage began, by the monotonic clock."""
    settle_seconds: float
    """How long after its failure a request may still be applied: the service's own timeout and a margin."""


def run_all(jobs: Iterable[Callable[[], object]], *, threads: int, stop: StopSignal) -> None:
    """Run jobs on some threads, in this order; the first failure stops the others and is raised.

    Jobs are taken from the iterable only as threads become free, so it may be long. A job that runs when
    another fails ends at its next call; what it sent is recorded.
    """
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="stream")
    running: set[Future[object]] = set()
    try:
        for job in jobs:
            running.add(pool.submit(job))
            if len(running) >= threads:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                _raise_first(done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            _raise_first(done)
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _raise_first(done: Iterable[Future[object]]) -> None:
    for future in done:
        future.result()


@contextmanager
def reporting(progress: Progress, what: str, total: int, unit: str) -> Iterator[Progress]:
    """Begin and end a piece of work on the progress display."""
    progress.begin(what, total, unit)
    try:
        yield progress
    finally:
        progress.end()
