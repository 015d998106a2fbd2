"""The table ``groups``. Unknown fields are kept in ``custom``, under its key ``extra``."""

from __future__ import annotations

from typing import cast, get_args

from chat_migration.model import Group, GroupType, JoinPolicy, Origin, RecordType, Topic
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.table import Kind, Table, problem_of, unknown_in
from chat_migration.sources.neutral.users import with_extra
from chat_migration.sources.neutral.values import Row

_FIELDS: dict[str, Kind] = {
    "id": "text",
    "name": "text",
    "type": "text",
    "owner_id": "text",
    "created_at": "instant",
    "introduction": "text",
    "notification": "text",
    "avatar_url": "text",
    "max_members": "integer",
    "join": "text",
    "topics": "json",
    "custom": "json",
}
_TYPES: tuple[str, ...] = get_args(GroupType)
_POLICIES: tuple[str, ...] = get_args(JoinPolicy)


def read_group(row: Row, origin: Origin, unknown: Row) -> Group:
    """Return the group of a row.

    Raises:
        BadRow: a field is missing or wrong, or the group is a live-stream room, whose history no target takes.
    """
    kind = cast("GroupType", values.choice(row, "type", _TYPES, "private"))
    group = Group(
        origin=origin,
        id=values.legacy_id(row, "id"),
        name=values.some_text(row, "name"),
        type=kind,
        owner_id=values.optional_id(row, "owner_id"),
        created_at_ms=values.instant(row, "created_at"),
        introduction=values.text(row, "introduction"),
        notification=values.text(row, "notification"),
        avatar_url=values.text(row, "avatar_url"),
        max_members=values.natural(row, "max_members"),
        join=cast("JoinPolicy | None", values.choice(row, "join", _POLICIES, "") or None),
        topics=_topics(row, kind),
        custom=values.as_json(with_extra(values.json_object(row, "custom"), unknown)),
    )
    if kind == "avchatroom":
        raise BadRow(
            "avchatroom_group",
            "The group is of type `avchatroom`, whose history cannot be imported.",
            "Export it as `chatroom` if its history is to be kept.",
        )
    return group


def _topics(row: Row, kind: GroupType) -> tuple[Topic, ...]:
    listed = values.json_list(row, "topics")
    if not listed:
        return ()
    if kind != "community":
        raise BadRow(
            "bad_value", f"A group of type `{kind}` has topics.", "Only a `community` has topics."
        )
    topics = tuple(_topic(entry) for entry in listed)
    if len({topic.id for topic in topics}) < len(topics):
        raise BadRow("bad_value", "Two topics have one id.", "Give every topic an id of its own.")
    return topics


def _topic(entry: object) -> Topic:
    if type(entry) is not dict:
        raise values.wrong_type("topics", entry, "a list of objects")
    return Topic(
        id=values.legacy_id(entry, "id"),
        name=values.text(entry, "name"),
        created_at_ms=values.instant(entry, "created_at"),
    )


GROUPS = Table(
    name="groups",
    record_type=RecordType.GROUPS,
    fields=_FIELDS,
    columns=("id", "name"),
    parse=read_group,
    unknown=unknown_in(_FIELDS),
    problem=problem_of(RecordType.GROUPS, "id"),
)
