"""Reading members: all of a group, some of them, their roles.

Source: get_group_member_info (1047/34948), get_specified_group_member_info (1047/64897;
269/112002), get_role_in_group (1047/34963; 269/1626).
"""

from __future__ import annotations

import msgspec

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import COMMUNITY, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.group_info import MAX_REPLY_BYTES
from chat_sandbox.tencent_chat.member_rows import member_row
from chat_sandbox.tencent_chat.world import Group, Member

MAX_LIMIT = 6000
MAX_COMMUNITY_LIMIT = 100
MAX_SPECIFIED = 50
MAX_ROLES = 500


def get_group_member_info(call: Call) -> Reply:
    """Return members by Limit and Offset, or for communities by the cursor ``Next``.

    Source: the page's prose says at most 200 rows, its field table 6000; the larger is taken.
    """
    group = call.group()
    members = _with_roles(call, group)
    is_community = group.type == COMMUNITY
    cap = MAX_COMMUNITY_LIMIT if is_community else MAX_LIMIT
    limit = fields.optional_integer(call.body, "Limit")
    limit = cap if limit is None else limit
    start = _cursor(call) if is_community else fields.optional_integer(call.body, "Offset") or 0
    if not 0 < limit <= cap or start < 0:
        raise RefusalError(fields.BAD_PARAMETER, f"Limit is at most {cap}")
    wanted = _info_filter(call)
    page = members[start : start + limit]
    reply: Reply = {
        "MemberNum": len(group.members),
        "MemberList": [member_row(group, member, wanted) for member in page],
    }
    if is_community:
        reply["Next"] = str(start + limit) if start + limit < len(members) else ""
    if len(msgspec.json.encode(reply)) > MAX_REPLY_BYTES:
        raise RefusalError(10018)
    return reply


def get_specified_group_member_info(call: Call) -> Reply:
    """Return up to 50 named members; who is none is left out."""
    group = call.group()
    user_ids = fields.texts(call.body, "Member_List_Account")
    if len(user_ids) > MAX_SPECIFIED:
        raise RefusalError(fields.BAD_PARAMETER, f"more than {MAX_SPECIFIED} accounts")
    found = [group.members[user_id] for user_id in user_ids if user_id in group.members]
    wanted = _info_filter(call)
    return {"MemberList": [member_row(group, member, wanted) for member in found]}


def get_role_in_group(call: Call) -> Reply:
    """Return the roles of up to 500 accounts: Owner, Admin, Member or NotMember."""
    group = call.group()
    user_ids = fields.texts(call.body, "User_Account")
    if len(user_ids) > MAX_ROLES:
        raise RefusalError(10005)
    return {
        "UserIdList": [
            {"Member_Account": user_id, "Role": _role(group, user_id)} for user_id in user_ids
        ]
    }


def _role(group: Group, user_id: str) -> str:
    member = group.members.get(user_id)
    return "NotMember" if member is None else member.role


def _with_roles(call: Call, group: Group) -> list[Member]:
    members = list(group.members.values())
    if call.body.get("MemberRoleFilter") is None:
        return members
    roles = set(fields.texts(call.body, "MemberRoleFilter"))
    return [member for member in members if member.role in roles]


def _info_filter(call: Call) -> set[str] | None:
    if call.body.get("MemberInfoFilter") is None:
        return None
    return set(fields.texts(call.body, "MemberInfoFilter"))


def _cursor(call: Call) -> int:
    cursor = fields.optional_text(call.body, "Next") or "0"
    if not cursor.isdecimal():
        raise RefusalError(fields.BAD_PARAMETER, "Next is no cursor of an earlier page")
    return int(cursor)
