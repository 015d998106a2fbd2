"""The DAG of an import, the same for every target: four stages in the order that the services require.

**extract** reads the export and quotes what would happen · **import_groups** creates accounts, groups and
members · **import_messages** sends the history · **set_unread** sets the badges and writes the report.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, BaseOperator, TaskGroup, TriggerRule
from airflow.sdk.definitions.mappedoperator import MappedOperator

from chat_migration.targets.vendors import VENDORS
from chat_migration_airflow import alerts
from chat_migration_airflow.assets import IMPORTS
from chat_migration_airflow.deadlines import night_deadline
from chat_migration_airflow.hooks import HOOKS
from chat_migration_airflow.operators.accounts import ImportAccountsOperator
from chat_migration_airflow.operators.approval import ApprovePlanOperator, ConfirmPlanOperator
from chat_migration_airflow.operators.arrival import WaitForExportOperator
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
from chat_migration_airflow.operators.window import OpenWindowOperator
from chat_migration_airflow.params import import_params
from chat_migration_airflow.retry_policy import migration_retry_policy
from chat_migration_airflow.schedule import nightly

_DOC = """
### Import a legacy chat into {title}

Every row of the export ends in exactly one outcome, every message is in the app once, in its conversation's
order, with its own time.

**Before the first run** create the connection `{conn_id}` (type *{title}*) and press *Test*.

| To … | do this |
|---|---|
| see what would happen | trigger with `dry_run`; the log of `plan_import` shows the quote, nothing is written |
| pilot a few groups | trigger with `conversations` |
| move the whole history | trigger with `source` and `export_path` |
| look at the quote before anything is sent | add `require_approval`; the run waits under *Required Actions* |
| move one stretch of time | trigger with `from` and `to` |
| follow the legacy chat until cut-over | name a settings file in `CHAT_MIGRATION_CONFIG` and unpause |
| bring a missed range | `airflow backfill create --dag-id {dag_id} … --reprocess-behavior completed` |

A scheduled run starts at midnight and knows its export only from that file (YAML, one setting a line). It takes all
from the end of what is complete to midnight: nights that a stopped scheduler missed are caught up. `open_window` says
which window it is and why; where nothing is left to do, everything after it is skipped. A form field that is not set
takes its value from the file too, else the default named in its help.

**Running it again is safe.** What was delivered is in the ledger and is never sent twice: clear a failed task,
or trigger the same run once more, and only what is missing is sent.

**When a task fails** its last log lines say what happened, what to do, and what is already done. Failures
that waiting can cure (no answer, another run at work) are retried by themselves; the others fail at once.
`write_report` always runs: `report.html`, `report.json` and `rejected.jsonl` lie in the folder named in its
log, and it fails when the run is not complete or more rows were rejected than `max_rejected_ratio` allows.
A failed task or run, a night that is not done by six, and a plan that waits for approval are one log line each, and
a call of the function that `CHAT_MIGRATION_NOTIFY` names.
{remarks}"""


def import_dag(target: str, *, dag_id: str, remarks: str = "") -> DAG:
    """Return the DAG that imports into a target.

    Args:
        target: where to, as ``--target`` of the command line names it.
        dag_id: its name, which never changes.
        remarks: what is special about this target, for its page.
    """
    title = VENDORS[target].title
    conn_id = HOOKS[target].default_conn_name
    with DAG(
        dag_id=dag_id,
        description="Legacy chat export → Parquet → accounts, groups, messages and unread counts",
        doc_md=_DOC.format(title=title, conn_id=conn_id, dag_id=dag_id, remarks=remarks),
        schedule=nightly(),
        start_date=pendulum.datetime(2000, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=["chat-migration", target],
        params=import_params(),
        deadline=night_deadline(),
        on_failure_callback=alerts.run_failed,
        default_args={
            "owner": "chat-migration",
            "target": target,
            # Half an hour of a service that is away, or as many killed workers. How soon after a worker's death:
            # Airflow's own `default_task_retry_delay`. Failures that we know have delays of their own in the policy.
            "retries": 6,
            "retry_policy": migration_retry_policy(),
            "on_failure_callback": alerts.task_failed,
        },
    ) as dag:
        _add_stages(IMPORTS[target])
    return dag


def _add_stages(outlet: Asset) -> None:
    """Add the four stages to the DAG that is being made; a complete run updates the outlet."""
    plans = _extract()
    groups = _import_groups()
    messages, history = _import_messages()
    unread, report = _set_unread(outlet)
    plans >> groups
    groups >> history >> unread
    # A failed shard fails `set_unread_counts` at once, while other shards still run: wait for those as well.
    messages >> unread
    messages >> report


def _extract() -> list[BaseOperator]:
    """Add the first stage; return the tasks with which it is done: with or without an approval."""
    with TaskGroup("extract", tooltip="Window → export → checked Parquet → plan and quote"):
        gate = OpenWindowOperator(task_id="open_window")
        ready = WaitForExportOperator(task_id="wait_for_export")
        plan = PlanImportOperator(task_id="plan_import")
        confirmed = ConfirmPlanOperator(task_id="confirm_plan")
        gate >> ready >> ExtractExportOperator(task_id="extract_export") >> plan
        plan >> ApprovePlanOperator(task_id="approve_plan") >> confirmed
    return [plan, confirmed]


def _import_groups() -> TaskGroup:
    """Add the second stage."""
    with TaskGroup("import_groups", tooltip="Accounts, then groups, then members") as stage:
        # Where nobody has to approve, the two tasks for that are skipped and the plan is enough.
        accounts = ImportAccountsOperator(
            task_id="import_accounts", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        )
        (
            accounts
            >> ImportGroupProfilesOperator(task_id="import_group_profiles")
            >> ImportGroupMembersOperator(task_id="import_group_members")
        )
    return stage


def _import_messages() -> tuple[list[MappedOperator], TaskGroup]:
    """Add the third stage; return the tasks that send messages, and the whole of it."""
    tooltip = "The history, oldest first; then what changed in its groups"
    with TaskGroup("import_messages", tooltip=tooltip) as stage:
        shards = ListShardsOperator(task_id="list_shards")
        one_shard = {"map_index_template": "shard {{ task.shard }}"}
        messages = [
            ImportDirectMessagesOperator.partial(
                task_id="import_direct_messages", **one_shard
            ).expand(shard=shards.output),
            ImportGroupMessagesOperator.partial(
                task_id="import_group_messages", **one_shard
            ).expand(shard=shards.output),
        ]
        messages >> SyncGroupProfilesOperator(task_id="sync_group_profiles")
    return messages, stage


def _set_unread(outlet: Asset) -> tuple[BaseOperator, BaseOperator]:
    """Add the last stage; return its two tasks."""
    with TaskGroup("set_unread", tooltip="Badges, then the report"):
        # Without `sync_profiles` the task for that is skipped; what counts are the messages.
        unread = SetUnreadCountsOperator(
            task_id="set_unread_counts", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        )
        report = WriteReportOperator(
            task_id="write_report", trigger_rule=TriggerRule.ALL_DONE, outlets=[outlet]
        )
        unread >> report
    return unread, report
