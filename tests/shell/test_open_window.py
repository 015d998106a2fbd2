"""The gate: what it hands to the core, and what becomes of the DAG run when nothing is left to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskDeferred

from chat_migration import stages
from chat_migration.calendar import NothingLeft
from chat_migration.errors import UsageError
from chat_migration.home import Home
from chat_migration.stages import StageResult
from chat_migration.targets.vendors import DEFAULT_TARGET
from chat_migration.window import Window, parse_instant
from chat_migration_airflow import schedule
from chat_migration_airflow.operators.base import settings_of
from chat_migration_airflow.operators.extract import ExtractExportOperator
from chat_migration_airflow.operators.report import WriteReportOperator
from chat_migration_airflow.operators.shards import ListShardsOperator
from chat_migration_airflow.operators.window import OpenWindowOperator

NIGHT = Window(parse_instant("2024-05-01"), parse_instant("2024-05-02"))


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
    monkeypatch.setenv("CHAT_MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHAT_MIGRATION_CONFIG", raising=False)


@pytest.fixture
def dag():
    """A small DAG behind a gate, with a task at its end that runs whatever became of those before."""
    with DAG("small", schedule=None) as made:
        gate = OpenWindowOperator(task_id="open_window")
        report = WriteReportOperator(task_id="report", trigger_rule=TriggerRule.ALL_DONE)
        gate >> ExtractExportOperator(task_id="extract") >> report
    return made


class Task:
    """What a running task is to an operator: it takes XComs, and knows an earlier run that is under way, or None."""

    map_index = -1

    def __init__(self, earlier=None):
        self.pushed, self.earlier = {}, earlier
        self.asked_for = []

    def get_previous_dagrun(self, state):
        self.asked_for.append(state)
        return self.earlier

    def xcom_push(self, key, value):
        self.pushed[key] = value


def context(dag, run_type="scheduled", *, start=NIGHT.start_ms, end=NIGHT.end_ms, **params):
    run = SimpleNamespace(
        run_id="night",
        run_type=SimpleNamespace(value=run_type),
        data_interval_start=datetime.fromtimestamp(start / 1000, UTC),
        data_interval_end=datetime.fromtimestamp(end / 1000, UTC),
    )
    return {"dag_run": run, "params": params, "ti": Task(), "task": dag.get_task("open_window")}


@pytest.fixture
def asked(monkeypatch):
    """Replace the use case; give what it was asked."""
    seen = []

    def open_window(run, kind, interval):
        seen.append((run.run_id, kind, interval))
        return StageResult(stage="window", rows={}, seconds=0.5, summary="window: a night")

    monkeypatch.setattr(stages, "open_window", open_window)
    return seen


@pytest.mark.parametrize(
    ("run_type", "kind", "interval"),
    [
        ("scheduled", "scheduled", NIGHT),
        ("backfill", "backfill", NIGHT),
        ("manual", "manual", None),
        ("asset_triggered", "manual", None),
    ],
)
def test_gate_says_who_started_the_run_and_its_interval(dag, asked, run_type, kind, interval):
    done = dag.get_task("open_window").execute(context(dag, run_type))
    assert asked == [("night", kind, interval)]
    assert done == {"rows": {}, "seconds": 0.5, "path": ""}


def test_gate_logs_what_was_decided(dag, asked, capsys):
    dag.get_task("open_window").execute(context(dag))
    assert "window: a night" in capsys.readouterr().out


def test_past_runs_count_at_the_gate_and_nowhere_else(dag):
    counts = {task.task_id: task.depends_on_past for task in dag.tasks}
    assert counts == {"open_window": True, "extract": False, "report": False}


def test_runs_from_before_there_was_a_gate_do_not_hold_it_up(dag):
    assert dag.get_task("open_window").ignore_first_depends_on_past


def test_where_nothing_is_left_all_downstream_is_skipped_even_what_always_runs(
    dag, monkeypatch, capsys
):
    monkeypatch.setattr(stages, "open_window", lambda *_: NothingLeft(text="All is complete."))
    given = context(dag)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        dag.get_task("open_window").execute(given)
    assert set(skipped.value.tasks) == {"extract", "report"}
    assert "All is complete. Everything downstream is skipped." in capsys.readouterr().out
    # Airflow reads this when one of them is cleared: it stays skipped.
    assert set(given["ti"].pushed["skipmixin_key"]["skipped"]) == {"extract", "report"}


def test_gate_alone_ends_well_where_nothing_is_left(monkeypatch):
    monkeypatch.setattr(stages, "open_window", lambda *_: NothingLeft(text="All is complete."))
    with DAG("alone", schedule=None) as alone:
        gate = OpenWindowOperator(task_id="open_window")
    assert gate.execute(context(alone)) is None


def test_real_gate_notes_the_window_for_the_other_tasks(dag):
    dag.get_task("open_window").execute(context(dag))
    given = context(dag)
    run = dag.get_task("extract").make_run(given, settings_of(given, DEFAULT_TARGET))
    assert run.window.window == Window(None, NIGHT.end_ms)
    assert run.window.kind == "scheduled"


def test_dry_run_decides_again_on_a_worker_that_did_not_run_the_gate(dag, monkeypatch):
    """The note of a dry run lies on the gate's machine."""
    seen = []

    def extract(run):
        seen.append(run.window.window)
        return StageResult(stage="extract", rows={}, seconds=0)

    monkeypatch.setattr(stages, "extract_export", extract)
    dag.get_task("extract").execute(context(dag, "backfill", dry_run=True))
    assert seen == [NIGHT]
    assert not Home.from_environment().path.exists()


def test_empty_interval_is_refused_before_anything_is_opened(dag):
    with pytest.raises(UsageError, match="is empty"):
        dag.get_task("open_window").execute(context(dag, end=NIGHT.start_ms))
    assert not Home.from_environment().path.exists()


def test_what_the_target_cannot_do_is_refused_before_anything_is_opened():
    with DAG("zim", schedule=None, default_args={"target": "zim"}) as into_zim:
        gate = OpenWindowOperator(task_id="open_window")
    with pytest.raises(UsageError, match="use `clear_unread`"):
        gate.execute(context(into_zim, c2c_unread="preserve", allow_push=True))
    assert not Home.from_environment().path.exists()


@pytest.mark.parametrize(("target", "shards"), [("tencent", [0]), ("zim", [0, 1, 2])])
def test_shards_are_those_that_the_settings_file_gives_the_target(
    monkeypatch, tmp_path, target, shards
):
    file = tmp_path / "settings.yaml"
    file.write_text("zim:\n  shards: 3\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    with DAG("sharded", schedule=None, default_args={"target": target}) as sharded:
        OpenWindowOperator(task_id="open_window")
        listed = ListShardsOperator(task_id="list_shards")
    assert listed.execute(context(sharded)) == shards


@pytest.mark.parametrize(
    ("configured", "zone"), [("utc", "UTC"), ("Europe/Berlin", "Europe/Berlin")]
)
def test_days_are_those_of_the_schedule_unless_a_zone_is_set(dag, monkeypatch, configured, zone):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", configured)
    assert settings_of(context(dag), DEFAULT_TARGET).time_zone == zone
    assert schedule.zone_name() == zone
    given = context(dag, time_zone="Asia/Singapore")
    assert settings_of(given, DEFAULT_TARGET).time_zone == "Asia/Singapore"


def test_zone_of_the_machine_is_a_name_that_the_core_knows(dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "system")
    dag.get_task("open_window").execute(context(dag))
    given = context(dag)
    assert (
        dag.get_task("extract").make_run(given, settings_of(given, DEFAULT_TARGET)).noted_window()
        is not None
    )


# --- earlier runs that are under way ------------------------------------------------------------

EARLIER = SimpleNamespace(run_id="backfill__2024-04-30")


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_night_steps_aside_while_one_of_an_earlier_time_is_under_way(dag, asked, run_type):
    given = context(dag, run_type)
    given["ti"] = Task(EARLIER)
    with pytest.raises(TaskDeferred) as deferred:
        dag.get_task("open_window").execute(given)
    assert deferred.value.method_name == "execute"
    assert given["ti"].asked_for == ["running"]
    assert asked == []


def test_night_that_stepped_aside_looks_again_and_begins(dag, asked):
    dag.get_task("open_window").execute(context(dag, "backfill"), event=NIGHT)
    assert [each[1] for each in asked] == ["backfill"]


def test_manual_run_begins_at_once(dag, asked):
    given = context(dag, "manual")
    given["ti"] = Task(EARLIER)
    dag.get_task("open_window").execute(given)
    assert [each[1] for each in asked] == ["manual"]
