"""Cutting text to a size without breaking a character."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_CLUSTER_LIMIT = 32
"""How far to look back for the start of a cluster of characters that are drawn as one."""


def cut_to_bytes(text: str, max_bytes: int) -> str:
    """Return the longest beginning of a text within ``max_bytes`` of UTF-8 that ends at a character.

    >>> cut_to_bytes("héllo", 2)
    'h'
    """
    raw = text.encode("utf-8", "replace")
    if len(raw) <= max_bytes:
        return text
    cut = len(raw[:max_bytes].decode("utf-8", "ignore"))
    return text[: character_border(text, cut)]


def character_border(text: str, cut: int) -> int:
    """Return the last place at or before ``cut`` where no combining mark or joined emoji is torn apart.

    Clusters of absurd length are cut all the same.
    """
    if cut >= len(text):
        return len(text)
    place = cut
    for _ in range(_CLUSTER_LIMIT):
        if place <= 0:
            return cut
        if (
            not _continues(text[place])
            and text[place - 1] != _JOINER
            and not _is_second_flag(text, place)
        ):
            return place
        place -= 1
    return cut


def _continues(char: str) -> bool:
    return (
        char == _JOINER
        or unicodedata.combining(char) != 0
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
    )


def _is_second_flag(text: str, place: int) -> bool:
    """Tell whether ``place`` lies between the two regional letters that make a flag."""
    letters = 0
    while place > 0 and "\U0001f1e6" <= text[place - 1] <= "\U0001f1ff":
        letters, place = letters + 1, place - 1
    return letters % 2 == 1
