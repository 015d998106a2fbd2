"""Airflow on this machine as users run it, service by service: SQLite, LocalExecutor, no log-in on the loopback."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.deployment.local_stack import free_port
from tests.scheduler.one_dag import DAG, OneDag, backfill_command, wait
from tests.scheduler.simulated_calendar import SimulatedCalendar

from chat_migration.home import Home
from chat_sandbox import SandboxHandle

BIN = Path(sys.executable).parent
SERVICES = ("api-server", "dag-processor", "triggerer", "scheduler")

_PAGER = """import json, os

def page(notice):
    fields = ("kind", "run_id", "task", "what", "advice")
    with open(os.environ["PAGER_FILE"], "a") as file:
        file.write(json.dumps({name: getattr(notice, name) for name in fields}) + "\\n")
"""


@dataclass
class RunningAirflow(OneDag):
    """Airflow's services over one folder; a context manager that leaves no process behind."""

    folder: Path
    sandbox: SandboxHandle
    zone: str = "UTC"
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._port = free_port()
        self.home = self.folder / "home"
        self.logs = self.folder / "logs"
        for name in ("modules", "logs"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "modules" / "pager.py").write_text(_PAGER)
        self._calendar = SimulatedCalendar(self.folder, self.zone)
        self._environment = self._make_environment()

    def __enter__(self) -> Self:
        try:
            (self.folder / "settings.yaml").write_text(json.dumps(self.settings))
            done = self.airflow("db", "migrate")
            assert done.returncode == 0, done.stderr[-3000:]
            for name in SERVICES:
                self.start(name)
            wait(self._logged_in, seconds=300, says=self.told)
            wait(lambda: self.api("GET", "")[0] == 200, seconds=300, says=self.told)
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def url(self) -> str:
        """Return where Airflow answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes, which is that of a command line beside them too."""
        return dict(self._environment)

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.stop(name)
        self._stack.close()

    # --- services -----------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a service; its log is ``logs/<name>.log``."""
        log = self._stack.enter_context((self.logs / f"{name}.log").open("ab"))
        self.running[name] = subprocess.Popen(
            [str(BIN / "airflow"), name],
            env=self._environment,
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self, name: str) -> None:
        """Stop a service and all that it started."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def airflow(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run an ``airflow`` command to its end."""
        return subprocess.run(
            [str(BIN / "airflow"), *command],
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    # --- the DAG ------------------------------------------------------------------------------------

    def set_clock(self, now: str) -> None:
        """Move the simulated clock."""
        self._calendar.set(now)

    def backfill(self, first: datetime, last: datetime) -> None:
        """Create a backfill of the nights that begin at these instants, while the DAG is paused.

        The command reads and then writes in one transaction, which SQLite refuses at once, whatever its timeout, where
        another has written in between. Then half a backfill may be left: docs/operations.md says what to do, and with
        the DAG paused none of its runs begins meanwhile.
        """
        _, *command = backfill_command(first, last, "--reprocess-behavior", "completed")
        for _ in range(5):
            done = self.airflow(*command)
            if done.returncode == 0 or "database is locked" not in done.stdout + done.stderr:
                break
            self._cancel_half_a_backfill()
        assert done.returncode == 0, done.stdout + done.stderr

    def _cancel_half_a_backfill(self) -> None:
        def cancelled() -> bool:
            status, found = self.call("GET", f"/api/v2/backfills?dag_id={DAG}")
            half = [each["id"] for each in found.get("backfills", []) if not each["completed_at"]]
            for each in half:
                self.call("PUT", f"/api/v2/backfills/{each}/cancel")
            return status == 200 and not half

        wait(cancelled, seconds=60, says=self.told)

    def end_of(self, run_id: str, *, seconds: float = 300) -> str:
        """Wait for the end of a run, and return how it ended. A task that fails, even once, ends the wait."""

        def found() -> str:
            assert "up_for_retry" not in self.tasks(run_id).values(), self.failure(run_id)
            return self.ended(run_id)

        return wait(found, seconds=seconds, says=self.told)

    def has_let_go(self, run_id: str, task: str) -> bool:
        """Tell whether the scheduler has seen the process of a task's last try end."""
        number = self.api("GET", f"/dagRuns/{run_id}/taskInstances/{task}")[1].get("try_number")
        key = f"task_id='{task}', run_id='{run_id}', try_number={number}, "
        return any(
            "executor event with state success" in line and key in line
            for line in (self.logs / "scheduler.log").read_text(errors="replace").splitlines()
        )

    def notices(self, run_id: str) -> list[dict[str, str]]:
        """Return what people were told of a run, in its order."""
        file = self.folder / "pages.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [each for line in lines if (each := json.loads(line))["run_id"] == run_id]

    def run_files(self, run_id: str) -> Path:
        """Return the folder of a run's report and rejected rows."""
        return Home.from_environment({"CHAT_MIGRATION_HOME": str(self.home)}).run_folder(run_id)

    def told(self) -> str:
        """Return what a person would look at first when something fails."""
        return "\n".join(
            f"--- {name}\n{(self.logs / f'{name}.log').read_text(errors='replace')[-2500:]}"
            for name in SERVICES
            if (self.logs / f"{name}.log").exists()
        )

    def _logged_in(self) -> bool:
        status, answer = self.call("GET", "/auth/token")
        self.token = answer.get("access_token", "")
        return status == 201 or bool(self.token)

    def _make_environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "_AIRFLOW", "CHAT_MIGRATION", "PYTHON"))
        }
        app = self.sandbox.app
        connection = {
            "conn_type": "tencent_chat",
            "host": self.sandbox.url,
            "login": app.admin,
            "password": app.secret_key,
            "extra": {"sdk_app_id": app.sdk_app_id},
        }
        return (
            kept
            | self._calendar.environment()
            | {
                "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
                "PYTHONPATH": str(self.folder / "modules"),
                "CHAT_MIGRATION_NOTIFY": "pager.page",
                "PAGER_FILE": str(self.folder / "pages.jsonl"),
                "AIRFLOW_HOME": str(self.folder / "airflow"),
                # SQLite's own 5 s are little for a machine that is busy with all of this.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder}/airflow.db?timeout=60",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": "3",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(self._port),
                "AIRFLOW__API__BASE_URL": self.url,
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
                "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
                "CHAT_MIGRATION_HOME": str(self.home),
                "CHAT_MIGRATION_CONFIG": str(self.folder / "settings.yaml"),
            }
            | self.variables
        )
