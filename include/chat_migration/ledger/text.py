"""Text in PostgreSQL: in the order of its bytes, and with the one character that PostgreSQL refuses."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

_MARK = "\x01"
_NUL, _ONE = _MARK + "\x01", _MARK + "\x02"
_STORED = re.compile("\x01([\x01\x02])")


class ByteOrderedText(TypeDecorator[str]):
    """Text that compares by its bytes and may hold NUL.

    PostgreSQL cannot store NUL, but an id of a legacy chat may hold one. So U+0000 is kept as U+0001 U+0001, and
    U+0001 itself as U+0001 U+0002: nothing is lost, and the order of any two texts stays as it was.
    """

    impl = Text
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(collation="C")

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return the text as it is stored."""
        del dialect
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        """Return the text as it was given."""
        del dialect
        return None if value is None else unescaped(value)


def escaped(value: str) -> str:
    r"""Return a text without NUL.

    >>> escaped("a\0b"), escaped("plain")
    ('a\x01\x01b', 'plain')
    """
    if "\0" in value or _MARK in value:
        return value.replace(_MARK, _ONE).replace("\0", _NUL)
    return value


def unescaped(value: str) -> str:
    r"""Return what :func:`escaped` was given.

    >>> unescaped(escaped("\x01\0\x01\x02"))
    '\x01\x00\x01\x02'
    """
    if _MARK not in value:
        return value
    return _STORED.sub(lambda found: "\0" if found[1] == _MARK else _MARK, value)
