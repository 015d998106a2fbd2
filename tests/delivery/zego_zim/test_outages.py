"""A service that takes no message for a while, or forgets its marks, costs no message; one message alone may be given up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.conftest import harbour
from tests.delivery.zego_zim.migrating import ZimMigration, assert_zim_holds, recent

from chat_migration.delivery.fruitless import MOST_ALONE, MOST_ATTEMPTS
from chat_migration.errors import TargetUnreachableError
from chat_sandbox import FaultAction, SandboxHandle

IMPORTS = ["ImportGroupMsg", "ImportPeerMsg"]
DOWN: dict[str, dict[str, Any]] = {
    "502": {"action": FaultAction.HTTP_ERROR, "status": 502},
    "429": {"action": FaultAction.HTTP_ERROR, "status": 429},
    "cut off": {"action": FaultAction.DROP},
}


@pytest.fixture
def zim(sandbox: SandboxHandle, tmp_path: Path) -> ZimMigration:
    """A migration into ZIM whose waits move the sandbox's clock; one call at a time."""
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    return ZimMigration(
        sandbox=sandbox, folder=tmp_path, connection={"parallel_calls": 1}, clock=clock
    )


@pytest.fixture
def export(sandbox: SandboxHandle) -> NeutralExport:
    return recent(harbour(), sandbox.now_ms())


@pytest.mark.parametrize("down", DOWN)
@pytest.mark.parametrize("api", IMPORTS)
def test_an_action_that_fails_for_long_ends_the_run_and_the_next_one_completes(
    zim: ZimMigration, export: NeutralExport, api: str, down: str
) -> None:
    zim.sandbox.add_fault(api=api, first_call=3, **DOWN[down])
    ended = zim.run(export)
    assert isinstance(ended.error, TargetUnreachableError)
    assert ended.error.is_retriable
    zim.sandbox.clear_faults()
    after = zim.run(export)
    assert after.error is None
    assert "rejected" not in after.rows["group_messages"] | after.rows["c2c_messages"]
    assert_zim_holds(after.world, export)
    assert zim.run(export).writes == 0


@pytest.mark.parametrize("api", IMPORTS)
def test_an_action_that_is_busy_for_minutes_costs_no_message(
    zim: ZimMigration, export: NeutralExport, api: str
) -> None:
    zim.sandbox.add_fault(
        FaultAction.ERROR, api=api, code=1, first_call=3, last_call=1 + MOST_ALONE
    )
    ended = zim.run(export)
    assert ended.error is None
    assert "rejected" not in ended.rows["group_messages"] | ended.rows["c2c_messages"]
    assert_zim_holds(ended.world, export)


@pytest.mark.parametrize("api", IMPORTS)
def test_a_message_that_alone_fails_is_rejected_while_others_arrive(
    zim: ZimMigration, export: NeutralExport, api: str
) -> None:
    zim.connection |= {"parallel_calls": 8}
    poison = next(
        row for row in export.messages if ("group_id" in row) == (api == "ImportGroupMsg")
    )
    where = {"FromUserId": poison["sender_id"], "SendMessageTime": poison["sent_at"]}
    zim.sandbox.add_fault(FaultAction.HTTP_ERROR, api=api, where=where)
    ended = zim.run(export)
    if ended.error is not None:
        assert isinstance(ended.error, TargetUnreachableError)
        ended = zim.run(export)
    assert ended.error is None
    kind = "group_messages" if api == "ImportGroupMsg" else "c2c_messages"
    assert ended.rows[kind]["rejected"] == 1
    assert ended.reasons[kind]["message_refused"] == 1
    zim.sandbox.clear_faults()
    assert zim.run(export).writes == 0


def test_a_last_message_that_fails_stops_one_run_and_is_given_up_by_the_next(
    zim: ZimMigration,
) -> None:
    export = NeutralExport().user("ada", "bob").tell("ada", "bob", at(0))
    export = recent(export, zim.sandbox.now_ms())
    zim.sandbox.add_fault(FaultAction.HTTP_ERROR, api="ImportPeerMsg")
    assert isinstance(zim.run(export).error, TargetUnreachableError)
    ended = zim.run(export)
    assert ended.error is None
    assert ended.rows["c2c_messages"] == {"rejected": 1}
    assert ended.calls["ImportPeerMsg"] == MOST_ATTEMPTS - MOST_ALONE


def test_the_whole_budget_slows_down_when_the_gateway_says_429(
    zim: ZimMigration, export: NeutralExport
) -> None:
    zim.sandbox.add_fault(
        FaultAction.HTTP_ERROR, api="ImportGroupMsg", status=429, first_call=2, last_call=3
    )
    ended = zim.run(export)
    assert ended.error is None
    assert ended.report is not None
    assert ended.report.calls["ImportGroupMsg"].throttled == 2
    assert_zim_holds(ended.world, export)


@pytest.mark.parametrize("api", IMPORTS)
def test_where_no_mark_comes_back_sender_and_time_tell_what_arrived(
    zim: ZimMigration, export: NeutralExport, api: str
) -> None:
    zim.sandbox.zim.set_switch("zim_payload_read_back", "empty")
    for call in (1, 4, 5):
        zim.sandbox.add_fault(
            FaultAction.DROP, api=api, first_call=call, last_call=call, effect="applied"
        )
    ended = zim.run(export)
    assert ended.error is None
    assert_zim_holds(ended.world, export)
    assert zim.run(export).writes == 0
