"""Importing messages, one a call.

Every accepted import stores a message: there is no key by which the service could know a repetition.
Source: ImportGroupMsg and ImportPeerMsg pages.
"""

from __future__ import annotations

from typing import Final

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.bodies import Content, checked_content
from chat_sandbox.zego_zim.call import NOT_IN_GROUP, Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.switches.messages import (
    DUPLICATE_IMPORT,
    FUTURE_TIME,
    IMPORT_UNREAD,
    MSG_TIME,
    OUT_OF_ORDER,
    PEER_IDS,
    SELF_CHAT,
    SENDER_MEMBERSHIP,
    TOO_OLD_TIME,
    UNREGISTERED_PEER,
)
from chat_sandbox.zego_zim.timelines import append
from chat_sandbox.zego_zim.world import Message, Side, Timeline

_COMMON: Final = frozenset(
    {
        "FromUserId",
        "MessageType",
        "Priority",
        "MessageBody",
        "SubMsgType",
        "SearchedContent",
        "SendMessageTime",
    }
)
GROUP_FIELDS: Final = _COMMON | {"GroupId"}
PEER_FIELDS: Final = _COMMON | {"ToUserId", "ImportedUserId"}


def import_group_msg(call: Call) -> Reply:
    """Store one message of a group and answer its MsgSeq; no MsgId is told.

    Checked in this order: content, sender, group, membership, time.
    """
    content = checked_content(call.body, call.switches, GROUP_FIELDS)
    sender = call.registered("FromUserId")
    group = call.group()
    if call.switches[SENDER_MEMBERSHIP] != "accept" and sender not in group.members:
        raise RefusalError(NOT_IN_GROUP)
    message = _message(call, content, sender, group.timeline)
    twin = _stored_before(call, group.timeline, message)
    if twin is not None:
        return {"MsgSeq": twin.seq}
    message.msg_id = call.world.next_msg_id()
    message.seq = group.timeline.last_seq + 1
    append(group.timeline, message)
    return {"MsgSeq": message.seq}


def import_peer_msg(call: Call) -> Reply:
    """Store one message in the copy of ``ImportedUserId``; answer MsgId as a string, and MsgSeq."""
    content = checked_content(call.body, call.switches, PEER_FIELDS)
    sender = call.registered("FromUserId")
    recipient = _recipient(call)
    owner = call.user_id("ImportedUserId")
    if owner not in {sender, recipient}:
        raise RefusalError(BAD_PARAMETER, "ImportedUserId is neither FromUserId nor ToUserId")
    if sender == recipient and call.switches[SELF_CHAT] != "accept":
        raise RefusalError(int(call.switches[SELF_CHAT]), "FromUserId equals ToUserId")
    peer = recipient if owner == sender else sender
    known = call.world.find_side(owner, peer)
    message = _message(call, content, sender, Timeline() if known is None else known.timeline)
    twin = None if known is None else _stored_before(call, known.timeline, message)
    if twin is None:
        side = call.world.side(owner, peer)
        message.msg_id, message.seq = _peer_ids(call, side, message)
        append(side.timeline, message)
        twin = message
    return {"MsgId": str(twin.msg_id), "MsgSeq": twin.seq}


def _recipient(call: Call) -> str:
    position = call.switches[UNREGISTERED_PEER]
    if position == "accept":
        return call.user_id("ToUserId")
    return call.registered("ToUserId", code=int(position))


def _message(call: Call, content: Content, sender: str, timeline: Timeline) -> Message:
    """Return a message without ids, at the time at which it is to stand."""
    sent_at = fields.optional_integer(call.body, "SendMessageTime")
    time = _checked_time(call, sent_at)
    if call.switches[MSG_TIME] == "received":
        time = call.now
    if time < timeline.newest_time:
        match call.switches[OUT_OF_ORDER]:
            case "lift":
                time = timeline.newest_time
            case "accept":
                pass
            case code:
                raise RefusalError(int(code), "SendMessageTime is before the newest message")
    return Message(
        msg_id=0,
        seq=0,
        sender=sender,
        type=content.type,
        sub_type=content.sub_type,
        searched=content.searched,
        priority=content.priority,
        body=content.body,
        payload=content.payload,
        time=time,
        sent_at=sent_at,
        arrived_at=call.now,
        raises_unread=call.switches[IMPORT_UNREAD] == "raise",
    )


def _checked_time(call: Call, sent_at: int) -> int:
    """Return when a message stands: 0 is now, the future and what would expire are unwanted."""
    if sent_at < 0:
        raise RefusalError(BAD_PARAMETER, "SendMessageTime is negative")
    if sent_at > call.now:
        position = call.switches[FUTURE_TIME]
        if position != "now":
            raise RefusalError(int(position), "SendMessageTime lies in the future")
        return call.now
    if sent_at and call.is_expired(sent_at):
        return _too_old(call, sent_at)
    return sent_at or call.now


def _too_old(call: Call, sent_at: int) -> int:
    match call.switches[TOO_OLD_TIME]:
        case "accept":
            return sent_at
        case "now":
            return call.now
        case "clamp":
            return call.now - (call.retention_ms or 0)
        case code:
            raise RefusalError(int(code), "SendMessageTime is older than messages are kept")


def _stored_before(call: Call, timeline: Timeline, message: Message) -> Message | None:
    """Return the equal message that takes the place of this one, if the switch wants that."""
    if call.switches[DUPLICATE_IMPORT] == "stored":
        return None
    return next((known for known in timeline.messages if _is_equal(known, message)), None)


def _peer_ids(call: Call, side: Side, message: Message) -> tuple[int, int]:
    """Return MsgId and MsgSeq for a message of one side."""
    position = call.switches[PEER_IDS]
    if position == "own":
        return call.world.next_msg_id(), side.timeline.last_seq + 1
    other = call.world.find_side(side.peer, side.owner)
    others = Timeline() if other is None else other.timeline
    if position == "shared":
        taken = {mine.msg_id for mine in side.timeline.messages}
        for theirs in others.messages:
            if theirs.msg_id not in taken and _is_equal(theirs, message):
                return theirs.msg_id, theirs.seq
    return call.world.next_msg_id(), max(side.timeline.last_seq, others.last_seq) + 1


def _is_equal(one: Message, other: Message) -> bool:
    return (one.sender, one.sent_at, one.type, one.sub_type, one.body, one.payload) == (
        other.sender,
        other.sent_at,
        other.type,
        other.sub_type,
        other.body,
        other.payload,
    )
