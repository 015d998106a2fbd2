"""File tokens: exports put ``?t=xoxe-…`` on every file URL, which opens the file to whoever has it."""

from __future__ import annotations

import re

_VALUE = r"[-.%\w]*"
_NEXT = r"(?:(&(?:amp;)?|\\u0026)(?=\w))?"
_PARAMETER = re.compile(rf"([?&]|&amp;|\\u0026)t=xoxe{_VALUE}{_NEXT}")
_TOKEN = re.compile(r"xoxe[-.%\w]+")
_SLACK_URL = re.compile(r"https?:(?:\\?/){2}[\w.-]*slack(?:-files)?\.com\b[^\s\"|<>]*")
_SLACK_PARAMETER = re.compile(rf"([?&]|&amp;|\\u0026)t={_VALUE}{_NEXT}")


def without_tokens(raw: str) -> str:
    """Return text (plain, or JSON as it is written) without file tokens.

    On Slack's own hosts the parameter goes whatever its value; anywhere else only what looks like a token.

    >>> without_tokens("https://files.slack.com/a.png?t=xoxe-1-2&pretty=1 and ?t=xoxe-3")
    'https://files.slack.com/a.png?pretty=1 and '
    """
    if "t=" in raw and "slack" in raw:
        raw = _SLACK_URL.sub(lambda url: _SLACK_PARAMETER.sub(_kept, url[0]), raw)
    if "xoxe" in raw:
        raw = _TOKEN.sub("", _PARAMETER.sub(_kept, raw))
    return raw


def _kept(found: re.Match[str]) -> str:
    """Keep the separator in front only if another parameter follows."""
    return found[1] if found[2] else ""
