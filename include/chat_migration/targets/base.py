"""What a target must offer, in the core's own words; the vendor's names stay behind this border.

A target turns one request into one *answer*. It never retries, never waits and never touches the ledger:
``delivery`` does, in one place. Whatever comes back, or does not come back, is one of the answers below.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

import msgspec

from chat_migration.errors import MigrationError
from chat_migration.model import GroupType, JoinPolicy, Role

# --- what is sent -------------------------------------------------------------------------------


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An account to create. Texts are cut to the target's caps already."""

    account_id: str
    name: str = ""
    avatar_url: str = ""


class GroupSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A group to create. ``created_s`` is epoch seconds, earlier than every message and join."""

    group_id: str
    type: GroupType
    name: str
    owner_id: str = ""
    introduction: str = ""
    notification: str = ""
    avatar_url: str = ""
    max_members: int | None = None
    join: JoinPolicy | None = None
    created_s: int
    with_topics: bool = False
    members: tuple[str, ...] = ()
    """Who is in it from its creation on, besides the owner; at most as many as the target's rules say."""


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A topic to create in a community."""

    group_id: str
    topic_id: str
    name: str
    created_s: int


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A member to add; ``joined_s`` is epoch seconds, later than the group's creation."""

    account_id: str
    role: Role = "member"
    joined_s: int


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written of a group that is there; what is empty or None stays as it is."""

    group_id: str
    type: GroupType
    name: str = ""
    introduction: str = ""
    notification: str = ""
    avatar_url: str = ""
    max_members: int | None = None
    join: JoinPolicy | None = None


class GroupAddress(msgspec.Struct, frozen=True):
    """Where group messages go: a group, or one topic of it."""

    group_id: str
    topic_id: str = ""


class GroupMessageOut(msgspec.Struct, frozen=True, kw_only=True):
    """One group message as it is sent. ``body`` is the vendor's message body as JSON text."""

    sender: str
    slot: int
    """Send time in the target's unit (Tencent: epoch seconds)."""
    random: int
    body: str


class DirectMessageOut(msgspec.Struct, frozen=True, kw_only=True):
    """One one-to-one message as it is sent; ``viewer`` is whose copy, "" where both people see the same one."""

    sender: str
    recipient: str
    slot: int
    sequence: int
    random: int
    body: str
    metadata: str = ""
    as_unread: bool = False
    viewer: str = ""


class GroupKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what a group message that is there is known."""

    sender: str
    slot: int
    random: int
    sequence: int


class DirectKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what a one-to-one message is known in the target.

    ``text`` is the target's own name for it, where it was looked up; "": made of the numbers. ``viewer`` as for
    :class:`DirectMessageOut`.
    """

    sender: str
    recipient: str
    slot: int
    sequence: int
    random: int
    text: str = ""
    viewer: str = ""


class Mark(msgspec.Struct, frozen=True):
    """Down to where a group is read back: what bears a lower sequence *or* an earlier slot may be left out.

    ``newest`` is the sequence to begin at, for targets that can; 0: everything newer is of interest.
    """

    sequence: int = 0
    slot: int = 0
    newest: int = 0


# --- what comes back ----------------------------------------------------------------------------


class Effect(enum.Enum):
    """Whether a call that was not answered with success took effect."""

    NONE = "none"
    UNKNOWN = "unknown"


class Advice(enum.Enum):
    """What to do after a call that did not succeed: the meaning of one row of a vendor's code table."""

    SLOW_DOWN = "slow_down"
    """Over the rate: slow the whole budget and send the same again."""
    TRY_AGAIN = "try_again"
    """A passing fault, and sending the same again costs nothing: do so."""
    READ_BACK = "read_back"
    """A passing fault of what must not be done twice: wait, look whether it was done, then decide."""
    SIGN_AGAIN = "sign_again"
    """The signature has expired: sign anew, once."""
    WAIT_LOCKED = "wait_locked"
    """Locked for a minute after failed signatures."""
    SMALLER_BATCH = "smaller_batch"
    """Too many items in one call."""
    LATE = "late"
    """The send time is not accepted: read the frontier again and plan the rest anew."""
    TOO_OLD = "too_old"
    """Older than what the app keeps, as of this moment: this record is refused, newer ones may go on."""
    REJECT_ITEM = "reject_item"
    """This record is refused for good; the others may go on."""
    MISSING_MESSAGE = "missing_message"
    """The message that the call names is not there, or can no longer be changed: look at what is there."""
    MISSING_ACCOUNT = "missing_account"
    """An account that the call names does not exist."""
    EXISTS = "exists"
    """The group or topic is there already; what was to be withdrawn is withdrawn already."""
    STOP_CONVERSATION = "stop_conversation"
    """Nothing more can be sent to this conversation."""
    QUOTA = "quota"
    """A quota is used up; later runs may go on."""
    STOP_RUN = "stop_run"
    """Nothing can be sent at all until a person acts."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A call, or one item of it, that did not succeed.

    ``text`` is what to show: the vendor's code and what it means, or what the network did. Never a secret,
    never a message's text.
    """

    api: str
    code: int | None
    text: str
    advice: Advice
    effect: Effect
    over_plan: bool = False
    """Whether more members than the app's plan allows may be why: asking for fewer may help."""
    answered: bool = True
    """Whether the service itself answered; otherwise nothing came, or something that is not its own."""
    slows: bool = False
    """Whether the target asks for fewer calls, in words that leave open what it did with this one: HTTP status 429."""

    def __str__(self) -> str:
        """Return ``import_group_msg: 10010 group does not exist``."""
        code = "" if self.code is None else f"{self.code} "
        return f"{self.api}: {code}{self.text}"


class Done(msgspec.Struct, frozen=True):
    """It is in the target. ``was_there``: it had been before this call."""

    was_there: bool = False
    sequence: int | None = None
    """The number that the target gave to a message."""
    refused: tuple[tuple[str, Failure], ...] = ()
    """First members of a group who are not in it, and why."""


ItemResult = Done | Failure


class Frontier(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a group or topic as the target reports it; ``newest_slot`` None: no message."""

    address: GroupAddress
    exists: bool
    type: str = ""
    name: str = ""
    owner_id: str = ""
    created_s: int = 0
    newest_slot: int | None = None
    next_sequence: int = 1
    failure: Failure | None = None


class StoredProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A group as the target shows it, and how far its messages are; ``newest_slot`` None: no message.

    ``max_members`` and ``join`` None: the target does not say, or in a word that we do not know.
    """

    exists: bool
    name: str = ""
    introduction: str = ""
    notification: str = ""
    avatar_url: str = ""
    max_members: int | None = None
    join: JoinPolicy | None = None
    owner_id: str = ""
    created_s: int = 0
    newest_slot: int | None = None
    next_sequence: int = 1
    failure: Failure | None = None


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message read back. ``sequence`` of a one-to-one message is the one that we chose, where we do.

    ``random`` 0: nothing tells which message it was, because it was withdrawn or has expired.
    """

    sender: str
    slot: int
    sequence: int
    random: int
    withdrawn: bool = False
    placeholder: bool = False
    key: str = ""
    """What the target calls a one-to-one message."""

    @property
    def is_bare(self) -> bool:
        """Tell whether nothing but the sequence is left of it: past the retention, the rest may be gone."""
        return self.placeholder and not self.sender


class Page(msgspec.Struct, frozen=True):
    """Some messages of a conversation; ``cursor`` asks for the next page, "": none of interest is left.

    A group's come newest first; a one-to-one conversation's in the target's own order, which may be oldest first. A
    page may be empty before others follow, and may repeat messages of the page before.
    """

    messages: tuple[StoredMessage, ...]
    cursor: str = ""
    rest_expired: bool = False
    """Whether the target says that older ones are past their retention and not shown."""


class StoredMember(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a group as the target shows it; ``read_sequence`` None: it does not say how far they have read."""

    account_id: str
    role: Role
    read_sequence: int | None = None


class MemberPage(msgspec.Struct, frozen=True):
    """Some members of a group; ``cursor`` asks for the next ones, "": there are none."""

    members: tuple[StoredMember, ...]
    cursor: str


class Target(Protocol):
    """One app at one vendor. Safe to use from many threads. Passes ``tests/contracts/test_target.py``."""

    app: str
    """Name of the app in the ledger."""
    withdrawals_per_call: int
    """How many group messages one call withdraws at most."""

    def check(self) -> None:
        """Make the cheapest read, to prove address, app and secret.

        Raises:
            CredentialsError, TargetUnreachableError: with one clear sentence.
        """

    def existing_accounts(self, accounts: Sequence[str]) -> dict[str, bool] | Failure:
        """Tell which accounts the app has."""

    def import_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Create accounts; repeatable."""

    def change_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Write the profiles of accounts that are there; repeatable."""

    def create_group(self, group: GroupSpec) -> ItemResult:
        """Create one group; :attr:`Done.refused` names first members who are not in it."""

    def create_topic(self, topic: TopicSpec) -> ItemResult:
        """Create one topic."""

    def add_members(
        self, group_id: str, members: Sequence[MemberSpec], *, operator: str
    ) -> list[ItemResult] | Failure:
        """Add members to a group; never adds anybody twice.

        ``operator``, here and below, is in whose name it is done where the target wants one: the group's owner.
        """

    def send_group_messages(
        self,
        address: GroupAddress,
        messages: Sequence[GroupMessageOut],
        *,
        refresh_conversation: bool,
        above: int = 0,
    ) -> list[ItemResult] | Failure:
        """Write past messages, in this order. Never repeat this call without reading back.

        ``above`` is the last confirmed sequence; an answer whose sequences do not rise from it is not believed.
        """

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        """Write one past one-to-one message; repeatable."""

    def change_group_message(
        self, address: GroupAddress, key: GroupKey, body: str, *, operator: str
    ) -> ItemResult:
        """Replace the body of a message that is there; repeatable."""

    def withdraw_group_messages(
        self, address: GroupAddress, keys: Sequence[GroupKey]
    ) -> list[ItemResult] | Failure:
        """Withdraw messages, at most as many as one call takes; repeatable."""

    def change_direct_message(self, key: DirectKey, body: str, metadata: str) -> ItemResult:
        """Replace the body and the metadata of a one-to-one message that is there; repeatable."""

    def withdraw_direct_message(self, key: DirectKey) -> ItemResult:
        """Withdraw a one-to-one message; repeatable."""

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        """Set one member's unread count; repeatable."""

    def clear_unread(self, account_id: str, *, group_id: str = "", peer_id: str = "") -> ItemResult:
        """Clear the unread count of one person in a group, or with somebody; repeatable."""

    def read_profile(self, group_id: str, *, operator: str) -> StoredProfile | Failure:
        """Return a group as the target shows it."""

    def change_profile(self, change: ProfileChange, *, operator: str) -> ItemResult:
        """Write some fields of a group's profile; repeatable."""

    def change_owner(self, group_id: str, account_id: str, *, operator: str) -> ItemResult:
        """Give a group to one of its members; repeatable."""

    def change_role(
        self, group_id: str, account_id: str, role: Role, *, operator: str
    ) -> ItemResult:
        """Make a member an admin or a plain member; repeatable. Never for or to the owner."""

    def remove_members(
        self, group_id: str, accounts: Sequence[str], *, operator: str
    ) -> ItemResult:
        """Remove members, all or none; who is none counts as removed. Repeatable."""

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier] | Failure:
        """Return the state of groups or topics, in the same order."""

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str) -> Page | Failure:
        """Return a page of messages, withdrawn ones included; ``cursor`` is that of the page before, "" for the first.

        The last page is the one after which nothing newer than ``since`` can follow.
        """

    def read_direct(
        self, viewer: str, peer: str, *, first_slot: int, last_slot: int, cursor: str
    ) -> Page | Failure:
        """Return a page of what two people told each other in a stretch of time, as one of them sees it.

        ``cursor`` is that of the page before, "" for the first.
        """

    def read_members(self, group_id: str, *, community: bool, cursor: str) -> MemberPage | Failure:
        """Return a page of a group's members; ``cursor`` is that of the page before, "" for the first."""

    def stop_error(self, failed: Failure, *, done: str = "") -> MigrationError:
        """Return the error with which a run stops for a failure; ``done``: what has been done already."""

    def oldest_slot(self) -> int | None:
        """Return the oldest slot that the app takes at this moment; None: there is no bound."""

    def renew_signature(self) -> None:
        """Sign anew with the next call."""

    def close(self) -> None:
        """Close the connections."""
