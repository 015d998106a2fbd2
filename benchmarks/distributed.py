"""Measure many machines against one: messages per second of two Celery workers, of one, and of the command line.

    .venv/bin/python benchmarks/distributed.py --groups 200 --rows 40000 --latency-ms 50

A sandbox with the vendor's rate limits runs as a process of its own. Workers are those of docker-compose.yaml: a
PostgreSQL ledger, the budget in Redis, a shared stage, Airflow's services, all of it started here for this measurement;
`tests/distributed/machines.py` says how. Times are the server's, from the first message call to the last.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import chat_sandbox

# Both are no installed packages: the repository's root is not on the path of a script in a folder of its own.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.distributed.machines import WORKERS, Machines, wait
from tests.distributed.one_process import single_process

API = "import_group_msg"
SHARDS = 4
BUDGET = 190
PER_CALL = 7
Measured = tuple[float, dict[str, Any], float]
"""Seconds of sending, what the server counted, seconds of the whole run."""
START_MS = 1_700_000_000_000


def generate(folder: Path, groups: int, rows: int) -> Path:
    """Write rows of about 150 bytes, spread evenly over groups, a second and a half apart."""
    folder.mkdir()
    with (folder / "messages.jsonl").open("w", encoding="utf-8") as out:
        for number in range(rows):
            row = {
                "id": str(number),
                "group_id": f"g{number % groups}",
                "sender_id": f"u{number % 97}",
                "sent_at": START_MS + number // groups * 1500,
                "text": "moor her by the north pier and bring both lines ashore",
            }
            out.write(json.dumps(row) + "\n")
    return folder


class Watch:
    """Waits for the first message at the server and looks again at the end: a look costs the server time."""

    def __init__(self, sandbox: chat_sandbox.SandboxHandle) -> None:
        self._sandbox = sandbox
        self._first = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def result(self) -> tuple[float, dict[str, Any]]:
        """Return how long the sending took, seconds, and what the server counted."""
        stats = self._sandbox.stats()
        return (max(_times(stats)) - self._first) / 1000, stats["apis"][API]

    def _look(self) -> None:
        while not self._first and not self._ended.wait(0.25):
            self._first = min(_times(self._sandbox.stats()), default=0)


def _times(stats: dict[str, Any]) -> list[int]:
    """Return when the last message calls came, epoch milliseconds."""
    return [each["at_ms"] for each in stats["recent_writes"] if each["api"] == API]


def command_line(export: Path, folder: Path, latency_ms: int) -> Measured:
    """Import by `chat-migration run` on one machine."""
    with (
        chat_sandbox.launch(retention_days=None, latency_ms=latency_ms) as sandbox,
        Watch(sandbox) as watch,
    ):
        started = time.monotonic()
        folder.mkdir()
        with single_process(export, folder, sandbox, "bench") as finish:
            finish()
        return *watch.result(), time.monotonic() - started


def by_workers(export: Path, folder: Path, latency_ms: int, workers: Sequence[str]) -> Measured:
    """Import by the DAG over some workers."""
    with Machines(folder, workers=workers, latency_ms=latency_ms) as machines:
        machines.begin()
        with Watch(machines.sandbox) as watch:
            started = time.monotonic()
            machines.trigger("bench", source="neutral", export_path=str(export), shards=SHARDS)
            state = wait(lambda: machines.ended("bench"), seconds=1200, says=machines.told)
        if state != "success":
            raise RuntimeError(machines.told())
        return *watch.result(), time.monotonic() - started


def main() -> None:
    """Measure each once and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--latency-ms", type=int, default=50)
    given = parser.parse_args()
    ways: dict[str, Callable[..., Measured]] = {
        "one process, SQLite, no Airflow": command_line,
        "one worker": partial(by_workers, workers=WORKERS[:1]),
        "two workers": partial(by_workers, workers=WORKERS),
    }
    table = Table(
        "machines", "messages/s", "of the ceiling", "peak calls/s", "throttled", "whole run"
    )
    for name, way in ways.items():
        with tempfile.TemporaryDirectory() as place:
            export = generate(Path(place, "export"), given.groups, given.rows)
            seconds, counts, whole = way(export, Path(place, "here"), given.latency_ms)
        rate = given.rows / seconds
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{rate / (BUDGET * PER_CALL):.1%}",
            str(counts["peak_per_second"]),
            str(counts["throttled"]),
            f"{whole:.0f} s",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
