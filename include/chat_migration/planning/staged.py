"""Staged extracts as DuckDB views, for planning. Sorting and joins spill to disk beyond the memory limit."""

# ruff: noqa: S608 - what is put into SQL here are names of this package, never the export's

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from chat_migration.planning.held import KeptRow
from chat_migration.store.extract import Extract
from chat_migration.store.schemas import BY_TABLE

_BATCH = 4000
_CHANGED = "coalesce(greatest(edited_at_ms, deleted_at_ms), -1)"
"""When a message's copy was last changed in the legacy chat: of two copies the later changed one is right."""


class CarriedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that earlier runs deferred: their keys, the extracts that keep them, and which groups they need.

    ``groups`` are legacy ids of groups that are not in the target yet, or lack a topic; ``groups_to_fill`` those of
    them that are not there, which need their members as well. ``held`` are rows of groups and members themselves;
    of a held member only the row counts, not the read state: that was noted when it was read. ``lost`` counts held
    rows whose extract is gone.
    """

    keys: list[str]
    extracts: list[Extract]
    groups: list[str]
    groups_to_fill: list[str]
    held: list[KeptRow] = []
    lost: int = 0


class Staged:
    """The tables of a run as views, by their names: its own extracts, and the rows that earlier runs deferred.

    Each record is there once. Of a message that both hold, the later changed copy counts, else the run's own; of
    any other record the run's own. The view ``messages`` has two columns more: ``is_carried``, whether the
    message was deferred by an earlier run, and ``is_own``, whether this copy is from the run's own extracts. An
    empty table is an empty view.
    """

    def __init__(
        self,
        extracts: Sequence[Extract],
        carried: CarriedRows | None = None,
        *,
        temp: Path,
        memory_limit: str = "512MB",
    ) -> None:
        temp.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(temp),
                "threads": 2,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        self._carries = carried is not None and bool(carried.keys or carried.held)
        for table in BY_TABLE:
            self._open("own", table, extracts)
        if carried is not None and self._carries:
            self._add_carried(carried)
        for table in BY_TABLE:
            more = ", false AS is_carried, true AS is_own" if table == "messages" else ""
            self._execute(f"CREATE VIEW IF NOT EXISTS {table} AS SELECT *{more} FROM own_{table}")

    def add(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table queryable under a name."""
        self._connection.register(name, table)

    def add_ids(self, name: str, ids: Iterable[str]) -> None:
        """Make texts queryable as the only column of a table."""
        self.add(name, pa.table({"id": pa.array(sorted(ids), pa.string())}))

    def has_table(self, table: str) -> bool:
        """Tell whether extracts have a table."""
        return table in BY_TABLE

    def has_column(self, table: str, column: str) -> bool:
        """Tell whether a table of the extracts has a column."""
        return table in BY_TABLE and column in BY_TABLE[table].names

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; only a few thousand are in memory at a time."""
        for batch in self.batches(sql, parameters):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def batches(self, sql: str, parameters: Sequence[Any] = ()) -> pa.RecordBatchReader:
        """Return the rows of a query as Arrow batches of a few thousand."""
        return self._connection.sql(sql, params=list(parameters)).to_arrow_reader(_BATCH)

    def carried_rows(self) -> dict[str, int]:
        """Return record type → rows that the run's own extracts lack: they are rows read of this run as well."""
        if not self._carries:
            return {}
        counts = dict(self.rows(_CARRIED_ROWS))
        return {str(kind): int(rows) for kind, rows in counts.items() if rows}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def _open(
        self, whose: str, table: str, extracts: Sequence[Extract], *, with_files: bool = False
    ) -> None:
        """Make the view of one table of some extracts; columns that older extracts lack are NULL.

        ``with_files`` adds the column ``filename``, the path of the file that each row is read from.
        """
        name = f"{whose}_{table}"
        nothing = BY_TABLE[table].empty_table()
        if with_files:
            nothing = nothing.append_column("filename", pa.array([], pa.string()))
        self.add(f"no_{name}", nothing)
        files = [str(file) for extract in extracts for file in extract.files(table)]
        more = ""
        if files:
            relation = self._connection.read_parquet(
                files, hive_partitioning=False, union_by_name=True, filename=with_files
            )
            relation.create_view(f"files_{name}")
            more = f" UNION ALL BY NAME FROM files_{name}"
        self._execute(f"CREATE VIEW {name} AS FROM no_{name}{more}")

    def _add_carried(self, carried: CarriedRows) -> None:
        """Put the rows that were deferred beside the run's own."""
        for name, values in (
            ("carried_keys", carried.keys),
            ("carried_ids", carried.groups),
            ("ids_to_fill", carried.groups_to_fill),
        ):
            self.add_ids(name, values)
        columns = {
            "group_id": [each.row.group_id for each in carried.held],
            "user_id": [each.row.user_id for each in carried.held],
            "folder": [f"{each.folder}/" for each in carried.held],
        }
        self.add(
            "held", pa.table({name: pa.array(of, pa.string()) for name, of in columns.items()})
        )
        for table in BY_TABLE:
            self._open("kept", table, carried.extracts, with_files=table in ("groups", "members"))
        for statement in _WITH_CARRIED:
            self._execute(statement)


def _newest(table: str, key: str, order: str, where: str) -> str:
    """Return the statement that makes a small table of the rows deferred, each once."""
    return (
        f"CREATE TABLE carried_{table} AS SELECT * FROM kept_{table} WHERE {where} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1"
    )


def _held_first(table: str, columns: str, key: str, user: str, where: str) -> str:
    """Return the statement that makes a small table of rows held back, each from where it is kept, and of others."""
    return (
        f"CREATE TABLE carried_{table} AS SELECT kept.* EXCLUDE (filename) {columns} FROM kept_{table} AS kept "
        f"LEFT JOIN held ON (held.group_id, held.user_id) = ({key}, {user}) AND starts_with(filename, folder) "
        f"WHERE folder IS NOT NULL OR {where} "
        f"QUALIFY row_number() OVER (PARTITION BY {key}, {user} ORDER BY folder IS NULL, file DESC, line DESC) = 1"
    )


def _beside(table: str, key: str) -> str:
    """Return the statement that makes the view of a table of which the run's own rows go before."""
    return (
        f"CREATE VIEW {table} AS SELECT * FROM own_{table} UNION ALL BY NAME "
        f"(FROM carried_{table} ANTI JOIN own_{table} USING ({key}))"
    )


_IN_CARRIED = "IN (FROM carried_ids)"
_READ_STATE = """REPLACE (
    has_read_state AND kept.group_id IN (FROM ids_to_fill) AS has_read_state,
    CASE WHEN kept.group_id IN (FROM ids_to_fill) THEN unread_count END AS unread_count)"""
"""Of members who are held, the read state stays out where their group was there to note it."""
_TO_FILL = (
    "kept.group_id IN (FROM ids_to_fill) AND kept.group_id NOT IN (SELECT group_id FROM held)"
)
"""Which members come along that are not listed: those of groups none of whose rows are, as earlier versions left it.
Where rows are listed, who is not has been told otherwise since."""
_WITH_CARRIED = (
    _newest("messages", "message_key", f"{_CHANGED} DESC, file DESC, line DESC",
            "message_key IN (FROM carried_keys)"),
    f"""CREATE TABLE both_ways AS
        SELECT message_key, own.changed >= {_CHANGED} AS is_own FROM carried_messages
        JOIN (SELECT message_key, {_CHANGED} AS changed FROM own_messages) AS own USING (message_key)""",
    """CREATE VIEW messages AS
        SELECT *, message_key IN (FROM carried_keys) AS is_carried, true AS is_own
        FROM own_messages ANTI JOIN (FROM both_ways WHERE NOT is_own) USING (message_key)
        UNION ALL BY NAME
        SELECT *, true AS is_carried, false AS is_own
        FROM carried_messages ANTI JOIN (FROM both_ways WHERE is_own) USING (message_key)""",
    _held_first("groups", "", "kept.id", "''", f"kept.id {_IN_CARRIED}"),
    _beside("groups", "id"),
    _held_first("members", _READ_STATE, "kept.group_id", "kept.user_id", _TO_FILL),
    _beside("members", "group_id, user_id"),
    _newest("users", "id", "file DESC, line DESC", """id IN (
        SELECT sender_id FROM carried_messages UNION SELECT recipient_id FROM carried_messages
        UNION SELECT owner_id FROM carried_groups UNION SELECT user_id FROM carried_members)"""),
    _beside("users", "id"),
    _newest("direct_reads", "user_id, peer_id", "last_read_at_ms DESC", """(user_id, peer_id) IN (
        SELECT (recipient_id, sender_id) FROM carried_messages WHERE recipient_id <> '')"""),
    _beside("direct_reads", "user_id, peer_id"),
    f"""CREATE VIEW group_times AS
        SELECT group_id, min(first_message_ms) AS first_message_ms, min(first_join_ms) AS first_join_ms
        FROM (FROM own_group_times UNION ALL BY NAME FROM kept_group_times WHERE group_id {_IN_CARRIED})
        GROUP BY group_id""",
)  # fmt: skip
"""The statements that make the views where rows are carried."""

_CARRIED_ROWS = """
    SELECT 'accounts', count(*) FROM carried_users ANTI JOIN own_users USING (id)
    UNION ALL SELECT 'groups', count(*) FROM carried_groups ANTI JOIN own_groups USING (id)
    UNION ALL SELECT 'members', count(*) FROM carried_members ANTI JOIN own_members USING (group_id, user_id)
    UNION ALL SELECT if(recipient_id = '', 'group_messages', 'c2c_messages'), count(*)
        FROM carried_messages ANTI JOIN own_messages USING (message_key) GROUP BY ALL
    UNION ALL SELECT 'unread', (
        SELECT count(*) FROM carried_members ANTI JOIN own_members USING (group_id, user_id) WHERE has_read_state
    ) + (SELECT count(*) FROM carried_direct_reads ANTI JOIN own_direct_reads USING (user_id, peer_id))
"""
