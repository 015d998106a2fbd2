"""ZEGOCLOUD ZIM behind the target protocol: builds requests, sends each once, reads the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

import msgspec

from chat_migration.clock import Clock, SystemClock
from chat_migration.errors import MigrationError, UsageError
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
from chat_migration.targets.transport import HttpTransport, NoReply, Reply, Transport
from chat_migration.targets.zego_zim import replies
from chat_migration.targets.zego_zim.auth import Signer
from chat_migration.targets.zego_zim.connection import ZimConnection
from chat_migration.targets.zego_zim.limits import (
    APIS,
    FIRST_MEMBERS,
    MEMBERS_PER_PAGE,
    MESSAGES_PER_CALL,
    MESSAGES_PER_PAGE,
    REMOVALS_PER_CALL,
    oldest_slot,
)
from chat_migration.targets.zego_zim.markers import mark_of
from chat_migration.targets.zego_zim.outcomes import Symptom, failed
from chat_migration.targets.zego_zim.payloads import CUSTOM, MULTIPLE, TEXT, Body, read_body

REGIONS = {
    "unified": "zim-api.zego.im",
    "china": "zim-api-sha.zego.im",
    "hong_kong": "zim-api-hkg.zego.im",
    "frankfurt": "zim-api-fra.zego.im",
    "california": "zim-api-lax.zego.im",
    "mumbai": "zim-api-bom.zego.im",
    "singapore": "zim-api-sgp.zego.im",
}
"""Host by region: that of the machine that calls. Source: "Accessing Server APIs"."""

_PEER, _GROUP = 0, 2
"""Values of ``ConvType``."""
_ROLES: dict[Role, int] = {"admin": 2, "member": 3}
_JOINS_DIRECTLY = 0
"""Of ``IsInvite``: without anybody's consent."""
_EDIT_MESSAGE, _EDIT_PAYLOAD, _EDIT_SUB_TYPE = 1, 2, 16
"""Bits of ``EditType``."""
_EDITABLE = (TEXT, MULTIPLE, CUSTOM)
_NOBODY = "chat.migration"
"""An account that need not exist: what is told of it proves address, app and secret."""


def base_url(host: str) -> str:
    """Return the base URL for a region's name, a host name or a URL.

    >>> base_url("singapore")
    'https://zim-api-sgp.zego.im'
    >>> base_url("http://127.0.0.1:9700/")
    'http://127.0.0.1:9700'
    """
    plain = host.strip().rstrip("/")
    if "://" in plain:
        return plain
    known = REGIONS.get(plain.lower().replace(" ", "_").replace("-", "_"))
    if known is None and "." not in plain and ":" not in plain:
        raise UsageError(
            f"`{host}` is no region of ZIM.",
            expected=f"A region ({', '.join(sorted(REGIONS))}), a host name or a URL.",
        )
    return f"https://{known or plain}"


class ZimTarget:
    """One app of ZIM; safe to use from many threads."""

    withdrawals_per_call = 1

    def __init__(
        self, connection: ZimConnection, transport: Transport, signer: Signer, clock: Clock
    ) -> None:
        self._connection, self._transport, self._signer = connection, transport, signer
        self._clock = clock
        self._base = base_url(connection.host)
        self.app = connection.app

    @classmethod
    def connect(cls, connection: ZimConnection, *, clock: Clock | None = None) -> Self:
        """Return the target behind a connection; nothing is called yet."""
        clock = clock or SystemClock()
        signer = Signer(
            app_id=connection.app_id, server_secret=connection.server_secret, clock=clock
        )
        transport = HttpTransport(
            base_url=base_url(connection.host), connections=connection.parallel_calls
        )
        return cls(connection, transport, signer, clock)

    def renew_signature(self) -> None:
        """Do nothing: every request has a signature of its own."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> None:
        """Ask for a user: the cheapest signed read."""
        answer = self.existing_accounts([_NOBODY])
        if isinstance(answer, Failure) and answer.advice is Advice.SIGN_AGAIN:
            answer = self.existing_accounts([_NOBODY])
        if isinstance(answer, Failure) and answer.advice is not Advice.MISSING_ACCOUNT:
            raise self.stop_error(answer)

    def oldest_slot(self) -> int:
        """Return the oldest send time that the app takes now, epoch milliseconds; it slides with the clock."""
        return oldest_slot(self._clock.now_ms(), self._connection.retention_days)

    # --- users ----------------------------------------------------------------------------------

    def existing_accounts(self, accounts: Sequence[str]) -> dict[str, bool] | Failure:
        """Tell which users the app has. Source: "Query user information"."""
        reply = self._call("QueryUserInfos", {"UserIds": list(accounts)})
        return replies.read_found_users("QueryUserInfos", accounts, reply)

    def import_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Register users; one who exists keeps their profile. Source: "Batch register users"."""
        reply = self._call("UserRegister", {"UserInfo": [_user(each) for each in accounts]})
        names = [each.account_id for each in accounts]
        return replies.read_user_results("UserRegister", names, reply)

    def change_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult] | Failure:
        """Write the profiles of users who exist; repeatable. Source: "Modify user information"."""
        reply = self._call("ModifyUserInfo", {"UserInfo": [_user(each) for each in accounts]})
        names = [each.account_id for each in accounts]
        return replies.read_user_results("ModifyUserInfo", names, reply)

    # --- groups ---------------------------------------------------------------------------------

    def create_group(self, group: GroupSpec) -> ItemResult:
        """Create a group in the past, with first members who have been there since. Source: "Create a group"."""
        if not group.owner_id:
            return failed("CreateGroup", Symptom.NOT_OFFERED, "ZIM has no group without an owner")
        if len(group.members) > FIRST_MEMBERS:
            raise ValueError(f"{len(group.members)} first members, {FIRST_MEMBERS} are allowed")
        others = [each for each in group.members if each != group.owner_id]
        reply = self._call("CreateGroup", group_body(group, others))
        return replies.read_created("CreateGroup", group.group_id, others, reply)

    def create_topic(self, topic: TopicSpec) -> ItemResult:
        """Refuse: ZIM has no topics."""
        return failed("CreateGroup", Symptom.NOT_OFFERED, f"ZIM has no topics (`{topic.topic_id}`)")

    def add_members(
        self, group_id: str, members: Sequence[MemberSpec], *, operator: str
    ) -> list[ItemResult] | Failure:
        """Add members with past join times. Source: "Add group members".

        ``operator`` is a registered user, best the owner: whoever it is cannot be added by the same call. A repeat
        adds nobody twice, but says of those who are there what it says of those whom it refuses: they are looked
        for among the members. Roles are set by :meth:`change_role`.
        """
        if any(each.account_id == operator for each in members):
            raise ValueError("the operator of a call cannot be added by it")
        body = {
            "FromUserId": operator,
            "GroupId": group_id,
            "GroupMemberInfos": [
                {
                    "UserId": each.account_id,
                    "EnterGroupTime": _milliseconds(each.joined_s),
                    "IsInvite": _JOINS_DIRECTLY,
                }
                for each in members
            ],
        }
        reply = self._call("InviteUsersIntoGroup", body)
        names = [each.account_id for each in members]
        return replies.read_members("InviteUsersIntoGroup", names, reply)

    def read_profile(self, group_id: str, *, operator: str) -> StoredProfile | Failure:
        """Return a group's profile; ``operator`` is any registered user. Source: "Query group information"."""
        reply = self._call("QueryGroupInfo", {"FromUserId": operator, "GroupId": group_id})
        return replies.read_profile("QueryGroupInfo", group_id, reply)

    def change_profile(self, change: ProfileChange, *, operator: str) -> ItemResult:
        """Write name, notice and avatar of a group. Source: "Update group data"."""
        fields = _filled(
            GroupName=change.name, GroupNotice=change.notification, GroupAvatar=change.avatar_url
        )
        if not fields:
            text = "ZIM keeps name, notice and avatar of a group only"
            return failed("UpdateGroupData", Symptom.NOT_OFFERED, text)
        body = {"FromUserId": operator, "GroupId": change.group_id, **fields}
        return replies.read_done("UpdateGroupData", self._call("UpdateGroupData", body))

    def change_owner(self, group_id: str, account_id: str, *, operator: str) -> ItemResult:
        """Give a group to one of its members. Source: "Transfer the group ownership"."""
        body = {"FromUserId": operator, "GroupId": group_id, "NewOwner": account_id}
        return replies.read_done("TransferGroupOwner", self._call("TransferGroupOwner", body))

    def change_role(
        self, group_id: str, account_id: str, role: Role, *, operator: str
    ) -> ItemResult:
        """Set the role of one member who is not the operator. Source: "Set group member roles"."""
        body = {"FromUserId": operator, "GroupId": group_id, "ToUserId": account_id}
        reply = self._call("SetGroupMemberRole", {**body, "Role": _ROLES[role]})
        return replies.read_done("SetGroupMemberRole", reply)

    def remove_members(
        self, group_id: str, accounts: Sequence[str], *, operator: str
    ) -> ItemResult:
        """Remove members. Source: "Remove group member"."""
        if len(accounts) > REMOVALS_PER_CALL:
            raise ValueError(
                f"{len(accounts)} members in one call, {REMOVALS_PER_CALL} are allowed"
            )
        body = {"FromUserId": operator, "GroupId": group_id, "UserId": list(accounts)}
        reply = self._call("KickoutGroupUser", body)
        return replies.read_removed("KickoutGroupUser", accounts, reply)

    def read_members(
        self, group_id: str, *, community: bool = False, cursor: str = ""
    ) -> MemberPage | Failure:
        """Return a page of a group's members. Source: "Query group member list"."""
        del community
        body = {"GroupId": group_id, "Limit": MEMBERS_PER_PAGE, "Next": _next(cursor)}
        reply = self._call("QueryGroupMemberList", body)
        return replies.read_member_list("QueryGroupMemberList", reply)

    # --- group messages -------------------------------------------------------------------------

    def send_group_messages(
        self,
        address: GroupAddress,
        messages: Sequence[GroupMessageOut],
        *,
        refresh_conversation: bool = False,
        above: int = 0,
    ) -> list[ItemResult] | Failure:
        """Write one past message. Source: "Import group messages"; a conversation needs no refreshing."""
        del refresh_conversation
        if len(messages) != MESSAGES_PER_CALL:
            raise ValueError(f"{len(messages)} messages in one call, it takes {MESSAGES_PER_CALL}")
        (message,) = messages
        if address.topic_id:
            return failed("ImportGroupMsg", Symptom.NOT_OFFERED, "ZIM has no topics")
        if message.slot < self.oldest_slot():
            return failed("ImportGroupMsg", Symptom.TOO_OLD)
        body = group_message_body(address, message, priority=self._connection.priority)
        reply = self._call("ImportGroupMsg", body)
        result = replies.read_imported("ImportGroupMsg", reply, above=above)
        return result if isinstance(result, Failure) else [result]

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier] | Failure:
        """Return the state of one group, from its newest message."""
        if len(addresses) != 1:
            raise ValueError(f"{len(addresses)} groups in one call, 1 is allowed")
        (address,) = addresses
        body = {"GroupId": address.group_id, "Limit": 1, "Next": 0, "WithEmptyMsg": 1}
        reply = self._call("QueryGroupMsg", body)
        found = replies.read_frontier("QueryGroupMsg", address, reply)
        return found if isinstance(found, Failure) else [found]

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str = "") -> Page | Failure:
        """Return a page of messages, newest first by their time, withdrawn ones included.

        The page that reaches below the mark's slot is the last: nothing is ever stored before the time that was sent.
        The mark's sequence ends nothing, because a late message has a high one at an old time; with slot 0 everything
        is read. Pages may repeat messages while others arrive (unknown 26). Source: "Query the message list of group
        chats".
        """
        body = {"GroupId": address.group_id, **_page(cursor)}
        reply = self._call("QueryGroupMsg", body)
        return replies.read_history("QueryGroupMsg", reply, oldest_slot=since.slot)

    def change_group_message(
        self, address: GroupAddress, key: GroupKey, body: str, *, operator: str
    ) -> ItemResult:
        """Replace text and reference of a message not older than a day; its mark stays. Source: "Edit a message"."""
        new = read_body(body)
        if new.type not in _EDITABLE:
            return failed("EditGroupMsgBody", Symptom.NOT_OFFERED, _NOT_EDITABLE)
        whose = {"FromUserId": operator, "SenderId": key.sender, "ConvId": address.group_id}
        request = {**whose, **_edit(new, key.sequence, key.random, key.slot)}
        return replies.read_done("EditGroupMsgBody", self._call("EditGroupMsgBody", request))

    def withdraw_group_messages(
        self, address: GroupAddress, keys: Sequence[GroupKey]
    ) -> list[ItemResult] | Failure:
        """Recall one message, not older than two minutes or what support has set. Source: "Recall a group message"."""
        if len(keys) != 1:
            raise ValueError(f"{len(keys)} recalls in one call, 1 is allowed")
        (key,) = keys
        body = {"FromUserId": key.sender, "GroupId": address.group_id, "MsgSeq": key.sequence}
        reply = self._call("RevokeGroupMessage", body)
        return [replies.read_done("RevokeGroupMessage", reply)]

    # --- one-to-one messages --------------------------------------------------------------------

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        """Write a past message into one of its two copies. Source: "Import one-to-one messages"."""
        if message.slot < self.oldest_slot():
            return failed("ImportPeerMsg", Symptom.TOO_OLD)
        body = direct_message_body(message, priority=self._connection.priority)
        return replies.read_imported("ImportPeerMsg", self._call("ImportPeerMsg", body))

    def read_direct(
        self, viewer: str, peer: str, *, first_slot: int, last_slot: int, cursor: str = ""
    ) -> Page | Failure:
        """Return a page of one copy of a conversation, newest first. Source: "Query … one-on-one chats"."""
        body = {"FromUserId": viewer, "ToUserId": peer, **_page(cursor)}
        reply = self._call("QueryPeerMsg", body)
        return replies.read_direct_history("QueryPeerMsg", reply, first=first_slot, last=last_slot)

    def change_direct_message(self, key: DirectKey, body: str, metadata: str = "") -> ItemResult:
        """Replace text and reference of a message not older than a day, in one copy. Source: "Edit a message"."""
        del metadata
        new = read_body(body)
        if new.type not in _EDITABLE:
            return failed("EditC2cMsgBody", Symptom.NOT_OFFERED, _NOT_EDITABLE)
        whose = {"FromUserId": key.viewer, "SenderId": key.sender, "ConvId": _peer_of(key)}
        request = {**whose, **_edit(new, key.sequence, key.random, key.slot)}
        return replies.read_done("EditC2cMsgBody", self._call("EditC2cMsgBody", request))

    def withdraw_direct_message(self, key: DirectKey) -> ItemResult:
        """Recall a message, by its number in the sender's copy. Source: "Recall a one-to-one message"."""
        body = {"FromUserId": key.sender, "ToUserId": key.recipient, "MsgSeq": key.sequence}
        return replies.read_done("RevokePeerMessage", self._call("RevokePeerMessage", body))

    # --- unread ---------------------------------------------------------------------------------

    def clear_unread(self, account_id: str, *, group_id: str = "", peer_id: str = "") -> ItemResult:
        """Make one user's unread number of a group or of a one-to-one conversation 0; repeatable.

        Source: "Clear the unread message count of a conversation".
        """
        if bool(group_id) == bool(peer_id):
            raise ValueError("a conversation is either a group's or that with a peer")
        body = {
            "FromUserId": account_id,
            "ConvId": group_id or peer_id,
            "ConvType": _GROUP if group_id else _PEER,
        }
        reply = self._call("ClearConversationUnread", body)
        return replies.read_done("ClearConversationUnread", reply)

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        """Clear one member's unread number; ZIM cannot set another one."""
        if count:
            text = "ZIM can clear unread numbers, not set them"
            return failed("ClearConversationUnread", Symptom.NOT_OFFERED, text)
        return self.clear_unread(account_id, group_id=group_id)

    def stop_error(self, failed: Failure, *, done: str = "") -> MigrationError:
        """Return the error with which a run stops for a failure."""
        return stop_error(failed, self._connection, done=done)

    def _call(self, api: str, body: dict[str, Any]) -> Reply | NoReply:
        """Sign and send one request; a GET has its fields in the query."""
        seconds = self._connection.timeout_seconds
        if APIS[api].method == "GET":
            return self._transport.get(self._url(api, body), seconds)
        # Encoded before it is signed: a signature is as young as it can be.
        content = msgspec.json.encode(body)
        return self._transport.post(self._url(api, {}), content, seconds)

    def _url(self, api: str, fields: dict[str, Any]) -> str:
        query = urlencode({**self._signer.signed(api), **fields}, quote_via=quote, safe="")
        return f"{self._base}/?{query}"

    def __repr__(self) -> str:
        """Show which app, never with what."""
        return f"ZimTarget({self.app!r} at {self._base!r})"


_NOT_EDITABLE = "ZIM changes texts, custom messages and those of several elements only"


# --- request bodies: pure, pinned by golden files -----------------------------------------------


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields without the empty ones."""
    return {name: value for name, value in fields.items() if value not in ("", None, [])}


def _milliseconds(seconds: int) -> int:
    """Return an instant in the vendor's unit.

    Raises:
        ValueError: it is the epoch or before, which would mean the present.
    """
    if seconds <= 0:
        raise ValueError(f"no group and no member is of the time {seconds}")
    return seconds * 1000


def _user(account: AccountSpec) -> dict[str, Any]:
    return _filled(UserId=account.account_id, UserName=account.name, UserAvatar=account.avatar_url)


def _page(cursor: str) -> dict[str, int | str]:
    """Return the fields that ask for a page of messages, withdrawn ones included."""
    return {"Limit": MESSAGES_PER_PAGE, "Next": _next(cursor), "WithEmptyMsg": 1}


def _next(cursor: str) -> int | str:
    """Return what asks for the page at a cursor: what the service gave, as it gave it; 0 for the first."""
    return _CURSOR.decode(cursor or "0")


_CURSOR: msgspec.json.Decoder[int | str] = msgspec.json.Decoder(int | str)


def _peer_of(key: DirectKey) -> str:
    """Return with whom the viewer of a copy talks in it."""
    return key.recipient if key.viewer == key.sender else key.sender


def group_body(group: GroupSpec, members: Sequence[str]) -> dict[str, Any]:
    """Return the body of ``CreateGroup``."""
    return _filled(
        GroupOwner=group.owner_id,
        GroupId=group.group_id,
        GroupName=group.name,
        GroupNotice=group.notification,
        GroupAvatar=group.avatar_url,
        UserId=list(members),
        CreateGroupTime=_milliseconds(group.created_s),
    )


def group_message_body(
    address: GroupAddress, message: GroupMessageOut, *, priority: int
) -> dict[str, Any]:
    """Return the body of ``ImportGroupMsg``."""
    content = _content(message.body, message.random, message.slot)
    place = {"FromUserId": message.sender, "GroupId": address.group_id}
    return {**place, **content, "Priority": priority, "SendMessageTime": message.slot}


def direct_message_body(message: DirectMessageOut, *, priority: int) -> dict[str, Any]:
    """Return the body of ``ImportPeerMsg``."""
    if message.viewer not in (message.sender, message.recipient):
        raise ValueError("a one-to-one message has a copy of its sender and one of its recipient")
    place = {
        "FromUserId": message.sender,
        "ToUserId": message.recipient,
        "ImportedUserId": message.viewer,
    }
    content = _content(message.body, message.random, message.slot)
    return {**place, **content, "Priority": priority, "SendMessageTime": message.slot}


def _content(body: str, random: int, slot: int) -> dict[str, Any]:
    """Return the fields that say what a message is, with its mark."""
    told = read_body(body)
    fields = _filled(MessageType=told.type, SubMsgType=told.sub_type, SearchedContent=told.searched)
    return {**fields, "MessageBody": _message_body(told, random, slot)}


def _message_body(body: Body, random: int, slot: int) -> dict[str, str]:
    mark = mark_of(random, slot)
    extended = f"{mark} {body.reference}" if body.reference else mark
    return {"Message": body.message, "ExtendedData": extended}


def _edit(body: Body, sequence: int, random: int, slot: int) -> dict[str, Any]:
    """Return the fields that say which message is changed to what."""
    edits = _EDIT_MESSAGE | _EDIT_PAYLOAD | (_EDIT_SUB_TYPE if body.type == CUSTOM else 0)
    fields: dict[str, Any] = {"MsgType": body.type, "ConvMsgSeq": sequence, "EditType": edits}
    if body.sub_type is not None:
        fields["SubMsgType"] = body.sub_type
    return {**fields, "MessageBody": _message_body(body, random, slot)}


# --- failures that stop a run -------------------------------------------------------------------


def stop_error(failed: Failure, connection: ZimConnection, *, done: str = "") -> MigrationError:
    """Return the error with which a run stops for a failure: credentials and app, or no usable answer."""
    return error_for(
        f"ZIM at `{base_url(connection.host)}`, app `{connection.app_id}`",
        failed,
        checks=_WHAT_TO_CHECK,
        otherwise="Check the connection: host, login (AppId), password (ServerSecret).",
        done=done,
    )


_WHAT_TO_CHECK: dict[Advice, str] = {
    Advice.SIGN_AGAIN: "Check the ServerSecret, and this machine's clock: it may differ by ten minutes at most.",
}
