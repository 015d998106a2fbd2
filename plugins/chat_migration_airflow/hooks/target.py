"""TargetHook: an Airflow connection becomes a ready target."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from chat_migration.connection import TargetConnection
from chat_migration.errors import MigrationError

if TYPE_CHECKING:
    from chat_migration.targets.base import Target


class TargetHook(BaseHook):
    """Talks to one app of a target; each vendor's hook says which connection that takes.

    Args:
        conn_id: the connection that holds host, app and secret; by default the vendor's own.
    """

    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_name_attr: ClassVar[str]
    typed: ClassVar[type[TargetConnection]]
    """What the connection is once it is typed and checked."""

    def __init__(self, conn_id: str = "") -> None:
        super().__init__()
        self.conn_id = conn_id or self.default_conn_name

    @cached_property
    def connection(self) -> TargetConnection:
        """Return the connection, typed and checked; its secret is masked in every log from here on.

        Raises:
            UsageError: a field is missing, unknown or wrong.
        """
        found = self.get_connection(self.conn_id)
        if found.password:
            mask_secret(found.password)
        return self.typed.from_parts(
            host=found.host, login=found.login, password=found.password, extra=found.extra_dejson
        )

    def get_conn(self) -> Target:
        """Return the target, ready for calls."""
        return self.connection.connect()

    def test_connection(self) -> tuple[bool, str]:
        """Make the cheapest read that proves host, app and secret; say in one message how it went."""
        try:
            self.get_conn().check()
        except MigrationError as error:
            return False, str(error)
        return True, self.connection.proof
