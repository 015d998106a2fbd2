"""Reading group messages back, newest first.

Source: group_msg_get_simple page (1047/34971; 269/2738).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import msgspec

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.switches.group_messages import (
    EXPIRED_HISTORY,
    GROUP_PAGE_BYTES,
    PLACEHOLDER_ROW,
    RANDOM_SIGN,
)
from chat_sandbox.tencent_chat.switches.peer_messages import GROUP_CUSTOM_DATA_READ_BACK
from chat_sandbox.tencent_chat.timelines import stream_of
from chat_sandbox.tencent_chat.world import GroupMessage

MAX_ROWS = 20
NORMAL, PLACEHOLDER, RECALLED = 0, 1, 2
CUT, ALL_RETURNED, REST_EXPIRED = 0, 1, 2
PRIORITY_NORMAL = 2
TWO_TO_31, TWO_TO_32 = 1 << 31, 1 << 32


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer, and the messages below it if the page was cut."""

    rows: list[Body]
    is_cut: bool
    rest: list[GroupMessage]


def group_msg_get_simple(call: Call) -> Reply:
    """Return up to 20 messages with a seq of at most ``ReqMsgSeq``, newest first.

    ``IsFinished`` says whether everything asked for is here, not whether history ends.
    """
    group = call.group()
    stream = stream_of(call, group)
    wanted = fields.integer(call.body, "ReqMsgNumber")
    if wanted <= 0:
        raise RefusalError(fields.BAD_PARAMETER, "ReqMsgNumber is not positive")
    newest = fields.optional_integer(call.body, "ReqMsgSeq")
    messages = stream.store.messages
    end = len(messages)
    if newest is not None:
        end = bisect_right(messages, newest, key=lambda message: message.seq)
    page = _page(call, messages, end, wanted)
    finished = ALL_RETURNED
    if page.is_cut:
        all_expired = all(call.is_expired(message.time) for message in page.rest)
        finished = REST_EXPIRED if all_expired else CUT
    return {"GroupId": group.group_id, "IsFinished": finished, "RspMsgList": page.rows}


def as_sent(random: int, sign: str) -> int:
    """Return a random as the ``random_sign`` switch wants it read back."""
    return random - TWO_TO_32 if sign == "signed" and random >= TWO_TO_31 else random


def _page(call: Call, messages: list[GroupMessage], end: int, wanted: int) -> Page:
    hides_expired = call.switches[EXPIRED_HISTORY] == "hidden"
    with_recalled = call.body.get("WithRecalledMsg") == 1
    cap = int(call.switches[GROUP_PAGE_BYTES])
    rows: list[Body] = []
    size = 0
    for index in range(end - 1, -1, -1):
        message = messages[index]
        if message.recalled and not with_recalled:
            continue
        if hides_expired and call.is_expired(message.time):
            return Page(rows, is_cut=True, rest=messages[: index + 1])
        row = _row(call, message)
        size += len(msgspec.json.encode(row))
        is_full = len(rows) == MAX_ROWS or (size > cap and bool(rows))
        if is_full and len(rows) < wanted:
            return Page(rows, is_cut=True, rest=messages[: index + 1])
        if len(rows) == wanted:
            break
        rows.append(row)
    return Page(rows, is_cut=False, rest=[])


def _row(call: Call, message: GroupMessage) -> Body:
    expired = call.is_expired(message.time)
    place = RECALLED if message.recalled else PLACEHOLDER if expired else NORMAL
    bare = place == PLACEHOLDER and call.switches[PLACEHOLDER_ROW] == "bare"
    row: Body = {
        "From_Account": "" if bare else message.sender,
        "IsPlaceMsg": place,
        "MsgBody": message.body if place == NORMAL else [],
        "MsgPriority": PRIORITY_NORMAL,
        "MsgRandom": 0 if bare else as_sent(message.random, call.switches[RANDOM_SIGN]),
        "MsgSeq": message.seq,
        "MsgTimeStamp": 0 if bare else message.time,
    }
    if message.is_system:
        row["IsSystemMsg"] = 1
    shows_data = call.switches[GROUP_CUSTOM_DATA_READ_BACK] == "present"
    if shows_data and place == NORMAL and message.cloud_custom_data:
        row["CloudCustomData"] = message.cloud_custom_data
    return row
