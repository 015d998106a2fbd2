"""What tests may do to a world that no API of a migrator can: live messages, groups of any type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import AV_CHAT_ROOM, Call, Handler, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.groups import import_group
from chat_sandbox.tencent_chat.timelines import SYSTEM_ACCOUNT, append_live, set_unread
from chat_sandbox.tencent_chat.world import Element, Group, GroupMessage


def live_message(call: Call) -> Reply:
    """Store a message that clients sent, or with ``IsTip`` a tip; others' unread rises by one.

    Who sends has read everything.

    ``GroupId`` is required; ``From_Account``, ``Text`` or ``MsgBody``, and ``Time`` (default now)
    are not.
    """
    group = call.group(av_chat_room_code=None)
    is_tip = call.body.get("IsTip") is True
    text = fields.optional_text(call.body, "Text") or "live"
    body: list[Element] = call.body.get("MsgBody") or [
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}
    ]
    time = fields.optional_integer(call.body, "Time")
    sender = fields.optional_text(call.body, "From_Account")
    message = GroupMessage(
        seq=0,
        sender=sender or (SYSTEM_ACCOUNT if is_tip else call.admin),
        random=call.world.next_random(),
        time=call.now if time is None else time,
        body=body,
        is_system=is_tip,
        imported=False,
    )
    append_live(group, message)
    member = group.members.get(message.sender)
    if member is not None:
        set_unread(call, group, member, 0)
    return {"MsgSeq": message.seq, "MsgTime": message.time}


def create_group(call: Call) -> Reply:
    """Create a group as ``import_group`` does, AVChatRoom too."""
    if call.body.get("Type") != AV_CHAT_ROOM:
        return import_group(call)
    group_id = fields.text(call.body, "GroupId")
    if group_id in call.world.groups:
        raise RefusalError(10021)
    name = fields.text(call.body, "Name")
    call.world.groups[group_id] = Group(
        group_id=group_id, type=AV_CHAT_ROOM, name=name, create_time=call.now
    )
    return {"GroupId": group_id}


OPERATIONS: Final[Mapping[str, Handler]] = {"_live": live_message, "_group": create_group}
