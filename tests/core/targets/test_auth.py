"""UserSigs that the service accepts, made anew ahead of their end, shown to nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from typing import Any

import pytest
import TLSSigAPIv2
from pydantic import SecretStr
from tests.clocks import HandClock

from chat_migration.targets.tencent_chat.auth import LIFE_SECONDS, RENEW_SECONDS, Signer

SECRET = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that the vendor's library goes by too."""
    clock = HandClock()
    monkeypatch.setattr(TLSSigAPIv2.time, "time", lambda: clock.now_ms() / 1000)
    return clock


def signer(clock: HandClock, admin: str = "administrator") -> Signer:
    return Signer(sdk_app_id=1400000000, admin=admin, secret_key=SecretStr(SECRET), clock=clock)


def verified(signature: str, secret: str = SECRET) -> dict[str, Any]:
    """Return what a signature says, if it is one.

    From the vendor's algorithm: zlib, then base64 with ``*-_`` for ``+/=``; signed are four lines.
    Source: "Generating UserSig" (1047/34385).
    """
    plain = signature.translate(str.maketrans("*-_", "+/="))
    told: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(plain, validate=True)))
    names = ("identifier", "sdkappid", "time", "expire")
    lines = "".join(f"TLS.{name}:{told[f'TLS.{name}']}\n" for name in names)
    made = hmac.new(secret.encode(), lines.encode(), hashlib.sha256).digest()
    assert base64.b64decode(told["TLS.sig"], validate=True) == made
    return told


@pytest.mark.parametrize("admin", ["administrator", "a b", "ünal", 'q"uote'])
def test_a_signature_passes_the_vendors_verification(clock: HandClock, admin: str) -> None:
    assert verified(signer(clock, admin).user_sig()) | {"TLS.sig": ""} == {
        "TLS.ver": "2.0",
        "TLS.identifier": admin,
        "TLS.sdkappid": 1400000000,
        "TLS.expire": LIFE_SECONDS,
        "TLS.time": clock.now_ms() // 1000,
        "TLS.sig": "",
    }


def test_another_secret_does_not_verify(clock: HandClock) -> None:
    with pytest.raises(AssertionError):
        verified(signer(clock).user_sig(), secret="another")


def test_one_signature_serves_many_calls(clock: HandClock) -> None:
    made = signer(clock)
    first = made.user_sig()
    clock.move(LIFE_SECONDS - RENEW_SECONDS - 1)
    assert made.user_sig() == first


@pytest.mark.parametrize(
    "idle", [LIFE_SECONDS - RENEW_SECONDS + 1, LIFE_SECONDS, 10 * LIFE_SECONDS]
)
def test_a_signature_is_replaced_a_day_ahead_of_its_end(clock: HandClock, idle: int) -> None:
    made = signer(clock)
    first = made.user_sig()
    clock.move(idle)
    assert made.user_sig() != first
    assert verified(made.user_sig())["TLS.time"] == clock.now_ms() // 1000


def test_a_signature_lives_for_a_day_whenever_it_is_asked_for(clock: HandClock) -> None:
    made = signer(clock)
    for _ in range(30):
        told = verified(made.user_sig())
        assert told["TLS.time"] + told["TLS.expire"] - clock.now_ms() / 1000 >= RENEW_SECONDS
        clock.move(5 * 3600 + 7)


def test_an_expired_signature_is_made_anew_once(clock: HandClock) -> None:
    made = signer(clock)
    first = made.user_sig()
    clock.move(60)
    made.renew()
    second = made.user_sig()
    clock.move(60)
    assert first != second == made.user_sig()


def test_a_signer_shows_neither_secret_nor_signature(clock: HandClock) -> None:
    made = signer(clock)
    shown = f"{made!r} {made} {made._clock!r}"
    assert "administrator" in shown
    assert SECRET not in shown
    assert made.user_sig() not in shown
