"""Ids, sizes and bodies as planning asks for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.keys import hashed_id
from chat_migration.model import Custom, Text
from chat_migration.targets.rules import TargetRules, Unsendable
from chat_migration.targets.zego_zim.rules import ZimRules

RULES = ZimRules(max_message_bytes=2048, retention_days=30)
DAY = 86_400_000


def test_planning_can_ask_zim_what_it_asks_every_target() -> None:
    asked: TargetRules = RULES
    assert asked.render_version == 1
    assert asked.late_bodies(["a", "b"], "[then] ", split=True) == ["a", "b"], (
        "it has its true time"
    )


@pytest.mark.parametrize(
    ("legacy", "accepted"),
    [
        pytest.param("U1", True, id="plain"),
        pytest.param("a" * 32, True, id="longest"),
        pytest.param("a" * 33, False, id="too-long"),
        pytest.param("a.b_c@d:e=f~g", True, id="what-every-page-permits"),
        pytest.param("4fd24687296dd9f34fd24687296dd9f3", True, id="uuid-without-dashes"),
        pytest.param("4fd24687-296d-d9f3-4fd2-4687296dd9f3", False, id="uuid"),
        pytest.param("a-b", False, id="a-dash-that-one-page-leaves-out"),
        pytest.param("a'b", False, id="an-apostrophe-that-one-page-has"),
        pytest.param("a b", False, id="space"),
        pytest.param("#1", False, id="like-the-services-own"),
        pytest.param("_a", False, id="sign-first"),
        pytest.param("", False, id="empty"),
        pytest.param("é", False, id="not-ascii"),
        pytest.param("a\n", False, id="newline-at-the-end"),
        pytest.param("٣", False, id="digit-of-another-script"),
    ],
)
def test_an_account_id_is_what_every_page_permits(legacy: str, *, accepted: bool) -> None:
    assert RULES.accepts_user_id(legacy) is accepted
    expected = legacy if accepted else hashed_id("group", legacy)
    assert RULES.group_id(legacy, 0, community=False) == expected


@given(st.text(), st.integers(0, 5), st.booleans())
def test_every_group_id_can_be_used(legacy: str, attempt: int, community: bool) -> None:
    made = RULES.group_id(legacy, attempt, community=community)
    assert RULES.accepts_user_id(made)


def test_another_attempt_gives_another_id() -> None:
    assert len({RULES.group_id("C1", attempt, community=False) for attempt in range(5)}) == 5
    assert len({RULES.topic_id("g", "t", attempt) for attempt in range(5)}) == 5
    assert RULES.topic_id("g", "t", 0) != RULES.topic_id("h", "t", 0)


@pytest.mark.parametrize("split", [True, False])
def test_both_kinds_of_messages_have_the_same_bodies(*, split: bool) -> None:
    elements = [Text(text="hi"), Custom(data="d")]
    given_ = {"reply_to": "m", "extra": "", "split": split}
    bodies, metadata = RULES.direct_bodies(elements, **given_)  # type: ignore[arg-type]
    assert bodies == RULES.group_bodies(elements, **given_)  # type: ignore[arg-type]
    assert metadata == ""


def test_a_message_that_cannot_be_made_to_fit_says_its_size() -> None:
    with pytest.raises(Unsendable) as caught:
        RULES.group_bodies([Custom(data="x" * 3000)], reply_to="", extra="", split=True)
    assert caught.value.reason == "oversize"
    assert "3000 bytes, 2000 are allowed" in caught.value.detail
    assert "max_message_bytes" in caught.value.advice


def test_what_is_too_long_is_split_unless_that_is_switched_off() -> None:
    made = RULES.group_bodies([Text(text="x" * 3000)], reply_to="", extra="", split=True)
    assert len(made) == 2
    with pytest.raises(Unsendable, match="oversize"):
        RULES.group_bodies([Text(text="x" * 3000)], reply_to="", extra="", split=False)


@pytest.mark.parametrize("days", [7, 30, 90, 180, 360])
def test_the_oldest_time_slides_with_the_clock_and_keeps_a_margin(days: int) -> None:
    rules = ZimRules(max_message_bytes=2048, retention_days=days)
    now = 1_787_200_000_000
    assert now - days * DAY < rules.oldest_slot(now) < now - days * DAY + 3_600_000
    assert rules.oldest_slot(now + 5) == rules.oldest_slot(now) + 5
