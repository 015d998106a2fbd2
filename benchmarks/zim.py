"""Measure imports into ZIM, one message a call and 20 calls a second, by one process and by two at once.

    .venv/bin/python benchmarks/zim.py
    .venv/bin/python benchmarks/zim.py groups --seconds 120

``chat-migration run`` against the sandbox as a process of its own, its rate limits on, each reply held back. The rows
are enough for the given seconds at the budget. Two processes import two exports into one app at the same time and
share the budget, which lies in Redis (``--redis``, or ``CHAT_MIGRATION_BUDGET_URL``).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import chat_sandbox

BUDGET = 19
LATENCY_MS = 50
GROUP, DIRECT = "ImportGroupMsg", "ImportPeerMsg"
Row = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """What is imported: ``groups`` and ``pairs`` are conversations of each process."""

    groups: int = 0
    pairs: int = 0
    processes: int = 1


SCENARIOS = {
    "groups": Scenario(groups=40),
    "one-to-one": Scenario(pairs=40),
    "both at once": Scenario(groups=40, pairs=40),
    "groups, two processes": Scenario(groups=20, processes=2),
}


def rows(scenario: Scenario, number: int, seconds: int) -> Iterator[Row]:
    """Yield the messages of one process, of the last day, in turns between its conversations."""
    start = (int(time.time()) - 86_400) * 1000
    calls = BUDGET * seconds // scenario.processes
    for place in range(calls if scenario.groups else 0):
        group = f"p{number}g{place % scenario.groups}"
        yield {"id": f"{number}-{place}", "group_id": group, "sender_id": "ada",
               "sent_at": start + place * 10, "text": f"message {place}"}  # fmt: skip
    for place in range(calls // 2 if scenario.pairs else 0):
        yield {"id": f"{number}-d{place}", "sender_id": f"p{number}u{place % scenario.pairs}",
               "recipient_id": "bob", "sent_at": start + place * 10, "text": f"message {place}"}  # fmt: skip


def start(
    folder: Path, number: int, sandbox: chat_sandbox.SandboxHandle, budget: str
) -> subprocess.Popen[bytes]:
    """Start one process over the export in its folder."""
    app = sandbox.zim.app
    connection = {
        "conn_type": "zim", "host": sandbox.url, "login": str(app.app_id), "password": app.server_secret,
        "extra": {"retention_days": 7},
    }  # fmt: skip
    environment = os.environ | {
        "AIRFLOW_CONN_ZIM_DEFAULT": json.dumps(connection),
        "CHAT_MIGRATION_HOME": str(folder / "home"),
    }
    if budget:
        environment["CHAT_MIGRATION_BUDGET_URL"] = budget
    command = [sys.executable, "-m", "chat_migration", "run", "--target", "zim"]
    command += ["--export", str(folder / "export"), "--param", "clear_unread=none"]
    command += ["--run-id", f"bench-{number}"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def measure(name: str, scenario: Scenario, seconds: int, redis: str) -> list[str]:
    """Run one scenario and return its row of the table."""
    # A project of its own, so that the budget in Redis is a new one each time.
    project = chat_sandbox.ZimCredentials(
        app_id=secrets.randbelow(2**31) + 1, server_secret=secrets.token_hex(16)
    )
    with (
        tempfile.TemporaryDirectory() as at,
        chat_sandbox.launch(latency_ms=LATENCY_MS, zim_apps=(project,)) as sandbox,
    ):
        total: dict[str, int] = {GROUP: 0, DIRECT: 0}
        folders = []
        for number in range(scenario.processes):
            folder = Path(at, str(number))
            (folder / "export").mkdir(parents=True)
            made = list(rows(scenario, number, seconds))
            total[GROUP] += sum("group_id" in each for each in made)
            total[DIRECT] += sum("recipient_id" in each for each in made)
            lines = "".join(json.dumps(each) + "\n" for each in made)
            (folder / "export" / "messages.jsonl").write_text(lines, encoding="utf-8")
            folders.append(folder)
        running = [
            start(folder, number, sandbox, redis if scenario.processes > 1 else "")
            for number, folder in enumerate(folders)
        ]
        for each in running:
            if each.wait():
                raise SystemExit(f"{name}: a run ended with {each.returncode}")
        stats = sandbox.stats()
        took = max(_stage_seconds(each) for each in folders)
    apis = [stats["apis"][api] for api in (GROUP, DIRECT) if api in stats["apis"]]
    calls = max(total[GROUP], 2 * total[DIRECT])
    return [
        name,
        f"{sum(total.values()) / took:.1f}",
        f"{calls / took / BUDGET:.1%}",
        ", ".join(str(each["peak_per_second"]) for each in apis),
        ", ".join(str(each["throttled"]) for each in apis),
    ]


def _stage_seconds(folder: Path) -> float:
    (path,) = folder.glob("home/runs/*/report.json")
    seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    return float(max(seconds["group"], seconds["direct"]))


def main() -> None:
    """Measure the scenarios and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--redis",
        default=os.environ.get("CHAT_MIGRATION_BUDGET_URL", "redis://127.0.0.1:6379/0"),
    )
    given = parser.parse_args()
    table = Table("scenario", "messages/s", "of the budget", "peak calls/s", "throttled")
    for name in given.scenarios or SCENARIOS:
        table.add_row(*measure(name, SCENARIOS[name], given.seconds, given.redis))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
