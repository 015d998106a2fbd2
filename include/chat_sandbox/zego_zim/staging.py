"""What tests may do to a world that no Action of a migrator can: live messages, foreign groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.bodies import TEXT
from chat_sandbox.zego_zim.call import Call, Handler, Reply
from chat_sandbox.zego_zim.groups import create_group
from chat_sandbox.zego_zim.timelines import append
from chat_sandbox.zego_zim.world import Message, Timeline, User


def live_message(call: Call) -> Reply:
    """Store a message that a client sent, in a group or in both copies of a conversation.

    ``FromUserId`` and either ``GroupId`` or ``ToUserId`` are required; ``Text`` and ``Time`` (ms,
    default now) are not. Who sends has read everything.
    """
    sender = call.user_id("FromUserId")
    msg_id = call.world.next_msg_id()
    if call.body.get("GroupId"):
        group = call.group()
        seq = _append(call, group.timeline, sender, msg_id)
        if sender in group.members:
            group.members[sender].read_seq = seq
        return {"MsgId": str(msg_id), "MsgSeq": seq}
    recipient = call.user_id("ToUserId")
    _append(call, call.world.side(recipient, sender).timeline, sender, msg_id)
    side = call.world.side(sender, recipient)
    side.read_seq = _append(call, side.timeline, sender, msg_id)
    return {"MsgId": str(msg_id), "MsgSeq": side.read_seq}


def foreign_group(call: Call) -> Reply:
    """Create a group as somebody else would; its owner is registered if need be."""
    owner = call.user_id("GroupOwner")
    call.world.users.setdefault(owner, User(owner))
    return create_group(call)


def _append(call: Call, timeline: Timeline, sender: str, msg_id: int) -> int:
    message = Message(
        msg_id=msg_id,
        seq=timeline.last_seq + 1,
        sender=sender,
        type=TEXT,
        body=fields.optional_text(call.body, "Text") or "live",
        payload="",
        time=fields.optional_integer(call.body, "Time", call.now),
        sent_at=0,
        arrived_at=call.now,
        imported=False,
    )
    append(timeline, message)
    return message.seq


OPERATIONS: Final[Mapping[str, Handler]] = {"_live": live_message, "_group": foreign_group}
