"""Putting together what a stage works with: ledger, target, budget, plan. The only place that knows all of them."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from chat_migration.artefacts import LINES, making_part, plan_of, write_part
from chat_migration.delivery.calls import Caller, CallStatistics
from chat_migration.delivery.context import Tools
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.tally import Tally
from chat_migration.errors import UsageError
from chat_migration.home import Home
from chat_migration.ledger.engines import is_sqlite, parse_url
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.shared import shared_ledger
from chat_migration.pacing import Budget, LedgerBudget, MemoryBudget, OrderedBudget
from chat_migration.run import Run
from chat_migration.stop import StopSignal

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter from the others. With Python's own 5 ms, a stream whose answer is there
waits several times that long for its turn while sixty others are at work: 77 instead of 64 ms a call."""
CALL_MARGIN_SECONDS = 2.0
"""How much longer than its timeout a call may take until it is given up."""


@contextmanager
def _budget(run: Run, ledger: Ledger, stop: StopSignal) -> Iterator[Budget]:
    """Give the budget: in Redis for several machines, in the ledger's database for one, or in memory."""
    limits = run.connection.rates()
    if not run.home.budget_url and not run.shared_budget:
        yield MemoryBudget(run.connection.app, limits, run.clock, stop)
        return
    shared: OrderedBudget
    if run.home.budget_url:
        # Imported late: one machine needs no Redis client.
        from chat_migration.pacing.redis import RedisBudget  # noqa: PLC0415

        shared = RedisBudget(
            run.home.budget_url,
            run.connection.app,
            limits,
            run.clock,
            stop,
            give_up_seconds=run.home.budget_wait_seconds,
        )
    else:
        shared = LedgerBudget(ledger, limits, run.clock, stop)
    with closing(shared):
        yield shared


def open_ledger(run: Run) -> AbstractContextManager[Ledger]:
    """Open the run's ledger. A dry run gets a copy of a file, or a view of a database: it changes neither."""
    url, app = run.home.ledger_url, run.connection.app
    if not run.settings.dry_run:
        run.home.create()
        return shared_ledger(url, app, clock=run.clock)
    run.make_scratch()
    copy = run.scratch / "ledger.sqlite"
    parsed = parse_url(url)
    if is_sqlite(parsed):
        _copy_ledger(Path(str(parsed.database)), copy)
    elif (view := Ledger.view(url, app, clock=run.clock)) is not None:
        return view
    return shared_ledger(f"sqlite:///{copy}", app, clock=run.clock)


def has_ledger(home: Home) -> bool:
    """Tell whether there is anything to show; a server's database counts as that."""
    url = parse_url(home.ledger_url)
    return not is_sqlite(url) or Path(str(url.database)).exists()


def _copy_ledger(ledger: Path, copy: Path) -> None:
    """Copy a ledger without touching it; one that is in use is copied through the database itself."""
    if not ledger.exists():
        return
    try:
        if not ledger.with_name(ledger.name + "-wal").exists():
            shutil.copyfile(ledger, copy)
            return
        with (
            closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(
            f"The ledger `{ledger}` cannot be read: {error}.",
            advice="Correct CHAT_MIGRATION_HOME or CHAT_MIGRATION_LEDGER_URL, or the file's owner.",
        ) from error


def drop_scratch(run: Run) -> None:
    """Remove what a dry run wrote outside the home."""
    shutil.rmtree(run.scratch, ignore_errors=True)


@contextmanager
def delivering(run: Run, stage: str, shard: int = 0) -> Iterator[Tools]:
    """Give a stage its tools; write its part of the report at the end, after a failure too."""
    plan = plan_of(run)
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = run.stop.child()
    started = run.clock.monotonic()
    name = f"{stage}-{shard:02d}"
    target, rules = run.connection.connect(run.clock), run.connection.rules()
    with (
        open_ledger(run) as ledger,
        making_part(run, stage, shard) as folder,
        Tally(folder / LINES) as tally,
        Lease(
            ledger,
            run.clock,
            run_id=run.run_id,
            stage=name,
            call_seconds=run.connection.timeout_seconds + CALL_MARGIN_SECONDS,
        ) as lease,
        _budget(run, ledger, stop) as budget,
    ):
        statistics = CallStatistics()
        caller = Caller(
            budget=budget,
            clock=run.clock,
            stop=stop,
            statistics=statistics,
            api_of=rules.api_of,
            renew_signature=target.renew_signature,
            stop_error=target.stop_error,
        )
        tools = Tools(
            run_id=run.run_id,
            settings=run.settings,
            plan=plan,
            ledger=ledger,
            target=target,
            rules=rules,
            caller=caller,
            lease=lease,
            tally=tally,
            sizes=run.connection.sizes(),
            clock=run.clock,
            progress=run.progress,
            stop=stop,
            started=started,
            threads=run.connection.parallel_calls,
            settle_seconds=run.connection.settle_seconds,
        )
        try:
            yield tools
        finally:
            seconds = run.clock.monotonic() - started
            part = tally.part(stage, shard, statistics.snapshot(), seconds)
            write_part(folder, part)
            target.close()
