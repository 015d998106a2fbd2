"""What is read together: one export, or several drops of one."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from chat_migration.sources.base import Piece, Source
from chat_migration.sources.packaging.limits import Limits
from chat_migration.sources.tree import ExportFile, ExportTree
from chat_migration.store.file_index import FileIndex


class ExportPart(msgspec.Struct, frozen=True):
    """One of the exports that are read together.

    ``name`` stands before the names of its files, "" for an export that is read alone. ``elsewhere`` are files of it
    that are not on this machine: they must be among those that need not be read.
    """

    path: Path
    name: str = ""
    elsewhere: tuple[ExportFile, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """What is to be read: the exports, their pieces, and which of their message files are not opened."""

    names: list[str]
    exports: list[ExportTree]
    pieces: list[Piece]
    message_files: frozenset[str]
    skipped: frozenset[str]

    @property
    def fingerprint(self) -> str:
        """Return what changes when any of the exports does, files that are not opened included."""
        if len(self.exports) == 1 and not self.names[0]:
            return self.exports[0].fingerprint()
        digest = blake2b(digest_size=16)
        for name, export in zip(self.names, self.exports, strict=True):
            digest.update(f"{len(name)}:{name}:{export.fingerprint()};".encode())
        return digest.hexdigest()


def open_parts(
    source: Source,
    parts: Sequence[ExportPart],
    *,
    scratch: Path,
    limits: Limits,
    index: FileIndex | None,
    begin_ms: int | None,
) -> Reading:
    """Open exports and decide what of them is read.

    Args:
        source: the reader of their format.
        parts: in the order in which they were made: of two rows of one record the later export's counts.
        scratch: an empty folder, for archives that must be unpacked.
        limits: bounds against zip bombs and endless rows, for each export.
        index: what is known of a lone folder's files; None: everything is read.
        begin_ms: where what is taken begins.

    Raises:
        UnreadableExportError: one of them cannot be read, or is of another format.
    """
    exports: list[ExportTree] = []
    pieces: list[Piece] = []
    messages, skipped = frozenset[str](), frozenset[str]()
    for number, part in enumerate(parts):
        place = scratch / f"export-{number}"
        place.mkdir()
        export = ExportTree.open(
            part.path, scratch=place, own_folders=source.own_folders, limits=limits,
            elsewhere=part.elsewhere,
        )  # fmt: skip
        if index is not None and export.kind == "folder" and not export.unpacked:
            messages = source.message_files(export)
            skipped = index.past_files(export.files(), messages, begin_ms)
        exports.append(export)
        pieces += [
            msgspec.structs.replace(piece, drop=number) for piece in source.pieces(export, skipped)
        ]
    return Reading([part.name for part in parts], exports, pieces, messages, skipped)


def files_not_needed(
    source: Source, index: FileIndex, files: Sequence[ExportFile], begin_ms: int | None
) -> frozenset[str]:
    """Return which files of a folder elsewhere need not be brought here, by their paths in it.

    Raises:
        UnreadableExportError: the listing is none of this format.
    """
    if begin_ms is None:
        return frozenset()
    export = ExportTree.of_listing("the export", tuple(files), source.own_folders)
    past = index.past_files(export.files(), source.message_files(export), begin_ms)
    return frozenset(f"{export.root}{path}" for path in past)
