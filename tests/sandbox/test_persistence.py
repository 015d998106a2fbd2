"""The world outlives the process that holds it."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import pytest
from tests.sandbox.client import Tencent, text

import chat_sandbox
from chat_sandbox import SandboxHandle, sandbox
from chat_sandbox.journal import StateInUseError
from chat_sandbox.server import BackgroundServer


def _live_a_little(handle: SandboxHandle) -> None:
    client = Tencent(handle)
    client.accounts("ann", "bob", "cid")
    client.make_group("g", Owner_Account="ann")
    client.group("import_group", {"Type": "Public", "Name": "generated id"})
    client.join("g", "bob", "cid")
    client.send("g", *[client.message(50 - number, Random=None) for number in range(5)])
    client.send("g", client.message(90))
    client.set_unread("g", "bob", 3)
    client.tell(MsgSeq=None)
    client.tell(To_Account="nobody", MsgSeq=None)
    client.tell(40, SyncFromOldSystem=5)
    client.group("group_msg_recall", {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 2}]})
    client.group("modify_group_base_info", {"GroupId": "g", "Name": "new"})
    client.openim("modify_group_msg", {"GroupId": "g", "MsgSeq": 1, "MsgBody": text("edited")})
    handle.live_message("g", From_Account="bob")
    handle.create_group("live", Type="AVChatRoom")
    client.group("delete_group_member", {"GroupId": "g", "MemberToDel_Account": ["cid"]})
    client.session.close()


def test_a_killed_sandbox_goes_on_where_it_was(tmp_path: Path) -> None:
    with chat_sandbox.launch(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.dump()
        first.kill()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before
        client = Tencent(second)
        items = client.send("g", client.message(0))["ImportMsgResult"]
        assert items[0]["Result"] == 10004
        client.session.close()


def test_a_stopped_sandbox_goes_on_where_it_was(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.dump()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before


def test_dedup_and_unread_survive(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        client = Tencent(first)
        client.accounts("ann", "bob")
        client.make_group("g", Owner_Account="ann")
        message, peer = client.message(50), client.peer()
        client.send("g", message)
        client.openim("importmsg", peer)
        client.set_unread("g", "ann", 1)
        client.session.close()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        client = Tencent(second)
        assert client.unread("g", "ann") == 1
        assert client.results("g", message) == [0]
        client.openim("importmsg", peer)
        dump = second.dump()
        assert len(dump["groups"]["g"]["messages"]) == 1
        assert len(dump["conversations"][0]["messages"]) == 1
        client.session.close()


def test_a_snapshot_takes_the_place_of_a_long_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "COMPACT_ABOVE_ENTRIES", 5)
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.dump()
    assert [path.name for path in tmp_path.iterdir()] == ["world-1.msgpack"]
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before
        second.live_message("g")
        changed = second.dump()
    with chat_sandbox.running(state_dir=tmp_path) as third:
        assert third.dump() == changed != before


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.dump()
    journal = tmp_path / "journal-0.jsonl"
    with journal.open("ab") as lines:
        lines.write(b'{"vendor":"tencent_chat","op":"imp')
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before
        second.live_message("g")
    assert all(json.loads(line) for line in journal.read_text("utf-8").splitlines())


def test_a_reset_is_kept_too(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        first.reset()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump()["accounts"] == {}


def test_changes_are_repeated_under_the_switches_of_their_time(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path) as first:
        client = Tencent(first)
        client.make_group("g")
        first.set_switch("ties", "accept")
        assert client.results("g", client.message(50), client.message(50)) == [0, 0]
        before = first.dump()
        client.session.close()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before
        assert second.switches()["ties"] == "reject"


def test_two_sandboxes_cannot_share_a_directory(tmp_path: Path) -> None:
    with chat_sandbox.running(state_dir=tmp_path), pytest.raises(StateInUseError, match="used by"):
        BackgroundServer(chat_sandbox.SandboxConfig(port=0, state_dir=tmp_path))


def test_a_kill_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with chat_sandbox.launch(state_dir=tmp_path, rate_limits=False) as first:
        client = Tencent(first)
        client.accounts("ann", "bob")
        client.make_group("g")
        killer = threading.Timer(0.3, first.kill)
        killer.start()
        oldest = client.now - 90_000
        with contextlib.suppress(OSError):
            for sent in range(oldest, oldest + 80_000):
                # Of three at one second the service takes one.
                client.send("g", *(client.message(0, SendTime=sent) for _ in range(3)))
                acknowledged.append(sent)
        killer.join()
        client.session.close()
    with chat_sandbox.running(state_dir=tmp_path) as second:
        kept = [message["time"] for message in second.dump()["groups"]["g"]["messages"]]
    assert len(acknowledged) > 10
    assert len(acknowledged) <= len(kept) <= len(acknowledged) + 1


def test_a_long_run_writes_snapshots_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "COMPACT_RUNNING_ABOVE_ENTRIES", 4)
    with chat_sandbox.running(state_dir=tmp_path) as first:
        _live_a_little(first)
        before = first.dump()
        generations = [int(path.stem.partition("-")[2]) for path in tmp_path.glob("world-*")]
        assert len(generations) == 1
        assert generations[0] > 2
    with chat_sandbox.running(state_dir=tmp_path) as second:
        assert second.dump() == before
        second.reset()
    with chat_sandbox.running(state_dir=tmp_path) as third:
        assert third.dump()["groups"] == {}


def test_without_a_directory_nothing_is_kept() -> None:
    with chat_sandbox.running() as first:
        _live_a_little(first)
    with chat_sandbox.running() as second:
        assert second.dump()["groups"] == {}


def test_the_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with chat_sandbox.running(state_dir=state) as first:
        _live_a_little(first)
    assert state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}
