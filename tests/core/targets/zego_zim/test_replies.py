"""Answers are read into the core's words; whatever does not fit is a failure of unknown effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_migration.targets.base import (
    Advice,
    Done,
    Effect,
    Failure,
    Frontier,
    GroupAddress,
    MemberPage,
    Page,
    StoredMember,
    StoredMessage,
    StoredProfile,
)
from chat_migration.targets.transport import NoReply, Reply
from chat_migration.targets.zego_zim import replies
from chat_migration.targets.zego_zim.limits import APIS
from chat_migration.targets.zego_zim.markers import mark_of
from chat_migration.targets.zego_zim.outcomes import is_repeatable

QUAY = GroupAddress("quay")
Reader = Callable[[Reply | NoReply], Any]

READERS: dict[str, Reader] = {
    "done": lambda reply: replies.read_done("ClearConversationUnread", reply),
    "users": lambda reply: replies.read_user_results("UserRegister", ["a", "b"], reply),
    "found_users": lambda reply: replies.read_found_users("QueryUserInfos", ["a", "b"], reply),
    "members": lambda reply: replies.read_members("InviteUsersIntoGroup", ["a", "b"], reply),
    "removed": lambda reply: replies.read_removed("KickoutGroupUser", ["a", "b"], reply),
    "created": lambda reply: replies.read_created("CreateGroup", "quay", ["a", "b"], reply),
    "imported": lambda reply: replies.read_imported("ImportGroupMsg", reply, above=4),
    "imported_copy": lambda reply: replies.read_imported("ImportPeerMsg", reply),
    "history": lambda reply: replies.read_history("QueryGroupMsg", reply),
    "direct_history": lambda reply: replies.read_direct_history(
        "QueryPeerMsg", reply, first=1, last=9
    ),
    "frontier": lambda reply: replies.read_frontier("QueryGroupMsg", QUAY, reply),
    "profile": lambda reply: replies.read_profile("QueryGroupInfo", "quay", reply),
    "member_list": lambda reply: replies.read_member_list("QueryGroupMemberList", reply),
}
EVERY = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def ok(**fields: Any) -> Reply:
    return answer(0, **fields)


def answer(code: int, **fields: Any) -> Reply:
    told = {"Code": code, "Message": "m", "RequestId": "1", **fields}
    return Reply(200, msgspec.json.encode(told))


def failures(*rows: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"UserId": name, "SubCode": code, "SubMessage": "s"} for name, code in rows]


def is_unknown(told: object) -> bool:
    """Tell whether an answer is a failure that says nothing: a write may have been done, a read is asked again."""
    if not isinstance(told, Failure) or told.code is not None:
        return False
    again = Advice.TRY_AGAIN if is_repeatable(told.api) else Advice.READ_BACK
    effect = Effect.UNKNOWN if APIS[told.api].writes else Effect.NONE
    return (told.advice, told.effect) == (again, effect)


# --- the envelope -------------------------------------------------------------------------------

NO_ANSWERS = [
    pytest.param(502, b"<html>Bad Gateway</html>", id="gateway-html"),
    pytest.param(500, b'{"Code":0,"MsgSeq":9}', id="error-status-with-json"),
    pytest.param(500, b'{"Code":7}', id="error-status-with-a-code"),
    pytest.param(429, b"slow down", id="too-many-requests-without-json"),
    pytest.param(429, b'{"Code":0,"MsgSeq":9}', id="too-many-requests-that-succeeded"),
    pytest.param(429, b"[]", id="too-many-requests-list"),
    pytest.param(204, b"", id="no-content"),
    pytest.param(301, b'{"Code":0}', id="redirect"),
    pytest.param(200, b"", id="empty"),
    pytest.param(200, b"<html>", id="html"),
    pytest.param(200, b"\xff\xfe", id="no-utf8"),
    pytest.param(200, b'{"Code":0', id="cut-short"),
    pytest.param(200, b"[" * 100_000, id="nested-too-deep"),
    pytest.param(200, b"[]", id="list"),
    pytest.param(200, b"7", id="number"),
    pytest.param(200, b"{}", id="no-code"),
    pytest.param(200, b'{"Code":null}', id="null-code"),
    pytest.param(200, b'{"Code":"0"}', id="code-as-text"),
    pytest.param(200, b'{"Code":false}', id="code-false"),
    pytest.param(200, b'{"Code":0.5}', id="code-with-fraction"),
    pytest.param(200, b'{"Code":1e99}', id="code-without-end"),
]


@EVERY
@pytest.mark.parametrize(("status", "body"), NO_ANSWERS)
def test_what_is_no_answer_says_nothing(read: Reader, status: int, body: bytes) -> None:
    assert is_unknown(read(Reply(status, body)))


@EVERY
def test_a_request_that_may_have_arrived_says_nothing(read: Reader) -> None:
    told = read(NoReply("no whole answer within 10 s", sent=True))
    assert is_unknown(told)
    assert "no whole answer" in str(told)


@EVERY
def test_a_request_that_was_never_sent_had_no_effect(read: Reader) -> None:
    told = read(NoReply("the connection was refused", sent=False))
    assert (told.advice, told.effect) == (Advice.TRY_AGAIN, Effect.NONE)


@EVERY
@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("code", [7, 660300005, 660300006])
def test_throttling_is_known_by_its_code_whatever_the_status(
    read: Reader, status: int, code: int
) -> None:
    """Unknown 2."""
    told = read(Reply(status, b'{"Code":%d,"Message":"m"}' % code))
    assert (told.advice, told.effect, told.code) == (Advice.SLOW_DOWN, Effect.NONE, code)


@EVERY
@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Code", "List", "ErrorList", "ErrorUsers", "Result", "MemberList", "MsgSeq", "Next",
                 "UserId", "SubCode", "MsgTime", "Sender", "Payload", "MsgId", "IsEmpty", "GroupId"]
            ),
            inner,
            max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_no_answer_of_any_shape_raises_or_is_mistaken_for_success(read: Reader, value: Any) -> None:
    fields = value if isinstance(value, dict) else {"List": value, "MsgSeq": value}
    fields.pop("Code", None)
    told = read(Reply(200, msgspec.json.encode(fields)))
    assert isinstance(told, Failure)
    read(Reply(200, msgspec.json.encode(fields | {"Code": 0})))


# --- users --------------------------------------------------------------------------------------

EXISTS = 660700002


@pytest.mark.parametrize("rows", [[], None])
def test_users_who_are_not_listed_are_registered(rows: Any) -> None:
    assert READERS["users"](ok(ErrorList=rows)) == [Done(), Done()]


def test_partial_failures_beside_code_0_are_read() -> None:
    first, second = READERS["users"](ok(ErrorList=failures(("a", EXISTS), ("b", 660700006))))
    assert first == Done(was_there=True)
    assert (second.advice, second.code) == (Advice.REJECT_ITEM, 660700006)


def test_users_who_all_exist_are_done_although_the_call_has_a_code() -> None:
    told = READERS["users"](answer(EXISTS, ErrorList=failures(("b", EXISTS), ("a", EXISTS))))
    assert told == [Done(was_there=True)] * 2


@pytest.mark.parametrize("rows", [[], None])
def test_a_call_that_is_refused_without_a_list_is_refused_as_a_whole(rows: Any) -> None:
    told = READERS["users"](answer(660000011, ErrorList=rows))
    assert (told.advice, told.code) == (Advice.SMALLER_BATCH, 660000011)


def test_an_item_with_a_code_that_no_page_lists_is_refused() -> None:
    first, second = READERS["users"](ok(ErrorList=failures(("b", 660000099))))
    assert (first, second.advice) == (Done(), Advice.REJECT_ITEM)


def test_that_users_exist_is_believed_without_a_list_of_a_single_one_only() -> None:
    one = replies.read_user_results("UserRegister", ["a"], answer(EXISTS))
    assert one == [Done(was_there=True)]


UNBELIEVABLE = [
    pytest.param(answer(EXISTS), id="all-exist-without-a-list"),
    pytest.param(ok(), id="no-list"),
    pytest.param(ok(ErrorList={}), id="no-list-but-an-object"),
    pytest.param(ok(ErrorList=failures(("zoe", EXISTS))), id="of-others"),
    pytest.param(ok(ErrorList=failures(("a", EXISTS), ("a", EXISTS))), id="twice"),
    pytest.param(ok(ErrorList=failures(("a", 0))), id="failed-with-success"),
    pytest.param(ok(ErrorList=[{"UserId": "a"}]), id="without-code"),
    pytest.param(ok(ErrorList=[{"UserId": "a", "SubCode": "1"}]), id="code-as-text"),
    pytest.param(answer(EXISTS, ErrorList=failures(("a", EXISTS))), id="all-failed-but-one"),
]


@pytest.mark.parametrize("reply", UNBELIEVABLE)
def test_a_list_of_failures_that_cannot_be_makes_the_whole_unknown(reply: Reply) -> None:
    assert is_unknown(READERS["users"](reply))


def test_members_of_whom_nothing_is_listed_are_to_be_looked_for() -> None:
    """To ask again would be answered alike by a service that leaves out lists of nobody."""
    told = READERS["members"](ok())
    assert (told.advice, told.effect, told.code) == (Advice.READ_BACK, Effect.UNKNOWN, None)


def test_a_group_with_members_who_are_none_of_it_is_unknown() -> None:
    assert is_unknown(READERS["created"](ok(GroupId="quay")))
    assert is_unknown(READERS["created"](ok(GroupId="quay", ErrorUsers=failures(("zoe", 2)))))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(
            ok(Result=[{"UserId": "b"}], ErrorList=failures(("a", 660700012))),
            {"a": False, "b": True},
            id="one-of-two",
        ),
        pytest.param(
            ok(Result=[{"UserId": "b"}, {"UserId": "a"}]), {"a": True, "b": True}, id="both"
        ),
        pytest.param(
            answer(660700012, ErrorList=failures(("a", 51102), ("b", 660700015))),
            {"a": False, "b": False},
            id="nobody",
        ),
    ],
)
def test_who_exists_is_told_of_each(reply: Reply, told: dict[str, bool]) -> None:
    assert READERS["found_users"](reply) == told


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(ok(Result=[{"UserId": "b"}]), id="one-left-out"),
        pytest.param(ok(Result=[{"UserId": "b"}, {"UserId": "zoe"}]), id="of-others"),
        pytest.param(ok(Result=[{"UserId": "b"}] * 2), id="twice"),
        pytest.param(
            ok(Result=[{"UserId": "a"}, {"UserId": "b"}], ErrorList=failures(("a", 660700012))),
            id="there-and-not-there",
        ),
    ],
)
def test_an_answer_that_leaves_somebody_out_is_none(reply: Reply) -> None:
    assert is_unknown(READERS["found_users"](reply))


@pytest.mark.parametrize("code", [660200001, 660000015, 660799999])
def test_a_user_who_is_not_shown_is_missing_whatever_the_code(code: int) -> None:
    """Unknown 22. To register somebody who is there after all does nothing to them."""
    reply = ok(Result=[{"UserId": "b"}], ErrorList=failures(("a", code)))
    assert READERS["found_users"](reply) == {"a": False, "b": True}


def test_a_user_who_cannot_be_looked_up_is_not_taken_for_missing() -> None:
    reply = ok(Result=[{"UserId": "b"}], ErrorList=failures(("a", 660000001)))
    told = READERS["found_users"](reply)
    assert (told.code, told.advice) == (660000001, Advice.TRY_AGAIN)


# --- groups and members -------------------------------------------------------------------------


def test_a_member_who_may_be_there_already_is_to_be_looked_for() -> None:
    first, second = READERS["members"](ok(ErrorUsers=failures(("b", 660000015))))
    assert first == Done()
    assert (second.advice, second.effect) == (Advice.READ_BACK, Effect.UNKNOWN)


def test_members_who_all_failed_are_told_one_by_one() -> None:
    told = READERS["members"](answer(2, ErrorUsers=failures(("a", 660700012), ("b", 660600016))))
    assert [each.advice for each in told] == [Advice.MISSING_ACCOUNT, Advice.REJECT_ITEM]


def test_a_group_is_created_without_those_who_could_not_join() -> None:
    assert READERS["created"](ok(GroupId="quay", ErrorUsers=[], Members=[])) == Done()
    told = READERS["created"](ok(GroupId="quay", ErrorUsers=failures(("b", 660000015))))
    ((name, why),) = told.refused
    assert (name, why.code) == ("b", 660000015)


def test_a_group_whose_members_all_failed_may_have_been_made() -> None:
    reply = answer(2, ErrorUsers=failures(("a", 660000015), ("b", 660000015)))
    told = READERS["created"](reply)
    assert (told.advice, told.effect) == (Advice.READ_BACK, Effect.UNKNOWN)


def test_another_groups_creation_is_not_believed() -> None:
    assert is_unknown(READERS["created"](ok(GroupId="pier", ErrorUsers=[])))


def test_a_group_that_is_there_already_is_told_as_such() -> None:
    assert READERS["created"](answer(660600011)).advice is Advice.EXISTS


@pytest.mark.parametrize(
    ("members", "reply", "told"),
    [
        pytest.param(["a", "b"], ok(), Done(), id="done"),
        pytest.param(["a"], answer(660600008), Done(was_there=True), id="had-left"),
        pytest.param(
            ["a", "b"], answer(660600008), Advice.SMALLER_BATCH, id="one-of-them-had-left"
        ),
        pytest.param(
            ["a", "b"], ok(ErrorList=failures(("a", 660600008))), Done(), id="listed-as-left"
        ),
        pytest.param(
            ["a", "b"],
            ok(ErrorList=failures(("a", 660600008), ("b", 660600032))),
            Advice.REJECT_ITEM,
            id="one-is-refused",
        ),
        pytest.param(["a"], answer(660600001), Advice.STOP_CONVERSATION, id="no-group"),
    ],
)
def test_who_is_no_member_any_more_counts_as_removed(
    members: list[str], reply: Reply, told: Done | Advice
) -> None:
    found = replies.read_removed("KickoutGroupUser", members, reply)
    assert (found.advice if isinstance(found, Failure) else found) == told


def test_members_are_listed_page_by_page_with_their_roles() -> None:
    rows = [{"UserId": "a", "Role": 1}, {"UserId": "b", "Role": 2}, {"UserId": "c", "Role": 100}]
    told = READERS["member_list"](ok(MemberList=[*rows, {"UserId": "d"}], Next=4))
    roles = ["owner", "admin", "member", "member"]
    members = [StoredMember(account_id=n, role=r) for n, r in zip("abcd", roles, strict=True)]  # type: ignore[arg-type]
    assert told == MemberPage(tuple(members), "4")
    assert READERS["member_list"](ok(MemberList=[], Next=0)) == MemberPage((), "")
    assert is_unknown(READERS["member_list"](ok(Next=0)))


def test_a_profile_tells_what_zim_keeps() -> None:
    fields = {
        "GroupId": "quay", "GroupName": "n", "GroupNotice": "o", "GroupAvatar": "u",
        "GroupCreateTime": 5_000, "LimitInfo": {"MemberCountLimit": 100}, "IsAllForbid": True,
    }  # fmt: skip
    assert READERS["profile"](ok(**fields)) == StoredProfile(
        exists=True, name="n", notification="o", avatar_url="u", max_members=100, created_s=5
    )
    assert READERS["profile"](answer(660600001)) == StoredProfile(exists=False)
    assert is_unknown(READERS["profile"](ok(**fields | {"GroupId": "pier"})))


@pytest.mark.parametrize(("created_ms", "created_s"), [(0, 0), (999, 0), (1_999, 1), (2_000, 2)])
def test_a_creation_that_is_no_whole_second_counts_from_the_second_before(
    created_ms: int, created_s: int
) -> None:
    told = READERS["profile"](ok(GroupId="quay", GroupCreateTime=created_ms))
    assert told.created_s == created_s


# --- messages -----------------------------------------------------------------------------------


def test_a_message_has_the_number_that_it_was_given() -> None:
    assert READERS["imported"](ok(MsgSeq=5)) == Done(sequence=5)
    assert READERS["imported_copy"](ok(MsgSeq=1, MsgId="6654861479614")) == Done(sequence=1)
    assert READERS["imported"](ok(MsgSeq="5")) == Done(sequence=5)


@pytest.mark.parametrize("sequence", [4, 0, -1, "4", "five", 5.5, None, False, True, 2**60])
def test_a_number_that_cannot_be_is_not_believed(sequence: Any) -> None:
    assert is_unknown(READERS["imported"](ok(MsgSeq=sequence)))


@pytest.mark.parametrize("read", ["imported", "imported_copy"])
def test_success_without_a_number_is_not_believed(read: str) -> None:
    assert is_unknown(READERS[read](ok()))


def row(sequence: int = 1, **fields: Any) -> dict[str, Any]:
    made = {
        "Sender": "ada", "MsgType": 1, "SubMsgType": 0, "MsgBody": "hi", "MsgId": 971503777289036700 + sequence,
        "MsgSeq": sequence, "Payload": mark_of(2**62, 5_000 + sequence), "MsgTime": 5_000 + sequence,
        "IsEmpty": 0,
    }  # fmt: skip
    return made | fields


def stored(sequence: int = 1, **fields: Any) -> StoredMessage:
    made: dict[str, Any] = {
        "sender": "ada", "slot": 5_000 + sequence, "sequence": sequence, "random": 2**62,
        "key": str(971503777289036700 + sequence),
    }  # fmt: skip
    return StoredMessage(**made | fields)


def history(*rows: dict[str, Any], cursor: Any = 0, oldest_slot: int = 0) -> Any:
    reply = ok(List=list(rows), Next=cursor)
    return replies.read_history("QueryGroupMsg", reply, oldest_slot=oldest_slot)


def test_a_message_of_ours_comes_back_under_its_number_and_time() -> None:
    assert history(row(2), row(1)) == Page((stored(2), stored(1)), "")


@pytest.mark.parametrize(
    "number", [2**53 + 1, 971503777289036701, 2**63 - 1, 2**64 - 1, 10**25 + 1]
)
def test_ids_beyond_two_to_the_53_keep_every_digit(number: int) -> None:
    (page,) = history(row(MsgId=number)).messages
    assert page.key == str(number)
    (as_text,) = history(row(MsgId=str(number))).messages
    assert as_text.key == str(number)


@pytest.mark.parametrize("number", [9.715e17, True, None, [1]])
def test_an_id_that_has_lost_digits_is_none(number: Any) -> None:
    (page,) = history(row(MsgId=number)).messages
    assert (page.key, page.sequence) == ("", 1)


def test_a_message_of_somebody_else_has_number_0_and_the_time_that_is_shown() -> None:
    assert history(row(Payload="")).messages == (stored(random=0),)
    assert history(row(Payload='{"theirs":1}')).messages == (stored(random=0),)


def test_the_time_that_was_sent_is_known_whatever_time_is_shown() -> None:
    """Unknown 6: MsgTime may be when the service received it."""
    assert history(row(MsgTime=39_999)).messages == (stored(),)


@pytest.mark.parametrize(("empty", "told"), [(1, {"placeholder": True}), (2, {"withdrawn": True})])
def test_what_is_left_of_a_message_is_told(empty: int, told: dict[str, bool]) -> None:
    emptied = row(IsEmpty=empty, Payload="", MsgBody="")
    assert history(emptied).messages == (stored(random=0, **told),)
    del emptied["Payload"]
    assert history(emptied).messages == (stored(random=0, **told),)


def test_messages_without_a_payload_are_no_answer() -> None:
    """Nothing would tell whose they are, and what is in doubt would be sent twice."""
    bare = row()
    del bare["Payload"]
    told = history(row(2), bare)
    assert is_unknown(told)
    assert "Payload" in str(told)


@pytest.mark.parametrize("length", range(len("cm1."), len(mark_of(2**62, 1_787_200_000_123))))
def test_messages_whose_mark_is_cut_are_no_answer(length: int) -> None:
    """Unknown 18. Taken for somebody else's, what is in doubt would be sent twice."""
    times = {"MsgTime": 1_787_200_000_123}
    cut = row(1, Payload=mark_of(2**62, 1_787_200_000_123)[:length], **times)
    told = history(row(2, **times, Payload=""), cut)
    assert is_unknown(told)
    assert "shortened Payload" in str(told)
    assert history(cut | {"IsEmpty": 1}).messages[0].random == 0


@pytest.mark.parametrize(("oldest", "cursor"), [(0, "7"), (5_001, "7"), (5_002, ""), (9_000, "")])
def test_reading_goes_on_until_messages_are_older_than_what_is_looked_for(
    oldest: int, cursor: str
) -> None:
    assert history(row(2), row(1), cursor=7, oldest_slot=oldest).cursor == cursor


def test_reading_ends_where_the_service_says_so_and_not_with_an_empty_page() -> None:
    assert history(row(1), cursor=0, oldest_slot=0).cursor == ""
    assert history(cursor=7, oldest_slot=5_000).cursor == "7"


@pytest.mark.parametrize("given", [7, 2**53 + 1, 971503777289036700, 2**63 - 1, "7", "00:7"])
def test_a_cursor_goes_back_as_it_came(given: Any) -> None:
    """Only 0 has a meaning; whatever else it is, the service knows what."""
    assert msgspec.json.decode(history(row(1), cursor=given).cursor) == given


@pytest.mark.parametrize("cursor", [0, "0", ""])
def test_no_page_follows_a_cursor_of_0(cursor: Any) -> None:
    assert history(row(1), cursor=cursor).cursor == ""


@pytest.mark.parametrize("cursor", [1.5, -1, None, True])
def test_a_cursor_that_is_none_is_no_answer(cursor: Any) -> None:
    assert is_unknown(history(row(1), cursor=cursor))


def test_numbers_of_what_is_there_may_be_written_as_texts() -> None:
    as_texts = row(2, MsgSeq="2", MsgTime="5002", IsEmpty="0", SubMsgType="0")
    assert history(as_texts).messages == (stored(2),)


@pytest.mark.parametrize("name", ["Sender", "MsgSeq", "MsgTime"])
def test_a_message_that_lacks_what_it_is_known_by_is_no_answer(name: str) -> None:
    broken = row()
    del broken[name]
    assert is_unknown(history(broken))
    assert is_unknown(history(row() | {name: None}))


def test_a_stretch_of_one_copy_holds_what_stands_in_it_and_is_read_to_its_beginning() -> None:
    reply = ok(List=[row(3), row(2), row(1)], Next=9)
    page = replies.read_direct_history("QueryPeerMsg", reply, first=5_002, last=5_002)
    assert (page.messages, page.cursor) == ((stored(2),), "")  # type: ignore[union-attr]
    page = replies.read_direct_history("QueryPeerMsg", reply, first=5_000, last=5_002)
    assert (page.messages, page.cursor) == ((stored(2), stored(1)), "9")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(ok(List=[], Next=0), {"exists": True}, id="empty"),
        pytest.param(ok(List=None, Next=0), {"exists": True}, id="null"),
        pytest.param(
            ok(List=[row(41)], Next=1),
            {"exists": True, "newest_slot": 5_041, "next_sequence": 42},
            id="messages",
        ),
        pytest.param(answer(660600001), {"exists": False}, id="no-group"),
    ],
)
def test_a_frontier_is_where_the_newest_message_stands(reply: Reply, told: dict[str, Any]) -> None:
    assert READERS["frontier"](reply) == Frontier(address=QUAY, **told)


def test_a_group_that_cannot_be_read_is_not_taken_for_missing() -> None:
    told = READERS["frontier"](answer(660600009))
    assert (told.code, told.advice) == (660600009, Advice.STOP_CONVERSATION)
