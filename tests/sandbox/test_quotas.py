"""What plans allow, with the small numbers of the trial plan."""

from __future__ import annotations

import pytest
from tests.sandbox.client import Tencent

from chat_sandbox.tencent_chat import quotas


@pytest.fixture
def trial(tencent: Tencent) -> Tencent:
    """The client on the trial plan."""
    tencent.sandbox.set_switch("plan", "trial")
    return tencent


def test_the_trial_plan_has_100_accounts(trial: Tencent) -> None:
    trial.accounts(*[f"u{number}" for number in range(97)])
    body = {"UserID": "one more"}
    assert trial.login("account_import", body)["ErrorCode"] == 70398
    assert trial.login("account_import", {"UserID": "ann"})["ErrorCode"] == 0


def test_a_batch_over_the_account_quota_imports_nobody(trial: Tencent) -> None:
    rows = [{"UserID": f"u{number}"} for number in range(98)]
    assert trial.login("multiaccount_import", {"AccountList": rows})["ErrorCode"] == 70398
    assert len(trial.sandbox.dump()["accounts"]) == 3


def test_the_trial_plan_has_100_groups(trial: Tencent) -> None:
    codes = [trial.make_group(f"g{number}")["ErrorCode"] for number in range(101)]
    assert codes == [0] * 100 + [10058]
    trial.group("destroy_group", {"GroupId": "g0"})
    assert trial.make_group("g100")["ErrorCode"] == 0


def test_the_trial_plan_has_20_members_in_a_group(trial: Tencent) -> None:
    users = [f"u{number}" for number in range(21)]
    trial.accounts(*users)
    trial.make_group("g")
    assert trial.join("g", *users[:20]) == [1] * 20
    assert trial.join("g", users[20]) == [0]


def test_a_user_of_the_trial_plan_is_in_50_groups_at_most(trial: Tencent) -> None:
    for number in range(50):
        trial.make_group(f"g{number}", Owner_Account="ann")
    assert trial.make_group("g50", Owner_Account="ann")["ErrorCode"] == 10037
    trial.make_group("g50")
    assert trial.join("g50", "ann", "bob") == [0, 1]


def test_paid_plans_have_a_number_of_new_groups_a_day(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = quotas.Quota(groups_per_day=3)
    monkeypatch.setattr(quotas, "QUOTAS", {**quotas.QUOTAS, "pro": small})
    tencent.sandbox.set_switch("plan", "pro")
    codes = [tencent.make_group(f"g{number}")["ErrorCode"] for number in range(4)]
    assert codes == [0, 0, 0, 10006]
    tencent.sandbox.advance_clock(86_400)
    assert tencent.make_group("g4")["ErrorCode"] == 0
