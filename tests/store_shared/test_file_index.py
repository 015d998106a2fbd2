"""The file index on an object store: what one worker read, another need not open."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chat_migration.sources.tree import ExportFile
from chat_migration.store.file_index import DETAILS, FileIndex, IndexedFile
from chat_migration.store.object_stage import ObjectStage


def index(stage: ObjectStage) -> FileIndex:
    return FileIndex(stage, source_name="old/chat", export_path="s3://bucket/x", reader="neutral/1")


def add(to: FileIndex, folder: Path, *names: str) -> None:
    """Add files of one message each."""
    numbers = range(to.next_number, to.next_number + len(names))
    rows = [
        {"number": number, "conversation": "group:g", "group_id": "g", "rows": 1, "first_ms": 5, "last_ms": 5}
        for number in numbers
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, DETAILS), folder / "details.parquet")
    fresh = {
        name: IndexedFile(1, "m", number, 1, 5) for name, number in zip(names, numbers, strict=True)
    }
    to.keep(fresh, folder / "details.parquet", [*fresh, "a", "b", "c"])


def past(found: FileIndex) -> frozenset[str]:
    names = ("a", "b", "c")
    return found.past_files([ExportFile(name, 1, "m") for name in names], frozenset(names), 6)


def test_what_one_worker_read_another_knows(
    stage: ObjectStage, elsewhere: ObjectStage, tmp_path: Path
) -> None:
    add(index(stage), tmp_path, "a", "b")
    add(index(elsewhere), tmp_path, "c")
    found = index(stage)
    assert past(found) == {"a", "b", "c"}
    assert found.numbers(["a", "b", "c"]) == [0, 1, 2]
    assert sum(pq.read_metadata(file).num_rows for file in found.details()) == 3


def test_of_two_runs_at_once_the_later_list_counts_and_the_other_s_files_are_read_again(
    stage: ObjectStage, elsewhere: ObjectStage, tmp_path: Path
) -> None:
    one, other = index(stage), index(elsewhere)
    add(one, tmp_path, "a")
    add(other, tmp_path, "b")
    found = index(stage)
    assert past(found) == {"b"}
    add(found, tmp_path, "a")
    assert past(index(elsewhere)) == {"a", "b"}
