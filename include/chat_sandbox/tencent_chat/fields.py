"""Reading typed fields out of a request body; what does not fit raises a refusal.

All length caps of this service count UTF-8 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chat_sandbox.tencent_chat.codes import RefusalError

Body = dict[str, Any]
BAD_PARAMETER = 10004
BAD_GROUP_ID = 10015
MAX_U32 = 0xFFFF_FFFF
MAX_USER_ID_BYTES = 32
MAX_GROUP_ID_BYTES = 48
RESERVED_PREFIX = "@TGS#"
COMMUNITY_PREFIX = "@TGS#_"
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def text(body: Body, name: str, *, code: int = BAD_PARAMETER, max_bytes: int | None = None) -> str:
    """Return a required, non-empty string."""
    value = optional_text(body, name, code=code, max_bytes=max_bytes)
    if not value:
        raise RefusalError(code, f"{name} is missing, empty or no string")
    return value


def optional_text(
    body: Body, name: str, *, code: int = BAD_PARAMETER, max_bytes: int | None = None
) -> str | None:
    """Return a string, or None if the field is absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RefusalError(code, f"{name} is no string")
    if max_bytes is not None and byte_length(value) > max_bytes:
        raise RefusalError(code, f"{name} is longer than {max_bytes} bytes")
    return value


def integer(body: Body, name: str, *, code: int = BAD_PARAMETER, u32: bool = False) -> int:
    """Return a required integer; booleans and floats are none."""
    value = optional_integer(body, name, code=code, u32=u32)
    if value is None:
        raise RefusalError(code, f"{name} is missing")
    return value


def optional_integer(
    body: Body, name: str, *, code: int = BAD_PARAMETER, u32: bool = False
) -> int | None:
    """Return an integer, or None if the field is absent; ``u32`` bounds it to 32 bits."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusalError(code, f"{name} is no integer")
    if u32 and not 0 <= value <= MAX_U32:
        raise RefusalError(code, f"{name} is no unsigned 32-bit integer")
    return value


def objects(body: Body, name: str, *, code: int = BAD_PARAMETER) -> list[Body]:
    """Return a required, non-empty array of objects."""
    value = body.get(name)
    if not isinstance(value, list) or not value:
        raise RefusalError(code, f"{name} is missing, empty or no array")
    if not all(isinstance(row, dict) for row in value):
        raise RefusalError(code, f"{name} holds something else than objects")
    return value


def texts(body: Body, name: str, *, code: int = BAD_PARAMETER) -> list[str]:
    """Return a required, non-empty array of non-empty strings."""
    value = body.get(name)
    if not isinstance(value, list) or not value:
        raise RefusalError(code, f"{name} is missing, empty or no array")
    if not all(isinstance(row, str) and row for row in value):
        raise RefusalError(code, f"{name} holds something else than non-empty strings")
    return value


def choice(body: Body, name: str, values: Mapping[str, Any] | tuple[str, ...]) -> str | None:
    """Return one of a closed set of strings, or None if the field is absent."""
    value = optional_text(body, name)
    if value is not None and value not in values:
        raise RefusalError(BAD_PARAMETER, f"{name} is none of {', '.join(values)}")
    return value


def byte_length(value: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(value.encode("utf-8", "surrogatepass"))


def is_user_id(value: str) -> bool:
    """Return whether a text may be a UserID: printable ASCII, at most 32 bytes.

    Source: use limits page (1047/34381); the alphabet is the client SDK's own check (7003).
    """
    return len(value) <= MAX_USER_ID_BYTES and _PRINTABLE.fullmatch(value) is not None


def is_group_id(value: str) -> bool:
    """Return whether a text may be a GroupId. Source: group system page (1047/33529)."""
    return len(value) <= MAX_GROUP_ID_BYTES and _PRINTABLE.fullmatch(value) is not None


def is_printable(value: str) -> bool:
    """Return whether a text is non-empty printable ASCII."""
    return _PRINTABLE.fullmatch(value) is not None
