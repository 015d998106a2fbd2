"""Readiness: an export is read when it is there and complete, and never taken for an empty one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders_exports import lines, message

from chat_migration import arrivals
from chat_migration.arrivals import Arrived, Seen, Waiting, Wanted, judge, look, seek, wait_for
from chat_migration.drops import Drop
from chat_migration.errors import (
    ExportMissingError,
    ExportNotReadyError,
    InterruptedRunError,
    UsageError,
)
from chat_migration.progress import NoProgress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.window import Window, parse_instant

NOW = parse_instant("2024-05-04T03:00:00Z")
NIGHTS = Window(parse_instant("2024-05-01"), parse_instant("2024-05-04"))


class SteppedClock:
    """Time that passes by waiting alone; each wait tells who wants to know."""

    def __init__(self, on_sleep: Callable[[float], object] | None = None) -> None:
        self.slept, self._on_sleep = 0.0, on_sleep

    def now_ms(self) -> int:
        return NOW + round(self.slept * 1000)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self._on_sleep is not None:
            self._on_sleep(self.slept)


class Notes(NoProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def drops(tmp_path: Path) -> Path:
    return tmp_path / "drops"


def deliver(drops: Path, *days: str, old: bool = True) -> None:
    for day in days:
        folder = drops / day
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "messages.jsonl").write_bytes(lines([message(day)]))
        if old:
            os.utime(folder / "messages.jsonl", (0, 0))


def wanted(drops: Path, window: Window = NIGHTS, **given: Any) -> Wanted:
    return Wanted(export_path=f"{drops}/{{date}}/", window=window, **given)


def wait(
    what: Wanted, clock: SteppedClock | None = None, stop: StopSignal | None = None
) -> Arrived:
    return wait_for(
        what,
        clock=clock or SteppedClock(),
        stop=stop or StopSignal(),
        progress=NoProgress(),
        wait_seconds=what.wait_seconds,
    )


# --- missing ------------------------------------------------------------------------------------


def test_all_missing_drops_are_named_at_once(drops: Path) -> None:
    deliver(drops, "2024-05-02")
    with pytest.raises(ExportMissingError) as raised:
        wait(wanted(drops))
    assert "2 drops: `2024-05-01`, `2024-05-03`" in raised.value.what
    assert "allow_gap" in raised.value.advice
    assert raised.value.is_retriable
    assert raised.value.exit_code == 2


def test_a_gap_that_is_allowed_is_told(drops: Path) -> None:
    deliver(drops, "2024-05-02")
    found = wait(wanted(drops, allow_gap=True))
    assert [drop.name for drop in found.drops] == ["2024-05-02"]
    assert found.missing == ["2024-05-01", "2024-05-03"]
    assert "left out" in found.remarks[0]


def test_a_gap_of_everything_is_never_allowed(drops: Path) -> None:
    with pytest.raises(ExportMissingError, match="3 drops"):
        wait(wanted(drops, allow_gap=True))


def test_an_open_window_takes_what_is_there_and_tells_of_days_in_between(drops: Path) -> None:
    deliver(drops, "2024-04-28", "2024-05-01", "2024-05-03")
    found = wait(wanted(drops, Window(None, NIGHTS.end_ms)))
    assert [drop.name for drop in found.drops] == ["2024-04-28", "2024-05-01", "2024-05-03"]
    assert found.remarks == ["no drop of these days in between: 2024-04-29, 2024-04-30, 2024-05-02"]


def test_an_open_window_without_its_last_night_is_missing_that(drops: Path) -> None:
    deliver(drops, "2024-04-28", "2024-05-01")
    with pytest.raises(ExportMissingError, match=r"lacks `2024-05-03`"):
        wait(wanted(drops, Window(None, NIGHTS.end_ms)))


def test_an_open_window_without_any_drop_is_missing_all(drops: Path) -> None:
    with pytest.raises(ExportMissingError, match=r"drops/\{date\}/"):
        wait(wanted(drops, Window()))


def test_characters_that_a_shell_would_expand_are_plain_ones(tmp_path: Path) -> None:
    drops = tmp_path / "a[b]*?"
    deliver(drops, "2024-05-01")
    deliver(tmp_path / "ab", "2024-05-02")
    found = wait(wanted(drops, Window()))
    assert [drop.name for drop in found.drops] == ["2024-05-01"]


# --- complete -----------------------------------------------------------------------------------


def test_a_drop_without_its_marker_is_not_ready_and_never_missing(drops: Path) -> None:
    deliver(drops, "2024-05-01", "2024-05-02", "2024-05-03")
    for day in ("01", "03"):
        (drops / f"2024-05-{day}" / "_SUCCESS").touch()
    what = wanted(drops, ready_marker="_SUCCESS", allow_gap=True)
    with pytest.raises(ExportNotReadyError, match=r"`2024-05-02` has no `_SUCCESS`"):
        wait(what)
    (drops / "2024-05-02" / "_SUCCESS").touch()
    assert len(wait(what).drops) == 3


def test_the_marker_of_an_archive_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "2024-05-01.zip").write_bytes(b"zip")
    night = Window(NIGHTS.start_ms, parse_instant("2024-05-02"))
    what = Wanted(export_path=f"{tmp_path}/{{date}}.zip", window=night, ready_marker="{date}.done")
    with pytest.raises(ExportNotReadyError, match=r"2024-05-01\.done"):
        wait(what)
    (tmp_path / "2024-05-01.done").touch()
    assert [drop.path for drop in wait(what).drops] == [f"{tmp_path}/2024-05-01.zip"]


def test_a_folder_that_grows_may_have_a_marker_for_each_day(tmp_path: Path) -> None:
    deliver(tmp_path, "messages")
    what = Wanted(export_path=str(tmp_path), window=NIGHTS, ready_marker="done-{date}")
    (tmp_path / "done-2024-05-02").touch()
    with pytest.raises(ExportNotReadyError, match=r"`done-2024-05-01`, `done-2024-05-03`"):
        wait(what)


def test_an_empty_drop_is_not_ready(drops: Path) -> None:
    deliver(drops, "2024-05-01", "2024-05-02", "2024-05-03")
    (drops / "2024-05-02" / "messages.jsonl").rename(drops / "2024-05-02" / ".messages.jsonl.part")
    with pytest.raises(ExportNotReadyError, match=r"`2024-05-02` is empty"):
        wait(wanted(drops))


def test_files_that_changed_lately_are_not_stable(drops: Path) -> None:
    """Times that a copy takes over from its original do not hide that it has just been written."""
    import time

    deliver(drops, "2024-05-01", "2024-05-02", "2024-05-03", old=True)
    found, _ = judge(
        wanted(drops, stable_seconds=60), look(wanted(drops, stable_seconds=60), SteppedClock()), {},
        time.time_ns() // 1_000_000,
    )  # fmt: skip
    assert found.state == "not_yet"
    assert "changed within the last 60 s" in found.why


# --- judging: pure ------------------------------------------------------------------------------

DROP = Drop("d", "/d")
STABLE = Wanted(export_path="/d", window=Window(), stable_seconds=60)


def seen(mark: str = "a", changed_ms: int = 0) -> list[Seen]:
    return [Seen(drop=DROP, is_there=True, mark=mark, changed_ms=changed_ms)]


def test_one_look_believes_the_files_times() -> None:
    assert judge(STABLE, seen(changed_ms=NOW - 60_000), {}, NOW)[0].state == "ready"
    assert judge(STABLE, seen(changed_ms=NOW - 59_999), {}, NOW)[0].state == "not_yet"


def test_what_was_seen_to_change_is_not_stable_whatever_its_times_say() -> None:
    _, watch = judge(STABLE, seen("a"), {}, NOW)
    found, watch = judge(STABLE, seen("b"), watch, NOW + 1000)
    assert found.state == "not_yet"
    assert judge(STABLE, seen("b"), watch, NOW + 60_999)[0].state == "not_yet"
    assert judge(STABLE, seen("b"), watch, NOW + 61_000)[0].state == "ready"


def test_times_in_the_future_are_waited_out() -> None:
    ahead = NOW + 3_600_000
    _, watch = judge(STABLE, seen(changed_ms=ahead), {}, NOW)
    assert judge(STABLE, seen(changed_ms=ahead), watch, NOW + 60_000)[0].state == "ready"


@given(st.lists(st.tuples(st.integers(1, 100), st.sampled_from("ab")), min_size=1, max_size=8))
def test_ready_means_that_no_look_of_the_last_minute_saw_anything_else(
    looks: list[tuple[int, str]],
) -> None:
    watch: arrivals.Watch = {}
    at, history = NOW, []
    for step, mark in looks:
        at += step * 1000
        history.append((at, mark))
        found, watch = judge(STABLE, seen(mark, changed_ms=NOW), watch, at)
        if found.state == "ready":
            assert {each for when, each in history if when > at - 60_000} == {mark}
            assert at - NOW >= 60_000


# --- waiting ------------------------------------------------------------------------------------


def test_it_waits_until_the_drop_comes(drops: Path) -> None:
    deliver(drops, "2024-05-01", "2024-05-02")
    clock = SteppedClock(lambda slept: slept < 100 or deliver(drops, "2024-05-03"))
    notes = Notes()
    found = wait_for(
        wanted(drops), clock=clock, stop=StopSignal(), progress=notes, wait_seconds=3600
    )
    assert len(found.drops) == 3
    assert 100 <= clock.slept <= 100 + arrivals.POLL_SECONDS
    assert "`2024-05-03` is not there" in notes.said[0]
    assert "3,600 s at most" in notes.said[0]


def test_it_waits_to_the_deadline_and_no_longer(drops: Path) -> None:
    clock = SteppedClock()
    with pytest.raises(ExportMissingError, match="waited for, 100 s at most"):
        wait(wanted(drops, wait_seconds=100), clock)
    assert clock.slept == 100


def test_missing_drops_are_waited_for_before_they_are_left_out(drops: Path) -> None:
    deliver(drops, "2024-05-01")
    clock = SteppedClock()
    assert len(wait(wanted(drops, wait_seconds=100, allow_gap=True), clock).missing) == 2
    assert clock.slept == 100


def test_waiting_ends_when_it_is_asked_to_stop(drops: Path) -> None:
    stop = StopSignal()
    clock = SteppedClock(lambda slept: slept < 5 or stop.set())
    with pytest.raises(InterruptedRunError):
        wait(wanted(drops, wait_seconds=3600), clock, stop)
    assert clock.slept <= 6


def test_somebody_else_s_waiting_begins_with_one_look(drops: Path) -> None:
    found = seek(wanted(drops), clock=SteppedClock(), watch={}, wait_seconds=60)
    assert isinstance(found, Waiting)
    assert found.deadline_ms == NOW + 60_000
    with pytest.raises(ExportMissingError):
        seek(wanted(drops), clock=SteppedClock(), watch={}, wait_seconds=0)


# --- settings -----------------------------------------------------------------------------------


def test_a_plain_path_is_taken_as_it_is_unless_something_is_asked() -> None:
    plain = Wanted.by(Settings(export_path="/x"), Window())
    assert plain.is_taken_as_it_is
    for asked in (
        {"export_path": "/x/{date}"},
        {"ready_marker": "_SUCCESS"},
        {"stable_seconds": 1},
        {"wait_for_export_seconds": 1},
    ):
        assert not Wanted.by(Settings(**{"export_path": "/x", **asked}), Window()).is_taken_as_it_is


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "No `export_path`"),
        ({"export_path": "x/{date}/{hour}"}, "no placeholder"),
        ({"export_path": "x", "ready_marker": "../done"}, "leads out"),
        ({"export_path": "x/{date}", "time_zone": "Mars/Base"}, "no time zone"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_looked_at(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Wanted.by(Settings(**given), NIGHTS)


def test_a_path_that_is_not_there_is_missing_once_it_was_waited_for(tmp_path: Path) -> None:
    what = Wanted(export_path=f"{tmp_path}/none", window=NIGHTS, wait_seconds=30)
    with pytest.raises(ExportMissingError, match=f"lacks `{tmp_path}/none`"):
        wait(what)
