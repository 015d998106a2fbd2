"""Members of groups. Source: add group members; remove group member; roles; member nicknames."""

from __future__ import annotations

from typing import Final

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import NOT_IN_GROUP, Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, TOO_MANY_USERS, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.switches.groups import REINVITE, UNREGISTERED_MEMBER
from chat_sandbox.zego_zim.timelines import store_tip
from chat_sandbox.zego_zim.users import failed_wholly
from chat_sandbox.zego_zim.world import Group, Member

OWNER, ADMIN, MEMBER = 1, 2, 3
CUSTOM_ROLES: Final = range(100, 256)
MAX_INVITED, MAX_NICKNAMES, MAX_REMOVED = 100, 20, 50
MAX_NICKNAME_BYTES = 256
GROUPS_REACHED, MEMBERS_REACHED, NOT_A_MEMBER = 660_600_012, 660_600_016, 660_600_008


def invite_users_into_group(call: Call) -> Reply:
    """Add up to 100 members, each at a time of its own.

    ``UserIds`` counts only without ``GroupMemberInfos``. The operator is dropped from the list.
    Who is to consent first does not become a member here.
    """
    operator = call.registered("FromUserId")
    group = call.group()
    rows = [row for row in _invited(call) if row.get("UserId") != operator]
    errors = [error for row in rows if (error := _invite(call, group, row)) is not None]
    if len(errors) < len(rows):
        store_tip(call, group, "members added")
    return {**failed_wholly(errors, of=len(rows)), "ErrorUsers": errors}


def kickout_group_user(call: Call) -> Reply:
    """Remove up to 50 members; the first who stays becomes owner in place of a removed one."""
    call.registered("FromUserId")
    group = call.group()
    wanted = fields.texts(call.body, "UserId", max_count=MAX_REMOVED, code=TOO_MANY_USERS)
    members = [call.known_as(user_id) for user_id in wanted]
    if not all(user_id in group.members for user_id in members):
        raise RefusalError(NOT_A_MEMBER)
    for user_id in members:
        group.members.pop(user_id, None)
    if group.owner not in group.members:
        group.owner = next(iter(group.members), "")
        if group.owner:
            group.members[group.owner].role = OWNER
    return {}


def set_group_member_role(call: Call) -> Reply:
    """Make a member an admin, a member, or one of a custom role."""
    operator = call.registered("FromUserId")
    group = call.group()
    user_id = call.user_id("ToUserId")
    role = fields.integer(call.body, "Role")
    if role not in {ADMIN, MEMBER, *CUSTOM_ROLES}:
        raise RefusalError(BAD_PARAMETER, "Role is 2, 3 or 100 to 255")
    if operator == user_id:
        raise RefusalError(BAD_PARAMETER, "FromUserId equals ToUserId")
    call.member(group, user_id).role = role
    return {}


def set_group_members_nickname(call: Call) -> Reply:
    """Set the nicknames of up to 20 members."""
    call.registered("FromUserId")
    group = call.group()
    rows = fields.objects(
        call.body, "GroupMemberInfos", max_count=MAX_NICKNAMES, code=TOO_MANY_USERS
    )
    errors: list[Body] = []
    for row in rows:
        member = group.members.get(str(row.get("UserId")))
        if member is None:
            errors.append({"UserId": row.get("UserId"), "SubCode": NOT_IN_GROUP})
            continue
        member.nickname = fields.optional_text(row, "NickName", max_bytes=MAX_NICKNAME_BYTES)
    return {**failed_wholly(errors, of=len(rows)), "ErrorUsers": errors}


def add(call: Call, group: Group, user_id: str, *, role: int, join_time: int) -> int:
    """Make a registered user a member and return 0, or return the SubCode of a failure."""
    if user_id not in call.world.users:
        return int(call.switches[UNREGISTERED_MEMBER])
    quota = call.quota
    if len(group.members) >= quota.members_per_group:
        return MEMBERS_REACHED
    if quota.groups_per_user is not None and groups_of(call, user_id) >= quota.groups_per_user:
        return GROUPS_REACHED
    last = group.timeline.last_seq
    group.members[user_id] = Member(
        user_id, role=role, join_time=join_time, joined_at_seq=last, read_seq=last
    )
    return 0


def groups_of(call: Call, user_id: str) -> int:
    """Return how many groups a user is in."""
    return sum(user_id in group.members for group in call.world.groups.values())


def _invited(call: Call) -> list[Body]:
    rows = fields.optional_objects(
        call.body, "GroupMemberInfos", max_count=MAX_INVITED, code=TOO_MANY_USERS
    )
    if rows:
        return rows
    user_ids = fields.texts(call.body, "UserIds", max_count=MAX_INVITED, code=TOO_MANY_USERS)
    return [{"UserId": user_id} for user_id in user_ids]


def _invite(call: Call, group: Group, row: Body) -> Body | None:
    try:
        user_id = call.known_as(fields.text(row, "UserId"))
        join_time = call.past_time(row, "EnterGroupTime")
        is_asked = fields.optional_integer(row, "IsInvite") == 1
    except RefusalError as refusal:
        return {"UserId": row.get("UserId", ""), "SubCode": refusal.code}
    present = group.members.get(user_id)
    code = 0
    if present is not None:
        code = _reinvite(call, present, join_time)
    elif is_asked and user_id in call.world.users:
        code = 0
    else:
        code = add(call, group, user_id, role=MEMBER, join_time=join_time)
    return {"UserId": user_id, "SubCode": code} if code else None


def _reinvite(call: Call, member: Member, join_time: int) -> int:
    match call.switches[REINVITE]:
        case "nothing":
            return 0
        case "update":
            member.join_time = join_time
            return 0
        case code:
            return int(code)
