"""A budget in the ledger's database waits for no disk, and for others' transactions only as long as it must."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from tests.contracts.budgets import HandTimedLedgerBudget

from chat_migration.clock import SystemClock
from chat_migration.errors import InterruptedRunError
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing import LedgerBudget
from chat_migration.stop import StopSignal

RATES = {"send": 1000.0}


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url, "tencent:1") as opened:
        yield opened


def test_a_reservation_syncs_nothing_and_the_ledger_still_does(ledger: Ledger) -> None:
    budget = LedgerBudget(ledger, RATES, SystemClock(), StopSignal())
    is_file = budget._engine.dialect.name == "sqlite"
    setting = "PRAGMA synchronous" if is_file else "SHOW synchronous_commit"
    seen: list[Any] = []

    def look(connection: Any) -> None:
        seen.append(connection.exec_driver_sql(setting).scalar())

    event.listen(budget._engine, "commit", look)
    budget.acquire("send")
    mine = ledger.database.write(lambda connection: connection.exec_driver_sql(setting).scalar())
    assert (seen[-1], mine) == ((1, 2) if is_file else ("off", "on"))
    budget.close()


def test_a_reservation_does_not_queue_behind_the_ledgers_own_verbs(ledger: Ledger) -> None:
    budget = LedgerBudget(ledger, RATES, SystemClock(), StopSignal())
    ledger.database.write = lambda _: pytest.fail("the writer was asked")  # type: ignore[method-assign]
    budget.acquire("send")
    budget.slow_down("send")
    budget.close()


def test_a_stop_ends_the_wait_for_anothers_transaction(ledger: Ledger) -> None:
    stop, ended = StopSignal(), threading.Event()
    budget, other = (LedgerBudget(ledger, RATES, SystemClock(), stop) for _ in range(2))
    budget.acquire("send")

    def call() -> None:
        with pytest.raises(InterruptedRunError):
            while True:
                budget.acquire("send")
        ended.set()

    with other._engine.begin() as connection:
        other._apply(connection, "send", other._taking("send", 1))
        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        stop.set()
        if budget._is_sqlite:
            assert ended.wait(5)
    assert ended.wait(5)
    budget.close()
    other.close()


def test_apps_do_not_share_a_budget(ledger_url: str) -> None:
    with Ledger.open(ledger_url, "tencent:1") as one, Ledger.open(ledger_url, "tencent:2") as two:
        budgets = [
            HandTimedLedgerBudget(each, RATES, SystemClock(), StopSignal()) for each in (one, two)
        ]
        ends = [each._change("send", each._taking("send", 1)).first_us for each in budgets]
        far = [each._change("send", each._taking("send", 5000)).first_us for each in budgets]
        assert max(far) - min(ends) < 5_000_000 * 0.9
        for each in budgets:
            each.close()
