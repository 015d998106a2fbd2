"""Importing and removing group members, and setting their unread number.

Source: import_group_member (1047/34969; 269/1636), delete_group_member (1047/34949; 269/1622),
set_unread_msg_num (1047/34909; 269/1637).
"""

from __future__ import annotations

from dataclasses import dataclass

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import PRIVATE, WITHOUT_UNREAD, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.switches.group_messages import CREATE_TIME_BOUND, NOW_BOUND
from chat_sandbox.tencent_chat.switches.groups import (
    ADMIN_IN_WORK_GROUP,
    MEMBER_BATCH_CAP,
    MISSING_ACCOUNT_IN_MEMBERS,
    OVER_MEMBER_BATCH,
    REIMPORT_KEEPS,
    REJOIN_UPDATES,
    REMOVE_OWNER,
    SILENCE_SUPPRESSES_TIP,
)
from chat_sandbox.tencent_chat.timelines import set_unread, store_tip
from chat_sandbox.tencent_chat.world import Group, Member

FAILED, ADDED, ALREADY_MEMBER = 0, 1, 2
MAX_REMOVALS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """One row of a member import. ``join_time`` None means the request's time."""

    user_id: str
    role: str
    join_time: int | None
    unread: int = 0
    is_owner: bool = False


def import_group_member(call: Call) -> Reply:
    """Add members with past join times; each answers 0 failed, 1 added or 2 already there."""
    group = call.group()
    rows = import_rows(call)
    if call.switches[MISSING_ACCOUNT_IN_MEMBERS] == "10019":
        _check_accounts(call, rows)
    results = [(row.user_id, add_member(call, group, row)) for row in rows]
    return {
        "MemberList": [{"Member_Account": user_id, "Result": code} for user_id, code in results]
    }


def import_rows(call: Call) -> list[Joiner]:
    """Return the rows of ``MemberList``; 10004 if one is malformed, 10005 if there are too many."""
    rows = fields.objects(call.body, "MemberList")
    if len(rows) > int(call.switches[MEMBER_BATCH_CAP]):
        raise RefusalError(int(call.switches[OVER_MEMBER_BATCH]))
    return [_joiner(row) for row in rows]


def add_member(call: Call, group: Group, row: Joiner) -> int:
    """Make an account a member and return its result."""
    present = group.members.get(row.user_id)
    if present is not None:
        if call.switches[REJOIN_UPDATES] == "all" and _may_join(call, group, row):
            _refresh(call, group, present, row)
        return ALREADY_MEMBER
    if not row.is_owner and not _may_join(call, group, row):
        return FAILED
    member = _former_or_new(call, group, row)
    group.members[row.user_id] = member
    return ADDED


def set_unread_msg_num(call: Call) -> Reply:
    """Set one member's unread number. AVChatRoom and ChatRoom answer OK and change nothing."""
    group = call.group(av_chat_room_code=None)
    user_id = fields.text(call.body, "Member_Account")
    wanted = fields.integer(call.body, "UnreadMsgNum")
    if wanted < 0:
        raise RefusalError(fields.BAD_PARAMETER, "UnreadMsgNum is negative")
    if group.type in WITHOUT_UNREAD:
        return {}
    member = group.members.get(user_id)
    if member is None:
        raise RefusalError(10007, "Member_Account is no member of the group")
    set_unread(call, group, member, wanted)
    return {}


def delete_group_member(call: Call) -> Reply:
    """Remove up to 100 members; who is none counts as removed."""
    group = call.group(av_chat_room_code=fields.BAD_PARAMETER)
    user_ids = fields.texts(call.body, "MemberToDel_Account")
    silence = fields.optional_integer(call.body, "Silence") or 0
    if len(user_ids) > MAX_REMOVALS:
        raise RefusalError(10005)
    if silence not in {0, 1}:
        raise RefusalError(fields.BAD_PARAMETER, "Silence is 0 or 1")
    if group.owner in user_ids and group.owner in group.members:
        if call.switches[REMOVE_OWNER] == "10007":
            raise RefusalError(10007, "the owner cannot be removed")
        group.owner = ""
    removed = [user_id for user_id in user_ids if _remove(group, user_id)]
    silent = silence == 1 and call.switches[SILENCE_SUPPRESSES_TIP] == "yes"
    if removed and not silent:
        store_tip(call, group, f"{len(removed)} member(s) removed", about_members=True)
    return {}


def _check_accounts(call: Call, rows: list[Joiner]) -> None:
    if missing := [row.user_id for row in rows if not call.has_account(row.user_id)]:
        raise RefusalError(10019, f"accounts do not exist: {', '.join(missing)}")


def _joiner(row: Body) -> Joiner:
    role = fields.choice(row, "Role", ("Admin",)) or "Member"
    unread = fields.optional_integer(row, "UnreadMsgNum") or 0
    if unread < 0:
        raise RefusalError(fields.BAD_PARAMETER, "UnreadMsgNum is negative")
    return Joiner(
        user_id=fields.text(row, "Member_Account"),
        role=role,
        join_time=fields.optional_integer(row, "JoinTime"),
        unread=unread,
    )


def _may_join(call: Call, group: Group, row: Joiner) -> bool:
    """Return whether account, time, role, room in the group and quota allow a row."""
    if not call.has_account(row.user_id):
        return False
    if row.join_time is not None and not _join_time_fits(call, group, row.join_time):
        return False
    is_odd_admin = row.role == "Admin" and group.type == PRIVATE
    if is_odd_admin and call.switches[ADMIN_IN_WORK_GROUP] == "result_0":
        return False
    if row.user_id in group.members:
        return True
    return len(group.members) < group.max_members and not _is_in_too_many(call, row.user_id)


def _join_time_fits(call: Call, group: Group, join_time: int) -> bool:
    lowest = group.create_time + (call.switches[CREATE_TIME_BOUND] == "exclusive")
    highest = call.now - (call.switches[NOW_BOUND] == "exclusive")
    return lowest <= join_time <= highest


def _is_in_too_many(call: Call, user_id: str) -> bool:
    quota = call.quota.groups_per_user
    if quota is None:
        return False
    return sum(user_id in group.members for group in call.world.groups.values()) >= quota


def _former_or_new(call: Call, group: Group, row: Joiner) -> Member:
    joined = call.now if row.join_time is None else row.join_time
    former = group.former_members.pop(row.user_id, None)
    if former is not None and call.switches[REIMPORT_KEEPS] == "role_and_unread":
        former.join_time = joined
        return former
    member = Member(user_id=row.user_id, role=_role(call, group, row), join_time=joined)
    set_unread(call, group, member, row.unread)
    return member


def _refresh(call: Call, group: Group, member: Member, row: Joiner) -> None:
    if member.role != "Owner":
        member.role = _role(call, group, row)
    member.join_time = call.now if row.join_time is None else row.join_time
    set_unread(call, group, member, row.unread)


def _role(call: Call, group: Group, row: Joiner) -> str:
    lowered = call.switches[ADMIN_IN_WORK_GROUP] == "as_member"
    return "Member" if row.role == "Admin" and group.type == PRIVATE and lowered else row.role


def _remove(group: Group, user_id: str) -> bool:
    member = group.members.pop(user_id, None)
    if member is None:
        return False
    group.former_members[user_id] = member
    return True
