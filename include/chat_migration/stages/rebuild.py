"""Restoring a lost ledger."""

from __future__ import annotations

from chat_migration import rebuild
from chat_migration.run import Run
from chat_migration.stages.result import StageResult
from chat_migration.workbench import delivering


def rebuild_ledger(run: Run) -> StageResult:
    """Restore what a lost ledger knew from the plan and from what the target holds; the target is only read.

    Raises:
        MigrationError: something could not be proved (exit 1); it is named, and no run writes to it.
        HeldElsewhereError, StoppedError, InterruptedRunError: run it again; it goes on where it stopped.
    """
    with delivering(run, "rebuild") as tools:
        report = rebuild.restore(run, tools)
    return StageResult(
        stage="rebuild",
        rows=report.rows,
        seconds=report.seconds,
        path=str(run.folder / rebuild.REPORT),
        summary=report.text(),
    )
