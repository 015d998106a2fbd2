"""Runs the services of docker-compose.yaml on this machine: their commands, environments and health checks.

No container engine is needed. What a container would have at its own place (paths, ports, host names, databases)
is put elsewhere by plain replacement; everything else is as the file says. PostgreSQL is this machine's own, at
127.0.0.1; Redis is started here, by the service's own command.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.deployment.compose_file import ROOT, compose, filled_example, seconds

from chat_sandbox.config import DEFAULT_APP

BIN = Path(sys.executable).parent
DATABASES = ROOT / "deploy" / "postgres" / "10-databases.sql"
SUPERUSER = {"PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGDATABASE": "postgres"}
_SECRET = "0123456789abcdef" * 4
_FERNET_KEY = "bWFkZS11cC1rZXktb2Ytbm8tdmFsdWUtMDEyMzQ1Njc="


def free_port() -> int:
    """Return a port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def psql(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run psql as the superuser of this machine's PostgreSQL; a server that is missing fails the test."""
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--tuples-only", "--no-align", *arguments],
        env=os.environ | SUPERUSER | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class LocalStack:
    """The services of one compose file, started one by one; a context manager that stops them all."""

    folder: Path
    tag: str = field(default_factory=lambda: f"deployment_{os.getpid()}")
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.airflow_db, self.ledger_db = f"{self.tag}_airflow", f"{self.tag}_ledger"
        self.ports = {name: free_port() for name in ("redis", "api", "scheduler", "log", "sandbox")}
        self.logs = self.folder / "logs"
        for each in (self.logs, self.folder / "auth", self.folder / "airflow"):
            each.mkdir(parents=True)
        shutil.copyfile(ROOT / "deploy" / "settings.yaml", self.folder / "settings.yaml")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def service(self, name: str) -> dict[str, Any]:
        """Return a service as the compose file has it, with this machine's places in it."""
        env = filled_example() | {
            "AIRFLOW_FERNET_KEY": _FERNET_KEY,
            "AIRFLOW_JWT_SECRET": _SECRET,
            "AIRFLOW_API_SECRET_KEY": _SECRET,
            "POSTGRES_HOST": "127.0.0.1",
            "REDIS_HOST": "127.0.0.1",
            "AIRFLOW_INTERNAL_URL": f"http://127.0.0.1:{self.ports['api']}",
            "AIRFLOW_PUBLIC_URL": f"http://127.0.0.1:{self.ports['api']}",
            "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(self._connection()),
        }
        return self._placed(compose(env)["services"][name])

    def _connection(self) -> dict[str, Any]:
        return {
            "conn_type": "tencent_chat",
            "host": f"http://127.0.0.1:{self.ports['sandbox']}",
            "login": DEFAULT_APP.admin,
            "password": DEFAULT_APP.secret_key,
            "extra": {"sdk_app_id": DEFAULT_APP.sdk_app_id},
        }

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service's process: the file's, and nothing inherited that matters."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "_AIRFLOW", "CHAT_MIGRATION", "PYTHON", "PG", "AWS"))
        }
        given = {key: str(value) for key, value in self.service(name)["environment"].items()}
        return (
            kept
            | {
                "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
                "AIRFLOW_HOME": str(self.folder / "airflow"),
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(
                    self.ports["scheduler"]
                ),
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.ports["log"]),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            }
            | given
        )

    def create_databases(self) -> None:
        """Run the script that PostgreSQL's image runs; drop both databases and owners at the end."""
        self._stack.callback(self._drop_databases)
        names = {"AIRFLOW_DB": self.airflow_db, "LEDGER_DB": self.ledger_db}
        given = dict.fromkeys(("AIRFLOW_DB_PASSWORD", "LEDGER_DB_PASSWORD"), "made-up")
        psql("--quiet", "--file", str(DATABASES), env=names | given)

    def run_once(self, name: str, *, within: float) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return subprocess.run(
            self.service(name)["command"],
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service; its log is ``logs/<name>.log``."""
        log = self._stack.enter_context((self.logs / f"{name}.log").open("ab"))
        running = subprocess.Popen(
            self.service(name)["command"],
            env=self.environment(name),
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._stack.callback(_stop, running)
        return running

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service's health check once, as the engine would."""
        check = self.service(name)["healthcheck"]
        return subprocess.run(
            argv(check["test"]),
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=2 * seconds(check["timeout"]),
            check=False,
        )

    def wait_until_healthy(
        self, name: str, running: subprocess.Popen[bytes], *, within: float
    ) -> None:
        """Repeat a service's health check until it passes."""
        deadline = time.monotonic() + within
        while (seen := self.health(name)).returncode:
            log = (self.logs / f"{name}.log").read_text(errors="replace")[-3000:]
            assert running.poll() is None, f"{name} ended with {running.returncode}: {log}"
            assert time.monotonic() < deadline, f"{name}: {seen.stdout}{seen.stderr}\n{log}"
            time.sleep(0.5)

    def log(self, name: str) -> str:
        """Return what a service has logged."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def _drop_databases(self) -> None:
        for name in (self.airflow_db, self.ledger_db):
            psql("--command", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            psql("--command", f"DROP ROLE IF EXISTS {name}")

    def _placed(self, tree: Any) -> Any:
        if isinstance(tree, Mapping):
            return {key: self._placed(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self._placed(value) for value in tree]
        return self._place(tree) if isinstance(tree, str) else tree

    def _place(self, text: str) -> str:
        for there, here in (
            *(
                (f"/opt/airflow/{each}", ROOT / each)
                for each in ("dags", "plugins", "include", "deploy")
            ),
            ("/opt/airflow", self.folder),
            ("/srv", self.folder / "srv"),
            ("//airflow:", f"//{self.airflow_db}:"),
            (":5432/airflow", f":5432/{self.airflow_db}"),
            ("//ledger:", f"//{self.ledger_db}:"),
            (":5432/ledger", f":5432/{self.ledger_db}"),
            ("6379", self.ports["redis"]),
            ("8080", self.ports["api"]),
            ("8974", self.ports["scheduler"]),
            ("9700", self.ports["sandbox"]),
        ):
            text = text.replace(there, str(here))
        return text


def argv(test: Sequence[str]) -> list[str]:
    """Return the command of a health check."""
    kind, *rest = test
    return ["/bin/sh", "-c", *rest] if kind == "CMD-SHELL" else list(rest)


def _stop(running: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        running.terminate()
    with suppress(subprocess.TimeoutExpired):
        running.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(running.pid, 9)
    running.wait()
