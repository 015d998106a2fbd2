"""TencentChatHook: an Airflow connection becomes a ready Tencent Cloud Chat target."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from chat_migration.connection import TencentConnection
from chat_migration.errors import MigrationError

if TYPE_CHECKING:
    from chat_migration.targets.tencent_chat.target import TencentTarget


class TencentChatHook(BaseHook):
    """Talks to one app of Tencent Cloud Chat.

    Args:
        tencent_chat_conn_id: the connection that holds host, admin identifier, SecretKey and SDKAppID.
    """

    conn_name_attr = "tencent_chat_conn_id"
    default_conn_name = "tencent_chat_default"
    conn_type = "tencent_chat"
    hook_name = "Tencent Cloud Chat"

    def __init__(self, tencent_chat_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.tencent_chat_conn_id = tencent_chat_conn_id

    @cached_property
    def connection(self) -> TencentConnection:
        """Return the connection, typed and checked; its SecretKey is masked in every log from here on.

        Raises:
            UsageError: a field is missing, unknown or wrong.
        """
        found = self.get_connection(self.tencent_chat_conn_id)
        if found.password:
            mask_secret(found.password)
        return TencentConnection.from_parts(
            host=found.host, login=found.login, password=found.password, extra=found.extra_dejson
        )

    def get_conn(self) -> TencentTarget:
        """Return the target, ready for calls."""
        from chat_migration.targets.tencent_chat.target import TencentTarget  # noqa: PLC0415 - heavy

        return TencentTarget.connect(self.connection)

    def test_connection(self) -> tuple[bool, str]:
        """Make the cheapest read that proves host, app, admin and SecretKey; say in one message how it went."""
        try:
            self.get_conn().check()
        except MigrationError as error:
            return False, str(error)
        app, admin = self.connection.sdk_app_id, self.connection.admin
        return (
            True,
            f"App {app} answers at {self.connection.host} and accepts the signature of {admin}.",
        )
