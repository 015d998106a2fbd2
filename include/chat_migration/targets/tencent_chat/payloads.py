"""Messages as bodies of Tencent Cloud Chat: rendering, the envelope, splitting at the size limit. Pure.

*The envelope.* ``import_group_msg`` takes Text, Face, Location and one Custom element only (its page lists
no media, and at most one Custom is allowed per message). All media and custom elements of a group message,
its ``reply_to`` and its ``extra`` therefore travel in one Custom element whose ``Data`` is::

    {"chat_migration": 1, "elements": [{"at": 2, "type": "image", "url": …}], "reply_to": "…", "extra": {…}}

``at`` is the element's place in the original message, from 0. ``Desc`` is a preview for lists of
conversations. People with a client that does not know the envelope read a Text element with names and URLs.
One-to-one messages take media natively; their ``reply_to`` and ``extra`` go to ``CloudCustomData`` in the same
form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import md5
from typing import Any

import msgspec

from chat_migration.model import (
    MEDIA,
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
from chat_migration.text import character_border, cut_to_bytes

RENDER_VERSION = 1
"""Kept with every delivery: tells which code made a body."""
ENVELOPE_VERSION = 1
MAX_PARTS = 256
"""Parts of one row: the low byte of a one-to-one ``MsgSeq`` numbers them."""

_PREVIEW_BYTES = 100
_IMAGE_FORMATS = {"jpg": 1, "gif": 2, "png": 3, "bmp": 4, "other": 255}
_DOWNLOAD = 2

VendorElement = dict[str, Any]


class Oversize(msgspec.Struct, frozen=True):
    """A message that cannot be made to fit; ``size`` and ``limit`` in bytes."""

    size: int
    limit: int


def encode(value: Any) -> bytes:
    """Return the JSON bytes that are both measured and sent."""
    return msgspec.json.encode(value)


# --- rendering ----------------------------------------------------------------------------------


def group_elements(
    elements: Sequence[Element], *, reply_to: str = "", extra: str = ""
) -> list[VendorElement]:
    """Return the elements of a group message, the envelope last."""
    native = [_native(each) for each in elements if not isinstance(each, (*MEDIA, Custom))]
    enclosed = [
        (place, each) for place, each in enumerate(elements) if isinstance(each, (*MEDIA, Custom))
    ]
    if not enclosed and not reply_to and not extra:
        return native
    rendered = list(native)
    if enclosed:
        rendered.append(_text("\n".join(_fallback(each) for _, each in enclosed)))
    envelope: dict[str, Any] = {"chat_migration": ENVELOPE_VERSION}
    if enclosed:
        envelope["elements"] = [
            {"at": place, **msgspec.to_builtins(each)} for place, each in enclosed
        ]
    envelope |= _reference(reply_to, extra)
    preview = cut_to_bytes(" ".join(_label(each) for _, each in enclosed), _PREVIEW_BYTES)
    rendered.append(_custom(encode(envelope).decode(), preview))
    return rendered


def direct_elements(elements: Sequence[Element]) -> list[VendorElement]:
    """Return the elements of a one-to-one message; several custom ones share an envelope."""
    customs = [each for each in elements if isinstance(each, Custom)]
    if len(customs) <= 1:
        return [_native(each) for each in elements]
    rendered = [_native(each) for each in elements if not isinstance(each, Custom)]
    enclosed = [
        {"at": place, **msgspec.to_builtins(each)}
        for place, each in enumerate(elements)
        if isinstance(each, Custom)
    ]
    data = encode({"chat_migration": ENVELOPE_VERSION, "elements": enclosed}).decode()
    preview = cut_to_bytes(" ".join(_label(each) for each in customs), _PREVIEW_BYTES)
    return [*rendered, _custom(data, preview)]


def direct_metadata(*, reply_to: str = "", extra: str = "") -> str:
    """Return the ``CloudCustomData`` of a one-to-one message, or ""."""
    reference = _reference(reply_to, extra)
    return encode({"chat_migration": ENVELOPE_VERSION, **reference}).decode() if reference else ""


def _reference(reply_to: str, extra: str) -> dict[str, Any]:
    reference: dict[str, Any] = {"reply_to": reply_to} if reply_to else {}
    if extra:
        reference["extra"] = msgspec.json.decode(extra)
    return reference


def _element(kind: str, **content: Any) -> VendorElement:
    return {"MsgType": kind, "MsgContent": content}


def _text(text: str) -> VendorElement:
    return _element("TIMTextElem", Text=text)


def _custom(data: str, description: str, extension: str = "") -> VendorElement:
    return _element("TIMCustomElem", Data=data, Desc=description, Ext=extension, Sound="")


def url_uuid(url: str) -> str:
    """Return the ``UUID`` of a file behind a URL: the same URL always has the same one."""
    return md5(url.encode(), usedforsecurity=False).hexdigest()


def _native(element: Element) -> VendorElement:
    """Return one element in the vendor's form. Source: "Message Formats" (1047/33527)."""
    match element:
        case Text():
            return _text(element.text)
        case Face():
            return _element("TIMFaceElem", Index=element.index, Data=element.data)
        case Location():
            return _element(
                "TIMLocationElem",
                Desc=element.description,
                Latitude=element.latitude,
                Longitude=element.longitude,
            )
        case Custom():
            return _custom(element.data, element.description, element.extension)
        case Image():
            return _image(element)
        case Sound():
            return _element(
                "TIMSoundElem",
                Url=element.url,
                UUID=url_uuid(element.url),
                Size=element.size or 0,
                Second=element.seconds or 0,
                Download_Flag=_DOWNLOAD,
            )
        case File():
            return _file(element.url, element.name, element.size)
        case Video():
            return _video(element)


def _image(image: Image) -> VendorElement:
    size, width, height = image.size or 0, image.width or 0, image.height or 0
    return _element(
        "TIMImageElem",
        UUID=url_uuid(image.url),
        ImageFormat=_IMAGE_FORMATS[image.format],
        ImageInfoArray=[
            {"Type": kind, "Size": size, "Width": width, "Height": height, "URL": image.url}
            for kind in (1, 2, 3)
        ],
    )


def _file(url: str, name: str, size: int | None) -> VendorElement:
    return _element(
        "TIMFileElem",
        Url=url,
        UUID=url_uuid(url),
        FileSize=size or 0,
        FileName=name or url.rsplit("/", 1)[-1].split("?", 1)[0] or "file",
        Download_Flag=_DOWNLOAD,
    )


def _video(video: Video) -> VendorElement:
    """Return a video; one without a poster picture goes as a file, because the vendor demands the picture."""
    if not video.thumb_url:
        return _file(video.url, "", video.size)
    return _element(
        "TIMVideoFileElem",
        VideoUrl=video.url,
        VideoUUID=url_uuid(video.url),
        VideoSize=video.size or 0,
        VideoSecond=video.seconds or 0,
        VideoFormat=video.format,
        VideoDownloadFlag=_DOWNLOAD,
        ThumbUrl=video.thumb_url,
        ThumbUUID=url_uuid(video.thumb_url),
        ThumbSize=video.thumb_size or 0,
        ThumbWidth=video.thumb_width or 0,
        ThumbHeight=video.thumb_height or 0,
        ThumbFormat=video.thumb_format,
        ThumbDownloadFlag=_DOWNLOAD,
    )


def _label(element: Element) -> str:
    kind = str(type(element).__name__).lower()
    name = getattr(element, "name", "") or getattr(element, "description", "")
    return f"[{kind}: {name}]" if name else f"[{kind}]"


def _fallback(element: Element) -> str:
    url = getattr(element, "url", "")
    return f"{_label(element)} {url}" if url else _label(element)


# --- splitting ----------------------------------------------------------------------------------


def pack(
    elements: Iterable[VendorElement], *, max_bytes: int, split: bool = True
) -> list[str] | Oversize:
    """Return the bodies, as JSON text, that carry these elements in order, each within ``max_bytes``.

    Texts are cut at character borders and nowhere else, so the texts of the parts joined are the original;
    every other element stays whole. With ``split`` False, or when one element alone is too large, or when
    there would be more than :data:`MAX_PARTS`, the message is :class:`Oversize`.
    """
    pending = list(elements)
    whole = encode(pending)
    if len(whole) <= max_bytes:
        return [whole.decode()]
    if not split:
        return Oversize(len(whole), max_bytes)
    parts: list[list[VendorElement]] = [[]]
    while pending:
        element = pending.pop(0)
        if _size([*parts[-1], element]) <= max_bytes:
            parts[-1].append(element)
            continue
        head, tail = _cut(element, max_bytes - _size([*parts[-1], _text("")]))
        if head is not None and tail is not None:
            parts[-1].append(head)
            pending.insert(0, tail)
        elif parts[-1]:
            pending.insert(0, element)
        else:
            return Oversize(_size([element]), max_bytes)
        parts.append([])
        if len(parts) > MAX_PARTS:
            return Oversize(len(whole), max_bytes)
    return [encode(part).decode() for part in parts if part]


def _size(elements: list[VendorElement]) -> int:
    return len(encode(elements))


def _cut(element: VendorElement, room: int) -> tuple[VendorElement | None, VendorElement | None]:
    """Cut a text element so that its first piece takes at most ``room`` bytes of JSON; (None, None): cannot."""
    if element["MsgType"] != "TIMTextElem" or room <= 0:
        return None, None
    text: str = element["MsgContent"]["Text"]
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if len(encode(text[:middle])) - 2 <= room:
            low = middle
        else:
            high = middle - 1
    place = character_border(text, low)
    if place <= 0 or place >= len(text):
        return None, None
    return _text(text[:place]), _text(text[place:])


def with_prefix(
    bodies: Sequence[str], prefix: str, *, max_bytes: int, split: bool = True
) -> list[str] | Oversize:
    """Return the bodies of the same message with a text put before everything else; ``split`` as in :func:`pack`."""
    elements: list[VendorElement] = [each for body in bodies for each in msgspec.json.decode(body)]
    if elements and elements[0]["MsgType"] == "TIMTextElem":
        elements[0] = _text(prefix + elements[0]["MsgContent"]["Text"])
    else:
        elements.insert(0, _text(prefix))
    return pack(elements, max_bytes=max_bytes, split=split)
