"""The mark by which a message of ours is known again: ZIM itself knows none.

Every import of the same message stores another one, so after an unknown outcome the message is looked for. What is
looked for is a short text at the beginning of ``ExtendedData``, which reads return as ``Payload``::

    cm1.<16 hex digits: the message's number>.<base 36: its send time, epoch milliseconds>

The letters survive URL encoding, also one that encodes every character, and the mark comes first, so that a shortened
payload still has it. A client that wants what follows it (see ``payloads``) takes what stands behind the first space.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_MARK = re.compile(r"cm1\.([0-9a-f]{16})\.([0-9a-z]{1,11})(?![0-9a-z])")
_BEGUN = re.compile(r"cm1\.[0-9a-f]{0,16}(?:(?<=[0-9a-f]{16})\.([0-9a-z]{0,11}))?")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MOST_RANDOM = 2**63 - 1
MARK_BYTES = len("cm1.") + 16 + len(".") + 11
"""The longest mark."""


def mark_of(random: int, slot: int) -> str:
    """Return the mark of a message: its number, 1 … 2^63-1, and its send time in epoch milliseconds.

    Raises:
        ValueError: either is out of range; sent like that, the message could not be found again.

    >>> mark_of(255, 1787200000123)
    'cm1.00000000000000ff.mt10qhrv'
    """
    if not (0 < random <= MOST_RANDOM and 0 < slot < 36**11):
        raise ValueError(f"no message can be marked with number {random} and time {slot}")
    return f"cm1.{random:016x}.{_base36(slot)}"


def read_mark(payload: str) -> tuple[int, int] | None:
    """Return number and send time of the mark that a payload begins with, None: the message is none of ours.

    >>> read_mark("cm1.00000000000000ff.mt10qhrv%20%7B")
    (255, 1787200000123)
    """
    found = _MARK.match(unquote(payload))
    if found is None:
        return None
    random, slot = int(found[1], 16), int(found[2], 36)
    return (random, slot) if 0 < random <= MOST_RANDOM and slot > 0 else None


def is_cut(payload: str, shown_slot: int) -> bool:
    """Tell whether a payload ends within a mark, so that nothing tells any more which message it was.

    ``shown_slot`` is the time at which the message is shown, epoch milliseconds: its own has as many digits.

    >>> is_cut("cm1.00000000000000ff.mt10q", 1787200000123)
    True
    """
    begun = _BEGUN.fullmatch(unquote(payload))
    return begun is not None and len(begun[1] or "") < len(_base36(shown_slot))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
