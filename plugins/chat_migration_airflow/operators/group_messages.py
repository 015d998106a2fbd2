"""ImportGroupMessagesOperator: group messages → history of the group."""

from __future__ import annotations

from chat_migration_airflow.operators.base import ShardOperator


class ImportGroupMessagesOperator(ShardOperator):
    """Send one shard of the group messages, each group oldest first, one call at a time.

    Delivered messages are in the ledger and are not sent again. The app has no key for a group message, so a
    call whose answer never came is read back before anything else is sent to that group: a retry neither doubles
    nor loses it.
    """

    stage = "import_group_messages"
