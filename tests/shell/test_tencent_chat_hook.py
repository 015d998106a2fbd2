"""An Airflow connection becomes a typed one; testing it says in one message how it went."""

from __future__ import annotations

import json

import pytest

from chat_migration.errors import CredentialsError, UsageError
from chat_migration.targets.tencent_chat.target import TencentTarget
from chat_migration_airflow.hooks import target as module
from chat_migration_airflow.hooks.tencent_chat import TencentChatHook

SECRET = "a-secret-key-nobody-may-see"
FULL = {
    "conn_type": "tencent_chat",
    "host": "singapore",
    "login": "administrator",
    "password": SECRET,
    "extra": {"sdk_app_id": 1400000001},
}


@pytest.fixture
def connect(monkeypatch):
    def define(**changes):
        fields = {name: value for name, value in (FULL | changes).items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", json.dumps(fields))
        return TencentChatHook()

    return define


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        pytest.param({}, {"sdk_app_id": 1400000001, "calls_per_second": 190}, id="defaults"),
        pytest.param({"calls_per_second": 50}, {"calls_per_second": 50}, id="a slower app"),
        pytest.param({"retention_days": "7"}, {"retention_days": 7}, id="numbers as text"),
        pytest.param(
            {"timeout_seconds": None, "messages_per_call": ""},
            {"timeout_seconds": 10},
            id="left empty",
        ),
    ],
)
def test_extras_reach_the_connection_by_name(connect, extra, expected):
    connection = connect(extra=FULL["extra"] | extra).connection
    assert connection.model_dump(include=set(expected)) == expected


@pytest.mark.parametrize("missing", ["host", "login", "password", "extra"])
def test_missing_field_is_named(connect, missing):
    named = "extra.sdk_app_id" if missing == "extra" else missing
    with pytest.raises(UsageError, match=named):
        _ = connect(**{missing: None}).connection


def test_unknown_extra_is_refused_without_showing_the_secret(connect):
    with pytest.raises(UsageError, match="verify_ssl") as caught:
        _ = connect(extra=FULL["extra"] | {"verify_ssl": False}).connection
    assert SECRET not in str(caught.value)


def test_secret_key_is_masked_and_in_no_representation(connect, monkeypatch):
    masked = []
    monkeypatch.setattr(module, "mask_secret", masked.append)
    connection = connect().connection
    assert masked == [SECRET]
    assert SECRET not in repr(connection)


def test_connection_test_reports_success_once(connect, monkeypatch):
    monkeypatch.setattr(TencentTarget, "check", lambda _self: None)
    good, message = connect().test_connection()
    assert good
    assert (
        message == "App 1400000001 answers at singapore and accepts the signature of administrator."
    )


def test_connection_test_reports_a_refusal_in_our_words(connect, monkeypatch):
    monkeypatch.setattr(TencentTarget, "check", _refuse)
    assert connect().test_connection() == (False, "The app refuses the SecretKey.")


def test_connection_test_reports_a_wrong_field_without_a_call(connect):
    good, message = connect(login=None).test_connection()
    assert not good
    assert "`login`" in message


def _refuse(_self):
    raise CredentialsError("The app refuses the SecretKey.")
