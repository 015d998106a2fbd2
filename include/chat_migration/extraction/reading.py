"""One process's part of the reading: pieces in, raw column chunks out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from chat_migration.extraction import raw
from chat_migration.extraction.columns import SHAPES, MessageColumns, Shape, encoded
from chat_migration.model import Message, RecordType
from chat_migration.sources.base import Item, LinesRead, Piece, Source, UnknownField
from chat_migration.sources.tree import ExportTree
from chat_migration.store.extract import FieldCount

CHUNK_ROWS = 8192
CHUNK_BYTES = 32 << 20
MAX_UNKNOWN_FIELDS = 200
"""Names of unknown fields that one piece reports; beyond, they are counted under one name."""
MAX_FIELD_NAME = 200
_MORE_FIELDS = "(more unknown fields)"
_REPEATED = [
    "conversation", "group_id", "sender_id", "recipient_id", "kind", "extra", "file", "reason",
    "detail", "advice", "outcome", "record_type", "role", "type",
]  # fmt: skip
"""Columns whose values repeat: worth a dictionary."""


class PieceResult(msgspec.Struct, frozen=True):
    """What reading one piece gave, apart from its rows: ``lines`` is 0 for whole files."""

    number: int
    rows: int
    lines: int
    unknown_fields: list[FieldCount]


def line_bases(pieces: Sequence[Piece], results: Sequence[PieceResult]) -> list[int]:
    """Return, for each piece, the lines of its file that stand before it; none for whole files."""
    bases: list[int] = []
    lines: dict[tuple[int, str], int] = {}
    for piece, result in zip(pieces, results, strict=True):
        file = (piece.drop, piece.paths[0])
        before = lines.get(file, 0) if piece.end else 0
        bases.append(before)
        if piece.end:
            lines[file] = before + result.lines
    return bases


class Chunks:
    """Collects the rows of one raw table and writes them in chunks, bounded in rows and bytes."""

    def __init__(self, folder: Path, name: str, shape: Shape) -> None:
        self._folder, self._name, self._shape = folder / shape.table, name, shape
        self._schema = raw.BY_TABLE[shape.table]
        self._repeated = [name for name in _REPEATED if name in self._schema.names]
        self._written = 0
        self._clear()

    def add(self, seq: int, row: object) -> None:
        """Take one record."""
        self._seqs.append(seq)
        self._rows.append(row)
        if len(self._rows) >= CHUNK_ROWS:
            self.flush()

    def add_message(self, seq: int, row: Message) -> None:
        """Take one message; its elements are encoded at once, which tells its size."""
        elements = encoded(row.elements)
        self._elements.append(elements)
        self._bytes += len(elements)
        self._seqs.append(seq)
        self._rows.append(row)
        if len(self._rows) >= CHUNK_ROWS or self._bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        if not self._rows:
            return
        columns = self._shape.columns(self._rows)
        columns["seq"] = self._seqs
        if self._elements:
            columns["elements"] = self._elements
        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        self._folder.mkdir(exist_ok=True)
        pq.write_table(
            pa.Table.from_arrays(arrays, schema=self._schema),
            self._folder / f"{self._name}-{self._written:06d}.parquet",
            compression="lz4",
            use_dictionary=self._repeated,
            write_statistics=False,
        )
        self._written += 1
        self._clear()

    def _clear(self) -> None:
        self._seqs: list[int] = []
        self._rows: list[object] = []
        self._elements: list[bytes] = []
        self._bytes = 0


class PieceReader:
    """Reads pieces of exports, one after another, into chunks under ``folder``.

    Args:
        exports: those that are read together; a piece says of which it is.
        name: tells the chunks of this process from those of others.
    """

    def __init__(
        self,
        source: Source,
        exports: Sequence[ExportTree],
        *,
        source_name: str,
        folder: Path,
        name: str,
    ) -> None:
        self._source, self._exports = source, exports
        self._messages = Chunks(folder, name, Shape("messages", MessageColumns(source_name)))
        self._others = {kind: Chunks(folder, name, shape) for kind, shape in SHAPES.items()}

    def read(self, number: int, piece: Piece) -> PieceResult:
        """Read one piece.

        Raises:
            UnreadableExportError: a file as a whole cannot be read.
        """
        seq = first = number << raw.PIECE_SHIFT
        lines, unknown = 0, _UnknownFields()
        add_message = self._messages.add_message
        for item in self._source.read(self._exports[piece.drop], piece):
            if type(item) is Message:
                add_message(seq, item)
                seq += 1
            elif type(item) is UnknownField:
                unknown.add(item)
            elif type(item) is LinesRead:
                lines = item.count
            else:
                self._add_other(seq, item)
                seq += 1
        return PieceResult(number, seq - first, lines, unknown.counts())

    def finish(self) -> None:
        """Write what is still held."""
        for chunks in (self._messages, *self._others.values()):
            chunks.flush()

    def _add_other(self, seq: int, item: Item) -> None:
        self._others[type(item)].add(seq, item)


class _UnknownFields:
    """Counts unknown fields by name, keeping where each was met first."""

    def __init__(self) -> None:
        self._first: dict[tuple[RecordType, str], UnknownField] = {}
        self._rows: dict[tuple[RecordType, str], int] = {}

    def add(self, found: UnknownField) -> None:
        found = msgspec.structs.replace(found, field=found.field[:MAX_FIELD_NAME])
        key = (found.record_type, found.field)
        if key not in self._first:
            if len(self._first) >= MAX_UNKNOWN_FIELDS:
                found = msgspec.structs.replace(found, field=_MORE_FIELDS)
                key = (found.record_type, _MORE_FIELDS)
            self._first.setdefault(key, found)
        self._rows[key] = self._rows.get(key, 0) + 1

    def counts(self) -> list[FieldCount]:
        return [FieldCount(first, self._rows[key]) for key, first in self._first.items()]
