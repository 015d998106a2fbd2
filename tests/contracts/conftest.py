"""The ledgers that every test of the ledger's contract runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import postgresql
from tests.clocks import HandClock

from chat_migration.ledger.ledger import Ledger


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """A database of this test process alone."""
    with postgresql.new_database() as url:
        yield url


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty schema on a PostgreSQL server."""
    with postgresql.new_schema(request.getfixturevalue("database")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; another kind of ledger is another parameter here."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
def ledger(ledger_url: str, clock: HandClock) -> Iterator[Ledger]:
    """An open ledger of one app."""
    with Ledger.open(ledger_url, "tencent:1", clock=clock) as opened:
        yield opened
