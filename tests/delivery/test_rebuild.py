"""A lost ledger is rebuilt from the export and the target: the next run writes nothing twice and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import (
    Migration,
    assert_adds_up,
    assert_holds,
    comparable,
    said_in,
)
from tests.delivery.interference import Killed, Killer, intercept
from tests.delivery.rebuilding import (
    assert_known,
    city,
    ledger_of,
    lines_of,
    lose_ledger,
    outcomes,
    rebuild_ledger,
)

from chat_migration.errors import (
    HeldElsewhereError,
    InterruptedRunError,
    TargetUnreachableError,
)
from chat_migration.ledger.ledger import Ledger
from chat_sandbox import FaultAction

# --- the whole history --------------------------------------------------------------------------


@pytest.mark.parametrize("export", [harbour, city], ids=["harbour", "city"])
def test_after_a_whole_run_a_rebuilt_ledger_knows_everything_and_a_run_writes_nothing(
    migration: Migration, export: Callable[[], NeutralExport]
) -> None:
    first = migration.run(export())
    assert first.error is None
    remembered = ledger_of(migration)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export())
    assert rebuilt.error is None
    assert rebuilt.writes == 0
    assert set(rebuilt.rows) == set(outcomes(first))
    assert {found for of in rebuilt.rows.values() for found in of} == {"restored"}
    assert lines_of(rebuilt) == []
    assert ledger_of(migration) == remembered
    assert_known(migration.run(export()), first.world)


def test_a_rebuild_may_be_repeated_and_changes_nothing(migration: Migration) -> None:
    first = migration.run(city())
    lose_ledger(migration)
    rebuild_ledger(migration, city())
    remembered = ledger_of(migration)
    again = rebuild_ledger(migration, city())
    assert again.error is None
    assert again.writes == 0
    assert {found for of in again.rows.values() for found in of} == {"known"}
    assert again.calls.get("group_msg_get_simple", 0) == 0
    assert again.calls.get("admin_getroammsg", 0) == 0
    assert ledger_of(migration) == remembered
    assert_known(migration.run(city()), first.world)


def test_a_rebuild_over_a_ledger_that_was_never_lost_changes_nothing(migration: Migration) -> None:
    first = migration.run(city())
    remembered = ledger_of(migration)
    again = rebuild_ledger(migration, city())
    assert again.error is None
    assert ledger_of(migration) == remembered
    assert_known(migration.run(city()), first.world)


def test_pages_are_read_not_single_messages(migration: Migration) -> None:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(200):
        export.say("quay", "ada", at(number)).tell("ada", "bob", at(number))
    first = migration.run(export)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export)
    assert rebuilt.error is None
    assert rebuilt.calls["group_msg_get_simple"] == 10
    assert rebuilt.calls["admin_getroammsg"] < 10
    assert_known(migration.run(export), first.world)


# --- a run that was interrupted -----------------------------------------------------------------

POINTS = [
    ("multiaccount_import", 2), ("import_group", 2), ("import_group_member", 3), ("importmsg", 1),
    ("importmsg", 4), ("import_group_msg", 1), ("import_group_msg", 3), ("import_group_msg", 6),
    ("import_group_msg", 9), ("set_unread_msg_num", 1), ("set_unread_msg_num", 3),
]  # fmt: skip


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(("api", "number"), POINTS)
def test_what_a_killed_run_left_is_restored_and_a_run_ends_as_a_clean_one(
    migration: Migration,
    planned_harbour: Path,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    number: int,
    *,
    applied: bool,
) -> None:
    migration.connection["parallel_calls"] = 1
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, number, applied=applied)
        with pytest.raises(Killed):
            migration.run_planned(planned_harbour)
        assert killer.has_struck
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is None, rebuilt.error
    assert rebuilt.writes == 0
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert outcomes(ended)["group_messages"] <= {"imported", "already_imported"}
    assert migration.repeat().writes == 0


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    ("api", "number"), [("import_topic", 1), ("import_group_msg", 8), ("importmsg", 9)]
)
def test_topics_and_split_messages_of_a_killed_run_end_as_after_a_clean_one(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, api: str, number: int, *, applied: bool
) -> None:
    migration.connection["parallel_calls"] = 1
    clean = migration.run(city()).world
    lose_ledger(migration)
    migration.sandbox.reset()
    migration.sandbox.set_rates(enabled=False)
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, number, applied=applied)
        with pytest.raises(Killed):
            migration.run(city())
        assert killer.has_struck
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, city())
    assert rebuilt.error is None
    assert rebuilt.writes == 0
    ended = migration.run(city())
    assert ended.error is None
    assert comparable(ended.world) == comparable(clean)
    assert migration.repeat().writes == 0


def test_a_rebuild_keeps_within_the_rate(migration: Migration) -> None:
    first = migration.run(city())
    lose_ledger(migration)
    limits = ("group_msg_get_simple", "get_group_member_info", "admin_getroammsg")
    migration.sandbox.set_rates(enabled=True, per_second=dict.fromkeys(limits, 2))
    assert rebuild_ledger(migration, city()).error is None
    migration.sandbox.set_rates(enabled=False)
    assert_known(migration.run(city()), first.world)


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_a_message_cut_between_its_parts_is_completed(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    migration.connection |= {"parallel_calls": 1, "messages_per_call": 1}
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(3):
        export.say("quay", "ada", at(number), text=f"{number}" * 25_000)
        export.tell("ada", "bob", at(number), text=f"{number}" * 25_000)
    with monkeypatch.context() as patch:
        Killer(patch, migration.home.path, "import_group_msg", calls, applied=True)
        with pytest.raises(Killed):
            migration.run(export)
    lose_ledger(migration)
    assert rebuild_ledger(migration, export).error is None
    ended = migration.run(export)
    assert ended.error is None
    texts = "".join(text for _, text, _ in said_in(ended.world, "quay"))
    assert texts == "".join(f"{number}" * 25_000 for number in range(3))
    assert migration.run(export).writes == 0


# --- a rebuild that is interrupted --------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "number"),
    [
        ("account_check", 1), ("get_group_info", 1), ("group_msg_get_simple", 2),
        ("get_group_member_info", 1), ("get_group_member_info", 2), ("admin_getroammsg", 1),
    ],
)  # fmt: skip
def test_a_rebuild_that_is_stopped_says_so_and_goes_on_when_it_is_repeated(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, api: str, number: int
) -> None:
    migration.connection["parallel_calls"] = 1
    first = migration.run(harbour())
    remembered = ledger_of(migration)
    lose_ledger(migration)

    def stopping(name: str, count: int, _body: dict[str, Any], send: Callable[[], Any]) -> Any:
        answer = send()
        # The first account_check is the check of the credentials, before the stage.
        if (name, count - (name == "account_check")) == (api, number):
            assert migration.last is not None
            migration.last.stop.set()
        return answer

    with monkeypatch.context() as patch:
        intercept(patch, stopping)
        stopped = rebuild_ledger(migration, harbour())
    assert isinstance(stopped.error, InterruptedRunError)
    assert stopped.error.exit_code == 5
    assert not stopped.report.complete
    again = rebuild_ledger(migration, harbour())
    assert again.error is None
    assert ledger_of(migration) == remembered
    assert_known(migration.run(harbour()), first.world)


def test_a_run_after_a_rebuild_that_was_stopped_writes_no_message_twice(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.run(harbour())
    lose_ledger(migration)
    with monkeypatch.context() as patch:
        Killer(patch, migration.home.path, "group_msg_get_simple", 2, applied=True)
        with pytest.raises(Killed):
            rebuild_ledger(migration, harbour())
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.calls.get("import_group_msg", 0) == 0


def test_a_target_that_stops_answering_ends_a_rebuild_with_3_and_it_can_be_repeated(
    migration: Migration,
) -> None:
    first = migration.run(harbour())
    lose_ledger(migration)
    migration.sandbox.add_fault(FaultAction.HTTP_ERROR, api="get_group_member_info")
    broken = rebuild_ledger(migration, harbour())
    assert isinstance(broken.error, TargetUnreachableError)
    assert broken.error.exit_code == 3
    migration.sandbox.clear_faults()
    assert rebuild_ledger(migration, harbour()).error is None
    assert_known(migration.run(harbour()), first.world)


def test_answers_that_fail_now_and_then_change_nothing(migration: Migration) -> None:
    first = migration.run(harbour())
    lose_ledger(migration)
    for action in (FaultAction.HTTP_ERROR, FaultAction.DROP):
        for api in ("get_group_info", "group_msg_get_simple", "admin_getroammsg"):
            migration.sandbox.add_fault(action, api=api, first_call=1, last_call=1)
    migration.sandbox.add_fault(
        FaultAction.ERROR, api="get_group_member_info", code=60008, first_call=1, last_call=2
    )
    assert rebuild_ledger(migration, harbour()).error is None
    assert_known(migration.run(harbour()), first.world)


def test_conversations_that_another_run_holds_are_left_to_it(migration: Migration) -> None:
    migration.run(harbour())
    lose_ledger(migration)
    run = migration.prepare(harbour())
    with Ledger.open(run.home.create().ledger_url, run.connection.app, clock=migration.clock) as it:
        from chat_migration.delivery.holding import Lease

        with Lease(it, migration.clock, run_id="other", stage="group-00", call_seconds=5) as lease:
            lease.take(["group:quay"])
            rebuilt = rebuild_ledger(migration, harbour(), lease_wait_seconds=0)
    assert isinstance(rebuilt.error, HeldElsewhereError)
    assert rebuilt.rows["group_messages"] == {"held": 14, "restored": 10}
    assert rebuilt.rows["c2c_messages"] == {"restored": 7}
    again = rebuild_ledger(migration, harbour())
    assert again.error is None
    assert migration.run(harbour()).writes == 0


# --- what the target's undocumented behaviour shows ---------------------------------------------

SHAPES = [
    {"random_sign": "signed", "zero_random": "replace"},
    {"group_page_bytes": "13000"},
    {"c2c_msg_key": "opaque", "c2c_key_direction": "either"},
    {"topic_timeline": "shared"},
    {"topic_resets_group_unread": "yes"},
    {"unread_zeroed_by": "stored_message"},
    {"unread_clamp_basis": "seq"},
    {"ties": "accept"},
    {"owner_join_time": "create_time", "rejoin_updates": "all"},
    {"missing_group_code": "10015", "exists_code": "by_owner"},
    {"admin_in_work_group": "as_member"},
    {"c2c_dedup_lifetime": "five_minutes"},
]


@pytest.mark.parametrize("positions", SHAPES, ids=str)
@pytest.mark.parametrize("export", [harbour, city], ids=["harbour", "city"])
def test_it_holds_under_every_shape_of_reading_back(
    migration: Migration, export: Callable[[], NeutralExport], positions: dict[str, str]
) -> None:
    migration.sandbox.set_switches(positions)
    first = migration.run(export())
    assert first.error is None
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export())
    assert rebuilt.error is None
    assert_known(migration.run(export()), first.world)
