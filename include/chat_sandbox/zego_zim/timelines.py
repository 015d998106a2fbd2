"""Sequences of messages: appending, order, unread, what members see, tips."""

from __future__ import annotations

from bisect import bisect_left

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.zego_zim.call import Call
from chat_sandbox.zego_zim.switches.groups import TIPS
from chat_sandbox.zego_zim.switches.messages import PREJOIN_HISTORY, TIE_ORDER
from chat_sandbox.zego_zim.world import Group, Member, Message, Side, Timeline

TIP = 32


def append(timeline: Timeline, message: Message) -> None:
    """Store a message that has its seq already."""
    timeline.messages.append(message)
    timeline.last_seq = max(timeline.last_seq, message.seq)
    timeline.newest_time = max(timeline.newest_time, message.time)


def newest_first(call: Call, timeline: Timeline) -> list[Message]:
    """Return the messages by falling MsgTime; equal times as the switch wants them."""
    if call.switches[TIE_ORDER] == "early_first":
        return sorted(timeline.messages, key=lambda message: (-message.time, message.seq))
    return sorted(timeline.messages, key=lambda message: (-message.time, -message.seq))


def find_message(timeline: Timeline, seq: int) -> Message | None:
    """Return the message with that seq, if there is one."""
    if timeline.messages and timeline.messages[-1].seq == timeline.last_seq:
        index = bisect_left(timeline.messages, seq, key=lambda message: message.seq)
        found = timeline.messages[index : index + 1]
        if found and found[0].seq == seq:
            return found[0]
    return next((message for message in timeline.messages if message.seq == seq), None)


def unread_of(timeline: Timeline, read_seq: int, user_id: str) -> int:
    """Return how many messages of others a user has not read."""
    return sum(
        message.raises_unread
        and message.seq > read_seq
        and message.sender != user_id
        and not (message.deleted or message.recalled)
        for message in timeline.messages
    )


def sees(switches: SwitchBoard, member: Member, message: Message) -> bool:
    """Return whether a member's client shows a message of the group."""
    if message.deleted or message.recalled or message.seq <= member.cleared_seq:
        return False
    match switches[PREJOIN_HISTORY]:
        case "time":
            return message.time >= member.join_time
        case "seq":
            return message.seq > member.joined_at_seq
        case _:
            return True


def holds_conversation(holder: Member | Side, timeline: Timeline) -> bool:
    """Return whether a conversation is on a user's list: it has a message that is not hidden."""
    return timeline.last_seq > max(0, holder.hidden_at_seq)


def store_tip(call: Call, group: Group, text: str) -> None:
    """Store a tip at the end of the group, if tips are on."""
    if call.switches[TIPS] == "off":
        return
    tip = Message(
        msg_id=call.world.next_msg_id(),
        seq=group.timeline.last_seq + 1,
        sender=group.owner,
        type=TIP,
        body=text,
        payload="",
        time=call.now,
        sent_at=0,
        arrived_at=call.now,
        imported=False,
        raises_unread=False,
    )
    append(group.timeline, tip)
