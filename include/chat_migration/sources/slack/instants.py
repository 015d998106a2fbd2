"""Slack's clock: ``ts`` is seconds, a dot and six digits; it is also the message's id in its channel."""

from __future__ import annotations

import re
from typing import Any

_TS = re.compile(r"[1-9]\d{9}\.\d{6}", re.ASCII).fullmatch

_SECONDS = re.compile(r"\d{1,11}", re.ASCII).fullmatch
_LAST_SECOND = 10**11


def is_ts(value: Any) -> bool:
    """Tell whether a value is a ``ts``. All have one width, so they sort as text as they do in time."""
    return isinstance(value, str) and _TS(value) is not None


def ts_to_ms(ts: str) -> int:
    """Return the epoch milliseconds of a ``ts``; the rest of its six digits is cut off.

    >>> ts_to_ms("1433558207.760577")
    1433558207760
    """
    return int(ts[:10]) * 1000 + int(ts[11:14])


def optional_ts_to_ms(value: Any) -> int | None:
    """Return the epoch milliseconds of a ``ts``, None for anything else."""
    return ts_to_ms(value) if is_ts(value) else None


def seconds_to_ms(value: Any) -> int | None:
    """Return the epoch milliseconds of whole seconds (a number or digits), None for anything else or zero."""
    if type(value) is str and _SECONDS(value):
        value = int(value)
    return value * 1000 if type(value) is int and 0 < value < _LAST_SECOND else None
