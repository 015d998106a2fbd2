"""What a message may be: its type, its MessageBody, its sizes.

``Message`` of the types 10 to 14 is a JSON document in a string. Source: MessageBody introduction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.switches.messages import (
    BLANK_MESSAGE,
    CUSTOM_FIELDS_ELSEWHERE,
    KILOBYTE,
    LENGTH_UNIT,
    MEDIA_REDIRECT,
    MODERATION,
    ODD_NUMBERS,
    RAISED_CAPS,
    UNKNOWN_FIELDS,
)

TEXT, MULTIPLE, IMAGE, FILE, AUDIO, VIDEO, CUSTOM = 1, 10, 11, 12, 13, 14, 200
IMPORTABLE: Final = frozenset({TEXT, MULTIPLE, IMAGE, FILE, AUDIO, VIDEO, CUSTOM})
TOO_LARGE, MODERATED, UNRESOLVED = 660_400_001, 660_500_005, 660_600_022
MAX_SUB_TYPE, MAX_SEARCHED_BYTES = 200, 64
MAX_URL_BYTES, MAX_FILE_NAME_BYTES, MAX_ITEMS = 500, 150, 20
MESSAGE_KB: Final[Mapping[int, int]] = {MULTIPLE: 5}
USUAL_MESSAGE_KB, EXTENDED_DATA_KB, RAISED_KB = 2, 1, 32
BLOCKED_WORD = "sandbox-blocked-word"
UNREACHABLE_WORD = "sandbox-unreachable"
BODY_FIELDS = frozenset({"Message", "ExtendedData", "OfflinePush", "HasReceipt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message without sender, place and time. ``body`` is the string ``Message``."""

    type: int
    sub_type: int
    searched: str
    priority: int
    body: str
    payload: str


def checked_content(request: Body, switches: SwitchBoard, known: frozenset[str]) -> Content:
    """Return the content of an import, or refuse it.

    Args:
        request: the whole body of the call.
        switches: the positions of all switches.
        known: the names that the call may have at its top level.

    Raises:
        RefusalError: 660000002, 660400001, 660500005 or 660600022.
    """
    body = fields.mapping(request, "MessageBody")
    if switches[UNKNOWN_FIELDS] == "reject" and (
        request.keys() - known or body.keys() - BODY_FIELDS
    ):
        raise RefusalError(BAD_PARAMETER, "there is an unknown field")
    kind = fields.integer(request, "MessageType")
    if kind not in IMPORTABLE:
        raise RefusalError(BAD_PARAMETER, f"MessageType {kind} cannot be imported")
    priority = fields.integer(request, "Priority")
    if priority not in {1, 2, 3}:
        raise RefusalError(BAD_PARAMETER, "Priority is 1, 2 or 3")
    sub_type, searched = _custom_fields(request, kind, switches)
    message, payload = checked_body(body, kind, switches)
    return Content(
        type=kind,
        sub_type=sub_type,
        searched=searched,
        priority=priority,
        body=message,
        payload=payload,
    )


def checked_body(body: Body, kind: int, switches: SwitchBoard) -> tuple[str, str]:
    """Return ``Message`` and ``ExtendedData`` of a MessageBody, or refuse it."""
    message = fields.text(body, "Message")
    payload = fields.optional_text(body, "ExtendedData")
    if switches[BLANK_MESSAGE] == "trim":
        message = message.strip()
    if not message or (switches[BLANK_MESSAGE] == "reject" and not message.strip()):
        raise RefusalError(BAD_PARAMETER, "Message is blank")
    _check_length(message, MESSAGE_KB.get(kind, USUAL_MESSAGE_KB), switches)
    _check_length(payload, EXTENDED_DATA_KB, switches)
    if kind == MULTIPLE:
        _check_multiple(message, switches)
    elif kind in _MEDIA:
        _MEDIA[kind](document(message), switches)
    if switches[MODERATION] == "on" and BLOCKED_WORD in message:
        raise RefusalError(MODERATED)
    return message, payload


def document(message: str) -> Body:
    """Return the JSON object in a string, or refuse it."""
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError):
        raise RefusalError(BAD_PARAMETER, "Message is no JSON object in a string") from None


def _custom_fields(body: Body, kind: int, switches: SwitchBoard) -> tuple[int, str]:
    """Return SubMsgType and SearchedContent, which only type 200 has."""
    if kind != CUSTOM:
        has_any = "SubMsgType" in body or "SearchedContent" in body
        if has_any and switches[CUSTOM_FIELDS_ELSEWHERE] == "reject":
            raise RefusalError(BAD_PARAMETER, "SubMsgType and SearchedContent are for type 200")
        return 0, ""
    sub_type = fields.integer(body, "SubMsgType")
    if not 0 <= sub_type <= MAX_SUB_TYPE:
        raise RefusalError(BAD_PARAMETER, f"SubMsgType is not within 0 and {MAX_SUB_TYPE}")
    return sub_type, fields.optional_text(body, "SearchedContent", max_bytes=MAX_SEARCHED_BYTES)


def _check_length(value: str, kilobytes: int, switches: SwitchBoard) -> None:
    allowed = RAISED_KB if switches[RAISED_CAPS] == "on" else kilobytes
    if _length(value, switches[LENGTH_UNIT]) > allowed * int(switches[KILOBYTE]):
        raise RefusalError(TOO_LARGE)


def _length(value: str, unit: str) -> int:
    if unit == "utf16":
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    if unit == "escaped":
        return fields.byte_length(json.dumps(value, ensure_ascii=False)[1:-1])
    return fields.byte_length(value)


def _check_image(body: Body, switches: SwitchBoard) -> None:
    _check_file_name(body, switches)
    _check_picture(fields.mapping(body, "Origin"), switches)
    for name in ("LargeImage", "Thumbnail"):
        if name in body:
            _check_picture(fields.mapping(body, name), switches)


def _check_file(body: Body, switches: SwitchBoard) -> None:
    _check_file_name(body, switches)
    _check_url(body, switches)


def _check_audio(body: Body, switches: SwitchBoard) -> None:
    _check_file(body, switches)
    _check_number(body, "MediaDuration", switches, is_required=False)


def _check_video(body: Body, switches: SwitchBoard) -> None:
    _check_audio(body, switches)
    if "Thumbnail" not in body:
        return
    thumbnail = fields.mapping(body, "Thumbnail")
    _check_picture(thumbnail, switches)
    if not thumbnail["Width"] or not thumbnail["Height"]:
        raise RefusalError(BAD_PARAMETER, "Width or Height of the Thumbnail is 0")


_MEDIA: Final[Mapping[int, Callable[[Body, SwitchBoard], None]]] = {
    IMAGE: _check_image,
    FILE: _check_file,
    AUDIO: _check_audio,
    VIDEO: _check_video,
}


def _check_multiple(message: str, switches: SwitchBoard) -> None:
    for item in fields.objects(document(message), "MultiMsg", max_count=MAX_ITEMS):
        kind = fields.integer(item, "MsgType")
        content = fields.text(item, "Msg")
        if kind not in {TEXT, CUSTOM, *_MEDIA}:
            raise RefusalError(BAD_PARAMETER, f"MsgType {kind} cannot be an item")
        _custom_fields(item, kind, switches)
        if kind in _MEDIA:
            _MEDIA[kind](document(content), switches)


def _check_file_name(body: Body, switches: SwitchBoard) -> None:
    fields.text(body, "Uid")
    fields.text(body, "FileName", max_bytes=MAX_FILE_NAME_BYTES)
    _check_number(body, "Size", switches, is_required=False)


def _check_picture(picture: Body, switches: SwitchBoard) -> None:
    _check_url(picture, switches)
    for name in ("Width", "Height"):
        _check_number(picture, name, switches, is_required=True)


def _check_url(body: Body, switches: SwitchBoard) -> None:
    url = fields.text(body, "Url", max_bytes=MAX_URL_BYTES)
    if switches[MEDIA_REDIRECT] == "resolve" and UNREACHABLE_WORD in url:
        raise RefusalError(UNRESOLVED)


def _check_number(body: Body, name: str, switches: SwitchBoard, *, is_required: bool) -> None:
    value = body.get(name)
    if value is None and not is_required:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise RefusalError(BAD_PARAMETER, f"{name} is missing or no number")
    is_odd = value == 0 or not isinstance(value, int)
    if is_odd and switches[ODD_NUMBERS] == "reject":
        raise RefusalError(BAD_PARAMETER, f"{name} is 0 or fractional")
