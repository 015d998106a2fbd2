"""Each request has a signature of its own, made from the time at which it is sent; nobody sees the secret."""

from __future__ import annotations

import hashlib
import re

import pytest
from pydantic import SecretStr
from tests.clocks import HandClock

from chat_migration.redaction import redact
from chat_migration.targets.zego_zim.auth import Signer, signature_of

SECRET = "9193cc662a4c0ec135ec71fb57194b38"


def signer(clock: HandClock) -> Signer:
    return Signer(app_id=12345, server_secret=SecretStr(SECRET), clock=clock)


def test_the_vector_of_the_vendors_page() -> None:
    made = signature_of(12345, "4fd24687296dd9f3", SECRET, 1615186943)
    assert made == "43e5cfcca828314675f91b001390566a"


def test_a_request_is_signed_with_what_it_sends_at_the_present_second() -> None:
    clock = HandClock(1_615_186_943_999)
    sent = signer(clock).signed("ImportGroupMsg")
    nonce = str(sent["SignatureNonce"])
    hashed = hashlib.md5(f"12345{nonce}{SECRET}1615186943".encode()).hexdigest()  # noqa: S324
    assert sent == {
        "Action": "ImportGroupMsg",
        "AppId": 12345,
        "SignatureNonce": nonce,
        "Timestamp": 1615186943,
        "SignatureVersion": "2.0",
        "Signature": hashed,
    }
    assert re.fullmatch("[0-9a-f]{16}", nonce)


def test_no_nonce_comes_twice() -> None:
    made = signer(HandClock())
    nonces = {made.signed("QueryGroupMsg")["SignatureNonce"] for _ in range(500)}
    assert len(nonces) == 500


@pytest.mark.parametrize("seconds", [1, 600, 86_400])
def test_a_later_request_is_signed_anew(seconds: int) -> None:
    clock = HandClock()
    made = signer(clock)
    first = made.signed("QueryGroupMsg")
    clock.move(seconds)
    second = made.signed("QueryGroupMsg")
    assert int(second["Timestamp"]) - int(first["Timestamp"]) == seconds
    assert first["Signature"] != second["Signature"]


def test_a_signer_shows_neither_secret_nor_signature() -> None:
    made = signer(HandClock())
    assert f"{made!r} {made}" == "Signer(app_id=12345) Signer(app_id=12345)"
    assert SECRET not in repr(vars(made))


def test_a_signature_is_cut_from_whatever_is_logged() -> None:
    made = signer(HandClock()).signed("ImportGroupMsg")
    url = "/?" + "&".join(f"{name}={value}" for name, value in made.items())
    assert str(made["Signature"]) in url
    assert str(made["Signature"]) not in redact(url)
