"""Bounds on what an export may make this machine do: files, bytes, and how far data may swell."""

from __future__ import annotations

import msgspec

from chat_migration.errors import UnreadableExportError

MEBIBYTE = 1 << 20


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is still taken for an honest export. Sizes are bytes after unpacking.

    ``max_ratio`` bounds unpacked to packed bytes of one file, and is looked at only beyond ``ratio_from``:
    real chat history shrinks to a tenth or a thirtieth, a zip bomb to a thousandth.
    """

    max_files: int = 2_000_000
    max_bytes: int = 1 << 40
    max_ratio: int = 200
    ratio_from: int = 64 * MEBIBYTE
    max_row: int = 16 * MEBIBYTE
    """The longest line or JSON element that is read; a longer one becomes a problem of that row."""

    def check_listing(self, export: str, files: int, total: int) -> None:
        """Refuse an export of too many files or bytes, before anything is read.

        Raises:
            UnreadableExportError: one of the two bounds is exceeded.
        """
        if files > self.max_files:
            raise UnreadableExportError(
                f"`{export}` holds more than {self.max_files:,} files.",
                advice="Split the export, or raise the limit `max_files`.",
            )
        if total > self.max_bytes:
            raise UnreadableExportError(
                f"`{export}` unpacks to {total:,} bytes.",
                expected=f"At most {self.max_bytes:,} bytes are read.",
                advice="Split the export, or raise the limit `max_bytes`.",
            )

    def check_ratio(self, file: str, packed: int, unpacked: int) -> None:
        """Refuse a file that swells like a zip bomb.

        Raises:
            UnreadableExportError: it unpacks to more than ``max_ratio`` times its packed size.
        """
        if unpacked > self.ratio_from and unpacked > self.max_ratio * max(packed, 1):
            raise UnreadableExportError(
                f"`{file}` unpacks from {packed:,} to at least {unpacked:,} bytes, as a zip bomb does.",
                expected=f"At most {self.max_ratio} times the packed size.",
                advice="If the file is honest, raise the limit `max_ratio`.",
            )
