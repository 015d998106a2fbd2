"""Slots rise strictly, stand never before their own second, and drift is told."""

from __future__ import annotations

import pytest

from chat_migration.planning.slots import PARTS_PER_RANK, Slots, free_rank, ranks_of


def taken(newest: int | None, instants_ms: list[int], *, keep_ties: bool = False) -> list[int]:
    slots = Slots(newest, slot_ms=1000, keep_ties=keep_ties)
    return [slots.take(each) for each in instants_ms]


@pytest.mark.parametrize(
    ("newest", "instants_ms", "expected"),
    [
        pytest.param(None, [10_100, 10_400, 10_900, 12_000], [10, 11, 12, 13], id="worked-example"),
        pytest.param(None, [10_000, 20_000], [10, 20], id="apart"),
        pytest.param(None, [0, 0], [0, 1], id="epoch"),
        pytest.param(None, [-1, -1], [-1, 0], id="before-the-epoch"),
        pytest.param(50, [10_000, 60_000], [51, 60], id="after-the-newest"),
        pytest.param(9, [10_000], [10], id="newest-just-before"),
        pytest.param(10, [10_999], [11], id="newest-in-that-second"),
    ],
)
def test_each_part_takes_its_second_or_the_next_free_one(
    newest: int | None, instants_ms: list[int], expected: list[int]
) -> None:
    assert taken(newest, instants_ms) == expected


@pytest.mark.parametrize(
    ("newest", "instants_ms", "expected"),
    [
        pytest.param(None, [10_100, 10_900, 12_000], [10, 10, 12], id="tie"),
        pytest.param(10, [10_900], [10], id="tie-with-the-newest"),
        pytest.param(15, [10_900, 16_000], [15, 16], id="after-the-newest"),
    ],
)
def test_ties_stay_where_they_are_kept(
    newest: int | None, instants_ms: list[int], expected: list[int]
) -> None:
    assert taken(newest, instants_ms, keep_ties=True) == expected


def test_slots_of_a_millisecond_only_lift_what_stands_at_the_same_one() -> None:
    slots = Slots(10_000, slot_ms=1, keep_ties=False)
    instants_ms = (10_000, 10_000, 10_400, 10_401, 10_401)
    assert [slots.take(each) for each in instants_ms] == [10_001, 10_002, 10_400, 10_401, 10_402]


def test_the_last_slot_is_known() -> None:
    slots = Slots(None, slot_ms=1000, keep_ties=False)
    for instant in (10_000, 10_100, 10_200, 10_300, 99_000):
        slots.take(instant)
    assert slots.last == 99


def test_peeking_takes_nothing() -> None:
    slots = Slots(10, slot_ms=1000, keep_ties=False)
    assert [slots.peek(10_000), slots.peek(10_000), slots.last] == [11, 11, 10]
    assert slots.take(10_000) == 11


@pytest.mark.parametrize(
    ("wanted", "known", "given"),
    [
        pytest.param(0, set(), 0, id="first"),
        pytest.param(2, {0, 1}, 2, id="its-own"),
        pytest.param(1, {0}, 1, id="free"),
        pytest.param(0, {0, 1, 2}, 3, id="after-all"),
        pytest.param(1, {1, 9}, 10, id="gaps-are-not-filled"),
    ],
)
def test_a_row_that_turns_up_later_takes_the_next_rank(
    wanted: int, known: set[int], given: int
) -> None:
    assert free_rank(wanted, known) == given


def test_parts_of_a_row_share_its_rank() -> None:
    sequences = [0, 1, PARTS_PER_RANK - 1, PARTS_PER_RANK, 7 * PARTS_PER_RANK + 3]
    assert ranks_of(sequences) == {0, 1, 7}
    assert ranks_of([]) == set()
