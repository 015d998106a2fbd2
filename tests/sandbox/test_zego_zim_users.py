"""UserRegister, ModifyUserInfo, QueryUserInfos."""

from __future__ import annotations

import pytest
from tests.sandbox.zim_client import Json, Zim


def _subcodes(reply: Json, name: str = "ErrorList") -> list[tuple[str, int]]:
    return [(row["UserId"], row["SubCode"]) for row in reply[name]]


def _register(zim: Zim, *rows: Json) -> Json:
    return zim.post("UserRegister", {"UserInfo": list(rows)})


def test_new_users_are_registered_with_their_profile(zim: Zim) -> None:
    row = {"UserId": "dan", "UserName": "Dan", "UserAvatar": "https://cdn.example/d"}
    reply = _register(zim, row)
    assert (reply["Code"], reply["ErrorList"]) == (0, [])
    assert zim.zim.dump()["users"]["dan"] == {
        "name": "Dan",
        "avatar": "https://cdn.example/d",
        "extra": "",
    }


def test_some_who_exist_are_listed_beside_code_0(zim: Zim) -> None:
    reply = zim.register("ann", "dan")
    assert reply["Code"] == 0
    assert _subcodes(reply) == [("ann", 660700002)]
    assert reply["ErrorList"][0]["SubMessage"]


def test_if_all_exist_the_code_says_so_and_the_list_is_full(zim: Zim) -> None:
    reply = zim.register("ann", "bob")
    assert reply["Code"] == 660700002
    assert _subcodes(reply) == [("ann", 660700002), ("bob", 660700002)]


def test_registering_again_leaves_the_profile(zim: Zim) -> None:
    _register(zim, {"UserId": "ann", "UserName": "Other"})
    assert zim.zim.dump()["users"]["ann"]["name"] == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"UserId": "x" * 33}, 660000012),
        ({"UserId": "ü"}, 660000002),
        ({"UserId": "a*b"}, 660000002),
        ({"UserId": ""}, 660000002),
        ({"UserId": 7}, 660000002),
        ({"UserId": "dan", "UserName": "ü" * 129}, 660700006),
        ({"UserId": "dan", "UserAvatar": "x" * 501}, 660700007),
    ],
)
def test_a_bad_user_fails_alone(zim: Zim, fields: Json, code: int) -> None:
    reply = _register(zim, {"UserId": "eve"}, fields)
    assert reply["Code"] == 0
    assert [row["SubCode"] for row in reply["ErrorList"]] == [code]
    assert set(zim.zim.dump()["users"]) == {"ann", "bob", "cid", "eve"}


@pytest.mark.parametrize("user_id", ["x" * 32, "a b", "!#$%&()+-:;<=.>?@[]^_{}|~"])
def test_every_character_of_the_alphabet_may_be_in_an_id(zim: Zim, user_id: str) -> None:
    assert zim.register(user_id)["ErrorList"] == []
    assert user_id in zim.zim.dump()["users"]


def test_a_call_takes_100_users_and_not_101(zim: Zim) -> None:
    assert zim.register(*[f"u{number}" for number in range(100)])["Code"] == 0
    assert zim.register(*[f"v{number}" for number in range(101)])["Code"] == 660000011
    assert "v0" not in zim.zim.dump()["users"]


@pytest.mark.parametrize("rows", [None, [], {}, ["ann"]])
def test_a_list_of_another_form_is_refused(zim: Zim, rows: object) -> None:
    assert zim.code("UserRegister", {"UserInfo": rows}) == 660000002


def test_profiles_are_modified_field_by_field(zim: Zim) -> None:
    rows = [{"UserId": "ann", "UserName": "Ann", "Extra": "e"}, {"UserId": "nobody"}]
    reply = zim.post("ModifyUserInfo", {"UserInfo": rows})
    assert reply["Code"] == 0
    assert _subcodes(reply) == [("nobody", 660700012)]
    zim.post("ModifyUserInfo", {"UserInfo": [{"UserId": "ann", "UserAvatar": "a"}]})
    assert zim.zim.dump()["users"]["ann"] == {"name": "Ann", "avatar": "a", "extra": "e"}


def test_a_modification_of_strangers_alone_fails(zim: Zim) -> None:
    reply = zim.post("ModifyUserInfo", {"UserInfo": [{"UserId": "nobody"}]})
    assert reply["Code"] == 660700012
    assert _subcodes(reply) == [("nobody", 660700012)]


def test_a_query_tells_who_exists(zim: Zim) -> None:
    reply = zim.post("QueryUserInfos", {"UserIds": ["ann", "nobody", "x" * 64]})
    assert reply["Code"] == 0
    assert reply["Result"] == [{"UserId": "ann", "UserName": "", "UserAvatar": "", "Extra": ""}]
    assert _subcodes(reply) == [("nobody", 660700012), ("x" * 64, 660700012)]


def test_a_query_of_strangers_alone_fails(zim: Zim) -> None:
    reply = zim.post("QueryUserInfos", {"UserIds": ["nobody"]})
    assert (reply["Code"], reply["Result"]) == (660700012, [])


def test_a_query_takes_100_ids_and_not_101(zim: Zim) -> None:
    assert zim.code("QueryUserInfos", {"UserIds": ["ann"] * 100}) == 0
    assert zim.code("QueryUserInfos", {"UserIds": ["ann"] * 101}) == 660000011
