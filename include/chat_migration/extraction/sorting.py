"""Raw chunks to staged tables: dedup, window, order, joins, in DuckDB and within its memory limit."""

# ruff: noqa: S608 - what is put into SQL here are names and numbers of this package, never the export's

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from chat_migration.extraction import raw
from chat_migration.extraction.reading import PieceResult, line_bases
from chat_migration.sources.base import Piece
from chat_migration.window import Window

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
"""Of rows with one key the first by this order stays, then the last by file name and line."""


class Sorter:
    """A DuckDB database over the raw chunks of one extract.

    Tables: ``raw_<table>`` as read, with lines that count from the file's start; ``<table>`` without
    duplicates; ``ended``, the rows that go no further. Messages are cut to the window in ``staged``.
    """

    def __init__(
        self,
        folder: Path,
        pieces: Sequence[Piece],
        results: Sequence[PieceResult],
        *,
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
        self._open_raw(folder / "raw", line_bases(pieces, results))

    def run(self, window: Window) -> None:
        """Find duplicates and cut to the window."""
        for table in SAME:
            self._find_duplicates(table)
        self._sql.execute(f"CREATE VIEW staged AS SELECT * FROM messages WHERE {inside(window)}")
        kept = "outcome, reason, detail, advice, id, conversation, file, line"
        doubles = " UNION ALL ".join(f"SELECT * FROM ended_{table}" for table in SAME)
        self._sql.execute(
            f"""CREATE TABLE ended AS SELECT record_type, {kept} FROM
                (SELECT record_type, {kept}, sent_at_ms FROM raw_problems UNION ALL {doubles})
                WHERE sent_at_ms IS NULL OR {inside(window)}"""
        )

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

    def _open_raw(self, folder: Path, bases: list[int]) -> None:
        """Make the views over the chunks, with lines that count from the file's start."""
        line = (
            f"line + ({bases}::BIGINT[])[(seq >> {raw.PIECE_SHIFT}) + 1]" if any(bases) else "line"
        )
        for table, schema in raw.BY_TABLE.items():
            where = folder / table
            where.mkdir(exist_ok=True)
            pq.ParquetWriter(where / "empty.parquet", schema).close()
            files = ", ".join(f"'{_quoted(file)}'" for file in sorted(where.iterdir()))
            chunks = f"read_parquet([{files}])"
            self._sql.execute(
                f"CREATE VIEW raw_{table} AS SELECT * REPLACE ({line} AS line) FROM {chunks}"
            )

    def _find_duplicates(self, table: str) -> None:
        """Make ``ended_<table>`` (rows that another one replaces) and ``<table>`` (all others)."""
        keys = SAME[table]
        columns = ", ".join(keys.columns)
        is_message = table == "messages"
        order = f"{keys.newest_first}file DESC, line DESC, seq DESC"
        self._sql.execute(
            f"CREATE TABLE many_{table} AS "
            f"SELECT {columns} FROM raw_{table} GROUP BY ALL HAVING count(*) > 1"
        )
        self._sql.execute(
            f"""CREATE TABLE double_{table} AS
                SELECT seq, file, line, {keys.record_type} AS record_type, {keys.legacy_id} AS id,
                    {"conversation" if is_message else "''"} AS conversation,
                    {"sent_at_ms" if is_message else "NULL::BIGINT"} AS sent_at_ms,
                    {"NOT derived" if table == "users" else "true"} AS is_counted,
                    row_number() OVER same AS place,
                    first_value(concat('`', file, '`, line ', line)) OVER same AS kept
                FROM raw_{table} SEMI JOIN many_{table} USING ({columns})
                WINDOW same AS (PARTITION BY {columns} ORDER BY {order})"""
        )
        self._sql.execute(
            f"""CREATE VIEW ended_{table} AS
                SELECT record_type, 'skipped' AS outcome, 'duplicate' AS reason,
                    concat('The same record stands in ', kept, '; that row is used.') AS detail,
                    '' AS advice, id, conversation, file, line, sent_at_ms
                FROM double_{table} WHERE place > 1 AND is_counted"""
        )
        self._sql.execute(
            f"""CREATE VIEW {table} AS SELECT * FROM raw_{table}
                ANTI JOIN (SELECT seq FROM double_{table} WHERE place > 1) USING (seq)"""
        )


def inside(window: Window) -> str:
    """Return the SQL condition that ``sent_at_ms`` lies in a window."""
    bounds = [
        f"sent_at_ms {sign} {bound}"
        for sign, bound in ((">=", window.start_ms), ("<", window.end_ms))
        if bound is not None
    ]
    return " AND ".join(bounds) or "true"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
