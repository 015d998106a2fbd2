"""What a target must offer, in the core's own words; the vendor's names stay behind this border.

A target turns one request into one *answer*. It never retries, never waits and never touches the ledger:
``delivery`` does, in one place. Whatever comes back, or does not come back, is one of the answers below.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

import msgspec

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
    """One one-to-one message as it is sent."""

    sender: str
    recipient: str
    slot: int
    sequence: int
    random: int
    body: str
    metadata: str = ""
    as_unread: bool = False


class DirectKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what a one-to-one message is known in the target.

    ``text`` is the target's own name for it, where it was looked up; "": made of the numbers.
    """

    sender: str
    recipient: str
    slot: int
    sequence: int
    random: int
    text: str = ""


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

    def __str__(self) -> str:
        """Return ``import_group_msg: 10010 group does not exist``."""
        code = "" if self.code is None else f"{self.code} "
        return f"{self.api}: {code}{self.text}"


class Done(msgspec.Struct, frozen=True):
    """It is in the target. ``was_there``: it had been before this call."""

    was_there: bool = False
    sequence: int | None = None
    """The number that the target gave to a group message."""


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
    newest_slot: int | None = None
    next_sequence: int = 1
    failure: Failure | None = None


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message read back. ``sequence`` of a one-to-one message is the one that we chose."""

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
    """Some messages of a conversation, newest first, and whether older ones remain."""

    messages: tuple[StoredMessage, ...]
    more: bool
    rest_expired: bool = False
    """Whether the target says that older ones are past their retention and not shown."""


class DirectPage(msgspec.Struct, frozen=True):
    """One-to-one messages of a stretch of time; ``cursor`` asks for older ones, None: there are none."""

    messages: tuple[StoredMessage, ...]
    cursor: tuple[int, str] | None


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

    def create_group(self, group: GroupSpec) -> ItemResult:
        """Create one group."""

    def create_topic(self, topic: TopicSpec) -> ItemResult:
        """Create one topic."""

    def add_members(
        self, group_id: str, members: Sequence[MemberSpec]
    ) -> list[ItemResult] | Failure:
        """Add members to a group; repeatable."""

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

    def has_direct_message(self, message: DirectMessageOut) -> bool | Failure:
        """Tell whether a one-to-one message is there."""

    def change_group_message(self, address: GroupAddress, sequence: int, body: str) -> ItemResult:
        """Replace the body of a message that is there; repeatable."""

    def withdraw_group_messages(
        self, address: GroupAddress, sequences: Sequence[int]
    ) -> list[ItemResult] | Failure:
        """Withdraw messages, at most as many as one call takes; repeatable."""

    def change_direct_message(self, key: DirectKey, body: str, metadata: str) -> ItemResult:
        """Replace the body and the metadata of a one-to-one message that is there; repeatable."""

    def withdraw_direct_message(self, key: DirectKey) -> ItemResult:
        """Withdraw a one-to-one message; repeatable."""

    def find_direct_message(self, key: DirectKey) -> StoredMessage | Failure | None:
        """Return what the target shows of a one-to-one message, None: nothing."""

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        """Set one member's unread count; repeatable."""

    def read_profile(self, group_id: str) -> StoredProfile | Failure:
        """Return a group as the target shows it."""

    def change_profile(self, change: ProfileChange) -> ItemResult:
        """Write some fields of a group's profile; repeatable."""

    def change_owner(self, group_id: str, account_id: str) -> ItemResult:
        """Give a group to one of its members; repeatable."""

    def change_role(self, group_id: str, account_id: str, role: Role) -> ItemResult:
        """Make a member an admin or a plain member; repeatable. Never for or to the owner."""

    def remove_members(self, group_id: str, accounts: Sequence[str]) -> ItemResult:
        """Remove members, all or none; who is none counts as removed. Repeatable."""

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier] | Failure:
        """Return the state of groups or topics, in the same order."""

    def read_group(self, address: GroupAddress, *, below: int | None) -> Page | Failure:
        """Return a page of messages with a sequence of at most ``below`` (None: the newest)."""

    def read_direct(
        self,
        viewer: str,
        peer: str,
        *,
        first_s: int,
        last_s: int,
        cursor: tuple[int, str] | None,
    ) -> DirectPage | Failure:
        """Return a page of what two people told each other in some seconds, as one of them sees it, newest first.

        ``cursor`` is that of the page before, None for the first.
        """

    def read_members(self, group_id: str, *, community: bool, cursor: str) -> MemberPage | Failure:
        """Return a page of a group's members; ``cursor`` is that of the page before, "" for the first."""
