"""A zip as an export, read in place."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.limits import Limits
from chat_migration.sources.packaging.names import is_leftover, safe_name

_ENCRYPTED = 0x1


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip.

    Raises:
        UnreadableExportError: it is empty, cut off, or no zip.
    """
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise UnreadableExportError(
            f"`{path}` ({size:,} bytes) is no whole zip archive: {error}.",
            expected="A zip that was written and copied to its end.",
            advice="Download or copy it again; `unzip -t` tells when it is whole.",
        ) from None


def members(path: Path, archive: zipfile.ZipFile, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by their safe names.

    Raises:
        UnreadableExportError: a name leads outside, a member is encrypted, a link, given twice, or a bomb.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    listed = archive.infolist()
    limits.check_listing(str(path), len(listed), sum(member.file_size for member in listed))
    for member in listed:
        name = safe_name(str(path), member.filename)
        if member.is_dir() or not name or is_leftover(name):
            continue
        _check_member(path, member)
        limits.check_ratio(name, member.compress_size, member.file_size)
        if name in found:
            raise UnreadableExportError(
                f"`{path}` holds `{name}` twice.",
                advice="Make the archive anew from a plain folder.",
            )
        found[name] = member
    return found


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise UnreadableExportError(
            f"`{member.filename}` in `{path}` is encrypted.",
            expected="An archive without a password.",
            advice="Unpack it with its password and give the folder instead.",
        )
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UnreadableExportError(
            f"`{member.filename}` in `{path}` is a link or a device.",
            expected="An export holds plain files and folders.",
            advice="Make the archive anew from plain files.",
        )
