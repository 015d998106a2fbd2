"""The services of docker-compose.yaml, run on this machine: each gets healthy, and a run goes through Celery.

PostgreSQL must answer at 127.0.0.1 and `redis-server` must be installed; where they are missing, these tests fail.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import pytest
from tests.deployment.compose_file import ROOT
from tests.deployment.local_stack import LocalStack, psql

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("real_airflow"),
    pytest.mark.timeout(300),
]

DAG = "/api/v2/dags/import_to_tencent_chat"
SERVICES = [
    "sandbox",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-worker",
]


class Api:
    """Airflow's API, with the log-in that the init service made."""

    def __init__(self, stack):
        self._url = f"http://127.0.0.1:{stack.ports['api']}"
        self._token = ""

    def log_in(self, password):
        user = {"username": "admin", "password": password}
        status, answer = self.call("POST", "/auth/token", user)
        self._token = answer.get("access_token", "")
        return status

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self._url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """All services, each found healthy by its own check; the log-in's file and both databases are there."""
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        stack.create_databases()
        redis = stack.start("redis")
        stack.wait_until_healthy("redis", redis, within=15)
        init = stack.run_once("airflow-init", within=120)
        assert init.returncode == 0, init.stderr[-3000:]
        running = {name: stack.start(name) for name in SERVICES}
        for name in SERVICES:
            stack.wait_until_healthy(name, running[name], within=120)
        yield stack


@pytest.fixture(scope="module")
def api(stack):
    """The API, logged in."""
    api = Api(stack)
    assert api.log_in("made-up-airflow-admin-password") == 201
    return api


def test_the_log_in_is_that_of_the_environment_and_no_other(stack):
    assert Api(stack).log_in("another-password") == 401
    assert (stack.folder / "auth" / "passwords.json").stat().st_mode & 0o077 == 0


def test_an_import_runs_through_the_broker_into_a_ledger_of_its_own(stack, api):
    _wait(lambda: api.call("PATCH", DAG, {"is_paused": False})[0] == 200, seconds=60)
    conf = {"source": "neutral", "export_path": str(ROOT / "samples/neutral-harbour"), "shards": 2}
    body = {"dag_run_id": "through-celery", "logical_date": None, "conf": conf}
    status, answer = api.call("POST", f"{DAG}/dagRuns", body)
    assert status == 200, answer

    def state():
        found = api.call("GET", f"{DAG}/dagRuns/through-celery")[1]["state"]
        return found if found in {"success", "failed"} else None

    assert _wait(state, seconds=200) == "success", stack.log("airflow-worker")[-3000:]
    delivered = "SELECT count(*) FROM deliveries WHERE state = 'delivered'"
    assert int(psql("--dbname", stack.ledger_db, "--command", delivered)) > 100
    by_celery = "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'"
    assert int(psql("--dbname", stack.airflow_db, "--command", by_celery)) >= 12
    tables = "SELECT to_regclass('deliveries') IS NULL"
    assert psql("--dbname", stack.airflow_db, "--command", tables) == "t"
    report = stack.folder / "srv/migration/home/runs/through-celery/report.json"
    assert json.loads(report.read_text())["complete"]


def test_the_worker_keeps_its_secrets_to_itself(stack, api):
    secret = stack.service("airflow-worker")["environment"]["AIRFLOW_CONN_TENCENT_CHAT_DEFAULT"]
    password = json.loads(secret)["password"]
    logs = [file for file in stack.logs.glob("*.log") if password in file.read_text()]
    assert api is not None
    assert logs == []


def _wait(ready, *, seconds):
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.5)
    return found
