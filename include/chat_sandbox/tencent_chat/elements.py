"""Message elements: their types, their fields, how large they are.

Source: message formats page (1047/33527; 269/2720). Fields that the table does not name are kept as
sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import byte_length
from chat_sandbox.tencent_chat.switches.gateway import EMPTY_BODY, EMPTY_TEXT, MODERATION, NUL_TEXT
from chat_sandbox.tencent_chat.world import Element

BLOCKED_WORD: Final = "sandbox-blocked-word"
MAX_CUSTOM_ELEMENTS: Final = 1

_TEXT: Final = (str,)
_NUMBER: Final = (int, float)


@dataclass(frozen=True, slots=True)
class ElementType:
    """Field types of one element, and the fields that must be there."""

    fields: Mapping[str, tuple[type, ...]]
    must: tuple[str, ...] = ()


ELEMENT_TYPES: Final[Mapping[str, ElementType]] = {
    "TIMTextElem": ElementType({"Text": _TEXT}),
    "TIMFaceElem": ElementType({"Index": _NUMBER, "Data": _TEXT}),
    "TIMLocationElem": ElementType({"Desc": _TEXT, "Latitude": _NUMBER, "Longitude": _NUMBER}),
    "TIMCustomElem": ElementType({"Data": _TEXT, "Desc": _TEXT, "Ext": _TEXT, "Sound": _TEXT}),
    "TIMSoundElem": ElementType(
        {"Url": _TEXT, "UUID": _TEXT, "Size": _NUMBER, "Second": _NUMBER, "Download_Flag": _NUMBER},
        ("Url", "UUID", "Download_Flag"),
    ),
    "TIMImageElem": ElementType(
        {"UUID": _TEXT, "ImageFormat": _NUMBER, "ImageInfoArray": (list,)},
        ("UUID", "ImageInfoArray"),
    ),
    "TIMFileElem": ElementType(
        {"Url": _TEXT, "UUID": _TEXT, "FileSize": _NUMBER, "FileName": _TEXT}
        | {"Download_Flag": _NUMBER},
        ("Url", "UUID", "Download_Flag"),
    ),
    "TIMVideoFileElem": ElementType(
        {
            "VideoUrl": _TEXT,
            "VideoUUID": _TEXT,
            "VideoFormat": _TEXT,
            "VideoSize": _NUMBER,
            "VideoSecond": _NUMBER,
            "VideoDownloadFlag": _NUMBER,
            "ThumbUrl": _TEXT,
            "ThumbUUID": _TEXT,
            "ThumbFormat": _TEXT,
            "ThumbSize": _NUMBER,
            "ThumbWidth": _NUMBER,
            "ThumbHeight": _NUMBER,
            "ThumbDownloadFlag": _NUMBER,
        },
        (
            "VideoUrl",
            "VideoUUID",
            "VideoDownloadFlag",
            "ThumbUrl",
            "ThumbUUID",
            "ThumbWidth",
            "ThumbHeight",
            "ThumbDownloadFlag",
        ),
    ),
    "TIMRelayElem": ElementType(
        {"Title": _TEXT, "CompatibleText": _TEXT, "MsgNum": _NUMBER, "AbstractList": (list,)}
        | {"MsgList": (list,), "JsonMsgKey": _TEXT}
    ),
}
_IMAGE_INFO: Final = ElementType(
    {"Type": _NUMBER, "Size": _NUMBER, "Width": _NUMBER, "Height": _NUMBER, "URL": _TEXT},
    ("URL", "Width", "Height"),
)
GROUP_TYPES: Final = frozenset({"TIMTextElem", "TIMFaceElem", "TIMLocationElem", "TIMCustomElem"})
"""What import_group_msg lists. Source: import_group_msg page (1047/34968)."""
PEER_TYPES: Final = frozenset(ELEMENT_TYPES) - {"TIMRelayElem"}
"""What importmsg lists. Source: importmsg page (1047/35014)."""


def checked_body(
    body: object, allowed: frozenset[str], switches: SwitchBoard, *, code: int
) -> list[Element]:
    """Return a MsgBody whose elements are well formed and of an allowed type.

    Raises:
        RefusalError: with ``code``; the pages do not tell one malformation from another.
    """
    if not isinstance(body, list) or (not body and switches[EMPTY_BODY] == "reject"):
        raise RefusalError(code, "MsgBody is missing, empty or no array")
    elements = [_checked_element(element, allowed, switches, code) for element in body]
    custom = sum(element["MsgType"] == "TIMCustomElem" for element in elements)
    if custom > MAX_CUSTOM_ELEMENTS:
        raise RefusalError(code, "MsgBody has more than one TIMCustomElem")
    return elements


def size_of(elements: list[Element], basis: str) -> int:
    """Return the bytes of a MsgBody, as compact JSON or by the lengths of its fields."""
    if basis == "elements":
        return sum(_content_size(element["MsgContent"]) for element in elements)
    return len(msgspec.json.encode(elements))


def is_blocked(elements: list[Element], switches: SwitchBoard) -> bool:
    """Return whether moderation is on and stops this body."""
    if switches[MODERATION] == "off":
        return False
    return BLOCKED_WORD.encode() in msgspec.json.encode(elements)


def _checked_element(
    element: object, allowed: frozenset[str], switches: SwitchBoard, code: int
) -> Element:
    if not isinstance(element, dict) or not isinstance(element.get("MsgContent"), dict):
        raise RefusalError(code, "an element of MsgBody has no MsgType or MsgContent")
    name = element.get("MsgType")
    if not isinstance(name, str) or name not in allowed:
        raise RefusalError(code, f"MsgType {name!r} is not supported here")
    content = element["MsgContent"]
    _check_fields(name, content, ELEMENT_TYPES[name], code)
    for image in content.get("ImageInfoArray", ()) if name == "TIMImageElem" else ():
        if not isinstance(image, dict):
            raise RefusalError(code, "ImageInfoArray holds something else than objects")
        _check_fields("ImageInfoArray", image, _IMAGE_INFO, code)
    if name == "TIMTextElem":
        content = _checked_text(content, switches, code)
    return {"MsgType": name, "MsgContent": content}


def _check_fields(name: str, content: dict[str, Any], kind: ElementType, code: int) -> None:
    for field, types in kind.fields.items():
        value = content.get(field)
        if value is None:
            if field in kind.must:
                raise RefusalError(code, f"{name} lacks {field}")
        elif not isinstance(value, types) or isinstance(value, bool):
            raise RefusalError(code, f"{name}.{field} has a wrong type")


def _checked_text(content: dict[str, Any], switches: SwitchBoard, code: int) -> dict[str, Any]:
    text = content.get("Text", "")
    if not text and switches[EMPTY_TEXT] == "reject":
        raise RefusalError(code, "Text is empty")
    if "\0" not in text or switches[NUL_TEXT] == "accept":
        return content
    if switches[NUL_TEXT] == "reject":
        raise RefusalError(code, "Text holds a NUL")
    return content | {"Text": text.partition("\0")[0]}


def _content_size(value: object) -> int:
    if isinstance(value, str):
        return byte_length(value)
    if isinstance(value, dict):
        return sum(_content_size(part) for part in value.values())
    if isinstance(value, list):
        return sum(_content_size(part) for part in value)
    return len(str(value))
