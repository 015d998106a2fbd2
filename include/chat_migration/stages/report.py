"""Writing the report, and saying how the run ends."""

from __future__ import annotations

from chat_migration.artefacts import report_place
from chat_migration.reporting.build import ReportBuilder, finish
from chat_migration.reporting.report import RunReport
from chat_migration.run import Run
from chat_migration.stages.deferred import keep_deferred
from chat_migration.stages.result import StageResult
from chat_migration.workbench import open_ledger


def write_report(run: Run) -> StageResult:
    """Write ``report.json``, ``report.html`` and ``rejected.jsonl``; raise what the run must end with.

    Raises:
        RowsInDoubtError: some outcomes are unknown.
        MigrationError: more rows were rejected than allowed (exit 1).
    """
    with open_ledger(run) as ledger:
        builder = ReportBuilder(run, ledger)
        report = builder.build()
        keep_deferred(run, ledger, builder.parts, is_complete=report.complete)
        finish(run, ledger, report, builder.parts)
    return StageResult(
        stage="report",
        rows=report.rows,
        seconds=sum(report.seconds.values()),
        path=str(run.folder / "report.json"),
        summary=f"{report.text()}\nreport: {report_place(run)}",
    )


def report_of(run: Run) -> RunReport:
    """Return the report that was written for this run."""
    return RunReport.model_validate_json((run.folder / "report.json").read_text(encoding="utf-8"))
