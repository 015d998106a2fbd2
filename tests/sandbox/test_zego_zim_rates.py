"""Rate limits of ZIM and what the server counts of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.sandbox.zim_client import Json, Zim

import chat_sandbox
from chat_sandbox import SandboxHandle, ZimCredentials
from chat_sandbox.zego_zim.apis import ACTIONS, Action

QUERY: Json = {"UserIds": ["ann"]}
PER_GROUP = {
    "InviteUsersIntoGroup",
    "SetGroupMembersNickname",
    "TransferGroupOwner",
    "DismissGroup",
}


@pytest.fixture
def limited(zim_crew: Zim) -> Iterator[Zim]:
    """The client with its group, and rate limits from here on."""
    zim_crew.sandbox.advance_clock(10)
    zim_crew.zim.set_rates(enabled=True)
    yield zim_crew
    zim_crew.zim.set_rates(enabled=False)


def _codes(zim: Zim, count: int, action: str, body: Json) -> list[int]:
    return [zim.code(action, body) for _ in range(count)]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: str(action.name))
def test_every_action_has_its_documented_rate(action: Action) -> None:
    slow = action.name in PER_GROUP or action.name == "QueryAppGroupList"
    assert action.per_second == (1 if slow else 20)
    assert (action.limited == "group") == (action.name in PER_GROUP)


def test_the_21st_call_of_a_second_is_refused(limited: Zim) -> None:
    assert _codes(limited, 22, "QueryUserInfos", QUERY) == [0] * 20 + [7] * 2
    limited.sandbox.advance_clock(1)
    assert limited.code("QueryUserInfos", QUERY) == 0


def test_a_throttled_import_is_not_stored(limited: Zim) -> None:
    body = limited.message(1000)
    assert _codes(limited, 21, "ImportGroupMsg", body) == [0] * 20 + [7]
    assert len(limited.zim.group_messages("g")) == 20


def test_actions_have_limits_of_their_own_and_codes_too(limited: Zim) -> None:
    assert _codes(limited, 20, "ImportGroupMsg", limited.message(1000)) == [0] * 20
    assert _codes(limited, 20, "ImportPeerMsg", limited.peer(1000)) == [0] * 20
    register = {"UserInfo": [{"UserId": "dan"}]}
    assert _codes(limited, 21, "UserRegister", register)[-1] == 660700001
    members = {"GroupId": "g", "Limit": 1}
    assert _codes(limited, 21, "QueryGroupMemberList", members)[-1] == 660600004
    lists = [limited.get("QueryAppGroupList", Limit=1)["Code"] for _ in range(2)]
    assert lists == [0, 660600007]


def test_each_group_takes_one_invitation_a_second(limited: Zim) -> None:
    limited.make_group("h")
    limited.register("dan")
    codes = [limited.invite("dan", group_id=group_id)["Code"] for group_id in ("g", "g", "h")]
    assert codes == [0, 660300006, 0]


def test_spot_checks_are_limited_by_messages(limited: Zim) -> None:
    body = {"FromUserId": "ann", "ConvId": "g", "ConvType": 2, "MsgSeqList": list(range(11))}
    assert _codes(limited, 2, "QueryMessagesByMsgSeq", body) == [0, 7]
    assert limited.code("QueryMessagesByMsgSeq", body | {"MsgSeqList": list(range(9))}) == 0


def test_rates_can_be_raised(limited: Zim) -> None:
    limited.zim.set_rates(per_second={"QueryUserInfos": 30})
    assert _codes(limited, 31, "QueryUserInfos", QUERY) == [0] * 30 + [7]


def test_calls_rows_errors_throttles_and_peaks_are_counted(limited: Zim) -> None:
    limited.sandbox.reset_stats()
    _codes(limited, 21, "ImportGroupMsg", limited.message(1000))
    limited.register("dan", "eve")
    limited.post("InviteUsersIntoGroup", {"FromUserId": "x", "GroupId": "g", "UserIds": ["a", "b"]})
    counts = limited.sandbox.stats()["apis"]
    imports = counts["ImportGroupMsg"]
    assert (imports["count"], imports["throttled"], imports["errors"]) == (21, 1, {"7": 1})
    assert imports["peak_per_second"] <= 21
    assert (counts["UserRegister"]["rows"], counts["InviteUsersIntoGroup"]["rows"]) == (2, 2)
    assert limited.sandbox.calls("ImportGroupMsg") == 21


def test_writes_are_told_from_reads_with_their_conversation(zim_crew: Zim) -> None:
    zim_crew.sandbox.reset_stats()
    zim_crew.history()
    zim_crew.send(1000)
    zim_crew.tell(1000, ImportedUserId="bob")
    writes = zim_crew.sandbox.stats()["recent_writes"]
    assert [(write["api"], write["conversation"]) for write in writes] == [
        ("ImportGroupMsg", "group:g"),
        ("ImportPeerMsg", "peer:ann|bob@bob"),
    ]


def test_imports_that_overlap_in_one_copy_are_found_out() -> None:
    with chat_sandbox.running(latency_ms=60, rate_limits=False) as handle:
        zim = Zim(handle)
        zim.register("ann", "bob")
        sides = [zim.peer(9000), zim.peer(9000, ImportedUserId="bob")]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda body: zim.code("ImportPeerMsg", body), sides))
            assert handle.stats()["overlaps"] == {}
            list(pool.map(lambda body: zim.code("ImportPeerMsg", body), sides[:1] * 2))
        assert handle.stats()["overlaps"] == {"peer:ann|bob@ann": 1}
        zim.session.close()


def test_projects_do_not_share_limits_nor_worlds() -> None:
    other = ZimCredentials(app_id=1900000002, server_secret="s2")
    apps = (chat_sandbox.DEFAULT_ZIM_APP, other)
    with chat_sandbox.running(zim_apps=apps, rates_per_second={"QueryUserInfos": 1}) as handle:
        first = Zim(handle)
        second = Zim(SandboxHandle(handle.url, handle.app, zim_app=other))
        first.register("ann")
        assert [zim.code("QueryUserInfos", QUERY) for zim in (first, first, second)] == [
            0,
            7,
            660700012,
        ]
        assert handle.zim.dump(app=1900000002)["users"] == {}
        assert list(handle.zim.dump()["users"]) == ["ann"]
