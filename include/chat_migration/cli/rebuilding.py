"""What ``chat-migration rebuild`` does."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from chat_migration import rebuild, stages
from chat_migration.run import Run
from chat_migration.settings import Settings


def whole_export(settings: Settings) -> Settings:
    """Return the settings of a rebuild: all windows at once, whatever the settings file says.

    A dry run would change nothing: a rebuild writes to the ledger alone.
    """
    return settings.model_copy(update={"from_": None, "to": None, "dry_run": False})


def rebuild_ledger(run: Run, console: Console) -> None:
    """Read the export, plan, and restore the ledger from what the app holds; show what was found.

    Raises:
        MigrationError: as the stages do; what was found is shown all the same.
    """
    stages.extract_export(run)
    stages.plan_import(run)
    try:
        stages.rebuild_ledger(run)
    finally:
        report = rebuild.report_of(run)
        if report is not None:
            console.print(escape(report.text()))
            console.print(f"report: {run.folder / rebuild.REPORT}", soft_wrap=True)
