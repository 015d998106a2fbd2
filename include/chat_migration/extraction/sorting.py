"""Raw chunks to staged tables: dedup, window, order, joins, in DuckDB and within its memory limit."""

# ruff: noqa: S608 - what is put into SQL here are names and numbers of this package, never the export's

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from chat_migration.extraction import raw
from chat_migration.extraction.cut import Cut
from chat_migration.extraction.reading import PieceResult, line_bases
from chat_migration.sources.base import Piece
from chat_migration.store.file_index import DETAILS

BATCH_ROWS = 16_384


class Keys(NamedTuple):
    """What makes two raw rows the same record, what is counted for the others, and which one stays."""

    columns: tuple[str, ...]
    record_type: str
    legacy_id: str
    newest_first: str = ""


SAME = {
    "users": Keys(("id",), "'accounts'", "id", newest_first="derived, "),
    "groups": Keys(("id",), "'groups'", "id"),
    "members": Keys(("group_id", "user_id"), "'members'", "concat(group_id, '/', user_id)"),
    "direct_reads": Keys(("user_id", "peer_id"), "'unread'", "concat(user_id, '/', peer_id)"),
    "messages": Keys(
        ("message_key",),
        "if(recipient_id = '', 'group_messages', 'c2c_messages')",
        "id",
        newest_first="greatest(edited_at_ms, deleted_at_ms) DESC NULLS LAST, ",
    ),
}
"""Of rows with one key the first by this order stays, then the last by file name and line.

Before all that, a message to which something happened since the cut's begin goes before one to which nothing did:
so no row that may stand in a file which is not opened decides about one that is taken.
"""


class Sorter:
    """A DuckDB database over the raw chunks of one extract.

    Tables: ``raw_<table>`` as read, with lines that count from the file's start; ``<table>`` without
    duplicates; ``ended``, the rows that go no further; ``skipped``, by conversation what is known of files that
    were not opened. The messages that are taken are in ``staged``.

    Args:
        names: of the drops, by ``Piece.drop``; a file's name begins with its drop's, if that has one.
    """

    def __init__(
        self,
        folder: Path,
        pieces: Sequence[Piece],
        results: Sequence[PieceResult],
        *,
        names: Sequence[str],
        memory_limit: str,
    ) -> None:
        import duckdb  # noqa: PLC0415 - heavy, and reading processes do without

        spill = folder / "spill"
        spill.mkdir()
        self._sql = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "threads": 2,
                "temp_directory": str(spill),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            }
        )
        prefixes = [f"{names[piece.drop]}/" if names[piece.drop] else "" for piece in pieces]
        self._open_raw(folder / "raw", line_bases(pieces, results), prefixes)

    def skip(self, details: Sequence[Path], numbers: Sequence[int]) -> None:
        """Take in what is known of files that were not opened, by their numbers in the details."""
        self._sql.register("no_details", DETAILS.empty_table())
        self._sql.register("numbers", pa.table({"number": pa.array(numbers, pa.int64())}))
        files = ", ".join(f"'{_quoted(file)}'" for file in details)
        known = f"read_parquet([{files}])" if files and numbers else "no_details"
        self._sql.execute(
            f"""CREATE TABLE skipped AS SELECT conversation, any_value(group_id) AS group_id,
                    sum(rows)::BIGINT AS rows, min(first_ms) AS first_ms, max(last_ms) AS last_ms
                FROM {known} SEMI JOIN numbers USING (number) GROUP BY conversation"""
        )

    def run(self, cut: Cut) -> None:
        """Find duplicates and take what is to be taken."""
        for table in SAME:
            self._find_duplicates(table, cut)
        self._sql.execute(f"CREATE VIEW staged AS SELECT * FROM messages WHERE {cut.taken}")
        kept = "outcome, reason, detail, advice, id, conversation, file, line"
        doubles = " UNION ALL ".join(
            f"SELECT record_type, {kept} FROM ended_{table}" for table in SAME
        )
        self._sql.execute(
            f"""CREATE TABLE ended AS SELECT record_type, {kept} FROM raw_problems
                WHERE sent_at_ms IS NULL OR {cut.sent} UNION ALL {doubles}"""
        )

    def number_files(self, numbered: dict[str, int]) -> None:
        """Make ``read_files``: the numbers of the files that were read, by their names."""
        columns = {
            "file": pa.array(list(numbered), pa.string()),
            "number": pa.array(list(numbered.values()), pa.int64()),
        }
        self._sql.register("read_files", pa.table(columns))

    def execute(self, sql: str) -> None:
        """Run a statement."""
        self._sql.execute(sql)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a small result."""
        return self._sql.execute(sql).fetchall()

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """Return a result piece by piece, never as a whole."""
        return self._sql.sql(sql).to_arrow_reader(BATCH_ROWS)

    def __enter__(self) -> Sorter:
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close()

    def _open_raw(self, folder: Path, bases: list[int], prefixes: list[str]) -> None:
        """Make the views over the chunks: lines count from the file's start, names begin with the drop's."""
        piece = f"(seq >> {raw.PIECE_SHIFT})"
        line = f"line + ({bases}::BIGINT[])[{piece} + 1]" if any(bases) else "line"
        name = "file"
        if any(prefixes):
            numbered = {
                "piece": pa.array(range(len(prefixes)), pa.int64()),
                "prefix": pa.array(prefixes, pa.string()),
            }
            self._sql.register("prefixes", pa.table(numbered))
            name = "concat(prefix, file)"
        for table, schema in raw.BY_TABLE.items():
            where = folder / table
            where.mkdir(exist_ok=True)
            pq.ParquetWriter(where / "empty.parquet", schema).close()
            files = ", ".join(f"'{_quoted(file)}'" for file in sorted(where.iterdir()))
            chunks = f"read_parquet([{files}])"
            if any(prefixes):
                chunks = f"(SELECT *, {piece} AS piece FROM {chunks}) JOIN prefixes USING (piece)"
            columns = ", ".join(f'"{column}"' for column in schema.names)
            self._sql.execute(
                f"""CREATE VIEW raw_{table} AS SELECT {columns} FROM
                    (SELECT * REPLACE ({line} AS line, {name} AS file) FROM {chunks})"""
            )

    def _find_duplicates(self, table: str, cut: Cut) -> None:
        """Make ``ended_<table>`` (rows that another one replaces) and ``<table>`` (all others)."""
        keys = SAME[table]
        columns = ", ".join(keys.columns)
        is_message = table == "messages"
        order = f"{keys.newest_first}file DESC, line DESC, seq DESC"
        if is_message and cut.begin_ms is not None:
            order = f"{cut.past}, {order}"
        self._sql.execute(
            f"CREATE TABLE many_{table} AS "
            f"SELECT {columns} FROM raw_{table} GROUP BY ALL HAVING count(*) > 1"
        )
        self._sql.execute(
            f"""CREATE TABLE double_{table} AS
                SELECT seq, file, line, {keys.record_type} AS record_type, {keys.legacy_id} AS id,
                    {"conversation" if is_message else "''"} AS conversation,
                    {_IS_COUNTED.get(table, cut.taken if is_message else "true")} AS is_counted,
                    row_number() OVER same AS place,
                    first_value(concat('`', file, '`, line ', line)) OVER same AS kept
                FROM raw_{table} SEMI JOIN many_{table} USING ({columns})
                WINDOW same AS (PARTITION BY {columns} ORDER BY {order})"""
        )
        self._sql.execute(
            f"""CREATE VIEW ended_{table} AS
                SELECT record_type, 'skipped' AS outcome, 'duplicate' AS reason,
                    concat('The same record stands in ', kept, '; that row is used.') AS detail,
                    '' AS advice, id, conversation, file, line
                FROM double_{table} WHERE place > 1 AND is_counted"""
        )
        self._sql.execute(
            f"""CREATE VIEW {table} AS SELECT * FROM raw_{table}
                ANTI JOIN (SELECT seq FROM double_{table} WHERE place > 1) USING (seq)"""
        )


_IS_COUNTED = {"users": "NOT derived"}
"""Users that only messages name stand in many rows; they count once."""


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
