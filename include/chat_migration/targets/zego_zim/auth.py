"""Signatures: one for each request, made when it is sent, with a nonce of its own.

Source: "Accessing Server APIs", signing the requests.
"""

from __future__ import annotations

import secrets
from hashlib import md5

from pydantic import SecretStr

from chat_migration.clock import Clock

VERSION = "2.0"
_NONCE_BYTES = 8


def signature_of(app_id: int, nonce: str, server_secret: str, timestamp: int) -> str:
    """Return the lower-case hex MD5 of app id, nonce, secret and Unix seconds, joined in this order.

    The vector of the vendor's page:

    >>> signature_of(12345, "4fd24687296dd9f3", "9193cc662a4c0ec135ec71fb57194b38", 1615186943)
    '43e5cfcca828314675f91b001390566a'
    """
    signed = f"{app_id}{nonce}{server_secret}{timestamp}".encode()
    return md5(signed, usedforsecurity=False).hexdigest()


class Signer:
    """Signs for one app; safe to use from many threads."""

    def __init__(self, *, app_id: int, server_secret: SecretStr, clock: Clock) -> None:
        self._app_id, self._secret, self._clock = app_id, server_secret, clock

    def signed(self, action: str) -> dict[str, str | int]:
        """Return the query parameters that every request has, for one request that is sent at once."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        timestamp = self._clock.now_ms() // 1000
        secret = self._secret.get_secret_value()
        return {
            "Action": action,
            "AppId": self._app_id,
            "SignatureNonce": nonce,
            "Timestamp": timestamp,
            "SignatureVersion": VERSION,
            "Signature": signature_of(self._app_id, nonce, secret, timestamp),
        }

    def __repr__(self) -> str:
        """Show for which app, never with what."""
        return f"Signer(app_id={self._app_id})"
