"""Instants of the neutral export: RFC 3339 text with an offset, or whole epoch milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from chat_migration.sources.base import BadRow

EARLIEST_INTEGER = 10**11
"""Smaller integers are seconds: as milliseconds they would lie before March 1973."""
LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999; larger integers are micro- or nanoseconds."""

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
).fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_ADVICE = "Write `2024-05-01T09:30:00.250+08:00`, or epoch milliseconds as an integer."


def to_ms(value: Any, field: str) -> int:
    """Return an instant as epoch milliseconds; fractions of a millisecond are cut off.

    Raises:
        BadRow: it is no instant; the detail says which mistake it looks like.

    >>> to_ms("2024-05-01T09:30:00.250+08:00", "sent_at")
    1714527000250
    """
    if type(value) is str:
        return _from_text(value, field)
    if type(value) is int:
        if EARLIEST_INTEGER <= value <= LATEST:
            return value
        unit = "seconds" if value < EARLIEST_INTEGER else "micro- or nanoseconds"
        raise _bad(f"`{field}` is the integer `{str(value)[:30]}`, which would be {unit}")
    if isinstance(value, datetime):
        raise _bad(f"`{field}` is a timestamp without a time zone")
    kind = "a float" if type(value) is float else f"a {type(value).__name__}"
    raise _bad(f"`{field}` is {kind}")


def _from_text(value: str, field: str) -> int:
    matched = _RFC_3339(value)
    if matched is None or matched[1] is None:
        lacks = "has no offset" if matched else "is no RFC 3339 text"
        raise _bad(f"`{field}` is `{value[:40]}`, which {lacks}")
    if value[-1] == "z":
        value = value[:-1] + "Z"
    leap = value[17:19] == "60"
    try:
        since = datetime.fromisoformat(value[:17] + "59" + value[19:] if leap else value) - _EPOCH
    except (ValueError, OverflowError):
        raise _bad(f"`{field}` is `{value[:40]}`, which no calendar has") from None
    if leap:
        since += timedelta(seconds=1)
    if since.days < 0:
        raise _bad(f"`{field}` is `{value[:40]}`, which lies before 1970")
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def _bad(detail: str) -> BadRow:
    return BadRow("bad_instant", detail + ".", _ADVICE)
