"""The routes under /_sandbox, and the handle that uses them."""

from __future__ import annotations

import pytest
import requests
from tests.sandbox.client import Tencent

import chat_sandbox
from chat_sandbox import SandboxError, SandboxHandle


def test_health_tells_apps_and_time(sandbox: SandboxHandle) -> None:
    health = sandbox.health()
    assert health["status"] == "ok"
    assert health["apps"] == [sandbox.app.sdk_app_id]
    assert health["now_ms"] == sandbox.now_ms()


def test_the_clock_stands_moves_and_runs_again(sandbox: SandboxHandle) -> None:
    stopped = sandbox.now_ms()
    assert sandbox.now_ms() == stopped
    assert sandbox.advance_clock(90) == stopped + 90_000
    assert sandbox.set_clock_offset(-10) == stopped - 10_000
    sandbox.thaw_clock()
    assert sandbox.now_ms() > stopped - 10_000


@pytest.mark.parametrize(
    "body", [{"advance_seconds": "x"}, {"frozen": 1}, {"offset_seconds": True}]
)
def test_a_clock_that_makes_no_sense_is_refused(
    sandbox: SandboxHandle, body: dict[str, object]
) -> None:
    response = requests.post(f"{sandbox.url}/_sandbox/clock", json=body, timeout=5)
    assert response.status_code == 400
    assert "error" in response.json()


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("GET", "nothing", 404), ("DELETE", "stats", 404), ("GET", "dump?vendor=other", 404)],
)
def test_unknown_routes_are_not_found(
    sandbox: SandboxHandle, method: str, route: str, status: int
) -> None:
    response = requests.request(method, f"{sandbox.url}/_sandbox/{route}", timeout=5)
    assert response.status_code == status


def test_a_body_that_is_no_object_is_refused(sandbox: SandboxHandle) -> None:
    for data in (b"[]", b"{", b'{"ties": 5}'):
        response = requests.post(f"{sandbox.url}/_sandbox/switches", data=data, timeout=5)
        assert response.status_code == 400


def test_a_reset_makes_everything_new(crew: Tencent) -> None:
    handle = crew.sandbox
    handle.set_switch("ties", "accept")
    handle.add_fault("drop", api="account_check")
    handle.advance_clock(1000)
    handle.reset()
    assert handle.dump() == {
        "accounts": {},
        "groups": {},
        "destroyed_groups": [],
        "conversations": [],
    }
    assert handle.switches()["ties"] == "reject"
    assert handle.faults() == []
    assert handle.stats()["calls"] == 0


def test_equal_worlds_give_equal_dumps(tencent: Tencent) -> None:
    dumps = []
    for order in (("ann", "bob"), ("bob", "ann")):
        tencent.sandbox.reset()
        tencent.sandbox.freeze_clock()
        tencent.accounts(*order)
        tencent.make_group("g", CreateTime=1_600_000_000)
        row = [{"Member_Account": user_id, "JoinTime": 1_600_000_100} for user_id in order]
        tencent.join("g", *row)
        for sender in order:
            at = 1_700_000_000 + (sender == "bob")
            tencent.tell(From_Account=sender, To_Account="cid", MsgTimeStamp=at)
        dumps.append(tencent.sandbox.dump())
    assert dumps[0] == dumps[1]
    assert list(dumps[1]["accounts"]) == ["ann", "bob"]


def test_a_live_message_is_told_its_seq_and_never_goes_back_in_time(crew: Tencent) -> None:
    first = crew.sandbox.live_message("g", From_Account="bob", Text="hello")
    second = crew.sandbox.live_message("g", Time=crew.now - 500)
    assert (first["MsgSeq"], second["MsgSeq"]) == (1, 2)
    assert first["MsgTime"] == second["MsgTime"] == crew.now
    with pytest.raises(SandboxError, match="10010"):
        crew.sandbox.live_message("none")


def test_a_token_opens_the_routes_to_whoever_has_it() -> None:
    with chat_sandbox.running(admin_token="t") as handle:
        assert handle.health()["status"] == "ok"
        assert requests.get(f"{handle.url}/_sandbox/health", timeout=5).status_code == 403
        with pytest.raises(SandboxError, match="token"):
            SandboxHandle(handle.url, handle.app, token="other").health()


def test_secrets_are_in_no_repr() -> None:
    config = chat_sandbox.SandboxConfig(admin_token="open-sesame")
    shown = repr(config)
    assert "open-sesame" not in shown
    assert chat_sandbox.DEFAULT_APP.secret_key not in shown


def test_exported_names_exist() -> None:
    assert all(hasattr(chat_sandbox, name) for name in chat_sandbox.__all__)
