"""Airflow on this machine as users run it, service by service: SQLite, LocalExecutor, no log-in on the loopback."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.deployment.local_stack import free_port

from chat_migration.home import Home
from chat_sandbox import SandboxHandle

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DAG = "import_to_tencent_chat"
BEFORE_EVERYTHING = "2000-01-01T00:00:00+00:00"
SERVICES = ("api-server", "dag-processor", "triggerer", "scheduler")

_DAG_FILE = f"""# The DAG of this repository, by the calendar of a simulation.
from pathlib import Path
from chat_migration_airflow import schedule
from simulated_nights import SimulatedNights

schedule.nightly = lambda: SimulatedNights("0 0 * * *", timezone=schedule.zone_name())
path = Path({str(ROOT / "dags" / f"{DAG}.py")!r})
exec(compile(path.read_text(), str(path), "exec"), globals())
"""

_PAGER = """import json, os

def page(notice):
    fields = ("kind", "run_id", "task", "what", "advice")
    with open(os.environ["PAGER_FILE"], "a") as file:
        file.write(json.dumps({name: getattr(notice, name) for name in fields}) + "\\n")
"""

QUICK = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__CORE__PARALLELISM": "3",
}


def wait(ready: Callable[[], T], *, seconds: float, says: Callable[[], str] = str) -> T:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s\n{says()}"
        time.sleep(0.2)
    return found


@dataclass
class RunningAirflow:
    """Airflow's services over one folder; a context manager that leaves no process behind."""

    folder: Path
    sandbox: SandboxHandle
    zone: str = "UTC"
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.clock = self.folder / "clock"
        self.home = self.folder / "home"
        self.logs = self.folder / "logs"
        self._token = ""
        for name in ("dags", "plugins", "modules", "logs"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "modules" / "pager.py").write_text(_PAGER)
        (self.folder / "dags" / f"{DAG}.py").write_text(_DAG_FILE)
        for plugin in (
            ROOT / "plugins" / "chat_migration_plugin.py",
            Path(__file__).with_name("simulated_nights.py"),
        ):
            shutil.copy(plugin, self.folder / "plugins")
        self.set_clock(BEFORE_EVERYTHING)
        self._environment = self._make_environment()

    def __enter__(self) -> Self:
        try:
            (self.folder / "settings.yaml").write_text(json.dumps(self.settings))
            done = self.airflow("db", "migrate")
            assert done.returncode == 0, done.stderr[-3000:]
            for name in SERVICES:
                self.start(name)
            wait(self._logged_in, seconds=180, says=self.told)
            wait(lambda: self.api("GET", f"/dags/{DAG}")[0] == 200, seconds=180, says=self.told)
        except BaseException:
            self.__exit__()
            raise
        return self

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

    # --- calendar -----------------------------------------------------------------------------------

    def set_clock(self, now: str) -> None:
        """Move the simulated clock, at once for all who read it."""
        new = self.clock.with_suffix(".new")
        new.write_text(now)
        new.replace(self.clock)

    def next_night_is(self, start: datetime) -> bool:
        """Tell whether Airflow's next scheduled run is that of the interval that starts then."""
        shown = self.api("GET", f"/dags/{DAG}")[1].get("next_dagrun_data_interval_start")
        return shown is not None and datetime.fromisoformat(shown) == start

    def pause(self, *, paused: bool) -> None:
        """Pause the DAG, or unpause it."""
        status, answer = self.api("PATCH", f"/dags/{DAG}", {"is_paused": paused})
        assert status == 200, answer

    # --- runs -----------------------------------------------------------------------------------------

    def trigger(self, run_id: str, **conf: Any) -> None:
        """Ask for a manual run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        status, answer = self.api("POST", f"/dags/{DAG}/dagRuns", body)
        assert status == 200, answer

    def runs(self, run_type: str) -> dict[str, str]:
        """Return the runs of a type, oldest interval first: id → state."""
        query = f"/dags/{DAG}/dagRuns?run_type={run_type}&order_by=logical_date&limit=100"
        found = self.api("GET", query)[1]["dag_runs"]
        return {each["dag_run_id"]: each["state"] for each in found}

    def ended(self, run_id: str) -> str:
        """Return how a run has ended, "" while it goes on."""
        status, answer = self.api("GET", f"/dags/{DAG}/dagRuns/{run_id}")
        state = answer.get("state") if status == 200 else ""
        return state if state in {"success", "failed"} else ""

    def times(self, run_id: str) -> tuple[datetime, datetime]:
        """Return when a run that has ended began to read its export, and when its last task ended."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances"
        found = self.api("GET", path)[1]["task_instances"]
        begun = {each["task_id"]: each["start_date"] for each in found}
        ended = [each["end_date"] for each in found if each["end_date"]]
        return tuple(
            datetime.fromisoformat(each) for each in (begun["extract.extract_export"], max(ended))
        )

    def end_of(self, run_id: str, *, seconds: float = 300) -> str:
        """Wait for the end of a run, and return how it ended. A task that fails, even once, ends the wait."""

        def found() -> str:
            assert "up_for_retry" not in self.tasks(run_id).values(), self.failure(run_id)
            return self.ended(run_id)

        return wait(found, seconds=seconds, says=self.told)

    def failure(self, run_id: str) -> str:
        """Return the states of a run's tasks, and what the first failed one has logged."""
        states = self.tasks(run_id)
        broken = [task for task, state in states.items() if state in {"failed", "up_for_retry"}]
        logs = "\n".join(f"--- {task}\n{self.log(run_id, task)}" for task in broken)
        return f"{run_id}: {states}\n{logs}"

    def tasks(self, run_id: str) -> dict[str, str]:
        """Return the states of a run's tasks, by task id without its group."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances"
        found = self.api("GET", path)[1]["task_instances"]
        return {each["task_id"].rpartition(".")[2]: each["state"] for each in found}

    def clear(self, run_id: str, task: str) -> None:
        """Clear a task with everything downstream, as the button of its page does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
        }
        status, answer = self.api("POST", f"/dags/{DAG}/clearTaskInstances", body)
        assert status == 200, answer

    def log(self, run_id: str, task: str) -> str:
        """Return the texts of a task's log, all tries, oldest first."""
        folder = self.folder / "airflow" / "logs" / f"dag_id={DAG}" / f"run_id={run_id}"
        files = sorted(folder.glob(f"task_id=*.{task}/**/attempt=*.log"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return "\n".join(
            f"{line.get('event', '')} {line.get('error_detail') or ''}".rstrip() for line in lines
        )

    def notices(self, run_id: str) -> list[dict[str, str]]:
        """Return what people were told of a run, in its order."""
        file = self.folder / "pages.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [each for line in lines if (each := json.loads(line))["run_id"] == run_id]

    def report(self, run_id: str) -> dict[str, Any]:
        """Return a run's report."""
        found: dict[str, Any] = json.loads((self._reports(run_id) / "report.json").read_text())
        return found

    def rejected(self, run_id: str) -> list[dict[str, Any]]:
        """Return what a run's ``rejected.jsonl`` names."""
        lines = (self._reports(run_id) / "rejected.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _reports(self, run_id: str) -> Path:
        return Home.from_environment({"CHAT_MIGRATION_HOME": str(self.home)}).run_folder(run_id)

    def told(self) -> str:
        """Return what a person would look at first when something fails."""
        return "\n".join(
            f"--- {name}\n{(self.logs / f'{name}.log').read_text(errors='replace')[-2500:]}"
            for name in SERVICES
            if (self.logs / f"{name}.log").exists()
        )

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call Airflow's API; status 0 where nobody answers."""
        return self._call(method, f"/api/v2{path}", body)

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {"error": error.read().decode(errors="replace")}
        except OSError as error:
            return 0, {"error": str(error)}

    def _logged_in(self) -> bool:
        status, answer = self._call("GET", "/auth/token")
        self._token = answer.get("access_token", "")
        return status == 201 or bool(self._token)

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
        port = self.url.rpartition(":")[2]
        return (
            kept
            | QUICK
            | {
                "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
                "PYTHONPATH": str(self.folder / "modules"),
                "CHAT_MIGRATION_NOTIFY": "pager.page",
                "PAGER_FILE": str(self.folder / "pages.jsonl"),
                "AIRFLOW_HOME": str(self.folder / "airflow"),
                # SQLite's own 5 s are little for a machine that is busy with all of this.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder}/airflow.db?timeout=60",
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.folder / "plugins"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__DEFAULT_TIMEZONE": self.zone,
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": port,
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
                "SIMULATED_CLOCK": str(self.clock),
            }
            | self.variables
        )
