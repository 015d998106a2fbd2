"""What people are told when a task, a run or a night needs them."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace

import pytest

from chat_migration.errors import CredentialsError
from chat_migration_airflow import alerts

TASK = SimpleNamespace(
    dag_id="import_to_tencent_chat",
    run_id="nightly",
    task_id="import_messages.import_group_messages",
    map_index=2,
)
ERROR = CredentialsError("The SecretKey is wrong.", advice="Correct the connection.")


@pytest.fixture(autouse=True)
def _address(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example.com/")


@pytest.fixture
def notices(monkeypatch):
    """Name a function of a module of its own in CHAT_MIGRATION_NOTIFY; give what it was called with."""
    seen = []
    module = ModuleType("pager_of_the_test")
    module.page = seen.append
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv(alerts.NOTIFY_VARIABLE, f"{module.__name__}.page")
    return seen


@pytest.fixture
def lines(caplog, monkeypatch):
    """Give what was logged, a line each."""
    monkeypatch.delenv(alerts.NOTIFY_VARIABLE, raising=False)
    caplog.set_level(logging.INFO)
    return lambda: caplog.messages


def test_failed_task_is_one_line_with_what_where_and_what_to_do(lines):
    alerts.task_failed({"ti": TASK, "exception": ERROR})
    (line,) = lines()
    assert line.startswith(
        "task_failed in import_to_tencent_chat, run nightly, task "
        "import_messages.import_group_messages [2]: CredentialsError: The SecretKey is wrong. "
        "Correct the connection. http://airflow.example.com/dags/"
    )
    assert line.endswith("/runs/nightly/tasks/import_messages.import_group_messages")


def test_without_an_address_of_airflow_no_page_is_named(lines, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    alerts.task_failed({"ti": TASK, "exception": ERROR})
    assert lines()[0].endswith("Correct the connection.")


def test_error_that_is_not_ours_is_named_and_its_text_stays_in_the_log_of_the_task(lines):
    alerts.task_failed({"ti": TASK, "exception": ConnectionError("https://…&usersig=secret")})
    assert "ConnectionError Its log has the details." in lines()[0]
    assert "usersig" not in lines()[0]


def test_task_that_was_killed_has_no_error_to_name(lines):
    alerts.task_failed({"ti": TASK})
    assert "It ended without a word." in lines()[0]


def test_failed_run_is_told_with_its_page(notices):
    run = SimpleNamespace(dag_id="import_to_tencent_chat", run_id="nightly")
    alerts.run_failed({"dag_run": run})
    (notice,) = notices
    assert (notice.kind, notice.task) == ("run_failed", "")
    assert notice.url.endswith("/dags/import_to_tencent_chat/runs/nightly")


@pytest.mark.parametrize("by", [datetime(2024, 5, 2, 4, tzinfo=UTC), "2024-05-02T04:00:00+00:00"])
def test_night_that_is_late_is_told_with_the_time_that_it_missed(notices, by):
    context = {
        "dag_run": {"dag_id": "import_to_tencent_chat", "dag_run_id": "nightly"},
        "deadline": {"deadline_time": by},
    }
    asyncio.run(alerts.deadline_missed(context))
    (notice,) = notices
    assert notice.kind == "deadline_missed"
    assert "by 2024-05-02T04:00:00+00:00" in notice.what


def test_plan_that_waits_is_told_with_its_deadline_and_the_page_where_it_is_answered(notices):
    alerts.approval_wanted({"ti": TASK}, "Send this to tencent:1?", 1.5)
    (notice,) = notices
    assert "within 1.5 hours" in notice.advice
    assert notice.url.endswith("/required_actions")


@pytest.mark.parametrize("path", ["no_such_module.page", "page", "os.no_such_function", "os.sep"])
def test_function_that_cannot_be_called_is_logged_and_hides_nothing(lines, monkeypatch, path):
    monkeypatch.setenv(alerts.NOTIFY_VARIABLE, path)
    alerts.task_failed({"ti": TASK, "exception": ERROR})
    assert lines()[0].startswith("task_failed")
    assert f"`{path}` could not be called" in lines()[1]


def test_line_breaks_of_an_error_do_not_make_it_two_lines(lines):
    alerts.task_failed({"ti": TASK, "exception": CredentialsError("one\ntwo")})
    assert "one two" in lines()[0]
