"""The base of the ledger's verbs: which database, which app, how rows are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from chat_migration.clock import Clock
from chat_migration.ledger.database import Database

_CHUNK = 500
"""Values in one IN list."""


class LedgerBase:
    """What the ledger's database holds of one app."""

    def __init__(self, database: Database, app_id: int, clock: Clock) -> None:
        self.database, self.app_id, self._clock = database, app_id, clock

    def upsert(
        self,
        table: Table,
        rows: list[dict[str, Any]],
        *,
        keep: bool = False,
        fixed: Sequence[str] = (),
    ) -> None:
        """Insert rows; of those there already, keep all, or overwrite everything but key and ``fixed``."""
        if rows:
            self.database.write(
                lambda connection: self.upsert_in(connection, table, rows, keep=keep, fixed=fixed)
            )

    def upsert_in(
        self,
        connection: Connection,
        table: Table,
        rows: Iterable[dict[str, Any]],
        *,
        keep: bool = False,
        fixed: Sequence[str] = (),
    ) -> None:
        """Do the same within a transaction that is open already."""
        given = [{"app_id": self.app_id, **row} for row in rows]
        statement = insert_into(table, connection)
        key = [column.name for column in table.primary_key]
        if keep:
            statement = statement.on_conflict_do_nothing(index_elements=key)
        else:
            changed = {
                name: statement.excluded[name] for name in given[0] if name not in (*key, *fixed)
            }
            statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
        connection.execute(statement, given)


def insert_into(table: Table, connection: Connection) -> Any:
    """Return an insert that may say what to do on conflict, in the database's own dialect."""
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values in pieces that fit one IN list."""
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
