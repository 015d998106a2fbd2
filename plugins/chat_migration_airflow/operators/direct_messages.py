"""ImportDirectMessagesOperator: one-to-one messages → history of both people."""

from __future__ import annotations

from chat_migration_airflow.operators.base import ShardOperator


class ImportDirectMessagesOperator(ShardOperator):
    """Send one shard of the one-to-one messages, each conversation oldest first.

    Delivered messages are in the ledger and a retry does not send them again. It repeats a call whose answer
    never came with the same sender, ``MsgSeq`` and ``MsgRandom``, which the app stores once.
    """

    stage = "import_direct_messages"
