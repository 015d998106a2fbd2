"""Staged tables are written in fixed row groups, by day, the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chat_migration.store import parquet, schemas
from chat_migration.store.parquet import DAY_MS, write_by_date, write_table

SCHEMA = pa.schema(
    [pa.field("sent_at_ms", pa.int64(), nullable=False), pa.field("text", pa.string())]
)


def batches(instants: list[int], size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(instants), size):
        part = instants[start : start + size]
        yield pa.RecordBatch.from_arrays([pa.array(part), pa.array(map(str, part))], schema=SCHEMA)


def test_rows_lie_under_their_day(tmp_path: Path) -> None:
    instants = [0, 1, DAY_MS - 1, DAY_MS, 19_844 * DAY_MS + 5]
    assert write_by_date(tmp_path, SCHEMA, batches(instants, 2)) == 5
    found = {
        path.parent.name: pq.ParquetFile(path).metadata.num_rows
        for path in tmp_path.rglob("*.parquet")
    }
    assert found == {"date=1970-01-01": 3, "date=1970-01-02": 1, "date=2024-05-01": 1}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_files_do_not_depend_on_how_rows_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 10)
    write_table(tmp_path / "a", SCHEMA, batches([*range(35)], 35))
    write_table(tmp_path / "b", SCHEMA, batches([*range(35)], size))
    (first,), (second,) = (list((tmp_path / name).iterdir()) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    metadata = pq.ParquetFile(first).metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [
        10,
        10,
        10,
        5,
    ]
    assert pq.ParquetFile(first).read().column("sent_at_ms").to_pylist() == [*range(35)]


def test_an_empty_table_has_no_file(tmp_path: Path) -> None:
    assert write_table(tmp_path / "users", SCHEMA, []) == 0
    assert write_by_date(tmp_path / "messages", SCHEMA, batches([], 1)) == 0
    assert not list(tmp_path.iterdir())


def test_what_fails_in_a_writing_thread_is_raised(tmp_path: Path) -> None:
    wrong = pa.RecordBatch.from_arrays(
        [pa.array([1]), pa.array(["x"])], names=["sent_at_ms", "text"]
    )
    schema = pa.schema([pa.field("sent_at_ms", pa.int64()), pa.field("text", pa.int64())])
    with pytest.raises(pa.ArrowInvalid):
        write_by_date(tmp_path, schema, [wrong])


def test_every_schema_names_its_table_and_version() -> None:
    for table, schema in schemas.BY_TABLE.items():
        assert schema.metadata == {
            b"table": table.encode(),
            b"stage_version": str(schemas.STAGE_VERSION).encode(),
        }
