"""The gate of a run: what it takes is decided once, noted for all stages, and begun in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.builders_neutral import DAY
from tests.clocks import HandClock

from chat_migration import stages
from chat_migration.calendar import NothingLeft
from chat_migration.errors import UsageError
from chat_migration.home import Home
from chat_migration.ledger import schema
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.stages import StageResult
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.window import RunKind, Window, parse_instant
from chat_migration.workbench import drop_scratch, open_ledger

MAY = parse_instant("2024-05-01")


def days(start: float | None, end: float | None) -> Window:
    """Return a window between midnights UTC of May 2024."""
    bounds = (None if day is None else MAY + round((day - 1) * DAY) for day in (start, end))
    return Window(*bounds)


class Nights:
    """One home; each :meth:`run` is a run of it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home.from_environment({"CHAT_MIGRATION_HOME": str(folder / "home")})

    def run(self, run_id: str = "night", **settings: Any) -> Run:
        return Run(
            run_id=run_id,
            settings=Settings.load(settings, {}),
            connection=TencentConnection.model_validate(
                {"host": "http://127.0.0.1:1", "sdk_app_id": 1, "admin": "a", "secret_key": "k"}
            ),
            home=self.home,
            clock=HandClock(),
        )

    def complete(self, run_id: str, window: Window, source: str = "neutral") -> None:
        with open_ledger(self.run()) as ledger:
            ledger.begin_run(run_id, source, window.start_ms, window.end_ms)
            bounds = (window.start_ms, window.end_ms)
            ledger.finish_run(run_id, complete=True, source_name=source, window=bounds)

    def begun(self) -> list[tuple[str, int | None, int | None]]:
        table = schema.runs
        columns = (table.c.run_id, table.c.window_start_ms, table.c.window_end_ms)
        with open_ledger(self.run()) as ledger, ledger.database.reading() as connection:
            return [tuple(row) for row in connection.execute(select(*columns))]


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def opened(run: Run, kind: RunKind = "scheduled", interval: Window | None = None) -> StageResult:
    done = stages.open_window(run, kind, interval)
    assert isinstance(done, StageResult), done
    return done


def test_what_is_decided_is_noted_for_all_stages_and_begun_in_the_ledger(nights: Nights) -> None:
    nights.complete("history", days(None, 5))
    run = nights.run()
    opened(run, "scheduled", days(8, 9))
    elsewhere = nights.run()
    assert elsewhere.window.window == days(5, 9)
    assert (elsewhere.window.kind, elsewhere.window.lookback_start_ms) == (
        "scheduled",
        days(3, 4).start_ms,
    )
    assert ("night", *_bounds(days(5, 9))) in nights.begun()


def test_the_summary_says_what_why_and_what_is_complete_and_missing(nights: Nights) -> None:
    nights.complete("history", days(None, 5))
    nights.complete("later", days(6, 7))
    summary = opened(nights.run(), "scheduled", days(8, 9)).summary
    assert summary.splitlines() == [
        "window: 2024-05-05T00:00:00+00:00 .. 2024-05-09T00:00:00+00:00 (96 h)",
        "why: the 4 nights since 2024-05-05, catching up (UTC)",
        "looks for late rows in: 2024-05-03T00:00:00+00:00 .. 2024-05-05T00:00:00+00:00",
        "complete: the beginning .. 2024-05-05T00:00:00+00:00",
        "complete: 2024-05-06T00:00:00+00:00 .. 2024-05-07T00:00:00+00:00",
        "not complete: 2024-05-05T00:00:00+00:00 .. 2024-05-06T00:00:00+00:00",
    ]


def test_the_summary_stays_on_one_screen_however_many_gaps_there_are(nights: Nights) -> None:
    for day in range(1, 25, 2):
        nights.complete(f"day-{day}", days(day, day + 1))
    lines = opened(nights.run(), "manual").summary.splitlines()
    assert len(lines) < 16
    assert lines[-1] == "and 6 gaps more: `chat-migration status`"


def test_a_retry_keeps_what_was_decided_however_much_is_complete_by_then(nights: Nights) -> None:
    nights.complete("history", days(None, 5))
    opened(nights.run(), "scheduled", days(8, 9))
    first = nights.run().window
    nights.complete("another", days(5, 12))
    opened(nights.run(), "scheduled", days(8, 9))
    assert nights.run().window == first


def test_a_run_whose_note_is_lost_takes_the_window_that_the_ledger_knows(nights: Nights) -> None:
    opened(nights.run(), "scheduled", days(8, 9))
    (note,) = nights.home.stage.rglob("window.json")
    note.unlink()
    nights.complete("another", days(None, 12))
    opened(nights.run(), "scheduled", days(8, 9))
    assert nights.run().window.window == days(None, 9)


def test_a_run_that_was_killed_before_the_ledger_knew_it_keeps_its_note(nights: Nights) -> None:
    run = nights.run()
    opened(run, "scheduled", days(8, 9))
    with open_ledger(run) as ledger:
        ledger.database.write(lambda connection: connection.execute(schema.runs.delete()))
    nights.complete("another", days(None, 8))
    opened(nights.run(), "scheduled", days(8, 9))
    assert ("night", *_bounds(days(None, 9))) in nights.begun()


@pytest.mark.parametrize(
    "given", [{"from": "2024-05-02"}, {"to": "2024-05-08"}, {"from": "2024-05-01", "to": "2024-05-04"}]
)  # fmt: skip
def test_a_run_that_began_with_one_window_is_refused_another(
    nights: Nights, given: dict[str, str]
) -> None:
    opened(nights.run(**{"from": "2024-05-01", "to": "2024-05-03"}), "manual")
    with pytest.raises(UsageError, match="began with the window `2024-05-01T00"):
        stages.open_window(nights.run(**given), "manual")
    assert nights.run().window.window == days(1, 3)


def test_bounds_that_say_what_was_decided_are_no_other_window(nights: Nights) -> None:
    nights.complete("history", days(None, 5))
    opened(nights.run(), "scheduled", days(8, 9))
    opened(nights.run(**{"from": "2024-05-05", "to": "2024-05-09"}), "scheduled", days(8, 9))
    assert nights.run().window.window == days(5, 9)


def test_nothing_left_begins_no_run_and_notes_nothing(nights: Nights) -> None:
    nights.complete("history", days(None, 12))
    done = stages.open_window(nights.run(), "scheduled", days(8, 9))
    assert isinstance(done, NothingLeft)
    assert [run_id for run_id, *_ in nights.begun()] == ["history"]
    assert nights.run().noted_window() is None


def test_a_window_that_cannot_be_is_refused_before_anything_is_written(nights: Nights) -> None:
    for wrong in ({"time_zone": "Mars/Olympus"}, {"time_zone": "../etc/passwd"}):
        with pytest.raises(UsageError, match="no time zone"):
            stages.open_window(nights.run(**wrong), "scheduled", days(8, 9))
    with pytest.raises(UsageError, match="no data interval"):
        stages.open_window(nights.run(), "scheduled", None)
    assert nights.begun() == []
    assert nights.run().noted_window() is None


def test_sources_are_decided_apart(nights: Nights) -> None:
    nights.complete("history", days(None, 12), source="other")
    opened(nights.run(), "scheduled", days(8, 9))
    assert nights.run().window.window == days(None, 9)


def test_a_dry_run_decides_the_same_and_records_nothing(nights: Nights) -> None:
    nights.complete("history", days(None, 5))
    dry = nights.run("dry", dry_run=True)
    try:
        opened(dry, "scheduled", days(8, 9))
        assert dry.window.window == days(5, 9)
    finally:
        drop_scratch(dry)
    assert [run_id for run_id, *_ in nights.begun()] == ["history"]
    assert list(nights.home.stage.rglob("window.json")) == []


def test_a_dry_run_without_a_home_makes_none(nights: Nights) -> None:
    dry = nights.run("dry", dry_run=True)
    try:
        opened(dry, "manual")
    finally:
        drop_scratch(dry)
    assert not nights.home.path.exists()


def test_a_stage_without_a_gate_takes_what_from_and_to_say(nights: Nights) -> None:
    run = nights.run(**{"from": "2024-05-01"})
    assert (run.window.window, run.window.kind, run.window.lookback_start_ms) == (
        days(1, None), "manual", None,
    )  # fmt: skip


def _bounds(window: Window) -> tuple[int | None, int | None]:
    return window.start_ms, window.end_ms
