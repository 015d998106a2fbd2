"""Communities and topics."""

from __future__ import annotations

import pytest
from tests.sandbox.client import LONG_AGO, Json, Tencent

IMPORT = "group_open_http_svc/import_topic"
GET = "million_group_open_http_svc/get_topic"
COMMUNITY = "@TGS#_harbour"
TIDES = f"{COMMUNITY}@TOPIC#_tides"


@pytest.fixture
def harbour(tencent: Tencent) -> Tencent:
    """The client with a community that has the topic of tides."""
    tencent.make_group(COMMUNITY, Type="Community", SupportTopic=1, Owner_Account="ann")
    body = {"GroupId": COMMUNITY, "TopicId": TIDES, "TopicName": "Tides"}
    assert tencent.code(IMPORT, body | {"CreateTime": tencent.now - LONG_AGO}) == 0
    return tencent


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 0),
        ({"TopicId": TIDES}, 10021),
        ({"TopicId": "@TOPIC#_x"}, 10004),
        ({"TopicId": f"{COMMUNITY}@TOPIC#_"}, 10004),
        ({"TopicId": f"{COMMUNITY}@TOPIC#_@TGS#_x"}, 10004),
        ({"TopicId": f"{COMMUNITY}@TOPIC#_@TOPIC#_x"}, 10004),
        ({"TopicId": f"{COMMUNITY}@TOPIC#_{'x' * (96 - 21)}"}, 0),
        ({"TopicId": f"{COMMUNITY}@TOPIC#_{'x' * (97 - 21)}"}, 10004),
        ({"TopicName": None}, 10004),
        ({"TopicName": "x" * 31}, 10004),
        ({"CustomString": "x" * 3001}, 10004),
        ({"FaceUrl": "x" * 101}, 10004),
        ({"Notification": "x" * 301}, 10004),
        ({"Introduction": "x" * 241}, 10004),
        ({"Type": "Public"}, 10004),
        ({"GroupId": "g"}, 10007),
        ({"GroupId": "@TGS#_none"}, 10010),
    ],
)
def test_import_topic_checks_every_field(harbour: Tencent, fields: Json, code: int) -> None:
    harbour.make_group("g")
    body = {"GroupId": COMMUNITY, "TopicName": "Moorings", "Type": "Community"} | fields
    assert harbour.code(IMPORT, body) == code


def test_a_community_has_at_most_200_topics(harbour: Tencent) -> None:
    for number in range(199):
        harbour.group("import_topic", {"GroupId": COMMUNITY, "TopicName": f"t{number}"})
    assert harbour.code(IMPORT, {"GroupId": COMMUNITY, "TopicName": "one more"}) == 10037


def test_a_topic_has_its_own_seqs_times_and_history(harbour: Tencent) -> None:
    assert harbour.results(COMMUNITY, harbour.message(50)) == [0]
    items = harbour.send(COMMUNITY, harbour.message(60), TopicId=TIDES)["ImportMsgResult"]
    assert items == [{"MsgSeq": 1, "MsgTime": harbour.now - 60, "Result": 0}]
    assert len(harbour.history(COMMUNITY)) == 1
    assert len(harbour.history(COMMUNITY, TopicId=TIDES)) == 1


def test_the_topics_creation_time_is_its_lower_bound(harbour: Tencent) -> None:
    body = {"GroupId": COMMUNITY, "TopicName": "new"}
    topic = harbour.group("import_topic", body)["TopicId"]
    assert harbour.results(COMMUNITY, harbour.message(50), TopicId=topic) == [10004]


def test_get_topic_tells_seq_and_time_and_each_missing_topic(harbour: Tencent) -> None:
    harbour.results(COMMUNITY, harbour.message(60), TopicId=TIDES)
    body = {"GroupId": COMMUNITY, "TopicIdList": [TIDES, "none"]}
    tides, missing = harbour.call(GET, body)["TopicInfo"]
    assert (tides["NextMsgSeq"], tides["LastMsgTime"]) == (2, harbour.now - 60)
    assert missing["ErrorCode"] == 110003
    assert len(harbour.call(GET, {"GroupId": COMMUNITY})["TopicInfo"]) == 1


@pytest.mark.parametrize(("topic", "code"), [("none", 10015), (5, 10004)])
def test_messages_to_no_topic_are_refused(harbour: Tencent, topic: object, code: int) -> None:
    reply = harbour.send(COMMUNITY, harbour.message(50), TopicId=topic)
    assert reply["ErrorCode"] == code


def test_unread_of_the_community_is_not_that_of_its_topics(harbour: Tencent) -> None:
    harbour.fill(COMMUNITY, 3)
    harbour.set_unread(COMMUNITY, "ann", 2)
    harbour.results(COMMUNITY, harbour.message(60), TopicId=TIDES)
    assert harbour.unread(COMMUNITY, "ann") == 2
