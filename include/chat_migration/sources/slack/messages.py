"""Rows of day files to messages.

Notices (somebody joined, a topic was set) are rows of kind ``system``. So is a ``tombstone``: it stands for a
deleted parent of a thread, but says neither what it was nor when it went. Rows of event logs
(``message_changed``, ``message_deleted``) are the message that they tell of, with the event's time.
"""

from __future__ import annotations

from typing import Any

from chat_migration.model import Conversation, Message, MessageKind, Origin, Problem, RecordType
from chat_migration.sources.base import BadRow
from chat_migration.sources.slack.authors import Author, author_of
from chat_migration.sources.slack.content import content_of, kept_beside
from chat_migration.sources.slack.instants import is_ts, optional_ts_to_ms, ts_to_ms
from chat_migration.sources.slack.loose import Json, as_object, as_text
from chat_migration.sources.slack.workspace import SLACKBOT, Channel, Workspace, row_object

_WRITTEN = frozenset({
    "", "me_message", "thread_broadcast", "reply_broadcast", "bot_message", "file_share", "file_comment",
    "file_mention", "slackbot_response",
})  # fmt: skip
_NOTICES = frozenset({
    "pinned_item", "unpinned_item", "bot_add", "bot_remove", "bot_enable", "bot_disable", "reminder_add",
    "reminder_delete", "tombstone", "welcome_party", "joiner_notification",
    "joiner_notification_for_inviter", "app_conversation_join", "app_conversation_leave", "sh_room_created",
    "sh_room_shared", "huddle_thread", "bot_profile_changed", "assistant_app_thread", "posting_mode_changed",
})  # fmt: skip
_NOTICE_PREFIXES = ("channel_", "group_", "mpdm_", "ekm_")
JOINED = frozenset({"channel_join", "group_join", "mpdm_join"})


def subtype_of(row: Json) -> str:
    """Return a row's subtype, "" for a plain message."""
    return as_text(row.get("subtype"))


def is_known(subtype: str) -> bool:
    """Tell whether a subtype is one of those described here; others are taken for messages."""
    return subtype in _WRITTEN or _is_notice(subtype)


class Event(Exception):
    """A row of an event log that tells of no message of its own."""


def opened(row: Any | BadRow) -> tuple[Json, int | None, int | None]:
    """Return the row that holds the message, and when it was edited and deleted as far as this row tells.

    Raises:
        BadRow: it is no message, or has no usable ``ts``.
        Event: it tells only that a thread got a reply.
    """
    row = row_object(row)
    subtype, deleted_at_ms, changed_at_ms = subtype_of(row), None, None
    if subtype in ("message_changed", "message_deleted", "message_replied"):
        event_ms = optional_ts_to_ms(row.get("ts"))
        if subtype == "message_replied":
            raise Event
        if subtype == "message_changed":
            row, changed_at_ms = as_object(row.get("message")), event_ms
        else:
            gone = as_object(row.get("previous_message"))
            row, deleted_at_ms = {"ts": row.get("deleted_ts"), **gone}, event_ms
    if row.get("type", "message") != "message":
        raise BadRow("bad_value", "`type` is not `message`.")
    if not is_ts(row.get("ts")):
        raise BadRow(
            "bad_instant", "`ts` is missing, or is not seconds, a dot and six digits in a text.",
            "Download the export again.",
        )  # fmt: skip
    if not isinstance(row.get("text"), str | None):
        raise BadRow("wrong_type", "`text` is no text.")
    edited_at_ms = optional_ts_to_ms(as_object(row.get("edited")).get("ts"))
    return row, edited_at_ms or changed_at_ms, deleted_at_ms


def read_message(
    row: Json,
    origin: Origin,
    channel: Channel,
    workspace: Workspace,
    *,
    edited_at_ms: int | None = None,
    deleted_at_ms: int | None = None,
) -> tuple[Message, Author]:
    """Return the message of an opened row, and who wrote it.

    Raises:
        BadRow: nobody wrote it, or it has no place in a one-to-one chat.
    """
    kind: MessageKind = "system" if _is_notice(subtype_of(row)) else "message"
    author = author_of(row) or (
        Author(SLACKBOT, "Slackbot", is_bot=True) if kind == "system" else None
    )
    if author is None:
        raise BadRow("missing_field", "The row names neither `user` nor `bot_id` nor `username`.")
    sender_id, group_id, recipient_id = _place(channel, author.id, kind)
    ts, thread_ts = row["ts"], row.get("thread_ts")
    content = content_of(row, workspace)
    message = Message(
        origin=origin,
        id=ts,
        group_id=group_id,
        recipient_id=recipient_id,
        sender_id=sender_id,
        sent_at_ms=ts_to_ms(ts),
        kind=kind,
        elements=content.elements,
        reply_to=as_text(thread_ts) if is_ts(thread_ts) and thread_ts != ts else "",
        edited_at_ms=edited_at_ms,
        deleted_at_ms=deleted_at_ms,
        extra=kept_beside(row),
        source_hash=content.source_hash,
    )
    return message, author


def message_problem(row: Any, origin: Origin, channel: Channel, bad: BadRow) -> Problem:
    """Return the problem of a row, with as much of its place as is known."""
    ts = row.get("ts") if isinstance(row, dict) else None
    pair = channel.pair
    return Problem(
        origin=origin,
        record_type=RecordType.C2C_MESSAGES if pair else RecordType.GROUP_MESSAGES,
        reason=bad.reason,
        detail=bad.detail,
        advice=bad.advice,
        id=as_text(ts)[:40] if ts else "",
        conversation=(Conversation.direct(*pair) if pair else Conversation.group(channel.id)).key,
        sent_at_ms=optional_ts_to_ms(ts),
    )


def _is_notice(subtype: str) -> bool:
    return subtype in _NOTICES or subtype.startswith(_NOTICE_PREFIXES)


def _place(channel: Channel, author_id: str, kind: MessageKind) -> tuple[str, str, str]:
    """Return sender, group and recipient; one of the last two is ""."""
    pair = channel.pair
    if pair is None:
        return author_id, channel.id, ""
    one, other = pair
    if one == other:
        raise BadRow(
            "self_chat",
            "The one-to-one chat has a single member.",
            "Targets have no conversation with oneself; such notes cannot be moved.",
        )
    if author_id == other:
        return other, "", one
    if author_id == one or kind == "system":
        return one, "", other
    raise BadRow(
        "bad_conversation",
        f"`{author_id}` writes in a one-to-one chat of two others.",
        "A one-to-one chat holds the messages of its two people only.",
    )
