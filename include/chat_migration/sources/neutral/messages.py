"""The table ``messages``. Unknown fields are kept in ``extra``, beside what the row itself puts there."""

from __future__ import annotations

from typing import cast, get_args

import msgspec

from chat_migration.keys import content_hash
from chat_migration.model import (
    Conversation,
    Element,
    Message,
    MessageKind,
    Origin,
    Problem,
    RecordType,
    Text,
)
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.elements import read_elements, unknown_in_elements
from chat_migration.sources.neutral.table import Kind, Table, printable, unknown_in
from chat_migration.sources.neutral.values import Row

_FIELDS: dict[str, Kind] = {
    "id": "text",
    "group_id": "text",
    "recipient_id": "text",
    "topic_id": "text",
    "sender_id": "text",
    "sent_at": "instant",
    "kind": "text",
    "text": "text",
    "elements": "json",
    "reply_to": "text",
    "edited_at": "instant",
    "deleted_at": "instant",
    "extra": "json",
}
_KINDS: tuple[str, ...] = get_args(MessageKind)
_encode = msgspec.json.Encoder().encode
_unknown_fields = unknown_in(_FIELDS)


def read_message(row: Row, origin: Origin, unknown: Row) -> Message:
    """Return the message of a row.

    Raises:
        BadRow: a field is missing or wrong, the row stands in no conversation or in two, or its sender wrote to
            himself.
    """
    message_id = values.legacy_id(row, "id")
    sender_id = values.legacy_id(row, "sender_id")
    group_id, recipient_id = (
        values.optional_id(row, "group_id"),
        values.optional_id(row, "recipient_id"),
    )
    topic_id = values.optional_id(row, "topic_id")
    _check_place(group_id, recipient_id, topic_id, sender_id)
    kind = cast("MessageKind", values.choice(row, "kind", _KINDS, "message"))
    elements = _elements(row)
    reply_to = values.optional_id(row, "reply_to")
    deleted_at_ms = values.instant(row, "deleted_at")
    extra = values.json_object(row, "extra")
    return Message(
        origin=origin,
        id=message_id,
        group_id=group_id,
        topic_id=topic_id,
        recipient_id=recipient_id,
        sender_id=sender_id,
        sent_at_ms=values.some_instant(row, "sent_at"),
        kind=kind,
        elements=elements,
        reply_to=reply_to,
        edited_at_ms=values.instant(row, "edited_at"),
        deleted_at_ms=deleted_at_ms,
        extra=values.as_json({**unknown, **extra}) if unknown else values.as_json(extra),
        source_hash=content_hash(
            _encode(elements).decode(), f"{kind} {deleted_at_ms is not None} {reply_to}"
        ),
    )


def _elements(row: Row) -> tuple[Element, ...]:
    """Return a row's elements; ``elements`` wins over ``text`` unless it is empty."""
    listed = values.json_list(row, "elements")
    if listed:
        return read_elements(listed)
    text = values.text(row, "text")
    return (Text(text=text),) if text else ()


def _check_place(group_id: str, recipient_id: str, topic_id: str, sender_id: str) -> None:
    if bool(group_id) == bool(recipient_id):
        found = "Both are" if group_id else "Neither is"
        raise BadRow(
            "bad_conversation",
            f"A message has either `group_id` or `recipient_id`. {found} given.",
            "Fill in exactly one of them.",
        )
    if topic_id and not group_id:
        raise BadRow(
            "bad_conversation",
            "A one-to-one message has a `topic_id`.",
            "Only group messages have topics: remove `topic_id`, or give `group_id`.",
        )
    if sender_id == recipient_id:
        raise BadRow(
            "self_chat",
            "The sender is the recipient.",
            "Targets have no conversation with oneself; such notes cannot be moved.",
        )


def unknown_fields(row: Row) -> Row:
    """Return the unknown fields of a row and of its elements."""
    unknown = _unknown_fields(row)
    if "elements" in row:
        unknown |= unknown_in_elements(row["elements"])
    return unknown


def message_problem(row: Row, origin: Origin, bad: BadRow) -> Problem:
    """Return the problem of a refused row, with as much of its place as can be read."""
    ids = {
        field: value
        for field in ("id", "group_id", "topic_id", "recipient_id", "sender_id")
        if isinstance(value := row.get(field), str) and value
    }
    is_direct = "recipient_id" in ids and "group_id" not in ids
    try:
        sent_at_ms = values.instant(row, "sent_at")
    except BadRow:
        sent_at_ms = None
    return Problem(
        origin=origin,
        record_type=RecordType.C2C_MESSAGES if is_direct else RecordType.GROUP_MESSAGES,
        reason=bad.reason,
        detail=bad.detail,
        advice=bad.advice,
        id=printable(ids.get("id", "")),
        conversation=_conversation({field: printable(value) for field, value in ids.items()}),
        sent_at_ms=sent_at_ms,
    )


def _conversation(ids: dict[str, str]) -> str:
    match ids:
        case {"group_id": _, "recipient_id": _}:
            return ""
        case {"group_id": group_id, "topic_id": topic_id}:
            return Conversation.topic(group_id, topic_id).key
        case {"group_id": group_id}:
            return Conversation.group(group_id).key
        case {"sender_id": sender_id, "recipient_id": recipient_id}:
            return Conversation.direct(sender_id, recipient_id).key
        case _:
            return ""


MESSAGES = Table(
    name="messages",
    record_type=RecordType.GROUP_MESSAGES,
    fields=_FIELDS,
    columns=("id", "sender_id", "sent_at"),
    parse=read_message,
    unknown=unknown_fields,
    problem=message_problem,
    either=("group_id", "recipient_id"),
)
