"""Importing group messages: the request's form, then one verdict per message, then storing.

Source: import_group_msg page (1047/34968; 269/1635).
"""

from __future__ import annotations

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.elements import (
    ELEMENT_TYPES,
    GROUP_TYPES,
    checked_body,
    size_of,
)
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.group_verdicts import BAD_TIME, Incoming, Judge, Verdict
from chat_sandbox.tencent_chat.switches.group_messages import (
    BATCH_AFTER_FAILURE,
    CLOUD_CUSTOM_DATA_IN_GROUP,
    DEDUP_RESULT,
    FAILED_ITEM_SEQ,
    FAILED_ITEMS,
    GROUP_SIZE_BASIS,
    MEDIA_IN_GROUP,
    MESSAGE_BYTES,
    OVERSIZE_GROUP_MESSAGE,
    TOP_LEVEL_WHEN_ALL_FAIL,
    TOPIC_RESETS_GROUP_UNREAD,
    UNREAD_ZEROED_BY,
    ZERO_RANDOM,
)
from chat_sandbox.tencent_chat.timelines import Stream, stream_of, zero_unread
from chat_sandbox.tencent_chat.world import GroupMessage, Recent

MAX_MESSAGES = 7


def import_group_msg(call: Call) -> Reply:
    """Store up to 7 past messages, oldest first; each answers MsgSeq, MsgTime and Result.

    Members' unread becomes 0. Nothing is stored when the request itself is refused.
    """
    group = call.group()
    stream = stream_of(call, group)
    rows = fields.objects(call.body, "MsgList")
    if len(rows) > MAX_MESSAGES:
        raise RefusalError(fields.BAD_PARAMETER, f"MsgList has more than {MAX_MESSAGES} messages")
    if fields.optional_integer(call.body, "RecentContactFlag") not in {None, 0, 1}:
        raise RefusalError(fields.BAD_PARAMETER, "RecentContactFlag is 0 or 1")
    verdicts = _judged(call, stream, [_incoming(call, row) for row in rows])
    for verdict in verdicts:
        if verdict.to_remember is not None:
            _store(call, stream, verdict, verdict.to_remember)
        elif verdict.seq and not verdict.is_duplicate:
            stream.counter.last_seq = stream.store.last_seq = verdict.seq
    stored = any(verdict.to_remember is not None for verdict in verdicts)
    _zero_unread(call, stream, stored=stored)
    return _reply(call.switches, verdicts)


def _incoming(call: Call, row: Body) -> Incoming:
    switches = call.switches
    media = switches[MEDIA_IN_GROUP] == "accept"
    allowed = frozenset(ELEMENT_TYPES) if media else GROUP_TYPES
    random = fields.optional_integer(row, "Random", u32=True)
    if random == 0 and switches[ZERO_RANDOM] == "replace":
        random = None
    custom_data = fields.optional_text(row, "CloudCustomData")
    position = switches[CLOUD_CUSTOM_DATA_IN_GROUP]
    if custom_data is not None and position == "reject":
        raise RefusalError(fields.BAD_PARAMETER, "CloudCustomData is not supported here")
    sender = fields.text(row, "From_Account")
    send_time = fields.integer(row, "SendTime")
    body = checked_body(row.get("MsgBody"), allowed, switches, code=fields.BAD_PARAMETER)
    oversize = size_of(body, switches[GROUP_SIZE_BASIS]) > int(switches[MESSAGE_BYTES])
    if oversize and switches[OVERSIZE_GROUP_MESSAGE] == "request_10020":
        raise RefusalError(10020)
    return Incoming(
        sender=sender,
        send_time=send_time,
        random=random,
        body=body,
        cloud_custom_data=(custom_data or "") if position == "store" else "",
        is_oversize=oversize,
    )


def _judged(call: Call, stream: Stream, incoming: list[Incoming]) -> list[Verdict]:
    """Return a verdict per message, as the switch on what follows a failure wants it."""
    judge = Judge(call, stream)
    position = call.switches[BATCH_AFTER_FAILURE]
    verdicts: list[Verdict] = []
    failed = False
    for index, message in enumerate(incoming):
        if failed and position == "stop":
            verdicts.append(judge.fail(message, BAD_TIME))
            continue
        is_last_of_several = len(incoming) > 1 and index == len(incoming) - 1
        verdict = judge.judge(message, is_last_of_several=is_last_of_several)
        failed = failed or verdict.result != 0
        verdicts.append(verdict)
    if failed and position == "atomic":
        return [Verdict(message=message, result=BAD_TIME) for message in incoming]
    return verdicts


def _store(call: Call, stream: Stream, verdict: Verdict, recent: Recent) -> None:
    message = verdict.message
    stream.append(
        GroupMessage(
            seq=verdict.seq,
            sender=message.sender,
            random=verdict.random,
            time=message.send_time,
            body=message.body,
            cloud_custom_data=message.cloud_custom_data,
        )
    )
    call.world.recent.setdefault(verdict.random, []).append(recent)
    member = stream.group.members.get(message.sender)
    if member is not None:
        member.last_send_time = max(member.last_send_time, message.send_time)


def _zero_unread(call: Call, stream: Stream, *, stored: bool) -> None:
    if not stored and call.switches[UNREAD_ZEROED_BY] == "stored_message":
        return
    zero_unread(stream.store)
    if stream.topic is not None and call.switches[TOPIC_RESETS_GROUP_UNREAD] == "yes":
        zero_unread(stream.group.timeline)


def _reply(switches: SwitchBoard, verdicts: list[Verdict]) -> Reply:
    listed = [verdict for verdict in verdicts if _is_listed(switches, verdict)]
    reply: Reply = {"ImportMsgResult": [_item(switches, verdict) for verdict in listed]}
    code = switches[TOP_LEVEL_WHEN_ALL_FAIL]
    if code != "ok" and all(verdict.result != 0 for verdict in verdicts):
        reply |= {"ActionStatus": "FAIL", "ErrorCode": int(code), "ErrorInfo": "no item stored"}
    return reply


def _is_listed(switches: SwitchBoard, verdict: Verdict) -> bool:
    if verdict.is_duplicate:
        return switches[DEDUP_RESULT] != "omitted"
    return verdict.result == 0 or switches[FAILED_ITEMS] == "listed"


def _item(switches: SwitchBoard, verdict: Verdict) -> Body:
    item = {"MsgTime": verdict.message.send_time, "Result": verdict.result}
    if verdict.result != 0 and switches[FAILED_ITEM_SEQ] == "absent":
        return item
    return {"MsgSeq": verdict.seq, **item}
