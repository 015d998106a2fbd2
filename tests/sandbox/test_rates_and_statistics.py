"""Rate limits and what the server counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.sandbox.client import Json, Tencent

import chat_sandbox
from chat_sandbox import SandboxHandle
from chat_sandbox.tencent_chat.apis import APIS

CHECK = "im_open_login_svc/account_check"
BODY: Json = {"CheckItem": [{"UserID": "ann"}]}
SLOWER = {
    "multiaccount_import": 100,
    "account_check": 100,
    "get_appid_group_list": 1,
}


def _check(client: Tencent) -> int:
    return client.code(CHECK, BODY)


@pytest.mark.parametrize("api", APIS, ids=lambda api: f"{api.service}/{api.name}")
def test_every_api_has_its_documented_rate(api: chat_sandbox.tencent_chat.apis.Api) -> None:
    assert api.per_second == SLOWER.get(api.name, 200)


def test_the_call_over_the_limit_is_refused_until_the_window_has_moved(tencent: Tencent) -> None:
    tencent.sandbox.set_rates(enabled=True)
    assert [_check(tencent) for _ in range(102)] == [0] * 100 + [60007] * 2
    tencent.sandbox.advance_clock(0.999)
    assert _check(tencent) == 60007
    tencent.sandbox.advance_clock(0.001)
    assert _check(tencent) == 0


def test_the_window_slides(tencent: Tencent) -> None:
    tencent.sandbox.set_rates(enabled=True)
    assert {_check(tencent) for _ in range(50)} == {0}
    tencent.sandbox.advance_clock(0.6)
    assert {_check(tencent) for _ in range(50)} == {0}
    tencent.sandbox.advance_clock(0.5)
    assert [_check(tencent) for _ in range(51)] == [0] * 50 + [60007]


def test_each_api_has_a_limit_of_its_own(tencent: Tencent) -> None:
    tencent.sandbox.set_rates(enabled=True)
    path = "group_open_http_svc/get_appid_group_list"
    assert [tencent.code(path, {}), tencent.code(path, {}), _check(tencent)] == [0, 60007, 0]


def test_a_throttled_call_has_no_effect(crew: Tencent) -> None:
    crew.sandbox.set_rates(enabled=True, per_second={"import_group_msg": 1})
    crew.send("g", crew.message(50))
    assert crew.send("g", crew.message(40))["ErrorCode"] == 60007
    assert len(crew.history("g")) == 1


def test_apps_do_not_share_limits_nor_worlds() -> None:
    other = chat_sandbox.AppCredentials(sdk_app_id=1400000002, secret_key="k2", admin="boss")
    apps = (chat_sandbox.DEFAULT_APP, other)
    with chat_sandbox.running(apps=apps, rates_per_second={"account_check": 1}) as handle:
        first, second = Tencent(handle), Tencent(SandboxHandle(handle.url, other))
        first.accounts("ann")
        assert [_check(first), _check(first), _check(second)] == [0, 60007, 0]
        assert handle.dump(app=1400000002)["accounts"] == {}
        assert list(handle.dump()["accounts"]) == ["ann"]
        first.session.close()
        second.session.close()


def test_calls_rows_errors_and_peaks_are_counted(crew: Tencent) -> None:
    crew.sandbox.reset_stats()
    crew.send("g", crew.message(50), crew.message(40))
    crew.send("none", crew.message(50))
    counts = crew.sandbox.stats()["apis"]["import_group_msg"]
    assert counts["count"] == 2
    assert counts["rows"] == 3
    assert counts["errors"] == {"10010": 1}
    assert counts["peak_per_second"] == 2
    assert crew.sandbox.calls("import_group_msg") == 2
    assert crew.sandbox.calls("importmsg") == 0


def test_throttled_calls_are_counted_apart(tencent: Tencent) -> None:
    tencent.sandbox.set_rates(enabled=True, per_second={"account_check": 2})
    tencent.sandbox.reset_stats()
    for _ in range(5):
        _check(tencent)
    counts = tencent.sandbox.stats()["apis"]["account_check"]
    assert (counts["count"], counts["throttled"]) == (5, 3)


def test_writes_are_told_from_reads(crew: Tencent) -> None:
    crew.sandbox.reset_stats()
    _check(crew)
    crew.history("g")
    assert crew.sandbox.stats()["writes"] == 0
    crew.send("g", crew.message(50))
    crew.tell()
    stats = crew.sandbox.stats()
    assert (stats["writes"], stats["calls"]) == (2, 4)
    assert [
        (write["api"], write["conversation"], write["result"]) for write in stats["recent_writes"]
    ] == [("import_group_msg", "group:g", "0"), ("importmsg", "c2c:ann|bob", "0")]


def test_unknown_paths_are_counted_together(tencent: Tencent) -> None:
    tencent.code("openim/nothing", {})
    assert tencent.sandbox.stats()["apis"]["(unknown)"]["errors"] == {"60009": 1}


def test_resetting_the_statistics_leaves_the_world(crew: Tencent) -> None:
    crew.sandbox.reset_stats()
    assert crew.sandbox.stats()["calls"] == 0
    assert "g" in crew.sandbox.dump()["groups"]


def test_calls_that_overlap_in_one_conversation_are_found_out() -> None:
    with chat_sandbox.running(latency_ms=60, rate_limits=False) as handle:
        client = Tencent(handle)
        client.make_group("g")
        client.make_group("h")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda group: client.send(group, client.message(9)), ("g", "h")))
            assert handle.stats()["overlaps"] == {}
            list(pool.map(lambda group: client.send(group, client.message(5)), ("g", "g")))
        assert handle.stats()["overlaps"] == {"group:g": 1}
        client.session.close()
