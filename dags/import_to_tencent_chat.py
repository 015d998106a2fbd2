"""Moves a legacy chat's history into Tencent Cloud Chat, in the order that the service requires.

**extract** reads the export and quotes what would happen · **import_groups** creates accounts, groups and
members · **import_messages** sends the history · **set_unread** sets the badges and writes the report.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, TaskGroup, TriggerRule

from chat_migration_airflow import alerts
from chat_migration_airflow.assets import TENCENT_IMPORT
from chat_migration_airflow.deadlines import night_deadline
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

DOC = """
### Import a legacy chat into Tencent Cloud Chat

Every row of the export ends in exactly one outcome, every message is in the app once, in its conversation's
order, with its own time.

**Before the first run** create the connection `tencent_chat_default` (type *Tencent Cloud Chat*) and press
*Test*.

| To … | do this |
|---|---|
| see what would happen | trigger with `dry_run`; the log of `plan_import` shows the quote, nothing is written |
| pilot a few groups | trigger with `conversations` |
| move the whole history | trigger with `source` and `export_path` |
| look at the quote before anything is sent | add `require_approval`; the run waits under *Required Actions* |
| move one stretch of time | trigger with `from` and `to` |
| follow the legacy chat until cut-over | name a settings file in `CHAT_MIGRATION_CONFIG` and unpause |
| bring a missed range | `airflow backfill create --dag-id import_to_tencent_chat … --reprocess-behavior completed` |

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
"""

with DAG(
    dag_id="import_to_tencent_chat",
    description="Legacy chat export → Parquet → accounts, groups, messages and unread counts",
    doc_md=DOC,
    schedule=nightly(),
    start_date=pendulum.datetime(2000, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["chat-migration", "tencent"],
    params=import_params(),
    deadline=night_deadline(),
    on_failure_callback=alerts.run_failed,
    default_args={
        "owner": "chat-migration",
        # Half an hour of a service that is away, or as many killed workers. How soon after a worker's death: Airflow's
        # own `default_task_retry_delay`. Failures that we know have delays of their own in the policy.
        "retries": 6,
        "retry_policy": migration_retry_policy(),
        "on_failure_callback": alerts.task_failed,
    },
) as dag:
    with TaskGroup(
        "extract", tooltip="Window → export → checked Parquet → plan and quote"
    ) as extract:
        gate = OpenWindowOperator(task_id="open_window")
        ready = WaitForExportOperator(task_id="wait_for_export")
        plan = PlanImportOperator(task_id="plan_import")
        confirmed = ConfirmPlanOperator(task_id="confirm_plan")
        gate >> ready >> ExtractExportOperator(task_id="extract_export") >> plan
        plan >> ApprovePlanOperator(task_id="approve_plan") >> confirmed

    with TaskGroup("import_groups", tooltip="Accounts, then groups, then members") as import_groups:
        # Where nobody has to approve, the two tasks for that are skipped and the plan is enough.
        accounts = ImportAccountsOperator(
            task_id="import_accounts", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        )
        (
            accounts
            >> ImportGroupProfilesOperator(task_id="import_group_profiles")
            >> ImportGroupMembersOperator(task_id="import_group_members")
        )

    with TaskGroup(
        "import_messages", tooltip="The history, oldest first; then what changed in its groups"
    ) as import_messages:
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

    with TaskGroup("set_unread", tooltip="Badges, then the report") as set_unread:
        # Without `sync_profiles` the task for that is skipped; what counts are the messages.
        unread = SetUnreadCountsOperator(
            task_id="set_unread_counts", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
        )
        report = WriteReportOperator(
            task_id="write_report", trigger_rule=TriggerRule.ALL_DONE, outlets=[TENCENT_IMPORT]
        )
        unread >> report

    [plan, confirmed] >> import_groups
    import_groups >> import_messages >> unread
    # A failed shard fails `set_unread_counts` at once, while other shards still run: wait for those as well.
    messages >> unread
    messages >> report
