"""One run into ZIM brings everything over once, and the next one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.conftest import harbour
from tests.delivery.driving import Migration, assert_adds_up
from tests.delivery.zego_zim.migrating import (
    ZimMigration,
    assert_zim_holds,
    comparable_zim,
    recent,
    said,
    shifted,
)

from chat_sandbox import SandboxHandle

DAY_MS = 86_400_000


@pytest.fixture
def zim(sandbox: SandboxHandle, tmp_path: Path) -> ZimMigration:
    """A migration into ZIM whose waits move the sandbox's clock."""
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    small = {"members_per_call": 2, "accounts_per_call": 3, "retention_days": 7}
    return ZimMigration(sandbox=sandbox, folder=tmp_path, connection=small, clock=clock)


@pytest.fixture
def export(sandbox: SandboxHandle) -> NeutralExport:
    return recent(harbour(), sandbox.now_ms())


def test_a_run_brings_every_message_over_once_in_each_copy(
    zim: ZimMigration, export: NeutralExport
) -> None:
    ended = zim.run(export)
    assert ended.error is None
    assert_zim_holds(ended.world, export)
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert ended.rows["group_messages"] == {"imported": 24}
    assert ended.rows["c2c_messages"] == {"imported": 7}
    assert ended.calls["ImportGroupMsg"] == 24
    assert ended.calls["ImportPeerMsg"] == 14


def test_groups_have_their_past_their_owner_and_everybody(
    zim: ZimMigration, export: NeutralExport
) -> None:
    ended = zim.run(export)
    for group in export.groups:
        made = ended.world["groups"][group["id"]]
        assert made["owner"] == group["owner_id"]
        assert made["name"] == group["name"]
        assert made["create_time"] <= min(
            row["sent_at"] for row in export.messages if row.get("group_id") == group["id"]
        )
    for member in export.members:
        held = ended.world["groups"][member["group_id"]]["members"][member["user_id"]]
        assert held["visible"] == len(ended.world["groups"][member["group_id"]]["messages"])
    assert ended.world["groups"]["pier"]["members"]["cid"]["role"] == 2
    assert ended.world["groups"]["wreck"]["owner"] == "ada"


def test_a_second_run_calls_nothing_that_writes(zim: ZimMigration, export: NeutralExport) -> None:
    first = zim.run(export)
    again = zim.run(export)
    assert again.error is None
    assert again.writes == 0
    assert again.rows["group_messages"] == {"already_imported": 24}
    assert again.rows["c2c_messages"] == {"already_imported": 7}
    assert comparable_zim(again.world) == comparable_zim(first.world)


def test_nothing_is_unread_but_for_those_who_should_have_everything_unread(
    zim: ZimMigration, export: NeutralExport
) -> None:
    ended = zim.run(export)
    unread = {
        (group_id, name): member["unread"]
        for group_id, group in ended.world["groups"].items()
        for name, member in group["members"].items()
        if member["unread"]
    }
    assert unread == {("pier", "ada"): 4, ("pier", "cid"): 5}
    assert {side["unread"] for side in ended.world["sides"]} == {0}
    assert ended.calls["ClearConversationUnread"] > 0


@pytest.mark.parametrize("clear_unread", ["none"])
def test_nothing_is_cleared_where_nothing_is_to_be(
    zim: ZimMigration, export: NeutralExport, clear_unread: str
) -> None:
    ended = zim.run(export, clear_unread=clear_unread)
    assert ended.error is None
    assert ended.calls.get("ClearConversationUnread", 0) == 0


def test_what_is_older_than_the_retention_is_left_out_and_the_rest_goes_on(
    zim: ZimMigration, sandbox: SandboxHandle
) -> None:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for seconds in (0, 1, 3 * 86_400, 3 * 86_400 + 1):
        export.say("quay", "ada", at(seconds))
        export.tell("ada", "bob", at(seconds))
    export = recent(export, sandbox.now_ms(), days=9)
    ended = zim.run(export)
    assert ended.error is None
    for kind in ("group_messages", "c2c_messages"):
        assert ended.rows[kind] == {"rejected": 2, "imported": 2}
        assert ended.reasons[kind] == {"older_than_retention": 2}
    held = said(ended.world["groups"]["quay"]["messages"])
    assert [text for _, text, _ in held] == ["text 5", "text 7"]
    assert ended.calls["ImportGroupMsg"] == 2


def test_late_rows_go_to_their_own_time(zim: ZimMigration, export: NeutralExport) -> None:
    assert zim.run(export).error is None
    start = min(row["sent_at"] for row in export.messages)
    export.say("quay", "bob", start + 500).say("quay", "bob", start)
    export.tell("ada", "bob", start + 500)
    ended = zim.run(export)
    assert ended.error is None
    held = said(ended.world["groups"]["quay"]["messages"])
    assert sorted(held, key=lambda each: each[2]) == held
    assert ("bob", export.messages[-3]["text"]) in {each[:2] for each in held}
    late = {text: moment for _, text, moment in held}
    assert late[export.messages[-3]["text"]] - (start + 500) in range(5)
    assert late[export.messages[-2]["text"]] - start in range(5)
    again = zim.run(export)
    assert again.writes == 0


def test_late_rows_can_be_refused(zim: ZimMigration, export: NeutralExport) -> None:
    settings = {"late_messages": "reject"}
    assert zim.run(export, **settings).error is None
    start = min(row["sent_at"] for row in export.messages)
    export.say("quay", "bob", start + 500)
    ended = zim.run(export, **settings)
    assert ended.rows["group_messages"]["late_rejected"] == 1
    assert ended.reasons["group_messages"]["late"] == 1


def test_one_extract_serves_both_targets(
    zim: ZimMigration, export: NeutralExport, sandbox: SandboxHandle
) -> None:
    path = export.write(zim.folder / "export")
    tencent = Migration(sandbox=sandbox, folder=zim.folder, clock=zim.clock)
    assert tencent.run(path, run_id="into-tencent").error is None
    stage = zim.folder / "home" / "stage" / "extracts"
    before = {each: each.stat().st_mtime_ns for each in stage.rglob("*.parquet")}
    ended = zim.run(path, run_id="into-zim")
    assert ended.error is None
    assert_zim_holds(ended.world, export)
    assert {each: each.stat().st_mtime_ns for each in stage.rglob("*.parquet")} == before


def test_an_older_export_is_moved_as_a_whole() -> None:
    export = shifted(harbour(), DAY_MS)
    assert export.messages[0]["sent_at"] - harbour().messages[0]["sent_at"] == DAY_MS
    assert export.messages[0]["text"] == harbour().messages[0]["text"]
