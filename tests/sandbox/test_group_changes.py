"""Changes to an existing group, and the tips that they store."""

from __future__ import annotations

import pytest
from tests.sandbox.client import Json, Tencent

BASE = "group_open_http_svc/modify_group_base_info"
MEMBER = "group_open_http_svc/modify_group_member_info"
OWNER = "group_open_http_svc/change_group_owner"
REMOVE = "group_open_http_svc/delete_group_member"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": "x" * 30}, 0),
        ({"Name": "x" * 31}, 10004),
        ({"Name": ""}, 10004),
        ({"Introduction": "x" * 241}, 10004),
        ({"Notification": "x" * 301}, 10004),
        ({"FaceUrl": "x" * 101}, 10004),
        ({"MaxMemberNum": 6000}, 0),
        ({"MaxMemberNum": 6001}, 10004),
        ({"ApplyJoinOption": "FreeAccess"}, 0),
        ({"ApplyJoinOption": "x"}, 10004),
        ({"InviteJoinOption": "DisableInvite"}, 0),
        ({"MuteAllMember": "On"}, 0),
        ({"MuteAllMember": "yes"}, 10004),
        ({"From_Account": "ann"}, 0),
        ({"From_Account": "nobody"}, 10004),
    ],
)
def test_profile_changes_are_checked(crew: Tencent, fields: Json, code: int) -> None:
    assert crew.code(BASE, {"GroupId": "g", **fields}) == code


def test_a_profile_change_touches_only_what_is_given(crew: Tencent) -> None:
    before = crew.sandbox.dump()["groups"]["g"]
    crew.code(BASE, {"GroupId": "g", "MaxMemberNum": 30, "MuteAllMember": "On"})
    after = crew.sandbox.dump()["groups"]["g"]
    assert after == before | {"max_members": 30, "mute_all": "On"}


def test_an_empty_value_deletes_a_custom_field(crew: Tencent) -> None:
    rows = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    crew.code(BASE, {"GroupId": "g", "AppDefinedData": rows})
    crew.code(BASE, {"GroupId": "g", "AppDefinedData": [{"Key": "a", "Value": ""}]})
    assert crew.sandbox.dump()["groups"]["g"]["app_data"] == {"b": "2"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Role": "Admin"}, 0),
        ({"Role": "Owner"}, 10004),
        ({"Member_Account": "ann", "Role": "Member"}, 10007),
        ({"Member_Account": "dan"}, 10004),
        ({"NameCard": "x" * 50}, 0),
        ({"NameCard": "x" * 51}, 10004),
        ({"MsgFlag": "Discard"}, 0),
        ({"MsgFlag": "x"}, 10004),
        ({"MuteTime": 60}, 0),
        ({"MuteTime": -1}, 10004),
        ({"AppMemberDefinedData": [{"Key": "k", "Value": "v" * 64}]}, 0),
        ({"AppMemberDefinedData": [{"Key": "k", "Value": "v" * 65}]}, 10004),
        ({"GroupId": "none"}, 10010),
        ({"GroupId": "live"}, 10007),
    ],
)
def test_member_changes_are_checked(crew: Tencent, fields: Json, code: int) -> None:
    crew.sandbox.create_group("live", Type="AVChatRoom")
    assert crew.code(MEMBER, {"GroupId": "g", "Member_Account": "bob"} | fields) == code


def test_a_member_of_a_work_group_cannot_be_muted(tencent: Tencent) -> None:
    tencent.make_group("w", Type="Private")
    tencent.join("w", "bob")
    body = {"GroupId": "w", "Member_Account": "bob", "MuteTime": 5}
    assert tencent.code(MEMBER, body) == 10004


def test_member_changes_are_read_back(crew: Tencent) -> None:
    change = {"Role": "Admin", "NameCard": "Bob", "MsgFlag": "Discard", "MuteTime": 60}
    crew.code(MEMBER, {"GroupId": "g", "Member_Account": "bob", **change})
    body = {"GroupId": "g", "Member_List_Account": ["bob"]}
    row = crew.group("get_specified_group_member_info", body)["MemberList"][0]
    assert row["Role"] == "Admin"
    assert row["NameCard"] == "Bob"
    assert row["MsgFlag"] == "Discard"
    assert row["MuteUntil"] == crew.now + 60


def test_the_owner_changes_hands(crew: Tencent) -> None:
    assert crew.code(OWNER, {"GroupId": "g", "NewOwner_Account": "bob"}) == 0
    members = crew.sandbox.dump()["groups"]["g"]["members"]
    assert crew.info("g")["Owner_Account"] == "bob"
    assert (members["bob"]["role"], members["ann"]["role"]) == ("Owner", "Member")


def test_an_ownerless_group_gets_an_owner(tencent: Tencent) -> None:
    tencent.make_group("g")
    tencent.join("g", "bob")
    assert tencent.code(OWNER, {"GroupId": "g", "NewOwner_Account": "bob"}) == 0


@pytest.mark.parametrize(
    ("path", "fields", "tips"),
    [
        pytest.param(BASE, {"Name": "new"}, 1, id="name"),
        pytest.param(BASE, {"Introduction": "new"}, 1, id="introduction"),
        pytest.param(BASE, {"MuteAllMember": "On"}, 0, id="mute all"),
        pytest.param(BASE, {"ApplyJoinOption": "FreeAccess"}, 0, id="join option"),
        pytest.param(MEMBER, {"Member_Account": "bob", "Role": "Admin"}, 1, id="role"),
        pytest.param(MEMBER, {"Member_Account": "bob", "NameCard": "B"}, 0, id="name card"),
        pytest.param(OWNER, {"NewOwner_Account": "bob"}, 1, id="owner"),
        pytest.param(REMOVE, {"MemberToDel_Account": ["bob"]}, 1, id="leaver"),
        pytest.param(REMOVE, {"MemberToDel_Account": ["bob"], "Silence": 1}, 0, id="silent"),
        pytest.param(REMOVE, {"MemberToDel_Account": ["dan"]}, 0, id="nobody"),
    ],
)
def test_some_changes_store_a_tip_that_takes_a_seq_and_the_present_time(
    crew: Tencent, path: str, fields: Json, tips: int
) -> None:
    crew.results("g", crew.message(50))
    assert crew.code(path, {"GroupId": "g", **fields}) == 0
    assert crew.info("g")["NextMsgSeq"] == 2 + tips
    expected = 10004 if tips else 0
    assert crew.results("g", crew.message(40)) == [expected]


def test_member_tips_are_not_stored_in_chatrooms(tencent: Tencent) -> None:
    tencent.make_group("c", Type="ChatRoom")
    tencent.join("c", "bob")
    tencent.code(REMOVE, {"GroupId": "c", "MemberToDel_Account": ["bob"]})
    assert tencent.info("c")["NextMsgSeq"] == 1
    tencent.code(BASE, {"GroupId": "c", "Name": "new"})
    assert tencent.info("c")["NextMsgSeq"] == 2


def test_importing_members_stores_no_tip(crew: Tencent) -> None:
    assert crew.info("g")["NextMsgSeq"] == 1
