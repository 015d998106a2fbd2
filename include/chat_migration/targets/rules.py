"""What planning must know about a target: pure questions and answers, no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chat_migration.model import Element


class ProfileCaps(msgspec.Struct, frozen=True, kw_only=True):
    """The longest profile texts that a target takes, UTF-8 bytes; member counts by themselves."""

    account_name: int
    account_avatar: int
    group_name: int
    introduction: int
    notification: int
    group_avatar: int
    topic_name: int
    default_members: int
    max_members: int


class Unsendable(Exception):
    """This message cannot be sent to the target; the reason is a stable word, the detail for people."""

    def __init__(self, reason: str, detail: str, advice: str = "") -> None:
        super().__init__(reason, detail, advice)
        self.reason, self.detail, self.advice = reason, detail, advice

    def __str__(self) -> str:
        return self.reason


class TargetRules(Protocol):
    """The ids, sizes and message bodies of one target."""

    caps: ProfileCaps
    render_version: int
    """Kept with every delivery: tells which code made a body."""

    def accepts_user_id(self, legacy_id: str) -> bool:
        """Tell whether a legacy id can be an account id as it is."""

    def group_id(self, legacy_id: str, attempt: int, *, community: bool) -> str:
        """Return the group id for a legacy id; attempts after 0 give other ones, for collisions."""

    def topic_id(self, group_id: str, legacy_id: str, attempt: int) -> str:
        """Return the topic id for a legacy id, likewise."""

    def group_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> list[str]:
        """Return the bodies of a group message.

        Raises:
            Unsendable: it is too large.
        """

    def direct_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> tuple[list[str], str]:
        """Return the bodies of a one-to-one message, and its metadata.

        Raises:
            Unsendable: it is too large.
        """

    def late_bodies(self, bodies: Sequence[str], prefix: str, *, split: bool) -> list[str]:
        """Return the bodies of a message that is appended late: with a text before everything.

        Raises:
            Unsendable: it is too large.
        """
