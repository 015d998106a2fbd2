"""What each code of ZIM tells: the first half of the table, from code to symptom.

The second half, from symptom to effect and advice, is ``outcomes``. A code means the same as ``Code`` of an answer
and as ``SubCode`` of an item. Source: "Return codes" (2025-09-04) and the pages of the single Actions.
"""

from __future__ import annotations

import msgspec

from chat_migration.targets.base import Failure
from chat_migration.targets.zego_zim.outcomes import Symptom, failed

USER_EXISTS = 660700002
GROUP_MISSING = 660600001
NOT_IN_GROUP = 660600008


class Meaning(msgspec.Struct, frozen=True):
    """One row of the table."""

    text: str
    symptom: Symptom


def _rows(symptom: Symptom, texts: dict[int, str]) -> dict[int, Meaning]:
    return {code: Meaning(text, symptom) for code, text in texts.items()}


COMMON: dict[int, Meaning] = {
    **_rows(Symptom.THROTTLED, {
        7: "more requests per second than the service takes",
        660300005: "call frequency over the app's limit",
        660300006: "call frequency over the group's limit",
        660500003: "SendMessageToAllUsers too frequent",
        660600004: "QueryGroupMemberList too frequent",
        660600005: "KickoutGroupUser too frequent",
        660600007: "QueryAppGroupList too frequent",
        660600010: "CreateGroup too frequent",
        660700001: "UserRegister too frequent",
    }),
    **_rows(Symptom.PASSING_FAULT, {
        1: "the service is busy",
        105001: "a database of the service failed",
        100000010: "the gateway could not read the ServerSecret",
        100000011: "the gateway could not read the app's configuration",
        100000012: "the gateway could not read the request",
        100000015: "internal error of the gateway",
        660000001: "the service failed",
        660000003: "the service failed in its own logic",
        660600003: "the group's members could not be read",
        660600006: "the groups could not be read",
        660600014: "the owner's groups could not be changed",
        660600015: "a database of the group service failed",
        660700008: "the user's profile could not be read",
        660700013: "the user's profile could not be read",
        660700016: "the user's profile could not be copied",
        660700017: "the user's profile could not be changed",
        661000005: "the edit failed",
    }),
    **_rows(Symptom.SIGNATURE_REFUSED, {
        100000004: "the signature has expired: check this machine's clock",
        100000005: "the signature is wrong: check ServerSecret and clock",
    }),
    **_rows(Symptom.TOO_MANY_ITEMS, {660000011: "too many users in the request"}),
    **_rows(Symptom.ITEM_REFUSED, {
        2: "a parameter is invalid",
        50014: "the user's name is too long",
        660000002: "a parameter is invalid",
        660000012: "a user's id is longer than 32 bytes",
        660000015: "the user was refused",
        660000026: "the message is another sender's",
        660200001: "the user is unknown, logged out or never logged in",
        660400001: "the message is too large",
        660500004: "moderation of the text failed",
        660500005: "blocked by content moderation",
        660500006: "moderation of the picture failed",
        660500007: "a picture is blocked by content moderation",
        660500009: "a callback refused the message",
        660500010: "a callback refused the message",
        660600016: "the group is full by the plan",
        660600017: "the user could not join the group",
        660600019: "too many attributes of the group",
        660600020: "an attribute of the group is too long",
        660600021: "a parameter of the message is invalid",
        660600022: "a media URL could not be resolved",
        660600023: "the message is too long",
        660600029: "nobody can be made the owner by their role",
        660600030: "nobody can change their own role",
        660600032: "the operator is not permitted to do this",
        660600033: "the operation failed for all users",
        660700006: "the user's name is longer than 256 bytes",
        660700007: "the user's avatar is longer than 500 bytes",
        660800002: "there is no such conversation, or it is none of the user's latest 1000",
        660800046: "the time lies in the future: check this machine's clock",
    }),
    **_rows(Symptom.MESSAGE_MISSING, {
        660000022: "the message does not exist",
        660000024: "the message is older than what may be recalled",
        661000001: "the message is older than what may be edited",
    }),
    **_rows(Symptom.ACCOUNT_MISSING, {
        51102: "an account does not exist",
        660500002: "the sender or operator is not registered",
        660600013: "the group's owner is not registered",
        660600024: "the user is no member of the group",
        660700012: "an account is not registered",
        660700015: "an account is not registered",
    }),
    **_rows(Symptom.IS_THERE, {
        660000023: "withdrawn before",
        NOT_IN_GROUP: "no member any more",
        660600011: "the id is taken already",
        USER_EXISTS: "the account exists",
    }),
    **_rows(Symptom.CONVERSATION_REFUSED, {
        GROUP_MISSING: "the group does not exist",
        660600009: "the group cannot be read: its id may be wrong",
    }),
    **_rows(Symptom.QUOTA_USED, {660600012: "the plan's groups are used up"}),
    **_rows(Symptom.RUN_REFUSED, {
        3: "authentication failed: check AppId and ServerSecret",
        100000000: "the host of the request is wrong",
        100000001: "the AppId is not valid",
        100000002: "the Timestamp is missing",
        100000003: "the Timestamp is malformed",
        100000006: "the Action is missing",
        100000007: "the Action is not supported (check the host)",
        100000008: "the SignatureNonce is missing",
        100000009: "the signature is missing or malformed",
        100000013: "the SignatureVersion is missing",
        100000014: "the SignatureVersion is not supported",
        100000016: "the app is not enabled for production",
        100000017: "the service is not enabled for the app",
        660000028: "not possible on the free plan",
    }),
}  # fmt: skip
"""Meaning by code. An Action's own reading of a code stands in :data:`OF_API`."""

EDITS = ("EditGroupMsgBody", "EditC2cMsgBody", "RevokeGroupMessage", "RevokePeerMessage")
"""What changes or takes back a message that is there."""


def _edits(meanings: dict[int, Meaning]) -> dict[tuple[str, int], Meaning]:
    return {(api, code): meaning for api in EDITS for code, meaning in meanings.items()}


OF_API: dict[tuple[str, int], Meaning] = {
    # The same codes tell that somebody could not be added and that they are there.
    ("InviteUsersIntoGroup", 660000015): Meaning("refused, or a member already", Symptom.MAYBE_THERE),
    ("InviteUsersIntoGroup", 660600017): Meaning("refused, or a member already", Symptom.MAYBE_THERE),
    ("CreateGroup", 660600016): Meaning("too many first members", Symptom.TOO_MANY_ITEMS),
    ("SetGroupMemberRole", 660600024): Meaning("the account is no member", Symptom.ITEM_REFUSED),
    ("TransferGroupOwner", 660600024): Meaning("the account is no member", Symptom.ITEM_REFUSED),
    ("QueryUserInfos", 660000002): Meaning("a parameter is invalid", Symptom.RUN_REFUSED),
    ("QueryGroupMsg", 660000002): Meaning("a parameter is invalid", Symptom.CONVERSATION_REFUSED),
    ("QueryPeerMsg", 660000002): Meaning("a parameter is invalid", Symptom.CONVERSATION_REFUSED),
    **_edits({
        660000028: Meaning("the app's plan has no changes of messages", Symptom.ITEM_REFUSED),
        660600024: Meaning("the operator is no member of the group", Symptom.ITEM_REFUSED),
        660500002: Meaning("the operator is not registered", Symptom.ITEM_REFUSED),
    }),
}  # fmt: skip


def meaning_of(api: str, code: int) -> Meaning:
    """Return what a code means in the answer of one Action."""
    known = OF_API.get((api, code)) or COMMON.get(code)
    return known or Meaning("a code that no page of the vendor lists", Symptom.UNLISTED_CODE)


def failure(api: str, code: int) -> Failure:
    """Return the failure that a code stands for."""
    known = meaning_of(api, code)
    return failed(api, known.symptom, known.text, code=code)
