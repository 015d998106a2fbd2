"""What a ledger on PostgreSQL needs beyond the statements that it shares with SQLite.

*One writer at a time.* Every write transaction first takes one lock of the ledger, and gives it back by ending. So
verbs of several processes follow each other as they do in SQLite: no deadlocks, no verb that decides on what
another one is about to change. Many verbs share a transaction, so the lock costs little.

*Answers that are lost.* Each transaction also writes its number into the ``commits`` row of its writer. Who loses the
connection in the middle of a commit connects again, takes the lock (the old transaction holds it until the server is
through with it, one way or the other), and reads there whether that transaction was kept.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from chat_migration.ledger import schema

HUNG_SECONDS = 30
"""A writer that stops in the middle of a transaction (a frozen process, a cut network) is thrown out after this."""
LOCK_SECONDS = 15
"""How long one attempt waits for other writers; there are several attempts."""
TEACH_AFTER = 200
"""After so many transactions, and again ten times and a hundred times later, a writer has the tables analysed."""
_FORGET_DAYS = 7

_LOCK = "pg_advisory_xact_lock(hashtextextended('chat-migration ledger ' || current_schema(), 0))"
# The server may be set up to confirm commits that are not on its disk; ours must be there.
_SETTINGS = """
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('idle_in_transaction_session_timeout', :hung, true),
    set_config('lock_timeout', :patience, true)"""
_NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_LOCKED = text(f"SELECT {_SETTINGS}, {_LOCK}")
_LOCKED_AND_NOTED = text(
    f"""
    WITH locked AS MATERIALIZED (SELECT {_SETTINGS}, {_LOCK})
    INSERT INTO commits (writer, number, at_ms) SELECT :writer, :number, {_NOW_MS} FROM locked
    ON CONFLICT (writer) DO UPDATE SET number = excluded.number, at_ms = excluded.at_ms
    """  # noqa: S608 - constants
)

_PASSING_CLASSES = ("08", "40", "53", "57", "58")
"""SQLSTATE classes of what may be over in a moment: connection, rollback (deadlock, serialisation), resources,
operator's intervention, system."""
_PASSING_STATES = ("25006", "25P03", "55P03")
"""Also: read only (a server that is no longer the first), idle too long in a transaction, lock not available."""
_LASTING_WORDS = (
    "authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied",
    "is not permitted to log in", "invalid port", "certificate",
)  # fmt: skip
"""What a server says when it refuses a connection for good: such an answer comes without an SQLSTATE."""


class Writer:
    """One process's writer: locks the ledger, and can tell later whether a transaction was kept."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._teach_at = TEACH_AFTER

    @staticmethod
    def lock(connection: Connection) -> None:
        """Make this transaction the ledger's only writer until it ends."""
        connection.execute(_LOCKED, _limits())

    def begin(self, connection: Connection, number: int) -> None:
        """Do the same, and let the transaction leave its number behind if it is kept."""
        given = _limits() | {"writer": self._name, "number": number}
        connection.execute(_LOCKED_AND_NOTED, given)

    def is_teaching_due(self, number: int) -> bool:
        """Tell whether the planner should learn what is in the tables by now.

        Of a table that grew from nothing, or came out of a backup, it knows nothing; it then reads a whole
        conversation to answer a question about seven messages. The server finds out by itself, but later.
        """
        if number < self._teach_at:
            return False
        self._teach_at *= 10
        return True

    @staticmethod
    def teach(connection: Connection) -> None:
        """Have the tables analysed that may become large; nobody has to wait for that."""
        connection.exec_driver_sql(
            "ANALYZE identities, accounts, groups, members, read_positions, streams, deliveries"
        )

    def was_kept(self, connection: Connection, number: int) -> bool:
        """Tell whether a transaction was kept whose answer was lost; the ledger must be locked."""
        table = schema.commits
        last = connection.scalar(select(table.c.number).where(table.c.writer == self._name))
        return last == number

    def forget(self, connection: Connection) -> None:
        """Remove what this writer noted, and what others left that were killed long ago."""
        table = schema.commits
        old: ColumnElement[int] = literal_column(f"{_NOW_MS} - {_FORGET_DAYS * 86_400_000}")
        connection.execute(
            delete(table).where((table.c.writer == self._name) | (table.c.at_ms < old))
        )


def _limits() -> dict[str, Any]:
    return {"hung": f"{HUNG_SECONDS}s", "patience": f"{LOCK_SECONDS}s"}


def is_passing(error: BaseException) -> bool:
    """Tell whether what failed may succeed in a moment, over a new connection if need be."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return state[:2] in _PASSING_CLASSES or state in _PASSING_STATES
    return isinstance(error, OperationalError) and not any(
        words in str(error.orig) for words in _LASTING_WORDS
    )


def is_utf8(connection: Connection) -> bool:
    """Tell whether the database can hold every text."""
    return bool(connection.scalar(select(func.current_setting("server_encoding"))) == "UTF8")
