"""Typed fields of a row. Null counts as absent; a wrong type is a problem of the row, never converted."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral import instants

Row = dict[str, Any]

MAX_ID = 4096
"""Characters of the longest id that is taken; order keys hold ids up to a million."""
_MAX_LONG = 2**63 - 1
_URL = re.compile(r"https?://[^\s/?#\x00-\x1f]+[^\s\x00-\x1f]*", re.IGNORECASE).fullmatch
_ENCODER = msgspec.json.Encoder()


def text(row: Row, field: str) -> str:
    """Return a text, or "" if there is none."""
    value = row.get(field)
    if value is None:
        return ""
    if type(value) is not str:
        raise wrong_type(field, value, "text")
    if "\0" in value:
        raise BadRow("bad_text", f"`{field}` holds a NUL character.", "Remove it in the export.")
    return value


def some_text(row: Row, field: str) -> str:
    """Return a text that must be there and not be empty."""
    value = text(row, field)
    if not value:
        raise BadRow("missing_field", f"`{field}` is missing or empty.", f"Fill in `{field}`.")
    return value


def legacy_id(row: Row, field: str) -> str:
    """Return an id that must be there."""
    value = row.get(field)
    if type(value) is str and 0 < len(value) <= MAX_ID and "\0" not in value:
        return value
    found = some_text(row, field)
    raise BadRow(
        "bad_value", f"`{field}` has {len(found):,} characters; an id has at most {MAX_ID:,}."
    )


def optional_id(row: Row, field: str) -> str:
    """Return an id, or "" if there is none."""
    value = row.get(field)
    return "" if value is None or value == "" else legacy_id(row, field)


def instant(row: Row, field: str) -> int | None:
    """Return an instant as epoch milliseconds, or None."""
    value = row.get(field)
    return None if value is None else instants.to_ms(value, field)


def some_instant(row: Row, field: str) -> int:
    """Return an instant that must be there."""
    value = row.get(field)
    if value is None:
        raise BadRow("missing_field", f"`{field}` is missing.", f"Fill in `{field}`.")
    return instants.to_ms(value, field)


def natural(row: Row, field: str) -> int | None:
    """Return an integer that is zero or more, or None."""
    value = row.get(field)
    if value is None:
        return None
    if type(value) is not int:
        raise wrong_type(field, value, "an integer")
    if not 0 <= value <= _MAX_LONG:
        raise BadRow("bad_value", f"`{field}` is `{str(value)[:30]}`, not between 0 and 2^63 - 1.")
    return value


def number(row: Row, field: str, bound: int) -> float:
    """Return a number between ``-bound`` and ``bound`` that must be there."""
    value = row.get(field)
    if type(value) not in (int, float):
        raise wrong_type(field, value, "a number")
    if not -bound <= value <= bound:  # type: ignore[operator]
        raise BadRow("bad_value", f"`{field}` is not between -{bound} and {bound}.")
    return float(value)  # type: ignore[arg-type]


def boolean(row: Row, field: str) -> bool:
    """Return a truth value, False if there is none."""
    value = row.get(field)
    if value is None:
        return False
    if type(value) is not bool:
        raise wrong_type(field, value, "true or false")
    return value


def choice(row: Row, field: str, allowed: tuple[str, ...], default: str) -> str:
    """Return one of the allowed words."""
    value = row.get(field)
    if value is None or value == "":
        return default
    if value not in allowed:
        known = ", ".join(f"`{word}`" for word in allowed)
        raise BadRow("bad_value", f"`{field}` is `{str(value)[:40]}`.", f"Use one of {known}.")
    return str(value)


def url(row: Row, field: str) -> str:
    """Return an absolute http(s) URL, or "" if there is none."""
    value = text(row, field)
    if value and _URL(value) is None:
        raise BadRow(
            "bad_url",
            f"`{field}` is no absolute http(s) URL.",
            "Start it with `https://` and a host.",
        )
    return value


def json_object(row: Row, field: str) -> Row:
    """Return an object, {} if there is none."""
    value = row.get(field)
    if value is None:
        return {}
    if type(value) is not dict:
        raise wrong_type(field, value, "an object")
    return value


def json_list(row: Row, field: str) -> list[Any]:
    """Return a list, [] if there is none."""
    value = row.get(field)
    if value is None:
        return []
    if type(value) is not list:
        raise wrong_type(field, value, "a list")
    return value


def as_json(value: Row) -> str:
    """Return an object as JSON text, "" if it is empty."""
    if not value:
        return ""
    try:
        return _ENCODER.encode(value).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRow("wrong_type", f"A nested value cannot be written as JSON: {error}.") from None


def wrong_type(field: str, value: Any, expected: str) -> BadRow:
    """Return the problem of a value of another type; the value itself is not shown."""
    found = "nothing" if value is None else f"a {_NAMES.get(type(value), type(value).__name__)}"
    return BadRow(
        "wrong_type", f"`{field}` is {found}, not {expected}.", f"Write `{field}` as {expected}."
    )


_NAMES: dict[type, str] = {
    str: "text", int: "integer", float: "float", bool: "boolean", dict: "object", list: "list",
}  # fmt: skip
