"""A tar as an export: it has no random access, so it is unpacked once, member by member, within bounds."""

from __future__ import annotations

import tarfile
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import IO

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.limits import MEBIBYTE, Limits
from chat_migration.sources.packaging.names import is_leftover, safe_name

_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError)


def unpack(path: Path, target: Path, limits: Limits) -> str:
    """Write the regular files of a tar or tar.gz under ``target``; return the fingerprint of what it holds.

    Owners, modes and times are not taken over. Nothing is written outside ``target``.

    Raises:
        UnreadableExportError: it is no whole tar, a name leads outside, a member is a link or device, or the
            bounds are exceeded.
    """
    digest = blake2b(digest_size=16)
    packed = path.stat().st_size
    files = total = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = safe_name(str(path), member.name)
                if member.isdir() or not name or is_leftover(name):
                    continue
                files, total = files + 1, total + member.size
                limits.check_listing(str(path), files, total)
                limits.check_ratio(str(path), packed, total)
                crc = _copy(_content(path, archive, member), target / name)
                digest.update(f"{len(name)}:{name}:{member.size}:{crc};".encode())
    except _BROKEN as error:
        raise UnreadableExportError(
            f"`{path}` ({packed:,} bytes) is no whole tar archive: {str(error) or type(error).__name__}.",
            expected="A `.tar`, `.tar.gz` or `.tgz` that was written and copied to its end.",
            advice="Download or copy it again; `tar -tf` tells when it is whole.",
        ) from None
    return digest.hexdigest()


def _content(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None:
        raise UnreadableExportError(
            f"`{member.name}` in `{path}` is a link or a device.",
            expected="An export holds plain files and folders.",
            advice="Make the archive anew from plain files; `tar --dereference` follows links.",
        )
    return stream


def _copy(stream: IO[bytes], target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    crc = 0
    with target.open("xb") as out:
        while block := stream.read(MEBIBYTE):
            crc = zlib.crc32(block, crc)
            out.write(block)
    return crc
