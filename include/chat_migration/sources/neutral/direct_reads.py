"""The table ``direct_reads``: read positions of one-to-one chats."""

from __future__ import annotations

from chat_migration.model import DirectRead, Origin, RecordType
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.table import Kind, Table, problem_of, unknown_in
from chat_migration.sources.neutral.values import Row

_FIELDS: dict[str, Kind] = {"user_id": "text", "peer_id": "text", "last_read_at": "instant"}


def read_direct_read(row: Row, origin: Origin, unknown: Row) -> DirectRead:
    """Return the read position of a row.

    Raises:
        BadRow: a field is missing or wrong.
    """
    return DirectRead(
        origin=origin,
        user_id=values.legacy_id(row, "user_id"),
        peer_id=values.legacy_id(row, "peer_id"),
        last_read_at_ms=values.some_instant(row, "last_read_at"),
    )


DIRECT_READS = Table(
    name="direct_reads",
    record_type=RecordType.UNREAD,
    fields=_FIELDS,
    columns=("user_id", "peer_id", "last_read_at"),
    parse=read_direct_read,
    unknown=unknown_in(_FIELDS),
    problem=problem_of(RecordType.UNREAD, "user_id", "peer_id"),
)
