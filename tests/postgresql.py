"""Databases and schemas on a real PostgreSQL server; a server that is not there fails the tests that need it.

``CHAT_MIGRATION_TEST_POSTGRESQL`` is the URL of a database whose user may create databases; without it, the server of
this machine is taken.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from sqlalchemy.engine import URL, make_url

SERVER = os.environ.get(
    "CHAT_MIGRATION_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
_PREFIX = "chat_migration_test_"


def connect(url: str | URL) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect without the ledger's own code, each statement a transaction of its own."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def run(url: str | URL, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    with connect(url) as connection:
        cursor = connection.execute(cast("LiteralString", statement))
        return cursor.fetchall() if cursor.description else []


@contextmanager
def new_database() -> Iterator[str]:
    """Make a database that sorts texts by the rules of English, which no ledger may depend on."""
    _drop_leftovers()
    name = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    run(
        SERVER,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        " LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
    )
    try:
        yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    finally:
        run(SERVER, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_schema(database: str) -> Iterator[str]:
    """Make an empty schema in a database and give the URL whose tables go there."""
    name = f"s{secrets.token_hex(6)}"
    run(database, f"CREATE SCHEMA {name}")
    try:
        url = make_url(database).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        run(database, f"DROP SCHEMA {name} CASCADE")


def terminate(url: str, *, statement: str = "%") -> int:
    """Cut the ledger's connections to a database, as a server does that goes down; return how many."""
    name = make_url(url).database
    return len(
        run(
            SERVER,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
            f" datname = '{name}' AND application_name LIKE 'chat-migration%' AND query LIKE '{statement}'",
        )
    )


def _drop_leftovers() -> None:
    """Drop what test processes left that were killed."""
    for (name,) in run(SERVER, f"SELECT datname FROM pg_database WHERE datname LIKE '{_PREFIX}%'"):
        found = re.fullmatch(rf"{_PREFIX}(\d+)_\w+", str(name))
        if found and not Path(f"/proc/{found[1]}").exists():
            run(SERVER, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
