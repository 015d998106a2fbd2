"""What a person does to one DAG, and sees of it, by the API of an Airflow, whatever that Airflow runs on."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
DAG = "import_to_tencent_chat"
_AGAIN = {0, 500, 503}
"""Nobody answered, or Airflow's database did not."""


def wait(ready: Callable[[], T], *, seconds: float, says: Callable[[], str] = str) -> T:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s\n{says()}"
        time.sleep(0.3)
    return found


def backfill_command(first: datetime, last: datetime, *flags: str) -> list[str]:
    """Return what brings the nights that begin at these instants and between them, as docs/operations.md says."""
    command = ["airflow", "backfill", "create", "--dag-id", DAG]
    command += ["--from-date", f"{first:%Y-%m-%dT%H:%M:%S%z}"]
    command += ["--to-date", f"{last:%Y-%m-%dT%H:%M:%S%z}"]
    return [*command, *flags]


class OneDag(ABC):
    """The DAG of an Airflow that has its things in ``folder`` and answers at ``url``."""

    folder: Path
    token: str = ""

    @property
    @abstractmethod
    def url(self) -> str:
        """Return where Airflow answers."""

    @abstractmethod
    def told(self) -> str:
        """Return what a person would look at first when something fails."""

    @abstractmethod
    def run_files(self, run_id: str) -> Path:
        """Return the folder of a run's report and rejected rows."""

    # --- what people do -------------------------------------------------------------------------------

    def pause(self, *, paused: bool) -> None:
        """Pause the DAG, or unpause it."""
        self._insist("PATCH", "", {"is_paused": paused})

    def trigger(self, run_id: str, **conf: Any) -> None:
        """Ask for a manual run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        # 409: an answer was lost, and the run is there.
        self._insist("POST", "/dagRuns", body, fine={200, 409})

    def clear(self, run_id: str, task: str) -> None:
        """Clear a task with everything downstream, as the button of its page does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
        }
        self._insist("POST", "/clearTaskInstances", body)

    # --- what people see ------------------------------------------------------------------------------

    def next_night_is(self, start: datetime) -> bool:
        """Tell whether Airflow's next scheduled run is that of the interval that starts then."""
        shown = self.api("GET", "")[1].get("next_dagrun_data_interval_start")
        return shown is not None and datetime.fromisoformat(shown) == start

    def runs(self, run_type: str) -> dict[str, str]:
        """Return the runs of a type, oldest interval first: id → state."""
        found = self._insist("GET", f"/dagRuns?run_type={run_type}&order_by=logical_date&limit=100")
        return {each["dag_run_id"]: each["state"] for each in found["dag_runs"]}

    def ended(self, run_id: str) -> str:
        """Return how a run has ended, "" while it goes on or nobody can tell."""
        status, answer = self.api("GET", f"/dagRuns/{run_id}")
        state = answer["state"] if status == 200 else ""
        return state if state in {"success", "failed"} else ""

    def end_of(self, run_id: str, *, seconds: float = 300) -> str:
        """Wait for the end of a run, and return how it ended."""
        return wait(lambda: self.ended(run_id), seconds=seconds, says=lambda: self.failure(run_id))

    def tasks(self, run_id: str) -> dict[str, str]:
        """Return the states of a run's tasks, by task id without its group."""
        return {
            each["task_id"].rpartition(".")[2]: each["state"]
            for each in self._task_instances(run_id)
        }

    def times(self, run_id: str) -> tuple[datetime, datetime]:
        """Return when a run that has ended began to read its export, and when its last task ended."""
        found = self._task_instances(run_id)
        begun = {each["task_id"]: each["start_date"] for each in found}
        ended = [each["end_date"] for each in found if each["end_date"]]
        first, last = (
            datetime.fromisoformat(each) for each in (begun["extract.extract_export"], max(ended))
        )
        return first, last

    def task_log(self, run_id: str, task: str) -> str:
        """Return the texts of a task's log, all tries, oldest first."""
        folder = self.folder / "airflow" / "logs" / f"dag_id={DAG}" / f"run_id={run_id}"
        files = sorted(folder.glob(f"task_id=*.{task}/**/attempt=*.log"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return "\n".join(
            f"{line.get('event', '')} {line.get('error_detail') or ''}".rstrip() for line in lines
        )

    def failure(self, run_id: str) -> str:
        """Return the states of a run's tasks, what the failed ones have logged, and what the services say."""
        states = self.tasks(run_id)
        broken = [task for task, state in states.items() if state in {"failed", "up_for_retry"}]
        logs = "\n".join(f"--- {task}\n{self.task_log(run_id, task)}" for task in broken)
        return f"{run_id}: {states}\n{logs}\n{self.told()}"

    def report(self, run_id: str) -> dict[str, Any]:
        """Return a run's report."""
        found: dict[str, Any] = json.loads((self.run_files(run_id) / "report.json").read_text())
        return found

    def rejected(self, run_id: str) -> list[dict[str, Any]]:
        """Return what a run's ``rejected.jsonl`` names."""
        lines = (self.run_files(run_id) / "rejected.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    # --- calls ----------------------------------------------------------------------------------------

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call Airflow's API below the DAG; status 0 where nobody answers."""
        return self.call(method, f"/api/v2/dags/{DAG}{path}", body)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call Airflow; status 0 where nobody answers."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {"error": error.read().decode(errors="replace")}
        except OSError as error:
            return 0, {"error": str(error)}

    def _task_instances(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._insist("GET", f"/dagRuns/{run_id}/taskInstances")[
            "task_instances"
        ]
        return found

    def _insist(
        self, method: str, path: str, body: Any = None, *, fine: set[int] | None = None
    ) -> Any:
        """Call until there is an answer, which must be a good one; only what may be said twice."""

        def answered() -> tuple[int, Any] | None:
            status, answer = self.api(method, path, body)
            return None if status in _AGAIN else (status, answer)

        status, answer = wait(answered, seconds=60, says=self.told) or (0, None)
        assert status in (fine or {200}), (status, answer)
        return answer
