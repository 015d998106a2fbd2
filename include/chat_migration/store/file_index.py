"""What is known of an export's message files from earlier readings, so that old ones need not be opened again.

Of each file, by path, size and modification time: how many rows it holds, when its newest change was, and per
conversation how many messages and the first and last time. It is a shortcut and nothing else: lost, stale or
made by another version, everything is read, and the outcome is the same. Only broken rows without a time are listed
by those runs alone that open their file, since nobody can tell to which window they belong.

Names on the stage: ``index/<source_name>/<export>/files.json``, which says what counts, and beside it folders of
Parquet, one for each reading; small ones are put together now and then. Files of a folder that grows are added;
nothing is ever changed in place. Two runs at once: the later one's list counts, and what only the other knew is
read once more.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chat_migration.errors import MigrationError
from chat_migration.sources.tree import ExportFile
from chat_migration.store.stage import Stage

INDEX_VERSION = 1
"""Version of everything that this module writes."""

DETAILS = pa.schema(
    [
        ("number", pa.int64()),
        ("conversation", pa.string()),
        ("group_id", pa.string()),
        ("rows", pa.int64()),
        ("first_ms", pa.int64()),
        ("last_ms", pa.int64()),
    ]
)
"""One row per file (by its number) and conversation: messages, and when the first and last of them were sent."""

_FILE = "details.parquet"
_LARGE_ROWS = 250_000
"""Chunks of more rows are not put together any more, so that no night pays for the whole history."""

_log = logging.getLogger(__name__)


class IndexedFile(msgspec.Struct, frozen=True):
    """A file as it was when it was read.

    ``number`` is the file's in the details; ``rows`` counts its messages and its broken rows with a time;
    ``newest_ms`` is the latest instant at which any of them was sent, edited or deleted, None without any.
    """

    size: int
    mark: str
    number: int
    rows: int
    newest_ms: int | None

    def ends_before(self, begin_ms: int) -> bool:
        """Tell whether nothing happened in this file since an instant."""
        return self.newest_ms is None or self.newest_ms < begin_ms


class _Chunk(msgspec.Struct, frozen=True):
    name: str
    rows: int


class _Listing(msgspec.Struct, frozen=True):
    versions: str
    files: dict[str, IndexedFile] = {}
    chunks: list[_Chunk] = []
    next_number: int = 0


_decode = msgspec.json.Decoder(_Listing).decode
"""Made at import: its first use by two threads at once crashes the process (msgspec 0.22)."""


class FileIndex:
    """The index of one export under one source name.

    Args:
        stage: where it lies.
        source_name: of the run.
        export_path: as it is given in the settings.
        reader: name and version of what reads the export; another one knows nothing of this index.
        is_kept: whether what is read is added; a dry run adds nothing.
    """

    def __init__(
        self, stage: Stage, *, source_name: str, export_path: str, reader: str, is_kept: bool = True
    ) -> None:
        self._stage, self._is_kept = stage, is_kept
        export = blake2b(export_path.encode(), digest_size=8).hexdigest()
        name = quote(source_name, safe=" @+").replace(".", "%2E")
        self._folder = f"index/{name}/{export}"
        self._listing = _Listing(f"{INDEX_VERSION}/{reader}")
        self._chunks: dict[str, Path] = {}
        self._open()

    @property
    def next_number(self) -> int:
        """Return the first number that no file has yet; numbers are never used again."""
        return self._listing.next_number

    def past_files(
        self, files: Iterable[ExportFile], names: frozenset[str], begin_ms: int | None
    ) -> frozenset[str]:
        """Return those of the named files that are unchanged and hold nothing sent, edited or deleted since.

        Args:
            files: the export as it is now.
            names: the files that may be left out.
            begin_ms: where what is taken begins; None: at the beginning, so nothing is past.
        """
        if begin_ms is None:
            return frozenset()
        known = self._listing.files
        return frozenset(
            file.path
            for file in files
            if file.path in names and self.is_known(file) and known[file.path].ends_before(begin_ms)
        )

    def is_known(self, file: ExportFile) -> bool:
        """Tell whether a file is as it was when it was read last."""
        was = self._listing.files.get(file.path)
        return was is not None and (was.size, was.mark) == (file.size, file.mark)

    def rows(self, paths: Iterable[str]) -> int:
        """Return how many rows some known files hold."""
        return sum(self._listing.files[path].rows for path in paths)

    def numbers(self, paths: Iterable[str]) -> list[int]:
        """Return the numbers of known files in the details."""
        return sorted(self._listing.files[path].number for path in paths)

    def details(self) -> list[Path]:
        """Return the Parquet files of all details on this machine; they also hold files that are gone."""
        return list(self._chunks.values())

    def keep(self, fresh: dict[str, IndexedFile], details: Path, names: Iterable[str]) -> None:
        """Add what was read; forget files that are not in the export any more. A failure costs a warning only.

        Args:
            fresh: the files that were read, by path, numbered from :attr:`next_number` on.
            details: their rows of :data:`DETAILS`, as Parquet.
            names: every message file of the export as it is now.
        """
        if not self._is_kept:
            return
        there = frozenset(names)
        files = {path: file for path, file in self._listing.files.items() if path in there} | fresh
        if files == self._listing.files:
            return
        try:
            self._write(files, details, self.next_number + len(fresh))
        except (MigrationError, OSError) as error:
            _log.warning("The file index was not written: %s", error)

    # --- writing --------------------------------------------------------------------------------

    def _write(self, files: dict[str, IndexedFile], details: Path, next_number: int) -> None:
        rows = pq.read_metadata(details).num_rows
        kept, taken = self._to_merge(rows)
        name = f"{self._folder}/{uuid.uuid4().hex}"
        with self._stage.making(name) as folder:
            rows = _merge(
                [*(self._chunks[each.name] for each in taken), details],
                [file.number for file in files.values()],
                folder / _FILE,
            )
        chunks = [*kept, _Chunk(name, rows)]
        listing = _Listing(self._listing.versions, files, chunks, next_number)
        self._stage.write_note(f"{self._folder}/files.json", msgspec.json.encode(listing))
        for each in taken:
            self._stage.remove(each.name)
        self._listing = listing

    def _to_merge(self, rows: int) -> tuple[list[_Chunk], list[_Chunk]]:
        """Return the chunks that stay, and those that are put together with so many new rows: the smaller ones."""
        kept = sorted(self._listing.chunks, key=lambda each: -each.rows)
        taken: list[_Chunk] = []
        while kept and kept[-1].rows <= min(2 * rows, _LARGE_ROWS):
            taken.append(kept.pop())
            rows += taken[-1].rows
        return kept, taken

    # --- reading --------------------------------------------------------------------------------

    def _open(self) -> None:
        """Read what is there; whatever cannot be used counts as nothing."""
        raw = self._stage.note(f"{self._folder}/files.json")
        try:
            found = _decode(raw) if raw else None
        except msgspec.MsgspecError:
            found = None
        if found is None or found.versions != self._listing.versions:
            return
        for chunk in found.chunks:
            there = self._stage.find(chunk.name)
            if there is None:
                self._chunks = {}
                return
            there.fetch()
            self._chunks[chunk.name] = there.folder / _FILE
        self._listing = found


def _merge(details: Sequence[Path], numbers: list[int], path: Path) -> int:
    """Write the rows of living files to one Parquet file; return how many there are."""
    wanted = pa.array(numbers, pa.int64())
    tables = []
    for each in details:
        table = pq.read_table(each, schema=DETAILS)
        tables.append(table.filter(pc.is_in(table["number"], wanted)))
    merged = pa.concat_tables(tables)
    pq.write_table(merged, path, compression="zstd", compression_level=1)
    return int(merged.num_rows)
