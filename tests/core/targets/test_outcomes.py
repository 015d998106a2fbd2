"""The table of outcomes is whole, and never advises to repeat what may have been done and must not be done twice."""

from __future__ import annotations

import pytest

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.tencent_chat.outcomes import (
    TABLE,
    WRITES,
    Symptom,
    advice_for,
    effect_of,
    failed,
    is_repeatable,
)

READS = [api for api, limit in APIS.items() if not limit.writes]
ONCE_ONLY = ["import_group", "import_topic", "import_group_msg"]
CERTAIN = {
    Symptom.NOT_SENT, Symptom.THROTTLED, Symptom.SIGNATURE_EXPIRED, Symptom.LOCKED, Symptom.TOO_MANY_ITEMS,
    Symptom.TIME_REFUSED, Symptom.ITEM_REFUSED, Symptom.MESSAGE_MISSING, Symptom.ACCOUNT_MISSING, Symptom.IS_THERE,
    Symptom.CONVERSATION_REFUSED, Symptom.QUOTA_USED, Symptom.RUN_REFUSED,
}  # fmt: skip
"""Symptoms that say for certain that a write had no effect."""


def test_every_symptom_has_its_row_and_every_write_its_key() -> None:
    assert set(TABLE) == set(Symptom)
    assert set(WRITES) == {api for api, limit in APIS.items() if limit.writes}
    assert {write.read_back for write in WRITES.values()} <= {*READS, ""}
    assert all(WRITES[api].read_back for api in ONCE_ONLY)


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
@pytest.mark.parametrize("api", list(APIS))
def test_what_may_have_been_done_and_costs_something_twice_is_never_repeated_blindly(
    api: str, symptom: Symptom
) -> None:
    repeats = advice_for(api, symptom) in (
        Advice.TRY_AGAIN,
        Advice.SLOW_DOWN,
        Advice.SIGN_AGAIN,
        Advice.WAIT_LOCKED,
    )
    if effect_of(api, symptom) is Effect.UNKNOWN and repeats:
        assert is_repeatable(api)
    assert (advice_for(api, symptom) is Advice.READ_BACK) <= (api in ONCE_ONLY)


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
def test_a_write_is_of_unknown_effect_unless_the_symptom_says_otherwise(symptom: Symptom) -> None:
    expected = Effect.NONE if symptom in CERTAIN else Effect.UNKNOWN
    assert {effect_of(api, symptom) for api in WRITES} == {expected}
    assert {effect_of(api, symptom) for api in READS} == {Effect.NONE}


@pytest.mark.parametrize("symptom", list(Symptom), ids=lambda each: each.value)
def test_an_api_that_nobody_described_is_treated_as_if_a_repeat_cost_something(
    symptom: Symptom,
) -> None:
    assert not is_repeatable("new_api")
    assert effect_of("new_api", symptom) is TABLE[symptom].effect


def test_a_failure_says_what_was_seen_as_closely_as_it_is_known() -> None:
    assert str(failed("importmsg", Symptom.NO_JSON)) == "importmsg: the answer is empty or no JSON"
    told = failed("import_group", Symptom.NO_REPLY, "the connection broke")
    assert str(told) == "import_group: the connection broke"
    assert (told.advice, told.effect) == (Advice.READ_BACK, Effect.UNKNOWN)
