"""Moves a legacy chat's history into ZEGOCLOUD ZIM: an Airflow DAG in four stages."""

from __future__ import annotations

from chat_migration_airflow.import_dag import import_dag

REMARKS = """
**Of ZIM** it holds besides: messages older than the retention of the app's plan, which the connection must name, are
rejected as `older_than_retention`, and the bound moves on while a run waits, so begin with the history. A one-to-one
message is sent twice, once for each of the two people. An app takes 20 calls of a kind per second, and every message is
a call: look at the quote. A group without an owner in the export gets one. Unread numbers can be cleared only.
"""

dag = import_dag("zim", dag_id="import_to_zego_zim", remarks=REMARKS)
