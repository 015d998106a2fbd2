"""TencentChatHook: an Airflow connection becomes a ready Tencent Cloud Chat target."""

from __future__ import annotations

from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration_airflow.hooks.target import TargetHook


class TencentChatHook(TargetHook):
    """Talks to one app of Tencent Cloud Chat.

    Args:
        tencent_chat_conn_id: the connection that holds host, admin identifier, SecretKey and SDKAppID.
    """

    conn_name_attr = "tencent_chat_conn_id"
    default_conn_name = "tencent_chat_default"
    conn_type = "tencent_chat"
    hook_name = "Tencent Cloud Chat"
    typed = TencentConnection

    def __init__(self, tencent_chat_conn_id: str = default_conn_name) -> None:
        super().__init__(tencent_chat_conn_id)
        self.tencent_chat_conn_id = self.conn_id
