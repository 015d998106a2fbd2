"""Rows of the neutral export: what each field takes, and what becomes of rows that break the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders_exports import (
    HOSTILE,
    Row,
    direct,
    lines,
    message,
    neutral,
    opened,
    read_items,
)

from chat_migration.errors import UnreadableExportError
from chat_migration.model import (
    Custom,
    Face,
    File,
    Group,
    Image,
    Location,
    Message,
    Problem,
    RecordType,
    Sound,
    Text,
    Topic,
    User,
    Video,
)
from chat_migration.sources.base import BadRow, Item, UnknownField
from chat_migration.sources.neutral import NeutralSource
from chat_migration.sources.neutral.instants import to_ms

Read = Callable[..., list[Item]]
NINE_THIRTY = 1_714_555_800_000
MEDIA = "https://files.example/a"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads the items of some tables."""

    def read_it(**tables: list[Row]) -> list[Item]:
        source = NeutralSource()
        return read_items(source, opened(source, neutral(tmp_path / "export", **tables), tmp_path))

    return read_it


def only_problem(items: list[Item]) -> Problem:
    (problem,) = [item for item in items if isinstance(item, Problem)]
    return problem


# --- messages -----------------------------------------------------------------------------------


def test_a_message_keeps_every_field(read: Read) -> None:
    (found,) = read(
        messages=[
            message(
                topic_id="t1",
                reply_to="m0",
                edited_at="2024-05-01T09:31:00Z",
                deleted_at=NINE_THIRTY + 120_000,
                extra={"k": 1},
            )
        ]
    )
    assert isinstance(found, Message)
    assert (found.id, found.group_id, found.topic_id, found.sender_id) == ("m1", "g1", "t1", "ada")
    assert found.sent_at_ms == NINE_THIRTY
    assert found.edited_at_ms == NINE_THIRTY + 60_000
    assert found.deleted_at_ms == NINE_THIRTY + 120_000
    assert (found.reply_to, found.extra) == ("m0", '{"k":1}')
    assert found.elements == (Text(text="text of m1"),)


def test_elements_win_over_text_unless_they_are_empty(read: Read) -> None:
    with_elements, with_none = read(
        messages=[
            message("m1", text="short", elements=[{"type": "text", "text": "long"}]),
            message("m2", text="short", elements=[]),
        ]
    )
    assert isinstance(with_elements, Message)
    assert isinstance(with_none, Message)
    assert with_elements.elements == (Text(text="long"),)
    assert with_none.elements == (Text(text="short"),)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"type": "text", "text": ""}, Text(text="")),
        ({"type": "face", "index": 3, "data": "x"}, Face(index=3, data="x")),
        (
            {"type": "location", "latitude": 53, "longitude": -0.5, "description": "pier"},
            Location(latitude=53.0, longitude=-0.5, description="pier"),
        ),
        ({"type": "custom", "data": "{}", "extension": "e"}, Custom(data="{}", extension="e")),
        (
            {"type": "image", "url": MEDIA, "width": 2, "format": "png", "name": "n"},
            Image(url=MEDIA, width=2, format="png", name="n"),
        ),
        ({"type": "sound", "url": MEDIA, "seconds": 3}, Sound(url=MEDIA, seconds=3)),
        ({"type": "file", "url": MEDIA, "name": "n", "size": 5}, File(url=MEDIA, name="n", size=5)),
        (
            {"type": "video", "url": MEDIA, "thumb_url": MEDIA, "thumb_size": None},
            Video(url=MEDIA, thumb_url=MEDIA),
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_each_element_keeps_its_fields(read: Read, element: Row, expected: object) -> None:
    (found,) = read(messages=[message(elements=[element])])
    assert isinstance(found, Message)
    assert found.elements == (expected,)


def test_unknown_fields_go_to_extra_and_are_reported(read: Read) -> None:
    *unknown, found = read(
        messages=[
            message(
                mood="calm", extra={"mood": "own"}, elements=[{"type": "text", "text": "x", "b": 1}]
            )
        ]
    )
    assert isinstance(found, Message)
    assert json.loads(found.extra) == {"mood": "own", "elements[0].b": 1}
    assert [item.field for item in unknown if isinstance(item, UnknownField)] == [
        "mood",
        "elements[0].b",
    ]


def test_the_source_hash_follows_content_only(read: Read) -> None:
    same, edited, other, deleted = read(
        messages=[
            message("a", text="x"),
            message("b", text="x", edited_at=NINE_THIRTY, extra={"seen": 9}, elements=None),
            message("c", text="y"),
            message("d", text="x", deleted_at=NINE_THIRTY),
        ]
    )
    hashes = [
        item.source_hash for item in (same, edited, other, deleted) if isinstance(item, Message)
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_a_problem_says_where_the_row_belongs(read: Read) -> None:
    problem = only_problem(read(messages=[direct("m9", text=5)]))
    assert problem.record_type == RecordType.C2C_MESSAGES
    assert (problem.id, problem.conversation) == ("m9", "direct:ada/bob")
    assert problem.sent_at_ms == NINE_THIRTY
    assert problem.advice == "Write `text` as text."


# --- the other tables ---------------------------------------------------------------------------


def test_unknown_fields_of_users_and_groups_go_to_custom(read: Read) -> None:
    items = read(
        users=[{"id": "u", "badge": 1, "custom": {"a": 2, "extra": {"badge": "kept"}}}],
        groups=[{"id": "g", "name": "G", "crew": [1]}],
    )
    (user,) = [item for item in items if isinstance(item, User)]
    (group,) = [item for item in items if isinstance(item, Group)]
    assert json.loads(user.custom) == {"a": 2, "extra": {"badge": "kept"}}
    assert json.loads(group.custom) == {"extra": {"crew": [1]}}


def test_a_community_keeps_its_topics(read: Read) -> None:
    topic = {"id": "t", "name": "T", "created_at": NINE_THIRTY}
    (group,) = read(groups=[{"id": "g", "name": "G", "type": "community", "topics": [topic]}])
    assert isinstance(group, Group)
    assert group.topics == (Topic(id="t", name="T", created_at_ms=NINE_THIRTY),)


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("users", {"id": "u", "avatar_url": "/a.png"}, "bad_url"),
        ("users", {"id": "u", "deleted": "yes"}, "wrong_type"),
        ("users", {"id": "u", "custom": "text"}, "wrong_type"),
        ("users", {"id": "u", "created_at": 5}, "bad_instant"),
        ("groups", {"id": "g"}, "missing_field"),
        ("groups", {"id": "g", "name": "G", "type": "secret"}, "bad_value"),
        ("groups", {"id": "g", "name": "G", "type": "avchatroom"}, "avchatroom_group"),
        ("groups", {"id": "g", "name": "G", "max_members": 2.5}, "wrong_type"),
        ("groups", {"id": "g", "name": "G", "topics": [{"id": "t"}]}, "bad_value"),
        ("groups", {"id": "g", "name": "G", "type": "community", "topics": ["t"]}, "wrong_type"),
        (
            "groups",
            {"id": "g", "name": "G", "type": "community", "topics": [{"id": "t"}, {"id": "t"}]},
            "bad_value",
        ),
        ("groups", {"id": "g", "name": "G", "join": "maybe"}, "bad_value"),
        ("members", {"group_id": "g"}, "missing_field"),
        ("members", {"group_id": "g", "user_id": "u", "role": "king"}, "bad_value"),
        ("members", {"group_id": "g", "user_id": "u", "unread_count": -1}, "bad_value"),
        ("members", {"group_id": "g", "user_id": "u", "unread_count": "3"}, "wrong_type"),
        ("direct_reads", {"user_id": "a", "peer_id": "b"}, "missing_field"),
        ("direct_reads", {"user_id": "a", "peer_id": "b", "last_read_at": "noon"}, "bad_instant"),
    ],
)
def test_a_bad_row_is_a_problem_of_its_table(read: Read, table: str, row: Row, reason: str) -> None:
    problem = only_problem(read(**{table: [row]}))
    assert problem.reason == reason
    assert (
        problem.record_type
        == {
            "users": RecordType.ACCOUNTS,
            "groups": RecordType.GROUPS,
            "members": RecordType.MEMBERS,
            "direct_reads": RecordType.UNREAD,
        }[table]
    )


# --- the hostile export -------------------------------------------------------------------------


def test_each_line_of_the_hostile_export_ends_as_described(tmp_path: Path) -> None:
    source = NeutralSource()
    expected = (HOSTILE / "EXPECTED.txt").read_text().splitlines()[1:]
    found = dict.fromkeys(range(1, len(expected) + 1), "blank")
    for item in read_items(source, opened(source, HOSTILE, tmp_path)):
        if isinstance(item, Problem | Message):
            found[item.origin.line] = item.reason if isinstance(item, Problem) else "ok"
    assert list(found.values()) == expected


def test_no_problem_shows_the_text_of_a_message(tmp_path: Path) -> None:
    source = NeutralSource()
    (tmp_path / "messages.jsonl").write_bytes(
        lines(
            [
                message(text="SECRET\0"),
                message(text=["SECRET"]),
                '{"text":"SECRET", oops}',
                message(text="SECRET", kind=7),
            ]
        )
    )
    items = read_items(source, opened(source, tmp_path, tmp_path))
    assert len(items) == 4
    assert "SECRET" not in repr(items)


# --- instants -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-01T09:30:00.250+08:00", 1_714_527_000_250),
        ("2024-05-01t09:30:00z", NINE_THIRTY),
        ("2024-05-01 09:30:00-00:00", NINE_THIRTY),
        ("2024-05-01T09:30:00.123456789Z", NINE_THIRTY + 123),
        ("1970-01-01T00:00:00Z", 0),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        (10**11, 10**11),
        (253_402_300_799_999, 253_402_300_799_999),
    ],
)
def test_an_instant_is_read_to_the_millisecond(value: Any, expected: int) -> None:
    assert to_ms(value, "sent_at") == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("2024-05-01T09:30:00", "has no offset"),
        ("2024-05-01T09:30Z", "is no RFC 3339 text"),
        ("2024-05-01T09:30:00+0800", "is no RFC 3339 text"),
        ("20240501T093000Z", "is no RFC 3339 text"),
        ("2024-13-01T09:30:00Z", "no calendar has"),
        ("2024-05-01T24:30:00Z", "no calendar has"),
        ("0001-01-01T00:00:00+10:00", "before 1970"),
        ("1969-12-31T23:59:59Z", "before 1970"),
        ("٢٠٢٤-05-01T09:30:00Z", "is no RFC 3339 text"),
        (10**11 - 1, "would be seconds"),
        (-(10**12), "would be seconds"),
        (253_402_300_800_000, "would be micro- or nanoseconds"),
        (10**400, "would be micro- or nanoseconds"),
        (1.7e12, "is a float"),
        (True, "is a bool"),
        ([], "is a list"),
        (datetime(2024, 5, 1), "without a time zone"),  # noqa: DTZ001
    ],
)
def test_a_doubtful_instant_is_refused_with_its_mistake(value: Any, says: str) -> None:
    with pytest.raises(BadRow, match=says) as refused:
        to_ms(value, "sent_at")
    assert refused.value.reason == "bad_instant"


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_written_instants_are_read_back(naive: datetime, offset_minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    assert to_ms(at.isoformat(), "sent_at") == since // timedelta(milliseconds=1)


# --- layout -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "match"),
    [
        (["users.jsonl"], "no table `messages`; it holds `users.jsonl`"),
        (["messages.json"], "`messages.json` belongs to the table `messages` but is in no format"),
        (["messages.parquet.gz"], "is in no format"),
        (["messages/part-1.txt"], "`messages/part-1.txt` belongs to"),
        (
            ["messages.jsonl", "messages.csv"],
            "given twice: as `messages.csv` and as `messages.jsonl`",
        ),
        (["messages.jsonl", "messages/1.jsonl"], "given twice"),
        (["a/messages.jsonl", "b/messages.jsonl"], "lies too deep.*`{date}`"),
        (["channels.json", "users.json", "general/2024-01-01.json"], "use the source `slack`"),
        (["dump/rocketchat_message.bson", "x"], "a MongoDB dump"),
    ],
)
def test_what_is_no_neutral_export_is_refused(tmp_path: Path, files: list[str], match: str) -> None:
    for name in files:
        path = tmp_path / "export" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    source = NeutralSource()
    with pytest.raises(UnreadableExportError, match=match):
        source.pieces(opened(source, tmp_path / "export", tmp_path))


def test_markers_beside_the_parts_of_a_table_are_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "messages"
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    (folder / "part.jsonl").write_bytes(lines([message()]))
    source = NeutralSource()
    assert len(read_items(source, opened(source, tmp_path / "export", tmp_path))) == 1


def test_small_files_are_read_together_and_large_ones_apart(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "messages"
    folder.mkdir(parents=True)
    for number in range(6):
        (folder / f"{number}.jsonl").write_bytes(lines([message()]))
    (folder / "large.jsonl").write_bytes(lines([message()] * 20))
    source = NeutralSource(piece_bytes=2 * len(lines([message()])))
    pieces = source.pieces(opened(source, tmp_path / "export", tmp_path))
    whole = [piece.paths for piece in pieces if not piece.end]
    assert [len(paths) for paths in whole] == [2, 2, 2]
    assert len([piece for piece in pieces if piece.paths == ("messages/large.jsonl",)]) == 10
