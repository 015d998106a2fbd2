"""The use case: read an export once, stage what is good, list what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote

import msgspec
import pyarrow.parquet as pq

from chat_migration.extraction import positions, tables
from chat_migration.extraction.cut import Cut
from chat_migration.extraction.parts import ExportPart, Reading, open_parts
from chat_migration.extraction.pool import Progress, read_pieces
from chat_migration.extraction.reading import PieceResult, line_bases
from chat_migration.extraction.sorting import Sorter
from chat_migration.keys import KEY_VERSION, content_hash
from chat_migration.model import RecordType
from chat_migration.sources.base import Source
from chat_migration.sources.packaging.limits import Limits
from chat_migration.store import file_index, schemas
from chat_migration.store.extract import Extract, FieldCount, Manifest, TypeCount
from chat_migration.store.file_index import FileIndex, IndexedFile
from chat_migration.store.parquet import write_by_date, write_table
from chat_migration.store.stage import MANIFEST
from chat_migration.store.workplace import put_in_place, workplace
from chat_migration.window import RunWindow, Window

__all__ = ["ExportPart", "Progress", "extract", "versions_of"]

log = logging.getLogger(__name__)


def extract(
    source: Source,
    export: Path | str | Sequence[ExportPart],
    *,
    source_name: str,
    window: Window | RunWindow,
    stage_dir: Path | str,
    is_whole: bool = False,
    missing_drops: Sequence[str] = (),
    index: FileIndex | None = None,
    workers: int = 2,
    memory_limit: str = "512MB",
    progress: Progress | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    when_readable: Callable[[], None] | None = None,
) -> Extract:
    """Stage one window of an export as Parquet under ``<stage_dir>/<source_name>/<extract id>``.

    The same export, window, versions and files left out give the same id and the same files, byte for byte;
    repeating the call replaces that extract and no other. A crash leaves no half extract.

    Args:
        source: the reader of the export's format.
        export: a folder, ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``; or drops that are read together, in order.
        stage_dir: where extracts lie; made if it is not there.
        source_name: under which the ledger keeps these rows; part of every message key.
        window: takes messages by ``sent_at``, from the lookback's start on if there is one, and earlier ones that
            were edited or deleted in it; other records are staged whole.
        is_whole: the exports are drops: every row is taken, and other rows stand in drops that are not read.
        missing_drops: drops that are left out because they are not there; the manifest names them.
        index: what earlier readings found in this folder; files without anything for this window are not opened,
            and what is read is added.
        workers: reading processes; small exports are read in this one.
        memory_limit: what DuckDB may hold in memory, as it writes it (``512MB``); it spills the rest to disk.
        progress: called with rows read, bytes read, bytes in all.
        limits: bounds against zip bombs and endless rows.
        when_readable: called once the export is known to be one of this format, before the long reading starts.

    Raises:
        UnreadableExportError: the export, or one of its files as a whole, cannot be read.
        InterruptedRunError: a reading process was killed.
    """
    taken = RunWindow(window=window) if isinstance(window, Window) else window
    cut = Cut.of(taken, is_whole=is_whole)
    parts = [ExportPart(Path(export))] if isinstance(export, Path | str) else export
    stage = Path(stage_dir) / quote(source_name, safe=" @+").replace(".", "%2E")
    with workplace(stage) as folder:
        reading = open_parts(
            source, parts, scratch=folder, limits=limits, index=index, begin_ms=cut.begin_ms
        )
        if when_readable is not None:
            when_readable()
        (folder / "raw").mkdir()
        results = read_pieces(
            source, reading.exports, reading.pieces, source_name=source_name,
            folder=folder / "raw", workers=workers, progress=progress,
        )  # fmt: skip
        blank = _blank(source, source_name, taken, reading, is_whole=is_whole)
        blank = msgspec.structs.replace(
            blank,
            unknown_fields=_merged(reading, results),
            missing_drops=list(missing_drops),
        )
        with Sorter(
            folder, reading.pieces, results, names=reading.names, memory_limit=memory_limit
        ) as sorter:
            _skip(sorter, reading, index)
            # Drops that begin somewhere say nothing of the messages in those before them.
            is_partial = is_whole and taken.window.start_ms is not None
            manifest = _staged(folder, sorter, cut, blank, is_partial=is_partial)
            if index is not None and reading.message_files:
                _keep(folder, sorter, reading, index)
        hidden = index.rows(reading.skipped) if index is not None else 0
        manifest = msgspec.structs.replace(
            manifest, outside_window=manifest.outside_window + hidden
        )
        (folder / "made" / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        final = stage / manifest.extract_id
        put_in_place(folder / "made", final, folder / "replaced")
    _log(manifest)
    return Extract(final, manifest)


def versions_of(source: Source) -> str:
    """Return what changes when the same files would give other rows."""
    return f"{source.name}/{source.reader_version}/{schemas.STAGE_VERSION}/{KEY_VERSION}"


def _blank(
    source: Source, source_name: str, taken: RunWindow, reading: Reading, *, is_whole: bool
) -> Manifest:
    """Return the manifest of an extract that holds nothing yet."""
    fingerprint = reading.fingerprint
    window = f"{taken.window}/{taken.lookback_start_ms}/{'whole' if is_whole else 'cut'}"
    # One id is one content, and read positions look different where files were left out.
    left_out = "/".join(sorted(reading.skipped))
    return Manifest(
        extract_id=content_hash(source_name, window, versions_of(source), fingerprint, left_out),
        source=source.name,
        source_name=source_name,
        reader_version=source.reader_version,
        stage_version=schemas.STAGE_VERSION,
        window=taken.window,
        lookback_start_ms=taken.lookback_start_ms,
        fingerprint=fingerprint,
        rows_read={},
        ended=[],
        outside_window=0,
        unknown_fields=[],
        first_message_ms=None,
        last_message_ms=None,
        drops=[name for name in reading.names if name],
        skipped_files=len(reading.skipped),
    )


def _skip(sorter: Sorter, reading: Reading, index: FileIndex | None) -> None:
    if index is None or not reading.skipped:
        sorter.skip([], [])
    else:
        sorter.skip(index.details(), index.numbers(reading.skipped))


def _staged(
    folder: Path, sorter: Sorter, cut: Cut, blank: Manifest, *, is_partial: bool
) -> Manifest:
    """Write all tables to ``made``; return the manifest."""
    made = folder / "made"
    made.mkdir()
    sorter.run(cut)
    for step in positions.STEPS:
        sorter.execute(step.format(is_partial=str(is_partial).lower(), end_ms=cut.end_ms or "NULL"))
    for table, query in tables.QUERIES.items():
        batches = sorter.batches(query.format(taken=cut.taken, sent_before=cut.sent_before))
        write_table(made / table, schemas.BY_TABLE[table], batches)
    write_by_date(made / "messages", schemas.MESSAGES, sorter.batches(tables.MESSAGES))
    return _counted(sorter, cut, blank)


def _keep(folder: Path, sorter: Sorter, reading: Reading, index: FileIndex) -> None:
    """Add what was read to the file index."""
    here = {file.path: file for file in reading.exports[0].files()}
    read = sorted(
        path for path in reading.message_files - reading.skipped if not index.is_known(here[path])
    )
    numbered = {path: index.next_number + place for place, path in enumerate(read)}
    sorter.number_files(numbered)
    details = folder / "details.parquet"
    with pq.ParquetWriter(details, file_index.DETAILS) as writer:
        for batch in sorter.batches(tables.DETAILS):
            writer.write_batch(batch.cast(file_index.DETAILS))
    found = {number: (rows, newest) for number, rows, newest in sorter.rows(tables.FILES)}
    fresh = {
        path: IndexedFile(
            here[path].size, here[path].mark, number, *cast("tuple[int, int | None]", found[number])
        )
        for path, number in numbered.items()
    }
    index.keep(fresh, details, reading.message_files)


def _counted(sorter: Sorter, cut: Cut, blank: Manifest) -> Manifest:
    """Return the manifest with its counts; rows read, staged and ended must add up."""
    within = {"taken": cut.taken, "sent": cut.sent}
    read = _by_type(sorter.rows(tables.ROWS_READ.format(**within)))
    staged = _by_type(sorter.rows(tables.STAGED))
    ended = [
        TypeCount(RecordType(str(kind)), str(outcome), str(reason), cast("int", rows))
        for kind, outcome, reason, rows in sorter.rows(tables.ENDED)
    ]
    for kind in RecordType:
        gone = sum(count.rows for count in ended if count.record_type == kind)
        if read[kind] != staged[kind] + gone:
            raise RuntimeError(
                f"extraction lost {kind}: read {read[kind]}, staged {staged[kind]}, ended {gone}"
            )
    ((outside,),) = sorter.rows(tables.OUTSIDE.format(**within))
    ((first, last),) = sorter.rows(tables.TIMES)
    return msgspec.structs.replace(
        blank,
        rows_read=read,
        ended=ended,
        outside_window=outside,
        first_message_ms=first,
        last_message_ms=last,
    )


def _by_type(rows: list[tuple[object, ...]]) -> dict[RecordType, int]:
    found = {RecordType(str(kind)): cast("int", count) for kind, count in rows}
    return {kind: found.get(kind, 0) for kind in RecordType}


def _merged(reading: Reading, results: Sequence[PieceResult]) -> list[FieldCount]:
    """Return the unknown fields of all pieces, each with where it was met first."""
    merged: dict[tuple[RecordType, str], FieldCount] = {}
    bases = line_bases(reading.pieces, results)
    for piece, result, base in zip(reading.pieces, results, bases, strict=True):
        drop = reading.names[piece.drop]
        for count in result.unknown_fields:
            first = msgspec.structs.replace(
                count.first,
                file=f"{drop}/{count.first.file}" if drop else count.first.file,
                line=count.first.line + base,
            )
            known = merged.setdefault((first.record_type, first.field), FieldCount(first, 0))
            merged[first.record_type, first.field] = FieldCount(
                known.first, known.rows + count.rows
            )
    return [merged[key] for key in sorted(merged)]


def _log(manifest: Manifest) -> None:
    log.info(
        "Extracted %s: read=%d ended=%d outside_window=%d skipped_files=%d",
        manifest.extract_id,
        sum(manifest.rows_read.values()),
        sum(count.rows for count in manifest.ended),
        manifest.outside_window,
        manifest.skipped_files,
    )
