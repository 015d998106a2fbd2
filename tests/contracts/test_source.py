"""What every reader must do, whatever the format and however the export is wrapped.

A new reader adds its exports to :data:`EXPORTS`; it is not done until it passes.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.builders_exports import (
    Row,
    direct,
    message,
    minute,
    neutral,
    opened,
    read_items,
    slack,
    table_file,
    tarred,
    zipped,
)

from chat_migration.errors import UnreadableExportError
from chat_migration.model import DirectRead, Group, Member, Message, Origin, Problem, Record, User
from chat_migration.sources import SOURCES, open_source
from chat_migration.sources.base import Item, UnknownField
from chat_migration.sources.packaging.streams import without_codec
from chat_migration.sources.tree import ExportTree

TABLES: dict[str, list[Row]] = {
    "users": [
        {"id": "ada", "name": "Ada", "created_at": "2020-01-01T00:00:00+01:00", "custom": {"a": 1}},
        {"id": "bob", "name": 'Bob, "the" bridge\nsecond line', "deleted": True, "badge": "x"},
        {"name": "nobody"},
    ],
    "groups": [
        {"id": "g1", "name": "Group", "type": "community", "topics": [{"id": "t1", "name": "T"}]},
        {"id": "g2", "name": "Live", "type": "avchatroom"},
    ],
    "members": [{"group_id": "g1", "user_id": "ada", "role": "owner", "unread_count": 1}],
    "direct_reads": [{"user_id": "ada", "peer_id": "bob", "last_read_at": 1714555800250}],
    "messages": [
        message("m1", text="first"),
        message("m2", sent_at=minute(1), topic_id="t1", text="line one\nline two, \"quoted\" 你好 👋"),
        direct("m3", sent_at=minute(2), elements=[{"type": "text", "text": "hi"}], extra={"k": [1]}),
        message("m4", sent_at="yesterday"),
        direct("m5", sender_id="bob"),
        message("m6", sent_at=minute(3), edited_at=minute(4), reply_to="m1", mood="calm"),
        message("m7", sent_at=minute(5), deleted_at=minute(6), text=None),
        message("m8", sent_at=minute(7), kind="system"),
    ],
}  # fmt: skip
DAY = "2015-06-06"
SLACK_DAYS: dict[str, list[Any]] = {
    f"general/{DAY}": [
        {"type": "message", "user": "U1", "text": "<@U2> hi &amp; bye", "ts": "1433600000.000001"},
        {"type": "message", "user": "U1", "text": "no time"},
        {"type": "message", "subtype": "channel_join", "user": "U2", "text": "joined", "ts": "1433600001.000001"},
        ["not an object"],
    ],
    "general/2015-06-07": [
        {"type": "message", "user": "U2", "text": "next day", "ts": "1433686400.000002"},
        {"type": "message", "subtype": "bot_message", "bot_id": "B1", "text": "beep", "ts": "1433686401.000002"},
    ],
    f"D1/{DAY}": [{"type": "message", "user": "U2", "text": "psst", "ts": "1433600002.000001"}],
    f"D2/{DAY}": [{"type": "message", "user": "U1", "text": "to do", "ts": "1433600003.000001"}],
}  # fmt: skip
SLACK_LISTS: dict[str, list[Row]] = {
    "users": [{"id": "U1", "name": "ada"}, {"id": "U2", "name": "bob", "profile": {"real_name": "Bob"}}, {}],
    "channels": [{"id": "C1", "name": "general", "created": 1433500000, "creator": "U1", "members": ["U1", "U2"]}],
    "dms": [{"id": "D1", "members": ["U1", "U2"]}, {"id": "D2", "members": ["U1"]}],
}  # fmt: skip


def _neutral(suffix: str) -> Callable[[Path], Path]:
    return lambda folder: neutral(folder / "plain", suffix=suffix, **TABLES)


def _neutral_folders(folder: Path) -> Path:
    for table, rows in TABLES.items():
        for number, row in enumerate(rows):
            suffix = (".jsonl", ".csv.gz", ".jsonl.zst")[number % 3]
            table_file(
                folder / "plain" / table,
                f"part-{number}",
                [row],
                suffix if "id" in row else ".jsonl",
            )
    return folder / "plain"


def _slack(folder: Path) -> Path:
    return slack(folder / "plain", SLACK_DAYS, **SLACK_LISTS)


class Export(NamedTuple):
    """An export to read: its format, how it is made, what a reader must find."""

    source: str
    make: Callable[[Path], Path]
    records: dict[type, int]
    reasons: dict[str, int]


NEUTRAL_RECORDS = {User: 2, Group: 1, Member: 1, DirectRead: 1, Message: 6}
NEUTRAL_REASONS = {"missing_field": 1, "avchatroom_group": 1, "bad_instant": 1, "self_chat": 1}
SLACK_RECORDS = {User: 3, Group: 1, Member: 2, Message: 5}
SLACK_REASONS = {"missing_field": 1, "bad_instant": 1, "not_an_object": 1, "self_chat": 1}

EXPORTS = {
    **{
        f"neutral{suffix}": Export("neutral", _neutral(suffix), NEUTRAL_RECORDS, NEUTRAL_REASONS)
        for suffix in (
            ".jsonl",
            ".jsonl.gz",
            ".jsonl.zst",
            ".csv",
            ".csv.gz",
            ".csv.zst",
            ".parquet",
        )
    },
    "neutral-folders": Export("neutral", _neutral_folders, NEUTRAL_RECORDS, NEUTRAL_REASONS),
    "slack": Export("slack", _slack, SLACK_RECORDS, SLACK_REASONS),
}
PACKAGINGS: dict[str, Callable[[Path, Path], Path]] = {
    "folder": lambda folder, _: folder,
    "zip": lambda folder, at: zipped(folder, at / "export.zip"),
    "wrapped-zip": lambda folder, at: zipped(folder, at / "export.zip", wrapper="my export/"),
    "tar": lambda folder, at: tarred(folder, at / "export.tar"),
    "tar.gz": lambda folder, at: tarred(folder, at / "export.tar.gz"),
    "wrapped-tgz": lambda folder, at: tarred(folder, at / "export.tgz", wrapper="./backup/chat/"),
}

pytestmark = [
    pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS),
    pytest.mark.parametrize("packaging", PACKAGINGS.values(), ids=PACKAGINGS),
]


@pytest.fixture
def tree(export: Export, packaging: Callable[[Path, Path], Path], tmp_path: Path) -> ExportTree:
    """Return the export, opened."""
    path = packaging(export.make(tmp_path), tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return opened(open_source(export.source), path, scratch)


def test_every_row_is_a_record_or_a_problem(export: Export, tree: ExportTree) -> None:
    items = read_items(open_source(export.source), tree)
    assert Counter(type(item) for item in items if isinstance(item, Record)) == export.records
    assert Counter(item.reason for item in items if isinstance(item, Problem)) == export.reasons


def test_rows_are_the_same_however_they_are_wrapped(
    export: Export, tree: ExportTree, tmp_path: Path
) -> None:
    source = open_source(export.source)
    plain = opened(source, tmp_path / "plain", tmp_path)
    assert read_items(source, tree) == read_items(source, plain)


def test_rows_are_the_same_in_every_format(
    export: Export, tree: ExportTree, tmp_path: Path
) -> None:
    source = open_source(export.source)
    make = _neutral(".jsonl") if export.source == "neutral" else export.make
    usual = read_items(source, opened(source, make(tmp_path / "usual"), tmp_path))
    assert _without_origins(read_items(source, tree)) == _without_origins(usual)


def test_origins_point_to_the_row(export: Export, tree: ExportTree) -> None:
    for item in read_items(open_source(export.source), tree):
        if isinstance(item, User | Group | Message) and not getattr(item, "derived", False):
            assert item.id in _row_at(tree, item.origin)


def test_problems_have_an_origin_and_say_what_is_wrong(export: Export, tree: ExportTree) -> None:
    files = {file.path for file in tree.files()}
    for item in read_items(open_source(export.source), tree):
        if isinstance(item, Problem):
            assert item.origin.file in files
            assert item.origin.line >= 1
            assert item.detail.endswith(".")
            assert "text of" not in item.detail + item.advice


def test_pieces_can_be_read_in_any_order(export: Export, tree: ExportTree) -> None:
    pieces = open_source(export.source).pieces(tree)
    forwards = read_items(open_source(export.source), tree, pieces)
    backwards = [
        item for piece in reversed(pieces) for item in open_source(export.source).read(tree, piece)
    ]
    assert Counter(map(repr, forwards)) == Counter(map(repr, backwards))


def test_another_process_reads_the_same(export: Export, tree: ExportTree) -> None:
    source = open_source(export.source)
    sent = msgspec.json.decode(msgspec.json.encode(tree), type=ExportTree)
    assert sent.fingerprint() == tree.fingerprint()
    assert read_items(source, sent) == read_items(source, tree)


def test_reading_twice_gives_the_same(export: Export, tree: ExportTree) -> None:
    source = open_source(export.source)
    assert source.pieces(tree) == source.pieces(tree)
    assert read_items(source, tree) == read_items(source, tree)


def test_another_format_is_refused(
    export: Export, packaging: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"\xff\xd8")
    source, scratch = open_source(export.source), tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(UnreadableExportError, match=r"holds `holiday.jpg`"):
        source.pieces(opened(source, packaging(folder, tmp_path), scratch))


def test_every_reader_is_held_to_this_contract(export: Export, packaging: object) -> None:
    assert {known.source for known in EXPORTS.values()} == set(SOURCES)


def _without_origins(items: list[Item]) -> Counter[str]:
    nowhere = Origin("", 0)
    return Counter(
        repr(
            msgspec.structs.replace(item, file="", line=0)
            if isinstance(item, UnknownField)
            else msgspec.structs.replace(item, origin=nowhere)
        )
        for item in items
        if isinstance(item, Record | Problem | UnknownField)
    )


def _row_at(tree: ExportTree, origin: Origin) -> str:
    """Return the text of the row that an origin names, by the plainest means there is."""
    name = without_codec(origin.file)
    if name.endswith(".parquet"):
        import pyarrow.parquet as pq

        with tree.open_seekable(origin.file) as stream:
            return str(pq.read_table(stream).slice(origin.line - 1, 1).to_pylist())
    with tree.open_table(origin.file) as stream:
        content = stream.read()
    if name.endswith(".json"):
        return json.dumps(json.loads(content)[origin.line - 1])
    return io.StringIO(content.decode(), newline="\n").readlines()[origin.line - 1]
