"""Who alone may write to a conversation: workers with leases, and what they hold.

A worker is one stage of one run in one process. It renews its lease while it lives; whoever finds a hold whose
worker's lease and grace have passed, or whose process is plainly gone, takes it over. All of this happens in
the ledger's transactions, and each move of a delivery checks the hold in its own (see ``advance``), so that a
worker that was paused and comes back writes nothing about a conversation that it has lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase, chunks
from chat_migration.ledger.records import Worker
from chat_migration.ledger.states import DeliveryState
from chat_migration.process import ProcessName


class LostHoldError(Exception):
    """Another worker has taken this conversation over; nothing was written."""

    def __init__(self, conversation: str) -> None:
        super().__init__(conversation)
        self.conversation = conversation


class HoldVerbs(LedgerBase):
    """Verbs over workers and what they hold."""

    def enlist(self, worker: Worker) -> None:
        """Say that a worker begins; workers that are long gone and hold nothing are forgotten."""
        row = {
            "worker_id": worker.worker_id, "run_id": worker.run_id, "stage": worker.stage,
            "machine": worker.process.machine, "process": worker.process.process,
            "started_at_ms": worker.started_at_ms, "lease_until_ms": worker.lease_until_ms,
            "grace_ms": worker.grace_ms,
        }  # fmt: skip
        now = self._clock.now_ms()

        def write(connection: Connection) -> None:
            table, holds = schema.workers, schema.holds
            holding = select(holds.c.worker_id).where(holds.c.app_id == self.app_id)
            connection.execute(
                delete(table).where(
                    table.c.app_id == self.app_id,
                    table.c.lease_until_ms + table.c.grace_ms < now,
                    table.c.worker_id.not_in(holding),
                )
            )
            self.upsert_in(connection, table, [row])

        self.database.write(write)

    def renew(self, worker_id: str, lease_until_ms: int) -> set[str]:
        """Lengthen a lease; return the conversations that the worker still holds."""
        workers, holds = schema.workers, schema.holds

        def write(connection: Connection) -> set[str]:
            connection.execute(
                update(workers)
                .where(workers.c.app_id == self.app_id, workers.c.worker_id == worker_id)
                .values(lease_until_ms=lease_until_ms)
            )
            held = select(holds.c.conversation).where(
                holds.c.app_id == self.app_id, holds.c.worker_id == worker_id
            )
            return set(connection.scalars(held))

        return self.database.write(write)

    def dismiss(self, worker_id: str) -> None:
        """Say that a worker has ended; what it holds is free."""

        def write(connection: Connection) -> None:
            for table in (schema.holds, schema.workers):
                connection.execute(
                    delete(table).where(
                        table.c.app_id == self.app_id, table.c.worker_id == worker_id
                    )
                )

        self.database.write(write)

    def hold(self, worker_id: str, conversations: Sequence[str]) -> dict[str, Worker]:
        """Take conversations for a worker, all that are free; return who holds each of the others."""
        now = self._clock.now_ms()

        def write(connection: Connection) -> dict[str, Worker]:
            elsewhere: dict[str, Worker] = {}
            for chunk in chunks(conversations):
                for name, holder in self._holders(connection, chunk).items():
                    if holder.worker_id == worker_id:
                        continue
                    if _is_free(holder, now):
                        self._delete(connection, [name], holder.worker_id)
                    else:
                        elsewhere[name] = holder
                self.upsert_in(
                    connection,
                    schema.holds,
                    (
                        {"conversation": name, "worker_id": worker_id, "since_ms": now}
                        for name in chunk
                        if name not in elsewhere
                    ),
                    keep=True,
                )
            return elsewhere

        return self.database.write(write)

    def release_holds(self, worker_id: str, conversations: Sequence[str]) -> None:
        """Give conversations back; those that somebody else has taken meanwhile stay theirs."""

        def write(connection: Connection) -> None:
            for chunk in chunks(conversations):
                self._delete(connection, chunk, worker_id)

        self.database.write(write)

    def _delete(self, connection: Connection, conversations: Sequence[str], worker_id: str) -> None:
        table = schema.holds
        connection.execute(
            delete(table).where(
                table.c.app_id == self.app_id,
                table.c.conversation.in_(conversations),
                table.c.worker_id == worker_id,
            )
        )

    def abandon(self, worker_id: str) -> int:
        """Mark what a worker has in flight as in doubt, and return how many; its holds stay until its lease ends."""
        table, holds = schema.deliveries, schema.holds

        def write(connection: Connection) -> int:
            held = select(holds.c.conversation).where(
                holds.c.app_id == self.app_id, holds.c.worker_id == worker_id
            )
            done = connection.execute(
                update(table)
                .where(
                    table.c.app_id == self.app_id,
                    table.c.conversation.in_(held),
                    table.c.state == DeliveryState.INTENT,
                )
                .values(state=DeliveryState.IN_DOUBT, reason="the run was stopped during the call")
            )
            return int(done.rowcount)

        return self.database.write(write)

    def workers(self) -> list[tuple[Worker, int]]:
        """Return the workers that the ledger knows, oldest first, and how many conversations each holds."""
        workers, holds = schema.workers, schema.holds

        def read(connection: Connection) -> tuple[Sequence[Row[Any]], Counter[str]]:
            rows = connection.execute(
                select(workers)
                .where(workers.c.app_id == self.app_id)
                .order_by(workers.c.started_at_ms, workers.c.worker_id)
            ).all()
            held = connection.scalars(
                select(holds.c.worker_id).where(holds.c.app_id == self.app_id)
            )
            return rows, Counter(held)

        rows, counts = self.database.read(read)
        return [(_worker(row), counts[row.worker_id]) for row in rows]

    def workers_alive(self) -> list[str]:
        """Return the workers whose holds nobody else may take."""
        now = self._clock.now_ms()
        return [each.worker_id for each, _ in self.workers() if not _is_free(each, now)]

    def require_hold(self, connection: Connection, conversation: str, worker_id: str) -> None:
        """Check, within an open transaction, that a worker still holds a conversation.

        Raises:
            LostHoldError: it does not.
        """
        asked = {"of_app": self.app_id, "of_conversation": conversation}
        if connection.scalar(_HOLDER, asked) != worker_id:
            raise LostHoldError(conversation)

    def _holders(self, connection: Connection, conversations: Sequence[str]) -> dict[str, Worker]:
        """Return who holds some conversations; a worker that holds something is always in the table."""
        workers, holds = schema.workers, schema.holds
        query = (
            select(holds.c.conversation, workers)
            .join(
                workers,
                (workers.c.app_id == holds.c.app_id) & (workers.c.worker_id == holds.c.worker_id),
            )
            .where(holds.c.app_id == self.app_id, holds.c.conversation.in_(conversations))
        )
        return {row.conversation: _worker(row) for row in connection.execute(query)}


_HOLDER = select(schema.holds.c.worker_id).where(
    schema.holds.c.app_id == bindparam("of_app"),
    schema.holds.c.conversation == bindparam("of_conversation"),
)
"""Asked before every call: to build it takes longer than to run it, so it is built once."""


def _is_free(worker: Worker, now_ms: int) -> bool:
    return worker.free_at_ms <= now_ms or worker.process.is_gone


def _worker(row: Row[Any]) -> Worker:
    return Worker(
        worker_id=row.worker_id,
        run_id=row.run_id,
        stage=row.stage,
        process=ProcessName(row.machine, row.process),
        started_at_ms=row.started_at_ms,
        lease_until_ms=row.lease_until_ms,
        grace_ms=row.grace_ms,
    )
