"""Read positions from counts: the n-th newest message of others, over the ledger's rows and the run's own."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from chat_migration.planning.positions import (
    BEFORE_ALL,
    Place,
    newest_first,
    nth_newest_of_others,
)

PEOPLE = ("ada", "bob", "cid")
Row = tuple[Place, str]
rows = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 30_000), st.text("abc", min_size=1, max_size=3)),
        st.sampled_from(PEOPLE),
    ),
    max_size=30,
    unique_by=lambda row: row[0],
)


@given(rows=rows, counts=st.dictionaries(st.sampled_from(PEOPLE), st.integers(1, 12)))
def test_each_position_is_what_counting_one_by_one_finds(
    rows: list[Row], counts: dict[str, int]
) -> None:
    ordered = sorted(rows, reverse=True)
    expected = {}
    for account, count in counts.items():
        others = [place for place, sender in ordered if sender != account]
        expected[account] = others[count - 1] if count < len(others) else BEFORE_ALL
    assert nth_newest_of_others(ordered, counts) == expected


@given(
    rows=rows,
    is_own=st.lists(st.booleans(), min_size=30, max_size=30),
    drifts=st.lists(st.integers(0, 9), min_size=30, max_size=30),
)
def test_rows_of_both_sides_come_by_true_time_however_far_slots_were_lifted(
    rows: list[Row], is_own: list[bool], drifts: list[int]
) -> None:
    """Some rows of the ledger stand in a much later slot: those that were appended late."""
    own = [row for row, ours in zip(rows, is_own, strict=False) if ours]
    earlier = [
        (place[0] // 1000 + drift, *place, sender, "key")
        for (place, sender), ours, drift in zip(rows, is_own, drifts, strict=False)
        if not ours
    ]
    earlier.sort(reverse=True)
    assert list(newest_first(own, iter(earlier), 1000)) == sorted(rows, reverse=True)


def test_no_more_of_the_history_is_read_than_is_needed() -> None:
    read = 0

    def history() -> Iterator[tuple[int, int, str, str, str]]:
        nonlocal read
        for second in range(10_000, 0, -1):
            read += 1
            yield second, second * 1000, "0", "ada", f"k{second}"

    found = nth_newest_of_others(
        newest_first([((10_001_000, "0"), "ada")], history(), 1000), {"bob": 4}
    )
    assert found == {"bob": (9_998_000, "0")}
    assert read < 10
