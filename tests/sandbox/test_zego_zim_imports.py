"""ImportGroupMsg and ImportPeerMsg: forms, limits, prerequisites, times, no deduplication."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sandbox.zim_client import DAY, Json, Zim, file, image

RETENTION = 7 * DAY


def _body(message: str, extended: str = "") -> Json:
    return {"MessageBody": {"Message": message, "ExtendedData": extended}}


def _multi(*items: Json) -> str:
    return json.dumps({"MultiMsg": list(items)})


EMPTY_MULTI = len(_multi({"MsgType": 1, "Msg": ""}))


def test_a_group_message_answers_its_seq_and_no_id(zim_crew: Zim) -> None:
    replies = [zim_crew.send(age) for age in (3000, 2000, 1000)]
    assert [reply["MsgSeq"] for reply in replies] == [1, 2, 3]
    assert set(replies[0]) == {"Code", "Message", "RequestId", "MsgSeq"}


def test_a_message_is_stored_as_it_was_sent(zim_crew: Zim) -> None:
    custom = {"MessageType": 200, "SubMsgType": 110, "SearchedContent": "find", "Priority": 3}
    zim_crew.send(1000, "payload", **custom)
    (message,) = zim_crew.zim.group_messages("g")
    assert message == {
        "seq": 1,
        "from": "bob",
        "time": zim_crew.now - 1000,
        "sent_at": zim_crew.now - 1000,
        "type": 200,
        "sub_type": 110,
        "body": "payload",
        "payload": "id:payload",
        "searched": "find",
        "priority": 3,
        "imported": True,
        "recalled": False,
        "deleted": False,
    }


def test_a_repeated_import_is_stored_again(zim_crew: Zim) -> None:
    assert [zim_crew.send(1000)["MsgSeq"] for _ in range(2)] == [1, 2]
    first, second = zim_crew.zim.group_messages("g")
    assert first | {"seq": 2} == second
    ids = [zim_crew.tell(1000)["MsgId"] for _ in range(2)]
    assert len(set(ids)) == len(zim_crew.zim.peer_messages("ann", "bob")) == 2


def test_each_side_of_a_conversation_is_imported_by_itself(zim: Zim) -> None:
    first = zim.tell(2000, "one")
    assert isinstance(first["MsgId"], str)
    assert int(first["MsgId"]) > 2**53
    zim.tell(2000, "one", ImportedUserId="bob")
    zim.tell(1000, "two", ImportedUserId="bob")
    assert [each["body"] for each in zim.zim.peer_messages("ann", "bob")] == ["one"]
    assert [each["body"] for each in zim.zim.peer_messages("bob", "ann")] == ["one", "two"]


def test_a_message_without_a_time_is_sent_now(zim_crew: Zim) -> None:
    body = zim_crew.message(0)
    del body["SendMessageTime"]
    zim_crew.post("ImportGroupMsg", body)
    zim_crew.send(0)
    assert {message["time"] for message in zim_crew.zim.group_messages("g")} == {zim_crew.now}


@pytest.mark.parametrize(
    ("age", "code"),
    [(RETENTION, 0), (RETENTION + 1, 660000002), (-1, 660800046), (1, 0)],
)
def test_a_time_lies_within_retention(zim_crew: Zim, age: int, code: int) -> None:
    assert zim_crew.send(age)["Code"] == code
    assert zim_crew.tell(age)["Code"] == code


def test_the_oldest_permitted_time_slides_with_the_clock(zim_crew: Zim) -> None:
    body = zim_crew.message(RETENTION)
    zim_crew.sandbox.advance_clock(1)
    assert zim_crew.code("ImportGroupMsg", body) == 660000002


def test_a_negative_time_is_a_bad_parameter(zim_crew: Zim) -> None:
    assert zim_crew.send(1, SendMessageTime=-5)["Code"] == 660000002


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"FromUserId": "nobody"}, 660500002),
        ({"FromUserId": None}, 660000002),
        ({"FromUserId": "x" * 33}, 660000012),
        ({"GroupId": "none"}, 660600001),
        ({"GroupId": None}, 660000002),
        ({"MessageType": 2}, 660000002),
        ({"MessageType": 20}, 660000002),
        ({"MessageType": 100}, 660000002),
        ({"MessageType": "1"}, 660000002),
        ({"Priority": 0}, 660000002),
        ({"Priority": None}, 660000002),
        ({"MessageBody": None}, 660000002),
        ({"MessageBody": {}}, 660000002),
        ({"MessageBody": {"Message": ""}}, 660000002),
        ({"MessageBody": {"Message": 5}}, 660000002),
        ({"MessageType": 200}, 660000002),
        ({"MessageType": 200, "SubMsgType": 201}, 660000002),
        ({"MessageType": 200, "SubMsgType": 0, "SearchedContent": "x" * 65}, 660000002),
        ({"SendMessageTime": "1"}, 660000002),
    ],
)
def test_a_bad_import_is_refused_and_not_stored(zim_crew: Zim, fields: Json, code: int) -> None:
    assert zim_crew.send(1000, **fields)["Code"] == code
    assert zim_crew.zim.group_messages("g") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"FromUserId": "nobody"}, 660500002),
        ({"ToUserId": "nobody"}, 660500002),
        ({"ToUserId": ["bob"]}, 660000002),
        ({"ImportedUserId": "cid"}, 660000002),
        ({"ImportedUserId": None}, 660000002),
        ({"ToUserId": "ann"}, 660000002),
    ],
)
def test_a_bad_one_to_one_import_is_refused(zim: Zim, fields: Json, code: int) -> None:
    assert zim.tell(1000, **fields)["Code"] == code
    assert zim.zim.dump()["sides"] == []


@pytest.mark.parametrize(
    ("kind", "message", "extended", "code"),
    [
        (1, "ü" * 1024, "", 0),
        (1, "ü" * 1024 + "x", "", 660400001),
        (1, "x", "ü" * 512, 0),
        (1, "x", "ü" * 512 + "x", 660400001),
        (10, _multi({"MsgType": 1, "Msg": "x" * (5120 - EMPTY_MULTI)}), "", 0),
        (10, _multi({"MsgType": 1, "Msg": "x" * (5121 - EMPTY_MULTI)}), "", 660400001),
    ],
)
def test_sizes_are_counted_in_bytes(
    zim_crew: Zim, kind: int, message: str, extended: str, code: int
) -> None:
    reply = zim_crew.send(1000, MessageType=kind, **_body(message, extended))
    assert reply["Code"] == code


THUMBNAIL = {"Url": "https://cdn.example/t.jpg", "Width": 1, "Height": 1}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (11, image()),
        (11, image(LargeImage=THUMBNAIL, Thumbnail=THUMBNAIL)),
        (12, file()),
        (12, file(FileName="x" * 150, Url="https://" + "x" * 492)),
        (13, file(MediaDuration=3)),
        (14, file(MediaDuration=3, Thumbnail=THUMBNAIL)),
        (10, _multi({"MsgType": 1, "Msg": "hi"}, {"MsgType": 11, "Msg": image()})),
        (10, _multi({"MsgType": 200, "SubMsgType": 3, "Msg": "hi"})),
        (10, _multi(*[{"MsgType": 1, "Msg": "hi"}] * 20)),
    ],
)
def test_media_are_json_in_a_string(zim_crew: Zim, kind: int, message: str) -> None:
    assert zim_crew.send(1000, MessageType=kind, **_body(message))["Code"] == 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (11, "no json"),
        (11, "[]"),
        (11, image(Uid="")),
        (11, image(FileName=None)),
        (11, image(FileName="x" * 151)),
        (11, image(Origin=None)),
        (11, image(Origin={"Url": "https://cdn.example/a"})),
        (11, image(Origin={**THUMBNAIL, "Width": 0})),
        (11, image(Origin={**THUMBNAIL, "Height": 1.5})),
        (11, image(Thumbnail={"Url": "https://cdn.example/a"})),
        (11, image(Size="9")),
        (12, file(Url=None)),
        (12, file(Url="x" * 501)),
        (13, file(MediaDuration=True)),
        (14, file(Thumbnail={**THUMBNAIL, "Height": 0})),
        (10, "{}"),
        (10, _multi()),
        (10, _multi(*[{"MsgType": 1, "Msg": "hi"}] * 21)),
        (10, _multi({"MsgType": 10, "Msg": "hi"})),
        (10, _multi({"MsgType": 1, "Msg": ""})),
        (10, _multi({"MsgType": 200, "Msg": "hi"})),
        (10, _multi({"MsgType": 11, "Msg": "hi"})),
    ],
)
def test_media_of_another_form_are_refused(zim_crew: Zim, kind: int, message: str) -> None:
    assert zim_crew.send(1000, MessageType=kind, **_body(message))["Code"] == 660000002


def test_a_film_without_a_sized_thumbnail_is_refused_even_if_odd_numbers_pass(
    zim_crew: Zim,
) -> None:
    zim_crew.sandbox.set_switch("zim_odd_numbers", "accept")
    film = file(Thumbnail={**THUMBNAIL, "Height": 0})
    assert zim_crew.send(1000, MessageType=14, **_body(film))["Code"] == 660000002


@pytest.mark.parametrize("value", [float(10**15), 10**15])
def test_a_time_must_be_whole(zim_crew: Zim, value: Any) -> None:
    body = zim_crew.message(1, SendMessageTime=value)
    assert zim_crew.code("ImportGroupMsg", body) in {660000002, 660800046}


def test_senders_who_left_may_be_imported(zim_crew: Zim) -> None:
    body = {"FromUserId": "ann", "GroupId": "g", "UserId": ["bob"]}
    zim_crew.post("KickoutGroupUser", body)
    assert zim_crew.send(1000)["Code"] == 0


def test_imports_count_as_unread_for_all_but_their_sender(zim_crew: Zim) -> None:
    zim_crew.send(2000)
    zim_crew.send(1000, FromUserId="ann")
    unread = {user_id: member["unread"] for user_id, member in zim_crew.members().items()}
    assert unread == {"ann": 1, "bob": 1, "cid": 2}
    zim_crew.tell(1000)
    zim_crew.tell(1000, ImportedUserId="bob")
    assert zim_crew.zim.unread("ann", peer="bob") == 0
    assert zim_crew.zim.unread("bob", peer="ann") == 1
