"""Every Action that the sandbox answers, with its method, rate and effect: the one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from chat_sandbox.zego_zim import (
    conversations,
    edits,
    group_queries,
    groups,
    history,
    imports,
    members,
    users,
)
from chat_sandbox.zego_zim.call import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One Action.

    Attributes:
        method: GET has all its fields in the query, POST in a JSON body.
        per_second: calls per second. Source: each Action's page.
        limited: what the rate is counted of: calls of the project, calls of one group, or messages.
        throttle_code: the Code of a call over the rate, where the return codes page names one.
        writes: whether it can change the world.
        request_rows: the request's list of items, for statistics and faults.
        reply_rows: the reply's list of items, for faults that mistreat it.
        error_rows: the reply's list of failed items.
        integers: fields that are numbers, for Actions that get them as text.
    """

    name: str
    handler: Handler
    method: Literal["GET", "POST"] = "POST"
    per_second: float = 20
    limited: Literal["calls", "group", "messages"] = "calls"
    throttle_code: int | None = None
    writes: bool
    request_rows: str = ""
    reply_rows: str = ""
    error_rows: str = ""
    integers: frozenset[str] = frozenset()


IMPORTS: Final = frozenset({"ImportGroupMsg", "ImportPeerMsg"})
OF_USERS: Final = frozenset({"UserRegister", "ModifyUserInfo", "QueryUserInfos"})
GROUP_MAKING: Final = frozenset({"CreateGroup", "InviteUsersIntoGroup"})

ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="UserRegister",
        handler=users.user_register,
        throttle_code=660_700_001,
        writes=True,
        request_rows="UserInfo",
        reply_rows="ErrorList",
        error_rows="ErrorList",
    ),
    Action(
        name="ModifyUserInfo",
        handler=users.modify_user_info,
        writes=True,
        request_rows="UserInfo",
        reply_rows="ErrorList",
        error_rows="ErrorList",
    ),
    Action(
        name="QueryUserInfos",
        handler=users.query_user_infos,
        writes=False,
        request_rows="UserIds",
        reply_rows="Result",
        error_rows="ErrorList",
    ),
    Action(
        name="CreateGroup",
        handler=groups.create_group,
        throttle_code=660_600_010,
        writes=True,
        request_rows="UserId",
        reply_rows="ErrorUsers",
        error_rows="ErrorUsers",
    ),
    Action(
        name="InviteUsersIntoGroup",
        handler=members.invite_users_into_group,
        per_second=1,
        limited="group",
        writes=True,
        request_rows="GroupMemberInfos",
        reply_rows="ErrorUsers",
        error_rows="ErrorUsers",
    ),
    Action(
        name="KickoutGroupUser",
        handler=members.kickout_group_user,
        throttle_code=660_600_005,
        writes=True,
        request_rows="UserId",
    ),
    Action(
        name="SetGroupMemberRole",
        handler=members.set_group_member_role,
        method="GET",
        writes=True,
        integers=frozenset({"Role"}),
    ),
    Action(
        name="SetGroupMembersNickname",
        handler=members.set_group_members_nickname,
        per_second=1,
        limited="group",
        writes=True,
        request_rows="GroupMemberInfos",
        reply_rows="ErrorUsers",
        error_rows="ErrorUsers",
    ),
    Action(
        name="UpdateGroupData",
        handler=groups.update_group_data,
        writes=True,
    ),
    Action(
        name="TransferGroupOwner",
        handler=groups.transfer_group_owner,
        method="GET",
        per_second=1,
        limited="group",
        writes=True,
    ),
    Action(
        name="DismissGroup",
        handler=groups.dismiss_group,
        method="GET",
        per_second=1,
        limited="group",
        writes=True,
    ),
    Action(
        name="QueryGroupInfo",
        handler=group_queries.query_group_info,
        writes=False,
    ),
    Action(
        name="QueryGroupMemberList",
        handler=group_queries.query_group_member_list,
        throttle_code=660_600_004,
        writes=False,
        reply_rows="MemberList",
    ),
    Action(
        name="QueryAppGroupList",
        handler=group_queries.query_app_group_list,
        method="GET",
        per_second=1,
        throttle_code=660_600_007,
        writes=False,
        reply_rows="GroupIdList",
        integers=frozenset({"Limit", "Next"}),
    ),
    Action(
        name="QueryGroupsInfoOfUser",
        handler=group_queries.query_groups_info_of_user,
        writes=False,
        reply_rows="GroupList",
    ),
    Action(
        name="ImportGroupMsg",
        handler=imports.import_group_msg,
        writes=True,
    ),
    Action(
        name="ImportPeerMsg",
        handler=imports.import_peer_msg,
        writes=True,
    ),
    Action(
        name="QueryGroupMsg",
        handler=history.query_group_msg,
        writes=False,
        reply_rows="List",
    ),
    Action(
        name="QueryPeerMsg",
        handler=history.query_peer_msg,
        writes=False,
        reply_rows="List",
    ),
    Action(
        name="QueryMessagesByMsgSeq",
        handler=history.query_messages_by_msg_seq,
        limited="messages",
        writes=False,
        request_rows="MsgSeqList",
        reply_rows="MessageList",
    ),
    Action(
        name="QueryConversationList",
        handler=conversations.query_conversation_list,
        writes=False,
        reply_rows="List",
    ),
    Action(
        name="ClearConversationUnread",
        handler=conversations.clear_conversation_unread,
        method="GET",
        writes=True,
        integers=frozenset({"ConvType"}),
    ),
    Action(
        name="DeleteConv",
        handler=conversations.delete_conv,
        writes=True,
    ),
    Action(
        name="ClearPeerMessage",
        handler=conversations.clear_peer_message,
        writes=True,
    ),
    Action(
        name="ClearMemberGroupMessage",
        handler=conversations.clear_member_group_message,
        writes=True,
    ),
    Action(
        name="RevokeGroupMessage",
        handler=edits.revoke_group_message,
        writes=True,
    ),
    Action(
        name="RevokePeerMessage",
        handler=edits.revoke_peer_message,
        writes=True,
    ),
    Action(
        name="EditGroupMsgBody",
        handler=edits.edit_group_msg_body,
        writes=True,
    ),
    Action(
        name="EditC2cMsgBody",
        handler=edits.edit_c2c_msg_body,
        writes=True,
    ),
)

BY_NAME: Final[Mapping[str, Action]] = {action.name: action for action in ACTIONS}
