"""Bringing a ledger's schema up to date, one tested step per version."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, update

from chat_migration.errors import UsageError
from chat_migration.keys import KEY_VERSION
from chat_migration.ledger.schema import SCHEMA_VERSION, meta, metadata


def _add_holds(connection: Connection) -> None:
    """Version 2: which worker alone may write to a conversation."""
    for statement in (
        "CREATE TABLE workers (app_id INTEGER NOT NULL, worker_id TEXT NOT NULL, run_id TEXT NOT NULL, "
        "stage TEXT NOT NULL, machine TEXT NOT NULL, process TEXT NOT NULL, started_at_ms BIGINT NOT NULL, "
        "lease_until_ms BIGINT NOT NULL, grace_ms BIGINT NOT NULL, PRIMARY KEY (app_id, worker_id))",
        "CREATE TABLE holds (app_id INTEGER NOT NULL, conversation TEXT NOT NULL, worker_id TEXT NOT NULL, "
        "since_ms BIGINT NOT NULL, PRIMARY KEY (app_id, conversation))",
        "CREATE INDEX holds_by_worker ON holds (app_id, worker_id)",
    ):
        connection.exec_driver_sql(statement)


def _order_by_bytes(connection: Connection) -> None:
    """Version 2, PostgreSQL: texts compare by their bytes, as in SQLite, not by a language's rules."""
    columns = connection.exec_driver_sql(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND data_type = 'text' AND table_name IN ('meta', 'apps', 'runs', 'windows', 'identities', 'accounts',"
        " 'groups', 'members', 'read_positions', 'streams', 'deliveries', 'budgets', 'workers', 'holds', 'commits')"
    ).all()
    changes: dict[str, list[str]] = {}
    for table, column in columns:
        changes.setdefault(table, []).append(f'ALTER "{column}" TYPE TEXT COLLATE "C"')
    changes.setdefault("deliveries", []).append("ALTER code TYPE BIGINT")
    for table, altered in changes.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(altered)}')


def _to_version_2(connection: Connection) -> None:
    _add_holds(connection)
    connection.exec_driver_sql(
        "CREATE TABLE commits (writer TEXT NOT NULL, number BIGINT NOT NULL, at_ms BIGINT NOT NULL,"
        " PRIMARY KEY (writer))"
    )
    if connection.dialect.name == "postgresql":
        _order_by_bytes(connection)


def _to_version_3(connection: Connection) -> None:
    """Version 3: edits and withdrawals, deferred rows, the owner of a group."""
    text = 'TEXT COLLATE "C"' if connection.dialect.name == "postgresql" else "TEXT"
    for statement in (
        f"ALTER TABLE groups ADD COLUMN owner_id {text} NOT NULL DEFAULT ''",
        f"ALTER TABLE deliveries ADD COLUMN changed_run_id {text} NOT NULL DEFAULT ''",
        f"CREATE TABLE deferred (app_id INTEGER NOT NULL, source_name {text} NOT NULL, message_key {text} NOT NULL, "
        f"conversation {text} NOT NULL, sent_at_ms BIGINT NOT NULL, extract {text} NOT NULL, run_id {text} NOT NULL, "
        "PRIMARY KEY (app_id, source_name, message_key))",
    ):
        connection.exec_driver_sql(statement)


def _to_version_4(connection: Connection) -> None:
    """Version 4: a delivery says whose copy it is, and has a key of its own by that."""
    if connection.dialect.name == "sqlite":
        _rebuild_deliveries(connection)
        _teach_spread(connection)
        return
    key = inspect(connection).get_pk_constraint("deliveries")["name"]
    connection.exec_driver_sql(
        f"ALTER TABLE deliveries ADD COLUMN side TEXT COLLATE \"C\" NOT NULL DEFAULT '', "
        f'DROP CONSTRAINT "{key}", ADD PRIMARY KEY (app_id, message_key, part, side)'
    )


def _rebuild_deliveries(connection: Connection) -> None:
    # The key of such a table is how it lies on the disk: SQLite can only copy it.
    columns = (
        "parts, conversation, sender, recipient, sent_at_ms, order_key, slot, sequence, random, source_hash, "
        "render_version, state, late, code, reason, attempts, run_id, updated_at_ms, changed_run_id"
    )
    for statement in (
        "ALTER TABLE deliveries RENAME TO deliveries_3",
        "CREATE TABLE deliveries (app_id INTEGER NOT NULL, message_key TEXT NOT NULL, part INTEGER NOT NULL, "
        "side TEXT DEFAULT '' NOT NULL, parts INTEGER NOT NULL, conversation TEXT NOT NULL, sender TEXT NOT NULL, "
        "recipient TEXT NOT NULL, sent_at_ms BIGINT NOT NULL, order_key TEXT NOT NULL, slot BIGINT NOT NULL, "
        "sequence BIGINT, random BIGINT NOT NULL, source_hash TEXT NOT NULL, render_version INTEGER NOT NULL, "
        "state TEXT NOT NULL, late INTEGER NOT NULL, code BIGINT, reason TEXT NOT NULL, attempts INTEGER NOT NULL, "
        "run_id TEXT NOT NULL, updated_at_ms BIGINT NOT NULL, changed_run_id TEXT DEFAULT '' NOT NULL, "
        "PRIMARY KEY (app_id, message_key, part, side)) WITHOUT ROWID",
        # In the order of the key, so that every page is written once.
        f"INSERT INTO deliveries (app_id, message_key, part, side, {columns}) SELECT app_id, message_key, part, '', "  # noqa: S608 - constants
        f"{columns} FROM deliveries_3 ORDER BY app_id, message_key, part",
        "DROP TABLE deliveries_3",
        "CREATE INDEX deliveries_by_slot ON deliveries (app_id, conversation, slot)",
        "CREATE INDEX deliveries_by_random ON deliveries (app_id, conversation, random)",
        "CREATE INDEX deliveries_unresolved ON deliveries (app_id, conversation) "
        "WHERE state IN ('intent', 'in_doubt')",
    ):
        connection.exec_driver_sql(statement)


STEPS: dict[int, Callable[[Connection], None]] = {
    1: _to_version_2,
    2: _to_version_3,
    3: _to_version_4,
}
"""From version n to n + 1, by n. Each runs in the transaction that records it."""


def _teach_planner(connection: Connection) -> None:
    """Tell SQLite how selective the indexes are.

    Without statistics it takes the first column of the primary key, the app, for a good start, and reads a whole
    ledger to answer a question about one conversation.
    """
    connection.exec_driver_sql("ANALYZE")
    _teach_spread(connection)


def _teach_spread(connection: Connection) -> None:
    # Of one small table: it makes the table of statistics where there is none.
    connection.exec_driver_sql("ANALYZE meta")
    connection.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = 'deliveries'")
    for index, spread in (
        ("deliveries", "10000000 10000000 1 1 1"),
        ("deliveries_by_slot", "10000000 10000000 1000 1"),
        ("deliveries_by_random", "10000000 10000000 1000 1"),
        ("deliveries_unresolved", "100 100 10"),
    ):
        connection.exec_driver_sql(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('deliveries', ?, ?)", (index, spread)
        )
    connection.exec_driver_sql("ANALYZE sqlite_schema")


def has_ledger(connection: Connection) -> bool:
    """Tell whether a ledger was ever made here."""
    return bool(inspect(connection).has_table(meta.name))


def migrate(connection: Connection) -> None:
    """Create the schema in an empty database, or upgrade an older one; nothing happens to a current one.

    Raises:
        UsageError: the ledger was written by a newer version, or with another key algorithm, or what lies there
            is no ledger.
    """
    if not has_ledger(connection):
        _create(connection)
        return
    for step in range(_stored_version(connection), SCHEMA_VERSION):
        STEPS[step](connection)
        connection.execute(
            update(meta).where(meta.c.name == "schema_version").values(value=str(step + 1))
        )


def require_current(connection: Connection) -> None:
    """Refuse a ledger whose schema would have to be upgraded before it can be read.

    Raises:
        UsageError: it was written by an older or a newer version, or with another key algorithm.
    """
    version = _stored_version(connection)
    if version < SCHEMA_VERSION:
        raise UsageError(
            f"The ledger has schema {version}; a dry run does not upgrade it.",
            expected=f"This version reads schema {SCHEMA_VERSION}.",
            advice="Run `chat-migration status` once: it upgrades the ledger and sends nothing.",
        )


def _create(connection: Connection) -> None:
    taken = sorted(set(metadata.tables) & set(inspect(connection).get_table_names()))
    if taken:
        raise _no_ledger(f"tables named {', '.join(f'`{name}`' for name in taken)}")
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


def _stored_version(connection: Connection) -> int:
    columns = {str(column["name"]) for column in inspect(connection).get_columns(meta.name)}
    if not columns >= {"name", "value"}:
        raise _no_ledger(f"another table named `{meta.name}`")
    stored = {str(row.name): str(row.value) for row in connection.execute(select(meta))}
    try:
        version, keys = int(stored["schema_version"]), int(stored["key_version"])
    except (KeyError, ValueError):
        raise _no_ledger(f"another table named `{meta.name}`") from None
    if version > SCHEMA_VERSION or keys != KEY_VERSION:
        raise UsageError(
            f"The ledger has schema {version} and key algorithm {keys}.",
            expected=f"This version writes schema {SCHEMA_VERSION} and key algorithm {KEY_VERSION}.",
            advice="Use the version of chat-migration that wrote the ledger, or a newer one.",
        )
    return version


def _no_ledger(found: str) -> UsageError:
    return UsageError(
        f"The ledger's database holds {found} and is no ledger.",
        expected="An empty database, or one that chat-migration made.",
        advice="Give the ledger a database of its own.",
    )
