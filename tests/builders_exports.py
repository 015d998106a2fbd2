"""Exports for tests: rows with quiet defaults, written in any format, wrapped in any packaging."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from chat_migration.extraction import extract
from chat_migration.model import Problem, Record
from chat_migration.sources.base import Item, LinesRead, Piece, Source
from chat_migration.sources.packaging.limits import Limits
from chat_migration.sources.tree import ExportTree
from chat_migration.store.extract import Extract
from chat_migration.window import Window

ROOT = Path(__file__).resolve().parents[1]
SLACK_SAMPLE = ROOT / "samples" / "slack-houstondatavis"
HARBOUR_SAMPLE = ROOT / "samples" / "neutral-harbour"
HOSTILE = ROOT / "tests" / "exports" / "hostile"

Row = dict[str, Any]


# --- rows ---------------------------------------------------------------------------------------


def message(message_id: str = "m1", **fields: Any) -> Row:
    """Return a message row in group ``g1`` from ``ada``; None takes a field out."""
    row = {
        "id": message_id,
        "group_id": "g1",
        "sender_id": "ada",
        "sent_at": "2024-05-01T09:30:00Z",
        "text": f"text of {message_id}",
        **fields,
    }
    return {name: value for name, value in row.items() if value is not None}


def direct(message_id: str = "m1", **fields: Any) -> Row:
    """Return a one-to-one message row from ``ada`` to ``bob``."""
    return message(message_id, **{"group_id": None, "recipient_id": "bob", **fields})


def minute(number: int) -> str:
    """Return an instant, so many minutes after the default one."""
    return f"2024-05-01T{9 + (30 + number) // 60:02d}:{(30 + number) % 60:02d}:00Z"


# --- writing ------------------------------------------------------------------------------------


def lines(rows: Iterable[Row | str | bytes]) -> bytes:
    """Return rows as JSON lines; text and bytes are taken as they are."""
    return b"".join(
        (
            row
            if isinstance(row, bytes)
            else (row if isinstance(row, str) else json.dumps(row)).encode()
        )
        + b"\n"
        for row in rows
    )


def table_file(folder: Path, table: str, rows: list[Row], suffix: str = ".jsonl") -> Path:
    """Write one table in the format and compression that the suffix names."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}{suffix}"
    if suffix.startswith(".csv"):
        content = as_csv(rows)
    elif suffix == ".parquet":
        pq.write_table(as_parquet(rows), path)
        return path
    else:
        content = lines(rows)
    path.write_bytes(_compressed(content, suffix))
    return path


def neutral(folder: Path, *, suffix: str = ".jsonl", **tables: list[Row]) -> Path:
    """Write a neutral export of these tables and return its folder."""
    for table, rows in {"messages": [], **tables}.items():
        table_file(folder, table, rows, suffix)
    return folder


def as_csv(rows: list[Row]) -> bytes:
    """Return rows as CSV with nested values as JSON text."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_cell(row.get(name)) for name in header] for row in rows)
    return out.getvalue().encode()


def as_parquet(rows: list[Row]) -> pa.Table:
    """Return rows as an Arrow table with nested values as JSON text."""
    return pa.Table.from_pylist(
        [
            {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}
            for row in rows
        ],
        pa.schema(
            [
                (name, _arrow_type(next(row[name] for row in rows if row.get(name) is not None)))
                for name in dict.fromkeys(name for row in rows for name in row)
            ]
        ),
    )


def zipped(folder: Path, target: Path, *, wrapper: str = "") -> Path:
    """Wrap a folder as a zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, wrapper + path.relative_to(folder).as_posix())
    return target


def tarred(folder: Path, target: Path, *, wrapper: str = "") -> Path:
    """Wrap a folder as a tar, compressed if the name says so."""
    with tarfile.open(target, "w:" if target.suffix == ".tar" else "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, wrapper + path.relative_to(folder).as_posix(), recursive=False)
    return target


def slack(folder: Path, days: Mapping[str, list[Any]], **lists: list[Row]) -> Path:
    """Write a Slack export: ``days`` by ``<channel>/<date>``; lists are ``users``, ``channels``, ``dms``…"""
    for name, rows in {"users": [], "channels": [], **lists}.items():
        _json_file(folder / f"{name}.json", rows)
    for day, rows in days.items():
        _json_file(folder / f"{day}.json", rows)
    return folder


def _json_file(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, dict | list | bool):
        return json.dumps(value)
    return "" if value is None else str(value)


def _arrow_type(value: Any) -> pa.DataType:
    match value:
        case bool():
            return pa.bool_()
        case int():
            return pa.int64()
        case _:
            return pa.string()


def _compressed(content: bytes, suffix: str) -> bytes:
    if suffix.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if suffix.endswith(".zst"):
        return zstandard.compress(content)
    return content


# --- reading ------------------------------------------------------------------------------------


def opened(source: Source, path: Path, scratch: Path, limits: Limits = Limits()) -> ExportTree:  # noqa: B008
    """Return an export as extraction opens it."""
    return ExportTree.open(path, scratch=scratch, own_folders=source.own_folders, limits=limits)


def read_items(source: Source, export: ExportTree, pieces: list[Piece] | None = None) -> list[Item]:
    """Return all items of an export, with lines that count from the start of split files."""
    found: list[Item] = []
    before: dict[str, int] = {}
    for piece in source.pieces(export) if pieces is None else pieces:
        base = before.get(piece.paths[0], 0) if piece.end else 0
        for item in source.read(export, piece):
            if isinstance(item, LinesRead):
                before[piece.paths[0]] = base + item.count
            elif isinstance(item, Record | Problem):
                origin = msgspec.structs.replace(item.origin, line=item.origin.line + base)
                found.append(msgspec.structs.replace(item, origin=origin))
            else:
                found.append(item)
    return found


def staged(
    path: Path,
    stage: Path,
    source: Source,
    window: Window = Window(),  # noqa: B008 - frozen
    **settings: Any,
) -> Extract:
    """Extract an export under the source name ``legacy``."""
    return extract(source, path, source_name="legacy", window=window, stage_dir=stage, **settings)


def rows_of(made: Extract, table: str) -> list[Row]:
    """Return the staged rows of a table, file by file."""
    return [row for file in made.files(table) for row in pq.ParquetFile(file).read().to_pylist()]


def file_bytes(made: Extract) -> dict[str, bytes]:
    """Return every file of an extract by its path inside."""
    return {
        path.relative_to(made.path).as_posix(): path.read_bytes()
        for path in sorted(made.path.rglob("*"))
        if path.is_file()
    }
