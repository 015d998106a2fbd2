"""Slack's markup to plain text: mentions, links, escapes and emoji; ``*bold*`` and the like stay as typed."""

from __future__ import annotations

import re
from typing import Protocol

from chat_migration.sources.slack.emoji import with_emoji

_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_TOKEN = re.compile(r"<([@#!][^<>\n]+|[A-Za-z][\w+.-]*:[^<>\n]+)>")
_SCHEME = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)


class Names(Protocol):
    """Who and what ids mean."""

    def user_name(self, user_id: str) -> str:
        """Return a user's display name, or ""."""

    def channel_name(self, channel_id: str) -> str:
        """Return a channel's name, or ""."""


def plain_text(text: str, names: Names) -> str:
    """Return markup as plain text."""
    parts = _CODE.split(text)
    return "".join(
        _rendered(part, names, emoji=not index % 2) for index, part in enumerate(parts) if part
    )


def unescaped(text: str) -> str:
    """Return text with the three characters that Slack escapes."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _rendered(text: str, names: Names, *, emoji: bool) -> str:
    pieces, start = [], 0
    for token in _TOKEN.finditer(text):
        pieces += [_typed(text[start : token.start()], emoji=emoji), _token(token[1], names)]
        start = token.end()
    pieces.append(_typed(text[start:], emoji=emoji))
    return "".join(pieces)


def _typed(text: str, *, emoji: bool) -> str:
    return unescaped(with_emoji(text) if emoji else text)


def _token(token: str, names: Names) -> str:
    """Return what stands between angle brackets: a mention, or a link."""
    target, _, label = token.partition("|")
    label = unescaped(label)
    if target.startswith("@"):
        return "@" + (names.user_name(target[1:]) or label.lstrip("@") or target[1:])
    if target.startswith("#"):
        return "#" + (label.lstrip("#") or names.channel_name(target[1:]) or target[1:])
    if target.startswith("!"):
        return _command(target[1:], label)
    return link(unescaped(target), with_emoji(label))


def _command(command: str, label: str) -> str:
    """Return ``<!here>``, ``<!subteam^S1|@team>`` or ``<!date^…|fallback>`` as text."""
    name, _, rest = command.partition("^")
    if name == "date":
        return label or rest.partition("^")[0]
    if name == "subteam":
        return "@" + (label.lstrip("@") or rest)
    return label if label.startswith("@") else f"@{label or name}"


def link(url: str, label: str) -> str:
    """Return a link as ``label (url)``, or as one of them if the other adds nothing."""
    bare = _SCHEME.sub("", url, count=1)
    if not label or label in (url, bare):
        return bare if url.lower().startswith(("mailto:", "tel:")) else url
    return f"{label} ({bare if url.lower().startswith(('mailto:', 'tel:')) else url})"
