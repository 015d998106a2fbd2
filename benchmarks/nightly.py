"""Measure what reading the last night of a long history costs, against a first night of as many rows.

    .venv/bin/python benchmarks/nightly.py --rows 5000000 --files 500

A history of dated files (`messages/2024-01-01.jsonl`, one a day) beside tables of people, groups and members is made
in a temporary folder and read once, as the run over the history does. Then, night by night, comes one file more and
the run of that night is measured. The first night is such a file alone in a fresh folder. Each reading is a process of
its own, as a task is; seconds and processor time are those of the reading, without the start of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chat_migration.clock import SystemClock
from chat_migration.extraction import extract
from chat_migration.extraction.run import versions_of
from chat_migration.home import Home
from chat_migration.sources import open_source
from chat_migration.store.file_index import FileIndex
from chat_migration.store.stage import open_stage
from chat_migration.window import RunWindow, Window

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z."""
WORDS = ("tide", "turns", "at", "nine", "so", "moor", "her", "by", "north", "pier", "lines")
PEOPLE, GROUPS, MEMBERS = 10_000, 7_000, 5
LOOKBACK_DAYS = 2
ALLOWED = 2.0
"""The last night may cost this many times the first."""


def write_tables(export: Path) -> None:
    """Write people, groups and members; a third of the members has unread messages."""
    draw = random.Random(1)
    people = ({"id": f"user-{number:06d}", "name": f"User {number}"} for number in range(PEOPLE))
    groups = ({"id": f"group-{number:06d}", "name": f"Group {number}"} for number in range(GROUPS))
    members = (
        {
            "group_id": f"group-{number:06d}",
            "user_id": f"user-{(number * MEMBERS + place) % PEOPLE:06d}",
            "unread_count": draw.choice((0, 0, 3)),
        }
        for number in range(GROUPS)
        for place in range(MEMBERS)
    )
    for name, rows in (("users", people), ("groups", groups), ("members", members)):
        with (export / f"{name}.jsonl").open("w") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)


def write_day(export: Path, day: int, rows: int) -> None:
    """Write the messages of one day; the same day always gets the same bytes."""
    draw = random.Random(day)
    folder = export / "messages"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{_text(START_MS + day * DAY_MS)[:10]}.jsonl").open("w") as out:
        for number in range(rows):
            sent = START_MS + day * DAY_MS + number * DAY_MS // rows
            text = " ".join(draw.choices(WORDS, k=int(14 + 26 * draw.random())))
            sender = int(PEOPLE * draw.random() ** 2)
            out.write(
                f'{{"id":"m{day}-{number:07d}","group_id":"group-{int(GROUPS * draw.random() ** 3):06d}",'
                f'"sender_id":"user-{sender:06d}","sent_at":"{_text(sent)}","text":"{text}"}}\n'
            )


def _text(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat(timespec="milliseconds")


def read_window(home: Path, export: Path, first_day: int | None, end_day: int) -> dict[str, float]:
    """Read one window in a process of its own; return what it says of itself."""
    start = "" if first_day is None else str(START_MS + first_day * DAY_MS)
    words = [str(home), str(export), start, str(START_MS + end_day * DAY_MS)]
    done = subprocess.run(
        [sys.executable, __file__, "--read", *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "CHAT_MIGRATION_HOME": str(home)},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def read(home: str, export: str, start: str, end: str) -> None:
    """Read one window here and print figures; for the process of one reading."""
    del home
    start_ms, source = int(start) if start else None, open_source("neutral")
    back = None if start_ms is None else start_ms - LOOKBACK_DAYS * DAY_MS
    place = Home.from_environment().create()
    stage = open_stage(place, SystemClock())
    began, used = time.perf_counter(), _processor()
    index = FileIndex(stage, source_name="neutral", export_path=export, reader=versions_of(source))
    made = extract(
        source,
        export,
        source_name="neutral",
        window=RunWindow(window=Window(start_ms, int(end)), lookback_start_ms=back),
        stage_dir=place.stage,
        index=index,
    )
    figures = {
        "seconds": time.perf_counter() - began,
        "processor": _processor() - used,
        "rows": made.messages,
        "outside": made.manifest.outside_window,
        "skipped": made.manifest.skipped_files,
    }
    print(json.dumps(figures))


def _processor() -> float:
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def measure(folder: Path, rows: int, files: int, nights: int, console: Console) -> float:
    """Show each reading; return how many times the first night the last one costs."""
    table = Table(
        "", "rows staged", "files left out", "seconds", "processor seconds", "in the export"
    )

    def show(name: str, found: dict[str, float]) -> dict[str, float]:
        table.add_row(
            name, f"{found['rows']:,}", f"{found['skipped']:,}", f"{found['seconds']:.2f}",
            f"{found['processor']:.2f}", f"{found['rows'] + found['outside']:,}",
        )  # fmt: skip
        return found

    a_night = rows // files
    export = folder / "export"
    export.mkdir()
    write_tables(export)
    for day in range(files):
        write_day(export, day, a_night)
    show("the history", read_window(folder / "home", export, None, files))
    last = []
    for day in range(files, files + nights):
        write_day(export, day, a_night)
        last.append(show(f"night {day + 1}", read_window(folder / "home", export, day, day + 1)))
    first = []
    for turn in range(nights):
        alone = folder / f"alone-{turn}"
        alone.mkdir()
        write_tables(alone)
        write_day(alone, files, a_night)
        home = folder / f"home-{turn}"
        first.append(show("the first night", read_window(home, alone, None, files + 1)))
    console.print(table)
    # Processor time, because seconds depend on what else the machine does.
    return statistics.median(each["processor"] for each in last) / statistics.median(
        each["processor"] for each in first
    )


def main() -> int:
    """Measure and print; return 1 if the last night costs too much."""
    if sys.argv[1:2] == ["--read"]:
        read(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--nights", type=int, default=5)
    given = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="chat-migration-nightly-") as folder:
        ratio = measure(Path(folder), given.rows, given.files, given.nights, console)
    console.print(
        f"the last night costs {ratio:.2f} times the processor time of the first (allowed: {ALLOWED})"
    )
    return 0 if ratio < ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
