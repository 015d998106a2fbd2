"""Answers of Tencent Cloud Chat read into the core's words. Pure; nothing in an answer is trusted to be there.

What is not as the vendor's page says is a symptom; ``outcomes`` tells what it means. The answers to writes are
read strictly: a result that is ``false`` or ``"0"`` is no result of 0. What was written earlier and is read back
may come in another form, such as a number as text, and is then still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import field

from chat_migration.model import JoinPolicy, Role
from chat_migration.targets.base import (
    Done,
    Failure,
    Frontier,
    GroupAddress,
    ItemResult,
    MemberPage,
    Page,
    StoredMember,
    StoredMessage,
    StoredProfile,
)
from chat_migration.targets.tencent_chat.codes import failure
from chat_migration.targets.tencent_chat.outcomes import Symptom, failed
from chat_migration.targets.transport import TOO_MANY_REQUESTS, NoReply, Reply

A = TypeVar("A")
T = TypeVar("T")
K = TypeVar("K", str, int)
Fields = dict[str, Any]

_MEMBER_FAILED, _MEMBER_ADDED, _MEMBER_THERE = 0, 1, 2
_PLACEHOLDER, _WITHDRAWN = 1, 2
_REST_EXPIRED = 2
"""Of ``IsFinished``: the answer was cut, and all that is missing has expired."""
_FLAG_WITHDRAWN = 8
_U32 = 0xFFFFFFFF
_MOST = 2**53
_Code = Annotated[int, msgspec.Meta(ge=-_U32, le=_U32)]
_Number = Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
"""No sequence and no time is larger; what is larger is none."""
_GONE = frozenset((10010, 10015, 110003))
"""Codes of a group or topic that is not there."""


# --- every answer -------------------------------------------------------------------------------


class _UnbelievableError(Exception):
    """An answer of code 0 cannot be what it says."""

    def __init__(self, symptom: Symptom, text: str = "") -> None:
        super().__init__(symptom)
        self.symptom, self.text = symptom, text


def read_envelope(api: str, reply: Reply | NoReply, *, or_items: str = "") -> Fields | Failure:
    """Return the answer's fields, or why it is no success.

    Where ``or_items`` names a list that the answer holds, its items tell of themselves: the code does not count.
    """
    fields = _fields(api, reply)
    if isinstance(fields, Failure) or (or_items and isinstance(fields.get(or_items), list)):
        return fields
    code = fields.get("ErrorCode")
    if isinstance(code, bool) or not isinstance(code, int) or abs(code) > _U32:
        return failed(api, Symptom.NO_CODE)
    if code != 0:
        return failure(api, code)
    if fields.get("ActionStatus") == "FAIL":
        return failed(api, Symptom.CONTRADICTION)
    return fields


def _fields(api: str, reply: Reply | NoReply) -> Fields | Failure:
    if isinstance(reply, NoReply):
        return failed(api, Symptom.NO_REPLY if reply.sent else Symptom.NOT_SENT, reply.reason)
    if reply.status != 200:
        status = f"the gateway answered with HTTP status {reply.status}"
        told = failed(api, Symptom.HTTP_STATUS, status)
        return msgspec.structs.replace(told, slows=reply.status == TOO_MANY_REQUESTS)
    try:
        fields = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return failed(api, Symptom.NO_JSON)
    return fields if isinstance(fields, dict) else failed(api, Symptom.NO_CODE)


def _read(
    api: str,
    reply: Reply | NoReply,
    form: type[A],
    read: Callable[[A], T],
    *,
    strict: bool = True,
    or_items: str = "",
) -> T | Failure:
    """Return what ``read`` makes of an answer of some form, or why it is no success or not to be believed."""
    fields = read_envelope(api, reply, or_items=or_items)
    if isinstance(fields, Failure):
        return fields
    try:
        return read(msgspec.convert(fields, form, strict=strict))
    except msgspec.ValidationError:
        return failed(api, Symptom.ITEMS_MISSING)
    except _UnbelievableError as found:
        return failed(api, found.symptom, found.text)


def _by_name(items: Iterable[tuple[K, T]], asked: Sequence[K]) -> list[T]:
    """Return items in the order in which they were asked for: each of them once, and no other."""
    rows = list(items)
    found = dict(rows)
    if len(rows) != len(asked):
        counts = f"{len(rows)} results for {len(asked)} asked for"
        raise _UnbelievableError(Symptom.ITEMS_MISCOUNTED, counts)
    if set(found) != set(asked):
        raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
    return [found[name] for name in asked]


def read_done(api: str, reply: Reply | NoReply) -> ItemResult:
    """Read the answer of a call that only succeeds or fails."""
    fields = read_envelope(api, reply)
    return fields if isinstance(fields, Failure) else Done()


# --- accounts and members -----------------------------------------------------------------------


class _CheckedAccount(msgspec.Struct):
    name: str = field(name="UserID")
    status: str = field(name="AccountStatus")
    code: _Code = field(name="ResultCode", default=0)


class _CheckedAccounts(msgspec.Struct):
    items: list[_CheckedAccount] = field(name="ResultItem")


def read_account_check(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> dict[str, bool] | Failure:
    """Read which accounts exist; an answer that leaves one out is none. Source: account_check (1047/34956)."""

    def read(answer: _CheckedAccounts) -> dict[str, bool]:
        items = _by_name(((each.name, each) for each in answer.items), accounts)
        if any(each.code != 0 or each.status not in ("Imported", "NotImported") for each in items):
            raise _UnbelievableError(Symptom.ITEMS_MISSING)
        return {each.name: each.status == "Imported" for each in items}

    return _read(api, reply, _CheckedAccounts, read)


class _FailedAccounts(msgspec.Struct):
    names: list[str] | None = field(name="FailAccounts", default=None)


def read_account_import(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read which accounts failed; ``ErrorCode`` stays 0 then. Source: multiaccount_import (1047/34954)."""

    def read(answer: _FailedAccounts) -> list[ItemResult]:
        names = set(answer.names or ())
        if not names <= set(accounts):
            raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
        return [failure(api, 70402) if each in names else Done() for each in accounts]

    return _read(api, reply, _FailedAccounts, read)


class _AddedMember(msgspec.Struct):
    name: str = field(name="Member_Account")
    result: _Code = field(name="Result")


class _AddedMembers(msgspec.Struct):
    items: list[_AddedMember] = field(name="MemberList")


def read_members(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read each member's result: 0 failed, 1 added, 2 was there. Source: import_group_member (1047/34969)."""

    def read(answer: _AddedMembers) -> list[ItemResult]:
        items = _by_name(((each.name, each) for each in answer.items), accounts)
        return [_member(api, each.result) for each in items]

    return _read(api, reply, _AddedMembers, read)


def _member(api: str, result: int) -> ItemResult:
    if result == _MEMBER_ADDED:
        return Done()
    if result == _MEMBER_THERE:
        return Done(was_there=True)
    if result != _MEMBER_FAILED:
        return failed(api, Symptom.UNLISTED_CODE, code=result)
    text = "the member was refused without a reason (join time, missing account, full group or a quota)"
    return failed(api, Symptom.ITEM_REFUSED, text, code=result)


# --- group messages -----------------------------------------------------------------------------


class _SentMessage(msgspec.Struct):
    result: _Code = field(name="Result")
    sequence: _Number | None = field(name="MsgSeq", default=None)
    slot: _Number | None = field(name="MsgTime", default=None)


class _SentMessages(msgspec.Struct):
    items: list[_SentMessage] = field(name="ImportMsgResult")


def read_group_messages(
    api: str, slots: Sequence[int], reply: Reply | NoReply, *, above: int
) -> list[ItemResult] | Failure:
    """Read each message's result by its position; anything that does not fit makes the whole unknown.

    ``above`` is the last confirmed sequence: an answer whose ``MsgSeq`` does not rise is not believed
    (unknown U6). Source: import_group_msg (1047/34968).
    """

    def read(answer: _SentMessages) -> list[ItemResult]:
        if len(answer.items) != len(slots):
            counts = f"{len(answer.items)} results for {len(slots)} messages"
            raise _UnbelievableError(Symptom.ITEMS_MISCOUNTED, counts)
        last = above
        results: list[ItemResult] = []
        for item, slot in zip(answer.items, slots, strict=True):
            if item.result != 0:
                results.append(failure(api, item.result))
                continue
            last = _rising(item, slot, above=last)
            results.append(Done(sequence=last))
        return results

    return _read(api, reply, _SentMessages, read)


def _rising(item: _SentMessage, slot: int, *, above: int) -> int:
    if item.sequence is None:
        raise _UnbelievableError(Symptom.ITEMS_MISSING)
    if not above < item.sequence or item.slot not in (None, slot):
        raise _UnbelievableError(Symptom.SEQUENCE_NOT_RISING)
    return item.sequence


class _Recalled(msgspec.Struct):
    sequence: _Number = field(name="MsgSeq")
    code: _Code = field(name="RetCode")


class _RecalledList(msgspec.Struct):
    items: list[_Recalled] = field(name="RecallRetList")


def read_recalls(
    api: str, sequences: Sequence[int], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read what became of each message, by its ``MsgSeq``; the code of the answer says nothing of them.

    Source: group_msg_recall (1047/34965).
    """

    def read(answer: _RecalledList) -> list[ItemResult]:
        items = _by_name(((each.sequence, each) for each in answer.items), sequences)
        return [failure(api, each.code) if each.code else Done() for each in items]

    return _read(api, reply, _RecalledList, read)


# --- reading back -------------------------------------------------------------------------------


class _State(msgspec.Struct):
    """A group or a topic."""

    group_id: str = field(name="GroupId", default="")
    topic_id: str = field(name="TopicId", default="")
    code: _Code = field(name="ErrorCode", default=0)
    type: str = field(name="Type", default="")
    name: str = field(name="Name", default="")
    owner_id: str | None = field(name="Owner_Account", default=None)
    created_s: _Number | None = field(name="CreateTime", default=None)
    newest_slot: _Number | None = field(name="LastMsgTime", default=None)
    next_sequence: _Number | None = field(name="NextMsgSeq", default=None)


class _Groups(msgspec.Struct):
    items: list[_State] = field(name="GroupInfo")


def read_frontiers(
    api: str, addresses: Sequence[GroupAddress], reply: Reply | NoReply
) -> list[Frontier] | Failure:
    """Read the state of groups; the code of the whole answer means nothing beside theirs.

    Source: get_group_info (1047/34961).
    """

    def read(answer: _Groups) -> list[Frontier]:
        states = _by_name(
            ((each.group_id, each) for each in answer.items),
            [address.group_id for address in addresses],
        )
        return [_frontier(api, *each) for each in zip(addresses, states, strict=True)]

    return _read(api, reply, _Groups, read, strict=False, or_items="GroupInfo")


def _frontier(api: str, address: GroupAddress, state: _State) -> Frontier:
    if state.code != 0:
        told = None if state.code in _GONE else failure(api, state.code)
        return Frontier(address=address, exists=False, failure=told)
    if state.next_sequence is None:
        raise _UnbelievableError(Symptom.ITEMS_MISSING)
    has_messages = state.next_sequence > 1
    return Frontier(
        address=address,
        exists=True,
        type=state.type,
        name=state.name,
        owner_id=state.owner_id or "",
        created_s=state.created_s or 0,
        newest_slot=(state.newest_slot or None) if has_messages else None,
        next_sequence=state.next_sequence,
    )


class _Profile(_State):
    """A group with its profile."""

    introduction: str | None = field(name="Introduction", default=None)
    notification: str | None = field(name="Notification", default=None)
    avatar_url: str | None = field(name="FaceUrl", default=None)
    max_members: _Number | None = field(name="MaxMemberNum", default=None)
    join: str | None = field(name="ApplyJoinOption", default=None)


class _Profiles(msgspec.Struct):
    items: list[_Profile] = field(name="GroupInfo")


def read_profile(api: str, group_id: str, reply: Reply | NoReply) -> StoredProfile | Failure:
    """Read the profile of one group. Source: get_group_info (1047/34961)."""

    def read(answer: _Profiles) -> StoredProfile:
        (state,) = _by_name(((each.group_id, each) for each in answer.items), [group_id])
        found = _frontier(api, GroupAddress(group_id), state)
        return StoredProfile(
            exists=found.exists,
            name=found.name,
            introduction=state.introduction or "",
            notification=state.notification or "",
            avatar_url=state.avatar_url or "",
            max_members=state.max_members,
            join=_JOIN_OPTIONS.get(state.join or ""),
            owner_id=found.owner_id,
            newest_slot=found.newest_slot,
            next_sequence=found.next_sequence,
            failure=found.failure,
        )

    return _read(api, reply, _Profiles, read, strict=False, or_items="GroupInfo")


_JOIN_OPTIONS: dict[str, JoinPolicy] = {
    "FreeAccess": "free",
    "NeedPermission": "approval",
    "DisableApply": "closed",
}


def read_topics(
    api: str, addresses: Sequence[GroupAddress], reply: Reply | NoReply
) -> list[Frontier] | Failure:
    """Read the state of topics of one community, each of which must be told of. Source: get_topic (1047/78204)."""

    def read(answer: Fields) -> list[Frontier]:
        states = _by_name(
            ((each.topic_id, each) for each in _topics(answer)),
            [address.topic_id for address in addresses],
        )
        return [_frontier(api, *each) for each in zip(addresses, states, strict=True)]

    return _read(api, reply, Fields, read, strict=False)


def _topics(fields: Fields) -> list[_State]:
    """Return the topics of an answer. No page we have names the list; each item is flat or wraps its topic."""
    rows = next((value for value in fields.values() if isinstance(value, list)), None)
    flat: list[Fields] = []
    for row in msgspec.convert(rows, list[Fields]):
        wrapped = [
            value for value in row.values() if isinstance(value, dict) and "TopicId" in value
        ]
        flat += [{"ErrorCode": row.get("ErrorCode", 0), **each} for each in wrapped] or [row]
    return msgspec.convert(flat, list[_State], strict=False)


class _Stored(msgspec.Struct):
    """A message of a group."""

    sequence: _Number = field(name="MsgSeq")
    sender: str | None = field(name="From_Account", default="")
    slot: _Number = field(name="MsgTimeStamp", default=0)
    random: _Number = field(name="MsgRandom", default=0)
    place: _Number = field(name="IsPlaceMsg", default=0)


class _Pulled(msgspec.Struct):
    sample_items: list[_Stored] | None = field(name="RspMsgList", default=None)
    table_items: list[_Stored] | None = field(name="MsgList", default=None)
    """The page's sample and its table of fields name the list differently."""
    finished: _Number | None = field(name="IsFinished", default=None)


def read_group_page(
    api: str, reply: Reply | NoReply, *, asked: int, above: int = 0
) -> Page | Failure:
    """Read messages, newest first; older ones follow while their sequences are greater than ``above``.

    Source: group_msg_get_simple (1047/34971).
    """

    def read(answer: _Pulled) -> Page:
        items = answer.table_items if answer.sample_items is None else answer.sample_items
        if items is None:
            raise _UnbelievableError(Symptom.ITEMS_MISSING)
        messages = tuple(_stored(each) for each in items)
        oldest = min((each.sequence for each in messages), default=1)
        return Page(
            messages,
            cursor=str(oldest - 1) if messages and asked > 0 and oldest > max(above, 0) + 1 else "",
            rest_expired=answer.finished == _REST_EXPIRED,
        )

    return _read(api, reply, _Pulled, read, strict=False)


def _stored(row: _Stored) -> StoredMessage:
    if row.sender is None and row.place != _PLACEHOLDER:
        # Nobody could tell whose it is; of an expired message nothing but its number may be left.
        raise _UnbelievableError(Symptom.ITEMS_MISSING)
    return StoredMessage(
        sender=row.sender or "",
        slot=row.slot,
        sequence=row.sequence,
        random=row.random & _U32,
        withdrawn=row.place == _WITHDRAWN,
        placeholder=row.place == _PLACEHOLDER,
    )


class _Roaming(msgspec.Struct):
    """A one-to-one message."""

    sender: str = field(name="From_Account")
    slot: _Number = field(name="MsgTimeStamp")
    sequence: _Number = field(name="MsgSeq")
    random: _Number = field(name="MsgRandom")
    flags: _Number = field(name="MsgFlagBits", default=0)
    key: str | None = field(name="MsgKey", default=None)


class _Roamed(msgspec.Struct):
    items: list[_Roaming] = field(name="MsgList")
    complete: _Number = field(name="Complete")
    last_slot: _Number | None = field(name="LastMsgTime", default=None)
    last_key: str | None = field(name="LastMsgKey", default=None)


def read_roaming(api: str, reply: Reply | NoReply) -> Page | Failure:
    """Read one-to-one messages. Source: admin_getroammsg (1047/35478)."""

    def read(answer: _Roamed) -> Page:
        messages = tuple(
            StoredMessage(
                sender=each.sender,
                slot=each.slot,
                sequence=each.sequence & _U32,
                random=each.random & _U32,
                withdrawn=each.flags == _FLAG_WITHDRAWN,
                key=each.key or "",
            )
            for each in answer.items
        )
        if answer.complete == 1 or not messages:
            return Page(messages)
        if answer.last_slot is None or answer.last_key is None:
            raise _UnbelievableError(Symptom.ITEMS_MISSING)
        return Page(messages, f"{answer.last_slot} {answer.last_key}")

    return _read(api, reply, _Roamed, read, strict=False)


class _ListedMember(msgspec.Struct):
    """A member of a group."""

    name: str = field(name="Member_Account")
    role: str | None = field(name="Role", default=None)
    read_sequence: _Number | None = field(name="MsgSeq", default=None)


class _ListedMembers(msgspec.Struct):
    items: list[_ListedMember] | None = field(name="MemberList", default=None)
    count: _Number | None = field(name="MemberNum", default=None)
    next: str = field(name="Next", default="")


def read_member_list(
    api: str, reply: Reply | NoReply, *, offset: int | None
) -> MemberPage | Failure:
    """Read members, and what asks for the next ones. Source: get_group_member_info (1047/34948).

    ``offset`` is how many members the pages before held; None for a community, whose answers hold a cursor.
    """

    def read(answer: _ListedMembers) -> MemberPage:
        if answer.items is None and answer.count != 0:
            raise _UnbelievableError(Symptom.ITEMS_MISSING)
        members = tuple(
            StoredMember(
                account_id=each.name,
                role=_ROLES.get((each.role or "").lower(), "member"),
                read_sequence=each.read_sequence,
            )
            for each in answer.items or ()
        )
        if offset is None:
            return MemberPage(members, answer.next if members else "")
        if answer.count is None:
            raise _UnbelievableError(Symptom.ITEMS_MISSING)
        reached = offset + len(members)
        return MemberPage(members, str(reached) if members and reached < answer.count else "")

    return _read(api, reply, _ListedMembers, read, strict=False)


_ROLES: dict[str, Role] = {"owner": "owner", "admin": "admin"}

# The first use of a form prepares it, and two threads that do so at once crash the process (msgspec 0.22).
for _form in [each for each in vars().values() if isinstance(each, type)]:
    if issubclass(_form, msgspec.Struct):
        msgspec.json.Decoder(_form)
