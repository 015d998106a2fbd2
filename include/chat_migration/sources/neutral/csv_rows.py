"""Rows of a ``.csv`` file (RFC 4180, header row); numbers, truth values and nested values taken from text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral.json_lines import line_too_long
from chat_migration.sources.neutral.table import Kind, Table
from chat_migration.sources.neutral.values import Row
from chat_migration.sources.packaging.names import is_text

_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII).fullmatch
_SKIP_BYTES = 1 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_decode = msgspec.json.Decoder().decode


def csv_rows(
    stream: io.BufferedReader, table: Table, file: str, max_row: int
) -> Iterator[tuple[int, Row | BadRow]]:
    """Yield the line on which each row starts, from 1, with the row or what is wrong with it.

    Empty cells are absent fields; a column that the table does not know is text.

    Raises:
        UnreadableExportError: there is no header, or it lacks a column that the table needs.
    """
    csv.field_size_limit(max_row)
    lines = _Lines(stream, max_row)
    reader = csv.reader(lines, strict=True)
    header = _header(reader, table, file)
    while True:
        first, quotes = lines.read + 1, lines.quotes
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                lines.skip_cell(quotes)
            yield first, lines.too_long_since(first) or _bad_csv(error)
            continue
        if too_long := lines.too_long_since(first):
            yield first, too_long
        elif cells:
            yield first, _row(header, cells, table.fields)


class _Lines:
    """The physical lines of a file as text; a line that is too long is replaced by an empty cell."""

    def __init__(self, stream: io.BufferedReader, max_row: int) -> None:
        self._stream, self._max_row = stream, max_row
        self.read = self.quotes = 0
        self._too_long: tuple[int, int] = (0, 0)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._stream.readline(self._max_row + 1)
        if not raw:
            raise StopIteration
        self.read += 1
        if len(raw) > self._max_row and not raw.endswith(b"\n"):
            return self._skipped(raw)
        self.quotes += raw.count(b'"')
        return raw.decode("utf-8-sig" if self.read == 1 else "utf-8", "surrogateescape")

    def _skipped(self, raw: bytes) -> str:
        """Return what leaves the reader inside or outside of quotes as the whole line would."""
        size, quotes = len(raw), raw.count(b'"')
        while block := self._stream.readline(_SKIP_BYTES):
            size, quotes = size + len(block), quotes + block.count(b'"')
            if block.endswith(b"\n"):
                break
        self._too_long = (self.read, size)
        self.quotes += quotes
        return '"\n' if quotes % 2 else "\n"

    def skip_cell(self, quotes: int) -> None:
        """Read on to the end of the line on which the open cell closes, ``quotes`` having stood before it."""
        while (self.quotes - quotes) % 2 and next(self, None) is not None:
            pass

    def too_long_since(self, first: int) -> BadRow | None:
        """Return the problem of a row that holds a line too long to be read, if it does."""
        line, size = self._too_long
        return line_too_long(size, self._max_row) if line >= first else None


def _header(reader: Iterator[list[str]], table: Table, file: str) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        header = []
    missing = [name for name in table.columns if name not in header]
    if table.either and not set(table.either) & set(header):
        missing.append(" or ".join(table.either))
    if missing:
        found = ", ".join(f"`{name[:40]!a}`" for name in header[:20]) or "nothing"
        raise UnreadableExportError(
            f"The header of `{file}` lacks {', '.join(f'`{name}`' for name in missing)}; it holds {found}.",
            expected=f"A header row, in UTF-8, with the columns of the table `{table.name}`.",
        )
    if not all(is_text(name) for name in header):
        raise UnreadableExportError(
            f"The header of `{file}` is no UTF-8 text.", advice="Write the export in UTF-8."
        )
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise UnreadableExportError(f"The header of `{file}` names `{min(twice)}` twice.")
    return header


def _row(header: list[str], cells: list[str], fields: Mapping[str, Kind]) -> Row | BadRow:
    if len(cells) != len(header):
        return BadRow(
            "ragged_row",
            f"The row has {len(cells)} cells, the header {len(header)}.",
            "Quote cells that hold commas, quotes or line breaks.",
        )
    row: Row = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        if not cell.isascii() and any("\udc80" <= char <= "\udcff" for char in cell):
            return BadRow("bad_encoding", f"`{name}` is no UTF-8.", "Write the export in UTF-8.")
        try:
            row[name] = _value(fields.get(name, "text"), cell)
        except (msgspec.MsgspecError, RecursionError):
            return BadRow(
                "bad_json", f"`{name}` is no JSON.", "Write nested values as JSON text, in quotes."
            )
    return row


def _value(kind: Kind, cell: str) -> Any:
    match kind:
        case "json":
            return _decode(cell)
        case "instant" | "integer" if _INTEGER(cell):
            return int(cell)
        case "boolean":
            return {"true": True, "false": False}.get(cell.lower(), cell)
        case _:
            return cell


def _bad_csv(error: csv.Error) -> BadRow:
    return BadRow(
        "bad_csv", f"The row is no CSV: {error}.", "Write RFC 4180: quotes inside cells doubled."
    )
