"""Answers of Tencent Cloud Chat read into the core's words. Pure; nothing in an answer is trusted to be there.

A non-200 status, a body that is no JSON, and JSON without the expected items say nothing about whether the
operation took effect (unknowns U4, U6, U24), so they come back as failures of unknown effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from chat_migration.targets.base import (
    Done,
    Failure,
    Frontier,
    GroupAddress,
    ItemResult,
    Page,
    StoredMessage,
)
from chat_migration.targets.tencent_chat.codes import failure, no_answer
from chat_migration.targets.transport import NoReply, Reply

T = TypeVar("T")
Fields = dict[str, Any]

_MEMBER_FAILED, _MEMBER_ADDED, _MEMBER_THERE = 0, 1, 2
_WITHDRAWN, _PLACEHOLDER = 2, 1
_FLAG_WITHDRAWN = 8
_U32 = 0xFFFFFFFF
_MOST_SEQUENCE = 2**53
"""No group has more messages; a larger number is none."""


def read_envelope(api: str, reply: Reply | NoReply) -> Fields | Failure:
    """Return the answer's fields, or why it is no success."""
    if isinstance(reply, NoReply):
        return no_answer(api, reply.reason, sent=reply.sent)
    if reply.status != 200:
        return no_answer(api, f"the gateway answered with HTTP status {reply.status}", sent=True)
    try:
        fields = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return no_answer(api, "the answer is empty or no JSON", sent=True)
    code = fields.get("ErrorCode") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or isinstance(code, bool) or not isinstance(code, int):
        return no_answer(api, "the answer has no ErrorCode", sent=True)
    if abs(code) > _U32:
        return no_answer(api, "the answer has no ErrorCode", sent=True)
    if code != 0:
        return failure(api, code)
    if fields.get("ActionStatus") == "FAIL":
        return no_answer(api, "the answer says both FAIL and ErrorCode 0", sent=True)
    return fields


def _or_unexpected(api: str, read: Callable[[], T]) -> T | Failure:
    """Return what ``read`` makes of an answer, or a failure where the answer lacks what is expected."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration):
        return no_answer(api, "the answer lacks the expected items", sent=True)


def read_done(api: str, reply: Reply | NoReply) -> ItemResult:
    """Read the answer of a call that only succeeds or fails."""
    fields = read_envelope(api, reply)
    return fields if isinstance(fields, Failure) else Done()


def read_account_check(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> dict[str, bool] | Failure:
    """Read which accounts exist; an answer that leaves one out is none. Source: account_check (1047/34956)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> dict[str, bool]:
        states = {
            str(item["UserID"]): item["AccountStatus"] == "Imported"
            for item in fields["ResultItem"]
            if item.get("ResultCode", 0) == 0
        }
        return {account: states[account] for account in accounts}

    return _or_unexpected(api, read)


def read_account_import(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read which accounts failed; ``ErrorCode`` stays 0 then. Source: multiaccount_import (1047/34954)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields
    failed = fields.get("FailAccounts") or []
    if not isinstance(failed, list):
        return no_answer(api, "the answer lacks the expected items", sent=True)
    return [failure(api, 70402) if account in failed else Done() for account in accounts]


def read_members(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read each member's result: 0 failed, 1 added, 2 was there. Source: import_group_member (1047/34969)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> list[ItemResult]:
        results = {
            str(item["Member_Account"]): int(item["Result"]) for item in fields["MemberList"]
        }
        return [_member(api, results[account]) for account in accounts]

    return _or_unexpected(api, read)


def _member(api: str, result: int) -> ItemResult:
    if result == _MEMBER_ADDED:
        return Done()
    if result == _MEMBER_THERE:
        return Done(was_there=True)
    refused = failure(api, 10014)
    return msgspec.structs.replace(
        refused,
        code=result,
        text="the member was refused without a reason (join time, missing account, full group or a quota)",
    )


def read_group_messages(
    api: str, slots: Sequence[int], reply: Reply | NoReply, *, above: int
) -> list[ItemResult] | Failure:
    """Read each message's result by its position; anything that does not fit makes the whole unknown.

    ``above`` is the last confirmed sequence: an answer whose ``MsgSeq`` does not rise is not believed
    (unknown U6). Source: import_group_msg (1047/34968).
    """
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> list[ItemResult] | Failure:
        items = fields["ImportMsgResult"]
        if len(items) != len(slots):
            return no_answer(api, f"{len(items)} results for {len(slots)} messages", sent=True)
        results: list[ItemResult] = []
        last = above
        for item, slot in zip(items, slots, strict=True):
            if int(item["Result"]) != 0:
                results.append(failure(api, int(item["Result"]) & _U32))
                continue
            sequence = int(item["MsgSeq"])
            if not last < sequence <= _MOST_SEQUENCE or int(item.get("MsgTime", slot)) != slot:
                return no_answer(
                    api, "the results' MsgSeq or MsgTime do not fit the messages", sent=True
                )
            last = sequence
            results.append(Done(sequence=sequence))
        return results

    return _or_unexpected(api, read)


def read_frontiers(
    api: str, addresses: Sequence[GroupAddress], reply: Reply | NoReply
) -> list[Frontier] | Failure:
    """Read the state of groups; the top-level code means nothing here. Source: get_group_info (1047/34961)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> list[Frontier]:
        infos = {str(info["GroupId"]): info for info in fields["GroupInfo"]}
        return [_frontier(api, address, infos[address.group_id]) for address in addresses]

    return _or_unexpected(api, read)


def _frontier(api: str, address: GroupAddress, info: Fields) -> Frontier:
    code = int(info.get("ErrorCode", 0))
    if code != 0:
        gone = code in (10010, 10015)
        return Frontier(address=address, exists=False, failure=None if gone else failure(api, code))
    following = int(info["NextMsgSeq"])
    newest = int(info.get("LastMsgTime") or 0)
    return Frontier(
        address=address,
        exists=True,
        type=str(info.get("Type", "")),
        name=str(info.get("Name", "")),
        owner_id=str(info.get("Owner_Account", "")),
        created_s=int(info.get("CreateTime") or 0),
        newest_slot=newest if newest and following > 1 else None,
        next_sequence=following,
    )


def read_topics(
    api: str, addresses: Sequence[GroupAddress], reply: Reply | NoReply
) -> list[Frontier] | Failure:
    """Read the state of topics of one community. Source: get_topic (1047/78204)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> list[Frontier]:
        infos = {str(info["TopicId"]): info for info in _topic_infos(fields)}
        missing: Fields = {"ErrorCode": 10010}
        return [
            _frontier(api, address, infos.get(address.topic_id, missing)) for address in addresses
        ]

    return _or_unexpected(api, read)


def _topic_infos(fields: Fields) -> list[Fields]:
    """Return the topics of an answer. No page we have names the list; each item is flat or wraps its topic."""
    rows = next(value for value in fields.values() if isinstance(value, list))
    infos: list[Fields] = []
    for row in rows:
        wrapped = [
            value for value in row.values() if isinstance(value, dict) and "TopicId" in value
        ]
        infos += [{"ErrorCode": row.get("ErrorCode", 0), **each} for each in wrapped] or [row]
    return infos


def read_group_page(api: str, reply: Reply | NoReply, *, asked: int) -> Page | Failure:
    """Read messages, newest first. Source: group_msg_get_simple (1047/34971)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> Page:
        rows = fields["RspMsgList"] if "RspMsgList" in fields else fields["MsgList"]
        messages = tuple(_stored(row) for row in rows)
        oldest = min((each.sequence for each in messages), default=1)
        return Page(messages, more=bool(messages) and oldest > 1 and asked > 0)

    return _or_unexpected(api, read)


class RoamingPage(msgspec.Struct, frozen=True):
    """One-to-one messages of a stretch of time; ``cursor`` asks for older ones, None: there are none."""

    messages: tuple[StoredMessage, ...]
    cursor: tuple[int, str] | None


def read_roaming(api: str, reply: Reply | NoReply) -> RoamingPage | Failure:
    """Read one-to-one messages. Source: admin_getroammsg (1047/35478)."""
    fields = read_envelope(api, reply)
    if isinstance(fields, Failure):
        return fields

    def read() -> RoamingPage:
        messages = tuple(
            StoredMessage(
                sender=str(row["From_Account"]),
                slot=int(row["MsgTimeStamp"]),
                sequence=int(row["MsgSeq"]) & _U32,
                random=int(row["MsgRandom"]) & _U32,
                withdrawn=int(row.get("MsgFlagBits", 0)) == _FLAG_WITHDRAWN,
            )
            for row in fields["MsgList"]
        )
        done = int(fields["Complete"]) == 1 or not messages
        cursor = None if done else (int(fields["LastMsgTime"]), str(fields["LastMsgKey"]))
        return RoamingPage(messages, cursor)

    return _or_unexpected(api, read)


def _stored(row: Fields) -> StoredMessage:
    place = int(row.get("IsPlaceMsg", 0))
    return StoredMessage(
        sender=str(row.get("From_Account", "")),
        slot=int(row.get("MsgTimeStamp", 0)),
        sequence=int(row["MsgSeq"]),
        random=int(row.get("MsgRandom", 0)) & _U32,
        withdrawn=place == _WITHDRAWN,
        placeholder=place == _PLACEHOLDER,
    )
