"""The ZIM side of the handle, of resets, and of what outlives the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sandbox.zim_client import Zim, image

import chat_sandbox
from chat_sandbox import SandboxError, SandboxHandle, ZimCredentials, sandbox
from chat_sandbox.zego_zim.switches import SWITCHES

EMPTY = {"users": {}, "groups": {}, "dismissed_groups": [], "sides": []}


def _live_a_little(handle: SandboxHandle) -> None:
    zim = Zim(handle)
    handle.zim.set_rates(enabled=False)
    zim.register("ann", "bob", "cid")
    zim.post("ModifyUserInfo", {"UserInfo": [{"UserId": "ann", "Extra": "e"}]})
    zim.make_group("g", "bob")
    zim.make_group("")
    zim.make_group("gone")
    zim.get("DismissGroup", FromUserId="ann", GroupId="gone")
    zim.invite("cid")
    for age in (3000, 2000, 1000):
        zim.send(age, str(age))
    zim.send(500, MessageType=11, MessageBody={"Message": image()})
    zim.tell(900)
    zim.tell(900, ImportedUserId="bob")
    zim.get("ClearConversationUnread", FromUserId="bob", ConvId="g", ConvType=2)
    zim.post("RevokeGroupMessage", {"FromUserId": "ann", "GroupId": "g", "MsgSeq": 2})
    handle.zim.live_group_message("g", "cid")
    zim.session.close()


def test_switches_of_both_vendors_are_set_by_name(sandbox: SandboxHandle) -> None:
    assert sandbox.zim.switches() == {switch.name: switch.default for switch in SWITCHES}
    sandbox.set_switches({"ties": "accept", "zim_cursor": "anchored"})
    assert sandbox.switches()["ties"] == "accept"
    assert sandbox.zim.switches()["zim_cursor"] == "anchored"
    with pytest.raises(SandboxError, match="has no position `x`"):
        sandbox.set_switches({"ties": "reject", "zim_cursor": "x"})
    assert sandbox.switches()["ties"] == "accept"
    with pytest.raises(SandboxError, match=r"no switch `zim_x`; there are: .*zim_cursor"):
        sandbox.zim.set_switch("zim_x", "y")


def test_a_reset_makes_everything_new(zim_crew: Zim) -> None:
    zim_crew.sandbox.set_switch("zim_cursor", "anchored")
    query = zim_crew.signed()
    assert zim_crew.raw("QueryUserInfos", **query).json()["Code"] == 660000002
    zim_crew.sandbox.reset()
    assert zim_crew.zim.dump() == EMPTY
    assert zim_crew.zim.switches()["zim_cursor"] == "offset"
    assert zim_crew.raw("QueryUserInfos", **query).json()["Code"] == 660000002


def test_equal_worlds_give_equal_dumps(zim: Zim) -> None:
    dumps = []
    start = zim.now
    for order in (("ann", "bob"), ("bob", "ann")):
        zim.sandbox.reset()
        zim.sandbox.freeze_clock()
        zim.register(*order)
        for group_id in order:
            zim.make_group(group_id, "bob", CreateGroupTime=start - 5000)
            zim.send(1, GroupId=group_id, SendMessageTime=start - 1000)
        for copy in order:
            zim.tell(1, ImportedUserId=copy, SendMessageTime=start - 1000)
        dumps.append(zim.zim.dump())
    assert dumps[0] == dumps[1]
    assert [(side["owner"], side["peer"]) for side in dumps[0]["sides"]] == [
        ("ann", "bob"),
        ("bob", "ann"),
    ]


def test_a_foreign_group_brings_its_owner(zim: Zim) -> None:
    assert zim.zim.create_group("theirs")["GroupId"] == "theirs"
    assert zim.zim.dump()["groups"]["theirs"]["owner"] == "stranger"
    with pytest.raises(SandboxError, match="660600011"):
        zim.zim.create_group("theirs")
    with pytest.raises(SandboxError, match="660600001"):
        zim.zim.live_group_message("none", "ann")


def test_a_conversation_that_is_not_there_has_no_messages(zim: Zim) -> None:
    assert zim.zim.peer_messages("ann", "bob") == []
    assert zim.zim.unread("ann", peer="bob") == 0


def test_a_killed_sandbox_goes_on_where_it_was(tmp_path: Path) -> None:
    with chat_sandbox.launch(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.zim.dump()
        ids = [row["MsgId"] for row in Zim(first).history()]
        first.kill()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.zim.dump() == before
        zim = Zim(second)
        assert [row["MsgId"] for row in zim.history()] == ids
        assert zim.send(400)["MsgSeq"] == 6


def test_a_snapshot_takes_the_place_of_a_long_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "COMPACT_ABOVE_ENTRIES", 5)
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.zim.dump()
    assert [path.name for path in tmp_path.iterdir()] == ["world-1.msgpack"]
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.zim.dump() == before != EMPTY


def test_a_reset_is_kept_too(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        first.reset()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.zim.dump() == EMPTY


def test_everything_given_at_the_start_reaches_the_process() -> None:
    app = ZimCredentials(app_id=1900000009, server_secret="s9")
    with chat_sandbox.launch(
        zim_apps=(app,),
        switches={"zim_throttle_code": "660300005"},
        rates_per_second={"QueryGroupMsg": 1},
        zim_retention_days=None,
    ) as handle:
        zim = Zim(handle)
        zim.register("ann", "bob")
        zim.make_group("g")
        assert zim.send(400 * 86_400_000)["Code"] == 0
        query = {"GroupId": "g"}
        codes = [zim.code("QueryGroupMsg", query) for _ in range(2)]
        assert codes == [0, 660300005]
        zim.session.close()
