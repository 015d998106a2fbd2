"""What a finished import updates. Schedule a DAG on it to run after each import."""

from __future__ import annotations

from airflow.sdk import Asset

TENCENT_IMPORT = Asset(
    name="chat_migration/tencent/import", uri="x-chat-migration://tencent/import"
)
ZIM_IMPORT = Asset(name="chat_migration/zim/import", uri="x-chat-migration://zim/import")

IMPORTS = {"tencent": TENCENT_IMPORT, "zim": ZIM_IMPORT}
"""By the target of the import."""
