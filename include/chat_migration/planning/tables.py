"""The plan on disk: its tables' schemas, and how stages read them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from chat_migration.errors import UsageError

PLAN_VERSION = 2
ROW_GROUP = 2000
"""Planned messages in one Parquet row group: what a stream holds in memory at a time."""
_CACHED_GROUPS = 96


class PlannedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account to be there; ``file`` "" marks a placeholder for an id without a user row."""

    account_id: str
    legacy_id: str
    name: str
    avatar_url: str
    written_hash: str
    file: str
    line: int


class PlannedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group or topic to be there; ``outcome`` "" means it can be created, else it ends so without a call.

    ``max_members`` is what to create it with, ``stated_members`` what its row says, or None. ``members`` are the
    accounts to create it with, besides the owner. ``detail`` of one that can be created tells how it got its owner,
    where the export does not say.
    """

    conversation: str
    legacy_id: str
    group_id: str
    topic_id: str
    type: str
    name: str
    owner_id: str
    introduction: str
    notification: str
    avatar_url: str
    max_members: int | None
    stated_members: int | None
    join: str | None
    created_s: int
    with_topics: bool
    written_hash: str
    outcome: str
    reason: str
    detail: str
    file: str
    line: int
    members: list[str] = []
    advice: str = ""


class PlannedMember(msgspec.Struct, frozen=True, kw_only=True):
    """A membership to be there, by group."""

    group_id: str
    account_id: str
    conversation: str
    legacy_id: str
    role: str
    joined_s: int
    has_read_state: bool
    first_unread_ms: int | None
    first_unread_order: str
    outcome: str
    reason: str
    file: str
    line: int


class PlannedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be sent in ``bodies`` parts, or to end as ``outcome`` without a call.

    ``rank`` is its place among the conversation's rows of its second, from 0. ``recipient`` and
    ``as_unread`` belong to one-to-one messages.
    """

    conversation: str
    message_key: str
    legacy_id: str
    sender: str
    recipient: str
    sent_at_ms: int
    order_key: str
    source_hash: str
    rank: int
    as_unread: bool
    bodies: list[str]
    metadata: str
    outcome: str
    reason: str
    detail: str
    advice: str
    file: str
    line: int


class PlannedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a conversation's rows lie in its shard's file, longest conversation first."""

    conversation: str
    kind: str
    shard: int
    first_row: int
    rows: int
    group_id: str
    topic_id: str


Row = TypeVar("Row", bound=msgspec.Struct)

_ARROW = {
    "str": pa.string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "int | None": pa.int64(),
    "str | None": pa.string(),
    "list[str]": pa.list_(pa.string()),
}


def schema_of(kind: type[msgspec.Struct]) -> pa.Schema:
    """Return the Arrow schema of a planned record: its fields in order."""
    return pa.schema(
        [
            pa.field(
                name,
                _ARROW[str(kind.__annotations__[name])],
                nullable="None" in str(kind.__annotations__[name]),
            )
            for name in kind.__struct_fields__
        ],
        metadata={"plan_version": str(PLAN_VERSION)},
    )


class TableWriter:
    """Writes planned records to one Parquet file in the order given."""

    def __init__(self, path: Path, kind: type[msgspec.Struct]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fields, self._schema = kind.__struct_fields__, schema_of(kind)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[msgspec.Struct] = []
        self.count = 0

    def add(self, row: msgspec.Struct) -> None:
        """Add one row."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = {name: [getattr(row, name) for row in self._rows] for name in self._fields}
            self._writer.write_table(
                pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP
            )
            self._rows.clear()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._flush()
        self._writer.close()


class Plan:
    """The plan of one run, as ``planning.build`` wrote it.

    Args:
        folder: where its files are.
        fetch: called with the name of a file before it is read, where they lie elsewhere at first.
    """

    def __init__(self, folder: Path, fetch: Callable[[str], None] | None = None) -> None:
        self.folder, self._fetch = folder, fetch

    def exists(self) -> bool:
        """Tell whether the plan is complete: its quote is written last."""
        return self.quote_path.exists()

    def require(self) -> Plan:
        """Return the plan.

        Raises:
            UsageError: there is none.
        """
        if not self.exists():
            raise UsageError(
                f"`{self.folder}` holds no plan.",
                advice="Run the stages `extract` and `plan` first.",
            )
        return self

    @property
    def quote_path(self) -> Path:
        """Return where the quote lies."""
        return self._file("quote.json")

    def messages_path(self, kind: str, shard: int) -> Path:
        """Return the file of one shard's messages; ``kind``: direct or group."""
        return self._file(f"{kind}-{shard:02d}.parquet")

    def table(self, name: str) -> Path:
        """Return the file of a small table: accounts, groups, members, conversations."""
        return self._file(f"{name}.parquet")

    def _file(self, name: str) -> Path:
        if self._fetch is not None:
            self._fetch(name)
        return self.folder / name

    def accounts(self) -> Iterator[PlannedAccount]:
        """Yield the accounts, by id."""
        return _rows(self.table("accounts"), PlannedAccount)

    def groups(self) -> Iterator[PlannedGroup]:
        """Yield the groups, then the topics, by id."""
        return _rows(self.table("groups"), PlannedGroup)

    def members(self) -> Iterator[PlannedMember]:
        """Yield the members, by group and account."""
        return _rows(self.table("members"), PlannedMember)

    def conversations(
        self, kind: str | None = None, shard: int | None = None
    ) -> list[PlannedConversation]:
        """Return the conversations of a shard, in the order in which they are streamed."""
        return [
            each
            for each in _rows(self.table("conversations"), PlannedConversation)
            if (kind is None or (each.kind == "direct") == (kind == "direct"))
            and shard in (None, each.shard)
        ]


def _rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP):
            yield from _records(batch, kind)


def _records(batch: Any, kind: type[Row]) -> list[Row]:
    names = batch.schema.names
    columns = [column.to_pylist() for column in batch.columns]
    return [kind(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


class MessageReader:
    """Reads the messages of one shard, a conversation at a time, from many threads; memory is bounded.

    Small conversations share row groups, so the last ones decoded are kept.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, list[PlannedMessage]] = OrderedDict()

    def rows(self, conversation: PlannedConversation) -> Iterator[PlannedMessage]:
        """Yield the rows of a conversation, oldest first."""
        place, end = conversation.first_row, conversation.first_row + conversation.rows
        while place < end:
            number, offset = divmod(place, ROW_GROUP)
            taken = self._group(number)[offset : offset + end - place]
            place += len(taken)
            yield from taken

    def row(self, conversation: PlannedConversation, number: int) -> PlannedMessage:
        """Return one row of a conversation by its number, the oldest being 0."""
        group, offset = divmod(conversation.first_row + number, ROW_GROUP)
        return self._group(group)[offset]

    def _group(self, number: int) -> list[PlannedMessage]:
        with self._lock:
            if number in self._groups:
                self._groups.move_to_end(number)
                return self._groups[number]
            table = self._file.read_row_group(number)
            rows = [row for batch in table.to_batches() for row in _records(batch, PlannedMessage)]
            self._groups[number] = rows
            if len(self._groups) > _CACHED_GROUPS:
                self._groups.popitem(last=False)
            return rows

    def close(self) -> None:
        """Close the file."""
        self._file.close()
