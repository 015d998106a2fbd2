"""Scripted faults: what the client sees, and what has happened behind its back."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from tests.sandbox.client import Json, Tencent

from chat_sandbox import Effect, FaultAction, SandboxError, SandboxHandle

API = "import_group_msg"
PATH = f"group_open_http_svc/{API}"


def _stored(client: Tencent) -> int:
    return len(client.sandbox.dump()["groups"]["g"]["messages"])


def _send(client: Tencent, count: int = 1) -> requests.Response:
    messages = [client.message(50 - number) for number in range(count)]
    body = {"GroupId": "g", "MsgList": messages}
    return client.raw(PATH, json.dumps(body).encode())


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("action", [FaultAction.DROP, FaultAction.CLOSE])
def test_a_cut_connection_leaves_the_client_in_doubt(
    crew: Tencent, action: FaultAction, effect: Effect
) -> None:
    crew.sandbox.add_fault(action, api=API, effect=effect)
    with pytest.raises(requests.ConnectionError):
        _send(crew)
    assert _stored(crew) == (effect is Effect.APPLIED)


def test_a_drop_is_a_reset_and_a_close_is_not(crew: Tencent) -> None:
    crew.sandbox.add_fault("drop", api=API, last_call=1)
    crew.sandbox.add_fault("close", api=API)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        _send(crew)
    with pytest.raises(requests.ConnectionError, match="without response"):
        _send(crew)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_gateway_error_is_html_and_tells_nothing(
    crew: Tencent, status: int, effect: Effect
) -> None:
    crew.sandbox.add_fault("http_error", api=API, status=status, effect=effect)
    response = _send(crew)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html"
    assert str(status) in response.text
    assert _stored(crew) == (effect is Effect.APPLIED)


@pytest.mark.parametrize("effect", list(Effect))
def test_an_empty_body_is_a_200_without_bytes(crew: Tencent, effect: Effect) -> None:
    crew.sandbox.add_fault("empty_body", api=API, effect=effect)
    response = _send(crew)
    assert (response.status_code, response.content) == (200, b"")
    assert _stored(crew) == (effect is Effect.APPLIED)


def test_html_can_come_with_a_200(crew: Tencent) -> None:
    crew.sandbox.add_fault("html_body", api=API)
    assert _send(crew).text.startswith("<html>")


@pytest.mark.parametrize("effect", list(Effect))
def test_a_truncated_body_breaks_off_in_the_middle(crew: Tencent, effect: Effect) -> None:
    crew.sandbox.add_fault("truncated_body", api=API, effect=effect)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _send(crew)
    assert _stored(crew) == (effect is Effect.APPLIED)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("code", [10002, 60008, 91000, 12345])
def test_any_error_code_can_come_with_or_without_effect(
    crew: Tencent, code: int, effect: Effect
) -> None:
    crew.sandbox.add_fault("error", api=API, code=code, effect=effect)
    reply = _send(crew).json()
    assert (reply["ErrorCode"], reply["ActionStatus"]) == (code, "FAIL")
    assert _stored(crew) == (effect is Effect.APPLIED)


def test_a_throttle_burst_refuses_and_then_passes(crew: Tencent) -> None:
    crew.sandbox.add_fault("throttle", api=API, last_call=3)
    codes = [_send(crew).json()["ErrorCode"] for _ in range(4)]
    assert codes == [60007, 60007, 60007, 0]
    assert crew.sandbox.stats()["apis"][API]["throttled"] == 3


@pytest.mark.parametrize(
    ("action", "rule", "seqs"),
    [
        ("omit_rows", {}, None),
        ("fewer_rows", {}, [1, 2]),
        ("fewer_rows", {"count": 3}, []),
        ("more_rows", {}, [1, 2, 3, 3]),
        ("more_rows", {"count": 2}, [1, 2, 3, 3, 3]),
        ("flat_seq", {}, [1, 1, 1]),
    ],
)
def test_the_items_of_a_reply_can_be_spoiled(
    crew: Tencent, action: str, rule: dict[str, Any], seqs: list[int] | None
) -> None:
    crew.sandbox.add_fault(action, api=API, **rule)
    items = _send(crew, 3).json().get("ImportMsgResult")
    assert (None if items is None else [item["MsgSeq"] for item in items]) == seqs
    assert _stored(crew) == 3


def test_items_can_name_something_else_or_have_another_type(crew: Tencent) -> None:
    crew.sandbox.add_fault("other_rows", api=API, last_call=1)
    crew.sandbox.add_fault("mistyped_rows", api=API)
    sent = crew.message(50)
    (other,) = crew.send("g", sent)["ImportMsgResult"]
    assert other["MsgTime"] == sent["SendTime"] + 1
    (mistyped,) = crew.send("g", crew.message(40))["ImportMsgResult"]
    assert mistyped == {"MsgSeq": False, "MsgTime": False, "Result": False}
    path = "im_open_login_svc/account_check"
    crew.sandbox.add_fault("other_rows", api="account_check")
    (item,) = crew.call(path, {"CheckItem": [{"UserID": "ann"}]})["ResultItem"]
    assert item["UserID"] == "ann-other"
    crew.sandbox.add_fault("other_rows", api="multiaccount_import")
    reply = crew.call("im_open_login_svc/multiaccount_import", {"AccountList": [{"UserID": "ann"}]})
    assert reply["FailAccounts"] == ["-other"]


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(("count", "kept"), [(1, 2), (3, 0)])
def test_single_items_can_fail_with_or_without_effect(
    crew: Tencent, effect: Effect, count: int, kept: int
) -> None:
    crew.sandbox.add_fault("item_error", api=API, code=60008, count=count, effect=effect)
    reply = _send(crew, 3).json()
    assert reply["ErrorCode"] == 0
    assert [item["Result"] for item in reply["ImportMsgResult"]] == [0] * kept + [60008] * count
    assert _stored(crew) == (3 if effect is Effect.APPLIED else kept)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("list_body", []),
        ("bare_body", {}),
        ("contradiction", {"ActionStatus": "FAIL", "ErrorCode": 0, "ErrorInfo": ""}),
    ],
)
def test_a_200_can_be_json_that_says_nothing(
    crew: Tencent, action: str, said: Any, effect: Effect
) -> None:
    crew.sandbox.add_fault(action, api=API, effect=effect)
    told = _send(crew).json()
    assert (told | {"ErrorInfo": ""} if told else told) == said
    assert _stored(crew) == (effect is Effect.APPLIED)


def test_a_reply_can_drip(crew: Tencent) -> None:
    crew.sandbox.add_fault("drip", api=API, seconds=0.001, effect=Effect.APPLIED)
    assert _send(crew).json()["ErrorCode"] == 0
    assert _stored(crew) == 1


def test_a_client_may_leave_while_a_reply_drips(crew: Tencent) -> None:
    crew.sandbox.add_fault("drip", api="account_check", seconds=0.02, last_call=1)
    _impatient_check(crew)
    _until(lambda: crew.sandbox.stats()["recent_calls"][-1]["result"] != "")
    assert _check(crew) == 0


def test_all_calls_are_noted_in_the_order_in_which_they_came(crew: Tencent) -> None:
    crew.sandbox.reset_stats()
    crew.sandbox.add_fault("error", api=API, code=10002, last_call=1)
    _send(crew)
    crew.history("g")
    _send(crew, 2)
    assert crew.sandbox.stats()["recent_calls"] == [
        {"api": API, "rows": 1, "result": "10002", "fault": "error"},
        {"api": "group_msg_get_simple", "rows": 1, "result": "0", "fault": ""},
        {"api": API, "rows": 2, "result": "0", "fault": ""},
    ]


def test_seqs_can_stand_still_from_call_to_call(crew: Tencent) -> None:
    crew.sandbox.add_fault("flat_seq", api=API)
    items = [crew.send("g", crew.message(age))["ImportMsgResult"][0] for age in (50, 40)]
    assert [item["MsgSeq"] for item in items] == [1, 1]


@pytest.mark.parametrize("effect", list(Effect))
def test_a_slow_call_waits_before_or_after_its_effect(crew: Tencent, effect: Effect) -> None:
    crew.sandbox.add_fault("slow", api=API, seconds=30, effect=effect)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(_send, crew)
        _until(lambda: crew.sandbox.faults()[0]["fired"] == 1)
        assert _stored(crew) == (effect is Effect.APPLIED)
        crew.sandbox.advance_clock(29)
        assert not pending.done()
        crew.sandbox.advance_clock(1)
        assert pending.result(10).json()["ErrorCode"] == 0
    assert _stored(crew) == 1


def test_a_call_can_take_effect_long_after_its_connection_was_cut(crew: Tencent) -> None:
    crew.sandbox.add_fault("apply_late", api=API, seconds=20)
    with pytest.raises(requests.ConnectionError):
        _send(crew)
    assert _stored(crew) == 0
    crew.sandbox.advance_clock(20)
    _until(lambda: _stored(crew) == 1)


def test_a_client_that_gives_up_does_not_stop_the_effect(crew: Tencent) -> None:
    crew.sandbox.add_fault("slow", api=API, seconds=5)
    body = json.dumps({"GroupId": "g", "MsgList": [crew.message(50)]})
    query: Json = {
        "sdkappid": crew.sandbox.app.sdk_app_id,
        "identifier": crew.sandbox.app.admin,
        "usersig": crew.usersig,
        "random": 1,
    }
    url = f"{crew.sandbox.url}/v4/{PATH}"
    with pytest.raises(requests.Timeout):
        crew.session.post(url, params=query, data=body, timeout=0.05)
    crew.sandbox.advance_clock(5)
    _until(lambda: _stored(crew) == 1)


def test_calls_are_matched_by_number_within_a_group(crew: Tencent) -> None:
    crew.make_group("h")
    crew.sandbox.add_fault("error", api=API, code=10002, group_id="h", first_call=2, last_call=3)
    for group_id, codes in (("g", [0, 0, 0, 0]), ("h", [0, 10002, 10002, 0])):
        messages = [crew.message(age) for age in (50, 40, 30, 20)]
        assert [crew.send(group_id, message)["ErrorCode"] for message in messages] == codes


def test_calls_are_matched_by_any_field_of_the_body(crew: Tencent) -> None:
    crew.sandbox.add_fault("error", code=91000, where={"To_Account": "cid"})
    assert crew.tell() == 0
    assert crew.tell(To_Account="cid") == 91000


def test_a_rule_without_api_hits_every_call(crew: Tencent) -> None:
    crew.sandbox.add_fault("error", code=60008, last_call=2)
    assert crew.tell() == 60008
    assert _check(crew) == 60008
    assert _check(crew) == 0


def test_chance_is_repeatable(crew: Tencent) -> None:
    seen = []
    for _ in range(2):
        crew.sandbox.clear_faults()
        crew.sandbox.add_fault("error", api="account_check", code=60008, probability=0.3)
        codes = [_check(crew) for _ in range(40)]
        seen.append(codes)
    assert seen[0] == seen[1]
    assert 3 < seen[0].count(60008) < 25


def test_the_first_rule_that_fires_wins(crew: Tencent) -> None:
    first = crew.sandbox.add_fault("error", api="account_check", code=60008, first_call=2)
    crew.sandbox.add_fault("error", api="account_check", code=60014)
    assert [_check(crew), _check(crew)] == [60014, 60008]
    crew.sandbox.remove_fault(first)
    assert _check(crew) == 60014
    crew.sandbox.clear_faults()
    assert _check(crew) == 0


def test_faults_are_listed_with_what_they_saw(crew: Tencent) -> None:
    crew.sandbox.add_fault("error", api="account_check", code=60008, first_call=2)
    _check(crew)
    _check(crew)
    listed = crew.sandbox.faults()[0]
    assert (listed["seen"], listed["fired"], listed["rule"]["code"]) == (2, 1, 60008)
    assert crew.sandbox.stats()["apis"]["account_check"]["faults"] == {"error": 1}


def test_faults_hit_only_calls_that_the_gateway_lets_through(crew: Tencent) -> None:
    crew.sandbox.add_fault("drop", api="account_check")
    assert crew.raw("im_open_login_svc/account_check", usersig="").json()["ErrorCode"] == 70002
    assert crew.sandbox.faults()[0]["seen"] == 0


@pytest.mark.parametrize(
    ("action", "fields"),
    [("explode", {}), ("drop", {"colour": "red"}), ("slow", {"seconds": "long"})],
)
def test_a_rule_that_makes_no_sense_is_refused(
    sandbox: SandboxHandle, action: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(SandboxError):
        sandbox.add_fault(action, **fields)


def test_removing_a_fault_that_is_not_there_is_refused(sandbox: SandboxHandle) -> None:
    with pytest.raises(SandboxError, match="no fault 99"):
        sandbox.remove_fault(99)


def _check(client: Tencent) -> int:
    return client.code("im_open_login_svc/account_check", {"CheckItem": [{"UserID": "ann"}]})


def _impatient_check(client: Tencent) -> None:
    """Read one byte of the answer and leave."""
    body = json.dumps({"CheckItem": [{"UserID": "ann"}]}).encode()
    query: Json = {
        "sdkappid": client.sandbox.app.sdk_app_id,
        "identifier": client.sandbox.app.admin,
        "usersig": client.usersig,
        "random": 1,
    }
    url = f"{client.sandbox.url}/v4/im_open_login_svc/account_check"
    with client.session.post(url, params=query, data=body, timeout=5, stream=True) as response:
        assert len(response.raw.read(1)) == 1


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
