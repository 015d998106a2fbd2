"""Keeping the rows that were too new to be sent: a small extract on the stage, one for each run that deferred any.

It holds the messages and what they need of the other tables, and is never changed: a row that is deferred again
stays where it is, and the extract goes when the last of its rows has ended. Which rows wait is in the ledger alone.

Names on the stage: ``deferred/<source_name>/<run>-<content>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import quote

import msgspec
import pyarrow as pa

from chat_migration.home import short_hash, slug
from chat_migration.store.extract import Extract, Manifest
from chat_migration.store.parquet import write_by_date, write_table
from chat_migration.store.schemas import BY_TABLE
from chat_migration.store.stage import MANIFEST, Stage

Batches = Callable[[str], Iterable[pa.RecordBatch]]
"""Takes a table's name and yields the rows to keep, in the staged order and with the staged columns."""


def folder_of(source_name: str) -> str:
    """Return where on the stage the rows of a source wait.

    >>> folder_of("old chat/1.0")
    'deferred/old chat%2F1%2E0'
    """
    return f"deferred/{quote(source_name, safe=' @+').replace('.', '%2E')}"


def name_of(run_id: str, source_name: str, message_keys: Iterable[str]) -> str:
    """Return the name under which a run keeps some rows: the same rows always get the same name."""
    content = short_hash("".join(sorted(message_keys)))
    return f"{_begin(run_id, source_name)}{content}"


def keep(stage: Stage, name: str, like: Manifest, batches: Batches) -> None:
    """Write an extract of rows that wait, whose manifest is ``like`` that of the extract they come from.

    One that is there under this name is replaced by the same.
    """
    with stage.making(name) as folder:
        for table, schema in BY_TABLE.items():
            write = write_by_date if table == "messages" else write_table
            write(folder / table, schema, batches(table))
        manifest = msgspec.structs.replace(
            like,
            extract_id=name.rpartition("/")[2],
            rows_read={},
            ended=[],
            outside_window=0,
            unknown_fields=[],
        )
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def kept(stage: Stage, name: str) -> Extract | None:
    """Return the extract of rows that wait, fetched, or None if it is not there any more."""
    found = stage.find(name)
    if found is None:
        return None
    found.fetch()
    return Extract.open(found.folder)


def drop_unused(
    stage: Stage, run_id: str, source_name: str, before: set[str], used: set[str]
) -> None:
    """Remove the extracts of which no row waits any more: of those used before this run, and of its own tries.

    Another run's extract that nothing uses yet stays: that run may just be about to list its rows.
    """
    ours = {
        name
        for name in stage.names(folder_of(source_name))
        if name.startswith(_begin(run_id, source_name))
    }
    for name in sorted((before | ours) - used):
        stage.remove(name)


def _begin(run_id: str, source_name: str) -> str:
    return f"{folder_of(source_name)}/{slug(run_id)}-"
