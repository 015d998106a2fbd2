"""Extraction: every row staged or ended, sorted, within its window; whole extracts or none."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.builders_exports import (
    HARBOUR_SAMPLE,
    HOSTILE,
    SLACK_SAMPLE,
    Row,
    direct,
    file_bytes,
    lines,
    message,
    minute,
    neutral,
    rows_of,
    slack,
    staged,
    tarred,
    zipped,
)

from chat_migration.errors import InterruptedRunError, UnreadableExportError, UsageError
from chat_migration.extraction import pool, reading
from chat_migration.keys import message_key
from chat_migration.model import RecordType
from chat_migration.sources import open_source
from chat_migration.sources.base import Item, Piece
from chat_migration.sources.neutral import NeutralSource
from chat_migration.sources.slack import SlackSource
from chat_migration.sources.tree import ExportTree
from chat_migration.store import schemas
from chat_migration.store.extract import Extract
from chat_migration.window import Window, parse_instant

Stage = Callable[..., Extract]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a function that writes a neutral export of some tables and stages it."""

    def stage_it(window: Window = Window(), **tables: list[Row]) -> Extract:  # noqa: B008
        return staged(
            neutral(tmp_path / "export", **tables), tmp_path / "stage", NeutralSource(), window
        )

    return stage_it


def ended(made: Extract) -> dict[tuple[str, str], int]:
    return {(count.record_type.value, count.reason): count.rows for count in made.manifest.ended}


def read_counts(made: Extract) -> dict[str, int]:
    return {kind.value: rows for kind, rows in made.manifest.rows_read.items() if rows}


# --- the samples --------------------------------------------------------------------------------


def test_the_neutral_sample_is_staged_as_it_describes_itself(tmp_path: Path) -> None:
    made = staged(HARBOUR_SAMPLE, tmp_path, NeutralSource())
    assert read_counts(made) == {
        "accounts": 12, "groups": 5, "members": 39, "c2c_messages": 47, "group_messages": 103, "unread": 27,
    }  # fmt: skip
    assert ended(made) == {("c2c_messages", "duplicate"): 2, ("group_messages", "duplicate"): 2}
    assert len(rows_of(made, "messages")) == 146
    unknown = {count.first.field for count in made.manifest.unknown_fields}
    assert unknown == {
        "badge",
        "client",
        "crew_code",
        "priority",
        "reactions",
        "shift",
        "station",
        "sync",
    }


@pytest.mark.parametrize("packaging", ["folder", "zip", "tgz"])
def test_the_slack_sample_is_staged_whole(tmp_path: Path, packaging: str) -> None:
    path = SLACK_SAMPLE
    if packaging != "folder":
        path = (zipped if packaging == "zip" else tarred)(
            SLACK_SAMPLE, tmp_path / f"export.{packaging}"
        )
    made = staged(path, tmp_path / "stage", SlackSource())
    assert read_counts(made) == {
        "accounts": 71,
        "groups": 16,
        "members": 317,
        "group_messages": 1382,
    }
    assert not made.manifest.ended
    rows = rows_of(made, "messages")
    assert len({row["message_key"] for row in rows}) == 1382
    assert Counter(row["kind"] for row in rows) == {"message": 1031, "system": 351}


def test_each_row_of_the_hostile_export_is_staged_or_ended(tmp_path: Path) -> None:
    made = staged(HOSTILE, tmp_path, NeutralSource())
    expected = Counter((HOSTILE / "EXPECTED.txt").read_text().splitlines()[1:])
    del expected["blank"]
    assert len(rows_of(made, "messages")) == expected.pop("ok")
    assert Counter(row["reason"] for row in rows_of(made, "problems")) == expected


# --- shape --------------------------------------------------------------------------------------


def test_files_have_the_published_schemas(stage: Stage) -> None:
    made = stage(
        Window(parse_instant(minute(0))),
        users=[{"id": "u"}, {}],
        groups=[{"id": "g1", "name": "G"}],
        members=[{"group_id": "g1", "user_id": "u"}],
        direct_reads=[{"user_id": "a", "peer_id": "b", "last_read_at": minute(0)}],
        messages=[message(), message("m0", sent_at=minute(-1))],
    )
    for table, schema in schemas.BY_TABLE.items():
        (file,) = made.files(table)
        assert pq.ParquetFile(file).schema_arrow.equals(schema, check_metadata=True), table


def test_a_message_row_holds_what_was_written(stage: Stage) -> None:
    made = stage(
        messages=[message(topic_id="t/1", edited_at=minute(1), extra={"k": "v"}, reply_to="m0")]
    )
    (row,) = rows_of(made, "messages")
    assert row == {
        "conversation": "topic:g1/t%2F1",
        "sent_at_ms": 1_714_555_800_000,
        "order_key": "1m1",
        "message_key": message_key("legacy", "topic:g1/t%2F1", "m1"),
        "id": "m1",
        "sender_id": "ada",
        "recipient_id": "",
        "kind": "message",
        "elements": '[{"type":"text","text":"text of m1"}]',
        "reply_to": "m0",
        "edited_at_ms": 1_714_555_860_000,
        "deleted_at_ms": None,
        "extra": '{"k":"v"}',
        "source_hash": row["source_hash"],
        "file": "messages.jsonl",
        "line": 1,
    }


def test_messages_are_sorted_within_their_day(stage: Stage) -> None:
    made = stage(
        messages=[
            message("b"), message("10"), message("9"), message("010"), message("a", sent_at=minute(-5)),
            direct("z"), message("c", sent_at="2024-04-30T23:00:00Z"), message("d", group_id="g0"),
        ]
    )  # fmt: skip
    days = {
        file.parent.name: [row["id"] for row in pq.ParquetFile(file).read().to_pylist()]
        for file in made.files("messages")
    }
    assert days == {
        "date=2024-04-30": ["c"],
        "date=2024-05-01": ["z", "d", "a", "9", "10", "010", "b"],
    }


def test_tables_are_sorted_by_their_keys(stage: Stage) -> None:
    made = stage(
        users=[{"id": "é"}, {"id": "b"}, {"id": "B"}],
        members=[{"group_id": group, "user_id": user} for group, user in ("gb", "ga", "fz")],
    )
    assert [row["id"] for row in rows_of(made, "users")] == ["B", "b", "é"]
    assert [(row["group_id"], row["user_id"]) for row in rows_of(made, "members")] == [
        ("f", "z"),
        ("g", "a"),
        ("g", "b"),
    ]


def test_an_export_without_rows_is_a_whole_extract(stage: Stage) -> None:
    made = stage()
    assert not made.manifest.ended
    assert (made.manifest.first_message_ms, made.manifest.last_message_ms) == (None, None)
    assert not any(made.files(table) for table in schemas.BY_TABLE)
    assert Extract.open(made.path) == made


# --- duplicates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([{"text": "1"}, {"text": "2"}], 2),
        ([{"edited_at": minute(2)}, {}], 1),
        ([{"edited_at": minute(2)}, {"edited_at": minute(1)}, {}], 1),
        ([{"edited_at": minute(2)}, {"deleted_at": minute(3)}], 2),
        ([{"deleted_at": minute(3)}, {"edited_at": minute(2)}], 1),
        ([{"edited_at": minute(2)}, {"edited_at": minute(2)}], 2),
        ([{}, {"sent_at": minute(9)}], 2),
    ],
)
def test_of_rows_with_one_id_the_newest_stays(stage: Stage, rows: list[Row], kept: int) -> None:
    made = stage(messages=[message("m1", **fields) for fields in rows])
    (row,) = rows_of(made, "messages")
    assert row["line"] == kept
    problems = rows_of(made, "problems")
    assert {problem["line"] for problem in problems} == {*range(1, len(rows) + 1)} - {kept}
    assert {problem["detail"] for problem in problems} == {
        f"The same record stands in `messages.jsonl`, line {kept}; that row is used."
    }
    assert {(problem["outcome"], problem["reason"]) for problem in problems} == {
        ("skipped", "duplicate")
    }


def test_the_last_file_by_name_wins_whatever_the_order_of_reading(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "messages"
    folder.mkdir(parents=True)
    for name in ("b", "a", "B"):
        (folder / f"{name}.jsonl").write_bytes(lines([message("m1", text=name)]))
    made = staged(tmp_path / "export", tmp_path / "stage", NeutralSource())
    (row,) = rows_of(made, "messages")
    assert row["file"] == "messages/b.jsonl"


def test_one_id_in_two_conversations_is_two_messages(stage: Stage) -> None:
    back = direct("m1", sender_id="bob", recipient_id="ada")
    made = stage(messages=[message("m1"), message("m1", group_id="g2"), direct("m1"), back])
    assert len(rows_of(made, "messages")) == 3
    assert ended(made) == {("c2c_messages", "duplicate"): 1}


def test_repeated_rows_of_other_tables_are_skipped(stage: Stage) -> None:
    made = stage(
        users=[{"id": "u", "name": "old"}, {"id": "u", "name": "new"}],
        groups=[{"id": "g", "name": "old"}, {"id": "g", "name": "new"}],
        members=[
            {"group_id": "g", "user_id": "u", "unread_count": 3},
            {"group_id": "g", "user_id": "u"},
        ],
        direct_reads=[{"user_id": "a", "peer_id": "b", "last_read_at": minute(n)} for n in (1, 0)],
    )
    assert rows_of(made, "users")[0]["name"] == "new"
    assert rows_of(made, "groups")[0]["name"] == "new"
    assert rows_of(made, "members")[0]["has_read_state"] is False
    assert rows_of(made, "direct_reads")[0]["last_read_at_ms"] == 1_714_555_800_000
    assert ended(made) == {
        (kind, "duplicate"): 1 for kind in ("accounts", "groups", "members", "unread")
    }
    assert read_counts(made) == {"accounts": 2, "groups": 2, "members": 2, "unread": 2}


def test_accounts_that_only_messages_name_are_no_duplicates(tmp_path: Path) -> None:
    bot = {"type": "message", "subtype": "bot_message", "bot_id": "B1", "text": "x"}
    days = {
        f"{name}/2015-06-06": [{**bot, "ts": f"143360000{n}.000000"}] for n, name in enumerate("ab")
    }
    channels = [{"id": name.upper(), "name": name} for name in "ab"]
    made = staged(slack(tmp_path / "x", days, channels=channels), tmp_path / "stage", SlackSource())
    assert [row["id"] for row in rows_of(made, "users")] == ["bot:B1"]
    assert read_counts(made) == {"accounts": 1, "groups": 2, "group_messages": 2}
    assert not made.manifest.ended


# --- the window ---------------------------------------------------------------------------------

MAY_2 = Window(parse_instant("2024-05-02"), parse_instant("2024-05-03"))


def test_the_window_cuts_messages_and_nothing_else(stage: Stage) -> None:
    made = stage(
        MAY_2,
        users=[{"id": "u", "created_at": minute(0)}],
        messages=[
            message("before", sent_at="2024-05-01T23:59:59.999Z"),
            message("first", sent_at="2024-05-02T00:00:00Z"),
            message("last", sent_at="2024-05-02T23:59:59.999Z"),
            message("after", sent_at="2024-05-03T00:00:00Z"),
            direct("self", sender_id="bob"),
            direct("self-in", sender_id="bob", sent_at="2024-05-02T12:00:00Z"),
            message("timeless", sent_at="noon"),
        ],
    )
    assert [row["id"] for row in rows_of(made, "messages")] == ["first", "last"]
    assert made.manifest.outside_window == 3
    assert read_counts(made) == {"accounts": 1, "group_messages": 3, "c2c_messages": 1}
    assert ended(made) == {("c2c_messages", "self_chat"): 1, ("group_messages", "bad_instant"): 1}
    assert (made.manifest.first_message_ms, made.manifest.last_message_ms) == (
        MAY_2.start_ms - 1,
        MAY_2.end_ms,
    )


def test_group_times_look_beyond_the_window(stage: Stage) -> None:
    made = stage(
        MAY_2,
        groups=[{"id": "empty", "name": "E"}],
        members=[
            {"group_id": "g1", "user_id": "u", "joined_at": minute(-60)},
            {"group_id": "g2", "user_id": "u"},
        ],
        messages=[message("m1"), message("m2", sent_at=minute(-9), topic_id="t"), direct("m3")],
    )
    found = {
        row["group_id"]: (row["first_message_ms"], row["first_join_ms"])
        for row in rows_of(made, "group_times")
    }
    assert found == {
        "empty": (None, None),
        "g1": (1_714_555_800_000 - 9 * 60_000, 1_714_555_800_000 - 60 * 60_000),
        "g2": (None, None),
    }


# --- extracts as a whole ------------------------------------------------------------------------


def test_the_same_export_gives_the_same_files(tmp_path: Path) -> None:
    first = staged(HARBOUR_SAMPLE, tmp_path / "one", NeutralSource())
    second = staged(HARBOUR_SAMPLE, tmp_path / "two", NeutralSource())
    assert first.manifest == second.manifest
    assert file_bytes(first) == file_bytes(second)


def test_a_repeated_run_replaces_its_own_extract_only(tmp_path: Path) -> None:
    export = neutral(tmp_path / "export", messages=[message()])
    first = staged(export, tmp_path / "stage", NeutralSource())
    (first.path / "leftover").touch()
    other = staged(export, tmp_path / "stage", NeutralSource(), MAY_2)
    again = staged(export, tmp_path / "stage", NeutralSource())
    assert again == first
    assert not (first.path / "leftover").exists()
    assert sorted(path.name for path in first.path.parent.iterdir()) == sorted(
        [first.path.name, other.path.name]
    )


def test_the_id_of_an_extract_follows_source_name_window_and_export(tmp_path: Path) -> None:
    export = neutral(tmp_path / "export", messages=[message()])
    ids = {
        staged(export, tmp_path / "stage", NeutralSource()).path.name,
        staged(export, tmp_path / "stage", NeutralSource(), MAY_2).path.name,
    }
    (export / "messages.jsonl").write_bytes(lines([message("m2"), message("m3")]))
    ids.add(staged(export, tmp_path / "stage", NeutralSource()).path.name)
    assert len(ids) == 3


class Dying(NeutralSource):
    """A reader that fails half way."""

    def read(self, export: ExportTree, piece: Piece) -> Iterator[Item]:
        """Yield one record, then fail."""
        yield next(iter(super().read(export, piece)))
        raise UnreadableExportError("the disk is gone")


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    export = neutral(tmp_path / "export", messages=[message()])
    with pytest.raises(UnreadableExportError, match="the disk is gone"):
        staged(export, tmp_path / "stage", Dying())
    assert not list((tmp_path / "stage" / "legacy").iterdir())


def test_the_leftovers_of_dead_runs_are_removed_and_of_living_ones_kept(tmp_path: Path) -> None:
    home = tmp_path / "stage" / "legacy"
    for name in (".work-dead", ".work-living"):
        (home / name / "raw").mkdir(parents=True)
        (home / name / "lock").touch()
    lock = os.open(home / ".work-living" / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        staged(neutral(tmp_path / "export"), tmp_path / "stage", NeutralSource())
    finally:
        os.close(lock)
    assert not (home / ".work-dead").exists()
    assert (home / ".work-living").exists()


def test_the_stage_is_private(tmp_path: Path) -> None:
    made = staged(
        neutral(tmp_path / "export", messages=[message()]), tmp_path / "stage", NeutralSource()
    )
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "naïve"])
def test_a_source_name_never_leads_out_of_the_stage(tmp_path: Path, name: str) -> None:
    from chat_migration.extraction import extract

    export = neutral(tmp_path / "export")
    made = extract(
        NeutralSource(), export, source_name=name, window=Window(), stage_dir=tmp_path / "stage"
    )
    assert made.path.resolve().parent.parent == (tmp_path / "stage").resolve()


def test_an_unfinished_extract_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished extract"):
        Extract.open(tmp_path)


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="One of: `neutral`, `slack`"):
        open_source("irc")


def test_no_text_of_a_message_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        stage(messages=[message(text="SECRET"), message("m2", text=["SECRET"])])
    assert caplog.records
    assert "SECRET" not in caplog.text


# --- worker processes ---------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an export that is worth several processes, and whose files are split between them."""
    monkeypatch.setattr(pool, "WORTH_WORKERS", 1)
    rows = [
        message(f"m{n % 90}", sent_at=minute(n % 25), mood=1 if n == 77 else None)
        for n in range(100)
    ]
    rows[40]["sent_at"] = "noon"
    return neutral(tmp_path / "export", users=[{"id": "u", "badge": 1}], messages=rows)


def test_workers_give_what_one_process_gives(large: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int, int]] = []
    split = NeutralSource(piece_bytes=4000)
    many = staged(large, tmp_path / "many", split, progress=lambda *done: progress.append(done))
    one = staged(large, tmp_path / "one", NeutralSource(), workers=1)
    assert file_bytes(many) == file_bytes(one)
    assert {row["line"] for row in rows_of(many, "problems")} == {*range(1, 11), 41}
    size = (large / "messages.jsonl").stat().st_size + (large / "users.jsonl").stat().st_size
    assert progress[-1] == (101, size, size)
    assert len(progress) == 4
    assert progress == sorted(progress)


def test_an_unreadable_file_stops_the_workers_with_its_error(large: Path, tmp_path: Path) -> None:
    (large / "groups.csv").write_bytes(b"nothing,of,use\n")
    with pytest.raises(
        UnreadableExportError, match=r"The header of `groups.csv` lacks `id`, `name`"
    ):
        staged(large, tmp_path / "stage", NeutralSource(piece_bytes=4000))
    assert not list((tmp_path / "stage" / "legacy").iterdir())


def test_a_worker_that_is_killed_is_told_as_such(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = pool._Worker._ask

    def killed(worker: Any, question: Any, about: str) -> Any:
        worker._process.kill()
        return ask(worker, question, about)

    monkeypatch.setattr(pool._Worker, "_ask", killed)
    with pytest.raises(InterruptedRunError, match=r"ended with status -9 .*fewer `workers`"):
        staged(large, tmp_path / "stage", NeutralSource(piece_bytes=4000))


def test_chunks_are_bounded_in_rows_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_ROWS", 7)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 500)
    export = neutral(
        tmp_path / "export",
        messages=[message(f"m{n}", text="x" * (n % 3) * 200) for n in range(60)],
    )
    folder = tmp_path / "raw"
    folder.mkdir()
    source = NeutralSource()
    tree = ExportTree.open(export, scratch=tmp_path)
    reader = reading.PieceReader(source, [tree], source_name="x", folder=folder, name="a")
    for number, piece in enumerate(source.pieces(tree)):
        reader.read(number, piece)
    reader.finish()
    counts = [
        pq.ParquetFile(file).metadata.num_rows for file in sorted((folder / "messages").iterdir())
    ]
    assert sum(counts) == 60
    assert max(counts) <= 7
    assert min(counts[:-1]) < 7


def test_many_unknown_fields_are_told_under_one_name(stage: Stage) -> None:
    made = stage(messages=[message(f"m{n}", **{f"field-{n}": 1}) for n in range(300)])
    counts = {count.first.field: count.rows for count in made.manifest.unknown_fields}
    assert len(counts) == reading.MAX_UNKNOWN_FIELDS + 1
    assert counts["(more unknown fields)"] == 100


def test_counts_cover_every_record_type(stage: Stage) -> None:
    assert set(stage().manifest.rows_read) == set(RecordType)
