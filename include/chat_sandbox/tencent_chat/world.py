"""What the service remembers: accounts, groups, members, messages. Data only, no rules.

Every type can be written to a snapshot and read back by its annotations.
"""

from __future__ import annotations

from typing import Any

import msgspec

Element = dict[str, Any]


class Account(msgspec.Struct):
    """One imported account; ``profile`` maps ``Tag_Profile_…`` to its value."""

    user_id: str
    profile: dict[str, str | int] = {}


class Member(msgspec.Struct):
    """One member of a group. ``read_seq`` holds as long as ``read_epoch`` is the group's own."""

    user_id: str
    role: str
    join_time: int
    read_seq: int = 0
    read_epoch: int = 0
    name_card: str = ""
    msg_flag: str = "AcceptAndNotify"
    mute_until: int = 0
    last_send_time: int = 0
    app_data: dict[str, str] = {}


class GroupMessage(msgspec.Struct):
    """One stored message or tip of a group or topic."""

    seq: int
    sender: str
    random: int
    time: int
    body: list[Element]
    is_system: bool = False
    imported: bool = True
    recalled: bool = False
    cloud_custom_data: str = ""


class Timeline(msgspec.Struct):
    """The messages of one group or topic, by rising seq.

    ``zero_epoch`` counts how often unread was zeroed for everyone; ``zeroed_seq`` is the newest seq
    then; ``tips`` is how many of the messages are tips.
    """

    messages: list[GroupMessage] = []
    last_seq: int = 0
    newest_time: int = 0
    zeroed_seq: int = 0
    tips: int = 0
    zero_epoch: int = 0


class Topic(msgspec.Struct):
    """One topic of a community."""

    topic_id: str
    name: str
    create_time: int
    creator: str = ""
    custom: str = ""
    face_url: str = ""
    notification: str = ""
    introduction: str = ""
    timeline: Timeline = msgspec.field(default_factory=Timeline)


class Group(msgspec.Struct):
    """One group with all it holds. ``owner`` is empty for a group without one."""

    group_id: str
    type: str
    name: str
    create_time: int
    owner: str = ""
    introduction: str = ""
    notification: str = ""
    face_url: str = ""
    max_members: int = 2000
    apply_join_option: str = "NeedPermission"
    invite_join_option: str = ""
    mute_all: str = "Off"
    support_topic: int = 0
    last_info_time: int = 0
    app_data: dict[str, str] = {}
    members: dict[str, Member] = {}
    former_members: dict[str, Member] = {}
    timeline: Timeline = msgspec.field(default_factory=Timeline)
    topics: dict[str, Topic] = {}


class PeerMessage(msgspec.Struct):
    """One stored one-to-one message."""

    sender: str
    recipient: str
    seq: int
    random: int
    time: int
    body: list[Element]
    cloud_custom_data: str = ""
    imported_as: int = 2
    recalled: bool = False
    read_by_peer: bool = False

    @property
    def triple(self) -> str:
        """The vendor's key of this message: ``{MsgSeq}_{MsgRandom}_{MsgTimeStamp}``."""
        return f"{self.seq}_{self.random}_{self.time}"


class Conversation(msgspec.Struct):
    """The one-to-one messages of two accounts, by (time, seq); ``arrivals`` is the dedup index."""

    messages: list[PeerMessage] = []
    arrivals: dict[str, int] = {}
    unread: dict[str, int] = {}


class Recent(msgspec.Struct, frozen=True):
    """What the group dedup remembers of one stored message."""

    timeline_id: str
    sender: str
    content: int
    arrived_at: int
    send_time: int
    seq: int


class World(msgspec.Struct):
    """Everything one app holds.

    ``serial`` feeds generated ids and randoms, so that replaying the same calls makes the same
    world.
    """

    accounts: dict[str, Account] = {}
    groups: dict[str, Group] = {}
    destroyed_groups: set[str] = set()
    groups_created_on: dict[int, int] = {}
    conversations: dict[str, Conversation] = {}
    recent: dict[int, list[Recent]] = {}
    serial: int = 0

    def next_serial(self) -> int:
        """Return a number not returned before."""
        self.serial += 1
        return self.serial

    def next_random(self) -> int:
        """Return a server-made 32-bit random, never 0 and the same on every replay."""
        return (self.next_serial() * 2_654_435_761) % 0xFFFF_FFFF + 1


def pair_key(one: str, other: str) -> str:
    """Return the key of a conversation, the same from both sides."""
    return "\0".join(sorted((one, other)))
