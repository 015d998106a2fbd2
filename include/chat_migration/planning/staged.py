"""Staged extracts as DuckDB views, for planning. Sorting and joins spill to disk beyond the memory limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from chat_migration.store.extract import Extract
from chat_migration.store.schemas import BY_TABLE

_BATCH = 4000


class Staged:
    """The tables of one or more extracts, one view each; an empty table is an empty view."""

    def __init__(
        self, extracts: Sequence[Extract], *, temp: Path, memory_limit: str = "512MB"
    ) -> None:
        temp.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(temp),
                "threads": 2,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        for table, schema in BY_TABLE.items():
            files = [str(file) for extract in extracts for file in extract.files(table)]
            if files:
                relation = self._connection.read_parquet(files, hive_partitioning=False)
                relation.create_view(table)
            else:
                self.add(table, schema.empty_table())

    def add(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table queryable under a name."""
        self._connection.register(name, table)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; only a few thousand are in memory at a time."""
        reader = self._connection.sql(sql, params=list(parameters)).to_arrow_reader(_BATCH)
        for batch in reader:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
