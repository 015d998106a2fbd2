"""What a person asks of a ledger first: its last runs, and how many of what are in which state."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, and_, case, func, select

from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import SIDES
from chat_migration.ledger.states import DeliveryState

_LAST_RUNS = 10
_BY_OPENNESS = (
    DeliveryState.WITHDRAWN,
    DeliveryState.DELIVERED,
    DeliveryState.REJECTED,
    DeliveryState.PLANNED,
    DeliveryState.INTENT,
    DeliveryState.IN_DOUBT,
)
"""States from what is done with for good to what nobody knows."""


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
        ):
            query = (
                select(table.c.state, func.count())
                .where(table.c.app_id == ledger.app_id)
                .group_by(table.c.state)
            )
            counts[name] = {str(state): int(count) for state, count in connection.execute(query)}
        counts["messages"] = _messages(connection, ledger.app_id)
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


def _messages(connection: Connection, app_id: int) -> dict[str, int]:
    """Return state → parts of messages; two copies of a part are one, in the state that is furthest from its end."""
    table = schema.deliveries
    query = (
        select(table.c.side, table.c.state, func.count())
        .where(table.c.app_id == app_id)
        .group_by(table.c.side, table.c.state)
    )
    counts: Counter[str] = Counter()
    has_copies = False
    for side, state, count in connection.execute(query):
        has_copies = has_copies or bool(side)
        counts[str(state)] += 0 if side else int(count)
    if has_copies:
        counts.update(_with_copies(connection, app_id))
    return {state: count for state, count in counts.items() if count}


def _with_copies(connection: Connection, app_id: int) -> dict[str, int]:
    """Return the same of the parts that have two copies; one that is not there yet is planned."""
    table = schema.deliveries
    rank = case({state: rank for rank, state in enumerate(_BY_OPENNESS)}, value=table.c.state)
    planned = _BY_OPENNESS.index(DeliveryState.PLANNED)
    part = (
        select(func.max(rank).label("rank"), func.count().label("copies"))
        .where(table.c.app_id == app_id, table.c.side != "")
        .group_by(table.c.message_key, table.c.part)
        .subquery()
    )
    is_half = and_(part.c.copies < len(SIDES), part.c.rank < planned)
    whole = case((is_half, planned), else_=part.c.rank)
    query = select(whole.label("whole"), func.count()).group_by("whole")
    return {_BY_OPENNESS[rank].value: int(count) for rank, count in connection.execute(query)}


def _workers(ledger: Ledger) -> list[str]:
    return [
        f"at work: {worker.stage} of run {worker.run_id}, process {worker.process.process.partition('@')[0]}, "
        f"holds {held:,} conversations"
        for worker, held in ledger.workers()
        if not worker.process.is_gone
    ]
