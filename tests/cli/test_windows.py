"""Windows on the command line: what a run takes and completes, and what is said of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import DAY, NeutralExport, at
from tests.cli.conftest import SAMPLES

import chat_sandbox

NEUTRAL = SAMPLES / "neutral-harbour"
"""Three days of May 2024; its newest message was sent at 15:02:30 on the third."""
Typed = Callable[..., int]
Screen = pytest.CaptureFixture[str]


def take(typed: Typed, start: str | None, end: str | None, *words: object) -> int:
    bounds = (
        *(() if start is None else ("--from", start)),
        *(() if end is None else ("--to", end)),
    )
    return typed("run", "--export", NEUTRAL, "--param", "max_rejected_ratio=1", *bounds, *words)


def window_of(home: Path, run_id: str) -> dict[str, Any]:
    window = json.loads((home / "runs" / run_id / "report.json").read_text())["window"]
    assert isinstance(window, dict)
    return window


def status(typed: Typed, capsys: Screen) -> list[str]:
    """Return what ``status`` says of windows."""
    capsys.readouterr()
    assert typed("status") == 0
    lines = capsys.readouterr().out.splitlines()
    at_windows = (
        lines.index("windows of neutral:") if "windows of neutral:" in lines else len(lines)
    )
    return [line.strip() for line in lines[at_windows + 1 :]]


@pytest.mark.usefixtures("home", "target")
class TestRun:
    """``run``."""

    def test_days_one_after_the_other_make_one_complete_range(
        self, typed: Typed, capsys: Screen, home: Path
    ) -> None:
        assert take(typed, None, "2024-05-02") == 0
        assert take(typed, "2024-05-02", "2024-05-03", "--run-id", "second") == 0
        assert "looks for late rows in: 2024-04-30T00" in capsys.readouterr().out
        assert status(typed, capsys) == [
            "complete: the beginning .. 2024-05-03T00:00:00+00:00",
            "the next nightly run begins at 2024-05-03T00:00:00+00:00",
        ]
        assert window_of(home, "second")["why"] == "2024-05-02 to 2024-05-03 (UTC)"

    def test_a_day_left_out_is_a_gap_for_the_report_and_the_status(
        self, typed: Typed, capsys: Screen, home: Path
    ) -> None:
        take(typed, None, "2024-05-02")
        take(typed, "2024-05-03", "2024-05-04", "--run-id", "third")
        gap = "2024-05-02T00:00:00+00:00 .. 2024-05-03T00:00:00+00:00"
        shown = capsys.readouterr().out
        assert "leaves out 2024-05-02 to 2024-05-03, which is not complete" in shown
        assert f"held back: Not imported, between what is complete: {gap}." in shown
        assert [each["text"] for each in window_of(home, "third")["gaps"]] == [gap]
        assert status(typed, capsys) == [
            "complete: the beginning .. 2024-05-02T00:00:00+00:00",
            "complete: 2024-05-03T00:00:00+00:00 .. 2024-05-04T00:00:00+00:00",
            f"not complete: {gap}",
            "the next nightly run begins at 2024-05-02T00:00:00+00:00",
        ]

    def test_a_run_without_an_end_is_complete_up_to_its_newest_message(
        self, typed: Typed, capsys: Screen, home: Path
    ) -> None:
        assert take(typed, None, None, "--run-id", "all") == 0
        assert window_of(home, "all")["completed"]["text"] == (
            "the beginning .. 2024-05-03T15:02:31+00:00"
        )
        assert (
            status(typed, capsys)[-1] == "the next nightly run begins at 2024-05-03T15:02:31+00:00"
        )

    def test_an_end_in_the_future_completes_no_more_than_there_is(
        self, typed: Typed, home: Path
    ) -> None:
        take(typed, "2024-05-03", "2999-01-01", "--run-id", "all")
        assert window_of(home, "all")["completed"]["text"] == (
            "2024-05-03T00:00:00+00:00 .. 2024-05-03T15:02:31+00:00"
        )

    def test_an_export_without_messages_completes_nothing_without_an_end(
        self, typed: Typed, tmp_path: Path, capsys: Screen
    ) -> None:
        export = NeutralExport().user("ada").write(tmp_path / "export")
        assert typed("run", "--export", export) == 0
        assert "This run completes no window" in capsys.readouterr().out
        assert status(typed, capsys) == []

    def test_an_export_that_ends_before_the_window_is_told_of(
        self, typed: Typed, capsys: Screen
    ) -> None:
        """A night without messages looks like this, and so does a drop that nobody renewed."""
        assert take(typed, "2024-05-04", "2024-05-05") == 0
        said = (
            "The export's newest message was sent at 2024-05-03T15:02:30+00:00, before this window."
        )
        assert said in capsys.readouterr().out

    def test_a_pilot_completes_no_window_but_is_a_complete_run(
        self, typed: Typed, tmp_path: Path, capsys: Screen
    ) -> None:
        export = NeutralExport().user("ada").group("g", "ada").group("h", "ada")
        export.say("g", "ada", at(0)).say("h", "ada", at(1)).write(tmp_path / "export")
        words = ("run", "--export", tmp_path / "export", "--run-id", "pilot")
        assert typed(*words, "--param", "conversations=g") == 0
        assert status(typed, capsys) == []
        assert typed("status") == 0
        assert "pilot  neutral  complete" in capsys.readouterr().out

    def test_a_dry_run_decides_and_records_nothing(
        self, typed: Typed, capsys: Screen, home: Path
    ) -> None:
        assert take(typed, "2024-05-02", "2024-05-03", "--dry-run") == 0
        assert "window: 2024-05-02T00:00:00+00:00" in capsys.readouterr().out
        assert not home.exists()

    def test_one_run_id_has_one_window(
        self, typed: Typed, capsys: Screen, sandbox: chat_sandbox.SandboxHandle
    ) -> None:
        take(typed, None, "2024-05-02", "--run-id", "one")
        sandbox.reset_stats()
        assert take(typed, None, "2024-05-03", "--run-id", "one") == 2
        assert (
            "`one` began with the window `the beginning .. 2024-05-02T" in capsys.readouterr().err
        )
        assert sandbox.stats()["calls"] == 0


class TestCheckWindow:
    """``check --window``."""

    def test_it_prints_the_instants_of_a_range_in_utc_and_in_the_zone(
        self, typed: Typed, capsys: Screen
    ) -> None:
        words = ("check", "--window", "--from", "2024-05-01", "--to", "2024-05-03T00:00:00+02:00")
        assert typed(*words, "--param", "time_zone=Europe/Berlin") == 0
        assert capsys.readouterr().out.splitlines() == [
            "from 2024-05-01T00:00:00+00:00",
            "to   2024-05-02T22:00:00+00:00, not included",
            "in Europe/Berlin:",
            "from 2024-05-01T02:00:00+02:00",
            "to   2024-05-03T00:00:00+02:00, not included",
            "length: 1.92 days, 46 hours",
            "no clock change in it",
            "complete: not known, because there is no ledger of this app here",
        ]

    @pytest.mark.parametrize(
        ("zone", "start", "end", "length", "change"),
        [
            (
                "Europe/Berlin", "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00",
                "1 day, 23 hours", "2024-03-31T03:00:00+02:00 (+1 hour)",
            ),
            (
                "America/New_York", "2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00",
                "1 day, 25 hours", "2024-11-03T01:00:00-05:00 (-1 hour)",
            ),
            (
                "Australia/Lord_Howe", "2024-04-07T00:00:00+11:00", "2024-04-08T00:00:00+10:30",
                "1 day, 24.5 hours", "2024-04-07T01:30:00+10:30 (-0.5 hours)",
            ),
        ],
    )  # fmt: skip
    def test_a_clock_change_is_named(
        self,
        typed: Typed,
        capsys: Screen,
        zone: str,
        start: str,
        end: str,
        length: str,
        change: str,
    ) -> None:
        typed("check", "--window", "--from", start, "--to", end, "--param", f"time_zone={zone}")
        shown = capsys.readouterr().out
        assert f"length: {length}" in shown
        assert f"the clocks change: {change}" in shown

    @pytest.mark.parametrize(
        ("template", "end", "expected"),
        [
            ("drops/{date}/", "2024-05-04T00:00:00+02:00", ["drops/2024-05-01/", "drops/2024-05-02/", "drops/2024-05-03/"]),
            ("{start}-{end}.zip", "2024-05-04T00:00:00+02:00", ["20240430T220000Z-20240503T220000Z.zip"]),
        ],
    )  # fmt: skip
    def test_the_drops_that_a_template_needs_are_named(
        self, typed: Typed, capsys: Screen, template: str, end: str, expected: list[str]
    ) -> None:
        words = ("--export", template, "--param", "time_zone=Europe/Berlin")
        typed("check", "--window", "--from", "2024-05-01T00:00:00+02:00", "--to", end, *words)
        lines = capsys.readouterr().out.splitlines()
        assert [line.removeprefix("drop: ") for line in lines if line[:5] == "drop:"] == expected

    def test_many_drops_are_counted_and_those_of_an_open_range_are_what_is_there(
        self, typed: Typed, capsys: Screen
    ) -> None:
        words = ("check", "--window", "--export", "drops/{date}", "--from", "2024-05-01")
        typed(*words, "--to", "2024-06-01")
        assert "and 21 drops more" in capsys.readouterr().out
        typed(*words)
        assert "drops: all that are there" in capsys.readouterr().out

    def test_a_clock_change_at_a_bound_is_not_in_the_range(
        self, typed: Typed, capsys: Screen
    ) -> None:
        change = "2024-03-31T01:00:00+00:00"
        zone = ("--param", "time_zone=Europe/Berlin")
        typed("check", "--window", "--from", "2024-03-30", "--to", change, *zone)
        typed("check", "--window", "--from", change, "--to", "2024-04-01", *zone)
        assert capsys.readouterr().out.count("no clock change in it") == 2

    def test_a_range_over_all_calendars_is_printed(self, typed: Typed, capsys: Screen) -> None:
        words = ("check", "--window", "--from", "0001-01-01", "--to", "9999-12-31T23:59:59Z")
        for zone in ("Asia/Singapore", "America/New_York"):
            assert typed(*words, "--param", f"time_zone={zone}") == 0
            shown = capsys.readouterr().out
            assert "to   9999-12-31T" in shown
            assert "length: 3,652," in shown

    def test_open_bounds_are_said(self, typed: Typed, capsys: Screen) -> None:
        assert typed("check", "--window") == 0
        shown = capsys.readouterr().out
        assert "from the beginning" in shown
        assert "to   the end" in shown

    def test_what_is_complete_is_named_where_there_is_a_ledger(
        self, typed: Typed, capsys: Screen, target: None
    ) -> None:
        take(typed, None, "2024-05-02")
        capsys.readouterr()
        assert typed("check", "--window", "--from", "2024-05-01", "--to", "2024-05-03") == 0
        assert capsys.readouterr().out.splitlines()[-3:] == [
            "complete (neutral): 2024-05-01T00:00:00+00:00 .. 2024-05-02T00:00:00+00:00",
            "not complete (neutral): 2024-05-02T00:00:00+00:00 .. 2024-05-03T00:00:00+00:00",
            "the next nightly run begins at 2024-05-02T00:00:00+00:00",
        ]

    def test_it_reads_no_export_and_writes_nothing(
        self, typed: Typed, target: None, home: Path
    ) -> None:
        assert typed("check", "--window", "--export", "/nowhere", "--from", "2024-05-01") == 0
        assert not home.exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--from", "2024-05-02", "--to", "2024-05-01"), "is empty"),
            (("--param", "time_zone=Berlin"), "no time zone"),
        ],
    )
    def test_a_range_that_cannot_be_is_refused(
        self, typed: Typed, capsys: Screen, words: tuple[str, ...], said: str
    ) -> None:
        assert typed("check", "--window", *words) == 2
        assert said in capsys.readouterr().err


class TestCheckAgainstLedger:
    """``check --against-ledger``."""

    def words(self, *more: object) -> tuple[object, ...]:
        return (
            "check",
            "--against-ledger",
            "--export",
            NEUTRAL,
            "--param",
            "max_rejected_ratio=1",
            *more,
        )

    def test_without_a_ledger_it_is_refused(
        self, typed: Typed, capsys: Screen, target: None, home: Path
    ) -> None:
        assert typed(*self.words()) == 2
        assert "holds no ledger of `tencent:" in capsys.readouterr().err
        assert not home.exists()

    def test_a_ledger_of_another_app_is_none(
        self, typed: Typed, capsys: Screen, target: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take(typed, None, "2024-05-02")
        variable = "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT"
        fields = json.loads(os.environ[variable]) | {"extra": {"sdk_app_id": 1400000077}}
        monkeypatch.setenv(variable, json.dumps(fields))
        assert typed(*self.words()) == 2
        assert "holds no ledger of `tencent:1400000077`" in capsys.readouterr().err

    def test_without_a_connection_it_is_refused(self, typed: Typed, capsys: Screen) -> None:
        assert typed(*self.words()) == 2
        assert "needs AIRFLOW_CONN_TENCENT_CHAT_DEFAULT" in capsys.readouterr().err

    def test_a_range_that_comes_in_order_strands_nothing(
        self, typed: Typed, capsys: Screen, target: None
    ) -> None:
        take(typed, None, "2024-05-02")
        assert typed(*self.words("--from", "2024-05-02", "--to", "2024-05-03")) == 0
        assert "against the ledger: no row would be left behind" in capsys.readouterr().out

    def test_a_range_that_comes_too_late_names_the_groups_whose_rows_it_strands(
        self, typed: Typed, capsys: Screen, target: None
    ) -> None:
        take(typed, "2024-05-02", None)
        capsys.readouterr()
        assert typed(*self.words("--to", "2024-05-02")) == 0
        shown = capsys.readouterr().out
        assert "groups would be stranded" in shown
        assert "are late already" in shown
        assert "no row would be left behind" not in shown

    def test_it_calls_nothing_and_changes_no_ledger(
        self, typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path
    ) -> None:
        take(typed, None, "2024-05-02")
        sandbox.reset_stats()
        before = (home / "ledger.sqlite").read_bytes()
        typed(*self.words("--from", "2024-05-02"))
        assert sandbox.stats()["calls"] == 0
        assert (home / "ledger.sqlite").read_bytes() == before

    def test_it_and_window_are_two_questions(self, typed: Typed, capsys: Screen) -> None:
        with pytest.raises(SystemExit, match="2"):
            typed("check", "--window", "--against-ledger")
        assert "not allowed with" in capsys.readouterr().err


def test_a_run_over_another_source_name_has_windows_of_its_own(
    typed: Typed, capsys: Screen, target: None, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        export = NeutralExport().user(name).group(name, name)
        export.say(name, name, at(0)).say(name, name, at(0) + DAY).write(tmp_path / name)
        typed("run", "--export", tmp_path / name, "--source-name", name, "--to", "2024-05-02")
    capsys.readouterr()
    typed("status")
    shown = capsys.readouterr().out
    assert shown.count("complete: the beginning .. 2024-05-02T00:00:00+00:00") == 2
    assert shown.index("windows of one:") < shown.index("windows of two:")
