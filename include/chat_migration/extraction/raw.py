"""Raw column chunks: what readers hand to the sorter, one file per few ten thousand rows of a table.

Their rows are checked but not yet deduplicated, sorted or cut to the window. ``seq`` numbers every row of a
run: the piece's number and the row's place in it, so that it rises in reading order within a piece.
"""

from __future__ import annotations

import pyarrow as pa

from chat_migration.store import schemas

PIECE_SHIFT = 40
"""Bits of ``seq`` below the piece's number."""

_LONG, _TEXT = pa.int64(), pa.string()


def _raw(
    staged: pa.Schema, *extra: tuple[str, pa.DataType], without: frozenset[str] = frozenset()
) -> pa.Schema:
    fields = [field for field in staged if field.name not in without]
    return pa.schema(
        [pa.field("seq", _LONG), *fields, *(pa.field(name, kind) for name, kind in extra)]
    )


USERS = _raw(schemas.USERS, ("derived", pa.bool_()))
GROUPS = _raw(schemas.GROUPS)
MEMBERS = _raw(
    schemas.MEMBERS,
    ("last_read_at_ms", _LONG),
    ("unread_count", _LONG),
    without=frozenset({"has_read_state", "first_unread_ms", "first_unread_order", "unread_count"}),
)
DIRECT_READS = _raw(schemas.DIRECT_READS)
MESSAGES = _raw(schemas.MESSAGES, ("group_id", _TEXT))
PROBLEMS = _raw(schemas.PROBLEMS, ("sent_at_ms", _LONG))

BY_TABLE = {
    "users": USERS,
    "groups": GROUPS,
    "members": MEMBERS,
    "direct_reads": DIRECT_READS,
    "messages": MESSAGES,
    "problems": PROBLEMS,
}
"""Every raw table by its folder's name."""
