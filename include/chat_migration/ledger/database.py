"""The ledger's database: connections, and one writer that commits for many threads at once.

Each verb must be durable before its caller goes on, and a disk confirms a few hundred commits a second at
best. So all verbs of a process go through one thread, which takes whatever is waiting, applies it in one
transaction, commits once, and only then lets every caller go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from chat_migration.errors import StoppedError
from chat_migration.ledger.migrations import migrate

T = TypeVar("T")
Write = Callable[[Connection], Any]

_MOST_AT_ONCE = 256
"""Verbs in one transaction at most, so that nobody waits long."""
_BUSY_MS = 60_000
"""How long SQLite waits for another process's transaction, milliseconds."""


def open_engine(url: str, *, for_writing: bool = False) -> Engine:
    """Return an engine for a ledger URL: SQLite in WAL mode with full durability, or PostgreSQL.

    A SQLite transaction that begins as a reader and then writes can fail at once with "locked", so an engine
    ``for_writing`` takes the write lock when it begins, and waits for it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            _private_file(Path(parsed.database))
        begin = "BEGIN IMMEDIATE" if for_writing else "BEGIN"
        engine = create_engine(
            parsed, connect_args={"timeout": _BUSY_MS / 1000}, pool_size=8, max_overflow=64
        )
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine
    return create_engine(parsed, pool_size=8, max_overflow=64, pool_pre_ping=True)


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


class Database:
    """Reads from any thread, writes through one. Close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writer = open_engine(url, for_writing=True)
        self._waiting: queue.SimpleQueue[tuple[Write, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        with self._writer.begin() as connection:
            migrate(connection)
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state."""
        with self.engine.connect() as connection:
            yield connection

    def write(self, verb: Callable[[Connection], T]) -> T:
        """Apply one verb and return its result once it is durable; what the verb raises is raised here.

        The verb may run twice if another one of its transaction fails, so it must do nothing but write.
        """
        if self._closed:
            raise StoppedError("The ledger is closed; nothing more can be recorded.")
        done: Future[T] = Future()
        self._waiting.put((verb, done))
        return done.result()

    def close(self) -> None:
        """Finish what is waiting and close all connections; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self.engine.dispose()
        self._writer.dispose()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            while len(batch) < _MOST_AT_ONCE:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._commit(batch)
            if last:
                break
        self._refuse_rest()

    def _refuse_rest(self) -> None:
        """Answer verbs that came in while the ledger was being closed: they were not applied."""
        while True:
            try:
                late = self._waiting.get_nowait()
            except queue.Empty:
                return
            if late is not None:
                late[1].set_exception(
                    StoppedError("The ledger is closed; nothing more can be recorded.")
                )

    def _commit(self, batch: list[tuple[Write, Future[Any]]]) -> None:
        try:
            with self._writer.begin() as connection:
                results = [verb(connection) for verb, _ in batch]
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for each in batch:
                self._commit([each])
            return
        for (_, done), result in zip(batch, results, strict=True):
            done.set_result(result)
