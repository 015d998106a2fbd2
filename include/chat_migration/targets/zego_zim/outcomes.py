"""What a call that did not plainly succeed has done, and what follows: the table that the code is.

Three questions are answered here, and nowhere else:

1. What was seen? One :class:`Symptom` for everything that the network, a gateway or an answer can show. Codes
   of the vendor become symptoms in ``codes``.
2. What does that say? :data:`TABLE` gives for each symptom whether a *write* may have taken effect, and what
   follows. A read has no effect whatever is seen.
3. Does doing it again cost anything? :data:`WRITES` names for each write the key by which the service knows a
   repeat. With one, a passing fault is repeated; without one, the target is read back first. Imports have none:
   every accepted import is another message.

The only answer with a certain effect is code 0 whose items fit what was sent: it is ``Done``, not in this table.
"""

from __future__ import annotations

import enum

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.outcome_table import OutcomeTable, Row, Write
from chat_migration.targets.zego_zim.limits import APIS


class Symptom(enum.Enum):
    """What was seen of a call, or of one item of it."""

    # What the network shows.
    NOT_SENT = "not_sent"
    NO_REPLY = "no_reply"
    # Replies that are no answer of the service.
    HTTP_STATUS = "http_status"
    NO_JSON = "no_json"
    NO_CODE = "no_code"
    CONTRADICTION = "contradiction"
    # Answers of code 0 that cannot be believed.
    ITEMS_MISSING = "items_missing"
    ITEMS_MISCOUNTED = "items_miscounted"
    ITEMS_OF_OTHERS = "items_of_others"
    SEQUENCE_NOT_RISING = "sequence_not_rising"
    # Answers with a code: ``codes`` tells which.
    THROTTLED = "throttled"
    PASSING_FAULT = "passing_fault"
    SIGNATURE_REFUSED = "signature_refused"
    TOO_MANY_ITEMS = "too_many_items"
    ITEM_REFUSED = "item_refused"
    MAYBE_THERE = "maybe_there"
    MESSAGE_MISSING = "message_missing"
    ACCOUNT_MISSING = "account_missing"
    IS_THERE = "is_there"
    CONVERSATION_REFUSED = "conversation_refused"
    QUOTA_USED = "quota_used"
    RUN_REFUSED = "run_refused"
    UNLISTED_CODE = "unlisted_code"
    # What is known without a call.
    TOO_OLD = "too_old"
    NOT_OFFERED = "not_offered"


_NONE, _UNKNOWN = Effect.NONE, Effect.UNKNOWN

TABLE: dict[Symptom, Row] = {
    Symptom.NOT_SENT: Row("the request was never sent", _NONE, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_REPLY: Row("no whole reply came in time", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.HTTP_STATUS: Row("the HTTP status is not 200", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_JSON: Row("the answer is empty or no JSON", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_CODE: Row("the answer has no Code", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.CONTRADICTION: Row("the answer's Code and its list disagree", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_MISSING: Row("the expected items are missing or malformed", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_MISCOUNTED: Row("the answer has more or fewer items than were sent", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_OF_OTHERS: Row("the answer's items name other things than were sent", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.SEQUENCE_NOT_RISING: Row("MsgSeq does not fit the messages before", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.THROTTLED: Row("over the rate", _NONE, Advice.SLOW_DOWN),
    Symptom.PASSING_FAULT: Row("an internal error of the service", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.SIGNATURE_REFUSED: Row("the signature has expired or does not fit", _NONE, Advice.SIGN_AGAIN),
    Symptom.TOO_MANY_ITEMS: Row("too many items in one call", _NONE, Advice.SMALLER_BATCH),
    Symptom.ITEM_REFUSED: Row("a record is refused", _NONE, Advice.REJECT_ITEM),
    Symptom.MAYBE_THERE: Row("refused, or a member already", _UNKNOWN, Advice.READ_BACK),
    Symptom.MESSAGE_MISSING: Row(
        "a message to be changed or recalled is not there, or no longer in reach", _NONE, Advice.MISSING_MESSAGE
    ),
    Symptom.ACCOUNT_MISSING: Row("an account does not exist", _NONE, Advice.MISSING_ACCOUNT),
    Symptom.IS_THERE: Row("it is there already", _NONE, Advice.EXISTS),
    Symptom.CONVERSATION_REFUSED: Row("the conversation takes nothing", _NONE, Advice.STOP_CONVERSATION),
    Symptom.QUOTA_USED: Row("a quota of the plan is used up", _NONE, Advice.QUOTA),
    Symptom.RUN_REFUSED: Row("the app or the credentials are refused", _NONE, Advice.STOP_RUN),
    Symptom.UNLISTED_CODE: Row("a code that no page of the vendor lists", _UNKNOWN, Advice.REJECT_ITEM),
    Symptom.TOO_OLD: Row("older than the app's retention; nothing was sent", _NONE, Advice.TOO_OLD),
    Symptom.NOT_OFFERED: Row("ZIM has nothing of that kind; nothing was sent", _NONE, Advice.REJECT_ITEM),
}  # fmt: skip
"""Every symptom. Unknowns 1, 2 and 22 of the vendor's pages are the rows of unknown effect."""


WRITES: dict[str, Write] = {
    "UserRegister": Write("the user's id", "QueryUserInfos"),
    "ModifyUserInfo": Write("the user's id: the profile is set", "QueryUserInfos"),
    "CreateGroup": Write("", "QueryGroupInfo"),
    "InviteUsersIntoGroup": Write("the group and the user's id", "QueryGroupMemberList"),
    "ImportGroupMsg": Write("", "QueryGroupMsg"),
    "ImportPeerMsg": Write("", "QueryPeerMsg"),
    "ClearConversationUnread": Write("the user and the conversation: what is clear stays so", ""),
    "EditGroupMsgBody": Write("the group and MsgSeq: the text is replaced, not added", ""),
    "EditC2cMsgBody": Write("the user and MsgSeq: the text is replaced, not added", ""),
    "RevokeGroupMessage": Write("the group and MsgSeq: what is recalled stays so", "QueryGroupMsg"),
    "RevokePeerMessage": Write("the user and MsgSeq: what is recalled stays so", "QueryPeerMsg"),
    "UpdateGroupData": Write("the group's id: its profile is set", "QueryGroupInfo"),
    "TransferGroupOwner": Write("the group's id: its owner is set", "QueryGroupMemberList"),
    "SetGroupMemberRole": Write(
        "the group and the user's id: the role is set", "QueryGroupMemberList"
    ),
    "KickoutGroupUser": Write(
        "the group and the users' ids: who is no member counts as removed", "QueryGroupMemberList"
    ),
}
"""Every write. A repeated ``CreateGroup`` is answered like one for somebody else's group (660600011). A repeated
``InviteUsersIntoGroup`` adds nobody twice; what it says of those who are there is :attr:`Symptom.MAYBE_THERE`.

Source: the pages of the single Actions; that imports have no key is inferred: no page speaks of one.
"""


_OUTCOMES = OutcomeTable(TABLE, WRITES, APIS)
is_repeatable, effect_of = _OUTCOMES.is_repeatable, _OUTCOMES.effect_of
advice_for, failed = _OUTCOMES.advice_for, _OUTCOMES.failed
