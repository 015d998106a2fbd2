"""What each code of Tencent Cloud Chat tells: the first half of the table, from code to symptom.

The second half, from symptom to effect and advice, is ``outcomes``. Codes are the vendor's "Error Codes" page
(1047/34348, 2024-11-11) and the pages of the single APIs.
"""

from __future__ import annotations

import msgspec

from chat_migration.targets.base import Failure
from chat_migration.targets.tencent_chat.outcomes import Symptom, failed


class Meaning(msgspec.Struct, frozen=True):
    """One row of the table."""

    text: str
    symptom: Symptom


def _rows(symptom: Symptom, texts: dict[int, str]) -> dict[int, Meaning]:
    return {code: Meaning(text, symptom) for code, text in texts.items()}


COMMON: dict[int, Meaning] = {
    **_rows(Symptom.THROTTLED, {
        60007: "call frequency over the API's limit",
        60011: "call frequency over the app's limit",
        60018: "requests too frequent",
        60019: "requests too frequent",
        10006: "group operations too frequent, or the day's new groups are used up",
        10023: "group messages too frequent",
        22006: "one-to-one messages too frequent",
    }),
    **_rows(Symptom.PASSING_FAULT, {
        60008: "the service timed out",
        60013: "the service could not read its own reply",
        60014: "the account exchange timed out",
        10002: "internal error of the group service",
        20004: "network error of the message service",
        20005: "internal error of the message service",
        20028: "somebody else changes the message at this moment",
        70169: "server timeout",
        70202: "server timeout",
        70500: "internal error of the account service",
        80003: "the pre-send callback failed",
        80005: "moderation timed out",
        90992: "internal error, or a webhook misbehaves",
        91000: "internal error of the one-to-one service",
    }),
    **_rows(Symptom.SIGNATURE_EXPIRED, {70001: "the UserSig has expired"}),
    **_rows(Symptom.LOCKED, {70050: "locked after too many failed verifications"}),
    **_rows(Symptom.TOO_MANY_ITEMS, {
        10005: "too many accounts in the request",
        10018: "the answer would be larger than 1 MB",
        70206: "wrong number of items in the request",
    }),
    **_rows(Symptom.TIME_REFUSED, {10004: "a parameter is invalid; for a message, its send time"}),
    **_rows(Symptom.ITEM_REFUSED, {
        10014: "the group is full",
        10020: "the message is too long",
        80001: "blocked by content moderation",
        80002: "the message is too long",
        80004: "a picture is blocked by moderation",
        90001: "the request's JSON could not be parsed",
        90002: "the message body's format is wrong",
        90003: "To_Account is missing",
        90005: "MsgRandom is missing",
        90006: "MsgTimeStamp is missing",
        90007: "the message body is no array",
        90008: "From_Account is missing or does not exist",
        90010: "the message's format is wrong",
        90026: "the message is too old for this service",
        90030: "SyncFromOldSystem is wrong",
        93000: "the request is larger than 12 KB",
        70402: "a parameter of the account is wrong",
        70399: "the account was deleted earlier and cannot be imported yet",
        10037: "the user may own or join no more groups",
        10038: "more members than the plan allows",
    }),
    **_rows(Symptom.ACCOUNT_MISSING, {
        10012: "an account id is invalid",
        10019: "an account does not exist",
        20003: "an account id is invalid",
        70107: "an account has not been imported",
        90012: "the recipient is not registered",
        90048: "the account does not exist",
    }),
    **_rows(Symptom.IS_THERE, {
        10021: "the id is taken already",
        10025: "the id is taken already, by the same owner",
        10013: "already a member",
    }),
    **_rows(Symptom.CONVERSATION_REFUSED, {
        10007: "not permitted for this type of group",
        10010: "the group does not exist or was disbanded",
        10015: "the group id is invalid",
        10016: "a webhook refused the operation",
        10044: "this type of group keeps no history",
        11000: "the community feature is not switched on",
        110003: "the topic was deleted",
    }),
    **_rows(Symptom.RUN_REFUSED, {
        10003: "the command word is wrong (check the host and the API paths)",
        10008: "the request is illegal",
        10011: "the request could not be parsed",
        10026: "this command is forbidden for the app",
        10036: "too many live groups for the plan",
        10058: "the free plan's groups are used up",
        10059: "the community feature needs a higher plan",
        60002: "the request could not be parsed",
        60003: "the request body is no valid JSON",
        60004: "the admin identifier or the signature is wrong",
        60005: "the admin identifier or the signature is wrong",
        60006: "the SDKAppID is not valid",
        60009: "the requested resource does not exist (check the host)",
        60010: "the caller is no app admin (check the connection's login)",
        60012: "the SDKAppID is missing",
        60015: "an account in the body is no text",
        60016: "the SDKAppID is disabled",
        60017: "the request is disabled",
        60020: "the plan has expired or the service is stopped",
        60021: "this machine's address is not permitted by the app",
        70002: "the UserSig is empty",
        70003: "the UserSig is malformed",
        70005: "the UserSig is malformed",
        70009: "the UserSig does not verify: the SecretKey is wrong",
        70013: "the admin identifier differs from the UserSig's",
        70014: "the SDKAppID differs from the UserSig's",
        70016: "the app is not known here: check SDKAppID and region",
        70020: "the app is not known here: check SDKAppID and region",
        70051: "the admin account is blocklisted",
        70114: "security restriction",
        70398: "the app's account quota is used up (trial: 100 accounts)",
        70403: "the caller is no app admin (check the connection's login)",
        71000: "only possible on the trial plan",
        72000: "the trial plan's daily active users are used up",
        90009: "the caller is no app admin (check the connection's login)",
    }),
}  # fmt: skip
"""Meaning by code. An API's own reading of a code stands in :data:`OF_API`."""


EDITS = ("modify_group_msg", "group_msg_recall", "modify_c2c_msg", "admin_msgwithdraw")
"""What changes or takes back a message that is there."""


def _edits(meanings: dict[int, Meaning]) -> dict[tuple[str, int], Meaning]:
    return {(api, code): meaning for api in EDITS for code, meaning in meanings.items()}


GROUP_CHANGES = (
    "modify_group_base_info", "modify_group_member_info", "change_group_owner", "delete_group_member",
)  # fmt: skip
"""What changes a group that is there, or who is in it."""


def _group_changes(meanings: dict[int, Meaning]) -> dict[tuple[str, int], Meaning]:
    return {(api, code): meaning for api in GROUP_CHANGES for code, meaning in meanings.items()}


OF_API: dict[tuple[str, int], Meaning] = {
    ("import_group", 10004): Meaning("a parameter of the group is invalid", Symptom.ITEM_REFUSED),
    ("import_group", 10006): Meaning("too frequent, or the day's new groups are used up", Symptom.QUOTA_USED),
    ("import_group", 10007): Meaning("this type of group cannot be imported", Symptom.ITEM_REFUSED),
    ("import_group", 10015): Meaning("the group id is invalid", Symptom.ITEM_REFUSED),
    ("import_topic", 10004): Meaning("a parameter of the topic is invalid", Symptom.ITEM_REFUSED),
    ("import_topic", 10037): Meaning("the community may have no more topics", Symptom.ITEM_REFUSED),
    ("import_group_member", 10004): Meaning(
        "a parameter is invalid, or too many members in one call", Symptom.TOO_MANY_ITEMS
    ),
    ("import_group_member", 10014): Meaning("the group is full", Symptom.CONVERSATION_REFUSED),
    ("import_group_member", 10038): Meaning("the group is full by the plan", Symptom.CONVERSATION_REFUSED),
    ("set_unread_msg_num", 10004): Meaning("a parameter is invalid", Symptom.ITEM_REFUSED),
    ("get_group_info", 10004): Meaning("a parameter is invalid", Symptom.RUN_REFUSED),
    ("group_msg_get_simple", 10004): Meaning("a parameter is invalid", Symptom.CONVERSATION_REFUSED),
    **_edits({
        10004: Meaning("a parameter is invalid, or the message is not there", Symptom.ITEM_REFUSED),
        10007: Meaning("not permitted for this type of group", Symptom.ITEM_REFUSED),
        10016: Meaning("a webhook refused the operation", Symptom.ITEM_REFUSED),
        20001: Meaning("the request is illegal", Symptom.ITEM_REFUSED),
        20002: Meaning("the UserSig or A2 is not valid", Symptom.RUN_REFUSED),
        20016: Meaning("outside the permitted time", Symptom.MESSAGE_MISSING),
        20022: Meaning("the message does not exist", Symptom.MESSAGE_MISSING),
        20026: Meaning("the message does not exist", Symptom.MESSAGE_MISSING),
        90054: Meaning("the MsgKey is wrong", Symptom.MESSAGE_MISSING),
        10030: Meaning("the message does not exist", Symptom.MESSAGE_MISSING),
        10031: Meaning("outside the permitted time", Symptom.MESSAGE_MISSING),
        10032: Meaning("the message cannot be recalled", Symptom.ITEM_REFUSED),
        10033: Meaning("this type of group knows no recall", Symptom.ITEM_REFUSED),
        10041: Meaning("the app is configured without recalls: switch them on in the console", Symptom.RUN_REFUSED),
    }),
    ("admin_msgwithdraw", 20023): Meaning("withdrawn before", Symptom.IS_THERE),
    **_group_changes({
        10004: Meaning("a parameter is invalid, or the account is no member", Symptom.ITEM_REFUSED),
        10007: Meaning("not permitted for this member or this type of group", Symptom.ITEM_REFUSED),
        10016: Meaning("a webhook refused the operation", Symptom.ITEM_REFUSED),
    }),
    ("multiaccount_import", 70402): Meaning("a parameter of the accounts is wrong", Symptom.ITEM_REFUSED),
}  # fmt: skip


OVER_PLAN = frozenset((10004, 10014, 10038))
"""Codes with which a group of more members than the plan allows may be refused (unknown U18)."""
_ASKS_FOR_MEMBERS = ("import_group", "modify_group_base_info")
"""The APIs that say how many members a group may have."""


def meaning_of(api: str, code: int) -> Meaning:
    """Return what a code means in the answer of one API."""
    known = OF_API.get((api, code)) or COMMON.get(code)
    return known or Meaning("a code that no page of the vendor lists", Symptom.UNLISTED_CODE)


def failure(api: str, code: int) -> Failure:
    """Return the failure that a code stands for."""
    known = meaning_of(api, code)
    told = failed(api, known.symptom, known.text, code=code)
    over_plan = code in OVER_PLAN and api in _ASKS_FOR_MEMBERS
    return msgspec.structs.replace(told, over_plan=over_plan)
