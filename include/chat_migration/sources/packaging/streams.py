"""Byte streams that fail in one way only: a broken or swelling file is an ``UnreadableExportError``."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.limits import MEBIBYTE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
_CODECS = {".gz": "gzip", ".zst": "zstd"}


class GuardedStream(io.RawIOBase):
    """Reads another stream, counts its bytes, and names the file when it is broken or swells too far.

    Args:
        inner: anything with ``read(size)``.
        file: its name inside the export, for errors.
        check: called with the number of bytes read so far; raises to stop.
    """

    def __init__(
        self,
        inner: IO[bytes] | pa.NativeFile,
        *,
        file: str,
        check: Callable[[int], None] | None = None,
    ) -> None:
        self._inner, self._file, self._check = inner, file, check
        self.bytes_read = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer; 0 is the end.

        Raises:
            UnreadableExportError: the file is damaged, ends too early, or swells too far.
        """
        view = memoryview(buffer).cast("B")
        try:
            block = self._inner.read(len(view))
        except _BROKEN as error:
            raise broken_file(self._file, error) from None
        view[: len(block)] = block
        self.bytes_read += len(block)
        if self._check is not None:
            self._check(self.bytes_read)
        return len(block)

    def close(self) -> None:
        """Close both streams."""
        if not self.closed:
            self._inner.close()
        super().close()


def buffered(raw: GuardedStream) -> io.BufferedReader:
    """Return a stream with fast lines over a guarded one."""
    return io.BufferedReader(raw, MEBIBYTE)


def codec_of(path: str) -> str | None:
    """Return the codec that a file's name calls for, or None for a plain file."""
    return next((codec for suffix, codec in _CODECS.items() if path.endswith(suffix)), None)


def without_codec(path: str) -> str:
    """Return a file's name without ``.gz`` or ``.zst``."""
    return path.rsplit(".", 1)[0] if codec_of(path) else path


def decompressed(packed: IO[Any], codec: str) -> pa.NativeFile:
    """Return the content of a ``.gz`` or ``.zst`` stream; several frames one after another are fine."""
    return pa.CompressedInputStream(packed, codec)


def broken_file(file: str, error: BaseException) -> UnreadableExportError:
    """Return the error for a file that cannot be read to its end."""
    if isinstance(error, PermissionError):
        return UnreadableExportError(
            f"`{file}` may not be read by this user.", advice="Change the file's permissions."
        )
    return UnreadableExportError(
        f"`{file}` is damaged or cut off: {str(error) or type(error).__name__}.",
        expected="The whole file, as it was written.",
        advice="Copy or download the export again and compare its size and checksum.",
    )
