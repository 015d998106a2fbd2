"""Putting together what a stage works with: ledger, target, budget, plan. The only place that knows all of them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import msgspec
from sqlalchemy.engine import make_url

from chat_migration.connection import TencentConnection
from chat_migration.delivery.calls import Caller, CallStatistics
from chat_migration.delivery.context import Tools
from chat_migration.delivery.tally import StagePart, Tally
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.shared import shared_ledger
from chat_migration.pacing import Budget, LedgerBudget, MemoryBudget
from chat_migration.planning.forecast import BatchSizes
from chat_migration.planning.tables import Plan
from chat_migration.run import Run
from chat_migration.targets.tencent_chat.limits import APIS, BACKEND_TIMEOUT_SECONDS
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.tencent_chat.target import TencentTarget, stop_error

SETTLE_MARGIN_SECONDS = 2.0
_VENDOR_RATE = 200
"""The rate to which ``calls_per_second`` refers; APIs with a lower one get their share of the budget."""


def rates(connection: TencentConnection) -> dict[str, float]:
    """Return the budget of each API, calls per second."""
    return {
        api: connection.calls_per_second * limit.calls_per_second / _VENDOR_RATE
        for api, limit in APIS.items()
    }


def rules_of(connection: TencentConnection) -> TencentRules:
    """Return the target's rules."""
    return TencentRules(admin=connection.admin, max_body_bytes=connection.max_body_bytes)


def sizes_of(connection: TencentConnection) -> BatchSizes:
    """Return how many items a call takes."""
    return BatchSizes(
        messages=connection.messages_per_call,
        members=connection.members_per_call,
        accounts=connection.accounts_per_call,
    )


def open_ledger(run: Run) -> AbstractContextManager[Ledger]:
    """Open the run's ledger; a dry run gets a copy, so that it writes nothing."""
    if not run.settings.dry_run:
        run.home.create()
        return shared_ledger(run.home.ledger_url, run.connection.app, clock=run.clock)
    run.make_scratch()
    copy = run.scratch / "ledger.sqlite"
    url = make_url(run.home.ledger_url)
    if url.get_backend_name() == "sqlite" and url.database:
        _copy_ledger(Path(url.database), copy)
    return shared_ledger(f"sqlite:///{copy}", run.connection.app, clock=run.clock)


def _copy_ledger(ledger: Path, copy: Path) -> None:
    """Copy a ledger without touching it; one that is in use is copied through the database itself."""
    if not ledger.exists():
        return
    if not ledger.with_name(ledger.name + "-wal").exists():
        shutil.copyfile(ledger, copy)
        return
    with (
        closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def drop_scratch(run: Run) -> None:
    """Remove what a dry run wrote outside the home."""
    shutil.rmtree(run.scratch, ignore_errors=True)


def parts_folder(run: Run) -> Path:
    """Return where stages leave their parts of the report."""
    return run.work / "parts"


@contextmanager
def delivering(run: Run, stage: str, shard: int = 0) -> Iterator[Tools]:
    """Give a stage its tools; write its part of the report at the end, after a failure too."""
    plan = Plan(run.work / "plan").require()
    stop = run.stop.child()
    started = run.clock.monotonic()
    name = f"{stage}-{shard:02d}"
    target = TencentTarget.connect(run.connection, clock=run.clock)
    with open_ledger(run) as ledger, Tally(parts_folder(run) / f"{name}.jsonl") as tally:
        budget: Budget
        if run.shared_budget:
            budget = LedgerBudget(ledger, rates(run.connection), run.clock, stop)
        else:
            budget = MemoryBudget(rates(run.connection), run.clock, stop)
        statistics = CallStatistics()
        caller = Caller(
            budget=budget,
            clock=run.clock,
            stop=stop,
            statistics=statistics,
            renew_signature=target.renew_signature,
            stop_error=lambda failed: stop_error(failed, run.connection),
        )
        tools = Tools(
            run_id=run.run_id,
            settings=run.settings,
            plan=plan,
            ledger=ledger,
            target=target,
            rules=rules_of(run.connection),
            caller=caller,
            tally=tally,
            sizes=sizes_of(run.connection),
            clock=run.clock,
            progress=run.progress,
            stop=stop,
            started=started,
            threads=run.connection.parallel_calls,
            settle_seconds=BACKEND_TIMEOUT_SECONDS + SETTLE_MARGIN_SECONDS,
        )
        try:
            yield tools
        finally:
            seconds = run.clock.monotonic() - started
            part = tally.part(stage, shard, statistics.snapshot(), seconds)
            write_part(run, part)
            target.close()


def write_part(run: Run, part: StagePart) -> None:
    """Put one stage's part of the report into place."""
    folder = parts_folder(run)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{part.stage}-{part.shard:02d}.json"
    partial = path.with_suffix(".tmp")
    partial.write_bytes(msgspec.json.encode(part))
    partial.rename(path)


def read_parts(run: Run) -> list[StagePart]:
    """Return the parts that this run's stages wrote, by stage and shard."""
    files = sorted(parts_folder(run).glob("*.json"))
    return [msgspec.json.decode(file.read_bytes(), type=StagePart) for file in files]
