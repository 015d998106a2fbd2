"""Importing, describing, listing and destroying groups."""

from __future__ import annotations

import pytest
from tests.sandbox.client import Json, Tencent

IMPORT = "group_open_http_svc/import_group"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({}, 0, id="smallest"),
        pytest.param({"Type": "AVChatRoom"}, 10007, id="AVChatRoom"),
        pytest.param({"Type": "Work"}, 10004, id="the SDK's name of a type"),
        pytest.param({"Type": None}, 10004, id="no type"),
        pytest.param({"Name": None}, 10004, id="no name"),
        pytest.param({"Name": ""}, 10004, id="empty name"),
        pytest.param({"Name": "x" * 30}, 0, id="name of 30 bytes"),
        pytest.param({"Name": "潮" * 10 + "x"}, 10004, id="name of 11 characters but 31 bytes"),
        pytest.param({"Introduction": "x" * 240}, 0, id="introduction of 240"),
        pytest.param({"Introduction": "x" * 241}, 10004, id="introduction of 241"),
        pytest.param({"Notification": "x" * 300}, 0, id="notification of 300"),
        pytest.param({"Notification": "x" * 301}, 10004, id="notification of 301"),
        pytest.param({"FaceUrl": "x" * 100}, 0, id="face url of 100"),
        pytest.param({"FaceUrl": "x" * 101}, 10004, id="face url of 101"),
        pytest.param({"MaxMemberCount": 6000}, 0, id="6000 members"),
        pytest.param({"MaxMemberCount": 6001}, 10004, id="6001 members"),
        pytest.param({"MaxMemberCount": 0}, 10004, id="no members"),
        pytest.param({"ApplyJoinOption": "DisableApply"}, 0, id="join option"),
        pytest.param({"ApplyJoinOption": "Maybe"}, 10004, id="unknown join option"),
        pytest.param({"CreateTime": "1546300800"}, 10004, id="time as text"),
        pytest.param({"CreateTime": True}, 10004, id="time as boolean"),
        pytest.param({"SupportTopic": 1}, 10004, id="topics outside a community"),
        pytest.param({"Owner_Account": "nobody"}, 10019, id="owner not imported"),
        pytest.param({"GroupId": "x" * 48}, 0, id="id of 48"),
        pytest.param({"GroupId": "x" * 49}, 10004, id="id of 49"),
        pytest.param({"GroupId": "grüße"}, 10004, id="id not ASCII"),
        pytest.param({"GroupId": "@TGS#x"}, 10004, id="reserved id"),
        pytest.param({"GroupId": "@TGS#_x", "Type": "Community"}, 0, id="community id"),
        pytest.param({"GroupId": "x", "Type": "Community"}, 10004, id="community without prefix"),
        pytest.param(
            {"GroupId": "@TGS#_x", "Type": "Community", "MaxMemberCount": 100_000}, 0, id="huge"
        ),
    ],
)
def test_import_group_checks_every_field(tencent: Tencent, fields: Json, code: int) -> None:
    body = {"GroupId": "g", "Type": "Public", "Name": "crew"} | fields
    assert tencent.code(IMPORT, body) == code
    assert bool(tencent.sandbox.dump()["groups"]) == (code == 0)


@pytest.mark.parametrize("kind", ["Public", "Private", "ChatRoom"])
def test_every_importable_type_is_taken(tencent: Tencent, kind: str) -> None:
    assert tencent.make_group("g", Type=kind)["ErrorCode"] == 0
    assert tencent.info("g")["Type"] == kind


@pytest.mark.parametrize(("kind", "prefix"), [("Public", "@TGS#"), ("Community", "@TGS#_@TGS#c")])
def test_a_group_without_id_gets_one(tencent: Tencent, kind: str, prefix: str) -> None:
    first = tencent.group("import_group", {"Type": kind, "Name": "one"})["GroupId"]
    second = tencent.group("import_group", {"Type": kind, "Name": "two"})["GroupId"]
    assert first != second
    assert first.startswith(prefix)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([{"Key": f"k{number}", "Value": "v"} for number in range(10)], 0),
        ([{"Key": f"k{number}", "Value": "v"} for number in range(11)], 10004),
        ([{"Key": "k" * 17, "Value": "v"}], 10004),
        ([{"Key": "bad key", "Value": "v"}], 10004),
        ([{"Key": "k", "Value": "v" * 513}], 10004),
    ],
)
def test_custom_fields_have_caps(tencent: Tencent, data: list[Json], code: int) -> None:
    assert tencent.make_group("g", AppDefinedData=data)["ErrorCode"] == code


def test_the_owner_becomes_a_member_and_an_ownerless_group_has_none(tencent: Tencent) -> None:
    tencent.make_group("g", Owner_Account="ann")
    tencent.make_group("h")
    groups = tencent.sandbox.dump()["groups"]
    assert groups["g"]["members"]["ann"]["role"] == "Owner"
    assert groups["h"]["members"] == {}


def test_a_missing_create_time_is_the_time_of_the_request(tencent: Tencent) -> None:
    tencent.group("import_group", {"GroupId": "g", "Type": "Public", "Name": "x"})
    assert tencent.info("g")["CreateTime"] == tencent.now


def test_a_taken_id_is_refused_and_the_group_stays_as_it_was(crew: Tencent) -> None:
    assert crew.make_group("g", Name="other")["ErrorCode"] == 10021
    assert crew.info("g")["Name"] == "crew"


def test_a_destroyed_group_is_gone_and_a_second_time_answers_10010(crew: Tencent) -> None:
    assert crew.group("destroy_group", {"GroupId": "g"})["ErrorCode"] == 0
    assert crew.group("destroy_group", {"GroupId": "g"})["ErrorCode"] == 10010
    assert crew.info("g")["ErrorCode"] == 10010
    assert crew.sandbox.dump()["destroyed_groups"] == ["g"]


def test_get_group_info_tells_each_group_apart_and_stays_ok_on_top(crew: Tencent) -> None:
    reply = crew.group("get_group_info", {"GroupIdList": ["g", "none", "x" * 49]})
    assert reply["ErrorCode"] == 0
    assert [row["ErrorCode"] for row in reply["GroupInfo"]] == [0, 10010, 10015]


def test_get_group_info_takes_50_groups(crew: Tencent) -> None:
    assert crew.group("get_group_info", {"GroupIdList": ["g"] * 50})["ErrorCode"] == 0
    assert crew.group("get_group_info", {"GroupIdList": ["g"] * 51})["ErrorCode"] == 10004


def test_get_group_info_without_filter_has_everything(crew: Tencent) -> None:
    row = crew.info("g")
    assert row["NextMsgSeq"] == 1
    assert row["LastMsgTime"] == 0
    assert row["MemberNum"] == 3
    assert row["MaxMemberNum"] == 2000
    assert [member["Member_Account"] for member in row["MemberList"]] == ["ann", "bob", "cid"]


def test_get_group_info_filters_members_and_custom_fields(tencent: Tencent) -> None:
    tencent.make_group("g", Owner_Account="ann", AppDefinedData=[{"Key": "k", "Value": "v"}])
    response_filter = {"MemberInfoFilter": ["Role"], "AppDefinedDataFilter_Group": ["k"]}
    body = {"GroupIdList": ["g"], "ResponseFilter": response_filter}
    row = tencent.group("get_group_info", body)["GroupInfo"][0]
    assert row == {
        "GroupId": "g",
        "ErrorCode": 0,
        "ErrorInfo": "",
        "AppDefinedData": [{"Key": "k", "Value": "v"}],
        "MemberList": [{"Member_Account": "ann", "Role": "Owner"}],
    }


def test_an_answer_over_one_megabyte_is_refused(tencent: Tencent) -> None:
    for number in range(40):
        data = [{"Key": f"k{key}", "Value": "v" * 512} for key in range(10)]
        tencent.make_group(f"g{number}", AppDefinedData=data)
    ids = [f"g{number % 40}" for number in range(50)]
    tencent.sandbox.set_rates(enabled=False)
    reply = tencent.group("get_group_info", {"GroupIdList": ids})
    assert reply["ErrorCode"] == 0
    members = [f"{number:032d}" for number in range(400)]
    for start in range(0, 400, 100):
        tencent.accounts(*members[start : start + 100])
    for start in range(0, 400, 20):
        tencent.join("g0", *members[start : start + 20])
    reply = tencent.group("get_group_info", {"GroupIdList": ["g0"] * 50})
    assert reply["ErrorCode"] == 10018


def test_a_work_group_without_messages_is_listed_only_on_demand(tencent: Tencent) -> None:
    tencent.make_group("w", Type="Private", Owner_Account="ann")
    tencent.make_group("p", Owner_Account="ann")
    assert _joined(tencent, "ann") == ["p"]
    assert _joined(tencent, "ann", WithNoActiveGroups=1) == ["w", "p"]
    tencent.results("w", tencent.message(10))
    assert _joined(tencent, "ann") == ["w", "p"]


def test_joined_groups_are_filtered_and_paged(tencent: Tencent) -> None:
    for number in range(5):
        tencent.make_group(f"p{number}", Owner_Account="ann")
    tencent.make_group("@TGS#_c", Type="Community", SupportTopic=1, Owner_Account="ann")
    assert _joined(tencent, "ann", Limit=2, Offset=3) == ["p3", "p4"]
    assert _joined(tencent, "ann", GroupType="Community", SupportTopic=1) == ["@TGS#_c"]
    assert _joined(tencent, "bob") == []
    too_many = {"Member_Account": "ann", "Limit": 5001}
    assert tencent.group("get_joined_group_list", too_many)["ErrorCode"] == 10004


def test_all_groups_of_the_app_are_paged_by_a_cursor(tencent: Tencent) -> None:
    for number in range(5):
        tencent.make_group(f"p{number}")
    found: list[str] = []
    cursor = 0
    while True:
        reply = tencent.group("get_appid_group_list", {"Limit": 2, "Next": cursor})
        found += [row["GroupId"] for row in reply["GroupIdList"]]
        cursor = reply["Next"]
        if cursor == 0:
            break
    assert found == [f"p{number}" for number in range(5)]
    assert reply["TotalCount"] == 5


def _joined(tencent: Tencent, user_id: str, **fields: object) -> list[str]:
    body = {"Member_Account": user_id, **fields}
    reply = tencent.group("get_joined_group_list", body)
    return [row["GroupId"] for row in reply["GroupIdList"]]
