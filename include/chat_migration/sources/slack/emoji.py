"""Emoji by Slack's names."""

from __future__ import annotations

import re

from chat_migration.sources.slack.emoji_names import CHARACTERS, TONED

_TONES = {"2": "🏻", "3": "🏼", "4": "🏽", "5": "🏾", "6": "🏿"}
_CODE = re.compile(r":([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?")
_TONE_ALONE = re.compile(r"skin-tone-([2-6])")


def with_emoji(text: str) -> str:
    """Return text with ``:name:`` as Unicode where the name is known; the others stay as they are.

    >>> with_emoji("done :+1::skin-tone-3: :houston:")
    'done 👍🏼 :houston:'
    """
    return _CODE.sub(_character, text) if ":" in text else text


def named(name: str) -> str:
    """Return the character of a name, perhaps with a tone (``+1::skin-tone-3``); ``:name:`` if unknown."""
    return with_emoji(f":{name}:")


def _character(found: re.Match[str]) -> str:
    name, tone = found[1], found[2]
    alone = _TONE_ALONE.fullmatch(name)
    if alone:
        return _TONES[alone[1]]
    known = CHARACTERS.get(name)
    if known is None:
        return found[0]
    return known.rstrip("\ufe0f") + _TONES[tone] if tone and name in TONED else known
