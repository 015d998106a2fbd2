"""The signature of a request, and which nonces were used. Source: accessing server APIs, signing."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from typing import Final

from chat_sandbox.zego_zim.codes import RefusalError

MAX_SKEW_SECONDS: Final = 600
VERSION: Final = "2.0"
_NONCE = re.compile(r"[0-9a-fA-F]{16}")


def signature_of(app_id: int, nonce: str, secret: str, timestamp: int) -> str:
    """Return the lower-case hex MD5 of app id, nonce, secret and Unix seconds, in this order."""
    signed = f"{app_id}{nonce}{secret}{timestamp}".encode("utf-8", "surrogatepass")
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()


def check_nonce(nonce: str) -> None:
    """Refuse a nonce that is missing or not the hex of 8 bytes."""
    if not nonce:
        raise RefusalError(100_000_008)
    if not _NONCE.fullmatch(nonce):
        raise RefusalError(100_000_009)


def check_signature(given: str, expected: str, *, timestamp: int, now: int) -> None:
    """Refuse a request that is not signed, signed wrongly, or signed too long ago or ahead."""
    if not given:
        raise RefusalError(100_000_013)
    if abs(now - timestamp) > MAX_SKEW_SECONDS:
        raise RefusalError(100_000_004)
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
        raise RefusalError(100_000_005)


class NonceMemory:
    """The nonces of as long as a signature can be valid."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, str]] = set()
        self._by_age: deque[tuple[int, tuple[int, str]]] = deque()

    def take(self, app_id: int, nonce: str, *, now: int) -> bool:
        """Remember a nonce; False if it was used before."""
        while self._by_age and self._by_age[0][0] < now - 2 * MAX_SKEW_SECONDS:
            self._seen.discard(self._by_age.popleft()[1])
        key = (app_id, nonce)
        if key in self._seen:
            return False
        self._seen.add(key)
        self._by_age.append((now, key))
        return True
