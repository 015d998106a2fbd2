"""A finished extract on disk: its manifest, and where its tables lie."""

from __future__ import annotations

from pathlib import Path

import msgspec
from pyarrow import parquet

from chat_migration.errors import UsageError
from chat_migration.model import RecordType
from chat_migration.sources.base import UnknownField
from chat_migration.store.stage import MANIFEST
from chat_migration.window import Window


class TypeCount(msgspec.Struct, frozen=True):
    """Rows of one record type that ended at extraction with one outcome and reason."""

    record_type: RecordType
    outcome: str
    reason: str
    rows: int


class FieldCount(msgspec.Struct, frozen=True):
    """How often a field that the format does not know was met, and where first."""

    first: UnknownField
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an extract holds.

    ``rows_read`` counts the rows inside the window (and rows without one, such as users); each of them is
    either staged or in ``ended``. ``outside_window`` counts messages apart. Messages are counted under
    ``c2c_messages`` and ``group_messages``; a row too broken to tell counts under ``group_messages``.
    ``unread`` counts the read states that the export states. ``first_message_ms`` and ``last_message_ms`` are those
    of the whole export, inside the window or not.

    ``drops`` names the drops that were read together, in order; none for an export without a template.
    ``missing_drops`` are those that are not there and were left out (``allow_gap``). Of ``skipped_files`` it was
    known that they hold nothing for this window: they were not opened, and their rows count as outside.
    """

    extract_id: str
    source: str
    source_name: str
    reader_version: int
    stage_version: int
    window: Window
    fingerprint: str
    rows_read: dict[RecordType, int]
    ended: list[TypeCount]
    outside_window: int
    unknown_fields: list[FieldCount]
    first_message_ms: int | None
    last_message_ms: int | None
    lookback_start_ms: int | None = None
    drops: list[str] = []
    missing_drops: list[str] = []
    skipped_files: int = 0


_decode = msgspec.json.Decoder(Manifest).decode
"""Made at import: its first use by two threads at once crashes the process (msgspec 0.22)."""


class Extract(msgspec.Struct, frozen=True):
    """A staged extract: ``<stage>/<source_name>/<extract id>/<table>/…parquet``."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Extract:
        """Open a finished extract.

        Raises:
            UsageError: there is none at this path.
        """
        try:
            raw = (path / MANIFEST).read_bytes()
        except FileNotFoundError:
            raise UsageError(
                f"`{path}` holds no finished extract.", advice="Run the extract stage again."
            ) from None
        return cls(path, _decode(raw))

    @property
    def messages(self) -> int:
        """Return how many messages are staged, as its tables' footers say."""
        return sum(parquet.read_metadata(file).num_rows for file in self.files("messages"))

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of one table, in order; none if the table is empty."""
        return sorted((self.path / table).rglob("*.parquet"))
