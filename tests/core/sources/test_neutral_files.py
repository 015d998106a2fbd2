"""Files of the neutral export: lines, cells and row groups, read as a stream and numbered right."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders_exports import as_csv, as_parquet, lines, message, opened, read_items

from chat_migration.errors import UnreadableExportError
from chat_migration.model import Message, Problem, Record
from chat_migration.sources.base import BadRow, Item, LinesRead
from chat_migration.sources.neutral import NeutralSource
from chat_migration.sources.neutral.csv_rows import csv_rows
from chat_migration.sources.neutral.json_lines import JsonLines
from chat_migration.sources.neutral.messages import MESSAGES
from chat_migration.sources.packaging.limits import Limits

MEBIBYTE = 1 << 20


def buffered(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content))


def json_rows(content: bytes, **bounds: int) -> list[tuple[int, Any]]:
    return list(JsonLines(buffered(content), **{"max_row": MEBIBYTE, **bounds}))


def reasons(rows: list[tuple[int, Any]]) -> list[tuple[int, str]]:
    return [(line, row.reason) for line, row in rows if isinstance(row, BadRow)]


class Endless(io.RawIOBase):
    """A file that is made while it is read: a good line, a line of ``size`` bytes, a good line."""

    def __init__(self, size: int) -> None:
        self._left = [b'{"id":"first"}\n', size, b'\n{"id":"last"}\n']
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            return 0
        part = self._left[0]
        if isinstance(part, int):
            given = b"x" * min(len(buffer), part)
            rest: bytes | int = part - len(given)
        else:
            given, rest = part[: len(buffer)], part[len(buffer) :]
        self._left = ([rest] if rest else []) + self._left[1:]
        buffer[: len(given)] = given
        self.read_bytes += len(given)
        return len(given)


# --- JSON lines ---------------------------------------------------------------------------------


def test_lines_are_numbered_with_blank_ones_counted() -> None:
    assert json_rows(b'{"a":1}\n\n \t\n{"a":2}\r\n{"a":3}') == [
        (1, {"a": 1}),
        (4, {"a": 2}),
        (5, {"a": 3}),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert json_rows(b'\xef\xbb\xbf{"a":1}\n') == [(1, {"a": 1})]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_named(encoding: str) -> None:
    content = ("" if encoding == "utf-16" else "\ufeff").encode(encoding) + '{"a":1}'.encode(
        encoding
    )
    with pytest.raises(UnreadableExportError, match="written in UTF-16"):
        json_rows(content)


def test_a_line_of_100_megabytes_is_skipped_without_being_held() -> None:
    endless = Endless(100 * MEBIBYTE)
    tracemalloc.start()
    rows = list(JsonLines(io.BufferedReader(endless, MEBIBYTE), max_row=4 * MEBIBYTE))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [line for line, _ in rows] == [1, 2, 3]
    assert rows[2][1] == {"id": "last"}
    assert rows[1][1].reason == "line_too_long"
    assert "104,857,6" in rows[1][1].detail
    assert peak < 16 * MEBIBYTE


def test_a_line_of_just_the_longest_length_is_read() -> None:
    line = b'{"a":"' + b"x" * 50 + b'"}'
    assert reasons(json_rows(line, max_row=len(line))) == []
    assert reasons(json_rows(line + b"\n", max_row=len(line))) == []
    assert reasons(json_rows(line, max_row=len(line) - 1)) == [(1, "line_too_long")]


def test_reading_starts_before_the_file_has_been_read() -> None:
    endless = Endless(100 * MEBIBYTE)
    first = next(iter(JsonLines(io.BufferedReader(endless, 4096), max_row=MEBIBYTE)))
    assert first == (1, {"id": "first"})
    assert endless.read_bytes <= 4096


@given(
    st.lists(
        st.sampled_from([b"", b"{}", b'{"a":1}', b"[", b"\xff", b'{"a":"' + b"x" * 40 + b'"}']),
        max_size=12,
    ),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.lists(st.integers(1, 300), max_size=4),
)
def test_parts_of_a_file_give_what_the_whole_file_gives(
    parts: list[bytes], ending: bytes, ends: bool, cuts: list[int]
) -> None:
    content = ending.join(parts) + (ending if ends else b"")
    bounds = sorted({0, len(content) or 1, *(cut for cut in cuts if cut < len(content))})
    found, base = [], 0
    for start, end in itertools.pairwise(bounds):
        part = JsonLines(buffered(content), start=start, end=end, max_row=30)
        found += [(base + line, repr(row)) for line, row in part]
        base += part.lines
    assert found == [(line, repr(row)) for line, row in json_rows(content, max_row=30)]


def test_a_split_file_has_the_lines_of_the_whole_one(tmp_path: Path) -> None:
    rows = [message(f"m{number}") for number in range(50)]
    (tmp_path / "messages.jsonl").write_bytes(lines(rows))
    source = NeutralSource(piece_bytes=700)
    tree = opened(source, tmp_path, tmp_path)
    pieces = source.pieces(tree)
    assert len(pieces) > 5
    assert [item.origin.line for item in read_items(source, tree) if isinstance(item, Record)] == [
        *range(1, 51)
    ]
    ends = [
        item for piece in pieces for item in source.read(tree, piece) if isinstance(item, LinesRead)
    ]
    assert sum(end.count for end in ends) == 50


# --- CSV ----------------------------------------------------------------------------------------


def csv_of(content: bytes, max_row: int = MEBIBYTE) -> list[tuple[int, Any]]:
    return list(csv_rows(buffered(content), MESSAGES, "messages.csv", max_row))


HEADER = b"id,group_id,sender_id,sent_at,text\r\n"


def test_a_row_of_several_lines_is_numbered_by_its_first() -> None:
    content = (
        HEADER + b'm1,g,a,1714555800000,"one\r\ntwo ""quoted"""\r\n\r\nm2,g,a,1714555800000,x\r\n'
    )
    assert csv_of(content) == [
        (2, {"id": "m1", "group_id": "g", "sender_id": "a", "sent_at": 1714555800000, "text": 'one\r\ntwo "quoted"'}),
        (5, {"id": "m2", "group_id": "g", "sender_id": "a", "sent_at": 1714555800000, "text": "x"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"m1,g,a", "ragged_row"),
        (b"m1,g,a,1,x,more", "ragged_row"),
        (b'm1,g,a,1,"open', "bad_csv"),
        (b'm1,g,a,1,"a"b', "bad_csv"),
        (b"m1,g,a,1,caf\xe9", "bad_encoding"),
    ],
)
def test_a_bad_row_of_csv_is_a_problem(row: bytes, reason: str) -> None:
    assert reasons(csv_of(HEADER + row + b"\n")) == [(2, reason)]


def test_rows_after_a_bad_one_are_read() -> None:
    rows = csv_of(HEADER + b"m1\nm2,g,a,1,x\n")
    assert [line for line, _ in rows] == [2, 3]
    assert rows[1][1]["id"] == "m2"


@pytest.mark.parametrize("quote", [b"", b'"'], ids=["plain", "quoted"])
def test_a_long_line_of_csv_is_skipped(quote: bytes) -> None:
    content = HEADER + b"m1,g,a,1," + quote + b"x" * 5000 + quote + b"\nm2,g,a,1,y\n"
    rows = csv_of(content, max_row=1000)
    assert reasons(rows) == [(2, "line_too_long")]
    assert [line for line, _ in rows] == [2, 3]


def test_a_long_cell_of_many_lines_is_a_problem() -> None:
    rows = csv_of(HEADER + b'm1,g,a,1,"' + b"x\n" * 600 + b'"\nm2,g,a,1,y\n', max_row=1000)
    assert rows[0][0] == 2
    assert isinstance(rows[0][1], BadRow)
    assert rows[-1][1]["id"] == "m2"


def test_cells_become_what_their_column_holds() -> None:
    content = (
        b'id,sender_id,sent_at,recipient_id,extra,elements,loud\nm1,a,x,b,"{""k"":1}",[],true\n'
    )
    ((_, row),) = csv_of(content)
    assert row == {
        "id": "m1", "sender_id": "a", "sent_at": "x", "recipient_id": "b", "extra": {"k": 1},
        "elements": [], "loud": "true",
    }  # fmt: skip


def test_a_nested_cell_that_is_no_json_is_a_problem() -> None:
    content = b"id,sender_id,sent_at,recipient_id,extra\nm1,a,1,b,k=1\n"
    assert reasons(csv_of(content)) == [(2, "bad_json")]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "it holds nothing"),
        (b"id,text\n", "lacks `sender_id`, `sent_at`, `group_id or recipient_id`; it holds `'id'`"),
        (b"id;sender_id;sent_at\n", "lacks `id`"),
        (HEADER.replace(b"text", b"id"), "names `id` twice"),
        (HEADER.replace(b"text", b"caf\xe9"), "is no UTF-8 text"),
        (HEADER.decode().encode("utf-16"), "lacks"),
    ],
)
def test_a_header_that_is_not_the_tables_is_refused(content: bytes, match: str) -> None:
    with pytest.raises(UnreadableExportError, match=match):
        csv_of(content)


def test_a_byte_order_mark_and_windows_endings_are_fine() -> None:
    rows = csv_of(b"\xef\xbb\xbf" + HEADER + b"m1,g,a,1714555800000,x\r\n")
    assert rows[0][1]["id"] == "m1"


# --- Parquet ------------------------------------------------------------------------------------


def read_parquet(tmp_path: Path, table: pa.Table, **settings: Any) -> list[Item]:
    pq.write_table(table, tmp_path / "messages.parquet", **settings)
    source = NeutralSource(piece_bytes=100)
    return read_items(source, opened(source, tmp_path, tmp_path))


def test_row_groups_are_read_apart_and_numbered_together(tmp_path: Path) -> None:
    table = as_parquet([message(f"m{number}") for number in range(30)])
    found = read_parquet(tmp_path, table, row_group_size=4)
    assert [item.origin.line for item in found if isinstance(item, Message)] == [*range(1, 31)]


def test_native_types_of_parquet_are_taken(tmp_path: Path) -> None:
    at = datetime(2024, 5, 1, 9, 30, 0, 250_999, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array(["m1"]).dictionary_encode(),
            "group_id": pa.array(["g1"], pa.large_string()),
            "sender_id": ["ada"],
            "sent_at": pa.array([at], pa.timestamp("ns", "Asia/Shanghai")),
            "elements": [[{"type": "text", "text": "hi", "url": None}]],
            "extra": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())),
        }
    )
    (found,) = read_parquet(tmp_path, table)
    assert isinstance(found, Message)
    assert found.sent_at_ms == 1_714_555_800_250
    assert found.elements[0].text == "hi"  # type: ignore[union-attr]
    assert found.extra == '{"k":"v"}'


def test_timestamps_without_a_zone_are_problems(tmp_path: Path) -> None:
    table = as_parquet([message()]).set_column(
        3,
        "sent_at",
        pa.array([datetime(2024, 5, 1)], pa.timestamp("ns")),  # noqa: DTZ001
    )
    (found,) = read_parquet(tmp_path, table)
    assert isinstance(found, Problem)
    assert "without a time zone" in found.detail


def test_a_text_that_is_no_utf_8_costs_its_row_only(tmp_path: Path) -> None:
    table = as_parquet([message("m1"), message("m2"), message("m3")])
    texts = pa.array([b"ok", b"\xff", b"ok"], pa.binary()).view(pa.string())
    found = read_parquet(tmp_path, table.set_column(4, "text", texts))
    assert [type(item) for item in found] == [Message, Problem, Message]
    assert [item.reason for item in found if isinstance(item, Problem)] == ["bad_encoding"]


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_broken_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "messages.parquet").write_bytes(content)
    source = NeutralSource()
    with pytest.raises(UnreadableExportError, match=r"`messages.parquet` is damaged"):
        read_items(source, opened(source, tmp_path, tmp_path))


# --- bounds -------------------------------------------------------------------------------------


def test_the_longest_row_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "messages.jsonl").write_bytes(
        lines([message("m1", text="x" * 2000), message("m2")])
    )
    source = NeutralSource()
    items = read_items(source, opened(source, tmp_path, tmp_path, Limits(max_row=1000)))
    assert [type(item) for item in items] == [Problem, Message]


def test_a_csv_export_gives_the_rows_that_were_written(tmp_path: Path) -> None:
    (tmp_path / "messages.csv").write_bytes(
        as_csv([message("m1", extra={"a": [1]}), message("m2", kind="system")])
    )
    source = NeutralSource()
    first, second = read_items(source, opened(source, tmp_path, tmp_path))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.extra, second.kind) == ('{"a":[1]}', "system")
