"""A folder that grows: old files are left out, and nothing but the time of reading tells."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders_exports import (
    Row,
    direct,
    lines,
    message,
    rows_of,
    slack,
    staged,
    table_file,
    tarred,
    zipped,
)
from tests.core.test_extraction_properties import MEMBERS, START, message_rows

from chat_migration.extraction.run import versions_of
from chat_migration.sources import open_source
from chat_migration.sources.base import Piece
from chat_migration.sources.neutral import NeutralSource
from chat_migration.sources.tree import ExportTree
from chat_migration.store import file_index
from chat_migration.store.extract import Extract
from chat_migration.store.file_index import FileIndex
from chat_migration.store.stage import FolderStage
from chat_migration.window import RunWindow, Window

DAY = 86_400_000
MINUTE = 60_000


class Folder:
    """An export that grows, and what is known of it."""

    def __init__(self, base: Path) -> None:
        self.export, self.stage = base / "export", base / "stage"
        self.export.mkdir(parents=True)
        self.opened: list[str] = []

    def write(self, name: str, *rows: Row | str) -> None:
        table_file(self.export / "messages", name, list(rows))  # type: ignore[arg-type]

    def index(self, export: Path | None = None) -> FileIndex:
        return FileIndex(
            FolderStage(self.stage),
            source_name="legacy",
            export_path=str(export or self.export),
            reader=versions_of(NeutralSource()),
        )

    def read(
        self,
        start: int | None = None,
        end: int | None = None,
        *,
        back: int | None = None,
        knows: bool = True,
    ) -> Extract:
        """Read a window; note which files were opened."""
        self.opened = []
        taken = RunWindow(window=Window(start, end), lookback_start_ms=back)
        index = self.index() if knows else None
        return staged(self.export, self.stage, _Noting(self.opened), taken, index=index)  # type: ignore[arg-type]


class _Noting(NeutralSource):
    """Notes which message files are read."""

    def __init__(self, opened: list[str]) -> None:
        super().__init__()
        self._opened = opened

    def read(self, export: ExportTree, piece: Piece) -> Any:
        self._opened += [path for path in piece.paths if path.startswith("messages/")]
        yield from super().read(export, piece)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def ids(made: Extract) -> list[str]:
    return sorted(row["id"] for row in rows_of(made, "messages"))


# --- what is taken ------------------------------------------------------------------------------


def test_an_edit_is_taken_by_its_own_time_and_so_is_a_deletion(folder: Folder) -> None:
    start, end = START + DAY, START + 2 * DAY
    folder.write(
        "all",
        message("old", sent_at=START),
        message("edited", sent_at=START, edited_at=start),
        message("deleted", sent_at=START, edited_at=START + 1, deleted_at=end - 1),
        message("edited-before", sent_at=START, edited_at=start - 1),
        message("edited-after", sent_at=START, edited_at=end),
        message("new", sent_at=start),
        message("new-edited-after", sent_at=start, edited_at=end + 1),
        message("later", sent_at=end),
    )
    made = folder.read(start, end)
    assert ids(made) == ["deleted", "edited", "new", "new-edited-after"]
    assert made.manifest.outside_window == 4
    assert sum(made.manifest.rows_read.values()) == 4


def test_late_rows_are_looked_for_from_the_lookback_on(folder: Folder) -> None:
    start, back = START + 3 * DAY, START + 2 * DAY
    folder.write(
        "all",
        message("older", sent_at=back - 1),
        message("late", sent_at=back),
        message("older-edited-in-the-lookback", sent_at=START, edited_at=back),
        message("new", sent_at=start),
    )
    made = folder.read(start, back=back)
    assert ids(made) == ["late", "new", "older-edited-in-the-lookback"]
    assert made.manifest.lookback_start_ms == back
    assert made.manifest.extract_id != folder.read(start).manifest.extract_id


def test_without_a_start_an_edit_after_the_end_takes_nothing_in(folder: Folder) -> None:
    folder.write("all", message("a", edited_at=START + DAY), message("b", sent_at=START + DAY))
    assert ids(folder.read(None, START + DAY)) == ["a"]


def test_what_lies_outside_is_told_by_conversation(folder: Folder) -> None:
    start, end = START + DAY, START + 2 * DAY
    folder.write("1", message("1"), message("2", sent_at=START + 5), direct("3"))
    folder.write("2", message("4", sent_at=start), message("5", sent_at=end, group_id="g2"))
    for _ in range(2):
        made = folder.read(start, end)
        assert rows_of(made, "outside") == [
            {"conversation": "direct:ada/bob", "rows_before": 1, "newest_before_ms": START, "rows_after": 0},
            {"conversation": "group:g1", "rows_before": 2, "newest_before_ms": START + 5, "rows_after": 0},
            {"conversation": "group:g2", "rows_before": 0, "newest_before_ms": None, "rows_after": 1},
        ]  # fmt: skip
    assert folder.opened == ["messages/2.jsonl"]


# --- which files are opened ---------------------------------------------------------------------


def test_a_night_opens_the_new_file_and_those_of_the_lookback(folder: Folder) -> None:
    for day in range(4):
        folder.write(f"day{day}", message(f"m{day}", sent_at=START + day * DAY))
    folder.read(None, START + 4 * DAY)
    assert len(folder.opened) == 4
    folder.write("day4", message("m4", sent_at=START + 4 * DAY))
    made = folder.read(START + 4 * DAY, back=START + 3 * DAY)
    assert folder.opened == ["messages/day3.jsonl", "messages/day4.jsonl"]
    assert made.manifest.skipped_files == 3
    assert made.manifest.outside_window == 3
    assert (made.manifest.first_message_ms, made.manifest.last_message_ms) == (
        START,
        START + 4 * DAY,
    )


@pytest.mark.parametrize("change", ["edited", "sent", "touched", "renamed", "newer_row"])
def test_a_file_that_changed_or_holds_something_newer_is_opened(
    folder: Folder, change: str
) -> None:
    rows = {
        "edited": message("old", edited_at=START + DAY),
        "sent": message("old", sent_at=START + DAY),
    }
    folder.write("old", rows.get(change, message("old")))
    folder.write("other", message("other"))
    folder.read()
    file = folder.export / "messages" / "old.jsonl"
    if change == "touched":
        file.touch()
    elif change == "renamed":
        file.rename(file.with_name("elder.jsonl"))
    elif change == "newer_row":
        file.write_bytes(file.read_bytes() + lines([message("x", sent_at=START + DAY)]))
    folder.read(START + DAY)
    name = "elder" if change == "renamed" else "old"
    assert folder.opened == [f"messages/{name}.jsonl"]


def test_other_tables_are_always_read_whole(folder: Folder) -> None:
    folder.write("1", message("1"))
    (folder.export / "users.jsonl").write_bytes(lines([{"id": "u"}]))
    folder.read()
    made = folder.read(START + DAY)
    assert folder.opened == []
    assert [row["id"] for row in rows_of(made, "users")] == ["u"]
    assert rows_of(made, "messages") == []


def test_a_window_without_a_start_opens_everything(folder: Folder) -> None:
    folder.write("1", message("1"))
    folder.read()
    assert ids(folder.read()) == ["1"]


def test_broken_rows_with_a_time_are_counted_outside_and_those_without_were_told_once(
    folder: Folder,
) -> None:
    folder.write("1", message("1"), direct("self", sender_id="bob"), message("x", sent_at="noon"))
    assert {row["reason"] for row in rows_of(folder.read(), "problems")} == {"self_chat", "bad_instant"}  # fmt: skip
    made = folder.read(START + DAY)
    assert folder.opened == []
    assert made.manifest.outside_window == 2
    assert rows_of(made, "problems") == []


def test_files_of_archives_and_of_slack_are_never_left_out(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    table_file(plain / "messages", "1", [message("1")])
    channel = {"id": "C1", "name": "a"}
    day = {
        "a/2015-06-06": [{"type": "message", "ts": "1433600001.000000", "user": "U1", "text": "x"}]
    }
    exports = {
        "zip": (zipped(plain, tmp_path / "x.zip"), "neutral"),
        "tar": (tarred(plain, tmp_path / "x.tgz"), "neutral"),
        "slack": (slack(tmp_path / "slack", day, channels=[channel]), "slack"),
    }
    for kind, (export, name) in exports.items():
        source = open_source(name)
        for _ in range(2):
            index = FileIndex(
                FolderStage(tmp_path / "stage"),
                source_name="legacy",
                export_path=str(export),
                reader=versions_of(source),
            )
            made = staged(
                export, tmp_path / "stage", source, Window(START * 2 // 1000 * 1000), index=index
            )
            assert made.manifest.skipped_files == 0, kind
            assert made.manifest.outside_window == 1, kind


# --- the index ----------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["lost", "broken", "no_details", "other_reader", "other_path"])
def test_an_index_that_cannot_be_used_costs_a_full_reading_and_nothing_else(
    folder: Folder, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("1", message("1"))
    folder.write("2", message("2", sent_at=START + DAY))
    folder.read()
    (listing,) = folder.stage.glob("index/*/*/files.json")
    if harm == "lost":
        shutil.rmtree(folder.stage / "index")
    elif harm == "broken":
        listing.write_text("{")
    elif harm == "no_details":
        for each in listing.parent.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
    elif harm == "other_reader":
        monkeypatch.setattr(NeutralSource, "reader_version", 99)
    else:
        folder.export = folder.export.rename(folder.export.with_name("moved"))
    made = folder.read(START + DAY)
    assert folder.opened == ["messages/1.jsonl", "messages/2.jsonl"]
    assert ids(made) == ["2"]
    folder.read(START + DAY)
    assert folder.opened == ["messages/2.jsonl"]


def test_an_index_that_cannot_be_written_is_told_and_fails_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(FolderStage, "write_note", full)
    folder.write("1", message("1"))
    with caplog.at_level(logging.WARNING):
        assert ids(folder.read()) == ["1"]
    assert "file index was not written: no space left" in caplog.text


def test_files_that_are_gone_are_forgotten_and_details_are_put_together(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for night in range(8):
        folder.write(f"{night:02d}", message(f"m{night}", sent_at=START + night * DAY))
        folder.read(START + night * DAY)
    (place,) = folder.stage.glob("index/*/*")
    chunks = [each for each in place.iterdir() if each.is_dir()]
    assert len(chunks) <= 4
    (folder.export / "messages" / "00.jsonl").unlink()
    made = folder.read(START + 8 * DAY)
    assert made.manifest.outside_window == 7
    assert made.manifest.first_message_ms == START + DAY


def test_large_details_are_not_written_anew_every_night(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_index, "_LARGE_ROWS", 3)
    for night in range(4):
        rows = [
            message(f"{night}-{n}", group_id=f"g{n}", sent_at=START + night * DAY) for n in range(4)
        ]
        folder.write(f"{night}", *rows)
        folder.read(START + night * DAY)
    (place,) = folder.stage.glob("index/*/*")
    assert len([each for each in place.iterdir() if each.is_dir()]) == 4


def test_a_file_of_one_name_that_changed_counts_with_its_new_rows_alone(folder: Folder) -> None:
    folder.write("1", message("1"), message("2"))
    folder.read()
    folder.write("1", message("3", group_id="g2"))
    folder.read()
    made = folder.read(START + DAY)
    assert folder.opened == []
    assert [(row["conversation"], row["rows_before"]) for row in rows_of(made, "outside")] == [
        ("group:g2", 1)
    ]


# --- read positions -----------------------------------------------------------------------------


def position(made: Extract, user: str = "bob") -> tuple[Any, ...]:
    (row,) = [row for row in rows_of(made, "members") if row["user_id"] == user]
    return row["first_unread_ms"], row["first_unread_order"], row["unread_count"]


@pytest.mark.parametrize("unread", [0, 1, 2, 3, 9])
def test_a_count_that_reaches_behind_the_files_read_stays_a_count(
    folder: Folder, unread: int
) -> None:
    members = [{"group_id": "g1", "user_id": "bob", "unread_count": unread}]
    (folder.export / "members.jsonl").write_bytes(lines(members))
    folder.write("1", message("1"), message("2", sent_at=START + 1))
    folder.write("2", message("3", sent_at=START + DAY), message("4", sent_at=START + DAY + 1))
    whole = position(folder.read(START + DAY))
    assert whole[2] is None
    made = folder.read(START + DAY)
    assert folder.opened == ["messages/2.jsonl"]
    assert position(made) == (whole if unread <= 1 else (None, "", unread))


def test_a_group_of_which_no_file_is_left_out_has_its_positions(folder: Folder) -> None:
    members = [{"group_id": "g2", "user_id": "bob", "unread_count": 9}]
    (folder.export / "members.jsonl").write_bytes(lines(members))
    folder.write("1", message("1"))
    folder.write("2", message("2", group_id="g2", sent_at=START + DAY))
    folder.read()
    made = folder.read(START + DAY)
    assert folder.opened == ["messages/2.jsonl"]
    assert position(made) == (0, "", None)


# --- the property -------------------------------------------------------------------------------

GOOD_ROWS = st.lists(
    message_rows().map(
        lambda row: row | {"sent_at": START if row["sent_at"] == "noon" else row["sent_at"]}
    ),
    max_size=10,
)
"""Without broken rows that have no time: those are listed by whoever opens their file."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(GOOD_ROWS, min_size=1, max_size=4),
    st.lists(GOOD_ROWS, max_size=2),
    st.lists(st.integers(0, 3), max_size=2, unique=True),
    st.integers(-6, 6),
    st.integers(1, 6) | st.none(),
    MEMBERS,
)
def test_what_is_left_out_changes_nothing(
    before: list[list[Row]],
    added: list[list[Row]],
    changed: list[int],
    start: int,
    length: int | None,
    members: list[Any],
) -> None:
    """Any history, any files added or changed, any window: as if everything had been opened."""
    with tempfile.TemporaryDirectory() as base:
        folder = Folder(Path(base))
        rows = [{"group_id": g, "user_id": u, "unread_count": n} for g, u, n in members]
        (folder.export / "members.jsonl").write_bytes(lines(rows))
        for number, file in enumerate(before):
            folder.write(f"{number}", *file)
        folder.read()
        for number in changed:
            folder.write(f"{number}", *(added[0] if added else []))
        for number, file in enumerate(added):
            folder.write(f"new{number}", *file)
        begin = START + start * MINUTE
        end = None if length is None else begin + length * MINUTE
        made = folder.read(begin, end)
        skipped, opened = made.manifest.skipped_files, len(folder.opened)
        again = folder.read(begin, end, knows=False)
        assert skipped + opened == len(folder.opened)
        for table in ("messages", "group_times", "outside", "problems", "users", "groups"):
            assert rows_of(made, table) == rows_of(again, table), table
        for name in ("rows_read", "ended", "outside_window", "first_message_ms",
                     "last_message_ms", "fingerprint"):  # fmt: skip
            assert getattr(made.manifest, name) == getattr(again.manifest, name), name
        for seen, known in zip(rows_of(made, "members"), rows_of(again, "members"), strict=True):
            assert known["unread_count"] is None
            if seen["unread_count"] is None:
                assert seen == known
            else:
                assert skipped
                assert (seen["first_unread_ms"], seen["first_unread_order"]) == (None, "")
