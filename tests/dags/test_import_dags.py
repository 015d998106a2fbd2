"""The import DAGs as Airflow parses them: no errors, the four stages in their order, safe defaults."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import CronDataIntervalTimetable, ExceptionRetryPolicy

from chat_migration.settings import Settings
from chat_migration_airflow import alerts
from chat_migration_airflow.deadlines import EndOfNight
from chat_migration_airflow.operators.base import MigrationOperator

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).resolve().parents[2] / "dags"

DAG_OF = {"tencent": "import_to_tencent_chat", "zim": "import_to_zego_zim"}
CONNECTIONS = {"tencent": "tencent_chat_default", "zim": "zim_default"}

ORDER = [
    "extract.open_window",
    "extract.wait_for_export",
    "extract.extract_export",
    "extract.plan_import",
    "extract.approve_plan",
    "extract.confirm_plan",
    "import_groups.import_accounts",
    "import_groups.import_group_profiles",
    "import_groups.import_group_members",
    "import_messages.list_shards",
    "import_messages.import_direct_messages",
    "import_messages.import_group_messages",
    "import_messages.sync_group_profiles",
    "set_unread.set_unread_counts",
    "set_unread.write_report",
]


@pytest.fixture(scope="module")
def bag():
    return DagBag(dag_folder=str(DAGS))


@pytest.fixture(scope="module", params=DAG_OF)
def target(request):
    return request.param


@pytest.fixture(scope="module")
def dag(bag, target):
    return bag.dags[DAG_OF[target]]


def test_every_dag_file_is_imported_without_error(bag):
    assert bag.import_errors == {}


def test_tasks_are_those_of_the_four_stages_in_order(dag):
    assert [task.task_id for task in dag.topological_sort()] == ORDER


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        *pairwise(ORDER[: ORDER.index("import_messages.list_shards") + 1]),
        ("extract.plan_import", "import_groups.import_accounts"),
        ("import_messages.list_shards", "import_messages.import_direct_messages"),
        ("import_messages.list_shards", "import_messages.import_group_messages"),
        ("import_messages.import_direct_messages", "import_messages.sync_group_profiles"),
        ("import_messages.import_group_messages", "import_messages.sync_group_profiles"),
        ("import_messages.sync_group_profiles", "set_unread.set_unread_counts"),
        ("import_messages.import_direct_messages", "set_unread.set_unread_counts"),
        ("import_messages.import_group_messages", "set_unread.set_unread_counts"),
        ("set_unread.set_unread_counts", "set_unread.write_report"),
    ],
)
def test_a_stage_waits_for_the_one_before(dag, earlier, later):
    assert earlier in dag.get_task(later).upstream_task_ids


def test_stages_are_four_groups_in_the_graph(dag):
    groups = [name for name in dag.task_group.get_task_group_dict() if name]
    assert sorted(groups) == ["extract", "import_groups", "import_messages", "set_unread"]


@pytest.mark.parametrize("task", ["import_groups.import_accounts", "set_unread.set_unread_counts"])
def test_task_after_ones_that_may_be_skipped_needs_one_success_and_no_failure(dag, task):
    assert dag.get_task(task).trigger_rule == "none_failed_min_one_success"


def test_message_types_do_not_wait_for_each_other(dag):
    messages = {"import_messages.import_direct_messages", "import_messages.import_group_messages"}
    assert not any(messages & dag.get_task(each).upstream_task_ids for each in messages)


def test_report_waits_for_shards_that_still_run_when_another_has_failed(dag):
    report = dag.get_task("set_unread.write_report")
    assert report.trigger_rule == "all_done"
    assert report.upstream_task_ids >= {
        "import_messages.import_direct_messages",
        "import_messages.import_group_messages",
    }


def test_report_alone_decides_the_state_of_the_run(dag):
    assert [task.task_id for task in dag.leaves] == ["set_unread.write_report"]


def test_report_updates_the_asset_of_imports_into_its_target(dag, target):
    (asset,) = dag.get_task("set_unread.write_report").outlets
    assert asset.name == f"chat_migration/{target}/import"


def test_every_task_that_talks_to_an_app_has_the_connection_of_its_target(dag, target):
    tasks = [task.unmap({"shard": 0}) if task.is_mapped else task for task in dag.tasks]
    talking = [task for task in tasks if isinstance(task, MigrationOperator)]
    assert len(talking) == len(ORDER) - 1
    assert {(task.target, task.conn_id) for task in talking} == {(target, CONNECTIONS[target])}


def test_a_dag_lies_in_the_file_of_its_name(dag, target):
    assert Path(dag.fileloc).name == f"{DAG_OF[target]}.py"


def test_a_run_covers_one_day_from_midnight(dag):
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.timetable.expression == "0 0 * * *"


def test_only_one_run_at_a_time_and_no_catching_up_by_airflow(dag):
    assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_params_are_the_settings(dag):
    names = {field.alias or name for name, field in Settings.model_fields.items()}
    assert set(dag.params) == names


def test_params_are_not_set_by_default_so_that_the_settings_file_counts(dag):
    assert set(dag.params.dump().values()) == {None}


def test_every_task_retries_by_our_policy_and_has_no_execution_timeout(dag):
    for task in dag.tasks:
        assert task.retries == 6
        assert isinstance(task.retry_policy, ExceptionRetryPolicy)
        assert task.execution_timeout is None


def test_gate_alone_depends_on_past_runs(dag):
    past = [task.task_id for task in dag.tasks if task.depends_on_past]
    assert past == ["extract.open_window"]
    assert not any(task.wait_for_downstream for task in dag.tasks)


def test_failures_of_tasks_and_of_the_run_are_told(dag):
    assert dag.on_failure_callback is alerts.run_failed
    for task in dag.tasks:
        assert task.on_failure_callback in (alerts.task_failed, [alerts.task_failed])


def test_night_has_a_deadline_that_only_scheduled_runs_have(dag):
    (alert,) = dag.deadline
    assert isinstance(alert.reference, EndOfNight)
    assert alert.interval == timedelta(hours=6)


def test_dag_is_documented_tagged_and_owned(dag, target):
    assert CONNECTIONS[target] in dag.doc_md
    assert dag.dag_id in dag.doc_md
    assert {"chat-migration", target} <= set(dag.tags)
    assert {task.owner for task in dag.tasks} == {"chat-migration"}


def test_parsing_imports_nothing_heavy(target):
    heavy = ["duckdb", "matplotlib", "pandas", "pyarrow", "requests", "tenacity", "TLSSigAPIv2"]
    script = (
        "import sys, runpy, airflow.sdk; before = set(sys.modules)\n"
        f"runpy.run_path({str(DAGS / DAG_OF[target]) + '.py'!r})\n"
        f"print(*(set(sys.modules) - before) & set({heavy!r}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
