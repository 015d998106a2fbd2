"""URL, method, body and signature rules, before any API is reached."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest
import TLSSigAPIv2
from tests.sandbox.client import Tencent

from chat_sandbox.config import MAX_REQUEST_BYTES

CHECK = "im_open_login_svc/account_check"
BODY = b'{"CheckItem":[{"UserID":"ann"}]}'


def _code(tencent: Tencent, data: bytes = BODY, *, path: str = CHECK, **query: Any) -> int:
    response = tencent.raw(path, data, **query)
    assert response.status_code == 200
    return int(response.json()["ErrorCode"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"sdkappid": None}, 60012, id="sdkappid missing"),
        pytest.param({"sdkappid": "x"}, 60006, id="sdkappid no number"),
        pytest.param({"sdkappid": 1400000009}, 70020, id="sdkappid of another region"),
        pytest.param({"identifier": None}, 60004, id="identifier missing"),
        pytest.param({"usersig": None}, 70002, id="usersig missing"),
        pytest.param({"usersig": ""}, 70002, id="usersig empty"),
        pytest.param({"usersig": "abc"}, 70003, id="usersig malformed"),
        pytest.param({"usersig": "eJw*"}, 70003, id="usersig truncated"),
        pytest.param({"identifier": "bob"}, 70013, id="usersig of another identifier"),
        pytest.param({"random": None}, 60002, id="random missing"),
        pytest.param({"random": 2**32}, 60002, id="random over 32 bits"),
        pytest.param({"contenttype": "xml"}, 60002, id="contenttype not json"),
        pytest.param({}, 0, id="everything right"),
    ],
)
def test_url_parameters_are_checked(tencent: Tencent, query: dict[str, Any], code: int) -> None:
    assert _code(tencent, **query) == code


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_answered(tencent: Tencent, method: str) -> None:
    assert _code(tencent, method=method) == 60002


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("group_open_http_svc/import_groups", 10003),
        ("openim/import_msg", 60009),
        ("no_such_svc/x", 60009),
        ("im_open_login_svc/Account_check", 60009),
    ],
)
def test_unknown_paths_are_refused_and_case_counts(tencent: Tencent, path: str, code: int) -> None:
    assert _code(tencent, path=path) == code


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"{'a':1}", b'{"a":1,}'])
def test_a_body_that_is_no_json_object_is_refused(tencent: Tencent, data: bytes) -> None:
    assert _code(tencent, data) == 60003


def test_a_body_over_one_megabyte_is_cut_off_with_413(tencent: Tencent) -> None:
    data = b'{"CheckItem":"' + b"x" * MAX_REQUEST_BYTES + b'"}'
    assert tencent.raw(CHECK, data).status_code == 413


def test_a_usersig_made_with_another_key_fails_verification(tencent: Tencent) -> None:
    forged = tencent.sign(tencent.sandbox.app.admin, key="another key")
    assert _code(tencent, usersig=forged) == 70009


def test_a_usersig_for_another_app_is_refused(tencent: Tencent) -> None:
    app = tencent.sandbox.app
    other = TLSSigAPIv2.TLSSigAPIv2(app.sdk_app_id + 1, app.secret_key).gen_sig(app.admin)
    assert _code(tencent, usersig=other) == 70014


def test_a_usersig_with_userbuf_is_verified(tencent: Tencent) -> None:
    app = tencent.sandbox.app
    maker = TLSSigAPIv2.TLSSigAPIv2(app.sdk_app_id, app.secret_key)
    signed = maker.gen_sig_with_userbuf(app.admin, 3600, b"room")
    assert _code(tencent, usersig=signed) == 0


def test_a_usersig_in_the_standard_base64_alphabet_is_malformed(tencent: Tencent) -> None:
    standard = tencent.usersig.replace("*", "+").replace("-", "/").replace("_", "=")
    assert standard != tencent.usersig
    assert _code(tencent, usersig=standard) == 70003


def test_a_usersig_expires_by_the_sandbox_clock(tencent: Tencent) -> None:
    short = tencent.sign(tencent.sandbox.app.admin, expire=60)
    assert _code(tencent, usersig=short) == 0
    tencent.sandbox.advance_clock(61)
    assert _code(tencent, usersig=short) == 70001


def test_a_valid_signature_of_someone_else_than_the_admin_is_refused(tencent: Tencent) -> None:
    assert _code(tencent, identifier="bob", usersig=tencent.sign("bob")) == 60010


def test_too_many_failed_verifications_lock_the_identifier_for_a_minute(tencent: Tencent) -> None:
    forged = tencent.sign(tencent.sandbox.app.admin, key="another key")
    codes = [_code(tencent, usersig=forged) for _ in range(22)]
    assert codes == [70009] * 21 + [70050]
    assert _code(tencent) == 70050
    tencent.sandbox.advance_clock(60)
    assert _code(tencent) == 0


def test_expired_signatures_do_not_lock(tencent: Tencent) -> None:
    short = tencent.sign(tencent.sandbox.app.admin, expire=1)
    tencent.sandbox.advance_clock(2)
    assert {_code(tencent, usersig=short) for _ in range(25)} == {70001}


def test_connections_are_kept_alive(tencent: Tencent) -> None:
    connection = http.client.HTTPConnection(tencent.sandbox.url.removeprefix("http://"))
    local_ports = set()
    for _ in range(5):
        connection.request("POST", f"/v4/{CHECK}", BODY)
        response = connection.getresponse()
        assert len(response.read()) == int(response.headers["Content-Length"])
        local_ports.add(connection.sock.getsockname())
    connection.close()
    assert len(local_ports) == 1


def test_paths_outside_any_vendor_are_not_found(tencent: Tencent) -> None:
    assert tencent.session.get(f"{tencent.sandbox.url}/v5/x", timeout=5).status_code == 404


def test_the_sandbox_holds_a_thousand_small_calls_a_second(tencent: Tencent) -> None:
    began = time.perf_counter()
    for _ in range(200):
        tencent.raw(CHECK, BODY)
    assert time.perf_counter() - began < 2, "client and server together, with room to spare"
