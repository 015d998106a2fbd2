"""Importing group messages, with all switches at their defaults."""

from __future__ import annotations

import pytest
from tests.sandbox.client import IMAGE, LONG_AGO, Json, Tencent, custom, text

IMPORT = "group_open_http_svc/import_group_msg"


@pytest.mark.parametrize(("count", "code"), [(0, 10004), (1, 0), (7, 0), (8, 10004)])
def test_a_call_takes_1_to_7_messages(crew: Tencent, count: int, code: int) -> None:
    messages = [crew.message(50 - number) for number in range(count)]
    assert crew.send("g", *messages)["ErrorCode"] == code
    assert len(crew.history("g")) == (count if code == 0 else 0)


@pytest.mark.parametrize(
    ("age", "result"),
    [
        pytest.param(LONG_AGO, 10004, id="at creation"),
        pytest.param(LONG_AGO - 1, 0, id="a second after creation"),
        pytest.param(1, 0, id="a second ago"),
        pytest.param(0, 10004, id="now"),
        pytest.param(-60, 10004, id="in the future"),
    ],
)
def test_send_time_lies_strictly_between_creation_and_now(
    crew: Tencent, age: int, result: int
) -> None:
    assert crew.results("g", crew.message(age)) == [result]


def test_a_message_must_be_later_than_the_newest_of_the_group(crew: Tencent) -> None:
    assert crew.results("g", crew.message(50)) == [0]
    assert crew.results("g", crew.message(51), crew.message(50), crew.message(49)) == [
        10004,
        10004,
        0,
    ]


def test_a_live_message_ends_the_backlog_for_good(crew: Tencent) -> None:
    crew.results("g", crew.message(50))
    crew.sandbox.live_message("g", From_Account="bob")
    assert crew.results("g", crew.message(49), crew.message(1)) == [10004, 10004]


def test_a_group_without_create_time_takes_no_history(tencent: Tencent) -> None:
    tencent.group("import_group", {"GroupId": "g", "Type": "Public", "Name": "x"})
    assert tencent.results("g", tencent.message(50)) == [10004]


def test_seqs_count_from_1_in_each_group_and_skip_failed_items(crew: Tencent) -> None:
    crew.make_group("h")
    good, late, better = crew.message(50), crew.message(60), crew.message(40)
    items = crew.send("g", good, late, better)["ImportMsgResult"]
    assert [(item["MsgSeq"], item["Result"]) for item in items] == [(1, 0), (0, 10004), (2, 0)]
    assert crew.send("h", crew.message(50))["ImportMsgResult"][0]["MsgSeq"] == 1
    assert crew.info("g")["NextMsgSeq"] == 3
    assert crew.info("g")["LastMsgTime"] == crew.now - 40


def test_the_same_random_within_five_minutes_is_stored_once(crew: Tencent) -> None:
    message = crew.message(50, Random=5)
    first = crew.send("g", message)["ImportMsgResult"]
    assert crew.send("g", message)["ImportMsgResult"] == first
    assert crew.results("g", crew.message(40, Random=5)) == [0]
    assert len(crew.history("g")) == 1


def test_the_same_random_is_dropped_within_one_request_too(crew: Tencent) -> None:
    items = crew.send("g", crew.message(50, Random=5), crew.message(40, Random=5))
    assert [item["MsgSeq"] for item in items["ImportMsgResult"]] == [1, 1]
    assert len(crew.history("g")) == 1


def test_the_same_random_is_stored_again_after_five_minutes(crew: Tencent) -> None:
    crew.results("g", crew.message(50, Random=5))
    crew.sandbox.advance_clock(299)
    assert crew.results("g", crew.message(40, Random=5)) == [0]
    assert len(crew.history("g")) == 1
    crew.sandbox.advance_clock(1)
    assert crew.results("g", crew.message(40, Random=5)) == [0]
    assert len(crew.history("g")) == 2


def test_messages_without_random_are_never_duplicates(crew: Tencent) -> None:
    crew.results("g", crew.message(50, Random=None), crew.message(40, Random=None))
    randoms = {row["MsgRandom"] for row in crew.history("g")}
    assert len(randoms) == 2
    assert 0 not in randoms


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"From_Account": None}, id="no sender"),
        pytest.param({"From_Account": 7}, id="sender no text"),
        pytest.param({"SendTime": None}, id="no time"),
        pytest.param({"SendTime": 1.5}, id="time no integer"),
        pytest.param({"Random": -1}, id="negative random"),
        pytest.param({"Random": 2**32}, id="random over 32 bits"),
        pytest.param({"MsgBody": None}, id="no body"),
        pytest.param({"MsgBody": []}, id="empty body"),
        pytest.param({"MsgBody": {"MsgType": "TIMTextElem"}}, id="body no array"),
        pytest.param({"MsgBody": [{"MsgType": "TIMTextElem"}]}, id="element without content"),
        pytest.param({"MsgBody": [{"MsgContent": {"Text": "x"}}]}, id="element without type"),
        pytest.param({"MsgBody": [IMAGE]}, id="media"),
        pytest.param({"MsgBody": [{"MsgType": "TIMX", "MsgContent": {}}]}, id="unknown type"),
        pytest.param({"MsgBody": [custom(), custom()]}, id="two custom elements"),
        pytest.param(
            {"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": 5}}]}, id="text a number"
        ),
    ],
)
def test_one_malformed_message_refuses_the_request(crew: Tencent, fields: Json) -> None:
    reply = crew.send("g", crew.message(50), crew.message(40, **fields))
    assert reply["ErrorCode"] == 10004
    assert "ImportMsgResult" not in reply
    assert crew.history("g") == []


def test_every_listed_element_type_is_taken_and_read_back_in_order(crew: Tencent) -> None:
    body = [
        *text("a"),
        custom(),
        {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "smile"}},
        {
            "MsgType": "TIMLocationElem",
            "MsgContent": {"Desc": "pier", "Latitude": 53.5, "Longitude": 9},
        },
        *text("b"),
    ]
    assert crew.results("g", crew.message(50, MsgBody=body)) == [0]
    assert crew.history("g")[0]["MsgBody"] == body


@pytest.mark.parametrize(("extra", "result"), [(0, 0), (1, 80002)])
def test_a_body_holds_12000_bytes_as_compact_json(crew: Tencent, extra: int, result: int) -> None:
    frame = len('[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]')
    message = crew.message(50, content="x" * (12_000 - frame + extra))
    assert crew.results("g", message, crew.message(40)) == [result, 0]


@pytest.mark.parametrize(
    ("group_id", "code"), [("none", 10010), ("x" * 49, 10015), ("live", 10007), ("", 10004)]
)
def test_the_group_must_exist_and_keep_history(crew: Tencent, group_id: str, code: int) -> None:
    crew.sandbox.create_group("live", Type="AVChatRoom")
    assert crew.send(group_id, crew.message(50))["ErrorCode"] == code


def test_a_refused_request_leaves_unread_alone(crew: Tencent) -> None:
    crew.fill("g", 3)
    crew.set_unread("g", "bob", 2)
    crew.send("g", crew.message(50, MsgBody=[]))
    assert crew.unread("g", "bob") == 2


def test_the_recent_contact_flag_is_0_or_1(crew: Tencent) -> None:
    assert crew.send("g", crew.message(50), RecentContactFlag=1)["ErrorCode"] == 0
    assert crew.send("g", crew.message(40), RecentContactFlag=2)["ErrorCode"] == 10004


def test_the_newest_time_of_a_senders_messages_is_kept(crew: Tencent) -> None:
    crew.results("g", crew.message(50, From_Account="bob"))
    body = {"GroupId": "g", "Member_List_Account": ["bob"]}
    rows = crew.group("get_specified_group_member_info", body)["MemberList"]
    assert rows[0]["LastSendMsgTime"] == crew.now - 50
