"""What every ledger remembers of runs and of the windows that they completed."""

from __future__ import annotations

import pytest
from sqlalchemy import insert
from tests.clocks import HandClock

from chat_migration.calendar import contiguous, merged
from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger
from chat_migration.window import Window


def complete(ledger: Ledger, run_id: str, window: Window, source: str = "slack") -> None:
    ledger.begin_run(run_id, source, window.start_ms, window.end_ms)
    ledger.finish_run(
        run_id, complete=True, source_name=source, window=(window.start_ms, window.end_ms)
    )


def test_a_new_ledger_knows_no_window(ledger: Ledger) -> None:
    assert ledger.complete_windows("slack") == []
    assert ledger.windows_by_source() == {}
    assert ledger.window_of_run("r1") is None


def test_complete_windows_come_in_the_order_in_which_they_were_completed(
    ledger: Ledger, clock: HandClock
) -> None:
    windows = [Window(5000, 9000), Window(1000, 2000), Window(None, 1000), Window(-4000, -3000)]
    for number, window in enumerate(windows):
        complete(ledger, f"r{9 - number}", window)
        clock.move(1)
    assert ledger.complete_windows("slack") == windows


def test_a_repeated_run_keeps_its_place_in_that_order(ledger: Ledger, clock: HandClock) -> None:
    for run_id, window in (("history", Window(5000, 9000)), ("older", Window(1000, 2000))):
        complete(ledger, run_id, window)
        clock.move(1)
    complete(ledger, "history", Window(5000, 9000))
    assert contiguous(ledger.complete_windows("slack")) == Window(5000, 9000)


def test_sources_and_apps_have_windows_of_their_own(ledger: Ledger, ledger_url: str) -> None:
    complete(ledger, "r1", Window(1000, 2000))
    complete(ledger, "r2", Window(2000, 3000), source="other")
    with Ledger.open(ledger_url, "tencent:2") as another:
        complete(another, "r1", Window(None, 9000))
        assert another.windows_by_source() == {"slack": [Window(None, 9000)]}
    assert ledger.windows_by_source() == {
        "other": [Window(2000, 3000)],
        "slack": [Window(1000, 2000)],
    }
    assert ledger.complete_windows("third") == []


def test_a_run_that_is_not_complete_completes_nothing(ledger: Ledger) -> None:
    ledger.begin_run("r1", "slack", 1000, 2000)
    assert ledger.complete_windows("slack") == []
    ledger.finish_run("r1", complete=False, source_name="slack", window=(1000, 2000))
    assert ledger.complete_windows("slack") == []


def test_a_window_without_an_end_of_an_earlier_version_counts_as_not_complete(
    ledger: Ledger,
) -> None:
    row = {"source_name": "slack", "run_id": "old", "start_ms": None, "end_ms": None}
    ledger.database.write(
        lambda connection: connection.execute(
            insert(schema.windows), {"app_id": ledger.app_id, "completed_at_ms": 1, **row}
        )
    )
    complete(ledger, "r1", Window(1000, 2000))
    assert merged(ledger.complete_windows("slack")) == [Window(1000, 2000)]


def test_a_ledger_knows_whether_any_run_of_its_app_began(ledger: Ledger, ledger_url: str) -> None:
    assert not ledger.has_runs()
    ledger.begin_run("r1", "slack", None, None)
    assert ledger.has_runs()
    with Ledger.open(ledger_url, "tencent:2") as another:
        assert not another.has_runs()


@pytest.mark.parametrize("window", [Window(), Window(1000, 2000), Window(None, -5000)])
def test_a_run_keeps_the_window_that_it_began_with(ledger: Ledger, window: Window) -> None:
    ledger.begin_run("r1", "slack", window.start_ms, window.end_ms)
    ledger.begin_run("r1", "slack", 7000, 8000)
    assert ledger.window_of_run("r1") == window
    assert ledger.window_of_run("r2") is None
