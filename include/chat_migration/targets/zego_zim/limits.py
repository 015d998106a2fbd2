"""ZIM's limits as data. Lengths are UTF-8 bytes, rates calls per second and app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from chat_migration.targets.verbs import Verb


class ApiLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How often one Action may be called, and how.

    ``per_group``: calls per second for one group, where that is what the page limits; None: nothing is said.
    """

    calls_per_second: int = 20
    per_group: int | None = None
    method: Literal["GET", "POST"] = "POST"
    writes: bool


_READ, _WRITE = ApiLimit(writes=False), ApiLimit(writes=True)
MEMBER_CALLS_PER_SECOND = 1
"""For one group. Source: "Add group members"."""

APIS: dict[str, ApiLimit] = {
    "QueryUserInfos": _READ,
    "UserRegister": _WRITE,
    "ModifyUserInfo": _WRITE,
    "CreateGroup": _WRITE,
    "InviteUsersIntoGroup": ApiLimit(per_group=MEMBER_CALLS_PER_SECOND, writes=True),
    "ImportGroupMsg": _WRITE,
    "ImportPeerMsg": _WRITE,
    "ClearConversationUnread": ApiLimit(method="GET", writes=True),
    "EditGroupMsgBody": _WRITE,
    "EditC2cMsgBody": _WRITE,
    "RevokeGroupMessage": _WRITE,
    "RevokePeerMessage": _WRITE,
    "UpdateGroupData": _WRITE,
    "TransferGroupOwner": ApiLimit(per_group=1, method="GET", writes=True),
    "SetGroupMemberRole": ApiLimit(method="GET", writes=True),
    "KickoutGroupUser": _WRITE,
    "QueryGroupInfo": _READ,
    "QueryGroupMemberList": _READ,
    "QueryGroupMsg": _READ,
    "QueryPeerMsg": _READ,
}
"""Source: "Overview" of the server API, and the pages of the single Actions."""

API_OF: Mapping[Verb, str] = {
    Verb.EXISTING_ACCOUNTS: "QueryUserInfos",
    Verb.IMPORT_ACCOUNTS: "UserRegister",
    Verb.CHANGE_ACCOUNTS: "ModifyUserInfo",
    Verb.CREATE_GROUP: "CreateGroup",
    Verb.ADD_MEMBERS: "InviteUsersIntoGroup",
    Verb.READ_MEMBERS: "QueryGroupMemberList",
    Verb.READ_PROFILE: "QueryGroupInfo",
    Verb.CHANGE_PROFILE: "UpdateGroupData",
    Verb.CHANGE_OWNER: "TransferGroupOwner",
    Verb.CHANGE_ROLE: "SetGroupMemberRole",
    Verb.REMOVE_MEMBERS: "KickoutGroupUser",
    Verb.GROUP_FRONTIERS: "QueryGroupMsg",
    Verb.SEND_GROUP_MESSAGES: "ImportGroupMsg",
    Verb.READ_GROUP: "QueryGroupMsg",
    Verb.CHANGE_GROUP_MESSAGE: "EditGroupMsgBody",
    Verb.WITHDRAW_GROUP_MESSAGES: "RevokeGroupMessage",
    Verb.SEND_DIRECT_MESSAGE: "ImportPeerMsg",
    Verb.READ_DIRECT: "QueryPeerMsg",
    Verb.CHANGE_DIRECT_MESSAGE: "EditC2cMsgBody",
    Verb.WITHDRAW_DIRECT_MESSAGE: "RevokePeerMessage",
    Verb.CLEAR_UNREAD: "ClearConversationUnread",
}
"""Action by what the target is asked to do: whose share of the budget a call takes."""

LIVE_APIS = frozenset(APIS) - {"ImportGroupMsg", "ImportPeerMsg"}
"""What a company's servers may call for living users too, from the same limit; the others only serve imports."""

ID_BYTES = 32
"""Source: "Create a group", "Batch register users"."""
ACCOUNT_NAME_BYTES = 256
ACCOUNT_AVATAR_BYTES = 500
"""Source: "Batch register users"."""
GROUP_NAME_CHARACTERS = 50
"""Source: "Create a group" of 2026-08-17; earlier texts of the page count bytes."""
GROUP_NOTICE_BYTES = 300
GROUP_AVATAR_BYTES = 500
"""Source: "Create a group"."""
MAX_MEMBERS = 6000
DEFAULT_MEMBERS = 200
"""Source: "Pricing", version differences: a plan sets it, no Action does at creation."""

USERS_PER_CALL = 100
FIRST_MEMBERS = 100
MEMBERS_PER_CALL = 100
REMOVALS_PER_CALL = 50
"""Source: "Batch register users", "Create a group", "Add group members", "Remove group member"."""
MESSAGES_PER_CALL = 1
"""Source: "Import group messages": there is no batch form."""
MESSAGES_PER_PAGE = 100
MEMBERS_PER_PAGE = 1000
"""Source: "Query the message list of group chats", "Query group member list"."""

KILOBYTE = 1000
"""The smaller of the two readings: no page says whether a KB has 1000 or 1024 bytes."""
MESSAGE_BYTES, MULTIPLE_BYTES, MOST_MESSAGE_BYTES = 2048, 5120, 32768
"""As the page writes it: 2 KB, 5 KB for several elements, up to 32 KB by request."""
EXTENDED_DATA_BYTES = KILOBYTE
MOST_ELEMENTS = 20
SEARCHED_BYTES = 64
URL_BYTES = 500
FILE_NAME_BYTES = 150
"""Source: "MessageBody introduction"."""

DAY_MS = 86_400_000
RETENTION_MARGIN_MS = 60_000
"""How much younger than the retention a message must be: for two clocks that differ, and for the way."""
BACKEND_TIMEOUT_SECONDS = 10.0
"""After this a request is taken to be over and what it stored to be readable. No page gives a number."""


def oldest_slot(now_ms: int, retention_days: int) -> int:
    """Return the oldest send time that the app takes at this moment, epoch milliseconds; it slides with the clock.

    Source: "Import group messages", ``SendMessageTime``.
    """
    return now_ms - retention_days * DAY_MS + RETENTION_MARGIN_MS
