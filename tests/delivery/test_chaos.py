"""Five thousand messages under a hail of mixed faults end as if nothing had gone wrong.

``CHAT_MIGRATION_CHAOS_SEEDS=50`` tries fifty seeds instead of the suite's three.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport
from tests.clocks_fast import FastClock
from tests.delivery.chaos import (
    assert_right,
    city,
    conversations_of,
    differences,
    rain,
    seeds,
)
from tests.delivery.driving import Ended, Migration, World, assert_adds_up, comparable

import chat_sandbox
from chat_migration.errors import StoppedError
from chat_migration.ledger.ledger import Ledger
from chat_migration.model import RecordType
from chat_sandbox import SandboxHandle

MOST_RUNS = 12
"""Runs in a row that may break off, each further on than the one before."""
FULL_CALLS = {
    "messages_per_call": 7,
    "members_per_call": 20,
    "accounts_per_call": 20,
    "parallel_calls": 8,
}


@pytest.fixture(scope="module")
def export() -> NeutralExport:
    return city()


def migration_into(sandbox: SandboxHandle, folder: Path) -> Migration:
    # No hurry: what the clock gains by it, the sandbox's does not, and late effects would be overtaken.
    clock = FastClock(sandbox.advance_clock, hurry=1.0)
    return Migration(sandbox=sandbox, folder=folder, connection=FULL_CALLS, clock=clock)


@pytest.fixture(scope="module")
def clean(export: NeutralExport, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a run without faults leaves behind, proved from the export's rows alone."""
    with chat_sandbox.running(retention_days=None, rate_limits=False) as sandbox:
        ended = migration_into(sandbox, tmp_path_factory.mktemp("clean")).run(export)
    assert ended.error is None
    assert_right(ended.world, export)
    return comparable(ended.world) | {"rows": with_what_was_there(ended)}


def with_what_was_there(ended: Ended) -> World:
    """Return the outcomes with those rows as imported that an earlier run imported."""
    rows = {}
    for kind, of in ended.rows.items():
        there = of.get("already_imported", 0) + of.get("imported", 0)
        rows[kind] = {**{name: n for name, n in of.items() if name != "already_imported"}}
        rows[kind]["imported"] = there
    return rows


def test_the_city_is_as_large_and_mixed_as_the_tests_need(export: NeutralExport) -> None:
    lengths = conversations_of(export)
    assert len(export.messages) > 5000
    assert len(lengths) >= 60
    assert max(lengths.values()) > 20 * sorted(lengths.values())[len(lengths) // 2]


@pytest.mark.parametrize("seed", seeds())
def test_mixed_faults_on_every_call_change_nothing_in_the_end(
    export: NeutralExport,
    clean: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    # The pause after a throttle answer is real time.
    monkeypatch.setattr("chat_migration.pacing.spacing._CALM_US", 20_000, raising=False)
    with chat_sandbox.running(retention_days=None, rate_limits=False, fault_seed=seed) as sandbox:
        rain(sandbox, seed)
        migration = migration_into(sandbox, tmp_path)
        path = export.write(tmp_path / "export")
        for number in range(MOST_RUNS):
            ended = migration.run(path)
            if ended.error is None:
                break
            # Only an end that says "run again" is allowed, never a rejected row.
            assert isinstance(ended.error, StoppedError), (number, ended.error)
            assert ended.error.is_retriable, (number, ended.error)
        fired = sum(each["fired"] for each in sandbox.faults())
        sandbox.advance_clock(60)
        assert fired > 200
        assert ended.error is None, ended.error
        left = comparable(sandbox.dump()) | {"rows": with_what_was_there(ended)}
        assert differences(left, clean) == []
        # One-to-one messages have a key of the vendor's: they are repeated without waiting.
        overlaps = sandbox.stats()["overlaps"]
        assert [each for each in overlaps if not each.startswith("c2c:")] == []
        assert_nothing_in_doubt(migration, ended)
        sandbox.clear_faults()
        again = migration.run(path)
        assert again.error is None
        assert again.writes == 0


def assert_nothing_in_doubt(migration: Migration, ended: Ended) -> None:
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert ended.report.complete
    assert_adds_up(ended.report)
    assert migration.last is not None
    app = migration.last.connection.app
    with Ledger.open(migration.home.ledger_url, app, clock=migration.clock) as ledger:
        assert ledger.count_unresolved() == 0
    assert {kind for kind in ended.rows if ended.rows[kind].get("in_doubt")} == set()
    assert set(ended.rows) <= set(RecordType)
