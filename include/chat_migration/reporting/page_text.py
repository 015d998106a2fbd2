"""The words and numbers of ``report.html``: names of things, amounts with units, harmless texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from chat_migration.model import Outcome, RecordType

RECORD_TYPES: dict[str, str] = {
    RecordType.ACCOUNTS: "accounts",
    RecordType.GROUPS: "groups and topics",
    RecordType.MEMBERS: "members",
    RecordType.C2C_MESSAGES: "one-to-one messages",
    RecordType.GROUP_MESSAGES: "group messages",
    RecordType.UNREAD: "unread counts",
}
STAGES: dict[str, str] = {
    "extract": "extract",
    "plan": "plan",
    "accounts": "accounts",
    "groups": "groups and topics",
    "members": "members",
    "direct": "one-to-one messages",
    "group": "group messages",
    "profiles": "changes of groups",
    "unread": "unread counts",
}
OUTCOMES: dict[str, str] = {
    Outcome.IMPORTED: "is in the target",
    Outcome.ALREADY_IMPORTED: "was in the target before",
    Outcome.UPDATED: "was changed in the target",
    Outcome.WITHDRAWN: "was taken back in the target",
    Outcome.LATE_APPENDED: "came late: is at the end of its group, with its time in the text",
    Outcome.SKIPPED: "was left out on purpose",
    Outcome.DEFERRED: "waits for a later run",
    Outcome.LATE_REJECTED: "came late: its group holds newer messages; not in the target",
    Outcome.REJECTED: "could not be taken; not in the target",
    Outcome.IN_DOUBT: "may or may not be in the target; the next run reads it back",
}
"""What each outcome means for a row."""

_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_MARKS = "\u200e\u200f\u061c\ufeff"
_SPACES = "\t\n\r"
_MINUTE, _HOUR = 60, 3600
_LITTLE = 0.001


def visible(text: str) -> str:
    r"""Return a text that cannot change how its neighbours are read.

    Control characters stand as escapes; line breaks and tabs become spaces.

    >>> visible("invoice\u202egnp.exe")
    'invoice\\u202egnp.exe'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if character in _SPACES:
        return " "
    hidden = (
        unicodedata.category(character) in _HIDDEN
        or unicodedata.bidirectional(character) in _DIRECTIONS
        or character in _MARKS
    )
    return f"\\u{ord(character):04x}" if hidden else character


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters; an ellipsis says that there is more."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def spaced(name: str) -> str:
    """Return a name as words: ``late_rejected`` becomes ``late rejected``."""
    return name.replace("_", " ")


def amount(count: float, unit: str, plural: str = "") -> str:
    """Return a count with its unit.

    >>> amount(1382, "row"), amount(1, "row")
    ('1,382 rows', '1 row')
    """
    return f"{count:,} {unit if count == 1 else plural or unit + 's'}"


def seconds_text(seconds: float) -> str:
    """Return a short duration in its fitting unit.

    >>> [seconds_text(each) for each in (0.034, 4.25, 95, 7500)]
    ['34 ms', '4.2 s', '1 min 35 s', '2 h 05 min']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole // 60 % 60:02d} min"


def share_text(part: int, whole: int) -> str:
    """Return a share in per cent; what is there never reads as nothing.

    >>> share_text(6, 1382), share_text(1, 10_000_000), share_text(0, 0)
    ('0.4 %', 'under 0.1 %', '0 %')
    """
    if not part or not whole:
        return "0 %"
    share = part / whole
    if share < _LITTLE:
        return "under 0.1 %"
    if 1 - _LITTLE < share < 1:
        return "over 99.9 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def listed(names: list[str]) -> str:
    """Return names as people list them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def in_order(known: Iterable[str], *given: Iterable[str]) -> list[str]:
    """Return the given names once each: the known ones in their order, then the others by name."""
    names = {name for each in given for name in each}
    first = [str(name) for name in known if name in names]
    return first + sorted(names.difference(first))
