"""Changing a group's profile, its members' roles and its owner. Each may store a tip.

Source: modify_group_base_info (1047/34962), modify_group_member_info (1047/34900; 269/1623),
change_group_owner (1047/34966; 269/1633).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import COMMUNITY, PRIVATE, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.groups import (
    JOIN_OPTIONS,
    MAX_APP_FIELDS,
    MAX_APP_VALUE_BYTES,
    MAX_FACE_URL_BYTES,
    MAX_INTRODUCTION_BYTES,
    MAX_NAME_BYTES,
    MAX_NOTIFICATION_BYTES,
    app_data,
)
from chat_sandbox.tencent_chat.quotas import MEMBERS_PER_COMMUNITY
from chat_sandbox.tencent_chat.switches.groups import NEW_OWNER_NOT_MEMBER, PREVIOUS_OWNER_ROLE
from chat_sandbox.tencent_chat.timelines import store_tip
from chat_sandbox.tencent_chat.world import Group, Member

MAX_NAME_CARD_BYTES = 50
MAX_MEMBER_FIELDS = 5
MAX_MEMBER_VALUE_BYTES = 64
INVITE_OPTIONS = ("FreeAccess", "NeedPermission", "DisableInvite")
MESSAGE_FLAGS = (
    "AcceptAndNotify",
    "Discard",
    "AcceptNotNotify",
    "AcceptNotNotifyExceptAt",
)
_SHOWN_TEXTS: Final[Mapping[str, tuple[str, int]]] = {
    "Name": ("name", MAX_NAME_BYTES),
    "Introduction": ("introduction", MAX_INTRODUCTION_BYTES),
    "Notification": ("notification", MAX_NOTIFICATION_BYTES),
    "FaceUrl": ("face_url", MAX_FACE_URL_BYTES),
}
"""Profile texts whose change stores a tip: API field → attribute and cap in bytes."""


def modify_group_base_info(call: Call) -> Reply:
    """Change what is given of a group's profile. Name, texts and avatar store a tip."""
    group = call.group(av_chat_room_code=None)
    body = call.body
    texts = {
        attribute: value
        for name, (attribute, cap) in _SHOWN_TEXTS.items()
        if (value := fields.optional_text(body, name, max_bytes=cap)) is not None
    }
    if texts.get("name") == "":
        raise RefusalError(fields.BAD_PARAMETER, "Name is empty")
    settings = _settings(call, group)
    data = app_data(
        body, "AppDefinedData", max_fields=MAX_APP_FIELDS, max_value_bytes=MAX_APP_VALUE_BYTES
    )
    operator = fields.optional_text(body, "From_Account")
    if operator is not None and not call.has_account(operator):
        raise RefusalError(fields.BAD_PARAMETER, "From_Account does not exist")
    changes: dict[str, str | int] = {**texts, **settings}
    for attribute, change in changes.items():
        setattr(group, attribute, change)
    group.app_data = _merged(group.app_data, data)
    group.last_info_time = call.now
    if texts:
        store_tip(call, group, f"changed: {', '.join(texts)}", about_members=False)
    return {}


def modify_group_member_info(call: Call) -> Reply:
    """Change one member: role (never to or from owner), name card, flag, fields, mute."""
    group = call.group()
    member = group.members.get(fields.text(call.body, "Member_Account"))
    if member is None:
        raise RefusalError(fields.BAD_PARAMETER, "Member_Account is no member of the group")
    role = fields.choice(call.body, "Role", ("Admin", "Member"))
    name_card = fields.optional_text(call.body, "NameCard", max_bytes=MAX_NAME_CARD_BYTES)
    flag = fields.choice(call.body, "MsgFlag", MESSAGE_FLAGS)
    mute = fields.optional_integer(call.body, "MuteTime")
    if mute is not None and (mute < 0 or group.type == PRIVATE):
        raise RefusalError(fields.BAD_PARAMETER, "MuteTime is negative, or the group is Private")
    if role is not None and member.role == "Owner":
        raise RefusalError(10007, "the owner's role is changed by change_group_owner")
    data = app_data(
        call.body,
        "AppMemberDefinedData",
        max_fields=MAX_MEMBER_FIELDS,
        max_value_bytes=MAX_MEMBER_VALUE_BYTES,
    )
    member.role = role or member.role
    member.name_card = member.name_card if name_card is None else name_card
    member.msg_flag = flag or member.msg_flag
    member.app_data = _merged(member.app_data, data)
    if mute is not None:
        member.mute_until = call.now + mute if mute else 0
    if role is not None or mute is not None:
        store_tip(call, group, f"{member.user_id}: role or mute changed", about_members=True)
    return {}


def change_group_owner(call: Call) -> Reply:
    """Give a group to one of its members; also gives an owner to a group without one."""
    group = call.group()
    user_id = fields.text(call.body, "NewOwner_Account")
    heir = group.members.get(user_id)
    if heir is None:
        raise RefusalError(int(call.switches[NEW_OWNER_NOT_MEMBER]), "the new owner is no member")
    previous: Member | None = group.members.get(group.owner)
    if previous is not None and previous is not heir:
        previous.role = call.switches[PREVIOUS_OWNER_ROLE]
    heir.role = "Owner"
    group.owner = user_id
    store_tip(call, group, f"{user_id} is the owner now", about_members=False)
    return {}


def _settings(call: Call, group: Group) -> dict[str, str | int]:
    """Return the settings given, by attribute; none of them stores a tip."""
    body = call.body
    found: dict[str, str | int] = {}
    limit = fields.optional_integer(body, "MaxMemberNum")
    is_community = group.type == COMMUNITY
    cap = MEMBERS_PER_COMMUNITY if is_community else call.quota.members_per_group
    if limit is not None and not 0 < limit <= cap:
        raise RefusalError(fields.BAD_PARAMETER, f"MaxMemberNum is not within 1 and {cap}")
    if limit is not None:
        found["max_members"] = limit
    join = fields.choice(body, "ApplyJoinOption", JOIN_OPTIONS)
    if join is not None and not is_community:
        found["apply_join_option"] = join
    if (invite := fields.choice(body, "InviteJoinOption", INVITE_OPTIONS)) is not None:
        found["invite_join_option"] = invite
    if (mute := fields.choice(body, "MuteAllMember", ("On", "Off"))) is not None:
        found["mute_all"] = mute
    return found


def _merged(present: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    """Return custom fields after a change; an empty value deletes its key."""
    return {key: value for key, value in (present | changes).items() if value}
