"""Every code that the vendor documents for our calls has a meaning of its own."""

from __future__ import annotations

import pytest

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.zego_zim.codes import COMMON, EDITS, OF_API, failure, meaning_of
from chat_migration.targets.zego_zim.limits import APIS
from chat_migration.targets.zego_zim.outcomes import Symptom

SLOW_DOWN = [
    7, 660300005, 660300006, 660700001, 660600010, 660600004, 660600005, 660600007, 660500003,
]  # fmt: skip
PASSING = [
    1, 660000001, 660000003, 105001, 100000010, 100000011, 100000012, 100000015, 660600003, 660600006,
    660600014, 660600015, 660700013, 660700016, 660700017,
]  # fmt: skip
SIGN_AGAIN = [100000004, 100000005]
STOP = [
    3, 100000000, 100000001, 100000002, 100000003, 100000006, 100000007, 100000008, 100000009, 100000013,
    100000014, 100000016, 100000017, 660000028,
]  # fmt: skip
REFUSED = [
    2, 660000002, 660000012, 660400001, 660600023, 660600021, 660700006, 660700007, 660600019, 660600020,
    660800046, 660500005, 660500007, 660600022, 660800002, 660200001,
]  # fmt: skip
MISSING = [660500002, 660700012, 660700015, 51102, 660600013, 660600024]
NO_GROUP = [660600001, 660600009]
THERE = [660700002, 660600011, 660600008, 660000023]
"""zim-api.md, 4, by what to do."""

ADVICE = {
    Advice.SLOW_DOWN: SLOW_DOWN,
    Advice.READ_BACK: PASSING,
    Advice.SIGN_AGAIN: SIGN_AGAIN,
    Advice.STOP_RUN: STOP,
    Advice.REJECT_ITEM: REFUSED,
    Advice.MISSING_ACCOUNT: MISSING,
    Advice.STOP_CONVERSATION: NO_GROUP,
    Advice.EXISTS: THERE,
    Advice.MISSING_MESSAGE: [660000022, 660000024, 661000001],
    Advice.QUOTA: [660600012],
    Advice.SMALLER_BATCH: [660000011],
}


@pytest.mark.parametrize(
    ("code", "advice"), [(code, advice) for advice, codes in ADVICE.items() for code in codes]
)
@pytest.mark.parametrize("api", ["ImportGroupMsg", "ImportPeerMsg"])
def test_a_documented_code_of_an_import_says_what_to_do(
    api: str, code: int, advice: Advice
) -> None:
    told = failure(api, code)
    assert (told.api, told.code, told.advice) == (api, code, advice)
    assert told.effect is (Effect.UNKNOWN if advice is Advice.READ_BACK else Effect.NONE)
    assert "no page of the vendor" not in told.text


@pytest.mark.parametrize("api", [api for api, limit in APIS.items() if not limit.writes])
@pytest.mark.parametrize("code", PASSING)
def test_a_read_with_a_passing_fault_is_made_again(api: str, code: int) -> None:
    assert failure(api, code).advice is Advice.TRY_AGAIN


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("code", [-1, 6, 660000099, 2**70], ids=str)
def test_a_code_that_no_page_lists_refuses_the_item_and_is_never_repeated(
    api: str, code: int
) -> None:
    told = failure(api, code)
    assert told.advice is Advice.REJECT_ITEM
    assert told.effect is (Effect.UNKNOWN if APIS[api].writes else Effect.NONE)
    assert "no page" in told.text


@pytest.mark.parametrize("code", [660000015, 660600017])
def test_who_cannot_be_invited_may_be_a_member_already(code: int) -> None:
    assert failure("InviteUsersIntoGroup", code).advice is Advice.READ_BACK
    assert failure("CreateGroup", code).advice is Advice.REJECT_ITEM


@pytest.mark.parametrize("api", EDITS)
def test_a_change_that_the_plan_does_not_have_ends_no_run(api: str) -> None:
    assert failure(api, 660000028).advice is Advice.REJECT_ITEM


@pytest.mark.parametrize("api", EDITS)
@pytest.mark.parametrize("code", [660000022, 660000024, 661000001])
def test_a_message_past_the_time_of_its_change_cannot_be_reached(api: str, code: int) -> None:
    assert failure(api, code).advice is Advice.MISSING_MESSAGE


def test_too_many_first_members_are_too_many_items_and_a_full_group_is_not() -> None:
    assert failure("CreateGroup", 660600016).advice is Advice.SMALLER_BATCH
    assert failure("InviteUsersIntoGroup", 660600016).advice is Advice.REJECT_ITEM


def test_no_api_reads_a_code_otherwise_than_in_words_of_its_own() -> None:
    assert {api for api, _ in OF_API} <= set(APIS)
    assert all(meaning != COMMON.get(code) for (_, code), meaning in OF_API.items())
    assert meaning_of("ImportGroupMsg", 1).symptom is Symptom.PASSING_FAULT
