"""Nights from the command line: a folder that grows, and drops by a template."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders_exports import lines, message

Typed = Callable[..., int]
NIGHT_MS = 86_400_000
START_MS = 1_714_521_600_000
"""2024-05-01T00:00:00Z."""


def write_night(folder: Path, number: int, name: str = "messages.jsonl") -> Path:
    """Write the messages of one day."""
    rows = [
        message(f"{number}-{place}", sent_at=START_MS + number * NIGHT_MS + place * 60_000)
        for place in range(4)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(lines(rows))
    return folder / name


def day(number: int) -> str:
    return f"2024-05-{1 + number:02d}"


def run(typed: Typed, export: Path | str, first: int, end: int, *params: str) -> int:
    more = [word for each in params for word in ("--param", each)]
    return typed("run", "--target", "tencent", "--source", "neutral", "--export", export,
                 "--from", day(first), "--to", day(end), *more)  # fmt: skip


def reports(home: Path) -> list[dict[str, Any]]:
    """Return the reports, in the order of the runs."""
    found = sorted(home.glob("runs/*/report.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in found]


def test_nights_of_a_growing_folder_open_no_file_from_before_the_lookback(
    typed: Typed, target: None, home: Path, tmp_path: Path
) -> None:
    export = tmp_path / "export"
    old = write_night(export / "messages", 0, "day0.jsonl")
    assert run(typed, export, 0, 1) == 0
    found = old.stat()
    old.write_bytes(b"#" * found.st_size)  # whoever reads it now finds broken rows
    os.utime(old, ns=(found.st_mtime_ns, found.st_mtime_ns))
    for number in range(1, 4):
        write_night(export / "messages", number, f"day{number}.jsonl")
        assert run(typed, export, number, number + 1, "lookback=0") == 0
    made = reports(home)
    assert [each["rows"]["group_messages"] for each in made] == [{"imported": 4}] * 4
    assert [each["outside_window"] for each in made] == [0, 4, 8, 12]


def test_nights_by_a_template_read_their_drops_together(
    typed: Typed, target: None, home: Path, tmp_path: Path
) -> None:
    for number in range(3):
        write_night(tmp_path / "drops" / day(number), number)
    template = f"{tmp_path}/drops/{{date}}/"
    assert run(typed, template, 0, 2) == 0
    assert run(typed, template, 2, 3) == 0
    assert [each["rows"]["group_messages"] for each in reports(home)] == [
        {"imported": 8},
        {"imported": 4},
    ]


def test_a_missing_drop_is_named_and_nothing_is_sent_until_the_gap_is_allowed(
    typed: Typed, target: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_night(tmp_path / "drops" / day(1), 1)
    template = f"{tmp_path}/drops/{{date}}/"
    assert run(typed, template, 0, 3) == 2
    said = capsys.readouterr().err
    assert "2024-05-01" in said
    assert "2024-05-03" in said
    assert reports(home) == []
    assert run(typed, template, 0, 3, "allow_gap=true") == 0
    said = capsys.readouterr().out
    assert "2024-05-01" in said
    assert "2024-05-03" in said
    (made,) = reports(home)
    assert made["rows"]["group_messages"] == {"imported": 4}


def test_a_drop_without_its_marker_is_waited_for_and_then_an_error(
    typed: Typed, target: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_night(tmp_path / "drops" / day(0), 0)
    given = (
        f"{tmp_path}/drops/{{date}}/",
        0,
        1,
        "ready_marker=_SUCCESS",
        "wait_for_export_seconds=1",
    )
    assert run(typed, *given) == 2
    assert "has no `_SUCCESS`" in capsys.readouterr().err
    (tmp_path / "drops" / day(0) / "_SUCCESS").touch()
    assert run(typed, *given) == 0
