"""Engines for the ledger's URL: SQLite in WAL mode with full durability, or PostgreSQL through psycopg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from chat_migration.errors import UsageError
from chat_migration.redaction import MASK

VARIABLE = "CHAT_MIGRATION_LEDGER_URL"
EXPECTED = (
    "`sqlite:////folder/ledger.sqlite` or `postgresql+psycopg://user:password@host/database`."
)

_BUSY_MS = 60_000
"""How long SQLite waits for another process's transaction, milliseconds."""
_CONNECT: dict[str, Any] = {
    "application_name": "chat-migration ledger",
    "connect_timeout": 10,
    "client_encoding": "utf8",
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that vanishes without a word is noticed within about half a minute. The URL may say otherwise."""


def parse_url(url: str) -> URL:
    """Return the parts of a ledger's URL, with the driver that we use.

    Raises:
        UsageError: it is none, or names a database that the ledger cannot use. The URL is not repeated: it
            may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(
            f"`{VARIABLE}` is not a database URL.", expected=f"Expected {EXPECTED}"
        ) from None
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise UsageError(
            f"`{VARIABLE}` names a database of the kind `{kind}`.", expected=f"Expected {EXPECTED}"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise UsageError(
            f"`{VARIABLE}` names no file.",
            expected=f"Expected {EXPECTED}",
            advice="A ledger must outlive the process that writes it.",
        )
    return parsed.set(drivername="sqlite")


def is_sqlite(url: URL) -> bool:
    """Tell whether the ledger is a file."""
    return url.get_backend_name() == "sqlite"


def place(url: URL) -> str:
    """Return where a ledger is, for people and logs: never who signs in, or how."""
    if is_sqlite(url):
        return str(url.database)
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def words(error: BaseException, url: URL) -> str:
    """Return what the database said, in one line, without the statement and without secrets of the URL."""
    said = str(getattr(error, "orig", None) or error)
    secrets = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    for secret in secrets:
        if secret:
            said = said.replace(str(secret), MASK)
    return " ".join(said.split()).rstrip(".")


def open_engine(url: URL, *, for_writing: bool = False) -> Engine:
    """Return an engine; nothing is connected yet.

    A SQLite transaction that begins as a reader and then writes can fail at once with "locked", so an engine
    ``for_writing`` takes the write lock when it begins, and waits for it. A PostgreSQL engine for reading cannot
    write.
    """
    return (_sqlite if is_sqlite(url) else _postgresql)(url, for_writing=for_writing)


def _sqlite(url: URL, *, for_writing: bool) -> Engine:
    _private_file(Path(str(url.database)))
    begin = "BEGIN IMMEDIATE" if for_writing else "BEGIN"
    engine = create_engine(
        url,
        connect_args={"timeout": _BUSY_MS / 1000},
        pool_size=8,
        max_overflow=64,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _postgresql(url: URL, *, for_writing: bool) -> Engine:
    given = {name: value for name, value in _CONNECT.items() if name not in url.query}
    if not for_writing:
        # A plan that is kept is the one for the empty table that the connection met first.
        given["prepare_threshold"] = None
    engine = create_engine(
        url,
        connect_args=given,
        pool_size=1 if for_writing else 8,
        max_overflow=0 if for_writing else 8,
        pool_timeout=_BUSY_MS / 1000,
        hide_parameters=True,
        use_native_hstore=False,
    )
    if not for_writing:
        event.listen(engine, "connect", _configure_reader)
    return engine


def _private_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: we begin them, and a writer begins as a writer.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MS}",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _configure_reader(connection: Any, _record: Any) -> None:
    # Imported late: who keeps the ledger in a file needs no PostgreSQL client library.
    from psycopg import IsolationLevel  # noqa: PLC0415

    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
