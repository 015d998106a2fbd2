"""What is asked of every vendor's connection, whichever it is."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from chat_migration.clock import SystemClock
from chat_migration.connection import SETTLE_MARGIN_SECONDS, TargetConnection
from chat_migration.errors import UsageError
from chat_migration.targets.vendors import DEFAULT_TARGET, VENDORS

every_vendor = pytest.mark.parametrize("kind", VENDORS.values(), ids=VENDORS)


def test_targets_and_connection_types_have_the_names_that_do_not_change() -> None:
    named = {name: (kind.conn_type, kind.variable) for name, kind in VENDORS.items()}
    assert named == {
        "tencent": ("tencent_chat", "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT"),
        "zim": ("zim", "AIRFLOW_CONN_ZIM_DEFAULT"),
    }
    assert DEFAULT_TARGET == "tencent"


@every_vendor
def test_the_example_is_a_connection(kind: type[TargetConnection]) -> None:
    example: Mapping[str, object] = json.loads(kind.example)
    assert example["conn_type"] == kind.conn_type
    made = kind.from_environment({kind.variable: kind.example})
    assert made.app.startswith(f"{kind.target}:")


@every_vendor
def test_what_is_told_first_of_the_extras_must_be_given(kind: type[TargetConnection]) -> None:
    assert tuple(kind.extras()[: len(kind.required_extras)]) == kind.required_extras
    assert set(kind.extras()) == set(kind.model_fields) - set(kind.parts)


@every_vendor
def test_the_budget_knows_every_api_that_the_target_may_be_asked_for(
    kind: type[TargetConnection],
) -> None:
    made = kind.nowhere()
    assert set(made.rules().api_of.values()) <= set(made.rates()) == set(kind.apis)
    assert kind.live_apis <= set(kind.apis)
    assert all(rate > 0 for rate in made.rates().values())


@every_vendor
def test_a_connection_gives_target_rules_and_sizes_without_a_call(
    kind: type[TargetConnection],
) -> None:
    made = kind.nowhere()
    target = made.connect(SystemClock())
    try:
        assert target.app == made.app
        assert target.withdrawals_per_call == made.sizes().withdrawals
    finally:
        target.close()
    assert made.settle_seconds == kind.backend_timeout_seconds + SETTLE_MARGIN_SECONDS
    sizes = made.sizes()
    for most in (sizes.messages, sizes.members, sizes.accounts, sizes.removals, sizes.frontiers):
        assert most >= 1


@every_vendor
def test_a_variable_that_is_missing_is_named(kind: type[TargetConnection]) -> None:
    with pytest.raises(UsageError, match=kind.variable) as caught:
        kind.from_environment({})
    assert kind.example in str(caught.value)
