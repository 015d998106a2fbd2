"""The budget of all processes that share a ledger, kept in the ledger's database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, bindparam, cast, event, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from chat_migration.clock import Clock
from chat_migration.ledger import schema
from chat_migration.ledger.engines import is_sqlite, open_engine, words
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing.base import GIVE_UP_SECONDS, Change, NoAnswerError, OrderedBudget
from chat_migration.pacing.spacing import Pace
from chat_migration.stop import StopSignal

T = TypeVar("T")

_BUSY_MS = 200
"""How long SQLite waits for another process's transaction before the caller looks whether it should stop."""


class LedgerBudget(OrderedBudget):
    """Shared by all processes that use one ledger; times are this machine's wall clock, or PostgreSQL's own.

    It has connections of its own: a reservation waits for no other verb of this process and, as losing it in
    a power cut costs nothing, for no disk. :meth:`close` lets them go.

    Args:
        ledger: whose database keeps the budget.
        rates: calls per second of each API.
        clock: tells the time.
        stop: ends every wait when it is set.
        give_up_seconds: how long to wait for a database that does not answer.
    """

    _grain_seconds = 0.001

    def __init__(
        self,
        ledger: Ledger,
        rates: Mapping[str, float],
        clock: Clock,
        stop: StopSignal,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        super().__init__(rates, clock, stop, give_up_seconds=give_up_seconds)
        self._ledger, self._known = ledger, set[str]()
        url = ledger.database.url
        self._engine, self._is_sqlite = open_engine(url, for_writing=True), is_sqlite(url)
        if self._is_sqlite:
            event.listen(self._engine, "connect", _write_without_syncing)
        table = schema.budgets
        mine = (table.c.app_id == ledger.app_id, table.c.api == bindparam("of_api"))
        columns: list[Any] = [
            table.c.next_at_us,
            table.c.slowed_at_us,
            table.c.slow_factor_percent,
        ]
        if not self._is_sqlite:
            epoch = func.extract("epoch", func.clock_timestamp())
            columns.append(cast(epoch * 1_000_000, BigInteger))
        self._find = select(*columns).where(*mine).with_for_update()
        self._keep = update(table).where(*mine)

    @property
    def _place(self) -> str:
        return "the ledger's database"

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _change(self, api: str, change: Change[T]) -> T:
        try:
            with self._engine.begin() as connection:
                return self._apply(connection, api, change)
        except DBAPIError as error:
            raise NoAnswerError(words(error, self._ledger.database.url)) from None
        except NoConnectionError:
            raise NoAnswerError("too many threads at once") from None

    def _apply(self, connection: Connection, api: str, change: Change[T]) -> T:
        if not self._is_sqlite:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        if api not in self._known:
            self._put_row(connection, api)
        next_at, slowed, percent, *server = connection.execute(self._find, {"of_api": api}).one()
        now_us = self._now_us(*server)
        pace, result = change(Pace(next_at, slowed, percent), now_us)
        changed = {
            "next_at_us": pace.next_at_us,
            "slowed_at_us": pace.throttled_at_us,
            "slow_factor_percent": pace.slow_percent,
        }
        connection.execute(self._keep, {"of_api": api, **changed})
        self._known.add(api)
        return result

    def _now_us(self, server_us: int | None = None) -> int:
        """Return the time that all users share, microseconds: the server's, where there is one."""
        return self._clock.now_ms() * 1000 if server_us is None else server_us

    def _put_row(self, connection: Connection, api: str) -> None:
        """Make the row of an API that nobody has called yet."""
        fresh = Pace(0)
        row = {
            "api": api,
            "next_at_us": fresh.next_at_us,
            "slowed_at_us": fresh.throttled_at_us,
            "slow_factor_percent": fresh.slow_percent,
        }
        self._ledger.upsert_in(connection, schema.budgets, [row], keep=True)


def _write_without_syncing(connection: Any, _record: Any) -> None:
    # A checkpoint would sync the whole ledger; those who write the ledger do that.
    for pragma in ("synchronous=NORMAL", "wal_autocheckpoint=0", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")
