"""The ledger of one app: verbs over states, each one atomic and durable when it returns.

Guarantees: an intent is on disk before ``advance`` returns, so that whoever comes after a crash knows what may
have been sent; a key is written once and never changes; a verb that does not fit the state of a
delivery raises :class:`IllegalMoveError` and changes nothing.
"""

from __future__ import annotations

from typing import Self

from sqlalchemy import Connection, insert, select

from chat_migration.clock import Clock, SystemClock
from chat_migration.ledger import schema
from chat_migration.ledger.database import Database, DatabaseView
from chat_migration.ledger.deferred import DeferredVerbs
from chat_migration.ledger.deliveries import DeliveryVerbs, IllegalMoveError
from chat_migration.ledger.entities import EntityVerbs
from chat_migration.ledger.excerpts import ExcerptVerbs
from chat_migration.ledger.unread import UnreadVerbs
from chat_migration.ledger.windows import WindowVerbs

__all__ = ["IllegalMoveError", "Ledger"]


class Ledger(EntityVerbs, DeliveryVerbs, UnreadVerbs, DeferredVerbs, ExcerptVerbs, WindowVerbs):
    """What the ledger's database holds of one app. Safe to use from many threads and processes."""

    @classmethod
    def open(cls, url: str, app: str, *, clock: Clock | None = None) -> Self:
        """Open the ledger of one app; the database and the app's row are made where they are missing.

        Raises:
            UsageError: the URL, or what lies there, is not what a ledger can use.
            LedgerUnreachableError: the database does not answer, for a minute.
        """
        clock = clock or SystemClock()
        database = Database(url, clock=clock)

        def find(connection: Connection) -> int:
            found = _find_app(connection, app)
            if found is None:
                connection.execute(insert(schema.apps).values(name=app))
                found = _find_app(connection, app)
            return int(found or 0)

        try:
            return cls(database, database.write(find), clock)
        except BaseException:
            database.close()
            raise

    @classmethod
    def view(cls, url: str, app: str, *, clock: Clock | None = None) -> Self | None:
        """Open the ledger of one app for a dry run: it is read as it is, and what is written is forgotten.

        Returns:
            The ledger; None if there is none yet, or none of this app.

        Raises:
            UsageError: as :meth:`open`, or the ledger must be upgraded first.
            LedgerUnreachableError: the database does not answer, for a minute.
        """
        clock = clock or SystemClock()
        database = DatabaseView(url, clock=clock)
        try:
            found = (
                database.read(lambda connection: _find_app(connection, app))
                if database.holds_ledger
                else None
            )
        except BaseException:
            database.close()
            raise
        if found is None:
            database.close()
            return None
        return cls(database, found, clock)

    def close(self) -> None:
        """Finish what is waiting and close."""
        self.database.close()

    def __enter__(self) -> Self:
        """Return the ledger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _find_app(connection: Connection, app: str) -> int | None:
    return connection.scalar(select(schema.apps.c.id).where(schema.apps.c.name == app))
