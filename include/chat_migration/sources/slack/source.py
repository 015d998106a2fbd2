"""The reader of Slack exports: lists and folders to pieces, day files to records.

A conversation is a channel's id, a message is its ``ts``. Members come with their channel's messages, because
only its notices tell when they joined; a channel whose list of members is empty (an archived one) takes those
that its last ``channel_archive`` notice names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from chat_migration.errors import UnreadableExportError
from chat_migration.model import Member, Message, Origin, Outcome, Problem, RecordType
from chat_migration.sources.base import BadRow, Item, Piece, UnknownField
from chat_migration.sources.slack.instants import ts_to_ms
from chat_migration.sources.slack.loose import Json, as_text, as_texts
from chat_migration.sources.slack.messages import (
    JOINED,
    Event,
    is_known,
    message_problem,
    opened,
    read_message,
    subtype_of,
)
from chat_migration.sources.slack.workspace import (
    LISTS,
    USERS_FILE,
    Channel,
    Workspace,
    group_of,
    list_channels,
    problem,
    read_channels,
    read_users,
    read_workspace,
    rows,
)
from chat_migration.sources.tree import ExportTree

_DAY_FILE = re.compile(r"([^/]+)/\d{4}-\d\d-\d\d\.json").fullmatch
_PEOPLE, _CHANNELS, _MESSAGES = "people", "channels", "messages:"


class SlackSource:
    """Reads a Slack workspace export."""

    name: ClassVar[str] = "slack"
    reader_version: ClassVar[int] = 1
    own_folders: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self._known: tuple[ExportTree, Workspace] | None = None

    def message_files(self, export: ExportTree) -> frozenset[str]:
        """Return none: the day files tell members and accounts, too."""
        del export
        return frozenset()

    def pieces(self, export: ExportTree, without: frozenset[str] = frozenset()) -> list[Piece]:
        """Return people, conversations, then the messages of each.

        Raises:
            UnreadableExportError: people or conversations are missing, or one of their files is broken.
        """
        del without  # there are none
        sizes = {file.path: file.size for file in export.files()}
        lists = tuple(path for path in LISTS if path in sizes)
        if USERS_FILE not in sizes or not lists:
            raise _no_slack(export)
        folders = _folders(export)
        pieces = [
            Piece(_PEOPLE, (USERS_FILE,), size=sizes[USERS_FILE]),
            Piece(_CHANNELS, lists, size=sum(sizes[path] for path in lists)),
        ]
        for channel in list_channels(export):
            days = folders.pop(channel.name, None) or folders.pop(channel.id, [])
            pieces.append(_messages(channel.id, days, sizes))
        return pieces + [_messages(folder, days, sizes) for folder, days in sorted(folders.items())]

    def read(self, export: ExportTree, piece: Piece) -> Iterator[Item]:
        """Yield the records and problems of one piece.

        Raises:
            UnreadableExportError: a file is no JSON array, or broken.
        """
        if piece.name == _PEOPLE:
            yield from read_users(export)
            return
        workspace = self._workspace(export)
        if piece.name == _CHANNELS:
            for found in read_channels(export):
                if isinstance(found, Problem):
                    yield found
                elif found.pair is None:
                    yield group_of(found, workspace)
            return
        channel_id = piece.name.removeprefix(_MESSAGES)
        channel = workspace.channels.get(channel_id)
        if channel is None:
            channel = _unlisted(channel_id, piece)
            yield _unlisted_problem(channel)
        yield from _ChannelReader(export, workspace, channel).read(piece.paths)

    def _workspace(self, export: ExportTree) -> Workspace:
        if self._known is None or self._known[0] != export:
            self._known = export, read_workspace(export)
        return self._known[1]


class _ChannelReader:
    """Reads the day files of one conversation; knows its members once they are all read."""

    def __init__(self, export: ExportTree, workspace: Workspace, channel: Channel) -> None:
        self._export, self._workspace, self._channel = export, workspace, channel
        self._joined_ms: dict[str, int] = {}
        self._last_members: tuple[str, ...] = ()
        self._introduced: set[str] = set()

    def read(self, paths: tuple[str, ...]) -> Iterator[Item]:
        """Yield accounts that only messages know, messages and problems; then the members."""
        for path in paths:
            for origin, row in rows(self._export, path):
                yield from self._row(origin, row)
        if self._channel.pair is None:
            yield from self._members()

    def _row(self, origin: Origin, row: Any | BadRow) -> Iterator[Item]:
        try:
            found, edited_at_ms, deleted_at_ms = opened(row)
            message, author = read_message(
                found, origin, self._channel, self._workspace,
                edited_at_ms=edited_at_ms, deleted_at_ms=deleted_at_ms,
            )  # fmt: skip
        except Event:
            yield _event_problem(row, origin, self._channel)
            return
        except BadRow as bad:
            yield message_problem(row, origin, self._channel, bad)
            return
        if author.id not in self._introduced:
            self._introduced.add(author.id)
            account = author.account(origin, self._workspace)
            if account is not None:
                yield account
        subtype = subtype_of(found)
        if not is_known(subtype):
            yield UnknownField(
                RecordType.GROUP_MESSAGES, f"subtype `{subtype[:60]}`", origin.file, origin.line
            )
        self._notice(found, message, subtype)
        yield message

    def _notice(self, row: Json, message: Message, subtype: str) -> None:
        """Learn from a notice who joined when, and who was there when the channel was archived."""
        if subtype in JOINED:
            joined_ms = ts_to_ms(message.id)
            self._joined_ms[message.sender_id] = min(
                joined_ms, self._joined_ms.get(message.sender_id, joined_ms)
            )
        elif subtype in ("channel_archive", "group_archive"):
            self._last_members = tuple(as_texts(row.get("members"))) or self._last_members

    def _members(self) -> Iterator[Member]:
        channel = self._channel
        for user_id in dict.fromkeys(channel.members or self._last_members):
            yield Member(
                origin=channel.origin,
                group_id=channel.id,
                user_id=user_id,
                role="owner" if user_id == channel.creator else "member",
                joined_at_ms=self._joined_ms.get(user_id),
            )


def _folders(export: ExportTree) -> dict[str, list[str]]:
    """Return the day files by folder, in order of their names."""
    folders: dict[str, list[str]] = {}
    for file in export.files():
        matched = _DAY_FILE(file.path)
        if matched:
            folders.setdefault(matched[1], []).append(file.path)
    return folders


def _messages(channel_id: str, days: list[str], sizes: dict[str, int]) -> Piece:
    return Piece(_MESSAGES + channel_id, tuple(days), size=sum(sizes[day] for day in days))


def _unlisted(folder: str, piece: Piece) -> Channel:
    return Channel(origin=Origin(piece.paths[0], 1), id=folder, kind="unlisted", name=folder)


def _unlisted_problem(channel: Channel) -> Problem:
    bad = BadRow(
        "folder_without_channel",
        "No list names a channel for this folder; its messages go to a group named by the folder.",
        "Export with an account that may see the channel, or leave the folder out.",
    )
    found = problem(RecordType.GROUPS, channel.origin, bad, channel.id)
    return Problem(
        origin=found.origin, record_type=found.record_type, reason=found.reason, outcome=Outcome.SKIPPED,
        detail=found.detail, advice=found.advice, id=found.id,
    )  # fmt: skip


def _event_problem(row: Any, origin: Origin, channel: Channel) -> Problem:
    bad = BadRow("thread_event", "The row only tells that a thread got a reply.")
    found = message_problem(row, origin, channel, bad)
    return Problem(
        origin=origin, record_type=found.record_type, reason=found.reason, outcome=Outcome.SKIPPED,
        detail=found.detail, id=found.id, conversation=found.conversation, sent_at_ms=found.sent_at_ms,
    )  # fmt: skip


def _no_slack(export: ExportTree) -> UnreadableExportError:
    tops = sorted({file.path.split("/", 1)[0] for file in export.files()})
    shown = ", ".join(f"`{as_text(top)}`" for top in tops[:8]) + (", …" if len(tops) > 8 else "")
    is_neutral = any(top == "messages" or top.startswith("messages.") for top in tops)
    return UnreadableExportError(
        f"`{export.export}` is no Slack export; it holds {shown or 'nothing'}.",
        expected=f"`{USERS_FILE}`, one of {', '.join(f'`{path}`' for path in LISTS)}, and a folder per channel.",
        advice="It looks like a neutral export: use the source `neutral`." if is_neutral else "",
    )
