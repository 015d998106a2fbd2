"""The reader of neutral exports: tables to pieces, pieces to records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import ClassVar

from chat_migration.model import Origin
from chat_migration.sources.base import BadRow, Item, LinesRead, Piece, UnknownField
from chat_migration.sources.neutral.csv_rows import csv_rows
from chat_migration.sources.neutral.direct_reads import DIRECT_READS
from chat_migration.sources.neutral.groups import GROUPS
from chat_migration.sources.neutral.json_lines import JsonLines
from chat_migration.sources.neutral.layout import TableFile, find_tables, format_of
from chat_migration.sources.neutral.members import MEMBERS
from chat_migration.sources.neutral.messages import MESSAGES
from chat_migration.sources.neutral.parquet_rows import ParquetRows
from chat_migration.sources.neutral.table import Table
from chat_migration.sources.neutral.users import USERS
from chat_migration.sources.neutral.values import Row
from chat_migration.sources.tree import ExportTree

TABLES = {table.name: table for table in (USERS, GROUPS, MEMBERS, DIRECT_READS, MESSAGES)}
"""The tables by name, in the order in which they are read."""

PIECE_BYTES = 32 << 20
"""Larger files are split between workers, smaller ones read together, up to about this size."""


class NeutralSource:
    """Reads neutral exports: five tables, in JSON lines, CSV or Parquet."""

    name: ClassVar[str] = "neutral"
    reader_version: ClassVar[int] = 1
    own_folders: ClassVar[frozenset[str]] = frozenset(TABLES)

    def __init__(self, piece_bytes: int = PIECE_BYTES) -> None:
        self._piece_bytes = piece_bytes

    def message_files(self, export: ExportTree) -> frozenset[str]:
        """Return the files of the table ``messages``.

        Raises:
            UnreadableExportError: a table is missing, given twice, or in no known format.
        """
        return frozenset(file.path for file in find_tables(export, TABLES).get(MESSAGES.name, []))

    def pieces(self, export: ExportTree, without: frozenset[str] = frozenset()) -> list[Piece]:
        """Return the parts of the export, tables in order.

        Raises:
            UnreadableExportError: a table is missing, given twice, or in no known format.
        """
        found = find_tables(export, TABLES)
        return [
            piece
            for name in TABLES
            for piece in self._table_pieces(
                export, name, [file for file in found.get(name, []) if file.path not in without]
            )
        ]

    def read(self, export: ExportTree, piece: Piece) -> Iterator[Item]:
        """Yield the records and problems of one piece.

        Raises:
            UnreadableExportError: a file is damaged, or its header is not the table's.
        """
        for path in piece.paths:
            yield from _read_file(export, TABLES[piece.name], path, piece)

    def _table_pieces(
        self, export: ExportTree, name: str, files: list[TableFile]
    ) -> Iterator[Piece]:
        together: list[TableFile] = []
        for file in files:
            if file.size > self._piece_bytes:
                yield from self._split(export, name, file)
                continue
            if sum(other.size for other in together) + file.size > self._piece_bytes:
                yield _whole(name, together)
                together = []
            together.append(file)
        if together:
            yield _whole(name, together)

    def _split(self, export: ExportTree, name: str, file: TableFile) -> Iterator[Piece]:
        """Split a large file by bytes, or by row groups, where its format and packaging allow."""
        if file.format == "csv" or not export.is_splittable(file.path):
            yield _whole(name, [file])
            return
        parts = -(-file.size // self._piece_bytes)
        total = file.size
        if file.format == "parquet":
            with export.open_seekable(file.path) as stream:
                total = ParquetRows(stream, {}, file.path).row_groups
        bounds = sorted({total * part // parts for part in range(parts + 1)})
        for start, end in itertools.pairwise(bounds):
            yield Piece(name, (file.path,), start, end, size=file.size * (end - start) // total)


def _whole(name: str, files: list[TableFile]) -> Piece:
    return Piece(name, tuple(file.path for file in files), size=sum(file.size for file in files))


def _read_file(export: ExportTree, table: Table, path: str, piece: Piece) -> Iterator[Item]:
    parse, unknown_fields = table.parse, table.unknown
    for line, row in _rows(export, table, path, piece):
        origin = Origin(path, line)
        if not isinstance(row, dict):
            yield row if isinstance(row, LinesRead) else table.problem({}, origin, row)
            continue
        unknown = unknown_fields(row)
        for field in unknown:
            yield UnknownField(table.record_type, field, path, line)
        try:
            record = parse(row, origin, unknown)
        except BadRow as bad:
            yield table.problem(row, origin, bad)
        except RecursionError:
            yield table.problem({}, origin, BadRow("too_deep", "Values are nested too deeply."))
        else:
            yield record


def _rows(
    export: ExportTree, table: Table, path: str, piece: Piece
) -> Iterator[tuple[int, Row | BadRow | LinesRead]]:
    """Yield the numbered rows of a file; a part of a split file ends with how many it held."""
    max_row = export.limits.max_row
    reader: JsonLines | ParquetRows
    match format_of(path):
        case "csv":
            with export.open_table(path) as stream:
                yield from csv_rows(stream, table, path, max_row)
            return
        case "parquet":
            with export.open_seekable(path) as seekable:
                reader = ParquetRows(seekable, table.fields, path, start=piece.start, end=piece.end)
                yield from reader
        case _:
            with export.open_table(path) as stream:
                reader = JsonLines(stream, start=piece.start, end=piece.end, max_row=max_row)
                yield from reader
    if piece.end:
        yield reader.lines, LinesRead(reader.lines)
