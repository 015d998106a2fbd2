"""Reading back: QueryGroupMsg, QueryPeerMsg, QueryMessagesByMsgSeq."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from tests.sandbox.zim_client import DAY, Json, Zim, file, image


def _bodies(rows: list[Json]) -> list[str]:
    return [row["MsgBody"] for row in rows]


def test_rows_have_the_documented_fields_and_ids_beyond_2_to_the_53(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    (row,) = zim_crew.history()
    assert isinstance(row["MsgId"], int)
    assert row["MsgId"] > 2**53
    assert {**row, "MsgId": 0} == {
        "Sender": "bob",
        "MsgType": 1,
        "SubMsgType": 0,
        "MsgBody": "hi",
        "MsgId": 0,
        "MsgSeq": 1,
        "Payload": "id:hi",
        "MsgTime": zim_crew.now - 1000,
        "IsEmpty": 0,
    }


def test_the_id_of_an_import_is_read_back_as_a_number(zim: Zim) -> None:
    told = zim.tell(1000)
    (row,) = zim.roam()
    assert (str(row["MsgId"]), row["MsgSeq"]) == (told["MsgId"], told["MsgSeq"])


def test_ids_that_follow_each_other_are_one_float(zim_crew: Zim) -> None:
    zim_crew.send(2000)
    zim_crew.send(1000)
    ids = [row["MsgId"] for row in zim_crew.history()]
    assert len(set(ids)) == 2
    assert len({float(each) for each in ids}) == 1


def test_history_is_newest_first_by_time_whatever_the_order_of_arrival(zim_crew: Zim) -> None:
    for age in (2000, 3000, 1000):
        zim_crew.send(age, str(age))
    assert _bodies(zim_crew.history()) == ["1000", "2000", "3000"]


def test_pages_end_with_next_0(zim_crew: Zim) -> None:
    for number in range(25):
        zim_crew.send(1000 - number, str(number))
    seen: list[str] = []
    cursor, pages = 0, 0
    while True:
        reply = zim_crew.post("QueryGroupMsg", {"GroupId": "g", "Next": cursor})
        seen += _bodies(reply["List"])
        pages += 1
        cursor = reply["Next"]
        if cursor == 0:
            break
    assert seen == [str(number) for number in reversed(range(25))]
    assert pages == 3


@pytest.mark.parametrize(("limit", "rows"), [(0, 10), (-5, 10), (None, 10), (3, 3), (500, 100)])
def test_the_limit_is_clamped(zim_crew: Zim, limit: int | None, rows: int) -> None:
    for _ in range(101):
        zim_crew.send(1000)
    assert len(zim_crew.history(Limit=limit)) == rows


def test_a_conversation_without_messages_is_an_empty_list(zim: Zim) -> None:
    assert zim.roam() == []
    assert zim.code("QueryPeerMsg", {"FromUserId": "nobody", "ToUserId": "ann"}) == 660500002
    assert zim.code("QueryGroupMsg", {"GroupId": "none"}) == 660600001


def test_messages_expire_while_the_clock_moves(zim_crew: Zim) -> None:
    zim_crew.send(6 * DAY, "old")
    zim_crew.send(1000, "new")
    zim_crew.sandbox.advance_clock(86_400 + 1)
    assert _bodies(zim_crew.history()) == ["new"]
    rows = zim_crew.history(WithEmptyMsg=1)
    assert [(row["MsgBody"], row["IsEmpty"]) for row in rows] == [("new", 0), ("", 1)]


def test_cleared_messages_are_there_with_empty_rows_only(zim: Zim) -> None:
    zim.tell(1000)
    zim.tell(1000, ImportedUserId="bob")
    zim.post("ClearPeerMessage", {"FromUserId": "ann", "ToUserId": "bob"})
    assert zim.roam() == []
    assert [row["IsEmpty"] for row in zim.roam(WithEmptyMsg=1)] == [1]
    assert len(zim.roam("bob", "ann")) == 1


def _decoded(zim: Zim, kind: int, message: str) -> Json:
    zim.send(1000, MessageType=kind, MessageBody={"Message": message})
    body = zim.history()[0]["MsgBody"]
    assert '"' not in body
    decoded: Json = json.loads(unquote(body))
    return decoded


def test_an_image_reads_back_in_snake_case(zim_crew: Zim) -> None:
    thumbnail = {"Url": "https://cdn.example/t.jpg", "Width": 1, "Height": 2}
    assert _decoded(zim_crew, 11, image(Thumbnail=thumbnail)) == {
        "md5": "",
        "file_name": "a.jpg",
        "file_size": "1024",
        "download_url": "https://cdn.example/a.jpg",
        "origin_image_width": 100,
        "origin_image_height": 200,
        "thumbnail_download_url": "https://cdn.example/t.jpg",
        "thumbnail_width": 1,
        "thumbnail_height": 2,
    }


def test_a_film_reads_back_with_its_first_frame(zim_crew: Zim) -> None:
    thumbnail = {"Url": "https://cdn.example/t.jpg", "Width": 1, "Height": 2}
    read = _decoded(zim_crew, 14, file(MediaDuration=7, Thumbnail=thumbnail))
    assert read == {
        "md5": "",
        "file_name": "a.bin",
        "file_size": "9",
        "download_url": "https://cdn.example/a.bin",
        "media_duration": "7",
        "video_first_frame_download_url": "https://cdn.example/t.jpg",
        "video_first_frame_width": 1,
        "video_first_frame_height": 2,
    }


def test_a_message_of_several_items_reads_back_with_items_in_strings(zim_crew: Zim) -> None:
    items = [{"MsgType": 1, "Msg": "hi"}, {"MsgType": 12, "Msg": file()}]
    read = _decoded(zim_crew, 10, json.dumps({"MultiMsg": items}))["multi_msg"]
    assert read[0] == {"msg_type": 1, "sub_msg_type": 0, "callback_content": "hi"}
    assert json.loads(read[1]["callback_content"])["download_url"] == "https://cdn.example/a.bin"


def test_messages_are_found_by_seq(zim_crew: Zim) -> None:
    for age in (3000, 2000, 1000):
        zim_crew.send(age, str(age))
    body = {"FromUserId": "ann", "ConvId": "g", "ConvType": 2, "MsgSeqList": [1, 3, 9]}
    rows = zim_crew.post("QueryMessagesByMsgSeq", body)["MessageList"]
    assert _bodies(rows) == ["3000", "1000"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"MsgSeqList": []}, 660000002),
        ({"MsgSeqList": list(range(21))}, 660000002),
        ({"MsgSeqList": ["1"]}, 660000002),
        ({"ConvType": 1}, 660000002),
        ({"ConvId": "none"}, 660600001),
        ({"FromUserId": "nobody"}, 660500002),
    ],
)
def test_a_bad_spot_check_is_refused(zim_crew: Zim, fields: Json, code: int) -> None:
    body = {"FromUserId": "ann", "ConvId": "g", "ConvType": 2, "MsgSeqList": [1], **fields}
    assert zim_crew.code("QueryMessagesByMsgSeq", body) == code


def test_members_see_what_came_after_they_joined_and_was_not_cleared(zim: Zim) -> None:
    zim.make_group("g")
    zim.invite({"UserId": "bob", "EnterGroupTime": zim.now - 2000})
    zim.send(3000)
    zim.send(1000)
    assert {user_id: each["visible"] for user_id, each in zim.members().items()} == {
        "ann": 2,
        "bob": 1,
    }
    zim.post("ClearMemberGroupMessage", {"FromUserId": "ann", "GroupId": "g"})
    assert zim.members()["ann"]["visible"] == 0
    assert len(zim.history()) == 2
