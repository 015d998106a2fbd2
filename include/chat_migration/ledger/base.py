"""The base of the ledger's verbs: which database, which app, how rows are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

from chat_migration.clock import Clock
from chat_migration.ledger.database import Database

_CHUNK = 500
"""Values in one IN list."""


class LedgerBase:
    """What the ledger's database holds of one app."""

    def __init__(self, database: Database, app_id: int, clock: Clock) -> None:
        self.database, self.app_id, self._clock = database, app_id, clock

    def read_chunks(
        self, values: Sequence[Any], query: Callable[[Sequence[Any]], Select[Any]]
    ) -> list[Row[Any]]:
        """Return the rows of a query that asks for many values, a list of them at a time."""

        def rows(connection: Connection) -> list[Row[Any]]:
            return [
                row for chunk in chunks(values) for row in connection.execute(query(chunk)).all()
            ]

        return self.database.read(rows) if values else []

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
        if not given:
            return
        statement = _upsert(
            table, tuple(given[0]), connection.dialect.name, keep=keep, fixed=tuple(fixed)
        )
        execute_all(connection, statement, given)


@cache
def _upsert(
    table: Table, names: tuple[str, ...], dialect: str, *, keep: bool, fixed: tuple[str, ...]
) -> Any:
    """Return an upsert's statement; to build it takes longer than to run it, so it is built once."""
    statement = insert_into(table, dialect)
    key = [column.name for column in table.primary_key]
    if keep:
        return statement.on_conflict_do_nothing(index_elements=key)
    changed = {name: statement.excluded[name] for name in names if name not in (*key, *fixed)}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def execute_all(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> int:
    """Execute a statement for each row, in order, and return how many rows of the table it changed.

    ``statement`` is one of those that are built once: what it becomes in SQLite's own words is kept for it.
    """
    if connection.dialect.name == "sqlite":
        words, names, fixed = _in_sqlite(statement, tuple(rows[0]))
        values = [
            tuple(fixed[name] if name in fixed else row[name] for name in names) for row in rows
        ]
        return connection.exec_driver_sql(
            words,
            values if len(values) > 1 else values[0],
            execution_options={"preserve_rowcount": True},
        ).rowcount
    given = rows if len(rows) > 1 else rows[0]
    return connection.execute(
        statement, given, execution_options={"preserve_rowcount": True}
    ).rowcount


@lru_cache(maxsize=128)
def _in_sqlite(
    statement: Any, given: tuple[str, ...]
) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Return a statement's text, its parameters in order, and those with a value of their own.

    SQLAlchemy prepares each row's parameters one by one; between two calls that is half of the ledger's time.
    """
    compiled = statement.compile(dialect=_SQLITE, column_keys=list(given))
    names = tuple(compiled.positiontup)
    fixed = {name: compiled.params[name] for name in names if name not in given}
    return str(compiled), names, fixed


_SQLITE = sqlite.dialect(paramstyle="qmark")


def insert_into(table: Table, dialect: str) -> Any:
    """Return an insert that may say what to do on conflict, in the database's own dialect."""
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values in pieces that fit one IN list."""
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
