"""docs/operations.md says what the code does: its exits, errors, codes, settings, variables, figures and files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from importlib import import_module

import pytest
from sqlalchemy import insert, select
from tests.deployment.compose_file import ROOT, compose, example, filled_example
from tests.deployment.local_stack import DATABASES, psql
from tests.reasons_of_code import reasons_in

from chat_migration import errors
from chat_migration.ledger import schema
from chat_migration.ledger.database import Database
from chat_migration.model import Outcome
from chat_migration.settings import Settings
from chat_migration.targets.base import Advice
from chat_migration.targets.tencent_chat import codes as tencent_codes
from chat_migration.targets.vendors import VENDORS
from chat_migration.targets.zego_zim import codes as zim_codes

PAGE = (ROOT / "docs" / "operations.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()


def rows_of(text):
    lines = [line.strip("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def section(title):
    return PAGE.partition(f"### {title}\n")[2].partition("\n#")[0]


ROWS = rows_of(PAGE)
ERRORS = [row for row in ROWS if re.fullmatch(r"\d", row[0])]
TENCENT = [row for row in rows_of(section("Codes of Tencent Cloud Chat")) if row[0][0].isdigit()]
ZIM = [row for row in rows_of(section("Codes of ZIM")) if row[0][0].isdigit()]
TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.MigrationError)
]


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_every_error_is_there_with_its_exit_code_and_what_to_do(error):
    rows = [row for row in ERRORS if row[1] == f"`{error.__name__}`"]
    assert [int(row[0]) for row in rows] == [error.exit_code]
    assert all(row[2] and row[3] for row in rows)


def test_no_error_is_there_that_the_code_does_not_have():
    named = {row[1].strip("`") for row in ERRORS if row[1]}
    assert named == {error.__name__ for error in TREE}


@pytest.mark.parametrize(
    ("row", "codes", "api"),
    [
        *((row, tencent_codes, "importmsg") for row in TENCENT),
        *((row, zim_codes, "ImportPeerMsg") for row in ZIM),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_every_code_is_one_that_the_code_knows_and_those_of_a_row_are_treated_alike(
    row, codes, api
):
    named = [int(code) for code in row[0].split(", ")]
    treatments = {codes.failure(api, code).advice for code in named}
    assert {*named} <= {*codes.COMMON} | {code for _, code in codes.OF_API}
    # A full group ends a row or the rest of the group, by API: one row of the page for both.
    assert len(treatments) == 1
    assert row[2].startswith("stop") == (treatments == {Advice.STOP_RUN})


@pytest.mark.parametrize(
    ("rows", "codes", "api", "examples"),
    [
        (TENCENT, tencent_codes, "importmsg", (60007, 60008, 70001, 70050, 10010)),
        (ZIM, zim_codes, "ImportPeerMsg", (7, 1, 100000004, 3)),
    ],
    ids=["tencent", "zim"],
)
def test_every_code_that_slows_repeats_or_ends_a_conversation_is_there(rows, codes, api, examples):
    shown = {int(code) for row in rows for code in row[0].split(", ")}
    alike = {codes.failure(api, code).advice for code in examples}
    wanted = {code for code in codes.COMMON if codes.failure(api, code).advice in alike}
    assert wanted - shown == set()


def test_settings_fields_and_variables_exist():
    words = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)(?:=[^`]*)?`", PAGE))
    fields = {*Settings.model_fields}.union(*(kind.model_fields for kind in VENDORS.values()))
    tasks = {
        task.task_id.rpartition(".")[2]
        for task in import_module("tests.deployment.dags").import_dag().tasks
    }
    apis = {api for kind in VENDORS.values() for api in kind.apis}
    dags = {file.stem for file in (ROOT / "dags").glob("*.py")}
    reasons = reasons_in(sorted((ROOT / "include" / "chat_migration").rglob("*.py")))
    ledger = {
        name for table in schema.metadata.tables.values() for name in (table.name, *table.c.keys())
    }
    kinds = set(
        re.findall(
            r"\w+_in_lower_case", (ROOT / "include/chat_migration/ledger/schema.py").read_text()
        )
    )
    outcomes = {each.value for each in Outcome}
    postgres = compose(filled_example())["services"]["postgres"]["command"]
    told_to_postgres = {word.partition("=")[0] for word in postgres}
    known = fields | tasks | apis | dags | reasons | ledger | kinds | outcomes | told_to_postgres
    assert words - known == {"left_at"}, "beside a column of the export"
    variables = set(re.findall(r"`([A-Z]+(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", PAGE))
    worker = compose(filled_example())["services"]["airflow-worker"]["environment"]
    assert variables - set(example(with_optional=True)) - set(worker) == set()


def test_services_and_files_exist():
    services = compose(filled_example())["services"]
    named = set(re.findall(r"`(airflow-[a-z-]+)`", PAGE))
    assert named <= set(services)
    files = re.findall(
        r"(?:deploy/[\w./-]+|[\w-]+\.(?:toml|txt)\b|docker-compose\.yaml|\.env\.example)", PAGE
    )
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_only_commands_that_exist_are_told():
    told = set(re.findall(r"chat-migration (\w+)\b", PAGE))
    choices = next(
        action.choices
        for action in import_module("chat_migration.cli.arguments").parser()._actions
        if action.dest == "command"
    )
    assert told <= {*choices, "rebuild"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", PAGE)) <= targets


@pytest.mark.parametrize(
    "figure", ["1,269", "107,894", "881 MB", "328 MB", "0.43 ms", "54.2 ms", "501 MB", "159 MB"]
)
def test_figures_are_those_of_the_benchmarks(figure):
    assert figure in PAGE
    assert figure in BENCHMARKS


def test_it_is_found_from_the_readme():
    assert "(docs/operations.md)" in (ROOT / "README.md").read_text()


def test_the_backup_of_a_sqlite_ledger_that_is_in_use_is_whole(tmp_path):
    (tmp_path / "var").mkdir()
    with closing(Database(f"sqlite:///{tmp_path}/var/ledger.sqlite")) as ledger:
        ledger.write(
            lambda connection: connection.execute(insert(schema.apps).values(name="tencent:1"))
        )
        command = re.search(r"^\.venv/bin/python (-c .*)$", PAGE, re.MULTILINE)[1]
        subprocess.run([sys.executable, *shlex.split(command)], cwd=tmp_path, check=True)
    with (
        closing(Database(f"sqlite:///{tmp_path}/ledger-backup.sqlite")) as copy,
        copy.reading() as reading,
    ):
        assert reading.execute(select(schema.apps.c.name)).scalars().all() == ["tencent:1"]


def test_the_backup_of_a_postgresql_ledger_brings_it_back():
    name = f"backup_{os.getpid()}_ledger"
    given = {"AIRFLOW_DB": f"backup_{os.getpid()}_airflow", "LEDGER_DB": name}
    secrets = dict.fromkeys(("AIRFLOW_DB_PASSWORD", "LEDGER_DB_PASSWORD"), "made-up")
    dump, restore = (
        [
            name if word == "ledger" else word.replace("=ledger", f"={name}")
            for word in shlex.split(found)
        ]
        for found in re.findall(r"^docker compose exec -T postgres (pg_[^<>]*)", PAGE, re.MULTILINE)
    )
    url = f"postgresql+psycopg://{name}@127.0.0.1:5432/{name}"
    try:
        psql("--quiet", "--file", str(DATABASES), env=given | secrets)
        with closing(Database(url)) as ledger:
            ledger.write(
                lambda connection: connection.execute(insert(schema.apps).values(name="tencent:1"))
            )
        host = os.environ | {"PGHOST": "127.0.0.1"}
        kept = subprocess.run(dump, env=host, capture_output=True, check=True).stdout
        psql("--dbname", name, "--command", "DELETE FROM apps")
        subprocess.run(restore, env=host, input=kept, capture_output=True, check=True)
        with closing(Database(url)) as ledger, ledger.reading() as reading:
            assert reading.execute(select(schema.apps.c.name)).scalars().all() == ["tencent:1"]
    finally:
        for each in given.values():
            psql("--command", f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")
            psql("--command", f"DROP ROLE IF EXISTS {each}")
