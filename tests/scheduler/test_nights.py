"""A migration by the calendar, on a real scheduler: history, fourteen nights of a living chat, and what comes of them.

The history is one manual run. Nights 1 to 6 and 10 to 12 are scheduled runs. During nights 7 to 9 the scheduler is not
there; one scheduled run catches up. Nights 13 and 14 are missed because the DAG is paused, and a backfill brings them.
What then stands in the target is compared with one run over an export that was made in one go at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.builders_neutral import HOUR
from tests.scheduler.living_chat import LivingChat, at, midnight
from tests.scheduler.nights import (
    APP,
    SETTINGS,
    Migration,
    assert_shows_the_same,
    in_one_go,
    nights,
)
from tests.scheduler.one_dag import DAG, wait
from tests.scheduler.running_airflow import RunningAirflow

import chat_sandbox

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(1800)]

NIGHTS = 14
AWAY = (7, 8, 9)
MISSED = (13, 14)


def by_the_calendar(migration: Migration, airflow: RunningAirflow) -> None:
    """Move the history, then live through all nights."""
    chat = migration.chat
    chat.live_through_history()
    migration.move_history(1)
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
    migration.bring(*MISSED)
    chat.live(NIGHTS + 1)
    migration.until(NIGHTS + 1)
    migration.sleep_over()
    migration.prove()


@pytest.fixture(scope="module")
def airflow_and_migration(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningAirflow, Migration]]:
    folder = tmp_path_factory.mktemp("nights")
    chat = LivingChat(folder / "export")
    settings = {**SETTINGS, "export_path": str(chat.folder)}
    with (
        chat_sandbox.launch(**APP) as sandbox,
        chat_sandbox.launch(**APP) as other,
        RunningAirflow(
            folder / "airflow", sandbox, zone="Europe/Berlin", settings=settings
        ) as airflow,
    ):
        done = Migration(chat=chat, airflow=airflow, sandbox=sandbox)
        by_the_calendar(done, airflow)
        done.reference = in_one_go(chat, folder, other)
        yield airflow, done


@pytest.fixture(scope="module")
def airflow(airflow_and_migration: tuple[RunningAirflow, Migration]) -> RunningAirflow:
    return airflow_and_migration[0]


@pytest.fixture(scope="module")
def migration(airflow_and_migration: tuple[RunningAirflow, Migration]) -> Migration:
    return airflow_and_migration[1]


def test_target_shows_what_one_run_over_the_whole_export_shows(migration: Migration) -> None:
    assert_shows_the_same(migration.world, migration.reference)


def test_every_run_is_complete(migration: Migration) -> None:
    assert [name for name, each in migration.reports.items() if not each["complete"]] == []


def test_each_night_takes_itself_and_the_one_after_the_scheduler_was_away_takes_all(
    migration: Migration,
) -> None:
    expected = [nights(day, day) for day in range(1, AWAY[0])]
    expected += [nights(AWAY[0], AWAY[-1])]
    expected += [nights(day, day) for day in range(AWAY[-1] + 1, MISSED[0])]
    expected += [nights(NIGHTS + 1, NIGHTS + 1)]
    assert [migration.taken(run_id) for run_id in migration.nights] == expected


def test_one_of_the_nights_has_twenty_three_hours(migration: Migration) -> None:
    assert at(9, 0) - at(8, 0) == 23 * HOUR


def test_backfill_takes_the_missed_nights_one_by_one_in_their_order(migration: Migration) -> None:
    windows = [migration.taken(run_id) for run_id in migration.backfills]
    assert windows == [nights(day, day) for day in MISSED]
    first, second = (migration.airflow.times(run_id) for run_id in migration.backfills)
    assert first[1] <= second[0]


def test_late_rows_are_refused_by_the_policy_and_no_others(migration: Migration) -> None:
    """A night looks back two days, so it may name a row that the night before has refused already."""
    assert migration.refused() == {row: {"late_rejected"} for row in migration.chat.too_late}


def test_edits_and_deletes_of_what_was_there_are_made_once_each(migration: Migration) -> None:
    # Two rows of nights 7 and 8, and one of night 13, were edited before any run read them.
    assert migration.messages("updated") == migration.chat.counts["edited"] - 3
    assert migration.messages("withdrawn") == migration.chat.counts["deleted"]


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
    airflow: RunningAirflow, flags: tuple[str, ...], reason: str
) -> None:
    before = airflow.runs("backfill")
    done = airflow.airflow(
        *("backfill", "create", "--dag-id", DAG),
        *("--from-date", "2024-03-25", "--to-date", "2024-03-26", *flags),
    )
    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
    assert airflow.runs("backfill") == before
