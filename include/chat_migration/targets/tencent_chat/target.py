"""Tencent Cloud Chat behind the target protocol: builds requests, sends each once, reads the answers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

import msgspec

from chat_migration.clock import Clock, SystemClock
from chat_migration.connection import TencentConnection
from chat_migration.errors import (
    CredentialsError,
    MigrationError,
    TargetUnreachableError,
    UsageError,
)
from chat_migration.targets.base import (
    AccountSpec,
    Advice,
    DirectMessageOut,
    Failure,
    Frontier,
    GroupAddress,
    GroupMessageOut,
    GroupSpec,
    ItemResult,
    MemberSpec,
    Page,
    TopicSpec,
)
from chat_migration.targets.tencent_chat import replies
from chat_migration.targets.tencent_chat.auth import Signer
from chat_migration.targets.tencent_chat.codes import no_answer
from chat_migration.targets.tencent_chat.limits import APIS, GROUPS_PER_QUERY, MESSAGES_PER_PAGE
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
_HISTORY, _REAL_TIME = 2, 5
"""``SyncFromOldSystem``: history counts as read, real time as unread and is pushed (1047/35014)."""
_MOST_PAGES = 50
"""Pages of one second of a one-to-one conversation: a few thousand messages."""
_INFO_FIELDS = [
    "Type",
    "Name",
    "Owner_Account",
    "CreateTime",
    "NextMsgSeq",
    "LastMsgTime",
    "MemberNum",
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
        self, group_id: str, members: Sequence[MemberSpec]
    ) -> list[ItemResult] | Failure:
        """Add members with past join times. Source: import_group_member (1047/34969)."""
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

    def has_direct_message(self, message: DirectMessageOut) -> bool | Failure:
        """Tell whether a one-to-one message is there, by its triple. Source: admin_getroammsg (1047/35478)."""
        body: dict[str, Any] = {
            "Operator_Account": message.sender,
            "Peer_Account": message.recipient,
            "MaxCnt": 100,
            "MinTime": message.slot,
            "MaxTime": message.slot,
        }
        wanted = (message.sender, message.slot, message.sequence, message.random)
        for _ in range(_MOST_PAGES):
            page = replies.read_roaming("admin_getroammsg", self._call("admin_getroammsg", body))
            if isinstance(page, Failure):
                return page
            found = {(each.sender, each.slot, each.sequence, each.random) for each in page.messages}
            if wanted in found or page.cursor is None:
                return wanted in found
            body |= {"MaxTime": page.cursor[0], "LastMsgKey": page.cursor[1]}
        return no_answer("admin_getroammsg", "its pages never end", sent=True)

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        """Set one member's unread count. Source: set_unread_msg_num (1047/34909)."""
        body = {"GroupId": group_id, "Member_Account": account_id, "UnreadMsgNum": count}
        return replies.read_done("set_unread_msg_num", self._call("set_unread_msg_num", body))

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

    def read_group(self, address: GroupAddress, *, below: int | None) -> Page | Failure:
        """Return a page of messages, withdrawn ones included. Source: group_msg_get_simple (1047/34971)."""
        body: dict[str, Any] = {
            "GroupId": address.group_id,
            "ReqMsgNumber": MESSAGES_PER_PAGE,
            "WithRecalledMsg": 1,
        }
        if below is not None:
            body["ReqMsgSeq"] = below
        if address.topic_id:
            body["TopicId"] = address.topic_id
        reply = self._call("group_msg_get_simple", body)
        return replies.read_group_page("group_msg_get_simple", reply, asked=MESSAGES_PER_PAGE)

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
    where = f"Tencent Cloud Chat at `{base_url(connection.host)}`, app `{connection.sdk_app_id}`"
    if failed.code is None or failed.advice in (Advice.TRY_AGAIN, Advice.SLOW_DOWN):
        network = failed.code is None
        return TargetUnreachableError(
            f"{where} gives no usable answer to {failed}.",
            expected="An HTTPS service that answers with JSON." if network else "",
            advice=_NETWORK if network else _WHAT_TO_CHECK[failed.advice],
            done=done,
        )
    return CredentialsError(
        f"{where} refuses {failed}.",
        advice=_WHAT_TO_CHECK.get(
            failed.advice, "Check the connection: host, login, password, sdk_app_id."
        ),
        done=done,
    )


_NETWORK = (
    "Check the connection's host (region name, host name or URL) and the network, then run again."
)
_WHAT_TO_CHECK: dict[Advice, str] = {
    Advice.WAIT_LOCKED: "Too many wrong signatures lock the app for a minute: correct the SecretKey, wait, run again.",
    Advice.SIGN_AGAIN: "The signature expired at once: check this machine's clock.",
    Advice.TRY_AGAIN: "The service has a passing fault: run again later.",
    Advice.SLOW_DOWN: "Another client uses the app's call budget up: lower `calls_per_second`, or run later.",
}
