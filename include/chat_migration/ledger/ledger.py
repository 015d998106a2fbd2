"""The ledger of one app: verbs over states, each one atomic and durable when it returns.

Guarantees: an intent is on disk before ``advance`` returns, so that whoever comes after a crash knows what may
have been sent; a key is written once and never changes; a verb that does not fit the state of a
delivery raises :class:`IllegalMoveError` and changes nothing.
"""

from __future__ import annotations

from typing import Self

from sqlalchemy import Connection, insert, select, update

from chat_migration.clock import Clock, SystemClock
from chat_migration.ledger import schema
from chat_migration.ledger.database import Database
from chat_migration.ledger.deliveries import DeliveryVerbs, IllegalMoveError
from chat_migration.ledger.entities import EntityVerbs
from chat_migration.ledger.unread import UnreadVerbs

__all__ = ["IllegalMoveError", "Ledger"]


class Ledger(EntityVerbs, DeliveryVerbs, UnreadVerbs):
    """What the ledger's database holds of one app. Safe to use from many threads and processes."""

    @classmethod
    def open(cls, url: str, app: str, *, clock: Clock | None = None) -> Self:
        """Open the ledger of one app; the database and the app's row are made where they are missing."""
        database = Database(url)

        def find(connection: Connection) -> int:
            found = connection.scalar(select(schema.apps.c.id).where(schema.apps.c.name == app))
            if found is None:
                connection.execute(insert(schema.apps).values(name=app))
                found = connection.scalar(select(schema.apps.c.id).where(schema.apps.c.name == app))
            return int(found or 0)

        return cls(database, database.write(find), clock or SystemClock())

    def close(self) -> None:
        """Finish what is waiting and close."""
        self.database.close()

    def __enter__(self) -> Self:
        """Return the ledger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def begin_run(
        self, run_id: str, source_name: str, start_ms: int | None, end_ms: int | None
    ) -> None:
        """Remember that a run works on a window; beginning it again changes nothing."""
        self.upsert(
            schema.runs,
            [{
                "run_id": run_id, "source_name": source_name, "window_start_ms": start_ms,
                "window_end_ms": end_ms, "started_at_ms": self._clock.now_ms(), "state": "running",
            }],
            keep=True,
        )  # fmt: skip

    def finish_run(
        self,
        run_id: str,
        *,
        complete: bool,
        source_name: str,
        window: tuple[int | None, int | None],
    ) -> None:
        """Close a run; a complete one also completes its window."""
        now = self._clock.now_ms()

        def finish(connection: Connection) -> None:
            table = schema.runs
            connection.execute(
                update(table)
                .where(table.c.app_id == self.app_id, table.c.run_id == run_id)
                .values(finished_at_ms=now, state="complete" if complete else "incomplete")
            )
            if complete:
                row = {
                    "source_name": source_name, "run_id": run_id, "start_ms": window[0],
                    "end_ms": window[1], "completed_at_ms": now,
                }  # fmt: skip
                self.upsert_in(connection, schema.windows, [row], keep=False)

        self.database.write(finish)
