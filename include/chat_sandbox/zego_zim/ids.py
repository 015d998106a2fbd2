"""Which texts may be ids. Source: ImportGroupMsg, ImportPeerMsg and CreateGroup pages."""

from __future__ import annotations

import string
from typing import Final

MAX_ID_BYTES: Final = 32
SERVER_MADE_PREFIX: Final = "#"
USER_ALPHABET: Final = frozenset(
    string.ascii_letters + string.digits + "!#$%&()+-:;<=.>?@[]^_ {}|~"
)
CREATE_ALPHABET: Final = USER_ALPHABET - {" "}
CREATE_ALPHABET_AS_PRINTED: Final = CREATE_ALPHABET - {"-"} | {"'"}
"""The CreateGroup page prints an apostrophe where the other pages print a dash."""


def is_spelled_with(value: str, alphabet: frozenset[str]) -> bool:
    """Return whether a text has no other characters."""
    return alphabet.issuperset(value)
