"""Modifying and recalling group messages.

Source: modify_group_msg (1047/47948; 269/74741), group_msg_recall (1047/34965; 269/12341). Both
pages speak of sent messages; that they hold for imported ones is the sandbox's assumption, see the
switches.
"""

from __future__ import annotations

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.elements import (
    ELEMENT_TYPES,
    GROUP_TYPES,
    checked_body,
    is_blocked,
    size_of,
)
from chat_sandbox.tencent_chat.switches.group_messages import (
    GROUP_SIZE_BASIS,
    MEDIA_IN_GROUP,
    MESSAGE_BYTES,
)
from chat_sandbox.tencent_chat.switches.peer_messages import (
    MODIFY_EMPTY,
    MODIFY_EXPIRED,
    MODIFY_IMPORTED,
    MODIFY_MISSING,
    MODIFY_TOUCHES,
    OVERSIZE_MODIFY,
    RECALL_EXPIRED,
    RECALL_IMPORTED,
    RECALL_TIP,
    RECALLED_AGAIN,
)
from chat_sandbox.tencent_chat.timelines import Stream, find_message, stream_of, zero_unread
from chat_sandbox.tencent_chat.world import Element, GroupMessage, PeerMessage

MAX_RECALLS = 10
MAX_REASON_BYTES = 100
MALFORMED = 90001
MESSAGE_MISSING = 10030


def modify_group_msg(call: Call) -> Reply:
    """Replace the body, the custom data or both of one message; all else stays."""
    group = call.group()
    stream = stream_of(call, group)
    message = find_message(stream.store, fields.integer(call.body, "MsgSeq"))
    media = call.switches[MEDIA_IN_GROUP] == "accept"
    change = changed_fields(call, frozenset(ELEMENT_TYPES) if media else GROUP_TYPES)
    if not is_modifiable(call, message):
        return {}
    apply_change(message, change)
    _touch(call, stream)
    return {}


def group_msg_recall(call: Call) -> Reply:
    """Recall up to 10 messages, each with its ``RetCode``; their seqs stay taken."""
    group = call.group()
    stream = stream_of(call, group)
    rows = fields.objects(call.body, "MsgSeqList")
    if len(rows) > MAX_RECALLS:
        raise RefusalError(fields.BAD_PARAMETER, f"more than {MAX_RECALLS} messages")
    fields.optional_text(call.body, "Reason", max_bytes=MAX_REASON_BYTES)
    seqs = [fields.integer(row, "MsgSeq") for row in rows]
    results = [{"MsgSeq": seq, "RetCode": _recall(call, stream, seq)} for seq in seqs]
    _touch(call, stream)
    return {"RecallRetList": results}


def changed_fields(
    call: Call, allowed: frozenset[str], *, code: int = 90002
) -> tuple[list[Element] | None, str | None]:
    """Return the new body and the new custom data, None for what stays.

    Raises:
        RefusalError: neither is given, the body is malformed or too long, or moderation stops it.
    """
    switches = call.switches
    given = call.body.get("MsgBody")
    data = fields.optional_text(call.body, "CloudCustomData", code=MALFORMED)
    if given is None and data is None and switches[MODIFY_EMPTY] != "ok":
        raise RefusalError(int(switches[MODIFY_EMPTY]), "neither MsgBody nor CloudCustomData")
    body = None
    if given is not None:
        body = checked_body(given, allowed, switches, code=code)
        _check_content(body, switches)
    return body, data


def is_modifiable(call: Call, message: GroupMessage | PeerMessage | None) -> bool:
    """Return whether a modify has an effect; False where it answers OK without one.

    Raises:
        RefusalError: 20026 or what the switches say for missing, imported and expired messages.
    """
    switches = call.switches
    if message is None or message.recalled or getattr(message, "is_system", False):
        return _is_forgiven(switches[MODIFY_MISSING])
    if getattr(message, "imported", True) and switches[MODIFY_IMPORTED] != "accept":
        raise RefusalError(int(switches[MODIFY_IMPORTED]))
    if call.is_expired(message.time):
        return _is_forgiven(switches[MODIFY_EXPIRED])
    return True


def apply_change(
    message: GroupMessage | PeerMessage | None, change: tuple[list[Element] | None, str | None]
) -> None:
    """Overwrite what a modify gives."""
    body, data = change
    if message is None:
        return
    if body is not None:
        message.body = body
    if data is not None:
        message.cloud_custom_data = data


def _is_forgiven(position: str) -> bool:
    if position != "ok_without_effect":
        raise RefusalError(int(position))
    return False


def _check_content(body: list[Element], switches: SwitchBoard) -> None:
    if size_of(body, switches[GROUP_SIZE_BASIS]) > int(switches[MESSAGE_BYTES]):
        raise RefusalError(int(switches[OVERSIZE_MODIFY]))
    if is_blocked(body, switches):
        raise RefusalError(80001)


def _recall(call: Call, stream: Stream, seq: int) -> int:
    switches = call.switches
    message = find_message(stream.store, seq)
    if message is None or (message.imported and switches[RECALL_IMPORTED] == "missing"):
        return MESSAGE_MISSING
    if message.is_system:
        return int(switches[RECALL_TIP])
    if message.recalled:
        return int(switches[RECALLED_AGAIN])
    if call.is_expired(message.time):
        return int(switches[RECALL_EXPIRED])
    message.recalled = True
    return 0


def _touch(call: Call, stream: Stream) -> None:
    if call.switches[MODIFY_TOUCHES] == "unread":
        zero_unread(stream.store)
