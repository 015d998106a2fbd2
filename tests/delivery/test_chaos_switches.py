"""Every undocumented behaviour of the target, each way, under mixed faults: it ends as without them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.delivery.chaos import differences, rain
from tests.delivery.conftest import harbour
from tests.delivery.driving import (
    Ended,
    Migration,
    World,
    assert_adds_up,
    by_group,
    comparable,
    expected_group,
    said_in,
)
from tests.delivery.test_switches import ALL_UNTOUCHED, POSITIONS

MOST_RUNS = 6
STOPS_EARLIER_OR_LATER = [{"undocumented_item_code": "10002"}]
"""A result that no page explains ends a group at the first call of several messages; how many they are then
depends on the faults before it."""


def left_by(ended: Ended) -> World:
    """Return what a run left in the target and said of its rows."""
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)
    return comparable(ended.world) | {"rows": ended.rows}


def prepare(migration: Migration, positions: dict[str, str]) -> None:
    migration.sandbox.reset()
    migration.sandbox.set_rates(enabled=False)
    migration.sandbox.set_switches(positions)


def run_until_complete(migration: Migration, planned: Path) -> Ended:
    """Run, and go on with what broke off, as a scheduler does."""
    for _ in range(MOST_RUNS):
        ended = migration.run_planned(planned)
        if ended.error is None:
            break
        assert ended.error.is_retriable, ended.error
    assert ended.error is None, ended.error
    return ended


@pytest.mark.parametrize("positions", [*POSITIONS, *ALL_UNTOUCHED], ids=str)
def test_mixed_faults_change_nothing_under_any_switch(
    migration: Migration, planned_harbour: Path, positions: dict[str, str]
) -> None:
    migration.connection["parallel_calls"] = 1
    prepare(migration, positions)
    clean = left_by(run_until_complete(migration, planned_harbour))
    prepare(migration, positions)
    rain(migration.sandbox, random.Random(str(positions)).randrange(1000), strength=0.5)
    again = replace(migration, folder=migration.folder / "again")
    ended = run_until_complete(again, planned_harbour)
    if positions in STOPS_EARLIER_OR_LATER:
        assert_honest(ended)
    else:
        assert differences(left_by(ended), clean) == []


def assert_honest(ended: Ended) -> None:
    """Assert that each group holds its first messages in order, as many as were reported, and the rest is refused."""
    held = 0
    for group_id, rows in by_group(harbour()).items():
        said = said_in(ended.world, group_id)
        assert said == expected_group(rows)[: len(said)]
        held += len(said)
    assert ended.rows["group_messages"] == {"imported": held, "rejected": 24 - held}
    assert ended.reasons["group_messages"] == {"unknown_result": 24 - held}
