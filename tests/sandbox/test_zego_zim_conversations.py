"""Lists of conversations, unread numbers, deleting, recalling, editing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.zim_client import DAY, Json, Zim


def _list(zim: Zim, user_id: str = "ann", **fields: object) -> list[Json]:
    reply = zim.post("QueryConversationList", {"FromUserId": user_id, **fields})
    rows: list[Json] = reply["List"]
    return rows


def _clear(zim: Zim, user_id: str, conv_id: str, kind: int) -> int:
    query = {"FromUserId": user_id, "ConvId": conv_id, "ConvType": kind}
    return int(zim.get("ClearConversationUnread", **query)["Code"])


def test_conversations_are_listed_the_latest_last_and_without_unread(zim_crew: Zim) -> None:
    assert _list(zim_crew) == []
    zim_crew.send(1000)
    zim_crew.tell(2000)
    assert _list(zim_crew) == [
        {"ConvId": "bob", "UpdateTime": zim_crew.now - 2000},
        {"ConvId": "g", "UpdateTime": zim_crew.now - 1000, "ConvType": 2},
    ]
    assert _list(zim_crew, "bob") == [
        {"ConvId": "g", "UpdateTime": zim_crew.now - 1000, "ConvType": 2}
    ]


def test_conversations_are_listed_in_pages(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    zim_crew.tell(2000)
    first = zim_crew.post("QueryConversationList", {"FromUserId": "ann", "Limit": 1})
    rest = _list(zim_crew, Limit=1, Next=first["Next"])
    assert [row["ConvId"] for row in first["List"] + rest] == ["bob", "g"]
    assert zim_crew.code("QueryConversationList", {"FromUserId": "ann", "Limit": 501}) == 660000002


def test_unread_is_cleared_per_user_and_conversation(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    zim_crew.tell(1000, ImportedUserId="bob")
    assert _clear(zim_crew, "cid", "g", 2) == 0
    assert zim_crew.zim.unread("cid", group_id="g") == 0
    assert zim_crew.zim.unread("ann", group_id="g") == 1
    assert zim_crew.zim.unread("bob", peer="ann") == 1
    assert _clear(zim_crew, "bob", "ann", 0) == 0
    assert zim_crew.zim.unread("bob", peer="ann") == 0


@pytest.mark.parametrize(
    ("user_id", "conv_id", "kind", "code"),
    [
        ("ann", "g", 2, 660800002),
        ("ann", "bob", 0, 660800002),
        ("ann", "g", 1, 660000002),
        ("nobody", "g", 2, 660500002),
    ],
)
def test_clearing_needs_a_conversation(
    zim_crew: Zim, user_id: str, conv_id: str, kind: int, code: int
) -> None:
    assert _clear(zim_crew, user_id, conv_id, kind) == code


def test_only_the_latest_1000_conversations_can_be_cleared(
    zim: Zim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_sandbox.zego_zim.conversations.LATEST_CONVERSATIONS", 1)
    zim.tell(2000)
    zim.tell(1000, ToUserId="cid")
    assert _clear(zim, "ann", "bob", 0) == 660800002
    assert _clear(zim, "ann", "cid", 0) == 0


def test_a_deleted_conversation_comes_back_with_its_next_message(zim: Zim) -> None:
    zim.tell(2000)
    gone = {"FromUserId": "ann", "ConvId": "bob", "ConvType": 0}
    assert zim.code("DeleteConv", gone) == 0
    assert _list(zim) == []
    assert zim.code("DeleteConv", gone) == 660800002
    zim.tell(1000)
    assert len(_list(zim)) == 1


def test_live_messages_are_in_both_copies_and_unread_for_others(zim_crew: Zim) -> None:
    stored = zim_crew.zim.live_peer_message("ann", "bob", Text="now")
    assert stored["MsgSeq"] == 1
    for owner, peer in (("ann", "bob"), ("bob", "ann")):
        (message,) = zim_crew.zim.peer_messages(owner, peer)
        assert (message["body"], message["imported"]) == ("now", False)
    assert zim_crew.zim.unread("bob", peer="ann") == 1
    assert zim_crew.zim.unread("ann", peer="bob") == 0
    zim_crew.zim.live_group_message("g", "cid", Time=zim_crew.now - 5)
    assert zim_crew.history()[0]["MsgTime"] == zim_crew.now - 5
    assert zim_crew.zim.unread("cid", group_id="g") == 0
    assert zim_crew.zim.unread("bob", group_id="g") == 1


def test_a_recent_message_can_be_recalled_once(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    recall = {"FromUserId": "bob", "GroupId": "g", "MsgSeq": 1}
    assert zim_crew.code("RevokeGroupMessage", recall | {"FromUserId": "cid"}) == 660000002
    assert zim_crew.code("RevokeGroupMessage", recall) == 0
    assert zim_crew.code("RevokeGroupMessage", recall) == 660000023
    assert zim_crew.history() == []
    assert zim_crew.history(WithEmptyMsg=1)[0]["IsEmpty"] == 2
    spot = {"FromUserId": "ann", "ConvId": "g", "ConvType": 2, "MsgSeqList": [1]}
    assert zim_crew.post("QueryMessagesByMsgSeq", spot)["MessageList"][0]["MsgType"] == 31


def an_edit(text: str, **fields: Any) -> Json:
    """Return what replaces the text of a message."""
    return {"MsgType": 1, "EditType": 1, "MessageBody": {"Message": text}, **fields}


def test_history_is_too_old_for_a_recall_or_an_edit(zim_crew: Zim) -> None:
    zim_crew.send(120_001)
    zim_crew.send(DAY + 1)
    recall = {"FromUserId": "ann", "GroupId": "g", "MsgSeq": 1}
    edit = an_edit("new", FromUserId="ann", ConvId="g", ConvMsgSeq=2)
    assert zim_crew.code("RevokeGroupMessage", recall) == 660000024
    assert zim_crew.code("EditGroupMsgBody", edit) == 661000001
    assert zim_crew.code("RevokeGroupMessage", recall | {"MsgSeq": 9}) == 660000022


def test_an_edit_replaces_text_and_payload(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    edit = an_edit("new", FromUserId="cid", ConvId="g", ConvMsgSeq=1)
    assert zim_crew.code("EditGroupMsgBody", edit) == 0
    assert zim_crew.history()[0]["Payload"] == "id:hi"
    both = {"EditType": 3, "MessageBody": {"Message": "newer", "ExtendedData": "p"}}
    assert zim_crew.code("EditGroupMsgBody", edit | both) == 0
    row = zim_crew.history()[0]
    assert (row["MsgBody"], row["Payload"]) == ("newer", "p")
    only_payload = {"EditType": 2, "MessageBody": {"ExtendedData": ""}}
    assert zim_crew.code("EditGroupMsgBody", edit | only_payload) == 0
    row = zim_crew.history()[0]
    assert (row["MsgBody"], row["Payload"]) == ("newer", "")
    too_long = {"MessageBody": {"Message": "x" * 2049}}
    assert zim_crew.code("EditGroupMsgBody", edit | too_long) == 660400001


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"EditType": 0}, 660000002),
        ({"EditType": 32}, 660000002),
        ({"MsgType": 200}, 660000002),
        ({"SenderId": "cid"}, 660000002),
        ({"SenderId": "bob"}, 0),
        ({"MessageBody": {"Message": ""}}, 660000002),
        ({"ConvId": "h"}, 660600001),
        ({"ConvMsgSeq": 9}, 660000022),
        ({"FromUserId": "dan"}, 660600024),
        ({"FromUserId": "nobody"}, 660500002),
    ],
)
def test_an_edit_names_message_and_parts(zim_crew: Zim, change: Json, code: int) -> None:
    zim_crew.register("dan")
    zim_crew.send(1000)
    edit = an_edit("new", FromUserId="ann", ConvId="g", ConvMsgSeq=1)
    assert zim_crew.code("EditGroupMsgBody", edit | change) == code


def test_an_edit_can_change_the_sub_type_of_a_custom_message(zim_crew: Zim) -> None:
    zim_crew.send(1000, MessageType=200, SubMsgType=1)
    edit = an_edit("new", FromUserId="bob", ConvId="g", ConvMsgSeq=1)
    change = {"EditType": 17, "MsgType": 200, "SubMsgType": 7}
    assert zim_crew.code("EditGroupMsgBody", edit | change) == 0
    row = zim_crew.history()[0]
    assert (row["MsgBody"], row["SubMsgType"]) == ("new", 7)


def test_one_to_one_edits_and_recalls_reach_both_copies_that_share_an_id(zim: Zim) -> None:
    zim.zim.live_peer_message("ann", "bob", Text="live")
    zim.tell(1000, "imported")
    zim.tell(1000, "imported", ImportedUserId="bob")
    edit = an_edit("new", FromUserId="ann", SenderId="ann", ConvId="bob")
    assert [zim.code("EditC2cMsgBody", edit | {"ConvMsgSeq": seq}) for seq in (1, 2)] == [0, 0]
    assert {row["MsgBody"] for row in zim.roam()} == {"new"}
    assert {row["MsgBody"] for row in zim.roam("bob", "ann")} == {"new", "imported"}
    recall = {"FromUserId": "ann", "ToUserId": "bob", "MsgSeq": 1}
    assert zim.code("RevokePeerMessage", recall) == 0
    assert len(zim.roam("bob", "ann")) == 1
    assert zim.code("EditC2cMsgBody", edit | {"ConvMsgSeq": 1}) == 660000023
