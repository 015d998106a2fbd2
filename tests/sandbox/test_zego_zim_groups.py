"""CreateGroup, members, and looking at both."""

from __future__ import annotations

import pytest
from tests.sandbox.zim_client import LONG_AGO, Json, Zim

INFO: Json = {"FromUserId": "ann", "GroupId": "g"}


def _errors(reply: Json) -> list[tuple[str, int]]:
    return [(row["UserId"], row["SubCode"]) for row in reply["ErrorUsers"]]


def test_a_group_is_back_dated_with_its_first_members(zim: Zim) -> None:
    reply = zim.make_group("g", "bob", "ann")
    start = zim.now - LONG_AGO
    assert (reply["Code"], reply["GroupId"], reply["ErrorUsers"]) == (0, "g", [])
    names = [{"UserId": "ann", "UserName": ""}, {"UserId": "bob", "UserName": ""}]
    assert reply["Members"] == names
    assert zim.zim.dump()["groups"]["g"]["create_time"] == start
    assert {(each["role"], each["join_time"]) for each in zim.members().values()} == {
        (1, start),
        (3, start),
    }


def test_a_group_without_a_time_is_made_now(zim: Zim) -> None:
    zim.make_group("g", CreateGroupTime=0)
    zim.make_group("h", CreateGroupTime=None)
    groups = zim.zim.dump()["groups"]
    assert groups["g"]["create_time"] == groups["h"]["create_time"] == zim.now


def test_strangers_do_not_join_but_the_group_is_made(zim: Zim) -> None:
    reply = zim.make_group("g", "bob", "nobody")
    assert reply["Code"] == 0
    assert _errors(reply) == [("nobody", 660000015)]
    assert set(zim.members()) == {"ann", "bob"}


def test_if_all_members_fail_the_code_says_so_and_the_group_is_there(zim: Zim) -> None:
    reply = zim.make_group("g", "nobody")
    assert reply["Code"] == 660000015
    assert set(zim.members()) == {"ann"}
    assert zim.make_group("g")["Code"] == 660600011


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"GroupOwner": "nobody"}, 660600013),
        ({"GroupOwner": None}, 660000002),
        ({"GroupId": "x" * 33}, 660000002),
        ({"GroupId": "#1"}, 660000002),
        ({"GroupId": "a b"}, 660000002),
        ({"GroupId": "a'b"}, 660000002),
        ({"GroupId": "ü"}, 660000002),
        ({"GroupName": "ü" * 51}, 660000002),
        ({"GroupNotice": "x" * 301}, 660000002),
        ({"GroupAvatar": "x" * 501}, 660000002),
        ({"CreateGroupTime": 2**45}, 660800046),
        ({"CreateGroupTime": -1}, 660000002),
        ({"UserId": ["ann"] * 101}, 660600016),
        ({"UserId": ["x" * 33]}, 660000012),
        ({"Attributes": [{"Key": str(key), "Value": ""} for key in range(11)]}, 660600019),
        ({"Attributes": [{"Key": "x" * 17, "Value": ""}]}, 660600020),
        ({"Attributes": [{"Key": "x", "Value": "x" * 1025}]}, 660600020),
    ],
)
def test_a_bad_group_is_refused_and_not_made(zim: Zim, fields: Json, code: int) -> None:
    assert zim.make_group(**{"group_id": "g", **fields})["Code"] == code
    assert zim.zim.dump()["groups"] == {}


def test_limits_are_inclusive(zim: Zim) -> None:
    users = [f"u{number}" for number in range(100)]
    zim.register(*users)
    attributes = [{"Key": f"{key:016}", "Value": "x" * 1024} for key in range(10)]
    reply = zim.make_group(
        "x" * 32, *users, GroupName="ü" * 50, GroupNotice="n" * 300, Attributes=attributes
    )
    assert (reply["Code"], reply["ErrorUsers"], len(reply["Members"])) == (0, [], 101)


def test_without_an_id_the_server_makes_one_that_begins_with_a_hash(zim: Zim) -> None:
    first, second = zim.make_group(""), zim.make_group("")
    assert first["GroupId"].startswith("#")
    assert first["GroupId"] != second["GroupId"]
    assert zim.send(1000, GroupId=first["GroupId"])["MsgSeq"] == 1


def test_an_id_in_use_is_refused_and_the_group_stays(zim_crew: Zim) -> None:
    reply = zim_crew.make_group("g", GroupName="other")
    assert reply["Code"] == 660600011
    assert zim_crew.zim.dump()["groups"]["g"]["name"] == "crew"


def test_a_dismissed_group_is_gone_and_its_id_with_it(zim_crew: Zim) -> None:
    assert zim_crew.get("DismissGroup", FromUserId="ann", GroupId="g")["Code"] == 0
    assert zim_crew.code("QueryGroupInfo", INFO) == 660600001
    assert zim_crew.make_group("g")["Code"] == 660600011
    assert zim_crew.zim.dump()["dismissed_groups"] == ["g"]


def test_members_are_added_each_at_a_time_of_their_own(zim: Zim) -> None:
    zim.make_group("g")
    then = zim.now - 1000
    reply = zim.invite({"UserId": "bob", "EnterGroupTime": then}, "cid")
    assert (reply["Code"], reply["ErrorUsers"]) == (0, [])
    joined = {user_id: member["join_time"] for user_id, member in zim.members().items()}
    assert joined == {"ann": zim.now - LONG_AGO, "bob": then, "cid": zim.now}


def test_user_ids_count_only_without_member_infos(zim: Zim) -> None:
    zim.make_group("g")
    zim.invite("bob", UserIds=["cid"])
    assert set(zim.members()) == {"ann", "bob"}
    zim.post("InviteUsersIntoGroup", {"FromUserId": "ann", "GroupId": "g", "UserIds": ["cid"]})
    assert set(zim.members()) == {"ann", "bob", "cid"}


def test_the_operator_is_dropped_from_the_list(zim: Zim) -> None:
    zim.make_group("g")
    reply = zim.invite("bob", FromUserId="bob")
    assert (reply["Code"], reply["ErrorUsers"]) == (0, [])
    assert set(zim.members()) == {"ann"}


def test_who_is_to_consent_is_no_member_yet(zim: Zim) -> None:
    zim.make_group("g")
    assert zim.invite({"UserId": "bob", "IsInvite": 1})["Code"] == 0
    assert set(zim.members()) == {"ann"}


def test_some_who_cannot_join_are_listed_beside_code_0(zim: Zim) -> None:
    zim.make_group("g", "bob")
    future = {"UserId": "cid", "EnterGroupTime": zim.now + 1}
    zim.register("dan")
    reply = zim.invite("nobody", "bob", future, "x" * 33, "dan")
    assert reply["Code"] == 0
    assert [code for _, code in _errors(reply)] == [660000015, 660000015, 660800046, 660000012]
    assert set(zim.members()) == {"ann", "bob", "dan"}


def test_a_repeated_invitation_fails_wholly_with_a_list(zim_crew: Zim) -> None:
    reply = zim_crew.invite("bob", "cid")
    assert reply["Code"] == 660000015
    assert [user_id for user_id, _ in _errors(reply)] == ["bob", "cid"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"FromUserId": "nobody"}, 660500002),
        ({"GroupId": "none"}, 660600001),
        ({"GroupMemberInfos": [{"UserId": "bob"}] * 101}, 660000011),
        ({"GroupMemberInfos": []}, 660000002),
    ],
)
def test_a_bad_invitation_is_refused(zim_crew: Zim, fields: Json, code: int) -> None:
    assert zim_crew.invite("bob", **fields)["Code"] == code


def test_members_can_be_removed_and_the_next_one_owns(zim_crew: Zim) -> None:
    body = {"FromUserId": "ann", "GroupId": "g", "UserId": ["ann"]}
    assert zim_crew.code("KickoutGroupUser", body) == 0
    assert zim_crew.code("KickoutGroupUser", body) == 660600008
    assert zim_crew.zim.dump()["groups"]["g"]["owner"] == "bob"
    assert zim_crew.members()["bob"]["role"] == 1
    assert zim_crew.code("KickoutGroupUser", body | {"UserId": ["bob"] * 51}) == 660000011


def test_roles_nicknames_and_owner_change(zim_crew: Zim) -> None:
    role = {"FromUserId": "ann", "GroupId": "g", "ToUserId": "bob"}
    assert zim_crew.get("SetGroupMemberRole", **role, Role=2)["Code"] == 0
    assert zim_crew.get("SetGroupMemberRole", **role, Role=1)["Code"] == 660000002
    assert zim_crew.get("SetGroupMemberRole", **role | {"ToUserId": "ann"}, Role=2)["Code"] != 0
    names = [{"UserId": "bob", "NickName": "B"}, {"UserId": "nobody", "NickName": "N"}]
    named = zim_crew.post("SetGroupMembersNickname", INFO | {"GroupMemberInfos": names})
    assert (named["Code"], _errors(named)) == (0, [("nobody", 660600024)])
    transfer = {"FromUserId": "ann", "GroupId": "g", "NewOwner": "cid"}
    assert zim_crew.get("TransferGroupOwner", **transfer)["Code"] == 0
    members = zim_crew.members()
    assert {user_id: each["role"] for user_id, each in members.items()} == {
        "ann": 3,
        "bob": 2,
        "cid": 1,
    }
    assert members["bob"]["nickname"] == "B"


def test_data_is_updated_field_by_field_and_an_empty_value_erases(zim_crew: Zim) -> None:
    zim_crew.post("UpdateGroupData", {"GroupId": "g", "GroupNotice": "n", "GroupAvatar": "a"})
    zim_crew.post("UpdateGroupData", {"GroupId": "g", "GroupAvatar": ""})
    group = zim_crew.zim.dump()["groups"]["g"]
    assert (group["name"], group["notice"], group["avatar"]) == ("crew", "n", "")


def test_group_info_tells_profile_time_limits_and_attributes(zim: Zim) -> None:
    zim.make_group("g", Attributes=[{"Key": "k", "Value": "v"}], GroupNotice="n")
    reply = zim.post("QueryGroupInfo", INFO)
    assert (reply["GroupName"], reply["GroupNotice"]) == ("crew", "n")
    assert reply["GroupCreateTime"] == zim.now - LONG_AGO
    assert reply["GroupAttributes"] == [{"Key": "k", "Value": "v"}]
    assert reply["LimitInfo"]["NumberMessage"] == 0
    assert zim.code("QueryGroupInfo", INFO | {"FromUserId": "nobody"}) == 660500002


def test_members_are_listed_in_pages(zim_crew: Zim) -> None:
    first = zim_crew.post("QueryGroupMemberList", {"GroupId": "g", "Limit": 2, "Next": 0})
    rest = {"GroupId": "g", "Limit": 2, "Next": first["Next"]}
    second = zim_crew.post("QueryGroupMemberList", rest)
    rows = first["MemberList"] + second["MemberList"]
    assert [(row["UserId"], row["Role"]) for row in rows] == [("ann", 1), ("bob", 3), ("cid", 3)]
    assert (first["TotalCount"], second["Next"]) == (3, 0)
    assert zim_crew.code("QueryGroupMemberList", {"GroupId": "g", "Limit": 1001}) == 660000002


def test_the_list_of_all_groups_lags_a_minute_behind(zim_crew: Zim) -> None:
    assert zim_crew.get("QueryAppGroupList", Limit=10)["GroupIdList"] == []
    zim_crew.sandbox.advance_clock(60)
    reply = zim_crew.get("QueryAppGroupList", Limit=10, Next=0)
    assert reply["GroupIdList"] == [{"GroupId": "g", "GroupName": "crew"}]
    assert (reply["TotalCount"], reply["Next"]) == (1, 0)


def test_the_groups_of_a_user_are_listed_with_a_text_as_cursor(zim_crew: Zim) -> None:
    zim_crew.make_group("h", "bob")
    first = zim_crew.post("QueryGroupsInfoOfUser", {"FromUserId": "bob", "Limit": 1, "Next": ""})
    rest = {"FromUserId": "bob", "Limit": 1, "Next": first["Next"]}
    second = zim_crew.post("QueryGroupsInfoOfUser", rest)
    rows = first["GroupList"] + second["GroupList"]
    assert [row["GroupId"] for row in rows] == ["g", "h"]
    assert (first["Next"], second["Next"]) == ("1", "")


@pytest.mark.parametrize(
    ("plan", "groups", "code"), [("free", 20, 660600012), ("signaling", 0, 100000017)]
)
def test_a_plan_bounds_the_number_of_groups(zim: Zim, plan: str, groups: int, code: int) -> None:
    zim.sandbox.set_switch("zim_plan", plan)
    codes = [zim.make_group(f"g{number}")["Code"] for number in range(groups + 1)]
    assert codes == [0] * groups + [code]


def test_a_plan_bounds_members_users_and_attributes(zim: Zim) -> None:
    zim.sandbox.set_switch("zim_plan", "free")
    users = [f"u{number}" for number in range(98)]
    errors = zim.register(*users)["ErrorList"]
    assert [row["UserId"] for row in errors] == ["u97"]
    reply = zim.make_group("g", *users[:20])
    assert _errors(reply) == [("u19", 660600016)]
    assert zim.make_group("h", Attributes=[{"Key": "k", "Value": "v"}])["Code"] == 660600019
