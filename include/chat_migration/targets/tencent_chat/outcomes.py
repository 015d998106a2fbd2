"""What a call that did not plainly succeed has done, and what follows: the table that the code is.

Three questions are answered here, and nowhere else:

1. What was seen? One :class:`Symptom` for everything that the network, a gateway or an answer can show. Codes
   of the vendor become symptoms in ``codes``.
2. What does that say? :data:`TABLE` gives for each symptom whether a *write* may have taken effect, and what
   follows. A read has no effect whatever is seen.
3. Does doing it again cost anything? :data:`WRITES` names for each write the key by which the service knows a
   repeat. With one, a passing fault is repeated; without one, the target is read back first.

The only answer with a certain effect is code 0 whose items fit what was sent: it is ``Done``, not in this table.
``docs/unknown-outcomes.md`` shows all of it for people.
"""

from __future__ import annotations

import enum

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.outcome_table import OutcomeTable, Row, Write
from chat_migration.targets.tencent_chat.limits import APIS


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
    SIGNATURE_EXPIRED = "signature_expired"
    LOCKED = "locked"
    TOO_MANY_ITEMS = "too_many_items"
    TIME_REFUSED = "time_refused"
    ITEM_REFUSED = "item_refused"
    MESSAGE_MISSING = "message_missing"
    ACCOUNT_MISSING = "account_missing"
    IS_THERE = "is_there"
    CONVERSATION_REFUSED = "conversation_refused"
    QUOTA_USED = "quota_used"
    RUN_REFUSED = "run_refused"
    UNLISTED_CODE = "unlisted_code"


_NONE, _UNKNOWN = Effect.NONE, Effect.UNKNOWN

TABLE: dict[Symptom, Row] = {
    Symptom.NOT_SENT: Row("the request was never sent", _NONE, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_REPLY: Row("no whole reply came in time", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.HTTP_STATUS: Row("the HTTP status is not 200", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_JSON: Row("the answer is empty or no JSON", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.NO_CODE: Row("the answer has no ErrorCode", _UNKNOWN, Advice.TRY_AGAIN, answered=False),
    Symptom.CONTRADICTION: Row("the answer says both FAIL and ErrorCode 0", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_MISSING: Row("the expected items are missing or malformed", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_MISCOUNTED: Row("the answer has more or fewer items than were sent", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.ITEMS_OF_OTHERS: Row("the answer's items name other things than were sent", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.SEQUENCE_NOT_RISING: Row("MsgSeq or MsgTime do not fit the messages", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.THROTTLED: Row("over the rate", _NONE, Advice.SLOW_DOWN),
    Symptom.PASSING_FAULT: Row("an internal error or a timeout of the service", _UNKNOWN, Advice.TRY_AGAIN),
    Symptom.SIGNATURE_EXPIRED: Row("the UserSig has expired", _NONE, Advice.SIGN_AGAIN),
    Symptom.LOCKED: Row("locked after failed signatures", _NONE, Advice.WAIT_LOCKED),
    Symptom.TOO_MANY_ITEMS: Row("too many items in one call", _NONE, Advice.SMALLER_BATCH),
    Symptom.TIME_REFUSED: Row("the send time is refused", _NONE, Advice.LATE),
    Symptom.ITEM_REFUSED: Row("a record is refused", _NONE, Advice.REJECT_ITEM),
    Symptom.MESSAGE_MISSING: Row(
        "a message to be changed or recalled is not there, or no longer in reach", _NONE, Advice.MISSING_MESSAGE
    ),
    Symptom.ACCOUNT_MISSING: Row("an account does not exist", _NONE, Advice.MISSING_ACCOUNT),
    Symptom.IS_THERE: Row("it is there already", _NONE, Advice.EXISTS),
    Symptom.CONVERSATION_REFUSED: Row("the conversation takes nothing", _NONE, Advice.STOP_CONVERSATION),
    Symptom.QUOTA_USED: Row("a quota may be used up", _NONE, Advice.QUOTA),
    Symptom.RUN_REFUSED: Row("the app or the credentials are refused", _NONE, Advice.STOP_RUN),
    Symptom.UNLISTED_CODE: Row("a code that no page of the vendor lists", _UNKNOWN, Advice.STOP_CONVERSATION),
}  # fmt: skip
"""Every symptom. Unknowns U4, U6 and U24 of the vendor's pages are the rows of unknown effect."""


WRITES: dict[str, Write] = {
    "multiaccount_import": Write("the account's id", "account_check"),
    "import_group": Write("", "get_group_info"),
    "import_topic": Write("", "get_topic"),
    "import_group_member": Write("the group and the account's id", ""),
    "import_group_msg": Write("", "group_msg_get_simple"),
    "importmsg": Write("the triple MsgSeq, MsgRandom, MsgTimeStamp", "admin_getroammsg"),
    "modify_group_msg": Write("the group and MsgSeq: the text is replaced, not added", ""),
    "group_msg_recall": Write(
        "the group and MsgSeq: what is recalled stays so", "group_msg_get_simple"
    ),
    "modify_c2c_msg": Write("MsgKey: the text is replaced, not added", ""),
    "admin_msgwithdraw": Write("MsgKey: what is withdrawn stays so", "admin_getroammsg"),
    "set_unread_msg_num": Write("the group and the account's id: the number is set, not added", ""),
    "modify_group_base_info": Write("the group's id: its profile is set", "get_group_info"),
    "modify_group_member_info": Write("the group and the account's id: the role is set", ""),
    "change_group_owner": Write("the group's id: its owner is set", "get_group_info"),
    "delete_group_member": Write(
        "the group and the accounts' ids: who is no member counts as removed", ""
    ),
}
"""Every write. ``import_group_msg`` knows equal ``Random`` for five minutes only (1047/34968); a repeated
``import_group`` or ``import_topic`` is answered like one for somebody else's group (10021).

Source: multiaccount_import (1047/34954), import_group (1047/34967), import_topic (1047/53448),
import_group_member (1047/34969), importmsg (1047/35014), set_unread_msg_num (1047/34909), modify_group_msg
(1047/47948), modify_c2c_msg (1047/47722), group_msg_recall (1047/34965), admin_msgwithdraw (1047/35015),
modify_group_base_info (1047/34962), modify_group_member_info (1047/34900), change_group_owner (1047/34966),
delete_group_member (1047/34949).
"""


_OUTCOMES = OutcomeTable(TABLE, WRITES, APIS)
is_repeatable, effect_of = _OUTCOMES.is_repeatable, _OUTCOMES.effect_of
advice_for, failed = _OUTCOMES.advice_for, _OUTCOMES.failed
