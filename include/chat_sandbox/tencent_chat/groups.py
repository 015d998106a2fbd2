"""Importing and destroying groups.

Source: import_group (1047/34967; 269/1634), destroy_group (1047/34896), group system page
(1047/33529).
"""

from __future__ import annotations

import re

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import CHAT_ROOM, COMMUNITY, PRIVATE, PUBLIC, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.members import Joiner, add_member, import_rows
from chat_sandbox.tencent_chat.quotas import MEMBERS_PER_COMMUNITY
from chat_sandbox.tencent_chat.switches.groups import (
    COMMUNITY_FEATURE,
    CREATE_TIME_RANGE,
    DEFAULT_MAX_MEMBERS,
    DESTROYED_ID,
    EXISTS_CODE,
    INITIAL_MEMBERS,
    OVER_MAX_MEMBERS,
    OWNER_JOIN_TIME,
)
from chat_sandbox.tencent_chat.world import Group

IMPORTABLE = (PUBLIC, PRIVATE, CHAT_ROOM, COMMUNITY)
JOIN_OPTIONS = ("FreeAccess", "NeedPermission", "DisableApply")
MAX_NAME_BYTES = 30
MAX_INTRODUCTION_BYTES = 240
MAX_NOTIFICATION_BYTES = 300
MAX_FACE_URL_BYTES = 100
MAX_APP_FIELDS = 10
MAX_APP_VALUE_BYTES = 512
DEFAULT_MEMBERS = 2000
SECONDS_PER_DAY = 86_400
_APP_KEY = re.compile(r"[A-Za-z0-9_]{1,16}")


def import_group(call: Call) -> Reply:
    """Create a group with a past creation time. The owner becomes a member.

    Checked in this order: type, fields, GroupId, owner, quotas.
    """
    group = _described_group(call)
    _check_id_is_free(call, group)
    if group.owner and not call.has_account(group.owner):
        raise RefusalError(10019, "Owner_Account does not exist")
    _check_quotas(call, group)
    initial = _initial_members(call)
    _store(call, group)
    for row in initial:
        add_member(call, group, row)
    return {"GroupId": group.group_id}


def destroy_group(call: Call) -> Reply:
    """Remove a group with all its history; a second time it answers 10010."""
    group = call.group(av_chat_room_code=None)
    del call.world.groups[group.group_id]
    call.world.destroyed_groups.add(group.group_id)
    return {}


def app_data(body: Body, name: str, *, max_fields: int, max_value_bytes: int) -> dict[str, str]:
    """Return custom fields as a map. That keys exist in the console is taken for granted."""
    if body.get(name) is None:
        return {}
    rows = fields.objects(body, name)
    if len(rows) > max_fields:
        raise RefusalError(fields.BAD_PARAMETER, f"{name} has more than {max_fields} keys")
    found: dict[str, str] = {}
    for row in rows:
        key = fields.text(row, "Key")
        if not _APP_KEY.fullmatch(key):
            raise RefusalError(fields.BAD_PARAMETER, f"{name} has a malformed key")
        found[key] = fields.optional_text(row, "Value", max_bytes=max_value_bytes) or ""
    return found


def _described_group(call: Call) -> Group:
    body = call.body
    kind = fields.text(body, "Type")
    if kind not in IMPORTABLE:
        raise RefusalError(10007 if kind == "AVChatRoom" else fields.BAD_PARAMETER)
    if kind == COMMUNITY and call.switches[COMMUNITY_FEATURE] == "off":
        raise RefusalError(11000)
    support_topic = fields.optional_integer(body, "SupportTopic") or 0
    if support_topic not in {0, 1} or (support_topic and kind != COMMUNITY):
        raise RefusalError(fields.BAD_PARAMETER, "SupportTopic is 0 or 1, and for communities only")
    join_option = fields.choice(body, "ApplyJoinOption", JOIN_OPTIONS)
    return Group(
        group_id=_group_id(call, kind),
        type=kind,
        name=fields.text(body, "Name", max_bytes=MAX_NAME_BYTES),
        create_time=_create_time(call),
        owner=fields.optional_text(body, "Owner_Account") or "",
        introduction=_capped(body, "Introduction", MAX_INTRODUCTION_BYTES),
        notification=_capped(body, "Notification", MAX_NOTIFICATION_BYTES),
        face_url=_capped(body, "FaceUrl", MAX_FACE_URL_BYTES),
        max_members=_max_members(call, kind),
        apply_join_option="" if kind == COMMUNITY else join_option or "NeedPermission",
        support_topic=support_topic,
        last_info_time=call.now,
        app_data=app_data(
            body, "AppDefinedData", max_fields=MAX_APP_FIELDS, max_value_bytes=MAX_APP_VALUE_BYTES
        ),
    )


def _capped(body: Body, name: str, max_bytes: int) -> str:
    return fields.optional_text(body, name, max_bytes=max_bytes) or ""


def _group_id(call: Call, kind: str) -> str:
    wanted = fields.optional_text(call.body, "GroupId")
    if not wanted:
        number = f"{call.world.next_random():08X}"
        return f"@TGS#_@TGS#c{number}" if kind == COMMUNITY else f"@TGS#2{number}"
    if not fields.is_group_id(wanted):
        raise RefusalError(fields.BAD_PARAMETER, "GroupId is no printable ASCII of 1 to 48 bytes")
    if kind == COMMUNITY and not wanted.startswith(fields.COMMUNITY_PREFIX):
        raise RefusalError(fields.BAD_PARAMETER, "a community's GroupId starts with @TGS#_")
    if kind != COMMUNITY and wanted.startswith(fields.RESERVED_PREFIX):
        raise RefusalError(fields.BAD_PARAMETER, "GroupId starts with the reserved @TGS#")
    return wanted


def _create_time(call: Call) -> int:
    wanted = fields.optional_integer(call.body, "CreateTime")
    if wanted is None:
        return call.now
    if call.switches[CREATE_TIME_RANGE] == "past" and not 0 < wanted <= call.now:
        raise RefusalError(fields.BAD_PARAMETER, "CreateTime is not in the past")
    return wanted


def _max_members(call: Call, kind: str) -> int:
    cap = MEMBERS_PER_COMMUNITY if kind == COMMUNITY else call.quota.members_per_group
    wanted = fields.optional_integer(call.body, "MaxMemberCount")
    if wanted is None:
        by_plan = call.switches[DEFAULT_MAX_MEMBERS] == "plan"
        return cap if by_plan else min(DEFAULT_MEMBERS, cap)
    if wanted <= 0:
        raise RefusalError(fields.BAD_PARAMETER, "MaxMemberCount is not positive")
    over = call.switches[OVER_MAX_MEMBERS]
    if wanted > cap and over != "clamp":
        raise RefusalError(int(over), f"MaxMemberCount is over {cap}")
    return min(wanted, cap)


def _check_id_is_free(call: Call, group: Group) -> None:
    existing = call.world.groups.get(group.group_id)
    position = call.switches[EXISTS_CODE]
    if existing is not None:
        mine = bool(group.owner) and existing.owner == group.owner
        code = ("10025" if mine else "10021") if position == "by_owner" else position
        raise RefusalError(int(code))
    gone = group.group_id in call.world.destroyed_groups
    if gone and call.switches[DESTROYED_ID] == "taken":
        raise RefusalError(10021)


def _check_quotas(call: Call, group: Group) -> None:
    quota, world = call.quota, call.world
    if quota.groups is not None and len(world.groups) >= quota.groups:
        raise RefusalError(10058)
    today = world.groups_created_on.get(call.now // SECONDS_PER_DAY, 0)
    if quota.groups_per_day is not None and today >= quota.groups_per_day:
        raise RefusalError(10006, "daily net new groups used up")
    if group.owner and quota.groups_per_user is not None:
        owned = sum(group.owner in other.members for other in world.groups.values())
        if owned >= quota.groups_per_user:
            raise RefusalError(10037)


def _initial_members(call: Call) -> list[Joiner]:
    position = call.switches[INITIAL_MEMBERS]
    if call.body.get("MemberList") is None or position == "ignore":
        return []
    if position == "reject":
        raise RefusalError(fields.BAD_PARAMETER, "MemberList is not supported here")
    return import_rows(call)


def _store(call: Call, group: Group) -> None:
    world = call.world
    world.groups[group.group_id] = group
    today = call.now // SECONDS_PER_DAY
    world.groups_created_on[today] = world.groups_created_on.get(today, 0) + 1
    if group.owner:
        at_creation = call.switches[OWNER_JOIN_TIME] == "create_time"
        joined = group.create_time if at_creation else call.now
        owner = Joiner(user_id=group.owner, role="Owner", join_time=joined, is_owner=True)
        add_member(call, group, owner)
