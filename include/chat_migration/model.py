"""The neutral vocabulary: what a legacy chat is made of, and what may become of one row.

Glossary. *Conversation*: where messages stand in one order; a group, a topic of a community, or the pair of
people of a one-to-one chat. *Legacy id*: the id in the export. *Row*: one record of the export. *Part*: one
of the messages that a row becomes in the target (a long text is split). All instants are epoch milliseconds
in UTC (``…_ms``); sizes are bytes unless the name says otherwise.

The records are ``msgspec`` structs: frozen, typed, and built and encoded several times faster than
dataclasses, which is what a history of many million rows asks for.
"""

from __future__ import annotations

import enum
from typing import Literal
from urllib.parse import quote, unquote

import msgspec

GroupType = Literal["private", "public", "chatroom", "community", "avchatroom"]
JoinPolicy = Literal["free", "approval", "closed"]
Role = Literal["owner", "admin", "member"]
MessageKind = Literal["message", "system"]


class RecordType(enum.StrEnum):
    """The record types that a report counts, in the order in which they are imported."""

    ACCOUNTS = "accounts"
    GROUPS = "groups"
    MEMBERS = "members"
    C2C_MESSAGES = "c2c_messages"
    GROUP_MESSAGES = "group_messages"
    UNREAD = "unread"


class Outcome(enum.StrEnum):
    """What became of one row. The order is from best to worst: a split row takes the worst of its parts."""

    IMPORTED = "imported"
    ALREADY_IMPORTED = "already_imported"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"
    LATE_APPENDED = "late_appended"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    LATE_REJECTED = "late_rejected"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"


class _Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of the records: immutable; defaults are left out when encoded."""


class Origin(msgspec.Struct, frozen=True):
    """Where a row stands in the export: the file's path inside the export, and its line.

    ``line`` counts from 1. In formats without lines (a JSON array, Parquet) it is the row's number in the
    file, from 1.
    """

    file: str
    line: int


# --- conversations ------------------------------------------------------------------------------


class Conversation(msgspec.Struct, frozen=True):
    """One ordered stream of messages. Build it with :meth:`group`, :meth:`topic` or :meth:`direct`."""

    kind: Literal["group", "topic", "direct"]
    first: str
    second: str = ""

    @classmethod
    def group(cls, group_id: str) -> Conversation:
        """Return the conversation of a group."""
        return cls("group", group_id)

    @classmethod
    def topic(cls, group_id: str, topic_id: str) -> Conversation:
        """Return the conversation of one topic of a community."""
        return cls("topic", group_id, topic_id)

    @classmethod
    def direct(cls, one: str, other: str) -> Conversation:
        """Return the one-to-one conversation of two people, whichever is named first."""
        return cls("direct", *sorted((one, other)))

    @property
    def key(self) -> str:
        """Return the text by which tables name this conversation; distinct for distinct conversations.

        >>> Conversation.direct("u2", "u/1").key
        'direct:u%2F1/u2'
        >>> Conversation.parse("topic:g/t") == Conversation.topic("g", "t")
        True
        """
        first = quote(self.first, safe=_KEY_SAFE)
        if self.kind == "group":
            return f"group:{first}"
        return f"{self.kind}:{first}/{quote(self.second, safe=_KEY_SAFE)}"

    @classmethod
    def parse(cls, key: str) -> Conversation:
        """Return the conversation that :attr:`key` names."""
        kind, _, rest = key.partition(":")
        first, _, second = rest.partition("/")
        if kind not in ("group", "topic", "direct"):
            raise ValueError(f"`{key}` names no conversation")
        return cls(kind, unquote(first), unquote(second))  # type: ignore[arg-type]

    @property
    def is_direct(self) -> bool:
        """Tell whether this is a one-to-one conversation."""
        return self.kind == "direct"

    @property
    def group_id(self) -> str | None:
        """Return the legacy group id, or None for a one-to-one conversation."""
        return None if self.kind == "direct" else self.first

    @property
    def topic_id(self) -> str | None:
        """Return the legacy topic id, or None."""
        return self.second if self.kind == "topic" else None


_KEY_SAFE = " !\"#$&'()*+,:;<=>?@[\\]^`{|}~"
"""Characters left as they are in a conversation's key; "/" and "%" are escaped, which keeps it injective."""


# --- elements of a message ----------------------------------------------------------------------


class _Element(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of the elements; encoded as JSON with the element's name under ``type``."""


class Text(_Element, frozen=True, kw_only=True, tag="text"):
    """Plain text, any length."""

    text: str


class Face(_Element, frozen=True, kw_only=True, tag="face"):
    """A sticker or emoji by number, as the legacy app defined it."""

    index: int
    data: str = ""


class Location(_Element, frozen=True, kw_only=True, tag="location"):
    """A place; degrees."""

    latitude: float
    longitude: float
    description: str = ""


class Custom(_Element, frozen=True, kw_only=True, tag="custom"):
    """Whatever the legacy app alone understands."""

    data: str
    description: str = ""
    extension: str = ""


class Image(_Element, frozen=True, kw_only=True, tag="image"):
    """A picture behind an absolute http(s) URL; pixels, bytes."""

    url: str
    width: int | None = None
    height: int | None = None
    size: int | None = None
    format: Literal["jpg", "gif", "png", "bmp", "other"] = "other"
    name: str = ""


class Sound(_Element, frozen=True, kw_only=True, tag="sound"):
    """A voice message."""

    url: str
    seconds: int | None = None
    size: int | None = None


class File(_Element, frozen=True, kw_only=True, tag="file"):
    """Any other file."""

    url: str
    name: str = ""
    size: int | None = None


class Video(_Element, frozen=True, kw_only=True, tag="video"):
    """A video with its poster picture."""

    url: str
    seconds: int | None = None
    size: int | None = None
    format: str = ""
    thumb_url: str = ""
    thumb_width: int | None = None
    thumb_height: int | None = None
    thumb_size: int | None = None
    thumb_format: str = ""


Element = Text | Face | Location | Custom | Image | Sound | File | Video
MEDIA = (Image, Sound, File, Video)


# --- records ------------------------------------------------------------------------------------


class User(_Record, frozen=True, kw_only=True):
    """A person or bot of the legacy chat. Key: ``id``."""

    origin: Origin
    id: str
    name: str = ""
    avatar_url: str = ""
    created_at_ms: int | None = None
    deleted: bool = False
    custom: str = ""
    """A JSON object as text, or ""."""
    derived: bool = False
    """Named by messages only (a bot, a guest), without a row of its own: repeats are no duplicates."""


class Topic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A topic of a community. Key: (group, ``id``)."""

    id: str
    name: str = ""
    created_at_ms: int | None = None


class Group(_Record, frozen=True, kw_only=True):
    """A group of the legacy chat. Key: ``id``."""

    origin: Origin
    id: str
    name: str
    type: GroupType = "private"
    owner_id: str = ""
    created_at_ms: int | None = None
    introduction: str = ""
    notification: str = ""
    avatar_url: str = ""
    max_members: int | None = None
    join: JoinPolicy | None = None
    topics: tuple[Topic, ...] = ()
    custom: str = ""
    """A JSON object as text, or ""."""


class Member(_Record, frozen=True, kw_only=True):
    """A membership. Key: (``group_id``, ``user_id``). ``unread_count`` wins over ``last_read_at_ms``."""

    origin: Origin
    group_id: str
    user_id: str
    role: Role = "member"
    joined_at_ms: int | None = None
    left_at_ms: int | None = None
    nickname: str = ""
    last_read_at_ms: int | None = None
    unread_count: int | None = None


class DirectRead(_Record, frozen=True, kw_only=True):
    """How far ``user_id`` has read the one-to-one chat with ``peer_id``. Key: both ids, in this order."""

    origin: Origin
    user_id: str
    peer_id: str
    last_read_at_ms: int


class Message(_Record, frozen=True, kw_only=True):
    """One message. Key: (conversation, ``id``).

    ``source_hash`` is ``keys.content_hash`` of the *source's* content (raw text, files, deletion), never of
    what a renderer made of it: a new renderer is no edit. ``extra`` is a JSON object as text, or "".
    """

    origin: Origin
    id: str
    group_id: str = ""
    topic_id: str = ""
    recipient_id: str = ""
    sender_id: str
    sent_at_ms: int
    kind: MessageKind = "message"
    elements: tuple[Element, ...] = ()
    reply_to: str = ""
    edited_at_ms: int | None = None
    deleted_at_ms: int | None = None
    extra: str = ""
    source_hash: str

    @property
    def conversation(self) -> Conversation:
        """Return the conversation that this message stands in."""
        if self.recipient_id:
            return Conversation.direct(self.sender_id, self.recipient_id)
        if self.topic_id:
            return Conversation.topic(self.group_id, self.topic_id)
        return Conversation.group(self.group_id)


Record = User | Group | Member | DirectRead | Message


class Problem(_Record, frozen=True, kw_only=True):
    """A row that goes no further, and why. It ends as ``outcome`` in the report and in ``rejected.jsonl``.

    ``reason`` is a stable snake_case word that reports count by (``bad_instant``, ``duplicate``, …);
    ``detail`` says what was found and what was expected, without any message text; ``advice`` what to do.
    """

    origin: Origin
    record_type: RecordType
    reason: str
    outcome: Outcome = Outcome.REJECTED
    detail: str = ""
    advice: str = ""
    id: str = ""
    conversation: str = ""
    sent_at_ms: int | None = None
    """The instant of a message where it could be read: a problem outside the window is not counted."""
