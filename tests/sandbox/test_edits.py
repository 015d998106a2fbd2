"""Modifying and recalling messages, with all switches at their defaults."""

from __future__ import annotations

import pytest
from tests.sandbox.client import IMAGE, Json, Tencent, text

from chat_sandbox import Effect

MODIFY_GROUP = "openim/modify_group_msg"
MODIFY_PEER = "openim/modify_c2c_msg"
RECALL = "group_open_http_svc/group_msg_recall"
WITHDRAW = "openim/admin_msgwithdraw"


def _key(tencent: Tencent, age: int = 100) -> Json:
    key = f"1_11_{tencent.now - age}"
    return {"From_Account": "ann", "To_Account": "bob", "MsgKey": key}


def test_modifying_replaces_the_body_and_nothing_else(crew: Tencent) -> None:
    crew.fill("g", 3)
    crew.set_unread("g", "bob", 2)
    before = crew.history("g")[1]
    body = {"GroupId": "g", "MsgSeq": 2, "MsgBody": text("edited")}
    assert crew.code(MODIFY_GROUP, body) == 0
    assert crew.history("g")[1] == before | {"MsgBody": text("edited")}
    assert crew.unread("g", "bob") == 2


def test_modifying_custom_data_alone_keeps_the_body(crew: Tencent) -> None:
    crew.fill("g", 1)
    body = {"GroupId": "g", "MsgSeq": 1, "CloudCustomData": "{}"}
    assert crew.code(MODIFY_GROUP, body) == 0
    message = crew.sandbox.dump()["groups"]["g"]["messages"][0]
    assert message["cloud_custom_data"] == "{}"
    assert message["body"] == text("m1")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"MsgSeq": 9}, 20026, id="no such message"),
        pytest.param({"MsgSeq": None}, 10004, id="no seq"),
        pytest.param({"MsgBody": None}, 90001, id="nothing to change"),
        pytest.param({"MsgBody": []}, 90002, id="empty body"),
        pytest.param({"MsgBody": [IMAGE]}, 90002, id="media"),
        pytest.param({"MsgBody": text("x" * 12_000)}, 80002, id="too long"),
        pytest.param({"GroupId": "none"}, 10010, id="no such group"),
        pytest.param({"GroupId": "live"}, 10007, id="AVChatRoom"),
    ],
)
def test_modifying_a_group_message_checks_its_request(
    crew: Tencent, fields: Json, code: int
) -> None:
    crew.sandbox.create_group("live", Type="AVChatRoom")
    crew.fill("g", 1)
    body = {"GroupId": "g", "MsgSeq": 1, "MsgBody": text("edited")} | fields
    assert crew.code(MODIFY_GROUP, body) == code


def test_recalled_and_expired_messages_cannot_be_modified(crew: Tencent) -> None:
    crew.results("g", crew.message(90_000), crew.message(10))
    crew.code(RECALL, {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 2}]})
    body = {"GroupId": "g", "MsgSeq": 2, "MsgBody": text("edited")}
    assert crew.code(MODIFY_GROUP, body) == 20026
    crew.sandbox.advance_clock(86_400)
    assert crew.code(MODIFY_GROUP, body | {"MsgSeq": 1}) == 20026


def test_a_recalled_seq_stays_taken(crew: Tencent) -> None:
    crew.fill("g", 2)
    crew.code(RECALL, {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 2}]})
    assert crew.info("g")["NextMsgSeq"] == 3
    assert crew.results("g", crew.message(101), crew.message(50)) == [10004, 0]
    assert crew.history("g")[0]["MsgSeq"] == 3


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"MsgSeqList": [{"MsgSeq": 1}] * 10}, 0),
        ({"MsgSeqList": [{"MsgSeq": 1}] * 11}, 10004),
        ({"MsgSeqList": []}, 10004),
        ({"MsgSeqList": [{"Seq": 1}]}, 10004),
        ({"Reason": "x" * 101}, 10004),
        ({"GroupId": "none"}, 10010),
    ],
)
def test_recalling_checks_its_request(crew: Tencent, fields: Json, code: int) -> None:
    body = {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 1}]} | fields
    assert crew.code(RECALL, body) == code


@pytest.mark.parametrize("effect", list(Effect))
def test_the_last_of_a_recall_can_fail_with_or_without_effect(
    crew: Tencent, effect: Effect
) -> None:
    crew.fill("g", 3)
    crew.sandbox.add_fault("item_error", api="group_msg_recall", code=10002, effect=effect)
    asked = [{"MsgSeq": 1}, {"MsgSeq": 3}]
    reply = crew.call(RECALL, {"GroupId": "g", "MsgSeqList": asked})
    assert reply["RecallRetList"] == [
        {"MsgSeq": 1, "RetCode": 0},
        {"MsgSeq": 3, "RetCode": 10002},
    ]
    recalled = [each["recalled"] for each in crew.sandbox.dump()["groups"]["g"]["messages"]]
    assert recalled == [True, False, effect is Effect.APPLIED]


def test_expired_messages_and_tips_are_not_recalled(crew: Tencent) -> None:
    crew.results("g", crew.message(90_000))
    crew.sandbox.live_message("g", IsTip=True)
    crew.sandbox.advance_clock(86_400)
    body = {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 2}]}
    codes = [row["RetCode"] for row in crew.call(RECALL, body)["RecallRetList"]]
    assert codes == [10031, 10032]


def test_a_one_to_one_message_is_modified_by_its_key(tencent: Tencent) -> None:
    tencent.tell(CloudCustomData="old")
    change = {"MsgBody": text("edited")}
    assert tencent.code(MODIFY_PEER, _key(tencent) | change) == 0
    row = tencent.roam()["MsgList"][0]
    assert (row["MsgBody"], row["CloudCustomData"]) == (text("edited"), "old")
    assert tencent.code(MODIFY_PEER, _key(tencent) | {"CloudCustomData": "new"}) == 0
    assert tencent.roam()["MsgList"][0]["CloudCustomData"] == "new"


@pytest.mark.parametrize(
    ("fields", "modify", "withdraw"),
    [
        pytest.param({"MsgKey": "1_2_3"}, 20026, 20022, id="no such message"),
        pytest.param({"MsgKey": "x"}, 90054, 90054, id="malformed key"),
        pytest.param({"MsgKey": "1_2_" + "3" * 50}, 90054, 90054, id="key over 50 characters"),
        pytest.param({"To_Account": "nobody"}, 20003, 20003, id="unknown recipient"),
        pytest.param({"To_Account": "cid"}, 20026, 20022, id="another conversation"),
        pytest.param({"From_Account": None}, 90008, 90008, id="no sender"),
        pytest.param({"To_Account": None}, 90003, 90003, id="no recipient"),
    ],
)
def test_keys_and_accounts_of_one_to_one_edits_are_checked(
    tencent: Tencent, fields: Json, modify: int, withdraw: int
) -> None:
    tencent.tell()
    body = _key(tencent) | fields
    assert tencent.code(MODIFY_PEER, body | {"MsgBody": text("x")}) == modify
    assert tencent.code(WITHDRAW, body) == withdraw


def test_withdrawing_leaves_a_flagged_empty_row_and_twice_answers_20023(tencent: Tencent) -> None:
    tencent.tell()
    assert tencent.code(WITHDRAW, _key(tencent)) == 0
    row = tencent.roam()["MsgList"][0]
    assert (row["MsgFlagBits"], row["MsgBody"]) == (8, [])
    assert tencent.code(WITHDRAW, _key(tencent)) == 20023
    assert tencent.code(MODIFY_PEER, _key(tencent) | {"MsgBody": text("x")}) == 20026


def test_an_expired_one_to_one_message_cannot_be_withdrawn(tencent: Tencent) -> None:
    tencent.tell(90_000)
    key = _key(tencent, 90_000)
    tencent.sandbox.advance_clock(86_400)
    assert tencent.code(WITHDRAW, key) == 20022


def test_a_withdrawn_triple_still_suppresses_its_repeat(tencent: Tencent) -> None:
    tencent.tell()
    tencent.code(WITHDRAW, _key(tencent))
    tencent.tell()
    assert tencent.roam()["MsgCnt"] == 1
