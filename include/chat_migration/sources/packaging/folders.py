"""A folder as an export: its regular files, none of them outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.names import is_leftover, safe_name


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path (relative, forward slashes) and status of every file, hidden ones apart.

    Raises:
        UnreadableExportError: the folder holds a link that leaves it or leads to a folder, a device, a pipe,
            or a folder that may not be listed.
    """
    root = folder.resolve()
    waiting = [root]
    while waiting:
        for entry in _entries(folder, waiting.pop()):
            path = safe_name(str(folder), Path(entry.path).relative_to(root).as_posix())
            if is_leftover(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield path, _checked(folder, root, path)


def inside(folder: Path, path: str) -> Path:
    """Return the real path of a file of the folder.

    Raises:
        UnreadableExportError: it lies outside, or is not there.
    """
    root = folder.resolve()
    real = (root / path).resolve()
    if not real.is_relative_to(root):
        raise UnreadableExportError(
            f"`{path}` is a symbolic link that leaves the export `{folder}`.",
            advice="Replace the link by the file itself, or remove it.",
        )
    return real


def _entries(folder: Path, where: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(where), key=lambda entry: entry.name)
    except OSError as error:
        raise UnreadableExportError(
            f"The folder `{where}` of the export `{folder}` cannot be listed: {error.strerror}."
        ) from None


def _checked(folder: Path, root: Path, path: str) -> os.stat_result:
    real = inside(folder, path)
    try:
        status = real.stat()
    except OSError as error:
        raise UnreadableExportError(f"`{path}` cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(status.st_mode):
        kind = (
            "a symbolic link to a folder"
            if stat.S_ISDIR(status.st_mode)
            else "a device, pipe or socket"
        )
        raise UnreadableExportError(
            f"`{path}` in `{folder}` is {kind}.",
            expected="An export holds plain files and folders.",
            advice=f"Remove `{root / path}` or replace it by a plain file.",
        )
    return status
