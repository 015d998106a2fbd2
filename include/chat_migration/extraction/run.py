"""The use case: read an export once, stage what is good, list what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote

import msgspec

from chat_migration.extraction import positions, tables
from chat_migration.extraction.pool import Progress, read_pieces
from chat_migration.extraction.reading import PieceResult, line_bases
from chat_migration.extraction.sorting import Sorter, inside
from chat_migration.extraction.workplace import put_in_place, workplace
from chat_migration.keys import KEY_VERSION, content_hash
from chat_migration.model import RecordType
from chat_migration.sources.base import Piece, Source
from chat_migration.sources.packaging.limits import Limits
from chat_migration.sources.tree import ExportTree
from chat_migration.store import schemas
from chat_migration.store.extract import MANIFEST, Extract, FieldCount, Manifest, TypeCount
from chat_migration.store.parquet import write_by_date, write_table
from chat_migration.window import Window

__all__ = ["Progress", "extract"]

log = logging.getLogger(__name__)


def extract(
    source: Source,
    export_path: Path | str,
    *,
    source_name: str,
    window: Window,
    stage_dir: Path | str,
    workers: int = 2,
    memory_limit: str = "512MB",
    progress: Progress | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    when_readable: Callable[[], None] | None = None,
) -> Extract:
    """Stage one window of an export as Parquet under ``<stage_dir>/<source_name>/<extract id>``.

    The same export, window and versions give the same id and the same files, byte for byte; repeating the call
    replaces that extract and no other. A crash leaves no half extract.

    Args:
        source: the reader of the export's format.
        export_path: a folder, ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
        stage_dir: where extracts lie; made if it is not there.
        source_name: under which the ledger keeps these rows; part of every message key.
        window: cuts messages by ``sent_at``; other records are staged whole.
        workers: reading processes; small exports are read in this one.
        memory_limit: what DuckDB may hold in memory, as it writes it (``512MB``); it spills the rest to disk.
        progress: called with rows read, bytes read, bytes in all.
        limits: bounds against zip bombs and endless rows.
        when_readable: called once the export is known to be one of this format, before the long reading starts.

    Raises:
        UnreadableExportError: the export, or one of its files as a whole, cannot be read.
        InterruptedRunError: a reading process was killed.
    """
    stage = Path(stage_dir) / quote(source_name, safe=" @+").replace(".", "%2E")
    with workplace(stage) as folder:
        export = ExportTree.open(
            export_path, scratch=folder, own_folders=source.own_folders, limits=limits
        )
        pieces = source.pieces(export)
        if when_readable is not None:
            when_readable()
        (folder / "raw").mkdir()
        results = read_pieces(
            source, export, pieces, source_name=source_name, folder=folder / "raw", workers=workers,
            progress=progress,
        )  # fmt: skip
        blank = _blank(source, source_name, window, export, _merged(pieces, results))
        manifest = _staged(folder, pieces, results, blank, memory_limit)
        final = stage / manifest.extract_id
        put_in_place(folder / "made", final, folder / "replaced")
    _log(manifest)
    return Extract(final, manifest)


def _blank(
    source: Source,
    source_name: str,
    window: Window,
    export: ExportTree,
    unknown_fields: list[FieldCount],
) -> Manifest:
    """Return the manifest of an extract that holds nothing yet."""
    fingerprint = export.fingerprint()
    versions = f"{source.reader_version}/{schemas.STAGE_VERSION}/{KEY_VERSION}"
    return Manifest(
        extract_id=content_hash(source.name, source_name, str(window), versions, fingerprint),
        source=source.name,
        source_name=source_name,
        reader_version=source.reader_version,
        stage_version=schemas.STAGE_VERSION,
        window=window,
        fingerprint=fingerprint,
        rows_read={},
        ended=[],
        outside_window=0,
        unknown_fields=unknown_fields,
        first_message_ms=None,
        last_message_ms=None,
    )


def _staged(
    folder: Path,
    pieces: Sequence[Piece],
    results: Sequence[PieceResult],
    blank: Manifest,
    memory_limit: str,
) -> Manifest:
    """Write all tables to ``made``, the manifest last."""
    made = folder / "made"
    made.mkdir()
    with Sorter(folder, pieces, results, memory_limit=memory_limit) as sorter:
        sorter.run(blank.window)
        for step in positions.STEPS:
            sorter.execute(step)
        for table, query in tables.QUERIES.items():
            write_table(made / table, schemas.BY_TABLE[table], sorter.batches(query))
        write_by_date(made / "messages", schemas.MESSAGES, sorter.batches(tables.MESSAGES))
        manifest = _counted(sorter, blank)
    (made / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _counted(sorter: Sorter, blank: Manifest) -> Manifest:
    """Return the manifest with its counts; rows read, staged and ended must add up."""
    within = inside(blank.window)
    read = _by_type(sorter.rows(tables.ROWS_READ.format(inside=within)))
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
    ((outside,),) = sorter.rows(tables.OUTSIDE.format(inside=within))
    ((first, last),) = sorter.rows("SELECT min(sent_at_ms), max(sent_at_ms) FROM staged")
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


def _merged(pieces: Sequence[Piece], results: Sequence[PieceResult]) -> list[FieldCount]:
    """Return the unknown fields of all pieces, each with where it was met first."""
    merged: dict[tuple[RecordType, str], FieldCount] = {}
    for result, base in zip(results, line_bases(pieces, results), strict=True):
        for count in result.unknown_fields:
            first = msgspec.structs.replace(count.first, line=count.first.line + base)
            known = merged.setdefault((first.record_type, first.field), FieldCount(first, 0))
            merged[first.record_type, first.field] = FieldCount(
                known.first, known.rows + count.rows
            )
    return [merged[key] for key in sorted(merged)]


def _log(manifest: Manifest) -> None:
    log.info(
        "Extracted %s: read=%d ended=%d outside_window=%d",
        manifest.extract_id,
        sum(manifest.rows_read.values()),
        sum(count.rows for count in manifest.ended),
        manifest.outside_window,
    )
