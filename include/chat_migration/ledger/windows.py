"""The ledger's verbs for runs and for the windows that they completed."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase
from chat_migration.window import Window


class WindowVerbs(LedgerBase):
    """Which run works on which window, and which windows are complete, per ``source_name``."""

    def begin_run(
        self, run_id: str, source_name: str, start_ms: int | None, end_ms: int | None
    ) -> None:
        """Remember that a run works on a window; beginning it again changes nothing."""
        self.upsert(
            schema.runs,
            [{
                "run_id": run_id, "source_name": source_name, "window_start_ms": start_ms,
                "window_end_ms": end_ms, "started_at_ms": self._clock.now_ms(), "state": "running",
            }],
            keep=True,
        )  # fmt: skip

    def finish_run(
        self,
        run_id: str,
        *,
        complete: bool,
        source_name: str,
        window: tuple[int | None, int | None] | None,
    ) -> None:
        """Close a run; a complete one also completes its window, if it has one.

        A repeated run keeps the time at which it first completed a window: that says which range the nightly runs
        carry on.
        """
        now = self._clock.now_ms()

        def finish(connection: Connection) -> None:
            table = schema.runs
            connection.execute(
                update(table)
                .where(table.c.app_id == self.app_id, table.c.run_id == run_id)
                .values(finished_at_ms=now, state="complete" if complete else "incomplete")
            )
            if complete and window is not None:
                row = {
                    "source_name": source_name, "run_id": run_id, "start_ms": window[0],
                    "end_ms": window[1], "completed_at_ms": now,
                }  # fmt: skip
                self.upsert_in(
                    connection, schema.windows, [row], keep=False, fixed=("completed_at_ms",)
                )

        self.database.write(finish)

    def window_of_run(self, run_id: str) -> Window | None:
        """Return the window that a run began with, or None if the ledger does not know the run."""
        table = schema.runs
        query = select(table.c.window_start_ms, table.c.window_end_ms).where(
            table.c.app_id == self.app_id, table.c.run_id == run_id
        )
        row = self.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else Window(row.window_start_ms, row.window_end_ms)

    def has_runs(self) -> bool:
        """Tell whether any run of this app ever began."""
        query = select(schema.runs.c.run_id).where(schema.runs.c.app_id == self.app_id).limit(1)
        return self.database.read(lambda connection: connection.execute(query).first()) is not None

    def complete_windows(self, source_name: str) -> list[Window]:
        """Return the complete windows of a source, in the order in which they were completed."""
        return self.windows_by_source().get(source_name, [])

    def windows_by_source(self) -> dict[str, list[Window]]:
        """Return the complete windows of every source, in the order in which they were completed.

        Windows without an end are left out: earlier versions wrote them and did not say how far their export went.
        A run that takes their messages again finds them known.
        """
        table = schema.windows
        query = (
            select(table.c.source_name, table.c.start_ms, table.c.end_ms)
            .where(table.c.app_id == self.app_id, table.c.end_ms.is_not(None))
            .order_by(table.c.source_name, table.c.completed_at_ms, table.c.end_ms, table.c.run_id)
        )
        found: dict[str, list[Window]] = {}
        for name, start_ms, end_ms in self.database.read(
            lambda connection: connection.execute(query).all()
        ):
            found.setdefault(str(name), []).append(Window(start_ms, end_ms))
        return found
