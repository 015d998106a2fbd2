"""Where ZIM is and with which secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat_migration.errors import UsageError
from chat_migration.targets.zego_zim.connection import ZimConnection

SECRET = "9193cc662a4c0ec135ec71fb57194b38"


def parts(**changes: Any) -> ZimConnection:
    given: dict[str, Any] = {
        "host": "singapore",
        "login": "1234567890",
        "password": SECRET,
        "extra": {"retention_days": 90},
    }
    return ZimConnection.from_parts(**given | changes)


def test_the_fields_of_a_connection_with_the_vendors_usual_limits() -> None:
    made = parts()
    assert (made.host, made.app_id, made.retention_days) == ("singapore", 1234567890, 90)
    assert (made.calls_per_second, made.max_message_bytes, made.priority) == (19, 2048, 2)
    assert (made.members_per_call, made.accounts_per_call, made.live_reserve) == (100, 100, 0)
    assert made.app == "zim:1234567890"


def test_the_name_in_the_ledger_is_the_same_for_every_host_and_secret() -> None:
    assert parts(host="frankfurt", password="other").app == parts().app


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"host": ""}, "`host`", id="host"),
        pytest.param({"login": None}, "`login`", id="app"),
        pytest.param({"password": ""}, "`password`", id="secret"),
        pytest.param({"extra": {}}, "`extra.retention_days`", id="retention"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=f"lacks {named}") as caught:
        parts(**changes)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"login": "abc"}, "login (app_id)", id="app-no-number"),
        pytest.param({"login": "0"}, "login (app_id)", id="app-0"),
        pytest.param({"login": str(2**32)}, "login (app_id)", id="app-too-large"),
        pytest.param({"extra": {"retention_days": 0.5}}, "retention_days", id="retention-no-day"),
        pytest.param({"extra": {"retention_days": 361}}, "retention_days", id="retention-long"),
        pytest.param(
            {"extra": {"retention_days": 7, "max_message_bytes": 32769}}, "max_message_bytes",
            id="messages-larger-than-ever-possible",
        ),
        pytest.param(
            {"extra": {"retention_days": 7, "max_message_bytes": 2047}}, "max_message_bytes",
            id="messages-smaller-than-usual",
        ),
        pytest.param({"extra": {"retention_days": 7, "priority": 4}}, "priority", id="priority"),
        pytest.param(
            {"extra": {"retention_days": 7, "members_per_call": 101}}, "members_per_call", id="members"
        ),
        pytest.param({"extra": {"retention_days": 7, "secret": SECRET}}, "secret", id="unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_without_its_value(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parts(**changes)
    assert f"`{named}`" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)


@pytest.mark.parametrize("name", ["host", "app_id", "server_secret"])
def test_a_field_of_the_connection_is_no_extra(name: str) -> None:
    with pytest.raises(UsageError, match=f"`{name}` cannot be an extra") as caught:
        parts(extra={"retention_days": 7, name: SECRET})
    assert SECRET not in str(caught.value)


def test_a_connection_shows_no_secret() -> None:
    made = parts()
    shown = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()}"
    assert "1234567890" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("as_text", [False, True])
def test_the_environment_describes_a_connection(*, as_text: bool) -> None:
    extra: Any = {"retention_days": 30, "calls_per_second": 40}
    described = {
        "conn_type": "zim",
        "host": "http://127.0.0.1:9700",
        "login": "7",
        "password": SECRET,
        "extra": json.dumps(extra) if as_text else extra,
    }
    made = ZimConnection.from_environment({ZimConnection.variable: json.dumps(described)})
    assert (made.app_id, made.retention_days, made.calls_per_second) == (7, 30, 40)


@pytest.mark.parametrize(
    "value", ["", "{", "[]", "7", '"text"', '{"extra": "{"}', '{"extra": 5}', "[" * 100_000]
)
def test_an_environment_that_describes_none_says_how_it_would(value: str) -> None:
    with pytest.raises(UsageError, match="ServerSecret") as caught:
        ZimConnection.from_environment({ZimConnection.variable: value})
    assert ZimConnection.variable in str(caught.value)
