"""Importing one-to-one messages. Source: importmsg page (1047/35014; 269/2568)."""

from __future__ import annotations

from bisect import insort

import msgspec

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.elements import PEER_TYPES, checked_body, is_blocked, size_of
from chat_sandbox.tencent_chat.switches.group_messages import EXPIRED_HISTORY, MESSAGE_BYTES
from chat_sandbox.tencent_chat.switches.peer_messages import (
    C2C_DEDUP_LIFETIME,
    C2C_OUT_OF_ORDER,
    C2C_SIZE_BASIS,
    DUPLICATE_C2C_REPLY,
    SELF_CHAT,
    UNIMPORTED_C2C_SENDER,
)
from chat_sandbox.tencent_chat.world import Conversation, PeerMessage, pair_key

REAL_TIME, HISTORY, REAL_TIME_BEFORE_2022 = 5, 2, 1
DEDUP_SECONDS = 300


def importmsg(call: Call) -> Reply:
    """Store one message; its (MsgSeq, MsgRandom, MsgTimeStamp) is stored once, from either side.

    Checked in this order: fields, accounts, size, moderation, age, duplicate, order.
    """
    message = _incoming(call)
    _check_accounts(call, message)
    _check_content(call, message)
    conversation = call.world.conversations.get(pair_key(message.sender, message.recipient))
    if conversation is not None:
        if _is_duplicate(call, conversation, message):
            reply = call.switches[DUPLICATE_C2C_REPLY]
            if reply != "ok":
                raise RefusalError(int(reply), "duplicate message")
            return {}
        _check_order(call, conversation, message)
    _store(call, message)
    return {}


def order_key(message: PeerMessage) -> tuple[int, int]:
    """Return what messages of a conversation are ordered by: second, then MsgSeq."""
    return message.time, message.seq


def _incoming(call: Call) -> PeerMessage:
    body = call.body
    mode = fields.integer(body, "SyncFromOldSystem", code=90030)
    if mode not in {REAL_TIME, HISTORY, REAL_TIME_BEFORE_2022}:
        raise RefusalError(90030, "SyncFromOldSystem is 2 or 5")
    sender = fields.text(body, "From_Account", code=90008)
    recipient = fields.text(body, "To_Account", code=90003)
    seq = fields.optional_integer(body, "MsgSeq", code=90010, u32=True)
    random = fields.integer(body, "MsgRandom", code=90005, u32=True)
    time = fields.integer(body, "MsgTimeStamp", code=90006)
    if not isinstance(body.get("MsgBody"), list):
        raise RefusalError(90007)
    return PeerMessage(
        sender=sender,
        recipient=recipient,
        seq=call.world.next_random() if seq is None else seq,
        random=random,
        time=time,
        body=checked_body(body["MsgBody"], PEER_TYPES, call.switches, code=90002),
        cloud_custom_data=fields.optional_text(body, "CloudCustomData", code=90010) or "",
        imported_as=HISTORY if mode == HISTORY else REAL_TIME,
    )


def _check_accounts(call: Call, message: PeerMessage) -> None:
    if not call.has_account(message.recipient):
        raise RefusalError(90012)
    position = call.switches[UNIMPORTED_C2C_SENDER]
    if position != "accept" and not call.has_account(message.sender):
        raise RefusalError(int(position))
    if message.sender == message.recipient and call.switches[SELF_CHAT] != "accept":
        raise RefusalError(90012, "From_Account equals To_Account")


def _check_content(call: Call, message: PeerMessage) -> None:
    basis = call.switches[C2C_SIZE_BASIS]
    is_whole = basis == "request"
    size = len(msgspec.json.encode(call.body)) if is_whole else size_of(message.body, basis)
    if size > int(call.switches[MESSAGE_BYTES]):
        raise RefusalError(93000)
    if is_blocked(message.body, call.switches):
        raise RefusalError(80001)
    rejects_old = call.switches[EXPIRED_HISTORY] == "reject"
    if rejects_old and call.is_past_retention(message.time):
        raise RefusalError(90026)


def _is_duplicate(call: Call, conversation: Conversation, message: PeerMessage) -> bool:
    arrived_at = conversation.arrivals.get(message.triple)
    if arrived_at is None:
        return False
    is_durable = call.switches[C2C_DEDUP_LIFETIME] == "durable"
    return is_durable or call.now - arrived_at < DEDUP_SECONDS


def _check_order(call: Call, conversation: Conversation, message: PeerMessage) -> None:
    if call.switches[C2C_OUT_OF_ORDER] == "accept" or not conversation.messages:
        return
    if order_key(message) < order_key(conversation.messages[-1]):
        raise RefusalError(90006, "MsgTimeStamp is before the newest of the conversation")


def _store(call: Call, message: PeerMessage) -> None:
    key = pair_key(message.sender, message.recipient)
    conversation = call.world.conversations.setdefault(key, Conversation())
    insort(conversation.messages, message, key=order_key)
    conversation.arrivals[message.triple] = call.now
    if message.imported_as == REAL_TIME:
        unread = conversation.unread
        unread[message.recipient] = unread.get(message.recipient, 0) + 1
