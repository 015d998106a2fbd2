"""Groups themselves. Source: create a group; update group data; transfer owner; dismiss a group."""

from __future__ import annotations

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.ids import SERVER_MADE_PREFIX
from chat_sandbox.zego_zim.members import GROUPS_REACHED, MEMBER, OWNER, add, groups_of
from chat_sandbox.zego_zim.switches.groups import (
    ALL_MEMBERS_FAIL,
    DISMISSED_GROUP,
    GROUP_NAME_UNIT,
)
from chat_sandbox.zego_zim.timelines import store_tip
from chat_sandbox.zego_zim.users import failed_wholly
from chat_sandbox.zego_zim.world import Group

MAX_FIRST_MEMBERS, MAX_ATTRIBUTES = 100, 10
MAX_NAME, MAX_NOTICE_BYTES, MAX_AVATAR_BYTES = 50, 300, 500
MAX_KEY_BYTES, MAX_VALUE_BYTES = 16, 1024
EXISTS, OWNER_MISSING, TOO_MANY_MEMBERS = 660_600_011, 660_600_013, 660_600_016
TOO_MANY_ATTRIBUTES, ATTRIBUTE_TOO_LONG = 660_600_019, 660_600_020


def create_group(call: Call) -> Reply:
    """Make a group with its first members, who join at ``CreateGroupTime`` like the owner."""
    owner = call.registered("GroupOwner", code=OWNER_MISSING)
    wanted = _first_members(call, owner)
    group = Group(
        group_id=_new_id(call),
        name=_name(call),
        owner=owner,
        create_time=call.past_time(call.body, "CreateGroupTime"),
        arrived_at=call.now,
        notice=fields.optional_text(call.body, "GroupNotice", max_bytes=MAX_NOTICE_BYTES),
        avatar=fields.optional_text(call.body, "GroupAvatar", max_bytes=MAX_AVATAR_BYTES),
        attributes=_attributes(call),
    )
    _check_plan(call, owner)
    add(call, group, owner, role=OWNER, join_time=group.create_time)
    errors: list[Body] = []
    for user_id in wanted:
        code = add(call, group, user_id, role=MEMBER, join_time=group.create_time)
        if code:
            errors.append({"UserId": user_id, "SubCode": code})
    failure = failed_wholly(errors, of=len(wanted))
    if failure and call.switches[ALL_MEMBERS_FAIL] == "not_made":
        return {**failure, "ErrorUsers": errors}
    call.world.dismissed_groups.discard(group.group_id)
    call.world.groups[group.group_id] = group
    store_tip(call, group, "group created")
    users = call.world.users
    members = [{"UserId": each, "UserName": users[each].name} for each in group.members]
    return {**failure, "GroupId": group.group_id, "Members": members, "ErrorUsers": errors}


def update_group_data(call: Call) -> Reply:
    """Change name, notice or avatar; a field that is there but empty erases."""
    group = call.group()
    body = call.body
    name = _name(call) if "GroupName" in body else group.name
    notice = fields.optional_text(body, "GroupNotice", max_bytes=MAX_NOTICE_BYTES)
    avatar = fields.optional_text(body, "GroupAvatar", max_bytes=MAX_AVATAR_BYTES)
    group.name = name
    group.notice = notice if "GroupNotice" in body else group.notice
    group.avatar = avatar if "GroupAvatar" in body else group.avatar
    return {}


def transfer_group_owner(call: Call) -> Reply:
    """Make a member the owner; the owner of before becomes a member."""
    group = call.group()
    call.registered("FromUserId")
    new_owner = call.member(group, call.user_id("NewOwner"))
    if group.owner in group.members:
        group.members[group.owner].role = MEMBER
    new_owner.role = OWNER
    group.owner = new_owner.user_id
    return {}


def dismiss_group(call: Call) -> Reply:
    """Remove a group with its messages. Its GroupId can never be used again."""
    group = call.group()
    del call.world.groups[group.group_id]
    call.world.dismissed_groups.add(group.group_id)
    return {}


def _new_id(call: Call) -> str:
    if not call.body.get("GroupId"):
        return f"{SERVER_MADE_PREFIX}{call.world.next_serial():010d}"
    group_id = call.group_id(creates=True)
    if group_id.startswith(SERVER_MADE_PREFIX):
        raise RefusalError(BAD_PARAMETER, "GroupId begins with #")
    if group_id in call.world.groups:
        raise RefusalError(EXISTS)
    position = call.switches[DISMISSED_GROUP]
    if group_id in call.world.dismissed_groups and position != "reusable":
        raise RefusalError(int(position))
    return group_id


def _first_members(call: Call, owner: str) -> list[str]:
    given = fields.optional_texts(
        call.body, "UserId", max_count=MAX_FIRST_MEMBERS, code=TOO_MANY_MEMBERS
    )
    known = dict.fromkeys(call.known_as(user_id) for user_id in given)
    known.pop(owner, None)
    return list(known)


def _name(call: Call) -> str:
    name = fields.optional_text(call.body, "GroupName")
    in_bytes = call.switches[GROUP_NAME_UNIT] == "bytes"
    if (fields.byte_length(name) if in_bytes else len(name)) > MAX_NAME:
        raise RefusalError(BAD_PARAMETER, f"GroupName is longer than {MAX_NAME}")
    return name


def _attributes(call: Call) -> dict[str, str]:
    rows = fields.optional_objects(
        call.body, "Attributes", max_count=MAX_ATTRIBUTES, code=TOO_MANY_ATTRIBUTES
    )
    if len(rows) > call.quota.attributes:
        raise RefusalError(TOO_MANY_ATTRIBUTES)
    code = ATTRIBUTE_TOO_LONG
    return {
        fields.text(row, "Key", max_bytes=MAX_KEY_BYTES, code=code): fields.optional_text(
            row, "Value", max_bytes=MAX_VALUE_BYTES, code=code
        )
        for row in rows
    }


def _check_plan(call: Call, owner: str) -> None:
    quota = call.quota
    if quota.groups is not None and len(call.world.groups) >= quota.groups:
        raise RefusalError(GROUPS_REACHED)
    if quota.groups_per_user is not None and groups_of(call, owner) >= quota.groups_per_user:
        raise RefusalError(GROUPS_REACHED)
