"""Which names inside an export are safe, and which are no part of it."""

from __future__ import annotations

import re

from chat_migration.errors import UnreadableExportError

_DRIVE = re.compile(r"[A-Za-z]:")
_LEFTOVERS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def safe_name(export: str, name: str) -> str:
    """Return a member's name with forward slashes, once it is known to stay inside the export.

    Raises:
        UnreadableExportError: the name is absolute, climbs out with ``..``, has a drive letter, or is no text.
    """
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or _DRIVE.match(path) or ".." in parts or not is_text(path):
        raise UnreadableExportError(
            f"`{export}` holds a member named {name!a}, which leads out of the export or is no text.",
            expected="Names inside an export are relative, without `..`, in UTF-8.",
            advice="Make the archive anew from a plain folder; nothing was unpacked from this one.",
        )
    return "/".join(parts)


def is_text(name: str) -> bool:
    """Tell whether a name can be written as UTF-8 and holds no NUL."""
    return "\0" not in name and not any("\ud800" <= char <= "\udfff" for char in name)


def is_leftover(path: str) -> bool:
    """Tell whether a path is a hidden file or what a desktop leaves behind, which no reader looks at."""
    return any(part.startswith(".") or part in _LEFTOVERS for part in path.split("/"))
