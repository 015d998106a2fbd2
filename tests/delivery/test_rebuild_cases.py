"""Rebuilding a ledger where not everything is plain: what cannot be proved is named, and nothing is written to it."""

from __future__ import annotations

import pytest
from tests.builders_neutral import HOUR, NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import Migration, assert_holds, comparable, unread_in
from tests.delivery.interference import Killed, Killer, copy_home
from tests.delivery.rebuilding import (
    CREATED_S,
    assert_known,
    city,
    ledger_of,
    lines_of,
    lose_ledger,
    rebuild_ledger,
)

from chat_migration.errors import UnknownLedgerError
from chat_migration.targets.tencent_chat.target import TencentTarget

# --- past the retention -------------------------------------------------------------------------

PAST = [
    {"expired_history": "visible"},
    {"expired_history": "placeholder", "placeholder_row": "full"},
    {"expired_history": "placeholder", "placeholder_row": "bare"},
    {"expired_history": "hidden"},
]


def only_groups() -> NeutralExport:
    """Groups alone: the app shows no one-to-one message past its retention in any way."""
    export = harbour()
    export.messages = [row for row in export.messages if "group_id" in row]
    return export


@pytest.mark.parametrize("positions", PAST, ids=str)
def test_messages_past_the_retention_are_known_by_their_place_where_nothing_else_is_left(
    expiring_migration: Migration, positions: dict[str, str]
) -> None:
    migration = expiring_migration
    migration.sandbox.set_switches(positions)
    first = migration.run(only_groups())
    assert first.error is None
    remembered = ledger_of(migration)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, only_groups())
    assert rebuilt.error is None, rebuilt.error
    assert ledger_of(migration) == remembered
    assert_known(migration.run(only_groups()), first.world)


@pytest.mark.parametrize("positions", PAST[2:], ids=str)
def test_messages_past_the_retention_of_which_some_never_came_are_named_and_never_sent(
    expiring_migration: Migration, positions: dict[str, str]
) -> None:
    migration = expiring_migration
    half = only_groups()
    half.messages = [row for row in half.messages if row["id"] not in ("m0003", "m0007")]
    first = migration.run(half)
    migration.sandbox.set_switches(positions)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, only_groups())
    assert rebuilt.error is not None
    assert rebuilt.error.exit_code == 1
    assert rebuilt.writes == 0
    assert rebuilt.rows["groups"] == {"restored": 1, "unproved": 1}
    ended = migration.run(only_groups(), late_messages="append")
    assert ended.world["groups"]["quay"] == first.world["groups"]["quay"]
    assert ended.rows["group_messages"]["rejected"] == 14


def test_a_longer_retention_proves_what_could_not_be_proved_before(
    expiring_migration: Migration,
) -> None:
    migration = expiring_migration
    bare = {"expired_history": "placeholder", "placeholder_row": "bare"}
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(8):
        export.say("quay", "ada", at(number))
    recent = NeutralExport()
    recent.users, recent.groups, recent.members = export.users, export.groups, export.members
    now = migration.clock.now_ms() - 3_600_000
    for number in range(3):
        export.say("quay", "bob", now + number * 1000)
    partly = NeutralExport()
    partly.users, partly.groups, partly.members = export.users, export.groups, export.members
    partly.messages = [row for row in export.messages if row["id"] != "m0004"]
    assert migration.run(partly).error is None
    migration.sandbox.set_switches(bare)
    lose_ledger(migration)
    unproved = rebuild_ledger(migration, export)
    assert unproved.error is not None
    assert unproved.rows["group_messages"] == {"restored": 3, "unproved": 8}
    assert {line["reason"] for line in lines_of(unproved)} == {"not_provable"}
    appended = migration.run(export, late_messages="append")
    assert appended.writes == 0
    assert appended.rows["group_messages"] == {"already_imported": 3, "rejected": 8}
    migration.sandbox.set_switch("expired_history", "visible")
    proved = rebuild_ledger(migration, export)
    assert proved.rows["group_messages"] == {"restored": 7, "known": 3, "unproved": 1}
    ended = migration.run(export)
    assert ended.writes == 0
    assert ended.rows["group_messages"] == {"already_imported": 10, "late_rejected": 1}


def test_a_message_of_somebody_else_of_which_only_the_number_is_left_is_not_taken_for_ours(
    expiring_migration: Migration,
) -> None:
    migration = expiring_migration
    half = only_groups()
    half.messages = [row for row in half.messages if row["sent_at"] < at(61)]
    migration.run(half)
    migration.sandbox.set_switches({"expired_history": "placeholder", "placeholder_row": "bare"})
    lose_ledger(migration)
    migration.sandbox.live_message("quay", From_Account="ada", Text="hello", Time=at(60.5) // 1000)
    first = rebuild_ledger(migration, only_groups())
    again = rebuild_ledger(migration, only_groups())
    assert first.rows["group_messages"]["unproved"] == again.rows["group_messages"]["unproved"] > 0
    before = migration.sandbox.dump()["groups"]["quay"]["messages"]
    ended = migration.run(only_groups(), late_messages="append")
    assert ended.world["groups"]["quay"]["messages"] == before


def test_messages_given_up_once_are_sent_when_the_app_shows_that_they_are_missing(
    expiring_migration: Migration,
) -> None:
    migration = expiring_migration
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(6):
        export.say("quay", "ada", at(number))
        export.tell("ada", "bob", at(number))
    for number in range(4):
        export.say("quay", "bob", migration.clock.now_ms() - 3_600_000 + number * 1000)
    part = NeutralExport()
    part.users, part.groups, part.members = export.users, export.groups, export.members
    # The second ones never came, the last two are still to be sent.
    part.messages = [row for row in export.messages if row["id"] not in ("m0003", "m0004")][:-2]
    assert migration.run(part).error is None
    migration.sandbox.set_switches({"expired_history": "placeholder", "placeholder_row": "bare"})
    migration.connection["retention_days"] = 7
    lose_ledger(migration)
    doubtful = {"restored": 2, "unproved": 6, "missing": 2}
    for found in (doubtful, doubtful | {"known": 2, "restored": 0}):
        rebuilt = rebuild_ledger(migration, export)
        assert rebuilt.rows["group_messages"] == {key: n for key, n in found.items() if n}
        assert rebuilt.rows["c2c_messages"] == {"unproved": 6}
    migration.sandbox.set_switch("expired_history", "visible")
    del migration.connection["retention_days"]
    proved = rebuild_ledger(migration, export)
    assert proved.rows["group_messages"] == {
        "restored": 5, "known": 2, "unproved": 1, "missing": 2,
    }  # fmt: skip
    assert proved.rows["c2c_messages"] == {"restored": 5, "missing": 1}
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {
        "already_imported": 7, "late_rejected": 1, "imported": 2,
    }  # fmt: skip
    assert ended.rows["c2c_messages"] == {"already_imported": 5, "imported": 1}
    assert len(ended.world["conversations"][0]["messages"]) == 6
    assert migration.repeat().writes == 0


def test_one_to_one_messages_past_a_stated_retention_are_named_and_never_sent(
    expiring_migration: Migration,
) -> None:
    migration = expiring_migration
    migration.connection["retention_days"] = 7
    export = NeutralExport().user("ada", "bob").tell("ada", "bob", at(1)).tell("bob", "ada", at(2))
    export.tell("ada", "bob", migration.clock.now_ms() - 3_600_000)
    migration.run(export)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export)
    assert rebuilt.error is not None
    assert rebuilt.rows["c2c_messages"] == {"restored": 1, "unproved": 2}
    ended = migration.run(export)
    assert ended.writes == 0
    assert ended.rows["c2c_messages"] == {"already_imported": 1, "rejected": 2}


# --- messages of others -------------------------------------------------------------------------


def test_a_message_of_somebody_else_among_ours_makes_the_group_live(migration: Migration) -> None:
    early = harbour()
    early.messages = [row for row in early.messages if row["sent_at"] < at(30)]
    migration.run(early)
    migration.sandbox.live_message("quay", From_Account="ada", Text="hello", Time=at(40) // 1000)
    first = migration.run(harbour())
    remembered = ledger_of(migration)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.report.foreign_messages == 1
    assert [line["reason"] for line in lines_of(rebuilt)] == ["behind_newer"]
    assert ledger_of(migration)["streams"] == remembered["streams"]
    assert ledger_of(migration)["deliveries"] == remembered["deliveries"]
    ended = migration.run(harbour())
    assert ended.writes == 0
    assert ended.world == first.world
    assert ended.rows["group_messages"] == {"already_imported": 23, "late_rejected": 1}
    assert (
        ended.rows["group_messages"]["late_rejected"]
        == first.rows["group_messages"]["late_rejected"]
    )
    assert ended.reasons["unread"]["live_group"] == 3


def test_what_users_wrote_after_the_import_is_nothing_to_a_rebuild(migration: Migration) -> None:
    migration.run(harbour())
    for number in range(3):
        migration.sandbox.live_message("quay", From_Account="bob", Text=f"new {number}")
    world = migration.sandbox.dump()
    lose_ledger(migration)
    assert rebuild_ledger(migration, harbour()).error is None
    ended = migration.run(harbour())
    assert ended.writes == 0
    assert ended.world == world
    assert ended.rows["group_messages"] == {"already_imported": 24}
    assert ended.reasons["unread"] == {"live_group": 3}


def test_a_group_of_somebody_else_is_named_and_no_run_writes_to_it(migration: Migration) -> None:
    migration.sandbox.create_group("quay", Type="Private", Name="theirs", CreateTime=CREATED_S - 9)
    migration.sandbox.live_message("quay", From_Account="zoe", Text="ours", Time=at(5) // 1000)
    first = migration.run(harbour())
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is not None
    assert rebuilt.error.exit_code == 1
    assert rebuilt.rows["group_messages"] == {"restored": 10, "unproved": 14}
    (line,) = lines_of(rebuilt)
    assert (line["record_type"], line["id"], line["reason"]) == (
        "groups",
        "quay",
        "matches_nothing",
    )
    ended = migration.run(harbour())
    assert ended.writes == 0
    assert ended.world == first.world
    assert ended.rows["group_messages"] == {"already_imported": 10, "rejected": 14}


def test_a_message_that_never_arrived_behind_newer_ones_is_named_and_a_run_calls_it_late(
    migration: Migration,
) -> None:
    without = harbour()
    without.messages = [row for row in without.messages if row["id"] != "m0004"]
    first = migration.run(without)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is not None
    assert rebuilt.error.exit_code == 1
    (line,) = lines_of(rebuilt)
    assert (line["id"], line["reason"]) == ("m0004", "behind_newer")
    assert line["file"].endswith("messages.jsonl")
    ended = migration.run(harbour())
    assert ended.rows["group_messages"] == {"already_imported": 23, "late_rejected": 1}
    assert ended.world["groups"]["quay"]["messages"] == first.world["groups"]["quay"]["messages"]


# --- messages that were appended late -----------------------------------------------------------


@pytest.mark.parametrize("size", [10, 11_970], ids=["short", "split-by-its-prefix"])
def test_messages_appended_late_are_recognised_as_such(migration: Migration, size: int) -> None:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(12):
        export.say(
            "quay", ("ada", "bob")[number % 2], at(number * 10), text=f"{number:02}" * (size // 2)
        )
    export.member("quay", "bob", last_read_at=at(15))
    for shown in (range(4, 8), range(12)):
        part = NeutralExport()
        part.users, part.groups, part.members = export.users, export.groups, export.members
        part.messages = [export.messages[number] for number in shown]
        assert migration.run(part, late_messages="append").error is None
    first = migration.sandbox.dump()
    remembered = ledger_of(migration)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export)
    assert rebuilt.error is None
    assert ledger_of(migration) == remembered
    ended = migration.run(export, late_messages="append")
    assert ended.writes == 0
    assert ended.world == first
    assert ended.rows["group_messages"] == {"already_imported": 8, "late_appended": 4}


# --- settings that are not those of the lost run ------------------------------------------------


def test_another_source_name_matches_nothing_and_writes_nothing(migration: Migration) -> None:
    migration.run(harbour(), source_name="old-chat")
    world = migration.sandbox.dump()
    lose_ledger(migration)
    wrong = rebuild_ledger(migration, harbour(), source_name="new-chat")
    assert wrong.error is not None
    assert wrong.error.exit_code == 1
    assert "--source-name" in str(wrong.error)
    assert wrong.report.recognised_messages == 0
    assert wrong.rows["groups"] == {"unproved": 2}
    assert {line["reason"] for line in lines_of(wrong)} == {"matches_nothing", "not_provable"}
    assert ledger_of(migration)["deliveries"] == ledger_of(migration)["groups"] == []
    refused = migration.run(harbour(), source_name="old-chat")
    assert isinstance(refused.error, UnknownLedgerError)
    right = rebuild_ledger(migration, harbour(), source_name="old-chat")
    assert right.error is None
    assert_known(migration.run(harbour(), source_name="old-chat"), world)


def test_where_only_some_conversations_match_no_run_sends_what_looks_like_a_repeat(
    migration: Migration,
) -> None:
    """Another legacy system was imported into the same app; its one-to-one messages have keys of their own."""
    export = NeutralExport().user("ada", "bob", "cid").group("quay", "ada")
    export.say("quay", "ada", at(1)).tell("ada", "bob", at(2)).tell("bob", "ada", at(3))
    migration.run(export, source_name="first", exclude_conversations="quay")
    migration.run(export, source_name="second", conversations="quay")
    world = migration.sandbox.dump()
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, export, source_name="second")
    assert rebuilt.error is not None
    assert rebuilt.rows["c2c_messages"] == {"unproved": 2}
    ended = migration.run(export, source_name="second")
    assert ended.writes == 0
    assert ended.world["conversations"] == world["conversations"]
    assert ended.rows["c2c_messages"] == {"rejected": 2}


def test_a_pilot_is_restored_and_the_rest_is_left_to_the_next_run(migration: Migration) -> None:
    pilot = migration.run(harbour(), conversations="quay")
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour(), conversations="quay")
    assert rebuilt.error is None
    assert rebuilt.rows["group_messages"] == {"not_sent": 10, "restored": 14}
    again = migration.run(harbour(), conversations="quay")
    assert again.writes == 0
    assert again.rows["group_messages"] == {"skipped": 10, "already_imported": 14}
    assert again.world == pilot.world
    lose_ledger(migration)
    assert rebuild_ledger(migration, harbour()).error is None
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.rows["group_messages"] == {"already_imported": 14, "imported": 10}


def test_an_export_with_more_rows_than_the_lost_run_had_goes_on_from_there(
    migration: Migration,
) -> None:
    early = harbour()
    early.messages = [row for row in early.messages if row["sent_at"] < at(40)]
    migration.run(early)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is None
    assert rebuilt.rows["group_messages"] == {"restored": 10, "missing": 14}
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.rows["group_messages"] == {"already_imported": 10, "imported": 14}


def test_the_creation_time_of_a_group_is_the_target_s(migration: Migration) -> None:
    migration.run(harbour())
    lose_ledger(migration)
    export = harbour()
    for group in export.groups:
        group["created_at"] -= HOUR
    assert rebuild_ledger(migration, export).error is None
    groups = {row[0]: row[4] for row in ledger_of(migration)["groups"]}
    assert groups["group:quay"] == CREATED_S
    assert migration.run(export).writes == 0


# --- an older ledger ----------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [15, 30, 45, 61])
def test_an_older_ledger_is_brought_up_to_date(migration: Migration, seconds: int) -> None:
    early = city()
    early.messages = [row for row in early.messages if row["sent_at"] < at(seconds)]
    migration.run(early)
    backup = migration.folder / "backup"
    copy_home(migration.home.path, backup)
    first = migration.run(city())
    remembered = ledger_of(migration)
    lose_ledger(migration)
    backup.rename(migration.home.path)
    rebuilt = rebuild_ledger(migration, city())
    assert rebuilt.error is None
    assert rebuilt.writes == 0
    assert ledger_of(migration) == remembered
    assert_known(migration.run(city()), first.world)


@pytest.mark.parametrize(
    ("api", "number"), [("import_group_msg", 3), ("importmsg", 4), ("import_group", 2)]
)
@pytest.mark.parametrize("applied", [False, True])
def test_an_older_ledger_in_which_something_was_under_way_is_brought_up_to_date(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, api: str, number: int, *, applied: bool
) -> None:
    migration.connection["parallel_calls"] = 1
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, number, applied=applied)
        with pytest.raises(Killed):
            migration.run(harbour())
        killer.restore()
    assert rebuild_ledger(migration, harbour()).writes == 0
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert migration.repeat().writes == 0


# --- accounts and unread counts -----------------------------------------------------------------


def test_accounts_that_were_there_before_the_migration_stay_as_they_are(
    migration: Migration,
) -> None:
    elsewhere = Migration(sandbox=migration.sandbox, folder=migration.folder / "elsewhere")
    elsewhere.run(NeutralExport().user("ada", name="Theirs"))
    first = migration.run(harbour())
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.rows["accounts"] == {"restored": 4}
    assert_known(migration.run(harbour()), first.world)


def set_read(migration: Migration, group: str, account: str, left: int) -> None:
    """Let a member read on until so many messages are left."""
    target = migration.prepare(harbour())
    with_target = TencentTarget.connect(target.connection)
    with_target.set_unread(group, account, left)
    with_target.close()


def test_what_users_have_read_since_stays_read(migration: Migration) -> None:
    migration.run(harbour())
    assert unread_in(migration.sandbox.dump(), "quay") == {"bob": 3, "cid": 4}
    set_read(migration, "quay", "bob", 0)
    set_read(migration, "quay", "cid", 2)
    set_read(migration, "pier", "ada", 1)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is None
    ended = migration.run(harbour())
    assert ended.writes == 0
    assert unread_in(ended.world, "quay") == {"cid": 2}
    assert unread_in(ended.world, "pier")["ada"] == 1


def test_unread_counts_that_nobody_can_tell_from_unset_ones_are_set_by_the_next_run(
    migration: Migration,
) -> None:
    first = migration.run(harbour())
    set_read(migration, "quay", "cid", 0)
    lose_ledger(migration)
    rebuilt = rebuild_ledger(migration, harbour())
    assert rebuilt.error is None
    assert rebuilt.report.reasons["unread"] == {"not_set_yet": 1}
    ended = migration.run(harbour())
    assert ended.calls["set_unread_msg_num"] == ended.writes == 1
    assert comparable(ended.world) == comparable(first.world)


# --- the command that is told -------------------------------------------------------------------


def test_the_command_that_a_run_prints_is_complete(migration: Migration) -> None:
    migration.run(harbour())
    lose_ledger(migration)
    ended = migration.run(harbour(), conversations="quay,pier", oversize_text="reject")
    assert isinstance(ended.error, UnknownLedgerError)
    assert migration.last is not None
    assert (
        "chat-migration rebuild --target tencent --source neutral --export "
        f"{migration.last.settings.export_path} --source-name neutral "
        "--param conversations=quay,pier --param oversize_text=reject"
    ) in str(ended.error)
