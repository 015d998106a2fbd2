"""Deferred rows: what was too new to be sent, and where on the stage it waits for the next run of its source."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, select

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase, chunks


class DeferredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row that waits; ``extract`` is the name of the artefact on the stage that keeps it."""

    message_key: str
    conversation: str
    sent_at_ms: int
    extract: str
    run_id: str


class DeferredVerbs(LedgerBase):
    """Verbs over the rows that wait, by source."""

    def deferred(self, source_name: str) -> list[DeferredRow]:
        """Return the rows of a source that wait, by key."""
        table = schema.deferred
        query = (
            select(table)
            .where(table.c.app_id == self.app_id, table.c.source_name == source_name)
            .order_by(table.c.message_key)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [
            DeferredRow(
                message_key=row.message_key,
                conversation=row.conversation,
                sent_at_ms=row.sent_at_ms,
                extract=row.extract,
                run_id=row.run_id,
            )
            for row in rows
        ]

    def deferred_extracts(self, source_name: str) -> set[str]:
        """Return the extracts that some waiting row of a source is kept in."""
        table = schema.deferred
        query = (
            select(table.c.extract)
            .where(table.c.app_id == self.app_id, table.c.source_name == source_name)
            .distinct()
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {str(row.extract) for row in rows}

    def settle_deferred(
        self, source_name: str, waiting: Sequence[DeferredRow], ended: Sequence[str]
    ) -> None:
        """List rows that wait, and take rows off the list that ended, in one transaction.

        A row that is listed already is listed with the extract given here. Doing it again changes nothing.
        """
        if not waiting and not ended:
            return
        table = schema.deferred
        rows = [{"source_name": source_name, **msgspec.structs.asdict(each)} for each in waiting]

        def settle(connection: Connection) -> None:
            for keys in chunks(ended):
                connection.execute(
                    delete(table).where(
                        table.c.app_id == self.app_id,
                        table.c.source_name == source_name,
                        table.c.message_key.in_(keys),
                    )
                )
            self.upsert_in(connection, table, rows)

        self.database.write(settle)
