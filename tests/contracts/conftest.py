"""The ledgers that every test of the ledger's contract runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import HandClock

from chat_migration.ledger.ledger import Ledger


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'home' / 'ledger.sqlite'}"


@pytest.fixture(params=[pytest.param(_sqlite, id="sqlite")])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; another kind of ledger is another parameter here."""
    return str(request.param(tmp_path))


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
def ledger(ledger_url: str, clock: HandClock) -> Iterator[Ledger]:
    """An open ledger of one app."""
    with Ledger.open(ledger_url, "tencent:1", clock=clock) as opened:
        yield opened
