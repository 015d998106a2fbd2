"""Looking at groups. Source: query group info; member list; group list in app; groups of a user."""

from __future__ import annotations

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import Call, Reply
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.switches.groups import GROUP_LIST_DELAY
from chat_sandbox.zego_zim.switches.messages import PREJOIN_HISTORY
from chat_sandbox.zego_zim.world import Group

MAX_MEMBERS, MAX_GROUPS, MAX_GROUPS_OF_USER = 1_000, 10_000, 100


def query_group_info(call: Call) -> Reply:
    """Return one group's name, notice, avatar, creation time, limits and attributes."""
    call.registered("FromUserId")
    group = call.group()
    shows_all = call.switches[PREJOIN_HISTORY] == "visible"
    limits = {
        "MemberCountLimit": call.quota.members_per_group,
        "NumberMessage": group.timeline.last_seq if shows_all else 0,
    }
    return {
        **_profile(group),
        "GroupNotice": group.notice,
        "GroupCreateTime": group.create_time,
        "LimitInfo": limits,
        "GroupAttributes": [
            {"Key": key, "Value": value} for key, value in group.attributes.items()
        ],
    }


def query_group_member_list(call: Call) -> Reply:
    """Return up to 1000 members in the order in which they were added."""
    members = list(call.group().members.values())
    start, page, following = _page(call, len(members), MAX_MEMBERS)
    rows: list[Body] = []
    for member in members[start:page]:
        user = call.world.users.get(member.user_id)
        row = {"UserId": member.user_id, "UserName": "" if user is None else user.name}
        rows.append({**row, "UserNickName": member.nickname, "Role": member.role})
    return {"TotalCount": len(members), "Next": following, "MemberList": rows}


def query_app_group_list(call: Call) -> Reply:
    """Return up to 10,000 groups of the project; those made within the last minute are missing."""
    delay = int(call.switches[GROUP_LIST_DELAY]) * 1000
    groups = [each for each in call.world.groups.values() if call.now - each.arrived_at >= delay]
    start, end, following = _page(call, len(groups), MAX_GROUPS)
    rows = [{"GroupId": each.group_id, "GroupName": each.name} for each in groups[start:end]]
    return {"TotalCount": len(groups), "Next": following, "GroupIdList": rows}


def query_groups_info_of_user(call: Call) -> Reply:
    """Return up to 100 groups of a user; ``Next`` is a string, empty at start and end."""
    user_id = call.registered("FromUserId")
    groups = [each for each in call.world.groups.values() if user_id in each.members]
    cursor = fields.optional_text(call.body, "Next") or "0"
    if not cursor.isdecimal():
        raise RefusalError(BAD_PARAMETER, "Next is none that was returned")
    limit = fields.integer(call.body, "Limit")
    if not 1 <= limit <= MAX_GROUPS_OF_USER:
        raise RefusalError(BAD_PARAMETER, f"Limit is not within 1 and {MAX_GROUPS_OF_USER}")
    end = int(cursor) + limit
    rows = [_profile(group) for group in groups[int(cursor) : end]]
    return {"Next": str(end) if end < len(groups) else "", "GroupList": rows}


def _profile(group: Group) -> Body:
    return {"GroupId": group.group_id, "GroupName": group.name, "GroupAvatar": group.avatar}


def _page(call: Call, count: int, max_rows: int) -> tuple[int, int, int]:
    """Return where a page starts and ends, and the ``Next`` of the page after it."""
    limit = fields.integer(call.body, "Limit")
    start = fields.optional_integer(call.body, "Next")
    if not 1 <= limit <= max_rows or start < 0:
        raise RefusalError(
            BAD_PARAMETER, f"Limit is not within 1 and {max_rows}, or Next is negative"
        )
    end = min(start + limit, count)
    return start, end, end if end < count else 0
