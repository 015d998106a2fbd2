"""Ways to open each kind of budget, on a clock that a test moves or on the real one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from redis import Redis

from chat_migration.clock import Clock
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing import LedgerBudget, MemoryBudget, OrderedBudget
from chat_migration.pacing.redis import RedisBudget
from chat_migration.stop import StopSignal

REDIS = os.environ.get("CHAT_MIGRATION_TEST_REDIS", "redis://127.0.0.1:6379/0")
"""A real server; a missing one fails the tests that need it."""

Opener = Callable[..., OrderedBudget]
"""Takes a stop signal, and opens one more user of the same budget."""


class HandTimedLedgerBudget(LedgerBudget):
    """A budget whose database has the test's clock."""

    def _now_us(self, server_us: int | None = None) -> int:
        del server_us
        return super()._now_us()


class HandTimedRedisBudget(RedisBudget):
    """A budget whose Redis has the test's clock."""

    def _ask(self, api: str, seen: str = "", put: str = "") -> tuple[bool, str, int]:
        done, found, _ = super()._ask(api, seen, put)
        return done, found, round(self._clock.monotonic() * 1e6)


@contextmanager
def redis_app() -> Iterator[str]:
    """Give the name of an app whose keys go away at the end."""
    app = f"test:{secrets.token_hex(8)}"
    yield app
    with Redis.from_url(REDIS) as client:
        for key in client.scan_iter(f"chat-migration:budget:{app}:*"):
            client.delete(key)


@contextmanager
def opener(kind: str, ledger_url: str, rates: dict[str, float], clock: Clock) -> Iterator[Opener]:
    """Give a function that opens users of one budget: each has connections of its own, as processes have."""
    with ExitStack() as stack:
        app = stack.enter_context(redis_app())

        def opened(stop: StopSignal | None = None) -> OrderedBudget:
            common: Any = (rates, clock, stop or StopSignal())
            if kind == "memory":
                return MemoryBudget(app, *common)
            budget: OrderedBudget
            if kind == "redis":
                budget = HandTimedRedisBudget(REDIS, app, *common)
            else:
                ledger = stack.enter_context(Ledger.open(ledger_url, app))
                budget = HandTimedLedgerBudget(ledger, *common)
            stack.callback(budget.close)
            return budget

        yield opened
