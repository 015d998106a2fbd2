"""Every code that the vendor documents for our calls has a meaning of its own."""

from __future__ import annotations

import pytest

from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.tencent_chat import codes
from chat_migration.targets.tencent_chat.codes import COMMON, OF_API, failure, meaning_of, no_answer
from chat_migration.targets.tencent_chat.limits import APIS

PUBLIC = [
    60002, 60003, 60004, 60005, 60006, 60007, 60008, 60009, 60010, 60011, 60012, 60013, 60014, 60015,
    60016, 60017, 60018, 60019, 60020, 60021, 70001, 70002, 70003, 70005, 70009, 70013, 70014, 70016,
    70020, 70050, 70051, 70107, 70114, 70169, 70202, 70206, 70398, 70399, 70402, 70403, 70500, 71000,
    72000, 80001, 80002, 80003, 80004, 80005,
]  # fmt: skip
"""tencent-chat-api.md, 1.6."""
GROUPS = [
    10002, 10003, 10004, 10005, 10006, 10007, 10008, 10010, 10011, 10012, 10014, 10015, 10016, 10019,
    10020, 10021, 10023, 10025, 10026, 10036, 10037, 10038, 10044, 10058, 10059, 11000, 110003,
]  # fmt: skip
"""1.7. Without 10013 (already a member) and 10018 (answer over 1 MB), for which the table has no row yet."""
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
@pytest.mark.parametrize("code", [-1, 1, 10001, 20026, 99999, 2**70], ids=str)
def test_a_code_that_no_page_lists_is_unknown_and_ends_the_conversation(
    api: str, code: int
) -> None:
    told = failure(api, code)
    assert (told.advice, told.effect) == (Advice.STOP_CONVERSATION, Effect.UNKNOWN)


ADVICE = [
    (Advice.SLOW_DOWN, "import_group_msg", [60007, 60011, 60018, 60019, 10006, 10023]),
    (Advice.SLOW_DOWN, "importmsg", [60007, 60011, 60018, 60019, 22006]),
    (Advice.TRY_AGAIN, "importmsg", [60008, 60013, 60014, 20004, 20005, 90992, 91000]),
    (
        Advice.TRY_AGAIN,
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
    (Advice.STOP_RUN, "import_group_msg", [60006, 60010, 60020, 70003, 70009, 70398, 60009, 10003]),
    (Advice.STOP_RUN, "importmsg", [60002, 60003, 60021, 70016, 70020, 70051, 70114, 72000, 90009]),
]


@pytest.mark.parametrize(
    ("advice", "api", "listed"), ADVICE, ids=lambda value: value if isinstance(value, str) else None
)
def test_codes_are_named_by_what_to_do(advice: Advice, api: str, listed: list[int]) -> None:
    assert {code: failure(api, code).advice for code in listed} == dict.fromkeys(listed, advice)


@pytest.mark.parametrize("code", sorted(COMMON))
def test_only_a_passing_fault_may_have_had_an_effect(code: int) -> None:
    expected = Effect.UNKNOWN if COMMON[code].advice is Advice.TRY_AGAIN else Effect.NONE
    assert COMMON[code].effect is expected


@pytest.mark.parametrize(("api", "code"), OF_API)
def test_an_apis_own_reading_wins_over_the_common_one(api: str, code: int) -> None:
    assert api in APIS
    assert meaning_of(api, code) is OF_API[api, code]


def test_zero_is_no_failure_in_any_table() -> None:
    assert 0 not in COMMON
    assert 0 not in {code for _, code in OF_API}


@pytest.mark.parametrize(
    ("sent", "effect"), [(True, Effect.UNKNOWN), (False, Effect.NONE)], ids=["sent", "never-sent"]
)
def test_without_an_answer_the_effect_depends_on_what_was_sent(
    effect: Effect, *, sent: bool
) -> None:
    told = no_answer("importmsg", "the connection broke", sent=sent)
    assert (told.code, told.advice, told.effect) == (None, Advice.TRY_AGAIN, effect)
    assert str(told) == "importmsg: the connection broke"


def test_no_meaning_ends_with_a_full_stop_that_a_sentence_would_double() -> None:
    texts = [meaning.text for meaning in (*codes.COMMON.values(), *codes.OF_API.values())]
    assert not [text for text in texts if text.endswith(".") or text != text.strip()]
