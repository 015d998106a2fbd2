"""Writing staged tables as Parquet: the same rows always give the same bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DAY_MS = 86_400_000
ROW_GROUP_ROWS = 65_536
_FILE = "part-0.parquet"
_UNIQUE = frozenset(
    {"id", "message_key", "order_key", "elements", "source_hash", "reply_to", "line"}
)
"""Columns whose values hardly repeat: a dictionary would be built for nothing."""


class TableWriter:
    """Writes one Parquet file in row groups of a fixed size, however the rows come in."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in schema.names if name not in _UNIQUE],
        )
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take rows, in order."""
        while self._held_rows + batch.num_rows >= ROW_GROUP_ROWS:
            taken = ROW_GROUP_ROWS - self._held_rows
            self._hold(batch.slice(0, taken))
            self._flush()
            batch = batch.slice(taken)
        if batch.num_rows:
            self._hold(batch)

    def close(self) -> None:
        """Write the rest and close the file."""
        if self._held:
            self._flush()
        self._writer.close()

    def _hold(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._held_rows += batch.num_rows

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._held).cast(self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.rows += self._held_rows
        self._held, self._held_rows = [], 0


def write_table(folder: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write one table to ``folder``; no file if it is empty. Return the rows."""
    writer: TableWriter | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        writer = writer or TableWriter(folder / _FILE, schema)
        writer.write(batch)
    if writer is None:
        return 0
    writer.close()
    return writer.rows


def write_by_date(folder: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write rows that come ordered by day to ``date=YYYY-MM-DD`` folders; return the rows.

    The batches have the columns of ``schema``, among them ``sent_at_ms``. Days are compressed by two threads
    in turn, each day by one of them from its first row to its last.
    """
    rows, turn, open_day = 0, 0, None
    writer: TableWriter | None = None
    with _Lanes(lanes=2) as lanes:
        for day, part in _days(batches):
            if day != open_day or writer is None:
                if writer is not None:
                    lanes.submit(turn, writer.close)
                writer, open_day, turn = (
                    TableWriter(folder / f"date={_date(day)}" / _FILE, schema),
                    day,
                    turn + 1,
                )
            lanes.submit(turn, writer.write, part)
            rows += part.num_rows
        if writer is not None:
            lanes.submit(turn, writer.close)
    return rows


class _Lanes:
    """A few threads; what is submitted to one lane is done in order, and few things wait at a time."""

    def __init__(self, lanes: int) -> None:
        self._lanes = [ThreadPoolExecutor(1) for _ in range(lanes)]
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Lanes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for lane in self._lanes:
            lane.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            self._settle(0)

    def submit(self, turn: int, work: Callable[..., None], *arguments: object) -> None:
        """Do some work in the lane of this turn; wait if much is waiting, raise what earlier work raised."""
        self._waiting.append(self._lanes[turn % len(self._lanes)].submit(work, *arguments))
        self._settle(_WAITING)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()


_WAITING = 16


def _days(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in batches:
        days = pc.run_end_encode(pc.divide(batch.column("sent_at_ms"), DAY_MS))
        start = 0
        for end, day in zip(days.run_ends.to_pylist(), days.values.to_pylist(), strict=True):
            yield day, batch.slice(start, end - start)
            start = end


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()
