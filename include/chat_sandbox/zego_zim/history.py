"""Reading messages back, newest first.

Source: query the message list of group chats; of one-on-one chats; query messages (by MsgSeq).
"""

from __future__ import annotations

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import GROUP, MISSING_GROUP, PEER, Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.rows import REVOKED, emptiness, row_of
from chat_sandbox.zego_zim.switches.messages import CURSOR
from chat_sandbox.zego_zim.timelines import TIP, find_message, newest_first
from chat_sandbox.zego_zim.world import Message, Timeline

DEFAULT_ROWS, MAX_ROWS = 10, 100
MAX_SEQS = 20


def query_group_msg(call: Call) -> Reply:
    """Return up to 100 messages of a group, by falling MsgTime."""
    return _page(call, call.group().timeline)


def query_peer_msg(call: Call) -> Reply:
    """Return up to 100 messages of FromUserId's copy of a conversation, by falling MsgTime."""
    owner = call.registered("FromUserId")
    side = call.world.find_side(owner, call.user_id("ToUserId"))
    return _page(call, Timeline() if side is None else side.timeline)


def query_messages_by_msg_seq(call: Call) -> Reply:
    """Return up to 20 messages by their numbers, recalled ones and tips too."""
    user_id = call.registered("FromUserId")
    seqs = call.body.get("MsgSeqList")
    if not isinstance(seqs, list) or not 1 <= len(seqs) <= MAX_SEQS:
        raise RefusalError(BAD_PARAMETER, f"MsgSeqList has not 1 to {MAX_SEQS} entries")
    if not all(isinstance(seq, int) and not isinstance(seq, bool) for seq in seqs):
        raise RefusalError(BAD_PARAMETER, "MsgSeqList holds something else than integers")
    timeline = _timeline(call, user_id)
    found = [find_message(timeline, seq) for seq in seqs]
    rows = [_spot(call, message) for message in found if message is not None]
    return {"MessageList": [row for row in rows if row is not None]}


def _timeline(call: Call, user_id: str) -> Timeline:
    match fields.integer(call.body, "ConvType"):
        case value if value == PEER:
            side = call.world.find_side(user_id, call.user_id("ConvId"))
            return Timeline() if side is None else side.timeline
        case value if value == GROUP:
            group = call.world.groups.get(call.user_id("ConvId"))
            if group is None:
                raise RefusalError(MISSING_GROUP)
            return group.timeline
        case _:
            raise RefusalError(BAD_PARAMETER, "ConvType is 0 or 2")


def _spot(call: Call, message: Message) -> Body | None:
    if not call.is_readable_yet(message.arrived_at):
        return None
    row = row_of(call, message)
    return row | {"MsgType": REVOKED} if message.recalled else row


def _page(call: Call, timeline: Timeline) -> Reply:
    limit = fields.optional_integer(call.body, "Limit", DEFAULT_ROWS)
    limit = DEFAULT_ROWS if limit <= 0 else min(limit, MAX_ROWS)
    cursor = fields.optional_integer(call.body, "Next")
    with_empty = fields.optional_integer(call.body, "WithEmptyMsg") == 1
    messages = [
        message
        for message in newest_first(call, timeline)
        if _is_listed(call, message, with_empty=with_empty)
    ]
    start = _start(call, messages, cursor)
    page = messages[start : start + limit]
    following = 0
    if start + len(page) < len(messages):
        is_offset = call.switches[CURSOR] == "offset"
        following = start + len(page) if is_offset else page[-1].seq
    return {"List": [row_of(call, message) for message in page], "Next": following}


def _is_listed(call: Call, message: Message, *, with_empty: bool) -> bool:
    if message.type == TIP or not call.is_readable_yet(message.arrived_at):
        return False
    return with_empty or not emptiness(call, message)


def _start(call: Call, messages: list[Message], cursor: int) -> int:
    if cursor < 0:
        raise RefusalError(BAD_PARAMETER, "Next is negative")
    if cursor == 0 or call.switches[CURSOR] == "offset":
        return cursor
    for place, message in enumerate(messages):
        if message.seq == cursor:
            return place + 1
    raise RefusalError(BAD_PARAMETER, "Next is none that was returned")
