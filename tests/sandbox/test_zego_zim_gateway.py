"""What stands before every Action of ZIM: common parameters, signature, nonce, time, body."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.zim_client import Zim

from chat_sandbox.zego_zim.signature import signature_of

QUERY = b'{"UserIds": ["ann"]}'


def _code(
    zim: Zim, action: str | None = "QueryUserInfos", data: bytes = QUERY, **query: Any
) -> int:
    response = zim.raw(action, data, **query)
    assert response.status_code == 200
    return int(response.json()["Code"])


def test_the_signature_is_that_of_the_documented_vector() -> None:
    signed = signature_of(12345, "4fd24687296dd9f3", "9193cc662a4c0ec135ec71fb57194b38", 1615186943)
    assert signed == "43e5cfcca828314675f91b001390566a"


def test_a_good_request_passes_and_has_the_documented_envelope(zim: Zim) -> None:
    reply = zim.post("QueryUserInfos", {"UserIds": ["ann"]})
    assert (reply["Code"], reply["Message"]) == (0, "success")
    assert reply["RequestId"].isdecimal()


def test_every_reply_has_a_request_id_of_its_own(zim: Zim) -> None:
    replies = [zim.post(action, {}) for action in ("QueryUserInfos", "QueryGroupMsg", "None")]
    assert len({reply["RequestId"] for reply in replies}) == 3


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"AppId": None}, 100000001),
        ({"AppId": "x"}, 100000001),
        ({"AppId": 7}, 100000001),
        ({"AppId": 2**32}, 100000001),
        ({"Timestamp": None}, 100000002),
        ({"Timestamp": "now"}, 100000003),
        ({"SignatureNonce": None}, 100000008),
        ({"SignatureNonce": "0123456789abcde"}, 100000009),
        ({"SignatureNonce": "0123456789abcdeg"}, 100000009),
        ({"SignatureVersion": None}, 100000014),
        ({"SignatureVersion": "1.0"}, 100000014),
        ({"Signature": None}, 100000013),
        ({"Signature": "0" * 32}, 100000005),
        ({"Signature": "ü"}, 100000005),
    ],
)
def test_a_common_parameter_that_is_missing_or_wrong_is_refused(
    zim: Zim, query: dict[str, Any], code: int
) -> None:
    assert _code(zim, **query) == code


def test_an_upper_case_signature_is_refused(zim: Zim) -> None:
    query = zim.signed()
    assert _code(zim, **query | {"Signature": query["Signature"].upper()}) == 100000005


@pytest.mark.parametrize(
    ("skew", "code"), [(0, 0), (-600, 0), (600, 0), (-601, 100000004), (601, 100000004)]
)
def test_the_clock_of_the_client_may_be_ten_minutes_off(zim: Zim, skew: int, code: int) -> None:
    assert _code(zim, Timestamp=zim.now // 1000 + skew) == code


def test_time_and_nonce_must_be_those_that_were_signed(zim: Zim) -> None:
    query = zim.signed()
    other = zim.signed()
    assert _code(zim, **query | {"SignatureNonce": other["SignatureNonce"]}) == 100000005
    assert _code(zim, **query | {"Timestamp": query["Timestamp"] - 1}) == 100000005


def test_a_nonce_passes_once_until_its_signature_has_expired(zim: Zim) -> None:
    query = zim.signed()
    assert [_code(zim, **query), _code(zim, **query)] == [0, 100000009]
    zim.sandbox.advance_clock(1300)
    renewed = zim.signed(SignatureNonce=query["SignatureNonce"])
    assert _code(zim, **renewed) == 0


def test_a_refused_signature_does_not_use_its_nonce_up(zim: Zim) -> None:
    query = zim.signed()
    assert _code(zim, **query | {"Signature": "0" * 32}) == 100000005
    assert _code(zim, **query) == 0


@pytest.mark.parametrize(
    ("action", "code"), [(None, 100000006), ("", 100000006), ("queryuserinfos", 100000007)]
)
def test_an_action_is_known_by_its_exact_name(zim: Zim, action: str | None, code: int) -> None:
    assert _code(zim, action) == code


def test_each_action_has_one_method(zim: Zim) -> None:
    assert zim.get("QueryUserInfos")["Code"] == 100000007
    assert zim.post("QueryAppGroupList", {"Limit": 10})["Code"] == 100000007
    assert zim.get("QueryAppGroupList", Limit=10)["Code"] == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_a_bad_parameter(zim: Zim, data: bytes) -> None:
    assert _code(zim, data=data) == 660000002


def test_ids_with_signs_of_urls_come_through_a_query(zim: Zim) -> None:
    strange = "a b#&+%;=?"
    zim.register(strange)
    zim.tell(1000, FromUserId=strange, ImportedUserId="bob")
    clear = {"FromUserId": "bob", "ConvId": strange, "ConvType": 0}
    assert zim.zim.unread("bob", peer=strange) == 1
    assert zim.get("ClearConversationUnread", **clear)["Code"] == 0
    assert zim.zim.unread("bob", peer=strange) == 0


def test_a_secret_is_in_no_reply_and_no_repr(zim: Zim) -> None:
    secret = zim.zim.app.server_secret
    assert secret not in repr(zim.zim.app)
    assert secret not in zim.raw("QueryUserInfos", b"{}", Signature="0" * 32).text


def test_both_vendors_answer_on_one_port(zim: Zim) -> None:
    assert zim.code("QueryUserInfos", {"UserIds": ["ann"]}) == 0
    reply = zim.session.post(f"{zim.sandbox.url}/v4/openim/importmsg", data=b"{}", timeout=5)
    assert reply.json()["ErrorCode"] == 60012
    health = zim.sandbox.health()
    assert health["vendors"] == ["tencent_chat", "zego_zim"]
    assert health["zim_apps"] == [zim.zim.app.app_id]
