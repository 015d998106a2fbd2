"""Answers of ZIM read into the core's words. Pure; nothing in an answer is trusted to be there.

What is not as the vendor's page says is a symptom; ``outcomes`` tells what it means. The answers to writes are
read strictly: a result that is ``false`` or ``"0"`` is no result of 0. Elsewhere numbers may be written as texts, as
``MsgId`` is, a number beyond 2^53, in some of the answers: it is kept as text, digit by digit.

``Code`` 0 alone does not prove that every item of a list was done: the failed ones are listed. ``Code`` other than 0
beside a list means that all of them failed, and the list says how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import field

from chat_migration.model import Role
from chat_migration.targets.base import (
    Advice,
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
from chat_migration.targets.transport import TOO_MANY_REQUESTS, NoReply, Reply
from chat_migration.targets.zego_zim.codes import (
    GROUP_MISSING,
    NOT_IN_GROUP,
    USER_EXISTS,
    failure,
)
from chat_migration.targets.zego_zim.markers import is_cut, read_mark
from chat_migration.targets.zego_zim.outcomes import Symptom, failed

A = TypeVar("A")
T = TypeVar("T")
Fields = dict[str, Any]

_NOT_EMPTY, _GONE, _RECALLED = 0, 1, 2
"""Values of ``IsEmpty``: deleted or past the retention, or recalled."""
_U32 = 0xFFFFFFFF
_MOST = 2**53
_Code = Annotated[int, msgspec.Meta(ge=-_U32, le=_U32)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
"""No sequence and no time is larger; what is larger is none."""
_Cursor = Annotated[int, msgspec.Meta(ge=0)] | str
"""What asks for the next page: opaque, so of any size and form; 0 ends."""


# --- every answer -------------------------------------------------------------------------------


class _UnbelievableError(Exception):
    """An answer cannot be what it says."""

    def __init__(self, symptom: Symptom, text: str = "") -> None:
        super().__init__(symptom)
        self.symptom, self.text = symptom, text


def read_envelope(api: str, reply: Reply | NoReply, *, or_items: str = "") -> Fields | Failure:
    """Return the answer's fields, or why it is no success.

    Where ``or_items`` names a list and it has items, those tell what happened: the answer is handed on whatever
    its ``Code`` is.
    """
    fields = _fields(api, reply)
    if isinstance(fields, Failure):
        return fields
    code = fields.get("Code")
    if isinstance(code, bool) or not isinstance(code, int) or abs(code) > _U32:
        return failed(api, Symptom.NO_CODE)
    if code != 0 and not (or_items and fields.get(or_items)):
        return failure(api, code)
    return fields


def _fields(api: str, reply: Reply | NoReply) -> Fields | Failure:
    if isinstance(reply, NoReply):
        return failed(api, Symptom.NO_REPLY if reply.sent else Symptom.NOT_SENT, reply.reason)
    text = f"the gateway answered with HTTP status {reply.status}"
    status = msgspec.structs.replace(
        failed(api, Symptom.HTTP_STATUS, text), slows=reply.status == TOO_MANY_REQUESTS
    )
    if reply.status not in (200, TOO_MANY_REQUESTS):
        return status
    try:
        fields = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return failed(api, Symptom.NO_JSON) if reply.status == 200 else status
    if reply.status != 200:
        # Only the service's own word that it refused can be believed beside such a status.
        return fields if isinstance(fields, dict) and fields.get("Code") else status
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


def read_done(api: str, reply: Reply | NoReply) -> ItemResult:
    """Read the answer of a call that only succeeds or fails."""
    fields = read_envelope(api, reply)
    return fields if isinstance(fields, Failure) else Done()


# --- users and members --------------------------------------------------------------------------


class _Failed(msgspec.Struct):
    """An item that was not done."""

    name: str = field(name="UserId")
    code: _Code = field(name="SubCode")


class _FailedUsers(msgspec.Struct):
    code: _Code = field(name="Code")
    items: list[_Failed] | None = field(name="ErrorList")


class _FailedMembers(msgspec.Struct):
    code: _Code = field(name="Code")
    items: list[_Failed] | None = field(name="ErrorUsers")


def _failures(
    answer_code: int, rows: Sequence[_Failed] | None, asked: Sequence[str]
) -> dict[str, int]:
    """Return the failed items' codes, each of them once and asked for.

    With a ``Code`` other than 0 all of them must have failed.
    """
    found = {each.name: each.code for each in rows or ()}
    if len(found) != len(rows or ()):
        raise _UnbelievableError(Symptom.ITEMS_MISCOUNTED, "an item is listed twice")
    if not set(found) <= set(asked):
        raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
    if 0 in found.values() or (answer_code != 0 and len(found) != len(set(asked))):
        raise _UnbelievableError(Symptom.CONTRADICTION)
    return found


def read_user_results(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read what became of each user; one who exists is done. Source: "Batch register users".

    That users exist is told of all of them, one by one; of several without a list it is not believed.
    """

    def read(answer: _FailedUsers) -> list[ItemResult]:
        codes = _failures(answer.code, answer.items, accounts)
        return [_user(api, codes.get(each, 0)) for each in accounts]

    told = _read(api, reply, _FailedUsers, read, or_items="ErrorList")
    if isinstance(told, Failure) and told.code == USER_EXISTS:
        alone = len(accounts) == 1
        return [Done(was_there=True)] if alone else failed(api, Symptom.CONTRADICTION)
    return told


def _user(api: str, code: int) -> ItemResult:
    if code == USER_EXISTS:
        return Done(was_there=True)
    return failure(api, code) if code else Done()


_IS_NOT_THERE = (Advice.MISSING_ACCOUNT, Advice.REJECT_ITEM)
"""What a code says of a user who cannot be shown."""


class _FoundUser(msgspec.Struct):
    name: str = field(name="UserId")


class _FoundUsers(msgspec.Struct):
    code: _Code = field(name="Code")
    found: list[_FoundUser] | None = field(name="Result", default=None)
    items: list[_Failed] | None = field(name="ErrorList", default=None)


def read_found_users(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> dict[str, bool] | Failure:
    """Read which users exist; an answer that leaves one out is none. Source: "Query user information".

    The page lists no codes. Somebody who is refused, with whatever code, is not known to exist: to register them
    tells, and changes nobody who does (unknown 22).
    """

    def read(answer: _FoundUsers) -> dict[str, bool] | Failure:
        there = [each.name for each in answer.found or ()]
        missing = {each.name: each.code for each in answer.items or ()}
        told = [*there, *missing]
        if len(told) != len(accounts) or len(answer.items or ()) != len(missing):
            counts = f"{len(told)} results for {len(accounts)} asked for"
            raise _UnbelievableError(Symptom.ITEMS_MISCOUNTED, counts)
        if set(told) != set(accounts):
            raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
        for code in missing.values():
            refusal = failure(api, code)
            if refusal.advice not in _IS_NOT_THERE:
                return refusal
        return {each: each not in missing for each in accounts}

    return _read(api, reply, _FoundUsers, read, or_items="ErrorList")


def read_members(
    api: str, accounts: Sequence[str], reply: Reply | NoReply
) -> list[ItemResult] | Failure:
    """Read what became of each member; where it is not told they are to be looked for. Source: "Add group members"."""
    if not isinstance(fields := read_envelope(api, reply), Failure) and "ErrorUsers" not in fields:
        return failed(api, Symptom.MAYBE_THERE, "the answer does not list who failed")

    def read(answer: _FailedMembers) -> list[ItemResult]:
        codes = _failures(answer.code, answer.items, accounts)
        return [failure(api, codes[each]) if each in codes else Done() for each in accounts]

    return _read(api, reply, _FailedMembers, read, or_items="ErrorUsers")


def read_removed(api: str, accounts: Sequence[str], reply: Reply | NoReply) -> ItemResult:
    """Read whether nobody of them is a member any more. Source: "Remove group member".

    No page says which of several users is meant by 660600008 for the whole call: they are asked about one by one.
    """
    fields = read_envelope(api, reply, or_items="ErrorList")
    if isinstance(fields, Failure):
        if fields.code != NOT_IN_GROUP:
            return fields
        return Done(was_there=True) if len(accounts) == 1 else _one_by_one(api)
    results = read_user_results(api, accounts, _with_list(reply, fields))
    if isinstance(results, Failure):
        return results
    others = (each for each in results if isinstance(each, Failure) and each.code != NOT_IN_GROUP)
    return next(others, Done())


def _one_by_one(api: str) -> Failure:
    text = "somebody is no member any more; no page says what became of the others"
    return failed(api, Symptom.TOO_MANY_ITEMS, text, code=NOT_IN_GROUP)


def _with_list(reply: Reply | NoReply, fields: Fields) -> Reply | NoReply:
    """Return an answer that has a list of failed users, empty where the service left it out."""
    if isinstance(reply, NoReply) or "ErrorList" in fields:
        return reply
    return Reply(reply.status, msgspec.json.encode(fields | {"ErrorList": []}))


class _Created(_FailedMembers):
    group_id: str = field(name="GroupId", default="")


def read_created(
    api: str, group_id: str, members: Sequence[str], reply: Reply | NoReply
) -> ItemResult:
    """Read whether a group was created, and which of its first members are not in it.

    ``Code`` other than 0 beside a list says that none of them could join; whether the group was made is unknown.
    Source: "Create a group".
    """

    def read(answer: _Created) -> ItemResult:
        codes = _failures(answer.code, answer.items, members)
        if answer.code != 0:
            text = "none of the first members could join; the group may have been made"
            return failed(api, Symptom.CONTRADICTION, text, code=answer.code)
        if answer.group_id != group_id:
            raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
        return Done(refused=tuple((each, failure(api, code)) for each, code in codes.items()))

    return _read(api, reply, _Created, read, or_items="ErrorUsers")


# --- messages -----------------------------------------------------------------------------------


class _Imported(msgspec.Struct):
    sequence: _Number = field(name="MsgSeq")


def read_imported(api: str, reply: Reply | NoReply, *, above: int = 0) -> ItemResult:
    """Read the number that a message was given.

    ``above`` is the last confirmed one: an answer whose ``MsgSeq`` does not rise is not believed. Source: "Import
    group messages", "Import one-to-one messages".
    """

    def read(answer: _Imported) -> ItemResult:
        if answer.sequence <= above:
            raise _UnbelievableError(Symptom.SEQUENCE_NOT_RISING)
        return Done(sequence=answer.sequence)

    return _read(api, reply, _Imported, read, strict=False)


# --- reading back -------------------------------------------------------------------------------


class _Stored(msgspec.Struct):
    """A message of a group or of one copy of a one-to-one conversation."""

    sequence: _Number = field(name="MsgSeq")
    slot: _Number = field(name="MsgTime")
    sender: str = field(name="Sender")
    id: Any = field(name="MsgId", default="")
    payload: str | None = field(name="Payload", default=None)
    empty: _Number = field(name="IsEmpty", default=_NOT_EMPTY)


class _Listed(msgspec.Struct):
    items: list[_Stored] | None = field(name="List")
    next: _Cursor = field(name="Next", default=0)


def read_history(api: str, reply: Reply | NoReply, *, oldest_slot: int = 0) -> Page | Failure:
    """Read messages, newest first by ``MsgTime``; older ones than ``oldest_slot`` end the reading, 0: nothing does.

    Source: "Query the message list of group chats".
    """

    def read(answer: _Listed) -> Page:
        cursor = cursor_of(answer.next)
        rows = answer.items or []
        reached = min((each.slot for each in rows), default=oldest_slot)
        return Page(tuple(map(_stored, rows)), "" if reached < oldest_slot else cursor)

    return _read(api, reply, _Listed, read, strict=False)


def cursor_of(told: int | str) -> str:
    """Return a cursor as the JSON text that is to be sent back, digit by digit; "" where there is no next page."""
    return "" if told in (0, "", "0") else msgspec.json.encode(told).decode()


def read_direct_history(
    api: str, reply: Reply | NoReply, *, first: int, last: int
) -> Page | Failure:
    """Read the messages of a stretch of time, epoch milliseconds. Source: "Query … one-on-one chats"."""
    page = read_history(api, reply, oldest_slot=first)
    if isinstance(page, Failure):
        return page
    wanted = tuple(each for each in page.messages if first <= each.slot <= last)
    return Page(wanted, page.cursor)


def _stored(row: _Stored) -> StoredMessage:
    """Return a message under the number and time of its mark; one without a mark is somebody else's, number 0."""
    if row.payload is None and row.empty == _NOT_EMPTY:
        text = "messages come back without Payload: nothing tells whose they are"
        raise _UnbelievableError(Symptom.ITEMS_MISSING, text)
    payload = row.payload or ""
    has_lost_its_mark = is_cut(payload, row.slot)
    if has_lost_its_mark and row.empty == _NOT_EMPTY:
        text = "messages come back with a shortened Payload: nothing tells which they are"
        raise _UnbelievableError(Symptom.ITEMS_MISSING, text)
    random, slot = (not has_lost_its_mark and read_mark(payload)) or (0, row.slot)
    return StoredMessage(
        sender=row.sender,
        slot=slot,
        sequence=row.sequence,
        random=random,
        withdrawn=row.empty == _RECALLED,
        placeholder=row.empty == _GONE,
        key=_digits(row.id),
    )


def _digits(number: Any) -> str:
    """Return a ``MsgId`` digit by digit, "" for a floating-point number: it has lost some."""
    is_whole = isinstance(number, int | str) and not isinstance(number, bool)
    return str(number) if is_whole else ""


def read_frontier(api: str, address: GroupAddress, reply: Reply | NoReply) -> Frontier | Failure:
    """Read from its newest message how far a group is. Source: "Query the message list of group chats"."""
    page = read_history(api, reply)
    if isinstance(page, Failure):
        return Frontier(address=address, exists=False) if page.code == GROUP_MISSING else page
    newest = page.messages[0] if page.messages else None
    return Frontier(
        address=address,
        exists=True,
        newest_slot=newest.slot if newest else None,
        next_sequence=newest.sequence + 1 if newest else 1,
    )


class _Limits(msgspec.Struct):
    most_members: _Number | None = field(name="MemberCountLimit", default=None)


class _Profile(msgspec.Struct):
    """A group with its profile; who owns it is not told."""

    group_id: str = field(name="GroupId")
    name: str = field(name="GroupName", default="")
    notice: str = field(name="GroupNotice", default="")
    avatar_url: str = field(name="GroupAvatar", default="")
    created_ms: _Number = field(name="GroupCreateTime", default=0)
    limits: _Limits | None = field(name="LimitInfo", default=None)


def read_profile(api: str, group_id: str, reply: Reply | NoReply) -> StoredProfile | Failure:
    """Read the profile of one group; its creation is told in whole seconds, the rest of them is dropped.

    Source: "Query group information".
    """

    def read(answer: _Profile) -> StoredProfile:
        if answer.group_id != group_id:
            raise _UnbelievableError(Symptom.ITEMS_OF_OTHERS)
        return StoredProfile(
            exists=True,
            name=answer.name,
            notification=answer.notice,
            avatar_url=answer.avatar_url,
            max_members=answer.limits.most_members if answer.limits else None,
            created_s=answer.created_ms // 1000,
        )

    found = _read(api, reply, _Profile, read, strict=False)
    if isinstance(found, Failure) and found.code == GROUP_MISSING:
        return StoredProfile(exists=False)
    return found


class _ListedMember(msgspec.Struct):
    name: str = field(name="UserId")
    role: _Number | None = field(name="Role", default=None)


class _ListedMembers(msgspec.Struct):
    items: list[_ListedMember] | None = field(name="MemberList")
    next: _Cursor = field(name="Next", default=0)


def read_member_list(api: str, reply: Reply | NoReply) -> MemberPage | Failure:
    """Read members, and what asks for the next ones. Source: "Query group member list"."""

    def read(answer: _ListedMembers) -> MemberPage:
        members = tuple(
            StoredMember(account_id=each.name, role=_ROLES.get(each.role or 0, "member"))
            for each in answer.items or ()
        )
        return MemberPage(members, cursor_of(answer.next) if members else "")

    return _read(api, reply, _ListedMembers, read, strict=False)


_ROLES: dict[int, Role] = {1: "owner", 2: "admin"}

# The first use of a form prepares it, and two threads that do so at once crash the process (msgspec 0.22).
for _form in [each for each in vars().values() if isinstance(each, type)]:
    if issubclass(_form, msgspec.Struct):
        msgspec.json.Decoder(_form)
