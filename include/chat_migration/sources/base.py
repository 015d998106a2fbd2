"""What a reader of one legacy format must offer.

A source reads an export in *pieces*, so that several processes can share the work; it yields records and
problems one by one and never holds the export in memory. It knows nothing of targets, ledgers or windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import msgspec

from chat_migration.model import Problem, Record, RecordType
from chat_migration.sources.tree import ExportTree


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of an export that one worker reads on its own.

    ``name`` says to the source what to read (a table, a channel); ``paths`` are files inside the export, in
    the order in which they are read; ``start`` and ``end`` bound a part of a single file that is split
    between workers (end 0: to its end): bytes of lines, or row groups of Parquet. ``size`` is in bytes, for
    progress only. ``drop`` counts the exports that are read together; a source leaves it 0.
    """

    name: str
    paths: tuple[str, ...]
    start: int = 0
    end: int = 0
    size: int = 0
    drop: int = 0


class UnknownField(msgspec.Struct, frozen=True):
    """A field that the format does not know. Sources yield one per row; reports show it once per field."""

    record_type: RecordType
    field: str
    file: str
    line: int


class LinesRead(msgspec.Struct, frozen=True):
    """How many lines (or rows) a part of a split file holds; yielded once, at the part's end.

    The lines of the parts before it, added up, are what a part's ``Origin.line`` lacks.
    """

    count: int


Item = Record | Problem | UnknownField | LinesRead


class BadRow(Exception):
    """A row that cannot be taken, as ``model.Problem`` says it; never leaves a source."""

    def __init__(self, reason: str, detail: str, advice: str = "") -> None:
        super().__init__(detail)
        self.reason, self.detail, self.advice = reason, detail, advice


class Source(Protocol):
    """A reader of one legacy format. Every implementation passes ``tests/contracts/test_source.py``."""

    name: ClassVar[str]
    """What ``--source`` says."""
    reader_version: ClassVar[int]
    """Part of the extract id: raised when the same export would give other rows."""
    own_folders: ClassVar[frozenset[str]]
    """Top folders that are part of the format; any other lone top folder only wraps the export."""

    def message_files(self, export: ExportTree) -> frozenset[str]:
        """Return the files that hold messages and nothing else.

        Such a file may be left out when all its messages are of no use to a run: no other record is lost with
        it, and no other file reads differently without it.

        Raises:
            UnreadableExportError: as :meth:`pieces`.
        """

    def pieces(self, export: ExportTree, without: frozenset[str] = frozenset()) -> list[Piece]:
        """Return the parts of the export, small tables first.

        Args:
            export: its files.
            without: some of its :meth:`message_files`, which are not read; they may not even be on this machine.

        Raises:
            UnreadableExportError: this is no export of this format; the text says what was found.
        """

    def read(self, export: ExportTree, piece: Piece) -> Iterator[Item]:
        """Yield what one piece holds, in the order of the file.

        A bad row becomes a ``Problem`` and the reading goes on. ``Origin.line`` of a part of a split file
        counts from the part's own start, and the part ends with ``LinesRead``.

        Raises:
            UnreadableExportError: a file as a whole cannot be read.
        """
