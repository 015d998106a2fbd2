"""Operators call the one stage that they stand for, with the run that the DAG run is."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import ClassVar

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from chat_migration import stages
from chat_migration.errors import MigrationError, UsageError
from chat_migration.stages import StageResult
from chat_migration_airflow.operators.accounts import ImportAccountsOperator
from chat_migration_airflow.operators.approval import ConfirmPlanOperator
from chat_migration_airflow.operators.base import MigrationOperator
from chat_migration_airflow.operators.direct_messages import ImportDirectMessagesOperator
from chat_migration_airflow.operators.extract import ExtractExportOperator
from chat_migration_airflow.operators.group_members import ImportGroupMembersOperator
from chat_migration_airflow.operators.group_messages import ImportGroupMessagesOperator
from chat_migration_airflow.operators.group_profiles import ImportGroupProfilesOperator
from chat_migration_airflow.operators.plan import PlanImportOperator
from chat_migration_airflow.operators.profiles import SyncGroupProfilesOperator
from chat_migration_airflow.operators.report import WriteReportOperator
from chat_migration_airflow.operators.shards import ListShardsOperator
from chat_migration_airflow.operators.unread import SetUnreadCountsOperator

STAGES = {
    ExtractExportOperator: "extract_export",
    PlanImportOperator: "plan_import",
    ConfirmPlanOperator: "confirm_plan",
    ImportAccountsOperator: "import_accounts",
    ImportGroupProfilesOperator: "import_group_profiles",
    ImportGroupMembersOperator: "import_group_members",
    ImportDirectMessagesOperator: "import_direct_messages",
    ImportGroupMessagesOperator: "import_group_messages",
    SyncGroupProfilesOperator: "sync_group_profiles",
    SetUnreadCountsOperator: "set_unread_counts",
    WriteReportOperator: "write_report",
}
WRITERS = [kind for kind in STAGES if not kind.runs_dry]
COUNTED = {"rows": {"accounts": {"imported": 3}}, "seconds": 1.5, "path": "somewhere"}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    connection = {
        "conn_type": "tencent_chat",
        "host": "http://127.0.0.1:1",
        "login": "administrator",
        "password": "secret-key-of-the-test",
        "extra": {"sdk_app_id": 1400000001},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("CHAT_MIGRATION_HOME", str(tmp_path))


@pytest.fixture
def calls(monkeypatch):
    """Replace every stage; give what was called, with which arguments."""
    seen = []

    def stand_in(name):
        def stage(run, *rest):
            seen.append((name, run, *rest))
            return StageResult(stage=name, summary="one line\nanother", **COUNTED)

        return stage

    for name in STAGES.values():
        monkeypatch.setattr(stages, name, stand_in(name))
    return seen


def context(*, run_type="manual", states=None, **params):
    """Return what Airflow hands to ``execute``."""
    run = SimpleNamespace(
        dag_id="import_to_tencent_chat",
        run_id="manual__1",
        run_type=SimpleNamespace(value=run_type),
        data_interval_start=datetime(2024, 5, 1, tzinfo=UTC),
        data_interval_end=datetime(2024, 5, 2, tzinfo=UTC),
    )
    task = SimpleNamespace(get_task_states=lambda **_: {run.run_id: states or {}})
    return {"dag_run": run, "params": params, "ti": task, "outlet_events": OutletEvents()}


class OutletEvents(dict):
    """Makes an event for each outlet that is asked for, as Airflow does."""

    def __missing__(self, asset):
        return self.setdefault(asset, SimpleNamespace(extra={}))


@pytest.mark.parametrize(("kind", "stage"), STAGES.items())
def test_operator_calls_its_stage_and_returns_the_counts(calls, kind, stage):
    assert kind(task_id="t").execute(context()) == COUNTED
    assert [call[0] for call in calls] == [stage]


def test_run_is_named_by_the_dag_run_and_made_of_params_connection_and_home(calls, tmp_path):
    ImportAccountsOperator(task_id="t").execute(context(source="slack", shards=4))
    run = calls[0][1]
    assert (run.run_id, run.settings.source, run.settings.shards) == ("manual__1", "slack", 4)
    assert run.connection.host == "http://127.0.0.1:1"
    assert run.home.path == tmp_path


class TestOtherTarget:
    """An operator is told its target; everything else is the same."""

    @pytest.fixture(autouse=True)
    def connection(self, monkeypatch):
        fields = {
            "conn_type": "zim",
            "host": "http://127.0.0.1:1",
            "login": "7",
            "password": "0" * 32,
            "extra": {"retention_days": 90},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ZIM_DEFAULT", json.dumps(fields))

    def test_run_goes_into_the_app_of_that_target(self, calls):
        ImportAccountsOperator(task_id="t", target="zim").execute(context())
        run = calls[0][1]
        assert (run.connection.app, run.run_id) == ("zim:7", "manual__1")

    @pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
    def test_night_is_not_the_run_of_the_other_dag_that_has_the_same_id(self, calls, run_type):
        for target in ("tencent", "zim"):
            operator = ImportAccountsOperator(task_id=target, target=target)
            operator.execute(context(run_type=run_type))
        assert [call[1].run_id for call in calls] == ["manual__1", "zim__manual__1"]


def said(capsys):
    """Return what an operator has logged, without Airflow's own remark that no task runner called it."""
    lines = capsys.readouterr().out.splitlines()
    texts = (re.match(r"\S+ \[\w+ *\] (.*?) *\[airflow\.", line) for line in lines)
    return [text[1] for text in texts if text and "Task Runner" not in text[1]]


def test_first_line_of_a_task_names_run_window_export_and_target(calls, capsys):
    ImportAccountsOperator(task_id="t").execute(context(export_path="/exports/old", source="slack"))
    assert said(capsys)[0] == (
        "import_accounts: run manual__1 · window not opened yet · export /exports/old (slack) · "
        "target tencent:1400000001 at http://127.0.0.1:1"
    )


def test_last_lines_of_a_task_are_what_it_counted(calls, capsys):
    ImportAccountsOperator(task_id="t").execute(context())
    assert said(capsys)[1:] == ["one line", "another", "import_accounts: done in 1.5 s"]


@pytest.mark.parametrize("kind", [ImportDirectMessagesOperator, ImportGroupMessagesOperator])
def test_message_operators_send_the_shard_that_they_are_mapped_to(calls, kind):
    kind(task_id="t", shard=2).execute(context(shards=3))
    assert calls[0][2] == 2


def test_shards_are_listed_from_the_settings():
    assert ListShardsOperator(task_id="t").execute(context(shards=3)) == [0, 1, 2]


@pytest.mark.parametrize("kind", WRITERS)
def test_dry_run_skips_whatever_writes(calls, kind):
    with pytest.raises(AirflowSkipException):
        kind(task_id="t").execute(context(dry_run=True))
    assert calls == []


@pytest.mark.parametrize("kind", [ExtractExportOperator, PlanImportOperator])
def test_dry_run_still_extracts_and_plans(calls, kind):
    kind(task_id="t").execute(context(dry_run=True))
    assert calls[0][1].settings.dry_run


def test_unknown_setting_ends_the_task_before_its_stage(calls):
    with pytest.raises(UsageError, match="sharts"):
        ExtractExportOperator(task_id="t").execute(context(sharts=2))
    assert calls == []


def test_killed_task_asks_its_stage_to_stop(monkeypatch):
    operator = ImportAccountsOperator(task_id="t")

    def stage(run):
        operator.on_kill()
        deadline = time.monotonic() + 5
        while not run.stop.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        return StageResult(stage="", rows={}, seconds=0)

    monkeypatch.setattr(stages, "import_accounts", stage)
    operator.execute(context())
    assert operator._run.stop.is_set()


def test_task_killed_before_its_stage_begins_has_nothing_to_stop():
    ImportAccountsOperator(task_id="t").on_kill()


class TestReport:
    """The last task writes the report whatever happened and decides the state of the run."""

    ASSET = Asset(name="imports", uri="x-test://imports")
    FAILED: ClassVar = {"extract.plan_import": "success", "import_groups.import_accounts": "failed"}

    def report(self, **given):
        given = context(**given)
        try:
            WriteReportOperator(task_id="t", outlets=[self.ASSET]).execute(given)
        finally:
            self.events = given["outlet_events"]

    def test_complete_run_updates_the_asset_with_the_counts(self, calls):
        self.report(states={"extract.plan_import": "success", "set_unread.write_report": "running"})
        assert self.events[self.ASSET].extra == {"run_id": "manual__1", **COUNTED}

    def test_failed_task_fails_the_run_after_the_report_is_written(self, calls):
        with pytest.raises(MigrationError, match=r"`import_groups\.import_accounts` failed"):
            self.report(states=self.FAILED)
        assert [call[0] for call in calls] == ["write_report"]
        assert not self.events

    def test_verdict_of_the_report_itself_comes_first(self, calls, monkeypatch):
        monkeypatch.setattr(stages, "write_report", _too_many_rejected)
        with pytest.raises(MigrationError, match="2 of 3 rows"):
            self.report(states=self.FAILED)

    def test_report_that_cannot_be_written_names_the_failed_task(self, calls, monkeypatch):
        monkeypatch.setattr(stages, "write_report", _nothing_to_report)
        with pytest.raises(MigrationError, match=r"`import_groups\.import_accounts` failed"):
            self.report(states=self.FAILED)

    def test_report_that_cannot_be_written_after_a_good_run_is_an_error_of_its_own(
        self, calls, monkeypatch
    ):
        monkeypatch.setattr(stages, "write_report", _nothing_to_report)
        with pytest.raises(FileNotFoundError):
            self.report()

    def test_failed_plan_fails_a_dry_run_without_writing(self, calls):
        with pytest.raises(MigrationError, match=r"`extract\.plan_import` failed"):
            self.report(states={"extract.plan_import": "failed"}, dry_run=True)
        assert calls == []

    def test_skipped_tasks_are_no_failure(self, calls):
        self.report(states={"import_groups.import_accounts": "skipped"})
        assert self.events


@pytest.mark.parametrize("kind", STAGES)
def test_operator_only_stores_its_arguments_and_says_what_a_retry_does(kind):
    operator = kind(task_id="t", conn_id="other")
    assert operator.hook.conn_id == "other"
    assert set(MigrationOperator.template_fields) <= set(operator.template_fields)
    assert any(word in kind.__doc__ for word in ("A retry", "a retry"))


def _too_many_rejected(_run):
    raise MigrationError("2 of 3 rows of `accounts` were rejected.")


def _nothing_to_report(_run):
    raise FileNotFoundError("plan")
