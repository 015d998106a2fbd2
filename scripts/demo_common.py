"""What the demo and the local Airflow share: one folder, one sandbox, one environment.

Everything lies under one home folder and every port is this machine's loopback.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DEFAULT_HOME = REPOSITORY / "var" / "demo"

SANDBOX_PORT = 9700
SDK_APP_ID = 1_400_000_001
SECRET_KEY = "demo-secret-key-of-no-value-00000000000000000000000000000000"  # noqa: S105 - opens nothing but the sandbox
ADMIN = "administrator"
ZIM_APP_ID = 1_900_000_001
SERVER_SECRET = "00000000000000000000000000000000"  # noqa: S105 - likewise
ZIM_RETENTION_DAYS = 360

_STOP_SECONDS = 20


class DemoError(Exception):
    """The demo cannot go on; the text says what to do."""


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold a home for this process alone: two sandboxes on one state would overwrite each other.

    Raises:
        DemoError: another process has it.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"`make demo` or `make up` is already running in {home}. Stop it first."
            raise DemoError(message) from None
        yield


def free_port(preferred: int) -> int:
    """Return a port of the loopback that nobody uses: the preferred one if it is free (0: any)."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    message = "No port of 127.0.0.1 is free."
    raise DemoError(message)


@contextmanager
def sandbox(home: Path, port: int = SANDBOX_PORT) -> Iterator[str]:
    """Run the sandbox, with its state in the home; give its base URL.

    Raises:
        DemoError: it does not start; the text names its log.
    """
    port = free_port(port)
    ready, log = home / "sandbox.ready", home / "logs" / "sandbox.log"
    ready.unlink(missing_ok=True)
    command = [
        str(BIN / "chat-sandbox"),
        *("--port", str(port), "--state", str(home / "sandbox"), "--ready-file", str(ready)),
        *("--app", f"{SDK_APP_ID}:{SECRET_KEY}:{ADMIN}"),
        *("--retention-days", "0"),  # the exports are years old
        *("--zim-app", f"{ZIM_APP_ID}:{SERVER_SECRET}"),
        *("--zim-retention-days", str(ZIM_RETENTION_DAYS)),
    ]
    with logged(log) as output, process(command, output, os.environ.copy()) as server:
        wait_for(ready.exists, server, "The sandbox", log, seconds=30)
        yield ready.read_text(encoding="utf-8").strip()


def environment(home: Path, sandbox_url: str) -> dict[str, str]:
    """Return the environment of Airflow in this home: nothing inherited that would change the result."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "CHAT_MIGRATION_", "_AIRFLOW"))
    }
    sandbox = {"description": "The sandbox on this machine", "host": sandbox_url}
    tencent = {
        "conn_type": "tencent_chat",
        **sandbox,
        "login": ADMIN,
        "password": SECRET_KEY,
        "extra": {"sdk_app_id": SDK_APP_ID},
    }
    zim = {
        "conn_type": "zim",
        **sandbox,
        "login": str(ZIM_APP_ID),
        "password": SERVER_SECRET,
        "extra": {"retention_days": ZIM_RETENTION_DAYS},
    }
    return kept | {
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(tencent),
        "AIRFLOW_CONN_ZIM_DEFAULT": json.dumps(zim),
        "CHAT_MIGRATION_HOME": str(home),
    }


def fetch(url: str) -> bytes:
    """Return what a server of the demo answers; raises OSError like any socket."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http:// URLs
        return bytes(answer.read())


@contextmanager
def logged(path: Path) -> Iterator[IO[bytes]]:
    """Open a log for a process to append to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as output:
        yield output


@contextmanager
def process(
    command: list[str],
    output: IO[bytes],
    env: dict[str, str],
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own, so that Ctrl-C reaches us alone; stop it and all it started."""
    running = subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            running.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            running.wait(_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def wait_for(
    ready: Callable[[], bool],
    server: subprocess.Popen[bytes],
    what: str,
    log: Path,
    *,
    seconds: float,
) -> None:
    """Wait until a server is ready.

    Raises:
        DemoError: it ended, or is not ready in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if server.poll() is not None:
            message = f"{what} ended with exit code {server.returncode}. Its log: {log}"
            raise DemoError(message)
        if time.monotonic() > deadline:
            message = f"{what} is not ready after {seconds:.0f} s. Its log: {log}"
            raise DemoError(message)
        time.sleep(0.1)
