"""Modifying and withdrawing one-to-one messages.

Source: modify_c2c_msg (1047/47722; 269/74740), admin_msgwithdraw (1047/35015; 269/38980).
"""

from __future__ import annotations

import re

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.elements import PEER_TYPES
from chat_sandbox.tencent_chat.group_edits import apply_change, changed_fields, is_modifiable
from chat_sandbox.tencent_chat.peer_history import msg_key
from chat_sandbox.tencent_chat.switches.peer_messages import C2C_KEY_DIRECTION, RECALL_IMPORTED
from chat_sandbox.tencent_chat.world import PeerMessage, pair_key

MAX_KEY_LENGTH = 50
BAD_KEY = 90054
WITHDRAWN_BEFORE = 20023
MESSAGE_MISSING = 20022
_KEY = re.compile(r"\d+_\d+_\d+")


def modify_c2c_msg(call: Call) -> Reply:
    """Replace the body, the custom data or both of one message; all else stays."""
    message = _found(call)
    change = changed_fields(call, PEER_TYPES)
    if is_modifiable(call, message):
        apply_change(message, change)
    return {}


def admin_msgwithdraw(call: Call) -> Reply:
    """Withdraw one message; a second time it answers 20023."""
    message = _found(call)
    if message is None or call.switches[RECALL_IMPORTED] == "missing":
        raise RefusalError(MESSAGE_MISSING)
    if message.recalled:
        raise RefusalError(WITHDRAWN_BEFORE)
    if call.is_expired(message.time):
        raise RefusalError(MESSAGE_MISSING)
    message.recalled = True
    return {}


def _found(call: Call) -> PeerMessage | None:
    """Return the message of ``MsgKey`` between ``From_Account`` and ``To_Account``."""
    sender = fields.text(call.body, "From_Account", code=90008)
    recipient = fields.text(call.body, "To_Account", code=90003)
    key = fields.text(call.body, "MsgKey", code=BAD_KEY)
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise RefusalError(BAD_KEY)
    if not call.has_account(sender) or not call.has_account(recipient):
        raise RefusalError(20003)
    conversation = call.world.conversations.get(pair_key(sender, recipient))
    if conversation is None:
        return None
    is_strict = call.switches[C2C_KEY_DIRECTION] == "strict"
    for message in conversation.messages:
        if msg_key(call, message) == key and (message.sender == sender or not is_strict):
            return message
    return None
