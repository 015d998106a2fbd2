"""Rows of groups and members that a run left to a later one, whose own drop may not name them any more."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from chat_migration.model import Conversation


class HeldRow(msgspec.Struct, frozen=True, order=True):
    """A row of a group, or with a user of a membership, by legacy ids.

    Its key stands in the ledger's list of rows that wait, beside those of messages, which have no colon.
    """

    group_id: str
    user_id: str = ""

    @property
    def key(self) -> str:
        """Return the text that names this row; distinct for distinct rows.

        >>> HeldRow("a/b", "c").key, HeldRow("a/b").key
        ('member:a%2Fb/c', 'group:a%2Fb')
        """
        group = quote(self.group_id, safe="")
        return (
            f"member:{group}/{quote(self.user_id, safe='')}" if self.user_id else f"group:{group}"
        )

    @classmethod
    def parse(cls, key: str) -> Self | None:
        """Return the row that a key names, None if it is a message's."""
        kind, _, rest = key.partition(":")
        if not rest:
            return None
        group, _, user = rest.partition("/")
        return cls(unquote(group), unquote(user) if kind == "member" else "")

    @classmethod
    def counted(cls, conversation: str, legacy_id: str) -> Self:
        """Return the row that a report's line or a plan means; a member's id there is ``<group>/<user>``."""
        group = Conversation.parse(conversation).first
        return cls(group, legacy_id.removeprefix(f"{group}/") if legacy_id != group else "")

    @property
    def conversation(self) -> str:
        """Return the group's conversation."""
        return Conversation.group(self.group_id).key


class KeptRow(msgspec.Struct, frozen=True):
    """A row that was held back, and the folder of the extract that keeps it."""

    row: HeldRow
    folder: Path
