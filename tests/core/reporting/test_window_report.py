"""What a report says of its window and of what it holds back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.reporting.test_page import page_of, report

from chat_migration.reporting.report import RunReport, SpanReport, WindowReport

GAP = SpanReport(start_ms=2000, end_ms=3000, text="a gap")


def of_window(rows: dict[str, dict[str, int]] | None = None, **changes: Any) -> RunReport:
    fields: dict[str, Any] = {
        "start_ms": 1000, "end_ms": 2000, "text": "one second", "kind": "scheduled",
        "why": "the night since 2024-05-01", "lookback_start_ms": 0,
        "completed": SpanReport(start_ms=1000, end_ms=2000, text="all of it"),
    }  # fmt: skip
    return report(rows, window=WindowReport(**fields | changes))


def test_json_names_start_end_text_kind_and_why() -> None:
    window = of_window(gaps=[GAP]).model_dump()["window"]
    assert window == {
        "start_ms": 1000, "end_ms": 2000, "text": "one second", "kind": "scheduled",
        "why": "the night since 2024-05-01", "lookback_start_ms": 0,
        "completed": {"start_ms": 1000, "end_ms": 2000, "text": "all of it"},
        "gaps": [{"start_ms": 2000, "end_ms": 3000, "text": "a gap"}], "newest_message": "",
        "missing_drops": [],
    }  # fmt: skip


def test_screen_and_page_name_the_window_and_why(tmp_path: Path) -> None:
    made = of_window()
    assert made.text().startswith("window: one second\n  scheduled: the night since 2024-05-01\n")
    assert "complete: all of it" in made.text()
    shown = page_of(made, tmp_path).shown
    assert "Window one second" in shown
    assert "Scheduled run: the night since 2024-05-01." in shown


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(
            of_window({"group_messages": {"deferred": 2, "imported": 5}, "members": {"deferred": 1}}),
            "3 rows could not be sent yet: the next run takes them first.", id="deferred",
        ),
        pytest.param(
            of_window({"group_messages": {"late_rejected": 1}}),
            "1 row came too late for their conversations and were not sent.", id="late",
        ),
        pytest.param(
            of_window(completed=None),
            "This run completes no window, so nightly runs take its range again.", id="no window",
        ),
        pytest.param(
            of_window(gaps=[GAP]), "Not imported, between what is complete: a gap.", id="gap",
        ),
        pytest.param(
            of_window(missing_drops=["drops/2024-05-01"]),
            "Left out, because they are not there: drops/2024-05-01.", id="missing drops",
        ),
        pytest.param(
            of_window(newest_message="2024-04-30T21:00:00+00:00"),
            "The export's newest message was sent at 2024-04-30T21:00:00+00:00, before this window.",
            id="stale export",
        ),
        pytest.param(
            of_window(gaps=[GAP] * 5),
            "Not imported, between what is complete: a gap, a gap, a gap and 2 more.", id="gaps",
        ),
    ],
)  # fmt: skip
def test_screen_and_page_say_what_is_held_back(tmp_path: Path, made: RunReport, said: str) -> None:
    assert f"held back: {said}" in made.text()
    assert f"Held back: {said}" in page_of(made, tmp_path).shown


def test_a_run_that_holds_nothing_back_says_nothing_of_it(tmp_path: Path) -> None:
    made = of_window({"group_messages": {"imported": 5}})
    assert "held back" not in made.text()
    assert "Held back" not in page_of(made, tmp_path).shown


def test_a_dry_run_holds_nothing_back() -> None:
    made = report({"group_messages": {"deferred": 2}}, dry_run=True)
    assert made.held_back() == []
