"""Elements of a JSON file that is one large array, read one by one."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.base import BadRow

_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
_ESCAPES = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_decode = json.JSONDecoder().raw_decode


class _Broken(Exception):
    """The text at a position is no JSON."""


class JsonArray:
    """The elements of a file that holds one JSON array, numbered from 1.

    Args:
        max_element: bytes of the longest element; what is longer, or broken, ends the reading.
        clean: applied to an element's text before it is decoded, such as to take out secrets.
    """

    def __init__(
        self,
        stream: IO[bytes],
        *,
        file: str,
        max_element: int,
        clean: Callable[[str], str] | None = None,
    ) -> None:
        self._stream, self._file, self._clean = stream, file, clean
        self._max_element = max_element
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._text, self._at, self._dropped, self._ended = "", 0, 0, False
        self._number = 0

    def __iter__(self) -> Iterator[tuple[int, Any | BadRow]]:
        """Yield each element's number with the element, or with what is wrong with its text.

        Raises:
            UnreadableExportError: the file is no JSON array, or broken from some element on.
        """
        try:
            self._open()
            while self._has_next():
                self._number += 1
                yield self._number, self._element()
        except _Broken as broken:
            raise UnreadableExportError(
                f"`{self._file}` is no JSON array: {broken} (character {self._dropped + self._at}, "
                f"element {self._number}).",
                expected="A file as the exporter wrote it, to its end.",
                advice="Download or copy the export again.",
            ) from None

    def _open(self) -> None:
        if self._next_char() != "[":
            raise _Broken("it does not start with `[`")
        self._at += 1

    def _has_next(self) -> bool:
        found = self._next_char()
        if self._number and found == ",":
            self._at += 1
            return True
        if found == "]":
            self._at += 1
            return False
        if self._number:
            raise _Broken(
                "it ends too early" if not found else "elements are not separated by commas"
            )
        return True

    def _element(self) -> Any | BadRow:
        self._next_char()
        wanted = _BLOCK
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended or len(self._text) - self._at > self._max_element:
                    raise _Broken(f"{error.msg}, or the element is too long") from None
            except (RecursionError, ValueError) as error:
                raise _Broken(type(error).__name__) from None
            else:
                if end < len(self._text) or self._ended:
                    break
            self._fill(wanted)
            wanted *= 2
        raw = self._text[self._at : end]
        self._at = end
        if self._clean is not None and (cleaned := self._clean(raw)) != raw:
            value = json.loads(cleaned)
        return _checked(raw, value)

    def _next_char(self) -> str:
        """Skip white space; return the character after it, or "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(_BLOCK)

    def _fill(self, size: int) -> None:
        block = self._stream.read(size)
        self._ended = not block
        self._dropped += self._at
        self._text = self._text[self._at :] + self._decoder.decode(block, final=self._ended)
        self._at = 0


def _checked(raw: str, value: Any) -> Any | BadRow:
    """Return the element, or its problem if it holds what is no text."""
    if _NO_CHARACTER.search(raw):
        return BadRow("bad_encoding", "The row is no UTF-8.", "Convert the file to UTF-8.")
    if _ESCAPES.search(raw):
        text = json.dumps(value, ensure_ascii=False)
        if "\\u0000" in text or _NO_CHARACTER.search(text):
            return BadRow(
                "bad_text",
                "The row holds a NUL or half of a character.",
                "Repair the text in the export; a cut through an emoji is the usual cause.",
            )
    return value
