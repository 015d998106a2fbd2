"""Nights on many machines: what a living chat becomes when Celery workers bring it, night by night, over PostgreSQL.

The history is one manual run. Nights 3, 6 and 7 are scheduled runs. Nights 4 and 5 are missed because the DAG is
paused, and a backfill brings them. Two workers share the work, each with a home of its own; clock and chat are those of
`tests/scheduler`, and so is what must come of it: what one run brings over an export that was made in one go at the end.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from tests.deployment.local_stack import BIN
from tests.distributed.machines import SERVICES, WORKERS, Machines
from tests.scheduler.living_chat import LivingChat
from tests.scheduler.nights import (
    APP,
    SETTINGS,
    Migration,
    assert_shows_the_same,
    in_one_go,
    nights,
)
from tests.scheduler.one_dag import backfill_command
from tests.scheduler.simulated_calendar import SimulatedCalendar

import chat_sandbox

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.timeout(900),
]

FIRST, MISSED, LAST = 3, (4, 5), 7


@dataclass
class NightlyMachines(Machines):
    """Machines whose nights pass when a test says so."""

    settings: dict[str, Any] = field(default_factory=dict)
    zone: str = "Europe/Berlin"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._calendar = SimulatedCalendar(self.folder, self.zone)
        (self.folder / "settings.yaml").write_text(json.dumps(self.settings))

    def set_clock(self, now: str) -> None:
        """Move the simulated clock."""
        self._calendar.set(now)

    def backfill(self, first: datetime, last: datetime) -> None:
        """Create a backfill of the nights that begin at these instants, beside the scheduler at work."""
        _, *command = backfill_command(first, last, "--reprocess-behavior", "completed")
        done = subprocess.run(
            [str(BIN / "airflow"), *command],
            env=self.environment("airflow-scheduler"),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment: it goes by the calendar."""
        return super().environment(name) | self._calendar.environment()


def by_the_calendar(migration: Migration) -> None:
    """Move the history, then live through all nights."""
    chat = migration.chat
    chat.live_through_history()
    for day in range(1, FIRST):
        chat.live(day)
    migration.move_history(FIRST)
    for day in range(FIRST, LAST + 1):
        if day == MISSED[0]:
            migration.airflow.pause(paused=True)
        chat.live(day)
        migration.until(day)
        if day not in MISSED:
            migration.sleep_over()
        if day == MISSED[-1]:
            migration.bring(*MISSED)
    migration.prove()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NightlyMachines, Migration]]:
    folder = tmp_path_factory.mktemp("nights")
    chat = LivingChat(folder / "export")
    with (
        chat_sandbox.launch(**APP) as other,
        NightlyMachines(
            folder / "machines",
            # A gate that lets an earlier run end waits in the triggerer.
            services=(*SERVICES, "airflow-triggerer"),
            hurry={"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "3"},
            app=APP,
            latency_ms=0,
            settings={**SETTINGS, "export_path": str(chat.folder), "shards": 2},
        ) as machines,
    ):
        machines.begin()
        done = Migration(chat=chat, airflow=machines, sandbox=machines.sandbox)
        by_the_calendar(done)
        done.reference = in_one_go(chat, folder, other)
        yield machines, done
    assert machines.left_behind == []


@pytest.fixture(scope="module")
def machines(both: tuple[NightlyMachines, Migration]) -> NightlyMachines:
    return both[0]


@pytest.fixture(scope="module")
def migration(both: tuple[NightlyMachines, Migration]) -> Migration:
    return both[1]


def test_target_shows_what_one_run_over_the_whole_export_shows(migration: Migration) -> None:
    assert_shows_the_same(migration.world, migration.reference)


def test_every_run_is_complete(migration: Migration) -> None:
    assert [name for name, each in migration.reports.items() if not each["complete"]] == []


def test_each_scheduled_run_takes_its_night_and_none_takes_what_was_missed(
    migration: Migration,
) -> None:
    expected = [nights(day, day) for day in range(FIRST, LAST + 1) if day not in MISSED]
    assert [migration.taken(run_id) for run_id in migration.nights] == expected


def test_backfill_takes_the_missed_nights_one_by_one_in_their_order(migration: Migration) -> None:
    windows = [migration.taken(run_id) for run_id in migration.backfills]
    assert windows == [nights(day, day) for day in MISSED]
    first, second = (migration.airflow.times(run_id) for run_id in migration.backfills)
    assert first[1] <= second[0]


def test_late_rows_are_refused_by_the_policy_and_no_others(migration: Migration) -> None:
    assert migration.refused() == {row: {"late_rejected"} for row in migration.chat.too_late}


def test_edits_and_deletes_of_what_was_there_are_made_once_each(migration: Migration) -> None:
    # A row of day 1 and two of night 4 were changed before any run read them.
    assert migration.messages("updated") == migration.chat.counts["edited"] - 2
    assert migration.messages("withdrawn") == migration.chat.counts["deleted"] - 1


def test_joiners_are_in_and_leavers_are_out(migration: Migration) -> None:
    members = migration.world["groups"]["harbour"]["members"]
    assert "fay" in members
    assert "dee" not in members


def test_one_more_run_over_everything_makes_no_call_that_writes(migration: Migration) -> None:
    assert migration.writes_of_proof == 0
    assert "imported" not in migration.reports["proof"]["rows"]["group_messages"]


def test_both_workers_had_a_part_in_it(machines: NightlyMachines, migration: Migration) -> None:
    hosts = {each[3] for run_id in migration.reports for each in machines.tries(run_id)}
    assert hosts - {""} == set(WORKERS)


def test_nothing_is_left_open_in_the_ledger(machines: NightlyMachines) -> None:
    assert machines.ledger("SELECT count(*) FROM deliveries WHERE state = 'intent'") == [["0"]]
    assert machines.ledger("SELECT count(*) FROM holds") == [["0"]]
