"""docker-compose.yaml against the Compose specification, as far as it is used, and against what it must ensure."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
from tests.deployment.compose_file import (
    COMPOSE,
    ROOT,
    SEVERAL_MACHINES,
    compose,
    filled_example,
    seconds,
    size_bytes,
    strings,
    template,
)
from tests.deployment.local_stack import BIN, argv

from chat_migration import home, settings
from chat_migration.ledger import engines
from chat_migration.targets.vendors import VENDORS
from chat_sandbox.config import DEFAULT_APP

EXTRA = {"PRIVATE_ADDRESS": "10.0.0.1", "NFS_SERVER": "10.0.0.2", "NFS_PATH": "/shared"}
ONE = compose(filled_example())
SEVERAL = compose(filled_example() | EXTRA, COMPOSE, SEVERAL_MACHINES)
SERVICES = ONE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SERVERS = [name for name in SERVICES if name != "airflow-init"]
AIRFLOW = [name for name in SERVICES if name.startswith("airflow-")]
IMPORT_HOURS = 7 * 24

TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
COMMAND = {"anyOf": [{"type": "string"}, TEXTS]}
DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h))+$"}
ENVIRONMENT = {"type": "object", "additionalProperties": {"type": "string"}}
SERVICE = {
    "type": "object",
    "required": ["image", "restart", "deploy", "healthcheck"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9./-]+:[\w.-]+$"},
        "build": {
            "type": "object",
            "required": ["context"],
            "additionalProperties": False,
            "properties": {"context": {"type": "string"}},
        },
        "cap_drop": TEXTS,
        "command": COMMAND,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "additionalProperties": False,
                "properties": {
                    "condition": {
                        "enum": [
                            "service_healthy",
                            "service_started",
                            "service_completed_successfully",
                        ]
                    }
                },
            },
        },
        "deploy": {
            "type": "object",
            "required": ["resources"],
            "additionalProperties": False,
            "properties": {
                "resources": {
                    "type": "object",
                    "required": ["limits"],
                    "additionalProperties": False,
                    "properties": {
                        "limits": {
                            "type": "object",
                            "required": ["cpus", "memory"],
                            "additionalProperties": False,
                            "properties": {
                                "cpus": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
                                "memory": {"type": "string", "pattern": r"^\d+[kmg]$"},
                            },
                        }
                    },
                }
            },
        },
        "environment": ENVIRONMENT,
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "oneOf": [
                {"required": ["test", "interval", "timeout", "retries", "start_period"]},
                {"required": ["disable"]},
            ],
            "properties": {
                "test": {**TEXTS, "contains": {"enum": ["CMD", "CMD-SHELL"]}},
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1},
                "disable": {"const": True},
            },
        },
        "init": {"type": "boolean"},
        "logging": {
            "type": "object",
            "required": ["driver"],
            "additionalProperties": False,
            "properties": {"driver": {"type": "string"}, "options": ENVIRONMENT},
        },
        "ports": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^\d+(\.\d+){3}:\d+:\d+$"},
        },
        "profiles": TEXTS,
        "restart": {"type": "string", "pattern": r"^(no|always|unless-stopped|on-failure(:\d+)?)$"},
        "security_opt": TEXTS,
        "shm_size": {"type": "string", "pattern": r"^\d+[kmg]$"},
        "stop_grace_period": DURATION,
        "user": {"type": "string"},
        "volumes": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^(\./?[\w./-]*|[a-z-]+):/[\w./-]+(:ro)?$"},
            "uniqueItems": True,
        },
    },
}
FILE = {
    "type": "object",
    "required": ["name", "services", "volumes"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"driver": {"type": "string"}, "driver_opts": ENVIRONMENT},
                    },
                ]
            },
        },
    },
    "patternProperties": {"^x-": {}},
}


@pytest.mark.parametrize("tree", [ONE, SEVERAL], ids=["one machine", "several machines"])
def test_the_file_is_what_the_specification_asks_for(tree):
    jsonschema.Draft202012Validator(FILE).validate(tree)


@pytest.mark.parametrize("tree", [ONE, SEVERAL], ids=["one machine", "several machines"])
def test_every_service_and_volume_that_is_named_is_declared(tree):
    declared = set(tree["volumes"])
    named = {
        mount.split(":")[0]
        for service in tree["services"].values()
        for mount in service["volumes"]
        if not mount.startswith(".")
    }
    assert named == declared
    for name, service in tree["services"].items():
        for other, how in service.get("depends_on", {}).items():
            checked = "disable" not in tree["services"][other]["healthcheck"]
            assert checked == (how["condition"] == "service_healthy"), (name, other)


def test_no_service_waits_for_one_that_waits_for_it():
    order: list[str] = []
    while left := [name for name in SERVICES if name not in order]:
        ready = [each for each in left if set(SERVICES[each].get("depends_on", {})) <= set(order)]
        assert ready, f"a circle among {left}"
        order += ready
    assert order.index("airflow-init") < order.index("airflow-worker")


def test_all_parts_of_a_distributed_airflow_are_there():
    assert set(SERVICES) == {
        "postgres",
        "redis",
        "airflow-init",
        "airflow-apiserver",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
        "airflow-worker",
        "sandbox",
    }
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["sandbox"]
    # A fixed name or a published port would keep a second worker from starting.
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["airflow-worker"])


@pytest.mark.parametrize("tree", [ONE, SEVERAL], ids=["one machine", "several machines"])
def test_every_mounted_path_of_the_host_is_in_the_repository(tree):
    mounts = [mount for service in tree["services"].values() for mount in service["volumes"]]
    paths = {mount.split(":")[0] for mount in mounts if mount.startswith(".")}
    assert {"./dags", "./plugins", "./include"} <= paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [mount for mount in mounts if mount.startswith(".") and not mount.endswith(":ro")] == []


@pytest.mark.parametrize("name", AIRFLOW)
def test_airflow_finds_dags_plugins_and_the_core(name):
    service = SERVICES[name]
    mounted = {mount.split(":")[1] for mount in service["volumes"]}
    path = service["environment"]["PYTHONPATH"].split(":")
    assert path == ["/opt/airflow/include", "/opt/airflow/plugins", "/opt/airflow/dags"]
    assert set(path) <= mounted


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits_and_starts_again_after_a_crash(name):
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) >= 1
    assert size_bytes(limits["memory"]) >= 512 * 1024**2
    once = name == "airflow-init"
    assert SERVICES[name]["restart"] == ("on-failure:3" if once else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_runs_as_root_or_can_become_it(name):
    assert SERVICES[name]["user"] in {"50000:50000", "postgres", "redis"}
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert name not in OURS or SERVICES[name]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVERS)
def test_every_health_check_can_finish_before_the_next(name):
    check = SERVICES[name]["healthcheck"]
    assert seconds(check["timeout"]) < seconds(check["interval"])


@pytest.mark.parametrize("name", SERVERS)
def test_the_program_of_every_health_check_exists_and_its_shell_text_parses(name):
    test = SERVICES[name]["healthcheck"]["test"]
    words = test[1:] if test[0] == "CMD" else shlex.split(test[1])
    program = "redis-cli" if name == "redis" else words[0]
    assert shutil.which(program, path=f"{BIN}:/usr/bin:/usr/local/bin"), program
    if test[0] == "CMD-SHELL":
        checked = subprocess.run(["/bin/sh", "-n", "-c", test[1]], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "name", ["postgres", "airflow-apiserver", "airflow-scheduler", "sandbox", "redis"]
)
def test_a_health_check_without_its_server_fails(name, tmp_path):
    # Ports that nobody listens on, instead of those of the servers that this machine may have.
    words = [
        re.sub(r"\b(5432|8080|8974|9700|6379)\b", "1", word) for word in argv(_local_check(name))
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert done.returncode != 0


def _local_check(name):
    test = SERVICES[name]["healthcheck"]["test"]
    local = [word.replace("/opt/airflow/deploy", str(ROOT / "deploy")) for word in test]
    return [sys.executable if word == "python" else word for word in local]


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            tuple(word for word in service["command"] if not word.startswith(("-", "0.", "8", "9")))
            for name, service in OURS.items()
            if name.startswith("airflow-") and name != "airflow-init"
        }
    ),
    ids=" ".join,
)
def test_every_command_of_airflow_is_known_to_it(command, tmp_path):
    done = _helped([str(BIN / command[0]), *command[1:]], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"usage: {' '.join(command)}" in " ".join(done.stdout.split()).lower().replace(
        "[-h]", ""
    )


@pytest.mark.parametrize("name", ["airflow-apiserver", "sandbox"])
def test_every_option_of_a_server_is_in_its_help(name, tmp_path):
    command = SERVICES[name]["command"]
    words = [word for word in command if re.fullmatch(r"[a-z][a-z-]*", word)]
    done = _helped([str(BIN / words[0]), *words[1:]], tmp_path)
    assert [word for word in command if word.startswith("--") and word not in done.stdout] == []


def test_the_commands_of_the_init_service_exist(tmp_path):
    shell, flag, script = SERVICES["airflow-init"]["command"]
    assert (shell, flag) == ("bash", "-c")
    migrate, write = (shlex.split(part) for part in script.split("&&"))
    assert migrate == ["airflow", "db", "migrate"]
    assert _helped([str(BIN / "airflow"), "db", "migrate"], tmp_path).returncode == 0
    assert write[0] == "python"
    assert (ROOT / Path(write[1]).relative_to("/opt/airflow")).is_file()


def _helped(command, home_folder):
    return subprocess.run(
        [*command, "--help"],
        env={
            "PATH": f"{BIN}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(home_folder),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_app_that_the_worker_s_health_check_asks_can_be_imported():
    test = SERVICES["airflow-worker"]["healthcheck"]["test"]
    module, _, name = re.search(r"--app (\S+)", test[1])[1].rpartition(".")
    assert module == "airflow.providers.celery.executors.celery_executor"
    utils = import_module("celery.backends.database")
    assert name == "app"
    # What the provider takes from there; without it no worker starts.
    assert hasattr(utils, "retry")


def test_a_task_is_given_to_a_second_worker_only_after_longer_than_any_task_takes():
    env = SERVICES["airflow-worker"]["environment"]
    timeout = int(env["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    assert timeout == IMPORT_HOURS * 3600
    dag = import_module("tests.deployment.dags").import_dag()
    limits = [task.execution_timeout for task in dag.tasks if task.execution_timeout]
    assert [limit for limit in limits if limit.total_seconds() >= timeout] == []
    # 190 calls/s with 7 messages each: what one app takes in that time is more than any export.
    assert timeout * 190 * 7 > 500_000_000


def test_a_task_of_a_worker_that_dies_is_not_lost():
    env = SERVICES["airflow-worker"]["environment"]
    assert env["AIRFLOW__CELERY__TASK_ACKS_LATE"] == "True"
    assert env["AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER"] == "1"
    assert "--appendonly yes" in SERVICES["redis"]["command"][-1]
    assert "noeviction" in SERVICES["redis"]["command"][-1]


def test_ledger_and_airflow_have_a_database_each_and_the_budget_is_not_in_the_broker_s():
    env = SERVICES["airflow-worker"]["environment"]
    urls = {name: value for name, value in env.items() if "://" in value}
    assert urls["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith("@postgres:5432/airflow")
    assert urls[home.LEDGER_VARIABLE].startswith("postgresql+psycopg://ledger:")
    assert urls[home.LEDGER_VARIABLE].endswith("@postgres:5432/ledger")
    assert urls["AIRFLOW__CELERY__BROKER_URL"].endswith("@redis:6379/0")
    assert urls["CHAT_MIGRATION_BUDGET_URL"].endswith("@redis:6379/1")


def test_the_database_has_room_for_every_task_of_two_workers():
    allowed = int(re.search(r"max_connections=(\d+)", SERVICES["postgres"]["command"][-1])[1])
    url = engines.parse_url("postgresql+psycopg://ledger@127.0.0.1/ledger")
    pools = [engines.open_engine(url, for_writing=writing).pool for writing in (True, False)]
    of_a_task = sum(pool.size() + pool._max_overflow for pool in pools)
    slots = 2 * int(
        SERVICES["airflow-worker"]["environment"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    )
    assert of_a_task == 17
    assert slots * of_a_task + 60 <= allowed


def test_workers_share_home_and_stage_and_alone_know_the_target():
    names = {
        home.HOME_VARIABLE,
        home.STAGE_VARIABLE,
        home.LEDGER_VARIABLE,
        settings.CONFIG_VARIABLE,
    }
    worker = SERVICES["airflow-worker"]
    assert names <= set(worker["environment"])
    mounted = {mount.split(":")[1]: mount.split(":")[0] for mount in worker["volumes"]}
    assert mounted[worker["environment"][home.HOME_VARIABLE]] == "migration-home"
    assert mounted[worker["environment"][home.STAGE_VARIABLE]] == "migration-stage"
    assert worker["environment"][settings.CONFIG_VARIABLE] in mounted
    secrets = {kind.variable: "{}" for kind in VENDORS.values()}
    services = compose(filled_example() | secrets)["services"]
    knowing = [name for name in services if set(secrets) & set(services[name]["environment"])]
    assert knowing == ["airflow-worker"]
    assert set(secrets) <= set(services["airflow-worker"]["environment"])


def test_pages_are_published_on_the_loopback_unless_asked_otherwise():
    assert SERVICES["airflow-apiserver"]["ports"] == ["127.0.0.1:8080:8080"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == [
        "airflow-apiserver"
    ]


def test_no_secret_stands_in_a_file():
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|AUTH$|FERNET|_KEY")
    for path in (COMPOSE, SEVERAL_MACHINES):
        tree = template(path)
        for service in tree["services"].values():
            for name, value in (service.get("environment") or {}).items():
                if (
                    secret.search(name)
                    and value is not None
                    and not name.endswith("PASSWORDS_FILE")
                ):
                    assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
        for text in strings(tree):
            for password in re.findall(r"://\w*:([^@]*)@", text):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", password), text
            assert DEFAULT_APP.secret_key not in text
