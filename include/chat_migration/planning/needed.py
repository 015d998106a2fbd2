"""What a few messages need of a run's staged tables, to be planned by a later run whose own extract lacks them."""

# ruff: noqa: S608 - what is put into SQL here are names of this package, never the export's

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from chat_migration.model import Conversation
from chat_migration.planning.staged import Staged
from chat_migration.store.parquet import DAY_MS
from chat_migration.store.schemas import BY_TABLE

MessageId = tuple[str, str, int]
"""(message key, conversation, ``sent_at_ms``)."""


def own_messages(staged: Staged, keys: Iterable[str]) -> list[MessageId]:
    """Return those of some messages of which the run's own extract has the copy that counts."""
    staged.add_ids("asked", keys)
    sql = "SELECT message_key, conversation, sent_at_ms FROM messages WHERE is_own AND message_key IN (FROM asked)"
    return [(key, conversation, sent_at_ms) for key, conversation, sent_at_ms in staged.rows(sql)]


class Needed:
    """The staged rows of some messages, and of the people and groups that they name; in the staged order."""

    def __init__(self, staged: Staged, messages: Sequence[MessageId]) -> None:
        self._staged = staged
        places = [Conversation.parse(key) for key in {each[1] for each in messages}]
        staged.add_ids("needed", (key for key, _, _ in messages))
        staged.add_ids("needed_groups", {each.first for each in places if not each.is_direct})

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one table, with the staged columns."""
        if table in _NEEDED:
            columns = ", ".join(f'"{column}"' for column in BY_TABLE[table].names)
            where, order = _NEEDED[table]
            sql = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}"
            yield from self._staged.batches(sql)


_MESSAGES = "(SELECT * FROM messages WHERE message_key IN (FROM needed))"
_OF_GROUPS = "IN (FROM needed_groups)"
_NEEDED = {
    "messages": (
        "message_key IN (FROM needed)",
        f"sent_at_ms // {DAY_MS}, conversation, sent_at_ms, order_key, message_key",
    ),
    "groups": (f"id {_OF_GROUPS}", "id"),
    "members": (f"group_id {_OF_GROUPS}", "group_id, user_id"),
    "group_times": (f"group_id {_OF_GROUPS}", "group_id"),
    "users": (
        f"""id IN (SELECT sender_id FROM {_MESSAGES} UNION SELECT recipient_id FROM {_MESSAGES}
            UNION SELECT owner_id FROM groups WHERE id {_OF_GROUPS}
            UNION SELECT user_id FROM members WHERE group_id {_OF_GROUPS})""",
        "id",
    ),
    "direct_reads": (
        f"(user_id, peer_id) IN (SELECT (recipient_id, sender_id) FROM {_MESSAGES} WHERE recipient_id <> '')",
        "user_id, peer_id",
    ),
}
"""Table → which of its rows, and their order. What lies outside a window, or went no further, is of one run alone."""
