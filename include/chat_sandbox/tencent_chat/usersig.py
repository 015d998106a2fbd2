"""Checking a UserSig (TLSSigAPIv2), written from the documented format.

Source: generating UserSig page (1047/34385), login authentication page (1047/33517).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from chat_sandbox.tencent_chat.codes import RefusalError

LOCK_SECONDS = 60.0
MAX_CLAIMS_BYTES = 16_384
_FROM_VENDOR_ALPHABET = str.maketrans("*-_", "+/=")
_STANDARD_ALPHABET_ONLY = frozenset("+/=")


class Claims(msgspec.Struct, frozen=True):
    """What a UserSig says of itself."""

    version: str = msgspec.field(name="TLS.ver")
    identifier: str = msgspec.field(name="TLS.identifier")
    sdk_app_id: int = msgspec.field(name="TLS.sdkappid")
    expire_seconds: int = msgspec.field(name="TLS.expire")
    time: int = msgspec.field(name="TLS.time")
    signature: str = msgspec.field(name="TLS.sig")
    userbuf: str | None = msgspec.field(name="TLS.userbuf", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request says it is: the URL's ``sdkappid`` and ``identifier``, and the app's key."""

    sdk_app_id: int
    identifier: str
    secret_key: str


def verify(usersig: str, caller: Caller, *, now: int) -> None:
    """Check that a UserSig is the caller's own, made with the app's key, and still valid.

    Order of the checks: form, ``sdkappid``, ``identifier``, signature, expiry. The pages do not
    give it.

    Raises:
        RefusalError: 70002, 70003, 70014, 70013, 70009 or 70001.
    """
    if not usersig:
        raise RefusalError(70002)
    claims = _decode(usersig)
    if claims is None:
        raise RefusalError(70003)
    if claims.sdk_app_id != caller.sdk_app_id:
        raise RefusalError(70014)
    if claims.identifier != caller.identifier:
        raise RefusalError(70013)
    expected = _sign(claims, caller.secret_key)
    if not hmac.compare_digest(claims.signature.encode(), expected.encode()):
        raise RefusalError(70009)
    if claims.time + claims.expire_seconds <= now:
        raise RefusalError(70001)


class FailureLock:
    """Locks an identifier for a minute after too many failed verifications (70050).

    The page gives neither the count nor what is counted; here malformed and wrong signatures count,
    expired ones do not.
    """

    COUNTED = frozenset({70003, 70009, 70013, 70014})

    def __init__(self, max_failures: int) -> None:
        self._max_failures = max_failures
        self._failures: dict[tuple[int, str], deque[float]] = {}
        self._locked_until: dict[tuple[int, str], float] = {}

    def check(self, caller: Caller, *, now: float) -> None:
        """Refuse with 70050 while the caller is locked."""
        if now < self._locked_until.get((caller.sdk_app_id, caller.identifier), now):
            raise RefusalError(70050)

    def record(self, caller: Caller, code: int, *, now: float) -> None:
        """Count one failed verification; the first above the allowed number locks."""
        if code not in self.COUNTED:
            return
        key = (caller.sdk_app_id, caller.identifier)
        failures = self._failures.setdefault(key, deque())
        failures.append(now)
        while failures[0] <= now - LOCK_SECONDS:
            failures.popleft()
        if len(failures) > self._max_failures:
            self._locked_until[key] = now + LOCK_SECONDS
            failures.clear()


@lru_cache(maxsize=256)
def _decode(usersig: str) -> Claims | None:
    if _STANDARD_ALPHABET_ONLY.intersection(usersig):
        return None
    try:
        packed = base64.b64decode(usersig.translate(_FROM_VENDOR_ALPHABET), validate=True)
        unpacked = zlib.decompressobj().decompress(packed, MAX_CLAIMS_BYTES)
        return msgspec.json.decode(unpacked, type=Claims)
    except (ValueError, binascii.Error, zlib.error, msgspec.DecodeError):
        return None


def _sign(claims: Claims, secret_key: str) -> str:
    content = (
        f"TLS.identifier:{claims.identifier}\nTLS.sdkappid:{claims.sdk_app_id}\n"
        f"TLS.time:{claims.time}\nTLS.expire:{claims.expire_seconds}\n"
    )
    if claims.userbuf is not None:
        content += f"TLS.userbuf:{claims.userbuf}\n"
    digest = hmac.new(secret_key.encode(), content.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
