"""Messages as bodies of ZIM: rendering, the envelope, splitting at the size limit. Pure.

*A body* is what planning keeps of one call, as JSON text; the target adds sender, place, time and mark::

    {"MessageType": 1, "Message": "hello"}
    {"MessageType": 200, "SubMsgType": 1, "SearchedContent": "…", "Message": "…", "ExtendedData": "…"}

``Message`` is the text itself, or a JSON document in a string (types 10 to 14). Several elements make one message of
type 10, as many as a client could have put together.

*The envelope.* What ZIM has no type for (faces, places, custom elements beyond plain data, files behind a URL that is
too long) travels in one custom message or element, ``SubMsgType`` 1, whose text is::

    {"chat_migration": 1, "elements": [{"at": 2, "type": "face", …}], "reply_to": "…", "extra": {…}}

``at`` is the element's place in the original message, from 0. People with a client that does not know the envelope
read a text with names and URLs before it. A single custom element of plain data is sent as it is, ``SubMsgType`` 0.
``reply_to`` and ``extra`` go to ``ExtendedData`` in the same form, behind the mark and a space; where they do not fit,
into the envelope.

*Sizes* are counted in the smallest of the readings that the pages leave open: a KB of 1000 bytes, of UTF-8 after JSON
escaping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Any

import msgspec
from msgspec import field

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
from chat_migration.targets.zego_zim.limits import (
    EXTENDED_DATA_BYTES,
    FILE_NAME_BYTES,
    KILOBYTE,
    MOST_ELEMENTS,
    MULTIPLE_BYTES,
    SEARCHED_BYTES,
    URL_BYTES,
)
from chat_migration.targets.zego_zim.markers import MARK_BYTES
from chat_migration.text import character_border, cut_to_bytes

RENDER_VERSION = 1
"""Kept with every delivery: tells which code made a body."""
ENVELOPE_VERSION = 1
MAX_PARTS = 256
"""Parts of one row."""

TEXT, MULTIPLE, IMAGE, FILE, AUDIO, VIDEO, CUSTOM = 1, 10, 11, 12, 13, 14, 200
PLAIN_DATA, ENVELOPE = 0, 1
"""``SubMsgType`` of what the legacy app alone understands, and of the envelope."""
MOST_OF_TYPE = {IMAGE: 10, FILE: 1, AUDIO: 1, VIDEO: 1, CUSTOM: 1}
"""What a client may put into one message of type 10. Source: "Send and receive messages"; whether it binds imports
is not said."""

DEFAULT_PIXELS = 320
"""Width and height of a picture whose size the export does not tell: the vendor demands numbers other than 0."""
_BLANK = "\u200b"
"""Closes a piece of white space only: a blank message is refused."""
_ROOM_FOR_BLANK = len(_BLANK.encode())
_ROOM_FOR_REFERENCE = EXTENDED_DATA_BYTES - MARK_BYTES - len(" ")
_LONGEST_SUFFIX = 16


class Item(msgspec.Struct, frozen=True):
    """One element in the vendor's form: its type, its text, and what custom ones have."""

    type: int
    content: str
    sub_type: int | None = None
    searched: str = ""


class Body(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one call sends of a message. ``reference`` follows the mark in ``ExtendedData``."""

    type: int = field(name="MessageType")
    sub_type: int | None = field(name="SubMsgType", default=None)
    searched: str = field(name="SearchedContent", default="")
    message: str = field(name="Message")
    reference: str = field(name="ExtendedData", default="")


class Oversize(msgspec.Struct, frozen=True):
    """A message that cannot be made to fit; ``size`` and ``limit`` in bytes."""

    size: int
    limit: int


class Room(msgspec.Struct, frozen=True):
    """How long ``Message`` may be, in measured bytes: of one element, and of several together."""

    one: int
    several: int

    @classmethod
    def of(cls, max_message_bytes: int) -> Room:
        """Return the room that an app has whose messages may take so many bytes (2048: the usual 2 KB)."""
        several = max(max_message_bytes, MULTIPLE_BYTES)
        return cls(max_message_bytes * KILOBYTE // 1024, several * KILOBYTE // 1024)


_DECODER = msgspec.json.Decoder(Body)


def encode(value: Any) -> str:
    """Return JSON text."""
    return msgspec.json.encode(value).decode()


def read_body(text: str) -> Body:
    """Return the body that :func:`pack` wrote."""
    return _DECODER.decode(text)


def measured(text: str) -> int:
    """Return what a text takes of a limit: UTF-8 bytes after JSON escaping."""
    return len(msgspec.json.encode(text)) - 2


# --- rendering ----------------------------------------------------------------------------------


def rendered(
    elements: Sequence[Element], *, room: Room, reply_to: str = "", extra: str = ""
) -> tuple[list[Item], str]:
    """Return the elements of a message in the vendor's form, the envelope last, and what ``ExtendedData`` refers to."""
    reference = _reference(reply_to, extra)
    held = encode({"chat_migration": ENVELOPE_VERSION, **reference}) if reference else ""
    spills = measured(held) > _ROOM_FOR_REFERENCE
    strange = [(place, each) for place, each in enumerate(elements) if not _is_native(each)]
    enclosed = [] if _is_plain_data(strange) and not spills else strange
    places = {place for place, _ in enclosed}
    items = [_native(each, room) for place, each in enumerate(elements) if place not in places]
    if enclosed:
        items.append(Item(TEXT, "\n".join(_fallback(each) for _, each in enclosed)))
    if enclosed or spills:
        items.append(_envelope(enclosed, reference if spills else {}))
    return items, "" if spills else held


def _is_plain_data(strange: Sequence[tuple[int, Element]]) -> bool:
    """Tell whether what ZIM has no type for is one custom element that can be sent as the data it is."""
    if len(strange) != 1 or not isinstance(strange[0][1], Custom):
        return False
    custom = strange[0][1]
    is_searchable = len(custom.description.encode()) <= SEARCHED_BYTES
    return bool(custom.data.strip()) and not custom.extension and is_searchable


def _is_native(element: Element) -> bool:
    """Tell whether ZIM has a type for an element."""
    if isinstance(element, Image | Sound | File | Video):
        return len(element.url.encode()) <= URL_BYTES
    return isinstance(element, Text)


def _envelope(enclosed: Sequence[tuple[int, Element]], reference: dict[str, Any]) -> Item:
    content: dict[str, Any] = {"chat_migration": ENVELOPE_VERSION}
    if enclosed:
        content["elements"] = [
            {"at": place, **msgspec.to_builtins(each)} for place, each in enclosed
        ]
    searched = cut_to_bytes(" ".join(_label(each) for _, each in enclosed), SEARCHED_BYTES)
    return Item(CUSTOM, encode(content | reference), ENVELOPE, searched)


def _reference(reply_to: str, extra: str) -> dict[str, Any]:
    reference: dict[str, Any] = {"reply_to": reply_to} if reply_to else {}
    if extra:
        reference["extra"] = msgspec.json.decode(extra)
    return reference


def _native(element: Element, room: Room) -> Item:
    """Return one element in its own type. Source: "MessageBody introduction"."""
    match element:
        case Text():
            return Item(TEXT, element.text)
        case Image():
            return Item(IMAGE, _image(element, room))
        case Sound():
            return Item(AUDIO, encode(_media(element) | _positive(MediaDuration=element.seconds)))
        case File():
            return Item(FILE, encode(_media(element)))
        case Video():
            return Item(VIDEO, encode(_video(element)))
        case Custom():
            return Item(CUSTOM, element.data, PLAIN_DATA, element.description)
        case Face() | Location():
            raise TypeError(f"`{type(element).__name__}` has no type of its own")


def _media(element: Image | Sound | File | Video) -> dict[str, Any]:
    """Return what all files have; the same URL always has the same ``Uid``."""
    uid = md5(element.url.encode(), usedforsecurity=False).hexdigest()
    place = {} if isinstance(element, Image) else {"Url": element.url}
    name = _file_name(element.url, getattr(element, "name", ""))
    return {"Uid": uid, **place, "FileName": name, **_positive(Size=element.size)}


def _image(image: Image, room: Room) -> str:
    """Return a picture in its three sizes, all the same; where they do not fit, in the one that is demanded."""
    origin = _picture(image.url, image.width, image.height)
    least = {"Origin": origin, **_media(image)}
    whole = encode({**least, "LargeImage": origin, "Thumbnail": origin})
    return whole if measured(whole) <= room.one else encode(least)


def _video(video: Video) -> dict[str, Any]:
    content = _media(video) | _positive(MediaDuration=video.seconds)
    if video.thumb_url and len(video.thumb_url.encode()) <= URL_BYTES:
        content["Thumbnail"] = _picture(video.thumb_url, video.thumb_width, video.thumb_height)
    return content


def _picture(url: str, width: int | None, height: int | None) -> dict[str, Any]:
    sizes = {"Width": DEFAULT_PIXELS, "Height": DEFAULT_PIXELS}
    return {"Url": url, **sizes, **_positive(Width=width, Height=height)}


def _positive(**numbers: int | None) -> dict[str, int]:
    """Return the numbers that are any: 0 is refused by some readings of the page."""
    return {name: number for name, number in numbers.items() if number is not None and number > 0}


def _file_name(url: str, name: str) -> str:
    """Return a file's name within the limit, its suffix kept; every file must have one."""
    whole = name.strip() or url.rsplit("/", 1)[-1].split("?", 1)[0].strip() or "file"
    if len(whole.encode()) <= FILE_NAME_BYTES:
        return whole
    _, dot, suffix = whole.rpartition(".")
    kept = dot + suffix if dot and len(suffix.encode()) < _LONGEST_SUFFIX else ""
    return cut_to_bytes(whole, FILE_NAME_BYTES - len(kept.encode())) + kept


def _label(element: Element) -> str:
    kind = str(type(element).__name__).lower()
    name = getattr(element, "name", "") or getattr(element, "description", "")
    return f"[{kind}: {name}]" if name else f"[{kind}]"


def _fallback(element: Element) -> str:
    if isinstance(element, Location):
        return f"{_label(element)} {element.latitude:g}, {element.longitude:g}"
    url = getattr(element, "url", "")
    return f"{_label(element)} {url}" if url else _label(element)


# --- splitting ----------------------------------------------------------------------------------


def pack(
    items: Sequence[Item], *, room: Room, reference: str = "", split: bool = True
) -> list[str] | Oversize:
    """Return the bodies, as JSON text, that carry these elements in order, each within its room.

    Texts are cut at character borders and nowhere else, so the texts of the parts joined are the original (but for
    an invisible character behind a piece of white space only); every other element stays whole. With ``split`` False
    no text is cut. When an element alone is too large, or when there would be more than :data:`MAX_PARTS`, the
    message is :class:`Oversize`. ``reference`` goes with the first part.
    """
    parts: list[list[Item]] = [[]]
    for item in items:
        for piece, is_last in _pieces(item, room, split=split):
            if piece is None:
                return Oversize(measured(item.content), room.one)
            if parts[-1] and not _fits([*parts[-1], piece], room):
                parts.append([])
            parts[-1].append(piece)
            if not is_last:
                # What follows is the same text: it would show as a second one.
                parts.append([])
            if len(parts) > MAX_PARTS:
                return Oversize(sum(measured(each.content) for each in items), room.one * MAX_PARTS)
    bodies = [_body(part) for part in parts if part]
    if bodies and reference:
        bodies[0] = msgspec.structs.replace(bodies[0], reference=reference)
    return [encode(body) for body in bodies]


def _body(part: list[Item]) -> Body:
    if len(part) > 1:
        return Body(type=MULTIPLE, message=_several(part))
    (item,) = part
    return Body(
        type=item.type, sub_type=item.sub_type, searched=item.searched, message=item.content
    )


def _several(items: Sequence[Item]) -> str:
    """Return the ``Message`` of several elements."""
    return encode({"MultiMsg": [_element(each) for each in items]})


def _element(item: Item) -> dict[str, Any]:
    element: dict[str, Any] = {"MsgType": item.type}
    if item.sub_type is not None:
        element["SubMsgType"] = item.sub_type
    element["Msg"] = item.content
    return element | {"SearchedContent": item.searched} if item.searched else element


def _fits(items: Sequence[Item], room: Room) -> bool:
    """Tell whether several elements may be one message."""
    counts = Counter(each.type for each in items)
    return (
        len(items) <= MOST_ELEMENTS
        and all(counts[kind] <= most for kind, most in MOST_OF_TYPE.items())
        and measured(_several(items)) <= room.several
    )


def _pieces(item: Item, room: Room, *, split: bool) -> Iterator[tuple[Item | None, bool]]:
    """Yield an element, in pieces if it is a long text, and whether each is the last; None: it cannot be sent."""
    rest = item.content
    if measured(rest) <= room.one and rest.strip():
        yield item, True
        return
    if item.type != TEXT or (measured(rest) > room.one and not split):
        yield None, True
        return
    while rest:
        place = _longest(rest, room.one - _ROOM_FOR_BLANK)
        piece, rest = rest[:place], rest[place:]
        yield Item(TEXT, piece if piece.strip() else piece + _BLANK), not rest


def _longest(text: str, room: int) -> int:
    """Return where to cut a text: its beginning takes at most ``room`` measured bytes, and is not empty."""
    low, high = 1, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if measured(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return character_border(text, low) or low
