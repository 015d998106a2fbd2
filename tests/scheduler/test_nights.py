"""A migration by the calendar, on a real scheduler: history, fourteen nights of a living chat, and what comes of them.

The history is one manual run. Nights 1 to 6 and 10 to 12 are scheduled runs. During nights 7 to 9 the scheduler is not
there; one scheduled run catches up. Nights 13 and 14 are missed because the DAG is paused, and a backfill brings them.
What then stands in the target is compared with one run over an export that was made in one go at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import HOUR
from tests.delivery.driving import World, comparable
from tests.distributed.one_process import single_process
from tests.scheduler.living_chat import LivingChat, at, midnight
from tests.scheduler.running_airflow import DAG, RunningAirflow, wait

import chat_sandbox

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(1800)]

NIGHTS = 14
AWAY = (7, 8, 9)
MISSED = (13, 14)
SETTINGS = {"source": "neutral", "sync_profiles": "after_messages"}
APP: dict[str, Any] = {"retention_days": None, "rate_limits": False, "switches": {"tips": "off"}}
"""An app whose notices are switched off in the console, which `sync_profiles` needs."""
REFUSED = {"max_rejected_ratio": 0.2}
"""Two rows are too late by the policy; of a night's few rows that is more than the default allows."""


@dataclass(kw_only=True)
class Migration:
    """What became of it all."""

    chat: LivingChat
    airflow: RunningAirflow
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    nights: list[str] = field(default_factory=list)
    """Ids of the scheduled runs, in their order."""
    backfills: list[str] = field(default_factory=list)
    world: World = field(default_factory=dict)
    reference: World = field(default_factory=dict)
    writes_of_proof: int = -1
    """Calls that write which one more run over everything has made."""

    def until(self, day: int) -> None:
        """Let the simulated clock pass the end of a day by an hour."""
        self.airflow.set_clock((midnight(day + 1) + timedelta(hours=1)).isoformat())

    def sleep_over(self) -> str:
        """Wait for the next scheduled run and its end; it must succeed."""
        known = set(self.nights)
        (new,) = wait(
            lambda: self.airflow.runs("scheduled").keys() - known,
            seconds=180,
            says=self.airflow.told,
        )
        self.nights.append(new)
        self.finish(new)
        return str(new)

    def finish(self, run_id: str) -> None:
        """Wait for the end of a run, which must be a success, and keep its report."""
        state = self.airflow.end_of(run_id)
        assert state == "success", self.airflow.failure(run_id)
        self.reports[run_id] = self.airflow.report(run_id)


def by_the_calendar(migration: Migration) -> None:
    """Move the history, then live through all nights."""
    chat, airflow = migration.chat, migration.airflow
    chat.live_through_history()
    airflow.pause(paused=False)
    airflow.trigger("history", to=midnight(1).isoformat())
    migration.finish("history")
    for day in range(1, NIGHTS + 1):
        if day == AWAY[0]:
            airflow.stop("scheduler")
        if day == MISSED[0]:
            airflow.pause(paused=True)
        chat.live(day)
        migration.until(day)
        if day == AWAY[-1]:
            wait(lambda: airflow.next_night_is(midnight(AWAY[-1])), seconds=120, says=airflow.told)
            airflow.start("scheduler")
        if day not in {*AWAY[:-1], *MISSED}:
            migration.sleep_over()
    bring_what_was_missed(migration)
    chat.live(NIGHTS + 1)
    migration.until(NIGHTS + 1)
    migration.sleep_over()
    migration.world = airflow.sandbox.dump()
    before = airflow.sandbox.stats()["writes"]
    airflow.trigger("proof")
    migration.finish("proof")
    migration.writes_of_proof = airflow.sandbox.stats()["writes"] - before


def bring_what_was_missed(migration: Migration) -> None:
    """Backfill the nights during which the DAG was paused, as docs/operations.md says, and wait for their end."""
    airflow = migration.airflow
    first, last = (f"{midnight(day):%Y-%m-%dT%H:%M:%S%z}" for day in (MISSED[0], MISSED[-1]))
    command = ("backfill", "create", "--dag-id", DAG, "--from-date", first, "--to-date", last)
    done = airflow.airflow(*command, "--reprocess-behavior", "completed")
    assert done.returncode == 0, done.stdout + done.stderr
    airflow.pause(paused=False)
    wait(lambda: len(airflow.runs("backfill")) == len(MISSED), seconds=180, says=airflow.told)
    for run_id in airflow.runs("backfill"):
        migration.backfills.append(run_id)
        migration.finish(run_id)


@pytest.fixture(scope="module")
def migration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    folder = tmp_path_factory.mktemp("nights")
    chat = LivingChat(folder / "export")
    settings = {**SETTINGS, **REFUSED, "export_path": str(chat.folder)}
    with (
        chat_sandbox.launch(**APP) as sandbox,
        chat_sandbox.launch(**APP) as other,
        RunningAirflow(
            folder / "airflow", sandbox, zone="Europe/Berlin", settings=settings
        ) as airflow,
    ):
        done = Migration(chat=chat, airflow=airflow)
        by_the_calendar(done)
        done.reference = in_one_go(chat, folder, other)
        yield done


def in_one_go(chat: LivingChat, folder: Path, sandbox: chat_sandbox.SandboxHandle) -> World:
    """Return what one run over the whole export brings to an app of its own."""
    chat.export_as_it_ended(folder / "whole")
    with single_process(folder / "whole", folder, sandbox, "in-one-go") as finish:
        assert finish()["complete"]
    return sandbox.dump()


def visible(world: World) -> World:
    """Return what people see of a world: no message that was recalled."""
    seen = comparable(world)
    for group in seen["groups"].values():
        group["messages"] = [each for each in group["messages"] if not each["recalled"]]
    for conversation in seen["conversations"]:
        shown = [each for each in conversation["messages"] if not each["recalled"]]
        # Clients sort one-to-one messages by themselves, whenever they came.
        conversation["messages"] = sorted(shown, key=lambda each: (each["time"], each["seq"]))
    return seen


def taken(migration: Migration, run_id: str) -> tuple[int, int]:
    """Return the window of a run, by its report."""
    window = migration.reports[run_id]["window"]
    return window["start_ms"], window["end_ms"]


def nights(first: int, last: int) -> tuple[int, int]:
    """Return the window of some nights."""
    return at(first, 0), at(last + 1, 0)


def counted(migration: Migration, kind: str, outcome: str) -> int:
    """Return how many rows of a type ended so in all runs but the proof."""
    return sum(
        report["rows"][kind].get(outcome, 0)
        for run_id, report in migration.reports.items()
        if run_id != "proof"
    )


def test_target_shows_what_one_run_over_the_whole_export_shows(migration: Migration) -> None:
    seen, expected = visible(migration.world), visible(migration.reference)
    assert seen["accounts"] == expected["accounts"]
    assert seen["conversations"] == expected["conversations"]
    assert seen["groups"].keys() == expected["groups"].keys()
    for name, group in expected["groups"].items():
        for part, value in group.items():
            assert seen["groups"][name][part] == value, (name, part)


def test_every_run_is_complete(migration: Migration) -> None:
    assert [name for name, each in migration.reports.items() if not each["complete"]] == []


def test_each_night_takes_itself_and_the_one_after_the_scheduler_was_away_takes_all(
    migration: Migration,
) -> None:
    expected = [nights(day, day) for day in range(1, AWAY[0])]
    expected += [nights(AWAY[0], AWAY[-1])]
    expected += [nights(day, day) for day in range(AWAY[-1] + 1, MISSED[0])]
    expected += [nights(NIGHTS + 1, NIGHTS + 1)]
    assert [taken(migration, run_id) for run_id in migration.nights] == expected


def test_one_of_the_nights_has_twenty_three_hours(migration: Migration) -> None:
    assert at(9, 0) - at(8, 0) == 23 * HOUR


def test_backfill_takes_the_missed_nights_one_by_one_in_their_order(migration: Migration) -> None:
    windows = [taken(migration, run_id) for run_id in migration.backfills]
    assert windows == [nights(day, day) for day in MISSED]
    first, second = (migration.airflow.times(run_id) for run_id in migration.backfills)
    assert first[1] <= second[0]


def test_late_rows_are_refused_by_the_policy_and_no_others(migration: Migration) -> None:
    """A night looks back two days, so it may name a row that the night before has refused already."""
    rows = [each for run_id in migration.reports for each in migration.airflow.rejected(run_id)]
    named = [each for each in rows if each["outcome"].endswith("rejected")]
    assert {each["id"] for each in named} == migration.chat.too_late
    assert {each["outcome"] for each in named} == {"late_rejected"}


def test_edits_and_deletes_of_what_was_there_are_made_once_each(migration: Migration) -> None:
    changed = {
        outcome: counted(migration, "group_messages", outcome)
        + counted(migration, "c2c_messages", outcome)
        for outcome in ("updated", "withdrawn")
    }
    # Two rows of nights 7 and 8, and one of night 13, were edited before any run read them.
    assert changed["updated"] == migration.chat.counts["edited"] - 3
    assert changed["withdrawn"] == migration.chat.counts["deleted"]


def test_joiners_are_in_leavers_are_out_and_changes_have_arrived(migration: Migration) -> None:
    groups = migration.world["groups"]
    assert {"fay"} <= set(groups["harbour"]["members"])
    assert "dee" not in groups["harbour"]["members"]
    assert "gus" in groups["quay"]["members"]
    assert "eve" not in groups["quay"]["members"]
    assert groups["quay"]["members"]["bob"]["role"] == "Admin"
    assert groups["pier"]["name"] == "THE OLD PIER"
    assert groups["loft"]["messages"]


def test_one_more_run_over_everything_makes_no_call_that_writes(migration: Migration) -> None:
    assert migration.writes_of_proof == 0
    assert "imported" not in migration.reports["proof"]["rows"]["group_messages"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "depends_on_past"),
        (("--reprocess-behavior", "completed", "--run-backwards"), "depend"),
    ],
)
def test_backfill_that_would_break_the_order_is_refused_by_airflow(
    migration: Migration, flags: tuple[str, ...], reason: str
) -> None:
    before = migration.airflow.runs("backfill")
    done = migration.airflow.airflow(
        *("backfill", "create", "--dag-id", DAG),
        *("--from-date", "2024-03-25", "--to-date", "2024-03-26", *flags),
    )
    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
    assert migration.airflow.runs("backfill") == before
