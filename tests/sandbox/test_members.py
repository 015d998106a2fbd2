"""Members: importing, reading, removing, unread numbers."""

from __future__ import annotations

import pytest
from tests.sandbox.client import LONG_AGO, Json, Tencent

IMPORT = "group_open_http_svc/import_group_member"


@pytest.mark.parametrize(
    ("age", "result"),
    [
        pytest.param(LONG_AGO, 0, id="at creation"),
        pytest.param(LONG_AGO - 1, 1, id="a second after creation"),
        pytest.param(1, 1, id="a second ago"),
        pytest.param(0, 0, id="now"),
        pytest.param(-5, 0, id="in the future"),
    ],
)
def test_join_time_lies_strictly_between_creation_and_now(
    tencent: Tencent, age: int, result: int
) -> None:
    tencent.make_group("g")
    row = {"Member_Account": "bob", "JoinTime": tencent.now - age}
    assert tencent.join("g", row) == [result]


def test_join_time_defaults_to_now(crew: Tencent) -> None:
    assert crew.sandbox.dump()["groups"]["g"]["members"]["bob"]["join_time"] == crew.now


def test_an_unknown_account_fails_and_a_member_is_told_apart(crew: Tencent) -> None:
    crew.accounts("dan")
    assert crew.join("g", "bob", "nobody", "dan", "dan", "ann") == [2, 0, 1, 2, 2]


@pytest.mark.parametrize(("count", "code"), [(0, 10004), (20, 0), (21, 10005)])
def test_a_call_takes_1_to_20_members(tencent: Tencent, count: int, code: int) -> None:
    tencent.make_group("g")
    rows = [{"Member_Account": f"u{number}"} for number in range(count)]
    assert tencent.code(IMPORT, {"GroupId": "g", "MemberList": rows}) == code


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"Member_Account": "bob", "Role": "Admin"}, 0),
        ({"Member_Account": "bob", "Role": "Owner"}, 10004),
        ({"Member_Account": "bob", "Role": "Member"}, 10004),
        ({"Member_Account": 5}, 10004),
        ({}, 10004),
        ({"Member_Account": "bob", "UnreadMsgNum": -1}, 10004),
        ({"Member_Account": "bob", "JoinTime": "yesterday"}, 10004),
    ],
)
def test_a_malformed_row_refuses_the_call(tencent: Tencent, row: Json, code: int) -> None:
    tencent.make_group("g")
    assert tencent.code(IMPORT, {"GroupId": "g", "MemberList": [row]}) == code


@pytest.mark.parametrize(
    ("group_id", "code"), [("none", 10010), ("x" * 49, 10015), ("live", 10007)]
)
def test_the_group_must_exist_and_have_members(tencent: Tencent, group_id: str, code: int) -> None:
    tencent.sandbox.create_group("live", Type="AVChatRoom")
    body = {"GroupId": group_id, "MemberList": [{"Member_Account": "bob"}]}
    assert tencent.code(IMPORT, body) == code


def test_a_full_group_takes_nobody(tencent: Tencent) -> None:
    tencent.make_group("g", Owner_Account="ann", MaxMemberCount=2)
    assert tencent.join("g", "bob", "cid") == [1, 0]


def test_initial_unread_is_clamped_to_the_messages_of_the_group(tencent: Tencent) -> None:
    tencent.make_group("g")
    tencent.fill("g", 3)
    rows = [
        {"Member_Account": "bob", "UnreadMsgNum": 2},
        {"Member_Account": "cid", "UnreadMsgNum": 9},
    ]
    tencent.join("g", *rows)
    assert (tencent.unread("g", "bob"), tencent.unread("g", "cid")) == (2, 3)


def test_member_info_shows_the_seq_read_up_to(crew: Tencent) -> None:
    crew.fill("g", 10)
    crew.set_unread("g", "bob", 4)
    rows = crew.group("get_group_member_info", {"GroupId": "g"})["MemberList"]
    assert {row["Member_Account"]: row["MsgSeq"] for row in rows} == {
        "ann": 10,
        "bob": 6,
        "cid": 10,
    }


def test_member_info_is_paged_by_limit_and_offset(crew: Tencent) -> None:
    body = {"GroupId": "g", "Limit": 2, "Offset": 1, "MemberInfoFilter": ["Role"]}
    reply = crew.group("get_group_member_info", body)
    assert reply["MemberNum"] == 3
    assert reply["MemberList"] == [
        {"Member_Account": "bob", "Role": "Member"},
        {"Member_Account": "cid", "Role": "Member"},
    ]
    assert "Next" not in reply


@pytest.mark.parametrize("limit", [0, 6001])
def test_member_info_has_a_limit_of_6000(crew: Tencent, limit: int) -> None:
    body = {"GroupId": "g", "Limit": limit}
    assert crew.group("get_group_member_info", body)["ErrorCode"] == 10004


def test_member_info_of_communities_is_paged_by_a_cursor(tencent: Tencent) -> None:
    tencent.make_group("@TGS#_c", Type="Community")
    tencent.join("@TGS#_c", "ann", "bob", "cid")
    found: list[str] = []
    cursor = ""
    while True:
        body = {"GroupId": "@TGS#_c", "Limit": 2, "Next": cursor}
        reply = tencent.group("get_group_member_info", body)
        found += [row["Member_Account"] for row in reply["MemberList"]]
        cursor = reply["Next"]
        if not cursor:
            break
    assert found == ["ann", "bob", "cid"]
    too_many = {"GroupId": "@TGS#_c", "Limit": 101}
    assert tencent.group("get_group_member_info", too_many)["ErrorCode"] == 10004


def test_members_are_filtered_by_role(crew: Tencent) -> None:
    body = {"GroupId": "g", "MemberRoleFilter": ["Owner"]}
    rows = crew.group("get_group_member_info", body)["MemberList"]
    assert [row["Member_Account"] for row in rows] == ["ann"]


def test_specified_members_are_found_and_strangers_left_out(crew: Tencent) -> None:
    body = {"GroupId": "g", "Member_List_Account": ["bob", "dan"]}
    rows = crew.group("get_specified_group_member_info", body)["MemberList"]
    assert [row["Member_Account"] for row in rows] == ["bob"]
    body["Member_List_Account"] = ["bob"] * 51
    assert crew.group("get_specified_group_member_info", body)["ErrorCode"] == 10004


def test_roles_are_told_for_up_to_500_accounts(crew: Tencent) -> None:
    body = {"GroupId": "g", "User_Account": ["ann", "bob", "dan"]}
    rows = crew.group("get_role_in_group", body)["UserIdList"]
    assert [row["Role"] for row in rows] == ["Owner", "Member", "NotMember"]
    body["User_Account"] = ["bob"] * 501
    assert crew.group("get_role_in_group", body)["ErrorCode"] == 10005


def test_unread_is_clamped_to_the_number_of_messages(crew: Tencent) -> None:
    crew.fill("g", 5)
    assert crew.set_unread("g", "bob", 3) == 0
    assert crew.set_unread("g", "cid", 99) == 0
    assert (crew.unread("g", "bob"), crew.unread("g", "cid")) == (3, 5)
    crew.set_unread("g", "bob", 0)
    assert crew.unread("g", "bob") == 0


def test_each_message_import_zeroes_everybodys_unread(crew: Tencent) -> None:
    crew.fill("g", 5)
    crew.set_unread("g", "bob", 3)
    crew.results("g", crew.message(50))
    assert crew.unread("g", "bob") == 0
    assert crew.unread("g", "ann") == 0


def test_a_live_message_makes_one_more_unread(crew: Tencent) -> None:
    crew.fill("g", 5)
    crew.set_unread("g", "bob", 3)
    crew.sandbox.live_message("g", From_Account="cid")
    assert (crew.unread("g", "bob"), crew.unread("g", "ann"), crew.unread("g", "cid")) == (4, 1, 0)


@pytest.mark.parametrize("kind", ["ChatRoom", "AVChatRoom"])
def test_types_without_unread_answer_ok_and_change_nothing(tencent: Tencent, kind: str) -> None:
    tencent.sandbox.create_group("g", Type=kind)
    before = tencent.sandbox.dump()
    assert tencent.set_unread("g", "bob", 2) == 0
    assert tencent.sandbox.dump() == before


def test_initial_unread_in_a_chatroom_is_ignored(tencent: Tencent) -> None:
    tencent.make_group("g", Type="ChatRoom")
    tencent.fill("g", 3)
    tencent.join("g", {"Member_Account": "bob", "UnreadMsgNum": 2})
    assert tencent.unread("g", "bob") == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"GroupId": "g", "Member_Account": "dan", "UnreadMsgNum": 1}, 10007),
        ({"GroupId": "g", "Member_Account": "bob", "UnreadMsgNum": -1}, 10004),
        ({"GroupId": "g", "Member_Account": "bob"}, 10004),
        ({"GroupId": "g", "UnreadMsgNum": 1}, 10004),
        ({"GroupId": "none", "Member_Account": "bob", "UnreadMsgNum": 1}, 10010),
        ({"GroupId": "x" * 49, "Member_Account": "bob", "UnreadMsgNum": 1}, 10015),
    ],
)
def test_set_unread_checks_its_request(crew: Tencent, body: Json, code: int) -> None:
    assert crew.code("group_open_http_svc/set_unread_msg_num", body) == code


def test_removing_is_repeatable_and_strangers_count_as_removed(crew: Tencent) -> None:
    body = {"GroupId": "g", "MemberToDel_Account": ["bob", "dan"], "Silence": 1}
    assert crew.group("delete_group_member", body)["ErrorCode"] == 0
    assert crew.group("delete_group_member", body)["ErrorCode"] == 0
    assert sorted(crew.sandbox.dump()["groups"]["g"]["members"]) == ["ann", "cid"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"MemberToDel_Account": ["x"] * 100}, 0),
        ({"MemberToDel_Account": ["x"] * 101}, 10005),
        ({"MemberToDel_Account": []}, 10004),
        ({"MemberToDel_Account": ["bob"], "Silence": 2}, 10004),
    ],
)
def test_removing_checks_its_request(crew: Tencent, fields: Json, code: int) -> None:
    body = {"GroupId": "g", **fields}
    assert crew.code("group_open_http_svc/delete_group_member", body) == code


def test_removing_from_an_avchatroom_is_a_bad_parameter(tencent: Tencent) -> None:
    tencent.sandbox.create_group("live", Type="AVChatRoom")
    body = {"GroupId": "live", "MemberToDel_Account": ["bob"]}
    assert tencent.code("group_open_http_svc/delete_group_member", body) == 10004
