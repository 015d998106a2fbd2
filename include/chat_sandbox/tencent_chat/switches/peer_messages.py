"""Switches of one-to-one messages, and of changing or recalling messages of both kinds."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

C2C_SIZE_BASIS: Switch[Literal["request", "msgbody", "elements"]] = Switch(
    name="c2c_size_basis",
    values=("request", "msgbody", "elements"),
    default="request",
    unknowns=("U12",),
    meaning="what importmsg measures: the whole JSON, MsgBody, or the elements' field lengths",
    reason="93000 is `JSON over 12 KB`; counted as compact UTF-8 JSON",
)
DUPLICATE_C2C_REPLY: Switch[Literal["ok", "90010"]] = Switch(
    name="duplicate_c2c_reply",
    values=("ok", "90010"),
    default="ok",
    unknowns=("U25",),
    meaning="the reply to an importmsg that the triple suppresses",
    reason="not described; suppressing sounds like success",
)
C2C_DEDUP_LIFETIME: Switch[Literal["durable", "five_minutes"]] = Switch(
    name="c2c_dedup_lifetime",
    values=("durable", "five_minutes"),
    default="durable",
    unknowns=("U25",),
    meaning="how long a triple suppresses a second import",
    reason="the page gives no time window",
)
SELF_CHAT: Switch[Literal["accept", "90012"]] = Switch(
    name="self_chat",
    values=("accept", "90012"),
    default="accept",
    unknowns=("U25",),
    meaning="whether From_Account may equal To_Account",
    reason="no page forbids it",
)
UNIMPORTED_C2C_SENDER: Switch[Literal["90048", "90008", "accept"]] = Switch(
    name="unimported_c2c_sender",
    values=("90048", "90008", "accept"),
    default="90048",
    unknowns=("U11",),
    meaning="an importmsg whose sender was never imported",
    reason="90048 is `account does not exist`; sister pages give 90008 that sense too",
)
C2C_OUT_OF_ORDER: Switch[Literal["accept", "90006"]] = Switch(
    name="c2c_out_of_order",
    values=("accept", "90006"),
    default="accept",
    unknowns=("U26",),
    meaning="whether a message older than the newest of its conversation can be imported",
    reason="the page asks for chronological import but forbids nothing",
)
C2C_MSG_KEY: Switch[Literal["triple", "opaque"]] = Switch(
    name="c2c_msg_key",
    values=("triple", "opaque"),
    default="triple",
    unknowns=("U41",),
    meaning="whether MsgKey of an imported message is `{MsgSeq}_{MsgRandom}_{MsgTimeStamp}`",
    reason="the sample of the roaming page looks so",
)
C2C_KEY_DIRECTION: Switch[Literal["strict", "either"]] = Switch(
    name="c2c_key_direction",
    values=("strict", "either"),
    default="strict",
    unknowns=("U41",),
    meaning="whether modify and withdraw find a message with From and To swapped",
    reason="the pages speak of the original sender",
)
MODIFY_IMPORTED: Switch[Literal["accept", "20026"]] = Switch(
    name="modify_imported",
    values=("accept", "20026"),
    default="accept",
    unknowns=("U35",),
    meaning="whether imported messages can be modified at all",
    reason="no page excludes them",
)
RECALL_IMPORTED: Switch[Literal["accept", "missing"]] = Switch(
    name="recall_imported",
    values=("accept", "missing"),
    default="accept",
    unknowns=("U35",),
    meaning="whether imported messages can be recalled; `missing` answers 10030, c2c 20022",
    reason="no page excludes them",
)
MODIFY_EXPIRED: Switch[Literal["20026", "ok_without_effect"]] = Switch(
    name="modify_expired",
    values=("20026", "ok_without_effect"),
    default="20026",
    unknowns=("U36",),
    meaning="modifying a message past retention",
    reason="an expired message no longer exists",
)
MODIFY_MISSING: Switch[Literal["20026", "10004", "ok_without_effect"]] = Switch(
    name="modify_missing",
    values=("20026", "10004", "ok_without_effect"),
    default="20026",
    unknowns=("U38",),
    meaning="modifying a message that is not there or was recalled",
    reason="20026 is listed for clients",
)
OVERSIZE_MODIFY: Switch[Literal["80002", "93000"]] = Switch(
    name="oversize_modify",
    values=("80002", "93000"),
    default="80002",
    unknowns=("U37",),
    meaning="code for a new MsgBody over the size limit",
    reason="not on the pages; the general table has both",
)
MODIFY_EMPTY: Switch[Literal["90001", "ok"]] = Switch(
    name="modify_empty",
    values=("90001", "ok"),
    default="90001",
    unknowns=("U38",),
    meaning="a modify with neither MsgBody nor CloudCustomData",
    reason="a request that asks for nothing is malformed",
)
GROUP_CUSTOM_DATA_READ_BACK: Switch[Literal["absent", "present"]] = Switch(
    name="group_custom_data_read_back",
    values=("absent", "present"),
    default="absent",
    unknowns=("U39",),
    meaning="whether rows of group_msg_get_simple carry CloudCustomData",
    reason="the row's field table has none",
)
MODIFY_TOUCHES: Switch[Literal["nothing", "unread"]] = Switch(
    name="modify_touches",
    values=("nothing", "unread"),
    default="nothing",
    unknowns=("U39", "U42"),
    meaning=(
        "what modifying or recalling a group message changes beside it; `unread` zeroes it for all"
    ),
    reason="no page names a side effect",
)
RECALLED_AGAIN: Switch[Literal["0", "10030"]] = Switch(
    name="recalled_again",
    values=("0", "10030"),
    default="0",
    unknowns=("U40",),
    meaning="RetCode for a group message that was recalled before",
    reason="one-to-one has a code that counts as done; groups have none",
)
RECALL_EXPIRED: Switch[Literal["10031", "10030"]] = Switch(
    name="recall_expired",
    values=("10031", "10030"),
    default="10031",
    unknowns=("U40",),
    meaning="RetCode for a group message past retention",
    reason="`roaming must still be valid`",
)
RECALL_TIP: Switch[Literal["10032", "10030", "0"]] = Switch(
    name="recall_tip",
    values=("10032", "10030", "0"),
    default="10032",
    unknowns=("U40",),
    meaning="RetCode for the seq of a tip; a 0 changes nothing",
    reason="10032 is `not recallable`",
)

TABLE = (
    C2C_SIZE_BASIS,
    DUPLICATE_C2C_REPLY,
    C2C_DEDUP_LIFETIME,
    SELF_CHAT,
    UNIMPORTED_C2C_SENDER,
    C2C_OUT_OF_ORDER,
    C2C_MSG_KEY,
    C2C_KEY_DIRECTION,
    MODIFY_IMPORTED,
    RECALL_IMPORTED,
    MODIFY_EXPIRED,
    MODIFY_MISSING,
    OVERSIZE_MODIFY,
    MODIFY_EMPTY,
    GROUP_CUSTOM_DATA_READ_BACK,
    MODIFY_TOUCHES,
    RECALLED_AGAIN,
    RECALL_EXPIRED,
    RECALL_TIP,
)
