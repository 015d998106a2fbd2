"""What becomes of rows that are not plain: late ones, future ones, large ones, system ones, pilots, windows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.conftest import harbour
from tests.delivery.driving import (
    Migration,
    assert_adds_up,
    assert_holds,
    comparable,
    said_in,
    text_of,
    told_between,
    unread_in,
)

from chat_migration import stages
from chat_migration.errors import StoppedError
from chat_sandbox import FaultAction


def crew(rows: int = 0, **group: object) -> NeutralExport:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob", **group)
    for number in range(rows):
        export.say("quay", ("ada", "bob")[number % 2], at(number * 10))
    return export


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# --- rows of the present and the future ---------------------------------------------------------


def test_rows_of_the_last_seconds_wait_for_a_later_run(migration: Migration) -> None:
    export = crew(4)
    export.say("quay", "ada", now_ms() - 1000).say("quay", "bob", now_ms() + HOUR)
    export.tell("ada", "bob", at(1)).tell("bob", "ada", now_ms() - 1000)
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"imported": 4, "deferred": 2}
    assert ended.rows["c2c_messages"] == {"imported": 1, "deferred": 1}
    assert ended.reasons["group_messages"] == {"too_new": 2}
    assert isinstance(migration.clock, FastClock)
    migration.clock.sleep(2 * HOUR / 1000)
    later = migration.run(export)
    assert later.rows["group_messages"] == {"already_imported": 4, "imported": 2}
    assert later.rows["c2c_messages"] == {"already_imported": 1, "imported": 1}
    assert [text for _, text, _ in said_in(later.world, "quay")] == [
        f"text {number}" for number in range(1, 7)
    ]


def test_a_failed_call_does_not_defer_rows_that_are_old_enough(migration: Migration) -> None:
    """The future row is decided about while the old ones are still being sent."""
    export = crew(6)
    export.say("quay", "ada", now_ms() + HOUR)
    migration.sandbox.add_fault(
        FaultAction.HTTP_ERROR, api="import_group_msg", first_call=2, last_call=2
    )
    ended = migration.run(export)
    assert ended.rows["group_messages"] == {"imported": 6, "deferred": 1}


def test_a_burst_that_is_lifted_into_the_present_waits_for_a_later_run(
    migration: Migration,
) -> None:
    export = crew()
    start = now_ms() - 20_000
    for number in range(30):
        export.say("quay", "ada", start + number)
    ended = migration.run(export)
    assert ended.error is None
    deferred = ended.rows["group_messages"]["deferred"]
    assert 10 <= deferred <= 20
    assert isinstance(migration.clock, FastClock)
    migration.clock.sleep(60)
    later = migration.run(export)
    assert later.rows["group_messages"] == {
        "already_imported": 30 - deferred,
        "imported": deferred,
    }
    assert [second for *_, second in said_in(later.world, "quay")] == [
        start // 1000 + number for number in range(30)
    ]


def test_a_group_that_begins_in_the_future_is_imported_once_its_time_has_come(
    migration: Migration,
) -> None:
    export = NeutralExport().user("ada")
    export.say("wreck", "ada", now_ms() + HOUR)
    assert migration.run(export).rows["group_messages"] == {"deferred": 1}
    assert isinstance(migration.clock, FastClock)
    migration.clock.sleep(2 * HOUR / 1000)
    ended = migration.run(export)
    assert ended.rows["group_messages"] == {"imported": 1}


def test_the_members_of_a_group_made_seconds_ago_are_added_sooner_or_later(
    migration: Migration,
) -> None:
    made = now_ms() - 1000
    export = NeutralExport().user("ada", "bob")
    export.group("quay", "ada", "bob", created_at=made)
    for member in export.members:
        member["joined_at"] = made + 500
    migration.run(export)
    assert isinstance(migration.clock, FastClock)
    migration.clock.sleep(60)
    ended = migration.run(export)
    assert set(ended.world["groups"]["quay"]["members"]) == {"ada", "bob"}


# --- slots --------------------------------------------------------------------------------------


def test_drift_of_lifted_bursts_is_reported(migration: Migration) -> None:
    export = crew()
    for number in range(10):
        export.say("quay", "ada", at(number / 100))
    export.say("quay", "ada", at(5)).say("quay", "ada", at(60))
    ended = migration.run(export)
    assert ended.report is not None
    assert ended.report.slots.lifted == 10
    assert ended.report.slots.max_drift_seconds == 9
    assert [second - at(0) // 1000 for *_, second in said_in(ended.world, "quay")] == [
        *range(11),
        60,
    ]


def test_ties_are_kept_where_the_target_takes_them_and_the_run_wants_them(
    migration: Migration,
) -> None:
    migration.sandbox.set_switch("ties", "accept")
    export = crew()
    for number in range(5):
        export.say("quay", "ada", at(number / 10))
    ended = migration.run(export, same_second="keep")
    assert ended.error is None
    assert [second for *_, second in said_in(ended.world, "quay")] == [at(0) // 1000] * 5
    assert [text for _, text, _ in said_in(ended.world, "quay")] == [
        f"text {number}" for number in range(1, 6)
    ]
    assert migration.run(export, same_second="keep").writes == 0


def test_messages_of_one_second_keep_their_order_between_two_people(migration: Migration) -> None:
    export = NeutralExport().user("ada", "bob")
    for number in range(12):
        export.tell(("ada", "bob")[number % 2], ("bob", "ada")[number % 2], at(number / 20))
    ended = migration.run(export)
    assert [text for _, text, _ in told_between(ended.world, "ada", "bob")] == [
        f"text {number}" for number in range(1, 13)
    ]


# --- identity -----------------------------------------------------------------------------------


def test_an_id_that_comes_back_as_another_message_is_a_key_conflict(migration: Migration) -> None:
    migration.run(crew(4))
    changed = crew(4)
    changed.messages[1]["sent_at"] += 1
    changed.messages[2]["sender_id"] = "bob"
    changed.messages[3]["text"] = "edited"
    ended = migration.run(changed)
    assert ended.rows["group_messages"]["rejected"] == 2
    assert ended.reasons["group_messages"]["key_conflict"] == 2
    assert len(said_in(ended.world, "quay")) == 4
    assert ended.calls.get("import_group_msg", 0) == 0


def test_too_many_key_conflicts_stop_the_run_and_name_source_name(migration: Migration) -> None:
    migration.run(crew(6))
    changed = crew(6)
    for row in changed.messages:
        row["sent_at"] += 1
    ended = migration.run(changed, max_key_conflicts=3)
    assert isinstance(ended.error, StoppedError)
    assert "source_name" in str(ended.error)
    assert len(said_in(ended.world, "quay")) == 6


# --- groups of other types ----------------------------------------------------------------------


def test_an_avchatroom_is_rejected_with_its_rows_before_any_call(migration: Migration) -> None:
    export = crew(2)
    export.group("show", "ada", "bob", type="avchatroom").say("show", "ada", at(3))
    ended = migration.run(export)
    assert ended.rows["groups"] == {"imported": 1, "rejected": 1}
    assert ended.rows["group_messages"] == {"imported": 2, "rejected": 1}
    assert ended.rows["members"] == {"imported": 2, "rejected": 2}
    assert set(ended.world["groups"]) == {"quay"}
    assert ended.report is not None
    assert_adds_up(ended.report)


def test_a_self_chat_is_rejected_before_any_call(migration: Migration) -> None:
    ended = migration.run(NeutralExport().user("ada").tell("ada", "ada", at(1)))
    assert ended.rows["c2c_messages"] == {"rejected": 1}
    assert ended.calls.get("importmsg", 0) == 0


def test_a_chatroom_gets_messages_but_no_unread_counts(migration: Migration) -> None:
    export = crew(4, type="chatroom").member("quay", "bob", unread_count=2)
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"imported": 4}
    assert ended.rows["unread"] == {"skipped": 1}
    assert ended.calls.get("set_unread_msg_num", 0) == 0


def community() -> NeutralExport:
    """A community with two topics, one of them named by messages only, beside a plain group."""
    export = NeutralExport().user("ada", "bob")
    topics = [{"id": "tides", "name": "Tides", "created_at": START_MS - HOUR // 2}]
    export.group("harbour", "ada", "bob", type="community", topics=topics)
    export.group("quay", "ada")
    for number in range(4):
        export.say("harbour", "ada", at(number * 10), topic_id="tides")
        export.say("harbour", "bob", at(number * 10 + 1), topic_id="nets")
        export.say("harbour", "bob", at(number * 10 + 2))
        export.say("quay", "ada", at(number * 10 + 3))
    return export


@pytest.mark.parametrize("timeline", ["own", "shared"])
@pytest.mark.parametrize("path", ["group", "million_group"])
def test_topics_of_a_community_are_conversations_of_their_own(
    migration: Migration, timeline: str, path: str
) -> None:
    migration.sandbox.set_switches({"topic_timeline": timeline, "import_topic_path": path})
    migration.connection["import_topic_path"] = f"v4/{path}_open_http_svc/import_topic"
    export = community()
    ended = migration.run(export)
    assert ended.error is None
    group = ended.world["groups"]["@TGS#_harbour"]
    assert set(group["topics"]) == {
        "@TGS#_harbour@TOPIC#_tides",
        "@TGS#_harbour@TOPIC#_nets",
    }
    if timeline == "own":
        for topic in ("tides", "nets"):
            wanted = [
                (row["sender_id"], row["text"], row["sent_at"] // 1000)
                for row in export.messages
                if row.get("topic_id") == topic
            ]
            held = said_in(ended.world, "@TGS#_harbour", f"@TGS#_harbour@TOPIC#_{topic}")
            assert held == wanted
        assert ended.rows["group_messages"] == {"imported": 16}
    stored = [*said_in(ended.world, "quay"), *said_in(ended.world, "@TGS#_harbour")]
    for topic in group["topics"]:
        stored += said_in(ended.world, "@TGS#_harbour", topic)
    assert len(stored) == len(set(stored)) == ended.rows["group_messages"]["imported"]
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert migration.run(export).writes == 0


# --- pilots and windows -------------------------------------------------------------------------


def test_a_pilot_imports_its_conversations_only_and_the_whole_run_the_rest(
    migration: Migration,
) -> None:
    pilot = migration.run(harbour(), conversations="quay,ada/bob")
    assert pilot.error is None
    assert set(pilot.world["groups"]) == {"quay"}
    assert pilot.rows["group_messages"] == {"imported": 14, "skipped": 10}
    assert pilot.rows["c2c_messages"] == {"imported": 5, "skipped": 2}
    assert pilot.report is not None
    assert_adds_up(pilot.report)
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert ended.rows["group_messages"] == {"already_imported": 14, "imported": 10}


def test_excluded_conversations_are_left_out(migration: Migration) -> None:
    ended = migration.run(harbour(), exclude_conversations="quay,bob/ada")
    assert ended.error is None
    assert set(ended.world["groups"]) == {"pier", "wreck"}
    assert ended.rows["group_messages"] == {"imported": 10, "skipped": 14}
    assert ended.rows["c2c_messages"] == {"imported": 2, "skipped": 5}


@pytest.mark.parametrize(
    "pilot",
    [
        {"conversations": "quay"},
        {"exclude_conversations": "harbour"},
        {"conversations": "harbour/tides"},
        {"conversations": "harbour"},
    ],
    ids=str,
)
def test_a_pilot_does_no_harm_to_topics_that_come_later(
    migration: Migration, pilot: dict[str, str]
) -> None:
    assert migration.run(community(), **pilot).error is None
    ended = migration.run(community())
    assert ended.error is None
    assert "rejected" not in ended.rows["group_messages"]
    group = ended.world["groups"]["@TGS#_harbour"]
    assert {len(topic["messages"]) for topic in group["topics"].values()} == {4}


def test_a_window_takes_its_messages_only_and_two_windows_make_the_whole(
    migration: Migration, tmp_path: Path
) -> None:
    whole = Migration(
        sandbox=migration.sandbox, folder=tmp_path / "whole", connection=migration.connection
    )
    wanted = comparable(whole.run(harbour()).world)
    migration.sandbox.reset()
    migration.sandbox.set_rates(enabled=False)
    border = "2024-05-01T09:30:20Z"
    first = migration.run(harbour(), to=border)
    assert first.error is None
    assert first.report is not None
    assert first.rows["group_messages"] == {"imported": 5}
    assert first.report.outside_window == 31 - 5
    second = migration.run(harbour(), **{"from": border})
    assert second.error is None
    assert second.rows["group_messages"] == {"imported": 19}
    assert comparable(second.world) == wanted
    assert migration.run(harbour()).writes == 0


@pytest.mark.parametrize("cut", [12, 13])
def test_a_window_may_end_within_a_burst(migration: Migration, cut: int) -> None:
    export = crew()
    for number in range(8):
        export.say("quay", "ada", at(10 + number / 4))
        export.tell("ada", "bob", at(10 + number / 4))
    border = f"2024-05-01T09:30:{cut - 1}Z"
    assert migration.run(export, to=border).error is None
    ended = migration.run(export, **{"from": border})
    assert ended.error is None
    assert_holds(ended.world, export)


# --- content ------------------------------------------------------------------------------------


def test_a_text_over_the_limit_is_split_and_its_parts_joined_are_the_original(
    migration: Migration,
) -> None:
    export = crew(1)
    text = "".join(f"word{number} ö😀 " for number in range(3000))
    export.say("quay", "ada", at(10), text=text).say("quay", "bob", at(11))
    export.tell("ada", "bob", at(12), text=text)
    export.member("quay", "bob", unread_count=1)
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"imported": 3}
    said = said_in(ended.world, "quay")
    assert "".join(part for _, part, _ in said[1:-1]) == text
    assert [second for *_, second in said[1:]] == [
        at(10) // 1000 + number for number in range(len(said) - 1)
    ]
    (conversation,) = ended.world["conversations"]
    assert "".join(text_of(each["body"]) for each in conversation["messages"]) == text
    assert unread_in(ended.world, "quay") == {"bob": len(said) - 2}
    assert migration.run(export).writes == 0


def test_a_text_over_the_limit_is_rejected_where_that_is_wanted(migration: Migration) -> None:
    export = crew(2).say("quay", "ada", at(30), text="long " * 5000)
    ended = migration.run(export, oversize_text="reject")
    assert ended.rows["group_messages"] == {"imported": 2, "rejected": 1}
    assert ended.reasons["group_messages"] == {"oversize": 1}
    assert migration.run(export, oversize_text="reject").writes == 0


@pytest.mark.parametrize(("policy", "said"), [("skip", 2), ("text", 3)])
def test_system_rows_are_skipped_or_imported_as_text(
    migration: Migration, policy: str, said: int
) -> None:
    export = crew(2).say("quay", "ada", at(15), kind="system", text="bob joined")
    ended = migration.run(export, system_messages=policy)
    assert ended.error is None
    assert len(said_in(ended.world, "quay")) == said
    assert ended.rows["group_messages"].get("skipped", 0) == 3 - said


def test_deleted_and_empty_rows_end_without_a_call(migration: Migration) -> None:
    export = (
        crew(2).say("quay", "ada", at(15), deleted_at=at(16)).say("quay", "ada", at(17), text=" ")
    )
    ended = migration.run(export)
    assert ended.rows["group_messages"] == {"imported": 2, "skipped": 1, "rejected": 1}
    assert ended.reasons["group_messages"] == {"deleted": 1, "empty": 1}
    assert migration.run(export).writes == 0


# --- one-to-one unread --------------------------------------------------------------------------


def test_one_to_one_messages_arrive_as_read_unless_their_counts_are_to_be_kept(
    migration: Migration,
) -> None:
    export = NeutralExport().user("ada", "bob")
    for number in range(5):
        export.tell("ada", "bob", at(number * 10))
    export.tell("bob", "ada", at(60)).read("bob", "ada", at(20)).read("ada", "bob", at(60))
    read = migration.run(export)
    assert read.error is None
    assert read.world["conversations"][0]["unread"] == {}
    migration.sandbox.reset()
    migration.sandbox.set_rates(enabled=False)
    fresh = Migration(sandbox=migration.sandbox, folder=migration.folder / "fresh")
    kept = fresh.run(export, c2c_unread="preserve", allow_push=True)
    assert kept.error is None
    assert kept.world["conversations"][0]["unread"] == {"bob": 2}
    assert kept.report is not None
    assert_adds_up(kept.report)


# --- dry runs and shards ------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_and_calls_nothing(migration: Migration) -> None:
    run = migration.prepare(harbour(), dry_run=True)
    before = migration.sandbox.stats()["calls"]
    stages.extract_export(run)
    quote = stages.plan_import(run)
    assert quote.rows["group_messages"] == {"to_import": 24}
    assert migration.sandbox.stats()["calls"] == before
    assert not migration.home.path.exists()
    assert not run.scratch.exists()


def test_a_dry_run_leaves_a_home_in_use_untouched(migration: Migration) -> None:
    migration.run(harbour())

    def snapshot() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for folder, _, names in os.walk(migration.home.path)
            for path in (Path(folder), *(Path(folder) / name for name in names))
        }

    before = snapshot()
    run = migration.prepare(harbour(), dry_run=True)
    stages.extract_export(run)
    quote = stages.plan_import(run)
    assert quote.rows["group_messages"] == {"already_imported": 24}
    assert snapshot() == before


def test_shards_change_nothing_in_the_target(migration: Migration, tmp_path: Path) -> None:
    one = Migration(
        sandbox=migration.sandbox, folder=tmp_path / "one", connection=migration.connection
    ).run(harbour())
    migration.sandbox.reset()
    migration.sandbox.set_rates(enabled=False)
    three = migration.run(harbour(), shards=3)
    assert three.error is None
    assert comparable(three.world) == comparable(one.world)
    assert three.rows == one.rows
    assert migration.run(harbour(), shards=2).writes == 0
