"""What ZIM needs to be told, and tells, beyond the core's words: whose copy, by whom, what follows a page."""

from __future__ import annotations

import msgspec

from chat_migration.targets.base import (
    DirectKey,
    DirectMessageOut,
    Done,
    Failure,
    Page,
    StoredProfile,
)


class DirectCopy(DirectMessageOut, frozen=True, kw_only=True):
    """A one-to-one message in one of its two copies: ``viewer`` is whose, sender or recipient."""

    viewer: str


class CopyKey(DirectKey, frozen=True, kw_only=True):
    """By what one copy of a one-to-one message is known; ``sequence`` is the one that the target gave it."""

    viewer: str


class GroupKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what a group message that is there is known."""

    sender: str
    slot: int
    random: int
    sequence: int


class NewGroup(Done, frozen=True):
    """The group is there. ``refused``: first members who are not in it, and why."""

    refused: tuple[tuple[str, Failure], ...] = ()


class HistoryPage(Page, frozen=True, kw_only=True):
    """Some messages, newest first; ``cursor`` asks for the next ones, "": none of interest is left."""

    cursor: str = ""


class GroupProfile(StoredProfile, frozen=True, kw_only=True):
    """A group's profile and when it was created, epoch milliseconds."""

    created_ms: int = 0
