"""deploy/postgres/10-databases.sql on a real PostgreSQL: two databases, two owners, each in its own place."""

from __future__ import annotations

import os
import subprocess

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tests.deployment.local_stack import DATABASES, SUPERUSER, psql

TAG = f"databases_{os.getpid()}"
AIRFLOW, LEDGER = f"{TAG}_airflow", f"{TAG}_ledger"
GIVEN = {
    "AIRFLOW_DB": AIRFLOW,
    "LEDGER_DB": LEDGER,
    "AIRFLOW_DB_PASSWORD": "made-up'; quoted",
    "LEDGER_DB_PASSWORD": "made-up",
}


@pytest.fixture(scope="module")
def databases():
    """Both databases, made by the script run twice."""
    try:
        for _ in range(2):
            psql("--quiet", "--file", str(DATABASES), env=GIVEN)
        yield
    finally:
        for name in (AIRFLOW, LEDGER):
            psql("--command", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            psql("--command", f"DROP ROLE IF EXISTS {name}")


@pytest.mark.usefixtures("databases")
@pytest.mark.parametrize("name", [AIRFLOW, LEDGER], ids=["airflow", "ledger"])
def test_each_database_belongs_to_its_own_owner_and_takes_tables(name):
    owner = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'"
    assert psql("--command", owner) == name
    engine = create_engine(f"postgresql+psycopg://{name}:made-up@127.0.0.1:5432/{name}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE seen (name TEXT)"))
        connection.execute(text("INSERT INTO seen VALUES ('größer')"))
        assert connection.execute(text("SELECT name FROM seen")).scalar() == "größer"
    engine.dispose()


@pytest.mark.usefixtures("databases")
@pytest.mark.parametrize(
    ("owner", "other"), [(AIRFLOW, LEDGER), (LEDGER, AIRFLOW)], ids=["airflow", "ledger"]
)
def test_neither_owner_reaches_the_other_database(owner, other):
    engine = create_engine(f"postgresql+psycopg://{owner}:made-up@127.0.0.1:5432/{other}")
    with pytest.raises(OperationalError, match="permission denied"):
        engine.connect()
    engine.dispose()


@pytest.mark.usefixtures("databases")
def test_the_owners_are_no_superusers():
    of = f"SELECT bool_or(rolsuper OR rolcreatedb OR rolcreaterole) FROM pg_roles WHERE rolname LIKE '{TAG}%'"
    assert psql("--command", of) == "f"


def test_a_missing_password_ends_the_script_and_names_the_variable():
    env = os.environ | SUPERUSER | GIVEN
    env |= {"AIRFLOW_DB": f"{TAG}_none", "LEDGER_DB": f"{TAG}_none_too"}
    del env["LEDGER_DB_PASSWORD"]
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--file", str(DATABASES)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "LEDGER_DB_PASSWORD" in done.stderr
    found = f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{TAG}_none%'"
    assert psql("--command", found) == "0"
