"""A target's connection is typed, complete, and silent about its secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat_migration.errors import UsageError
from chat_migration.targets.tencent_chat.connection import TencentConnection

SECRET = "s3cr3t-of-the-app"


def parts(**changes: Any) -> dict[str, Any]:
    """Return the fields of a complete connection, some of them changed."""
    complete = {
        "host": "singapore",
        "login": "boss",
        "password": SECRET,
        "extra": {"sdk_app_id": 7},
    }
    return complete | changes


def environ(fields: object) -> dict[str, str]:
    return {TencentConnection.variable: fields if isinstance(fields, str) else json.dumps(fields)}


def test_a_complete_connection_has_the_vendors_newest_sizes() -> None:
    made = TencentConnection.from_parts(**parts())
    assert (made.app, made.admin, made.secret_key.get_secret_value()) == (
        "tencent:7",
        "boss",
        SECRET,
    )
    assert (made.calls_per_second, made.messages_per_call, made.members_per_call) == (190, 7, 20)
    assert (made.accounts_per_call, made.max_body_bytes, made.retention_days) == (100, 12000, None)


def test_the_app_is_the_same_for_every_host_and_secret() -> None:
    one = TencentConnection.from_parts(**parts())
    other = TencentConnection.from_parts(**parts(host="http://127.0.0.1:9", password="x"))
    assert one.app == other.app


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        pytest.param({"host": ""}, "`host`", id="host"),
        pytest.param({"login": None}, "`login`", id="login"),
        pytest.param({"password": ""}, "`password`", id="password"),
        pytest.param({"extra": {}}, "`extra.sdk_app_id`", id="app"),
        pytest.param(
            {"host": None, "extra": {"sdk_app_id": ""}}, "`host`, `extra.sdk_app_id`", id="two"
        ),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], lacking: str) -> None:
    with pytest.raises(UsageError, match=f"lacks {lacking}\\."):
        TencentConnection.from_parts(**parts(**changes))


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"colour": 1}, id="unknown"),
        pytest.param({"sdk_app_id": "seven"}, id="no-number"),
        pytest.param({"sdk_app_id": -1}, id="negative"),
        pytest.param({"calls_per_second": 0}, id="no-calls"),
        pytest.param({"timeout_seconds": 3}, id="backend-timeout"),
        pytest.param({"messages_per_call": 21}, id="too-many-messages"),
        pytest.param({"max_body_bytes": 499}, id="too-small-bodies"),
    ],
)
def test_a_wrong_extra_is_a_usage_error_without_the_secret(extra: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is wrong") as caught:
        TencentConnection.from_parts(**parts(extra={"sdk_app_id": 7} | extra))
    assert next(iter(extra)) in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "belongs"), [("host", "`host`"), ("admin", "`login`"), ("secret_key", "`password`")]
)
def test_a_field_of_the_connection_itself_is_no_extra(name: str, belongs: str) -> None:
    """It would be ignored otherwise, and the connection would be another than the one that was meant."""
    extra = {"sdk_app_id": 7, name: "another-" + SECRET}
    with pytest.raises(UsageError, match=f"`{name}` cannot be an extra") as caught:
        TencentConnection.from_parts(**parts(extra=extra))
    assert belongs in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_empty_extra_counts_as_not_given() -> None:
    extra = {"sdk_app_id": "7", "calls_per_second": "", "retention_days": None}
    made = TencentConnection.from_parts(**parts(extra=extra))
    assert (made.sdk_app_id, made.calls_per_second, made.retention_days) == (7, 190, None)


@pytest.mark.parametrize(
    "password", [[SECRET], {"key": SECRET}, 123456789], ids=["list", "map", "number"]
)
def test_a_secret_of_the_wrong_kind_is_refused_without_showing_it(password: Any) -> None:
    with pytest.raises(UsageError, match="`secret_key`") as caught:
        TencentConnection.from_environment(environ(parts(password=password)))
    assert SECRET not in str(caught.value)
    assert "123456789" not in str(caught.value)


def test_no_form_of_a_connection_shows_its_secret() -> None:
    made = TencentConnection.from_parts(**parts())
    shown = [repr(made), str(made), f"{made!r:}", str(made.model_dump()), made.model_dump_json()]
    assert not [each for each in shown if SECRET in each]


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_the_environment_describes_the_connection_as_airflow_does(*, as_text: bool) -> None:
    extra: Any = {"sdk_app_id": 7, "calls_per_second": 50}
    fields = parts(conn_type="tencent_chat", extra=json.dumps(extra) if as_text else extra)
    made = TencentConnection.from_environment(environ(fields))
    assert made == TencentConnection.from_parts(**parts(extra=extra))


@pytest.mark.parametrize(
    ("described", "said"),
    [
        pytest.param("", "has no", id="nothing"),
        pytest.param("tencent-chat://u:p@h", "is no JSON object", id="airflow-uri"),
        pytest.param("[1]", "is no JSON object", id="list"),
        pytest.param("null", "is no JSON object", id="null"),
        pytest.param('{"extra": "{"}', "is no JSON object", id="broken-extra"),
        pytest.param("{}", "lacks", id="empty-object"),
    ],
)
def test_a_bad_variable_is_a_usage_error_that_shows_an_example(described: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        TencentConnection.from_environment(environ(described))
    assert "sdk_app_id" in str(caught.value)
    assert "u:p@h" not in str(caught.value)
