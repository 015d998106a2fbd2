"""Measure the call budgets: how much of the rate is used, what a turn costs, and how full the fullest second is.

    .venv/bin/python benchmarks/budget.py --redis redis://127.0.0.1:6379/0

Each kind of budget is used by some processes at once, whose threads do nothing but take turns. "Fullest second" is
the greatest number of starts in any second, wherever it begins: it must not exceed the rate. "Idle" is the time of a
turn that nobody else waits for. Redis is measured if its URL is given, or in ``CHAT_MIGRATION_BUDGET_URL``.
"""

from __future__ import annotations

import argparse
import bisect
import multiprocessing
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chat_migration.clock import SystemClock
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing import LedgerBudget, MemoryBudget, OrderedBudget
from chat_migration.pacing.redis import RedisBudget
from chat_migration.stop import StopSignal

API = "import_group_msg"
APP = "tencent:1"
IDLE_TURNS = 50


@dataclass(frozen=True)
class Where:
    """Which budget a process opens."""

    kind: str
    ledger_url: str
    redis_url: str
    app: str


@contextmanager
def opened(where: Where, rate: float) -> Iterator[OrderedBudget]:
    """Give one process its budget."""
    clock, stop, rates = SystemClock(), StopSignal(), {API: rate}
    if where.kind == "memory":
        yield MemoryBudget(where.app, rates, clock, stop)
        return
    if where.kind == "redis":
        budget = RedisBudget(where.redis_url, where.app, rates, clock, stop)
        yield budget
        budget.close()
        return
    with Ledger.open(where.ledger_url, where.app) as ledger:
        shared = LedgerBudget(ledger, rates, clock, stop)
        yield shared
        shared.close()


def take_turns(
    where: Where, rate: float, threads: int, span: tuple[float, float]
) -> tuple[list[float], float]:
    """Return when the turns of one process began within a span of time, and its processor time, seconds."""
    made: list[float] = []

    def caller(budget: OrderedBudget) -> None:
        while time.monotonic() < span[1]:
            budget.acquire(API)
            made.append(time.monotonic())

    with opened(where, rate) as budget:
        time.sleep(max(0.0, span[0] - time.monotonic()))
        before = time.process_time()
        callers = [threading.Thread(target=caller, args=(budget,)) for _ in range(threads)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
        used = time.process_time() - before
    return [each for each in made if each < span[1]], used


def idle_cost(where: Where) -> float:
    """Return the median time of a turn that is free, seconds."""
    with opened(where, 1e6) as budget:
        return statistics.median(_timed(lambda: budget.acquire(API)) for _ in range(IDLE_TURNS))


def _timed(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    took = time.perf_counter() - begun
    time.sleep(0.002)
    return took


def fullest_second(times: list[float]) -> int:
    """Return the greatest number of times within any second."""
    ordered = sorted(times)
    return max(
        bisect.bisect_left(ordered, each + 1.0) - place for place, each in enumerate(ordered)
    )


def measure(where: Where, rate: float, processes: int, threads: int, seconds: float) -> list[str]:
    """Return one row of the table."""
    context = multiprocessing.get_context("spawn")
    begin = time.monotonic() + 3
    with context.Pool(processes) as pool:
        given = (where, rate, threads, (begin, begin + seconds + 2))
        parts = pool.starmap(take_turns, [given] * processes)
    made = sorted(each for times, _ in parts for each in times)
    # A budget that begins may wait a second first.
    steady = [each for each in made if begin + 1.5 <= each < begin + 1.5 + seconds]
    used = sum(part for _, part in parts) / (seconds + 2)
    return [
        where.kind,
        str(processes),
        f"{len(steady) / seconds:.1f}",
        f"{len(steady) / seconds / rate:.1%}",
        str(fullest_second(made)),
        f"{used:.1%}",
    ]


def main() -> None:
    """Measure all kinds and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=190)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--threads", type=int, default=32, help="in all processes together")
    parser.add_argument("--redis", default=os.environ.get("CHAT_MIGRATION_BUDGET_URL", ""))
    given = parser.parse_args()
    kinds = ["memory", "ledger", "redis"] if given.redis else ["memory", "ledger"]
    table = Table("budget", "processes", "starts/s", "of the rate", "fullest second", "one core")
    costs = Table("budget", "idle turn")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for kind in kinds:
            for processes in given.processes if kind != "memory" else [1]:
                url = f"sqlite:///{Path(folder).resolve()}/{kind}-{processes}.sqlite"
                where = Where(kind, url, given.redis, f"benchmark:{secrets.token_hex(8)}")
                threads = max(1, given.threads // processes)
                table.add_row(*measure(where, given.rate, processes, threads, given.seconds))
            costs.add_row(kind, f"{idle_cost(where) * 1000:.2f} ms")
    Console().print(table, costs)


if __name__ == "__main__":
    main()
