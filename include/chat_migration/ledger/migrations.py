"""Bringing a ledger's schema up to date, one tested step per version."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, update

from chat_migration.errors import UsageError
from chat_migration.keys import KEY_VERSION
from chat_migration.ledger.schema import SCHEMA_VERSION, meta, metadata

STEPS: dict[int, Callable[[Connection], None]] = {}
"""From version n to n + 1, by n. Each runs in the transaction that records it."""


def _teach_planner(connection: Connection) -> None:
    """Tell SQLite how selective the indexes are.

    Without statistics it takes the first column of the primary key, the app, for a good start, and reads a whole
    ledger to answer a question about one conversation.
    """
    connection.exec_driver_sql("ANALYZE")
    for index, spread in (
        ("deliveries", "10000000 10000000 1 1"),
        ("deliveries_by_slot", "10000000 10000000 1000 1"),
        ("deliveries_by_random", "10000000 10000000 1000 1"),
        ("deliveries_unresolved", "100 100 10"),
    ):
        connection.exec_driver_sql(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('deliveries', ?, ?)", (index, spread)
        )
    connection.exec_driver_sql("ANALYZE sqlite_schema")


def migrate(connection: Connection) -> None:
    """Create the schema in an empty database, or upgrade an older one; nothing happens to a current one.

    Raises:
        UsageError: the ledger was written by a newer version, or with another key algorithm.
    """
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        if connection.dialect.name == "sqlite":
            _teach_planner(connection)
        connection.execute(
            insert(meta),
            [
                {"name": "schema_version", "value": str(SCHEMA_VERSION)},
                {"name": "key_version", "value": str(KEY_VERSION)},
            ],
        )
        return
    stored = {row.name: int(row.value) for row in connection.execute(select(meta))}
    version = stored["schema_version"]
    if version > SCHEMA_VERSION or stored["key_version"] != KEY_VERSION:
        raise UsageError(
            f"The ledger has schema {version} and key algorithm {stored['key_version']}.",
            expected=f"This version writes schema {SCHEMA_VERSION} and key algorithm {KEY_VERSION}.",
            advice="Use the version of chat-migration that wrote the ledger, or a newer one.",
        )
    for step in range(version, SCHEMA_VERSION):
        STEPS[step](connection)
        connection.execute(
            update(meta).where(meta.c.name == "schema_version").values(value=str(step + 1))
        )
