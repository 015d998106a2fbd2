"""Recalling and editing single messages. Source: recall a message; edit a message."""

from __future__ import annotations

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.bodies import CUSTOM, MULTIPLE, TEXT, checked_body
from chat_sandbox.zego_zim.call import MISSING_GROUP, Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.members import ADMIN, OWNER
from chat_sandbox.zego_zim.timelines import find_message
from chat_sandbox.zego_zim.world import Group, Message, Timeline

RECALL_MS, EDIT_MS = 120_000, 86_400_000
MISSING, RECALLED_BEFORE, TOO_LATE_TO_RECALL = 660_000_022, 660_000_023, 660_000_024
TOO_LATE_TO_EDIT = 661_000_001
EDIT_MESSAGE, EDIT_PAYLOAD, EDIT_SUB_TYPE = 1, 2, 16
"""Bits of EditType; 4 and 8 are mentions, which do not exist here."""


def revoke_group_message(call: Call) -> Reply:
    """Recall a message of the last two minutes of a group."""
    group = call.group()
    message = _own_or_administered(call, group)
    _recall(call, message)
    return {}


def revoke_peer_message(call: Call) -> Reply:
    """Recall a message of the last two minutes, in both copies if they share its MsgId."""
    copies = _copies(call)
    _recall(call, copies[0])
    for copy in copies[1:]:
        copy.recalled = True
    return {}


def edit_group_msg_body(call: Call) -> Reply:
    """Replace parts of a text, custom or multi-item message of the last day; any member may."""
    editor = call.registered("FromUserId")
    group = call.world.groups.get(call.user_id("ConvId"))
    if group is None:
        raise RefusalError(MISSING_GROUP)
    call.member(group, editor)
    message = _found(call, group.timeline, "ConvMsgSeq")
    if fields.optional_text(call.body, "SenderId") not in {"", message.sender}:
        raise RefusalError(BAD_PARAMETER, "SenderId did not send the message")
    _edit(call, [message])
    return {}


def edit_c2c_msg_body(call: Call) -> Reply:
    """The same one-to-one in FromUserId's copy, and in the other if they share the MsgId."""
    editor, peer = call.registered("FromUserId"), call.user_id("ConvId")
    message = _found(call, _timeline(call, editor, peer), "ConvMsgSeq")
    if call.user_id("SenderId") != message.sender:
        raise RefusalError(BAD_PARAMETER, "SenderId did not send the message")
    _edit(call, [message, *_shared(call, peer, editor, message)])
    return {}


def _recall(call: Call, message: Message) -> None:
    if message.recalled:
        raise RefusalError(RECALLED_BEFORE)
    if call.now - message.time > RECALL_MS:
        raise RefusalError(TOO_LATE_TO_RECALL)
    message.recalled = True


def _edit(call: Call, copies: list[Message]) -> None:
    message = copies[0]
    if message.recalled:
        raise RefusalError(RECALLED_BEFORE)
    if message.type not in {TEXT, MULTIPLE, CUSTOM}:
        raise RefusalError(BAD_PARAMETER, f"type {message.type} cannot be edited")
    if call.now - message.time > EDIT_MS:
        raise RefusalError(TOO_LATE_TO_EDIT)
    if fields.integer(call.body, "MsgType") != message.type:
        raise RefusalError(BAD_PARAMETER, "MsgType is not the message's")
    edits = fields.integer(call.body, "EditType")
    if not 0 < edits < 2 * EDIT_SUB_TYPE:
        raise RefusalError(BAD_PARAMETER, "EditType names nothing")
    told = fields.mapping(call.body, "MessageBody") if edits & (EDIT_MESSAGE | EDIT_PAYLOAD) else {}
    whole = {
        "Message": fields.text(told, "Message") if edits & EDIT_MESSAGE else message.body,
        "ExtendedData": told.get("ExtendedData") if edits & EDIT_PAYLOAD else message.payload,
    }
    text, payload = checked_body(whole, message.type, call.switches)
    sub_type = (
        fields.integer(call.body, "SubMsgType") if edits & EDIT_SUB_TYPE else message.sub_type
    )
    for copy in copies:
        copy.body, copy.payload, copy.sub_type = text, payload, sub_type


def _own_or_administered(call: Call, group: Group) -> Message:
    user_id = call.registered("FromUserId")
    message = _found(call, group.timeline)
    member = group.members.get(user_id)
    may_all = member is not None and member.role in {OWNER, ADMIN}
    if message.sender != user_id and not may_all:
        raise RefusalError(BAD_PARAMETER, "FromUserId neither sent the message nor leads the group")
    return message


def _copies(call: Call) -> list[Message]:
    """Return the message in the copy of its sender, then in the other if the ids are shared."""
    sender, recipient = call.registered("FromUserId"), call.user_id("ToUserId")
    message = _found(call, _timeline(call, sender, recipient))
    if message.sender != sender:
        raise RefusalError(BAD_PARAMETER, "FromUserId did not send the message")
    return [message, *_shared(call, recipient, sender, message)]


def _shared(call: Call, owner: str, peer: str, message: Message) -> list[Message]:
    return [each for each in _timeline(call, owner, peer).messages if each.msg_id == message.msg_id]


def _timeline(call: Call, owner: str, peer: str) -> Timeline:
    side = call.world.find_side(owner, peer)
    return Timeline() if side is None else side.timeline


def _found(call: Call, timeline: Timeline, name: str = "MsgSeq") -> Message:
    message = find_message(timeline, fields.integer(call.body, name))
    if message is None or message.deleted or call.is_expired(message.time):
        raise RefusalError(MISSING)
    return message
