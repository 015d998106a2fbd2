"""Several machines on one: a PostgreSQL and a Redis of this test's own, Airflow's services, and Celery workers.

Every worker lives in namespaces of its own, with a host name and process numbers of its own. So no other worker can
see whether its processes are still there, as if they ran elsewhere, and one signal ends all of them at once. Services
are those of docker-compose.yaml, see :mod:`tests.deployment.local_stack`; one that ends is started again, as
``restart: unless-stopped`` does there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
from tests.deployment.local_stack import DATABASES, LocalStack, free_port, psql
from tests.scheduler.one_dag import OneDag, wait

import chat_sandbox
from chat_migration.home import slug

Try = tuple[str, int, int, str, str]
"""Task, map index, number, host and state of one try."""
WORKERS = ("worker-1", "worker-2")
SERVICES = ("airflow-apiserver", "airflow-dag-processor", "airflow-scheduler")
SLOTS = 4
QUICK = {
    # Airflow notices a dead worker after so long, and tries its tasks again; docs/operations.md has what these are
    # for in production.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "25",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "90",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "3",
}
_AS_OWN_MACHINE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts")
_NAMED = ("sh", "-c", 'hostname "$0" && exec "$@"')


class PrivatePostgres:
    """A PostgreSQL server with a folder of its own; root cannot run one, so that it is then `postgres`'s."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chat-migration-postgres-"))
        self.port = free_port()
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            self._user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        """Make an empty server and wait until it answers."""
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        with (self.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nmax_connections = 300\n"
                f"unix_socket_directories = '{self.folder}'\n"
            )
        self._control("start")

    def crash(self) -> None:
        """Take the server down at once, without a word to anybody and without saving anything."""
        self._control("stop", "--mode=immediate")

    def recover(self) -> None:
        """Bring the server up after a crash."""
        self._control("start")

    def remove(self) -> None:
        """Take the server down and forget what it held."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self.folder)

    def _control(self, *what: str) -> None:
        self._run("pg_ctl", "--wait", "--timeout=60", f"--log={self.folder}/server.log", *what)

    def _run(self, program: str, *arguments: str) -> None:
        # A pipe would be the server's as well, and never end.
        with (self.folder / "control.log").open("ab") as log:
            done = subprocess.run(
                [_server_program(program), f"--pgdata={self.folder}/data", *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                **self._user,
            )
        assert done.returncode == 0, (self.folder / "control.log").read_text()


def _server_program(name: str) -> str:
    """Return a program of the installed server; Debian does not put them on the path."""
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    newest = max(found, key=lambda each: int(each.parts[-3].partition(".")[0]), default=None)
    return shutil.which(name) or str(newest or name)


@dataclass
class Machines(LocalStack, OneDag):
    """The machines of one installation; a context manager that leaves no process behind."""

    workers: Sequence[str] = WORKERS
    services: Sequence[str] = SERVICES
    hurry: Mapping[str, str] = field(default_factory=lambda: QUICK)
    latency_ms: int = 20
    app: Mapping[str, Any] = field(default_factory=lambda: {"retention_days": None})
    """How the sandbox is, with the vendor's rate limits unless it is said otherwise."""
    calls_per_second: int = 190
    postgres: PrivatePostgres = field(default_factory=PrivatePostgres)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    """Processes that outlived their service, and so had to be found at the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._log_ports = {name: free_port() for name in self.workers}

    def __enter__(self) -> Self:
        """Start everything but the workers, the sandbox first."""
        try:
            self.sandbox = self._stack.enter_context(
                chat_sandbox.launch(
                    port=self.ports["sandbox"], latency_ms=self.latency_ms, **self.app
                )
            )
            # A server that has to wait for a processor takes calls late, and then many at once.
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, self.sandbox.process.pid, -10)
            self._stack.callback(self.postgres.remove)
            self.postgres.start()
            self._make_databases()
            self.up("redis", within=30)
            init = self.run_once("airflow-init", within=180)
            assert init.returncode == 0, init.stderr[-3000:]
            for name in self.services:
                self.running[name] = self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            _kill(process)
        super().__exit__()
        self._sweep()

    def _sweep(self) -> None:
        """End what still works in our folders, however it got away."""
        places = (str(self.folder), str(self.postgres.folder))
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                if each.pid != os.getpid() and each.cwd().startswith(places):
                    self.left_behind.append(" ".join(each.cmdline()))
                    each.kill()

    def begin(self) -> None:
        """Start the workers and wait until everything is ready for a run."""
        for name in self.workers:
            self.switch_on(name)
        for name in ("airflow-apiserver", "airflow-scheduler"):
            self.wait_until_healthy(name, self.running[name], within=180)
        wait(lambda: self._logged_in() == 201, seconds=60)
        wait(lambda: self.api("PATCH", "", {"is_paused": False})[0] == 200, seconds=120)
        for name in self.workers:
            wait(lambda name=name: " ready." in self.log(name), seconds=120)  # type: ignore[misc]

    # --- what can happen to them ------------------------------------------------------------------

    def up(self, name: str, *, within: float) -> None:
        """Start a service and wait until it is healthy."""
        self.running[name] = self.start(name)
        self.wait_until_healthy(name, self.running[name], within=within)

    def stop(self, name: str) -> None:
        """Take a service down in order."""
        self.running[name].terminate()
        self.running[name].wait(30)

    def cut_power(self, worker: str) -> None:
        """End a worker's machine at once, with everything that runs there; it stays off."""
        process = self.running.pop(worker)
        inside = psutil.Process(process.pid).children(recursive=True)
        assert len(inside) > SLOTS, inside
        _kill(process)
        _, alive = psutil.wait_procs(inside, timeout=10)
        assert alive == []

    def switch_on(self, worker: str) -> None:
        """Start a worker's machine."""
        self.running[worker] = self.start(worker)

    def tend(self) -> None:
        """Start again what has ended by itself, as `restart: unless-stopped` does."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self.restarts.append(name)
                self.running[name] = self.start(name)

    # --- runs -------------------------------------------------------------------------------------

    def ended(self, run_id: str) -> str:
        """Return how a run has ended, "" while it goes on or nobody can tell."""
        self.tend()
        return super().ended(run_id)

    def run_files(self, run_id: str) -> Path:
        """Return the folder of a run's report, which lies where every worker finds it."""
        return self.folder / "srv/migration/stage/runs" / slug(run_id) / "report"

    def tries(self, run_id: str) -> list[Try]:
        """Return every try of every task of a run."""
        columns = "task_id, map_index, try_number, hostname, state"
        rows = self.airflow(
            f"SELECT {columns} FROM task_instance WHERE run_id = '{run_id}' UNION "
            f"SELECT {columns} FROM task_instance_history WHERE run_id = '{run_id}' ORDER BY 1, 2, 3"
        )
        return [(row[0], int(row[1]), int(row[2]), row[3], row[4]) for row in rows]

    def in_flight(self, worker: str) -> int:
        """Return of how many messages the ledger knows only that a machine meant to send them."""
        ((count,),) = self.ledger(
            "SELECT count(*) FROM deliveries JOIN holds USING (app_id, conversation)"
            " JOIN workers USING (app_id, worker_id)"
            f" WHERE state = 'intent' AND machine LIKE '{worker}/%'"
        )
        return int(count)

    def airflow(self, query: str) -> list[list[str]]:
        """Ask Airflow's database."""
        return self._ask(self.airflow_db, query)

    def ledger(self, query: str) -> list[list[str]]:
        """Ask the ledger's database."""
        return self._ask(self.ledger_db, query)

    @property
    def url(self) -> str:
        """Return where Airflow answers."""
        return f"http://127.0.0.1:{self.ports['api']}"

    def told(self) -> str:
        """Return what a person would look at first when a run fails."""
        parts = [f"restarts: {self.restarts}"]
        parts += [
            f"--- {name}\n{self.log(name)[-3000:]}" for name in (*self.workers, "airflow-scheduler")
        ]
        return "\n".join(parts)

    # --- how they differ from the compose file's ----------------------------------------------------

    def service(self, name: str) -> dict[str, Any]:
        """Return a service; each worker is the compose file's, on a machine of its own."""
        if name not in self.workers:
            return super().service(name)
        service = super().service("airflow-worker")
        as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
        service["command"] = [*_AS_OWN_MACHINE, *as_root, *_NAMED, name, *service["command"]]
        home = self.folder / name
        service["environment"] |= {
            "CHAT_MIGRATION_HOME": str(home),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self._log_ports[name]),
        }
        return service

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment: Airflow hurries, and PostgreSQL is ours."""
        given = super().environment(name) | self.hurry
        given["AIRFLOW__CORE__PARALLELISM"] = str(SLOTS * len(self.workers))
        for key in (
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            "AIRFLOW__CELERY__RESULT_BACKEND",
            "CHAT_MIGRATION_LEDGER_URL",
        ):
            if key in given:
                given[key] = given[key].replace(":5432/", f":{self.postgres.port}/")
        return given

    def _connection(self) -> dict[str, Any]:
        connection = super()._connection()
        connection["extra"]["calls_per_second"] = self.calls_per_second
        return connection

    def _make_databases(self) -> None:
        names = {"AIRFLOW_DB": self.airflow_db, "LEDGER_DB": self.ledger_db}
        given = dict.fromkeys(("AIRFLOW_DB_PASSWORD", "LEDGER_DB_PASSWORD"), "made-up")
        where = {"PGPORT": str(self.postgres.port)}
        psql("--quiet", "--file", str(DATABASES), env=names | given | where)

    def _ask(self, database: str, query: str) -> list[list[str]]:
        where = {"PGPORT": str(self.postgres.port)}
        answer = psql("--dbname", database, "--command", query, env=where)
        return [line.split("|") for line in answer.splitlines()]

    def _logged_in(self) -> int:
        user = {"username": "admin", "password": "made-up-airflow-admin-password"}
        status, answer = self.call("POST", "/auth/token", user)
        self.token = answer.get("access_token", "")
        return status


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, at once."""
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
