"""Reading typed fields out of a request; what does not fit raises a refusal."""

from __future__ import annotations

from typing import Any

from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError

Body = dict[str, Any]


def text(body: Body, name: str, *, max_bytes: int | None = None, code: int = BAD_PARAMETER) -> str:
    """Return a required, non-empty string."""
    value = optional_text(body, name, max_bytes=max_bytes, code=code)
    if not value:
        raise RefusalError(BAD_PARAMETER, f"{name} is missing, empty or no string")
    return value


def optional_text(
    body: Body, name: str, *, max_bytes: int | None = None, code: int = BAD_PARAMETER
) -> str:
    """Return a string, empty if the field is absent; ``code`` is for one that is too long."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusalError(BAD_PARAMETER, f"{name} is no string")
    if max_bytes is not None and byte_length(value) > max_bytes:
        raise RefusalError(code, f"{name} is longer than {max_bytes} bytes")
    return value


def integer(body: Body, name: str) -> int:
    """Return a required integer; booleans and floats are none."""
    if body.get(name) is None:
        raise RefusalError(BAD_PARAMETER, f"{name} is missing")
    return optional_integer(body, name)


def optional_integer(body: Body, name: str, default: int = 0) -> int:
    """Return an integer, or the default if the field is absent."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusalError(BAD_PARAMETER, f"{name} is no integer")
    return value


def mapping(body: Body, name: str) -> Body:
    """Return a required object."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise RefusalError(BAD_PARAMETER, f"{name} is missing or no object")
    return value


def objects(body: Body, name: str, *, max_count: int, code: int = BAD_PARAMETER) -> list[Body]:
    """Return a required, non-empty array of objects; ``code`` is for one with too many."""
    value = _array(body, name, max_count, code)
    if not value:
        raise RefusalError(BAD_PARAMETER, f"{name} is missing or empty")
    if not all(isinstance(row, dict) for row in value):
        raise RefusalError(BAD_PARAMETER, f"{name} holds something else than objects")
    return value


def optional_objects(body: Body, name: str, *, max_count: int, code: int) -> list[Body]:
    """Return an array of objects, empty if the field is absent."""
    return objects(body, name, max_count=max_count, code=code) if body.get(name) else []


def texts(body: Body, name: str, *, max_count: int, code: int = BAD_PARAMETER) -> list[str]:
    """Return a required, non-empty array of strings; ``code`` is for one with too many."""
    value = optional_texts(body, name, max_count=max_count, code=code)
    if not value:
        raise RefusalError(BAD_PARAMETER, f"{name} is missing or empty")
    return value


def optional_texts(body: Body, name: str, *, max_count: int, code: int) -> list[str]:
    """Return an array of strings, empty if the field is absent."""
    value = _array(body, name, max_count, code)
    if not all(isinstance(row, str) for row in value):
        raise RefusalError(BAD_PARAMETER, f"{name} holds something else than strings")
    return value


def byte_length(value: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(value.encode("utf-8", "surrogatepass"))


def _array(body: Body, name: str, max_count: int, code: int) -> list[Any]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RefusalError(BAD_PARAMETER, f"{name} is no array")
    if len(value) > max_count:
        raise RefusalError(code, f"{name} has more than {max_count} entries")
    return value
