"""Reading group messages back."""

from __future__ import annotations

import pytest
from tests.sandbox.client import Json, Tencent

SIMPLE = "group_open_http_svc/group_msg_get_simple"


def test_a_page_has_20_messages_newest_first(crew: Tencent) -> None:
    crew.fill("g", 50)
    rows = crew.history("g")
    assert [row["MsgSeq"] for row in rows] == list(range(50, 30, -1))
    assert rows[0]["MsgBody"][0]["MsgContent"]["Text"] == "m50"


def test_paging_down_reaches_every_message_once(crew: Tencent) -> None:
    crew.fill("g", 50)
    seqs: list[int] = []
    page = crew.history("g")
    while page:
        seqs += [row["MsgSeq"] for row in page]
        page = crew.history("g", ReqMsgSeq=seqs[-1] - 1)
    assert seqs == list(range(50, 0, -1))


@pytest.mark.parametrize(
    ("fields", "seqs", "finished"),
    [
        pytest.param({"ReqMsgNumber": 5}, [30, 29, 28, 27, 26], 1, id="as many as asked for"),
        pytest.param({"ReqMsgNumber": 2, "ReqMsgSeq": 4}, [4, 3], 1, id="from a seq down"),
        pytest.param({"ReqMsgNumber": 20, "ReqMsgSeq": 3}, [3, 2, 1], 1, id="to the beginning"),
        pytest.param({"ReqMsgNumber": 25}, list(range(30, 10, -1)), 0, id="over 20 is cut"),
        pytest.param({"ReqMsgNumber": 20, "ReqMsgSeq": 0}, [], 1, id="nothing there"),
        pytest.param({"ReqMsgNumber": 1, "ReqMsgSeq": 999}, [30], 1, id="above the newest"),
    ],
)
def test_is_finished_says_whether_all_asked_for_is_there(
    crew: Tencent, fields: Json, seqs: list[int], finished: int
) -> None:
    crew.fill("g", 30)
    reply = crew.group("group_msg_get_simple", {"GroupId": "g", **fields})
    assert [row["MsgSeq"] for row in reply["RspMsgList"]] == seqs
    assert reply["IsFinished"] == finished


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"GroupId": "g"}, 10004),
        ({"GroupId": "g", "ReqMsgNumber": 0}, 10004),
        ({"GroupId": "none", "ReqMsgNumber": 1}, 10010),
        ({"GroupId": "live", "ReqMsgNumber": 1}, 10007),
        ({"GroupId": "g", "ReqMsgNumber": 1, "TopicId": "t"}, 10004),
    ],
)
def test_reading_checks_its_request(crew: Tencent, body: Json, code: int) -> None:
    crew.sandbox.create_group("live", Type="AVChatRoom")
    assert crew.code(SIMPLE, body) == code


def test_a_large_page_is_cut_and_can_be_continued(crew: Tencent) -> None:
    for start in range(0, 14, 7):
        batch = [crew.message(50 - start - n, content="x" * 11_000) for n in range(7)]
        crew.results("g", *batch)
    reply = crew.group("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 20})
    assert [row["MsgSeq"] for row in reply["RspMsgList"]] == [14, 13, 12, 11, 10]
    assert reply["IsFinished"] == 0


def test_messages_past_retention_come_back_as_empty_placeholders(crew: Tencent) -> None:
    crew.results("g", crew.message(90_000), crew.message(10))
    crew.sandbox.advance_clock(86_400)
    young, old = crew.history("g")
    assert (young["IsPlaceMsg"], old["IsPlaceMsg"]) == (0, 1)
    assert old["MsgBody"] == []
    assert old["MsgSeq"] == 1


def test_recalled_messages_are_shown_only_on_demand(crew: Tencent) -> None:
    crew.fill("g", 3)
    crew.group("group_msg_recall", {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 2}]})
    assert [row["MsgSeq"] for row in crew.history("g")] == [3, 1]
    rows = crew.history("g", WithRecalledMsg=1)
    assert [row["IsPlaceMsg"] for row in rows] == [0, 2, 0]
    assert rows[1]["MsgBody"] == []


def test_tips_are_marked_as_system_messages(crew: Tencent) -> None:
    crew.sandbox.live_message("g", IsTip=True, Text="bob joined")
    row = crew.history("g")[0]
    assert row["IsSystemMsg"] == 1
    assert row["MsgTimeStamp"] == crew.now
