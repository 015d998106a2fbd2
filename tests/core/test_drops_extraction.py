"""Drops that are read together: one extract, taken whole, the later drop's rows before the earlier one's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders_exports import Row, lines, message, neutral, rows_of, staged, tarred, zipped
from tests.core.test_extraction_properties import START

from chat_migration.errors import UnreadableExportError
from chat_migration.extraction import ExportPart, pool
from chat_migration.sources.neutral import NeutralSource
from chat_migration.store.extract import Extract
from chat_migration.window import Window

DAY = 86_400_000
NIGHT = Window(START // 1000 * 1000, START // 1000 * 1000 + DAY)

Stage = Callable[..., Extract]


@pytest.fixture
def drop(tmp_path: Path) -> Callable[..., ExportPart]:
    """Write one drop."""

    def write(name: str, pack: str = "", **tables: list[Row]) -> ExportPart:
        folder = neutral(tmp_path / "drops" / name, **tables)
        if pack == "zip":
            return ExportPart(zipped(folder, tmp_path / f"{name}.zip"), f"{name}.zip")
        if pack == "tar":
            return ExportPart(tarred(folder, tmp_path / f"{name}.tgz"), f"{name}.tgz")
        return ExportPart(folder, name)

    return write


def read(tmp_path: Path, *parts: ExportPart, window: Window = NIGHT, **given: Any) -> Extract:
    return staged(
        list(parts), tmp_path / "stage", NeutralSource(), window, is_whole=True, **given  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_drop_is_taken_whole_whatever_the_times_of_its_rows(
    tmp_path: Path, drop: Callable[..., ExportPart]
) -> None:
    rows = [message("early", sent_at=START - 9 * DAY), message("now"), message("late", sent_at=START + 9 * DAY)]  # fmt: skip
    made = read(tmp_path, drop("a", messages=rows))
    assert len(rows_of(made, "messages")) == 3
    assert made.manifest.outside_window == 0
    assert rows_of(made, "outside") == []
    assert made.manifest.window == NIGHT


def test_files_are_named_by_their_drop(tmp_path: Path, drop: Callable[..., ExportPart]) -> None:
    made = read(
        tmp_path,
        drop("2024-05-01", messages=[message("1", mood="fine"), message("x", sent_at="noon")]),
        drop("2024-05-02", messages=[message("2", mood="fine")]),
    )
    assert {row["file"] for row in rows_of(made, "messages")} == {
        "2024-05-01/messages.jsonl",
        "2024-05-02/messages.jsonl",
    }
    assert [row["file"] for row in rows_of(made, "problems")] == ["2024-05-01/messages.jsonl"]
    (unknown,) = made.manifest.unknown_fields
    assert (unknown.first.file, unknown.rows) == ("2024-05-01/messages.jsonl", 2)
    assert made.manifest.drops == ["2024-05-01", "2024-05-02"]


@pytest.mark.parametrize("edited", [False, True])
def test_of_one_row_in_two_drops_the_latest_edit_counts_else_the_later_drop(
    tmp_path: Path, drop: Callable[..., ExportPart], edited: bool
) -> None:
    early = message("1", text="early", **({"edited_at": START + 1} if edited else {}))
    users = [[{"id": "u", "name": name}] for name in ("early", "late")]
    made = read(
        tmp_path,
        drop("a", messages=[early], users=users[0]),
        drop("b", messages=[message("1", text="late")], users=users[1]),
    )
    (row,) = rows_of(made, "messages")
    assert ("early" if edited else "late") in row["elements"]
    (user,) = rows_of(made, "users")
    assert user["name"] == "late"


def test_drops_may_be_archives_and_large_files_of_one_name(
    tmp_path: Path, drop: Callable[..., ExportPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines count within the drop's own file, also when it is split between workers."""
    monkeypatch.setattr(pool, "WORTH_WORKERS", 1)
    parts = []
    for name, pack in (("a", ""), ("b", "zip"), ("c", "tar")):
        rows = [message(f"{name}{number}", text="x" * 200) for number in range(40)]
        parts.append(drop(name, pack, messages=rows))
    source = NeutralSource(piece_bytes=2000)
    made = staged(list(parts), tmp_path / "stage", source, NIGHT, is_whole=True)  # type: ignore[arg-type]
    assert {(row["file"], row["line"]) for row in rows_of(made, "messages")} == {
        (f"{part.name}/messages.jsonl", line) for part in parts for line in range(1, 41)
    }


def test_the_same_drops_give_the_same_extract_and_others_another(
    tmp_path: Path, drop: Callable[..., ExportPart]
) -> None:
    one, two = drop("a", messages=[message("1")]), drop("b", messages=[message("2")])
    names = {read(tmp_path, one, two).path.name for _ in range(2)}
    assert len(names) == 1
    assert read(tmp_path, one).path.name not in names
    (two.path / "messages.jsonl").write_bytes(lines([message("2", text="changed")]))
    assert read(tmp_path, one, two).path.name not in names


def test_the_drop_that_cannot_be_read_is_named(
    tmp_path: Path, drop: Callable[..., ExportPart]
) -> None:
    empty = tmp_path / "drops" / "b"
    empty.mkdir(parents=True)
    (empty / "notes.txt").write_text("nothing")
    with pytest.raises(UnreadableExportError, match=r"drops/b` holds no table `messages`"):
        read(tmp_path, drop("a", messages=[message("1")]), ExportPart(empty, "b"))


def test_counts_of_unread_messages_stay_counts_unless_all_drops_are_read(
    tmp_path: Path, drop: Callable[..., ExportPart]
) -> None:
    """A late row in a drop may be older than messages of earlier drops: no place in it can be trusted."""
    members = [
        {"group_id": "g1", "user_id": user, "unread_count": n}
        for user, n in (("bob", 1), ("cy", 0))
    ]
    part = drop("a", messages=[message("1"), message("2", sent_at=START + 1)], members=members)
    found = {
        row["user_id"]: (row["first_unread_ms"], row["unread_count"])
        for row in rows_of(read(tmp_path, part), "members")
    }
    assert found == {"bob": (None, 1), "cy": (None, None)}
    (bob, _) = rows_of(read(tmp_path, part, window=Window(None, NIGHT.end_ms)), "members")
    assert (bob["first_unread_ms"], bob["unread_count"]) == (START + 1, None)
