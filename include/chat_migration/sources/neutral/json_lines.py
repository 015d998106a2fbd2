"""Rows of a ``.jsonl`` file, or of a part of one: one object a line, nothing held but the line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import msgspec

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral.values import Row

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SKIP_BYTES = 1 << 20
_decode = msgspec.json.Decoder().decode


class JsonLines:
    """The rows of the lines that start at ``start <= byte < end``, in order.

    Args:
        stream: at the file's start.
        end: 0 is the file's end.
        max_row: bytes of the longest line that is read; a longer one is skipped and reported.
    """

    def __init__(
        self, stream: io.BufferedReader, *, start: int = 0, end: int = 0, max_row: int
    ) -> None:
        self._stream, self._start, self._max_row = stream, start, max_row
        self._end = end or sys.maxsize
        self.lines = 0
        """Lines met so far, blank ones included."""

    def __iter__(self) -> Iterator[tuple[int, Row | BadRow]]:
        """Yield each line's number, from 1, with its object or what is wrong with it."""
        position, readline, cap = self._first_line(), self._stream.readline, self._max_row + 1
        while position < self._end:
            raw = readline(cap)
            if not raw:
                return
            position += len(raw)
            self.lines += 1
            if len(raw) == cap and raw[-1] != _NEWLINE:
                skipped = self._skip_line()
                position += skipped
                yield self.lines, line_too_long(len(raw) + skipped, self._max_row)
                continue
            try:
                row = _decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                if not raw.isspace():
                    yield self.lines, _bad_line(raw, error)
            else:
                yield self.lines, row if type(row) is dict else _not_an_object(row)

    def _first_line(self) -> int:
        """Go to the first line of this part; return its position."""
        if self._start:
            self._stream.seek(self._start - 1)
            return self._start - 1 + self._skip_line()
        head = self._stream.peek(len(_BOM))[: len(_BOM)]
        if head[:2] in _UTF_16:
            raise UnreadableExportError(
                f"`{getattr(self._stream, 'name', 'A table')}` is written in UTF-16.",
                expected="UTF-8.",
                advice="Convert it: `iconv -f UTF-16 -t UTF-8`.",
            )
        return len(self._stream.read(len(_BOM))) if head == _BOM else 0

    def _skip_line(self) -> int:
        """Read up to the end of the line without keeping it; return the bytes read."""
        skipped = 0
        while block := self._stream.readline(_SKIP_BYTES):
            skipped += len(block)
            if block[-1] == _NEWLINE:
                break
        return skipped


_NEWLINE = ord("\n")


def line_too_long(found: int, allowed: int) -> BadRow:
    """Return the problem of a row that is not read because of its length."""
    return BadRow(
        "line_too_long",
        f"The row has {found:,} bytes; at most {allowed:,} are read.",
        "Split the row, or move what it embeds (a file as text) behind a URL.",
    )


def _not_an_object(row: object) -> BadRow:
    found = "null" if row is None else f"a {type(row).__name__}"
    return BadRow(
        "not_an_object", f"The line holds {found}, not an object.", "Write one `{…}` object a line."
    )


def _bad_line(raw: bytes, error: Exception) -> BadRow:
    """Say why a line cannot be decoded; the text of the line is not shown."""
    if isinstance(error, UnicodeDecodeError):
        return BadRow("bad_encoding", "The line is no UTF-8.", "Write the export in UTF-8.")
    if isinstance(error, RecursionError):
        return BadRow("too_deep", "The line's values are nested too deeply.", "Flatten them.")
    if _has_lone_surrogate(raw):
        return BadRow(
            "bad_text",
            "The line holds a `\\ud8…` escape without its other half, which is no character.",
            "Repair the text in the export; a cut through an emoji is the usual cause.",
        )
    detail = str(error).removeprefix("JSON is malformed: ")
    return BadRow(
        "bad_json", f"The line is no JSON: {detail}.", "Write one whole `{…}` object a line."
    )


def _has_lone_surrogate(raw: bytes) -> bool:
    try:
        json.dumps(json.loads(raw), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False
