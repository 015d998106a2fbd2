"""Ids, sizes and bodies as planning asks for them."""

from __future__ import annotations

import json
import pickle

import msgspec
import pytest

from chat_migration.keys import hashed_id
from chat_migration.model import Custom, Text
from chat_migration.targets.base import DirectMessageOut
from chat_migration.targets.rules import Unsendable
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.tencent_chat.target import direct_message_body

RULES = TencentRules(admin="administrator", max_body_bytes=1000)


@pytest.mark.parametrize(
    ("legacy", "accepted"),
    [
        pytest.param("U1", True, id="plain"),
        pytest.param("a" * 32, True, id="longest"),
        pytest.param("a" * 33, False, id="too-long"),
        pytest.param("a b", True, id="space-within"),
        pytest.param(" ab", False, id="space-before"),
        pytest.param("ab ", False, id="space-after"),
        pytest.param("", False, id="empty"),
        pytest.param("é", False, id="not-ascii"),
        pytest.param("a\n", False, id="newline-at-the-end"),
        pytest.param("administrator", False, id="the-admin"),
    ],
)
def test_an_account_id_is_printable_short_and_not_the_admins(
    legacy: str, *, accepted: bool
) -> None:
    assert RULES.accepts_user_id(legacy) is accepted


@pytest.mark.parametrize(
    ("legacy", "community", "given"),
    [
        pytest.param("C1", False, "C1", id="kept"),
        pytest.param("g" * 48, False, "g" * 48, id="longest"),
        pytest.param("g" * 49, False, hashed_id("group", "g" * 49), id="too-long"),
        pytest.param("@TGS#x", False, hashed_id("group", "@TGS#x"), id="reserved"),
        pytest.param("é", False, hashed_id("group", "é"), id="not-ascii"),
        pytest.param("", False, hashed_id("group", ""), id="empty"),
        pytest.param("C1", True, "@TGS#_C1", id="community"),
        pytest.param("@TGS#_C1", True, "@TGS#_C1", id="community-named-so-already"),
        pytest.param("g" * 42, True, "@TGS#_" + "g" * 42, id="longest-community"),
        pytest.param(
            "g" * 43, True, "@TGS#_" + hashed_id("group", "g" * 43), id="too-long-community"
        ),
        pytest.param(
            "a@TOPIC#_b", True, "@TGS#_" + hashed_id("group", "a@TOPIC#_b"), id="like-a-topic"
        ),
    ],
)
def test_a_group_id_is_kept_where_the_service_takes_it(
    legacy: str, given: str, *, community: bool
) -> None:
    assert RULES.group_id(legacy, 0, community=community) == given
    assert len(given) <= 48


@pytest.mark.parametrize("community", [False, True])
def test_another_attempt_gives_another_group_id(*, community: bool) -> None:
    made = {RULES.group_id("C1", attempt, community=community) for attempt in range(5)}
    assert len(made) == 5
    assert {each.startswith("@TGS#_") for each in made} == {community}


@pytest.mark.parametrize(
    ("legacy", "part"),
    [
        pytest.param("tides", "tides", id="kept"),
        pytest.param("@TGS#_h@TOPIC#_tides", "tides", id="whole-already"),
        pytest.param("a@TGS#_b", hashed_id("topic", "a@TGS#_b"), id="like-a-community"),
        pytest.param("a@TOPIC#_b", hashed_id("topic", "a@TOPIC#_b"), id="like-a-topic"),
        pytest.param("t" * 96, hashed_id("topic", "t" * 96), id="too-long"),
        pytest.param("ü", hashed_id("topic", "ü"), id="not-ascii"),
    ],
)
def test_a_topic_id_hangs_on_its_group(legacy: str, part: str) -> None:
    assert RULES.topic_id("@TGS#_h", legacy, 0) == f"@TGS#_h@TOPIC#_{part}"


def test_a_topic_of_the_longest_group_fits() -> None:
    group = RULES.group_id("g" * 42, 0, community=True)
    assert len(RULES.topic_id(group, "t" * 99, 3)) <= 96


def test_a_group_message_is_split_within_the_apps_limit() -> None:
    bodies = RULES.group_bodies([Text(text="é" * 2000)], reply_to="", extra="", split=True)
    assert max(len(body.encode()) for body in bodies) <= 1000


def test_a_message_that_cannot_be_made_to_fit_says_its_size() -> None:
    with pytest.raises(Unsendable) as caught:
        RULES.group_bodies([Custom(data="x" * 2000)], reply_to="", extra="", split=True)
    assert caught.value.reason == "oversize"
    assert "1000 are allowed" in caught.value.detail
    assert "max_body_bytes" in caught.value.advice


def test_splitting_can_be_switched_off() -> None:
    for bodies in (RULES.group_bodies, RULES.direct_bodies):
        with pytest.raises(Unsendable, match="oversize"):
            bodies([Text(text="x" * 2000)], reply_to="", extra="", split=False)


def test_a_late_message_stays_within_the_limit() -> None:
    bodies = RULES.group_bodies([Text(text="x" * 900)], reply_to="", extra="", split=True)
    late = RULES.late_bodies(bodies, "[2024-05-01 09:30 UTC] ", split=True)
    assert max(len(body.encode()) for body in late) <= 1000


def test_a_late_message_is_not_split_where_splitting_is_switched_off() -> None:
    fits, too_long = "x" * 800, "x" * 930
    for text in (fits, too_long):
        assert len(RULES.group_bodies([Text(text=text)], reply_to="", extra="", split=False)) == 1
    prefix = "[2024-05-01 09:30 UTC] "
    bodies = RULES.group_bodies([Text(text=fits)], reply_to="", extra="", split=False)
    assert len(RULES.late_bodies(bodies, prefix, split=False)) == 1
    bodies = RULES.group_bodies([Text(text=too_long)], reply_to="", extra="", split=False)
    with pytest.raises(Unsendable, match="oversize"):
        RULES.late_bodies(bodies, prefix, split=False)


def test_what_cannot_be_sent_survives_pickling() -> None:
    back = pickle.loads(pickle.dumps(Unsendable("oversize", "too large", "Shorten it.")))  # noqa: S301
    assert (back.reason, back.detail, back.advice) == ("oversize", "too large", "Shorten it.")
    assert str(back) == "oversize"


@pytest.mark.parametrize(
    ("reply_to", "extra"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("m-1", '{"k":"v"}', id="plain"),
        pytest.param('"\\' * 20, '{"\\"":"\\\\"}', id="quotes-and-backslashes"),
        pytest.param("", json.dumps(dict.fromkeys(map(str, range(40)), "")), id="many-quotes"),
        pytest.param("é\x01\n", '{"日":"\\u0001"}', id="unicode-and-control"),
    ],
)
def test_a_whole_one_to_one_request_stays_within_the_limit(reply_to: str, extra: str) -> None:
    bodies, metadata = RULES.direct_bodies(
        [Text(text='"é' * 800)], reply_to=reply_to, extra=extra, split=True
    )
    longest = DirectMessageOut(
        sender='"' * 32, recipient="\\" * 32, slot=2**32, sequence=2**32 - 1, random=2**32 - 1,
        body=max(bodies, key=len), metadata=metadata,
    )  # fmt: skip
    assert len(msgspec.json.encode(direct_message_body(longest))) <= 1000
