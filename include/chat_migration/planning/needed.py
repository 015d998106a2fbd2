"""What a few messages need of a run's staged tables, to be planned by a later run whose own extract lacks them."""

# ruff: noqa: S608 - what is put into SQL here are names of this package, never the export's

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa

from chat_migration.model import Conversation
from chat_migration.planning.held import HeldRow
from chat_migration.planning.positions import Place
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


def own_rows(staged: Staged, held: Iterable[HeldRow]) -> list[HeldRow]:
    """Return those of some rows of groups and members that the run's own extract has."""
    _add_held(staged, held)
    groups = staged.rows(f"SELECT id, '' FROM own_groups WHERE {_HELD_GROUPS} ORDER BY id")
    members = staged.rows(
        f"SELECT group_id, user_id FROM own_members WHERE {_HELD_MEMBERS} ORDER BY ALL"
    )
    return [HeldRow(group, user) for found in (groups, members) for group, user in found]


def _add_held(staged: Staged, held: Iterable[HeldRow]) -> None:
    rows = sorted(held)
    columns = {
        "group_id": [each.group_id for each in rows],
        "user_id": [each.user_id for each in rows],
    }
    staged.add(
        "asked_rows", pa.table({name: pa.array(of, pa.string()) for name, of in columns.items()})
    )


_HELD_GROUPS = "id IN (SELECT group_id FROM asked_rows WHERE user_id = '')"
_HELD_MEMBERS = "(group_id, user_id) IN (SELECT (group_id, user_id) FROM asked_rows)"


class Needed:
    """The staged rows of some messages, and of the people and groups that they name; in the staged order.

    ``held`` are rows of groups and members that are kept for themselves. ``places`` are read positions that the plan
    has found: a count alone would be counted anew, from messages that came later.
    """

    def __init__(
        self,
        staged: Staged,
        messages: Sequence[MessageId],
        held: Sequence[HeldRow] = (),
        places: Mapping[HeldRow, Place] = MappingProxyType({}),
    ) -> None:
        self._staged = staged
        _add_held(staged, held)
        columns: dict[str, pa.Array] = {
            "group_id": pa.array([each.group_id for each in places], pa.string()),
            "user_id": pa.array([each.user_id for each in places], pa.string()),
            "place_ms": pa.array([place for place, _ in places.values()], pa.int64()),
            "place_order": pa.array([order for _, order in places.values()], pa.string()),
        }
        staged.add("placed", pa.table(columns))
        parsed = [Conversation.parse(key) for key in {each[1] for each in messages}]
        staged.add_ids("needed", (key for key, _, _ in messages))
        staged.add_ids("needed_groups", {each.first for each in parsed if not each.is_direct})

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one table, with the staged columns."""
        if table in _NEEDED:
            columns = ", ".join(f'"{column}"' for column in BY_TABLE[table].names)
            where, order = _NEEDED[table]
            rows = _PLACED if table == "members" else table
            sql = f"SELECT {columns} FROM {rows} WHERE {where} ORDER BY {order}"
            yield from self._staged.batches(sql)


_PLACED = """(
    SELECT members.* REPLACE (
        coalesce(place_ms, first_unread_ms) AS first_unread_ms,
        coalesce(place_order, first_unread_order) AS first_unread_order,
        CASE WHEN place_ms IS NULL THEN unread_count END AS unread_count
    ) FROM members LEFT JOIN placed ON (placed.group_id, placed.user_id) = (members.group_id, members.user_id))"""
_MESSAGES = "(SELECT * FROM messages WHERE message_key IN (FROM needed))"
_OF_GROUPS = "IN (FROM needed_groups)"
_NEEDED = {
    "messages": (
        "message_key IN (FROM needed)",
        f"sent_at_ms // {DAY_MS}, conversation, sent_at_ms, order_key, message_key",
    ),
    "groups": (f"id {_OF_GROUPS} OR {_HELD_GROUPS}", "id"),
    "members": (f"group_id {_OF_GROUPS} OR {_HELD_MEMBERS}", "group_id, user_id"),
    "group_times": (
        f"group_id {_OF_GROUPS} OR group_id IN (SELECT group_id FROM asked_rows)",
        "group_id",
    ),
    "users": (
        f"""id IN (SELECT sender_id FROM {_MESSAGES} UNION SELECT recipient_id FROM {_MESSAGES}
            UNION SELECT owner_id FROM groups WHERE id {_OF_GROUPS} OR {_HELD_GROUPS}
            UNION SELECT user_id FROM members WHERE group_id {_OF_GROUPS} OR {_HELD_MEMBERS})""",
        "id",
    ),
    "direct_reads": (
        f"(user_id, peer_id) IN (SELECT (recipient_id, sender_id) FROM {_MESSAGES} WHERE recipient_id <> '')",
        "user_id, peer_id",
    ),
}
"""Table → which of its rows, and their order. What lies outside a window, or went no further, is of one run alone."""
