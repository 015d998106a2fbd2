"""Edits and withdrawals over kills, doubts, restored and rebuilt ledgers: the same history in the end, and no more calls."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.changing import (
    LATER,
    assert_shows,
    changed_jetty,
    delete,
    edit,
    jetty,
    seen_between,
    seen_in,
)
from tests.delivery.driving import Migration, assert_adds_up, comparable
from tests.delivery.interference import Killed, Killer, copy_home
from tests.delivery.processes import Processes, Strike, Struck
from tests.delivery.rebuilding import lose_ledger, rebuild_ledger

import chat_sandbox
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.states import DeliveryState
from chat_sandbox import Effect, FaultAction

COUNTS = {
    "modify_group_msg": 3, "group_msg_recall": 3, "modify_c2c_msg": 2, "admin_msgwithdraw": 1,
}  # fmt: skip
"""API → calls that bring :func:`changed_jetty` over."""
POINTS = [
    (api, number, applied)
    for api, last in COUNTS.items()
    for number in sorted({1, last})
    for applied in (False, True)
]


@pytest.fixture(autouse=True)
def _one_source(migration: Migration) -> None:
    migration.settings["source_name"] = "old"
    migration.connection["parallel_calls"] = 1


@pytest.mark.parametrize(("api", "number", "applied"), POINTS)
def test_a_kill_at_any_change_is_made_good_by_the_next_run(
    migration: Migration,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    number: int,
    *,
    applied: bool,
) -> None:
    assert migration.run(jetty()).error is None
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, number, applied=applied)
        with pytest.raises(Killed):
            migration.run(changed_jetty(), run_id="struck")
        killer.restore()
    ended = migration.run(changed_jetty(), run_id="struck" if applied else "")
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert_shows(ended.world, changed_jetty(), before=jetty())
    if applied:
        assert ended.rows["group_messages"] == {"already_imported": 5, "updated": 3, "withdrawn": 3}
    again = migration.run(changed_jetty())
    assert again.writes == 0
    assert comparable(again.world) == comparable(ended.world)


# --- real processes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A sandbox in a process of its own that holds the first night, and the command line for the second."""
    folder = tmp_path_factory.mktemp("struck")
    with chat_sandbox.launch(retention_days=None, rate_limits=False) as sandbox:
        export = jetty().write(folder / "export")
        with Processes(
            sandbox=sandbox,
            folder=folder,
            export=export,
            # One call at a time: a process must not be through with one kind while it is killed in another.
            extra={"parallel_calls": 1},
            params={"source_name": "old"},
        ) as made:
            made.run()
            yield made


@pytest.mark.timeout(180)
def test_a_process_that_is_killed_again_and_again_brings_every_change_over_once_and_for_all(
    imported: Processes,
) -> None:
    changed_jetty().write(imported.export)
    for api in ("modify_c2c_msg", "admin_msgwithdraw", "modify_group_msg", "group_msg_recall"):
        for kind in (Struck.ANSWERING, Struck.ON_ITS_WAY):
            imported.kill(Strike(api=api, kind=kind))
    imported.run()
    world = imported.sandbox.dump()
    assert_shows(world, changed_jetty(), before=jetty())
    writes = imported.sandbox.stats()["writes"]
    imported.run()
    assert imported.sandbox.stats()["writes"] == writes
    assert comparable(imported.sandbox.dump()) == comparable(world)


# --- rows in doubt ------------------------------------------------------------------------------


def in_doubt(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, api: str, *, applied: bool
) -> None:
    """Kill a first run at its first call of messages: what it sent, nobody knows."""
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, 1, applied=applied)
        with pytest.raises(Killed):
            migration.run(jetty(), run_id="first")
        killer.restore()


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("api", ["import_group_msg", "importmsg"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_row_in_doubt_is_resolved_before_it_is_changed_or_withdrawn(
    migration: Migration,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    *,
    is_deleted: bool,
    applied: bool,
) -> None:
    in_doubt(migration, monkeypatch, api, applied=applied)
    message_id = "m0001" if api == "import_group_msg" else "m0012"
    changed = (delete if is_deleted else edit)(jetty(), message_id)
    ended = migration.run(changed)
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    if api == "importmsg":
        (_, text, _), gone = seen_between(ended.world, "ada", "bob")[0]
    else:
        (_, text, _), gone = seen_in(ended.world, "jetty")[0]
    if is_deleted:
        assert gone is applied
        assert ("text 1" if api == "import_group_msg" else "text 12") == text or not applied
    else:
        assert text.endswith("edited")
    assert migration.run(changed).writes == 0


# --- other ledgers ------------------------------------------------------------------------------


def test_a_rebuilt_ledger_neither_imports_nor_recalls_what_was_withdrawn(
    migration: Migration,
) -> None:
    migration.run(jetty())
    ended = migration.run(changed_jetty())
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, changed_jetty())
    assert rebuilt.error is None
    assert rebuilt.writes == 0
    assert rebuilt.rows["group_messages"] == {"restored": 11}
    assert rebuilt.rows["c2c_messages"] == {"restored": 4}
    again = migration.run(changed_jetty())
    assert again.error is None
    assert {
        api: again.calls.get(api, 0) for api in (*COUNTS, "import_group_msg", "importmsg")
    } == dict.fromkeys((*COUNTS, "import_group_msg", "importmsg"), 0)
    assert again.rows["group_messages"] == {"already_imported": 11}
    assert comparable(again.world) == comparable(ended.world)
    back = migration.run(jetty())
    assert back.reasons["group_messages"] == {"withdrawn_before": 3}


def test_a_rebuilt_ledger_knows_of_withdrawn_parts(migration: Migration) -> None:
    migration.connection["max_body_bytes"] = 1000

    def export(text: str) -> NeutralExport:
        made = NeutralExport().user("ada", "bob").group("jetty", "ada", "bob")
        made.say("jetty", "ada", at(0), text=text, edited_at=LATER)
        return made.say("jetty", "bob", at(60))

    migration.run(export("abcdefghij" * 200))
    ended = migration.run(export("short"))
    lose_ledger(migration)
    assert rebuild_ledger(migration, export("short")).rows["group_messages"] == {"restored": 2}
    again = migration.run(export("short"))
    assert again.rows["group_messages"] == {"already_imported": 2}
    assert comparable(again.world) == comparable(ended.world)
    after = migration.run(export("other"))
    assert [text for (_, text, _), gone in seen_in(after.world, "jetty") if not gone] == [
        "other", "text 2",
    ]  # fmt: skip


def test_an_older_ledger_does_what_it_forgot_again_and_the_target_ends_the_same(
    migration: Migration, tmp_path: Path
) -> None:
    migration.run(jetty())
    copy_home(migration.home.path, tmp_path / "older")
    ended = migration.run(changed_jetty())
    shutil.rmtree(migration.home.path)
    shutil.move(tmp_path / "older", migration.home.path)
    again = migration.run(changed_jetty())
    assert again.error is None
    assert comparable(again.world) == comparable(ended.world)
    assert again.rows["group_messages"] == ended.rows["group_messages"]
    assert migration.run(changed_jetty()).writes == 0


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_a_restored_ledger_does_not_know_is_recognised_also_when_it_is_withdrawn_or_deleted(
    migration: Migration, tmp_path: Path, *, is_deleted: bool
) -> None:
    first = jetty()
    last = [first.messages.pop(7)]
    migration.run(first)
    copy_home(migration.home.path, tmp_path / "older")
    migration.run(jetty())
    if is_deleted:
        migration.run(delete(jetty(), last[0]["id"]))
    shutil.rmtree(migration.home.path)
    shutil.move(tmp_path / "older", migration.home.path)
    export = delete(jetty(), last[0]["id"]).say("jetty", "ada", at(60))
    ended = migration.run(export)
    assert ended.error is None
    assert [gone for _, gone in seen_in(ended.world, "jetty")] == [False] * 7 + [True, False]
    app = f"tencent:{migration.sandbox.app.sdk_app_id}"
    with Ledger.open(f"sqlite:///{migration.home.path / 'ledger.sqlite'}", app) as ledger:
        assert ledger.streams(["group:jetty"])["group:jetty"].foreign_slot is None
        assert ledger.delivered_count("group:jetty") == 8
    assert migration.run(export).writes == 0


def test_a_part_that_is_stored_after_it_was_given_up_is_withdrawn_too(migration: Migration) -> None:
    """The last of a message is in doubt when the message is deleted."""
    fault = {"action": FaultAction.DROP, "effect": Effect.APPLIED}
    migration.sandbox.add_fault(api="import_group_msg", first_call=2, last_call=2, **fault)
    assert migration.run(jetty()).error is None
    ended = migration.run(changed_jetty())
    assert_shows(ended.world, changed_jetty(), before=jetty())
    app = f"tencent:{migration.sandbox.app.sdk_app_id}"
    with Ledger.open(f"sqlite:///{migration.home.path / 'ledger.sqlite'}", app) as ledger:
        keys = {each.state for each in ledger.unresolved("group:jetty")}
    assert keys == set[DeliveryState]()
