"""Extraction against a naive reference: any rows, split over any files, read by the contract's words."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders_exports import Row, lines, message, neutral, rows_of, staged, table_file

from chat_migration.keys import order_key
from chat_migration.sources.neutral import NeutralSource
from chat_migration.store.extract import Extract
from chat_migration.window import Window

START = 1_714_555_800_000
IDS = ["1", "01", "9", "10", "a", "B", "é", "10a", "٣"]
PEOPLE = ["ada", "bob", "zoe"]
WINDOW = Window(START - 300_000, START + 300_000)


@st.composite
def message_rows(draw: st.DrawFn) -> Row:
    """Draw a message; few ids, times and people, so that rows collide."""
    sender = draw(st.sampled_from(PEOPLE))
    place: Row = {"group_id": draw(st.sampled_from(["g1", "g2"]))}
    if draw(st.booleans()):
        place = {"group_id": None, "recipient_id": draw(st.sampled_from(PEOPLE))}
    near = st.integers(-5, 5).map(lambda minutes: START + minutes * 60_000)
    return message(
        draw(st.sampled_from(IDS)),
        sender_id=sender,
        sent_at=draw(near | st.just("noon")),
        kind=draw(st.sampled_from([None, None, "system"])),
        edited_at=draw(st.none() | near),
        deleted_at=draw(st.none() | near),
        **place,
    )


FILES = st.lists(st.lists(message_rows(), max_size=12), min_size=1, max_size=3)
MEMBERS = st.lists(
    st.tuples(st.sampled_from(["g1", "g2", "g3"]), st.sampled_from(PEOPLE), st.integers(0, 8)),
    max_size=5,
    unique_by=lambda member: member[:2],
)
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- the reference ------------------------------------------------------------------------------


def is_good(row: Row) -> bool:
    return row["sent_at"] != "noon" and row["sender_id"] != row.get("recipient_id")


def place_of(row: Row) -> tuple[str, ...]:
    if "group_id" in row:
        return ("group", row["group_id"])
    return ("direct", *sorted((row["sender_id"], row["recipient_id"])))


def newest(rows: list[tuple[str, int, Row]], window: Window) -> list[tuple[str, int, Row]]:
    """Return, of rows with one conversation and id, the one that holds: first of those that did not end before it."""
    kept: dict[tuple[Any, ...], tuple[str, int, Row]] = {}
    for file, line, row in sorted(rows, key=lambda entry: entry[:2]):
        key = (*place_of(row), row["id"])
        rank = (not is_past(row, window), _changed(row))
        if key not in kept or rank >= (not is_past(kept[key][2], window), _changed(kept[key][2])):
            kept[key] = (file, line, row)
    return list(kept.values())


def is_past(row: Row, window: Window) -> bool:
    """Tell whether nothing happened to a row since the window's start."""
    return window.start_ms is not None and max(row["sent_at"], _changed(row)) < window.start_ms


def is_taken(row: Row, window: Window) -> bool:
    """Tell whether a row was sent in the window, or sent before it and changed in it."""
    changes = [row[name] for name in ("edited_at", "deleted_at") if name in row]
    is_early = window.start_ms is not None and row["sent_at"] < window.start_ms
    return window.holds(row["sent_at"]) or (is_early and any(map(window.holds, changes)))


def _is_sent_in(row: Row, window: Window) -> bool:
    return window.holds(row["sent_at"])


def _changed(row: Row) -> int:
    return max(row.get("edited_at", -1), row.get("deleted_at", -1))


def by_contract(one: str, other: str) -> int:
    """Compare ids as the input contract says: digits by value, then by length; others after, by UTF-8."""
    digits = [name.isascii() and name.isdigit() for name in (one, other)]
    if digits[0] != digits[1]:
        return -1 if digits[0] else 1
    left: Any = (int(one), len(one)) if digits[0] else one.encode()
    right: Any = (int(other), len(other)) if digits[0] else other.encode()
    return (left > right) - (left < right)


def compare(one: Row, other: Row) -> int:
    if one["sent_at"] != other["sent_at"]:
        return -1 if one["sent_at"] < other["sent_at"] else 1
    return by_contract(one["id"], other["id"])


def first_unread(
    rows: list[Row], group_id: str, user_id: str, unread: int
) -> tuple[int | None, str]:
    """Return the read position by walking from the newest message."""
    if not unread:
        return None, ""
    seen = [
        row
        for row in sorted(rows, key=functools.cmp_to_key(compare), reverse=True)
        if row.get("group_id") == group_id and row["sender_id"] != user_id
        and row.get("kind") != "system" and "deleted_at" not in row
    ]  # fmt: skip
    if unread >= len(seen):
        return 0, ""
    return seen[unread - 1]["sent_at"], order_key(seen[unread - 1]["id"])


# --- the properties -----------------------------------------------------------------------------


def stage(
    files: list[list[Row]], window: Window, members: list[Any]
) -> tuple[Extract, list[tuple[str, int, Row]]]:
    """Stage rows over files; return the extract and each row with its place."""
    folder = Path(tempfile.mkdtemp())
    for number, rows in enumerate(files):
        table_file(folder / "export" / "messages", f"{number}", rows)
    rows = [{"group_id": g, "user_id": u, "unread_count": n} for g, u, n in members]
    (folder / "export" / "members.jsonl").write_bytes(lines(rows))
    made = staged(folder / "export", folder / "stage", NeutralSource(), window)
    placed = [
        (f"messages/{number}.jsonl", line, row)
        for number, rows in enumerate(files)
        for line, row in enumerate(rows, 1)
    ]
    return made, placed


@quick
@given(FILES, st.sampled_from([Window(), WINDOW]), MEMBERS)
def test_extraction_does_what_the_contract_says(
    files: list[list[Row]], window: Window, members: list[Any]
) -> None:
    made, placed = stage(files, window, members)
    good = [entry for entry in placed if is_good(entry[2])]
    kept = newest(good, window)
    inside = [entry for entry in kept if is_taken(entry[2], window)]

    rows = rows_of(made, "messages")
    assert {(row["file"], row["line"]) for row in rows} == {entry[:2] for entry in inside}
    for conversation in {row["conversation"] for row in rows}:
        ids = [
            (row["sent_at_ms"], row["id"]) for row in rows if row["conversation"] == conversation
        ]
        expected = sorted(
            ({"sent_at": at, "id": name} for at, name in ids), key=functools.cmp_to_key(compare)
        )
        assert ids == [(row["sent_at"], row["id"]) for row in expected]

    ended = {(row["file"], row["line"]): row["reason"] for row in rows_of(made, "problems")}
    staged_or_ended = {(row["file"], row["line"]) for row in rows} | set(ended)
    within = {
        entry[:2]
        for entry in placed
        if entry[2]["sent_at"] == "noon"
        or (is_taken if is_good(entry[2]) else _is_sent_in)(entry[2], window)
    }
    assert staged_or_ended == within
    assert len(rows) + len(ended) == len(within)
    assert made.manifest.outside_window == len(placed) - len(within)

    left = [row for _, _, row in kept]
    for row in rows_of(made, "members"):
        unread = next(n for g, u, n in members if (g, u) == (row["group_id"], row["user_id"]))
        assert (row["first_unread_ms"], row["first_unread_order"]) == first_unread(
            left, row["group_id"], row["user_id"], unread
        )


@settings(quick, max_examples=8)
@given(st.lists(message_rows(), max_size=12, unique_by=lambda row: row["id"]), st.data())
def test_how_rows_are_split_over_files_changes_nothing(
    rows: list[Row], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    (one, _), (two, _) = stage([rows], Window(), []), stage([rows[:cut], rows[cut:]], Window(), [])
    assert [_placeless(row) for row in rows_of(one, "messages")] == [
        _placeless(row) for row in rows_of(two, "messages")
    ]


def _placeless(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("file", "line")}


def test_last_read_at_is_the_place_after_it(tmp_path: Path) -> None:
    members = [
        {"group_id": "g1", "user_id": "ada", "last_read_at": START},
        {"group_id": "g1", "user_id": "bob"},
        {"group_id": "g1", "user_id": "zoe", "last_read_at": START, "unread_count": 0},
    ]
    made = staged(
        neutral(tmp_path / "export", members=members), tmp_path / "stage", NeutralSource()
    )
    found = [
        (row["has_read_state"], row["first_unread_ms"], row["first_unread_order"])
        for row in rows_of(made, "members")
    ]
    assert found == [(True, START + 1, ""), (False, None, ""), (True, None, "")]


def test_topics_do_not_count_as_unread_of_their_group(tmp_path: Path) -> None:
    rows = [
        message("m1", sent_at=START),
        *(message(f"t{n}", topic_id="t", sent_at=START + n) for n in range(3)),
    ]
    rows.append(message("m2", sent_at=START + 9))
    members = [{"group_id": "g1", "user_id": "bob", "unread_count": 1}]
    made = staged(
        neutral(tmp_path / "export", members=members, messages=rows),
        tmp_path / "stage",
        NeutralSource(),
    )
    (row,) = rows_of(made, "members")
    assert row["first_unread_ms"] == START + 9
