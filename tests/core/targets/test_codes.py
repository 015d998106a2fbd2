"""Every code that the vendor documents for our calls has a meaning of its own."""

from __future__ import annotations

import pytest

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.tencent_chat import codes
from chat_migration.targets.tencent_chat.codes import COMMON, OF_API, failure, meaning_of
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.tencent_chat.outcomes import Symptom

PUBLIC = [
    60002, 60003, 60004, 60005, 60006, 60007, 60008, 60009, 60010, 60011, 60012, 60013, 60014, 60015,
    60016, 60017, 60018, 60019, 60020, 60021, 70001, 70002, 70003, 70005, 70009, 70013, 70014, 70016,
    70020, 70050, 70051, 70107, 70114, 70169, 70202, 70206, 70398, 70399, 70402, 70403, 70500, 71000,
    72000, 80001, 80002, 80003, 80004, 80005,
]  # fmt: skip
"""tencent-chat-api.md, 1.6."""
GROUPS = [
    10002, 10003, 10004, 10005, 10006, 10007, 10008, 10010, 10011, 10012, 10013, 10014, 10015, 10016, 10018, 10019,
    10020, 10021, 10023, 10025, 10026, 10036, 10037, 10038, 10044, 10058, 10059, 11000, 110003,
]  # fmt: skip
"""1.7."""
ONE_TO_ONE = [
    20003, 20004, 20005, 22006, 90001, 90002, 90003, 90005, 90006, 90007, 90008, 90009, 90010, 90012,
    90026, 90030, 90048, 90992, 91000, 93000,
]  # fmt: skip
"""1.7 and 6. Without 90011: more than 500 recipients, which importmsg cannot have."""

OF_CALLS = {
    "multiaccount_import": [70169, 70202, 70206, 70398, 70402, 70403, 70500],
    "account_check": [70107, 70169, 70402, 70403, 70500],
    "import_group": [
        10002, 10003, 10004, 10006, 10007, 10021, 10025, 10037, 10038, 10058, 10059, 11000, 80001,
    ],
    "import_group_member": [10002, 10003, 10004, 10005, 10006, 10007, 10010, 10015, 10019],
    "import_group_msg": [10002, 10004, 10006, 10007, 10010, 10015, 10020, 80001, 80002],
    "importmsg": ONE_TO_ONE,
    "admin_getroammsg": [90001, 90003, 90008, 90009, 91000],
    "set_unread_msg_num": [10002, 10003, 10004, 10007, 10010, 10015],
    "import_topic": [10002, 10003, 10004, 10007, 10010, 10015, 10021, 10037, 11000, 80001, 80005],
    "group_msg_get_simple": [10002, 10003, 10004, 10007, 10010, 10015],
    "get_group_info": [10002, 10003, 10004, 10010, 10015],
}  # fmt: skip
"""3 to 9: what the page of each API lists."""


OF_EDITS = [
    10002, 10003, 10004, 10007, 10010, 10015, 20001, 20002, 20003, 20004, 20005, 20022, 20026, 20028, 80001, 80002,
    90001, 90002, 90003, 90007, 90008, 90009, 90010, 90012, 90054, 90992, 91000, 93000, 10030, 10031, 10032, 10033,
    10041,
]  # fmt: skip
"""10b.2 and 10b.3: changing and withdrawing."""


@pytest.mark.parametrize("api", codes.EDITS)
@pytest.mark.parametrize("code", OF_EDITS)
def test_a_code_of_a_change_is_told_as_such(api: str, code: int) -> None:
    assert "no page of the vendor" not in failure(api, code).text


@pytest.mark.parametrize("code", sorted({*PUBLIC, *GROUPS, *ONE_TO_ONE}))
def test_a_documented_code_has_a_meaning(code: int) -> None:
    assert code in COMMON
    assert COMMON[code].text


@pytest.mark.parametrize(
    ("api", "code"), [(api, code) for api, listed in OF_CALLS.items() for code in listed]
)
def test_a_code_of_an_api_is_told_as_such(api: str, code: int) -> None:
    told = failure(api, code)
    assert (told.api, told.code) == (api, code)
    assert "no page of the vendor" not in told.text
    assert str(told) == f"{api}: {code} {told.text}"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("code", [-1, 1, 10001, 20027, 99999, 2**70], ids=str)
def test_a_code_that_no_page_lists_is_unknown_and_ends_the_conversation(
    api: str, code: int
) -> None:
    told = failure(api, code)
    effect = Effect.UNKNOWN if APIS[api].writes else Effect.NONE
    assert (told.advice, told.effect) == (Advice.STOP_CONVERSATION, effect)


ADVICE = [
    (Advice.SLOW_DOWN, "import_group_msg", [60007, 60011, 60018, 60019, 10006, 10023]),
    (Advice.SLOW_DOWN, "importmsg", [60007, 60011, 60018, 60019, 22006]),
    (Advice.TRY_AGAIN, "importmsg", [60008, 60013, 60014, 20004, 20005, 90992, 91000]),
    (
        Advice.READ_BACK,
        "import_group_msg",
        [10002, 60008, 60013, 60014, 70169, 70202, 80003, 80005],
    ),
    (Advice.TRY_AGAIN, "multiaccount_import", [70169, 70202, 70500]),
    (Advice.SIGN_AGAIN, "account_check", [70001]),
    (Advice.WAIT_LOCKED, "account_check", [70050]),
    (Advice.SMALLER_BATCH, "import_group_member", [10005, 10004]),
    (Advice.LATE, "import_group_msg", [10004]),
    (Advice.REJECT_ITEM, "import_group_msg", [80001, 80002, 80004, 10020]),
    (Advice.REJECT_ITEM, "import_group", [10004, 10007, 10015, 10037, 10038, 80001]),
    (Advice.QUOTA, "import_group", [10006]),
    (Advice.EXISTS, "import_group", [10021, 10025]),
    (Advice.EXISTS, "import_topic", [10021]),
    (Advice.STOP_CONVERSATION, "import_group_msg", [10007, 10010, 10015, 10016]),
    (Advice.TRY_AGAIN, "modify_group_msg", [10002, 20004, 20005, 20028, 90992, 91000]),
    (Advice.TRY_AGAIN, "group_msg_recall", [10002, 60008, 91000]),
    (Advice.MISSING_MESSAGE, "modify_group_msg", [20026]),
    (Advice.MISSING_MESSAGE, "modify_c2c_msg", [20026, 90054]),
    (Advice.MISSING_MESSAGE, "group_msg_recall", [10030, 10031]),
    (Advice.MISSING_MESSAGE, "admin_msgwithdraw", [20022, 90054]),
    (Advice.EXISTS, "admin_msgwithdraw", [20023]),
    (Advice.REJECT_ITEM, "modify_group_msg", [10004, 10007, 80001, 80002, 93000]),
    (Advice.REJECT_ITEM, "group_msg_recall", [10004, 10007, 10032, 10033]),
    (Advice.STOP_CONVERSATION, "modify_group_msg", [10010, 10015]),
    (Advice.STOP_RUN, "group_msg_recall", [10041]),
    (Advice.STOP_RUN, "import_group_msg", [60006, 60010, 60020, 70003, 70009, 70398, 60009, 10003]),
    (Advice.STOP_RUN, "importmsg", [60002, 60003, 60021, 70016, 70020, 70051, 70114, 72000, 90009]),
]


@pytest.mark.parametrize(
    ("advice", "api", "listed"), ADVICE, ids=lambda value: value if isinstance(value, str) else None
)
def test_codes_are_named_by_what_to_do(advice: Advice, api: str, listed: list[int]) -> None:
    assert {code: failure(api, code).advice for code in listed} == dict.fromkeys(listed, advice)


@pytest.mark.parametrize("code", sorted(COMMON))
def test_only_a_passing_fault_of_a_write_may_have_had_an_effect(code: int) -> None:
    passing = COMMON[code].symptom is Symptom.PASSING_FAULT
    assert failure("import_group_msg", code).effect is (Effect.UNKNOWN if passing else Effect.NONE)
    assert failure("get_group_info", code).effect is Effect.NONE


@pytest.mark.parametrize(("api", "code"), OF_API)
def test_an_apis_own_reading_wins_over_the_common_one(api: str, code: int) -> None:
    assert api in APIS
    assert meaning_of(api, code) is OF_API[api, code]


@pytest.mark.parametrize("api", ["import_group", "modify_group_base_info"])
@pytest.mark.parametrize("code", [10004, 10014, 10038])
def test_a_group_of_more_members_than_the_plan_allows_is_told_as_such(api: str, code: int) -> None:
    assert failure(api, code).over_plan


@pytest.mark.parametrize("code", sorted({*PUBLIC, *GROUPS} - codes.OVER_PLAN))
def test_no_other_code_speaks_of_the_plans_members(code: int) -> None:
    assert not failure("import_group", code).over_plan


@pytest.mark.parametrize(
    "api", [api for api in APIS if api not in ("import_group", "modify_group_base_info")]
)
def test_only_what_asks_for_members_is_refused_for_their_number(api: str) -> None:
    assert not any(failure(api, code).over_plan for code in codes.OVER_PLAN)


def test_zero_is_no_failure_in_any_table() -> None:
    assert 0 not in COMMON
    assert 0 not in {code for _, code in OF_API}


def test_no_meaning_ends_with_a_full_stop_that_a_sentence_would_double() -> None:
    texts = [meaning.text for meaning in (*codes.COMMON.values(), *codes.OF_API.values())]
    assert not [text for text in texts if text.endswith(".") or text != text.strip()]
