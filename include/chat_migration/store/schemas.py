"""The Arrow schemas of staged extracts: one per record type, target-neutral, versioned.

A change of columns or meaning raises :data:`STAGE_VERSION`, which is part of every extract id.
"""

from __future__ import annotations

import pyarrow as pa

STAGE_VERSION = 2
"""Version of everything in this module."""

_TEXT, _LONG, _BOOL = pa.string(), pa.int64(), pa.bool_()


def _schema(table: str, *fields: tuple[str, pa.DataType, bool]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind, nullable=nullable) for name, kind, nullable in fields],
        metadata={"table": table, "stage_version": str(STAGE_VERSION)},
    )


_ORIGIN = (("file", _TEXT, False), ("line", _LONG, False))

USERS = _schema(
    "users",
    ("id", _TEXT, False),
    ("name", _TEXT, False),
    ("avatar_url", _TEXT, False),
    ("created_at_ms", _LONG, True),
    ("deleted", _BOOL, False),
    ("custom", _TEXT, False),
    *_ORIGIN,
)
"""One row per user, by ``id``. ``custom`` is a JSON object or ""."""

GROUPS = _schema(
    "groups",
    ("id", _TEXT, False),
    ("name", _TEXT, False),
    ("type", _TEXT, False),
    ("owner_id", _TEXT, False),
    ("created_at_ms", _LONG, True),
    ("introduction", _TEXT, False),
    ("notification", _TEXT, False),
    ("avatar_url", _TEXT, False),
    ("max_members", _LONG, True),
    ("join", _TEXT, True),
    ("topics", _TEXT, False),
    ("custom", _TEXT, False),
    *_ORIGIN,
)
"""One row per group, by ``id``. ``topics`` is a JSON list of ``{id, name, created_at_ms}`` or ""."""

MEMBERS = _schema(
    "members",
    ("group_id", _TEXT, False),
    ("user_id", _TEXT, False),
    ("role", _TEXT, False),
    ("joined_at_ms", _LONG, True),
    ("left_at_ms", _LONG, True),
    ("nickname", _TEXT, False),
    ("has_read_state", _BOOL, False),
    ("first_unread_ms", _LONG, True),
    ("first_unread_order", _TEXT, False),
    ("unread_count", _LONG, True),
    *_ORIGIN,
)
"""One row per (``group_id``, ``user_id``), in this order.

The read position is the place (``sent_at_ms``, ``order_key``) of the first unread message, included; NULL:
all is read. ``has_read_state`` tells a position that the export states from one that is only assumed.
``unread_count`` is there where a count was given that reaches back behind the rows read: then the position is NULL,
and whoever knows the earlier messages finds it. It is what was unread at the end of what is taken: later messages of
others are not in it. It is NULL everywhere else.
"""

DIRECT_READS = _schema(
    "direct_reads",
    ("user_id", _TEXT, False),
    ("peer_id", _TEXT, False),
    ("last_read_at_ms", _LONG, False),
    *_ORIGIN,
)
"""One row per (``user_id``, ``peer_id``), in this order."""

MESSAGES = _schema(
    "messages",
    ("conversation", _TEXT, False),
    ("sent_at_ms", _LONG, False),
    ("order_key", _TEXT, False),
    ("message_key", _TEXT, False),
    ("id", _TEXT, False),
    ("sender_id", _TEXT, False),
    ("recipient_id", _TEXT, False),
    ("kind", _TEXT, False),
    ("elements", _TEXT, False),
    ("reply_to", _TEXT, False),
    ("edited_at_ms", _LONG, True),
    ("deleted_at_ms", _LONG, True),
    ("extra", _TEXT, False),
    ("source_hash", _TEXT, False),
    *_ORIGIN,
)
"""One row per ``message_key``. Partitioned by ``date=YYYY-MM-DD`` of ``sent_at_ms`` in UTC; in a partition by
(``conversation``, ``sent_at_ms``, ``order_key``, ``message_key``). ``elements`` is a JSON list."""

GROUP_TIMES = _schema(
    "group_times",
    ("group_id", _TEXT, False),
    ("first_message_ms", _LONG, True),
    ("first_join_ms", _LONG, True),
)
"""One row per group id that any row names, by ``group_id``: the earliest instants over *all* rows of the export,
inside the window or not, whether their files were read this time or an earlier time."""

OUTSIDE = _schema(
    "outside",
    ("conversation", _TEXT, False),
    ("rows_before", _LONG, False),
    ("newest_before_ms", _LONG, True),
    ("rows_after", _LONG, False),
)
"""One row per conversation with messages that are not staged, by ``conversation``: how many rows of the export were
sent before what is taken and when the newest of them, and how many after it. A message that stands in several rows
counts as often."""

PROBLEMS = _schema(
    "problems",
    ("record_type", _TEXT, False),
    ("outcome", _TEXT, False),
    ("reason", _TEXT, False),
    ("detail", _TEXT, False),
    ("advice", _TEXT, False),
    ("id", _TEXT, False),
    ("conversation", _TEXT, False),
    *_ORIGIN,
)
"""Rows that go no further, by (``file``, ``line``)."""

BY_TABLE = {
    "users": USERS,
    "groups": GROUPS,
    "members": MEMBERS,
    "direct_reads": DIRECT_READS,
    "messages": MESSAGES,
    "group_times": GROUP_TIMES,
    "outside": OUTSIDE,
    "problems": PROBLEMS,
}
"""Every staged table by its folder's name."""
