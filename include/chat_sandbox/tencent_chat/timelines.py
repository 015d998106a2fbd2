"""Sequences of group messages: appending, reading positions, unread numbers, tips."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import CHAT_ROOM, COMMUNITY, WITHOUT_UNREAD, Call
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.switches.group_messages import TOPIC_TIMELINE
from chat_sandbox.tencent_chat.switches.groups import TIPS, UNREAD_CLAMP_BASIS
from chat_sandbox.tencent_chat.world import Element, Group, GroupMessage, Member, Timeline, Topic

SYSTEM_ACCOUNT = "@TIM#SYSTEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Where the messages of a group or topic lie, and whose numbers and newest time they follow."""

    stream_id: str
    group: Group
    topic: Topic | None
    store: Timeline
    counter: Timeline

    @property
    def create_time(self) -> int:
        """The second after which its messages must lie."""
        return self.group.create_time if self.topic is None else self.topic.create_time

    def append(self, message: GroupMessage) -> None:
        """Store a message that has its seq already."""
        self.store.messages.append(message)
        self.store.tips += message.is_system
        for timeline in (self.store, self.counter):
            timeline.last_seq = max(timeline.last_seq, message.seq)
            timeline.newest_time = max(timeline.newest_time, message.time)


def stream_of(call: Call, group: Group) -> Stream:
    """Return the stream that ``TopicId`` names, or the group's own.

    Raises:
        RefusalError: 10004 (no community with topics), 10015 (no such topic).
    """
    topic_id = fields.optional_text(call.body, "TopicId")
    if not topic_id:
        own = group.timeline
        return Stream(stream_id=group.group_id, group=group, topic=None, store=own, counter=own)
    if group.type != COMMUNITY or not group.support_topic:
        raise RefusalError(fields.BAD_PARAMETER, "TopicId needs a community with topics")
    topic = group.topics.get(topic_id)
    if topic is None:
        raise RefusalError(fields.BAD_GROUP_ID, "topic does not exist")
    shared = call.switches[TOPIC_TIMELINE] == "shared"
    counter = group.timeline if shared else topic.timeline
    return Stream(
        stream_id=topic_id, group=group, topic=topic, store=topic.timeline, counter=counter
    )


def find_message(timeline: Timeline, seq: int) -> GroupMessage | None:
    """Return the message with that seq, if there is one."""
    index = bisect_left(timeline.messages, seq, key=lambda message: message.seq)
    found = timeline.messages[index : index + 1]
    return found[0] if found and found[0].seq == seq else None


def store_tip(call: Call, group: Group, text: str, *, about_members: bool) -> None:
    """Store a tip with a seq and the present time, unless tips are off.

    Source: group system page (1047/33529): profile tips are stored for all types, member tips for
    all but ChatRoom; AVChatRoom stores none.
    """
    if call.switches[TIPS] == "off" or (about_members and group.type == CHAT_ROOM):
        return
    body: list[Element] = [{"MsgType": "TIMGroupTipsElem", "MsgContent": {"Text": text}}]
    tip = GroupMessage(
        seq=0,
        sender=SYSTEM_ACCOUNT,
        random=call.world.next_random(),
        time=call.now,
        body=body,
        is_system=True,
        imported=False,
    )
    append_live(group, tip)


def append_live(group: Group, message: GroupMessage) -> None:
    """Store a message that did not come by import, at the end of the group, and give it its seq."""
    timeline = group.timeline
    message.seq = timeline.last_seq + 1
    message.time = max(message.time, timeline.newest_time)
    Stream(
        stream_id=group.group_id, group=group, topic=None, store=timeline, counter=timeline
    ).append(message)


def read_seq(group: Group, member: Member) -> int:
    """Return the seq up to which a member has read."""
    timeline = group.timeline
    if member.read_epoch == timeline.zero_epoch:
        return member.read_seq
    return timeline.zeroed_seq


def unread_of(group: Group, member: Member) -> int:
    """Return a member's unread number; types without unread have none."""
    if group.type in WITHOUT_UNREAD:
        return 0
    return max(0, group.timeline.last_seq - read_seq(group, member))


def set_unread(call: Call, group: Group, member: Member, wanted: int) -> None:
    """Set a member's unread number, clamped to what the group holds; no-op without unread.

    Source: set unread number page (1047/34909).
    """
    timeline = group.timeline
    by_messages = call.switches[UNREAD_CLAMP_BASIS] == "messages"
    cap = len(timeline.messages) - timeline.tips if by_messages else timeline.last_seq
    count = 0 if group.type in WITHOUT_UNREAD else min(wanted, cap)
    member.read_seq = timeline.last_seq - count
    member.read_epoch = timeline.zero_epoch


def zero_unread(timeline: Timeline) -> None:
    """Mark everything read for all present members, without touching each of them."""
    timeline.zero_epoch += 1
    timeline.zeroed_seq = timeline.last_seq
