"""What planning must know about a target: pure questions and answers, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from chat_migration.model import Element
from chat_migration.targets.verbs import Verb


class ProfileCaps(msgspec.Struct, frozen=True, kw_only=True):
    """The longest profile texts that a target takes, UTF-8 bytes; member counts by themselves.

    ``group_name_in_characters``: ``group_name`` counts UTF-16 characters.
    """

    account_name: int
    account_avatar: int
    group_name: int
    introduction: int
    notification: int
    group_avatar: int
    topic_name: int
    default_members: int
    max_members: int
    group_name_in_characters: bool = False


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
    slot_ms: int
    """How long one slot is, milliseconds: what the target's times are counted in."""
    direct_copies: int
    """In how many calls a one-to-one message is sent: 1, or 2 where each of the two people has a copy."""
    chooses_direct_sequence: bool
    """Whether a one-to-one message bears a sequence of ours, by which the target drops a repeat; else it gives one."""
    late_goes_to_its_time: bool
    """Whether a group message may be older than the newest one of its group."""
    has_topics: bool
    only_type: str
    """The type that every group gets where the target has but one; "" where it has them all."""
    type_names: Mapping[str, str]
    """What the vendor's console calls the types of groups; none where it tells no types apart."""
    folds_case: bool
    """Whether ids that differ in upper and lower case only may be one for the target."""
    needs_owner: bool
    """Whether no group can be created without an owner."""
    first_members: int
    """How many members a group can be created with, besides its owner."""
    random_bits: int
    """How wide the number is by which a message is recognised."""
    may_lose_numbers: bool
    """Whether a message may be shown without the number that it was sent with: by sender and slot alone."""
    group_fields: frozenset[str]
    """Which fields of a group's profile the target keeps and lets be changed, as :class:`ProfileChange` names them."""
    adds_roles: bool
    """Whether members are added with their roles; otherwise everybody joins as a plain member."""
    tells_members: bool
    """Whether adding somebody who is a member already is answered so; otherwise that looks like a refusal."""
    seconds_between_member_calls: float
    """How far apart two calls must be that add members to one group."""
    sets_unread: bool
    """Whether an unread count can be set to any number; otherwise it can only be cleared."""
    types_without_admins: frozenset[str]
    """The types of groups in which nobody's role can be set."""
    types_without_unread: frozenset[str]
    """The types of groups that have no unread counts."""
    api_of: Mapping[Verb, str]
    """The vendor's API by what is asked of the target: whose share of the budget a call takes."""

    def oldest_slot(self, now_ms: int) -> int | None:
        """Return the oldest slot that the target takes at this moment; it slides with the clock. None: no bound."""

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
