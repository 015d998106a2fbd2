"""Which budget a run takes, and how much of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contracts.budgets import REDIS

from chat_migration import workbench
from chat_migration.errors import UsageError
from chat_migration.home import Home
from chat_migration.ledger.ledger import Ledger
from chat_migration.pacing import LedgerBudget, MemoryBudget, OrderedBudget
from chat_migration.pacing.redis import RedisBudget
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.zego_zim.connection import ZimConnection


def connected(**extra: object) -> TencentConnection:
    extras = {"sdk_app_id": 7, **extra}
    return TencentConnection.from_parts(
        host="singapore", login="administrator", password="secret", extra=extras
    )


@pytest.mark.parametrize(
    ("url", "shared", "expected"),
    [
        ("", False, MemoryBudget),
        ("", True, LedgerBudget),
        (REDIS, False, RedisBudget),
        (REDIS, True, RedisBudget),
    ],
)
def test_the_widest_budget_that_is_there_is_taken(
    tmp_path: Path, url: str, shared: bool, expected: type[OrderedBudget]
) -> None:
    home = Home(tmp_path, tmp_path / "stage", f"sqlite:///{tmp_path}/l.sqlite", budget_url=url)
    run = Run(
        run_id="r", settings=Settings(), connection=connected(), home=home, shared_budget=shared
    )
    with (
        Ledger.open(home.ledger_url, run.connection.app) as ledger,
        workbench._budget(run, ledger, StopSignal()) as budget,
    ):
        assert type(budget) is expected


def test_every_api_has_its_share_of_the_vendors_limit() -> None:
    rates = connected().rates()
    assert rates["import_group_msg"] == rates["get_group_info"] == pytest.approx(190)
    assert rates["multiaccount_import"] == pytest.approx(95)


def test_a_reserve_is_left_only_where_live_servers_call_too() -> None:
    rates = connected(live_reserve=0.25).rates()
    assert rates["import_group_msg"] == rates["importmsg"] == pytest.approx(190)
    assert rates["get_group_info"] == pytest.approx(142.5)
    assert rates["account_check"] == pytest.approx(71.25)


def test_a_share_is_of_each_vendors_own_limit() -> None:
    zim = ZimConnection.from_parts(
        host="singapore",
        login="7",
        password="secret",
        extra={"retention_days": 90, "live_reserve": 0.5},
    )
    assert set(zim.rates()) == set(zim.apis)
    assert zim.rates()["ImportGroupMsg"] == zim.rates()["ImportPeerMsg"] == pytest.approx(19)
    assert zim.rates()["QueryUserInfos"] == zim.rates()["CreateGroup"] == pytest.approx(9.5)


@pytest.mark.parametrize("share", [-0.1, 0.95, 30, "much"])
def test_a_reserve_is_a_share_that_leaves_something(share: object) -> None:
    with pytest.raises(UsageError, match="live_reserve"):
        connected(live_reserve=share)
