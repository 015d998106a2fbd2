"""``rejected.jsonl``: one line per row that is not in the target, with its place in the export and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from chat_migration.delivery.tally import RowLine
from chat_migration.store.extract import Extract


def write_rejected(extracts: Sequence[Extract], parts: Sequence[Path], path: Path) -> int:
    """Write the lines of extraction and of all stages to one file; return how many. It replaces an older one."""
    partial = path.with_name(path.name + ".partial")
    count = 0
    with partial.open("wb") as file:
        partial.chmod(0o600)
        for line in _of_extraction(extracts):
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
        for part in parts:
            with part.open("rb") as lines:
                for raw in lines:
                    file.write(raw)
                    count += 1
    partial.rename(path)
    return count


def _of_extraction(extracts: Sequence[Extract]) -> Iterator[RowLine]:
    for extract in extracts:
        for file in extract.files("problems"):
            with pq.ParquetFile(file) as table:
                for batch in table.iter_batches():
                    yield from (RowLine(**row) for row in batch.to_pylist())
