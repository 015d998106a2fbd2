"""Records to columns: one builder per raw table, each the same shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from chat_migration.keys import conversation_digest, message_key_in, order_key
from chat_migration.model import DirectRead, Element, Group, Member, Message, Problem, User

Columns = dict[str, list[Any]]
_encode = msgspec.json.Encoder().encode


def user_columns(rows: Sequence[User]) -> Columns:
    """Return the columns of users."""
    fields = ("id", "name", "avatar_url", "created_at_ms", "deleted", "custom", "derived")
    return _fields(rows, *fields)


def group_columns(rows: Sequence[Group]) -> Columns:
    """Return the columns of groups; topics as a JSON list or ""."""
    columns = _fields(
        rows, "id", "name", "type", "owner_id", "created_at_ms", "introduction", "notification",
        "avatar_url", "max_members", "join", "custom",
    )  # fmt: skip
    columns["topics"] = [_encode(row.topics).decode() if row.topics else "" for row in rows]
    return columns


def member_columns(rows: Sequence[Member]) -> Columns:
    """Return the columns of memberships, the read state as it was given."""
    return _fields(
        rows, "group_id", "user_id", "role", "joined_at_ms", "left_at_ms", "nickname",
        "last_read_at_ms", "unread_count",
    )  # fmt: skip


def direct_read_columns(rows: Sequence[DirectRead]) -> Columns:
    """Return the columns of one-to-one read positions."""
    return _fields(rows, "user_id", "peer_id", "last_read_at_ms")


def problem_columns(rows: Sequence[Problem]) -> Columns:
    """Return the columns of problems; their texts are made writable as UTF-8."""
    columns = _fields(rows, "record_type", "outcome", "reason", "sent_at_ms")
    for name in ("detail", "advice", "id", "conversation"):
        columns[name] = [getattr(row, name).encode("utf-8", "replace").decode() for row in rows]
    return columns


class MessageColumns:
    """Builds the columns of messages, keys included, under one source name."""

    def __init__(self, source_name: str) -> None:
        self._source_name = source_name
        self._places: dict[tuple[str, ...], tuple[str, Any]] = {}

    def __call__(self, rows: Sequence[Message]) -> Columns:
        """Return the columns of messages; elements are given apart, already encoded."""
        places = [self._place(row) for row in rows]
        columns = _fields(
            rows, "id", "group_id", "sender_id", "recipient_id", "sent_at_ms", "kind", "reply_to",
            "edited_at_ms", "deleted_at_ms", "extra", "source_hash",
        )  # fmt: skip
        ids = columns["id"]
        columns["conversation"] = [key for key, _ in places]
        columns["order_key"] = [order_key(row_id) for row_id in ids]
        columns["message_key"] = [
            message_key_in(digest, row_id) for (_, digest), row_id in zip(places, ids, strict=True)
        ]
        return columns

    def _place(self, row: Message) -> tuple[str, Any]:
        """Return the conversation's key and digest."""
        sender_id = row.sender_id if row.recipient_id else ""
        place = (row.group_id, row.topic_id, row.recipient_id, sender_id)
        known = self._places.get(place)
        if known is None:
            if len(self._places) >= _MAX_PLACES:
                self._places.clear()
            key = row.conversation.key
            known = self._places[place] = (key, conversation_digest(self._source_name, key))
        return known


_MAX_PLACES = 50_000
"""Conversations whose digests are kept at hand."""


def encoded(elements: tuple[Element, ...]) -> bytes:
    """Return elements as a JSON list."""
    return _encode(elements)


def _fields(rows: Sequence[Any], *names: str) -> Columns:
    columns: Columns = {name: [getattr(row, name) for row in rows] for name in names}
    columns["file"] = [row.origin.file for row in rows]
    columns["line"] = [row.origin.line for row in rows]
    return columns


class Shape(NamedTuple):
    """Where the records of one type go, and how they become columns."""

    table: str
    columns: Callable[[Sequence[Any]], Columns]


SHAPES: dict[type, Shape] = {
    User: Shape("users", user_columns),
    Group: Shape("groups", group_columns),
    Member: Shape("members", member_columns),
    DirectRead: Shape("direct_reads", direct_read_columns),
    Problem: Shape("problems", problem_columns),
}
"""Every record type but messages, which need a source name."""
