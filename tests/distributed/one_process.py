"""An import by one process, as a person starts it: what the many machines are compared with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chat_sandbox import SandboxHandle

Report = dict[str, Any]


@contextmanager
def single_process(
    export: Path, folder: Path, sandbox: SandboxHandle, run_id: str, **environment: str
) -> Iterator[Callable[[], Report]]:
    """Start ``chat-migration run`` in one process; give what waits for its end and returns its report."""
    app = sandbox.app
    connection = {
        "conn_type": "tencent_chat",
        "host": sandbox.url,
        "login": app.admin,
        "password": app.secret_key,
        "extra": {"sdk_app_id": app.sdk_app_id},
    }
    home, log = folder / "home" / run_id, folder / f"{run_id}.log"
    given = os.environ | {
        "CHAT_MIGRATION_HOME": str(home),
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
        **environment,
    }
    command = [sys.executable, "-m", "chat_migration", "run", "--source", "neutral"]
    command += ["--export", str(export), "--run-id", run_id]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, env=given, stdin=subprocess.DEVNULL, stdout=written, stderr=written
        )

    def finish() -> Report:
        assert process.wait(240) == 0, log.read_text()[-3000:]
        report: Report = json.loads((home / "runs" / run_id / "report.json").read_text())
        return report

    try:
        yield finish
    finally:
        process.kill()
        process.wait()
