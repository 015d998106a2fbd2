"""A planned row is found by the ``Random`` of any of its parts, whichever candidate it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.delivery.matching import CANDIDATES
from chat_migration.keys import message_key, vendor_random
from chat_migration.planning.tables import PlannedMessage
from chat_migration.rebuild.row_index import RowIndex, SeenParts, part_of


def row(number: int, parts: int = 1) -> PlannedMessage:
    return PlannedMessage(
        conversation="group:g", message_key=message_key("s", "group:g", str(number)),
        legacy_id=str(number), sender="a", recipient="", sent_at_ms=number, order_key=str(number),
        source_hash="", rank=0, as_unread=False, bodies=["[]"] * parts, metadata="", outcome="",
        reason="", detail="", advice="", file="", line=0,
    )  # fmt: skip


ROWS = [row(number, parts=number % 4) for number in range(40)]


@pytest.mark.parametrize("candidate", range(CANDIDATES))
def test_every_part_is_found_by_every_candidate(candidate: int) -> None:
    index = RowIndex(lambda: iter(ROWS))
    for number, each in enumerate(ROWS):
        for part in range(max(1, len(each.bodies))):
            random = vendor_random(each.message_key, part, candidate)
            assert number in list(index.find(random))
            assert part_of(each, random) == part


def test_the_largest_and_the_smallest_random_are_looked_for_like_any_other() -> None:
    index = RowIndex(lambda: iter(ROWS))
    assert list(index.find(2**32 - 1)) == list(index.find(1)) == []
    assert list(RowIndex(lambda: iter([])).find(7)) == []


def test_the_rows_are_read_again_only_for_a_random_that_no_first_candidate_has() -> None:
    passes = []

    def rows() -> Iterator[PlannedMessage]:
        passes.append(1)
        return iter(ROWS)

    index = RowIndex(rows)
    for each in ROWS:
        next(index.find(vendor_random(each.message_key, 0)))
    assert len(passes) == 1
    assert list(index.find(12345)) == list(index.find(54321)) == []
    assert len(passes) == 2


def test_a_row_has_no_part_of_another_row_s_random() -> None:
    assert part_of(ROWS[3], vendor_random(ROWS[2].message_key, 0)) is None
    beyond = vendor_random(ROWS[3].message_key, 3)
    assert part_of(ROWS[3], beyond) is None
    assert part_of(ROWS[3], beyond, parts=(3,)) == 3


@given(places=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), unique=True))
def test_parts_are_seen_in_any_order(places: list[tuple[int, int]]) -> None:
    seen = SeenParts(6)
    for count, place in enumerate(places):
        assert place not in seen
        assert seen.count == count
        seen.add(*place)
    assert all(place in seen for place in places)
    for number in range(6):
        assert seen.has_row(number) == any(place[0] == number for place in places)
        assert [part for part in range(5) if (number, part) in seen] == sorted(
            part for row_number, part in places if row_number == number
        )
