"""Reading groups: profiles by id, the groups of a user, the groups of the app.

Source: get_group_info (1047/34961; 269/1616), get_joined_group_list (1047/34925; 269/1625),
get_appid_group_list (1047/34960; 269/1614).
"""

from __future__ import annotations

import msgspec

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import COMMUNITY, PRIVATE, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.member_rows import member_row
from chat_sandbox.tencent_chat.world import Group

MAX_GROUP_IDS = 50
MAX_REPLY_BYTES = 1_000_000
MAX_JOINED = 5000
MAX_APP_GROUPS = 10_000


def get_group_info(call: Call) -> Reply:
    """Return up to 50 groups, each with its own ``ErrorCode``; the top level stays 0."""
    group_ids = fields.texts(call.body, "GroupIdList")
    if len(group_ids) > MAX_GROUP_IDS:
        raise RefusalError(fields.BAD_PARAMETER, f"more than {MAX_GROUP_IDS} groups")
    response_filter = call.body.get("ResponseFilter")
    if response_filter is not None and not isinstance(response_filter, dict):
        raise RefusalError(fields.BAD_PARAMETER, "ResponseFilter is no object")
    rows = [_row_or_error(call, group_id, response_filter) for group_id in group_ids]
    reply = {"GroupInfo": rows}
    if len(msgspec.json.encode(reply)) > MAX_REPLY_BYTES:
        raise RefusalError(10018)
    return reply


def get_joined_group_list(call: Call) -> Reply:
    """Return the groups of one account.

    Work groups without a message are shown only with ``WithNoActiveGroups``, communities with
    topics only with ``SupportTopic``.
    """
    user_id = fields.text(call.body, "Member_Account")
    if not call.has_account(user_id):
        raise RefusalError(10019)
    groups = [group for group in call.world.groups.values() if user_id in group.members]
    shown = [group for group in groups if _is_shown(call.body, group)]
    offset = fields.optional_integer(call.body, "Offset") or 0
    limit = fields.optional_integer(call.body, "Limit") or MAX_JOINED
    if limit > MAX_JOINED or limit < 0 or offset < 0:
        raise RefusalError(fields.BAD_PARAMETER, f"Limit is at most {MAX_JOINED}")
    page = shown[offset : offset + limit]
    return {
        "TotalCount": len(shown),
        "GroupIdList": [{"GroupId": group.group_id} for group in page],
    }


def get_appid_group_list(call: Call) -> Reply:
    """Return all GroupIds page by page; ``Next`` 0 is the end. One call a second."""
    limit = fields.optional_integer(call.body, "Limit") or MAX_APP_GROUPS
    start = fields.optional_integer(call.body, "Next") or 0
    if not 0 < limit <= MAX_APP_GROUPS or start < 0:
        raise RefusalError(fields.BAD_PARAMETER, f"Limit is at most {MAX_APP_GROUPS}")
    kind = fields.optional_text(call.body, "GroupType")
    ids = [group.group_id for group in call.world.groups.values() if kind in {None, group.type}]
    end = start + limit
    return {
        "TotalCount": len(ids),
        "GroupIdList": [{"GroupId": group_id} for group_id in ids[start:end]],
        "Next": end if end < len(ids) else 0,
    }


def _is_shown(body: Body, group: Group) -> bool:
    kind = fields.optional_text(body, "GroupType")
    if kind is not None and group.type != kind:
        return False
    if group.type == PRIVATE and not group.timeline.messages:
        return body.get("WithNoActiveGroups") == 1
    wants_topics = body.get("SupportTopic") == 1
    return group.type != COMMUNITY or not group.support_topic or wants_topics


def _row_or_error(call: Call, group_id: str, response_filter: Body | None) -> Body:
    try:
        group = call.group_by_id(group_id)
    except RefusalError as refusal:
        return {"GroupId": group_id, "ErrorCode": refusal.code, "ErrorInfo": refusal.info}
    row: Body = {"GroupId": group_id, "ErrorCode": 0, "ErrorInfo": ""}
    base = _base_row(group)
    if response_filter is None:
        return row | base | {"MemberList": _members(group, None)}
    wanted = response_filter.get("GroupBaseInfoFilter")
    row |= {name: base[name] for name in wanted if name in base} if wanted else {}
    if response_filter.get("AppDefinedDataFilter_Group"):
        row["AppDefinedData"] = base["AppDefinedData"]
    if response_filter.get("MemberInfoFilter"):
        row["MemberList"] = _members(group, response_filter["MemberInfoFilter"])
    return row


def _base_row(group: Group) -> Body:
    return {
        "Type": group.type,
        "Name": group.name,
        "Introduction": group.introduction,
        "Notification": group.notification,
        "FaceUrl": group.face_url,
        "Owner_Account": group.owner,
        "CreateTime": group.create_time,
        "LastInfoTime": group.last_info_time,
        "LastMsgTime": group.timeline.newest_time,
        "NextMsgSeq": group.timeline.last_seq + 1,
        "MemberNum": len(group.members),
        "MaxMemberNum": group.max_members,
        "ApplyJoinOption": group.apply_join_option,
        "InviteJoinOption": group.invite_join_option,
        "MuteAllMember": group.mute_all,
        "SupportTopic": group.support_topic,
        "AppDefinedData": [{"Key": key, "Value": text} for key, text in group.app_data.items()],
    }


def _members(group: Group, wanted: list[str] | None) -> list[Body]:
    return [member_row(group, member, wanted) for member in group.members.values()]
