"""The table ``users``. Unknown fields are kept in ``custom``, under its key ``extra``."""

from __future__ import annotations

from chat_migration.model import Origin, RecordType, User
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.table import Kind, Table, problem_of, unknown_in
from chat_migration.sources.neutral.values import Row

_FIELDS: dict[str, Kind] = {
    "id": "text",
    "name": "text",
    "avatar_url": "text",
    "created_at": "instant",
    "deleted": "boolean",
    "custom": "json",
}


def read_user(row: Row, origin: Origin, unknown: Row) -> User:
    """Return the user of a row.

    Raises:
        BadRow: a field is missing or wrong.
    """
    return User(
        origin=origin,
        id=values.legacy_id(row, "id"),
        name=values.text(row, "name"),
        avatar_url=values.url(row, "avatar_url"),
        created_at_ms=values.instant(row, "created_at"),
        deleted=values.boolean(row, "deleted"),
        custom=values.as_json(with_extra(values.json_object(row, "custom"), unknown)),
    )


def with_extra(custom: Row, unknown: Row) -> Row:
    """Return custom data with the unknown fields under ``extra``; what is there already stays."""
    if not unknown:
        return custom
    extra = custom.get("extra")
    return {**custom, "extra": {**unknown, **extra} if isinstance(extra, dict) else unknown}


USERS = Table(
    name="users",
    record_type=RecordType.ACCOUNTS,
    fields=_FIELDS,
    columns=("id",),
    parse=read_user,
    unknown=unknown_in(_FIELDS),
    problem=problem_of(RecordType.ACCOUNTS, "id"),
)
