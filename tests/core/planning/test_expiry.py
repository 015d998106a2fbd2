"""Who is too old by the time of their turn: the oldest go first, and the bound follows the clock."""

from __future__ import annotations

import pytest
from tests.clocks import START_MS
from tests.core.planning.plans import SIZES, TENCENT, ZIM

from chat_migration.planning.expiry import Expiry
from chat_migration.planning.tables import PlannedMessage

BOUND = ZIM.oldest_slot(START_MS)
"""What was sent before it, is too old at the start."""


def row(left_seconds: float, parts: int = 1) -> PlannedMessage:
    """Return a message that the target takes for so many seconds more."""
    return PlannedMessage(
        conversation="group:g", message_key="k", legacy_id="m", sender="ada", recipient="",
        sent_at_ms=BOUND + round(left_seconds * 1000), order_key="", source_hash="", rank=0,
        as_unread=False, bodies=["b"] * parts, metadata="", outcome="", reason="", detail="",
        advice="", file="f", line=1,
    )  # fmt: skip


def expired(*rows: PlannedMessage, rate: float, lead: float = 0, direct: bool = False) -> int:
    expiry = Expiry(ZIM, START_MS)
    for each in rows:
        expiry.add(each, direct=direct)
    return expiry.too_late(dict.fromkeys(ZIM.api_of.values(), rate), SIZES, lead * 1000)


@pytest.mark.parametrize(
    ("left_seconds", "too_old"), [(-0.001, True), (0, False), (0.001, False), (9999, False)]
)
def test_the_bound_itself_is_still_taken(left_seconds: float, too_old: bool) -> None:
    assert Expiry(ZIM, START_MS).is_too_old(row(left_seconds)) is too_old


def test_without_a_bound_nothing_is_too_old() -> None:
    expiry = Expiry(TENCENT, START_MS)
    expiry.add(row(-9_000_000), direct=False)
    assert not expiry.is_too_old(row(-9_000_000))
    assert expiry.too_late({}, SIZES, 0) == 0


@pytest.mark.parametrize(
    ("rows", "given", "lost"),
    [
        pytest.param([row(9)] * 10, {"rate": 1}, 0, id="in-time"),
        pytest.param([row(9)] * 15, {"rate": 1}, 5, id="the-rest-is-lost"),
        pytest.param([row(9)] * 15, {"rate": 2}, 0, id="twice-as-fast"),
        pytest.param([row(9)] * 10, {"rate": 1, "lead": 4}, 4, id="something-comes-first"),
        pytest.param([row(9)] * 10, {"rate": 1, "lead": 99}, 10, id="too-late-for-all"),
        pytest.param([row(9)] * 10, {"rate": 1, "direct": True}, 5, id="two-calls-each"),
        pytest.param([row(9, parts=2)] * 10, {"rate": 1}, 5, id="two-parts-each"),
        pytest.param([row(9999)] * 9 + [row(9)] * 10, {"rate": 1}, 0, id="the-oldest-go-first"),
        pytest.param([row(9)] * 8 + [row(19)] * 13, {"rate": 1}, 1, id="after-those-before"),
        pytest.param(
            [row(9)] * 50 + [row(19)] * 9, {"rate": 1}, 40, id="what-is-lost-takes-no-time"
        ),
    ],
)
def test_those_whose_turn_comes_too_late_are_counted(
    rows: list[PlannedMessage], given: dict[str, float], lost: int
) -> None:
    assert expired(*rows, **given) == lost  # type: ignore[arg-type]


def test_one_to_one_and_group_messages_do_not_wait_for_each_other() -> None:
    expiry = Expiry(ZIM, START_MS)
    for _ in range(5):
        expiry.add(row(9), direct=True)
    for _ in range(10):
        expiry.add(row(9), direct=False)
    assert expiry.too_late(dict.fromkeys(ZIM.api_of.values(), 1.0), SIZES, 0) == 0
