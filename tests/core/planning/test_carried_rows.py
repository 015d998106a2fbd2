"""The views of a run that carries rows which earlier ones deferred: each record once, the right copy of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.builders_neutral import START_MS, NeutralExport, at

from chat_migration.extraction import extract
from chat_migration.keys import message_key
from chat_migration.planning.held import HeldRow, KeptRow
from chat_migration.planning.staged import CarriedRows, Staged
from chat_migration.sources import open_source
from chat_migration.store.extract import Extract
from chat_migration.window import Window

Make = Callable[..., Staged]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A function that makes the views of a run's own export and of those that keep the rows carried, by id."""
    opened: list[Staged] = []

    def made(own: NeutralExport, *kept: NeutralExport, ids: str) -> Staged:
        extracts = [staged(each, tmp_path / f"{place}") for place, each in enumerate((own, *kept))]
        keys = [message_key("neutral", "group:quay", each) for each in ids.split()]
        carried = CarriedRows(
            keys=keys, extracts=extracts[1:], groups=["quay"], groups_to_fill=["quay"]
        )
        opened.append(Staged(extracts[:1], carried, temp=tmp_path / "temp"))
        return opened[-1]

    yield made
    for each in opened:
        each.close()


def staged(export: NeutralExport, folder: Path) -> Extract:
    return extract(
        open_source("neutral"),
        export.write(folder / "export"),
        source_name="neutral",
        window=Window(),
        stage_dir=folder / "stage",
    )


def people(**group: str) -> NeutralExport:
    return NeutralExport().user("ada", "bob").group("quay", "ada", "bob", **group)


def messages(views: Staged) -> list[tuple[str, bool, bool]]:
    """Return (text, is carried, is own) of the messages, oldest first."""
    sql = (
        "SELECT elements ->> '$[0].text', is_carried, is_own FROM messages ORDER BY sent_at_ms, id"
    )
    return list(views.rows(sql))  # type: ignore[arg-type]


def test_only_the_rows_that_still_wait_are_carried(make: Make) -> None:
    kept = people().say("quay", "ada", at(1), id="x", text="one")
    kept.say("quay", "ada", at(2), id="y", text="two")
    views = make(people().say("quay", "bob", at(3), id="z", text="three"), kept, ids="y")
    assert messages(views) == [("two", True, False), ("three", False, True)]
    assert views.carried_rows() == {"group_messages": 1}


@pytest.mark.parametrize(
    ("own", "kept", "text", "is_own"),
    [
        ({}, {}, "own", True),
        ({"edited_at": at(9)}, {}, "own", True),
        ({}, {"edited_at": at(9)}, "kept", False),
        ({"edited_at": at(8)}, {"edited_at": at(9)}, "kept", False),
        ({"edited_at": at(9)}, {"edited_at": at(9)}, "own", True),
        ({"deleted_at": at(10)}, {"edited_at": at(9)}, "own", True),
        ({"edited_at": at(8)}, {"edited_at": at(7), "deleted_at": at(9)}, "kept", False),
    ],
)
def test_of_two_copies_the_later_changed_one_counts_and_the_row_once(
    make: Make, own: dict[str, int], kept: dict[str, int], text: str, *, is_own: bool
) -> None:
    views = make(
        people().say("quay", "ada", at(1), id="x", text="own", **own),
        people().say("quay", "ada", at(1), id="x", text="kept", **kept),
        ids="x",
    )
    assert messages(views) == [(text, True, is_own)]
    assert views.carried_rows() == {}


def test_of_copies_in_several_extracts_the_later_changed_one_counts(make: Make) -> None:
    views = make(
        people().say("quay", "bob", at(5)),
        people().say("quay", "ada", at(1), id="x", text="first"),
        people().say("quay", "ada", at(1), id="x", text="second", edited_at=at(2)),
        ids="x",
    )
    assert messages(views)[0] == ("second", True, False)
    assert views.carried_rows() == {"group_messages": 1}


def test_people_and_groups_that_the_run_lacks_come_along_and_its_own_rows_go_before(
    make: Make,
) -> None:
    own = (
        NeutralExport()
        .user("ada", name="Ada of today")
        .group("pier", "ada")
        .say("pier", "ada", at(5))
    )
    kept = people(name="Quay").user("eve").member("quay", "bob", unread_count=0)
    views = make(own, kept.say("quay", "ada", at(1), id="x"), ids="x")
    assert list(views.rows("SELECT id, name FROM users ORDER BY id")) == [
        ("ada", "Ada of today"),
        ("bob", "Bob"),
    ]
    assert list(views.rows("SELECT id, name FROM groups ORDER BY id")) == [
        ("pier", "PIER"),
        ("quay", "Quay"),
    ]
    assert views.carried_rows() == {
        "accounts": 1,
        "groups": 1,
        "members": 2,
        "group_messages": 1,
        "unread": 1,
    }


# --- rows of groups and members that were held back -------------------------------------------------


def carrying(tmp_path: Path, *kept: NeutralExport, fill: str = "") -> Staged:
    """Return the views of a run of its own that carries a group's and a member's row, which the last extract keeps."""
    extracts = [staged(each, tmp_path / f"{place}") for place, each in enumerate(kept)]
    rows = [HeldRow("quay"), HeldRow("quay", "bob")]
    carried = CarriedRows(
        keys=[],
        extracts=extracts[::-1],
        groups=fill.split(),
        groups_to_fill=fill.split(),
        held=[KeptRow(each, extracts[-1].path) for each in rows],
    )
    own = staged(NeutralExport().user("ada").say("pier", "ada", at(5)), tmp_path / "own")
    return Staged([own], carried, temp=tmp_path / "temp")


@pytest.mark.parametrize("fill", ["", "quay"])
def test_a_row_held_back_is_taken_from_the_extract_that_is_listed_for_it(
    tmp_path: Path, fill: str
) -> None:
    older = people(name="Older").member("quay", "bob", role="admin", unread_count=7)
    newer = people(name="Newer").member("quay", "bob", left_at=at(9))
    views = carrying(tmp_path, older, newer, fill=fill)
    assert list(views.rows("SELECT name FROM groups")) == [("Newer",)]
    members = dict(views.rows("SELECT user_id, left_at_ms FROM members"))
    assert members == {"bob": at(9)}
    assert views.carried_rows() == {"groups": 1, "members": 1, "accounts": 1}
    views.close()


@pytest.mark.parametrize(("fill", "states"), [("", [(False, None)]), ("quay", [(True, 3)])])
def test_of_a_member_held_back_the_read_state_counts_only_where_nobody_noted_it(
    tmp_path: Path, fill: str, states: list[tuple[bool, int | None]]
) -> None:
    kept = people().member("quay", "bob", role="admin", unread_count=3)
    made = staged_part(kept, tmp_path / "kept")
    rows = [KeptRow(HeldRow("quay", "bob"), made.path)]
    carried = CarriedRows(
        keys=[], extracts=[made], groups=fill.split(), groups_to_fill=fill.split(), held=rows
    )
    own = staged(NeutralExport().user("ada").say("pier", "ada", at(5)), tmp_path / "own")
    views = Staged([own], carried, temp=tmp_path / "temp")
    found = views.rows("SELECT has_read_state, unread_count FROM members WHERE user_id = 'bob'")
    assert list(found) == states
    views.close()


def staged_part(export: NeutralExport, folder: Path) -> Extract:
    """Stage a drop, of which nobody knows what stands in others."""
    return extract(
        open_source("neutral"),
        export.write(folder / "export"),
        source_name="neutral",
        window=Window(START_MS, None),
        stage_dir=folder / "stage",
        is_whole=True,
    )


@pytest.mark.parametrize("row", [HeldRow("a/b"), HeldRow("a/b", "c/d"), HeldRow("a", "b/c/d")])
def test_a_row_held_back_is_known_by_its_key_and_by_its_line(row: HeldRow) -> None:
    assert HeldRow.parse(row.key) == row
    line = f"{row.group_id}/{row.user_id}" if row.user_id else row.group_id
    assert HeldRow.counted(row.conversation, line) == row
    assert HeldRow.parse(message_key("neutral", row.conversation, line)) is None
