"""Secrets never leave: they are cut from whatever may be logged, stored or shown."""

from __future__ import annotations

import re

_SECRET_PARAMETER = re.compile(
    r"(?i)\b(usersig|signature|secretkey|serversecret|password|token|t)=([^&\s'\")]+)"
)
_USER_SIG = re.compile(r"eJ[A-Za-z0-9*\-_+/]{40,}={0,2}")
_SLACK_TOKEN = re.compile(r"xox[a-z]-[A-Za-z0-9-]+")

MASK = "***"


def redact(text: str) -> str:
    """Return a text without the values of secret URL parameters, signatures and tokens.

    >>> redact("GET https://h/v4/x?sdkappid=1&usersig=eJw*abc&random=7")
    'GET https://h/v4/x?sdkappid=1&usersig=***&random=7'
    """
    masked = _SECRET_PARAMETER.sub(lambda found: f"{found[1]}={MASK}", text)
    return _SLACK_TOKEN.sub(MASK, _USER_SIG.sub(MASK, masked))
