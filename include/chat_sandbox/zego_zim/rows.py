"""How stored messages read back: another shape than the one in which they were sent.

Media come back as URL-encoded JSON with names in snake_case and sizes as strings. Source: query the
message list of group chats; of one-on-one chats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from chat_sandbox.zego_zim.bodies import AUDIO, FILE, IMAGE, MULTIPLE, VIDEO, document
from chat_sandbox.zego_zim.call import Call
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.switches.messages import PAYLOAD_READ_BACK
from chat_sandbox.zego_zim.world import Message

REVOKED = 31
NOT_EMPTY, GONE, RECALLED = 0, 1, 2
"""Values of IsEmpty; an expired message is gone like a deleted one."""
TRUNCATED_PAYLOAD = 64
_PICTURES: Final[Mapping[int, Mapping[str, str]]] = {
    IMAGE: {"Origin": "", "LargeImage": "large_image", "Thumbnail": "thumbnail"},
    VIDEO: {"Thumbnail": "video_first_frame"},
}


def emptiness(call: Call, message: Message) -> int:
    """Return IsEmpty of a message."""
    if message.recalled:
        return RECALLED
    return GONE if message.deleted or call.is_expired(message.time) else NOT_EMPTY


def row_of(call: Call, message: Message) -> Body:
    """Return a message as queries show it. ``MsgId`` is a JSON number beyond 2^53."""
    empty = emptiness(call, message)
    row: Body = {
        "Sender": message.sender,
        "MsgType": message.type,
        "SubMsgType": message.sub_type,
        "MsgBody": "" if empty else read_back(message.type, message.body),
        "MsgId": message.msg_id,
        "MsgSeq": message.seq,
        "MsgTime": message.time,
        "IsEmpty": empty,
    }
    payload = "" if empty else message.payload
    match call.switches[PAYLOAD_READ_BACK]:
        case "absent":
            return row
        case "url_encoded":
            payload = quote(payload, safe="")
        case "truncated":
            payload = payload[:TRUNCATED_PAYLOAD]
        case "empty":
            payload = ""
        case _:
            pass
    return row | {"Payload": payload}


def read_back(kind: int, body: str) -> str:
    """Return ``MsgBody`` for a ``Message``: text as it was, all else as URL-encoded JSON."""
    if kind == MULTIPLE:
        return _encoded({"multi_msg": [_item(item) for item in document(body)["MultiMsg"]]})
    if kind in {IMAGE, FILE, AUDIO, VIDEO}:
        return _encoded(_media(kind, document(body)))
    return body


def _item(item: Body) -> Body:
    kind = item["MsgType"]
    content = item["Msg"]
    if kind in {IMAGE, FILE, AUDIO, VIDEO}:
        content = msgspec.json.encode(_media(kind, document(content))).decode()
    return {
        "msg_type": kind,
        "sub_msg_type": item.get("SubMsgType", 0),
        "callback_content": content,
    }


def _media(kind: int, body: Body) -> Body:
    shown: Body = {"md5": "", "file_name": body["FileName"], "file_size": str(body.get("Size", 0))}
    if kind != IMAGE:
        shown["download_url"] = body["Url"]
    if kind in {AUDIO, VIDEO}:
        shown["media_duration"] = str(body.get("MediaDuration", 0))
    for name, prefix in _PICTURES.get(kind, {}).items():
        if name in body:
            shown |= _picture(prefix, body[name])
    return shown


def _picture(prefix: str, picture: Body) -> Body:
    size = prefix or "origin_image"
    return {
        f"{prefix}_download_url".removeprefix("_"): picture["Url"],
        f"{size}_width": picture["Width"],
        f"{size}_height": picture["Height"],
    }


def _encoded(body: Body) -> str:
    return quote(msgspec.json.encode(body).decode(), safe="")
