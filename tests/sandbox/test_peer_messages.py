"""One-to-one messages: importing, reading back, read marks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.sandbox.client import IMAGE, Json, Tencent, custom, text

MEDIA: list[Json] = [
    IMAGE,
    {
        "MsgType": "TIMSoundElem",
        "MsgContent": {"Url": "u", "UUID": "i", "Size": 1, "Second": 2, "Download_Flag": 2},
    },
    {
        "MsgType": "TIMFileElem",
        "MsgContent": {
            "Url": "u",
            "UUID": "i",
            "FileSize": 1,
            "FileName": "f",
            "Download_Flag": 2,
        },
    },
    {
        "MsgType": "TIMVideoFileElem",
        "MsgContent": {
            "VideoUrl": "u",
            "VideoUUID": "i",
            "VideoSize": 1,
            "VideoSecond": 2,
            "VideoFormat": "mp4",
            "VideoDownloadFlag": 2,
            "ThumbUrl": "u",
            "ThumbUUID": "i",
            "ThumbSize": 1,
            "ThumbWidth": 1,
            "ThumbHeight": 1,
            "ThumbFormat": "JPG",
            "ThumbDownloadFlag": 2,
        },
    },
]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 0),
        ({"SyncFromOldSystem": 5}, 0),
        ({"SyncFromOldSystem": 1}, 0),
        ({"SyncFromOldSystem": 3}, 90030),
        ({"SyncFromOldSystem": None}, 90030),
        ({"SyncFromOldSystem": "2"}, 90030),
        ({"From_Account": None}, 90008),
        ({"From_Account": 5}, 90008),
        ({"From_Account": "nobody"}, 90048),
        ({"To_Account": None}, 90003),
        ({"To_Account": "nobody"}, 90012),
        ({"MsgSeq": None}, 0),
        ({"MsgSeq": -1}, 90010),
        ({"MsgRandom": None}, 90005),
        ({"MsgRandom": 2**32}, 90005),
        ({"MsgTimeStamp": None}, 90006),
        ({"MsgTimeStamp": "now"}, 90006),
        ({"MsgBody": None}, 90007),
        ({"MsgBody": {}}, 90007),
        ({"MsgBody": []}, 90002),
        ({"MsgBody": [{"MsgType": "TIMVideoElem", "MsgContent": {}}]}, 90002),
        ({"MsgBody": [{"MsgType": "TIMRelayElem", "MsgContent": {}}]}, 90002),
        ({"MsgBody": [custom(), custom()]}, 90002),
        ({"CloudCustomData": {}}, 90010),
    ],
)
def test_importmsg_checks_every_field(tencent: Tencent, fields: Json, code: int) -> None:
    assert tencent.tell(**fields) == code
    assert bool(tencent.sandbox.dump()["conversations"]) == (code == 0)


@pytest.mark.parametrize("element", MEDIA, ids=lambda element: str(element["MsgType"]))
def test_media_elements_are_taken_if_their_required_fields_are_there(
    tencent: Tencent, element: Json
) -> None:
    assert tencent.tell(MsgBody=[element]) == 0
    assert tencent.roam()["MsgList"][0]["MsgBody"] == [element]
    for field in ("UUID", "VideoUUID"):
        if field in element["MsgContent"]:
            content = {k: v for k, v in element["MsgContent"].items() if k != field}
            broken = [{"MsgType": element["MsgType"], "MsgContent": content}]
            assert tencent.tell(MsgBody=broken, MsgSeq=2) == 90002


def test_images_must_carry_url_width_and_height(tencent: Tencent) -> None:
    content = {"UUID": "u", "ImageInfoArray": [{"Type": 1, "URL": "u", "Width": 1}]}
    body = [{"MsgType": "TIMImageElem", "MsgContent": content}]
    assert tencent.tell(MsgBody=body) == 90002


@pytest.mark.parametrize(("extra", "code"), [(0, 0), (1, 93000)])
def test_the_whole_request_holds_12000_bytes(tencent: Tencent, extra: int, code: int) -> None:
    frame = len(msgspec.json.encode(tencent.peer(MsgBody=text(""))))
    assert tencent.tell(MsgBody=text("x" * (12_000 - frame + extra))) == code


def test_a_triple_is_stored_once_whatever_the_content_and_however_late(tencent: Tencent) -> None:
    sent = tencent.now - 100
    assert tencent.tell(MsgTimeStamp=sent) == 0
    tencent.sandbox.advance_clock(3600)
    assert tencent.tell(MsgTimeStamp=sent, MsgBody=text("other")) == 0
    rows = tencent.roam()["MsgList"]
    assert [row["MsgBody"] for row in rows] == [text("hello")]


def test_a_triple_is_the_same_from_the_other_side(tencent: Tencent) -> None:
    tencent.tell()
    assert tencent.tell(From_Account="bob", To_Account="ann", MsgBody=text("reply")) == 0
    assert tencent.roam()["MsgCnt"] == 1


@pytest.mark.parametrize("fields", [{"MsgSeq": 2}, {"MsgRandom": 12}, {"age": 99}])
def test_any_other_triple_is_another_message(tencent: Tencent, fields: dict[str, Any]) -> None:
    tencent.tell()
    tencent.tell(**fields)
    assert tencent.roam()["MsgCnt"] == 2


def test_the_same_triple_in_another_conversation_is_another_message(tencent: Tencent) -> None:
    tencent.tell()
    tencent.tell(To_Account="cid")
    assert len(tencent.sandbox.dump()["conversations"]) == 2


def test_messages_are_read_by_time_then_seq_however_they_came(tencent: Tencent) -> None:
    tencent.tell(50, MsgSeq=2)
    tencent.tell(90, MsgSeq=9)
    tencent.tell(50, MsgSeq=1)
    assert [row["MsgSeq"] for row in tencent.roam()["MsgList"]] == [9, 1, 2]


def test_both_sides_read_the_same_conversation(tencent: Tencent) -> None:
    tencent.tell(50)
    tencent.tell(40, From_Account="bob", To_Account="ann", MsgSeq=2)
    assert tencent.roam() == tencent.roam(Operator_Account="bob", Peer_Account="ann")


def test_a_page_walks_back_and_the_cursor_goes_on_without_loss(tencent: Tencent) -> None:
    for number in range(25):
        tencent.tell(100 - number // 5, MsgSeq=number)
    pages, cursor, last = [], "", tencent.now
    while True:
        page = tencent.roam(MaxCnt=4, MaxTime=last, LastMsgKey=cursor)
        pages.append([row["MsgSeq"] for row in page["MsgList"]])
        cursor, last = page["LastMsgKey"], page["LastMsgTime"]
        if page["Complete"]:
            break
    assert pages[0] == [21, 22, 23, 24]
    assert [seq for page in reversed(pages) for seq in page] == list(range(25))


def test_a_page_is_cut_at_about_13_kilobytes(tencent: Tencent) -> None:
    for number in range(5):
        tencent.tell(100 - number, MsgSeq=number, MsgBody=text("x" * 4000))
    page = tencent.roam()
    assert (page["Complete"], page["MsgCnt"]) == (0, 3)
    rest = tencent.roam(MaxTime=page["LastMsgTime"], LastMsgKey=page["LastMsgKey"])
    assert (rest["Complete"], rest["MsgCnt"]) == (1, 2)


def test_the_time_range_is_inclusive(tencent: Tencent) -> None:
    for age in (50, 40, 30):
        tencent.tell(age, MsgSeq=age)
    page = tencent.roam(MinTime=tencent.now - 50, MaxTime=tencent.now - 40)
    assert [row["MsgSeq"] for row in page["MsgList"]] == [50, 40]


def test_an_empty_conversation_is_complete(tencent: Tencent) -> None:
    page = tencent.roam()
    assert (page["Complete"], page["MsgCnt"], page["MsgList"]) == (1, 0, [])


def test_messages_past_retention_are_not_read(tencent: Tencent) -> None:
    tencent.tell(90_000)
    tencent.tell(10)
    tencent.sandbox.advance_clock(86_400)
    assert tencent.roam()["MsgCnt"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Operator_Account": None}, 90008),
        ({"Peer_Account": None}, 90003),
        ({"MaxCnt": None}, 90001),
        ({"MaxCnt": 0}, 90001),
        ({"MinTime": None}, 90001),
        ({"MaxTime": "x"}, 90001),
    ],
)
def test_reading_checks_its_request(tencent: Tencent, fields: Json, code: int) -> None:
    assert tencent.roam(**fields)["ErrorCode"] == code


def test_real_time_imports_count_as_unread_and_history_does_not(tencent: Tencent) -> None:
    tencent.tell(50, SyncFromOldSystem=2)
    tencent.tell(40, SyncFromOldSystem=5)
    tencent.tell(30, SyncFromOldSystem=5, From_Account="cid")
    body: Json = {"To_Account": "bob"}
    assert tencent.openim("get_c2c_unread_msg_num", body)["AllC2CUnreadMsgNum"] == 2
    body["Peer_Account"] = ["ann", "cid", "nobody"]
    reply = tencent.openim("get_c2c_unread_msg_num", body)
    assert [row["C2CUnreadMsgNum"] for row in reply["C2CUnreadMsgNumList"]] == [1, 1]
    assert reply["ErrorList"] == [{"Peer_Account": "nobody", "ErrorCode": 70107}]


def test_marking_read_clears_unread_up_to_a_time(tencent: Tencent) -> None:
    for age in (50, 40, 30):
        tencent.tell(age, SyncFromOldSystem=5)
    mark: Json = {"Report_Account": "bob", "Peer_Account": "ann"}
    until = {"MsgReadTime": tencent.now - 40}
    assert tencent.code("openim/admin_set_msg_read", mark | until) == 0
    body: Json = {"To_Account": "bob"}
    assert tencent.openim("get_c2c_unread_msg_num", body)["AllC2CUnreadMsgNum"] == 1
    assert [row["IsPeerRead"] for row in tencent.roam()["MsgList"]] == [1, 1, 0]
    assert tencent.code("openim/admin_set_msg_read", mark) == 0
    assert tencent.openim("get_c2c_unread_msg_num", body)["AllC2CUnreadMsgNum"] == 0


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("get_c2c_unread_msg_num", {}, 90003),
        ("get_c2c_unread_msg_num", {"To_Account": "nobody"}, 90048),
        ("get_c2c_unread_msg_num", {"To_Account": "bob", "Peer_Account": ["x"] * 11}, 90001),
        ("admin_set_msg_read", {"Peer_Account": "ann"}, 90008),
        ("admin_set_msg_read", {"Report_Account": "ann"}, 90003),
        ("admin_set_msg_read", {"Report_Account": "ann", "Peer_Account": "bob"}, 0),
    ],
)
def test_unread_calls_check_their_request(
    tencent: Tencent, path: str, body: Json, code: int
) -> None:
    assert tencent.code(f"openim/{path}", body) == code
