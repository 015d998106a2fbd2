"""Files of a message: the old single ``file`` and the newer ``files``, to media elements."""

from __future__ import annotations

from typing import Literal, NamedTuple

from chat_migration.model import Element, File, Image, Sound, Video
from chat_migration.sources.slack.loose import (
    Json,
    as_natural,
    as_object,
    as_objects,
    as_text,
    as_url,
)

_NOT_INCLUDED = frozenset({"tombstone", "hidden_by_limit"})
_IMAGE_FORMATS: dict[str, Literal["jpg", "gif", "png", "bmp"]] = {
    "image/jpeg": "jpg", "image/jpg": "jpg", "image/gif": "gif", "image/png": "png", "image/bmp": "bmp",
}  # fmt: skip


class Attached(NamedTuple):
    """What the files of one message give: elements, and a note for each that the export does not hold."""

    elements: tuple[Element, ...]
    notes: tuple[str, ...]


def files_of(row: Json) -> list[Json]:
    """Return the files of a message, old style or new."""
    return as_objects(row.get("files")) or [file for file in (as_object(row.get("file")),) if file]


def attached(files: list[Json]) -> Attached:
    """Return files as elements; those deleted, hidden or without an address become notes."""
    elements, notes = [], []
    for file in files:
        url = "" if as_text(file.get("mode")) in _NOT_INCLUDED else _address(file)
        if url:
            elements.append(_element(file, url))
        else:
            notes.append(f"[file: {file_name(file)} not included]")
    return Attached(tuple(elements), tuple(notes))


def file_name(file: Json) -> str:
    """Return a file's name, else its title, else its id."""
    return next(
        (name for key in ("name", "title", "id") if (name := as_text(file.get(key)))), "unnamed"
    )


def identity(file: Json) -> list[object]:
    """Return what tells that a message's file is another one; nothing that changes by itself."""
    return [file.get(key) for key in ("id", "name", "mimetype", "size", "mode")]


def _address(file: Json) -> str:
    addresses = (as_url(file.get(key)) for key in ("url_private", "external_url", "permalink"))
    return next((url for url in addresses if url), "")


def _element(file: Json, url: str) -> Element:
    size, mimetype = as_natural(file.get("size")), as_text(file.get("mimetype")).lower()
    milliseconds = as_natural(file.get("duration_ms"))
    seconds = None if milliseconds is None else -(-milliseconds // 1000)
    match mimetype.partition("/")[0]:
        case "image":
            return Image(
                url=url,
                width=as_natural(file.get("original_w")),
                height=as_natural(file.get("original_h")),
                size=size,
                format=_IMAGE_FORMATS.get(mimetype, "other"),
                name=file_name(file),
            )
        case "audio":
            return Sound(url=url, seconds=seconds, size=size)
        case "video":
            return Video(
                url=url,
                seconds=seconds,
                size=size,
                format=as_text(file.get("filetype")),
                thumb_url=as_url(file.get("thumb_video")),
                thumb_width=as_natural(file.get("thumb_video_w")),
                thumb_height=as_natural(file.get("thumb_video_h")),
            )
        case _:
            return File(url=url, name=file_name(file), size=size)
