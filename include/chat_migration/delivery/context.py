"""What every stage that calls a target works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chat_migration.clock import Clock
from chat_migration.delivery.calls import Caller
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.tally import Tally
from chat_migration.ledger.ledger import Ledger
from chat_migration.planning.tables import Plan
from chat_migration.progress import Progress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.base import Target
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes


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
    lease: Lease
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


@contextmanager
def reporting(progress: Progress, what: str, total: int, unit: str) -> Iterator[Progress]:
    """Begin and end a piece of work on the progress display."""
    progress.begin(what, total, unit)
    try:
        yield progress
    finally:
        progress.end()
