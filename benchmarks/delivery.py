"""Measure delivery as users meet it: many groups, one-to-one, both, one hot group, a throttling service.

    .venv/bin/python benchmarks/delivery.py
    .venv/bin/python benchmarks/delivery.py groups hot --latency-ms 50

A sandbox with the vendor's rate limits runs as a process of its own; `chat-migration run` imports generated rows
into it, as a user would. Figures are taken at the server wherever it can say them. The ceiling is the budget
(190 calls/s) times what a call takes; a hot group's bound is its calls times what a bare client needs for one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from TLSSigAPIv2 import TLSSigAPIv2

import chat_sandbox

START_MS = 1_700_000_000_000
BUDGET = 190
PER_CALL = 7
THROTTLED_RATE = 150
"""What the service of the scenario "throttled" takes, less than the budget: calls per second."""
TEXT = "moor her by the north pier and bring both lines ashore"

Row = dict[str, Any]


def group_rows(groups: int, each: int, prefix: str = "g") -> Iterator[Row]:
    """Yield rows of some groups, a second and a half apart in each."""
    for number in range(groups * each):
        group, place = number % groups, number // groups
        yield {
            "id": f"{prefix}{number}", "group_id": f"{prefix}{group}", "sender_id": f"u{number % 97}",
            "sent_at": START_MS + place * 1500, "text": TEXT,
        }  # fmt: skip


def direct_rows(pairs: int, each: int) -> Iterator[Row]:
    """Yield rows of some pairs of people, in turns."""
    for number in range(pairs * each):
        pair, place = number % pairs, number // pairs
        people = (f"p{pair}", f"q{pair}")
        yield {
            "id": f"d{number}", "sender_id": people[place % 2], "recipient_id": people[1 - place % 2],
            "sent_at": START_MS + place * 1500, "text": TEXT,
        }  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """What is imported, and what is asked of it."""

    rows: Callable[[], Iterator[Row]]
    hot_rows: int = 0
    throttled: bool = False
    stopped_after: int = 0
    """Messages after which the run is asked to stop: what is measured is the memory of a large plan."""


def mixed_rows() -> Iterator[Row]:
    """Yield group and one-to-one rows that take both budgets about as long."""
    return chain(group_rows(200, 150), direct_rows(100, 40))


def hot_rows() -> Iterator[Row]:
    """Yield one long group and many short ones."""
    return chain(group_rows(1, 4200, "hot"), group_rows(200, 50))


SCENARIOS = {
    "groups": Scenario(partial(group_rows, 200, 200)),
    "one-to-one": Scenario(partial(direct_rows, 100, 50)),
    "mixed": Scenario(mixed_rows),
    "hot alone": Scenario(partial(group_rows, 1, 3500, "hot"), hot_rows=3500),
    "hot among others": Scenario(hot_rows, hot_rows=4200),
    "throttled": Scenario(partial(group_rows, 200, 100), throttled=True),
    "1 M planned": Scenario(partial(group_rows, 2000, 500), stopped_after=50_000),
}


def bare_call_ms(sandbox: chat_sandbox.SandboxHandle) -> float:
    """Return what a client needs for one call that does nothing but send such calls, the median, milliseconds."""
    app, parts = sandbox.app, urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    user_sig = TLSSigAPIv2(app.sdk_app_id, app.secret_key).gen_sig(app.admin)
    query = f"sdkappid={app.sdk_app_id}&identifier={app.admin}&usersig={user_sig}&random=1&contenttype=json"

    def call(command: str, body: Row) -> None:
        connection.request("POST", f"/v4/{command}?{query}", body=json.dumps(body))
        if (answer := json.loads(connection.getresponse().read()))["ErrorCode"]:
            raise RuntimeError(answer)

    call("im_open_login_svc/multiaccount_import", {"AccountList": [{"UserID": "bare"}]})
    group = {"Type": "Public", "GroupId": "bare", "Name": "bare", "CreateTime": START_MS // 1000}
    call("group_open_http_svc/import_group", group)
    times = []
    for number in range(80):
        messages = [
            {
                "From_Account": "bare", "SendTime": START_MS // 1000 + 1 + number * PER_CALL + place,
                "Random": number * PER_CALL + place + 1,
                "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": TEXT}}],
            }
            for place in range(PER_CALL)
        ]  # fmt: skip
        started = time.perf_counter()
        call("group_open_http_svc/import_group_msg", {"GroupId": "bare", "MsgList": messages})
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def run(
    export: Path, home: Path, sandbox: chat_sandbox.SandboxHandle, stopped_after: int = 0
) -> None:
    """Import the export by the command line, as a whole or until so many messages are in the target."""
    connection = {
        "conn_type": "tencent_chat", "host": sandbox.url, "login": sandbox.app.admin,
        "password": sandbox.app.secret_key, "extra": {"sdk_app_id": sandbox.app.sdk_app_id},
    }  # fmt: skip
    environment = os.environ | {
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
        "CHAT_MIGRATION_HOME": str(home),
    }
    command = [sys.executable, "-m", "chat_migration", "run", "--export", str(export)]
    if not stopped_after:
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and _messages(sandbox) < stopped_after:
        time.sleep(1)
    process.terminate()
    process.wait()


def _messages(sandbox: chat_sandbox.SandboxHandle) -> int:
    return int(sandbox.stats()["apis"].get("import_group_msg", {}).get("rows", 0))


def measure(name: str, scenario: Scenario, latency_ms: int) -> list[str]:
    """Run one scenario and return its row of the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        chat_sandbox.launch(retention_days=None, latency_ms=latency_ms) as sandbox,
    ):
        export, home = Path(folder, "export"), Path(folder, "home")
        export.mkdir()
        rows = 0
        with (export / "messages.jsonl").open("w", encoding="utf-8") as out:
            for row in scenario.rows():
                out.write(json.dumps(row) + "\n")
                rows += 1
        bare = bare_call_ms(sandbox) if scenario.hot_rows else 0.0
        if scenario.throttled:
            sandbox.set_rates(per_second={"import_group_msg": THROTTLED_RATE})
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(export, home, sandbox, scenario.stopped_after)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        apis = sandbox.stats()["apis"]
        memory = f"{after.ru_maxrss / 1024:,.0f} MB"
        if scenario.stopped_after:
            return [name, "", f"{rows:,} planned", *_peaks(apis), "", memory]
        (path,) = home.glob("runs/*/report.json")
        report = json.loads(path.read_text(encoding="utf-8"))
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = max(report["seconds"]["group"], report["seconds"]["direct"])
    return [
        name,
        f"{rows / seconds:,.0f}",
        _ceiling(scenario, report, rows, seconds, bare),
        *_peaks(apis),
        f"{processor / rows * 1000:.2f} ms",
        memory,
    ]


def _peaks(apis: Row) -> list[str]:
    """Return most calls in a second and throttled calls, of each API that takes messages."""
    writes = [apis[api] for api in ("import_group_msg", "importmsg") if api in apis]
    return [
        ", ".join(str(each[what]) for each in writes) for what in ("peak_per_second", "throttled")
    ]


def _ceiling(scenario: Scenario, report: Row, rows: int, seconds: float, bare: float) -> str:
    if scenario.hot_rows:
        calls = math.ceil(scenario.hot_rows / PER_CALL)
        each = seconds * 1000 / calls
        return f"{each:.1f} ms a call, {each / bare:.2f} x the {bare:.1f} ms of a bare client"
    group = report["rows"]["group_messages"].get("imported", 0)
    least = max(group / PER_CALL, rows - group) / BUDGET
    if scenario.throttled:
        return f"{least * BUDGET / THROTTLED_RATE / seconds:.1%} of {THROTTLED_RATE} calls/s"
    return f"{least / seconds:.1%} of the budget"


def main() -> None:
    """Measure the scenarios and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--latency-ms", type=int, default=50)
    given = parser.parse_args()
    table = Table(
        "scenario", "messages/s", "of the ceiling", "peak calls/s", "throttled", "processor a message", "memory"
    )  # fmt: skip
    for name in given.scenarios or SCENARIOS:
        table.add_row(*measure(name, SCENARIOS[name], given.latency_ms))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
