"""UserSig: signs for the app admin, made ahead of its expiry.

Source: "Generating UserSig" (1047/34385). One signature may be reused until it expires; the vendor advises a
life of at least a day, and a long migration must renew it on the way.
"""

from __future__ import annotations

import threading

import TLSSigAPIv2
from pydantic import SecretStr

from chat_migration.clock import Clock

LIFE_SECONDS = 2 * 24 * 3600
"""Life of one signature."""
RENEW_SECONDS = 24 * 3600
"""A signature with less than this to live is replaced."""


class Signer:
    """Gives the current UserSig of one admin; safe to use from many threads."""

    def __init__(self, *, sdk_app_id: int, admin: str, secret_key: SecretStr, clock: Clock) -> None:
        self._api = TLSSigAPIv2.TLSSigAPIv2(sdk_app_id, secret_key.get_secret_value())
        self._admin, self._clock = admin, clock
        self._lock = threading.Lock()
        self._signature, self._expires = "", 0.0

    def user_sig(self) -> str:
        """Return a signature that lives for another day at least."""
        with self._lock:
            now = self._clock.now_ms() / 1000
            if now > self._expires - RENEW_SECONDS or not self._signature:
                self._signature = str(self._api.gen_sig(self._admin, LIFE_SECONDS))
                self._expires = now + LIFE_SECONDS
            return self._signature

    def renew(self) -> None:
        """Forget the current signature: the vendor says that it has expired."""
        with self._lock:
            self._signature = ""

    def __repr__(self) -> str:
        """Show who signs, never with what."""
        return f"Signer(admin={self._admin!r})"
