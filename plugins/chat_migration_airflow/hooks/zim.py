"""ZimHook: an Airflow connection becomes a ready ZIM target."""

from __future__ import annotations

from chat_migration.targets.zego_zim.connection import ZimConnection
from chat_migration_airflow.hooks.target import TargetHook


class ZimHook(TargetHook):
    """Talks to one app of ZEGOCLOUD ZIM.

    Args:
        zim_conn_id: the connection that holds host, AppId, ServerSecret and the app's retention.
    """

    conn_name_attr = "zim_conn_id"
    default_conn_name = "zim_default"
    conn_type = "zim"
    hook_name = "ZEGOCLOUD ZIM"
    typed = ZimConnection

    def __init__(self, zim_conn_id: str = default_conn_name) -> None:
        super().__init__(zim_conn_id)
        self.zim_conn_id = self.conn_id
