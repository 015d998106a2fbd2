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
)
from chat_migration.targets.tencent_chat import replies
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.transport import NoReply, Reply

GROUPS = [GroupAddress("g1"), GroupAddress("g2")]
TOPICS = [GroupAddress("g", "t1"), GroupAddress("g", "t2")]
Reader = Callable[[Reply | NoReply], Any]

READERS: dict[str, Reader] = {
    "done": lambda reply: replies.read_done("importmsg", reply),
    "account_check": lambda reply: replies.read_account_check("account_check", ["a", "b"], reply),
    "account_import": lambda reply: replies.read_account_import(
        "multiaccount_import", ["a", "b"], reply
    ),
    "members": lambda reply: replies.read_members("import_group_member", ["a", "b"], reply),
    "group_messages": lambda reply: replies.read_group_messages(
        "import_group_msg", [5, 6], reply, above=0
    ),
    "frontiers": lambda reply: replies.read_frontiers("get_group_info", GROUPS, reply),
    "topics": lambda reply: replies.read_topics("get_topic", TOPICS, reply),
    "group_page": lambda reply: replies.read_group_page("group_msg_get_simple", reply, asked=20),
    "roaming": lambda reply: replies.read_roaming("admin_getroammsg", reply),
    "member_list": lambda reply: replies.read_member_list(
        "get_group_member_info", reply, offset=100
    ),
    "community_list": lambda reply: replies.read_member_list(
        "get_group_member_info", reply, offset=None
    ),
}
EVERY = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def ok(**fields: Any) -> Reply:
    return Reply(200, msgspec.json.encode({"ActionStatus": "OK", "ErrorCode": 0, **fields}))


def is_unknown(answer: object) -> bool:
    """Tell whether an answer is a failure that says nothing: a write may have been done, a read is asked again."""
    if not isinstance(answer, Failure) or answer.code is not None:
        return False
    once_only = answer.api == "import_group_msg"
    return (answer.advice, answer.effect) == (
        Advice.READ_BACK if once_only else Advice.TRY_AGAIN,
        Effect.UNKNOWN if APIS[answer.api].writes else Effect.NONE,
    )


# --- the envelope -------------------------------------------------------------------------------

NO_ANSWERS = [
    pytest.param(502, b"<html>Bad Gateway</html>", id="gateway-html"),
    pytest.param(500, b'{"ErrorCode":0,"ActionStatus":"OK"}', id="error-status-with-json"),
    pytest.param(204, b"", id="no-content"),
    pytest.param(301, b'{"ErrorCode":0}', id="redirect"),
    pytest.param(200, b"", id="empty"),
    pytest.param(200, b"<html></html>", id="html"),
    pytest.param(200, b'{"ErrorCode":0', id="truncated"),
    pytest.param(200, b'\xff\xfe{"ErrorCode":0}', id="not-utf-8"),
    pytest.param(200, b'{"ErrorCode":0,"x":"\xff"}', id="bad-utf-8-within"),
    pytest.param(200, b"[]", id="list"),
    pytest.param(200, b'"OK"', id="string"),
    pytest.param(200, b"0", id="number"),
    pytest.param(200, b"null", id="null"),
    pytest.param(200, b"{}", id="no-fields"),
    pytest.param(200, b'{"ActionStatus":"OK"}', id="no-code"),
    pytest.param(200, b'{"ErrorCode":false}', id="false-as-code"),
    pytest.param(200, b'{"ErrorCode":true}', id="true-as-code"),
    pytest.param(200, b'{"ErrorCode":"0"}', id="text-as-code"),
    pytest.param(200, b'{"ErrorCode":0.0}', id="float-as-code"),
    pytest.param(200, b'{"ErrorCode":null}', id="null-as-code"),
    pytest.param(200, b'{"ErrorCode":1e400}', id="endless-code"),
    pytest.param(200, b'{"ErrorCode":0,"ActionStatus":"FAIL"}', id="contradiction"),
    pytest.param(200, b'{"ErrorCode":0}{"ErrorCode":0}', id="two-answers"),
]


@EVERY
@pytest.mark.parametrize(("status", "body"), NO_ANSWERS)
def test_an_unusable_answer_says_nothing_about_the_effect(
    read: Reader, status: int, body: bytes
) -> None:
    assert is_unknown(read(Reply(status, body)))


@EVERY
@pytest.mark.parametrize("sent", [True, False])
def test_no_reply_keeps_its_reason(read: Reader, *, sent: bool) -> None:
    answer = read(NoReply("the connection broke", sent=sent))
    may_be_done = sent and APIS[answer.api].writes
    assert (answer.text, answer.effect is Effect.UNKNOWN) == ("the connection broke", may_be_done)


@EVERY
def test_a_code_is_told_with_its_meaning(read: Reader) -> None:
    answer = read(Reply(200, b'{"ActionStatus":"FAIL","ErrorCode":60007,"ErrorInfo":"x"}'))
    assert (answer.code, answer.advice, answer.effect) == (60007, Advice.SLOW_DOWN, Effect.NONE)


@EVERY
@pytest.mark.parametrize("code", [-1, 123456789, 2**32 - 1], ids=str)
def test_an_unknown_code_has_an_unknown_effect(read: Reader, code: int) -> None:
    answer = read(Reply(200, b'{"ErrorCode":%d}' % code))
    effect = Effect.UNKNOWN if APIS[answer.api].writes else Effect.NONE
    assert (answer.code, answer.effect) == (code, effect)


def test_nothing_of_what_the_service_wrote_is_shown() -> None:
    reply = Reply(200, b'{"ErrorCode":10004,"ErrorInfo":"text of a user, usersig=eJsecret"}')
    assert "secret" not in str(replies.read_done("import_group_msg", reply))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "0", "1", "a", "g1", "t1", "Imported", "OK", "FAIL"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "UserID", "AccountStatus", "ResultCode", "Member_Account", "Result", "MsgSeq", "MsgTime",
            "GroupId", "TopicId", "ErrorCode", "NextMsgSeq", "LastMsgTime", "CreateTime", "Topic",
            "From_Account", "MsgTimeStamp", "MsgRandom", "IsPlaceMsg",
        ]),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {"ErrorCode": st.just(0)},
    optional=dict.fromkeys(
        (
            "ActionStatus", "ResultItem", "FailAccounts", "MemberList", "ImportMsgResult", "GroupInfo",
            "TopicInfoList", "RspMsgList", "MsgList", "Complete", "LastMsgTime", "LastMsgKey",
        ),
        JSON,
    ),
)  # fmt: skip


@EVERY
@given(answer=ANSWERS | JSON)
@settings(max_examples=60, deadline=None)
def test_no_json_at_all_makes_a_reader_fail(read: Reader, answer: Any) -> None:
    result = read(Reply(200, msgspec.json.encode(answer)))
    assert isinstance(result, Failure | Done | Page | MemberPage | list | dict)


# --- accounts and members -----------------------------------------------------------------------


def checked(account: str, status: str, code: Any = 0) -> dict[str, Any]:
    return {"UserID": account, "ResultCode": code, "AccountStatus": status}


@pytest.mark.parametrize("name", READERS)
def test_a_code_that_no_service_could_mean_says_nothing(name: str) -> None:
    answer = READERS[name](Reply(200, b'{"ErrorCode":%d}' % 10**30))
    assert is_unknown(answer)


def test_accounts_are_there_or_not() -> None:
    rows = [checked("b", "NotImported"), checked("a", "Imported")]
    assert READERS["account_check"](ok(ResultItem=rows)) == {"a": True, "b": False}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(None, id="null"),
        pytest.param(5, id="number"),
        pytest.param("ab", id="text"),
        pytest.param({"a": 1}, id="map"),
        pytest.param(["a", "b"], id="texts"),
        pytest.param([None], id="nulls"),
        pytest.param([checked("a", "Imported")], id="fewer"),
        pytest.param([checked("a", "Imported"), {"UserID": "b"}], id="no-status"),
        pytest.param([checked("a", "Imported"), {"AccountStatus": "Imported"}], id="no-id"),
        pytest.param([checked("a", "Imported"), checked("b", "", 70107)], id="failed-item"),
        pytest.param([checked("a", "Imported"), checked("b", "maybe")], id="another-status"),
        pytest.param([checked("a", "Imported"), checked("c", "Imported")], id="another-account"),
        pytest.param([checked(n, "Imported") for n in "abc"], id="more"),
        pytest.param([checked(n, "Imported") for n in "aab"], id="twice"),
        pytest.param([checked("a", "Imported"), checked("b", "Imported", "0")], id="text-code"),
    ],
)
def test_a_check_that_leaves_an_account_out_is_unknown(rows: Any) -> None:
    assert is_unknown(READERS["account_check"](ok(ResultItem=rows)))
    assert is_unknown(READERS["account_check"](ok()))


@pytest.mark.parametrize("failed", [{}, {"FailAccounts": []}, {"FailAccounts": None}], ids=str)
def test_accounts_that_are_not_named_as_failed_are_done(failed: dict[str, Any]) -> None:
    assert READERS["account_import"](ok(**failed)) == [Done(), Done()]


def test_accounts_that_are_named_have_failed() -> None:
    first, second = READERS["account_import"](ok(FailAccounts=["b"]))
    assert first == Done()
    assert (second.code, second.advice) == (70402, Advice.REJECT_ITEM)


@pytest.mark.parametrize(
    "failed", ["b", 1, {"b": 1}, True, [{"UserID": "b"}], [None], [5], ["b", "c"]], ids=str
)
def test_failed_accounts_that_are_no_list_of_ours_are_unknown(failed: Any) -> None:
    assert is_unknown(READERS["account_import"](ok(FailAccounts=failed)))


def test_members_are_added_there_or_refused_whatever_their_order() -> None:
    rows = [{"Member_Account": name, "Result": n} for name, n in (("c", 0), ("b", 2), ("a", 1))]
    added, there, refused = replies.read_members(
        "import_group_member", ["a", "b", "c"], ok(MemberList=rows)
    )
    assert (added, there) == (Done(), Done(was_there=True))
    assert (refused.code, refused.advice, refused.effect) == (0, Advice.REJECT_ITEM, Effect.NONE)


@pytest.mark.parametrize("code", [3, -1, 10019])
def test_a_result_of_a_member_that_no_page_lists_says_nothing(code: int) -> None:
    rows = [{"Member_Account": "a", "Result": 1}, {"Member_Account": "b", "Result": code}]
    _, told = READERS["members"](ok(MemberList=rows))
    assert (told.code, told.advice, told.effect) == (
        code, Advice.STOP_CONVERSATION, Effect.UNKNOWN,
    )  # fmt: skip


def added(*names: Any, result: Any = 1) -> list[dict[str, Any]]:
    return [{"Member_Account": name, "Result": result} for name in names]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="map"),
        pytest.param(added("a", "b", "b"), id="twice"),
        pytest.param(added("a", "c"), id="another-member"),
        pytest.param(added("a", "b", "c"), id="more"),
        pytest.param(added("a", "b", result="1"), id="text-number"),
        pytest.param(added("a", "b", result=True), id="true"),
        pytest.param(added("a", "b", result=False), id="false"),
        pytest.param(added("a", "b", result=1.0), id="float"),
        pytest.param(added("a", 5), id="number-as-name"),
        pytest.param([{"Member_Account": "a", "Result": 1}], id="fewer"),
        pytest.param([{"Member_Account": "a"}, {"Member_Account": "b"}], id="no-results"),
        pytest.param([{"Member_Account": "a", "Result": None}], id="null-result"),
        pytest.param([{"Member_Account": "a", "Result": "yes"}], id="text-result"),
        pytest.param([1, 2], id="numbers"),
    ],
)
def test_members_without_their_results_are_unknown(rows: Any) -> None:
    assert is_unknown(READERS["members"](ok(MemberList=rows)))


# --- group messages -----------------------------------------------------------------------------


def item(sequence: Any, time: Any, result: Any = 0) -> dict[str, Any]:
    return {"MsgSeq": sequence, "MsgTime": time, "Result": result}


def read_sent(items: Any, *, above: int = 0) -> Any:
    return replies.read_group_messages(
        "import_group_msg", [5, 6], ok(ImportMsgResult=items), above=above
    )


def test_messages_get_their_sequences_by_position() -> None:
    assert read_sent([item(8, 5), item(11, 6)], above=7) == [Done(sequence=8), Done(sequence=11)]


def test_results_may_leave_the_time_out() -> None:
    assert read_sent([item(1, None), {"MsgSeq": 2, "Result": 0}]) == [
        Done(sequence=1),
        Done(sequence=2),
    ]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (10004, Advice.LATE),
        (80001, Advice.REJECT_ITEM),
        (80002, Advice.REJECT_ITEM),
        (7, Advice.STOP_CONVERSATION),
    ],
)
def test_a_failed_item_stands_beside_those_that_arrived(code: int, advice: Advice) -> None:
    failed, done = read_sent([item(0, 0, code), item(1, 6)])
    assert (failed.code, failed.advice, done) == (code, advice, Done(sequence=1))


@pytest.mark.parametrize(
    ("items", "above"),
    [
        pytest.param([item(1, 5)], 0, id="fewer"),
        pytest.param([item(1, 5), item(2, 6), item(3, 7)], 0, id="more"),
        pytest.param([], 0, id="none"),
        pytest.param(None, 0, id="null"),
        pytest.param({"a": 1, "b": 2}, 0, id="map-of-the-right-size"),
        pytest.param("ab", 0, id="text-of-the-right-size"),
        pytest.param([item(2, 5), item(2, 6)], 0, id="sequence-stands"),
        pytest.param([item(2, 5), item(1, 6)], 0, id="sequence-falls"),
        pytest.param([item(7, 5), item(8, 6)], 7, id="sequence-not-above-the-last"),
        pytest.param([item(0, 5), item(1, 6)], 0, id="sequence-zero"),
        pytest.param([item(-3, 5), item(-2, 6)], 0, id="sequence-negative"),
        pytest.param([item(1, 6), item(2, 5)], 0, id="times-swapped"),
        pytest.param([item(1, 5), item(2, 7)], 0, id="time-differs"),
        pytest.param([item("x", 5), item(2, 6)], 0, id="sequence-text"),
        pytest.param([item(1, 5, None), item(2, 6)], 0, id="result-null"),
        pytest.param([item(1, 5, False), item(2, 6)], 0, id="result-false"),
        pytest.param([item(1, 5, True), item(2, 6)], 0, id="result-true"),
        pytest.param([item(1, 5, "0"), item(2, 6)], 0, id="result-text"),
        pytest.param([item(1, 5, "10004"), item(2, 6)], 0, id="result-text-code"),
        pytest.param([item(1, 5, 0.0), item(2, 6)], 0, id="result-float"),
        pytest.param([item(1, 5, 0.5), item(2, 6)], 0, id="result-half"),
        pytest.param([item(1, 5, 2**40), item(2, 6)], 0, id="result-endless"),
        pytest.param([item("1", 5), item(2, 6)], 0, id="sequence-number-as-text"),
        pytest.param([item(1.0, 5), item(2, 6)], 0, id="sequence-float"),
        pytest.param([item(True, 5), item(2, 6)], 0, id="sequence-true"),
        pytest.param([item(1, 5), item(2**60, 6)], 0, id="sequence-endless"),
        pytest.param([item(1, "5"), item(2, 6)], 0, id="time-text"),
        pytest.param([item(1, 5, [0]), item(2, 6)], 0, id="result-list"),
        pytest.param([{"MsgSeq": 1}, {"MsgSeq": 2}], 0, id="no-results"),
        pytest.param([{"Result": 0}, {"Result": 0}], 0, id="no-sequences"),
        pytest.param([None, None], 0, id="nulls"),
    ],
)
def test_results_that_do_not_fit_the_messages_are_unknown(items: Any, above: int) -> None:
    assert is_unknown(read_sent(items, above=above))


# --- reading back -------------------------------------------------------------------------------


def info(group: str, **fields: Any) -> dict[str, Any]:
    return {"GroupId": group, "ErrorCode": 0, "NextMsgSeq": 1, **fields}


def test_frontiers_come_in_the_order_asked() -> None:
    rows = [
        info(
            "g2",
            NextMsgSeq=9,
            LastMsgTime=77,
            Type="Public",
            Name="é",
            Owner_Account="a",
            CreateTime=5,
        ),
        info("g1"),
    ]
    assert READERS["frontiers"](ok(GroupInfo=rows)) == [
        Frontier(address=GROUPS[0], exists=True),
        Frontier(
            address=GROUPS[1], exists=True, type="Public", name="é", owner_id="a", created_s=5,
            newest_slot=77, next_sequence=9,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "newest"),
    [
        pytest.param({"NextMsgSeq": 1, "LastMsgTime": 99}, None, id="no-message-ever"),
        pytest.param({"NextMsgSeq": 4, "LastMsgTime": 0}, None, id="no-time"),
        pytest.param({"NextMsgSeq": 4, "LastMsgTime": 99}, 99, id="messages"),
    ],
)
def test_a_group_without_messages_has_no_newest_slot(
    fields: dict[str, int], newest: int | None
) -> None:
    read = READERS["frontiers"](ok(GroupInfo=[info("g1", **fields), info("g2")]))
    assert read[0].newest_slot == newest


@pytest.mark.parametrize("code", [10010, 10015])
def test_a_group_that_is_not_there_is_no_failure(code: int) -> None:
    read = READERS["frontiers"](ok(GroupInfo=[{"GroupId": "g1", "ErrorCode": code}, info("g2")]))
    assert read[0] == Frontier(address=GROUPS[0], exists=False)


def test_a_group_that_cannot_be_read_keeps_its_failure() -> None:
    read = READERS["frontiers"](ok(GroupInfo=[{"GroupId": "g1", "ErrorCode": 10007}, info("g2")]))
    assert (read[0].exists, read[0].failure.code, read[1].exists) == (False, 10007, True)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(None, id="null"),
        pytest.param([info("g1")], id="fewer"),
        pytest.param([info("g1"), info("g3")], id="another-group"),
        pytest.param([info("g1"), info("g2"), info("g3")], id="more"),
        pytest.param([info("g1"), info("g2", NextMsgSeq=True)], id="true-as-sequence"),
        pytest.param([info("g1"), info("g2", NextMsgSeq=2.5)], id="half-a-sequence"),
        pytest.param([info("g1"), {"GroupId": "g2"}], id="no-sequence"),
        pytest.param([info("g1"), info("g2", NextMsgSeq="many")], id="text-sequence"),
        pytest.param([info("g1"), info("g2", LastMsgTime=[1])], id="list-as-time"),
        pytest.param([info("g1"), info("g2", ErrorCode="bad")], id="text-code"),
        pytest.param(["g1", "g2"], id="texts"),
    ],
)
def test_groups_without_their_state_are_unknown(rows: Any) -> None:
    assert is_unknown(READERS["frontiers"](ok(GroupInfo=rows)))


@pytest.mark.parametrize("code", [10010, 60007, 12345])
@pytest.mark.parametrize("status", ["OK", "FAIL"])
def test_the_code_of_the_whole_means_nothing_beside_the_groups_own(code: int, status: str) -> None:
    """The page says so: GroupInfo[].ErrorCode is what counts."""
    fields = {"ActionStatus": status, "ErrorCode": code, "GroupInfo": [info("g1"), info("g2")]}
    told = READERS["frontiers"](Reply(200, msgspec.json.encode(fields)))
    assert [each.exists for each in told] == [True, True]
    fields["ErrorCode"] = 0
    told = READERS["frontiers"](Reply(200, msgspec.json.encode(fields)))
    assert [each.exists for each in told] == [True, True]


GONE = {"TopicId": "t1", "ErrorCode": 10010}


@pytest.mark.parametrize("wrapped", [False, True], ids=["flat", "wrapped"])
def test_topics_are_read_flat_or_wrapped(*, wrapped: bool) -> None:
    topic = {"TopicId": "t2", "NextMsgSeq": 3, "LastMsgTime": 50}
    row = {"ErrorCode": 0, "Topic": topic} if wrapped else {"ErrorCode": 0, **topic}
    missing, there = READERS["topics"](ok(TopicInfoList=[GONE, row]))
    assert not missing.exists
    assert (there.exists, there.newest_slot, there.next_sequence) == (True, 50, 3)


@pytest.mark.parametrize(
    "rows",
    [[], [GONE], [GONE, {"TopicId": "t3", "NextMsgSeq": 1}], [GONE, GONE]],
    ids=["none", "fewer", "another", "twice"],
)
def test_a_topic_that_the_answer_leaves_out_may_exist_all_the_same(rows: Any) -> None:
    assert is_unknown(READERS["topics"](ok(TopicInfoList=rows)))


@pytest.mark.parametrize("fields", [{}, {"A": 1}, {"A": [1]}, {"A": [{"x": 1}]}], ids=str)
def test_topics_without_a_list_are_unknown(fields: dict[str, Any]) -> None:
    assert is_unknown(READERS["topics"](ok(**fields)))


def stored(**fields: Any) -> dict[str, Any]:
    return {"From_Account": "a", "MsgSeq": 4, "MsgTimeStamp": 50, "MsgRandom": 9, **fields}


@pytest.mark.parametrize("name", ["RspMsgList", "MsgList"])
def test_a_page_is_read_by_either_name(name: str) -> None:
    page = READERS["group_page"](ok(**{name: [stored(), stored(MsgSeq=3)]}))
    assert page == Page(
        (
            StoredMessage(sender="a", slot=50, sequence=4, random=9),
            StoredMessage(sender="a", slot=50, sequence=3, random=9),
        ),
        cursor="2",
    )


@pytest.mark.parametrize(
    ("rows", "more"),
    [([], False), ([stored(MsgSeq=1)], False), ([stored(MsgSeq=2)], True)],
    ids=["empty", "down-to-the-first", "older-ones-remain"],
)
def test_a_page_tells_whether_older_messages_remain(rows: list[Any], *, more: bool) -> None:
    assert bool(READERS["group_page"](ok(RspMsgList=rows)).cursor) is more


@pytest.mark.parametrize(
    ("told", "random"),
    [(-1, 2**32 - 1), (-(2**31), 2**31), (2**32 - 1, 2**32 - 1), (2**32 + 5, 5), ("7", 7)],
    ids=str,
)
def test_a_random_is_unsigned_whatever_the_service_makes_of_it(told: Any, random: int) -> None:
    (message,) = READERS["group_page"](ok(RspMsgList=[stored(MsgRandom=told)])).messages
    assert message.random == random


@pytest.mark.parametrize(
    ("place", "expected"),
    [(0, (False, False)), (1, (False, True)), (2, (True, False))],
    ids=["normal", "placeholder", "recalled"],
)
def test_placeholders_and_withdrawn_messages_are_told(
    place: int, expected: tuple[bool, bool]
) -> None:
    (message,) = READERS["group_page"](ok(RspMsgList=[stored(IsPlaceMsg=place)])).messages
    assert (message.withdrawn, message.placeholder) == expected


def test_a_placeholder_of_nobody_is_bare() -> None:
    rows = [
        {"MsgSeq": 4, "IsPlaceMsg": 1},
        stored(IsPlaceMsg=1),
        {"MsgSeq": 2},
        {"MsgSeq": 1, "IsPlaceMsg": 1, "From_Account": None},
    ]
    page = READERS["group_page"](ok(RspMsgList=rows))
    assert [each.is_bare for each in page.messages] == [True, False, False, True]
    assert {each.sender for each in page.messages} == {"", "a"}


@pytest.mark.parametrize(
    "rows",
    [
        None,
        5,
        {"a": 1},
        ["a"],
        [{}],
        [stored(MsgSeq="x")],
        [stored(MsgRandom=None)],
        [stored(MsgTimeStamp={})],
        [stored(From_Account=None)],
        [stored(From_Account=5)],
        [stored(MsgSeq=1.5)],
        [stored(MsgSeq=2**60)],
        [stored(IsPlaceMsg=False)],
    ],
    ids=str,
)
def test_a_page_without_its_messages_is_unknown(rows: Any) -> None:
    assert is_unknown(READERS["group_page"](ok(RspMsgList=rows)))
    assert is_unknown(READERS["group_page"](ok()))


def roaming(**fields: Any) -> Reply:
    rows = [
        {"From_Account": "a", "MsgTimeStamp": 50, "MsgSeq": 4, "MsgRandom": -1, "MsgFlagBits": 8}
    ]
    return ok(
        **{"MsgList": rows, "Complete": 1, "LastMsgTime": 50, "LastMsgKey": "4_1_50"} | fields
    )


@pytest.mark.parametrize(
    ("fields", "cursor"),
    [
        pytest.param({}, "", id="complete"),
        pytest.param({"Complete": 0}, "50 4_1_50", id="older-ones-remain"),
        pytest.param({"Complete": 0, "MsgList": []}, "", id="nothing-more-comes"),
    ],
)
def test_one_to_one_messages_are_read_with_where_to_go_on(
    fields: dict[str, Any], cursor: str
) -> None:
    page = READERS["roaming"](roaming(**fields))
    message = StoredMessage(sender="a", slot=50, sequence=4, random=2**32 - 1, withdrawn=True)
    assert page == Page(() if "MsgList" in fields else (message,), cursor)


@pytest.mark.parametrize(
    "fields",
    [
        {"MsgList": None}, {"MsgList": [{}]}, {"MsgList": ["a"]}, {"Complete": None}, {"Complete": "x"},
        {"Complete": 0, "LastMsgTime": None}, {"Complete": 0, "LastMsgKey": None}, {"Complete": True},
        {"MsgList": [{"From_Account": None, "MsgTimeStamp": 50, "MsgSeq": 4, "MsgRandom": 1}]},
    ],
    ids=str,
)  # fmt: skip
def test_one_to_one_messages_without_their_fields_are_unknown(fields: dict[str, Any]) -> None:
    assert is_unknown(READERS["roaming"](roaming(**fields)))


# --- listed members -----------------------------------------------------------------------------

LISTED = [
    {"Member_Account": "ada", "Role": "Owner", "MsgSeq": 7},
    {"Member_Account": "bob", "Role": "Admin", "MsgSeq": "5"},
    {"Member_Account": "cid", "Role": "Member"},
]


def test_members_are_listed_with_their_role_and_how_far_they_have_read() -> None:
    page = READERS["member_list"](ok(MemberNum=103, MemberList=LISTED))
    assert page == MemberPage(
        (
            StoredMember(account_id="ada", role="owner", read_sequence=7),
            StoredMember(account_id="bob", role="admin", read_sequence=5),
            StoredMember(account_id="cid", role="member", read_sequence=None),
        ),
        "",
    )


@pytest.mark.parametrize(
    ("reader", "fields", "cursor"),
    [
        pytest.param("member_list", {"MemberNum": 104}, "103", id="more-remain"),
        pytest.param("member_list", {"MemberNum": 99, "MemberList": []}, "", id="fewer-by-now"),
        pytest.param("community_list", {"Next": "n-2"}, "n-2", id="community-with-more"),
        pytest.param("community_list", {"Next": ""}, "", id="community-at-its-end"),
        pytest.param("community_list", {"Next": "n", "MemberList": []}, "", id="nothing-comes"),
    ],
)
def test_a_list_of_members_says_where_to_go_on(
    reader: str, fields: dict[str, Any], cursor: str
) -> None:
    assert READERS[reader](ok(**{"MemberList": LISTED, **fields})).cursor == cursor


@pytest.mark.parametrize("fields", [{"MemberNum": 3}, {"MemberList": LISTED}, {"MemberList": [1]}])
def test_a_list_of_members_without_members_or_their_number_is_asked_for_again(
    fields: dict[str, Any],
) -> None:
    assert is_unknown(READERS["member_list"](ok(**fields)))


@pytest.mark.parametrize(
    ("finished", "expired"), [(0, False), (1, False), (2, True), (None, False)]
)
def test_a_page_says_whether_what_is_older_has_expired(
    finished: int | None, *, expired: bool
) -> None:
    page = READERS["group_page"](ok(RspMsgList=[], IsFinished=finished))
    assert (page.messages, page.cursor, page.rest_expired) == ((), "", expired)
