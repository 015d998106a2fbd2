"""A person is asked with the quote; only what was approved goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput
from tests.builders_neutral import NeutralExport, at

from chat_migration import stages
from chat_migration.errors import MigrationError, UsageError
from chat_migration.home import Home
from chat_migration.ledger.shared import shared_ledger
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration_airflow import alerts
from chat_migration_airflow.operators.approval import ApprovePlanOperator, ConfirmPlanOperator

CONNECTION = {
    "conn_type": "tencent_chat",
    "host": "http://127.0.0.1:1",
    "login": "administrator",
    "password": "secret-key-of-the-test",
    "extra": {"sdk_app_id": 1400000001},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", json.dumps(CONNECTION))
    monkeypatch.setenv("CHAT_MIGRATION_HOME", str(tmp_path / "home"))


@pytest.fixture
def asked(monkeypatch):
    """Keep what Airflow is asked to show."""
    seen = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **given: seen.append(given))
    return seen


@pytest.fixture
def notices(monkeypatch):
    seen = []
    monkeypatch.setattr(alerts, "send", seen.append)
    return seen


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Plan a run over an export of three messages, without asking its target anything."""
    monkeypatch.setattr("chat_migration.stages.extract._check_target", lambda _run: None)
    run = made_run(tmp_path, export_of(3).write(tmp_path / "export"))
    stages.open_window(run)
    stages.extract_export(run)
    stages.plan_import(run)
    return run


def made_run(tmp_path, export):
    home = Home.from_environment({"CHAT_MIGRATION_HOME": str(tmp_path / "home")})
    connection = TencentConnection.from_parts(
        host=CONNECTION["host"],
        login=CONNECTION["login"],
        password=CONNECTION["password"],
        extra=CONNECTION["extra"],
    )
    settings = Settings.load({"export_path": str(export)}, {})
    return Run(run_id="manual__1", settings=settings, connection=connection, home=home)


def export_of(messages):
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(messages):
        export.say("quay", "ada", at(number * 10))
    return export


def context(tmp_path, **params):
    task = SimpleNamespace(
        id="7", dag_id="import_to_tencent_chat", run_id="manual__1", task_id="approve", map_index=-1
    )
    run = SimpleNamespace(run_id="manual__1", run_type=SimpleNamespace(value="manual"))
    params = {"export_path": str(tmp_path / "export"), **params}
    return {"dag_run": run, "params": params, "ti": task, "task_instance": task}


def answer(*chosen, by="grace"):
    return {
        "chosen_options": list(chosen),
        "params_input": {},
        "responded_at": datetime(2024, 5, 2, tzinfo=UTC),
        "responded_by_user": {"id": by, "name": by},
    }


@pytest.mark.parametrize("params", [{}, {"require_approval": True, "dry_run": True}])
def test_nobody_is_asked_unless_a_run_that_writes_requires_it(tmp_path, asked, notices, params):
    with pytest.raises(AirflowSkipException):
        ApprovePlanOperator(task_id="t").execute(context(tmp_path, **params))
    assert asked == notices == []


def test_question_is_the_quote_with_window_export_and_target(tmp_path, planned, asked, notices):
    with pytest.raises(TaskAwaitingInput) as waiting:
        ApprovePlanOperator(task_id="t").execute(
            context(tmp_path, require_approval=True, approval_hours=1.5)
        )
    (question,) = asked
    assert question["subject"] == "Send this to tencent:1400000001 at http://127.0.0.1:1?"
    assert stages.quote_of(planned).text() in question["body"]
    assert "window **everything**" in question["body"]
    assert str(tmp_path / "export") in question["body"]
    assert waiting.value.timeout == timedelta(hours=1.5)
    assert [notice.kind for notice in notices] == ["approval_wanted"]


def test_approval_goes_on_and_says_whose_it_was(tmp_path):
    operator = ApprovePlanOperator(task_id="t")
    assert operator.execute_complete(context(tmp_path), answer("Approve")) == {
        "approved_by": "grace"
    }


def test_rejection_fails_with_the_name_and_what_to_do(tmp_path):
    with pytest.raises(MigrationError, match=r"rejected by `grace`.*Clear this task") as error:
        ApprovePlanOperator(task_id="t").execute_complete(context(tmp_path), answer("Reject"))
    assert not error.value.is_retriable


def test_silence_fails_when_the_time_is_over(tmp_path):
    with pytest.raises(MigrationError, match="Nobody approved the plan in time"):
        ApprovePlanOperator(task_id="t").execute_complete(
            context(tmp_path), {"error": "too late", "error_type": "timeout"}
        )


def test_plan_that_is_still_the_same_is_confirmed(planned):
    stages.ask_approval(planned)
    assert stages.confirm_plan(planned).rows["group_messages"] == {"to_import": 3}


def test_plan_that_has_grown_is_refused_with_what_grew(tmp_path, planned):
    stages.ask_approval(planned)
    export_of(5).write(tmp_path / "export")
    stages.extract_export(planned)
    with pytest.raises(MigrationError, match="group_messages to_import: 5 instead of 3"):
        stages.confirm_plan(planned)


def test_plan_that_has_grown_can_be_approved_anew(tmp_path, planned):
    stages.ask_approval(planned)
    export_of(5).write(tmp_path / "export")
    stages.extract_export(planned)
    with pytest.raises(MigrationError):
        stages.confirm_plan(planned)
    assert stages.ask_approval(planned).rows["group_messages"] == {"to_import": 5}
    assert stages.confirm_plan(planned).rows["group_messages"] == {"to_import": 5}


def test_plan_that_nobody_was_asked_about_is_not_confirmed(planned):
    with pytest.raises(MigrationError, match="Nobody was asked"):
        stages.confirm_plan(planned)


def test_question_needs_a_plan(tmp_path):
    with pytest.raises(UsageError):
        stages.ask_approval(made_run(tmp_path, tmp_path))


def test_confirming_calls_its_stage_and_is_skipped_in_a_dry_run(tmp_path):
    assert ConfirmPlanOperator(task_id="t").stage == "confirm_plan"
    with pytest.raises(AirflowSkipException):
        ConfirmPlanOperator(task_id="t").execute(context(tmp_path, dry_run=True))


def test_confirming_leaves_the_ledger_without_deliveries(planned):
    stages.ask_approval(planned)
    stages.confirm_plan(planned)
    with shared_ledger(
        planned.home.ledger_url, planned.connection.app, clock=planned.clock
    ) as ledger:
        assert ledger.is_empty()
