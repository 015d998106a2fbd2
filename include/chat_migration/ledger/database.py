"""The ledger's database: connections, and one writer that commits for many threads at once.

Each verb must be durable before its caller goes on, and a disk confirms a few hundred commits a second at
best. A verb that finds nobody else writing is committed at once. All others of a process wait for one thread,
which takes whatever is there, applies it in one transaction, commits once, and only then lets every caller go on.

A PostgreSQL server may go away and come back. What was asked meanwhile waits for it, and is applied once: see
:mod:`chat_migration.ledger.postgresql`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Row, Select
from sqlalchemy.exc import DBAPIError, OperationalError

from chat_migration.clock import Clock, SystemClock
from chat_migration.errors import (
    LedgerUnreachableError,
    StoppedError,
    UnknownCommitError,
    UsageError,
)
from chat_migration.ledger import postgresql
from chat_migration.ledger.engines import (
    EXPECTED,
    VARIABLE,
    is_sqlite,
    open_engine,
    parse_url,
    place,
    words,
)
from chat_migration.ledger.migrations import has_ledger, migrate, require_current
from chat_migration.ledger.patience import PATIENCE_SECONDS, Patience

T = TypeVar("T")
Write = Callable[[Connection], Any]
_Waiting = tuple[Write, Future[Any]]

_MOST_AT_ONCE = 256
"""Verbs in one transaction at most, so that nobody waits long."""


class Database:
    """Reads from any thread, writes through one. Close it, or use it as a context manager.

    Args:
        url: SQLite or PostgreSQL, see :mod:`chat_migration.ledger.engines`.
        clock: what measures the wait for a server that went away.

    Raises:
        UsageError: the URL, the file, the server's answer to it, or what lies there is not what we can use.
        LedgerUnreachableError: the database does not answer, for a minute.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self.url = parse_url(url)
        self._clock = clock or SystemClock()
        self._patience = PATIENCE_SECONDS
        self._closed = self._ended = False
        try:
            self.engine = open_engine(self.url)
            self._writer = open_engine(self.url, for_writing=True)
        except OSError as error:
            raise UsageError(
                f"The ledger `{place(self.url)}` cannot be opened: {error.strerror or error}.",
                advice=f"Correct `CHAT_MIGRATION_HOME` or `{VARIABLE}`, or the folder's owner.",
            ) from error
        self._notes = None if is_sqlite(self.url) else postgresql.Writer()
        self._number = 0
        self._waiting: deque[_Waiting] = deque()
        self._arrived = threading.Event()
        self._committing = threading.Lock()
        try:
            self._attempt(self._prepare, opening=True)
        except BaseException:
            self._dispose()
            raise
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        with self._writer.begin() as connection:
            if self._notes is not None:
                if not postgresql.is_utf8(connection):
                    raise UsageError(
                        f"The database at `{place(self.url)}` cannot hold every text.",
                        expected="A database with the encoding UTF8.",
                    )
                self._notes.lock(connection)
            migrate(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state; :meth:`read` also outlives a lost connection."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except OperationalError as error:
            raise self._unreachable(error) from error

    def read(self, query: Callable[[Connection], T]) -> T:
        """Return what a query returns, on a connection that sees one consistent state.

        The query may run twice if the connection is lost.

        Raises:
            LedgerUnreachableError: the database does not answer, for a minute.
        """

        def attempt() -> T:
            with self.engine.connect() as connection:
                return query(connection)

        return self._attempt(attempt)

    def stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        """Yield the rows of a query, which may be very many."""
        if not is_sqlite(self.url):
            # The driver holds all rows from the start; the connection need not wait for whoever takes them.
            yield from self.read(lambda connection: connection.execute(query).all())
            return
        with self.reading() as connection:
            yield from connection.execute(query)

    def write(self, verb: Callable[[Connection], T]) -> T:
        """Apply one verb and return its result once it is durable; what the verb raises is raised here.

        The verb may run twice if another one of its transaction fails or the connection is lost, so it must
        do nothing but write. It is never kept twice.

        Raises:
            UnknownCommitError: the database went away in the middle of the commit, for a minute; a later run
                finds out what was kept.
            LedgerUnreachableError: the database does not answer, for a minute; nothing was kept.
        """
        if self._closed:
            raise StoppedError("The ledger is closed; nothing more can be recorded.")
        if self._committing.acquire(blocking=False):
            # Nobody else writes: handing the verb to another thread would only cost two changes of threads.
            try:
                if not self._waiting and not self._closed:
                    (result,) = self._apply([verb])
                    self._teach()
                    return cast("T", result)
            finally:
                self._committing.release()
        done: Future[T] = Future()
        self._waiting.append((verb, done))
        self._arrived.set()
        if self._ended:
            self._refuse_rest()
        return done.result()

    def close(self) -> None:
        """Finish what is waiting and close all connections; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._arrived.set()
        self._thread.join()
        with self._committing:
            self._dispose()

    def _dispose(self) -> None:
        self.engine.dispose()
        self._writer.dispose()

    def _work(self) -> None:
        while self._waiting or not self._closed:
            self._arrived.wait()
            self._arrived.clear()
            with self._committing:
                while batch := self._batch():
                    self._answer(batch)
                    self._teach()
        self._ended = True
        self._refuse_rest()
        with self._committing:
            self._forget()

    def _batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        with suppress(IndexError):
            while len(batch) < _MOST_AT_ONCE:
                batch.append(self._waiting.popleft())
        return batch

    def _refuse_rest(self) -> None:
        """Answer verbs that came in while the ledger was being closed: they were not applied."""
        while late := self._batch():
            for _, done in late:
                done.set_exception(
                    StoppedError("The ledger is closed; nothing more can be recorded.")
                )

    def _teach(self) -> None:
        """Let the server's planner learn about the tables now and then; without that it is only slower."""
        if self._notes is not None and self._notes.is_teaching_due(self._number):
            with suppress(DBAPIError), self._writer.begin() as connection:
                self._notes.teach(connection)

    def _forget(self) -> None:
        """Remove what this writer noted for a lost connection; where that fails, the next one does it."""
        if self._notes is None or self._number == 0:
            return
        with suppress(DBAPIError), self._writer.begin() as connection:
            self._notes.lock(connection)
            self._notes.forget(connection)

    def _answer(self, batch: list[_Waiting]) -> None:
        try:
            results = self._apply([verb for verb, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, LedgerUnreachableError):
                for _, done in batch:
                    done.set_exception(error)
                return
            for each in batch:
                self._answer([each])
            return
        for (_, done), result in zip(batch, results, strict=True):
            done.set_result(result)

    def _apply(self, verbs: list[Write]) -> list[Any]:
        """Apply verbs in one transaction that is kept once, and return their results."""
        self._number += 1
        results: list[Any] | None = None

        def attempt() -> list[Any]:
            nonlocal results
            with self._writer.connect() as connection:
                # Results there are already: the answer to a commit was lost.
                if results is not None and self._was_kept(connection):
                    return results
                with connection.begin() as transaction:
                    results = None
                    self._begin(connection)
                    made = [verb(connection) for verb in verbs]
                    results = made
                    transaction.commit()
                return made

        try:
            return self._attempt(attempt)
        except LedgerUnreachableError as error:
            if results is None:
                raise
            raise UnknownCommitError(
                error.what,
                expected="Whether the last records were kept is not known.",
                advice=error.advice,
                done=error.done,
            ) from error

    def _begin(self, connection: Connection) -> None:
        if self._notes is not None:
            self._notes.begin(connection, self._number)

    def _was_kept(self, connection: Connection) -> bool:
        if self._notes is None:
            return False
        with connection.begin():
            self._notes.lock(connection)
            return self._notes.was_kept(connection, self._number)

    def _attempt(self, action: Callable[[], T], *, opening: bool = False) -> T:
        """Do something as often as its failures may pass; the time for that is limited."""
        patience = Patience(self._clock, place(self.url), self._patience)
        while True:
            try:
                result = action()
            except DBAPIError as error:
                if not is_sqlite(self.url) and postgresql.is_passing(error):
                    if patience.wait(words(error, self.url)):
                        continue
                    # Whoever comes next has waited long enough already.
                    self._patience = 0.0
                    raise self._unreachable(error) from error
                if opening:
                    raise self._unusable(error) from error
                if isinstance(error, OperationalError):
                    raise self._unreachable(error) from error
                raise
            patience.end()
            self._patience = PATIENCE_SECONDS
            return result

    def _unreachable(self, error: DBAPIError) -> LedgerUnreachableError:
        return LedgerUnreachableError(
            f"The ledger's database `{place(self.url)}` fails: {words(error, self.url)}.",
            advice="See to the database, then run the same again.",
            done="What was recorded before is safe.",
        )

    def _unusable(self, error: DBAPIError) -> UsageError | LedgerUnreachableError:
        if is_sqlite(self.url) and "locked" in str(error.orig):
            return self._unreachable(error)
        return UsageError(
            f"The ledger's database `{place(self.url)}` cannot be used: {words(error, self.url)}.",
            expected=f"`{VARIABLE}` like {EXPECTED}",
            advice="Correct the URL, or what this user may do there.",
        )


class DatabaseView(Database):
    """A database that is read only: what is written is forgotten. For dry runs.

    Nothing is created, nothing locked, and no verb is applied, so a verb's result is None.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self.url = parse_url(url)
        self._clock = clock or SystemClock()
        self._patience = PATIENCE_SECONDS
        self._closed = False
        self.engine = open_engine(self.url)
        try:
            self.holds_ledger = self._attempt(self._look, opening=True)
        except BaseException:
            self.engine.dispose()
            raise

    def _look(self) -> bool:
        with self.engine.connect() as connection:
            if not has_ledger(connection):
                return False
            require_current(connection)
            return True

    def write(self, verb: Callable[[Connection], T]) -> T:
        """Forget it."""
        del verb
        nothing: Any = None
        return nothing  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close all connections; a second call does nothing."""
        self._closed = True
        self.engine.dispose()
