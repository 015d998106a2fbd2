"""Measure delivery: messages per second against the ceiling, processor time and memory of one run.

    .venv/bin/python benchmarks/delivery.py --groups 200 --rows 40000 --latency-ms 50

A sandbox with the vendor's rate limits runs as a process of its own; `chat-migration run` imports generated rows
into it, as a user would. The ceiling is the budget (190 calls/s) times 7 group messages a call.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import chat_sandbox

START_MS = 1_700_000_000_000
BUDGET = 190
PER_CALL = 7


def generate(folder: Path, groups: int, rows: int) -> None:
    """Write rows of about 150 bytes, spread evenly over groups, a second and a half apart."""
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


def run(export: Path, home: Path, sandbox: chat_sandbox.SandboxHandle) -> None:
    """Import the export by the command line."""
    connection = {
        "conn_type": "tencent_chat",
        "host": sandbox.url,
        "login": sandbox.app.admin,
        "password": sandbox.app.secret_key,
        "extra": {"sdk_app_id": sandbox.app.sdk_app_id},
    }
    environment = os.environ | {
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
        "CHAT_MIGRATION_HOME": str(home),
    }
    command = [sys.executable, "-m", "chat_migration", "run", "--export", str(export)]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def main() -> None:
    """Measure once and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--latency-ms", type=int, default=50)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        chat_sandbox.launch(retention_days=None, latency_ms=given.latency_ms) as sandbox,
    ):
        export, home = Path(folder, "export"), Path(folder, "home")
        export.mkdir()
        generate(export, given.groups, given.rows)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run(export, home, sandbox)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        (path,) = home.glob("runs/*/report.json")
        report = json.loads(path.read_text(encoding="utf-8"))
        calls = sandbox.stats()["apis"]["import_group_msg"]
    seconds = report["seconds"]["group"]
    rate = given.rows / seconds
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    table = Table("what", "figure")
    table.add_row("messages/s while sending", f"{rate:,.0f}")
    table.add_row(
        "share of the ceiling", f"{rate / (BUDGET * PER_CALL):.1%} of {BUDGET * PER_CALL:,}/s"
    )
    table.add_row("peak calls/s at the server", str(calls["peak_per_second"]))
    table.add_row("throttled calls", str(calls["throttled"]))
    table.add_row("processor time a message, whole run", f"{processor / given.rows * 1000:.2f} ms")
    table.add_row("peak memory", f"{after.ru_maxrss / 1024:,.0f} MB")
    table.add_row("whole run", f"{wall:.1f} s")
    Console().print(table)


if __name__ == "__main__":
    main()
