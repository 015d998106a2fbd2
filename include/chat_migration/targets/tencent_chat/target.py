"""Tencent Cloud Chat behind the target protocol: builds requests, sends each once, reads the answers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

import msgspec

from chat_migration.clock import Clock, SystemClock
from chat_migration.errors import (
    MigrationError,
    UsageError,
)
from chat_migration.model import Role
from chat_migration.targets.base import (
    AccountSpec,
    Advice,
    DirectKey,
    DirectMessageOut,
    Failure,
    Frontier,
    GroupAddress,
    GroupKey,
    GroupMessageOut,
    GroupSpec,
    ItemResult,
    Mark,
    MemberPage,
    MemberSpec,
    Page,
    ProfileChange,
    StoredProfile,
    TopicSpec,
)
from chat_migration.targets.stopping import error_for
from chat_migration.targets.tencent_chat import replies
from chat_migration.targets.tencent_chat.auth import Signer
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.tencent_chat.limits import (
    APIS,
    DIRECT_MESSAGES_PER_PAGE,
    GROUPS_PER_QUERY,
    MEMBERS_PER_PAGE,
    MESSAGES_PER_PAGE,
    RECALLS_PER_CALL,
    REMOVALS_PER_CALL,
)
from chat_migration.targets.transport import HttpTransport, NoReply, Reply, Transport

REGIONS = {
    "china": "console.tim.qq.com",
    "singapore": "adminapisgp.im.qcloud.com",
    "seoul": "adminapikr.im.qcloud.com",
    "tokyo": "adminapijpn.im.qcloud.com",
    "frankfurt": "adminapiger.im.qcloud.com",
    "mumbai": "adminapiind.im.qcloud.com",
    "silicon_valley": "adminapiusa.im.qcloud.com",
    "jakarta": "adminapiidn.im.qcloud.com",
}
"""Host by region. Source: "RESTful API Overview" (1047/34620)."""

_TYPES = {
    "private": "Private",
    "public": "Public",
    "chatroom": "ChatRoom",
    "community": "Community",
}
_JOIN = {"free": "FreeAccess", "approval": "NeedPermission", "closed": "DisableApply"}
_ROLES = {"admin": "Admin", "member": "Member"}
_HISTORY, _REAL_TIME = 2, 5
"""``SyncFromOldSystem``: history counts as read, real time as unread and is pushed (1047/35014)."""
_INFO_FIELDS = [
    "Type",
    "Name",
    "Owner_Account",
    "CreateTime",
    "NextMsgSeq",
    "LastMsgTime",
    "MemberNum",
]
_PROFILE_FIELDS = [
    "Name",
    "Introduction",
    "Notification",
    "FaceUrl",
    "Owner_Account",
    "MaxMemberNum",
    "ApplyJoinOption",
    "NextMsgSeq",
    "LastMsgTime",
]


def base_url(host: str) -> str:
    """Return the base URL for a region's name, a host name or a URL.

    >>> base_url("singapore")
    'https://adminapisgp.im.qcloud.com'
    >>> base_url("http://127.0.0.1:9700/")
    'http://127.0.0.1:9700'
    """
    plain = host.strip().rstrip("/")
    if "://" in plain:
        return plain
    name = plain.lower().replace(" ", "_").replace("-", "_")
    known = REGIONS.get(name)
    if known is None and "." not in plain and ":" not in plain:
        raise UsageError(
            f"`{host}` is no region of Tencent Cloud Chat.",
            expected=f"A region ({', '.join(sorted(REGIONS))}), a host name or a URL.",
        )
    return f"https://{known or plain}"


class TencentTarget:
    """One app of Tencent Cloud Chat; safe to use from many threads."""

    withdrawals_per_call = RECALLS_PER_CALL

    def __init__(self, connection: TencentConnection, transport: Transport, signer: Signer) -> None:
        self._connection, self._transport, self._signer = connection, transport, signer
        self._base = base_url(connection.host)
        self.app = connection.app

    @classmethod
    def connect(cls, connection: TencentConnection, *, clock: Clock | None = None) -> Self:
        """Return the target behind a connection; nothing is called yet."""
        signer = Signer(
            sdk_app_id=connection.sdk_app_id,
            admin=connection.admin,
            secret_key=connection.secret_key,
            clock=clock or SystemClock(),
        )
        transport = HttpTransport(
            base_url=base_url(connection.host), connections=connection.parallel_calls
        )
        return cls(connection, transport, signer)

    def renew_signature(self) -> None:
        """Sign anew with the next call."""
        self._signer.renew()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> None:
        """Ask whether the admin account exists: the cheapest signed read."""
        body = {"CheckItem": [{"UserID": self._connection.admin}]}
        answer = replies.read_done("account_check", self._call("account_check", body))
        if isinstance(answer, Failure) and answer.advice is Advice.SIGN_AGAIN:
            self.renew_signature()
            answer = replies.read_done("account_check", self._call("account_check", body))
        if isinstance(answer, Failure):
            raise stop_error(answer, self._connection)

    def existing_accounts(self, accounts: Sequence[str]) -> dict[str, bool] | Failure:
        """Tell which accounts the app has. Source: account_check (1047/34956)."""
        reply = self._call("account_check", {"CheckItem": [{"UserID": each} for each in accounts]})
        return replies.read_account_check("account_check", accounts, reply)

    def import_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Create accounts. Source: multiaccount_import (269/4919)."""
        rows = [
            _filled(UserID=each.account_id, Nick=each.name, FaceUrl=each.avatar_url)
            for each in accounts
        ]
        reply = self._call("multiaccount_import", {"AccountList": rows})
        return replies.read_account_import(
            "multiaccount_import", [each.account_id for each in accounts], reply
        )

    def change_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Write profiles: an import overwrites them. Source: multiaccount_import (269/4919)."""
        return self.import_accounts(accounts)

    def create_group(self, group: GroupSpec) -> ItemResult:
        """Create a group with a past creation time. Source: import_group (1047/34967)."""
        return replies.read_done("import_group", self._call("import_group", group_body(group)))

    def create_topic(self, topic: TopicSpec) -> ItemResult:
        """Create a topic. Source: import_topic (1047/53448)."""
        body = {
            "GroupId": topic.group_id,
            "TopicId": topic.topic_id,
            "TopicName": topic.name,
            "CreateTime": topic.created_s,
        }
        return replies.read_done("import_topic", self._call("import_topic", body))

    def add_members(
        self, group_id: str, members: Sequence[MemberSpec], *, operator: str = ""
    ) -> list[ItemResult] | Failure:
        """Add members with past join times; the admin does it. Source: import_group_member (1047/34969)."""
        del operator
        rows = [
            _filled(
                Member_Account=each.account_id,
                Role="Admin" if each.role == "admin" else "",
                JoinTime=each.joined_s,
            )
            for each in members
        ]
        reply = self._call("import_group_member", {"GroupId": group_id, "MemberList": rows})
        return replies.read_members(
            "import_group_member", [each.account_id for each in members], reply
        )

    def send_group_messages(
        self,
        address: GroupAddress,
        messages: Sequence[GroupMessageOut],
        *,
        refresh_conversation: bool,
        above: int = 0,
    ) -> list[ItemResult] | Failure:
        """Write past messages. Source: import_group_msg (1047/34968)."""
        body = group_message_body(address, messages, refresh_conversation=refresh_conversation)
        reply = self._call("import_group_msg", body)
        return replies.read_group_messages(
            "import_group_msg", [each.slot for each in messages], reply, above=above
        )

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        """Write a past one-to-one message. Source: importmsg (1047/35014)."""
        return replies.read_done("importmsg", self._call("importmsg", direct_message_body(message)))

    # --- what is there already ------------------------------------------------------------------

    def change_group_message(
        self, address: GroupAddress, key: GroupKey, body: str, *, operator: str = ""
    ) -> ItemResult:
        """Replace the body of a group message. Source: modify_group_msg (1047/47948)."""
        del operator
        request = {
            **_place_of(address),
            "MsgSeq": key.sequence,
            "MsgBody": msgspec.Raw(body.encode()),
        }
        return replies.read_done("modify_group_msg", self._call("modify_group_msg", request))

    def withdraw_group_messages(
        self, address: GroupAddress, keys: Sequence[GroupKey]
    ) -> list[ItemResult] | Failure:
        """Recall group messages, at most ten. Source: group_msg_recall (1047/34965)."""
        if len(keys) > RECALLS_PER_CALL:
            raise ValueError(f"{len(keys)} recalls in one call, {RECALLS_PER_CALL} are allowed")
        sequences = [each.sequence for each in keys]
        request = {
            **_place_of(address),
            "MsgSeqList": [{"MsgSeq": each} for each in sequences],
        }
        reply = self._call("group_msg_recall", request)
        return replies.read_recalls("group_msg_recall", sequences, reply)

    def change_direct_message(self, key: DirectKey, body: str, metadata: str) -> ItemResult:
        """Replace body and ``CloudCustomData`` of a one-to-one message; an omitted one would stay.

        Source: modify_c2c_msg (1047/47722).
        """
        request = {
            **_name_of(key),
            "MsgBody": msgspec.Raw(body.encode()),
            "CloudCustomData": metadata,
        }
        return replies.read_done("modify_c2c_msg", self._call("modify_c2c_msg", request))

    def withdraw_direct_message(self, key: DirectKey) -> ItemResult:
        """Withdraw a one-to-one message. Source: admin_msgwithdraw (1047/35015)."""
        reply = self._call("admin_msgwithdraw", _name_of(key))
        return replies.read_done("admin_msgwithdraw", reply)

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        """Set one member's unread count. Source: set_unread_msg_num (1047/34909)."""
        body = {"GroupId": group_id, "Member_Account": account_id, "UnreadMsgNum": count}
        return replies.read_done("set_unread_msg_num", self._call("set_unread_msg_num", body))

    def read_profile(self, group_id: str, *, operator: str = "") -> StoredProfile | Failure:
        """Return a group's profile and frontier. Source: get_group_info (1047/34961)."""
        del operator
        body = {
            "GroupIdList": [group_id],
            "ResponseFilter": {"GroupBaseInfoFilter": _PROFILE_FIELDS},
        }
        reply = self._call("get_group_info", body)
        return replies.read_profile("get_group_info", group_id, reply)

    def change_profile(self, change: ProfileChange, *, operator: str = "") -> ItemResult:
        """Write some fields of a group's profile. Source: modify_group_base_info (1047/34962)."""
        del operator
        api = "modify_group_base_info"
        return replies.read_done(api, self._call(api, profile_body(change)))

    def change_owner(self, group_id: str, account_id: str, *, operator: str = "") -> ItemResult:
        """Give a group to one of its members. Source: change_group_owner (1047/34966)."""
        del operator
        body = {"GroupId": group_id, "NewOwner_Account": account_id}
        return replies.read_done("change_group_owner", self._call("change_group_owner", body))

    def change_role(
        self, group_id: str, account_id: str, role: Role, *, operator: str = ""
    ) -> ItemResult:
        """Set the role of one member. Source: modify_group_member_info (1047/34900)."""
        del operator
        api = "modify_group_member_info"
        body = {"GroupId": group_id, "Member_Account": account_id, "Role": _ROLES[role]}
        return replies.read_done(api, self._call(api, body))

    def remove_members(
        self, group_id: str, accounts: Sequence[str], *, operator: str = ""
    ) -> ItemResult:
        """Remove members without telling the group. Source: delete_group_member (1047/34949)."""
        del operator
        if len(accounts) > REMOVALS_PER_CALL:
            raise ValueError(
                f"{len(accounts)} members in one call, {REMOVALS_PER_CALL} are allowed"
            )
        body = {"GroupId": group_id, "MemberToDel_Account": list(accounts), "Silence": 1}
        return replies.read_done("delete_group_member", self._call("delete_group_member", body))

    def clear_unread(self, account_id: str, *, group_id: str = "", peer_id: str = "") -> ItemResult:
        """Clear a member's unread count of a group; a one-to-one message says itself whether it is unread."""
        if not group_id:
            raise ValueError(f"the count of what `{peer_id}` wrote cannot be set")
        return self.set_unread(group_id, account_id, 0)

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier] | Failure:
        """Return the state of groups, or of the topics of one community, in the same order."""
        if addresses and addresses[0].topic_id:
            body: dict[str, Any] = {
                "GroupId": addresses[0].group_id,
                "TopicIdList": [each.topic_id for each in addresses],
            }
            return replies.read_topics("get_topic", addresses, self._call("get_topic", body))
        if len(addresses) > GROUPS_PER_QUERY:
            raise ValueError(f"{len(addresses)} groups in one call, {GROUPS_PER_QUERY} are allowed")
        body = {
            "GroupIdList": [each.group_id for each in addresses],
            "ResponseFilter": {"GroupBaseInfoFilter": _INFO_FIELDS},
        }
        return replies.read_frontiers(
            "get_group_info", addresses, self._call("get_group_info", body)
        )

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str = "") -> Page | Failure:
        """Return a page of messages, withdrawn ones included. Source: group_msg_get_simple (1047/34971)."""
        body: dict[str, Any] = {
            "GroupId": address.group_id,
            "ReqMsgNumber": MESSAGES_PER_PAGE,
            "WithRecalledMsg": 1,
        }
        if newest := int(cursor or since.newest):
            body["ReqMsgSeq"] = newest
        if address.topic_id:
            body["TopicId"] = address.topic_id
        reply = self._call("group_msg_get_simple", body)
        return replies.read_group_page(
            "group_msg_get_simple", reply, asked=MESSAGES_PER_PAGE, above=since.sequence
        )

    def read_direct(
        self, viewer: str, peer: str, *, first_slot: int, last_slot: int, cursor: str = ""
    ) -> Page | Failure:
        """Return a page of a one-to-one conversation as one side sees it. Source: admin_getroammsg (1047/35478)."""
        body: dict[str, Any] = {
            "Operator_Account": viewer,
            "Peer_Account": peer,
            "MaxCnt": DIRECT_MESSAGES_PER_PAGE,
            "MinTime": first_slot,
            "MaxTime": last_slot,
            **_after(cursor),
        }
        return replies.read_roaming("admin_getroammsg", self._call("admin_getroammsg", body))

    def read_members(self, group_id: str, *, community: bool, cursor: str) -> MemberPage | Failure:
        """Return a page of a group's members. Source: get_group_member_info (1047/34948)."""
        body: dict[str, Any] = {
            "GroupId": group_id,
            "Limit": MEMBERS_PER_PAGE,
            "MemberInfoFilter": ["Role", "MsgSeq"],
        }
        offset = None if community else int(cursor or "0")
        body |= {"Next": cursor} if community else {"Offset": offset}
        reply = self._call("get_group_member_info", body)
        return replies.read_member_list("get_group_member_info", reply, offset=offset)

    def stop_error(self, failed: Failure, *, done: str = "") -> MigrationError:
        """Return the error with which a run stops for a failure."""
        return stop_error(failed, self._connection, done=done)

    def oldest_slot(self) -> int | None:
        """Return None: messages of any age are taken (unknown U8 is whether they are shown)."""
        return None

    def _call(self, api: str, body: dict[str, Any]) -> Reply | NoReply:
        path = self._connection.import_topic_path if api == "import_topic" else APIS[api].path
        query = urlencode(
            {
                "sdkappid": self._connection.sdk_app_id,
                "identifier": self._connection.admin,
                "usersig": self._signer.user_sig(),
                "random": secrets.randbits(32),
                "contenttype": "json",
            },
            quote_via=quote,
        )
        return self._transport.post(
            f"{self._base}/{path}?{query}",
            msgspec.json.encode(body),
            self._connection.timeout_seconds,
        )


# --- request bodies: pure, pinned by golden files -----------------------------------------------


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields without the empty ones."""
    return {name: value for name, value in fields.items() if value not in ("", None)}


def group_body(group: GroupSpec) -> dict[str, Any]:
    """Return the body of ``import_group``."""
    community = group.type == "community"
    return _filled(
        Owner_Account=group.owner_id,
        Type=_TYPES[group.type],
        GroupId=group.group_id,
        Name=group.name,
        Introduction=group.introduction,
        Notification=group.notification,
        FaceUrl=group.avatar_url,
        MaxMemberCount=group.max_members,
        ApplyJoinOption=None if community or group.join is None else _JOIN[group.join],
        CreateTime=group.created_s,
        SupportTopic=1 if community and group.with_topics else None,
    )


def profile_body(change: ProfileChange) -> dict[str, Any]:
    """Return the body of ``modify_group_base_info``; a community knows no join option."""
    community = change.type == "community"
    return _filled(
        GroupId=change.group_id,
        Name=change.name,
        Introduction=change.introduction,
        Notification=change.notification,
        FaceUrl=change.avatar_url,
        MaxMemberNum=change.max_members,
        ApplyJoinOption=None if community or change.join is None else _JOIN[change.join],
    )


def group_message_body(
    address: GroupAddress, messages: Sequence[GroupMessageOut], *, refresh_conversation: bool
) -> dict[str, Any]:
    """Return the body of ``import_group_msg``; message bodies go in as the bytes that were measured."""
    rows = [
        {
            "From_Account": each.sender,
            "SendTime": each.slot,
            "Random": each.random,
            "MsgBody": msgspec.Raw(each.body.encode()),
        }
        for each in messages
    ]
    body: dict[str, Any] = {"GroupId": address.group_id}
    if refresh_conversation:
        body["RecentContactFlag"] = 1
    if address.topic_id:
        body["TopicId"] = address.topic_id
    return {**body, "MsgList": rows}


def _place_of(address: GroupAddress) -> dict[str, Any]:
    """Return the fields that name a group or a topic of it."""
    place = {"GroupId": address.group_id}
    return place | {"TopicId": address.topic_id} if address.topic_id else place


def _after(cursor: str) -> dict[str, Any]:
    """Return the fields that ask for what follows a page of one-to-one messages."""
    slot, _, key = cursor.partition(" ")
    return {"MaxTime": int(slot), "LastMsgKey": key} if cursor else {}


def _name_of(key: DirectKey) -> dict[str, Any]:
    """Return the fields that name a one-to-one message; who wrote it may not be swapped with who got it.

    Source: modify_c2c_msg (1047/47722), the sample of admin_getroammsg (1047/35478).
    """
    made = f"{key.sequence}_{key.random}_{key.slot}"
    return {
        "From_Account": key.sender,
        "To_Account": key.recipient,
        "MsgKey": key.text or made,
    }


def direct_message_body(message: DirectMessageOut) -> dict[str, Any]:
    """Return the body of ``importmsg``."""
    body: dict[str, Any] = {
        "SyncFromOldSystem": _REAL_TIME if message.as_unread else _HISTORY,
        "From_Account": message.sender,
        "To_Account": message.recipient,
        "MsgSeq": message.sequence,
        "MsgRandom": message.random,
        "MsgTimeStamp": message.slot,
        "MsgBody": msgspec.Raw(message.body.encode()),
    }
    return {**body, "CloudCustomData": message.metadata} if message.metadata else body


# --- failures that stop a run -------------------------------------------------------------------


def stop_error(failed: Failure, connection: TencentConnection, *, done: str = "") -> MigrationError:
    """Return the error with which a run stops for a failure: credentials and app, or no usable answer."""
    return error_for(
        f"Tencent Cloud Chat at `{base_url(connection.host)}`, app `{connection.sdk_app_id}`",
        failed,
        checks=_WHAT_TO_CHECK,
        otherwise="Check the connection: host, login, password, sdk_app_id.",
        done=done,
    )


_WHAT_TO_CHECK: dict[Advice, str] = {
    Advice.WAIT_LOCKED: "Too many wrong signatures lock the app for a minute: correct the SecretKey, wait, run again.",
    Advice.SIGN_AGAIN: "The signature expired at once: check this machine's clock.",
}
