"""An Airflow connection of type ``zim`` becomes a typed one; testing it says in one message how it went."""

from __future__ import annotations

import json

import pytest

import chat_sandbox
from chat_migration.errors import UsageError
from chat_migration.targets.zego_zim.target import ZimTarget
from chat_migration_airflow.hooks import HOOKS
from chat_migration_airflow.hooks import target as module
from chat_migration_airflow.hooks.zim import ZimHook

SECRET = "0123456789abcdef0123456789abcdef"
FULL = {
    "conn_type": "zim",
    "host": "singapore",
    "login": "1900000001",
    "password": SECRET,
    "extra": {"retention_days": 90},
}


@pytest.fixture
def connect(monkeypatch):
    def define(**changes):
        fields = {name: value for name, value in (FULL | changes).items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_ZIM_DEFAULT", json.dumps(fields))
        return ZimHook()

    return define


@pytest.fixture(scope="module")
def sandbox():
    with chat_sandbox.running() as handle:
        yield handle


def test_extras_reach_the_connection_by_name(connect):
    extra = {"retention_days": "30", "calls_per_second": 40, "priority": ""}
    connection = connect(extra=extra).connection
    assert (connection.retention_days, connection.calls_per_second) == (30, 40)
    assert connection.priority == 2


@pytest.mark.parametrize("missing", ["host", "login", "password", "extra"])
def test_missing_field_is_named(connect, missing):
    named = "extra.retention_days" if missing == "extra" else missing
    with pytest.raises(UsageError, match=named):
        _ = connect(**{missing: None}).connection


def test_server_secret_is_masked_and_in_no_representation(connect, monkeypatch):
    masked = []
    monkeypatch.setattr(module, "mask_secret", masked.append)
    connection = connect().connection
    assert masked == [SECRET]
    assert SECRET not in repr(connection)


def test_hook_gives_a_target_of_its_vendor(connect):
    assert isinstance(connect().get_conn(), ZimTarget)
    assert HOOKS["zim"] is ZimHook


def test_connection_test_proves_app_and_secret(connect, sandbox):
    app = sandbox.zim.app
    hook = connect(host=sandbox.url, login=str(app.app_id), password=app.server_secret)
    expected = f"App {app.app_id} answers at {sandbox.url} and accepts the signature."
    assert hook.test_connection() == (True, expected)


def test_connection_test_reports_a_refusal_in_our_words(connect, sandbox):
    good, message = connect(host=sandbox.url, login=str(sandbox.zim.app.app_id)).test_connection()
    assert not good
    assert "ServerSecret" in message
    assert SECRET not in message
