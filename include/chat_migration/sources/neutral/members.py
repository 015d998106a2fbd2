"""The table ``members``. It has nowhere to keep unknown fields: they are reported, then dropped."""

from __future__ import annotations

from typing import cast, get_args

from chat_migration.model import Member, Origin, RecordType, Role
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.table import Kind, Table, problem_of, unknown_in
from chat_migration.sources.neutral.values import Row

_FIELDS: dict[str, Kind] = {
    "group_id": "text",
    "user_id": "text",
    "role": "text",
    "joined_at": "instant",
    "left_at": "instant",
    "nickname": "text",
    "last_read_at": "instant",
    "unread_count": "integer",
}
_ROLES: tuple[str, ...] = get_args(Role)


def read_member(row: Row, origin: Origin, unknown: Row) -> Member:
    """Return the membership of a row.

    Raises:
        BadRow: a field is missing or wrong.
    """
    return Member(
        origin=origin,
        group_id=values.legacy_id(row, "group_id"),
        user_id=values.legacy_id(row, "user_id"),
        role=cast("Role", values.choice(row, "role", _ROLES, "member")),
        joined_at_ms=values.instant(row, "joined_at"),
        left_at_ms=values.instant(row, "left_at"),
        nickname=values.text(row, "nickname"),
        last_read_at_ms=values.instant(row, "last_read_at"),
        unread_count=values.natural(row, "unread_count"),
    )


MEMBERS = Table(
    name="members",
    record_type=RecordType.MEMBERS,
    fields=_FIELDS,
    columns=("group_id", "user_id"),
    parse=read_member,
    unknown=unknown_in(_FIELDS),
    problem=problem_of(RecordType.MEMBERS, "group_id", "user_id"),
)
