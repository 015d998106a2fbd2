"""The elements of a message: one reader per type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

from chat_migration.model import (
    Custom,
    Element,
    Face,
    File,
    Image,
    Location,
    Sound,
    Text,
    Video,
)
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral import values
from chat_migration.sources.neutral.values import Row

_IMAGE_FORMATS = ("jpg", "gif", "png", "bmp", "other")
_ImageFormat = Literal["jpg", "gif", "png", "bmp", "other"]


def read_elements(listed: list[Any]) -> tuple[Element, ...]:
    """Return the elements of a list, in order.

    Raises:
        BadRow: an element is no object, has an unknown type, or lacks what its type needs.
    """
    return tuple(_read(position, entry) for position, entry in enumerate(listed))


def unknown_in_elements(listed: Any) -> Row:
    """Return the unknown fields of all elements, as ``elements[<position>].<field>``."""
    if type(listed) is not list:
        return {}
    return {
        f"elements[{position}].{field}": value
        for position, entry in enumerate(listed)
        if type(entry) is dict and isinstance(kind := entry.get("type"), str) and kind in _FIELDS
        for field, value in entry.items()
        if value is not None and field not in _FIELDS[kind]
    }


def _read(position: int, entry: Any) -> Element:
    if type(entry) is not dict:
        raise BadRow("bad_element", f"Element {position} is no object.", 'Write `{"type": …}`.')
    kind = entry.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadRow(
            "bad_element",
            f"Element {position} has the type `{str(kind)[:40]}`.",
            f"Use one of {', '.join(f'`{known}`' for known in _READERS)}.",
        )
    try:
        return reader(entry)
    except BadRow as bad:
        raise BadRow(bad.reason, f"Element {position} ({kind}): {bad.detail}", bad.advice) from None


def _text(entry: Row) -> Text:
    if entry.get("text") is None:
        raise BadRow("missing_field", "`text` is missing.", "Fill in `text`.")
    return Text(text=values.text(entry, "text"))


def _face(entry: Row) -> Face:
    index = values.natural(entry, "index")
    if index is None:
        raise BadRow("missing_field", "`index` is missing.", "Fill in `index`.")
    return Face(index=index, data=values.text(entry, "data"))


def _location(entry: Row) -> Location:
    return Location(
        latitude=values.number(entry, "latitude", 90),
        longitude=values.number(entry, "longitude", 180),
        description=values.text(entry, "description"),
    )


def _custom(entry: Row) -> Custom:
    if entry.get("data") is None:
        raise BadRow("missing_field", "`data` is missing.", "Fill in `data`.")
    return Custom(
        data=values.text(entry, "data"),
        description=values.text(entry, "description"),
        extension=values.text(entry, "extension"),
    )


def _image(entry: Row) -> Image:
    return Image(
        url=_media_url(entry),
        width=values.natural(entry, "width"),
        height=values.natural(entry, "height"),
        size=values.natural(entry, "size"),
        format=cast("_ImageFormat", values.choice(entry, "format", _IMAGE_FORMATS, "other")),
        name=values.text(entry, "name"),
    )


def _sound(entry: Row) -> Sound:
    return Sound(
        url=_media_url(entry),
        seconds=values.natural(entry, "seconds"),
        size=values.natural(entry, "size"),
    )


def _file(entry: Row) -> File:
    return File(
        url=_media_url(entry), name=values.text(entry, "name"), size=values.natural(entry, "size")
    )


def _video(entry: Row) -> Video:
    return Video(
        url=_media_url(entry),
        seconds=values.natural(entry, "seconds"),
        size=values.natural(entry, "size"),
        format=values.text(entry, "format"),
        thumb_url=values.url(entry, "thumb_url"),
        thumb_width=values.natural(entry, "thumb_width"),
        thumb_height=values.natural(entry, "thumb_height"),
        thumb_size=values.natural(entry, "thumb_size"),
        thumb_format=values.text(entry, "thumb_format"),
    )


def _media_url(entry: Row) -> str:
    values.some_text(entry, "url")
    return values.url(entry, "url")


_READERS: dict[str, Callable[[Row], Element]] = {
    "text": _text,
    "face": _face,
    "location": _location,
    "custom": _custom,
    "image": _image,
    "sound": _sound,
    "file": _file,
    "video": _video,
}
_FIELDS: dict[str, frozenset[str]] = {
    str(kind.__struct_config__.tag): frozenset({"type", *kind.__struct_fields__})
    for kind in (Text, Face, Location, Custom, Image, Sound, File, Video)
}
