"""What an export says about people and conversations, apart from their messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from chat_migration.model import Group, GroupType, Origin, Problem, RecordType, User
from chat_migration.sources.base import BadRow
from chat_migration.sources.json_array import JsonArray
from chat_migration.sources.slack.instants import seconds_to_ms
from chat_migration.sources.slack.loose import Json, as_object, as_text, as_texts, as_url
from chat_migration.sources.slack.secrets import without_tokens
from chat_migration.sources.tree import ExportTree

Kind = Literal["channel", "group", "mpim", "dm", "unlisted"]

LISTS: dict[str, Kind] = {
    "channels.json": "channel",
    "groups.json": "group",
    "mpims.json": "mpim",
    "dms.json": "dm",
}
"""The files that list conversations: public, private, among several people, between two."""
USERS_FILE = "users.json"
SLACKBOT = "USLACKBOT"
"""Slack's own bot; it writes messages but never stands in ``users.json``."""

_encode = msgspec.json.Encoder().encode
_AVATARS = ("image_512", "image_192", "image_72", "image_48")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as its list tells it; ``unlisted`` for a folder that no list names."""

    origin: Origin
    id: str
    kind: Kind
    name: str
    members: tuple[str, ...] = ()
    creator: str = ""
    row: Json = {}

    @property
    def pair(self) -> tuple[str, str] | None:
        """Return the two people of a one-to-one chat, None for anything else; oneself counts twice."""
        if self.kind != "dm" or not 1 <= len(self.members) <= 2:
            return None
        return self.members[0], self.members[-1]


class Workspace:
    """The names of people and channels, for mentions, and the conversations."""

    def __init__(self, users: dict[str, str], channels: list[Channel]) -> None:
        self.users, self.channels = users, {channel.id: channel for channel in channels}
        self._names = {channel.id: channel.name for channel in channels}

    def user_name(self, user_id: str) -> str:
        """Return a user's display name, or ""."""
        return "Slackbot" if user_id == SLACKBOT else self.users.get(user_id, "")

    def channel_name(self, channel_id: str) -> str:
        """Return a channel's name, or ""."""
        return self._names.get(channel_id, "")


def rows(export: ExportTree, path: str) -> Iterator[tuple[Origin, Any | BadRow]]:
    """Yield the elements of one JSON file without file tokens.

    Raises:
        UnreadableExportError: it is no JSON array.
    """
    with export.open_file(path) as stream:
        array = JsonArray(
            stream, file=path, max_element=export.limits.max_row, clean=without_tokens
        )
        for number, element in array:
            yield Origin(path, number), element


def read_workspace(export: ExportTree) -> Workspace:
    """Read the names and conversations; rows that are wrong are left to :func:`read_users` and the like."""
    users = {user.id: user.name for user in read_users(export) if isinstance(user, User)}
    return Workspace(users, list_channels(export))


def read_users(export: ExportTree) -> Iterator[User | Problem]:
    """Yield the people of ``users.json``."""
    for origin, row in rows(export, USERS_FILE):
        try:
            yield _user(row, origin)
        except BadRow as bad:
            yield problem(RecordType.ACCOUNTS, origin, bad)


def list_channels(export: ExportTree) -> list[Channel]:
    """Return the conversations of all lists that are there."""
    return [found for found in read_channels(export) if isinstance(found, Channel)]


def read_channels(export: ExportTree) -> Iterator[Channel | Problem]:
    """Yield the conversations of all lists that are there."""
    there = {file.path for file in export.files()}
    for path, kind in LISTS.items():
        if path not in there:
            continue
        for origin, row in rows(export, path):
            try:
                yield _channel(row, origin, kind)
            except BadRow as bad:
                yield problem(RecordType.GROUPS, origin, bad)


def group_of(channel: Channel, workspace: Workspace) -> Group:
    """Return the group that a channel becomes: public channels stay public, all else is private."""
    kind: GroupType = "public" if channel.kind == "channel" else "private"
    row = channel.row
    is_known = channel.creator in channel.members or channel.creator in workspace.users
    custom = {
        "slack_kind": channel.kind,
        **({"archived": True} if row.get("is_archived") is True else {}),
        **({"general": True} if row.get("is_general") is True else {}),
    }
    return Group(
        origin=channel.origin,
        id=channel.id,
        name=channel.name,
        type=kind,
        owner_id=channel.creator if is_known else "",
        created_at_ms=seconds_to_ms(row.get("created")),
        introduction=as_text(as_object(row.get("purpose")).get("value")),
        notification=as_text(as_object(row.get("topic")).get("value")),
        custom=_encode(custom).decode(),
    )


def display_name(row: Json) -> str:
    """Return the name under which a user's messages stand."""
    profile = as_object(row.get("profile"))
    named = (
        profile.get("display_name"), profile.get("real_name"), row.get("real_name"),
        row.get("display_name"), row.get("name"),
    )  # fmt: skip
    return next((name for name in map(as_text, named) if name), "")


def avatar(profile: Json) -> str:
    """Return the address of the largest picture that is there."""
    return next((url for key in _AVATARS if (url := as_url(profile.get(key)))), "")


def problem(record_type: RecordType, origin: Origin, bad: BadRow, row_id: str = "") -> Problem:
    """Return the problem of a row."""
    return Problem(
        origin=origin,
        record_type=record_type,
        reason=bad.reason,
        detail=bad.detail,
        advice=bad.advice,
        id=row_id,
    )


def row_object(row: Any | BadRow) -> Json:
    """Return a row that is an object.

    Raises:
        BadRow: it is none, or its text is broken.
    """
    if isinstance(row, BadRow):
        raise row
    if not isinstance(row, dict):
        raise BadRow("not_an_object", f"The row holds a {type(row).__name__}, not an object.")
    return row


def _user(row: Any | BadRow, origin: Origin) -> User:
    row = row_object(row)
    profile = as_object(row.get("profile"))
    custom = {
        "username": as_text(row.get("name")),
        "title": as_text(profile.get("title")),
        **({"bot": True} if row.get("is_bot") is True else {}),
    }
    return User(
        origin=origin,
        id=_id(row),
        name=display_name(row),
        avatar_url=avatar(profile),
        deleted=row.get("deleted") is True,
        custom=_encode({key: value for key, value in custom.items() if value}).decode(),
    )


def _channel(row: Any | BadRow, origin: Origin, kind: Kind) -> Channel:
    row = row_object(row)
    channel_id = _id(row)
    return Channel(
        origin=origin,
        id=channel_id,
        kind=kind,
        name=as_text(row.get("name")) or channel_id,
        members=tuple(dict.fromkeys(as_texts(row.get("members")))),
        creator=as_text(row.get("creator")),
        row={
            key: row.get(key)
            for key in ("created", "is_archived", "is_general", "purpose", "topic")
        },
    )


def _id(row: Json) -> str:
    found = as_text(row.get("id"))
    if not found or len(found) > 200:
        raise BadRow("missing_field", "`id` is missing or no id.", "Download the export again.")
    return found
