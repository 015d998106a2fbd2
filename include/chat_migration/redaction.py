"""Secrets never leave: they are cut from whatever may be logged, stored or shown."""

from __future__ import annotations

import re

_NAMES = r"user_?sig|signature|secret_?key|server_?secret|password|passwd|token"
_QUOTED = r"\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|\\+[\"'].*?\\+[\"']"
"""A value in quotes, which may be escaped themselves, as JSON within JSON is."""

_NAMED = re.compile(
    rf"(?i)(?<![a-z0-9])((?:{_NAMES})(?:\\*[\"'])?\s*[:=]\s*|\bt=)({_QUOTED}|[^&\s'\"),;}}\]]+)"
)
"""``password=…`` of a URL or a call, ``"secret_key": "…"`` of JSON, ``token: …`` of YAML."""
_ENCODED = re.compile(rf"(?i)((?:{_NAMES})%(?:25)*3d)((?:(?!%(?:25)*26)[^&\s'\"()])+)")
"""``usersig%3D…``: a URL that is itself the value of a parameter, once or more often encoded."""
_IN_ADDRESS = re.compile(r"(?i)(\b[a-z][a-z0-9+.\-]*://[^\s/:@'\"]*:)([^\s/'\"]+)(?=@)")
"""``postgresql://user:…@host``, ``redis://:…@host``."""
_USER_SIG = re.compile(r"eJ[A-Za-z0-9*\-_+/%]{40,}={0,2}")
_SLACK_TOKEN = re.compile(r"xox[a-z]-[A-Za-z0-9-]+")

MASK = "***"


def redact(text: str) -> str:
    """Return a text without the values of secret parameters and fields, passwords in URLs, signatures and tokens.

    >>> redact("GET https://h/v4/x?sdkappid=1&usersig=eJw*abc&random=7")
    'GET https://h/v4/x?sdkappid=1&usersig=***&random=7'
    >>> redact('{"secret_key": "abc"} postgresql://chat:abc@db/ledger')
    '{"secret_key": "***"} postgresql://chat:***@db/ledger'
    """
    masked = _IN_ADDRESS.sub(lambda found: found[1] + MASK, text)
    masked = _ENCODED.sub(lambda found: found[1] + MASK, masked)
    masked = _NAMED.sub(lambda found: found[1] + _masked(found[2]), masked)
    return _SLACK_TOKEN.sub(MASK, _USER_SIG.sub(MASK, masked))


def _masked(value: str) -> str:
    """Return the mask in the quotes that the value has."""
    bare = value.lstrip("\\")
    quote = value[: len(value) - len(bare) + 1] if bare[:1] in ('"', "'") else ""
    return f"{quote}{MASK}{quote}"
