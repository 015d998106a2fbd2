"""What the service remembers: users, groups, members, messages. Data only, no rules.

Times are epoch milliseconds. Every type can be written to a snapshot and read back by its
annotations.
"""

from __future__ import annotations

import msgspec

FIRST_MSG_ID = 971_503_777_289_036_700
"""Beyond 2^53, as in the vendor's samples, so that a client that reads it as a float is found."""


class User(msgspec.Struct):
    """One registered user."""

    user_id: str
    name: str = ""
    avatar: str = ""
    extra: str = ""


class Message(msgspec.Struct):
    """One stored message.

    ``sent_at`` is what SendMessageTime said (0: nothing), ``time`` is MsgTime, ``arrived_at`` is
    when the server got it. ``raises_unread`` tells whether it counts for those who did not send it.
    """

    msg_id: int
    seq: int
    sender: str
    type: int
    body: str
    payload: str
    time: int
    sent_at: int
    arrived_at: int
    sub_type: int = 0
    searched: str = ""
    priority: int = 2
    imported: bool = True
    raises_unread: bool = True
    recalled: bool = False
    deleted: bool = False


class Timeline(msgspec.Struct):
    """The messages of one group, or of one side of a one-to-one conversation, by rising seq."""

    messages: list[Message] = []
    last_seq: int = 0
    newest_time: int = 0


class Member(msgspec.Struct):
    """One member of a group.

    ``joined_at_seq`` is the newest seq when the member was added, ``read_seq`` the newest read,
    ``cleared_seq`` the newest that was hidden, ``hidden_at_seq`` the newest when the conversation
    was taken off the member's list (-1: it was not).
    """

    user_id: str
    role: int
    join_time: int
    nickname: str = ""
    joined_at_seq: int = 0
    read_seq: int = 0
    cleared_seq: int = 0
    hidden_at_seq: int = -1


class Group(msgspec.Struct):
    """One group with all it holds. ``arrived_at`` is when it was made, whatever it says itself."""

    group_id: str
    name: str
    owner: str
    create_time: int
    arrived_at: int
    notice: str = ""
    avatar: str = ""
    attributes: dict[str, str] = {}
    members: dict[str, Member] = {}
    timeline: Timeline = msgspec.field(default_factory=Timeline)


class Side(msgspec.Struct):
    """One user's own copy of a one-to-one conversation."""

    owner: str
    peer: str
    timeline: Timeline = msgspec.field(default_factory=Timeline)
    read_seq: int = 0
    hidden_at_seq: int = -1


class World(msgspec.Struct):
    """Everything one project holds.

    ``sides`` is by owner, then by peer; ``serial`` feeds generated ids, the same on every replay.
    """

    users: dict[str, User] = {}
    groups: dict[str, Group] = {}
    dismissed_groups: set[str] = set()
    sides: dict[str, dict[str, Side]] = {}
    serial: int = 0

    def next_serial(self) -> int:
        """Return a number not returned before."""
        self.serial += 1
        return self.serial

    def next_msg_id(self) -> int:
        """Return a new MsgId."""
        return FIRST_MSG_ID + self.next_serial()

    def find_side(self, owner: str, peer: str) -> Side | None:
        """Return a user's copy of a conversation, if there is one."""
        return self.sides.get(owner, {}).get(peer)

    def side(self, owner: str, peer: str) -> Side:
        """Return a user's copy of a conversation, made if there is none."""
        own = self.sides.setdefault(owner, {})
        return own.setdefault(peer, Side(owner=owner, peer=peer))
