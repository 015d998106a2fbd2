"""Moves a legacy chat's history into Tencent Cloud Chat, in the order that the service requires.

**extract** reads the export and quotes what would happen · **import_groups** creates accounts, groups and
members · **import_messages** sends the history · **set_unread** sets the badges and writes the report.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, TaskGroup, TriggerRule

from chat_migration_airflow.assets import TENCENT_IMPORT
from chat_migration_airflow.operators.accounts import ImportAccountsOperator
from chat_migration_airflow.operators.direct_messages import ImportDirectMessagesOperator
from chat_migration_airflow.operators.extract import ExtractExportOperator
from chat_migration_airflow.operators.group_members import ImportGroupMembersOperator
from chat_migration_airflow.operators.group_messages import ImportGroupMessagesOperator
from chat_migration_airflow.operators.group_profiles import ImportGroupProfilesOperator
from chat_migration_airflow.operators.plan import PlanImportOperator
from chat_migration_airflow.operators.report import WriteReportOperator
from chat_migration_airflow.operators.shards import ListShardsOperator
from chat_migration_airflow.operators.unread import SetUnreadCountsOperator
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
| move one stretch of time | trigger with `from` and `to` |
| follow the legacy chat until cut-over | name a settings file in `CHAT_MIGRATION_CONFIG` and unpause |
| catch up on missed days | `airflow backfill create --dag-id import_to_tencent_chat …` |

A scheduled run starts at midnight, takes the day before, and knows its export only from that file (YAML, one
setting a line). A form field that is not set takes its value from the file too, else the default named in its
help.

**Running it again is safe.** What was delivered is in the ledger and is never sent twice: clear a failed task,
or trigger the same run once more, and only what is missing is sent.

**When a task fails** its last log lines say what happened, what to do, and what is already done. Failures
that waiting can cure (no answer, another run at work) are retried by themselves; the others fail at once.
`write_report` always runs: `report.html`, `report.json` and `rejected.jsonl` lie in the folder named in its
log, and it fails when the run is not complete or more rows were rejected than `max_rejected_ratio` allows.
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
    default_args={
        "owner": "chat-migration",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": migration_retry_policy(),
    },
) as dag:
    with TaskGroup("extract", tooltip="Export → checked Parquet → plan and quote") as extract:
        ExtractExportOperator(task_id="extract_export") >> PlanImportOperator(task_id="plan_import")

    with TaskGroup("import_groups", tooltip="Accounts, then groups, then members") as import_groups:
        (
            ImportAccountsOperator(task_id="import_accounts")
            >> ImportGroupProfilesOperator(task_id="import_group_profiles")
            >> ImportGroupMembersOperator(task_id="import_group_members")
        )

    with TaskGroup("import_messages", tooltip="The history, oldest first") as import_messages:
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

    with TaskGroup("set_unread", tooltip="Badges, then the report") as set_unread:
        unread = SetUnreadCountsOperator(task_id="set_unread_counts")
        report = WriteReportOperator(
            task_id="write_report", trigger_rule=TriggerRule.ALL_DONE, outlets=[TENCENT_IMPORT]
        )
        unread >> report

    extract >> import_groups >> import_messages >> unread
    # A failed shard fails `set_unread_counts` at once, while other shards still run: wait for those as well.
    messages >> report
