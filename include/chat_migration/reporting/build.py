"""Putting a report together from the parts that stages and shards left behind, and from the ledger."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from chat_migration.delivery.calls import ApiCalls, merge_calls
from chat_migration.errors import MigrationError, RowsInDoubtError
from chat_migration.ledger.ledger import Ledger
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import Quote
from chat_migration.planning.tables import Plan
from chat_migration.reporting.page import render_page
from chat_migration.reporting.rejected import write_rejected
from chat_migration.reporting.report import ApiReport, RunReport, SlotReport, WindowReport
from chat_migration.run import Run
from chat_migration.store.extract import Extract, Manifest
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.workbench import parts_folder, read_parts

_POINTS = 2000
_TYPES_OF_STAGE = {
    "accounts": RecordType.ACCOUNTS,
    "groups": RecordType.GROUPS,
    "members": RecordType.MEMBERS,
    "direct": RecordType.C2C_MESSAGES,
    "group": RecordType.GROUP_MESSAGES,
    "unread": RecordType.UNREAD,
}


class ReportBuilder:
    """Builds the report of one run."""

    def __init__(self, run: Run, ledger: Ledger) -> None:
        self._run, self._ledger = run, ledger
        self._parts = read_parts(run)

    def build(self) -> RunReport:
        """Return the report; nothing is written yet."""
        run = self._run
        manifests = [Extract.open(path).manifest for path in run.noted_extracts()]
        plan = Plan(run.work / "plan")
        quote = (
            Quote.model_validate_json(plan.quote_path.read_text(encoding="utf-8"))
            if plan.exists()
            else None
        )
        rows, reasons = self._counts()
        read = _sum_read(manifests)
        unfinished = self._unfinished(rows, read)
        calls = merge_calls([part.calls for part in self._parts])
        in_doubt = self._ledger.count_unresolved()
        return RunReport(
            run_id=run.run_id,
            target=run.connection.app,
            source=run.settings.source,
            source_name=run.settings.name_of_source,
            window=WindowReport(
                start_ms=run.settings.window.start_ms,
                end_ms=run.settings.window.end_ms,
                text=str(run.settings.window),
            ),
            dry_run=run.settings.dry_run,
            complete=not unfinished and not in_doubt,
            unfinished=unfinished,
            rows={kind: dict(rows[kind]) for kind in RecordType},
            reasons={kind: dict(of) for kind, of in reasons.items() if of},
            rows_read=read,
            outside_window=sum(each.outside_window for each in manifests),
            unknown_fields={
                f"{each.first.record_type}.{each.first.field}": each.rows
                for manifest in manifests
                for each in manifest.unknown_fields
            },
            placeholders=quote.placeholders if quote else {},
            shortened=quote.shortened if quote else {},
            slots=SlotReport(
                lifted=sum(part.lifted for part in self._parts),
                max_drift_seconds=max((part.max_drift_seconds for part in self._parts), default=0),
            ),
            calls={api: _api_report(api, of) for api, of in sorted(calls.items())},
            calls_by_second=_timeline(calls),
            seconds=self._seconds(),
            in_doubt=in_doubt,
            rejected_rows=0,
            quote=quote,
        )

    def _counts(self) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
        rows: dict[str, Counter[str]] = {kind: Counter() for kind in RecordType}
        reasons: dict[str, Counter[str]] = {kind: Counter() for kind in RecordType}
        for part in self._parts:
            for kind, of in part.rows.items():
                rows[kind].update(of)
            for kind, of in part.reasons.items():
                reasons[kind].update(of)
        return rows, reasons

    def _unfinished(self, rows: dict[str, Counter[str]], read: dict[str, int]) -> list[str]:
        """Return the stages whose rows do not add up to what was read: they were cut off, or never ran."""
        if not self._run.noted_extracts():
            return ["extract"]
        return [
            stage
            for stage, kind in _TYPES_OF_STAGE.items()
            if sum(rows[kind].values()) != read.get(kind, 0)
        ]

    def _seconds(self) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for part in self._parts:
            seconds[part.stage] = max(seconds.get(part.stage, 0.0), part.seconds)
        return seconds


def _sum_read(manifests: list[Manifest]) -> dict[str, int]:
    read: Counter[str] = Counter()
    for manifest in manifests:
        read.update({str(kind): count for kind, count in manifest.rows_read.items()})
    return dict(read)


def _api_report(api: str, calls: ApiCalls) -> ApiReport:
    return ApiReport(
        count=calls.count,
        throttled=calls.throttled,
        retried=calls.retried,
        peak_per_second=max(calls.by_second.values(), default=0),
        writes=APIS[api].writes,
    )


def _timeline(calls: dict[str, ApiCalls]) -> dict[str, list[tuple[int, int]]]:
    """Return the calls over the time of the run; a long one is thinned out, keeping the peaks."""
    seconds = [second for of in calls.values() for second in of.by_second]
    if not seconds:
        return {}
    start, width = min(seconds), max(1, (max(seconds) - min(seconds)) // _POINTS + 1)
    timeline: dict[str, list[tuple[int, int]]] = {}
    for api, of in calls.items():
        peaks: dict[int, int] = {}
        for second, count in of.by_second.items():
            place = (second - start) // width * width
            peaks[place] = max(peaks.get(place, 0), count)
        timeline[api] = sorted(peaks.items())
    return timeline


def finish(run: Run, ledger: Ledger, report: RunReport) -> None:
    """Write the report's files, close the run in the ledger, and raise what the run must end with.

    Raises:
        RowsInDoubtError: some outcomes are unknown.
        MigrationError: stages did not run to their end, or more rows were rejected than allowed.
    """
    run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    extracts = [Extract.open(path) for path in run.noted_extracts()]
    lines = sorted(parts_folder(run).glob("*.jsonl"))
    rejected = write_rejected(extracts, lines, run.folder / "rejected.jsonl")
    report = report.model_copy(update={"rejected_rows": rejected})
    _write(run.folder / "report.json", report.model_dump_json(indent=2))
    _write(run.folder / "report.html", render_page(report, run.folder / "rejected.jsonl"))
    window = run.settings.window
    completes = report.complete and not run.settings.is_pilot
    ledger.finish_run(
        run.run_id,
        complete=completes,
        source_name=report.source_name,
        window=(window.start_ms, window.end_ms),
    )
    _raise_end(run, report)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o600)
    partial.rename(path)


def _raise_end(run: Run, report: RunReport) -> None:
    where = f"See `{run.folder / 'report.html'}`."
    doubtful = sum(of.get(Outcome.IN_DOUBT, 0) for of in report.rows.values())
    if doubtful or report.in_doubt:
        raise RowsInDoubtError(
            f"The outcome of {max(doubtful, report.in_doubt)} messages is unknown.",
            advice="Run again: it reads back what the target holds before it sends anything.",
            done=where,
        )
    if report.unfinished:
        raise MigrationError(
            f"The run is not complete: {', '.join(report.unfinished)} did not deal with every row.",
            advice="Run again; what is done is not sent twice.",
            done=where,
        )
    over = [
        kind
        for kind in report.rows
        if report.rejected_ratio(kind) > run.settings.max_rejected_ratio
    ]
    if over:
        shares = ", ".join(f"{kind} {report.rejected_ratio(kind):.1%}" for kind in over)
        raise MigrationError(
            f"More rows were rejected than `max_rejected_ratio` "
            f"({run.settings.max_rejected_ratio:.1%}) allows: {shares}.",
            advice=f"Read `{run.folder / 'rejected.jsonl'}`, correct the export and run again; or raise the ratio.",
            done="Everything else is imported.",
        )
