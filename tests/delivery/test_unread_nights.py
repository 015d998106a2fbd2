"""Unread counts night after night: as one run over the whole would set them, and nothing sent where they are right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.delivery.driving import Ended, Migration, assert_adds_up, unread_in

from chat_migration.store.extract import Extract

NIGHT_ENDS = [START_MS + HOUR, START_MS + 2 * HOUR]


def told(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat()


def crew() -> NeutralExport:
    """Six rows of ada in each of three hours; who has read how much, as the export says in the end."""
    export = (
        NeutralExport().user("ada", "bob", "cid", "dee").group("quay", "ada", "bob", "cid", "dee")
    )
    for hour in range(3):
        for number in range(6):
            export.say("quay", "ada", at(hour * 3600 + number * 10))
    export.member("quay", "bob", unread_count=9)
    export.member("quay", "cid", last_read_at=at(3600 + 20))
    return export.member("quay", "dee", unread_count=0)


def night(migration: Migration, export: NeutralExport, number: int) -> Ended:
    """Run the export's window of one of three nights."""
    bounds = ["", *map(told, NIGHT_ENDS), ""]
    ended = migration.run(export, **{"from": bounds[number], "to": bounds[number + 1]})
    assert ended.error is None
    assert ended.report is not None
    assert_adds_up(ended.report)
    return ended


def test_nights_end_where_one_run_ends(migration: Migration) -> None:
    unread = [unread_in(night(migration, crew(), number).world, "quay") for number in range(3)]
    assert unread == [{}, {"bob": 3, "cid": 3}, {"bob": 9, "cid": 9}]
    whole = unread_in(migration.run(crew()).world, "quay")
    assert whole == unread[-1]


def test_a_night_without_messages_sets_no_count(migration: Migration) -> None:
    for number in range(3):
        night(migration, crew(), number)
    again = night(migration, crew(), 2)
    assert again.calls.get("set_unread_msg_num", 0) == 0
    assert again.rows["unread"] == {"already_imported": 3}


def test_who_reads_on_without_new_messages_gets_a_new_count_and_nobody_else_does(
    migration: Migration,
) -> None:
    for number in range(3):
        night(migration, crew(), number)
    ended = night(migration, crew().member("quay", "bob", unread_count=2), 2)
    assert unread_in(ended.world, "quay") == {"bob": 2, "cid": 9}
    assert ended.calls["set_unread_msg_num"] == 1
    assert ended.rows["unread"] == {"imported": 1, "already_imported": 2}


def test_a_member_whose_state_no_longer_stands_in_the_export_keeps_the_position(
    migration: Migration,
) -> None:
    """What arrives after the position is unread for the member, whether the night's drop names them or not."""
    night(migration, crew(), 0)
    night(migration, crew(), 1)
    silent = crew()
    del silent.members[1]["unread_count"]
    ended = night(migration, silent, 2)
    assert unread_in(ended.world, "quay") == {"bob": 9, "cid": 9}


def test_a_group_that_was_interrupted_is_made_good_by_a_night_that_does_not_name_it(
    migration: Migration,
) -> None:
    migration.run(crew(), until="unread")
    other = NeutralExport().user("ada").group("pier", "ada").say("pier", "ada", at(5))
    ended = migration.run(other)
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 9, "cid": 9}


def test_a_member_who_comes_later_gets_a_count_without_a_new_message(migration: Migration) -> None:
    export = crew()
    late = export.members.pop(1)
    migration.run(export)
    export.members.append(late)
    ended = migration.run(export)
    assert unread_in(ended.world, "quay") == {"bob": 9, "cid": 9}
    assert ended.calls["set_unread_msg_num"] == 1


def test_withdrawn_messages_are_unread_for_nobody(migration: Migration) -> None:
    migration.run(crew())
    export = crew()
    for row in export.messages[-2:]:
        row["deleted_at"] = at(4 * 3600)
    ended = migration.run(export)
    assert ended.rows["group_messages"]["withdrawn"] == 2
    fresh = unread_in(ended.world, "quay")
    assert fresh == {"bob": 9, "cid": 7}


@pytest.mark.parametrize("parts", [1, 3])
def test_each_part_of_a_long_message_counts(migration: Migration, parts: int) -> None:
    export = crew().say("quay", "ada", at(4 * 3600), text="long text " * 1000 * parts)
    for number in range(3):
        ended = night(migration, export, number)
    assert unread_in(ended.world, "quay")["cid"] == 9 + parts


# --- a growing folder, of which old files are not opened again ---------------------------------


def grow(migration: Migration, hours: int, **read: int) -> Path:
    """Write the hours that are there so far, a file each, as a growing folder; ``read`` are unread counts."""
    folder = migration.folder / "growing"
    (folder / "messages").mkdir(parents=True, exist_ok=True)
    export = crew()
    for name, count in read.items():
        export.member("quay", name, unread_count=count)
    del export.members[2]["last_read_at"]
    for hour in range(hours):
        file = folder / "messages" / f"{hour}.jsonl"
        rows = [row for row in export.messages if (row["sent_at"] - START_MS) // HOUR == hour]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    export.messages = []
    for name in ("users", "groups", "members"):
        rows = getattr(export, name)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_counts_that_reach_back_into_files_not_opened_are_found_in_the_ledger(
    migration: Migration,
) -> None:
    first = migration.run(grow(migration, 1, bob=4), to=told(NIGHT_ENDS[0]), lookback=0)
    assert unread_in(first.world, "quay") == {"bob": 4}
    window = {"from": told(NIGHT_ENDS[0]), "to": told(NIGHT_ENDS[1])}
    second = migration.run(grow(migration, 2, bob=9, dee=3), lookback=0, **window)
    assert second.error is None
    assert second.report is not None
    assert migration.last is not None
    assert skipped_files(migration) == 1
    assert unread_in(second.world, "quay") == {"bob": 9, "dee": 3}
    last = migration.run(grow(migration, 3, bob=14, dee=18), lookback=0, **{"from": window["to"]})
    assert skipped_files(migration) == 2
    assert unread_in(last.world, "quay") == {"bob": 14, "dee": 18}


def test_rows_that_come_after_the_window_are_no_part_of_a_nights_counts(
    migration: Migration,
) -> None:
    """The folder holds an hour more than the night takes, and the counts are those of the folder."""
    migration.run(grow(migration, 1), to=told(NIGHT_ENDS[0]), lookback=0)
    window = {"from": told(NIGHT_ENDS[0]), "to": told(NIGHT_ENDS[1])}
    ended = migration.run(grow(migration, 3, bob=14, dee=2), lookback=0, **window)
    assert ended.error is None
    assert skipped_files(migration) == 1
    assert unread_in(ended.world, "quay") == {"bob": 8}


def skipped_files(migration: Migration) -> int:
    """Return how many files the last run did not open."""
    assert migration.last is not None
    (path,) = migration.last.noted_extracts()
    return Extract.open(path).manifest.skipped_files


@pytest.mark.parametrize("resets", ["no", "yes"])
def test_messages_of_a_topic_leave_the_counts_of_their_community_as_they_are(
    migration: Migration, resets: str
) -> None:
    """No page says whether they reset them (unknown U13)."""
    migration.sandbox.set_switch("topic_resets_group_unread", resets)
    topic = {"id": "tides", "name": "Tides", "created_at": at(-1800)}
    first = NeutralExport().user("ada", "bob", "cid")
    first.group("reef", "ada", "bob", "cid", type="community", topics=[topic])
    for number in range(4):
        first.say("reef", "ada", at(number))
    first.member("reef", "bob", unread_count=2).member("reef", "cid", unread_count=3)
    assert unread_in(migration.run(first).world, "@TGS#_reef") == {"bob": 2, "cid": 3}
    drop = NeutralExport().say("reef", "ada", at(100), topic_id="tides", id="t1")
    drop.member("reef", "bob", unread_count=0)
    ended = migration.run(drop)
    assert ended.rows["group_messages"] == {"imported": 1}
    assert unread_in(ended.world, "@TGS#_reef") == {"cid": 3}
    assert migration.run(drop).writes == 0
