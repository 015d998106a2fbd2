"""The table of outcomes is whole, and never advises to repeat what may have been done and must not be done twice."""

from __future__ import annotations

import pytest

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.zego_zim.limits import APIS
from chat_migration.targets.zego_zim.outcomes import (
    TABLE,
    WRITES,
    Symptom,
    advice_for,
    effect_of,
    failed,
    is_repeatable,
)

READS = [api for api, limit in APIS.items() if not limit.writes]
ONCE_ONLY = ["CreateGroup", "ImportGroupMsg", "ImportPeerMsg"]
UNCERTAIN = {
    Symptom.NO_REPLY, Symptom.HTTP_STATUS, Symptom.NO_JSON, Symptom.NO_CODE, Symptom.CONTRADICTION,
    Symptom.ITEMS_MISSING, Symptom.ITEMS_MISCOUNTED, Symptom.ITEMS_OF_OTHERS, Symptom.SEQUENCE_NOT_RISING,
    Symptom.PASSING_FAULT, Symptom.MAYBE_THERE, Symptom.UNLISTED_CODE,
}  # fmt: skip
"""Symptoms that do not say whether a write had an effect."""


def test_every_symptom_has_its_row_and_every_write_its_key() -> None:
    assert set(TABLE) == set(Symptom)
    assert set(WRITES) == {api for api, limit in APIS.items() if limit.writes}
    assert {write.read_back for write in WRITES.values()} <= {*READS, ""}
    assert [api for api in WRITES if not is_repeatable(api)] == ONCE_ONLY
    assert all(WRITES[api].read_back for api in ONCE_ONLY)


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
@pytest.mark.parametrize("api", list(APIS))
def test_what_may_have_been_done_and_costs_something_twice_is_never_repeated_blindly(
    api: str, symptom: Symptom
) -> None:
    advice = advice_for(api, symptom)
    repeats = advice in (Advice.TRY_AGAIN, Advice.SLOW_DOWN, Advice.SIGN_AGAIN)
    if effect_of(api, symptom) is Effect.UNKNOWN and repeats:
        assert is_repeatable(api)
    if advice is Advice.READ_BACK:
        assert api in ONCE_ONLY or symptom is Symptom.MAYBE_THERE


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
def test_a_write_is_of_unknown_effect_only_where_the_symptom_leaves_it_open(
    symptom: Symptom,
) -> None:
    expected = Effect.UNKNOWN if symptom in UNCERTAIN else Effect.NONE
    assert {effect_of(api, symptom) for api in WRITES} == {expected}
    assert {effect_of(api, symptom) for api in READS} == {Effect.NONE}


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
def test_an_api_that_nobody_described_is_treated_as_if_a_repeat_cost_something(
    symptom: Symptom,
) -> None:
    assert not is_repeatable("NewAction")
    assert effect_of("NewAction", symptom) is TABLE[symptom].effect


def test_a_failure_says_what_was_seen_as_closely_as_it_is_known() -> None:
    assert str(failed("UserRegister", Symptom.NO_JSON)) == (
        "UserRegister: the answer is empty or no JSON"
    )
    told = failed("ImportPeerMsg", Symptom.NO_REPLY, "the connection broke")
    assert str(told) == "ImportPeerMsg: the connection broke"
    assert (told.advice, told.effect) == (Advice.READ_BACK, Effect.UNKNOWN)
