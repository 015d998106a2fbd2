"""Every API that the sandbox answers, with its path, rate and effect: the one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chat_sandbox.tencent_chat import (
    accounts,
    group_edits,
    group_history,
    group_info,
    group_messages,
    group_profile,
    groups,
    member_info,
    members,
    peer_edits,
    peer_history,
    peer_messages,
    profiles,
    topics,
)
from chat_sandbox.tencent_chat.call import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API under ``/v4/``.

    Attributes:
        per_second: calls per second and app. Source: each API's page; frequency packs (269/93324).
        writes: whether it can change the world.
        request_rows: the request's list of items, for statistics.
        reply_rows: the reply's list of items, for faults that mistreat it.
    """

    name: str
    service: str
    handler: Handler
    per_second: float = 200
    writes: bool
    request_rows: str = ""
    reply_rows: str = ""

    @property
    def path(self) -> str:
        """The URL path it answers at."""
        return f"/v4/{self.service}/{self.name}"


ACCOUNTS: Final = "im_open_login_svc"
PROFILES: Final = "profile"
GROUPS: Final = "group_open_http_svc"
COMMUNITIES: Final = "million_group_open_http_svc"
MESSAGES: Final = "openim"

APIS: Final[tuple[Api, ...]] = (
    Api(
        name="account_import",
        service=ACCOUNTS,
        handler=accounts.account_import,
        writes=True,
    ),
    Api(
        name="multiaccount_import",
        service=ACCOUNTS,
        handler=accounts.multiaccount_import,
        per_second=100,
        writes=True,
        request_rows="AccountList",
        reply_rows="FailAccounts",
    ),
    Api(
        name="account_check",
        service=ACCOUNTS,
        handler=accounts.account_check,
        per_second=100,
        writes=False,
        request_rows="CheckItem",
        reply_rows="ResultItem",
    ),
    Api(
        name="portrait_set",
        service=PROFILES,
        handler=profiles.portrait_set,
        writes=True,
        request_rows="ProfileItem",
    ),
    Api(
        name="portrait_get",
        service=PROFILES,
        handler=profiles.portrait_get,
        writes=False,
        request_rows="To_Account",
        reply_rows="UserProfileItem",
    ),
    Api(
        name="import_group",
        service=GROUPS,
        handler=groups.import_group,
        writes=True,
    ),
    Api(
        name="destroy_group",
        service=GROUPS,
        handler=groups.destroy_group,
        writes=True,
    ),
    Api(
        name="import_group_member",
        service=GROUPS,
        handler=members.import_group_member,
        writes=True,
        request_rows="MemberList",
        reply_rows="MemberList",
    ),
    Api(
        name="delete_group_member",
        service=GROUPS,
        handler=members.delete_group_member,
        writes=True,
        request_rows="MemberToDel_Account",
    ),
    Api(
        name="set_unread_msg_num",
        service=GROUPS,
        handler=members.set_unread_msg_num,
        writes=True,
    ),
    Api(
        name="import_group_msg",
        service=GROUPS,
        handler=group_messages.import_group_msg,
        writes=True,
        request_rows="MsgList",
        reply_rows="ImportMsgResult",
    ),
    Api(
        name="group_msg_get_simple",
        service=GROUPS,
        handler=group_history.group_msg_get_simple,
        writes=False,
        reply_rows="RspMsgList",
    ),
    Api(
        name="group_msg_recall",
        service=GROUPS,
        handler=group_edits.group_msg_recall,
        writes=True,
        request_rows="MsgSeqList",
        reply_rows="RecallRetList",
    ),
    Api(
        name="modify_group_base_info",
        service=GROUPS,
        handler=group_profile.modify_group_base_info,
        writes=True,
    ),
    Api(
        name="modify_group_member_info",
        service=GROUPS,
        handler=group_profile.modify_group_member_info,
        writes=True,
    ),
    Api(
        name="change_group_owner",
        service=GROUPS,
        handler=group_profile.change_group_owner,
        writes=True,
    ),
    Api(
        name="get_group_info",
        service=GROUPS,
        handler=group_info.get_group_info,
        writes=False,
        request_rows="GroupIdList",
        reply_rows="GroupInfo",
    ),
    Api(
        name="get_joined_group_list",
        service=GROUPS,
        handler=group_info.get_joined_group_list,
        writes=False,
        reply_rows="GroupIdList",
    ),
    Api(
        name="get_appid_group_list",
        service=GROUPS,
        handler=group_info.get_appid_group_list,
        per_second=1,
        writes=False,
        reply_rows="GroupIdList",
    ),
    Api(
        name="get_group_member_info",
        service=GROUPS,
        handler=member_info.get_group_member_info,
        writes=False,
        reply_rows="MemberList",
    ),
    Api(
        name="get_specified_group_member_info",
        service=GROUPS,
        handler=member_info.get_specified_group_member_info,
        writes=False,
        request_rows="Member_List_Account",
        reply_rows="MemberList",
    ),
    Api(
        name="get_role_in_group",
        service=GROUPS,
        handler=member_info.get_role_in_group,
        writes=False,
        request_rows="User_Account",
        reply_rows="UserIdList",
    ),
    Api(
        name="import_topic",
        service=GROUPS,
        handler=topics.import_topic,
        writes=True,
    ),
    Api(
        name="import_topic",
        service=COMMUNITIES,
        handler=topics.import_topic,
        writes=True,
    ),
    Api(
        name="get_topic",
        service=COMMUNITIES,
        handler=topics.get_topic,
        writes=False,
        request_rows="TopicIdList",
        reply_rows="TopicInfo",
    ),
    Api(
        name="modify_group_msg",
        service=MESSAGES,
        handler=group_edits.modify_group_msg,
        writes=True,
    ),
    Api(
        name="importmsg",
        service=MESSAGES,
        handler=peer_messages.importmsg,
        writes=True,
    ),
    Api(
        name="admin_getroammsg",
        service=MESSAGES,
        handler=peer_history.admin_getroammsg,
        writes=False,
        reply_rows="MsgList",
    ),
    Api(
        name="get_c2c_unread_msg_num",
        service=MESSAGES,
        handler=peer_history.get_c2c_unread_msg_num,
        writes=False,
        request_rows="Peer_Account",
        reply_rows="C2CUnreadMsgNumList",
    ),
    Api(
        name="admin_set_msg_read",
        service=MESSAGES,
        handler=peer_history.admin_set_msg_read,
        writes=True,
    ),
    Api(
        name="modify_c2c_msg",
        service=MESSAGES,
        handler=peer_edits.modify_c2c_msg,
        writes=True,
    ),
    Api(
        name="admin_msgwithdraw",
        service=MESSAGES,
        handler=peer_edits.admin_msgwithdraw,
        writes=True,
    ),
)

BY_PATH: Final[Mapping[str, Api]] = {api.path: api for api in APIS}
BY_NAME: Final[Mapping[str, Api]] = {api.name: api for api in APIS}
