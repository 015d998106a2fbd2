"""A rebuild as a stage of a run: the work, its report, and how it ends."""

from __future__ import annotations

from pathlib import Path

from chat_migration.delivery.context import Tools
from chat_migration.errors import MigrationError
from chat_migration.rebuild.findings import Findings, Found
from chat_migration.rebuild.report import RebuildReport
from chat_migration.rebuild.work import rebuild
from chat_migration.run import Run

REPORT, UNPROVED = "rebuild.json", "unproved.jsonl"
"""What a rebuild leaves in the run's folder; the lines have the shape of ``rejected.jsonl``."""


def restore(run: Run, tools: Tools) -> RebuildReport:
    """Rebuild the ledger and write the report, after a failure too.

    Raises:
        MigrationError: some rows could not be proved.
        HeldElsewhereError, StoppedError, InterruptedRunError: as the work does; what was restored stays.
    """
    complete = False
    run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    findings = Findings(run.folder / UNPROVED)
    try:
        with findings:
            rebuild(tools, findings, retention_days=run.connection.retention_days)
        complete = True
    finally:
        report = _report(run, tools, findings, complete=complete)
        _write(run.folder / REPORT, report.model_dump_json(indent=2))
    tools.ledger.finish_run(
        run.run_id, complete=True, source_name=run.settings.name_of_source, window=None
    )
    if report.unproved_rows:
        raise _unproved(run, report)
    return report


def report_of(run: Run) -> RebuildReport | None:
    """Return the report that a rebuild wrote, or None if it did not come so far."""
    path = run.folder / REPORT
    return RebuildReport.model_validate_json(path.read_text("utf-8")) if path.exists() else None


def _unproved(run: Run, report: RebuildReport) -> MigrationError:
    where = f"Each is in `{run.folder / UNPROVED}` with its reason and what to do."
    known = any(Found.KNOWN in of for of in report.rows.values())
    if report.foreign_messages and not report.recognised_messages and not known:
        return MigrationError(
            f"None of the {report.foreign_messages:,} messages that the app holds there is one of this export.",
            expected="The source, `--source-name` and export of the run whose ledger was lost.",
            advice=f"Correct them and rebuild again. {where}",
            done="Nothing was written to the app, and nothing that depends on it to the ledger.",
        )
    return MigrationError(
        f"Rows that could not be restored and that no run can bring to their place: {report.unproved_rows:,}.",
        advice=where,
        done="Everything else is in the ledger again; nothing was written to the app.",
    )


def _report(run: Run, tools: Tools, findings: Findings, *, complete: bool) -> RebuildReport:
    return RebuildReport(
        run_id=run.run_id,
        target=run.connection.app,
        source=run.settings.source,
        source_name=run.settings.name_of_source,
        complete=complete,
        rows={kind: dict(of) for kind, of in findings.rows.items()},
        reasons={kind: dict(of) for kind, of in findings.reasons.items()},
        recognised_messages=findings.recognised,
        foreign_messages=findings.foreign,
        unproved_rows=findings.unproved,
        lines=findings.lines,
        calls={api: of.count for api, of in tools.caller.statistics.snapshot().items()},
        seconds=round(run.clock.monotonic() - tools.started, 3),
    )


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o600)
    partial.rename(path)
