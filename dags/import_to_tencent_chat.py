"""Moves a legacy chat's history into Tencent Cloud Chat: an Airflow DAG in four stages."""

from __future__ import annotations

from chat_migration_airflow.import_dag import import_dag

dag = import_dag("tencent", dag_id="import_to_tencent_chat")
