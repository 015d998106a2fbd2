"""Rows of a ``.parquet`` file, or of some of its row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral.table import Kind
from chat_migration.sources.neutral.values import Row
from chat_migration.sources.packaging.streams import broken_file

_BATCH_ROWS = 2048
_decode = msgspec.json.Decoder().decode


class ParquetRows:
    """The rows of the row groups ``start <= n < end`` of a file, numbered from 1 within them.

    Timestamps with a time zone become epoch milliseconds; nested values may be nested or JSON text.

    Args:
        end: 0 is all row groups from ``start`` on.
    """

    def __init__(
        self,
        stream: IO[bytes],
        fields: Mapping[str, Kind],
        file: str,
        *,
        start: int = 0,
        end: int = 0,
    ) -> None:
        self._fields, self._file = fields, file
        try:
            self._parquet = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise broken_file(file, error) from None
        self._groups = range(start, end or self._parquet.num_row_groups)
        self.lines = 0
        """Rows met so far."""

    @property
    def row_groups(self) -> int:
        """Return how many row groups the file has."""
        return int(self._parquet.num_row_groups)

    def __iter__(self) -> Iterator[tuple[int, Row | BadRow]]:
        """Yield each row's number with the row or what is wrong with it."""
        batches = self._parquet.iter_batches(
            _BATCH_ROWS, row_groups=list(self._groups), use_threads=False
        )
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise broken_file(self._file, error) from None
            if batch is None:
                return
            for row in _rows(_with_instants(batch)):
                self.lines += 1
                yield self.lines, self._opened(row) if isinstance(row, dict) else row

    def _opened(self, row: Row) -> Row | BadRow:
        """Return the row with JSON text of nested fields decoded."""
        for name, value in row.items():
            if type(value) is str and self._fields.get(name) == "json":
                try:
                    row[name] = _decode(value) if value else None
                except (msgspec.MsgspecError, RecursionError):
                    return BadRow(
                        "bad_json",
                        f"`{name}` is text, but no JSON.",
                        "Write a nested value, or JSON text.",
                    )
        return row


def _with_instants(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Turn timestamps into epoch milliseconds if they have a time zone, else into naive ones."""
    columns = [_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _column(column: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        return column
    if column.type.tz is None:
        return pc.cast(column, pa.timestamp("us"), safe=False)
    return pc.cast(
        pc.floor_temporal(column, unit="millisecond"), pa.timestamp("ms", "UTC"), safe=False
    ).cast(pa.int64())


def _rows(batch: pa.RecordBatch) -> list[Any]:
    try:
        return list(batch.to_pylist(maps_as_pydicts="lossy"))
    except (UnicodeDecodeError, ValueError, OverflowError):
        return [_row(batch.slice(index, 1)) for index in range(batch.num_rows)]


def _row(one: pa.RecordBatch) -> Any:
    try:
        return one.to_pylist(maps_as_pydicts="lossy")[0]
    except UnicodeDecodeError:
        return BadRow(
            "bad_encoding", "A text of the row is no UTF-8.", "Write the export in UTF-8."
        )
    except (ValueError, OverflowError) as error:
        return BadRow("bad_value", f"A value of the row cannot be read: {type(error).__name__}.")
