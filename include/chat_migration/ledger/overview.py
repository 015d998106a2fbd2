"""What a person asks of a ledger first: its last runs, and how many of what are in which state."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from sqlalchemy import func, select

from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger

_LAST_RUNS = 10


class RunLine(msgspec.Struct, frozen=True):
    """One run, ready to show."""

    run_id: str
    source_name: str
    state: str
    started: str
    seconds: str


class Overview(msgspec.Struct, frozen=True):
    """Runs, newest first; table → state → rows."""

    runs: list[RunLine]
    counts: dict[str, dict[str, int]]
    unresolved: int
    workers: list[str]
    """The stages that are at work now, a line each."""


def overview(ledger: Ledger) -> Overview:
    """Return what the ledger holds of its app."""
    counts: dict[str, dict[str, int]] = {}
    with ledger.database.reading() as connection:
        runs = schema.runs
        rows = connection.execute(
            select(runs)
            .where(runs.c.app_id == ledger.app_id)
            .order_by(runs.c.started_at_ms.desc())
            .limit(_LAST_RUNS)
        ).all()
        for name, table in (
            ("accounts", schema.accounts),
            ("groups", schema.groups),
            ("members", schema.members),
            ("messages", schema.deliveries),
        ):
            query = (
                select(table.c.state, func.count())
                .where(table.c.app_id == ledger.app_id)
                .group_by(table.c.state)
            )
            counts[name] = {str(state): int(count) for state, count in connection.execute(query)}
    lines = [
        RunLine(
            run_id=row.run_id,
            source_name=row.source_name,
            state=row.state,
            started=datetime.fromtimestamp(row.started_at_ms / 1000, UTC).strftime(
                "%Y-%m-%d %H:%M:%S UTC"
            ),
            seconds=""
            if row.finished_at_ms is None
            else f"{(row.finished_at_ms - row.started_at_ms) / 1000:.0f}",
        )
        for row in rows
    ]
    return Overview(lines, counts, ledger.count_unresolved(), _workers(ledger))


def _workers(ledger: Ledger) -> list[str]:
    return [
        f"at work: {worker.stage} of run {worker.run_id}, process {worker.process.process.partition('@')[0]}, "
        f"holds {held:,} conversations"
        for worker, held in ledger.workers()
        if not worker.process.is_gone
    ]
