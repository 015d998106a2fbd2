"""Reading one-to-one messages and their unread numbers.

Source: admin_getroammsg (1047/35478; 269/42794), get_c2c_unread_msg_num (1047/41046; 269/56043),
admin_set_msg_read (1047/38996; 269/50349).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import msgspec

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.group_history import as_sent
from chat_sandbox.tencent_chat.peer_messages import REAL_TIME
from chat_sandbox.tencent_chat.switches.group_messages import RANDOM_SIGN
from chat_sandbox.tencent_chat.switches.peer_messages import C2C_MSG_KEY
from chat_sandbox.tencent_chat.world import Conversation, PeerMessage, pair_key

PAGE_BYTES = 13_000
"""Size at which a page is cut, whatever ``MaxCnt`` says. Source: the page's `about 13 KB`."""
MAX_PEERS = 10
NORMAL, RECALLED = 0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What one request asks for."""

    max_count: int
    min_time: int
    max_time: int
    before_key: str | None


def admin_getroammsg(call: Call) -> Reply:
    """Return one page of a conversation, back from ``MaxTime``, ascending in itself."""
    body = call.body
    operator = fields.text(body, "Operator_Account", code=90008)
    peer = fields.text(body, "Peer_Account", code=90003)
    span = Span(
        max_count=fields.integer(body, "MaxCnt", code=90001),
        min_time=fields.integer(body, "MinTime", code=90001),
        max_time=fields.integer(body, "MaxTime", code=90001),
        before_key=fields.optional_text(body, "LastMsgKey", code=90054) or None,
    )
    if span.max_count <= 0:
        raise RefusalError(90001, "MaxCnt is not positive")
    conversation = call.world.conversations.get(pair_key(operator, peer), Conversation())
    rows, complete = _page(call, conversation, span)
    oldest: Body = rows[0] if rows else {"MsgTimeStamp": 0, "MsgKey": ""}
    return {
        "Complete": int(complete),
        "MsgCnt": len(rows),
        "LastMsgTime": oldest["MsgTimeStamp"],
        "LastMsgKey": oldest["MsgKey"],
        "MsgList": rows,
    }


def msg_key(call: Call, message: PeerMessage) -> str:
    """Return a message's ``MsgKey``, as the ``c2c_msg_key`` switch wants it."""
    if call.switches[C2C_MSG_KEY] == "triple":
        return message.triple
    return f"{message.seq ^ 0x5A5A}_{message.random}_{message.time}"


def get_c2c_unread_msg_num(call: Call) -> Reply:
    """Return an account's unread one-to-one messages, in total or for up to 10 peers."""
    user_id = fields.text(call.body, "To_Account", code=90003)
    if not call.has_account(user_id):
        raise RefusalError(90048)
    if call.body.get("Peer_Account") is None:
        own = (pair.unread.get(user_id, 0) for pair in call.world.conversations.values())
        return {"AllC2CUnreadMsgNum": sum(own)}
    peers = fields.texts(call.body, "Peer_Account", code=90001)
    if len(peers) > MAX_PEERS:
        raise RefusalError(90001, f"more than {MAX_PEERS} peers")
    known = [peer for peer in peers if call.has_account(peer)]
    missing = [peer for peer in peers if not call.has_account(peer)]
    reply: Reply = {
        "C2CUnreadMsgNumList": [
            {"Peer_Account": peer, "C2CUnreadMsgNum": _unread(call, user_id, peer)}
            for peer in known
        ]
    }
    if missing:
        reply["ErrorList"] = [{"Peer_Account": peer, "ErrorCode": 70107} for peer in missing]
    return reply


def admin_set_msg_read(call: Call) -> Reply:
    """Mark a conversation read for ``Report_Account`` up to ``MsgReadTime``, by default now."""
    reader = fields.text(call.body, "Report_Account", code=90008)
    peer = fields.text(call.body, "Peer_Account", code=90003)
    read_time = fields.optional_integer(call.body, "MsgReadTime", code=90001)
    until = call.now if read_time is None else read_time
    conversation = call.world.conversations.get(pair_key(reader, peer))
    if conversation is None:
        return {}
    left = 0
    for message in conversation.messages:
        if message.recipient != reader:
            continue
        if message.time <= until:
            message.read_by_peer = True
        left += message.imported_as == REAL_TIME and not message.read_by_peer
    conversation.unread[reader] = left
    return {}


def _unread(call: Call, user_id: str, peer: str) -> int:
    conversation = call.world.conversations.get(pair_key(user_id, peer))
    return 0 if conversation is None else conversation.unread.get(user_id, 0)


def _page(call: Call, conversation: Conversation, span: Span) -> tuple[list[Body], bool]:
    """Return the rows, oldest first, and whether nothing older is left in the span."""
    messages = conversation.messages
    low = bisect_left(messages, span.min_time, key=lambda message: message.time)
    high = bisect_right(messages, span.max_time, key=lambda message: message.time)
    if span.before_key is not None:
        high = _index_of_key(call, messages, low, high, span.before_key)
    rows: list[Body] = []
    size = 0
    for index in range(high - 1, low - 1, -1):
        if call.is_expired(messages[index].time):
            break
        row = _row(call, messages[index])
        size += len(msgspec.json.encode(row))
        if len(rows) == span.max_count or (rows and size > PAGE_BYTES):
            return rows[::-1], False
        rows.append(row)
    return rows[::-1], True


def _index_of_key(call: Call, messages: list[PeerMessage], low: int, high: int, key: str) -> int:
    for index in range(high - 1, low - 1, -1):
        if msg_key(call, messages[index]) == key:
            return index
    return high


def _row(call: Call, message: PeerMessage) -> Body:
    return {
        "From_Account": message.sender,
        "To_Account": message.recipient,
        "MsgSeq": message.seq,
        "MsgRandom": as_sent(message.random, call.switches[RANDOM_SIGN]),
        "MsgTimeStamp": message.time,
        "MsgFlagBits": RECALLED if message.recalled else NORMAL,
        "IsPeerRead": int(message.read_by_peer),
        "MsgKey": msg_key(call, message),
        "MsgBody": [] if message.recalled else message.body,
        "CloudCustomData": message.cloud_custom_data,
    }
