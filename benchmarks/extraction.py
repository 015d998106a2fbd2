"""Measure extraction: rows per second and peak memory of the whole process tree, on generated neutral rows.

    .venv/bin/python benchmarks/extraction.py --rows 2000000

The export is made anew in a temporary folder: one `messages.jsonl` of about 260 bytes a row, conversations of
skewed sizes, a tenth of the rows one-to-one, times over a year and in no order. The same number of rows always
gives the same bytes.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from chat_migration.extraction import extract
from chat_migration.sources import open_source
from chat_migration.window import Window

WORDS = (
    "the",
    "tide",
    "turns",
    "at",
    "nine",
    "so",
    "moor",
    "her",
    "by",
    "north",
    "pier",
    "lines",
    "ashore",
)
START = datetime(2024, 1, 1, tzinfo=UTC)
MILLISECONDS = 365 * 86_400_000
SAMPLE_SECONDS = 0.1


def generate(folder: Path, rows: int) -> int:
    """Write the export; return its bytes."""
    draw = random.Random(20240501)
    groups = max(20, rows // 700)
    path = folder / "messages.jsonl"
    with path.open("w", encoding="utf-8", buffering=1 << 20) as out:
        for number in range(rows):
            out.write(_line(draw, number, groups))
    return path.stat().st_size


def _line(draw: random.Random, number: int, groups: int) -> str:
    sender = int(10_000 * draw.random() ** 2)
    sent = START + timedelta(milliseconds=int(draw.random() * MILLISECONDS))
    if draw.random() < 0.1:
        place = f'"recipient_id":"user-{(sender + 1 + int(9 * draw.random())) % 10_000:06d}"'
    else:
        place = f'"group_id":"group-{int(groups * draw.random() ** 3):06d}"'
    text = " ".join(draw.choices(WORDS, k=int(14 + 26 * draw.random())))
    return (
        f'{{"id":"m{number:010d}",{place},"sender_id":"user-{sender:06d}",'
        f'"sent_at":"{sent.isoformat(timespec="milliseconds")}","text":"{text}"}}\n'
    )


class PeakMemory:
    """The largest sum of resident bytes of this process and its children, sampled by a thread."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        root = psutil.Process()
        while not self._stop.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_resident, [root, *root.children(recursive=True)])))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def main() -> None:
    """Run the benchmark and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-limit", default="512MB")
    parser.add_argument("--folder", type=Path, help="where the export and the extract go, and stay")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        export = folder / f"export-{chosen.rows}"
        if not export.exists():
            export.mkdir(parents=True)
            generate(export, chosen.rows)
        size = (export / "messages.jsonl").stat().st_size
        read_at: list[float] = []
        started = time.monotonic()
        with PeakMemory() as memory:
            made = extract(
                open_source("neutral"),
                export,
                source_name="benchmark",
                window=Window(),
                stage_dir=folder / "stage",
                workers=chosen.workers,
                memory_limit=chosen.memory_limit,
                progress=lambda *_: read_at.append(time.monotonic()),
            )
        ended = time.monotonic()
        staged = sum(file.stat().st_size for file in made.files("messages"))
    table = Table(
        title=f"Extraction of {chosen.rows:,} rows ({size / 1e6:,.0f} MB), {chosen.workers} workers"
    )
    for name in ("rows/s", "seconds", "reading", "sorting, writing", "peak memory", "staged"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{chosen.rows / (ended - started):,.0f}", f"{ended - started:.1f}", f"{read_at[-1] - started:.1f}",
        f"{ended - read_at[-1]:.1f}", f"{memory.peak / 1e6:,.0f} MB", f"{staged / 1e6:,.0f} MB",
    )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
