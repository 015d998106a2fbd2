"""Conversations as one user has them: the list, unread numbers, clearing.

Source: query conversation list; clear unread; delete conversation; clear messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import GROUP, PEER, Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.switches.messages import DELETE_CONV
from chat_sandbox.zego_zim.timelines import holds_conversation
from chat_sandbox.zego_zim.world import Member, Side, Timeline

LATEST_CONVERSATIONS, MAX_ROWS = 1_000, 500
NO_CONVERSATION = 660_800_002


@dataclass(frozen=True, slots=True)
class _Conversation:
    conv_id: str
    kind: int
    holder: Member | Side
    timeline: Timeline


def query_conversation_list(call: Call) -> Reply:
    """Return a user's latest 1000 conversations, the one changed last at the end. No unread."""
    conversations = _latest(call, call.registered("FromUserId"))
    limit = fields.optional_integer(call.body, "Limit", MAX_ROWS)
    start = fields.optional_integer(call.body, "Next")
    if not 1 <= limit <= MAX_ROWS or start < 0:
        raise RefusalError(
            BAD_PARAMETER, f"Limit is not within 1 and {MAX_ROWS}, or Next is negative"
        )
    end = min(start + limit, len(conversations))
    rows = [_row(each) for each in conversations[start:end]]
    return {"List": rows, "Next": end if end < len(conversations) else 0}


def clear_conversation_unread(call: Call) -> Reply:
    """Make a user's unread number of one conversation 0."""
    found = _named(call)
    found.holder.read_seq = found.timeline.last_seq
    return {}


def delete_conv(call: Call) -> Reply:
    """Take a conversation off a user's list until its next message."""
    found = _named(call)
    found.holder.hidden_at_seq = found.timeline.last_seq
    found.holder.read_seq = found.timeline.last_seq
    if call.switches[DELETE_CONV] == "clear":
        _clear(found.holder, found.timeline)
    return {}


def clear_peer_message(call: Call) -> Reply:
    """Delete all messages of FromUserId's copy of a conversation; the other copy stays."""
    side = call.world.find_side(call.registered("FromUserId"), call.user_id("ToUserId"))
    if side is not None:
        _clear(side, side.timeline)
    return {}


def clear_member_group_message(call: Call) -> Reply:
    """Hide all present messages of a group from one member."""
    group = call.group()
    _clear(call.member(group, call.registered("FromUserId")), group.timeline)
    return {}


def _clear(holder: Member | Side, timeline: Timeline) -> None:
    holder.read_seq = timeline.last_seq
    if isinstance(holder, Member):
        holder.cleared_seq = timeline.last_seq
        return
    for message in timeline.messages:
        message.deleted = True


def _named(call: Call) -> _Conversation:
    user_id = call.registered("FromUserId")
    conv_id = call.user_id("ConvId")
    kind = fields.integer(call.body, "ConvType")
    if kind not in {PEER, GROUP}:
        raise RefusalError(BAD_PARAMETER, "ConvType is 0 or 2")
    for found in _latest(call, user_id):
        if (found.conv_id, found.kind) == (conv_id, kind):
            return found
    raise RefusalError(NO_CONVERSATION)


def _latest(call: Call, user_id: str) -> list[_Conversation]:
    held = [each for each in _all(call, user_id) if holds_conversation(each.holder, each.timeline)]
    held.sort(key=lambda each: (each.timeline.newest_time, each.kind, each.conv_id))
    return held[-LATEST_CONVERSATIONS:]


def _all(call: Call, user_id: str) -> Iterator[_Conversation]:
    for side in call.world.sides.get(user_id, {}).values():
        yield _Conversation(side.peer, PEER, side, side.timeline)
    for group in call.world.groups.values():
        member = group.members.get(user_id)
        if member is not None:
            yield _Conversation(group.group_id, GROUP, member, group.timeline)


def _row(each: _Conversation) -> Body:
    row: Body = {"ConvId": each.conv_id, "UpdateTime": each.timeline.newest_time}
    return row if each.kind == PEER else row | {"ConvType": GROUP}
