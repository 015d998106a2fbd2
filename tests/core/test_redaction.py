"""No signature, secret or token stays in a text that leaves the process."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlencode

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from TLSSigAPIv2 import TLSSigAPIv2

from chat_migration.redaction import MASK, redact

SECRET = "s3cr3t-K3y/with+signs="
NAMES = ["usersig", "UserSig", "Signature", "SecretKey", "ServerSecret", "password", "token", "t"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "frame",
    [
        "https://h/v4/x?{}&random=7",
        "https://h/v4/x?random=7&{}",
        "Max retries exceeded with url: /v4/x?sdkappid=1&{} (Caused by X('y'))",
        "<Request 'https://h/?{}'>",
        "{}\nnext line",
    ],
    ids=["first", "last", "requests-text", "quoted", "line"],
)
def test_a_secret_parameter_loses_its_value(name: str, frame: str) -> None:
    told = frame.format(f"{name}={quote(SECRET, safe='')}")
    assert redact(told) == frame.format(f"{name}={MASK}")


@given(value=st.text(min_size=1), following=st.sampled_from(["", "&random=1", " (Caused by x)"]))
def test_any_encoded_value_is_masked_whole(value: str, following: str) -> None:
    told = f"https://h/v4?sdkappid=1&usersig={quote(value, safe='')}{following}"
    assert redact(told) == f"https://h/v4?sdkappid=1&usersig={MASK}{following}"


@given(key=st.text(min_size=1, max_size=64), admin=st.text(min_size=1, max_size=32))
def test_a_real_signature_is_masked_wherever_it_stands(key: str, admin: str) -> None:
    signature = TLSSigAPIv2(1400000000, key).gen_sig(admin, 86400)
    for told in (f"{{'sig': '{signature}'}}", f"sent {signature}", f'"{signature}"'):
        assert signature not in redact(told)
        assert signature[20:60] not in redact(told)


def test_an_exception_of_the_http_library_tells_no_signature() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    query = urlencode({"identifier": "admin", "usersig": SECRET, "random": 5})
    with pytest.raises(requests.ConnectionError) as caught:
        requests.post(f"http://127.0.0.1:{port}/v4/x?{query}", timeout=2)
    told = repr(caught.value) + str(caught.value)
    assert quote(SECRET, safe="") in told
    assert quote(SECRET, safe="") not in redact(told)
    assert "identifier=admin" in redact(told)


@pytest.mark.parametrize("quote_of", ['"', "'"])
@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ("connect({}={})", "password"),
        ("Connection(password = {1}, host='h')", "password"),
        ('{{"host": "h", "{}": {}}}', "secret_key"),
        ("{{'{}': {}, 'host': 'h'}}", "SecretKey"),
        ("{}: {}", "server_secret"),
        ('{{"{}":{}}}', "usersig"),
        ("extra: {{ {}: {} }}", "token"),
    ],
    ids=["call", "repr", "json", "dict", "yaml", "compact", "flow-yaml"],
)
@pytest.mark.parametrize("value", [SECRET, "two words", "with, comma; and }", "a"])
def test_a_secret_field_loses_its_quoted_value(
    frame: str, name: str, value: str, quote_of: str
) -> None:
    told = frame.format(name, quote_of + value + quote_of)
    assert redact(told) == frame.format(name, quote_of + MASK + quote_of)


def test_json_within_json_and_bare_yaml_lose_their_secrets() -> None:
    assert redact(r'{"extra": "{\"secret_key\": \"abc def\", \"at\": 5}"}') == (
        r'{"extra": "{\"secret_key\": \"***\", \"at\": 5}"}'
    )
    assert redact("secret_key: abc\nhost: h") == "secret_key: ***\nhost: h"
    assert redact(r'{"password": "a\"b c", "at": 5}') == '{"password": "***", "at": 5}'


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_signature_in_a_url_within_a_url_is_masked(times: int) -> None:
    inner = f"https://h/v4/x?sdkappid=1&usersig={quote(SECRET, safe='')}&random=7"
    for _ in range(times):
        inner = quote(inner, safe="")
    told = redact(f"https://proxy/?next={inner}&at=5")
    assert "s3cr3t" not in told
    assert "random" in told
    assert told.endswith("&at=5")


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("postgresql+psycopg://chat:s3cr3t@db:5432/ledger", "postgresql+psycopg://chat:***@db:5432/ledger"),
        ("redis://:s3cr3t@redis:6379/0", "redis://:***@redis:6379/0"),
        ("rediss://user:p@ss@redis/0?x=1", "rediss://user:***@redis/0?x=1"),
        ("('sqlite:///var/ledger.sqlite', 'amqp://a:b@c//')", "('sqlite:///var/ledger.sqlite', 'amqp://a:***@c//')"),
        ("https://boss:s3cr3t@proxy.example", "https://boss:***@proxy.example"),
    ],
    ids=["postgresql", "redis", "at-sign", "two", "proxy"],
)  # fmt: skip
def test_a_password_in_an_address_is_masked(address: str, masked: str) -> None:
    assert redact(address) == masked


def test_a_slack_token_is_masked() -> None:
    assert redact("with xoxb-12-ab-CD and xoxp-9") == f"with {MASK} and {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no secret",
        "sdkappid=1&random=2",
        "format=json&at=5",
        "eJshort",
        "a token is needed",
        "http://127.0.0.1:9700/v4/x",
        "https://h:443/a@b",
        "ada@example.org: a:b@c",
        'at: 5, "t": 7',
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)
