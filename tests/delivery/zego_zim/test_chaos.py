"""Thousands of messages into ZIM under mixed faults end as if nothing had gone wrong, although it knows no key.

``CHAT_MIGRATION_CHAOS_SEEDS=50`` tries fifty seeds instead of the suite's three.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport
from tests.clocks_fast import FastClock
from tests.delivery.chaos import city, conversations_of, differences, seeds
from tests.delivery.driving import World
from tests.delivery.test_chaos import MOST_RUNS, assert_nothing_in_doubt, with_what_was_there
from tests.delivery.zego_zim.migrating import (
    ZimMigration,
    comparable_zim,
    marks_of,
    recent,
)

import chat_sandbox
from chat_migration.errors import StoppedError
from chat_sandbox import Effect, FaultAction, SandboxHandle

FULL_CALLS = {"parallel_calls": 8, "retention_days": 360}


@pytest.fixture(scope="module")
def export() -> NeutralExport:
    """The Tencent target's city, but for its communities, in the last days."""
    everything = city()
    for name in ("groups", "members", "messages"):
        rows = getattr(everything, name)
        rows[:] = [
            row
            for row in rows
            if not row.get("group_id", row["id"] if name == "groups" else "").startswith("commons")
        ]
    return recent(everything, now_ms=FastClock().now_ms())


def rain(sandbox: SandboxHandle, seed: int) -> None:
    """Put all faults in force together, each on one to five calls of a hundred."""
    chance = random.Random(seed)
    without = [
        {"action": FaultAction.DROP},
        {"action": FaultAction.HTTP_ERROR, "status": 502},
        {"action": FaultAction.ERROR, "code": 1},
        {"action": FaultAction.ERROR, "code": 660000001},
        {"action": FaultAction.THROTTLE},
    ]
    spoiled = [
        {"action": FaultAction.DROP, "effect": Effect.APPLIED},
        {"action": FaultAction.APPLY_LATE, "seconds": 2.5},
        {"action": FaultAction.HTTP_ERROR, "status": 502, "effect": Effect.APPLIED},
        {"action": FaultAction.ERROR, "code": 1, "effect": Effect.APPLIED},
        {"action": FaultAction.ERROR, "code": 660000003, "effect": Effect.APPLIED},
        {"action": FaultAction.EMPTY_BODY, "effect": Effect.APPLIED},
        {"action": FaultAction.TRUNCATED_BODY, "effect": Effect.APPLIED},
        {"action": FaultAction.SLOW, "seconds": 0.01, "effect": Effect.APPLIED},
    ]
    for fault in without:
        sandbox.add_fault(**fault, probability=chance.uniform(0.005, 0.01))
    for fault in spoiled:
        sandbox.add_fault(**fault, probability=chance.uniform(0.005, 0.02))


def migration_into(sandbox: SandboxHandle, folder: Path) -> ZimMigration:
    # No hurry: what the clock gains by it, the sandbox's does not, and late effects would be overtaken.
    clock = FastClock(sandbox.advance_clock, hurry=1.0)
    return ZimMigration(sandbox=sandbox, folder=folder, connection=FULL_CALLS, clock=clock)


@pytest.fixture(scope="module")
def clean(export: NeutralExport, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a run without faults leaves behind."""
    with chat_sandbox.running(zim_retention_days=None, rate_limits=False) as sandbox:
        ended = migration_into(sandbox, tmp_path_factory.mktemp("clean")).run(export)
    assert ended.error is None
    return comparable_zim(ended.world) | {"rows": with_what_was_there(ended)}


def test_the_city_is_as_large_and_mixed_as_the_tests_need(export: NeutralExport) -> None:
    lengths = conversations_of(export)
    assert len(export.messages) > 4000
    assert len(lengths) >= 50


@pytest.mark.parametrize("seed", seeds())
def test_mixed_faults_on_every_call_leave_each_message_once(
    export: NeutralExport,
    clean: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    # The pause after a throttle answer is real time.
    monkeypatch.setattr("chat_migration.pacing.spacing._CALM_US", 20_000, raising=False)
    with chat_sandbox.running(
        zim_retention_days=None, rate_limits=False, fault_seed=seed
    ) as sandbox:
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
        world = sandbox.zim.dump()
        left = comparable_zim(world) | {"rows": with_what_was_there(ended)}
        assert differences(left, clean) == []
        for held in (*world["groups"].values(), *world["sides"]):
            marks = marks_of(held["messages"])
            assert len({*marks}) == len(marks)
        assert_nothing_in_doubt(migration, ended)
        sandbox.clear_faults()
        again = migration.run(path)
        assert again.error is None
        assert again.writes == 0
