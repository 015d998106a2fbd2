"""The request and reply samples of the vendor's pages, and what holds for any order of imports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.zim_client import Json, Zim, image

import chat_sandbox


def _bare(reply: Json) -> Json:
    return {name: value for name, value in reply.items() if name != "RequestId"}


OK: Json = {"Code": 0, "Message": "success"}


def test_user_register_lists_who_exists(zim: Zim) -> None:
    zim.register("bbb")
    row = {"UserId": "aaa", "UserName": "A", "UserAvatar": "https://cdn.example/a"}
    reply = zim.post("UserRegister", {"UserInfo": [row, {"UserId": "bbb"}]})
    (error,) = reply["ErrorList"]
    assert _bare(reply) == OK | {"ErrorList": [error]}
    assert {**error, "SubMessage": "…"} == {
        "UserId": "bbb",
        "SubCode": 660700002,
        "SubMessage": "…",
    }


def test_create_group_answers_members_and_those_who_did_not_join(zim: Zim) -> None:
    zim.post("UserRegister", {"UserInfo": [{"UserId": "owner", "UserName": "owner"}]})
    zim.register("user1")
    body = {"GroupId": "group", "GroupName": "n", "GroupOwner": "owner"}
    made = {"UserId": ["user1", "user2"], "CreateGroupTime": 1_700_000_000_000}
    assert _bare(zim.post("CreateGroup", body | made)) == OK | {
        "GroupId": "group",
        "Members": [
            {"UserId": "owner", "UserName": "owner"},
            {"UserId": "user1", "UserName": ""},
        ],
        "ErrorUsers": [{"UserId": "user2", "SubCode": 660000015}],
    }


def test_import_group_msg_answers_the_seq(zim: Zim) -> None:
    zim.register("u1")
    zim.make_group("r1")
    body = {
        "FromUserId": "u1",
        "GroupId": "r1",
        "MessageType": 1,
        "Priority": 2,
        "MessageBody": {"Message": "hello world", "ExtendedData": '{"legacyId":"abc-1"}'},
        "SendMessageTime": zim.now - 1000,
    }
    assert _bare(zim.post("ImportGroupMsg", body)) == OK | {"MsgSeq": 1}
    media = {"MessageType": 11, "MessageBody": {"Message": image(), "ExtendedData": ""}}
    assert _bare(zim.post("ImportGroupMsg", body | media)) == OK | {"MsgSeq": 2}


def test_import_peer_msg_answers_id_and_seq(zim: Zim) -> None:
    zim.register("u1", "u2")
    body = {
        "FromUserId": "u1",
        "ToUserId": "u2",
        "ImportedUserId": "u1",
        "MessageType": 200,
        "SubMsgType": 110,
        "SearchedContent": "ex",
        "Priority": 2,
        "MessageBody": {"Message": "hello world", "ExtendedData": "s"},
        "SendMessageTime": zim.now - 1000,
    }
    reply = _bare(zim.post("ImportPeerMsg", body))
    assert reply.pop("MsgId").isdecimal()
    assert reply == OK | {"MsgSeq": 1}


def test_a_page_of_history_has_a_list_and_a_cursor(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    body = {"GroupId": "g", "Limit": 100, "Next": 0, "WithEmptyMsg": 0}
    reply = zim_crew.post("QueryGroupMsg", body)
    assert _bare(reply) == OK | {"List": reply["List"], "Next": 0}
    assert len(reply["List"]) == 1


def test_clear_conversation_unread_answers_the_bare_envelope(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    query = {"FromUserId": "cid", "ConvId": "g", "ConvType": 2}
    assert _bare(zim_crew.get("ClearConversationUnread", **query)) == OK


@pytest.fixture(scope="module")
def quick() -> Iterator[Zim]:
    """A client of a sandbox of this module, which the examples of one property share."""
    with chat_sandbox.running(rate_limits=False) as handle:
        handle.freeze_clock()
        zim = Zim(handle)
        zim.register("ann", "bob")
        yield zim
        zim.session.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ages=st.lists(st.integers(min_value=1, max_value=5), max_size=8), limit=st.integers(1, 4))
def test_every_accepted_import_is_read_back_once_by_falling_time(
    quick: Zim, ages: list[int], limit: int
) -> None:
    group_id = quick.make_group("")["GroupId"]
    seqs = [quick.send(age, str(age), GroupId=group_id)["MsgSeq"] for age in ages]
    assert seqs == list(range(1, len(ages) + 1))
    read: list[Json] = []
    cursor = 0
    while True:
        body = {"GroupId": group_id, "Limit": limit, "Next": cursor}
        reply = quick.post("QueryGroupMsg", body)
        read += reply["List"]
        cursor = reply["Next"]
        if not cursor:
            break
    assert [row["MsgBody"] for row in read] == [str(age) for age in sorted(ages)]
    assert sorted(row["MsgSeq"] for row in read) == seqs
