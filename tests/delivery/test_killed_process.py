"""The command line, killed for real in the middle of its work and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import assert_holds

import chat_sandbox
from chat_sandbox import SandboxHandle

ROOT = Path(__file__).resolve().parents[2]
GIVE_UP_SECONDS = 60.0


def town() -> NeutralExport:
    """Enough calls for a process to be met in the middle of any stage."""
    people = [f"user{number}" for number in range(6)]
    export = NeutralExport().user(*people)
    for number in range(4):
        export.group(f"group{number}", *people, type="public")
        for row in range(60):
            export.say(f"group{number}", people[row % 6], at(row * 2 + number / 10))
        for each in people:
            export.member(f"group{number}", each, unread_count=number + 2)
    for row in range(20):
        export.tell(people[row % 2], people[1 - row % 2], at(row / 3))
    return export


def start(sandbox: SandboxHandle, home: Path, export: Path) -> subprocess.Popen[bytes]:
    app = sandbox.app
    connection = {
        "conn_type": "tencent_chat",
        "host": sandbox.url,
        "login": app.admin,
        "password": app.secret_key,
        "extra": {"sdk_app_id": app.sdk_app_id, "parallel_calls": 2, "timeout_seconds": 3.5},
    }
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "include"),
        "CHAT_MIGRATION_HOME": str(home),
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
    }
    command = [sys.executable, "-m", "chat_migration", "run", "--target", "tencent"]
    command += ["--source", "neutral", "--export", str(export)]
    with (home.parent / "output").open("wb") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


def test_a_process_killed_among_the_messages_and_among_the_counts_is_made_good_by_the_next(
    tmp_path: Path,
) -> None:
    export = town()
    path = export.write(tmp_path / "export")
    output = tmp_path / "output"
    with chat_sandbox.running(retention_days=None, rate_limits=False, latency_ms=4) as sandbox:
        for api, calls in (("import_group_msg", 15), ("set_unread_msg_num", 8)):
            process = start(sandbox, tmp_path / "home", path)
            deadline = time.monotonic() + GIVE_UP_SECONDS
            while sandbox.calls(api) < calls:
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.kill()
            process.wait()
        last = start(sandbox, tmp_path / "home", path)
        assert last.wait(GIVE_UP_SECONDS) == 0, output.read_text()
        assert_holds(sandbox.dump(), export)
        assert sandbox.app.secret_key not in output.read_text()
